//! Errors of recurrence rules.

use std::fmt;

/// An RRULE is wrong, or of a kind that is not done here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleError {
    pub(super) problem: Problem,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Problem {
    NoFrequency,
    NotAPart(String),
    UnknownPart(String),
    Twice(&'static str),
    Value {
        part: &'static str,
        value: String,
        expected: &'static str,
    },
    EmptyPart(&'static str),
    CountAndUntil,
    NoSetForPosition,
    NotDone {
        part: &'static str,
        value: String,
    },
}

impl RuleError {
    /// It is correct, but not done here (RSCALE, SKIP of RFC 7529).
    pub const fn is_unsupported(&self) -> bool {
        matches!(self.problem, Problem::NotDone { .. })
    }
}

impl From<Problem> for RuleError {
    fn from(problem: Problem) -> Self {
        Self { problem }
    }
}

impl std::error::Error for RuleError {}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RRULE: ")?;
        match &self.problem {
            Problem::NoFrequency => write!(f, "FREQ is missing"),
            Problem::NotAPart(text) => write!(f, "`{text}` does not read `NAME=value`"),
            Problem::UnknownPart(name) => write!(f, "{name} is not known"),
            Problem::Twice(part) => write!(f, "{part} stands twice"),
            Problem::Value {
                part,
                value,
                expected,
            } => write!(f, "{part} is `{value}`, expected {expected}"),
            Problem::EmptyPart(part) => write!(f, "{part} is empty"),
            Problem::CountAndUntil => write!(f, "COUNT and UNTIL exclude each other"),
            Problem::NoSetForPosition => write!(f, "BYSETPOS needs another BY part to choose from"),
            Problem::NotDone { part, value } => {
                write!(
                    f,
                    "{part}={value} is not supported; only the Gregorian calendar is"
                )
            }
        }
    }
}
