//! Calendar objects as a lossless tree: components, properties, parameters, kept as they came and in their order.
//!
//! Nothing is interpreted here. A property that nobody knows is read and written like any other; its value stays as
//! it is on the wire (unfolded, still escaped). What nobody touched is written byte for byte as it came, folding
//! apart: also quotes that were not needed, the case of names, and octets that are not UTF-8.
//!
//! A message is read as RFC 5545 has it ([`Calendar::parse`]); what somebody has in a store or a file is taken as it is
//! ([`Calendar::parse_stored`]): a line that cannot be read is a property without a name, and stays where it stands.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `parse` | octets → tree, within [`Limits`]: `lines` unfolds, `content_line` and `class` take a line apart |
//! | `write` | tree → octets |
//! | `kind` | which components are objects |
//! | `conform` | what was kept loosely, made fit for a message |
//! | `octets` | what is not UTF-8, in a `String` |
//! | `error`, `line_numbers` | [`ParseError`]; the line number of each part |
//!
//! The reader of content lines is our own: that of `caldata` upper-cases names, forgets quotes and hides parameters,
//! and its writer folds by characters, not octets.

mod class;
mod conform;
pub(crate) mod content_line;
pub(crate) mod error;
mod kind;
mod line_numbers;
pub(crate) mod lines;
pub(crate) mod octets;
pub(crate) mod parse;
#[cfg(test)]
mod tests;
mod write;

pub(crate) use conform::conform;
pub use error::ParseError;
pub(crate) use kind::{OBJECTS, is_known, is_object};
pub(crate) use line_numbers::LineNumbers;

use convoke_types::Uid;
use std::borrow::Cow;

/// One component: `BEGIN:name` to `END:name`.
///
/// Two are equal that have the same name and the same parts in the same order; whether a property stood behind a
/// component, where RFC 5545 has none, does not count.
#[derive(Clone, Debug)]
pub struct Component {
    /// As written; compare with [`Component::is`].
    pub name: String,
    /// In the order they came.
    pub properties: Vec<Property>,
    /// In the order they came.
    pub components: Vec<Component>,
    /// How many properties of the outer component stand before this one; most have all of them before.
    after: usize,
}

impl PartialEq for Component {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
            && self.properties == other.properties
            && self.components == other.components
    }
}

impl Eq for Component {}

impl Component {
    /// An empty component.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            properties: Vec::new(),
            components: Vec::new(),
            after: usize::MAX,
        }
    }

    /// Whether this is its name; case does not count.
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// The first property of a name.
    pub fn get(&self, name: &str) -> Option<&Property> {
        self.properties.iter().find(|property| property.is(name))
    }

    /// The first property of a name, to change it.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Property> {
        self.properties
            .iter_mut()
            .find(|property| property.is(name))
    }

    /// Every property of a name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Property> {
        self.properties
            .iter()
            .filter(move |property| property.is(name))
    }

    /// Puts a property in the place of the first of its name and drops the others; appends it if there is none.
    pub fn set(&mut self, property: Property) {
        let Some(first) = self.properties.iter().position(|it| it.is(&property.name)) else {
            self.properties.push(property);
            return;
        };
        let mut at = 0;
        self.properties.retain(|it| {
            at += 1;
            at - 1 <= first || !it.is(&property.name)
        });
        self.properties[first] = property;
    }

    /// Appends a property.
    pub fn push(&mut self, property: Property) {
        self.properties.push(property);
    }

    /// Drops every property of a name; whether there was one.
    pub fn remove(&mut self, name: &str) -> bool {
        let before = self.properties.len();
        self.properties.retain(|property| !property.is(name));
        self.properties.len() < before
    }

    /// Its UID: a TEXT (RFC 5545 §3.8.4.7), so without escapes, and without blanks at its ends, which are part of no UID
    /// ([`Uid::new`]). `None` if it has none, or none that can be one. Every UID of a calendar is read here.
    ///
    /// ```
    /// use convoke_calendar::tree::{Component, Property};
    ///
    /// let mut event = Component::new("VEVENT");
    /// event.push(Property::new("UID", " a\\,b "));
    /// assert_eq!(event.uid().unwrap().as_str(), "a,b");
    /// ```
    pub fn uid(&self) -> Option<Uid> {
        Uid::new(self.get("UID")?.to_text()).ok()
    }

    /// The UID to tell objects apart by, be it one or not; `None` if there is none, or an empty one.
    pub(crate) fn uid_text(&self) -> Option<Cow<'_, str>> {
        let uid = match unescaped(&self.get("UID")?.value) {
            Cow::Borrowed(uid) => Cow::Borrowed(uid.trim()),
            Cow::Owned(uid) => Cow::Owned(uid.trim().to_owned()),
        };
        Some(uid).filter(|uid| !uid.is_empty())
    }

    /// The first property of a name that says something: an empty one is as if it were not there.
    pub(crate) fn stated(&self, name: &str) -> Option<&Property> {
        let mut all = self.properties.iter().filter(|it| it.is(name));
        all.find(|property| !property.value.trim().is_empty())
    }

    /// The component as octets, as [`Calendar::write`] gives a whole calendar.
    pub fn write(&self) -> Vec<u8> {
        write::whole(self)
    }

    /// The value of the first property of a name.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.get(name).map(|property| property.value.as_str())
    }
}

