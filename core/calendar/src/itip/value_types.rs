//! Optional properties whose value is not of their type (RFC 5545 §3.8), and times that name a zone beside the clock that
//! they are on: written as they are read, or left out where nobody can read them.

use super::revision::basic;
use crate::instance::zone;
use crate::stamp::basic_date_time;
use crate::time::{instant, values};
use crate::tree::{Component, Property};
use crate::zone::Zones;
use jiff::tz::TimeZone;

const EVENT_STATUS: &[&str] = &["TENTATIVE", "CONFIRMED", "CANCELLED"];
const TODO_STATUS: &[&str] = &["NEEDS-ACTION", "COMPLETED", "IN-PROCESS", "CANCELLED"];

/// Writes the optional properties of a component as their types have it.
pub(super) fn mend_types(component: &mut Component, zones: &Zones) {
    let statuses = if component.is("VTODO") {
        TODO_STATUS
    } else {
        EVENT_STATUS
    };
    component.properties.retain_mut(|line| {
        if line.is("ATTENDEE") {
            return true; // there may be many
        }
        let is = |name: &str| line.is(name);
        let value = line.value.trim();
        let written = if ["CREATED", "LAST-MODIFIED", "COMPLETED"]
            .into_iter()
            .any(is)
        {
            utc_time(line, zones)
        } else if is("PRIORITY") {
            number(value, 9)
        } else if is("PERCENT-COMPLETE") {
            number(value, 100)
        } else if is("STATUS") {
            word(value, statuses)
        } else if is("TRANSP") {
            word(value, &["OPAQUE", "TRANSPARENT"])
        } else if is("CLASS") {
            class(value)
        } else if is("GEO") {
            position(value)
        } else if is("URL") {
            is_uri(value).then(|| value.to_owned())
        } else if is("REFRESH-INTERVAL") {
            None // RFC 7986 §5.7: of a VCALENDAR
        } else {
            return true;
        };
        let Some(written) = written else {
            return false;
        };
        line.value = written;
        // Each has one type only.
        line.remove_param("VALUE");
        line.remove_param("TZID");
        true
    });
}

/// RFC 5545 §3.8.2.1, §3.8.7: in UTC. Without `Z` it is read as if it had one.
fn utc_time(line: &Property, zones: &Zones) -> Option<String> {
    let wall = basic_date_time(&line.value)?;
    let zone = zone(line, zones).unwrap_or(TimeZone::UTC);
    Some(basic(instant(wall, &zone)))
}

fn number(value: &str, most: u8) -> Option<String> {
    let number: u8 = value.parse().ok()?;
    (number <= most).then(|| number.to_string())
}

fn word(value: &str, words: &[&str]) -> Option<String> {
    let mut words = words.iter();
    let word = words.find(|word| word.eq_ignore_ascii_case(value));
    word.map(|word| (*word).to_owned())
}

/// RFC 5545 §3.8.1.3: a word that nobody knows means PRIVATE; so does what is no word.
fn class(value: &str) -> Option<String> {
    let is_word = value
        .bytes()
        .all(|it| it.is_ascii_alphanumeric() || it == b'-');
    let class = if is_word { value } else { "PRIVATE" };
    (!value.is_empty()).then(|| class.to_owned())
}

/// RFC 5545 §3.8.1.6: latitude and longitude, parted by a semicolon; some programs write a comma.
fn position(value: &str) -> Option<String> {
    let (latitude, longitude) = value.split_once([';', ','])?;
    let latitude = latitude.strip_suffix('\\').unwrap_or(latitude);
    let [latitude, longitude] = [(latitude, 90.0), (longitude, 180.0)].map(|(text, most)| {
        let text = text.trim();
        let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
        let (whole, part) = digits.split_once('.').unwrap_or((digits, "0"));
        let are_digits = |it: &str| !it.is_empty() && it.bytes().all(|it| it.is_ascii_digit());
        let is_there = |degrees: f64| degrees.abs() <= most;
        let is_fine = are_digits(whole) && are_digits(part) && text.parse().is_ok_and(is_there);
        is_fine.then_some(text)
    });
    Some(format!("{};{}", latitude?, longitude?))
}

/// RFC 3986 §3.1: a scheme, and something behind it without blanks.
fn is_uri(value: &str) -> bool {
    let Some((scheme, rest)) = value.split_once(':') else {
        return false;
    };
    let of_scheme = |it: u8| it.is_ascii_alphanumeric() || b"+-.".contains(&it);
    scheme.starts_with(|it: char| it.is_ascii_alphabetic())
        && scheme.bytes().all(of_scheme)
        && !rest.is_empty()
        && !rest.contains(|it: char| it.is_whitespace() || it.is_control())
}

/// RFC 5545 §3.2.19: neither a UTC time nor a whole day has a TZID. A list that has both kinds of times becomes two.
pub(super) fn mend_clocks(component: &mut Component, names: &[&str]) {
    let names_zone =
        |line: &Property| line.param("TZID").is_some() && names.iter().any(|name| line.is(name));
    let without_zone = |line: &Property| values(line).any(has_no_zone);
    let is_right = |line: &Property| !names_zone(line) || !without_zone(line);
    if component.properties.iter().all(is_right) {
        return;
    }
    let mut properties = Vec::with_capacity(component.properties.len() + 1);
    for mut line in std::mem::take(&mut component.properties) {
        if is_right(&line) {
            properties.push(line);
            continue;
        }
        let (bare, zoned): (Vec<&str>, Vec<&str>) = values(&line).partition(|it| has_no_zone(it));
        let mut other = line.clone();
        other.value = zoned.join(",");
        line.value = bare.join(",");
        line.remove_param("TZID");
        properties.push(line);
        if !other.value.is_empty() {
            properties.push(other);
        }
    }
    component.properties = properties;
}

fn has_no_zone(value: &str) -> bool {
    let start = value.split('/').next().unwrap_or_default().trim();
    start.ends_with(['Z', 'z']) || !start.contains(['T', 't'])
}
