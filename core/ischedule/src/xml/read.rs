//! An element of a document that a peer sent.

use crate::NAMESPACE;
use convoke_xml::{Flaw, Namespace, Node, XmlError};

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

impl Node for Element {
    fn attribute_name(qualified: &str) -> Option<&str> {
        Some(qualified.split_once(':').map_or(qualified, |(_, it)| it))
    }

    fn begin(
        namespace: Namespace<'_>,
        local: &str,
        attributes: Vec<(String, String)>,
    ) -> Result<Self, Flaw> {
        Ok(Self {
            name: local.to_owned(),
            space: match namespace {
                Namespace::Bound(space) if space == NAMESPACE => Space::ISchedule,
                Namespace::Unbound => Space::Missing,
                Namespace::Bound(_) | Namespace::Undeclared => Space::Foreign,
            },
            attributes,
            text: String::new(),
            children: Vec::new(),
        })
    }

    fn add_text(&mut self, text: &str) {
        self.text.push_str(text);
    }

    fn add_child(&mut self, child: Self) {
        self.children.push(child);
    }
}

impl Element {
    /// That it is no root of a document which should have `expected` as its own.
    pub(crate) fn is_wrong_root(&self, expected: &'static str) -> XmlError {
        XmlError::Root {
            found: self.name.clone(),
            protocol: "iSchedule",
            expected,
        }
    }

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
