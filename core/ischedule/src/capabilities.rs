//! The capabilities document (spec §4): what a receiver accepts, and whether a message is within it.

mod permits;
mod read;

pub use permits::{LimitExceeded, MessageProfile};

use crate::{VERSION, xml::Writer};
use jiff::{Timestamp, fmt::strtime, tz::TimeZone};

/// What a receiver accepts.
///
/// An empty list and a `None` mean that the receiver states nothing, so nothing is refused for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// Grows whenever something else in the document changes.
    pub serial: u64,
    /// Protocol versions supported: `1.0`.
    pub versions: Vec<String>,
    /// Components and methods accepted.
    pub messages: Vec<Supported>,
    /// Media types accepted.
    pub data_types: Vec<DataType>,
    /// Forms of attachment accepted.
    pub attachments: Option<Attachments>,
    /// Calendars other than the Gregorian in recurrence rules (RFC 7529).
    pub rscales: Vec<String>,
    /// The largest message accepted, in bytes.
    pub max_content_length: Option<u64>,
    /// The earliest time accepted.
    pub min_date_time: Option<Timestamp>,
    /// The latest time accepted.
    pub max_date_time: Option<Timestamp>,
    /// The most recurrence instances in one message.
    pub max_instances: Option<u64>,
    /// The most recipients of one message, never 0.
    pub max_recipients: Option<u64>,
    /// URI at which the administrator can be reached.
    pub administrator: Option<String>,
}

/// A component that is accepted, with its methods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Supported {
    /// `VEVENT`, in upper case.
    pub component: String,
    /// `REQUEST`, in upper case; empty means every method of iTIP.
    pub methods: Vec<String>,
}

impl Supported {
    /// A component with these methods; none means all.
    pub fn new(component: &str, methods: &[&str]) -> Self {
        Self {
            component: component.to_ascii_uppercase(),
            methods: methods.iter().map(|m| m.to_ascii_uppercase()).collect(),
        }
    }
}

/// A media type that is accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataType {
    /// `text/calendar`.
    pub content_type: String,
    /// `2.0`.
    pub version: Option<String>,
}

impl DataType {
    /// `text/calendar`, version 2.0.
    pub fn icalendar() -> Self {
        Self {
            content_type: "text/calendar".to_owned(),
            version: Some("2.0".to_owned()),
        }
    }
}

/// Forms of ATTACH that are accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attachments {
    /// Data within the message.
    pub inline: bool,
    /// URIs.
    pub external: bool,
}

impl Capabilities {
    /// A receiver of iSchedule 1.0 and iCalendar 2.0 that states nothing else yet.
    pub fn new(serial: u64) -> Self {
        Self {
            serial,
            versions: vec![VERSION.to_owned()],
            data_types: vec![DataType::icalendar()],
            ..Self::default()
        }
    }

    /// The document.
    pub fn to_xml(&self) -> String {
        let mut xml = Writer::document("query-result");
        xml.open("capabilities", &[]);
        xml.text("serial-number", &[], &self.serial.to_string());
        xml.open("versions", &[]);
        for version in &self.versions {
            xml.text("version", &[], version);
        }
        xml.close();
        self.write_messages(&mut xml);
        self.write_kinds(&mut xml);
        let stated = [
            (
                "max-content-length",
                self.max_content_length.map(|n| n.to_string()),
            ),
            ("min-date-time", self.min_date_time.map(utc_date_time)),
            ("max-date-time", self.max_date_time.map(utc_date_time)),
            ("max-instances", self.max_instances.map(|n| n.to_string())),
            ("max-recipients", self.max_recipients.map(|n| n.to_string())),
            ("administrator", self.administrator.clone()),
        ];
        for (name, value) in stated {
            if let Some(value) = value {
                xml.text(name, &[], &value);
            }
        }
        xml.finish()
    }

    fn write_messages(&self, xml: &mut Writer) {
        xml.open("scheduling-messages", &[]);
        for Supported { component, methods } in &self.messages {
            let name = [("name", component.as_str())];
            if methods.is_empty() {
                xml.empty("component", &name);
                continue;
            }
            xml.open("component", &name);
            for method in methods {
                xml.empty("method", &[("name", method)]);
            }
            xml.close();
        }
        xml.close();
    }

    fn write_kinds(&self, xml: &mut Writer) {
        xml.open("calendar-data-types", &[]);
        for data_type in &self.data_types {
            let mut attributes = vec![("content-type", data_type.content_type.as_str())];
            attributes.extend(data_type.version.as_deref().map(|v| ("version", v)));
            xml.empty("calendar-data-type", &attributes);
        }
        xml.close();
        if let Some(attachments) = self.attachments {
            xml.open("attachments", &[]);
            for (name, taken) in [
                ("inline", attachments.inline),
                ("external", attachments.external),
            ] {
                if taken {
                    xml.empty(name, &[]);
                }
            }
            xml.close();
        }
        // Spec §4: the element is required even if only the Gregorian calendar is supported.
        if self.rscales.is_empty() {
            xml.empty("rscales", &[]);
        } else {
            xml.open("rscales", &[]);
            for rscale in &self.rscales {
                xml.text("rscale", &[], rscale);
            }
            xml.close();
        }
    }
}

const UTC_DATE_TIME: &str = "%Y%m%dT%H%M%SZ";

/// RFC 5545 §3.3.5, form 2.
fn utc_date_time(instant: Timestamp) -> String {
    strtime::format(UTC_DATE_TIME, &instant.to_zoned_datetime(TimeZone::UTC))
        .expect("a time in UTC has every field of the format")
}

fn read_utc_date_time(text: &str) -> Option<Timestamp> {
    let time = strtime::parse(UTC_DATE_TIME, text)
        .ok()?
        .to_datetime()
        .ok()?;
    Some(time.to_zoned_datetime(TimeZone::UTC).ok()?.timestamp())
}

#[cfg(test)]
mod tests;
