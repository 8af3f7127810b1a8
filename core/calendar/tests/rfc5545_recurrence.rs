//! The examples of RFC 5545 §3.8.5.3, in its order: what a rule gives, seen as busy time.

use convoke_calendar::{
    freebusy::busy,
    tree::{Calendar, Limits},
};
use convoke_types::TimeRange;
use jiff::{Timestamp, civil, tz::TimeZone};

/// DTSTART without its time, the rest of the event, the days at 9:00 (`1997-09 2-11,14`), the day after the last one
/// that the RFC lists of an endless rule.
type Days = (
    &'static str,
    &'static str,
    &'static str,
    Option<&'static str>,
);

const DAILY_AND_WEEKLY: &[Days] = &[
    (
        "19970902",
        "RRULE:FREQ=DAILY;COUNT=10",
        "1997-09 2-11",
        None,
    ),
    (
        "19970902",
        "RRULE:FREQ=DAILY;UNTIL=19971224T000000Z",
        "1997-09 2-30 1997-10 1-31 1997-11 1-30 1997-12 1-23",
        None,
    ),
    (
        "19970902",
        "RRULE:FREQ=DAILY;INTERVAL=2",
        "1997-09 2,4,6,8,10,12,14,16,18,20,22,24,26,28,30 1997-10 2,4,6,8,10,12,14,16,18,20,22,24,26,28,30 \
         1997-11 1,3,5,7,9,11,13,15,17,19,21,23,25,27,29 1997-12 1,3",
        Some("1997-12-04"),
    ),
    (
        "19970902",
        "RRULE:FREQ=DAILY;INTERVAL=10;COUNT=5",
        "1997-09 2,12,22 1997-10 2,12",
        None,
    ),
    (
        "19980101",
        "RRULE:FREQ=YEARLY;UNTIL=20000131T140000Z;BYMONTH=1;BYDAY=SU,MO,TU,WE,TH,FR,SA",
        "1998-01 1-31 1999-01 1-31 2000-01 1-31",
        None,
    ),
    (
        "19980101",
        "RRULE:FREQ=DAILY;UNTIL=20000131T140000Z;BYMONTH=1",
        "1998-01 1-31 1999-01 1-31 2000-01 1-31",
        None,
    ),
    (
        "19970902",
        "RRULE:FREQ=WEEKLY;COUNT=10",
        "1997-09 2,9,16,23,30 1997-10 7,14,21,28 1997-11 4",
        None,
    ),
    (
        "19970902",
        "RRULE:FREQ=WEEKLY;UNTIL=19971224T000000Z",
        "1997-09 2,9,16,23,30 1997-10 7,14,21,28 1997-11 4,11,18,25 1997-12 2,9,16,23",
        None,
    ),
    (
        "19970902",
        "RRULE:FREQ=WEEKLY;INTERVAL=2;WKST=SU",
        "1997-09 2,16,30 1997-10 14,28 1997-11 11,25 1997-12 9,23 1998-01 6,20 1998-02 3,17",
        Some("1998-02-18"),
    ),
    (
        "19970902",
        "RRULE:FREQ=WEEKLY;UNTIL=19971007T000000Z;WKST=SU;BYDAY=TU,TH",
        "1997-09 2,4,9,11,16,18,23,25,30 1997-10 2",
        None,
    ),
    (
        "19970902",
        "RRULE:FREQ=WEEKLY;COUNT=10;WKST=SU;BYDAY=TU,TH",
        "1997-09 2,4,9,11,16,18,23,25,30 1997-10 2",
        None,
    ),
    (
        "19970901",
        "RRULE:FREQ=WEEKLY;INTERVAL=2;UNTIL=19971224T000000Z;WKST=SU;BYDAY=MO,WE,FR",
        "1997-09 1,3,5,15,17,19,29 1997-10 1,3,13,15,17,27,29,31 1997-11 10,12,14,24,26,28 1997-12 8,10,12,22",
        None,
    ),
    (
        "19970902",
        "RRULE:FREQ=WEEKLY;INTERVAL=2;COUNT=8;WKST=SU;BYDAY=TU,TH",
        "1997-09 2,4,16,18,30 1997-10 2,14,16",
        None,
    ),
    (
        "19970805",
        "RRULE:FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO",
        "1997-08 5,10,19,24",
        None,
    ),
    (
        "19970805",
        "RRULE:FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU",
        "1997-08 5,17,19,31",
        None,
    ),
];

