//! VTIMEZONEs in the manners of programs, held against the zones that they mean: Outlook, Exchange, Google, Apple,
//! Thunderbird, Evolution, Notes, Zimbra. Every word is made up after their manner.

use convoke_calendar::{
    tree::{Calendar, Limits},
    zone::{Zones, by_name, vtimezone},
};
use jiff::{Timestamp, tz::TimeZone};

struct Sample {
    program: &'static str,
    /// As it stands in a parameter.
    id: &'static str,
    zone: &'static str,
    meant: &'static str,
    since: i16,
}

const SAMPLES: &[Sample] = &[
    Sample {
        program: "Outlook",
        id: "Eastern Standard Time",
        zone: "TZID:Eastern Standard Time
BEGIN:STANDARD
DTSTART:16011104T020000
RRULE:FREQ=YEARLY;BYDAY=1SU;BYMONTH=11
TZOFFSETFROM:-0400
TZOFFSETTO:-0500
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:16010311T020000
RRULE:FREQ=YEARLY;BYDAY=2SU;BYMONTH=3
TZOFFSETFROM:-0500
TZOFFSETTO:-0400
END:DAYLIGHT",
        meant: "America/New_York",
        since: 2007,
    },
    Sample {
        program: "Exchange",
        id: "W. Europe Standard Time",
        zone: "TZID:W. Europe Standard Time
BEGIN:STANDARD
DTSTART:16010101T030000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=10
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:16010101T020000
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=3
END:DAYLIGHT",
        meant: "Europe/Berlin",
        since: 1997,
    },
    Sample {
        program: "Outlook on the web",
        id: "Customized Time Zone",
        zone: "TZID:Customized Time Zone
BEGIN:STANDARD
DTSTART:16010101T000000
TZOFFSETFROM:+0530
TZOFFSETTO:+0530
END:STANDARD",
        meant: "Asia/Kolkata",
        since: 1950,
    },
    Sample {
        program: "Google",
        id: "America/Los_Angeles",
        zone: "TZID:America/Los_Angeles
X-LIC-LOCATION:America/Los_Angeles
BEGIN:DAYLIGHT
TZOFFSETFROM:-0800
TZOFFSETTO:-0700
TZNAME:PDT
DTSTART:19700308T020000
RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=2SU
END:DAYLIGHT
BEGIN:STANDARD
TZOFFSETFROM:-0700
TZOFFSETTO:-0800
TZNAME:PST
DTSTART:19701101T020000
RRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=1SU
END:STANDARD",
        meant: "America/Los_Angeles",
        since: 2007,
    },
    Sample {
        program: "Apple",
        id: "Europe/London",
        zone: "TZID:Europe/London
BEGIN:STANDARD
DTSTART:18471201T000000
RDATE:18471201T000000
TZNAME:GMT
TZOFFSETFROM:-000115
TZOFFSETTO:+0000
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:19720319T020000
RDATE:19720319T020000,19730318T020000,19740317T020000,19750316T020000
 ,19760321T020000,19770320T020000,19780319T020000,19790318T020000,19800316T020000
TZNAME:BST
TZOFFSETFROM:+0000
TZOFFSETTO:+0100
END:DAYLIGHT
BEGIN:STANDARD
DTSTART:19721029T030000
RRULE:FREQ=YEARLY;UNTIL=19801026T020000Z;BYMONTH=10;BYMONTHDAY=23,24,25,26,27,28,29;BYDAY=SU
TZNAME:GMT
TZOFFSETFROM:+0100
TZOFFSETTO:+0000
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:19810329T010000
RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU
TZNAME:BST
TZOFFSETFROM:+0000
TZOFFSETTO:+0100
END:DAYLIGHT
BEGIN:STANDARD
DTSTART:19811025T020000
RRULE:FREQ=YEARLY;UNTIL=19891029T010000Z;BYMONTH=10;BYMONTHDAY=23,24,25,26,27,28,29;BYDAY=SU
TZNAME:GMT
TZOFFSETFROM:+0100
TZOFFSETTO:+0000
END:STANDARD
BEGIN:STANDARD
DTSTART:19901028T020000
RRULE:FREQ=YEARLY;UNTIL=19951022T010000Z;BYMONTH=10;BYDAY=4SU
TZNAME:GMT
TZOFFSETFROM:+0100
TZOFFSETTO:+0000
END:STANDARD
BEGIN:STANDARD
DTSTART:19961027T020000
RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU
TZNAME:GMT
TZOFFSETFROM:+0100
TZOFFSETTO:+0000
END:STANDARD",
        meant: "Europe/London",
        since: 1973,
    },
    Sample {
        program: "Thunderbird",
        id: "Europe/Berlin",
        zone: "TZID:Europe/Berlin
X-TZINFO:Europe/Berlin[2025b]
BEGIN:DAYLIGHT
TZOFFSETTO:+020000
TZOFFSETFROM:+010000
TZNAME:Europe/Berlin(DST)
DTSTART:19700329T020000
RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU
END:DAYLIGHT
BEGIN:STANDARD
TZOFFSETTO:+010000
TZOFFSETFROM:+020000
TZNAME:Europe/Berlin(STD)
DTSTART:19701025T030000
RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU
END:STANDARD",
        meant: "Europe/Berlin",
        since: 1997,
    },
    Sample {
        program: "Evolution",
        id: "/freeassociation.sourceforge.net/Europe/Paris",
        zone: "TZID:/freeassociation.sourceforge.net/Europe/Paris
X-LIC-LOCATION:Europe/Paris
BEGIN:STANDARD
TZNAME:CET
DTSTART:19961027T030000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10
END:STANDARD
BEGIN:DAYLIGHT
TZNAME:CEST
DTSTART:19810329T020000
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3
END:DAYLIGHT",
        meant: "Europe/Paris",
        since: 1997,
    },
    Sample {
        program: "Notes",
        id: "Eastern",
        zone: "TZID:Eastern
BEGIN:STANDARD
DTSTART:19501105T020000
TZOFFSETFROM:-0400
TZOFFSETTO:-0500
RRULE:FREQ=YEARLY;BYMINUTE=0;BYHOUR=2;BYDAY=1SU;BYMONTH=11
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:19500312T020000
TZOFFSETFROM:-0500
TZOFFSETTO:-0400
RRULE:FREQ=YEARLY;BYMINUTE=0;BYHOUR=2;BYDAY=2SU;BYMONTH=3
END:DAYLIGHT",
        meant: "America/Toronto",
        since: 2007,
    },
    Sample {
        program: "Zimbra",
        id: "\"(GMT+01.00) Amsterdam, Berlin, Bern\"",
        zone: "TZID:(GMT+01.00) Amsterdam\\, Berlin\\, Bern
BEGIN:STANDARD
DTSTART:16010101T030000
TZOFFSETTO:+0100
TZOFFSETFROM:+0200
RRULE:FREQ=YEARLY;WKST=MO;INTERVAL=1;BYMONTH=10;BYDAY=-1SU
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:16010101T020000
TZOFFSETTO:+0200
TZOFFSETFROM:+0100
RRULE:FREQ=YEARLY;WKST=MO;INTERVAL=1;BYMONTH=3;BYDAY=-1SU
END:DAYLIGHT",
        meant: "Europe/Amsterdam",
        since: 1997,
    },
    Sample {
        program: "one that knows the changes of two years",
        id: "Australia/Lord_Howe",
        zone: "TZID:Australia/Lord_Howe
BEGIN:STANDARD
DTSTART:20240407T020000
RDATE:20250406T020000
TZOFFSETTO:+1030
TZOFFSETFROM:+1100
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:20231001T020000
RDATE:20241006T020000
TZOFFSETTO:+1100
TZOFFSETFROM:+1030
END:DAYLIGHT",
        meant: "Australia/Lord_Howe",
        since: 2009,
    },
    Sample {
        program: "one that names a place and no rules",
        id: "Office",
        zone: "TZID:Office\nX-LIC-LOCATION:Asia/Kathmandu",
        meant: "Asia/Kathmandu",
        since: 1987,
    },
];

