//! Reading XML into a bounded tree.

use super::is_xml_char;
use crate::NAMESPACE;
use quick_xml::{
    NsReader, XmlVersion,
    events::{BytesRef, BytesStart, Event},
    name::ResolveResult,
};
use std::fmt;

/// Limits on the XML that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Size of the document in bytes.
    pub bytes: usize,
    /// Elements within elements.
    pub depth: usize,
    /// Elements in all.
    pub elements: usize,
    /// Size of one start tag with its attributes, in bytes.
    pub tag: usize,
    /// Attributes of one element; finding duplicates takes time quadratic in it.
    pub attributes: usize,
}

impl Default for Limits {
    /// 4 MiB, 16 deep, 20,000 elements (a response to 1,000 recipients has at most 8,000), 2 KiB and 32
    /// attributes a tag.
    fn default() -> Self {
        Self {
            bytes: 4 << 20,
            depth: 16,
            elements: 20_000,
            tag: 2048,
            attributes: 32,
        }
    }
}

/// A peer's document cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum XmlError {
    /// Larger than [`Limits::bytes`].
    #[error("the document has {0} bytes; the limit is {1}")]
    TooLarge(usize, usize),
    /// Beyond another of the [`Limits`].
    #[error("the document exceeds the limit of {0}")]
    TooComplex(&'static str),
    /// Not UTF-8.
    #[error("the document is not UTF-8 from byte {0} on")]
    NotUtf8(usize),
    /// It has a DOCTYPE.
    #[error("the document has a DOCTYPE, which is not allowed")]
    Doctype,
    /// An entity other than the five predefined ones.
    #[error("the document uses an entity that XML does not predefine")]
    Entity,
    /// Not well-formed.
    #[error("the document is not well-formed XML at byte {at}: {reason}")]
    Malformed {
        /// Where, in bytes from the beginning.
        at: u64,
        /// What the parser said.
        reason: String,
    },
    /// Another root element, or another namespace.
    #[error("the root element is `{found}`, not iSchedule's `{expected}`")]
    Root {
        /// The local name of the root found.
        found: String,
        /// The local names that would do.
        expected: &'static str,
    },
}

/// One element: of what namespace, its attributes, its text, its children.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Element {
    name: String,
    space: Space,
    attributes: Vec<(String, String)>,
    text: String,
    children: Vec<Element>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Space {
    ISchedule,
    Missing,
    Foreign,
}

/// Reads a whole document.
pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Element, XmlError> {
    if bytes.len() > limits.bytes {
        return Err(XmlError::TooLarge(bytes.len(), limits.bytes));
    }
    let text = std::str::from_utf8(bytes).map_err(|e| XmlError::NotUtf8(e.valid_up_to()))?;
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    Parser::new(text, limits).run()
}

impl Element {
    /// The local name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether the element states iSchedule's namespace; one without any namespace is read as iSchedule's too.
    pub fn has_namespace(&self) -> bool {
        self.space == Space::ISchedule
    }

    /// The element's text, white space around it removed.
    pub fn text(&self) -> &str {
        self.text.trim()
    }

    /// The element's text with its white space.
    pub fn raw_text(&self) -> &str {
        &self.text
    }

    /// The value of an attribute.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(n, _)| n == name)?;
        Some(&found.1)
    }

    /// The children in iSchedule's namespace, in order.
    pub fn children(&self) -> impl Iterator<Item = &Self> {
        self.children.iter().filter(|child| child.is_ours())
    }

    /// The children of a name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children().filter(move |child| child.name == name)
    }

    /// The first child of a name.
    pub fn child(&self, name: &str) -> Option<&Self> {
        self.children().find(|child| child.name == name)
    }

    /// The first child of a name in any namespace.
    pub fn any_child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The text of the first child of a name; `None` if there is none or it is empty.
    pub fn child_text(&self, name: &str) -> Option<&str> {
        self.child(name).map(Self::text).filter(|t| !t.is_empty())
    }

    /// Whether the element is iSchedule's `name`.
    pub fn is(&self, name: &str) -> bool {
        self.is_ours() && self.name == name
    }

    fn is_ours(&self) -> bool {
        self.space != Space::Foreign
    }
}

