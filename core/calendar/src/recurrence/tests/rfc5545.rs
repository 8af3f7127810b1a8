//! Every example of RFC 5545 §3.8.5.3.

use super::super::*;
use jiff::civil::{self, DateTime};

const NEW_YORK: &str = "America/New_York";

/// The starts of a series in New York, on the wall there, up to `most`.
fn walls(start: &str, lines: &str, most: usize) -> Vec<DateTime> {
    let text = format!(
        "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nDTSTART;TZID={NEW_YORK}:{start}\n{lines}\nEND:VEVENT\nEND:VCALENDAR\n"
    );
    let calendar = Calendar::parse(text.as_bytes(), &Limits::default()).unwrap();
    let range = TimeRange::new(
        "1996-01-01T00:00:00Z".parse().unwrap(),
        "2010-01-01T00:00:00Z".parse().unwrap(),
    )
    .unwrap();
    let zone = TimeZone::get(NEW_YORK).unwrap();
    let found = instances(
        &calendar,
        "VEVENT",
        &TimeZone::UTC,
        range,
        &Limits::default(),
    )
    .unwrap();
    let mut starts: Vec<DateTime> = found
        .iter()
        .map(|instance| instance.start.to_zoned_datetime(zone.clone()).datetime())
        .collect();
    starts.sort();
    starts.truncate(most);
    starts
}

/// `1997 9/2-4,8 10/1` is 2, 3, 4 and 8 September and 1 October 1997, each at 9:00.
fn days(text: &str) -> Vec<DateTime> {
    let mut year = 0;
    let mut found = Vec::new();
    for word in text.split_whitespace() {
        let Some((month, days)) = word.split_once('/') else {
            year = word.parse().unwrap();
            continue;
        };
        for part in days.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            for day in first.parse::<i8>().unwrap()..=last.parse().unwrap() {
                found.push(civil::date(year, month.parse().unwrap(), day).at(9, 0, 0, 0));
            }
        }
    }
    found
}