fn at(year: i16, month: i8, day: i8) -> Timestamp {
    let midnight = jiff::civil::date(year, month, day).at(0, 0, 0, 0);
    TimeZone::UTC.to_timestamp(midnight).unwrap()
}

#[test]
fn zones_of_programs_are_the_ones_they_mean() {
    for sample in SAMPLES {
        let text = format!(
            "BEGIN:VCALENDAR\nBEGIN:VTIMEZONE\n{}\nEND:VTIMEZONE\nBEGIN:VEVENT\nUID:1\n\
             DTSTART;TZID={}:20270104T100000\nEND:VEVENT\nEND:VCALENDAR\n",
            sample.zone, sample.id
        );
        let calendar = Calendar::parse(text.as_bytes(), &Limits::default()).unwrap();
        let event = calendar.main_components().next().unwrap();
        let id = event.get("DTSTART").unwrap().param("TZID").unwrap();
        let zone = Zones::of(&calendar, TimeZone::UTC).get(id).unwrap();
        let meant = TimeZone::get(sample.meant).unwrap();
        let mut time = at(sample.since, 1, 1);
        while time < at(2045, 1, 1) {
            assert_eq!(
                zone.to_offset(time),
                meant.to_offset(time),
                "{} at {time}",
                sample.program
            );
            time += jiff::SignedDuration::from_mins(7 * 60 + 13);
        }
    }
}

#[test]
fn gaps_and_folds_are_where_they_are() {
    for (name, wall, offset) in [
        // in a gap by the offset before it, in a fold the first one (RFC 5545 §3.3.5)
        ("Europe/Berlin", "2027-03-28T02:30:00", 1.0),
        ("Europe/Berlin", "2027-10-31T02:30:00", 2.0),
        ("Europe/Dublin", "2027-03-28T01:30:00", 0.0),
        ("Europe/Dublin", "2027-10-31T01:30:00", 1.0),
        ("Australia/Lord_Howe", "2027-10-03T02:15:00", 10.5),
        ("Australia/Lord_Howe", "2027-04-04T01:45:00", 11.0),
        ("Africa/Cairo", "2027-04-30T00:30:00", 2.0),
        ("America/Santiago", "2027-09-05T00:30:00", -4.0),
        ("Pacific/Apia", "2011-12-30T12:00:00", -10.0),
        ("Asia/Kathmandu", "2027-06-01T12:00:00", 5.75),
    ] {
        let known = by_name(name).unwrap();
        let component = vtimezone("X", &known, at(2011, 12, 1), at(2028, 1, 1));
        let mut calendar = Calendar::new();
        calendar.root_mut().components.push(component);
        let zone = Zones::of(&calendar, TimeZone::UTC).get("X").unwrap();
        let wall: jiff::civil::DateTime = wall.parse().unwrap();
        for zone in [known, zone] {
            let instant = zone.to_timestamp(wall).unwrap();
            let on_the_wall = TimeZone::UTC.to_timestamp(wall).unwrap();
            let hours = on_the_wall.duration_since(instant).as_secs_f64() / 3600.0;
            assert!((hours - offset).abs() < 0.001, "{name} {wall}: {hours}");
        }
    }
}
