//! Octets to tree and back, beside what else reads iCalendar in Rust.

use crate::samples;
use convoke_calendar::tree::{Calendar, Limits};
use divan::{Bencher, black_box, counter::BytesCount};

/// What reads `text` in each round, with the number of its octets.
fn reading<T>(bencher: Bencher, read: impl Fn(&[u8]) -> T + Sync) {
    let text = samples::export(500);
    bencher
        .counter(BytesCount::of_slice(&text))
        .bench(|| read(black_box(&text)));
}

/// Ours: the whole tree.
#[divan::bench]
fn parse(bencher: Bencher) {
    reading(bencher, |text| {
        Calendar::parse(text, &Limits::default()).expect("the sample is a calendar")
    });
}

/// Content lines only: no tree, names in upper case, quotes forgotten.
#[divan::bench]
fn parse_caldata_lines(bencher: Bencher) {
    reading(bencher, |text| {
        let lines = caldata::ContentLineParser::from_slice(text);
        lines
            .collect::<Result<Vec<_>, _>>()
            .expect("the sample is a calendar")
    });
}

/// Typed components.
#[divan::bench]
fn parse_caldata(bencher: Bencher) {
    reading(bencher, |text| {
        let mut calendars = caldata::IcalParser::from_slice(text);
        calendars
            .next()
            .expect("there is one")
            .expect("the sample is a calendar")
    });
}

/// Typed entries.
#[divan::bench]
fn parse_calcard(bencher: Bencher) {
    reading(bencher, |text| {
        let text = std::str::from_utf8(text).expect("the sample is UTF-8");
        calcard::icalendar::ICalendar::parse(text)
            .unwrap_or_else(|_| panic!("the sample is a calendar"))
    });
}

/// Typed components.
#[divan::bench]
fn parse_ical(bencher: Bencher) {
    reading(bencher, |text| {
        let mut calendars = ical::IcalParser::new(text);
        calendars
            .next()
            .expect("there is one")
            .expect("the sample is a calendar")
    });
}

#[divan::bench]
fn write(bencher: Bencher) {
    let text = samples::export(500);
    let calendar = samples::parsed(&text);
    bencher
        .counter(BytesCount::of_slice(&text))
        .bench(|| black_box(&calendar).write());
}
