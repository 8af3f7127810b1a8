use super::unavailable;
use crate::{
    freebusy::busy,
    tree::{Calendar, Limits},
};
use convoke_types::{TimeRange, merge};

fn calendar(components: &str) -> Calendar {
    let text = format!(
        "BEGIN:VCALENDAR\n{}\nEND:VCALENDAR\n",
        components.replace('|', "\n")
    );
    Calendar::parse(text.as_bytes(), &Limits::default()).unwrap()
}

fn range(start: &str, end: &str) -> TimeRange {
    TimeRange::new(start.parse().unwrap(), end.parse().unwrap()).unwrap()
}

/// The slots of two hours of a day, as RFC 7953 §5.1 draws them: Free, Busy, Unavailable, Tentative.
fn drawn(calendars: &[Calendar], day: TimeRange) -> String {
    let limits = Limits::default();
    let mut spans = unavailable(calendars, None, day, &limits).unwrap();
    for calendar in calendars {
        spans.extend(busy(calendar, None, day, &limits).unwrap());
    }
    let spans = merge(spans, day);
    let slots = (0..12).map(|slot| {
        let at = day.start() + jiff::SignedDuration::from_hours(2 * slot);
        let mut kinds = spans
            .iter()
            .filter(|span| span.range.contains(at))
            .map(|span| span.kind.as_str());
        match kinds.next() {
            None => 'F',
            Some("BUSY") => 'B',
            Some("BUSY-TENTATIVE") => 'T',
            Some(_) => 'U',
        }
    });
    slots.collect()
}

/// Monday to Friday, nine to five in Montreal; RFC 7953 appendix A has eight to six.
fn hours(uid: &str, more: &str, zone: &str, from: &str, to: &str, rule: &str) -> String {
    format!(
        "BEGIN:VAVAILABILITY|UID:{uid}|DTSTAMP:20111005T133225Z{more}|BEGIN:AVAILABLE|UID:{uid}-1|DTSTART;TZID={zone}:{from}|DTEND;TZID={zone}:{to}|{rule}|END:AVAILABLE|END:VAVAILABILITY"
    )
}

const WEEKDAYS: &str = "RRULE:FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR";

/// RFC 7953 §5.1.1 (the text says 6 November 2011, which is a Sunday; Monday is the 7th).
#[test]
fn a_simple_week() {
    let zone = "America/Montreal";
    let base = hours(
        "a",
        "",
        zone,
        "20111002T080000",
        "20111002T180000",
        WEEKDAYS,
    );
    let meeting = "BEGIN:VEVENT|UID:m|DTSTART;TZID=America/Montreal:20111107T120000|DTEND;TZID=America/Montreal:20111107T140000|END:VEVENT";
    let day = range("2011-11-07T05:00:00Z", "2011-11-08T05:00:00Z");
    let calendars = [calendar(&base), calendar(meeting)];
    assert_eq!(drawn(&calendars[..1], day), "UUUUFFFFFUUU");
    // An event in time that is unavailable would be of both types; here it lies in free time.
    assert_eq!(drawn(&calendars, day), "UUUUFFBFFUUU");
}

/// RFC 7953 §5.1.2: a week in Denver lies over the usual hours in Montreal.
#[test]
fn a_week_elsewhere_lies_over_the_usual_one() {
    let base = hours(
        "a",
        "",
        "America/Montreal",
        "20111002T080000",
        "20111002T180000",
        WEEKDAYS,
    );
    let denver = hours(
        "b",
        "|PRIORITY:1|DTSTART;TZID=America/Denver:20111023T000000|DTEND;TZID=America/Denver:20111030T000000",
        "America/Denver",
        "20111023T080000",
        "20111023T180000",
        WEEKDAYS,
    );
    let meeting = "BEGIN:VEVENT|UID:m|DTSTART;TZID=America/Denver:20111024T120000|DTEND;TZID=America/Denver:20111024T140000|END:VEVENT";
    let day = range("2011-10-24T04:00:00Z", "2011-10-25T04:00:00Z");
    let both = [denver, base, meeting.to_owned()].map(|text| calendar(&text));
    assert_eq!(drawn(&both, day), "UUUUUFFBFFUU");
    // the week after, Montreal holds again
    let later = range("2011-10-31T04:00:00Z", "2011-11-01T04:00:00Z");
    assert_eq!(drawn(&both, later), "UUUUFFFFFUUU");
}

