//! Zones of several calendars side by side, so that each name stands for one zone.
//!
//! Programs describe zones under names of their own choice: two different ones are both called `Customized Time Zone`,
//! and next year's `Europe/Berlin` may have other rules. What meets such a name that is taken gets the first free one of
//! `NAME 2`, `NAME 3`, …, or the one of them that has its rules already. A new name is never one that is known everywhere.

use super::{
    Meaning, Zones, by_name, equivalence,
    span::{Span, used},
    tzid::{key, name_of},
    vtimezone::vtimezone,
};
use crate::tree::{Calendar, Component, Property};
use jiff::tz::TimeZone;
use std::collections::{BTreeSet, HashMap, HashSet};

/// The names that are taken, and what they stand for.
///
/// ```
/// use convoke_calendar::{tree::{Calendar, Limits}, zone::ZoneTable};
///
/// let object = |offset: &str| format!("BEGIN:VCALENDAR\nBEGIN:VTIMEZONE\nTZID:Mine\nBEGIN:STANDARD\n\
///     DTSTART:19700101T000000\nTZOFFSETFROM:{offset}\nTZOFFSETTO:{offset}\nEND:STANDARD\nEND:VTIMEZONE\n\
///     BEGIN:VEVENT\nUID:1\nDTSTART;TZID=Mine:20270104T100000\nEND:VEVENT\nEND:VCALENDAR\n");
/// let read = |text: String| Calendar::parse(text.as_bytes(), &Limits::default());
/// let mut table = ZoneTable::new();
/// let east = table.add(read(object("+0100"))?);
/// let west = table.add(read(object("-0500"))?);
/// let start = |components: &[convoke_calendar::tree::Component]| {
///     let event = components.iter().find(|it| it.is("VEVENT"));
///     event.and_then(|it| it.get("DTSTART")?.param("TZID").map(str::to_owned))
/// };
/// assert_eq!(start(&east).as_deref(), Some("Mine"));
/// assert_eq!(start(&west).as_deref(), Some("Mine 2"));
/// # Ok::<(), convoke_calendar::tree::ParseError>(())
/// ```
#[derive(Debug, Default)]
pub struct ZoneTable {
    entries: HashMap<String, Entry>,
    /// Which `NAME 2`, `NAME 3`, … there are of a name.
    numbers: HashMap<String, BTreeSet<u64>>,
}

#[derive(Debug)]
struct Entry {
    name: String,
    description: Option<Component>,
    /// `None` if nobody knows it.
    zone: Option<TimeZone>,
    /// The times in it so far.
    span: Option<Span>,
}

/// A zone got another name, as its own stands for another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Given {
    pub was: String,
    pub is: String,
    /// The old name as times have it.
    pub id: String,
}

/// What is to be done with a calendar to have it beside those of a table.
#[derive(Debug, Default)]
pub(crate) struct Placed {
    /// TZIDs as they are written, and what is to be written.
    names: HashMap<String, String>,
    /// The VTIMEZONEs that are new in the table, as they are to be written.
    zones: Vec<Component>,
    pub given: Vec<Given>,
}

impl Placed {
    /// Renames what is to be renamed, and leaves the VTIMEZONEs that are new.
    pub(crate) fn apply(&self, root: &mut Component) {
        rename(root, &self.names);
        root.components.retain(|it| !it.is("VTIMEZONE"));
        root.components.splice(0..0, self.zones.iter().cloned());
    }
}

/// Writes other names into the TZIDs of times.
pub(crate) fn rename(component: &mut Component, names: &HashMap<String, String>) {
    if names.is_empty() {
        return;
    }
    for line in &mut component.properties {
        if let Some(name) = line.param("TZID").and_then(|id| names.get(id)) {
            line.set_param("TZID", name);
        }
    }
    for inner in &mut component.components {
        rename(inner, names);
    }
}

/// A VTIMEZONE under a name, without comments: it has none (RFC 5545 §3.6.5), and others are not to read what somebody left there.
pub(crate) fn named(zone: &Component, name: &str) -> Component {
    let mut zone = zone.clone();
    zone.remove("COMMENT");
    if zone.get("TZID").is_none_or(|id| id.to_text() != name) {
        zone.set(Property::text("TZID", name));
    }
    zone
}

/// TZIDs that match nothing and so mean the only VTIMEZONE, with its name.
pub(crate) fn pins(calendar: &Calendar) -> HashMap<String, String> {
    let zones = Zones::of(calendar, TimeZone::UTC);
    let used = used(&calendar.root().components);
    let pins = used.into_keys().filter_map(|id| {
        let name = name_of(zones.description(id)?);
        (key(&name) != key(id)).then(|| (id.to_owned(), name.into_owned()))
    });
    pins.collect()
}

/// A VTIMEZONE that times are read by.
struct Described<'c> {
    component: &'c Component,
    ids: Vec<&'c str>,
    meaning: Option<Meaning<'c>>,
    span: Option<Span>,
}