const MONTHLY: &[Days] = &[
    (
        "19970905",
        "RRULE:FREQ=MONTHLY;COUNT=10;BYDAY=1FR",
        "1997-09 5 1997-10 3 1997-11 7 1997-12 5 1998-01 2 1998-02 6 1998-03 6 1998-04 3 1998-05 1 1998-06 5",
        None,
    ),
    (
        "19970905",
        "RRULE:FREQ=MONTHLY;UNTIL=19971224T000000Z;BYDAY=1FR",
        "1997-09 5 1997-10 3 1997-11 7 1997-12 5",
        None,
    ),
    (
        "19970907",
        "RRULE:FREQ=MONTHLY;INTERVAL=2;COUNT=10;BYDAY=1SU,-1SU",
        "1997-09 7,28 1997-11 2,30 1998-01 4,25 1998-03 1,29 1998-05 3,31",
        None,
    ),
    (
        "19970922",
        "RRULE:FREQ=MONTHLY;COUNT=6;BYDAY=-2MO",
        "1997-09 22 1997-10 20 1997-11 17 1997-12 22 1998-01 19 1998-02 16",
        None,
    ),
    (
        "19970928",
        "RRULE:FREQ=MONTHLY;BYMONTHDAY=-3",
        "1997-09 28 1997-10 29 1997-11 28 1997-12 29 1998-01 29 1998-02 26",
        Some("1998-03-01"),
    ),
    (
        "19970902",
        "RRULE:FREQ=MONTHLY;COUNT=10;BYMONTHDAY=2,15",
        "1997-09 2,15 1997-10 2,15 1997-11 2,15 1997-12 2,15 1998-01 2,15",
        None,
    ),
    (
        "19970930",
        "RRULE:FREQ=MONTHLY;COUNT=10;BYMONTHDAY=1,-1",
        "1997-09 30 1997-10 1,31 1997-11 1,30 1997-12 1,31 1998-01 1,31 1998-02 1",
        None,
    ),
    (
        "19970910",
        "RRULE:FREQ=MONTHLY;INTERVAL=18;COUNT=10;BYMONTHDAY=10,11,12,13,14,15",
        "1997-09 10-15 1999-03 10-13",
        None,
    ),
    (
        "19970902",
        "RRULE:FREQ=MONTHLY;INTERVAL=2;BYDAY=TU",
        "1997-09 2,9,16,23,30 1997-11 4,11,18,25 1998-01 6,13,20,27 1998-03 3,10,17,24,31",
        Some("1998-04-01"),
    ),
    (
        "19970902",
        "EXDATE;TZID=America/New_York:19970902T090000\nRRULE:FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13",
        "1998-02 13 1998-03 13 1998-11 13 1999-08 13 2000-10 13",
        Some("2000-10-14"),
    ),
    (
        "19970913",
        "RRULE:FREQ=MONTHLY;BYDAY=SA;BYMONTHDAY=7,8,9,10,11,12,13",
        "1997-09 13 1997-10 11 1997-11 8 1997-12 13 1998-01 10 1998-02 7 1998-03 7 1998-04 11 1998-05 9 1998-06 13",
        Some("1998-06-14"),
    ),
    (
        "19970904",
        "RRULE:FREQ=MONTHLY;COUNT=3;BYDAY=TU,WE,TH;BYSETPOS=3",
        "1997-09 4 1997-10 7 1997-11 6",
        None,
    ),
    (
        "19970929",
        "RRULE:FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2",
        "1997-09 29 1997-10 30 1997-11 27 1997-12 30 1998-01 29 1998-02 26 1998-03 30",
        Some("1998-03-31"),
    ),
    (
        "20070115",
        "RRULE:FREQ=MONTHLY;BYMONTHDAY=15,30;COUNT=5",
        "2007-01 15,30 2007-02 15 2007-03 15,30",
        None,
    ),
];

const YEARLY: &[Days] = &[
    (
        "19970610",
        "RRULE:FREQ=YEARLY;COUNT=10;BYMONTH=6,7",
        "1997-06 10 1997-07 10 1998-06 10 1998-07 10 1999-06 10 1999-07 10 2000-06 10 2000-07 10 2001-06 10 2001-07 10",
        None,
    ),
    (
        "19970310",
        "RRULE:FREQ=YEARLY;INTERVAL=2;COUNT=10;BYMONTH=1,2,3",
        "1997-03 10 1999-01 10 1999-02 10 1999-03 10 2001-01 10 2001-02 10 2001-03 10 2003-01 10 2003-02 10 2003-03 10",
        None,
    ),
    (
        "19970101",
        "RRULE:FREQ=YEARLY;INTERVAL=3;COUNT=10;BYYEARDAY=1,100,200",
        "1997-01 1 1997-04 10 1997-07 19 2000-01 1 2000-04 9 2000-07 18 2003-01 1 2003-04 10 2003-07 19 2006-01 1",
        None,
    ),
    (
        "19970519",
        "RRULE:FREQ=YEARLY;BYDAY=20MO",
        "1997-05 19 1998-05 18 1999-05 17",
        Some("2000-01-01"),
    ),
    (
        "19970512",
        "RRULE:FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO",
        "1997-05 12 1998-05 11 1999-05 17",
        Some("2000-01-01"),
    ),
    (
        "19970313",
        "RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=TH",
        "1997-03 13,20,27 1998-03 5,12,19,26 1999-03 4,11,18,25",
        Some("2000-01-01"),
    ),
    (
        "19970605",
        "RRULE:FREQ=YEARLY;BYDAY=TH;BYMONTH=6,7,8",
        "1997-06 5,12,19,26 1997-07 3,10,17,24,31 1997-08 7,14,21,28 1998-06 4,11,18,25 1998-07 2,9,16,23,30 \
         1998-08 6,13,20,27 1999-06 3,10,17,24 1999-07 1,8,15,22,29 1999-08 5,12,19,26",
        Some("2000-01-01"),
    ),
    (
        "19961105",
        "RRULE:FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8",
        "1996-11 5 2000-11 7 2004-11 2",
        Some("2005-01-01"),
    ),
];

