//! A stored object taken apart into what iTIP speaks of: the whole, its changed instances, and the rest.

use super::instance::InstanceKey;
use crate::message::{Kind, Message};
use crate::tree::{Calendar, Component, Property};
use std::collections::BTreeMap;

/// One object: components of one kind and UID.
#[derive(Clone, Debug)]
pub(super) struct Object {
    /// The VCALENDAR without the components below: its properties, time zones, unknown components.
    shell: Calendar,
    /// The component without RECURRENCE-ID. An object that holds invitations to single instances has none.
    pub master: Option<Component>,
    /// Overridden instances.
    pub instances: BTreeMap<InstanceKey, Component>,
}

impl Object {
    /// Takes an object apart; `None` if it is neither event nor to-do.
    pub(super) fn of(calendar: &Calendar) -> Option<Self> {
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
            shell,
            master: None,
            instances: BTreeMap::new(),
        };
        for component in components {
            if component.is(kind.as_str()) {
                object.take(component);
            } else {
                object.shell.root_mut().components.push(component);
            }
        }
        Some(object)
    }

    /// The object that a message makes where there is none yet: METHOD is the message's, not the object's.
    pub(super) fn from_message(message: &Message) -> Option<Self> {
        let mut object = Self::of(message.calendar())?;
        object.shell.root_mut().remove("METHOD");
        Some(object)
    }

    fn take(&mut self, component: Component) {
        match InstanceKey::of(&component) {
            Some(key) => {
                self.instances.insert(key, component);
            }
            None => self.master = Some(component),
        }
    }

    /// Whether it is of a kind.
    pub(super) fn is_kind(&self, kind: Kind) -> bool {
        self.leading()
            .is_some_and(|component| component.is(kind.as_str()))
    }

    /// Every component: the whole first.
    pub(super) fn components(&self) -> impl Iterator<Item = &Component> {
        self.master.iter().chain(self.instances.values())
    }

    /// Every component, to change it.
    pub(super) fn components_mut(&mut self) -> impl Iterator<Item = &mut Component> {
        self.master.iter_mut().chain(self.instances.values_mut())
    }

    /// The component that speaks for the object: the whole, else its first instance.
    pub(super) fn leading(&self) -> Option<&Component> {
        self.components().next()
    }

    /// About how many bytes it takes to write out this many instances of the series (and those that are there).
    pub(super) fn weight_of_instances(&self, more: usize) -> usize {
        let series = self.master.as_ref().map_or(0, weight);
        series.saturating_mul(self.instances.len().saturating_add(more))
    }

    /// Takes over the time zones of another calendar, which its components need.
    pub(super) fn adopt_zones(&mut self, from: &Calendar) {
        let root = self.shell.root_mut();
        for zone in from.zones() {
            let id = zone.value("TZID");
            let known = root
                .components
                .iter_mut()
                .find(|it| it.is("VTIMEZONE") && it.value("TZID") == id);
            match known {
                Some(known) => zone.clone_into(known),
                None => root.components.push(zone.clone()),
            }
        }
    }

    /// Puts the object together again.
    pub(super) fn into_calendar(self) -> Calendar {
        let Self {
            mut shell,
            master,
            instances,
        } = self;
        shell
            .root_mut()
            .components
            .extend(master.into_iter().chain(instances.into_values()));
        shell
    }
}

fn weight(component: &Component) -> usize {
    let line = |line: &Property| {
        let params = line
            .params
            .iter()
            .flat_map(|param| &param.values)
            .map(String::len);
        line.name.len() + line.value.len() + params.sum::<usize>()
    };
    component.properties.iter().map(line).sum::<usize>()
        + component.components.iter().map(weight).sum::<usize>()
}

/// Whether two calendars mean the same: the order of properties and components does not count.
pub(super) fn same(one: &Calendar, other: &Calendar) -> bool {
    sorted(one.root()) == sorted(other.root())
}

/// Whether two components mean the same.
pub(super) fn same_component(one: &Component, other: &Component) -> bool {
    sorted(one) == sorted(other)
}

fn sorted(component: &Component) -> String {
    let mut lines: Vec<String> = component
        .properties
        .iter()
        .map(|line| {
            let mut params: Vec<String> = line
                .params
                .iter()
                .map(|param| format!("{}={:?}", param.name.to_ascii_uppercase(), param.values))
                .collect();
            params.sort();
            format!(
                "{};{params:?}:{:?}",
                line.name.to_ascii_uppercase(),
                line.value
            )
        })
        .collect();
    lines.sort();
    let mut inner: Vec<String> = component.components.iter().map(sorted).collect();
    inner.sort();
    format!("{}{lines:?}{inner:?}", component.name.to_ascii_uppercase())
}
