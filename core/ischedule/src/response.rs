//! The schedule-response document: one delivery status for each recipient (spec §5).

use crate::{
    Deviations, ErrorElement,
    xml::{Element, Limits, Writer, XmlError, parse},
};
use convoke_types::{CalendarAddress, RequestStatus};

/// The response to a scheduling message that was accepted as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScheduleResponse {
    /// One for each recipient, in the order of the request.
    pub responses: Vec<RecipientResponse>,
}

/// The result for one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecipientResponse {
    /// The recipient as the request named it.
    pub recipient: String,
    /// The delivery status.
    pub status: RequestStatus,
    /// The answer to a free-busy request.
    pub calendar_data: Option<CalendarData>,
    /// What was wrong, if the receiver says.
    pub error: Option<ErrorElement>,
    /// A description for people.
    pub description: Option<String>,
}

/// Calendar data within a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CalendarData {
    /// Its media type: `text/calendar`.
    pub content_type: String,
    /// The version of the format: `2.0`.
    pub version: String,
    /// The data; lines of `text/calendar` end with CRLF.
    pub data: String,
}

impl CalendarData {
    /// iCalendar data.
    pub fn icalendar(data: impl Into<String>) -> Self {
        Self {
            content_type: "text/calendar".to_owned(),
            version: "2.0".to_owned(),
            data: data.into(),
        }
    }
}

impl RecipientResponse {
    /// A response that is a status and nothing else.
    pub fn new(recipient: impl Into<String>, status: RequestStatus) -> Self {
        Self {
            recipient: recipient.into(),
            status,
            calendar_data: None,
            error: None,
            description: None,
        }
    }

    fn read(element: &Element, deviations: &mut Deviations) -> Self {
        let status = element.child_text("request-status").unwrap_or_default();
        let status = status.parse().unwrap_or_else(|_| {
            deviations.report("§5", format!("request-status `{status}` is not a status"));
            RequestStatus::INVALID_CALENDAR_SERVICE
                .with_text("The receiver's answer holds no readable status")
        });
        let error = element.child("error").and_then(|error| {
            error
                .children()
                .find_map(|child| ErrorElement::from_name(child.name()))
        });
        let description = element.child_text("response-description");
        Self {
            recipient: recipient_text(element).to_owned(),
            status,
            calendar_data: element.child("calendar-data").and_then(calendar_data),
            error,
            description: description.map(str::to_owned),
        }
    }

    fn write(&self, xml: &mut Writer) {
        xml.open("response", &[])
            .text("recipient", &[], &self.recipient)
            .text("request-status", &[], &self.status.to_string());
        if let Some(data) = &self.calendar_data {
            let attributes = [
                ("content-type", data.content_type.as_str()),
                ("version", data.version.as_str()),
            ];
            xml.text("calendar-data", &attributes, &data.data);
        }
        if let Some(error) = self.error {
            xml.open("error", &[]).empty(error.name(), &[]).close();
        }
        if let Some(description) = &self.description {
            xml.text("response-description", &[], description);
        }
        xml.close();
    }
}

impl ScheduleResponse {
    /// Reads a receiver's answer.
    pub fn read(bytes: &[u8], limits: &Limits) -> Result<Self, XmlError> {
        Self::read_reporting(bytes, limits, &mut Deviations::default())
    }

    /// [`Self::read`], and reports where the peer deviates.
    pub fn read_reporting(
        bytes: &[u8],
        limits: &Limits,
        deviations: &mut Deviations,
    ) -> Result<Self, XmlError> {
        let root: Element = parse(bytes, limits)?;
        if !root.is("schedule-response") {
            return Err(root.is_wrong_root("schedule-response"));
        }
        if !root.has_namespace() {
            deviations.report("§5", "schedule-response is in no namespace");
        }
        let mut responses = Vec::new();
        for element in root.all("response") {
            responses.push(RecipientResponse::read(element, deviations));
        }
        Ok(Self { responses })
    }

    /// The result for one recipient; `None` if the receiver does not say.
    pub fn of(&self, recipient: &CalendarAddress) -> Option<&RecipientResponse> {
        let named = |response: &&RecipientResponse| {
            CalendarAddress::new(&response.recipient).is_ok_and(|named| named == *recipient)
        };
        self.responses.iter().find(named)
    }

    /// The document.
    pub fn to_xml(&self) -> String {
        let mut xml = Writer::document("schedule-response");
        for response in &self.responses {
            response.write(&mut xml);
        }
        xml.finish()
    }
}

/// Text, or text within a `href` of any namespace, as the RFC 6638 document of the same name has it.
fn recipient_text(element: &Element) -> &str {
    element
        .child("recipient")
        .map_or("", |recipient| match recipient.text() {
            "" => recipient.any_child("href").map_or("", Element::text),
            text => text,
        })
}

fn calendar_data(element: &Element) -> Option<CalendarData> {
    if element.text().is_empty() {
        return None;
    }
    let content_type = element.attribute("content-type").unwrap_or("text/calendar");
    let data = element.raw_text().trim_start();
    Some(CalendarData {
        content_type: content_type.to_owned(),
        version: element.attribute("version").unwrap_or("2.0").to_owned(),
        data: if content_type.starts_with("text/") {
            with_crlf(data)
        } else {
            data.to_owned()
        },
    })
}

/// XML turns CRLF into LF on the way (XML 1.0 §2.11); iCalendar lines end with CRLF (RFC 5545 §3.1).
fn with_crlf(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 16);
    for line in text.split_inclusive('\n') {
        match line.strip_suffix('\n') {
            Some(line) => {
                out.push_str(line.strip_suffix('\r').unwrap_or(line));
                out.push_str("\r\n");
            }
            None if line.trim().is_empty() => {}
            None => out.push_str(line),
        }
    }
    out
}

#[cfg(test)]
mod tests;
