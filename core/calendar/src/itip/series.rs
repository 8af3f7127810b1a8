//! Which instances a series has, on the clock on its own wall.
//!
//! That is all that iTIP asks: an instance is named in the zone of its series, so no instants are needed.

use super::instance::in_form_of;
use crate::message::basic_date_time;
use crate::rule::{Occurrences, Rule, TooMuchWork, Work};
use crate::time::{Clock, When};
use crate::tree::{Component, Property};
use crate::wall;
use jiff::civil;

/// How many steps may be taken for one message; after that, what it names is taken for granted.
#[derive(Debug)]
pub(super) struct Search {
    work: Work,
}

impl Search {
    pub(super) const fn for_one_message() -> Self {
        Self {
            work: Work::of(100_000),
        }
    }
}

/// Whether a series has the instance `id`. Where that cannot be told (a rule or zone that is not understood, an
/// instance too far ahead), it is taken to be there.
pub(super) fn has(master: &Component, id: &Property, search: &mut Search) -> bool {
    let Some(start) = master.get("DTSTART") else {
        return true;
    };
    let id = in_form_of(id, Some(start));
    let (Some(wall), true) = (basic_date_time(&id.value), same_form(&id, start)) else {
        return true;
    };
    if dates(master, "EXDATE", start).any(|date| date == Some(wall)) {
        return false;
    }
    let added = dates(master, "RDATE", start).any(|date| date.is_none_or(|date| date == wall));
    if added || basic_date_time(&start.value) == Some(wall) {
        return true;
    }
    let Some(rule) = master.value("RRULE") else {
        return false;
    };
    let Ok(rule) = Rule::parse(rule) else {
        return true;
    };
    gives(&rule, start, wall, &mut search.work).unwrap_or(true)
}

/// Whether a rule gives a time on the wall of its series.
fn gives(
    rule: &Rule,
    start: &Property,
    wall: civil::DateTime,
    work: &mut Work,
) -> Result<bool, TooMuchWork> {
    let Some(first) = basic_date_time(&start.value).map(wall::seconds) else {
        return Ok(true);
    };
    let until = rule.until().map(|until| wall_until(until, start));
    let wall = wall::seconds(wall);
    let mut occurrences = Occurrences::new(rule, first, until, wall);
    if Occurrences::new(rule, first, until, first).next(first, work)? != Some(first) {
        occurrences = occurrences.counting_start();
    }
    while let Some(time) = occurrences.next(wall, work)? {
        if time == wall {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The dates of RDATE or EXDATE on the wall of the series; `None` for one that is written otherwise.
fn dates<'c>(
    master: &'c Component,
    name: &'c str,
    start: &'c Property,
) -> impl Iterator<Item = Option<civil::DateTime>> {
    master.all(name).flat_map(move |line| {
        line.value.split(',').map(move |value| {
            let mut date = Property::new(name, value.split('/').next().unwrap_or_default());
            date.params.clone_from(&line.params);
            date.remove_param("VALUE");
            let date = in_form_of(&date, Some(start));
            same_form(&date, start)
                .then(|| basic_date_time(&date.value))
                .flatten()
        })
    })
}

/// Whether two dates are on one wall.
fn same_form(one: &Property, other: &Property) -> bool {
    let form = |line: &Property| {
        let is_time = line.value.contains(['T', 't']);
        let is_utc = line.value.ends_with(['Z', 'z']);
        (
            is_time,
            is_utc,
            line.param("TZID").filter(|_| !is_utc).map(str::to_owned),
        )
    };
    form(one) == form(other)
}

/// UNTIL on the wall of the series: the last second that counts.
fn wall_until(until: &When, start: &Property) -> i64 {
    let is_timed = start.value.contains(['T', 't']);
    let wall = match until.clock {
        // A date lasts until its end; a floating time is of the same wall.
        Clock::Date if is_timed => until.wall.date().at(23, 59, 59, 0),
        Clock::Utc if is_timed => {
            let written = until.wall.strftime("%Y%m%dT%H%M%SZ").to_string();
            let moved = in_form_of(&Property::new("UNTIL", written), Some(start));
            basic_date_time(&moved.value).unwrap_or(until.wall)
        }
        _ => until.wall,
    };
    wall::seconds(wall)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(lines: &str) -> Component {
        let mut master = Component::new("VEVENT");
        for line in lines.lines() {
            let (head, value) = line.trim().split_once(':').unwrap();
            let mut params = head.split(';');
            let mut property = Property::new(params.next().unwrap(), value);
            for param in params {
                let (name, value) = param.split_once('=').unwrap();
                property.set_param(name, value);
            }
            master.push(property);
        }
        master
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
                has(
                    &series(lines),
                    &Property::new("RECURRENCE-ID", id),
                    &mut Search::for_one_message()
                ),
                there,
                "{id} of {lines}"
            );
        }
    }
}
