//! The busy time of one object, prepared once: whose PARTSTAT counts is decided for each component, not for each instance.

use super::{kind, of_kind, own_zone, stated};
use crate::{
    itip::Owner,
    recurrence::{RecurrenceError, Series},
    tree::{Calendar, Component},
    work::Work,
    zone::Zones,
};
use convoke_types::{BusySpan, BusyType, TimeRange, merge};
use jiff::Timestamp;
use std::collections::HashMap;

/// The most spans of one object; more are refused, as nobody can be busy so often.
const MAX_SPANS: usize = 200_000;

/// An object as far as it takes time.
pub(crate) struct Table<'c> {
    series: Vec<Series<'c>>,
    kinds: Kinds,
    stated: Vec<BusySpan>,
}

impl<'c> Table<'c> {
    pub(crate) fn of(
        calendar: &'c Calendar,
        owner: Option<&Owner>,
    ) -> Result<Self, RecurrenceError> {
        let zones = Zones::of(calendar, own_zone(owner));
        let kinds = Kinds::of(calendar, owner);
        let mut stated_spans = Vec::new();
        for component in of_kind(calendar, "VFREEBUSY") {
            stated_spans.extend(stated(component, &zones)?);
        }
        // What takes no time is not expanded, whatever its rule.
        let series = if kinds.0.is_empty() {
            Vec::new()
        } else {
            Series::all(of_kind(calendar, "VEVENT"), &zones)?
        };
        Ok(Self {
            series,
            kinds,
            stated: stated_spans,
        })
    }

    /// Whether it goes on for ever.
    pub(crate) fn is_endless(&self) -> bool {
        let mut series = self.series.iter();
        series.any(|series| series.is_endless() && self.repeats(series))
    }

    /// When the first instance begins; `None` if all of them are as early as can be.
    pub(crate) fn begins(&self) -> Option<Timestamp> {
        let begins = |series: &Series| {
            // Dates and overrides may lie anywhere; a series without a main component has only those.
            let implied = series.begins().unwrap_or(Timestamp::MAX);
            series
                .earliest_apart()
                .map_or(implied, |apart| apart.min(implied))
        };
        self.series.iter().map(begins).min()
    }

    /// Whether any instance takes time that has no component of its own.
    fn repeats(&self, series: &Series) -> bool {
        let mut general = series.general();
        general.any(|component| self.kinds.get(component).is_some())
    }

    /// When it takes time in `range`.
    pub(crate) fn spans(
        &self,
        range: TimeRange,
        work: &mut Work,
    ) -> Result<Vec<BusySpan>, RecurrenceError> {
        let mut spans = Spans::within(range);
        for series in &self.series {
            self.follow(series, work, &mut range.start(), &mut spans)?;
        }
        spans.extend(&self.stated);
        let spans = spans.merged();
        if spans.len() > MAX_SPANS {
            return Err(RecurrenceError::TooMany(MAX_SPANS));
        }
        Ok(spans)
    }

    /// When it takes time in `range`; where the work runs out, the time that was not looked at counts as taken.
    pub(crate) fn spans_at_least(&self, range: TimeRange, work: &mut Work) -> Vec<BusySpan> {
        let mut spans = Spans::within(range);
        spans.extend(&self.stated);
        self.add_all_to(&mut spans, work);
        spans.merged()
    }

    /// Adds when it takes time, as far as the work reaches; whether it did to the end.
    pub(super) fn add_to(&self, spans: &mut Spans, work: &mut Work) -> bool {
        let mut series = self.series.iter();
        let done = series.all(|series| {
            let mut reached = spans.range.start();
            self.follow(series, work, &mut reached, spans).is_ok()
        });
        spans.extend(&self.stated);
        done
    }

    /// The same, but the time that was not looked at counts as taken.
    pub(super) fn add_all_to(&self, spans: &mut Spans, work: &mut Work) -> bool {
        let mut done = true;
        for series in &self.series {
            let mut reached = spans.range.start();
            if self.follow(series, work, &mut reached, spans).is_err() {
                let from = reached.max(self.begins().unwrap_or(reached));
                let rest = TimeRange::new(from, spans.range.end());
                let kind = BusyType::Busy;
                spans.add(rest.ok().map(|range| BusySpan::new(range, kind)));
                done = false;
            }
        }
        done
    }

    fn follow(
        &self,
        series: &Series<'c>,
        work: &mut Work,
        reached: &mut Timestamp,
        spans: &mut Spans,
    ) -> Result<(), RecurrenceError> {
        let range = spans.range;
        let mut take = |instance: crate::recurrence::Instance| {
            let kind = self.kinds.get(instance.component);
            let time = TimeRange::new(instance.start, instance.end).ok();
            spans.add(
                kind.zip(time)
                    .map(|(kind, range)| BusySpan::new(range, kind)),
            );
        };
        if self.repeats(series) {
            series.walk_from(reached, range, work, &mut take)
        } else {
            series.walk_apart(range, &mut take);
            Ok(())
        }
    }
}

/// What the instances of each component take; nothing, for one that is not named. Components are known by where they
/// are, as a series hands out references to them.
struct Kinds(HashMap<*const Component, BusyType>);

impl Kinds {
    fn of(calendar: &Calendar, owner: Option<&Owner>) -> Self {
        let events = of_kind(calendar, "VEVENT");
        let taking =
            events.filter_map(|event| Some((std::ptr::from_ref(event), kind(event, owner)?)));
        Self(taking.collect())
    }

    fn get(&self, component: &Component) -> Option<BusyType> {
        self.0.get(&std::ptr::from_ref(component)).copied()
    }
}

/// Busy time as it is found; merged now and then, so that a minutely meeting of a minute takes little memory.
pub(super) struct Spans {
    range: TimeRange,
    spans: Vec<BusySpan>,
    merge_at: usize,
}

impl Spans {
    pub(super) const fn within(range: TimeRange) -> Self {
        Self {
            range,
            spans: Vec::new(),
            merge_at: 4096,
        }
    }

    pub(super) fn add(&mut self, span: Option<BusySpan>) {
        self.spans.extend(span);
        if self.spans.len() >= self.merge_at {
            self.spans = merge(std::mem::take(&mut self.spans), self.range);
            self.merge_at = 2 * self.spans.len().max(2048);
        }
    }

    fn extend(&mut self, spans: &[BusySpan]) {
        for span in spans {
            self.add(Some(*span));
        }
    }

    pub(super) fn merged(self) -> Vec<BusySpan> {
        merge(self.spans, self.range)
    }
}
