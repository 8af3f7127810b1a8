//! A main component with its rule, and the components that override single instances.

use super::{Instance, RecurrenceError, Rule, start};
use crate::{
    time::{Length, When, instant, period},
    tree::{Component, Property},
    zone::Zones,
};
use convoke_types::TimeRange;
use jiff::{SignedDuration, Timestamp, civil, tz::TimeZone};
use std::collections::{BTreeMap, BTreeSet};

/// An object as a series of instances.
pub(super) struct Series<'a, 'z> {
    zones: &'z Zones,
    main: Option<Timed<'a>>,
    /// By the instant of the RECURRENCE-ID.
    overrides: BTreeMap<Timestamp, Override<'a>>,
}

/// A component with the times it states.
#[derive(Clone)]
struct Timed<'a> {
    component: &'a Component,
    start: When,
    zone: TimeZone,
    length: Lasting,
}

/// How long each instance takes.
#[derive(Clone, Copy)]
enum Lasting {
    /// The same exact time (RFC 5545 §3.8.5.3: DTEND).
    Exact(SignedDuration),
    /// The same time on the wall clock (DURATION, and whole days).
    Nominal(Length),
}

struct Override<'a> {
    timed: Timed<'a>,
    /// RANGE=THISANDFUTURE (RFC 5545 §3.2.13): how far it moves the instances that follow, on the wall clock.
    moves: Option<SignedDuration>,
}

impl<'a, 'z> Series<'a, 'z> {
    pub(super) fn of(
        components: &[&'a Component],
        zones: &'z Zones,
    ) -> Result<Self, RecurrenceError> {
        let mut series = Self {
            zones,
            main: None,
            overrides: BTreeMap::new(),
        };
        for &component in components {
            let timed = Timed::of(component, zones)?;
            match component.get("RECURRENCE-ID") {
                None => series.main = series.main.or(Some(timed)),
                Some(id) => {
                    let future = id
                        .param("RANGE")
                        .is_some_and(|range| range.eq_ignore_ascii_case("THISANDFUTURE"));
                    let id = When::of(id)?;
                    let moves = future.then(|| timed.start.wall.duration_since(id.wall));
                    series
                        .overrides
                        .insert(id.instant(zones), Override { timed, moves });
                }
            }
        }
        Ok(series)
    }

    pub(super) fn instances(
        &self,
        range: TimeRange,
        most: usize,
    ) -> Result<Vec<Instance<'a>>, RecurrenceError> {
        let mut found = Vec::new();
        for changed in self.overrides.values() {
            add(
                &mut found,
                changed.timed.at(changed.timed.start.wall),
                range,
                most,
            )?;
        }
        let Some(main) = &self.main else {
            return Ok(found);
        };
        let excluded = self.excluded(main)?;
        for property in main.component.all("RDATE").filter(|it| is_period(it)) {
            for value in property.value.split(',') {
                let (start, end) = period(property, value, self.zones)?;
                if !excluded.contains(&start) && !self.overrides.contains_key(&start) {
                    add(
                        &mut found,
                        Instance {
                            component: main.component,
                            start,
                            end,
                        },
                        range,
                        most,
                    )?;
                }
            }
        }
        // Far enough back that what began before the range and reaches into it is seen, and what a THISANDFUTURE moves.
        let moved = self
            .overrides
            .values()
            .filter_map(|it| it.moves)
            .map(jiff::SignedDuration::abs)
            .max()
            .unwrap_or_default();
        let margin = self
            .longest(main)
            .saturating_add(moved)
            .saturating_add(SignedDuration::from_hours(48));
        let from = range
            .start()
            .saturating_sub(margin)
            .unwrap_or(Timestamp::MIN);
        let to = range.end().saturating_add(margin).unwrap_or(Timestamp::MAX);
        for wall in self.walls(main, from, to, most)? {
            let at = instant(wall, &main.zone);
            if !excluded.contains(&at) && !self.overrides.contains_key(&at) {
                add(&mut found, self.implied(main, at, wall), range, most)?;
            }
        }
        Ok(found)
    }