/// One content line.
///
/// ```
/// use convoke_calendar::tree::Property;
///
/// let line = Property::new("ATTENDEE", "mailto:bo@example.org").with("CN", "Bo \"the boss\"");
/// assert_eq!(line.param("cn"), Some("Bo \"the boss\""));
/// assert_eq!(Property::text("SUMMARY", "a;b").value, "a\\;b");
/// ```
///
/// Two are equal that have the same name, parameters and value; how parameters were quoted does not count.
#[derive(Clone, Debug)]
pub struct Property {
    /// As written; compare with [`Property::is`]. Empty for a line that could not be read, which is the value then.
    pub name: String,
    /// In the order they came.
    pub params: Vec<Param>,
    /// Unfolded, still escaped. An octet that is not UTF-8 is one of the code points U+10FF80 to U+10FFFF here.
    pub value: String,
    /// The parameters as they came, where we would write the same ones in another way.
    source: Option<Box<str>>,
}

impl PartialEq for Property {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.params == other.params && self.value == other.value
    }
}

impl Eq for Property {}

/// One parameter of a property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Param {
    /// As written.
    pub name: String,
    /// Without quotes, RFC 6868 undone.
    pub values: Vec<String>,
}

impl Property {
    /// A property without parameters; the value is taken as it is to stand on the wire.
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            params: Vec::new(),
            value: value.into(),
            source: None,
        }
    }

    /// A property whose value is a text (RFC 5545 §3.3.11), which is escaped.
    pub fn text(name: impl Into<String>, text: &str) -> Self {
        let escaped = text
            .replace('\\', "\\\\")
            .replace(';', "\\;")
            .replace(',', "\\,")
            .replace("\r\n", "\\n")
            .replace('\n', "\\n");
        Self::new(name, escaped)
    }

    /// The same with a parameter.
    #[must_use]
    pub fn with(mut self, param: &str, value: impl Into<String>) -> Self {
        self.set_param(param, value);
        self
    }

    /// Whether this is its name; case does not count.
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// The first value of a parameter.
    pub fn param(&self, name: &str) -> Option<&str> {
        let param = self
            .params
            .iter()
            .find(|param| param.name.eq_ignore_ascii_case(name));
        param?.values.first().map(String::as_str)
    }

    /// Gives a parameter one value.
    pub fn set_param(&mut self, name: &str, value: impl Into<String>) {
        let values = vec![value.into()];
        match self
            .params
            .iter_mut()
            .find(|param| param.name.eq_ignore_ascii_case(name))
        {
            Some(param) => param.values = values,
            None => self.params.push(Param {
                name: name.to_owned(),
                values,
            }),
        }
    }

    /// Whether one of its parameters has no `=`: it may have been a TZID.
    pub(crate) fn is_garbled(&self) -> bool {
        self.params.iter().any(|param| param.values.is_empty())
    }

    /// Drops a parameter; whether there was one.
    pub fn remove_param(&mut self, name: &str) -> bool {
        let before = self.params.len();
        self.params
            .retain(|param| !param.name.eq_ignore_ascii_case(name));
        self.params.len() < before
    }

    /// About how many bytes it takes.
    pub(crate) fn weight(&self) -> usize {
        let param = |param: &Param| {
            let values = param.values.iter().map(String::len);
            param.name.len() + values.sum::<usize>()
        };
        self.name.len() + self.value.len() + self.params.iter().map(param).sum::<usize>()
    }

    /// The value as text (RFC 5545 §3.3.11), without escapes. A backslash before anything that needs none stands for
    /// itself: `a\b` is not `ab`.
    pub fn to_text(&self) -> String {
        unescaped(&self.value).into_owned()
    }
}

