//! The schedule tag of an object (RFC 6638 §3.2.10): another one when its owner or its organizer changed it, the same when only
//! delivery statuses and other people's answers came in.

use convoke_calendar::{
    itip::{COMMENT_FROM, Series},
    tree::{Calendar, Component, Property},
};
use sha2::{Digest, Sha256};

/// What an attendee's answer changes, on the attendee's line.
pub(crate) const ANSWERS: [&str; 6] = [
    "PARTSTAT",
    "RSVP",
    "DELEGATED-TO",
    "DELEGATED-FROM",
    "SENT-BY",
    "SCHEDULE-STATUS",
];
/// What comes in by itself on every line of somebody.
const STATUSES: [&str; 2] = ["SCHEDULE-STATUS", "SCHEDULE-FORCE-SEND"];
/// What only says when it was written, or that an answer came.
const PROPERTIES: [&str; 4] = ["DTSTAMP", "LAST-MODIFIED", "CREATED", "REQUEST-STATUS"];

/// The tag of an object that is scheduled with others, in quotes; `None` of what is its owner's alone. `own` are the owner's lines: an
/// answer of the owner's changes the tag, also one to a single instance, and nobody else's does.
///
/// ```
/// use convoke_caldav::schedule_tag::schedule_tag;
/// use convoke_calendar::tree::{Calendar, Limits, Property};
///
/// let asked = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nDTSTART:20270104T100000Z\nORGANIZER:mailto:anna@example.org\n\
///     ATTENDEE:mailto:bo@example.org\nATTENDEE:mailto:cy@example.org\nEND:VEVENT\nEND:VCALENDAR\n";
/// let bos = |line: &Property| line.value == "mailto:bo@example.org";
/// let tag = |text: &str| schedule_tag(&Calendar::parse(text.as_bytes(), &Limits::default()).unwrap(), &bos);
/// let answered = |who: &str| asked.replace(&format!("ATTENDEE:mailto:{who}"), &format!("ATTENDEE;PARTSTAT=ACCEPTED:mailto:{who}"));
/// assert_eq!(tag(asked), tag(&answered("cy")));
/// assert_ne!(tag(asked), tag(&answered("bo")));
/// assert_ne!(tag(asked), tag(&asked.replace("T10", "T11")));
/// assert_eq!(tag(&asked.replace("ORGANIZER", "X-ORGANIZER")), None);
/// ```
pub fn schedule_tag(calendar: &Calendar, own: &dyn Fn(&Property) -> bool) -> Option<String> {
    let mut main = calendar.main_components();
    main.any(|it| it.get("ORGANIZER").is_some())
        .then(|| format!("\"{}\"", written_by_programs(calendar, own)))
}

/// A digest of what programs wrote of an object, be it scheduled or not: the same as long as only delivery statuses and other people's
/// answers came into it. Instances of which nothing but that is known say what their series says.
pub fn written_by_programs(calendar: &Calendar, own: &dyn Fn(&Property) -> bool) -> String {
    let series = Series::of(calendar);
    let mut digest = Sha256::new();
    for component in calendar.main_components() {
        let implied = series.as_ref().and_then(|it| it.implied(component));
        let said = said_by(component, own);
        if implied.is_none_or(|it| said_by(&it, own) != said) {
            digest.update(said);
        }
    }
    hex::encode(&digest.finalize()[..16])
}

/// Whether programs wrote the same of two components.
pub(crate) fn says_the_same(
    one: &Component,
    other: &Component,
    own: &dyn Fn(&Property) -> bool,
) -> bool {
    said_by(one, own) == said_by(other, own)
}

/// Parameters, by their names.
type Names = &'static [&'static [&'static str]];

/// Which parameters of a line do not count; `None`: the line does not count at all.
fn left_out_of(property: &Property, own: &dyn Fn(&Property) -> bool) -> Option<Names> {
    const NONE: Names = &[];
    if PROPERTIES.iter().any(|it| property.is(it)) {
        return None;
    }
    if property.is("COMMENT") {
        // That of an answer is ours to write.
        return property.param(COMMENT_FROM).is_none().then_some(NONE);
    }
    if property.is("ATTENDEE") && !own(property) {
        return Some(&[&ANSWERS, &STATUSES]);
    }
    let is_somebody = property.is("ATTENDEE") || property.is("ORGANIZER");
    Some(if is_somebody { &[&STATUSES] } else { NONE })
}

fn said_by(component: &Component, own: &dyn Fn(&Property) -> bool) -> [u8; 32] {
    let mut digest = Sha256::new();
    add(&mut digest, component, own);
    digest.finalize().into()
}

fn add(digest: &mut Sha256, component: &Component, own: &dyn Fn(&Property) -> bool) {
    let lines = component.properties.iter();
    let lines = lines.filter_map(|it| Some(line(it, left_out_of(it, own)?)));
    let mut lines: Vec<String> = lines.collect();
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
        add(digest, inner, own);
    }
}