impl Described<'_> {
    fn zone(&self) -> Option<&TimeZone> {
        match self.meaning.as_ref()? {
            Meaning::Described(_, zone) | Meaning::Named(zone) => Some(zone),
            Meaning::Unknown => None,
        }
    }

    /// What it says, under another name; without its own it says no more than it says.
    fn under(&self, name: &str) -> Component {
        match (&self.meaning, self.span) {
            (Some(Meaning::Named(zone)), Some(span))
                if key(name) != key(&name_of(self.component)) =>
            {
                vtimezone(name, zone, span.begin(), span.end())
            }
            _ => named(self.component, name),
        }
    }
}

fn merged(one: Option<Span>, other: Option<Span>) -> Option<Span> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.and(other)),
        (one, other) => one.or(other),
    }
}

/// The TZIDs of a calendar that have a VTIMEZONE, in the order of these, and those that have none.
fn taken_apart<'c>(
    calendar: &'c Calendar,
    zones: &Zones<'c>,
) -> (Vec<Described<'c>>, Vec<(&'c str, Option<Span>)>) {
    let mut described: Vec<_> = calendar
        .zones()
        .map(|component| Described {
            component,
            ids: Vec::new(),
            meaning: None,
            span: None,
        })
        .collect();
    let places = described.iter().enumerate();
    let places: HashMap<*const Component, usize> = places
        .map(|(at, it)| (std::ptr::from_ref(it.component), at))
        .collect();
    let mut others = Vec::new();
    for (id, span) in used(&calendar.root().components) {
        let place = zones.description(id).map(std::ptr::from_ref);
        match place.and_then(|it| places.get(&it)) {
            Some(at) => {
                let known = &mut described[*at];
                known.ids.push(id);
                known.span = merged(known.span, span);
                if known.meaning.is_none() {
                    known.meaning = zones.meaning(id).ok();
                }
            }
            None => others.push((id, span)),
        }
    }
    (described, others)
}

impl ZoneTable {
    /// A table without names.
    pub fn new() -> Self {
        Self::default()
    }

    /// The names of one calendar. What nobody knows is `unknown`, or not taken.
    pub(crate) fn of(calendar: &Calendar, unknown: Option<&TimeZone>) -> Self {
        let zones = Zones::of(calendar, TimeZone::UTC);
        let (described, others) = taken_apart(calendar, &zones);
        let mut table = Self::new();
        for it in described {
            let name = name_of(it.component).into_owned();
            let entry = Entry {
                description: Some(it.component.clone()),
                zone: it.zone().cloned(),
                span: it.span,
                name,
            };
            if !table.entries.contains_key(&key(&entry.name)) {
                table.insert(entry);
            }
        }
        for (id, span) in others {
            let zone = zones.known(id).ok().flatten();
            let Some(zone) = zone.or_else(|| unknown.cloned()) else {
                continue;
            };
            if let Some(entry) = table.entries.get_mut(&key(id)) {
                entry.span = merged(entry.span, span);
                continue;
            }
            table.insert(Entry {
                name: id.trim().to_owned(),
                description: None,
                zone: Some(zone),
                span,
            });
        }
        table
    }

    /// Puts a calendar of the same object beside those that are here: a TZID that it does not describe means what they
    /// say, and zones that it does not use are left out.
    pub(crate) fn place(&mut self, calendar: &Calendar) -> Placed {
        let zones = Zones::of(calendar, TimeZone::UTC);
        let (described, _) = taken_apart(calendar, &zones);
        let used = described.iter().filter(|it| !it.ids.is_empty());
        let mut placed = Placed::default();
        self.place_described(used, &reserved(calendar), &mut placed);
        placed
    }

    /// The components of one more calendar that is to stand in one with those before: its VTIMEZONEs as far as they are
    /// new, then what uses them.
    pub fn add(&mut self, mut calendar: Calendar) -> Vec<Component> {
        let mut placed = Placed::default();
        {
            let zones = Zones::of(&calendar, TimeZone::UTC);
            let (described, others) = taken_apart(&calendar, &zones);
            let reserved = reserved(&calendar);
            self.place_described(described.iter(), &reserved, &mut placed);
            for (id, span) in others {
                let zone = zones.known(id).ok().flatten();
                self.place_undescribed(id, zone, span, &reserved, &mut placed);
            }
        }
        placed.apply(calendar.root_mut());
        std::mem::take(&mut calendar.root_mut().components)
    }