    /// An instance that nothing overrides by itself; an earlier THISANDFUTURE may move it.
    fn implied(&self, main: &Timed<'a>, at: Timestamp, wall: civil::DateTime) -> Instance<'a> {
        let earlier = self
            .overrides
            .range(..at)
            .rev()
            .find_map(|(_, it)| Some((&it.timed, it.moves?)));
        match earlier {
            Some((timed, moves)) => timed.at(wall.saturating_add(moves)),
            None => main.at(wall),
        }
    }

    /// The starts on the wall clock between two instants: DTSTART, the dates', the rules'; each once.
    fn walls(
        &self,
        main: &Timed<'a>,
        from: Timestamp,
        to: Timestamp,
        most: usize,
    ) -> Result<BTreeSet<civil::DateTime>, RecurrenceError> {
        let begin = main.start.wall;
        // RFC 5545 §3.8.5.3: DTSTART is the first instance, whether the rule would give it or not.
        let mut walls = BTreeSet::from([begin]);
        for property in main.component.all("RDATE").filter(|it| !is_period(it)) {
            for value in property.value.split(',') {
                let date = When::read(property, value)?;
                walls.insert(if date.is_date() && !main.start.is_date() {
                    date.wall.date().to_datetime(begin.time())
                } else {
                    date.instant(self.zones)
                        .to_zoned(main.zone.clone())
                        .datetime()
                });
            }
        }
        let [from, to] = [from, to].map(|at| at.to_zoned(main.zone.clone()).datetime());
        for property in main.component.all("RRULE") {
            let local = |until: civil::DateTime| {
                instant(until, &TimeZone::UTC)
                    .to_zoned(main.zone.clone())
                    .datetime()
            };
            let starts = Rule::read(property, begin, local)?.starts(begin, from, to, most);
            if starts.cut {
                return Err(RecurrenceError::TooMany(most));
            }
            walls.extend(starts.walls);
        }
        Ok(walls)
    }

    fn excluded(&self, main: &Timed<'a>) -> Result<BTreeSet<Timestamp>, RecurrenceError> {
        let mut excluded = BTreeSet::new();
        for property in main.component.all("EXDATE") {
            for value in property.value.split(',') {
                let date = When::read(property, value)?;
                // Some programs exclude an instance of a timed series by its date.
                excluded.insert(if date.is_date() && !main.start.is_date() {
                    instant(
                        date.wall.date().to_datetime(main.start.wall.time()),
                        &main.zone,
                    )
                } else {
                    date.instant(self.zones)
                });
            }
        }
        Ok(excluded)
    }

    fn longest(&self, main: &Timed<'a>) -> SignedDuration {
        let lengths = self.overrides.values().map(|it| it.timed.length.at_most());
        lengths
            .chain([main.length.at_most()])
            .max()
            .unwrap_or_default()
    }
}

fn add<'a>(
    found: &mut Vec<Instance<'a>>,
    instance: Instance<'a>,
    range: TimeRange,
    most: usize,
) -> Result<(), RecurrenceError> {
    let overlaps = if instance.start == instance.end {
        range.contains(instance.start)
    } else {
        instance.start < range.end() && range.start() < instance.end
    };
    if overlaps {
        if found.len() >= most {
            return Err(RecurrenceError::TooMany(most));
        }
        found.push(instance);
    }
    Ok(())
}

impl<'a> Timed<'a> {
    fn of(component: &'a Component, zones: &Zones) -> Result<Self, RecurrenceError> {
        let start = start(component)?;
        let zone = start.zone(zones);
        let length = Lasting::of(component, &start, zones)?;
        Ok(Self {
            component,
            start,
            zone,
            length,
        })
    }

    /// The instance that begins at `wall`.
    fn at(&self, wall: civil::DateTime) -> Instance<'a> {
        let start = instant(wall, &self.zone);
        let end = match self.length {
            Lasting::Exact(length) => start.saturating_add(length).unwrap_or(Timestamp::MAX),
            Lasting::Nominal(length) => length.end(wall, &self.zone),
        };
        Instance {
            component: self.component,
            start,
            end: end.max(start),
        }
    }
}

impl Lasting {
    fn of(component: &Component, start: &When, zones: &Zones) -> Result<Self, RecurrenceError> {
        if let Some(end) = component.get("DTEND").or_else(|| component.get("DUE")) {
            let end = When::of(end)?;
            if start.is_date() && end.is_date() {
                let days = end.wall.duration_since(start.wall).as_hours() / 24;
                return Ok(Self::days(days));
            }
            return Ok(Self::Exact(
                end.instant(zones).duration_since(start.instant(zones)),
            ));
        }
        if let Some(length) = component.get("DURATION") {
            return Ok(Self::Nominal(Length::of(length)?));
        }
        // RFC 5545 §3.6.1: a date lasts its day, a time no time.
        Ok(if start.is_date() {
            Self::days(1)
        } else {
            Self::Exact(SignedDuration::ZERO)
        })
    }

    fn days(days: i64) -> Self {
        Self::Nominal(Length {
            days: i32::try_from(days).unwrap_or(i32::MAX),
            exact: SignedDuration::ZERO,
        })
    }

    fn at_most(self) -> SignedDuration {
        match self {
            Self::Exact(length) => length.max(SignedDuration::ZERO),
            Self::Nominal(length) => length.at_most(),
        }
    }
}

/// Whether a component repeats for ever.
pub(crate) fn is_endless(component: &Component) -> bool {
    component.all("RRULE").any(|rule| {
        let rule = rule.value.to_ascii_uppercase();
        !rule.contains("COUNT=") && !rule.contains("UNTIL=")
    })
}

fn is_period(dates: &Property) -> bool {
    dates
        .param("VALUE")
        .is_some_and(|kind| kind.eq_ignore_ascii_case("PERIOD"))
}
