//! Reading XML into a bounded tree.

use super::{Element, Name, is_xml_char};
use quick_xml::{
    NsReader, XmlVersion,
    events::{BytesRef, BytesStart, Event},
    name::ResolveResult,
};
use std::{borrow::Cow, fmt};

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
    /// 1 MiB, 32 deep, 20,000 elements, 4 KiB and 32 attributes a tag.
    fn default() -> Self {
        Self {
            bytes: 1 << 20,
            depth: 32,
            elements: 20_000,
            tag: 4096,
            attributes: 32,
        }
    }
}

/// A client's document cannot be read.
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
}

/// Reads a whole document.
pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Element, XmlError> {
    if bytes.len() > limits.bytes {
        return Err(XmlError::TooLarge(bytes.len(), limits.bytes));
    }
    let text = std::str::from_utf8(bytes).map_err(|e| XmlError::NotUtf8(e.valid_up_to()))?;
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    let parser = Parser {
        reader: NsReader::from_str(text),
        limits,
        elements: 0,
        open: Vec::new(),
        root: None,
    };
    parser.run()
}

struct Parser<'a> {
    reader: NsReader<&'a [u8]>,
    limits: &'a Limits,
    elements: usize,
    open: Vec<Element>,
    root: Option<Element>,
}

impl Parser<'_> {
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
        let name = self.name(start)?;
        Ok(Element {
            attributes: self.attributes(start)?,
            ..Element::new(name)
        })
    }

    fn name(&self, start: &BytesStart<'_>) -> Result<Name, XmlError> {
        let (space, local) = self.reader.resolver().resolve_element(start.name());
        let namespace = match space {
            ResolveResult::Bound(space) => space.0.to_owned(),
            ResolveResult::Unbound => String::new(),
            ResolveResult::Unknown(_) => return Err(self.malformed("a prefix is not declared")),
        };
        let local = local.into_inner();
        if !is_name(local) {
            return Err(self.malformed("an element has no valid name"));
        }
        Ok(Name {
            namespace: Cow::Owned(unescaped_namespace(&namespace)?),
            local: Cow::Owned(local.to_owned()),
        })
    }

    fn attributes(
        &self,
        start: &BytesStart<'_>,
    ) -> Result<Vec<(Cow<'static, str>, String)>, XmlError> {
        let mut attributes = Vec::new();
        for (count, attribute) in start.attributes().enumerate() {
            let attribute = attribute.map_err(|e| self.malformed(e))?;
            if count == self.limits.attributes {
                return Err(XmlError::TooComplex("attributes in one tag"));
            }
            let key: &str = attribute.key.into_inner();
            if key == "xmlns" || key.contains(':') {
                continue;
            }
            let value = attribute
                .normalized_value(XmlVersion::Implicit1_0)
                .map_err(|e| self.malformed(e))?;
            attributes.push((Cow::Owned(key.to_owned()), clean(&value)));
        }
        Ok(attributes)
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

/// Names go back into answers, so none gets through that could be anything else there.
fn is_name(local: &str) -> bool {
    let mut letters = local.chars();
    letters
        .next()
        .is_some_and(|c| c.is_alphabetic() || c == '_')
        && letters.all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

/// A namespace is bound by an attribute, whose references the reader leaves as they are.
fn unescaped_namespace(namespace: &str) -> Result<String, XmlError> {
    let unescaped = quick_xml::escape::unescape(namespace).map_err(|_| XmlError::Entity)?;
    Ok(clean(&unescaped))
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

/// Some clients let control characters through that XML forbids; nothing later should have to expect them.
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
