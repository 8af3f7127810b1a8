//! The `If` header of `WebDAV` (RFC 4918 §10.4).
//!
//! Nothing can be locked here, so that no state token is ever a resource's; entity tags are.

/// What an `If` header wants to be true: at least one of its lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IfHeader(Vec<List>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct List {
    /// As it is written; `None`: the resource of the request.
    resource: Option<String>,
    conditions: Vec<Condition>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Condition {
    wanted: Wanted,
    tag: Tag,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    True,
    False,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Tag {
    /// With its quotes.
    Entity(String),
    State,
}

/// A text is no `If` header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the If header cannot be read: write If: ([\"etag\"]) or If: </path> ([\"etag\"])")]
pub struct InvalidIf;

impl IfHeader {
    /// Reads one, as it came.
    ///
    /// ```
    /// use convoke_caldav::if_header::IfHeader;
    ///
    /// let header = IfHeader::read("</a.ics> ([\"1\"]) (Not <urn:x> [\"2\"])")?;
    /// assert!(header.holds(|it| (it == Some("/a.ics")).then(|| "\"1\"".to_owned())));
    /// assert!(!header.holds(|_| None));
    /// # Ok::<(), convoke_caldav::if_header::InvalidIf>(())
    /// ```
    pub fn read(text: &str) -> Result<Self, InvalidIf> {
        let mut lists = Vec::new();
        let (mut rest, mut resource) = (text.trim_start(), None);
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix('<') {
                // RFC 4918 §10.4.2: all lists are tagged, or none is.
                if resource.is_none() && !lists.is_empty() {
                    return Err(InvalidIf);
                }
                let (named, after) = after.split_once('>').ok_or(InvalidIf)?;
                resource = Some(named.to_owned());
                rest = after.trim_start();
            }
            let (conditions, after) = conditions(rest)?;
            lists.push(List {
                resource: resource.clone(),
                conditions,
            });
            rest = after.trim_start();
        }
        if lists.is_empty() {
            return Err(InvalidIf);
        }
        Ok(Self(lists))
    }

    /// Whether one of the lists holds. `tag_of` gives the entity tag of a resource, as it is written in the header, or of the
    /// request's own; `None`: there is none.
    pub fn holds(&self, tag_of: impl Fn(Option<&str>) -> Option<String>) -> bool {
        self.0.iter().any(|list| {
            let there = tag_of(list.resource.as_deref());
            list.conditions.iter().all(|it| it.holds(there.as_deref()))
        })
    }
}

impl Condition {
    fn holds(&self, there: Option<&str>) -> bool {
        let is_so = match &self.tag {
            Tag::Entity(tag) => there == Some(tag.strip_prefix("W/").unwrap_or(tag)),
            Tag::State => false,
        };
        is_so == (self.wanted == Wanted::True)
    }
}

/// `( condition… )`, and what comes after it.
fn conditions(text: &str) -> Result<(Vec<Condition>, &str), InvalidIf> {
    let mut rest = text.strip_prefix('(').ok_or(InvalidIf)?.trim_start();
    let mut conditions = Vec::new();
    loop {
        if let Some(after) = rest.strip_prefix(')') {
            if conditions.is_empty() {
                return Err(InvalidIf);
            }
            return Ok((conditions, after));
        }
        let word = rest.get(..3);
        let wanted = if word.is_some_and(|it| it.eq_ignore_ascii_case("not")) {
            rest = rest[3..].trim_start();
            Wanted::False
        } else {
            Wanted::True
        };
        let (tag, after) = tag(rest)?;
        conditions.push(Condition { wanted, tag });
        rest = after.trim_start();
    }
}

fn tag(text: &str) -> Result<(Tag, &str), InvalidIf> {
    if let Some(rest) = text.strip_prefix('<') {
        let (_, after) = rest.split_once('>').ok_or(InvalidIf)?;
        return Ok((Tag::State, after));
    }
    let rest = text.strip_prefix('[').ok_or(InvalidIf)?;
    let opaque = rest.strip_prefix("W/").unwrap_or(rest);
    let opaque = opaque.strip_prefix('"').ok_or(InvalidIf)?;
    let (_, after) = opaque.split_once('"').ok_or(InvalidIf)?;
    let length = rest.len() - after.len();
    let after = after.strip_prefix(']').ok_or(InvalidIf)?;
    Ok((Tag::Entity(rest[..length].to_owned()), after))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_header_holds_if_one_of_its_lists_does() {
        let tag_of = |resource: Option<&str>| match resource {
            None | Some("/a") => Some("\"1\"".to_owned()),
            Some("https://localhost/b") => Some("\"x]\"".to_owned()),
            Some(_) => None,
        };
        for (text, holds) in [
            ("([\"1\"])", true),
            ("([W/\"1\"])", true),
            ("([\"2\"])", false),
            ("([\"2\"]) ([\"1\"])", true),
            ("([\"1\"] <urn:uuid:1>)", false),
            ("([\"1\"] Not <DAV:no-lock>)", true),
            ("(not[\"1\"])", false),
            ("</a> ([\"1\"])", true),
            ("</c> ([\"1\"])", false),
            ("</c> (Not [\"1\"])", true),
            ("</c> ([\"1\"]) <https://localhost/b> ([\"x]\"])", true),
            ("</a> ([\"2\"]) ([\"1\"])", true),
        ] {
            assert_eq!(IfHeader::read(text).unwrap().holds(tag_of), holds, "{text}");
        }
    }

    #[test]
    fn what_is_no_header_is_refused() {
        for text in [
            "",
            "()",
            "(",
            "([\"1\"]",
            "([1])",
            "([\"1\")",
            "</a>",
            "</a ([\"1\"])",
            "([\"1\"]) </a> ([\"1\"])",
            "(Not)",
            "x",
        ] {
            assert_eq!(IfHeader::read(text), Err(InvalidIf), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_reading_panic(text in "[<>()\\[\\]\"WwNotü/ a1]{0,40}") {
            if let Ok(header) = IfHeader::read(&text) {
                header.holds(|_| None);
            }
        }
    }
}
