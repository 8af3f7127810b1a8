//! For stores: a file or resource that holds objects of several UIDs, which none should (RFC 4791 §4.1) and many do.
//!
//! Nothing of it is interpreted but where components begin and end, and their UIDs. What belongs to one UID is taken
//! out, exchanged or removed; all the rest stays byte for byte.
//!
//! A file may be broken in places: cut off, without an END, with something behind the last one. The components that are
//! whole are parts like any others then, and what is broken is [told](Parts::broken) and stays where it is.
//!
//! ```
//! use convoke_sdk::parts::Parts;
//!
//! let event = |uid| format!("BEGIN:VEVENT\r\nUID:{uid}\r\nEND:VEVENT\r\n");
//! let file = format!("BEGIN:VCALENDAR\r\n{}{}END:VCALENDAR\r\n", event("a"), event("b"));
//! let parts = Parts::of(file.as_bytes()).expect("there are two");
//! assert_eq!(parts.keys().collect::<Vec<_>>(), ["a", "b"]);
//!
//! let alone = format!("BEGIN:VCALENDAR\r\n{}END:VCALENDAR\r\n", event("b"));
//! assert_eq!(parts.object("b").unwrap(), alone.as_bytes());
//! assert_eq!(parts.without("a").unwrap(), alone.as_bytes());
//! assert!(Parts::of(alone.as_bytes()).is_none(), "one UID is no matter for this");
//! ```

mod lines;
mod read;

use read::Problem;
use std::{
    collections::{HashMap, HashSet},
    fmt,
    ops::Range,
};

/// The parts of a file.
#[derive(Debug)]
pub struct Parts<'a> {
    octets: &'a [u8],
    calendars: Vec<Frame>,
    /// Keys in the order of their first appearance.
    keys: Vec<String>,
    /// What belongs to each: which calendar, and where.
    places: HashMap<String, Vec<(usize, Range<usize>)>>,
    broken: Vec<Broken>,
}

/// Something in a file that is no part of it, as it does not begin and end as components do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    line: usize,
    uid: Option<String>,
    problem: Problem,
    /// Where it stands; `None` where only an END is missing behind what is whole.
    place: Option<Range<usize>>,
    /// In which of the calendars.
    calendar: Option<usize>,
}

impl Broken {
    /// The line at fault, counted from 1 as editors do.
    pub const fn line(&self) -> usize {
        self.line
    }

    /// The UID in it, if one can be read: whoever has a new version of that object must not take it for new.
    pub fn uid(&self) -> Option<&str> {
        self.uid.as_deref()
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.problem)
    }
}

/// One VCALENDAR without its objects.
#[derive(Debug, Default)]
struct Frame {
    /// From BEGIN to END.
    whole: Range<usize>,
    /// Its properties; the first is BEGIN.
    properties: Vec<Range<usize>>,
    zones: Vec<Zone>,
    /// Components without UID that are no time zones.
    others: Vec<Range<usize>>,
    /// `None` where it is missing.
    end: Option<Range<usize>>,
}

#[derive(Debug)]
struct Zone {
    place: Range<usize>,
    /// As it stands there, and without escapes.
    names: [Vec<u8>; 2],
}

impl<'a> Parts<'a> {
    /// `None` where there is no more than one UID in one VCALENDAR, and nothing broken: that is one object, or none.
    pub fn of(octets: &'a [u8]) -> Option<Self> {
        let parts = Self::read(octets);
        (parts.is_several() || !parts.broken.is_empty()).then_some(parts)
    }

    /// What stands in a file, also where that is one object or none.
    pub fn read(octets: &'a [u8]) -> Self {
        read::parts(octets)
    }

    fn empty(octets: &'a [u8]) -> Self {
        Self {
            octets,
            calendars: Vec::new(),
            keys: Vec::new(),
            places: HashMap::new(),
            broken: Vec::new(),
        }
    }

    /// Whether there is more than one UID, or more than one VCALENDAR.
    pub fn is_several(&self) -> bool {
        self.keys.len() > 1 || (self.keys.len() == 1 && self.calendars.len() > 1)
    }

    /// What is broken, in the order of the file.
    pub fn broken(&self) -> &[Broken] {
        &self.broken
    }

