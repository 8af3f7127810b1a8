//! Whether a message is within the limits of a receiver: asked by the sender before it posts, by the receiver after it
//! has parsed.

use super::{Attachments, Capabilities};
use crate::{ErrorElement, Refusal, VERSION};
use convoke_types::RequestStatus;
use jiff::Timestamp;

/// The properties of a message that [`Capabilities::permits`] looks at.
///
/// [`MessageProfile::new`] takes component, method and size; the other fields are set where they are known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MessageProfile<'a> {
    /// `VEVENT`; case does not count.
    pub component: &'a str,
    /// `REQUEST`; case does not count.
    pub method: &'a str,
    /// Size of the body in bytes.
    pub size: u64,
    /// Recipients of one POST; a sender that splits by `max_recipients` leaves it 0.
    pub recipients: u64,
    /// Recurrence instances; 0 if there are none or no end of them.
    pub instances: u64,
    /// The earliest time in the message.
    pub earliest: Option<Timestamp>,
    /// The latest time in the message.
    pub latest: Option<Timestamp>,
    /// It holds attachments as data.
    pub inline_attachments: bool,
    /// It holds attachments as URIs.
    pub external_attachments: bool,
}

impl<'a> MessageProfile<'a> {
    /// A message without recurrences and attachments.
    pub fn new(component: &'a str, method: &'a str, size: u64) -> Self {
        Self {
            component,
            method,
            size,
            ..Self::default()
        }
    }
}

/// A message exceeds a limit that a receiver states.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{description}")]
pub struct LimitExceeded {
    /// The limit, as an error element.
    pub element: ErrorElement,
    /// The limit in words.
    pub description: String,
    status: RequestStatus,
}

impl LimitExceeded {
    /// What a sender reports for each recipient behind the receiver, without having posted.
    pub fn request_status(&self) -> RequestStatus {
        self.status.clone()
    }

    /// What a receiver answers.
    pub fn into_refusal(self) -> Refusal {
        Refusal::new(self.element, self.description)
    }
}

impl Capabilities {
    /// Whether a message is within the limits. The first limit that it exceeds is the error.
    pub fn permits(&self, message: &MessageProfile) -> Result<(), LimitExceeded> {
        self.permit_format()?;
        self.permit_method(message.component, message.method)?;
        self.permit_numbers(message)?;
        self.permit_times(message)?;
        self.permit_attachments(message)
    }

    fn permit_format(&self) -> Result<(), LimitExceeded> {
        if !self.versions.is_empty() && !self.versions.iter().any(|v| v == VERSION) {
            return Err(exceeded(
                ErrorElement::VersionNotSupported,
                RequestStatus::UNSUPPORTED_VERSION,
                format!("iSchedule {VERSION} is not supported"),
            ));
        }
        let icalendar = |t: &super::DataType| {
            t.content_type == "text/calendar" && t.version.as_deref().is_none_or(|v| v == "2.0")
        };
        if self.data_types.is_empty() || self.data_types.iter().any(icalendar) {
            return Ok(());
        }
        Err(exceeded(
            ErrorElement::InvalidCalendarDataType,
            RequestStatus::UNSUPPORTED,
            "text/calendar 2.0 is not accepted".to_owned(),
        ))
    }

    fn permit_method(&self, component: &str, method: &str) -> Result<(), LimitExceeded> {
        let fits = |supported: &super::Supported| {
            let methods = &supported.methods;
            supported.component.eq_ignore_ascii_case(component)
                && (methods.is_empty() || methods.iter().any(|m| m.eq_ignore_ascii_case(method)))
        };
        if self.messages.is_empty() || self.messages.iter().any(fits) {
            return Ok(());
        }
        Err(exceeded(
            ErrorElement::InvalidSchedulingMessage,
            RequestStatus::UNSUPPORTED,
            format!("{method} of {component} is not accepted"),
        ))
    }

    fn permit_numbers(&self, message: &MessageProfile) -> Result<(), LimitExceeded> {
        let numbers = [
            (
                ErrorElement::MaxContentLength,
                RequestStatus::TOO_LARGE,
                message.size,
                self.max_content_length,
                "bytes",
            ),
            (
                ErrorElement::MaxRecipients,
                RequestStatus::UNSUPPORTED,
                message.recipients,
                self.max_recipients,
                "recipients",
            ),
            (
                ErrorElement::MaxInstances,
                RequestStatus::UNSUPPORTED,
                message.instances,
                self.max_instances,
                "recurrence instances",
            ),
        ];
        for (element, status, is, limit, what) in numbers {
            if let Some(limit) = limit
                && is > limit
            {
                let text = format!("{is} {what} exceed the limit of {limit}");
                return Err(exceeded(element, status, text));
            }
        }
        Ok(())
    }

    fn permit_times(&self, message: &MessageProfile) -> Result<(), LimitExceeded> {
        if let (Some(is), Some(limit)) = (message.earliest, self.min_date_time)
            && is < limit
        {
            return Err(exceeded(
                ErrorElement::MinDateTime,
                RequestStatus::INVALID_DATE,
                format!("{is} is before {limit}, the earliest time accepted"),
            ));
        }
        if let (Some(is), Some(limit)) = (message.latest, self.max_date_time)
            && is > limit
        {
            return Err(exceeded(
                ErrorElement::MaxDateTime,
                RequestStatus::INVALID_DATE,
                format!("{is} is after {limit}, the latest time accepted"),
            ));
        }
        Ok(())
    }

    fn permit_attachments(&self, message: &MessageProfile) -> Result<(), LimitExceeded> {
        let Some(Attachments { inline, external }) = self.attachments else {
            return Ok(());
        };
        let form = match (message.inline_attachments, message.external_attachments) {
            (true, _) if !inline => "inline",
            (_, true) if !external => "external",
            _ => return Ok(()),
        };
        Err(exceeded(
            ErrorElement::AttachmentTypeNotSupported,
            RequestStatus::UNSUPPORTED,
            format!("{form} attachments are not accepted"),
        ))
    }
}

fn exceeded(element: ErrorElement, status: RequestStatus, description: String) -> LimitExceeded {
    LimitExceeded {
        element,
        description,
        status,
    }
}
