//! Where a configuration file names another file, so that what is wrong with that one can point at the line.

use super::line_and_column;
use std::path::Path;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// `convoke.toml:12:30`, where the configuration file at `config` names `file`, as it is now.
pub(super) fn place(config: &Path, file: &Path) -> Option<String> {
    let text = std::fs::read_to_string(config).ok()?;
    let absolute = std::path::absolute(config).ok()?;
    let (line, column) = find(&text, absolute.parent()?, file)?;
    Some(format!("{}:{line}:{column}", config.display()))
}

/// Line and column, from 1, of the first text that names `file`, if relative names count from `folder`.
fn find(text: &str, folder: &Path, file: &Path) -> Option<(usize, usize)> {
    let document = DeTable::parse(text).ok()?;
    let values = document.get_ref().iter().map(|(_, value)| value);
    let starts = values.flat_map(|value| named(value, folder, file));
    // In the order of the file, which that of a table is not.
    Some(line_and_column(text, starts.min()?))
}

/// Where `file` is named in a value.
fn named(value: &Spanned<DeValue<'_>>, folder: &Path, file: &Path) -> Vec<usize> {
    match value.get_ref() {
        DeValue::String(text) if folder.join(&**text) == file => vec![value.span().start],
        DeValue::Array(items) => items
            .iter()
            .flat_map(|it| named(it, folder, file))
            .collect(),
        DeValue::Table(table) => {
            let values = table.iter().map(|(_, value)| value);
            values.flat_map(|it| named(it, folder, file)).collect()
        }
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
        let find = |file: &str| find(text, Path::new("/etc/convoke"), Path::new(file));
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
}
