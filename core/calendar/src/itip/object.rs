//! A stored object as iTIP sees it: the series or single component, its overridden instances, and everything else.

use super::instance::{Range, bare_date, derive, derive_after, in_form_of};
use super::personal::LEFT_OUT;
use super::revision::{Revision, forget_impossible};
use super::zone_alignment::adopt;
use crate::instance::InstanceKey;
use crate::message::{Kind, Message};
use crate::tree::{Calendar, Component, Property};
use crate::zone::Zones;
use jiff::Timestamp;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// The most bytes that an object may grow to by instances that a message makes of its series. What is stored by its owner
/// may be larger.
pub(super) const MAX_WEIGHT: usize = 16 << 20;

/// One object: components of one kind and UID.
#[derive(Clone, Debug)]
pub(super) struct Object<'c> {
    /// In which its times are read.
    pub zones: Rc<Zones<'c>>,
    /// The VCALENDAR without the components below: its properties, time zones, unknown components.
    shell: Calendar,
    /// The component without RECURRENCE-ID. An object that holds invitations to single instances has none.
    pub master: Option<Component>,
    /// Overridden instances.
    pub instances: BTreeMap<InstanceKey, Component>,
    /// Those of them that held for all later ones too when the object was taken apart.
    futures: BTreeSet<InstanceKey>,
}

impl<'c> Object<'c> {
    /// Takes an object apart; `None` if it is neither event nor to-do.
    pub(super) fn of(calendar: &Calendar, zones: &Rc<Zones<'c>>) -> Option<Self> {
        let kind = [Kind::Event, Kind::Todo].into_iter().find(|kind| {
            calendar
                .root()
                .components
                .iter()
                .any(|component| component.is(kind.as_str()))
        })?;
        let mut shell = calendar.clone();
        let components = std::mem::take(&mut shell.root_mut().components);
        let mut object = Self {
            zones: zones.clone(),
            shell,
            master: None,
            instances: BTreeMap::new(),
            futures: BTreeSet::new(),
        };
        let mut instances = Vec::new();
        for component in components {
            if !component.is(kind.as_str()) {
                object.shell.root_mut().components.push(component);
            } else if component.get("RECURRENCE-ID").is_some() {
                instances.push(component);
            } else if object
                .master
                .as_ref()
                .is_none_or(|known| Revision::of(known) <= Revision::of(&component))
            {
                object.master = Some(component);
            }
        }
        object.instances = object.named(instances);
        let futures = object.instances.iter();
        let futures = futures.filter(|(_, it)| Range::of(it) == Range::ThisAndFuture);
        object.futures = futures.map(|(key, _)| key.clone()).collect();
        Some(object)
    }

    /// The same without versions that cannot be (see [`forget_impossible`]).
    pub(super) fn with_possible_versions(mut self, now: Timestamp) -> Self {
        let parts = self.components_mut();
        parts.for_each(|component| forget_impossible(component, now));
        self
    }

    /// Instances by their names, which are read as those of instances of the series.
    fn named(
        &self,
        instances: impl IntoIterator<Item = Component>,
    ) -> BTreeMap<InstanceKey, Component> {
        let named = |it: Component| Some((self.part(&it)?, it));
        instances.into_iter().filter_map(named).collect()
    }

    /// The same with its instances named as those of the series of `other`.
    pub(super) fn named_as_in(mut self, other: &Self) -> Self {
        let instances = std::mem::take(&mut self.instances);
        self.instances = other.named(instances.into_values());
        self
    }

    /// The object that a message makes where there is none yet: METHOD is the message's, not the object's.
    pub(super) fn from_message(message: &Message, zones: &Rc<Zones<'c>>) -> Option<Self> {
        let mut object = Self::of(message.calendar(), zones)?;
        object.shell.root_mut().remove("METHOD");
        Some(object)
    }

