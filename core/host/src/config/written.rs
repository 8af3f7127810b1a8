//! Where a configuration file names another file, so that what is wrong with that one can point at the line.

use super::line_and_column;
use std::path::Path;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// A file, and the keys that lead to where it is meant, of which others may stand between: `["listener", "key"]`.
#[derive(Clone, Copy, Debug)]
pub struct Naming<'a> {
    /// The file.
    pub file: &'a Path,
    /// The keys, from the outside in.
    pub keys: &'a [&'a str],
}

/// `convoke.toml:12:30`, where the configuration file at `config` names a file, as it is now. A file that is not named under
/// these keys is looked for under the first of them, and then anywhere.
pub(super) fn place(config: &Path, naming: Naming<'_>) -> Option<String> {
    let text = std::fs::read_to_string(config).ok()?;
    let absolute = std::path::absolute(config).ok()?;
    let (line, column) = find(&text, absolute.parent()?, naming)?;
    Some(format!("{}:{line}:{column}", config.display()))
}

/// Line and column, from 1, of the first text that names the file, if relative names count from `folder`.
fn find(text: &str, folder: &Path, naming: Naming<'_>) -> Option<(usize, usize)> {
    let document = DeTable::parse(text).ok()?;
    let Naming { file, keys } = naming;
    let first = keys.get(..1).unwrap_or_default();
    [keys, first, &[]].into_iter().find_map(|keys| {
        let starts = in_table(document.get_ref(), folder, Naming { file, keys });
        // In the order of the file, which that of a table is not.
        Some(line_and_column(text, starts.into_iter().min()?))
    })
}

/// Where the file is named in a table.
fn in_table(table: &DeTable<'_>, folder: &Path, naming: Naming<'_>) -> Vec<usize> {
    let Naming { file, keys } = naming;
    let within = table.iter().flat_map(|(key, value)| {
        let keys = match keys.split_first() {
            Some((first, rest)) if key.get_ref() == *first => rest,
            _ => keys,
        };
        in_value(value, folder, Naming { file, keys })
    });
    within.collect()
}

/// Where the file is named in a value.
fn in_value(value: &Spanned<DeValue<'_>>, folder: &Path, naming: Naming<'_>) -> Vec<usize> {
    match value.get_ref() {
        DeValue::String(text) if naming.keys.is_empty() && folder.join(&**text) == naming.file => {
            vec![value.span().start]
        }
        DeValue::Array(items) => items
            .iter()
            .flat_map(|it| in_value(it, folder, naming))
            .collect(),
        DeValue::Table(table) => in_table(table, folder, naming),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_naming_of_a_file_is_found_wherever_it_stands() {
        let text = r#"
[client]
ca = ["a.pem", { file = "b.pem" }]
[[listener]]
tls = { certificate = "c.pem", key = "/k.pem" }
[[store]]
config.password_file = "b.pem"
"#;
        let find = |file: &str| {
            let (file, keys) = (Path::new(file), &[][..]);
            find(text, Path::new("/etc/convoke"), Naming { file, keys })
        };
        for (file, place) in [
            ("/etc/convoke/a.pem", Some((3, 7))),
            ("/etc/convoke/b.pem", Some((3, 25))),
            ("/etc/convoke/c.pem", Some((5, 23))),
            ("/k.pem", Some((5, 38))),
            ("/etc/convoke/d.pem", None),
        ] {
            assert_eq!(find(file), place, "{file}");
        }
    }

    #[test]
    fn of_several_keys_that_name_a_file_the_one_that_is_meant_is_found() {
        let text = r#"
[[listener]]
tls = { certificate = "a.pem", key = "a.pem" }
[signing]
key = "a.pem"
[client]
ca = [{ file = "a.pem" }]
"#;
        for (keys, place) in [
            (&["listener", "certificate"][..], Some((3, 23))),
            (&["listener", "key"], Some((3, 38))),
            (&["signing", "key"], Some((5, 7))),
            (&["client", "ca"], Some((7, 16))),
            // Not there, but elsewhere below it, or anywhere.
            (&["client", "key"], Some((7, 16))),
            (&["mail", "password_file"], Some((3, 23))),
        ] {
            let file = Path::new("/etc/a.pem");
            let found = find(text, Path::new("/etc"), Naming { file, keys });
            assert_eq!(found, place, "{keys:?}");
        }
    }
}
