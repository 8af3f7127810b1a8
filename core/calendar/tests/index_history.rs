//! Answering from the indexes that a store keeps is answering from the objects, whatever has happened to them.

use convoke_calendar::{
    freebusy,
    index::index,
    itip::Owner,
    tree::{Calendar, Limits},
};
use convoke_types::{BusySpan, CalendarAddress, ObjectIndex, TimeRange, merge};
use jiff::{Timestamp, tz::TimeZone};
use proptest::{prelude::*, sample::select};
use std::collections::BTreeMap;

/// 2027-01-01
const BASE: i64 = 1_798_761_600;
const DAY: i64 = 86_400;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn days(from: i64, to: i64) -> TimeRange {
    TimeRange::new(at(BASE + from * DAY), at(BASE + to * DAY)).unwrap()
}

/// A start: on which clock, and written how.
fn start() -> impl Strategy<Value = (String, String)> {
    let clock = select(vec!["", "Z", "America/New_York", "Odd", "date"]);
    (clock, 0i64..900, 0i64..24).prop_map(|(clock, day, hour)| {
        let wall = at(BASE + day * DAY + hour * 3600);
        let time = wall.strftime("%Y%m%dT%H%M%S");
        let params = match clock {
            "date" => {
                return (
                    ";VALUE=DATE".to_owned(),
                    wall.strftime("%Y%m%d").to_string(),
                );
            }
            "" => String::new(),
            "Z" => return (String::new(), format!("{time}Z")),
            zone => format!(";TZID={zone}"),
        };
        (params, time.to_string())
    })
}

/// An object as some client writes it, perhaps with an instance that was moved or dropped.
fn object() -> impl Strategy<Value = String> {
    let rule = select(vec![
        "",
        "RRULE:FREQ=DAILY\n",
        "RRULE:FREQ=WEEKLY;BYDAY=MO,TH;COUNT=30\n",
        "RRULE:FREQ=MONTHLY;BYDAY=-1FR\n",
        "RRULE:FREQ=YEARLY;COUNT=4\n",
        "RRULE:FREQ=WEEKLY;UNTIL=20290101\n",
        "RDATE:20280301T100000Z,20260301T100000Z\n",
    ]);
    let length = select(vec!["", "DURATION:PT90M\n", "DURATION:P3D\n"]);
    let more = select(vec![
        "",
        "STATUS:TENTATIVE\n",
        "STATUS:CANCELLED\n",
        "TRANSP:TRANSPARENT\n",
        "ATTENDEE;PARTSTAT=DECLINED:mailto:b@example.com\n",
        "ATTENDEE;PARTSTAT=TENTATIVE:mailto:b@example.com\n",
    ]);
    let change = select(vec!["", "EXDATE", "moved", "from then on", "declined"]);
    (start(), rule, length, more, change, -20i64..20).prop_map(
        |((params, value), rule, length, more, change, hours)| {
            let zone = "BEGIN:VTIMEZONE\nTZID:Odd\nBEGIN:STANDARD\nDTSTART:19700101T000000\n\
                        TZOFFSETFROM:+0130\nTZOFFSETTO:+0130\nEND:STANDARD\nEND:VTIMEZONE\n";
            let series = format!("UID:1\nDTSTART{params}:{value}\n{length}{more}");
            let override_ = |range: &str, more: &str| {
                format!(
                    "BEGIN:VEVENT\nUID:1\nRECURRENCE-ID{range}{params}:{value}\n\
                     DTSTART:{}\nDURATION:PT30M\n{more}END:VEVENT\n",
                    at(BASE + hours * 37 * 3600).strftime("%Y%m%dT%H%M%SZ")
                )
            };
            let (line, part) = match change {
                "EXDATE" => (format!("EXDATE{params}:{value}\n"), String::new()),
                "moved" => (String::new(), override_("", "")),
                "from then on" => (String::new(), override_(";RANGE=THISANDFUTURE", "")),
                "declined" => (
                    String::new(),
                    override_("", "ATTENDEE;PARTSTAT=DECLINED:mailto:b@example.com\n"),
                ),
                _ => (String::new(), String::new()),
            };
            format!(
                "BEGIN:VCALENDAR\n{zone}BEGIN:VEVENT\n{series}{rule}{line}END:VEVENT\n{part}END:VCALENDAR\n"
            )
        },
    )
}

/// What a user does: puts an object under one of few names, or removes it.
fn history() -> impl Strategy<Value = Vec<(u8, Option<String>)>> {
    proptest::collection::vec((0u8..5, proptest::option::weighted(0.8, object())), 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn answers_from_the_indexes_are_those_from_the_objects(
        history in history(),
        questions in proptest::collection::vec((-400i64..1500, 1i64..60), 1..6),
    ) {
        let limits = Limits::default();
        let addresses = [CalendarAddress::new("mailto:b@example.com").unwrap()];
        let owner = Owner { addresses: &addresses, name: None, timezone: TimeZone::get("Europe/Berlin").unwrap() };
        let mut store: BTreeMap<u8, (Calendar, ObjectIndex)> = BTreeMap::new();
        // As time goes by, what is put later is indexed to a later day.
        for (day, (name, text)) in (0..).zip(history) {
            let Some(text) = text else {
                store.remove(&name);
                continue;
            };
            let calendar = Calendar::parse(text.as_bytes(), &limits).unwrap();
            let index = index(&calendar, Some(&owner), days(100 + day * 20, 700 + day * 20), &limits).unwrap();
            store.insert(name, (calendar, index));
        }
        for (from, length) in questions {
            let range = days(from, from + length);
            let mut from_objects: Vec<BusySpan> = Vec::new();
            let mut from_indexes: Vec<BusySpan> = Vec::new();
            for (calendar, index) in store.values() {
                let whole = freebusy::busy(calendar, Some(&owner), range, &limits).unwrap();
                from_indexes.extend(&index.spans);
                if index.is_open_in(range) {
                    from_indexes.extend(&whole);
                }
                from_objects.extend(whole);
            }
            prop_assert_eq!(merge(from_indexes, range), merge(from_objects, range));
        }
    }
}
