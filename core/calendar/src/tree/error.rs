//! Parse errors.

use super::{content_line::Looseness, octets};
use std::fmt;

/// Octets are not one calendar: names the line, and the property where there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    pub(crate) line: usize,
    pub(crate) problem: Problem,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    TooManyBytes { found: usize, most: usize },
    TooDeep { most: usize },
    TooManyProperties { most: usize },
    LineTooLong { most: usize },
    NotUtf8,
    NoName(String),
    NoColon(String),
    NoEquals(String),
    OpenQuote(String),
    AfterQuote(String),
    Loose(String, Looseness),
    NotAComponentName(&'static str),
    WrongEnd { open: String, end: String },
    EndOfNothing(String),
    NeverEnds(String),
    Outside(String),
    NotACalendar(String),
    Remark(String),
    Empty,
    MoreThanOne,
}

impl ParseError {
    /// The line at fault, counted from 1 as editors do; of a folded line the first.
    pub const fn line(&self) -> usize {
        self.line
    }

    /// Whether it is only larger, deeper or longer than the limits allow.
    pub const fn is_limit(&self) -> bool {
        matches!(
            self.problem,
            Problem::TooManyBytes { .. }
                | Problem::TooDeep { .. }
                | Problem::TooManyProperties { .. }
                | Problem::LineTooLong { .. }
        )
    }
}

impl std::error::Error for ParseError {}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: ", self.line)?;
        match &self.problem {
            Problem::TooManyBytes { found, most } => {
                write!(
                    f,
                    "the calendar has {found} octets, at most {most} are taken"
                )
            }
            Problem::TooDeep { most } => {
                write!(f, "components are nested more than {most} deep")
            }
            Problem::TooManyProperties { most } => {
                write!(
                    f,
                    "the calendar has more than {most} properties and components"
                )
            }
            Problem::LineTooLong { most } => {
                write!(f, "the unfolded line is longer than {most} octets")
            }
            Problem::NotUtf8 => write!(f, "the line is not UTF-8"),
            Problem::NoName(line) => {
                write!(f, "`{line}` does not start with the name of a property")
            }
            Problem::NoColon(name) => {
                write!(f, "{name}: a `:` is expected between parameters and value")
            }
            Problem::NoEquals(name) => {
                write!(f, "{name}: the name of a parameter is expected after `;`")
            }
            Problem::OpenQuote(name) => {
                write!(
                    f,
                    "{name}: the quote around a parameter value is never closed"
                )
            }
            Problem::AfterQuote(name) => {
                write!(
                    f,
                    "{name}: `,`, `;` or `:` is expected after a quoted parameter value"
                )
            }
            Problem::Loose(name, looseness) => write!(f, "{name}: {looseness}"),
            Problem::Remark(text) => write!(f, "{text}"),
            Problem::NotAComponentName(what) => {
                write!(
                    f,
                    "{what}: the name of a component is expected, without parameters"
                )
            }
            Problem::WrongEnd { open, end } => {
                write!(f, "END:{end} does not match BEGIN:{open}")
            }
            Problem::EndOfNothing(end) => write!(f, "END:{end} ends nothing"),
            Problem::NeverEnds(open) => write!(f, "BEGIN:{open} is never ended"),
            Problem::Outside(name) => {
                write!(
                    f,
                    "{name} stands outside of BEGIN:VCALENDAR … END:VCALENDAR"
                )
            }
            Problem::NotACalendar(name) => {
                write!(f, "BEGIN:VCALENDAR is expected, not BEGIN:{name}")
            }
            Problem::Empty => write!(f, "BEGIN:VCALENDAR is expected, there is nothing"),
            Problem::MoreThanOne => write!(f, "one VCALENDAR is expected, here begins another"),
        }
    }
}

impl fmt::Display for Looseness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoValue(param) => write!(f, "a `=` is expected after the parameter `{param}`"),
            Self::Group => write!(
                f,
                "a `.` in the name of a property belongs to vCard, not to iCalendar"
            ),
            Self::Control => write!(f, "there is a control character in the line"),
        }
    }
}

/// As much of a line from outside as fits a sentence.
pub(crate) fn excerpt(text: &str) -> String {
    octets::as_latin1(&convoke_types::excerpt(text, 40))
}
