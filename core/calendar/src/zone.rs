//! Time zones of a calendar: its own VTIMEZONEs first, then names that are known everywhere.
//!
//! A VTIMEZONE is turned into the transitions it describes (its rules are expanded to 2100) and loaded as a zone of the
//! same kind as the IANA ones, so that look-ups cost the same. A TZID that nobody knows counts as the calendar user's
//! own zone: a meeting at the wrong hour is found sooner than one that is missing.

mod observance;
mod windows;

use crate::tree::Calendar;
use jiff::tz::TimeZone;
use std::collections::HashMap;

/// The zones that a calendar's TZIDs name.
#[derive(Clone, Debug)]
pub struct Zones {
    embedded: HashMap<String, TimeZone>,
    own: TimeZone,
}

impl Zones {
    /// The zones of a calendar; dates and floating times are in `own`.
    pub fn of(calendar: &Calendar, own: TimeZone) -> Self {
        let mut embedded = HashMap::new();
        for component in calendar.zones() {
            let Some(id) = component.value("TZID") else {
                continue;
            };
            if let Some(zone) = observance::zone(component) {
                embedded.insert(id.to_owned(), zone);
            }
        }
        Self { embedded, own }
    }

    /// The zone in which the calendar user's days begin.
    pub fn own(&self) -> TimeZone {
        self.own.clone()
    }

    /// The zone of a TZID.
    pub fn get(&self, id: &str) -> TimeZone {
        match self.embedded.get(id) {
            Some(zone) => zone.clone(),
            None => by_name(id).unwrap_or_else(|| self.own.clone()),
        }
    }
}

/// A zone by a name that is known everywhere: of IANA, perhaps behind a prefix such as
/// `/freeassociation.sourceforge.net/`, or of Windows.
pub fn by_name(id: &str) -> Option<TimeZone> {
    let id = id.trim().trim_matches('"');
    if let Some(iana) = windows::iana(id) {
        return TimeZone::get(iana).ok();
    }
    let mut name = id.trim_start_matches('/');
    loop {
        if let Ok(zone) = TimeZone::get(name) {
            return Some(zone);
        }
        name = name.split_once('/')?.1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
