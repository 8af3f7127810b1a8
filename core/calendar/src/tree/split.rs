//! One object for each UID: what an import makes of a file.

use super::{Component, Limits, ParseError, parse};
use std::{
    collections::{BTreeSet, HashMap},
    ops::Range,
};

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
    let (objects, others): (Vec<_>, Vec<_>) = std::mem::take(&mut root.components)
        .into_iter()
        .partition(is_object);
    root.components = others;
    let mut groups = Groups::default();
    for object in objects {
        groups.of(object.value("UID")).push(object);
    }
    let groups = groups.groups.into_iter().enumerate();
    groups
        .map(|(number, group)| object(&root, group, number == 0))
        .collect()
}

/// The same, one after the other out of the octets of calendars.
#[derive(Debug)]
pub(super) struct Pieces<'a> {
    octets: &'a [u8],
    /// VCALENDARs without their objects.
    roots: Vec<Component>,
    objects: std::vec::IntoIter<Piece>,
}

/// Where the components of an object stand.
#[derive(Debug)]
struct Piece {
    root: usize,
    is_first: bool,
    components: Vec<Range<usize>>,
}

impl<'a> Pieces<'a> {
    pub(super) fn of(octets: &'a [u8], limits: &Limits) -> Result<Self, ParseError> {
        let mut groups: Vec<Groups<Range<usize>>> = Vec::new();
        let mut roots = parse::all(octets, limits, |calendar, component, octets| {
            groups.resize_with(groups.len().max(calendar + 1), Groups::default);
            if !is_object(&component) {
                return Some(component);
            }
            groups[calendar].of(component.value("UID")).push(octets);
            None
        })?;
        for root in &mut roots {
            root.remove("METHOD");
        }
        let pieces = groups.into_iter().enumerate().flat_map(|(root, groups)| {
            let groups = groups.groups.into_iter().enumerate();
            groups.map(move |(number, components)| Piece {
                root,
                is_first: number == 0,
                components,
            })
        });
        let objects = pieces.collect::<Vec<_>>().into_iter();
        Ok(Self {
            octets,
            roots,
            objects,
        })
    }

    pub(super) fn left(&self) -> usize {
        self.objects.len()
    }
}

impl Iterator for Pieces<'_> {
    type Item = Component;

    fn next(&mut self) -> Option<Component> {
        let piece = self.objects.next()?;
        let read = |range: &Range<usize>| parse::piece(&self.octets[range.clone()]);
        let components = piece.components.iter().filter_map(read).collect();
        Some(object(&self.roots[piece.root], components, piece.is_first))
    }
}

/// What belongs to one UID each, in the order of their first appearance; what has none belongs to itself.
#[derive(Debug)]
struct Groups<T> {
    groups: Vec<Vec<T>>,
    of_uid: HashMap<String, usize>,
}

impl<T> Default for Groups<T> {
    fn default() -> Self {
        Self {
            groups: Vec::new(),
            of_uid: HashMap::new(),
        }
    }
}

impl<T> Groups<T> {
    fn of(&mut self, uid: Option<&str>) -> &mut Vec<T> {
        let next = self.groups.len();
        let group = match uid {
            Some(uid) => *self.of_uid.entry(uid.to_owned()).or_insert(next),
            None => next,
        };
        if group == next {
            self.groups.push(Vec::new());
        }
        &mut self.groups[group]
    }
}

fn is_object(component: &Component) -> bool {
    !component.is("VTIMEZONE")
        && (component.get("UID").is_some() || OBJECTS.iter().any(|name| component.is(name)))
}

/// The components as a calendar with what they need of `root`; the first also gets what belongs to none.
fn object(root: &Component, components: Vec<Component>, is_first: bool) -> Component {
    let mut used = BTreeSet::new();
    for component in &components {
        note_zones(component, &mut used);
    }
    let (zones, others): (Vec<_>, Vec<_>) =
        root.components.iter().partition(|it| it.is("VTIMEZONE"));
    let is_used = |zone: &&&Component| zone.value("TZID").is_some_and(|id| used.remove(id));
    let mut calendar = Component::new(root.name.clone());
    calendar.properties.clone_from(&root.properties);
    let zones = zones.iter().filter(is_used).map(|zone| (*zone).clone());
    calendar.components.extend(zones);
    calendar.components.extend(components);
    if is_first {
        calendar.components.extend(others.into_iter().cloned());
    }
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
