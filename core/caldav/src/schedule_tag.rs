//! The schedule tag of an object (RFC 6638 §3.2.10): another one when its owner or its organizer changed it, the same when only
//! answers and delivery statuses came in; and what programs wrote of it, which is stricter.

use convoke_calendar::{
    itip::{COMMENT_FROM, Series},
    tree::{Calendar, Component, Property},
};
use sha2::{Digest, Sha256};

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
    main.any(|it| it.get("ORGANIZER").is_some())
        .then(|| format!("\"{}\"", digest(calendar, None, &counts_for_tag)))
}

/// A digest of what programs wrote of an object: the same as long as only delivery statuses and other people's answers came
/// into it. It tells more apart than the schedule tag does, as the owner's own answer is a program's word, too: `own` are the
/// owner's lines.
pub fn written_by_programs(calendar: &Calendar, own: &dyn Fn(&Property) -> bool) -> String {
    let counts = |property: &Property| counts_for_programs(property, own);
    digest(calendar, Series::of(calendar).as_ref(), &counts)
}

/// Whether programs wrote the same of two components.
pub(crate) fn says_the_same(
    one: &Component,
    other: &Component,
    own: &dyn Fn(&Property) -> bool,
) -> bool {
    let counts = |property: &Property| counts_for_programs(property, own);
    said_by(one, &counts) == said_by(other, &counts)
}

/// Which parameters of a line count, by their names; `None`: the line does not count at all.
type Counts<'a> = dyn Fn(&Property) -> Option<&'static [&'static str]> + 'a;

/// A digest of an object; with a series, without the instances of which nothing but answers of others is known: they say what it says. The
/// tag does not leave them out, as the owner's own answer to one instance, which does not count there, would be one of them.
fn digest(calendar: &Calendar, series: Option<&Series<'_>>, counts: &Counts<'_>) -> String {
    let mut digest = Sha256::new();
    for component in calendar.main_components() {
        let implied = series.and_then(|it| it.implied(component));
        let said = said_by(component, counts);
        if implied.is_none_or(|it| said_by(&it, counts) != said) {
            digest.update(said);
        }
    }
    hex::encode(&digest.finalize()[..16])
}

fn counts_for_tag(property: &Property) -> Option<&'static [&'static str]> {
    let is_left_out = PROPERTIES.iter().any(|it| property.is(it));
    (!is_left_out).then_some(&PARAMETERS)
}

fn counts_for_programs(
    property: &Property,
    own: &dyn Fn(&Property) -> bool,
) -> Option<&'static [&'static str]> {
    if property.is("COMMENT") {
        // That of an answer is ours to write.
        return property.param(COMMENT_FROM).is_none().then_some(&[]);
    }
    let left_out = counts_for_tag(property)?;
    if property.is("ATTENDEE") && own(property) {
        return Some(&["SCHEDULE-STATUS"]);
    }
    let is_somebody = property.is("ATTENDEE") || property.is("ORGANIZER");
    Some(if is_somebody { left_out } else { &[] })
}

fn said_by(component: &Component, counts: &Counts<'_>) -> [u8; 32] {
    let mut digest = Sha256::new();
    add(&mut digest, component, counts);
    digest.finalize().into()
}

fn add(digest: &mut Sha256, component: &Component, counts: &Counts<'_>) {
    let lines = component.properties.iter();
    let lines = lines.filter_map(|it| Some(line(it, counts(it)?)));
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
        add(digest, inner, counts);
    }
}

/// A line as it counts, without these parameters.
fn line(property: &Property, left_out: &[&str]) -> String {
    let name = property.name.to_ascii_uppercase();
    let counts = |name: &str| !left_out.iter().any(|it| name.eq_ignore_ascii_case(it));
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

    #[test]
    fn an_answer_to_one_instance_is_no_edit() {
        let series = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nSUMMARY:Tea\nRRULE:FREQ=DAILY;COUNT=9\nEXDATE:20270107T100000Z\n\
            DTSTART:20270104T100000Z\nDTEND:20270104T110000Z\nORGANIZER:mailto:anna@example.org\n\
            ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:anna@example.org\n\
            ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:bo@example.org\nEND:VEVENT\nEND:VCALENDAR\n";
        let answered = "BEGIN:VEVENT\nUID:1\nSUMMARY:Tea\nRECURRENCE-ID:20270105T100000Z\n\
            DTSTART:20270105T100000Z\nDTEND:20270105T110000Z\nORGANIZER:mailto:anna@example.org\n\
            ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:anna@example.org\nATTENDEE;PARTSTAT=DECLINED:mailto:bo@example.org\n\
            END:VEVENT\nEND:VCALENDAR";
        let with = |instance: &str| series.replace("END:VCALENDAR", instance);
        let read = |text: &str| Calendar::parse(text.as_bytes(), &Limits::default()).unwrap();
        let own = |line: &Property| line.value.contains("anna@");
        let both = |text: &str| {
            let calendar = read(text);
            (
                schedule_tag(&calendar),
                written_by_programs(&calendar, &own),
            )
        };
        assert_eq!(both(series).1, both(&with(answered)).1);
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
        ] {
            let edited = answered.replace(from, to);
            assert_ne!(edited, answered);
            let (one, other) = (both(series), both(&with(&edited)));
            assert!(one.0 != other.0 && one.1 != other.1, "{from} {to}");
        }
        let of_owner = answered.replace(
            "PARTSTAT=NEEDS-ACTION:mailto:anna",
            "PARTSTAT=DECLINED:mailto:anna",
        );
        let (one, other) = (both(series), both(&with(&of_owner)));
        assert!(one.0 != other.0 && one.1 != other.1, "the owner's own");
    }

    #[test]
    fn what_programs_wrote_is_told_from_what_came_in() {
        let text = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nDTSTAMP:20261201T000000Z\nSUMMARY:Tea\n\
            DTSTART:20270104T100000Z\nORGANIZER:mailto:anna@example.org\n\
            ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:anna@example.org\n\
            ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:bo@example.org\nEND:VEVENT\nEND:VCALENDAR\n";
        let own = |line: &Property| line.value.contains("anna@");
        let written = |text: &str| {
            let calendar = Calendar::parse(text.as_bytes(), &Limits::default()).unwrap();
            written_by_programs(&calendar, &own)
        };
        for (from, to, is_same) in [
            ("PARTSTAT=NEEDS-ACTION;RSVP=TRUE", "PARTSTAT=ACCEPTED", true),
            ("RSVP=TRUE", "RSVP=TRUE;SCHEDULE-STATUS=\"2.0\"", true),
            ("ORGANIZER", "ORGANIZER;SCHEDULE-STATUS=\"2.0\"", true),
            ("DTSTAMP:20261201", "DTSTAMP:20261202", true),
            ("SUMMARY", "COMMENT;X-CONVOKE-FROM=bo:Late\nSUMMARY", true),
            ("SUMMARY", "COMMENT:Late\nSUMMARY", false),
            (
                "PARTSTAT=NEEDS-ACTION:mailto:anna",
                "PARTSTAT=ACCEPTED:mailto:anna",
                false,
            ),
            ("Tea", "Coffee", false),
            ("SUMMARY", "SUMMARY;RSVP=TRUE", false),
            ("bo@", "cy@", false),
        ] {
            let other = text.replace(from, to);
            assert_ne!(text, other);
            assert_eq!(written(text) == written(&other), is_same, "{from} {to}");
        }
    }
}
