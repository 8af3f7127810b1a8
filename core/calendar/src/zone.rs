//! Time zones of a calendar: its own VTIMEZONEs first, then names that are known everywhere.
//!
//! A VTIMEZONE is turned into the transitions it describes (its rules are followed from 1900 to 2150) and loaded as a
//! zone of the same kind as the IANA ones, so that look-ups cost the same. That is done when a time first needs it, and
//! its work is counted: a calendar of thousands of zones costs what it uses.
//!
//! Programs deviate: a TZID in other case than its VTIMEZONE has it, one that matches nothing beside the only VTIMEZONE
//! there is, a VTIMEZONE without observances that names the zone in X-LIC-LOCATION, one that tells of the changes of a
//! few years only, as IANA knows them too. What is meant is clear, so it is taken. A TZID that nobody knows counts as the
//! calendar user's own zone: a meeting at the wrong hour is found sooner than one that is missing.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `tzid` | which VTIMEZONE a TZID means |
//! | `observance`, `cache` | a VTIMEZONE as a zone; those made lately |
//! | `windows_names`, `display_names` | names of Windows, names in menus |
//! | `vtimezone`, `yearly` | a zone as a VTIMEZONE |
//! | `instant` | times as they are written, as instants |
//! | `span`, `equivalence` | the times in a zone; whether they are the same in another |
//! | `table` | zones of several calendars side by side |
//! | `self_contained` | what a message needs, so that others read the same times |

mod cache;
mod display_names;
mod equivalence;
mod instant;
mod observance;
mod self_contained;
mod span;
mod table;
mod tzid;
mod vtimezone;
mod windows_names;
mod yearly;

pub use table::ZoneTable;
pub(crate) use table::{Given, named, pins, rename};
pub use vtimezone::vtimezone;
pub(crate) use {
    self_contained::{complete, self_contained},
    span::used,
    tzid::{Descriptions, key, name_of},
};

use crate::{
    tree::{Calendar, Component},
    work::{TooMuchWork, Work},
};
use jiff::tz::TimeZone;
use std::{
    cell::{OnceCell, RefCell},
    collections::{BTreeSet, HashMap},
};

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
    calendars: Vec<&'c Calendar>,
    descriptions: Descriptions<'c, &'c Component>,
    /// Whether there is only one VTIMEZONE, and no time names it.
    is_nameless: OnceCell<bool>,
    /// Names that zones got, where those of several calendars had to be told apart.
    given: Option<Vec<Given>>,
    own: TimeZone,
    made: RefCell<Made>,
}

#[derive(Debug)]
struct Made {
    /// Of each TZID its zone, and the place of the VTIMEZONE that describes it.
    zones: HashMap<String, Option<(TimeZone, Option<usize>)>>,
    work: Work,
}

/// What a TZID means.
#[derive(Clone, Debug)]
pub(crate) enum Meaning<'c> {
    /// What a VTIMEZONE says.
    Described(&'c Component, TimeZone),
    /// What everybody knows by this name.
    Named(TimeZone),
    /// Nobody knows it.
    Unknown,
}

/// Steps that the rules of all VTIMEZONEs of a calendar may take; a usual one takes 20,000.
const WORK: usize = 2_000_000;

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
        let calendars: Vec<_> = calendars.into_iter().collect();
        let described = calendars.iter().flat_map(|calendar| calendar.zones());
        let described = described.map(|zone| (name_of(zone), zone));
        let made = Made {
            zones: HashMap::new(),
            work: Work::of(WORK),
        };
        Self {
            descriptions: Descriptions::of(described),
            calendars,
            is_nameless: OnceCell::new(),
            given: None,
            own,
            made: RefCell::new(made),
        }
    }

    /// The same of calendars in which some zones got other names.
    pub(crate) fn with_given(mut self, given: Vec<Given>) -> Self {
        self.given = Some(given);
        self
    }

    /// Whether they are of calendars that describe different ones.
    pub(crate) const fn are_of_several(&self) -> bool {
        self.given.is_some()
    }

    /// The names that zones got.
    pub(crate) fn given(&self) -> &[Given] {
        self.given.as_deref().unwrap_or_default()
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
        Ok(match self.meaning(id)? {
            Meaning::Described(_, zone) | Meaning::Named(zone) => Some(zone),
            Meaning::Unknown => None,
        })
    }

    /// What a TZID means.
    pub(crate) fn meaning(&self, id: &str) -> Result<Meaning<'c>, ZoneError> {
        Ok(match self.find(id)? {
            Some((zone, Some(place))) => Meaning::Described(self.descriptions.at(place), zone),
            Some((zone, None)) => Meaning::Named(zone),
            None => Meaning::Unknown,
        })
    }

    /// The VTIMEZONE that stands for a TZID, whether it says enough or not.
    pub(crate) fn description(&self, id: &str) -> Option<&'c Component> {
        self.descriptions
            .get(id)
            .or_else(|| match self.meaning(id) {
                Ok(Meaning::Described(component, _)) => Some(component),
                _ => None,
            })
    }

    fn find(&self, id: &str) -> Result<Option<(TimeZone, Option<usize>)>, ZoneError> {
        let mut made = self.made.borrow_mut();
        if let Some(known) = made.zones.get(id) {
            return Ok(known.clone());
        }
        let found = self
            .make(id.trim(), &mut made.work)
            .map_err(|_| ZoneError(id.chars().take(80).collect()))?;
        made.zones.insert(id.to_owned(), found.clone());
        Ok(found)
    }

    fn make(
        &self,
        id: &str,
        work: &mut Work,
    ) -> Result<Option<(TimeZone, Option<usize>)>, TooMuchWork> {
        let place = self.descriptions.place(id);
        let described = place.map(|place| self.descriptions.at(place));
        let location = described.and_then(|component| component.value("X-LIC-LOCATION"));
        let named = || by_name(id).or_else(|| by_name(location?));
        if let Some(component) = described {
            if observance::has_ended(component)
                && let Some(whole) = named()
                && observance::is_of(component, &whole)
            {
                return Ok(Some((whole, None)));
            }
            if let Some(zone) = cache::zone(component, work)? {
                return Ok(Some((zone, place)));
            }
        }
        if let Some(zone) = named() {
            return Ok(Some((zone, None)));
        }
        let only = self.descriptions.only().filter(|_| self.is_nameless());
        let zone = only.map(|only| cache::zone(only, work)).transpose()?;
        Ok(zone.flatten().map(|zone| (zone, Some(0))))
    }

    /// Whether no time names the only VTIMEZONE: then it is that of a TZID that matches nothing.
    fn is_nameless(&self) -> bool {
        *self.is_nameless.get_or_init(|| {
            let components = self.calendars.iter();
            let components = components.flat_map(|calendar| &calendar.root().components);
            let used = used(components);
            used.keys().all(|id| self.descriptions.get(id).is_none())
        })
    }
}

