//! XML documents of peers, read into bounded trees.
//!
//! [`parse`] walks a document within its [`Limits`] and builds a tree of elements; what an element is and keeps is its
//! caller's ([`Node`]).
//!
//! The reader takes UTF-8, any namespace prefixes, text and CDATA alike. It refuses a DOCTYPE, and with it every entity but
//! the five predefined ones and character references, so that nothing expands. Not done: other encodings, mixed content (an
//! element's own text is joined, its place between children is lost).

use quick_xml::{
    NsReader, XmlVersion,
    events::{BytesRef, BytesStart, Event},
    name::ResolveResult,
};
use std::{fmt, ops::Range};

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
    /// 4 MiB, 16 deep, 20,000 elements (an iSchedule response to 1,000 recipients has at most 8,000), 2 KiB and 32
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
    #[error("the root element is `{found}`, not {protocol}'s `{expected}`")]
    Root {
        /// The local name of the root found.
        found: String,
        /// Whose element would do: `iSchedule`.
        protocol: &'static str,
        /// The local names that would do.
        expected: &'static str,
    },
}

/// What binds the prefix of an element's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Namespace<'a> {
    /// This namespace, as it is written: references in it are left as they are (see [`unescaped`]).
    Bound(&'a str),
    /// Nothing, as there is no prefix and no default namespace.
    Unbound,
    /// Nothing, though there is a prefix.
    Undeclared,
}

/// Why an element is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// It is not well-formed in this way.
    Malformed(&'static str),
    /// It uses an entity that XML does not predefine.
    Entity,
}

/// An element of a tree, as its reader wants it.
pub trait Node: Sized {
    /// What an attribute of this qualified name is kept as; `None`: it is not.
    fn attribute_name(qualified: &str) -> Option<&str>;

    /// The element as it begins.
    ///
    /// # Errors
    /// It is none that may be there.
    fn begin(
        namespace: Namespace<'_>,
        local: &str,
        attributes: Vec<(String, String)>,
    ) -> Result<Self, Flaw>;

    /// More of its own text.
    fn add_text(&mut self, text: &str);

    /// A child that has ended.
    fn add_child(&mut self, child: Self);

    /// Where in the document it stood, now that it has ended.
    fn set_place(&mut self, _place: Place) {}
}

/// Where an element stands in its document, in bytes from the beginning.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// With its tags.
    pub whole: Range<usize>,
    /// Between its tags; `None` of an empty-element tag.
    pub inside: Option<Range<usize>>,
}

/// Reads a whole document.
///
/// # Errors
/// It is beyond a limit, not well-formed, or uses what nobody needs to.
pub fn parse<T: Node>(bytes: &[u8], limits: &Limits) -> Result<T, XmlError> {
    if bytes.len() > limits.bytes {
        return Err(XmlError::TooLarge(bytes.len(), limits.bytes));
    }
    let text = std::str::from_utf8(bytes).map_err(|e| XmlError::NotUtf8(e.valid_up_to()))?;
    let content = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    let parser = Parser {
        reader: NsReader::from_str(content),
        skipped: text.len() - content.len(),
        limits,
        elements: 0,
        open: Vec::new(),
        root: None,
    };
    parser.run()
}

struct Parser<'a, T> {
    reader: NsReader<&'a [u8]>,
    /// What comes before what the reader reads, in bytes.
    skipped: usize,
    limits: &'a Limits,
    elements: usize,
    /// Elements that have begun, each with its start tag's place.
    open: Vec<(T, Range<usize>)>,
    root: Option<T>,
}

impl<T: Node> Parser<'_, T> {
    fn run(mut self) -> Result<T, XmlError> {
        loop {
            let begin = self.position();
            let event = self.reader.read_event();
            let event = event.map_err(|e| self.malformed(e))?;
            let tag = begin..self.position();
            match event {
                Event::Start(start) => {
                    let element = self.element(&start)?;
                    self.open.push((element, tag));
                }
                Event::Empty(start) => {
                    let element = self.element(&start)?;
                    let place = Place {
                        whole: tag,
                        inside: None,
                    };
                    self.close(element, place);
                }
                Event::End(_) => {
                    // The reader has checked that start and end tags match.
                    if let Some((element, start)) = self.open.pop() {
                        let place = Place {
                            whole: start.start..tag.end,
                            inside: Some(start.end..tag.start),
                        };
                        self.close(element, place);
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

    fn element(&mut self, start: &BytesStart<'_>) -> Result<T, XmlError> {
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
        let attributes = self.attributes(start)?;
        let (space, local) = self.reader.resolver().resolve_element(start.name());
        let namespace = match space {
            ResolveResult::Bound(space) => Namespace::Bound(space.0),
            ResolveResult::Unbound => Namespace::Unbound,
            ResolveResult::Unknown(_) => Namespace::Undeclared,
        };
        T::begin(namespace, local.into_inner(), attributes).map_err(|flaw| match flaw {
            Flaw::Malformed(reason) => self.malformed(reason),
            Flaw::Entity => XmlError::Entity,
        })
    }

    fn attributes(&self, start: &BytesStart<'_>) -> Result<Vec<(String, String)>, XmlError> {
        let mut attributes = Vec::new();
        for (count, attribute) in start.attributes().enumerate() {
            let attribute = attribute.map_err(|e| self.malformed(e))?;
            if count == self.limits.attributes {
                return Err(XmlError::TooComplex("attributes in one tag"));
            }
            let Some(name) = T::attribute_name(attribute.key.into_inner()) else {
                continue;
            };
            let value = attribute
                .normalized_value(XmlVersion::Implicit1_0)
                .map_err(|e| self.malformed(e))?;
            attributes.push((name.to_owned(), clean(&value)));
        }
        Ok(attributes)
    }

    fn position(&self) -> usize {
        let position = usize::try_from(self.reader.buffer_position());
        self.skipped + position.expect("it is within a document that is in memory")
    }

    fn close(&mut self, mut element: T, place: Place) {
        element.set_place(place);
        match self.open.last_mut() {
            Some((parent, _)) => parent.add_child(element),
            None => self.root = Some(element),
        }
    }

    fn text(&mut self, text: &str) -> Result<(), XmlError> {
        match self.open.last_mut() {
            Some((element, _)) => element.add_text(&clean(text)),
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

/// A namespace as its references mean it.
///
/// # Errors
/// It uses an entity that XML does not predefine.
pub fn unescaped(namespace: &str) -> Result<String, Flaw> {
    let unescaped = quick_xml::escape::unescape(namespace).map_err(|_| Flaw::Entity)?;
    Ok(clean(&unescaped))
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

/// Whether XML 1.0 §2.2 lets a document hold the character.
pub const fn is_xml_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}