/// RFC 7953 §4.
#[test]
fn priorities_and_types_lie_over_each_other() {
    let day = range("2027-01-04T00:00:00Z", "2027-01-05T00:00:00Z");
    let block = |from: u8, to: u8, more: &str| {
        format!(
            "BEGIN:VAVAILABILITY|UID:{from}{to}{}|DTSTART:20270104T{from:02}0000Z|DTEND:20270104T{to:02}0000Z{more}|END:VAVAILABILITY",
            more.len()
        )
    };
    let free =
        "|BEGIN:AVAILABLE|UID:f|DTSTART:20270104T060000Z|DTEND:20270104T100000Z|END:AVAILABLE";
    for (blocks, expected) in [
        (vec![block(4, 12, "")], "FFUUUUFFFFFF"),
        (
            vec![block(4, 12, "|BUSYTYPE:BUSY"), block(8, 16, "")],
            "FFBBBBUUFFFF",
        ),
        (
            vec![block(8, 16, ""), block(4, 12, "|BUSYTYPE:BUSY")],
            "FFBBBBUUFFFF",
        ),
        (
            vec![block(4, 12, "|BUSYTYPE:BUSY-TENTATIVE"), block(8, 16, "")],
            "FFTTUUUUFFFF",
        ),
        // a higher priority wins, whatever the type and order
        (
            vec![
                block(8, 16, "|PRIORITY:2"),
                block(4, 12, "|BUSYTYPE:BUSY|PRIORITY:5"),
            ],
            "FFBBUUUUFFFF",
        ),
        (
            vec![
                block(8, 16, "|PRIORITY:9"),
                block(4, 12, "|BUSYTYPE:BUSY|PRIORITY:0"),
            ],
            "FFBBUUUUFFFF",
        ),
        // free of the higher frees, free of the lower does not
        (
            vec![
                block(0, 24, ""),
                block(4, 12, &format!("|PRIORITY:1{free}")),
            ],
            "UUUFFUUUUUUU",
        ),
        (
            vec![block(0, 23, free), block(8, 12, "|PRIORITY:1")],
            "UUUFUUUUUUUU",
        ),
        // of one priority, free is free
        (
            vec![block(0, 23, free), block(8, 12, "|BUSYTYPE:BUSY")],
            "UUUFFBUUUUUU",
        ),
        (vec![block(12, 4, "")], "FFFFFFFFFFFF"),
    ] {
        let calendars: Vec<Calendar> = blocks
            .iter()
            .map(|text| calendar(&text.replace("T240000Z", "T235959Z")))
            .collect();
        assert_eq!(drawn(&calendars, day), expected, "{blocks:?}");
    }
}

#[test]
fn single_instances_of_available_time_can_be_moved() {
    let text = "BEGIN:VAVAILABILITY|UID:1|BEGIN:AVAILABLE|UID:2|DTSTART:20270104T080000Z|DURATION:PT4H|RRULE:FREQ=DAILY|END:AVAILABLE|BEGIN:AVAILABLE|UID:2|RECURRENCE-ID:20270105T080000Z|DTSTART:20270105T120000Z|DURATION:PT2H|END:AVAILABLE|BEGIN:AVAILABLE|UID:3|DTSTART:20270105T200000Z|DURATION:PT2H|END:AVAILABLE|END:VAVAILABILITY";
    let calendars = [calendar(text)];
    assert_eq!(
        drawn(
            &calendars,
            range("2027-01-04T00:00:00Z", "2027-01-05T00:00:00Z")
        ),
        "UUUUFFUUUUUU"
    );
    assert_eq!(
        drawn(
            &calendars,
            range("2027-01-05T00:00:00Z", "2027-01-06T00:00:00Z")
        ),
        "UUUUUUFUUUFU"
    );
}

#[test]
fn hours_for_years_and_rules_without_end_cost_little() {
    let text = hours(
        "a",
        "",
        "Europe/Berlin",
        "19900101T090000",
        "19900101T170000",
        WEEKDAYS,
    );
    let spans = unavailable(
        &[calendar(&text)],
        None,
        range("2000-01-01T00:00:00Z", "2100-01-01T00:00:00Z"),
        &Limits::default(),
    );
    assert!(spans.unwrap().len() > 26_000);
    let hostile = hours(
        "a",
        "",
        "Europe/Berlin",
        "19900101T090000",
        "19900101T090001",
        "RRULE:FREQ=SECONDLY;INTERVAL=2",
    );
    assert!(
        unavailable(
            &[calendar(&hostile)],
            None,
            TimeRange::ALL,
            &Limits::default()
        )
        .is_err()
    );
}
