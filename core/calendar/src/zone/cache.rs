//! A cache of recently built time zones, by the text of their VTIMEZONE.
//!
//! The calendars of a program carry the same few zones again and again, and to make one takes a hundred times as long
//! as to find it. What is remembered changes no answer: the work counts as if it had been done.

use super::observance;
use crate::{
    tree::Component,
    work::{TooMuchWork, Work},
};
use jiff::tz::TimeZone;
use std::{
    collections::HashMap,
    sync::{LazyLock, Mutex, PoisonError},
};

/// Octets that what is remembered takes together, about; with more all is forgotten.
const MOST: usize = 16 << 20;
/// Of one zone. Those of calendar programs have 500 to 5,000 octets; what a stranger sends to many people at once is made
/// once, too.
const MOST_OF_ONE: usize = MOST / 4;
/// What a step may leave behind, in octets: nine of them lead to a change of twenty.
const OF_A_STEP: usize = 2;

#[derive(Default)]
struct Memory {
    known: HashMap<Vec<u8>, Known>,
    octets: usize,
}

struct Known {
    zone: Option<TimeZone>,
    work: usize,
}

static MEMORY: LazyLock<Mutex<Memory>> = LazyLock::new(Mutex::default);

/// The zone that a VTIMEZONE describes; `None` if it describes none.
pub(super) fn zone(
    component: &Component,
    work: &mut Work,
) -> Result<Option<TimeZone>, TooMuchWork> {
    let text = component.write();
    if let Some(known) = lock().known.get(&text) {
        work.spend(known.work)?;
        return Ok(known.zone.clone());
    }
    let before = work.left();
    let zone = observance::zone(component, work)?;
    let known = Known {
        zone: zone.clone(),
        work: before - work.left(),
    };
    lock().keep(text, known);
    Ok(zone)
}

impl Memory {
    fn keep(&mut self, text: Vec<u8>, known: Known) {
        let octets = text.len() + known.work * OF_A_STEP;
        if octets > MOST_OF_ONE {
            return;
        }
        if self.octets + octets > MOST {
            *self = Self::default();
        }
        if self.known.insert(text, known).is_none() {
            self.octets += octets;
        }
    }
}

fn lock() -> std::sync::MutexGuard<'static, Memory> {
    // At worst the octets are counted too high or too low by one zone when somebody panics.
    MEMORY.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Property;

    #[test]
    fn cached_zones_equal_newly_built_ones() {
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