    /// What names the objects: their UIDs, without escapes and blanks at their ends.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = &str> {
        self.keys.iter().map(String::as_str)
    }

    /// An object as a calendar of its own, with the time zones that it may need.
    pub fn object(&self, key: &str) -> Option<Vec<u8>> {
        let places = self.places.get(key)?;
        let first = self.calendars.get(places.first()?.0)?;
        let mut object = Vec::new();
        for property in &first.properties {
            object.extend_from_slice(self.at(property));
        }
        let mut named = HashSet::new();
        let mut calendars: Vec<usize> = places.iter().map(|(calendar, _)| *calendar).collect();
        calendars.dedup();
        for calendar in calendars {
            for zone in self.needed(calendar, places) {
                if named.insert(&zone.names[1]) {
                    object.extend_from_slice(self.at(&zone.place));
                }
            }
        }
        for (_, place) in places {
            object.extend_from_slice(self.at(place));
        }
        // The last line of a file may have no line break.
        if object.last().is_some_and(|last| *last != b'\n') {
            object.extend_from_slice(b"\r\n");
        }
        let end = first.end.as_ref().map(|place| self.at(place));
        object.extend_from_slice(end.unwrap_or(b"END:VCALENDAR\r\n"));
        Some(object)
    }

    /// The file with another version of an object, which is one VCALENDAR. `None` if that cannot be: it brings a time zone
    /// that has the name of one in the file, and may be another.
    pub fn with(&self, key: &str, object: &[u8]) -> Option<Vec<u8>> {
        let new = Parts::read(object);
        let ([frame], []) = (new.calendars.as_slice(), new.broken()) else {
            return None;
        };
        let (calendar, first) = self.places.get(key)?.first()?;
        let mut instead = Vec::new();
        for zone in &frame.zones {
            let there = self.calendars[*calendar].zones.iter();
            let mut there = there.filter(|it| it.names[1] == zone.names[1]);
            match there.next() {
                None => instead.extend_from_slice(new.at(&zone.place)),
                Some(same) => {
                    let [one, other] = [self.at(&same.place), new.at(&zone.place)];
                    if lines::unfolded(one) != lines::unfolded(other) {
                        return None;
                    }
                }
            }
        }
        let mut components: Vec<&Range<usize>> = frame.others.iter().collect();
        components.extend(new.places.values().flatten().map(|(_, place)| place));
        components.sort_by_key(|place| place.start);
        for place in components {
            instead.extend_from_slice(new.at(place));
        }
        let file = self.edited(key, Some((first, &instead)));
        (self.broken.is_empty() || self.is_kept(key, &new, &file)).then_some(file)
    }

    /// Whether all parts can be found in a new version of the file: what is broken before one may take it in.
    fn is_kept(&self, key: &str, object: &Parts<'_>, file: &[u8]) -> bool {
        let new = Parts::read(file);
        let count = |parts: &Parts<'_>, key: &str| parts.places.get(key).map_or(0, Vec::len);
        let others = |parts: &Parts<'_>| {
            let others = parts.calendars.iter().map(|it| it.others.len());
            others.sum::<usize>()
        };
        let mut keys = self.keys.iter();
        new.broken.len() <= self.broken.len()
            && others(&new) == others(self) + others(object)
            && count(&new, key) > 0
            && keys.all(|it| it == key || count(&new, it) == count(self, it))
    }

    /// The file without an object. `None` if nothing is left of it, be it broken or whole.
    pub fn without(&self, key: &str) -> Option<Vec<u8>> {
        let is_left = self.keys.iter().any(|other| other != key)
            || self.calendars.iter().any(|it| !it.others.is_empty())
            || self.broken.iter().any(|it| it.place.is_some());
        is_left.then(|| self.edited(key, None))
    }

    /// The file without what belongs to `key`, and with something else in its place.
    fn edited(&self, key: &str, instead: Option<(&Range<usize>, &[u8])>) -> Vec<u8> {
        let mut gone: Vec<Range<usize>> = Vec::new();
        for (number, frame) in self.calendars.iter().enumerate() {
            let is_needed = instead.is_some_and(|(place, _)| {
                frame.whole.contains(&place.start) && place.end <= frame.whole.end
            });
            let mut all = self.places.iter();
            let mut broken = self.broken.iter();
            let has_others = !frame.others.is_empty()
                || broken.any(|it| it.calendar == Some(number) && it.place.is_some())
                || all.any(|(it, places)| it != key && places.iter().any(|(at, _)| *at == number));
            let mut own = self.places.get(key).into_iter().flatten();
            if is_needed || has_others || !own.any(|(at, _)| *at == number) {
                let own = self.places.get(key).into_iter().flatten();
                let own = own.filter(|(at, _)| *at == number);
                gone.extend(own.map(|(_, place)| place.clone()));
            } else {
                gone.push(frame.whole.clone());
            }
        }
        let mut file = Vec::with_capacity(self.octets.len());
        let mut from = 0;
        for place in gone {
            file.extend_from_slice(&self.octets[from..place.start]);
            if let Some((at, instead)) = instead
                && *at == place
            {
                file.extend_from_slice(instead);
            }
            from = place.end;
        }
        file.extend_from_slice(&self.octets[from..]);
        file
    }

    fn at(&self, place: &Range<usize>) -> &'a [u8] {
        &self.octets[place.clone()]
    }

    /// The time zones of a calendar that its components at `places` name; all of them, if a name matches none.
    fn needed(&self, calendar: usize, places: &[(usize, Range<usize>)]) -> Vec<&Zone> {
        let zones = &self.calendars[calendar].zones;
        let here = places.iter().filter(|(at, _)| *at == calendar);
        let text: Vec<Vec<u8>> = here.map(|(_, it)| lines::unfolded(self.at(it))).collect();
        let has = |what: &[u8]| {
            let what = memchr::memmem::Finder::new(what);
            text.iter().any(|text| what.find(text).is_some())
        };
        if !has(b"TZID") && !has(b"tzid") {
            return Vec::new();
        }
        let named = |zone: &&Zone| zone.names.iter().any(|name| has(name));
        let found: Vec<&Zone> = zones.iter().filter(named).collect();
        if found.is_empty() {
            zones.iter().collect()
        } else {
            found
        }
    }

    /// Takes note of what belongs to a UID in the calendar that comes next.
    fn note(&mut self, uid: String, place: Range<usize>) {
        let calendar = self.calendars.len();
        let places = self.places.entry(uid);
        let places = places.or_insert_with_key(|uid| {
            self.keys.push(uid.clone());
            Vec::new()
        });
        places.push((calendar, place));
    }
}

#[cfg(test)]
mod tests;
