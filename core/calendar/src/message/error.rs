//! The errors of a message, and their request status.

use super::{Kind, Method};
use crate::rule::RuleError;
use convoke_types::RequestStatus;
use std::fmt;

/// A calendar is not a scheduling message that is taken here.
///
/// It names the component and property, and the status that its sender should get; and the line, if it is shown the
/// octets ([`MessageError::in_source`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageError {
    problem: Problem,
    line: Option<usize>,
}

/// The exact failure; opaque outside, so that more can be told apart later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    Version(Option<String>),
    Twice(&'static str),
    Scale(String),
    NoMethod,
    UnknownMethod(String),
    NotTaken(Method, Kind),
    NoComponent,
    TooManyComponents {
        found: usize,
        most: usize,
    },
    TooManyRanges {
        found: usize,
        most: usize,
    },
    Mixed(Kind, Kind),
    OtherKind {
        was: Kind,
        is: Kind,
    },
    MoreThanOne(Method, Kind),
    TwoMasters(Kind),
    TwoOfOneInstance(Kind, String),
    Missing(Method, Kind, &'static str),
    Repeated(Method, Kind, &'static str),
    Forbidden(Method, Kind, &'static str),
    Both(Kind, &'static str, &'static str),
    Needs(Kind, &'static str, &'static str),
    Rule(Kind, RuleError),
    Differs(Kind, &'static str),
    /// An attendee has changed a line that is the organizer's.
    Theirs {
        component: Kind,
        /// The RECURRENCE-ID of the component, as it is written.
        instance: Option<String>,
        property: String,
        /// The parameter that is changed, where it is one.
        parameter: Option<&'static str>,
        value: String,
    },
    Value {
        component: Kind,
        property: &'static str,
        value: String,
        expected: &'static str,
    },
    Date {
        component: Kind,
        property: &'static str,
        value: String,
        expected: &'static str,
    },
    Originator {
        method: Method,
        expected: &'static str,
    },
    Recipient {
        method: Method,
        expected: &'static str,
    },
}

impl MessageError {
    /// The same with the line on which it stands in the octets that the calendar was read from.
    #[must_use]
    pub fn in_source(mut self, octets: &[u8]) -> Self {
        self.line = super::source_line::source_line(&self.problem, octets);
        self
    }

    /// The same of one parameter of the line that is the organizer's.
    pub(crate) fn of_parameter(mut self, name: &'static str) -> Self {
        if let Problem::Theirs { parameter, .. } = &mut self.problem {
            *parameter = Some(name);
        }
        self
    }

    /// The line at fault, counted from 1; of a missing property the BEGIN of its component. `None` before
    /// [`MessageError::in_source`], and where no line is at fault.
    pub const fn line(&self) -> Option<usize> {
        self.line
    }

    /// It is correct but not done here: PUBLISH, VJOURNAL, VPOLL, another calendar than the Gregorian.
    pub const fn is_unsupported(&self) -> bool {
        match &self.problem {
            Problem::NotTaken(..) | Problem::UnknownMethod(_) => true,
            Problem::Rule(_, rule) => rule.is_unsupported(),
            _ => false,
        }
    }

    /// It is no iCalendar object that all read alike, rather than a wrong message: what says which calendar, version and
    /// method it is stands there twice, or names another calendar than the Gregorian.
    pub const fn is_calendar_data(&self) -> bool {
        matches!(self.problem, Problem::Twice(_) | Problem::Scale(_))
    }

    /// Its components name different organizers, or one of them names several.
    pub fn is_of_several_organizers(&self) -> bool {
        matches!(
            self.problem,
            Problem::Differs(_, "ORGANIZER") | Problem::Repeated(_, _, "ORGANIZER")
        )
    }

    /// Its ORGANIZER is not who it must be.
    pub fn is_of_organizer(&self) -> bool {
        matches!(
            self.problem,
            Problem::Value {
                property: "ORGANIZER",
                ..
            }
        )
    }

    /// The Originator is not who the METHOD must come from.
    pub const fn is_originator(&self) -> bool {
        matches!(self.problem, Problem::Originator { .. })
    }

    /// The Recipient is not whom the METHOD addresses.
    pub const fn is_recipient(&self) -> bool {
        matches!(self.problem, Problem::Recipient { .. })
    }

    /// The status for the recipients (RFC 5546 §3.6), with the words of this error.
    pub fn status(&self) -> RequestStatus {
        let code = match &self.problem {
            Problem::Version(_) => RequestStatus::UNSUPPORTED_VERSION,
            Problem::NotTaken(..) | Problem::UnknownMethod(_) => RequestStatus::UNSUPPORTED,
            Problem::TooManyComponents { .. } | Problem::TooManyRanges { .. } => {
                RequestStatus::TOO_LARGE
            }
            Problem::Rule(_, rule) if rule.is_unsupported() => RequestStatus::UNSUPPORTED,
            Problem::Rule(..) => RequestStatus::INVALID_RULE,
            Problem::NoMethod
            | Problem::NoComponent
            | Problem::Missing(..)
            | Problem::Needs(..) => RequestStatus::MISSING_COMPONENT,
            Problem::Mixed(..)
            | Problem::OtherKind { .. }
            | Problem::MoreThanOne(..)
            | Problem::TwoMasters(_)
            | Problem::TwoOfOneInstance(..)
            | Problem::Forbidden(..)
            | Problem::Repeated(..)
            | Problem::Both(..) => RequestStatus::INVALID_COMPONENT,
            Problem::Twice(_)
            | Problem::Scale(_)
            | Problem::Differs(..)
            | Problem::Value { .. } => RequestStatus::INVALID_PROPERTY_VALUE,
            Problem::Date { .. } => RequestStatus::INVALID_DATE,
            Problem::Theirs { .. } | Problem::Originator { .. } => RequestStatus::NO_AUTHORITY,
            Problem::Recipient { .. } => RequestStatus::INVALID_CALENDAR_USER,
        };
        code.with_text(&self.to_string())
    }
}

impl From<Problem> for MessageError {
    fn from(problem: Problem) -> Self {
        let line = None;
        Self { problem, line }
    }
}

impl std::error::Error for MessageError {}

impl fmt::Display for MessageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        write!(f, "{}", self.problem)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(None) => write!(f, "VCALENDAR has no VERSION; 2.0 is expected"),
            Self::Version(Some(version)) => {
                write!(f, "VERSION is `{version}`; only 2.0 is supported")
            }
            Self::Twice(name) => write!(f, "VCALENDAR has more than one {name}"),
            Self::Scale(scale) => {
                write!(f, "CALSCALE is `{scale}`; only GREGORIAN is supported")
            }
            Self::NoMethod => write!(f, "VCALENDAR has no METHOD, so it is no message"),
            Self::UnknownMethod(word) => write!(f, "METHOD `{word}` is not known"),
            Self::NotTaken(method, kind) => {
                write!(f, "{method} of {kind} is not supported here")
            }
            Self::NoComponent => {
                write!(f, "there is no VEVENT, VTODO or VFREEBUSY in the message")
            }
            Self::TooManyComponents { found, most } => {
                write!(
                    f,
                    "{found} components are more than the {most} a message may hold"
                )
            }
            Self::TooManyRanges { found, most } => {
                write!(
                    f,
                    "{found} components with RANGE=THISANDFUTURE are more than the {most} a message may hold"
                )
            }
            Self::Mixed(one, other) => {
                write!(
                    f,
                    "{one} and {other} may not stand in one message or object"
                )
            }
            Self::OtherKind { was, is } => {
                write!(
                    f,
                    "{is}: its UID is that of a {was}, expected a {was} too, or another UID"
                )
            }
            Self::MoreThanOne(method, kind) => {
                write!(f, "{method} holds exactly one {kind}")
            }
            Self::TwoMasters(kind) => {
                write!(
                    f,
                    "{kind}: two components of the same UID without RECURRENCE-ID"
                )
            }
            Self::TwoOfOneInstance(kind, instance) => {
                write!(
                    f,
                    "{kind}: two components with the RECURRENCE-ID {instance}"
                )
            }
            of_a_component => of_a_component.write_of_component(f),
        }
    }
}

impl Problem {
    /// What is wrong within a component, or with who sends it to whom.
    fn write_of_component(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(method, kind, property) => {
                write!(f, "{kind}: {property} is missing, which {method} needs")
            }
            Self::Repeated(method, kind, property) => {
                write!(
                    f,
                    "{kind}: {property} stands more than once, {method} allows one"
                )
            }
            Self::Forbidden(method, kind, property) => {
                write!(f, "{kind}: {property} may not be in a {method}")
            }
            Self::Both(kind, one, other) => {
                write!(f, "{kind}: {one} and {other} exclude each other")
            }
            Self::Needs(kind, one, other) => {
                write!(f, "{kind}: {one} stands there without {other}")
            }
            Self::Rule(kind, error) => write!(f, "{kind}: {error}"),
            Self::Differs(kind, property) => {
                write!(
                    f,
                    "{kind}: all components of a message must have the same {property}"
                )
            }
            Self::Value {
                component,
                property,
                value,
                expected,
            }
            | Self::Date {
                component,
                property,
                value,
                expected,
            } => {
                write!(
                    f,
                    "{component}: {property} is `{value}`, expected {expected}"
                )
            }
            Self::Theirs {
                component,
                property,
                parameter,
                value,
                ..
            } => {
                write!(f, "{component}: ")?;
                if let Some(parameter) = parameter {
                    write!(f, "{parameter} of ")?;
                }
                write!(
                    f,
                    "{property} is `{value}`, expected what its organizer says; an attendee changes its own \
                     answer, alarms and notes only"
                )
            }
            Self::Originator { method, expected } => {
                write!(f, "the Originator of a {method} must be {expected}")
            }
            Self::Recipient { method, expected } => {
                write!(f, "the Recipient of a {method} must be {expected}")
            }
            // Of the whole: told above.
            Self::Version(_)
            | Self::Twice(_)
            | Self::Scale(_)
            | Self::NoMethod
            | Self::UnknownMethod(_)
            | Self::NotTaken(..)
            | Self::NoComponent
            | Self::TooManyComponents { .. }
            | Self::TooManyRanges { .. }
            | Self::Mixed(..)
            | Self::OtherKind { .. }
            | Self::MoreThanOne(..)
            | Self::TwoMasters(_)
            | Self::TwoOfOneInstance(..) => Ok(()),
        }
    }
}

/// As much of a value from outside as fits a sentence.
pub(crate) fn excerpt(value: &str) -> String {
    convoke_types::excerpt(value, 60)
}
