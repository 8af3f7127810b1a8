//! From what an entry names to a file.
//!
//! A name is that of a file in a plugin folder; where no file has it, that of a plugin which a library there offers besides
//! (`state-sqlite` in the library of store-sqlite), as its manifest says. Nothing of a library runs for that, and little of
//! it is read.

use super::error::Problem;
use convoke_sdk::remote::Candidate;
use std::{
    collections::BTreeSet,
    env::consts::{DLL_PREFIX, DLL_SUFFIX},
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// What begins the file name of a plugin that cargo built in our workspace.
const CRATE_PREFIX: &str = "convoke_";

/// The library or program that `plugin` names: a path, which counts from `folder` if it is relative, or a name to look up
/// in `directories`, in order.
pub fn file(plugin: &str, directories: &[PathBuf], folder: &Path) -> Result<PathBuf, Problem> {
    if is_path(plugin) {
        // Without `.` between, which a relative path mostly begins with.
        let file: PathBuf = folder.join(plugin).components().collect();
        return if exists(&file) {
            Ok(file)
        } else {
            Err(missing(plugin, vec![file.clone()], &parent(&file)))
        };
    }
    let names = file_names(plugin);
    let in_directory = |directory: &PathBuf| {
        let mut libraries = names.iter().map(|name| directory.join(name));
        let library = libraries.find(|file| exists(file));
        library.or_else(|| Some(directory.join(plugin)).filter(|file| is_program(file)))
    };
    let by_file = directories.iter().find_map(in_directory);
    by_file
        .or_else(|| offering(plugin, directories))
        .ok_or_else(|| missing(plugin, directories.to_vec(), directories))
}

/// The first library that offers something by this name, as its manifest says. One that cannot be read offers nothing.
fn offering(plugin: &str, directories: &[PathBuf]) -> Option<PathBuf> {
    let offers = |file: &PathBuf| {
        let manifest = Candidate::peek(file).ok();
        manifest.is_some_and(|it| !it.kinds_of(plugin).is_empty())
    };
    let files = directories.iter().flat_map(|folder| libraries(folder));
    files.into_iter().find(offers)
}

/// The name that an entry's plugin goes by: `store-sqlite` for `/usr/lib/libconvoke_store_sqlite.so` too.
pub fn short_name(plugin: &str) -> String {
    let file = Path::new(plugin).file_name().unwrap_or_default();
    name_of(Path::new(file)).unwrap_or_else(|| plugin.to_owned())
}

/// The libraries in `directory`, by name of file.
pub fn libraries(directory: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(directory)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|file| name_of(file).is_some())
        .collect();
    files.sort();
    files
}

/// The programs in `directory`, by name of file.
pub fn programs(directory: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(directory)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|file| name_of(file).is_none() && is_program(file))
        .collect();
    files.sort();
    files
}

/// Whether a file can be run, by its mode.
fn is_program(file: &Path) -> bool {
    let about = fs::metadata(file);
    about.is_ok_and(|it| it.is_file() && it.mode() & 0o111 != 0)
}

/// Whether `plugin` names a file, not something to look up.
pub fn is_path(plugin: &str) -> bool {
    plugin.contains('/') || plugin.ends_with(DLL_SUFFIX)
}

fn file_names(name: &str) -> [String; 2] {
    let as_crate = name.replace('-', "_");
    [
        format!("{DLL_PREFIX}{CRATE_PREFIX}{as_crate}{DLL_SUFFIX}"),
        format!("{name}{DLL_SUFFIX}"),
    ]
}

/// The name under which a library file is found; `None` if it is not named like a library.
fn name_of(file: &Path) -> Option<String> {
    let stem = file.file_name()?.to_str()?.strip_suffix(DLL_SUFFIX)?;
    let ours = stem
        .strip_prefix(DLL_PREFIX)
        .and_then(|stem| stem.strip_prefix(CRATE_PREFIX));
    Some(match ours {
        Some(name) => name.replace('_', "-"),
        None => stem.to_owned(),
    })
}

/// The name under which a library file is found, and those of the plugins in it that have others.
fn names_of(file: &Path) -> Vec<String> {
    let mut names = Vec::from_iter(name_of(file));
    let manifest = Candidate::peek(file).ok();
    names.extend((manifest.iter().flat_map(|it| &it.other_names)).map(|(_, name)| name.clone()));
    names
}

/// Whether something is there, be it a dangling link: what it is, is said when it is looked at.
fn exists(file: &Path) -> bool {
    fs::symlink_metadata(file).is_ok()
}

fn parent(file: &Path) -> Vec<PathBuf> {
    file.parent().map(Path::to_owned).into_iter().collect()
}

fn missing(plugin: &str, looked: Vec<PathBuf>, directories: &[PathBuf]) -> Problem {
    let present: BTreeSet<_> = directories
        .iter()
        .flat_map(|directory| libraries(directory))
        .flat_map(|file| names_of(&file))
        .collect();
    let wanted = short_name(plugin);
    let nearest = present
        .iter()
        .map(|name| (strsim::damerau_levenshtein(&wanted, name), name))
        .min()
        .filter(|(distance, name)| *distance <= 1 + name.len() / 4)
        .map(|(_, name)| name.clone());
    Problem::NotFound {
        looked,
        nearest,
        // A system folder may hold hundreds of libraries; a message may not.
        present: present.into_iter().take(20).collect(),
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_plugin_goes_by_one_name_whatever_its_file_is_called() {
        for (plugin, name) in [
            ("store-sqlite", "store-sqlite"),
            ("/opt/libconvoke_store_sqlite.so", "store-sqlite"),
            ("store-sqlite.so", "store-sqlite"),
            ("./acme.so", "acme"),
        ] {
            assert_eq!(short_name(plugin), name);
        }
    }

    #[test]
    fn the_nearest_plugin_present_is_named() {
        let folder = tempfile::tempdir().unwrap();
        for file in ["libconvoke_store_sqlite.so", "acme.so", "notes.txt"] {
            fs::write(folder.path().join(file), "").unwrap();
        }
        let directories = [folder.path().to_owned()];
        let found = file("store-sqlite", &directories, Path::new("/")).unwrap();
        assert!(found.ends_with("libconvoke_store_sqlite.so"));
        for (wrong, hint) in [
            ("store-sqlit", "did you mean `store-sqlite`?"),
            ("policy", "there are acme, store-sqlite"),
        ] {
            let problem = file(wrong, &directories, Path::new("/")).unwrap_err();
            assert!(problem.to_string().ends_with(hint), "{problem}");
        }
        let program = folder.path().join("acme-finder.py");
        fs::write(&program, "").unwrap();
        assert!(file("acme-finder.py", &directories, Path::new("/")).is_err());
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let found = file("acme-finder.py", &directories, Path::new("/"));
        assert_eq!(found.unwrap(), program);
        assert_eq!(programs(folder.path()), [program]);
    }
}
