//! Writing XML: UTF-8, the prefixes that clients are used to.

use super::{APPLE, CALDAV, CALENDARSERVER, DAV, Element};
use convoke_xml::is_xml_char;

/// What is declared on the root of every document.
const PREFIXES: [(&str, &str); 4] = [
    ("D", DAV),
    ("C", CALDAV),
    ("CS", CALENDARSERVER),
    ("A", APPLE),
];

const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n";

/// A document with this root.
pub fn document(root: &Element) -> String {
    DECLARATION.to_owned() + &fragment(root)
}

/// An element that stands in anybody's document: it declares what it uses.
pub fn fragment(element: &Element) -> String {
    let mut out = String::new();
    write(element, Place::Root, &mut out);
    out
}

/// A document whose root gets one child after the other, so that they are not all there at once.
#[derive(Clone, Debug)]
pub struct Document {
    out: String,
    end: String,
}

impl Document {
    /// A root without text.
    pub fn new(root: &Element) -> Self {
        let mut out = String::from(DECLARATION);
        open(root, Place::Root, &mut out);
        out.push('>');
        let mut end = String::new();
        close(root, &mut end);
        let mut document = Self { out, end };
        for child in &root.children {
            document.push(child);
        }
        document
    }

    /// One more child of the root.
    pub fn push(&mut self, child: &Element) {
        write(child, Place::Inside, &mut self.out);
    }

    /// The length so far, in bytes.
    #[allow(clippy::len_without_is_empty, reason = "it has a root always")]
    pub fn len(&self) -> usize {
        self.out.len() + self.end.len()
    }

    /// The whole.
    pub fn finish(mut self) -> String {
        self.out.push_str(&self.end);
        self.out
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Root,
    Inside,
}

fn write(element: &Element, place: Place, out: &mut String) {
    open(element, place, out);
    if element.text.is_empty() && element.children.is_empty() {
        out.push_str("/>");
        return;
    }
    out.push('>');
    escaped(&element.text, Within::Text, out);
    for child in &element.children {
        write(child, Place::Inside, out);
    }
    close(element, out);
}

/// The start tag without its end.
fn open(element: &Element, place: Place, out: &mut String) {
    out.push('<');
    tag(element, out);
    if place == Place::Root {
        for (prefix, namespace) in PREFIXES {
            attribute(&format!("xmlns:{prefix}"), namespace, out);
        }
    }
    if prefix(element) == "X" {
        attribute("xmlns:X", &element.name.namespace, out);
    }
    for (name, value) in &element.attributes {
        attribute(name, value, out);
    }
}

fn close(element: &Element, out: &mut String) {
    out.push_str("</");
    tag(element, out);
    out.push('>');
}

fn tag(element: &Element, out: &mut String) {
    let prefix = prefix(element);
    if !prefix.is_empty() {
        out.push_str(prefix);
        out.push(':');
    }
    out.push_str(&element.name.local);
}

fn prefix(element: &Element) -> &'static str {
    let namespace = element.name.namespace.as_ref();
    let known = PREFIXES.iter().find(|(_, it)| *it == namespace);
    match known {
        Some((prefix, _)) => prefix,
        None if namespace.is_empty() => "",
        None => "X",
    }
}

fn attribute(name: &str, value: &str, out: &mut String) {
    out.push(' ');
    out.push_str(name);
    out.push_str("=\"");
    escaped(value, Within::Attribute, out);
    out.push('"');
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    Text,
    Attribute,
}

fn escaped(text: &str, within: Within, out: &mut String) {
    out.reserve(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            // Unescaped, a reader turns CRLF into LF (XML 1.0 §2.11), and iCalendar lines end with CRLF.
            '\r' => out.push_str("&#13;"),
            '"' if within == Within::Attribute => out.push_str("&quot;"),
            '\n' if within == Within::Attribute => out.push_str("&#10;"),
            '\t' if within == Within::Attribute => out.push_str("&#9;"),
            c if is_xml_char(c) => out.push(c),
            _ => out.push(char::REPLACEMENT_CHARACTER),
        }
    }
}
