//! Answers about many resources (RFC 4918 §13).

use crate::{
    precondition::Precondition,
    xml::{Document, Element, Name},
};

/// What is told of one resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Its path, percent-coded.
    pub href: String,
    /// What is told.
    pub about: About,
}

/// What is told of a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    /// A status alone: it is not there, or was not looked at.
    Status(u16),
    /// RFC 6578 §3.6: there is more in this collection than is told now.
    Truncated,
    /// Its properties.
    Properties {
        /// Those that it has.
        found: Vec<Element>,
        /// Those that it has not, each with the status that says why.
        missing: Vec<(Name, u16)>,
    },
}

/// A `DAV:multistatus`, written as its answers come.
#[derive(Clone, Debug)]
pub struct Multistatus(Document);

impl Default for Multistatus {
    fn default() -> Self {
        Self(Document::new(&Element::dav("multistatus")))
    }
}

impl Multistatus {
    /// One more answer.
    pub fn push(&mut self, answer: Answer) {
        self.0.push(&answer.element());
    }

    /// The length so far, in bytes.
    #[allow(clippy::len_without_is_empty, reason = "it has a root always")]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The whole, with the sync-token that ends it if there is one.
    pub fn finish(mut self, sync_token: Option<String>) -> String {
        if let Some(token) = sync_token {
            self.0.push(&Element::dav("sync-token").with_text(token));
        }
        self.0.finish()
    }
}

impl Answer {
    fn element(self) -> Element {
        let mut response = Element::dav("response").with(Element::href(self.href));
        match self.about {
            About::Status(code) => response.children.push(status(code)),
            About::Truncated => {
                response.children.push(status(507));
                let limits = Precondition::NumberOfMatchesWithinLimits;
                response.children.push(limits.error(&[]));
            }
            About::Properties { found, mut missing } => {
                // RFC 4918 §14.24: there is one propstat at least.
                if !found.is_empty() || missing.is_empty() {
                    response.children.push(propstat(found, 200));
                }
                while let Some(&(_, code)) = missing.first() {
                    let (same, others) = missing.into_iter().partition(|(_, it)| *it == code);
                    missing = others;
                    let same: Vec<(Name, u16)> = same;
                    let names = same.into_iter().map(|(name, _)| Element::new(name));
                    response.children.push(propstat(names.collect(), code));
                }
            }
        }
        response
    }
}

fn propstat(properties: Vec<Element>, code: u16) -> Element {
    let mut prop = Element::dav("prop");
    prop.children = properties;
    Element::dav("propstat").with(prop).with(status(code))
}

fn status(code: u16) -> Element {
    let reason = match code {
        200 => "OK",
        403 => "Forbidden",
        404 => "Not Found",
        424 => "Failed Dependency",
        507 => "Insufficient Storage",
        _ => "",
    };
    Element::dav("status").with_text(format!("HTTP/1.1 {code} {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::{DAV, Element, LIMITS, parse};

    #[test]
    fn each_status_has_its_properties() {
        let name = |local| Name::new(DAV, local);
        let mut all = Multistatus::default();
        all.push(Answer {
            href: "/a".to_owned(),
            about: About::Properties {
                found: vec![Element::dav("getetag").with_text("\"1\"")],
                missing: vec![(name("x"), 404), (name("y"), 403), (name("z"), 404)],
            },
        });
        all.push(Answer {
            href: "/b".to_owned(),
            about: About::Status(404),
        });
        all.push(Answer {
            href: "/c/".to_owned(),
            about: About::Truncated,
        });
        let before = all.len();
        let text = all.finish(Some("t".to_owned()));
        assert!(before < text.len());
        let root: Element = parse(text.as_bytes(), &LIMITS).unwrap();
        let told: Vec<Vec<(&str, usize)>> =
            (root.children.iter().filter(|it| it.is(DAV, "response")))
                .map(|response| {
                    let told = response.children.iter().filter(|it| it.is(DAV, "propstat"));
                    told.map(|it| {
                        let status = it.child(DAV, "status").unwrap();
                        let prop = it.child(DAV, "prop").unwrap();
                        (&status.text[9..12], prop.children.len())
                    })
                    .collect()
                })
                .collect();
        let of_a = vec![("200", 1), ("404", 2), ("403", 1)];
        assert_eq!(told, [of_a, vec![], vec![]]);
        let error = root.children[2].child(DAV, "error").unwrap();
        assert!(
            error
                .child(DAV, "number-of-matches-within-limits")
                .is_some()
        );
        let status = root.children[1].child(DAV, "status").unwrap();
        assert_eq!(status.text, "HTTP/1.1 404 Not Found");
        assert_eq!(root.child(DAV, "sync-token").unwrap().text, "t");
    }
}