struct Parser<'a> {
    reader: NsReader<&'a [u8]>,
    limits: &'a Limits,
    elements: usize,
    open: Vec<Element>,
    root: Option<Element>,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str, limits: &'a Limits) -> Self {
        Self {
            reader: NsReader::from_str(text),
            limits,
            elements: 0,
            open: Vec::new(),
            root: None,
        }
    }

    fn run(mut self) -> Result<Element, XmlError> {
        loop {
            let event = self.reader.read_event();
            match event.map_err(|e| self.malformed(e))? {
                Event::Start(start) => {
                    let element = self.element(&start)?;
                    self.open.push(element);
                }
                Event::Empty(start) => {
                    let element = self.element(&start)?;
                    self.close(element);
                }
                Event::End(_) => {
                    // The reader has checked that start and end tags match.
                    if let Some(element) = self.open.pop() {
                        self.close(element);
                    }
                }
                Event::Text(text) => self.text(&text.xml10_content())?,
                Event::CData(text) => self.text(&text.xml10_content())?,
                Event::GeneralRef(reference) => {
                    let c = predefined(&reference)?;
                    self.text(c.encode_utf8(&mut [0; 4]))?;
                }
                Event::DocType(_) => return Err(XmlError::Doctype),
                Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
                Event::Eof => break,
            }
        }
        match (self.root.take(), self.open.is_empty()) {
            (Some(root), true) => Ok(root),
            _ => Err(self.malformed("it ends too early")),
        }
    }

    fn element(&mut self, start: &BytesStart<'_>) -> Result<Element, XmlError> {
        self.elements += 1;
        if self.elements > self.limits.elements {
            return Err(XmlError::TooComplex("elements"));
        }
        if self.open.len() >= self.limits.depth {
            return Err(XmlError::TooComplex("nested elements"));
        }
        if start.len() > self.limits.tag {
            return Err(XmlError::TooComplex("attributes in one tag"));
        }
        if self.root.is_some() {
            return Err(self.malformed("it has a second root element"));
        }
        let mut attributes = Vec::new();
        for attribute in start.attributes() {
            let attribute = attribute.map_err(|e| self.malformed(e))?;
            if attributes.len() == self.limits.attributes {
                return Err(XmlError::TooComplex("attributes in one tag"));
            }
            let value = attribute
                .normalized_value(XmlVersion::Implicit1_0)
                .map_err(|e| self.malformed(e))?;
            let name = attribute.key.local_name();
            attributes.push((name.into_inner().to_owned(), clean(&value)));
        }
        let (space, name) = self.reader.resolver().resolve_element(start.name());
        Ok(Element {
            name: name.into_inner().to_owned(),
            space: match space {
                ResolveResult::Bound(space) if space.0 == NAMESPACE => Space::ISchedule,
                ResolveResult::Unbound => Space::Missing,
                ResolveResult::Bound(_) | ResolveResult::Unknown(_) => Space::Foreign,
            },
            attributes,
            text: String::new(),
            children: Vec::new(),
        })
    }

    fn close(&mut self, element: Element) {
        match self.open.last_mut() {
            Some(parent) => parent.children.push(element),
            None => self.root = Some(element),
        }
    }

    fn text(&mut self, text: &str) -> Result<(), XmlError> {
        match self.open.last_mut() {
            Some(element) => element.text.push_str(&clean(text)),
            None if text.trim().is_empty() => {}
            None => return Err(self.malformed("it has text outside of the root element")),
        }
        Ok(())
    }

    fn malformed(&self, reason: impl fmt::Display) -> XmlError {
        XmlError::Malformed {
            at: self.reader.error_position(),
            reason: format!("{reason:.200}"),
        }
    }
}

fn predefined(reference: &BytesRef<'_>) -> Result<char, XmlError> {
    let resolved = reference.resolve_char_ref();
    if let Some(c) = resolved.map_err(|_| XmlError::Entity)? {
        return Ok(c);
    }
    let name: &str = reference;
    match name {
        "lt" => Ok('<'),
        "gt" => Ok('>'),
        "amp" => Ok('&'),
        "apos" => Ok('\''),
        "quot" => Ok('"'),
        _ => Err(XmlError::Entity),
    }
}

/// Some peers let control characters through that XML forbids; nothing later should have to expect them.
fn clean(text: &str) -> String {
    let replace = |c| {
        if is_xml_char(c) {
            c
        } else {
            char::REPLACEMENT_CHARACTER
        }
    };
    text.chars().map(replace).collect()
}
