//! An object as a recipient was told it last, as far as people read it: so that the mail of an update can say what changed.
//!
//! It is kept in the ledger, once for all recipients who were told the same. What is too long to be kept is forgotten, and
//! the next mail says what is, and not what was.

use convoke_calendar::{
    message::{Message, Method},
    tree::{Calendar, Component, Property},
};

/// What a mail shows as changed, and what of a component tells which instance it is about.
const SHOWN: [&str; 9] = [
    "SUMMARY",
    "LOCATION",
    "DTSTART",
    "DTEND",
    "DUE",
    "DURATION",
    "RRULE",
    "RDATE",
    "RECURRENCE-ID",
];
/// The longest version that is kept, in octets.
const LONGEST: usize = 4096;

/// What a recipient knows who knew `known` and was told a message: the whole anew, or some instances of it. `None` if that is
/// too long.
pub(crate) fn after(known: Option<&Calendar>, message: &Message) -> Option<Calendar> {
    let told = message.calendar().main_components();
    let told: Vec<Component> = told.map(shown).collect();
    let is_whole = told.iter().any(|it| it.get("RECURRENCE-ID").is_none());
    let mut components = match known {
        Some(known) if !is_whole => known.root().components.clone(),
        _ => Vec::new(),
    };
    components.retain(|it| !told.iter().any(|new| instance(new) == instance(it)));
    components.extend(told);
    let mut calendar = Calendar::new();
    calendar.root_mut().components = components;
    (calendar.write().len() <= LONGEST).then_some(calendar)
}

/// Whether a message of this kind tells what an object is.
pub(crate) const fn tells(method: Method) -> bool {
    matches!(method, Method::Request | Method::Add)
}

fn shown(component: &Component) -> Component {
    let mut shown = Component::new(component.name.clone());
    let properties = component.properties.iter();
    let properties = properties.filter(|it| SHOWN.iter().any(|name| it.is(name)));
    shown.properties = properties.cloned().collect();
    shown
}

/// Which instance a component is: the value and the zone of its RECURRENCE-ID.
fn instance(component: &Component) -> Option<(&str, Option<&str>)> {
    let id: &Property = component.get("RECURRENCE-ID")?;
    Some((&id.value, id.param("TZID")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use convoke_calendar::tree::Limits;

    fn message(events: &[&str]) -> Message {
        let event = |lines: &&str| {
            format!(
                "BEGIN:VEVENT\nUID:1\nDTSTAMP:20261101T080000Z\nORGANIZER:mailto:a@example.org\n\
                 ATTENDEE:mailto:b@example.net\n{}\nEND:VEVENT\n",
                lines.replace('|', "\n")
            )
        };
        let events: String = events.iter().map(event).collect();
        let text = format!(
            "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\nMETHOD:REQUEST\n{events}END:VCALENDAR\n"
        );
        Message::read(Calendar::parse(text.as_bytes(), &Limits::default()).unwrap()).unwrap()
    }

    fn known(calendar: &Calendar) -> String {
        let text = String::from_utf8(calendar.write()).unwrap();
        let lines = text
            .lines()
            .filter(|it| !it.starts_with("BEGIN:VC") && !it.starts_with("END:"));
        lines.collect::<Vec<_>>().join("|")
    }

    #[test]
    fn an_instance_is_told_beside_the_whole_and_the_whole_anew() {
        let whole =
            message(&["DTSTART:20270104T100000Z|RRULE:FREQ=DAILY|SUMMARY:Tea|DESCRIPTION:x"]);
        let first = after(None, &whole).unwrap();
        let series = "BEGIN:VEVENT|DTSTART:20270104T100000Z|RRULE:FREQ=DAILY|SUMMARY:Tea";
        assert_eq!(known(&first), series);

        let instance = |hour| {
            let lines = format!(
                "RECURRENCE-ID:20270105T100000Z|DTSTART:20270105T{hour}0000Z|SUMMARY:Late tea"
            );
            message(&[&lines])
        };
        let second = after(Some(&first), &instance(17)).unwrap();
        let third = after(Some(&second), &instance(18)).unwrap();
        let moved =
            "BEGIN:VEVENT|RECURRENCE-ID:20270105T100000Z|DTSTART:20270105T180000Z|SUMMARY:Late tea";
        assert_eq!(known(&third), format!("{series}|{moved}"));
        assert_eq!(known(&after(Some(&third), &whole).unwrap()), series);
    }

    #[test]
    fn what_is_too_long_is_not_kept() {
        let long = format!("DTSTART:20270104T100000Z|SUMMARY:{}", "x".repeat(LONGEST));
        assert!(after(None, &message(&[&long])).is_none());
    }
}
