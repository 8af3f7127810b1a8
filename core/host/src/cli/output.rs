//! What a command prints, and what it says when it fails.

use crate::{
    config::ConfigError,
    escape::{cut, escape_controls, escape_json, escape_lines},
    instance::ServeError,
};
use convoke_plugin_host::PluginErrors;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use std::{
    fmt::{self, Write as _},
    io::{self, IsTerminal, Write},
    path::Path,
    process::ExitCode,
};

/// A command did not do what it was asked.
#[derive(Debug)]
pub(crate) struct Failure {
    /// One sentence with a remedy, or a line for each of several; `None` if all has been said on stdout. Nothing in it
    /// fakes a line or steers the terminal.
    message: Option<String>,
    exit: u8,
}

impl From<convoke_types::Error> for Failure {
    fn from(error: convoke_types::Error) -> Self {
        Self::new(error.to_string())
    }
}

impl Failure {
    /// It could not be done: exit status 1.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            message: Some(escape_controls(&message.into()).into_owned()),
            exit: 1,
        }
    }

    /// A host could not be started with the configuration at `config`: exit status 1.
    pub(super) fn of_serving(error: ServeError, config: &Path) -> Self {
        match error {
            ServeError::Plugins(errors) => errors.into(),
            error => Self::new(error.located(config)),
        }
    }

    /// It was asked in a way that makes no sense: exit status 2.
    pub(super) fn usage(message: impl Into<String>) -> Self {
        Self {
            message: Some(escape_controls(&message.into()).into_owned()),
            exit: 2,
        }
    }

    /// The same with another exit status.
    #[cfg(feature = "mail")]
    pub(super) fn with_status(self, exit: u8) -> Self {
        Self { exit, ..self }
    }

    /// The answer on stdout says what failed: exit status 1.
    pub(super) const fn already_reported() -> Self {
        Self {
            message: None,
            exit: 1,
        }
    }

    /// Says it on stderr.
    pub(super) fn report(self) -> ExitCode {
        if let Some(message) = self.message {
            // Nothing is left to do if stderr is closed.
            let _ = writeln!(io::stderr(), "convoke: {message}");
        }
        ExitCode::from(self.exit)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message.as_deref().unwrap_or("failed"))
    }
}

impl From<PluginErrors> for Failure {
    fn from(errors: PluginErrors) -> Self {
        let lines = errors.0.iter().map(ToString::to_string);
        let lines: Vec<_> = lines.map(|it| escape_controls(&it).into_owned()).collect();
        Self {
            message: Some(lines.join("\n")),
            exit: 1,
        }
    }
}

impl From<ServeError> for Failure {
    fn from(error: ServeError) -> Self {
        match error {
            ServeError::Plugins(errors) => errors.into(),
            error => Self::new(error.to_string()),
        }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::new(error.to_string())
    }
}

/// Writes to stdout. A reader that has seen enough (`| head`) is no failure.
pub(crate) fn print(text: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::new(format!("stdout cannot be written: {error}")))
        }
        _ => Ok(()),
    }
}

/// Says on stderr what can be done about what failed.
pub(super) fn advise(text: &str) {
    // Nothing is left to do if stderr is closed.
    let _ = writeln!(io::stderr(), "convoke: {}", escape_controls(text));
}

/// Writes text for people to stdout: whatever it quotes, it steers no terminal.
pub(crate) fn print_text(text: &str) -> Result<(), Failure> {
    print(escape_lines(text).as_bytes())
}

/// Says on stderr what a person should know though nothing failed.
pub(super) fn warn(text: &str) {
    // Nothing is left to do if stderr is closed.
    let _ = writeln!(io::stderr(), "convoke: {}", escape_controls(text));
}

/// Writes a JSON value and a line end to stdout.
pub(super) fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    let mut text = serde_json::to_string_pretty(value)
        .map_err(|error| Failure::new(format!("the answer cannot be written as JSON: {error}")))?;
    text.push('\n');
    print(escape_json(&text).as_bytes())
}

/// Whether stdout is read by a person who can see colours (<https://no-color.org>).
pub(crate) fn has_colour() -> bool {
    io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// How many letters fit in a line.
pub(crate) fn width() -> usize {
    terminal_size::terminal_size().map_or(80, |(width, _)| usize::from(width.0))
}

/// A bar on stderr while that is a terminal.
pub(super) fn progress() -> ProgressBar {
    let style = "{bar:40} {pos} of {len} objects, {per_sec}, {eta} left";
    let style =
        ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(0).with_style(style)
}

/// `1 object`, `2 objects`.
pub(super) fn pluralise(objects: usize) -> String {
    match objects {
        1 => "1 object".to_owned(),
        more => format!("{more} objects"),
    }
}

/// The letters of a cell of a table that are shown. Escaped, they are fewer than [`fmt`] can align, which panics above 65,535.
const CELL: usize = 2_000;

/// Lines of cells, the columns aligned, two spaces between them. What is too long for a table is cut.
pub(super) fn table(rows: &[Vec<String>]) -> String {
    let escaped = |row: &Vec<String>| -> Vec<String> {
        let cells = row.iter();
        cells
            .map(|cell| escape_controls(&cut(cell, CELL)).into_owned())
            .collect()
    };
    let rows: Vec<_> = rows.iter().map(escaped).collect();
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            // Writing to a String cannot fail.
            let _ = write!(line, "{cell:<width$}  ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_steer_no_terminal() {
        let rows = [["a", "é1", ""], ["bbb", "\u{1b}[2J", "c"]];
        let rows = rows.map(|row| row.map(str::to_owned).to_vec());
        assert_eq!(table(&rows), "a    é1\nbbb  \\u{1b}[2J  c\n");
    }

    #[test]
    fn a_cell_that_is_far_too_long_is_cut() {
        for letter in ["x", "日", "\u{e0041}"] {
            let rows = [
                vec![letter.repeat(90_000), "b".to_owned()],
                vec!["a".to_owned(); 2],
            ];
            let shown = escape_controls(letter).repeat(CELL);
            let text = table(&rows);
            assert_eq!(text.lines().next().unwrap(), format!("{shown}…  b"));
        }
    }
}
