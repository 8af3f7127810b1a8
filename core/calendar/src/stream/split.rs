//! Splitting a stream into one object for each UID, for an import.

use crate::tree::{Component, Limits, ParseError, is_object, parse};
use crate::zone::{Descriptions, by_name, name_of, used};
use std::{
    borrow::Cow,
    collections::{BTreeSet, HashMap, HashSet},
    ops::Range,
};

pub(super) fn by_uid(mut root: Component) -> Vec<Component> {
    root.remove("METHOD");
    let (objects, others): (Vec<_>, Vec<_>) = std::mem::take(&mut root.components)
        .into_iter()
        .partition(is_object);
    root.components = others;
    let zones = ZonesOfFile::of(&root, used(&objects).into_keys());
    let mut groups = Groups::default();
    for object in objects {
        let uid = object.uid_text().map(Cow::into_owned);
        groups.of(uid.as_deref()).push(object);
    }
    let groups = groups.groups.into_iter().enumerate();
    groups
        .map(|(number, group)| piece(&root, &zones, group, number == 0))
        .collect()
}

/// The same, one after the other out of the octets of calendars.
#[derive(Debug)]
pub(super) struct Pieces<'a> {
    octets: &'a [u8],
    /// VCALENDARs without their objects.
    roots: Vec<(Component, ZonesOfFile)>,
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
        let mut names: Vec<HashSet<String>> = Vec::new();
        let roots = parse::all(octets, limits, |calendar, component, octets| {
            groups.resize_with(groups.len().max(calendar + 1), Groups::default);
            names.resize_with(groups.len(), HashSet::new);
            if !is_object(&component) {
                return Some(component);
            }
            for id in used([&component]).into_keys() {
                if !names[calendar].contains(id) {
                    names[calendar].insert(id.to_owned());
                }
            }
            groups[calendar]
                .of(component.uid_text().as_deref())
                .push(octets);
            None
        })?;
        names.resize_with(roots.len(), HashSet::new);
        let roots = roots.into_iter().zip(names).map(|(mut root, names)| {
            root.remove("METHOD");
            let zones = ZonesOfFile::of(&root, names.iter().map(String::as_str));
            (root, zones)
        });
        let roots = roots.collect();
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
        let (root, zones) = &self.roots[piece.root];
        Some(self::piece(root, zones, components, piece.is_first))
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

/// The VTIMEZONEs of a VCALENDAR by their places among its components.
#[derive(Debug)]
struct ZonesOfFile {
    descriptions: Descriptions<'static, usize>,
    /// The only one, if no time in the file names it: then it is that of a TZID that matches nothing.
    nameless: Option<usize>,
}

impl ZonesOfFile {
    fn of<'n>(root: &Component, mut names: impl Iterator<Item = &'n str>) -> Self {
        let zones = root.components.iter().enumerate();
        let zones = zones.filter(|(_, it)| it.is("VTIMEZONE"));
        let zones = zones.map(|(at, it)| (Cow::Owned(name_of(it).into_owned()), at));
        let descriptions = Descriptions::of(zones);
        let only = descriptions.only();
        let nameless = only.filter(|_| names.all(|id| descriptions.get(id).is_none()));
        Self {
            descriptions,
            nameless,
        }
    }

    /// Where the one stands that a TZID means.
    fn find(&self, id: &str) -> Option<usize> {
        let described = self.descriptions.get(id);
        described.or_else(|| self.nameless.filter(|_| by_name(id).is_none()))
    }
}

/// The components as a calendar with what they need of `root`, and with what belongs to none; `names` are the TZIDs
/// in the whole VCALENDAR.
pub(crate) fn object<'n>(
    root: &Component,
    names: impl Iterator<Item = &'n str>,
    components: Vec<Component>,
) -> Component {
    piece(root, &ZonesOfFile::of(root, names), components, true)
}

/// The components as a calendar with what they need of `root`; the first also gets what belongs to none.
fn piece(
    root: &Component,
    zones: &ZonesOfFile,
    components: Vec<Component>,
    is_first: bool,
) -> Component {
    let needed = used(&components).into_keys();
    let needed: BTreeSet<usize> = needed.filter_map(|id| zones.find(id)).collect();
    let mut calendar = Component::new(root.name.clone());
    calendar.properties.clone_from(&root.properties);
    let zones = needed.iter().map(|at| root.components[*at].clone());
    calendar.components.extend(zones);
    calendar.components.extend(components);
    if is_first {
        let others = root.components.iter().filter(|it| !it.is("VTIMEZONE"));
        calendar.components.extend(others.cloned());
    }
    calendar
}
