//! Time zones of a calendar: its own VTIMEZONEs first, then names that are known everywhere.
//!
//! A VTIMEZONE is turned into the transitions it describes (its rules are followed from 1900 to 2150) and loaded as a
//! zone of the same kind as the IANA ones, so that look-ups cost the same. That is done when a time first needs it, and
//! its work is counted: a calendar of thousands of zones costs what it uses.
//!
//! Programs stray: a TZID in other case than its VTIMEZONE has it, one that matches nothing beside the only VTIMEZONE
//! there is, a VTIMEZONE without observances that names the zone in X-LIC-LOCATION, one that tells of the changes of a
//! few years only, as IANA knows them too. What is meant is clear, so it is taken. A TZID that nobody knows counts as the calendar user's own zone: a meeting at the wrong hour is found sooner
//! than one that is missing.

mod display;
mod memory;
mod observance;
mod windows;

use crate::{
    rule::{TooMuchWork, Work},
    tree::{Calendar, Component},
};
use jiff::tz::TimeZone;
use std::{cell::RefCell, collections::HashMap};

/// The zones that a calendar's TZIDs name.
///
/// ```
/// use convoke_calendar::{tree::Calendar, zone::Zones};
/// use jiff::tz::TimeZone;
///
/// let calendar = Calendar::new();
/// let zones = Zones::of(&calendar, TimeZone::UTC);
/// let berlin = zones.get("W. Europe Standard Time")?;
/// assert_eq!(berlin.iana_name(), Some("Europe/Berlin"));
/// # Ok::<(), convoke_calendar::zone::ZoneError>(())
/// ```
#[derive(Debug)]
pub struct Zones<'c> {
    embedded: HashMap<&'c str, &'c Component>,
    own: TimeZone,
    made: RefCell<Made>,
}

#[derive(Debug)]
struct Made {
    zones: HashMap<String, Option<TimeZone>>,
    work: Work,
}

/// Steps that the rules of all VTIMEZONEs of a calendar may take; a usual one takes 20,000.
const WORK: usize = 5_000_000;

/// A VTIMEZONE has more changes, or more offsets, than any zone on Earth.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("VTIMEZONE `{0}` describes more changes than a zone can have")]
pub struct ZoneError(String);

impl<'c> Zones<'c> {
    /// The zones of a calendar; dates and floating times are in `own`.
    pub fn of(calendar: &'c Calendar, own: TimeZone) -> Self {
        Self::of_all([calendar], own)
    }

    /// The zones of several calendars, of which the first that describes a TZID counts.
    pub(crate) fn of_all(calendars: impl IntoIterator<Item = &'c Calendar>, own: TimeZone) -> Self {
        let mut embedded = HashMap::new();
        for component in calendars.into_iter().flat_map(Calendar::zones) {
            let id = component.value("TZID").unwrap_or_default();
            embedded.entry(id.trim()).or_insert(component);
        }
        let made = Made {
            zones: HashMap::new(),
            work: Work::of(WORK),
        };
        Self {
            embedded,
            own,
            made: RefCell::new(made),
        }
    }

    /// The zone in which the calendar user's days begin.
    pub fn own(&self) -> TimeZone {
        self.own.clone()
    }

    /// The zone of a TZID; the calendar user's own for one that nobody knows.
    pub fn get(&self, id: &str) -> Result<TimeZone, ZoneError> {
        Ok(self.known(id)?.unwrap_or_else(|| self.own.clone()))
    }

    /// The zone of a TZID, if it is described or known by name.
    pub(crate) fn known(&self, id: &str) -> Result<Option<TimeZone>, ZoneError> {
        let mut made = self.made.borrow_mut();
        if let Some(zone) = made.zones.get(id) {
            return Ok(zone.clone());
        }
        let zone = self
            .find(id.trim(), &mut made.work)
            .map_err(|_| ZoneError(id.chars().take(80).collect()))?;
        made.zones.insert(id.to_owned(), zone.clone());
        Ok(zone)
    }

    fn find(&self, id: &str, work: &mut Work) -> Result<Option<TimeZone>, TooMuchWork> {
        let described = self.described(id);
        let place = described.and_then(|component| component.value("X-LIC-LOCATION"));
        let named = || by_name(id).or_else(|| by_name(place?));
        if let Some(component) = described {
            if observance::has_ended(component)
                && let Some(whole) = named()
                && observance::is_of(component, &whole)
            {
                return Ok(Some(whole));
            }
            if let Some(zone) = memory::zone(component, work)? {
                return Ok(Some(zone));
            }
        }
        if let Some(zone) = named() {
            return Ok(Some(zone));
        }
        let mut all = self.embedded.values();
        match (all.next(), all.next()) {
            (Some(only), None) => memory::zone(only, work),
            _ => Ok(None),
        }
    }

    fn described(&self, id: &str) -> Option<&'c Component> {
        let exact = self.embedded.get(id);
        exact.copied().or_else(|| {
            let mut all = self.embedded.iter();
            let in_other_case = all.find(|(known, _)| known.eq_ignore_ascii_case(id));
            in_other_case.map(|(_, component)| *component)
        })
    }
}

