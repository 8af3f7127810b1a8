//! Busy time (spec §8): what an object takes, and the VFREEBUSY messages that ask and answer (RFC 5546 §3.3).
//!
//! A confirmed event that is not transparent makes its owner BUSY, a tentative one (by its STATUS or by the owner's own
//! PARTSTAT) BUSY-TENTATIVE; what is transparent, cancelled, or declined by the owner takes no time. An invitation that
//! the owner has not answered counts as the event itself says: RFC 4791 §7.10 looks at TRANSP and STATUS alone, and the
//! time is spoken for until the owner decides. A to-do takes no time; a VFREEBUSY that is stored takes what it states.

mod message;
mod table;

pub use message::{answer, answered_range, read_answer, request};

pub(crate) use table::Table;

use crate::{
    itip::{Owner, PartStat},
    recurrence::RecurrenceError,
    time::{Period, values},
    tree::{Calendar, Component, Limits, Property},
    work::Work,
    zone::Zones,
};
use convoke_types::{BusySpan, BusyType, TimeRange};
use jiff::{SignedDuration, tz::TimeZone};
use table::Spans;

/// When a calendar object makes its owner busy in `range`: clipped, sorted, merged within a type.
///
/// Without an owner nobody's answer counts, and dates and floating times are in UTC. VAVAILABILITY is not looked at
/// here, as several of them only make sense together: see [`unavailable`](crate::availability::unavailable).
pub fn busy(
    calendar: &Calendar,
    owner: Option<&Owner>,
    range: TimeRange,
    limits: &Limits,
) -> Result<Vec<BusySpan>, RecurrenceError> {
    Table::of(calendar, owner)?.spans(range, &mut Work::of(limits.work))
}

/// When several objects of one calendar user take time in `range`, as [`busy`] tells of one; one budget serves all.
///
/// Nobody is called free who may not be: where the work runs out, the rest of the range counts as BUSY for the object
/// at hand and for those behind it, from when they begin.
pub fn taken(
    objects: &[Calendar],
    owner: Option<&Owner>,
    range: TimeRange,
    work: &mut Work,
) -> Taken {
    let mut taken = Taken::default();
    let mut spans = Spans::within(range);
    let mut costly = Vec::new();
    // Half of the work is shared out first, so that one object that takes more than there is costs the others nothing.
    let share = match objects.len() {
        0 | 1 => 0,
        several => work.left() / 2 / several,
    };
    for (place, object) in objects.iter().enumerate() {
        match Table::of(object, owner) {
            Ok(table) => {
                if !table.add_to(&mut spans, &mut work.share(share)) {
                    costly.push((place, table));
                }
            }
            Err(error) => taken.left_out.push((place, error)),
        }
    }
    for (place, table) in costly {
        if !table.add_all_to(&mut spans, work) {
            taken.cut_short.push(place);
        }
    }
    taken.spans = spans.merged();
    taken
}

/// Busy time of several objects, and what there is to say about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Clipped, sorted, merged within a type.
    pub spans: Vec<BusySpan>,
    /// Objects, by their place, that take more work than was left: they count as BUSY where nobody looked.
    pub cut_short: Vec<usize>,
    /// Objects, by their place, whose times cannot be understood: they take no time.
    pub left_out: Vec<(usize, RecurrenceError)>,
}

/// At most so many spans, sorted and merged within a type: where there are more, those of a type that lie close together
/// become one, which takes the time between them. Nobody is called free who is not.
pub fn coarser(mut spans: Vec<BusySpan>, most: usize) -> Vec<BusySpan> {
    let mut gap = SignedDuration::from_mins(1);
    while spans.len() > most.max(3) {
        let mut last: [Option<usize>; 3] = [None; 3];
        let mut joined: Vec<BusySpan> = Vec::with_capacity(spans.len());
        for span in spans {
            let last = &mut last[span.kind as usize];
            let near =
                last.filter(|&at| span.range.start().duration_since(joined[at].range.end()) < gap);
            let whole = near.and_then(|at| {
                let end = joined[at].range.end().max(span.range.end());
                Some((at, TimeRange::new(joined[at].range.start(), end).ok()?))
            });
            if let Some((at, range)) = whole {
                joined[at].range = range;
            } else {
                *last = Some(joined.len());
                joined.push(span);
            }
        }
        spans = joined;
        gap = gap.saturating_mul(2);
    }
    spans
}

fn of_kind<'c>(calendar: &'c Calendar, kind: &'static str) -> impl Iterator<Item = &'c Component> {
    let components = calendar.root().components.iter();
    components.filter(move |component| component.is(kind))
}

/// The zone of dates and floating times.
pub(crate) fn own_zone(owner: Option<&Owner>) -> TimeZone {
    owner.map_or(TimeZone::UTC, |owner| owner.timezone.clone())
}

fn kind(event: &Component, owner: Option<&Owner>) -> Option<BusyType> {
    let says = |name: &str, value: &str| {
        event
            .value(name)
            .is_some_and(|it| it.trim().eq_ignore_ascii_case(value))
    };
    // RFC 5545 §3.8.2.7
    if says("TRANSP", "TRANSPARENT") || says("STATUS", "CANCELLED") {
        return None;
    }
    let answer = owner.and_then(|owner| owner.partstat(event));
    // Who handed the invitation on does not attend (RFC 5546 §3.2.2.3).
    if matches!(answer, Some(PartStat::Declined | PartStat::Delegated)) {
        return None;
    }
    let tentative = says("STATUS", "TENTATIVE") || answer == Some(PartStat::Tentative);
    Some(if tentative {
        BusyType::BusyTentative
    } else {
        BusyType::Busy
    })
}

/// The periods that a VFREEBUSY states.
fn stated(component: &Component, zones: &Zones) -> Result<Vec<BusySpan>, RecurrenceError> {
    let mut spans = Vec::new();
    for property in component.all("FREEBUSY") {
        let Some(kind) = stated_kind(property) else {
            continue;
        };
        for value in values(property) {
            let (start, end) = Period::read(property, value)?.instants(zones)?;
            if let Ok(range) = TimeRange::new(start, end) {
                spans.push(BusySpan::new(range, kind));
            }
        }
    }
    Ok(spans)
}

/// RFC 5545 §3.2.9: BUSY is the default, and what an unknown type is treated as.
fn stated_kind(property: &Property) -> Option<BusyType> {
    let kind = property
        .param("FBTYPE")
        .unwrap_or("BUSY")
        .to_ascii_uppercase();
    match kind.as_str() {
        "FREE" => None,
        "BUSY-TENTATIVE" => Some(BusyType::BusyTentative),
        "BUSY-UNAVAILABLE" => Some(BusyType::BusyUnavailable),
        _ => Some(BusyType::Busy),
    }
}

#[cfg(test)]
mod tests;
