//! XML as `WebDAV` uses it: a bounded tree of elements, each with its namespace.
//!
//! They are read by `convoke-xml`, within [`LIMITS`]. What is written reads the same again. Not done: attributes with a
//! namespace (they are dropped).

mod read;
mod write;

pub use convoke_xml::{Limits, XmlError, parse};
pub use read::LIMITS;
pub use write::{Document, document, fragment};

use std::{borrow::Cow, fmt};

/// The namespace of RFC 4918.
pub const DAV: &str = "DAV:";
/// The namespace of RFC 4791 and RFC 6638.
pub const CALDAV: &str = "urn:ietf:params:xml:ns:caldav";
/// The namespace of `getctag`.
pub const CALENDARSERVER: &str = "http://calendarserver.org/ns/";
/// The namespace of `calendar-color` and `calendar-order`.
pub const APPLE: &str = "http://apple.com/ns/ical/";

/// A name in a namespace, which is empty for none.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name {
    /// The namespace.
    pub namespace: Cow<'static, str>,
    /// The local part.
    pub local: Cow<'static, str>,
}

impl Name {
    /// A name that is known.
    pub const fn new(namespace: &'static str, local: &'static str) -> Self {
        Self {
            namespace: Cow::Borrowed(namespace),
            local: Cow::Borrowed(local),
        }
    }

    /// Whether it is this one.
    pub fn is(&self, namespace: &str, local: &str) -> bool {
        self.local == local && self.namespace == namespace
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{}}}{}", self.namespace, self.local)
    }
}

/// One element: its attributes, its text, its children.
///
/// ```
/// use convoke_caldav::xml::{DAV, Element, LIMITS, Name, document, parse};
///
/// let href = Element::new(Name::new(DAV, "href")).with_text("/calendars/a&b/");
/// let text = document(&href);
/// assert_eq!(parse::<Element>(text.as_bytes(), &LIMITS)?, href);
/// # Ok::<(), convoke_caldav::xml::XmlError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Element {
    /// Its name.
    pub name: Name,
    /// Attributes without a namespace, in order.
    pub attributes: Vec<(Cow<'static, str>, String)>,
    /// Its own text, as it came.
    pub text: String,
    /// The elements in it.
    pub children: Vec<Element>,
}

impl Element {
    /// An empty element.
    pub const fn new(name: Name) -> Self {
        Self {
            name,
            attributes: Vec::new(),
            text: String::new(),
            children: Vec::new(),
        }
    }

    /// An empty element of RFC 4918.
    pub const fn dav(local: &'static str) -> Self {
        Self::new(Name::new(DAV, local))
    }

    /// An empty element of RFC 4791 or RFC 6638.
    pub const fn caldav(local: &'static str) -> Self {
        Self::new(Name::new(CALDAV, local))
    }

    /// A `DAV:href`.
    pub fn href(href: impl Into<String>) -> Self {
        Self::dav("href").with_text(href)
    }

    /// The same with this text.
    #[must_use]
    pub fn with_text(mut self, text: impl Into<String>) -> Self {
        self.text = text.into();
        self
    }

    /// The same with one more child.
    #[must_use]
    pub fn with(mut self, child: Self) -> Self {
        self.children.push(child);
        self
    }

    /// The same with one more attribute.
    #[must_use]
    pub fn with_attribute(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.attributes.push((Cow::Borrowed(name), value.into()));
        self
    }

    /// Whether it is this element.
    pub fn is(&self, namespace: &str, local: &str) -> bool {
        self.name.is(namespace, local)
    }

    /// The first child of a name.
    pub fn child(&self, namespace: &str, local: &str) -> Option<&Self> {
        self.children.iter().find(|it| it.is(namespace, local))
    }

    /// The value of an attribute.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(it, _)| it == name)?;
        Some(&found.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Result<Element, XmlError> {
        parse(text.as_bytes(), &LIMITS)
    }

    #[test]
    fn prefixes_do_not_matter_and_namespaces_do() {
        let href = Element::href("x");
        for (text, same) in [
            ("<href xmlns='DAV:'>x</href>", true),
            ("<a:href xmlns:a='DAV:'>x</a:href>", true),
            (
                "<?xml version='1.0'?><!-- c --><d:href xmlns:d='DAV:'><![CDATA[x]]></d:href>",
                true,
            ),
            ("<href>x</href>", false),
            ("<href xmlns='DAV'>x</href>", false),
        ] {
            assert_eq!(read(text).unwrap() == href, same, "{text}");
        }
    }

    #[test]
    fn what_could_grow_or_is_no_document_is_refused() {
        let deep = "<a>".repeat(40) + &"</a>".repeat(40);
        let many = format!("<a>{}</a>", "<b/>".repeat(20_001));
        let wide = format!("<a b=\"{}\"/>", "x".repeat(5000));
        for (text, expected) in [
            (
                "<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>",
                XmlError::Doctype,
            ),
            ("<a>&x;</a>", XmlError::Entity),
            (&deep, XmlError::TooComplex("nested elements")),
            (&many, XmlError::TooComplex("elements")),
            (&wide, XmlError::TooComplex("attributes in one tag")),
        ] {
            assert_eq!(read(text), Err(expected), "{text:.60}");
        }
        for text in [
            "",
            "<a>",
            "<a/><b/>",
            "<a></b>",
            "x",
            "<p:a/>",
            "<1/>",
            "<a><\"/></a>",
        ] {
            assert!(
                matches!(read(text), Err(XmlError::Malformed { .. })),
                "{text}: {:?}",
                read(text)
            );
        }
        let long = parse::<Element>(&vec![b' '; (1 << 20) + 1], &LIMITS);
        assert!(matches!(long, Err(XmlError::TooLarge(..))));
        let latin = parse::<Element>(b"<a>\xfc</a>", &LIMITS);
        assert_eq!(latin, Err(XmlError::NotUtf8(3)));
    }

    fn element() -> impl Strategy<Value = Element> {
        let namespace = prop::sample::select(vec!["", DAV, CALDAV, APPLE, "urn:x\"<&"]);
        let leaf = (
            namespace,
            "[a-zA-Z_][a-z0-9.-]{0,6}",
            "\\PC{0,12}",
            "[ -~\n\t\r]{0,8}",
        )
            .prop_map(|(namespace, local, text, value)| Element {
                name: Name {
                    namespace: namespace.into(),
                    local: local.into(),
                },
                attributes: vec![("x".into(), value)],
                text,
                children: Vec::new(),
            });
        leaf.prop_recursive(4, 30, 4, |inner| {
            (inner.clone(), prop::collection::vec(inner, 0..4)).prop_map(|(mut it, children)| {
                it.children = children;
                it
            })
        })
    }

    proptest! {
        #[test]
        fn what_is_written_reads_the_same(element in element()) {
            prop_assert_eq!(read(&document(&element)).unwrap(), element);
        }

        #[test]
        fn anything_may_come(text in "[<>/a-c:=\"'&; !\\[\\]?-]{0,60}") {
            let _ = read(&text);
        }
    }
}
