//! Zones made lately, by the text of their VTIMEZONE.
//!
//! The calendars of a program carry the same few zones again and again, and to make one takes a hundred times as long
//! as to find it. What is remembered changes no answer: the work counts as if it had been done.

use super::observance;
use crate::{
    rule::{TooMuchWork, Work},
    tree::Component,
};
use jiff::tz::TimeZone;
use std::{
    collections::HashMap,
    sync::{LazyLock, Mutex, PoisonError},
};

/// Zones remembered at once; there are not many more on Earth. With more all are forgotten.
const MOST: usize = 512;
/// Octets of a VTIMEZONE worth remembering; those of calendar programs have 500 to 5,000.
const LONGEST: usize = 16 << 10;
/// Steps that a zone worth remembering takes: a step may add a change of 10 octets.
const MOST_WORK: usize = 200_000;

struct Known {
    zone: Option<TimeZone>,
    work: usize,
}

static KNOWN: LazyLock<Mutex<HashMap<Vec<u8>, Known>>> = LazyLock::new(Mutex::default);

/// The zone that a VTIMEZONE describes; `None` if it describes none.
pub(super) fn zone(
    component: &Component,
    work: &mut Work,
) -> Result<Option<TimeZone>, TooMuchWork> {
    let text = component.write();
    if let Some(known) = lock().get(&text) {
        work.spend(known.work)?;
        return Ok(known.zone.clone());
    }
    let before = work.left();
    let zone = observance::zone(component, work)?;
    let known = Known {
        zone: zone.clone(),
        work: before - work.left(),
    };
    if text.len() <= LONGEST && known.work <= MOST_WORK {
        let mut all = lock();
        if all.len() >= MOST {
            all.clear();
        }
        all.insert(text, known);
    }
    Ok(zone)
}

fn lock() -> std::sync::MutexGuard<'static, HashMap<Vec<u8>, Known>> {
    // Nothing is half done when somebody panics: an entry is there or not.
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Property;

    #[test]
    fn what_is_remembered_costs_and_says_the_same() {
        let rule = Property::new("RRULE", "FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU");
        let mut daylight = Component::new("DAYLIGHT");
        daylight.push(Property::new("DTSTART", "19810329T020000"));
        daylight.push(Property::new("TZOFFSETFROM", "+0107"));
        daylight.push(Property::new("TZOFFSETTO", "+0207"));
        daylight.push(rule);
        let mut component = Component::new("VTIMEZONE");
        component.components.push(daylight);
        let read = |component: &Component, budget| {
            let mut work = Work::of(budget);
            zone(component, &mut work).map(|zone| (zone, work.left()))
        };
        let first = read(&component, 100_000).unwrap();
        assert_eq!(read(&component, 100_000).unwrap(), first);
        assert_eq!(read(&component, 100), Err(TooMuchWork));
        component.components[0].set(Property::new("TZOFFSETTO", "+0307"));
        assert_ne!(read(&component, 100_000).unwrap().0, first.0);
    }
}
