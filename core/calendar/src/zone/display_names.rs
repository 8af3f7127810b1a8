//! Display names of time zones: `(UTC+01:00) Amsterdam, Berlin, Bern`, `GMT-0500`, `Eastern Time (US & Canada)`.
//!
//! Outlook and Exchange write these as TZIDs, now and then without a VTIMEZONE. Places and names are looked up first, as
//! they know of summer time; where they say nothing, the offset alone counts. Without an offset a list means a zone only
//! if all of it says so.

use super::windows_names;
use jiff::tz::{Offset, TimeZone};
use std::{collections::HashMap, sync::LazyLock};

/// Names in menus are shorter, and name no more places.
const LONGEST: usize = 200;
const MOST_PLACES: usize = 10;

/// The zone that such a name means.
pub(super) fn zone(name: &str) -> Option<TimeZone> {
    if name.len() > LONGEST {
        return None;
    }
    let (offset, rest) = match split_offset(name) {
        Some((offset, rest)) => (Some(offset), rest),
        None => (None, name),
    };
    let places = || {
        let places = rest.split([',', ';', ':', '/']).map(str::trim);
        places.filter(|place| !place.is_empty()).take(MOST_PLACES)
    };
    of_windows(rest)
        .or_else(|| match offset {
            Some(told) => places().find_map(|place| of_place(place, told)),
            None => of_cities(places()),
        })
        .or_else(|| offset.map(TimeZone::fixed))
}

/// `Amsterdam, Berlin, Bern, Rome`: cities, and of one time. `Office, north` is a name of somebody's own, though Australia
/// has a North.
fn of_cities<'n>(places: impl Iterator<Item = &'n str>) -> Option<TimeZone> {
    let places: Vec<_> = places.collect();
    let known = places.iter().filter_map(|place| city(place));
    let known: Vec<TimeZone> = known.collect();
    let are_most = known.len() >= 2 && known.len() * 2 > places.len();
    let first = known.first()?;
    let told = standard(first)?;
    (are_most && known.iter().all(|zone| is_standard(zone, told))).then(|| first.clone())
}

/// The zone that is named after a city, not after a part of a country.
fn city(place: &str) -> Option<TimeZone> {
    const CONTINENTS: [&str; 8] = [
        "Africa/",
        "America/",
        "Antarctica/",
        "Asia/",
        "Atlantic/",
        "Europe/",
        "Indian/",
        "Pacific/",
    ];
    let names = names(place)?;
    let name = names.iter().find(|name| {
        let is_city = CONTINENTS.iter().any(|it| name.starts_with(it));
        is_city || (name.starts_with("Australia/") && !IN_AUSTRALIA.contains(&name.as_str()))
    });
    TimeZone::get(name?).ok()
}

/// Parts of Australia that have a zone, but no clock in a tower.
const IN_AUSTRALIA: [&str; 10] = [
    "Australia/ACT",
    "Australia/Canberra",
    "Australia/LHI",
    "Australia/NSW",
    "Australia/North",
    "Australia/Queensland",
    "Australia/South",
    "Australia/Tasmania",
    "Australia/Victoria",
    "Australia/West",
];

/// `Eastern Time (US & Canada)` is what Windows calls `Eastern Standard Time`.
fn of_windows(name: &str) -> Option<TimeZone> {
    let name = name.split('(').next().unwrap_or_default().trim();
    let name = name.strip_suffix(" Time").unwrap_or(name);
    TimeZone::get(windows_names::iana(&format!("{name} Standard Time"))?).ok()
}

/// The zone of IANA that is named after a place, if its offset without summer time is as told.
fn of_place(place: &str, told: Offset) -> Option<TimeZone> {
    let zones = names(place)?
        .iter()
        .filter_map(|name| TimeZone::get(name).ok());
    let mut fitting = zones.filter(|zone| is_standard(zone, told));
    fitting.next()
}

fn names(place: &str) -> Option<&'static Vec<String>> {
    PLACES.get(&place.to_ascii_lowercase().replace(' ', "_"))
}

/// Whether it is the lesser one of the zone's offsets, in winter and in summer.
fn is_standard(zone: &TimeZone, told: Offset) -> bool {
    standard(zone) == Some(told)
}

