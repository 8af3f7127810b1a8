//! A request refused as a whole: the error elements, their HTTP statuses, the error document.

use crate::xml::{Element, Limits, Writer, XmlError, parse};
use http::StatusCode;
use std::fmt;

macro_rules! elements {
    ($($(#[$doc:meta])* $variant:ident = $name:literal;)*) => {
        /// Why a request, or the message for one recipient, was refused.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ErrorElement {
            $($(#[$doc])* $variant,)*
        }

        impl ErrorElement {
            /// Every element, in the order of the specification.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The local name of the XML element.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The element of that local name.
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

elements! {
    /// `iSchedule-Version` is missing or names no version known here.
    VersionNotSupported = "version-not-supported";
    /// The Content-Type is not supported.
    InvalidCalendarDataType = "invalid-calendar-data-type";
    /// The body is not what its Content-Type says.
    InvalidCalendarData = "invalid-calendar-data";
    /// The body is iCalendar, but not an iTIP message that fits its headers.
    InvalidSchedulingMessage = "invalid-scheduling-message";
    /// No `Originator`.
    OriginatorMissing = "originator-missing";
    /// More than one `Originator`.
    TooManyOriginators = "too-many-originators";
    /// The `Originator` is not a calendar user address, or not who the message is from.
    OriginatorInvalid = "originator-invalid";
    /// This peer may not send for the `Originator`.
    OriginatorDenied = "originator-denied";
    /// No `Recipient`.
    RecipientMissing = "recipient-missing";
    /// The `Recipient`s are not those the message is for.
    RecipientMismatch = "recipient-mismatch";
    /// More recipients than one message may have.
    MaxRecipients = "max-recipients";
    /// An attachment of a form that is not accepted.
    AttachmentTypeNotSupported = "attachment-type-not-supported";
    /// The body is too large.
    MaxContentLength = "max-content-length";
    /// A time before the earliest accepted.
    MinDateTime = "min-date-time";
    /// A time after the latest accepted.
    MaxDateTime = "max-date-time";
    /// More recurrence instances than are accepted.
    MaxInstances = "max-instances";
    /// The signature is missing where one is required, or invalid.
    VerificationFailed = "verification-failed";
}

impl ErrorElement {
    /// The HTTP status that goes with the element (spec §5).
    pub const fn status(self) -> StatusCode {
        match self {
            Self::OriginatorDenied | Self::VerificationFailed => StatusCode::FORBIDDEN,
            Self::MaxContentLength => StatusCode::PAYLOAD_TOO_LARGE,
            Self::InvalidCalendarDataType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::VersionNotSupported
            | Self::InvalidCalendarData
            | Self::InvalidSchedulingMessage
            | Self::OriginatorMissing
            | Self::TooManyOriginators
            | Self::OriginatorInvalid
            | Self::RecipientMissing
            | Self::RecipientMismatch
            | Self::MaxRecipients
            | Self::AttachmentTypeNotSupported
            | Self::MinDateTime
            | Self::MaxDateTime
            | Self::MaxInstances => StatusCode::BAD_REQUEST,
        }
    }
}

impl fmt::Display for ErrorElement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// We refuse a peer's request as a whole.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{element}: {description}")]
pub struct Refusal {
    /// Why, for programs.
    pub element: ErrorElement,
    /// The HTTP status of the answer: that of the element.
    pub status: StatusCode,
    /// Why, for the administrator of the peer.
    pub description: String,
}

impl Refusal {
    /// A refusal with the status that goes with its element.
    pub fn new(element: ErrorElement, description: impl Into<String>) -> Self {
        Self {
            element,
            status: element.status(),
            description: description.into(),
        }
    }

    /// The error document to answer with.
    pub fn to_xml(&self) -> String {
        let mut xml = Writer::document("error");
        xml.empty(self.element.name(), &[]);
        if !self.description.is_empty() {
            xml.text("response-description", &[], &self.description);
        }
        xml.finish()
    }
}

/// A receiver's refusal, as a sender reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorDocument {
    /// Why; `None` if the document names no element known here.
    pub element: Option<ErrorElement>,
    /// The receiver's words; empty if it gave none.
    pub description: String,
}

impl ErrorDocument {
    /// The longest description kept, in characters.
    pub const MAX_DESCRIPTION: usize = 1000;

    /// Reads an error document (the body of a 4xx or 5xx answer).
    pub fn read(bytes: &[u8], limits: &Limits) -> Result<Self, XmlError> {
        let root: Element = parse(bytes, limits)?;
        if !root.is("error") {
            return Err(root.is_wrong_root("error"));
        }
        let description = root.child_text("response-description").unwrap_or_default();
        Ok(Self {
            element: root
                .children()
                .find_map(|child| ErrorElement::from_name(child.name())),
            description: description.chars().take(Self::MAX_DESCRIPTION).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_read_back_as_it_was_written() {
        for &element in ErrorElement::ALL {
            let refusal = Refusal::new(element, "a <b> & \u{0} \"c\" ]]>");
            let read =
                ErrorDocument::read(refusal.to_xml().as_bytes(), &Limits::default()).unwrap();
            assert_eq!(read.element, Some(element));
            assert_eq!(read.description, "a <b> & \u{FFFD} \"c\" ]]>");
        }
    }

    #[test]
    fn cyrus_refusals_are_read() {
        let (_, body) = include_str!("../tests/data/cyrus/61-no-organizer.resp")
            .split_once("\r\n\r\n")
            .unwrap();
        let read = ErrorDocument::read(body.as_bytes(), &Limits::default()).unwrap();
        assert_eq!(read.element, Some(ErrorElement::InvalidCalendarData));
        assert!(read.description.contains("ORGANIZER"));
    }

    #[test]
    fn an_unknown_error_element_is_not_a_known_one() {
        let xml = r#"<C:error xmlns:C="urn:ietf:params:xml:ns:ischedule" xmlns="DAV:"><max-instances/><C:new-one/></C:error>"#;
        let read = ErrorDocument::read(xml.as_bytes(), &Limits::default()).unwrap();
        assert_eq!(read.element, None);
    }
}
