//! One object: the main component with its rules and dates, and the components that override instances.

use super::{Instance, RecurrenceError, timed::Timed};
use crate::{
    rule::Rule,
    time::{Clock, Period, When, instant, values},
    tree::{Component, Property},
    wall,
    zone::Zones,
};
use jiff::{SignedDuration, Timestamp, civil, tz::TimeZone};
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, HashMap},
};

/// An object as a series of instances.
#[derive(Debug)]
pub(crate) struct Series<'a> {
    pub(super) main: Option<Main<'a>>,
    /// Instances that have a component of their own, by their RECURRENCE-ID.
    pub(super) overrides: BTreeMap<Timestamp, Instance<'a>>,
    /// What holds from one instance on (RANGE=THISANDFUTURE), by its RECURRENCE-ID.
    pub(super) futures: BTreeMap<Timestamp, Future<'a>>,
}

/// The component without RECURRENCE-ID.
#[derive(Debug)]
pub(super) struct Main<'a> {
    pub(super) timed: Timed<'a>,
    pub(super) rules: Vec<Ruled>,
    /// DTSTART and RDATE: start, and end.
    pub(super) dates: BTreeMap<Timestamp, Timestamp>,
    /// EXDATE.
    pub(super) excluded: BTreeSet<Timestamp>,
    /// EXRULE of RFC 2445, which old calendars still hold.
    pub(super) excluding: Vec<Ruled>,
}

/// A rule on the wall of its series.
#[derive(Debug)]
pub(super) struct Ruled {
    pub(super) rule: Rule,
    /// The last second on the wall.
    pub(super) until: Option<i64>,
}

/// RFC 5545 §3.2.13: moved by as much, and changed in the same way.
#[derive(Debug)]
pub(super) struct Future<'a> {
    pub(super) timed: Timed<'a>,
    /// How far from what the series implies, on the wall clock.
    pub(super) moves: SignedDuration,
}

impl<'a> Series<'a> {
    /// Every series among components, told apart by UID; those without are each one by itself.
    pub(crate) fn all(
        components: impl Iterator<Item = &'a Component>,
        zones: &Zones,
    ) -> Result<Vec<Self>, RecurrenceError> {
        let mut groups: Vec<Vec<&Component>> = Vec::new();
        let mut of_uid: HashMap<Cow<'_, str>, usize> = HashMap::new();
        for component in components {
            let next = groups.len();
            let group = match component.uid_text() {
                Some(uid) => *of_uid.entry(uid).or_insert(next),
                None => next,
            };
            if group == next {
                groups.push(Vec::new());
            }
            groups[group].push(component);
        }
        groups
            .iter()
            .map(|components| Self::of(components, zones))
            .collect()
    }

    fn of(components: &[&'a Component], zones: &Zones) -> Result<Self, RecurrenceError> {
        let mut series = Self {
            main: None,
            overrides: BTreeMap::new(),
            futures: BTreeMap::new(),
        };
        // Two versions of the same may stand side by side where calendars were put together: the newer one counts.
        let mut components = components.to_vec();
        components.sort_by_key(|it| sequence(it));
        let mut newest_first = components.iter().rev();
        if let Some(main) = newest_first.find(|it| it.stated("RECURRENCE-ID").is_none()) {
            series.main = Some(Main::of(Timed::of(main, zones)?, zones)?);
        }
        for component in components {
            let Some(id) = component.stated("RECURRENCE-ID") else {
                continue;
            };
            let timed = Timed::of(component, zones)?;
            let is_future = id
                .param("RANGE")
                .is_some_and(|range| range.eq_ignore_ascii_case("THISANDFUTURE"));
            let id = match &series.main {
                Some(main) => main.named(id, &id.value)?,
                None => When::of(id)?,
            };
            let id = id.instant(zones)?;
            let (start, end) = timed.at(timed.start.wall);
            series.overrides.insert(
                id,
                Instance {
                    component,
                    id,
                    start,
                    end,
                },
            );
            if is_future {
                let implied = id.to_zoned_datetime(timed.zone.clone()).datetime();
                let moves = timed.start.wall.duration_since(implied);
                series.futures.insert(id, Future { timed, moves });
            }
        }
        Ok(series)
    }

    /// Whether a rule goes on for ever.
    pub(crate) fn is_endless(&self) -> bool {
        let rules = self.main.iter().flat_map(|main| &main.rules);
        rules.into_iter().any(|ruled| !ruled.rule.is_finite())
    }

    /// Whether it is what holds from one instance on of a series whose rule is not here.
    pub(crate) fn is_rest_of_unknown(&self) -> bool {
        self.main.is_none() && !self.futures.is_empty()
    }

    /// Whether an instance has a component of its own.
    pub(crate) fn is_apart(&self, id: Timestamp) -> bool {
        self.overrides.contains_key(&id)
    }

    /// The components that say what instances are like that have none of their own.
    pub(crate) fn general(&self) -> impl Iterator<Item = &'a Component> {
        let main = self.main.iter().map(|main| main.timed.component);
        main.chain(self.futures.values().map(|future| future.timed.component))
    }