    fn place_described<'d, 'c: 'd>(
        &mut self,
        described: impl Iterator<Item = &'d Described<'c>>,
        reserved: &HashSet<String>,
        placed: &mut Placed,
    ) {
        for it in described {
            let wanted = name_of(it.component);
            let name = self.name_for(it, &wanted, reserved, placed);
            for id in &it.ids {
                if key(id) != key(&name) {
                    placed.names.insert((*id).to_owned(), name.clone());
                }
            }
            if key(&name) != key(&wanted) {
                placed.given.push(Given {
                    id: it.ids.first().map_or(&*wanted, |id| *id).to_owned(),
                    was: wanted.into_owned(),
                    is: name,
                });
            }
        }
    }

    /// The name of a zone here; what is new is written down.
    fn name_for(
        &mut self,
        zone: &Described,
        wanted: &str,
        reserved: &HashSet<String>,
        placed: &mut Placed,
    ) -> String {
        let mut before = None;
        let mut name = wanted.to_owned();
        if self.entries.contains_key(&key(wanted)) {
            let known = self.names(wanted).find_map(|name| {
                let entry = self.entries.get(&key(&name))?;
                let same = entry.is(zone);
                (same != Same::No).then_some((name, same, entry.span))
            });
            name = match known {
                Some((known, same, span)) => {
                    if same == Same::Described {
                        return self.also(&known, zone.span);
                    }
                    before = span;
                    known
                }
                None => self.free_name(wanted, reserved),
            };
        }
        let description = zone.under(&name);
        placed.zones.push(description.clone());
        self.insert(Entry {
            name: name.clone(),
            description: Some(description),
            zone: zone.zone().cloned(),
            span: merged(before, zone.span),
        });
        name
    }

    /// Notes that a name is also used at these times; gives it as it is written here.
    fn also(&mut self, name: &str, span: Option<Span>) -> String {
        let Some(entry) = self.entries.get_mut(&key(name)) else {
            return name.to_owned();
        };
        entry.span = merged(entry.span, span);
        entry.name.clone()
    }

    fn insert(&mut self, entry: Entry) {
        let key = key(&entry.name);
        let number = key.rsplit_once(' ').and_then(|(name, number)| {
            let number = number.parse().ok().filter(|number| *number > 1)?;
            Some((name.to_owned(), number))
        });
        if let Some((name, number)) = number {
            self.numbers.entry(name).or_default().insert(number);
        }
        self.entries.insert(key, entry);
    }

    /// A name, and those given for it that are here.
    fn names<'n>(&self, name: &'n str) -> impl Iterator<Item = String> + use<'_, 'n> {
        let numbers = self.numbers.get(&key(name)).into_iter().flatten();
        let others = numbers.map(move |number| format!("{name} {number}"));
        std::iter::once(name.to_owned()).chain(others)
    }

    /// The first name given for a name that nobody has.
    fn free_name(&self, name: &str, reserved: &HashSet<String>) -> String {
        let taken = self.numbers.get(&key(name));
        let mut free = (2u64..)
            .filter(|number| taken.is_none_or(|taken| !taken.contains(number)))
            .map(|number| format!("{name} {number}"))
            .filter(|name| !reserved.contains(&key(name)) && by_name(name).is_none());
        free.next().unwrap_or_default() // there is always one more number
    }

    /// A name that has no VTIMEZONE means here what it means alone.
    fn place_undescribed(
        &mut self,
        id: &str,
        zone: Option<TimeZone>,
        span: Option<Span>,
        reserved: &HashSet<String>,
        placed: &mut Placed,
    ) {
        let wanted = id.trim();
        let same = |entry: &Entry| match (&entry.zone, &zone) {
            (Some(known), Some(zone)) => equivalence::in_span(known, zone, span),
            (None, None) => entry.description.is_none(),
            _ => false,
        };
        let known = self.names(wanted).find(|name| {
            let entry = self.entries.get(&key(name));
            entry.is_some_and(same)
        });
        let name = if let Some(known) = known {
            self.also(&known, span);
            known
        } else {
            let is_taken = self.entries.contains_key(&key(wanted));
            let name = if is_taken {
                self.free_name(wanted, reserved)
            } else {
                wanted.to_owned()
            };
            let description = zone.as_ref().zip(span).filter(|_| is_taken);
            let description =
                description.map(|(zone, span)| vtimezone(&name, zone, span.begin(), span.end()));
            placed.zones.extend(description.clone());
            self.insert(Entry {
                name: name.clone(),
                description,
                zone,
                span,
            });
            name
        };
        if name != wanted {
            placed.names.insert(id.to_owned(), name);
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Same {
    Described,
    Undescribed,
    No,
}

impl Entry {
    /// Whether times in another zone are the same in this one.
    fn is(&self, other: &Described) -> Same {
        let agree = |span| {
            let zones = self.zone.as_ref().zip(other.zone());
            zones.is_some_and(|(one, other)| equivalence::in_span(one, other, span))
        };
        match &self.description {
            Some(known) if equivalence::same_rules(known, other.component) || agree(other.span) => {
                Same::Described
            }
            None if agree(other.span) && agree(self.span) => Same::Undescribed,
            _ => Same::No,
        }
    }
}

/// Names of VTIMEZONEs and TZIDs of a calendar: none is given to another.
fn reserved(calendar: &Calendar) -> HashSet<String> {
    let described = calendar.zones().map(|zone| key(&name_of(zone)));
    let used = used(&calendar.root().components);
    described.chain(used.into_keys().map(key)).collect()
}
