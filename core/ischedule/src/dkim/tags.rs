//! Tag lists (RFC 6376 §3.2): `v=1; a=rsa-sha256; …`

/// The tags of a signature or key record, in order; no name appears twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagList<'a>(Vec<(&'a str, &'a str)>);

/// A text is not a tag list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TagError {
    /// Longer than [`TagList::MAX`].
    #[error("it is longer than {} bytes", TagList::MAX)]
    TooLong,
    /// More than [`TagList::MAX_TAGS`].
    #[error("it has more than {} tags", TagList::MAX_TAGS)]
    TooMany,
    /// Not `name=value`.
    #[error("`{0}` is not `name=value`")]
    NotATag(String),
    /// RFC 6376 §3.2: a name may appear once.
    #[error("the tag `{0}=` stands twice")]
    Twice(String),
}

impl<'a> TagList<'a> {
    /// The longest text read, in bytes.
    pub const MAX: usize = 32 * 1024;
    /// The most tags read.
    pub const MAX_TAGS: usize = 50;

    /// Reads a tag list. White space around names and values does not count; a `;` may end the list.
    pub fn read(text: &'a str) -> Result<Self, TagError> {
        if text.len() > Self::MAX {
            return Err(TagError::TooLong);
        }
        let text = text.trim_matches(SPACE);
        let text = text.strip_suffix(';').unwrap_or(text);
        let mut tags = Vec::new();
        for tag in text.split(';') {
            if tags.len() == Self::MAX_TAGS {
                return Err(TagError::TooMany);
            }
            let not_a_tag = || TagError::NotATag(tag.trim().chars().take(40).collect());
            let (name, value) = tag.split_once('=').ok_or_else(not_a_tag)?;
            let (name, value) = (name.trim_matches(SPACE), value.trim_matches(SPACE));
            if !is_name(name) || !is_value(value) {
                return Err(not_a_tag());
            }
            if tags.iter().any(|(other, _)| *other == name) {
                return Err(TagError::Twice(name.to_owned()));
            }
            tags.push((name, value));
        }
        Ok(Self(tags))
    }

    /// The value of a tag, without the white space around it; names are case-sensitive.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        let found = self.0.iter().find(|(n, _)| *n == name);
        found.map(|(_, value)| *value)
    }

    /// The value of a tag without any white space: where lines may be folded, space means nothing.
    pub fn squeezed(&self, name: &str) -> Option<String> {
        Some(self.get(name)?.replace(SPACE, ""))
    }

    /// The parts of a value separated by `:`, without white space.
    pub fn list(&self, name: &str) -> Option<Vec<String>> {
        let value = self.squeezed(name)?;
        Some(value.split(':').map(str::to_owned).collect())
    }

    /// The name of the first tag.
    pub fn first(&self) -> &'a str {
        self.0.first().map_or("", |(name, _)| name)
    }
}

/// A tag list as it was sent, with the value of `b=` and the white space around it taken out (RFC 6376 §3.7).
pub(crate) fn without_signature(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (n, tag) in text.split(';').enumerate() {
        if n > 0 {
            out.push(';');
        }
        match tag.split_once('=') {
            Some((name, _)) if name.trim_matches(SPACE) == "b" => {
                out.push_str(name);
                out.push('=');
            }
            _ => out.push_str(tag),
        }
    }
    out
}

pub(crate) const SPACE: [char; 4] = [' ', '\t', '\r', '\n'];

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// RFC 6376 §3.2, and RFC 8616: printable, UTF-8 allowed.
fn is_value(text: &str) -> bool {
    !text.contains(|c: char| c.is_control() && !SPACE.contains(&c))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn tags_are_read_with_or_without_space() {
        for text in [
            "v=1;a=x y;b=",
            " v = 1 ; a =\r\n\tx y; b=;",
            "v=1; a=x y; b= ;\t",
        ] {
            let tags = TagList::read(text).unwrap();
            assert_eq!(tags.get("v"), Some("1"));
            assert_eq!(tags.get("a"), Some("x y"));
            assert_eq!(tags.squeezed("a").as_deref(), Some("xy"));
            assert_eq!(tags.get("b"), Some(""));
            assert_eq!((tags.get("c"), tags.get("A")), (None, None));
            assert_eq!(tags.first(), "v");
        }
        let tags = TagList::read("q=a : b/c:\td; n=1=2").unwrap();
        assert_eq!(tags.list("q").unwrap(), ["a", "b/c", "d"]);
        assert_eq!(tags.get("n"), Some("1=2"));
    }

    #[test]
    fn malformed_tag_lists_are_refused() {
        let many = "a=1;".repeat(51);
        let long = format!("a={}", "x".repeat(40_000));
        for (text, is_it) in [
            ("", "not `name=value`"),
            (";", "not `name=value`"),
            ("a", "not `name=value`"),
            ("a=1;;b=2", "not `name=value`"),
            ("a=1;b", "not `name=value`"),
            ("=1", "not `name=value`"),
            ("1a=1", "not `name=value`"),
            ("a b=1", "not `name=value`"),
            ("ä=1", "not `name=value`"),
            ("a=\u{0}", "not `name=value`"),
            ("a=1; b=2; a=1", "twice"),
            (&many, "twice"),
            (&long, "longer"),
        ] {
            let error = TagList::read(text).expect_err(text).to_string();
            assert!(error.contains(is_it), "{error}");
        }
    }

    #[test]
    fn only_the_value_of_b_is_taken_out() {
        for (text, out) in [
            ("a=1; b=xyz; bh=b=", "a=1; b=; bh=b="),
            ("b = x y z ;a=b", "b =;a=b"),
            ("bb=1; B=2;b=3", "bb=1; B=2;b="),
        ] {
            assert_eq!(without_signature(text), out);
        }
    }

    proptest! {
        #[test]
        fn reading_any_text_terminates(text in "([a-c]{0,2}[= ]{0,2}\\PC{0,4};){0,6}") {
            if let Ok(tags) = TagList::read(&text) {
                prop_assert!(tags.get(tags.first()).is_some());
            }
        }
    }
}
