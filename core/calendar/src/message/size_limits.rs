//! The size of a message, as a receiver's capabilities limit it (spec §4): instances, earliest and latest time, attachments.

use super::Message;
use crate::recurrence::{RecurrenceError, finite_instances, repeats_within_a_day};
use crate::time::When;
use crate::tree::Component;
use crate::zone::Zones;
use jiff::{Timestamp, tz::TimeZone};

impl Message {
    /// How many recurrence instances the message has where their number is finite; an endless rule counts as one.
    /// More than `most` are an error, and so is a rule that cannot be followed.
    pub fn instances(&self, most: usize) -> Result<usize, RecurrenceError> {
        finite_instances(&self.calendar, most)
    }

    /// Whether a rule gives several instances a day, so that to expand it takes long.
    pub fn repeats_within_a_day(&self) -> bool {
        repeats_within_a_day(&self.calendar)
    }

    /// The earliest instant that a component starts or ends at; dates and floating times are read as UTC.
    pub fn earliest(&self) -> Option<Timestamp> {
        self.time_range().map(|(earliest, _)| earliest)
    }

    /// The latest instant that a component starts or ends at; dates and floating times are read as UTC.
    pub fn latest(&self) -> Option<Timestamp> {
        self.time_range().map(|(_, latest)| latest)
    }

    /// Which forms of ATTACH the message holds: in the message itself, and by reference.
    pub fn attachments(&self) -> Attachments {
        let mut found = Attachments::default();
        for attach in self.components().flat_map(all_attachments) {
            let has = |param, value: &str| {
                attach
                    .param(param)
                    .is_some_and(|it| it.eq_ignore_ascii_case(value))
            };
            // RFC 5545 §3.8.1.1
            if has("VALUE", "BINARY") || has("ENCODING", "BASE64") {
                found.inline = true;
            } else {
                found.external = true;
            }
        }
        found
    }

    fn time_range(&self) -> Option<(Timestamp, Timestamp)> {
        const DATED: [&str; 5] = ["DTSTART", "DTEND", "DUE", "RECURRENCE-ID", "RDATE"];
        let zones = Zones::of(&self.calendar, TimeZone::UTC);
        let properties = self
            .components()
            .flat_map(|component| DATED.iter().flat_map(|name| component.all(name)));
        let instants = properties.flat_map(|property| {
            let times = property.value.split([',', '/']);
            times.filter_map(|time| When::read(property, time).ok())
        });
        instants
            .filter_map(|when| when.instant(&zones).ok())
            .fold(None, |range, at| {
                let (earliest, latest) = range.unwrap_or((at, at));
                Some((at.min(earliest), at.max(latest)))
            })
    }
}

/// The forms of attachment in a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attachments {
    /// Some are in the message itself.
    pub inline: bool,
    /// Some are named by a URI.
    pub external: bool,
}

fn all_attachments(component: &Component) -> impl Iterator<Item = &crate::tree::Property> {
    let inside = component
        .components
        .iter()
        .flat_map(|inner| inner.all("ATTACH"));
    component.all("ATTACH").chain(inside)
}