#[test]
#[allow(clippy::too_many_lines, reason = "one table")]
fn days_are_as_the_rfc_lists_them() {
    let september = "19970902T090000";
    for (start, lines, expected) in [
        (september, "RRULE:FREQ=DAILY;COUNT=10", "1997 9/2-11"),
        (
            september,
            "RRULE:FREQ=DAILY;UNTIL=19971224T000000Z",
            "1997 9/2-30 10/1-31 11/1-30 12/1-23",
        ),
        (
            september,
            "RRULE:FREQ=DAILY;INTERVAL=2",
            "1997 9/2,4,6,8,10,12,14,16,18,20,22,24,26,28,30 10/2,4,6,8,10,12,14,16,18,20,22,24,26,28,30 11/1,3,5,7,9,11,13,15,17,19,21,23,25,27,29 12/1,3",
        ),
        (
            september,
            "RRULE:FREQ=DAILY;INTERVAL=10;COUNT=5",
            "1997 9/2,12,22 10/2,12",
        ),
        (
            "19980101T090000",
            "RRULE:FREQ=YEARLY;UNTIL=20000131T140000Z;BYMONTH=1;BYDAY=SU,MO,TU,WE,TH,FR,SA",
            "1998 1/1-31 1999 1/1-31 2000 1/1-31",
        ),
        (
            "19980101T090000",
            "RRULE:FREQ=DAILY;UNTIL=20000131T140000Z;BYMONTH=1",
            "1998 1/1-31 1999 1/1-31 2000 1/1-31",
        ),
        (
            september,
            "RRULE:FREQ=WEEKLY;COUNT=10",
            "1997 9/2,9,16,23,30 10/7,14,21,28 11/4",
        ),
        (
            september,
            "RRULE:FREQ=WEEKLY;UNTIL=19971224T000000Z",
            "1997 9/2,9,16,23,30 10/7,14,21,28 11/4,11,18,25 12/2,9,16,23",
        ),
        (
            september,
            "RRULE:FREQ=WEEKLY;INTERVAL=2;WKST=SU",
            "1997 9/2,16,30 10/14,28 11/11,25 12/9,23 1998 1/6,20 2/3,17",
        ),
        (
            september,
            "RRULE:FREQ=WEEKLY;UNTIL=19971007T000000Z;WKST=SU;BYDAY=TU,TH",
            "1997 9/2,4,9,11,16,18,23,25,30 10/2",
        ),
        (
            september,
            "RRULE:FREQ=WEEKLY;COUNT=10;WKST=SU;BYDAY=TU,TH",
            "1997 9/2,4,9,11,16,18,23,25,30 10/2",
        ),
        (
            "19970901T090000",
            "RRULE:FREQ=WEEKLY;INTERVAL=2;UNTIL=19971224T000000Z;WKST=SU;BYDAY=MO,WE,FR",
            "1997 9/1,3,5,15,17,19,29 10/1,3,13,15,17,27,29,31 11/10,12,14,24,26,28 12/8,10,12,22",
        ),
        (
            september,
            "RRULE:FREQ=WEEKLY;INTERVAL=2;COUNT=8;WKST=SU;BYDAY=TU,TH",
            "1997 9/2,4,16,18,30 10/2,14,16",
        ),
        (
            "19970905T090000",
            "RRULE:FREQ=MONTHLY;COUNT=10;BYDAY=1FR",
            "1997 9/5 10/3 11/7 12/5 1998 1/2 2/6 3/6 4/3 5/1 6/5",
        ),
        (
            "19970905T090000",
            "RRULE:FREQ=MONTHLY;UNTIL=19971224T000000Z;BYDAY=1FR",
            "1997 9/5 10/3 11/7 12/5",
        ),
        (
            "19970907T090000",
            "RRULE:FREQ=MONTHLY;INTERVAL=2;COUNT=10;BYDAY=1SU,-1SU",
            "1997 9/7,28 11/2,30 1998 1/4,25 3/1,29 5/3,31",
        ),
        (
            "19970922T090000",
            "RRULE:FREQ=MONTHLY;COUNT=6;BYDAY=-2MO",
            "1997 9/22 10/20 11/17 12/22 1998 1/19 2/16",
        ),
        (
            "19970928T090000",
            "RRULE:FREQ=MONTHLY;BYMONTHDAY=-3",
            "1997 9/28 10/29 11/28 12/29 1998 1/29 2/26",
        ),
        (
            september,
            "RRULE:FREQ=MONTHLY;COUNT=10;BYMONTHDAY=2,15",
            "1997 9/2,15 10/2,15 11/2,15 12/2,15 1998 1/2,15",
        ),
        (
            "19970930T090000",
            "RRULE:FREQ=MONTHLY;COUNT=10;BYMONTHDAY=1,-1",
            "1997 9/30 10/1,31 11/1,30 12/1,31 1998 1/1,31 2/1",
        ),
        (
            "19970910T090000",
            "RRULE:FREQ=MONTHLY;INTERVAL=18;COUNT=10;BYMONTHDAY=10,11,12,13,14,15",
            "1997 9/10-15 1999 3/10-13",
        ),
        (
            september,
            "RRULE:FREQ=MONTHLY;INTERVAL=2;BYDAY=TU",
            "1997 9/2,9,16,23,30 11/4,11,18,25 1998 1/6,13,20,27 3/3,10,17,24,31",
        ),
        (
            "19970610T090000",
            "RRULE:FREQ=YEARLY;COUNT=10;BYMONTH=6,7",
            "1997 6/10 7/10 1998 6/10 7/10 1999 6/10 7/10 2000 6/10 7/10 2001 6/10 7/10",
        ),
        (
            "19970310T090000",
            "RRULE:FREQ=YEARLY;INTERVAL=2;COUNT=10;BYMONTH=1,2,3",
            "1997 3/10 1999 1/10 2/10 3/10 2001 1/10 2/10 3/10 2003 1/10 2/10 3/10",
        ),
        (
            "19970101T090000",
            "RRULE:FREQ=YEARLY;INTERVAL=3;COUNT=10;BYYEARDAY=1,100,200",
            "1997 1/1 4/10 7/19 2000 1/1 4/9 7/18 2003 1/1 4/10 7/19 2006 1/1",
        ),
        (
            "19970519T090000",
            "RRULE:FREQ=YEARLY;BYDAY=20MO",
            "1997 5/19 1998 5/18 1999 5/17",
        ),
        (
            "19970512T090000",
            "RRULE:FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO",
            "1997 5/12 1998 5/11 1999 5/17",
        ),
        (
            "19970313T090000",
            "RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=TH",
            "1997 3/13,20,27 1998 3/5,12,19,26 1999 3/4,11,18,25",
        ),
        (
            "19970605T090000",
            "RRULE:FREQ=YEARLY;BYDAY=TH;BYMONTH=6,7,8",
            "1997 6/5,12,19,26 7/3,10,17,24,31 8/7,14,21,28 1998 6/4,11,18,25 7/2,9,16,23,30 8/6,13,20,27 1999 6/3,10,17,24 7/1,8,15,22,29 8/5,12,19,26",
        ),
        (
            september,
            "EXDATE;TZID=America/New_York:19970902T090000\nRRULE:FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13",
            "1998 2/13 3/13 11/13 1999 8/13 2000 10/13",
        ),
        (
            "19970913T090000",
            "RRULE:FREQ=MONTHLY;BYDAY=SA;BYMONTHDAY=7,8,9,10,11,12,13",
            "1997 9/13 10/11 11/8 12/13 1998 1/10 2/7 3/7 4/11 5/9 6/13",
        ),
        (
            "19961105T090000",
            "RRULE:FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8",
            "1996 11/5 2000 11/7 2004 11/2",
        ),
        (
            "19970904T090000",
            "RRULE:FREQ=MONTHLY;COUNT=3;BYDAY=TU,WE,TH;BYSETPOS=3",
            "1997 9/4 10/7 11/6",
        ),
        (
            "19970929T090000",
            "RRULE:FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2",
            "1997 9/29 10/30 11/27 12/30 1998 1/29 2/26 3/30",
        ),
        (
            "19970805T090000",
            "RRULE:FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO",
            "1997 8/5,10,19,24",
        ),
        (
            "19970805T090000",
            "RRULE:FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU",
            "1997 8/5,17,19,31",
        ),
        (
            "20070115T090000",
            "RRULE:FREQ=MONTHLY;BYMONTHDAY=15,30;COUNT=5",
            "2007 1/15,30 2/15 3/15,30",
        ),
    ] {
        let expected = days(expected);
        let ends = lines.contains("COUNT") || lines.contains("UNTIL");
        let most = if ends { usize::MAX } else { expected.len() };
        assert_eq!(walls(start, lines, most), expected, "{lines}");
    }
}