#[test]
fn examples_of_days() {
    for (start, rest, expected, end) in [DAILY_AND_WEEKLY, MONTHLY, YEARLY].concat() {
        let expected: Vec<_> = days(expected)
            .into_iter()
            .map(|day| day.at(9, 0, 0, 0))
            .collect();
        let end = end.unwrap_or("2030-01-01").parse().unwrap();
        assert_eq!(starts(start, rest, end), expected, "{start} {rest}");
    }
}

#[test]
fn examples_within_a_day() {
    let minutes = |from: i32, to: i32, step: usize| (from..=to).step_by(step).collect::<Vec<_>>();
    for (rest, expected, days) in [
        // "9:00 to 17:00": the RFC's UNTIL of 170000Z is 13:00 in New York
        (
            "RRULE:FREQ=HOURLY;INTERVAL=3;UNTIL=19970902T210000Z",
            minutes(540, 1020, 180),
            "1997-09 2",
        ),
        (
            "RRULE:FREQ=MINUTELY;INTERVAL=15;COUNT=6",
            minutes(540, 615, 15),
            "1997-09 2",
        ),
        (
            "RRULE:FREQ=MINUTELY;INTERVAL=90;COUNT=4",
            minutes(540, 810, 90),
            "1997-09 2",
        ),
        (
            "RRULE:FREQ=DAILY;BYHOUR=9,10,11,12,13,14,15,16;BYMINUTE=0,20,40",
            minutes(540, 1000, 20),
            "1997-09 2-4",
        ),
        (
            "RRULE:FREQ=MINUTELY;INTERVAL=20;BYHOUR=9,10,11,12,13,14,15,16",
            minutes(540, 1000, 20),
            "1997-09 2-4",
        ),
    ] {
        let expected: Vec<_> = self::days(days)
            .into_iter()
            .flat_map(|day| {
                let midnight = day.at(0, 0, 0, 0);
                let at = move |minute: &i32| midnight + jiff::Span::new().minutes(*minute);
                expected.iter().map(at).collect::<Vec<_>>()
            })
            .collect();
        let end = civil::date(1997, 9, 5);
        assert_eq!(starts("19970902", rest, end), expected, "{rest}");
    }
}

/// The wall-clock times in New York at which an event of one minute begins, before midnight of `end`.
fn starts(date: &str, rest: &str, end: civil::Date) -> Vec<civil::DateTime> {
    let text = format!(
        "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nDTSTART;TZID=America/New_York:{date}T090000\nDURATION:PT1M\n{rest}\n\
         END:VEVENT\nEND:VCALENDAR\n"
    );
    let calendar = Calendar::parse(text.as_bytes(), &Limits::default()).unwrap();
    let zone = TimeZone::get("America/New_York").unwrap();
    let end = end.to_zoned_datetime(zone.clone()).unwrap().timestamp();
    let range = TimeRange::new(Timestamp::UNIX_EPOCH, end).unwrap();
    let spans = busy(&calendar, None, range, &Limits::default()).unwrap();
    spans
        .iter()
        .map(|span| {
            span.range
                .start()
                .to_zoned_datetime(zone.clone())
                .datetime()
        })
        .collect()
}

/// `1997-09 2-4,7` as days.
fn days(text: &str) -> Vec<civil::Date> {
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    let mut days = Vec::new();
    for pair in words.chunks(2) {
        let (year, month) = pair[0].split_once('-').unwrap();
        for part in pair[1].split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last): (i8, i8) = (first.parse().unwrap(), last.parse().unwrap());
            days.extend(
                (first..=last)
                    .map(|day| civil::date(year.parse().unwrap(), month.parse().unwrap(), day)),
            );
        }
    }
    days
}