    /// The instance that a date names.
    pub(super) fn key(&self, id: &Property) -> InstanceKey {
        let start = self.master.as_ref().and_then(|it| it.get("DTSTART"));
        let start = start.map(|start| bare_date(start, &start.value));
        let id = bare_date(id, &id.value);
        InstanceKey::of_property(&in_form_of(&id, start.as_ref(), &self.zones), &self.zones)
    }

    /// The instance that a component is about; `None` if it is about the whole.
    pub(super) fn part(&self, component: &Component) -> Option<InstanceKey> {
        component.get("RECURRENCE-ID").map(|id| self.key(id))
    }

    /// The instance `id` as the series implies it, whether it has such an instance or not; `None` without a series.
    pub(super) fn implied(&self, id: &Property) -> Option<Component> {
        let master = self.master.as_ref()?;
        let future = self.future_before(id);
        let start = master.get("DTSTART");
        future
            .and_then(|future| derive_after(future, start, id, &self.zones))
            .or_else(|| Some(derive(master, id, &self.zones)))
    }

    /// The component that implies the instance `id`.
    pub(super) fn implied_from(&self, id: &Property) -> Option<&Component> {
        self.future_before(id).or(self.master.as_ref())
    }

    fn future_before(&self, id: &Property) -> Option<&Component> {
        let future = self.futures.range(..self.key(id)).next_back();
        future.and_then(|key| self.instances.get(key))
    }

    /// Takes instances out of EXDATE: they take place after all.
    pub(super) fn readmit(&mut self, readmitted: &BTreeSet<InstanceKey>) {
        let zones = self.zones.clone();
        let start = self.master.as_ref().and_then(|it| it.get("DTSTART"));
        let start = start.map(|start| bare_date(start, &start.value));
        let Some(master) = self.master.as_mut().filter(|_| !readmitted.is_empty()) else {
            return;
        };
        let key = |date: &Property| {
            InstanceKey::of_property(&in_form_of(date, start.as_ref(), &zones), &zones)
        };
        retain_dates(master, "EXDATE", |date| !readmitted.contains(&key(date)));
    }

    /// Takes instances out of what its attendee has left out itself: there is something new about them.
    pub(super) fn take_in(&mut self, instances: &BTreeSet<InstanceKey>) {
        let own = self.left_out_by_attendee();
        let back: BTreeSet<InstanceKey> = own.intersection(instances).cloned().collect();
        self.readmit(&back);
    }

    /// The instances that its attendee has left out itself, as far as that is remembered.
    pub(super) fn left_out_by_attendee(&self) -> BTreeSet<InstanceKey> {
        let lines = self.master.iter().flat_map(|it| it.all("EXDATE"));
        let own = lines.filter(|line| line.param(LEFT_OUT).is_some());
        own.map(|line| self.key(line)).collect()
    }

    /// A component as this version of the object has it: itself, or what the series implies.
    pub(super) fn version_of(&self, component: &Component) -> Option<Component> {
        let Some(id) = component.get("RECURRENCE-ID") else {
            return self.master.clone();
        };
        let known = self.instances.get(&self.key(id)).cloned();
        known.or_else(|| self.implied(id))
    }

    /// Whether it is of a kind.
    pub(super) fn is_kind(&self, kind: Kind) -> bool {
        self.leading()
            .is_some_and(|component| component.is(kind.as_str()))
    }

    /// The kind of its components.
    pub(super) fn kind(&self) -> Kind {
        match self.leading() {
            Some(leading) if leading.is("VTODO") => Kind::Todo,
            _ => Kind::Event,
        }
    }

    /// Every component: the whole first.
    pub(super) fn components(&self) -> impl Iterator<Item = &Component> {
        self.master.iter().chain(self.instances.values())
    }

    /// Every component with the part that it is: the whole (`None`) first.
    pub(super) fn parts(&self) -> impl Iterator<Item = (Option<InstanceKey>, &Component)> {
        let instances = self.instances.iter();
        let instances = instances.map(|(key, component)| (Some(key.clone()), component));
        self.master.iter().map(|it| (None, it)).chain(instances)
    }

