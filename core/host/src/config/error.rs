//! What is wrong with a configuration, and where.

use convoke_sdk::config_words::{Complaint, list, nearest};
use std::{
    fmt, io,
    ops::Range,
    path::{Path, PathBuf},
};

/// The administrator's configuration cannot be used; one line, `file:line:column: what, and what to do`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    path: PathBuf,
    position: Option<(usize, usize)>,
    message: String,
}

impl ConfigError {
    pub(super) fn unreadable(path: &Path, error: &io::Error) -> Self {
        let message = match error.kind() {
            io::ErrorKind::NotFound => {
                "there is no such file; name the configuration with --config FILE".to_owned()
            }
            io::ErrorKind::IsADirectory => {
                "is a folder; name the configuration file in it".to_owned()
            }
            io::ErrorKind::PermissionDenied => {
                "may not be read by this user; do this as the host's user or as root".to_owned()
            }
            _ => format!("cannot be read: {error}"),
        };
        Self::in_file(path, message)
    }

    /// Something about the whole file.
    pub(super) fn in_file(path: &Path, message: String) -> Self {
        Self {
            path: path.to_owned(),
            position: None,
            message,
        }
    }

    /// Something at a line and a column, both from 1.
    pub(super) fn at(path: &Path, position: (usize, usize), message: String) -> Self {
        Self {
            position: Some(position),
            ..Self::in_file(path, message)
        }
    }

    /// Line and column, both from 1, if the error has a place.
    pub const fn position(&self) -> Option<(usize, usize)> {
        self.position
    }

    /// What is wrong, without the place.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        if let Some((line, column)) = self.position {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}", self.message)
    }
}

impl std::error::Error for ConfigError {}

/// Line and column of a byte of `text`, both from 1; columns count characters.
pub(crate) fn line_and_column(text: &str, byte: usize) -> (usize, usize) {
    let before = text.get(..byte).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (
        before.matches('\n').count() + 1,
        before[line_start..].chars().count() + 1,
    )
}

/// Turns places in the text into lines and columns.
pub(super) struct Locator<'a> {
    text: &'a str,
    /// As the administrator named it: what messages say.
    pub(super) path: &'a Path,
    /// The same, absolute.
    pub(super) file: PathBuf,
}

impl<'a> Locator<'a> {
    /// The text of the file at `path`.
    pub(super) fn new(text: &'a str, path: &'a Path) -> Self {
        // Without a working directory nothing relative can be found; the path as it is then says so.
        let file = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        Self { text, path, file }
    }

    /// The folder that relative paths count from.
    pub(super) fn folder(&self) -> &Path {
        self.file.parent().unwrap_or(Path::new(""))
    }

    /// Line and column of a byte, both from 1; columns count characters.
    pub(super) fn position(&self, byte: usize) -> (usize, usize) {
        line_and_column(self.text, byte)
    }

    /// Something that can be read but does not make sense.
    pub(super) fn wrong(&self, span: Range<usize>, message: &str) -> ConfigError {
        ConfigError {
            path: self.path.to_owned(),
            position: Some(self.position(span.start)),
            message: message.to_owned(),
        }
    }

    /// Something that is not TOML, or not of the right type or name.
    pub(super) fn syntax(&self, error: &toml::de::Error) -> ConfigError {
        ConfigError {
            path: self.path.to_owned(),
            position: error.span().map(|span| self.position(span.start)),
            message: self
                .brackets(error)
                .unwrap_or_else(|| in_words(error.message())),
        }
    }

