//! Instances are told apart by what their times mean, whatever zone they are written in.

use super::apply;

/// One and a half hours ahead of UTC, in summer two and a half: a zone that nobody knows by its name.
const ODD: &str = "
    BEGIN:VTIMEZONE
    TZID:Odd
    BEGIN:STANDARD
    DTSTART:19701025T030000
    TZOFFSETFROM:+0230
    TZOFFSETTO:+0130
    RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU
    END:STANDARD
    BEGIN:DAYLIGHT
    DTSTART:19700329T020000
    TZOFFSETFROM:+0130
    TZOFFSETTO:+0230
    RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU
    END:DAYLIGHT
    END:VTIMEZONE";

fn series(zone: &str) -> String {
    format!(
        "BEGIN:VEVENT\nUID:1\nDTSTAMP:20261201T100000Z\nSEQUENCE:1
         DTSTART;TZID={zone}:20270322T100000\nDTEND;TZID={zone}:20270322T110000
         RRULE:FREQ=WEEKLY;COUNT=20\nORGANIZER:mailto:a@example.com
         ATTENDEE:mailto:b@example.com\nEND:VEVENT"
    )
}

fn cancelled(zone: &str, day: &str) -> String {
    format!(
        "BEGIN:VEVENT\nUID:1\nDTSTAMP:20261202T100000Z\nSEQUENCE:2\nSTATUS:CANCELLED
         RECURRENCE-ID;TZID={zone}:{day}T100000
         DTSTART;TZID={zone}:{day}T100000\nDTEND;TZID={zone}:{day}T110000
         ORGANIZER:mailto:a@example.com\nATTENDEE:mailto:b@example.com\nEND:VEVENT"
    )
}

fn notice(id: &str) -> String {
    format!(
        "BEGIN:VEVENT\nUID:1\nDTSTAMP:20261202T100000Z\nSEQUENCE:2\nSTATUS:CANCELLED
         ORGANIZER:mailto:a@example.com\nRECURRENCE-ID{id}\nEND:VEVENT"
    )
}

#[test]
fn an_instance_in_a_zone_of_its_own_is_found_by_its_instant() {
    for id in [
        ":20270329T073000Z",
        ";TZID=Odd:20270329T100000",
        ";TZID=Europe/Berlin:20270329T093000",
        ";TZID=W. Europe Standard Time:20270329T093000",
        ";VALUE=DATE:20270329",
    ] {
        apply("CANCEL", &notice(id))
            .to(&format!("{ODD}\n{}", series("Odd")))
            .gives(&format!(
                "{ODD}\n{}\n{}",
                series("Odd"),
                cancelled("Odd", "20270329")
            ));
    }
    // the hour that it would have in winter
    apply("CANCEL", &notice(":20270329T083000Z"))
        .to(&format!("{ODD}\n{}", series("Odd")))
        .changes_nothing();
}

#[test]
fn an_embedded_zone_counts_more_than_the_name_it_has() {
    let berlin = ODD.replace("Odd", "Europe/Berlin");
    let stored = format!("{berlin}\n{}", series("Europe/Berlin"));
    apply("CANCEL", &notice(":20270329T073000Z"))
        .to(&stored)
        .gives(&format!(
            "{stored}\n{}",
            cancelled("Europe/Berlin", "20270329")
        ));
}

#[test]
fn a_zone_of_windows_is_known_by_name() {
    let zone = "W. Europe Standard Time";
    apply("CANCEL", &notice(":20270329T080000Z"))
        .to(&series(zone))
        .gives(&format!(
            "{}\n{}",
            series(zone),
            cancelled(zone, "20270329")
        ));
}

#[test]
fn an_end_in_another_zone_moves_by_exact_time() {
    let stored = series("Europe/Berlin").replace(
        "DTEND;TZID=Europe/Berlin:20270322T110000",
        "DTEND:20270322T100000Z",
    );
    let expected = cancelled("Europe/Berlin", "20270329").replace(
        "DTEND;TZID=Europe/Berlin:20270329T110000",
        "DTEND:20270329T090000Z",
    );
    apply("CANCEL", &notice(":20270329T080000Z"))
        .to(&stored)
        .gives(&format!("{stored}\n{expected}"));
}

#[test]
fn an_instance_of_whole_days_may_be_named_by_a_time() {
    let stored = series("X")
        .replace(";TZID=X:20270322T100000", ";VALUE=DATE:20270322")
        .replace(";TZID=X:20270322T110000", ";VALUE=DATE:20270323");
    apply("CANCEL", &notice(":20270329T000000Z"))
        .to(&stored)
        .gives(&format!(
            "{stored}\nBEGIN:VEVENT\nUID:1\nDTSTAMP:20261202T100000Z\nSEQUENCE:2
             STATUS:CANCELLED\nRECURRENCE-ID;VALUE=DATE:20270329\nDTSTART;VALUE=DATE:20270329
             DTEND;VALUE=DATE:20270330\nORGANIZER:mailto:a@example.com
             ATTENDEE:mailto:b@example.com\nEND:VEVENT"
        ));
}
