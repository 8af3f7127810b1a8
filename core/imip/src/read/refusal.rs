//! Why a scheduling message in a mail is not taken.

use convoke_calendar::tree::ParseError;

/// A mail holds something that is not taken for a scheduling message, or cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// There is no header.
    #[error("it has no header: expected lines such as `From: anna@example.org`")]
    NoHeader,
    /// One of the bounds on mail is exceeded.
    #[error("it has more than {most} {what}")]
    TooMuch {
        /// Of what.
        what: &'static str,
        /// The most that is taken.
        most: usize,
    },
    /// RFC 6047 §2.4: both must be the same.
    #[error("Content-Type says method={parameter}, but the calendar has METHOD:{property}")]
    MethodsDiffer {
        /// The parameter.
        parameter: String,
        /// The property.
        property: String,
    },
    /// A `method=` of a calendar that has no METHOD.
    #[error("Content-Type says method={0}, but the calendar has no METHOD")]
    NoMethod(String),
    /// RFC 6047 §2.6: what a part is, its type says and not its name.
    #[error("`{0}` is application/octet-stream: expected text/calendar, or application/ics")]
    OctetStream(String),
    /// The transfer encoding is broken.
    #[error("the calendar part is not valid {0}")]
    Encoding(&'static str),
    /// The transfer encoding is not known.
    #[error(
        "the calendar part has the Content-Transfer-Encoding `{0}`: expected base64, quoted-printable, 8bit or 7bit"
    )]
    UnknownEncoding(String),
    /// The calendar part is no calendar.
    #[error("the calendar part cannot be read: {0}")]
    Calendar(#[from] ParseError),
}