    /// What to write for a table that stands in one bracket instead of two, or the other way round.
    fn brackets(&self, error: &toml::de::Error) -> Option<String> {
        let start = error.span()?.start;
        let line = self.text[..start].rfind('\n').map_or(0, |it| it + 1);
        let name = self.text.get(line..)?.lines().next()?.trim();
        let (is_list, name) = match name.strip_prefix("[[") {
            Some(rest) => (true, rest.strip_suffix("]]")?),
            None => (false, name.strip_prefix('[')?.strip_suffix(']')?),
        };
        match error.message() {
            "duplicate key" if !is_list && LISTS.contains(&name) => Some(format!(
                "`[{name}]` stands beside others of its name, so that it is written in two brackets: [[{name}]]"
            )),
            "duplicate key" => Some(format!(
                "`{name}` is written twice; put what belongs there under one heading"
            )),
            message if message.contains("expected a sequence") => Some(if is_list {
                format!(
                    "`[[{name}]]` stands there once, so that it is written in one bracket: [{name}]"
                )
            } else {
                format!(
                    "`[{name}]` can stand there several times, so that it is written in two brackets: [[{name}]]"
                )
            }),
            _ => None,
        }
    }
}

/// What is written in two brackets.
const LISTS: [&str; 5] = ["listener", "discovery", "policy", "store", "state"];

/// What serde says, in words, with what to write instead.
fn in_words(message: &str) -> String {
    match Complaint::read(message) {
        Complaint::UnknownKey(wrong, known) if known.is_empty() => {
            format!("unknown key `{wrong}`; there are no keys here")
        }
        Complaint::UnknownKey(wrong, known) => {
            let names = list(&known);
            meant(
                &format!("unknown key `{wrong}`, expected one of {names}"),
                wrong,
                &known,
            )
        }
        Complaint::UnknownWord(wrong, known) => {
            let names = list(&known);
            meant(
                &format!("`{wrong}` is not known here, expected one of {names}"),
                wrong,
                &known,
            )
        }
        Complaint::MissingKey(key) => match sample(key) {
            Some(sample) => format!("`{key}` is missing; write {sample}"),
            None => format!("`{key}` is missing; add it"),
        },
        // Of a word, as `starttls = true`.
        Complaint::Other(what) if what == "wanted string or table" => {
            "expected a word in quotes".to_owned()
        }
        Complaint::Other(what) => toml_words(what),
    }
}

/// What the reader of TOML says, in words.
fn toml_words(what: String) -> String {
    let says = |part: &str| what.contains(part);
    if says("string values must be quoted") {
        "a text stands between straight quotes, \"like this\"; only numbers, true, false and times stand without".to_owned()
    } else if says("key with no value") {
        "expected `key = value`, or a heading such as [server]".to_owned()
    } else if says("expected key") {
        "expected a key, as in `domains = [\"example.org\"]`, or a heading such as [server]"
            .to_owned()
    } else if what == "duplicate key" {
        "this key is written twice under one heading; take one out".to_owned()
    } else {
        what
    }
}

fn meant(what: &str, wrong: &str, known: &[&str]) -> String {
    match nearest(wrong, known) {
        Some(name) => format!("{what}; did you mean `{name}`?"),
        None => what.to_owned(),
    }
}

/// What may be written for a key that must be there.
pub(super) fn sample(key: &str) -> Option<&'static str> {
    Some(match key {
        "server" => "`[server]`, and below it `domains = [\"example.org\"]`",
        "domains" => "`domains = [\"example.org\"]`",
        "role" => {
            "`role = \"receiver\"`, `\"submission\"`, `\"caldav\"`, `\"lmtp\"` or `\"admin\"`"
        }
        "address" => "where to listen: `address = \"[::]:8443\"`",
        "smtp" => "the mail server that takes what we send: `smtp = \"smtp://127.0.0.1:25\"`",
        "certificate" => "its file: `certificate = \"fullchain.pem\"`",
        "key" => "its file: `key = \"key.pem\"`",
        "directory" => {
            "`directory = \"https://acme-v02.api.letsencrypt.org/directory\"`, or that of another authority"
        }
        "contact" => "`contact = \"mailto:hostmaster@example.org\"`",
        "file" => "`file = \"partner.pem\"`",
        "domain" => "the domain that signs: `domain = \"example.org\"`",
        "selector" => "which of its keys it is: `selector = \"is1\"`",
        "plugin" => "its name, or the path of its file: `plugin = \"store-sqlite\"`",
        _ => return None,
    })
}
