//! Busy time (spec §8): what an object takes, and the VFREEBUSY messages that ask and answer (RFC 5546 §3.3).
//!
//! A confirmed event that is not transparent makes its owner BUSY, a tentative one (by its STATUS or by the owner's own
//! PARTSTAT) BUSY-TENTATIVE; what is transparent, cancelled, or declined by the owner takes no time. An invitation that
//! the owner has not answered counts as the event itself says: RFC 4791 §7.10 looks at TRANSP and STATUS alone, and the
//! time is spoken for until the owner decides. A to-do takes no time; a VFREEBUSY that is stored takes what it states.

mod message;

pub use message::{answer, read_answer, request};

use crate::{
    itip::{Owner, PartStat},
    recurrence::{Instance, RecurrenceError, Series},
    rule::Work,
    time::{Period, values},
    tree::{Calendar, Component, Limits, Property},
    zone::Zones,
};
use convoke_types::{BusySpan, BusyType, TimeRange, merge};
use jiff::tz::TimeZone;

/// The most spans of one object; more are refused, as nobody can be busy so often.
const MAX_SPANS: usize = 200_000;

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
    let zones = Zones::of(calendar, own_zone(owner));
    let events = of_kind(calendar, "VEVENT");
    let mut work = Work::of(limits.work);
    let mut spans = Spans::within(range);
    // What takes no time is not expanded, whatever its rule.
    if of_kind(calendar, "VEVENT").any(|event| kind(event, owner).is_some()) {
        for series in Series::all(events, &zones)? {
            series.walk(range, &mut work, &mut |instance| {
                spans.add(span(&instance, owner));
            })?;
        }
    }
    for component in of_kind(calendar, "VFREEBUSY") {
        for span in stated(component, &zones)? {
            spans.add(Some(span));
        }
    }
    spans.merged()
}

fn of_kind<'c>(calendar: &'c Calendar, kind: &'static str) -> impl Iterator<Item = &'c Component> {
    let components = calendar.root().components.iter();
    components.filter(move |component| component.is(kind))
}

/// Busy time as it is found; merged now and then, so that a minutely meeting of a minute takes little memory.
struct Spans {
    range: TimeRange,
    spans: Vec<BusySpan>,
    merge_at: usize,
}

impl Spans {
    const fn within(range: TimeRange) -> Self {
        Self {
            range,
            spans: Vec::new(),
            merge_at: 4096,
        }
    }

    fn add(&mut self, span: Option<BusySpan>) {
        self.spans.extend(span);
        if self.spans.len() >= self.merge_at {
            self.spans = merge(std::mem::take(&mut self.spans), self.range);
            self.merge_at = 2 * self.spans.len().max(2048);
        }
    }

    fn merged(self) -> Result<Vec<BusySpan>, RecurrenceError> {
        let spans = merge(self.spans, self.range);
        if spans.len() > MAX_SPANS {
            return Err(RecurrenceError::TooMany(MAX_SPANS));
        }
        Ok(spans)
    }
}

/// The zone of dates and floating times.
pub(crate) fn own_zone(owner: Option<&Owner>) -> TimeZone {
    owner.map_or(TimeZone::UTC, |owner| owner.timezone.clone())
}

/// The time that an instance takes, if any.
pub(crate) fn span(instance: &Instance, owner: Option<&Owner>) -> Option<BusySpan> {
    let kind = kind(instance.component, owner)?;
    let range = TimeRange::new(instance.start, instance.end).ok()?;
    Some(BusySpan { range, kind })
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
                spans.push(BusySpan { range, kind });
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
