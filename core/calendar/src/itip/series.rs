//! The instances of a series: whether an instance that a message names exists.

use super::instance::recurs;
use super::object::Object;
use crate::instance::{InstanceKey, is_time, zone};
use crate::recurrence::Series;
use crate::time::When;
use crate::tree::{Component, Property};
use crate::work::Work;

/// How many steps may be taken for one message; after that, what it names is taken for granted.
const STEPS: usize = 250_000;

/// The search for the instances that one message names.
#[derive(Debug)]
pub(super) struct Search<'o, 'c> {
    object: &'o Object<'c>,
    master: Option<&'o Component>,
    /// Its rules and dates; read once, as there may be many. `None` if they cannot be understood.
    series: Option<Series<'o>>,
    work: Work,
}

impl<'o, 'c> Search<'o, 'c> {
    /// Begins a search in what is stored.
    pub(super) fn of(object: &'o Object<'c>) -> Self {
        let master = object.master.as_ref().filter(|it| recurs(it));
        let series = master.and_then(|it| Series::all([it].into_iter(), &object.zones).ok());
        Self {
            object,
            master,
            series: series.and_then(|mut series| series.pop()),
            work: Work::of(STEPS),
        }
    }

    /// Whether the series has the instance `id`. Where that cannot be told (a rule or zone that is not understood, an
    /// instance too far ahead), it is taken to be there.
    pub(super) fn has(&mut self, id: &Property) -> bool {
        let Some(start) = self.master.map(|it| it.get("DTSTART")) else {
            return false;
        };
        let zones = &self.object.zones;
        let (Some(start), Some(series)) = (start, &self.series) else {
            return true;
        };
        let key = self.object.key(id);
        let on_other_walls = matches!(key, InstanceKey::Instant(_)) != zone(start, zones).is_some();
        if matches!(key, InstanceKey::Odd(_)) || (is_time(start) && on_other_walls) {
            return true;
        }
        let id = super::instance::in_form_of(id, Some(start), zones);
        let instant = When::of(&id).ok().and_then(|id| id.instant(zones).ok());
        instant.is_none_or(|id| series.has(id, &mut self.work).unwrap_or(true))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::{Calendar, Limits};
    use crate::zone::Zones;
    use jiff::tz::TimeZone;
    use std::rc::Rc;

    fn series(lines: &str) -> Object<'static> {
        let lines: Vec<&str> = lines.lines().map(str::trim).collect();
        let text = format!(
            "BEGIN:VCALENDAR\nBEGIN:VEVENT\n{}\nEND:VEVENT\nEND:VCALENDAR\n",
            lines.join("\n")
        );
        let calendar = Calendar::parse(text.as_bytes(), &Limits::default()).unwrap();
        let zones = Zones::of_all([], TimeZone::UTC);
        Object::of(&calendar, &Rc::new(zones)).unwrap()
    }

    #[test]
    fn an_instance_is_found_or_not() {
        let berlin = "DTSTART;TZID=Europe/Berlin:20270104T100000\nRRULE:FREQ=WEEKLY;COUNT=20
            EXDATE;TZID=Europe/Berlin:20270111T100000\nRDATE:20270106T090000Z";
        for (lines, id, there) in [
            (berlin, "20270104T090000Z", true),
            (berlin, "20270118T090000Z", true),
            (berlin, "20270118T100000Z", false),
            // summer time
            (berlin, "20270405T080000Z", true),
            (berlin, "20270405T090000Z", false),
            (berlin, "20270111T090000Z", false), // left out
            (berlin, "20270106T090000Z", true),  // added
            (berlin, "20280110T090000Z", false), // after the last
            (
                "DTSTART:20270104\nRRULE:FREQ=DAILY;UNTIL=20270106",
                "20270106",
                true,
            ),
            (
                "DTSTART:20270104\nRRULE:FREQ=DAILY;UNTIL=20270106",
                "20270107",
                false,
            ),
            ("DTSTART:20270104T100000Z", "20270105T100000Z", false),
            // not to be told: taken for granted
            (
                "DTSTART:20270104T100000Z\nRRULE:FREQ=ODDLY",
                "20270105T100000Z",
                true,
            ),
            (
                "DTSTART;TZID=Nowhere:20270104T100000\nRRULE:FREQ=DAILY",
                "20270105T100000Z",
                true,
            ),
            (
                "DTSTART:20270104T100000Z\nRRULE:FREQ=SECONDLY",
                "20770105T100000Z",
                true,
            ),
        ] {
            assert_eq!(
                Search::of(&series(lines)).has(&Property::new("RECURRENCE-ID", id)),
                there,
                "{id} of {lines}"
            );
        }
    }
}
