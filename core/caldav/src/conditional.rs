//! Entity tags (RFC 9110 §8.8.3), and what `If-Match` and `If-None-Match` say of them (§13).

use convoke_types::Etag;
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

/// What a tag must not hold, and the sign that stands for it.
const TAG: &AsciiSet = &CONTROLS.add(b'"').add(b' ').add(b'%').add(b'\\').add(b',');

/// A store's etag as an entity tag, in quotes. Different ones are told apart.
///
/// ```
/// use convoke_caldav::conditional::entity_tag;
/// use convoke_types::Etag;
///
/// assert_eq!(entity_tag(&Etag::new("a\"b")?), "\"a%22b\"");
/// # Ok::<(), convoke_types::InvalidId>(())
/// ```
pub fn entity_tag(etag: &Etag) -> String {
    format!("\"{}\"", utf8_percent_encode(etag.as_str(), TAG))
}

/// The store's etag of an entity tag of ours; `None` if it is none.
///
/// ```
/// use convoke_caldav::conditional::{entity_tag, etag_of};
/// use convoke_types::Etag;
///
/// let etag = Etag::new("a\"b")?;
/// assert_eq!(etag_of(&entity_tag(&etag)), Some(etag));
/// assert_eq!(etag_of("a"), None);
/// # Ok::<(), convoke_types::InvalidId>(())
/// ```
pub fn etag_of(tag: &str) -> Option<Etag> {
    let opaque = tag.strip_prefix('"')?.strip_suffix('"')?;
    let text = percent_decode_str(opaque).decode_utf8().ok()?;
    Etag::new(text.as_ref()).ok()
}

/// What a client wants to be true before its request is done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    /// `If-Match`, as it came.
    pub if_match: Option<String>,
    /// `If-None-Match`, as it came.
    pub if_none_match: Option<String>,
}

/// A condition of the client is not met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unmet {
    /// That of `If-Match`.
    IfMatch,
    /// That of `If-None-Match`.
    IfNoneMatch,
}

impl Conditions {
    /// Whether the resource is as the client wants it; `there` is its entity tag, `None` if there is no such resource.
    pub fn check(&self, there: Option<&str>) -> Result<(), Unmet> {
        let names = |list: &str| there.is_some_and(|tag| is_named(list, tag));
        match &self.if_match {
            Some(list) if !names(list) => return Err(Unmet::IfMatch),
            _ => {}
        }
        match &self.if_none_match {
            Some(list) if names(list) => Err(Unmet::IfNoneMatch),
            _ => Ok(()),
        }
    }

    /// The entity tags that `If-Match` names, each in quotes.
    pub fn wanted(&self) -> impl Iterator<Item = &str> {
        self.if_match.iter().flat_map(|it| named(it))
    }
}

/// Whether a list of tags, or `*`, names a tag of ours.
fn is_named(list: &str, tag: &str) -> bool {
    named(list).any(|it| it == "*" || it == tag)
}

/// What a list names. Tags of ours have neither comma nor blank, so it splits there.
fn named(list: &str) -> impl Iterator<Item = &str> {
    let all = list.split(',').map(str::trim);
    // A proxy that compressed an answer may have made the tag weak; what it names is the same.
    all.map(|it| it.strip_prefix("W/").unwrap_or(it))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn conditions_are_those_of_rfc_9110() {
        let conditions = |if_match: Option<&str>, if_none_match: Option<&str>| Conditions {
            if_match: if_match.map(str::to_owned),
            if_none_match: if_none_match.map(str::to_owned),
        };
        for (there, if_match, if_none_match, expected) in [
            (Some("\"1\""), None, None, Ok(())),
            (Some("\"1\""), Some("\"1\""), None, Ok(())),
            (Some("\"1\""), Some("\"0\", W/\"1\""), None, Ok(())),
            (Some("\"1\""), Some("*"), None, Ok(())),
            (Some("\"1\""), Some("\"2\""), None, Err(Unmet::IfMatch)),
            (None, Some("*"), None, Err(Unmet::IfMatch)),
            (None, Some("\"1\""), None, Err(Unmet::IfMatch)),
            (None, None, Some("*"), Ok(())),
            (Some("\"1\""), None, Some("*"), Err(Unmet::IfNoneMatch)),
            (Some("\"1\""), None, Some("\"1\""), Err(Unmet::IfNoneMatch)),
            (Some("\"1\""), None, Some("\"2\""), Ok(())),
        ] {
            let met = conditions(if_match, if_none_match).check(there);
            assert_eq!(met, expected, "{there:?} {if_match:?} {if_none_match:?}");
        }
    }

    proptest! {
        #[test]
        fn tags_are_told_apart_and_name_themselves(one in "\\PC{1,12}", other in "\\PC{1,12}") {
            let (Ok(one), Ok(other)) = (Etag::new(one), Etag::new(other)) else {
                return Ok(());
            };
            let (tag, another) = (entity_tag(&one), entity_tag(&other));
            prop_assert_eq!(tag == another, one == other);
            prop_assert!(tag.bytes().all(|it| it.is_ascii_graphic()));
            let list = format!("\"x y\", {tag}");
            prop_assert!(is_named(&list, &tag));
        }
    }
}
