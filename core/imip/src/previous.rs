//! What somebody was told before, beside what they are told now: the same part of the meeting, for comparison.

use crate::meeting::main;
use convoke_calendar::message::Message;
use convoke_calendar::time::When;
use convoke_calendar::tree::{Calendar, Component, Property};

/// The part of `known` that the message is about, with the time zones of the message. `None` if it is not known.
pub(crate) fn counterpart(message: &Message, known: &Calendar) -> Option<Calendar> {
    let part = match main(message.calendar())?.get("RECURRENCE-ID") {
        Some(id) => instance(known, id)?,
        None => main(known)
            .filter(|it| it.get("RECURRENCE-ID").is_none())?
            .clone(),
    };
    let mut calendar = message.calendar().clone();
    let components = &mut calendar.root_mut().components;
    components.retain(|it| it.is("VTIMEZONE"));
    components.push(part);
    Some(calendar)
}

/// An instance as it was told by itself, else as the series says.
fn instance(known: &Calendar, id: &Property) -> Option<Component> {
    let is_same = |other: &Property| When::of(other).ok() == When::of(id).ok();
    let mut told = known.main_components();
    let told = told.find(|it| it.get("RECURRENCE-ID").is_some_and(is_same));
    told.cloned().or_else(|| implied(main(known)?, id))
}

/// An instance that follows from its series: at the time that names it, and as long as the first. `None` where that takes
/// more than the wall clock to say.
fn implied(series: &Component, id: &Property) -> Option<Component> {
    let first = series.get("DTSTART")?;
    let (begins, named) = (When::of(first).ok()?, When::of(id).ok()?);
    if series.get("RECURRENCE-ID").is_some() || begins.clock != named.clock {
        return None;
    }
    let later = begins.wall.until(named.wall).ok()?;
    let mut implied = series.clone();
    for name in ["RRULE", "RDATE"] {
        implied.remove(name);
    }
    for name in ["DTSTART", "DTEND", "DUE"] {
        let Some(line) = implied.get_mut(name) else {
            continue;
        };
        let when = When::of(line).ok()?;
        if when.clock != begins.clock {
            return None;
        }
        let wall = when.wall.checked_add(later).ok()?;
        let form = if when.is_date() {
            "%Y%m%d"
        } else {
            "%Y%m%dT%H%M%S"
        };
        let utc = if line.value.trim().ends_with(['Z', 'z']) {
            "Z"
        } else {
            ""
        };
        line.value = format!("{}{utc}", wall.strftime(form));
    }
    let mut id = id.clone();
    "RECURRENCE-ID".clone_into(&mut id.name);
    implied.set(id);
    Some(implied)
}
