//! Who else on this machine may read or write the files that the host relies on.
//!
//! A private key that everybody can read is none, and whoever may write a plugin, the configuration or a folder with
//! keys of peers is the administrator. What counts are the modes for *others*: a group is made of whom the administrator
//! put in it (a key of mode 0640 in the group `ssl-cert` is common). Links are followed; and a folder above that others
//! may write, unless it is sticky as `/tmp` is, lets them put something else in the place of what is in it.
//!
//! [`read_private`] reads a private key or refuses it, as [`read_private_up_to`] does with a bound, [`writable`] and its like say what is wrong with a file; what follows
//! from that is the caller's.

use std::{
    fmt,
    fs::{self, File, Metadata},
    io::{self, Read},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

const READ: u32 = 0o004;
const WRITE: u32 = 0o002;
const STICKY: u32 = 0o1000;
/// Links that are followed one by one.
const MOST_LINKS: usize = 40;

/// Something that others may read or write, and what to do about it; one sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exposed {
    /// What the host relies on.
    file: PathBuf,
    /// Itself, or a folder above it.
    place: PathBuf,
    mode: u32,
    how: How,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    Read,
    Written,
}

impl Exposed {
    /// What the host relies on.
    pub fn file(&self) -> &Path {
        &self.file
    }
}

impl fmt::Display for Exposed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (file, place, mode) = (self.file.display(), &self.place, self.mode & 0o7777);
        let (verb, change) = match self.how {
            How::Read => ("read", "o-rwx"),
            How::Written => ("write", "o-w"),
        };
        if *place == self.file {
            write!(f, "{file}: everybody on this machine can {verb} it")?;
        } else {
            let place = place.display();
            write!(
                f,
                "{file}: everybody on this machine can {verb} {place}, and so replace it"
            )?;
        }
        write!(
            f,
            " (mode {mode:04o}); run: chmod {change} {}",
            quoted(place)
        )
    }
}

