//! One object for each UID: what an import makes of a file.

use super::Component;
use std::collections::{BTreeSet, HashMap};

/// Components of iCalendar that are objects of their own.
const OBJECTS: [&str; 6] = [
    "VEVENT",
    "VTODO",
    "VJOURNAL",
    "VFREEBUSY",
    "VAVAILABILITY",
    "VPOLL",
];

pub(super) fn by_uid(mut root: Component) -> Vec<Component> {
    root.remove("METHOD");
    let (zones, components): (Vec<_>, Vec<_>) = std::mem::take(&mut root.components)
        .into_iter()
        .partition(|component| component.is("VTIMEZONE"));
    let (objects, others): (Vec<_>, Vec<_>) = components
        .into_iter()
        .partition(|it| it.get("UID").is_some() || OBJECTS.iter().any(|name| it.is(name)));

    let mut groups: Vec<Vec<Component>> = Vec::new();
    let mut of_uid: HashMap<String, usize> = HashMap::new();
    for component in objects {
        let next = groups.len();
        let group = match component.value("UID") {
            Some(uid) => *of_uid.entry(uid.to_owned()).or_insert(next),
            None => next,
        };
        if group == next {
            groups.push(Vec::new());
        }
        groups[group].push(component);
    }

    let zones: HashMap<&str, &Component> = zones
        .iter()
        .filter_map(|zone| Some((zone.value("TZID")?, zone)))
        .collect();
    let mut calendars: Vec<Component> = groups
        .into_iter()
        .map(|group| with_zones(&root, group, &zones))
        .collect();
    if let Some(first) = calendars.first_mut() {
        first.components.extend(others);
    }
    calendars
}

fn with_zones(
    root: &Component,
    components: Vec<Component>,
    zones: &HashMap<&str, &Component>,
) -> Component {
    let mut used = BTreeSet::new();
    for component in &components {
        note_zones(component, &mut used);
    }
    let used = used.into_iter().filter_map(|id| zones.get(id));
    let mut calendar = root.clone();
    calendar.components = used.map(|zone| (*zone).clone()).collect();
    calendar.components.extend(components);
    calendar
}

fn note_zones<'a>(component: &'a Component, used: &mut BTreeSet<&'a str>) {
    used.extend(
        component
            .properties
            .iter()
            .filter_map(|it| it.param("TZID")),
    );
    for inner in &component.components {
        note_zones(inner, used);
    }
}
