//! Delivery statuses (RFC 5545 §3.8.8.3, codes of RFC 5546 §3.6).

use std::{borrow::Cow, fmt, str::FromStr};

/// The outcome of scheduling with one recipient: a code of two or three numbers, and what it means in words.
///
/// On the wire it reads `2.0;Success`, without a space, as deployed peers write it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RequestStatus {
    major: u8,
    minor: u8,
    sub: Option<u8>,
    text: Cow<'static, str>,
}

macro_rules! statuses {
    ($($(#[$doc:meta])* $name:ident = $major:literal . $minor:literal $text:literal;)*) => {
        impl RequestStatus {
            $($(#[$doc])* pub const $name: Self =
                Self { major: $major, minor: $minor, sub: None, text: Cow::Borrowed($text) };)*
        }
    };
}

statuses! {
    /// Queued for delivery (RFC 6638 §3.2.9).
    PENDING = 1 . 0 "Pending";
    /// Sent on, delivery not confirmed.
    SENT = 1 . 1 "Sent";
    /// Delivered.
    DELIVERED = 1 . 2 "Delivered";
    /// Done.
    SUCCESS = 2 . 0 "Success";
    /// Done; a property was ignored.
    SUCCESS_PROPERTY_IGNORED = 2 . 3 "Success; invalid property ignored";
    /// Done; what was asked is unknown, so that nothing had to change.
    SUCCESS_UNKNOWN_IGNORED = 2 . 4 "Success; unknown property ignored";
    /// A property's value is wrong.
    INVALID_PROPERTY_VALUE = 3 . 1 "Invalid property value";
    /// A date or time is wrong.
    INVALID_DATE = 3 . 5 "Invalid date or time";
    /// A recurrence rule is wrong.
    INVALID_RULE = 3 . 6 "Invalid rule";
    /// No such calendar user here.
    INVALID_CALENDAR_USER = 3 . 7 "Invalid calendar user";
    /// The peer may not do that to this calendar user.
    NO_AUTHORITY = 3 . 8 "No authority";
    /// The iCalendar version is not supported.
    UNSUPPORTED_VERSION = 3 . 9 "Unsupported version";
    /// The message is larger than the receiver takes.
    TOO_LARGE = 3 . 10 "Request entity too large";
    /// A component or property that must be there is missing.
    MISSING_COMPONENT = 3 . 11 "Required component or property missing";
    /// A component the message may not hold.
    INVALID_COMPONENT = 3 . 12 "Unknown component or property found";
    /// The receiver does not do that.
    UNSUPPORTED = 3 . 14 "Unsupported capability";
    /// It collides with something in the calendar.
    EVENT_CONFLICT = 4 . 0 "Event conflict";
    /// The receiver or store cannot be reached now; trying later may help.
    SERVICE_UNAVAILABLE = 5 . 1 "Service unavailable";
    /// The calendar service refused the message for good.
    INVALID_CALENDAR_SERVICE = 5 . 2 "Invalid calendar service";
    /// No scheduling support for this calendar user.
    NO_SCHEDULING_SUPPORT = 5 . 3 "No scheduling support for user";
}

impl RequestStatus {
    /// The code alone: `"2.0"`.
    pub fn code(&self) -> String {
        match self.sub {
            Some(sub) => format!("{}.{}.{sub}", self.major, self.minor),
            None => format!("{}.{}", self.major, self.minor),
        }
    }

    /// The words behind the code.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The same code with other words; control characters and `;` are replaced by spaces, as they would end
    /// the description.
    #[must_use]
    pub fn with_text(self, text: &str) -> Self {
        let text = text.replace(|c: char| c.is_control() || c == ';', " ");
        Self {
            text: Cow::Owned(text),
            ..self
        }
    }

    /// 1.x: on its way.
    pub const fn is_pending(&self) -> bool {
        self.major == 1
    }

    /// 2.x, or 1.2 *delivered*: it arrived.
    pub const fn is_success(&self) -> bool {
        self.major == 2 || (self.major == 1 && self.minor == 2)
    }

    /// 3.x and above: it did not arrive.
    pub const fn is_failure(&self) -> bool {
        self.major >= 3
    }

    /// Whether both carry the same code, whatever the words.
    pub fn same_code(&self, other: &Self) -> bool {
        (self.major, self.minor, self.sub) == (other.major, other.minor, other.sub)
    }
}

impl fmt::Display for RequestStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{};{}", self.code(), self.text)
    }
}

/// A text is not `major.minor[.sub][;words]`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a request status such as `2.0;Success`")]
pub struct InvalidStatus(String);

impl FromStr for RequestStatus {
    type Err = InvalidStatus;

    /// Reads a status as peers write it: spaces around the parts and further data after the words are let pass.
    fn from_str(text: &str) -> Result<Self, InvalidStatus> {
        let invalid = || InvalidStatus(text.chars().take(80).collect());
        let mut parts = text.trim().splitn(3, ';');
        let code = parts.next().unwrap_or_default().trim();
        let words = parts.next().unwrap_or_default().trim().to_owned();
        let numbers: Vec<u8> = code
            .split('.')
            .map(str::parse)
            .collect::<Result<_, _>>()
            .map_err(|_| invalid())?;
        match numbers[..] {
            [major, minor] => Ok(Self {
                major,
                minor,
                sub: None,
                text: words.into(),
            }),
            [major, minor, sub] => Ok(Self {
                major,
                minor,
                sub: Some(sub),
                text: words.into(),
            }),
            _ => Err(invalid()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_read_as_peers_write_them() {
        for (text, written) in [
            ("2.0;Success", "2.0;Success"),
            ("2.0; Success", "2.0;Success"),
            (
                " 3.7;Invalid calendar user;ATTENDEE:mailto:x",
                "3.7;Invalid calendar user",
            ),
            ("3.1.2;Odd", "3.1.2;Odd"),
            ("5.1", "5.1;"),
        ] {
            assert_eq!(text.parse::<RequestStatus>().unwrap().to_string(), written);
        }
        for wrong in ["", "2", "2.x;Success", "2.0.0.0", "300.1;x", "-1.0"] {
            assert!(wrong.parse::<RequestStatus>().is_err(), "{wrong:?}");
        }
    }
}