/// A TEXT without its escapes: the one place that reads them.
pub(crate) fn unescaped(value: &str) -> Cow<'_, str> {
    if !value.contains('\\') {
        return Cow::Borrowed(value);
    }
    let mut text = String::with_capacity(value.len());
    let mut rest = value;
    while let Some((before, after)) = rest.split_once('\\') {
        text.push_str(before);
        let mut letters = after.chars();
        let (letter, is_escape) = match letters.next() {
            Some('n' | 'N') => ('\n', true),
            Some(letter @ ('\\' | ';' | ',')) => (letter, true),
            _ => ('\\', false),
        };
        text.push(letter);
        rest = if is_escape { letters.as_str() } else { after };
    }
    text.push_str(rest);
    Cow::Owned(text)
}

/// Bounds on what is read, and on the work that it may cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Octets of a calendar.
    pub bytes: usize,
    /// Components inside components; never more than [`Limits::DEEPEST`].
    pub depth: usize,
    /// Properties and components in all.
    pub properties: usize,
    /// Octets of one unfolded line.
    pub line_length: usize,
    /// Recurrence instances of one message (spec §4, `max-instances`).
    pub instances: usize,
    /// Steps that recurrences of one object may take in one question; a step is a day, hour, minute or second looked
    /// at, about 10 ns; an instance found is four.
    pub work: usize,
}

impl Limits {
    /// The deepest nesting ever taken: components are written and dropped recursively.
    pub const DEEPEST: usize = 64;
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes: 1 << 20,
            depth: 16,
            properties: 100_000,
            line_length: 1 << 20,
            instances: 1000,
            work: 10_000_000,
        }
    }
}

/// One VCALENDAR.
///
/// ```
/// use convoke_calendar::tree::{Calendar, Limits, Property};
///
/// let octets = b"BEGIN:VCALENDAR\r\nX-MINE;a=\"b\":c\r\nBEGIN:VEVENT\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
/// let mut calendar = Calendar::parse(octets, &Limits::default())?;
/// assert_eq!(calendar.write(), octets);
///
/// calendar.root_mut().components[0].set(Property::text("SUMMARY", "Tea, or coffee?"));
/// assert!(calendar.write().windows(24).any(|line| line == b"SUMMARY:Tea\\, or coffee?"));
///
/// let error = Calendar::parse(b"BEGIN:VCALENDAR\r\nSUMMARY\r\n", &Limits::default()).unwrap_err();
/// assert_eq!(error.to_string(), "line 2: `SUMMARY` does not start with the name of a property");
/// # Ok::<(), convoke_calendar::tree::ParseError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calendar {
    root: Component,
}

/// What is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// What a peer sent: the lines are those of RFC 5545 §3.1, so that all programs read them alike.
    Message,
    /// What somebody has: kept as it is.
    Stored,
}

