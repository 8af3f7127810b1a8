//! Where a resource lies on its server, in one spelling.

use convoke_sdk::prelude::*;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sha2::{Digest, Sha256};
use std::fmt;
use url::Url;

/// What is written as it is in a path: RFC 3986's `pchar` without `%`.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=')
    .remove(b':')
    .remove(b'@');

/// A path on a server, spelt the same whoever wrote it: servers escape one path in several ways.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Href(String);

impl Href {
    /// What `text` means in an answer to a request for `base`; `None` if it leads to another host.
    pub(crate) fn resolve(base: &Url, text: &str) -> Option<Self> {
        let url = base.join(text.trim()).ok()?;
        // Behind a proxy a server may not know its own scheme and port; the request goes to ours anyway.
        (url.host_str() == base.host_str()).then(|| Self::of(&url))
    }

    /// The path of a URL.
    pub(crate) fn of(url: &Url) -> Self {
        let segments = url.path().split('/').map(|segment| {
            let plain = percent_decode_str(segment).decode_utf8_lossy();
            utf8_percent_encode(&plain, ESCAPED).to_string()
        });
        Self(segments.collect::<Vec<_>>().join("/"))
    }

    /// One more segment, made of a name that is safe in a path.
    pub(crate) fn child(&self, name: &str) -> Self {
        let slash = if self.0.ends_with('/') { "" } else { "/" };
        Self(format!("{}{slash}{name}", self.0))
    }

    /// The collection that this lies in.
    pub(crate) fn parent(&self) -> Option<Self> {
        let (parent, _) = self.0.trim_end_matches('/').rsplit_once('/')?;
        Some(Self(format!("{parent}/")))
    }

    /// Whether this lies below `folder`.
    pub(crate) fn is_in(&self, folder: &Self) -> bool {
        let folder = folder.0.trim_end_matches('/');
        (self.0.strip_prefix(folder)).is_some_and(|rest| rest.starts_with('/') && rest.len() > 1)
    }

    /// Whether both name one resource; a collection is spelt with a slash at its end, or without.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.0.trim_end_matches('/') == other.0.trim_end_matches('/')
    }

    /// The last segment, as people read it.
    pub(crate) fn name(&self) -> String {
        let segment = self.0.trim_end_matches('/').rsplit('/').next();
        let name = percent_decode_str(segment.unwrap_or_default()).decode_utf8_lossy();
        name.into_owned()
    }

    /// Whether it holds the object of this UID, by what programs call resources, and we do: nothing tells better where it cannot
    /// be read.
    pub(crate) fn is_of(&self, uid: &Uid) -> bool {
        let name = self.name();
        name.strip_suffix(".ics") == Some(uid.as_str()) || name == file(uid, 0)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Href {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name of a new object: anybody may have chosen the UID, so only a hash of it goes into a path. `attempt` makes
/// another name when one is taken.
pub(crate) fn file(uid: &Uid, attempt: u32) -> String {
    let name = hex::encode(&Sha256::digest(uid.as_str())[..16]);
    match attempt {
        0 => name + ".ics",
        _ => format!("{name}-{attempt}.ics"),
    }
}

/// One segment of a path that means `text`; `None` if no segment can.
pub(crate) fn segment(text: &str) -> Option<String> {
    // `.` and `..` have a meaning of their own, escaped or not.
    let fine = !text.is_empty() && text != "." && text != ".." && !text.contains(['/', '\\']);
    fine.then(|| utf8_percent_encode(text, ESCAPED).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_path_has_one_spelling() {
        let base = Url::parse("https://dav.example.org/a/").unwrap();
        let wanted = Some("/anna@example.org/J%C3%A4nner/%2F;x.ics");
        for text in [
            "/anna@example.org/Jänner/%2f;x.ics",
            "/anna%40example.org/J%C3%A4nner/%2F%3Bx.ics",
            "../anna%40example.org/J%c3%a4nner/%2F;x.ics",
            "http://dav.example.org:8080/anna@example.org/Jänner/%2F;x.ics",
        ] {
            let href = Href::resolve(&base, text);
            assert_eq!(href.as_ref().map(Href::as_str), wanted, "{text}");
        }
        assert_eq!(Href::resolve(&base, "https://elsewhere.example/a"), None);
    }

    #[test]
    fn what_lies_in_a_folder() {
        let [folder, bare] = ["/a/b/", "/a/b"].map(|path| Href(path.to_owned()));
        for folder in [&folder, &bare] {
            assert!(folder.child("c.ics").is_in(folder));
            assert!(!Href("/a/bc".to_owned()).is_in(folder));
            assert!(!Href("/a/b/".to_owned()).is_in(folder));
        }
        assert!(folder.is(&bare));
        assert_eq!(folder.parent(), Some(Href("/a/".to_owned())));
        assert_eq!(bare.parent(), folder.parent());
        assert_eq!(Href("/".to_owned()).parent(), None);
    }

    #[test]
    fn no_uid_reaches_a_path() {
        for uid in ["../../etc/passwd", "plain", "ü", "a/b?c#d"] {
            let name = file(&Uid::new(uid).unwrap(), 0);
            assert!(
                name.len() == 36
                    && name
                        .trim_end_matches(".ics")
                        .bytes()
                        .all(|it| it.is_ascii_hexdigit()),
                "{name}"
            );
        }
        assert_eq!(segment(".."), None);
        assert_eq!(segment("a b").as_deref(), Some("a%20b"));
    }
}