#[test]
fn hours_and_minutes_are_as_the_rfc_lists_them() {
    let at = |hour, minute| civil::date(1997, 9, 2).at(hour, minute, 0, 0);
    let every_20: Vec<DateTime> = (9..17)
        .flat_map(|hour| [0, 20, 40].map(|minute| at(hour, minute)))
        .collect();
    let two_days: Vec<DateTime> = every_20
        .iter()
        .copied()
        .chain(
            every_20
                .iter()
                .map(|time| *time + jiff::Span::new().days(1)),
        )
        .collect();
    for (lines, expected) in [
        // The text says 17:00 UTC, which is 13:00 in New York, and lists 15:00 too; erratum 3883 has 21:00 UTC.
        (
            "RRULE:FREQ=HOURLY;INTERVAL=3;UNTIL=19970902T210000Z",
            vec![at(9, 0), at(12, 0), at(15, 0)],
        ),
        (
            "RRULE:FREQ=MINUTELY;INTERVAL=15;COUNT=6",
            vec![
                at(9, 0),
                at(9, 15),
                at(9, 30),
                at(9, 45),
                at(10, 0),
                at(10, 15),
            ],
        ),
        (
            "RRULE:FREQ=MINUTELY;INTERVAL=90;COUNT=4",
            vec![at(9, 0), at(10, 30), at(12, 0), at(13, 30)],
        ),
        (
            "RRULE:FREQ=DAILY;BYHOUR=9,10,11,12,13,14,15,16;BYMINUTE=0,20,40",
            two_days.clone(),
        ),
        (
            "RRULE:FREQ=MINUTELY;INTERVAL=20;BYHOUR=9,10,11,12,13,14,15,16",
            two_days.clone(),
        ),
    ] {
        let ends = lines.contains("COUNT") || lines.contains("UNTIL");
        let most = if ends { usize::MAX } else { expected.len() };
        assert_eq!(walls("19970902T090000", lines, most), expected, "{lines}");
    }
}
