//! For stores: a file or resource that holds objects of several UIDs, which none should (RFC 4791 §4.1) and many do.
//!
//! Nothing of it is interpreted but where components begin and end, and their UIDs. What belongs to one UID is taken
//! out, exchanged or removed; all the rest stays byte for byte.
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

use lines::Lines;
use std::{
    collections::{HashMap, HashSet},
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
    end: Range<usize>,
}

#[derive(Debug)]
struct Zone {
    place: Range<usize>,
    /// As it stands there, and without escapes.
    names: [Vec<u8>; 2],
}

impl<'a> Parts<'a> {
    /// `None` where there is no more than one UID in one VCALENDAR, and where components do not begin and end as they
    /// should: that is one object, or none.
    pub fn of(octets: &'a [u8]) -> Option<Self> {
        let mut parts = Self {
            octets,
            calendars: Vec::new(),
            keys: Vec::new(),
            places: HashMap::new(),
        };
        parts.read()?;
        let several = parts.keys.len() > 1 || (parts.keys.len() == 1 && parts.calendars.len() > 1);
        several.then_some(parts)
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
        object.extend_from_slice(self.at(&first.end));
        Some(object)
    }

    /// The file with another version of an object, which is one VCALENDAR. `None` if that cannot be: it brings a time zone
    /// that has the name of one in the file, and may be another.
    pub fn with(&self, key: &str, object: &[u8]) -> Option<Vec<u8>> {
        let mut new = Parts {
            octets: object,
            calendars: Vec::new(),
            keys: Vec::new(),
            places: HashMap::new(),
        };
        new.read()?;
        let [frame] = new.calendars.as_slice() else {
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
        Some(self.edited(key, Some((first, &instead))))
    }

    /// The file without an object. `None` if nothing is left of it.
    pub fn without(&self, key: &str) -> Option<Vec<u8>> {
        let is_left = self.keys.iter().any(|other| other != key)
            || self.calendars.iter().any(|it| !it.others.is_empty());
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
            let has_others = !frame.others.is_empty()
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

    fn read(&mut self) -> Option<()> {
        let mut lines = Lines::of(self.octets);
        let mut open: Vec<Vec<u8>> = Vec::new();
        let mut frame = Frame::default();
        // The component of a calendar that is being read.
        let (mut start, mut uid, mut zone) = (0, None, None);
        while let Some(line) = lines.next() {
            let (name, value) = lines::name_and_value(&line.text);
            let is = |what: &str| name.eq_ignore_ascii_case(what.as_bytes());
            if is("BEGIN") {
                let value = value.trim_ascii().to_ascii_uppercase();
                match open.len() {
                    0 if value == b"VCALENDAR" => {
                        frame = Frame::default();
                        frame.whole.start = line.place.start;
                        frame.properties.push(line.place);
                    }
                    0 => return None,
                    1 => (start, uid, zone) = (line.place.start, None, None),
                    _ => {}
                }
                open.push(value);
            } else if is("END") {
                let ended = open.pop()?;
                if !value.trim_ascii().eq_ignore_ascii_case(&ended) {
                    return None;
                }
                let place = start..line.place.end;
                match (open.len(), ended.as_slice(), uid.take(), zone.take()) {
                    (0, ..) => {
                        frame.whole.end = line.place.end;
                        frame.end = line.place;
                        self.calendars.push(std::mem::take(&mut frame));
                    }
                    (1, b"VTIMEZONE", _, names) => {
                        let names = names.unwrap_or_default();
                        frame.zones.push(Zone { place, names });
                    }
                    (1, _, Some(uid), _) => self.note(uid, place),
                    (1, ..) => frame.others.push(place),
                    // It goes on, one component further out.
                    (_, _, was, named) => (uid, zone) = (was, named),
                }
            } else {
                match open.len() {
                    0 if line.text.trim_ascii().is_empty() => {}
                    0 => return None,
                    1 => frame.properties.push(line.place),
                    2 if is("UID") && uid.is_none() => uid = lines::key(value),
                    2 if is("TZID") && zone.is_none() => {
                        let raw = value.trim_ascii().to_vec();
                        zone = Some([raw, lines::unescaped(value).trim_ascii().to_vec()]);
                    }
                    _ => {}
                }
            }
        }
        open.is_empty().then_some(())
    }

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