    /// No instance that a rule implies begins before.
    pub(crate) fn begins(&self) -> Option<Timestamp> {
        let main = self.main.as_ref()?;
        let begin = instant(main.timed.start.wall, &main.timed.zone);
        let back = self.futures.values().map(|future| future.moves);
        let back = back.min().unwrap_or_default().min(SignedDuration::ZERO);
        begin.saturating_add(back).ok()
    }

    /// When the first of the instances begins that are named one by one: RDATE and overrides.
    pub(crate) fn earliest_apart(&self) -> Option<Timestamp> {
        let dates = self.main.iter().flat_map(|main| main.dates.keys().copied());
        let overrides = self.overrides.values().map(|instance| instance.start);
        dates.chain(overrides).min()
    }
}

impl<'a> Main<'a> {
    fn of(timed: Timed<'a>, zones: &Zones) -> Result<Self, RecurrenceError> {
        let component = timed.component;
        let (start, end) = timed.at(timed.start.wall);
        let mut main = Self {
            timed,
            rules: Vec::new(),
            dates: BTreeMap::from([(start, end)]),
            excluded: BTreeSet::new(),
            excluding: Vec::new(),
        };
        // An empty one says nothing.
        let rules = component.all("RRULE");
        for property in rules.filter(|rule| !rule.value.trim().is_empty()) {
            main.rules.push(main.ruled(property)?);
        }
        for property in component.all("EXRULE") {
            // Nobody writes it any more: one that cannot be read is not worth losing the object for.
            main.excluding.extend(main.ruled(property));
        }
        // A date that is none adds nothing and excludes nothing: it is not worth losing the object for.
        for property in component.all("RDATE") {
            for value in values(property) {
                match main.date(property, value, zones) {
                    Ok((start, end)) => _ = main.dates.insert(start, end),
                    Err(RecurrenceError::Value(_)) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        for property in component.all("EXDATE") {
            for value in values(property) {
                if let Ok(date) = main.named(property, value) {
                    main.excluded.insert(date.instant(zones)?);
                }
            }
        }
        Ok(main)
    }

    fn ruled(&self, property: &Property) -> Result<Ruled, RecurrenceError> {
        let mut rule = Rule::parse(&property.value)?;
        if self.timed.start.is_date() {
            rule = rule.of_whole_days();
        }
        let until = rule
            .until()
            .map(|until| wall::seconds(until_on_wall(until, &self.timed.start, &self.timed.zone)));
        Ok(Ruled { rule, until })
    }

    /// One of RDATE.
    fn date(
        &self,
        property: &Property,
        value: &str,
        zones: &Zones,
    ) -> Result<(Timestamp, Timestamp), RecurrenceError> {
        if value.contains('/') {
            let (start, end) = Period::read(property, value)?.instants(zones)?;
            return Ok((start, end.max(start)));
        }
        let start = self.named(property, value)?.instant(zones)?;
        Ok(self
            .timed
            .at(start.to_zoned_datetime(self.timed.zone.clone()).datetime()))
    }

    /// The date in a property that means an instance.
    fn named(&self, property: &Property, value: &str) -> Result<When, RecurrenceError> {
        let date = When::read(property, value)?.on_clock_of(property, &self.timed.start.clock);
        Ok(self.alike(date))
    }

    /// A date that means an instance: some programs name an instance of a timed series by its day alone, or one of a
    /// series of whole days by a time.
    fn alike(&self, date: When) -> When {
        let start = &self.timed.start;
        match (date.is_date(), start.is_date()) {
            (true, false) => When {
                wall: date.wall.date().to_datetime(start.wall.time()),
                clock: start.clock.clone(),
            },
            (false, true) => When {
                wall: date.wall.date().to_datetime(civil::Time::midnight()),
                clock: Clock::Date,
            },
            _ => date,
        }
    }
}

fn sequence(component: &Component) -> u64 {
    let number = component.value("SEQUENCE");
    number.and_then(|it| it.trim().parse().ok()).unwrap_or(0)
}

/// UNTIL on the wall that the series is on; the last second that counts.
fn until_on_wall(until: &When, start: &When, zone: &TimeZone) -> civil::DateTime {
    match &until.clock {
        _ if start.is_date() => until.wall.date().to_datetime(civil::Time::midnight()),
        // RFC 5545 §3.3.10 wants UNTIL of the kind of DTSTART; where it is a date, the day is meant to its end.
        Clock::Date => until.wall.date().at(23, 59, 59, 0),
        Clock::Utc if start.clock != Clock::Floating => {
            let at = instant(until.wall, &TimeZone::UTC);
            at.to_zoned_datetime(zone.clone()).datetime()
        }
        _ => until.wall,
    }
}
