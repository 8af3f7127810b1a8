//! The schedule tag of an object (RFC 6638 §3.2.10): another one when its owner or its organizer changed it, the same when only
//! answers and delivery statuses came in.

use convoke_calendar::tree::{Calendar, Component, Property};
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// What comes in by itself: it is on the line of somebody.
const PARAMETERS: [&str; 6] = [
    "PARTSTAT",
    "RSVP",
    "SCHEDULE-STATUS",
    "SCHEDULE-FORCE-SEND",
    "DELEGATED-TO",
    "DELEGATED-FROM",
];
/// What only says when it was written, or that an answer came.
const PROPERTIES: [&str; 5] = [
    "DTSTAMP",
    "LAST-MODIFIED",
    "CREATED",
    "REQUEST-STATUS",
    "COMMENT",
];

/// The tag of an object that is scheduled with others, in quotes; `None` of what is its owner's alone.
///
/// ```
/// use convoke_caldav::schedule_tag::schedule_tag;
/// use convoke_calendar::tree::{Calendar, Limits};
///
/// let asked = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nDTSTART:20270104T100000Z\nORGANIZER:mailto:anna@example.org\n\
///     ATTENDEE:mailto:bo@example.org\nEND:VEVENT\nEND:VCALENDAR\n";
/// let tag = |text: &str| schedule_tag(&Calendar::parse(text.as_bytes(), &Limits::default()).unwrap());
/// let answered = asked.replace("ATTENDEE:", "ATTENDEE;PARTSTAT=ACCEPTED:");
/// assert_eq!(tag(asked), tag(&answered));
/// assert_ne!(tag(asked), tag(&asked.replace("T10", "T11")));
/// assert_eq!(tag(&asked.replace("ORGANIZER", "X-ORGANIZER")), None);
/// ```
pub fn schedule_tag(calendar: &Calendar) -> Option<String> {
    let mut main = calendar.main_components();
    main.any(|it| it.get("ORGANIZER").is_some()).then(|| {
        let mut digest = Sha256::new();
        for component in calendar.main_components() {
            add(&mut digest, component);
        }
        let mut tag = String::from("\"");
        for octet in &digest.finalize()[..16] {
            let _ = write!(tag, "{octet:02x}");
        }
        tag.push('"');
        tag
    })
}

fn add(digest: &mut Sha256, component: &Component) {
    let mut lines: Vec<String> = component.properties.iter().filter_map(line).collect();
    // Programs and stores write them in another order.
    lines.sort_unstable();
    let mut part = |text: &str| {
        digest.update((text.len() as u64).to_be_bytes());
        digest.update(text);
    };
    part(&component.name.to_ascii_uppercase());
    for line in &lines {
        part(line);
    }
    digest.update((component.components.len() as u64).to_be_bytes());
    for inner in &component.components {
        add(digest, inner);
    }
}

/// A line as it counts; `None` if it does not.
fn line(property: &Property) -> Option<String> {
    let name = property.name.to_ascii_uppercase();
    if PROPERTIES.contains(&&*name) {
        return None;
    }
    let counts = |name: &str| !PARAMETERS.iter().any(|it| name.eq_ignore_ascii_case(it));
    let params = property.params.iter().filter(|it| counts(&it.name));
    let mut params: Vec<String> = params
        .map(|it| format!("{}={:?}", it.name.to_ascii_uppercase(), it.values))
        .collect();
    params.sort_unstable();
    Some(format!("{name}{params:?}{}", property.value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use convoke_calendar::tree::Limits;

    #[test]
    fn what_is_an_edit_and_what_comes_in() {
        let text = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nDTSTAMP:20261201T000000Z\nSUMMARY:Tea\n\
            DTSTART:20270104T100000Z\nORGANIZER:mailto:anna@example.org\n\
            ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:bo@example.org\nEND:VEVENT\nEND:VCALENDAR\n";
        let tag = |text: &str| {
            schedule_tag(&Calendar::parse(text.as_bytes(), &Limits::default()).unwrap()).unwrap()
        };
        for (from, to, is_same) in [
            ("PARTSTAT=NEEDS-ACTION;RSVP=TRUE", "PARTSTAT=ACCEPTED", true),
            ("RSVP=TRUE", "RSVP=TRUE;SCHEDULE-STATUS=\"2.0\"", true),
            ("DTSTAMP:20261201", "DTSTAMP:20261202", true),
            (
                "SUMMARY:Tea\nDTSTART:20270104T100000Z",
                "DTSTART:20270104T100000Z\nSUMMARY:Tea",
                true,
            ),
            ("Tea", "Coffee", false),
            ("T10", "T11", false),
            ("bo@", "cy@", false),
            (
                "END:VEVENT",
                "BEGIN:VALARM\nACTION:DISPLAY\nEND:VALARM\nEND:VEVENT",
                false,
            ),
            ("RSVP=TRUE", "ROLE=CHAIR", false),
        ] {
            let other = text.replace(from, to);
            assert_ne!(text, other);
            assert_eq!(tag(text) == tag(&other), is_same, "{from} {to}");
        }
    }
}