/// A line as it counts, without these parameters.
fn line(property: &Property, left_out: Names) -> String {
    let name = property.name.to_ascii_uppercase();
    let left_out = left_out.iter().copied().flatten();
    let counts = |name: &str| !left_out.clone().any(|it| name.eq_ignore_ascii_case(it));
    let params = property.params.iter().filter(|it| counts(&it.name));
    let mut params: Vec<String> = params
        .map(|it| format!("{}={:?}", it.name.to_ascii_uppercase(), it.values))
        .collect();
    params.sort_unstable();
    format!("{name}{params:?}{}", property.value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use convoke_calendar::tree::Limits;

    fn anna(line: &Property) -> bool {
        line.value.contains("anna@")
    }

    /// The tag of Anna's copy, and the digest beneath it.
    fn tag(text: &str) -> String {
        let calendar = Calendar::parse(text.as_bytes(), &Limits::default()).unwrap();
        let tag = schedule_tag(&calendar, &anna).unwrap();
        assert_eq!(
            tag,
            format!("\"{}\"", written_by_programs(&calendar, &anna))
        );
        tag
    }

    #[test]
    fn what_is_an_edit_and_what_comes_in() {
        let text = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nDTSTAMP:20261201T000000Z\nSUMMARY:Tea\n\
            DTSTART:20270104T100000Z\nORGANIZER:mailto:anna@example.org\n\
            ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:anna@example.org\n\
            ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:bo@example.org\nEND:VEVENT\nEND:VCALENDAR\n";
        let annas = "PARTSTAT=NEEDS-ACTION:mailto:anna";
        for (from, to, is_same) in [
            ("PARTSTAT=NEEDS-ACTION;RSVP=TRUE", "PARTSTAT=ACCEPTED", true),
            (
                "PARTSTAT=NEEDS-ACTION;RSVP=TRUE",
                "PARTSTAT=DELEGATED;DELEGATED-TO=\"mailto:anna@example.org\"",
                true,
            ),
            ("RSVP=TRUE", "RSVP=TRUE;SCHEDULE-STATUS=\"2.0\"", true),
            ("ORGANIZER", "ORGANIZER;SCHEDULE-STATUS=\"2.0\"", true),
            ("DTSTAMP:20261201", "DTSTAMP:20261202", true),
            ("SUMMARY", "COMMENT;X-CONVOKE-FROM=bo:Late\nSUMMARY", true),
            (
                "SUMMARY:Tea\nDTSTART:20270104T100000Z",
                "DTSTART:20270104T100000Z\nSUMMARY:Tea",
                true,
            ),
            (
                annas,
                "SCHEDULE-STATUS=\"2.0\";PARTSTAT=NEEDS-ACTION:mailto:anna",
                true,
            ),
            (annas, "PARTSTAT=ACCEPTED:mailto:anna", false),
            ("SUMMARY", "COMMENT:Late\nSUMMARY", false),
            ("SUMMARY", "SUMMARY;RSVP=TRUE", false),
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

    #[test]
    fn an_answer_to_one_instance_is_no_edit_but_the_owners() {
        let series = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nSUMMARY:Tea\nRRULE:FREQ=DAILY;COUNT=9\nEXDATE:20270107T100000Z\n\
            DTSTART:20270104T100000Z\nDTEND:20270104T110000Z\nORGANIZER:mailto:anna@example.org\n\
            ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:anna@example.org\n\
            ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:bo@example.org\nEND:VEVENT\nEND:VCALENDAR\n";
        let answered = "BEGIN:VEVENT\nUID:1\nSUMMARY:Tea\nRECURRENCE-ID:20270105T100000Z\n\
            DTSTART:20270105T100000Z\nDTEND:20270105T110000Z\nORGANIZER:mailto:anna@example.org\n\
            ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:anna@example.org\nATTENDEE;PARTSTAT=DECLINED:mailto:bo@example.org\n\
            END:VEVENT\nEND:VCALENDAR";
        let with = |instance: &str| series.replace("END:VCALENDAR", instance);
        assert_eq!(tag(series), tag(&with(answered)));
        for (from, to) in [
            ("SUMMARY:Tea", "SUMMARY:Coffee"),
            ("DTSTART:20270105T10", "DTSTART:20270105T09"),
            ("DTEND:20270105T11", "DTEND:20270105T12"),
            ("SUMMARY:Tea\n", ""),
            (
                "END:VEVENT",
                "BEGIN:VALARM\nACTION:DISPLAY\nEND:VALARM\nEND:VEVENT",
            ),
            ("RECURRENCE-ID:", "RECURRENCE-ID;RANGE=THISANDFUTURE:"),
            (
                "PARTSTAT=NEEDS-ACTION:mailto:anna",
                "PARTSTAT=DECLINED:mailto:anna",
            ),
        ] {
            let edited = answered.replace(from, to);
            assert_ne!(edited, answered);
            assert_ne!(tag(series), tag(&with(&edited)), "{from} {to}");
        }
    }
}
