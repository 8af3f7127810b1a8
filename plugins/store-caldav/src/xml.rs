//! Multistatus documents (RFC 4918 §13), one `response` at a time, bounded.
//!
//! Names are told apart by namespace and local name, whatever prefixes a server likes. Never read: a DOCTYPE, and
//! entities other than the five predefined ones.

use convoke_sdk::excerpt;
use quick_xml::{
    NsReader,
    events::{BytesRef, BytesStart, Event},
    name::ResolveResult,
};
use std::fmt;

/// Elements within elements.
const DEEPEST: usize = 32;
/// Elements of one `response`.
const MOST_ELEMENTS: usize = 10_000;

/// One element; in `name` its namespace is one of the prefixes of [`prefix`].
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Element {
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) children: Vec<Element>,
    /// The value of its `name` attribute (`<C:comp name="VEVENT"/>`).
    pub(crate) named: Option<String>,
}

impl Element {
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(move |child| child.name == name)
    }

    pub(crate) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The text of a child, without white space around it; `None` if it is empty.
    pub(crate) fn child_text(&self, name: &str) -> Option<&str> {
        let text = self.child(name)?.text.trim();
        (!text.is_empty()).then_some(text)
    }
}

/// Reads a document whose root is `root`, and hands over each child of the root.
pub(crate) fn read(
    document: &[u8],
    root: &str,
    mut each: impl FnMut(Element),
) -> Result<(), String> {
    let text = std::str::from_utf8(document).map_err(|_| "it is not UTF-8".to_owned())?;
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    let mut reader = NsReader::from_str(text);
    let mut open: Vec<Element> = Vec::new();
    let mut elements = 0;
    let mut whole = false;
    loop {
        let event = reader.read_event().map_err(malformed)?;
        let closed = match event {
            Event::Start(start) => {
                elements += 1;
                let element = element(&reader, &start)?;
                if open.is_empty() && element.name != root {
                    return Err(format!("its root is {}, not {root}", element.name));
                }
                open.push(element);
                None
            }
            Event::Empty(start) => {
                elements += 1;
                Some(element(&reader, &start)?)
            }
            // The reader has checked that start and end tags match.
            Event::End(_) => open.pop(),
            Event::Text(text) => {
                append(&mut open, &text.xml10_content());
                None
            }
            Event::CData(text) => {
                append(&mut open, &text.xml10_content());
                None
            }
            Event::GeneralRef(reference) => {
                append(&mut open, predefined(&reference)?.encode_utf8(&mut [0; 4]));
                None
            }
            Event::DocType(_) => return Err("it has a DOCTYPE, which is never read".to_owned()),
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => None,
            Event::Eof if whole => return Ok(()),
            Event::Eof => return Err("it ends too early".to_owned()),
        };
        if open.len() > DEEPEST || elements > MOST_ELEMENTS {
            return Err("it has more elements than are read".to_owned());
        }
        let Some(closed) = closed else { continue };
        match open.len() {
            0 if closed.name == root => whole = true,
            0 => return Err(format!("its root is {}, not {root}", closed.name)),
            1 => {
                elements = 0;
                each(closed);
            }
            _ => {
                if let Some(parent) = open.last_mut() {
                    parent.children.push(closed);
                }
            }
        }
    }
}

/// The prefix that stands for a namespace here.
fn prefix(namespace: &str) -> &'static str {
    match namespace {
        "DAV:" => "D:",
        "urn:ietf:params:xml:ns:caldav" => "C:",
        "http://calendarserver.org/ns/" => "CS:",
        _ => "?:",
    }
}

fn element(reader: &NsReader<&[u8]>, start: &BytesStart<'_>) -> Result<Element, String> {
    let (namespace, name) = reader.resolver().resolve_element(start.name());
    let prefix = match namespace {
        ResolveResult::Bound(namespace) => prefix(namespace.0),
        ResolveResult::Unbound | ResolveResult::Unknown(_) => "?:",
    };
    let named = start.try_get_attribute("name").map_err(malformed)?;
    let value = |it: quick_xml::events::attributes::Attribute<'_>| {
        it.normalized_value(quick_xml::XmlVersion::Implicit1_0)
            .map(std::borrow::Cow::into_owned)
            .map_err(malformed)
    };
    Ok(Element {
        name: format!("{prefix}{}", name.into_inner()),
        named: named.map(value).transpose()?,
        ..Element::default()
    })
}

fn append(open: &mut [Element], text: &str) {
    if let Some(element) = open.last_mut() {
        element.text.push_str(text);
    }
}

fn predefined(reference: &BytesRef<'_>) -> Result<char, String> {
    let unknown = || "it uses an entity that XML does not predefine".to_owned();
    if let Some(letter) = reference.resolve_char_ref().map_err(|_| unknown())? {
        return Ok(letter);
    }
    let name: &str = reference;
    match name {
        "lt" => Ok('<'),
        "gt" => Ok('>'),
        "amp" => Ok('&'),
        "apos" => Ok('\''),
        "quot" => Ok('"'),
        _ => Err(unknown()),
    }
}

fn malformed(error: impl fmt::Display) -> String {
    let error = excerpt(&error.to_string(), 200);
    format!("it is not well-formed: {error}")
}

/// Text as it stands between tags. Control characters that XML forbids are left out.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '\0'..='\u{1F}' | '\u{FFFE}' | '\u{FFFF}' => {}
            _ => escaped.push(letter),
        }
    }
    escaped
}