fn standard(zone: &TimeZone) -> Option<Offset> {
    const SEASONS: [i64; 2] = [1_704_067_200, 1_719_792_000]; // 2024-01-01, 2024-07-01
    let at = |second| jiff::Timestamp::from_second(second).ok();
    let offsets = SEASONS.into_iter().filter_map(at);
    offsets.map(|at| zone.to_offset(at)).min()
}

/// Last parts of the names of IANA, in small letters.
static PLACES: LazyLock<HashMap<String, Vec<String>>> = LazyLock::new(|| {
    let mut places: HashMap<String, Vec<String>> = HashMap::new();
    for name in jiff::tz::db().available() {
        if let Some((_, place)) = name.as_str().rsplit_once('/') {
            let place = places.entry(place.to_ascii_lowercase()).or_default();
            place.push(name.as_str().to_owned());
        }
    }
    places
});

/// `(UTC+01:00) …`, `GMT+0100`, `UTC-5`: the offset, and what follows.
fn split_offset(name: &str) -> Option<(Offset, &str)> {
    let text = name.strip_prefix('(').unwrap_or(name);
    let word = text.get(..3)?;
    if !["UTC", "GMT"]
        .iter()
        .any(|it| word.eq_ignore_ascii_case(it))
    {
        return None;
    }
    let text = &text[3..];
    let is_of_offset = |letter: char| letter.is_ascii_digit() || "+-:.".contains(letter);
    let end = text.find(|letter| !is_of_offset(letter));
    let (offset, rest) = text.split_at(end.unwrap_or(text.len()));
    if offset.is_empty() && !(rest.is_empty() || rest.starts_with(')')) {
        return None;
    }
    let rest = rest.trim_start_matches([')', ' ']);
    Some((read_offset(offset)?, rest))
}

fn read_offset(text: &str) -> Option<Offset> {
    if text.is_empty() {
        return Some(Offset::UTC);
    }
    let sign = match text.as_bytes()[0] {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let digits = text[1..].replace([':', '.'], "");
    let (hours, minutes) = digits.split_at(digits.len().min(if digits.len() == 3 { 1 } else { 2 }));
    let hours: i32 = hours.parse().ok().filter(|hours| *hours < 15)?;
    let minutes: i32 = if minutes.is_empty() {
        0
    } else {
        minutes.parse().ok().filter(|minutes| *minutes < 60)?
    };
    Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_menus_mean_zones() {
        for (name, expected) in [
            (
                "(UTC+01:00) Amsterdam, Berlin, Bern, Rome, Stockholm, Vienna",
                Some("Europe/Amsterdam"),
            ),
            (
                "(GMT+01.00) Sarajevo/Warsaw/Zagreb",
                Some("Europe/Sarajevo"),
            ),
            (
                "(UTC-05:00) Eastern Time (US & Canada)",
                Some("America/New_York"),
            ),
            (
                "(GMT) Greenwich Mean Time : Dublin, Edinburgh, Lisbon, London",
                Some("Europe/Dublin"),
            ),
            ("(UTC-10:00) Hawaii", Some("US/Hawaii")),
            ("(GMT+0530) Chennai, Kolkata, Mumbai", Some("Asia/Kolkata")),
            ("Pacific Time (US & Canada)", Some("America/Los_Angeles")),
            ("Amsterdam, Berlin, Bern, Rome", Some("Europe/Amsterdam")),
            ("Office, north", None),
            ("North, south, east, west", None),
            ("Berlin, office", None),
            ("Berlin, Tokyo", None),
            ("Office, Europe/Berlin", None),
            ("Europe/Berlin, office", None),
            ("Berlin at night", None),
            ("Customized Time Zone", None),
            ("UTCetera+01:00", None),
        ] {
            let found = zone(name);
            assert_eq!(
                found.as_ref().and_then(TimeZone::iana_name),
                expected,
                "{name}"
            );
        }
    }

    #[test]
    fn an_offset_alone_counts_where_nothing_else_is_known() {
        for (name, seconds) in [
            ("GMT+0100", Some(3600)),
            ("UTC-5", Some(-5 * 3600)),
            ("GMT+5:30", Some(19_800)),
            ("(UTC-03:30) Somewhere", Some(-12_600)),
            ("GMT+", None),
            ("GMT+99", None),
            ("GMT+0161", None),
        ] {
            let offset =
                zone(name).map(|zone| zone.to_offset(jiff::Timestamp::UNIX_EPOCH).seconds());
            assert_eq!(offset, seconds, "{name}");
        }
    }
}
