//! The filter of a calendar-query (RFC 4791 §9.7), and which objects match it.
//!
//! An object whose instances cannot be told, or only with more work than a filter may take, matches any time range: the
//! client sees it rather than not. Not done: time ranges of VFREEBUSY, which are refused as such.

mod alarms;
mod read;
#[cfg(test)]
mod tests;

pub(crate) use read::time_range;

use crate::{extent::Extent, xml::Element};
use convoke_calendar::{
    recurrence::instances,
    time::{Clock, When},
    tree::{Calendar, Component, Limits, Property},
    zone::Zones,
};
use convoke_types::TimeRange;
use jiff::{Timestamp, tz::TimeZone};

/// Steps that the recurrences of one object may take for one filter.
const WORK: usize = 100_000;
/// Conditions of one filter, at most: each is looked at for each object.
const MAX_CONDITIONS: usize = 100;
/// Time ranges of components in one filter, at most: each follows the recurrences of each object.
const MAX_RANGES: usize = 4;
/// The components whose time ranges are done here.
const TIMED: [&str; 3] = ["VEVENT", "VTODO", "VJOURNAL"];
const ALARM: &str = "VALARM";

/// A filter that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// Not as RFC 4791 §9.7 has it.
    #[error("{0}")]
    Invalid(&'static str),
    /// Correct, but not done here.
    #[error("{0}")]
    Unsupported(&'static str),
    /// A collation that is not known.
    #[error("the collation `{0}` is not known")]
    Collation(String),
}

/// The filter of a calendar-query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter(ComponentFilter);

#[derive(Clone, Debug, PartialEq, Eq)]
struct ComponentFilter {
    name: String,
    test: Test<ComponentTest>,
}

/// What is asked of something that has a name.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Test<T> {
    IsNotDefined,
    Has(T),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct ComponentTest {
    range: Option<TimeRange>,
    properties: Vec<PropertyFilter>,
    components: Vec<ComponentFilter>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct PropertyFilter {
    name: String,
    test: Test<PropertyTest>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct PropertyTest {
    range: Option<TimeRange>,
    text: Option<TextMatch>,
    parameters: Vec<ParameterFilter>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct ParameterFilter {
    name: String,
    test: Test<Option<TextMatch>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct TextMatch {
    /// In lower case, if case does not count.
    needle: String,
    collation: Collation,
    /// What is found must not be there.
    negated: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Collation {
    Octet,
    AsciiCasemap,
}

impl Filter {
    /// Reads a `C:filter`.
    pub fn read(element: &Element) -> Result<Self, FilterError> {
        Ok(Self(read::root(element)?))
    }

    /// Whether an object matches, as far as it can be told from its [`Extent`]; `None`: by the object itself.
    pub fn decided_by(&self, extent: &Extent) -> Option<bool> {
        let Test::Has(test) = &self.0.test else {
            return Some(false);
        };
        let parts = test.components.iter().map(|it| it.decided_by(extent));
        let mut decided = test.properties.is_empty().then_some(true);
        for part in parts {
            match part {
                Some(false) => return Some(false),
                Some(true) => {}
                None => decided = None,
            }
        }
        decided
    }

    /// Whether an object matches; dates and floating times are in `own`.
    pub fn matches(&self, calendar: &Calendar, own: &TimeZone) -> bool {
        let objects = Objects {
            calendar,
            zones: Zones::of(calendar, own.clone()),
        };
        match &self.0.test {
            Test::IsNotDefined => false,
            Test::Has(test) => objects.has(calendar.root(), test),
        }
    }
}

impl ComponentFilter {
    fn decided_by(&self, extent: &Extent) -> Option<bool> {
        let Test::Has(test) = &self.test else {
            return None;
        };
        if !TIMED.contains(&&*self.name) || extent.component().is_empty() {
            return None;
        }
        if self.name != extent.component() {
            return Some(false);
        }
        let in_range = test.range.map_or(Some(true), |it| extent.overlaps(it));
        let is_all = test.properties.is_empty() && test.components.is_empty();
        in_range.filter(|in_range| is_all || !in_range)
    }
}

impl PropertyFilter {
    fn matches(&self, component: &Component, objects: &Objects<'_>) -> bool {
        let mut all = component.all(&self.name);
        match &self.test {
            Test::IsNotDefined => all.next().is_none(),
            Test::Has(test) => all.any(|property| test.matches(property, objects)),
        }
    }
}

impl PropertyTest {
    fn matches(&self, property: &Property, objects: &Objects<'_>) -> bool {
        let in_range = |range| {
            let at = objects.instant(property);
            at.is_some_and(|at| contains(range, at))
        };
        let text = |text: &TextMatch| text.matches(&property.to_text());
        self.range.is_none_or(in_range)
            && self.text.as_ref().is_none_or(text)
            && self.parameters.iter().all(|it| it.matches(property))
    }
}

impl ParameterFilter {
    fn matches(&self, property: &Property) -> bool {
        let mut all = property.params.iter();
        let found = all.find(|it| it.name.eq_ignore_ascii_case(&self.name));
        match (&self.test, found) {
            (Test::IsNotDefined, found) => found.is_none(),
            (Test::Has(_), None) => false,
            (Test::Has(None), Some(_)) => true,
            (Test::Has(Some(text)), Some(found)) => found.values.iter().any(|it| text.matches(it)),
        }
    }
}

impl TextMatch {
    fn matches(&self, text: &str) -> bool {
        let found = match self.collation {
            Collation::Octet => text.contains(&self.needle),
            Collation::AsciiCasemap => text.to_ascii_lowercase().contains(&self.needle),
        };
        found != self.negated
    }
}

/// What a filter is asked about.
struct Objects<'c> {
    calendar: &'c Calendar,
    zones: Zones<'c>,
}

impl Objects<'_> {
    fn has(&self, component: &Component, test: &ComponentTest) -> bool {
        test.properties.iter().all(|it| it.matches(component, self))
            && (test.components.iter()).all(|it| self.matches(component, it))
    }

    fn matches(&self, parent: &Component, filter: &ComponentFilter) -> bool {
        let mut inner = parent.components.iter().filter(|it| it.is(&filter.name));
        let test = match &filter.test {
            Test::IsNotDefined => return inner.next().is_none(),
            Test::Has(test) => test,
        };
        let Some(range) = test.range else {
            return inner.any(|it| self.has(it, test));
        };
        if filter.name == ALARM {
            return inner.any(|it| alarms::goes_off(it, parent, range, self) && self.has(it, test));
        }
        let limits = Limits {
            work: WORK,
            ..Limits::default()
        };
        let own = self.zones.own();
        let Ok(found) = instances(self.calendar, &filter.name, &own, range, &limits) else {
            return inner.any(|it| match dateless(it, range, self) {
                Some(matches) => matches && self.has(it, test),
                None => self.has(it, test),
            });
        };
        inner.any(|it| {
            let is_in_range = || found.iter().any(|at| std::ptr::eq(at.component, it));
            dateless(it, range, self).unwrap_or_else(is_in_range) && self.has(it, test)
        })
    }

    /// When a property says it is.
    fn instant(&self, property: &Property) -> Option<Timestamp> {
        let when = When::of(property).ok()?;
        let zone = match &when.clock {
            Clock::Utc => TimeZone::UTC,
            Clock::Date | Clock::Floating => self.zones.own(),
            Clock::Zone(id) => self.zones.get(id).ok()?,
        };
        let at = zone.to_ambiguous_timestamp(when.wall).compatible();
        at.ok()
    }
}

/// Whether a component without a time of its own matches, as RFC 4791 §9.9 has it; `None`: it has one.
fn dateless(component: &Component, range: TimeRange, objects: &Objects<'_>) -> Option<bool> {
    if component.get("DTSTART").is_some() {
        return None;
    }
    if component.is("VTODO") && component.get("DUE").is_none() {
        let at = |name| objects.instant(component.get(name)?);
        return Some(match (at("CREATED"), at("COMPLETED")) {
            (None, None) => true,
            (Some(created), None) => created <= range.end(),
            (None, Some(completed)) => contains(range, completed),
            (Some(created), Some(completed)) => {
                let (first, last) = (created.min(completed), created.max(completed));
                first <= range.end() && last >= range.start()
            }
        });
    }
    component.is("VJOURNAL").then_some(false)
}

fn contains(range: TimeRange, at: Timestamp) -> bool {
    range.start() <= at && at < range.end()
}