impl std::error::Error for Exposed {}

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-+@%:=,".contains(letter);
    if text.chars().all(plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

/// Why a private file is not used.
#[derive(Debug, thiserror::Error)]
pub enum PrivateFileError {
    /// It is none.
    #[error(transparent)]
    Exposed(#[from] Exposed),
    /// It cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Reads a private key, if nobody but its owner and its group can.
pub fn read_private(path: &Path) -> Result<Vec<u8>, PrivateFileError> {
    let (mut file, _) = open_private(path)?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// As [`read_private`], but no more than the first `most` bytes. Where the file does not grow meanwhile, no copy of it is left
/// behind in memory.
pub fn read_private_up_to(path: &Path, most: usize) -> Result<Vec<u8>, PrivateFileError> {
    let (file, length) = open_private(path)?;
    let length = usize::try_from(length).unwrap_or(most).min(most);
    // One more, as reading to the end asks for it.
    let mut bytes = Vec::with_capacity(length.saturating_add(1));
    file.take(most as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A private key, and how long it is.
fn open_private(path: &Path) -> Result<(File, u64), PrivateFileError> {
    let file = File::open(path)?;
    let about = file.metadata()?;
    // Of what was opened, should it be replaced now.
    if let Some(exposed) = readable(path, &about) {
        return Err(exposed.into());
    }
    if let Some(exposed) = writable(path) {
        return Err(exposed.into());
    }
    Ok((file, about.len()))
}

/// How others may read, or write, a file of this metadata.
pub fn readable(path: &Path, about: &Metadata) -> Option<Exposed> {
    let exposed = about.is_file() && about.mode() & (READ | WRITE) != 0;
    exposed.then(|| Exposed {
        file: path.to_owned(),
        place: path.to_owned(),
        mode: about.mode(),
        how: How::Read,
    })
}

/// How others may change what lies at `path`: it itself, where links lead, a folder above.
pub fn writable(path: &Path) -> Option<Exposed> {
    let places = places(path);
    let itself = places.iter().find_map(|place| writable_itself(path, place));
    itself.or_else(|| {
        let mut above = places.iter().flat_map(|place| place.ancestors().skip(1));
        above.find_map(|folder| {
            let about = fs::metadata(folder).ok()?;
            let exposed = about.mode() & WRITE != 0 && about.mode() & STICKY == 0;
            exposed.then(|| written(path, folder, &about))
        })
    })
}

/// How others may change what lies at `place`, where `path` leads to; the folders above are not looked at.
pub fn writable_itself(path: &Path, place: &Path) -> Option<Exposed> {
    let about = fs::metadata(place).ok()?;
    let counts = about.is_file() || about.is_dir();
    (counts && about.mode() & WRITE != 0).then(|| written(path, place, &about))
}

fn written(path: &Path, place: &Path, about: &Metadata) -> Exposed {
    Exposed {
        file: path.to_owned(),
        place: place.to_owned(),
        mode: about.mode(),
        how: How::Written,
    }
}

/// The path, each place that it leads to by a link, and where all links end.
fn places(path: &Path) -> Vec<PathBuf> {
    let mut places = vec![path.to_owned()];
    let mut place = path.to_owned();
    for _ in 0..MOST_LINKS {
        let Ok(target) = fs::read_link(&place) else {
            break;
        };
        place = place.parent().unwrap_or(Path::new("/")).join(target);
        places.push(place.clone());
    }
    if let Ok(end) = fs::canonicalize(path)
        && !places.contains(&end)
    {
        places.push(end);
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_private_key_is_for_its_owner_and_group() {
        let folder = tempfile::tempdir().unwrap();
        let [key, link] = ["it's a key.pem", "link.pem"].map(|it| folder.path().join(it));
        fs::write(&key, "secret").unwrap();
        symlink(&key, &link).unwrap();
        for (bits, fine) in [
            (0o600, true),
            (0o400, true),
            (0o640, true),
            (0o660, true),
            (0o644, false),
            (0o604, false),
            (0o602, false),
            (0o666, false),
        ] {
            mode(&key, bits);
            for path in [&key, &link] {
                let begin = read_private_up_to(path, 3);
                assert_eq!(begin.is_ok(), fine);
                assert!(begin.is_ok_and(|it| it == b"sec") || !fine);
                let read = read_private(path);
                assert_eq!(read.is_ok(), fine, "{bits:o} {}", path.display());
                if let Err(error) = read {
                    let text = error.to_string();
                    assert!(text.contains("; run: chmod o-rwx "), "{text}");
                    assert!(text.contains(&format!("(mode {bits:04o})")), "{text}");
                }
            }
        }
        let told = read_private(&key).unwrap_err().to_string();
        assert!(told.ends_with("/it'\\''s a key.pem'"), "{told}");
    }

    #[test]
    fn a_folder_above_that_others_may_write_exposes_what_is_in_it() {
        let top = tempfile::tempdir().unwrap();
        let [outer, elsewhere] = ["outer", "elsewhere"].map(|it| top.path().join(it));
        let inner = outer.join("inner");
        fs::create_dir_all(&inner).unwrap();
        fs::create_dir(&elsewhere).unwrap();
        let (file, link) = (inner.join("file"), elsewhere.join("link"));
        fs::write(&file, "").unwrap();
        symlink(&file, &link).unwrap();
        assert_eq!(writable(&file), None);
        assert_eq!(writable(&link), None);
        for (exposed, bits, seen) in [
            (&file, 0o646, [true, true]),
            (&inner, 0o757, [true, true]),
            (&outer, 0o777, [true, true]),
            (&outer, 0o1777, [false, false]),
            (&elsewhere, 0o777, [false, true]),
        ] {
            mode(exposed, bits);
            for (path, seen) in [&file, &link].into_iter().zip(seen) {
                let found = writable(path).map(|it| it.place);
                let place = seen.then(|| exposed.clone());
                if exposed == &file && path == &link {
                    assert!(found.is_some());
                } else {
                    assert_eq!(found, place, "{bits:o} {}", path.display());
                }
            }
            mode(exposed, 0o755);
        }
        // A sticky folder keeps what is in it, but takes more: as a folder of plugins it is none.
        mode(&outer, 0o1777);
        assert!(writable(&outer).is_some());
        assert_eq!(writable(&top.path().join("missing")), None);
    }
}