/// The TZIDs of a calendar that are neither described in it nor known by name: their times are read in the zone of whose
/// calendar it is.
///
/// ```
/// use convoke_calendar::{tree::{Calendar, Limits}, zone::unknown_names};
///
/// let octets = b"BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nDTSTART;TZID=Head office:20270104T100000\n\
///     DTEND;TZID=Europe/Berlin:20270104T110000\nEND:VEVENT\nEND:VCALENDAR\n";
/// let calendar = Calendar::parse(octets, &Limits::default())?;
/// assert!(unknown_names(&calendar).iter().eq(["Head office"]));
/// # Ok::<(), convoke_calendar::tree::ParseError>(())
/// ```
pub fn unknown_names(calendar: &Calendar) -> BTreeSet<String> {
    let zones = Zones::of(calendar, TimeZone::UTC);
    let used = used(&calendar.root().components);
    let unknown = used
        .keys()
        .filter(|id| matches!(zones.meaning(id), Ok(Meaning::Unknown)));
    unknown.map(|id| id.trim().to_owned()).collect()
}

/// A zone by a name that is known everywhere: of IANA, perhaps behind a prefix such as
/// `/freeassociation.sourceforge.net/`, of Windows, or as menus of programs show it.
pub fn by_name(id: &str) -> Option<TimeZone> {
    let id = id.trim().trim_matches('"');
    if let Some(iana) = windows_names::iana(id) {
        return TimeZone::get(iana).ok();
    }
    // Names of IANA have three parts at most: America/Argentina/Ushuaia. Where places are listed, all of it is the name.
    let starts = id.rmatch_indices('/').map(|(slash, _)| slash + 1);
    let parts = if id.contains(',') { 0 } else { 3 };
    let mut names: Vec<&str> = starts.take(parts).map(|start| &id[start..]).collect();
    names.push(id);
    names.reverse();
    let known = names.iter().find_map(|name| TimeZone::get(name).ok());
    known.or_else(|| display_names::zone(id))
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
    fn ambiguous_tzids_are_resolved() {
        let odd = described("TZID:Odd One\n", AHEAD);
        let two = odd.clone() + &described("TZID:Other\n", BEHIND);
        let empty = "BEGIN:VTIMEZONE\nTZID:Odd One\nX-LIC-LOCATION:Asia/Kolkata\nEND:VTIMEZONE\n";
        for (inside, id, expected) in [
            (odd.as_str(), "Odd One", Some(5400)),
            (&odd, "ODD one", Some(5400)),
            (&odd, "Something else", Some(5400)),
            (
                "BEGIN:VEVENT\nDTSTART;TZID=Odd One:20270104T100000\nEND:VEVENT\n",
                "Odd One",
                None,
            ),
            (
                &(odd.clone() + "BEGIN:VEVENT\nDTSTART;TZID=Odd One:20270104T100000\nEND:VEVENT\n"),
                "Something else",
                None,
            ),
            (
                &(odd.clone() + "BEGIN:VEVENT\nDTSTART;TZID=Other:20270104T100000\nEND:VEVENT\n"),
                "Other",
                Some(5400),
            ),
            (
                &described("TZID:Office\\, north\n", AHEAD),
                "Office, north",
                Some(5400),
            ),
            (
                &(described("TZID:Office\\; north\n", AHEAD) + &described("TZID:B\n", BEHIND)),
                " office; north",
                Some(5400),
            ),
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
            ("w. europe standard time", Some("Europe/Berlin")),
            ("Office, north", None),
            ("Office, Asia/Tokyo", None),
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