    /// Every component, to change it.
    pub(super) fn components_mut(&mut self) -> impl Iterator<Item = &mut Component> {
        self.master.iter_mut().chain(self.instances.values_mut())
    }

    /// The component that speaks for the object: the whole, else its first instance.
    pub(super) fn leading(&self) -> Option<&Component> {
        self.components().next()
    }

    /// Whether the object becomes larger than it may when the instances are written out that `components` speak of.
    pub(super) fn outgrows_with<'m>(
        &self,
        components: impl Iterator<Item = &'m Component>,
    ) -> bool {
        let keys = components.filter_map(|component| self.part(component));
        let new = keys.filter(|key| !self.instances.contains_key(key)).count();
        if new == 0 {
            return false;
        }
        let series = self.master.as_ref().map_or(0, weight);
        let there: usize = self.components().map(weight).sum();
        there.saturating_add(series.saturating_mul(new)) > MAX_WEIGHT
    }

    /// Puts the object together again, with the zones that it uses.
    pub(super) fn into_calendar(self) -> Calendar {
        let Self {
            zones,
            mut shell,
            master,
            instances,
            ..
        } = self;
        shell
            .root_mut()
            .components
            .extend(master.into_iter().chain(instances.into_values()));
        if zones.are_of_several() {
            adopt(&mut shell, &zones);
        }
        shell
    }
}

/// About how many bytes a component takes.
pub(crate) fn weight(component: &Component) -> usize {
    component
        .properties
        .iter()
        .map(Property::weight)
        .sum::<usize>()
        + component.components.iter().map(weight).sum::<usize>()
}

/// Drops dates of a property that holds lists of them, such as RDATE and EXDATE.
pub(super) fn retain_dates(
    component: &mut Component,
    name: &str,
    keep: impl Fn(&Property) -> bool,
) {
    for line in component.properties.iter_mut().filter(|line| line.is(name)) {
        let dates = line.value.split(',').filter(|date| {
            let start = date.split('/').next().unwrap_or_default();
            keep(&bare_date(line, start))
        });
        line.value = dates.collect::<Vec<_>>().join(",");
    }
    component
        .properties
        .retain(|line| !line.is(name) || !line.value.is_empty());
}

/// Whether two calendars mean the same: the order of properties and components does not count.
pub(super) fn same(one: &Calendar, other: &Calendar) -> bool {
    same_component(one.root(), other.root())
}

/// Whether two components mean the same.
pub(super) fn same_component(one: &Component, other: &Component) -> bool {
    Sorted::of(one) == Sorted::of(other)
}

/// What a component says, in an order of our own.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Sorted<'a> {
    name: Cow<'a, str>,
    lines: Vec<SortedLine<'a>>,
    inner: Vec<Sorted<'a>>,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct SortedLine<'a> {
    name: Cow<'a, str>,
    value: &'a str,
    params: Vec<(Cow<'a, str>, &'a [String])>,
}

impl<'a> Sorted<'a> {
    fn of(component: &'a Component) -> Self {
        Self {
            name: upper(&component.name),
            lines: sorted(component.properties.iter().map(SortedLine::of)),
            inner: sorted(component.components.iter().map(Sorted::of)),
        }
    }
}

impl<'a> SortedLine<'a> {
    fn of(line: &'a Property) -> Self {
        let params = line.params.iter();
        Self {
            name: upper(&line.name),
            value: &line.value,
            params: sorted(params.map(|param| (upper(&param.name), param.values.as_slice()))),
        }
    }
}

fn sorted<T: Ord>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut items: Vec<T> = items.collect();
    items.sort_unstable();
    items
}

fn upper(name: &str) -> Cow<'_, str> {
    if name.bytes().any(|byte| byte.is_ascii_lowercase()) {
        name.to_ascii_uppercase().into()
    } else {
        name.into()
    }
}
