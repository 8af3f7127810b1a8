//! The calendar objects that the laws put, and a host that can index them.

use crate::{Host, TestHost, prelude::*};
use jiff::SignedDuration;
use std::{fmt::Write, path::PathBuf};

/// A host for tests of stores without the real one. Its index understands single events with UTC times, as the laws
/// put them: `STATUS`, `TRANSP`, and an `RRULE` as *goes on for ever*.
pub fn host(directory: impl Into<PathBuf>) -> Host {
    test_host(directory).host()
}

/// As [`host`], before it is handed out.
pub(super) fn test_host(directory: impl Into<PathBuf>) -> TestHost {
    TestHost::new(directory).with_index(|_, data| index(data))
}

/// An event to be put.
#[derive(Clone, Debug)]
pub(super) struct Event {
    pub(super) uid: Uid,
    pub(super) start: Timestamp,
    pub(super) minutes: i64,
    /// `None`: it takes no time.
    pub(super) kind: Option<BusyType>,
    pub(super) repeats: bool,
    pub(super) summary: String,
}

impl Event {
    /// An hour at the beginning of 2027.
    pub(super) fn new(uid: &str) -> Self {
        Self {
            uid: Uid::new(uid).expect("the kit's UIDs are such"),
            start: day(0),
            minutes: 60,
            kind: Some(BusyType::Busy),
            repeats: false,
            summary: "Meeting".to_owned(),
        }
    }

    pub(super) fn summary(self, summary: impl Into<String>) -> Self {
        Self {
            summary: summary.into(),
            ..self
        }
    }

    pub(super) fn object(&self) -> NewObject {
        let data = self.text();
        let index = index(&data).expect("the kit reads its own objects");
        NewObject::new(data, index)
    }

    /// When it takes time, if it does not repeat.
    pub(super) fn span(&self) -> Option<BusySpan> {
        let end = self.start + SignedDuration::from_mins(self.minutes);
        Some(BusySpan::new(
            TimeRange::new(self.start, end).ok()?,
            self.kind?,
        ))
    }

    fn text(&self) -> Vec<u8> {
        let time = |instant: Timestamp| instant.strftime("%Y%m%dT%H%M%SZ").to_string();
        let end = self.start + SignedDuration::from_mins(self.minutes);
        let mut lines = vec![
            "BEGIN:VCALENDAR".to_owned(),
            "VERSION:2.0".to_owned(),
            "PRODID:-//Convoke//Conformance//EN".to_owned(),
            "BEGIN:VEVENT".to_owned(),
            format!("UID:{}", escaped(self.uid.as_str())),
            "DTSTAMP:20270101T000000Z".to_owned(),
            format!("DTSTART:{}", time(self.start)),
            format!("DTEND:{}", time(end)),
        ];
        match self.kind {
            Some(BusyType::Busy) => {}
            Some(_) => lines.push("STATUS:TENTATIVE".to_owned()),
            None => lines.push("TRANSP:TRANSPARENT".to_owned()),
        }
        if self.repeats {
            lines.push("RRULE:FREQ=WEEKLY".to_owned());
        }
        lines.push(format!("SUMMARY:{}", escaped(&self.summary)));
        lines.push("END:VEVENT".to_owned());
        lines.push("END:VCALENDAR".to_owned());
        lines.iter().flat_map(|line| folded(line)).collect()
    }
}

/// The lines of an object, unfolded, in the order of the alphabet.
pub(super) fn lines(data: &[u8]) -> Vec<String> {
    let text = unfolded(data);
    let mut lines: Vec<String> = text.split_terminator("\r\n").map(str::to_owned).collect();
    lines.sort_unstable();
    lines
}

/// The text of an object's SUMMARY.
pub(super) fn summary(data: &[u8]) -> Option<String> {
    value(&unfolded(data), "SUMMARY")
}

/// Midnight of a day, counted from 2027-01-01.
pub(super) fn day(number: i64) -> Timestamp {
    const FIRST: i64 = 1_798_761_600;
    Timestamp::from_second(FIRST + number * 86_400).expect("the kit's days are near")
}

/// What the host would find in one of these objects.
fn index(data: &[u8]) -> Result<ObjectIndex> {
    let text = unfolded(data);
    let broken = |what| Error::invalid(format!("it has no {what}"));
    if !text
        .trim_start_matches('\u{feff}')
        .starts_with("BEGIN:VCALENDAR")
    {
        return Err(broken("BEGIN:VCALENDAR"));
    }
    let time = |name| {
        let value = value(&text, name).ok_or_else(|| broken(name))?;
        let time = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", &value);
        let time = time.and_then(|time| time.to_zoned_datetime(jiff::tz::TimeZone::UTC));
        time.map(|time| time.timestamp()).map_err(|_| broken(name))
    };
    let uid = Uid::new(value(&text, "UID").ok_or_else(|| broken("UID"))?)?;
    let (start, end) = (time("DTSTART")?, time("DTEND")?);
    let tentative = value(&text, "STATUS").as_deref() == Some("TENTATIVE");
    let kind = if tentative {
        BusyType::BusyTentative
    } else {
        BusyType::Busy
    };
    let span = BusySpan::new(TimeRange::new(start, end)?, kind);
    let free = value(&text, "TRANSP").is_some();
    let repeats = value(&text, "RRULE").is_some();
    let mut index = ObjectIndex::new("VEVENT", uid);
    if !free {
        index.spans.push(span);
    }
    index.open_after = repeats.then_some(end);
    Ok(index)
}

/// RFC 5545 §3.3.11
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        if matches!(letter, '\\' | ';' | ',') {
            escaped.push('\\');
        }
        escaped.push(letter);
    }
    escaped
}

/// RFC 5545 §3.1: no line is longer than 75 bytes.
fn folded(line: &str) -> Vec<u8> {
    let mut folded = String::with_capacity(line.len() + line.len() / 32 + 2);
    let mut width = 0;
    for letter in line.chars() {
        if width + letter.len_utf8() > 74 {
            folded.push_str("\r\n ");
            width = 1;
        }
        folded.push(letter);
        width += letter.len_utf8();
    }
    folded.write_str("\r\n").expect("a String takes all");
    folded.into_bytes()
}

fn unfolded(data: &[u8]) -> String {
    String::from_utf8_lossy(data).replace("\r\n ", "")
}

fn value(text: &str, name: &str) -> Option<String> {
    let mut lines = text.split("\r\n");
    let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    let mut letters = value.chars();
    let mut plain = String::with_capacity(value.len());
    while let Some(letter) = letters.next() {
        plain.push(if letter == '\\' {
            letters.next()?
        } else {
            letter
        });
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        for uid in ["plain", "a;b,c\\d", &"ü".repeat(500)] {
            let event = Event::new(uid);
            let object = event.object();
            assert_eq!(object.index.uid, event.uid);
            assert_eq!(object.index.spans, Vec::from_iter(event.span()));
            assert_eq!(summary(&object.data).as_deref(), Some("Meeting"));
            assert!(
                object
                    .data
                    .split(|byte| *byte == b'\n')
                    .all(|line| line.len() <= 76)
            );
        }
    }
}
