//! Making leniently read lines conform to RFC 5545 §3.1 in messages that leave, as peers rightly refuse other lines.

use super::{Component, Property, content_line::Looseness, octets};

/// Properties that hold times.
const TIMES: [&str; 6] = [
    "DTSTART",
    "DTEND",
    "DUE",
    "RECURRENCE-ID",
    "RDATE",
    "EXDATE",
];

/// Drops lines that could not be read and those of vCard, control characters, and parameters without `=`; reads octets
/// that are not UTF-8 as ISO 8859-1. A time that may have lost its TZID with the `=` is put on the clock of the others, as
/// [`recurrence`](crate::recurrence) reads it.
pub(crate) fn conform(component: &mut Component) {
    component
        .properties
        .retain(|line| !line.name.is_empty() && !line.name.contains('.'));
    let clock = clock(component);
    for line in &mut component.properties {
        conform_line(line, clock.as_ref());
    }
    component.components.iter_mut().for_each(conform);
}

/// The time that says on which clock the others are.
fn clock(component: &Component) -> Option<Property> {
    let mut times = TIMES.iter().filter_map(|name| component.stated(name));
    times.find(|time| !time.is_garbled()).cloned()
}

fn conform_line(line: &mut Property, clock: Option<&Property>) {
    if line.is_garbled() {
        line.params.retain(|param| !param.values.is_empty());
        let is_time = TIMES.iter().any(|name| line.is(name)) && line.value.contains(['T', 't']);
        let is_utc = |value: &str| value.trim_end().ends_with(['Z', 'z']);
        match clock.map(|clock| (clock.param("TZID"), is_utc(&clock.value))) {
            Some((Some(zone), _)) if is_time && !is_utc(&line.value) => {
                line.set_param("TZID", zone);
            }
            Some((None, true)) if is_time && !is_utc(&line.value) => line.value.push('Z'),
            _ => {}
        }
    }
    if Looseness::of(line).is_some() {
        let params = line.params.iter_mut();
        let texts = params.flat_map(|it| std::iter::once(&mut it.name).chain(&mut it.values));
        for text in texts.chain([&mut line.value]) {
            text.retain(|letter| letter == '\t' || !letter.is_ascii_control());
        }
    }
    let params = line.params.iter_mut().flat_map(|it| &mut it.values);
    for text in params.chain([&mut line.value]) {
        if octets::holds_octets(text) {
            *text = octets::as_latin1(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Calendar, Limits};
    use super::conform;

    #[test]
    fn outgoing_messages_conform_to_rfc_5545() {
        let lines = b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nno line\r\nSUMMARY;X-A=\xe9:Gr\xfc\xdfe\0\x7f\t!\r\n\
            DTSTART;TZID=Europe/Berlin:20270104T100000\r\nDTEND;TZIDEurope/Berlin:20270104T110000\r\n\
            item1.URL:x\r\nATTENDEE;RSVP;CN=Bo:mailto:bo@example.org\r\nBEGIN:VALARM\r\nX\r\nACTION:AUDIO\r\nEND:VALARM\r\n\
            END:VEVENT\r\nEND:VCALENDAR\r\n";
        let limits = Limits::default();
        let mut calendar = Calendar::parse_stored(lines, &limits).unwrap();
        conform(calendar.root_mut());
        let written = calendar.write();
        assert!(Calendar::parse(&written, &limits).is_ok());
        let expected = "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nSUMMARY;X-A=é:Grüße\t!\r\n\
            DTSTART;TZID=Europe/Berlin:20270104T100000\r\nDTEND;TZID=Europe/Berlin:20270104T110000\r\n\
            ATTENDEE;CN=Bo:mailto:bo@example.org\r\nBEGIN:VALARM\r\nACTION:AUDIO\r\nEND:VALARM\r\n\
            END:VEVENT\r\nEND:VCALENDAR\r\n";
        assert_eq!(String::from_utf8(written).unwrap(), expected);
    }
}
