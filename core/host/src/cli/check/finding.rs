//! What was found, line by line.

use crate::{
    cli::output,
    config::{Config, Naming},
};
use serde::Serialize;
use std::fmt::Display;

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    Ok,
    Warn,
    Fail,
}

/// One line; `check --json` is a list of them.
#[derive(Debug, Serialize)]
pub(super) struct Finding {
    verdict: Verdict,
    what: String,
    detail: String,
}

/// All lines, in the order in which they were found.
#[derive(Default)]
pub(super) struct Findings(pub(super) Vec<Finding>);

impl Findings {
    /// Adds a line.
    pub(super) fn add(&mut self, verdict: Verdict, what: &str, detail: impl Into<String>) {
        self.0.push(Finding {
            verdict,
            what: what.to_owned(),
            detail: detail.into(),
        });
    }

    /// Adds something that is right.
    pub(super) fn ok(&mut self, what: &str, detail: impl Into<String>) {
        self.add(Verdict::Ok, what, detail);
    }

    /// Adds something that is seldom meant, or will be wrong soon.
    pub(super) fn warn(&mut self, what: &str, detail: impl Into<String>) {
        self.add(Verdict::Warn, what, detail);
    }

    /// Adds something that cannot work.
    pub(super) fn fail(&mut self, what: &str, detail: impl Into<String>) {
        self.add(Verdict::Fail, what, detail);
    }

    /// Adds what is wrong with a file, with the line of the configuration that names it.
    pub(super) fn fail_at(
        &mut self,
        config: &Config,
        naming: Naming<'_>,
        what: &str,
        error: &impl Display,
    ) {
        let place = Config::place_of(&config.file, naming);
        let detail = match place {
            Some(place) => format!("{place}: {error}"),
            None => error.to_string(),
        };
        self.fail(what, detail);
    }

    /// Whether something about this cannot work.
    pub(super) fn have_failed_at(&self, what: &str) -> bool {
        let mut about = self.0.iter().filter(|it| it.what == what);
        about.any(|it| it.verdict == Verdict::Fail)
    }

    /// Whether something cannot work.
    pub(super) fn have_failed(&self) -> bool {
        self.0.iter().any(|it| it.verdict == Verdict::Fail)
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let row = |finding: &Finding| {
            let word = match finding.verdict {
                Verdict::Ok => "ok",
                Verdict::Warn => "warn",
                Verdict::Fail => "fail",
            };
            vec![
                word.to_owned(),
                finding.what.clone(),
                finding.detail.clone(),
            ]
        };
        output::table(&self.0.iter().map(row).collect::<Vec<_>>())
    }
}