impl Calendar {
    /// Reads one calendar as a message must be written; CRLF and LF both end lines.
    ///
    /// Octets that are not UTF-8, control characters, parameters without `=` and names with a group (`item1.SUMMARY`)
    /// are errors, as programs differ in what they make of them.
    pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Self, ParseError> {
        parse::one(bytes, limits, Reading::Message).map(|root| Self { root })
    }

    /// Reads one calendar that is somebody's own: whatever its lines are, they are kept, and written as they came.
    ///
    /// ```
    /// use convoke_calendar::tree::{Calendar, Limits};
    ///
    /// let octets = b"BEGIN:VCALENDAR\r\nSUMMARY:Gr\xfc\xdfe\r\nno line\r\nEND:VCALENDAR\r\n";
    /// assert!(Calendar::parse(octets, &Limits::default()).is_err());
    /// assert_eq!(Calendar::parse_stored(octets, &Limits::default())?.write(), octets);
    /// # Ok::<(), convoke_calendar::tree::ParseError>(())
    /// ```
    pub fn parse_stored(bytes: &[u8], limits: &Limits) -> Result<Self, ParseError> {
        parse::one(bytes, limits, Reading::Stored).map(|root| Self { root })
    }

    /// Reads a stream of calendars (RFC 5545 §3.4), as other programs export them, each as
    /// [`Calendar::parse_stored`] does; at least one.
    pub fn parse_all(bytes: &[u8], limits: &Limits) -> Result<Vec<Self>, ParseError> {
        let roots = parse::all(bytes, limits, |_, component, _| Some(component))?;
        Ok(roots.into_iter().map(|root| Self { root }).collect())
    }

    /// A VCALENDAR that was put together.
    pub(crate) const fn of(root: Component) -> Self {
        Self { root }
    }

    /// An empty VCALENDAR, without properties too.
    pub fn new() -> Self {
        Self {
            root: Component::new("VCALENDAR"),
        }
    }

    /// The VCALENDAR component.
    pub const fn root(&self) -> &Component {
        &self.root
    }

    /// The VCALENDAR component, to change it.
    pub const fn root_mut(&mut self) -> &mut Component {
        &mut self.root
    }

    /// The UID of the object: of the first of its [`main_components`](Self::main_components).
    pub fn uid(&self) -> Option<Uid> {
        self.main_components().next()?.uid()
    }

    /// The components that are an object, or parts of one: those that iCalendar knows (VEVENT, VTODO, …), and where there
    /// are none those that have a UID. What else stands beside them (`X-…`, VTIMEZONE) is carried, and is no part of it.
    ///
    /// ```
    /// use convoke_calendar::tree::{Calendar, Limits};
    ///
    /// let octets = b"BEGIN:VCALENDAR\nBEGIN:X-NOTE\nUID:2\nEND:X-NOTE\nBEGIN:VEVENT\nUID:1\nEND:VEVENT\nEND:VCALENDAR\n";
    /// let calendar = Calendar::parse(octets, &Limits::default())?;
    /// assert!(calendar.main_components().all(|it| it.is("VEVENT")));
    /// assert_eq!(calendar.uid().unwrap().as_str(), "1");
    /// # Ok::<(), convoke_calendar::tree::ParseError>(())
    /// ```
    pub fn main_components(&self) -> impl Iterator<Item = &Component> {
        let components = &self.root.components;
        let has_known = components.iter().any(is_known);
        components.iter().filter(move |it| {
            if has_known {
                is_known(it)
            } else {
                is_object(it)
            }
        })
    }

    /// The VTIMEZONE components.
    pub fn zones(&self) -> impl Iterator<Item = &Component> {
        self.root.components.iter().filter(|it| it.is("VTIMEZONE"))
    }

    /// The calendar as octets: CRLF, folded at 75 octets, never inside a character (RFC 5545 §3.1).
    pub fn write(&self) -> Vec<u8> {
        self.root.write()
    }

    /// The VCALENDAR component alone.
    pub(crate) fn into_root(self) -> Component {
        self.root
    }
}

impl Default for Calendar {
    fn default() -> Self {
        Self::new()
    }
}
