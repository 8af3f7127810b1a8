//! Names of zones. TZID is a text (RFC 5545 §3.8.3.1): `TZID:Office\, north` and `DTSTART;TZID="Office, north":…` are one
//! zone. Blanks around a name and its case do not count where nothing has that very name.

use crate::tree::{Component, unescaped};
use std::{borrow::Cow, cell::OnceCell, collections::HashMap};

/// What a VTIMEZONE is called, without escapes and blanks around.
pub(crate) fn name_of(component: &Component) -> Cow<'_, str> {
    match unescaped(component.value("TZID").unwrap_or_default()) {
        Cow::Borrowed(id) => Cow::Borrowed(id.trim()),
        Cow::Owned(id) => Cow::Owned(id.trim().to_owned()),
    }
}

/// Two names of one key are taken for one: some programs put quotes into the value, or escapes into the parameter.
pub(crate) fn key(id: &str) -> String {
    let id = unescaped(id);
    let id = id.trim().trim_matches('"').trim().to_lowercase();
    // `\:` is no escape, but some programs write it.
    if id.contains('\\') {
        id.replace('\\', "")
    } else {
        id
    }
}

/// VTIMEZONEs, or where they stand, by their names.
#[derive(Debug)]
pub(crate) struct Descriptions<'c, T> {
    all: Vec<(Cow<'c, str>, T)>,
    exact: HashMap<Cow<'c, str>, usize>,
    loose: OnceCell<HashMap<String, usize>>,
}

impl<'c, T: Copy> Descriptions<'c, T> {
    /// Of several of one name the first counts.
    pub(crate) fn of(zones: impl IntoIterator<Item = (Cow<'c, str>, T)>) -> Self {
        let mut exact = HashMap::new();
        let mut all = Vec::new();
        for (name, zone) in zones {
            if !exact.contains_key(&name) {
                exact.insert(name.clone(), all.len());
                all.push((name, zone));
            }
        }
        Self {
            all,
            exact,
            loose: OnceCell::new(),
        }
    }

    /// The VTIMEZONE that a name means.
    pub(crate) fn get(&self, id: &str) -> Option<T> {
        self.place(id).map(|place| self.at(place))
    }

    /// Its place among all.
    pub(super) fn place(&self, id: &str) -> Option<usize> {
        let exact = self.exact.get(id.trim());
        exact.or_else(|| self.loose().get(&key(id))).copied()
    }

    /// The VTIMEZONE at a place.
    pub(super) fn at(&self, place: usize) -> T {
        self.all[place].1
    }

    /// The VTIMEZONE beside which there is no other.
    pub(crate) fn only(&self) -> Option<T> {
        match self.all[..] {
            [(_, only)] => Some(only),
            _ => None,
        }
    }

    fn loose(&self) -> &HashMap<String, usize> {
        self.loose.get_or_init(|| {
            let mut loose = HashMap::new();
            for (place, (name, _)) in self.all.iter().enumerate() {
                loose.entry(key(name)).or_insert(place);
            }
            loose
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Property;

    #[test]
    fn a_name_is_a_text_and_a_parameter() {
        for (value, param) in [
            ("Office\\, north", "Office, north"),
            ("Office, north", "Office, north"),
            ("Office\\, north", "Office\\, north"),
            ("a\\;b", "a;b"),
            ("a\\\\b", "a\\b"),
            ("a\\nb", "a\nb"),
            ("a\\b", "a\\b"),
            ("(UTC+1\\:00) Here", "(UTC+1:00) Here"),
            (" Office", "Office"),
            ("Office", " office "),
            ("\"Office\"", "OFFICE"),
            ("B\u{dc}RO", "b\u{fc}ro"),
        ] {
            let mut zone = Component::new("VTIMEZONE");
            zone.push(Property::new("TZID", value));
            let known = Descriptions::of([(name_of(&zone), 1)]);
            assert_eq!(known.get(param), Some(1), "{value} {param}");
            assert_eq!(known.get("Office north"), None, "{value}");
        }
        let both = ["Office", "OFFICE"].map(Cow::Borrowed);
        let known = Descriptions::of(both.into_iter().zip(0..));
        assert_eq!(
            ["OFFICE", "Office", "office"].map(|id| known.get(id)),
            [Some(1), Some(0), Some(0)]
        );
    }
}
