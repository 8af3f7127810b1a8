//! Elements of documents that clients sent.

use super::{Element, Limits, Name};
use convoke_xml::{Flaw, Namespace, Node, unescaped};
use std::borrow::Cow;

/// What a client's document may take: 1 MiB, 32 deep, 20,000 elements, 4 KiB and 32 attributes a tag.
pub const LIMITS: Limits = Limits {
    bytes: 1 << 20,
    depth: 32,
    elements: 20_000,
    tag: 4096,
    attributes: 32,
};

impl Node for Element {
    fn attribute_name(qualified: &str) -> Option<&str> {
        (qualified != "xmlns" && !qualified.contains(':')).then_some(qualified)
    }

    fn begin(
        namespace: Namespace<'_>,
        local: &str,
        attributes: Vec<(String, String)>,
    ) -> Result<Self, Flaw> {
        let namespace = match namespace {
            Namespace::Bound(space) => unescaped(space)?,
            Namespace::Unbound => String::new(),
            Namespace::Undeclared => return Err(Flaw::Malformed("a prefix is not declared")),
        };
        if !is_name(local) {
            return Err(Flaw::Malformed("an element has no valid name"));
        }
        let attributes = attributes.into_iter();
        Ok(Self {
            attributes: attributes
                .map(|(name, value)| (Cow::Owned(name), value))
                .collect(),
            ..Self::new(Name {
                namespace: Cow::Owned(namespace),
                local: Cow::Owned(local.to_owned()),
            })
        })
    }

    fn add_text(&mut self, text: &str) {
        self.text.push_str(text);
    }

    fn add_child(&mut self, child: Self) {
        self.children.push(child);
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
