//! The instances of a series within a range.

use super::{
    Instance, RecurrenceError,
    series::{Main, Ruled, Series},
};
use crate::{rule::Occurrences, time::instant, wall, work::Work};
use convoke_types::TimeRange;
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use std::collections::BTreeSet;

/// What it costs to hand an instance on, in steps.
const INSTANCE: usize = 4;

impl<'a> Series<'a> {
    /// Hands every instance that overlaps `range` to `take`, in no order.
    pub(crate) fn walk(
        &self,
        range: TimeRange,
        work: &mut Work,
        take: &mut dyn FnMut(Instance<'a>),
    ) -> Result<(), RecurrenceError> {
        self.walk_from(&mut range.start(), range, work, take)
    }

    /// As [`walk`](Self::walk); where the work runs out, nothing that begins before `reached` is missing but what a
    /// component of its own or a date names.
    pub(crate) fn walk_from(
        &self,
        reached: &mut Timestamp,
        range: TimeRange,
        work: &mut Work,
        take: &mut dyn FnMut(Instance<'a>),
    ) -> Result<(), RecurrenceError> {
        let mut take = |instance: Instance<'a>, work: &mut Work| {
            work.spend(INSTANCE)?;
            if overlaps(&instance, range) {
                take(instance);
            }
            Ok::<(), RecurrenceError>(())
        };
        for (id, instance) in &self.overrides {
            if !self.is_left_out(*id) {
                take(*instance, work)?;
            }
        }
        let Some(main) = &self.main else {
            return Ok(());
        };
        for (&start, &end) in &main.dates {
            if !main.given(&main.excluding, start, work)?
                && let Some(instance) = self.implied(main, start, Some(end))
            {
                take(instance, work)?;
            }
        }
        // Only with several rules may one give what another gave (RFC 5545 §3.8.5.3 calls that undefined).
        let mut given = (main.rules.len() > 1).then(BTreeSet::new);
        let in_order = main.rules.len() == 1 && self.futures.is_empty();
        let around = self.around(main, range);
        for ruled in &main.rules {
            Self::follow(main, ruled, around, work, &mut |at, work| {
                if in_order {
                    *reached = at.max(*reached);
                }
                let is_new = given.as_mut().is_none_or(|given| given.insert(at));
                if is_new
                    && !main.given(&main.excluding, at, work)?
                    && !main.dates.contains_key(&at)
                    && let Some(instance) = self.implied(main, at, None)
                {
                    take(instance, work)?;
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    /// Hands only the instances that have a component of their own to `take`.
    pub(crate) fn walk_apart(&self, range: TimeRange, take: &mut dyn FnMut(Instance<'a>)) {
        for (id, instance) in &self.overrides {
            if !self.is_left_out(*id) && overlaps(instance, range) {
                take(*instance);
            }
        }
    }

    /// Between which times on the wall instances begin that may overlap `range`.
    fn around(&self, main: &Main<'a>, range: TimeRange) -> (i64, i64) {
        let (before, after) = self.margins(main);
        let from = range
            .start()
            .saturating_sub(before)
            .unwrap_or(Timestamp::MIN);
        let to = range.end().saturating_add(after).unwrap_or(Timestamp::MAX);
        let wall =
            |at: Timestamp| wall::seconds(at.to_zoned_datetime(main.timed.zone.clone()).datetime());
        (wall(from), wall(to))
    }

    /// The starts that a rule gives between two times on the wall.
    fn follow(
        main: &Main<'a>,
        ruled: &Ruled,
        (from, to): (i64, i64),
        work: &mut Work,
        give: &mut dyn FnMut(Timestamp, &mut Work) -> Result<(), RecurrenceError>,
    ) -> Result<(), RecurrenceError> {
        let zone = &main.timed.zone;
        let mut occurrences = main.occurrences(ruled, from, work)?;
        while let Some(time) = occurrences.next(to, work)? {
            give(instant(wall::date_time(time), zone), work)?;
        }
        Ok(())
    }

    /// Whether the main component implies an instance that begins at `id`, overridden or not.
    pub(crate) fn has(&self, id: Timestamp, work: &mut Work) -> Result<bool, RecurrenceError> {
        let Some(main) = &self.main else {
            return Ok(false);
        };
        if main.excluded.contains(&id) {
            return Ok(false);
        }
        if main.given(&main.excluding, id, work)? {
            return Ok(false);
        }
        Ok(main.dates.contains_key(&id) || main.given(&main.rules, id, work)?)
    }

    /// Whether EXDATE names an instance: then it is gone, also if a component of its own was left behind.
    fn is_left_out(&self, id: Timestamp) -> bool {
        let main = self.main.as_ref();
        main.is_some_and(|main| main.excluded.contains(&id))
    }

    /// How long before the range an instance may begin that reaches into it, and how long after it one that was moved
    /// forward; with a day for what zones do.
    fn margins(&self, main: &Main) -> (SignedDuration, SignedDuration) {
        let day = SignedDuration::from_hours(26);
        let (mut before, mut after) = (main.timed.at_most(), SignedDuration::ZERO);
        for future in self.futures.values() {
            before = before.max(future.timed.at_most().saturating_add(future.moves));
            after = after.max(SignedDuration::ZERO.saturating_sub(future.moves));
        }
        (before.saturating_add(day), after.saturating_add(day))
    }

    /// The instance that begins at `id` unless something says otherwise.
    fn implied(
        &self,
        main: &Main<'a>,
        id: Timestamp,
        end: Option<Timestamp>,
    ) -> Option<Instance<'a>> {
        if self.overrides.contains_key(&id) || main.excluded.contains(&id) {
            return None;
        }
        let wall = |zone: &TimeZone| id.to_zoned_datetime(zone.clone()).datetime();
        if let Some((_, future)) = self.futures.range(..id).next_back() {
            let moved = wall(&future.timed.zone).saturating_add(future.moves);
            let (start, end) = future.timed.at(moved);
            return Some(Instance {
                component: future.timed.component,
                id,
                start,
                end,
            });
        }
        let end = end.unwrap_or_else(|| main.timed.at(wall(&main.timed.zone)).1);
        Some(Instance {
            component: main.timed.component,
            id,
            start: id,
            end,
        })
    }
}

impl Main<'_> {
    /// Whether one of the rules gives the instance that begins at `id`.
    fn given(
        &self,
        rules: &[Ruled],
        id: Timestamp,
        work: &mut Work,
    ) -> Result<bool, RecurrenceError> {
        /// Wider than any gap in a day: a time in the gap is named by one outside of it.
        const GAP: i64 = 3 * 3600;
        let zone = &self.timed.zone;
        let wall = wall::seconds(id.to_zoned_datetime(zone.clone()).datetime());
        for ruled in rules {
            let mut occurrences = self.occurrences(ruled, wall - GAP, work)?;
            while let Some(time) = occurrences.next(wall + GAP, work)? {
                if instant(wall::date_time(time), zone) == id {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// What a rule gives from some time on the wall on.
    pub(super) fn occurrences<'r>(
        &self,
        ruled: &'r Ruled,
        from: i64,
        work: &mut Work,
    ) -> Result<Occurrences<'r>, RecurrenceError> {
        let start = wall::seconds(self.timed.start.wall);
        work.spend(Occurrences::cost(&ruled.rule))?;
        let occurrences = Occurrences::new(&ruled.rule, start, ruled.until, from);
        if ruled.rule.count().is_none() {
            return Ok(occurrences);
        }
        // RFC 5545 §3.3.10: DTSTART counts as the first, also where it does not match the rule. Of several rules it may
        // be the first of another one.
        for ruled in &self.rules {
            work.spend(Occurrences::cost(&ruled.rule))?;
            let mut first = Occurrences::new(&ruled.rule, start, ruled.until, start);
            if first.next(start, work)?.is_some() {
                return Ok(occurrences);
            }
        }
        Ok(occurrences.counting_start())
    }
}

fn overlaps(instance: &Instance, range: TimeRange) -> bool {
    if instance.start == instance.end {
        range.contains(instance.start)
    } else {
        instance.start < range.end() && range.start() < instance.end
    }
}