/// A zone by a name that is known everywhere: of IANA, perhaps behind a prefix such as
/// `/freeassociation.sourceforge.net/`, of Windows, or as menus of programs show it.
pub fn by_name(id: &str) -> Option<TimeZone> {
    let id = id.trim().trim_matches('"');
    if let Some(iana) = windows::iana(id) {
        return TimeZone::get(iana).ok();
    }
    // Names of IANA have three parts at most: America/Argentina/Ushuaia.
    let starts = id.rmatch_indices('/').map(|(slash, _)| slash + 1);
    let mut names: Vec<&str> = starts.take(3).map(|start| &id[start..]).collect();
    names.push(id);
    names.reverse();
    let known = names.iter().find_map(|name| TimeZone::get(name).ok());
    known.or_else(|| display::zone(id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Limits;

    /// A zone an hour and a half ahead, and one two hours behind.
    const AHEAD: &str = "TZOFFSETFROM:+0130\nTZOFFSETTO:+0130";
    const BEHIND: &str = "TZOFFSETFROM:-0200\nTZOFFSETTO:-0200";

    fn described(head: &str, offsets: &str) -> String {
        format!(
            "BEGIN:VTIMEZONE\n{head}BEGIN:STANDARD\nDTSTART:19700101T000000\n{offsets}\nEND:STANDARD\n\
             END:VTIMEZONE\n"
        )
    }

    #[test]
    fn what_a_straying_program_means_is_found() {
        let odd = described("TZID:Odd One\n", AHEAD);
        let two = odd.clone() + &described("TZID:Other\n", BEHIND);
        let empty = "BEGIN:VTIMEZONE\nTZID:Odd One\nX-LIC-LOCATION:Asia/Kolkata\nEND:VTIMEZONE\n";
        for (inside, id, expected) in [
            (odd.as_str(), "Odd One", Some(5400)),
            (&odd, "ODD one", Some(5400)),
            (&odd, "Something else", Some(5400)),
            (&described("", AHEAD), "Something", Some(5400)),
            (&odd, "Etc/GMT-3", Some(10_800)), // a name that is known means that
            (&two, "Something else", None),
            (&two, "other", Some(-7200)),
            (empty, "Odd One", Some(19_800)),
            ("", "Odd One", None),
        ] {
            let text = format!("BEGIN:VCALENDAR\n{inside}END:VCALENDAR\n");
            let calendar = Calendar::parse(text.as_bytes(), &Limits::default()).unwrap();
            let zones = Zones::of(&calendar, TimeZone::UTC);
            let zone = zones.known(id).unwrap();
            let offset = zone.map(|zone| zone.to_offset(jiff::Timestamp::UNIX_EPOCH).seconds());
            assert_eq!(offset, expected, "{id} in {inside}");
        }
    }

    #[test]
    fn changes_of_a_few_years_are_those_of_the_zone_that_is_named() {
        let observance = |kind: &str, start: &str, from: &str, to: &str| {
            format!(
                "BEGIN:{kind}\nDTSTART:{start}\nTZOFFSETFROM:{from}\nTZOFFSETTO:{to}\nEND:{kind}\n"
            )
        };
        let daylight = observance("DAYLIGHT", "20190331T020000", "+0100", "+0200");
        let standard = observance("STANDARD", "20181028T030000", "+0200", "+0100");
        let ahead = (daylight.clone() + &standard).replace("+0100", "+0130");
        let own_rule = standard.replace("END:", "RRULE:FREQ=YEARLY;BYMONTH=6;BYDAY=-1SU\nEND:");
        let winter: jiff::Timestamp = "2028-01-01T10:00:00Z".parse().unwrap();
        for (id, inside, expected) in [
            ("Europe/Berlin", daylight.clone() + &standard, 3600),
            ("Elsewhere", daylight.clone() + &standard, 7200), // its last word
            ("Asia/Kolkata", daylight.clone() + &standard, 7200), // it is not that of IANA
            ("Europe/Berlin", ahead, 7200),
            ("Europe/Berlin", daylight.clone(), 7200), // it knows no winter
            (
                "Europe/Lisbon",
                own_rule.clone() + &daylight, // it goes on by rules of its own
                3600,
            ),
        ] {
            let text = format!(
                "BEGIN:VCALENDAR\nBEGIN:VTIMEZONE\nTZID:{id}\n{inside}END:VTIMEZONE\nEND:VCALENDAR\n"
            );
            let calendar = Calendar::parse(text.as_bytes(), &Limits::default()).unwrap();
            let zone = Zones::of(&calendar, TimeZone::UTC).get(id).unwrap();
            assert_eq!(zone.to_offset(winter).seconds(), expected, "{text}");
        }
    }

    #[test]
    fn zones_are_known_by_many_names() {
        for (id, expected) in [
            ("Europe/Berlin", Some("Europe/Berlin")),
            (
                "/freeassociation.sourceforge.net/Europe/Berlin",
                Some("Europe/Berlin"),
            ),
            (
                "/citadel.org/20210210_1/America/New_York",
                Some("America/New_York"),
            ),
            ("W. Europe Standard Time", Some("Europe/Berlin")),
            ("Eastern Standard Time", Some("America/New_York")),
            ("Nowhere/At_All", None),
            ("", None),
        ] {
            let zone = by_name(id);
            assert_eq!(
                zone.as_ref().and_then(TimeZone::iana_name),
                expected,
                "{id}"
            );
        }
    }
}
