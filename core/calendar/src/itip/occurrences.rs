//! The occurrences of an invitation, each as one calendar user is invited to it: what a room is asked for, one by one.

use super::object::{Object, weight};
use super::participants::{Owner, PartStat};
use super::request::is_cancelled;
use crate::message::{Message, Method};
use crate::recurrence::{RecurrenceError, Series};
use crate::tree::Calendar;
use crate::work::Work;
use crate::zone::Zones;
use convoke_types::TimeRange;
use jiff::Timestamp;
use std::rc::Rc;

/// Steps that a search for occurrences may take (see [`Work`]): a series of every hour over two years fits.
const STEPS: usize = 500_000;

/// One occurrence that somebody is invited to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Occurrence {
    /// Which one of its series it is: when it would begin if nothing had moved it.
    pub id: Timestamp,
    /// When it begins.
    pub start: Timestamp,
    /// When it ends; the same as `start` if it takes no time.
    pub end: Timestamp,
    /// What the calendar user has answered.
    pub answer: PartStat,
    /// Whether it has a component of its own (RECURRENCE-ID), which is answered by itself.
    pub is_apart: bool,
}

/// The occurrences of an invitation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Occurrences {
    /// Each that takes place and that the calendar user is invited to, sorted by start.
    pub each: Vec<Occurrence>,
    /// Whether it goes on for ever, so that only those within the horizon are there.
    pub is_endless: bool,
    /// What the calendar user has answered to the whole; `None` if it is invited to single instances only.
    pub whole: Option<PartStat>,
}

/// The occurrences of an event that `owner` is invited to. Of a series without an end, those that overlap `horizon`; of all
/// others each one, wherever it lies.
///
/// # Errors
///
/// There are more than `most`, or finding them takes more work than `work` has left (of which 500,000 steps are taken at
/// most), or its times cannot be understood.
pub fn occurrences(
    calendar: &Calendar,
    owner: &Owner,
    horizon: TimeRange,
    most: usize,
    work: &mut Work,
) -> Result<Occurrences, RecurrenceError> {
    let zones = Zones::of(calendar, owner.timezone.clone());
    let events = || calendar.main_components().filter(|it| it.is("VEVENT"));
    let is_invited = |it: &_| !is_cancelled(it) && owner.attendee(it).is_some();
    let whole = events().find(|it| it.get("RECURRENCE-ID").is_none() && is_invited(it));
    let mut found = Occurrences {
        whole: whole.and_then(|it| owner.partstat(it)),
        ..Occurrences::default()
    };
    let mut work = work.share(STEPS);
    for series in Series::all(events(), &zones)? {
        let is_endless = series.is_endless();
        found.is_endless |= is_endless;
        let range = if is_endless { horizon } else { TimeRange::ALL };
        series.walk(range, &mut work, &mut |instance| {
            if is_invited(instance.component) {
                found.each.push(Occurrence {
                    id: instance.id,
                    start: instance.start,
                    end: instance.end,
                    answer: owner
                        .partstat(instance.component)
                        .unwrap_or(PartStat::NeedsAction),
                    is_apart: series.is_apart(instance.id),
                });
            }
        })?;
    }
    if found.each.len() > most {
        return Err(RecurrenceError::TooMany(most));
    }
    found.each.sort_by_key(|it| (it.start, it.id));
    Ok(found)
}

/// Whether a message says of `owner` what the stored object does, so that its sender knows the answers in it. An ADD, which
/// is about nothing that was there before, says nothing else.
pub fn knows_answers(message: &Message, stored: &Calendar, owner: &Owner) -> bool {
    if message.method() == Method::Add {
        return true;
    }
    let calendars = [stored, message.calendar()];
    let zones = Rc::new(Zones::of_all(calendars, owner.timezone.clone()));
    let Some(object) = Object::of(stored, &zones) else {
        return true;
    };
    // An instance that has to be written out for it costs as much as its series.
    let mut room = 64 * weight(stored.root()).max(1 << 16);
    message.components().all(|told| {
        room = room.saturating_sub(weight(told));
        let known = (room > 0).then(|| object.version_of(told)).flatten();
        known.is_none_or(|known| owner.partstat(&known) == owner.partstat(told))
    })
}
