//! Which resource a path names.
//!
//! ```text
//! /                             the root
//! /.well-known/caldav           leads to the root (RFC 6764 §5)
//! /principals/                  where principals are (RFC 3744 §5.8)
//! /principals/ADDRESS/          a calendar user
//! /calendars/ADDRESS/           the user's home
//! /calendars/ADDRESS/calendar/  the user's calendar
//! /calendars/ADDRESS/calendar/NAME
//! /calendars/ADDRESS/inbox/     the user's schedule inbox (RFC 6638 §2.2)
//! /calendars/ADDRESS/inbox/NAME
//! /calendars/ADDRESS/outbox/    the user's schedule outbox (RFC 6638 §2.1)
//! ```
//!
//! Beside them, `/freebusy/ADDRESS.ifb` tells when a user is busy: no `WebDAV` resource, and open to others ([`free_busy`]).

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use std::fmt;

/// What stands in a segment as it is (RFC 3986 §3.3).
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'@')
    .remove(b'+');

/// The longest name of an object, in bytes.
pub const MAX_NAME: usize = 1024;

/// The path of an `href`, which is a path or a whole URL.
pub fn path_of(href: &str) -> Option<&str> {
    match href.split_once("://") {
        Some((_, rest)) if !href.starts_with('/') => Some(&rest[rest.find('/')?..]),
        _ => Some(href),
    }
}

/// What a path names.
///
/// ```
/// use convoke_caldav::path::Resource;
///
/// let path = "/calendars/anna%40example.org/calendar/a%20b.ics";
/// let resource = Resource::parse(path).unwrap();
/// assert_eq!(resource, Resource::Object("anna@example.org".to_owned(), "a b.ics".to_owned()));
/// assert_eq!(resource.to_string(), "/calendars/anna@example.org/calendar/a%20b.ics");
/// assert_eq!(Resource::parse("/calendars/anna@example.org/../bo@example.org/"), None);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Resource {
    /// The root.
    Root,
    /// Where clients begin.
    WellKnown,
    /// Where principals are.
    Principals,
    /// A calendar user, by the address.
    Principal(String),
    /// The user's calendars.
    Home(String),
    /// The user's calendar.
    Calendar(String),
    /// An object in it, by its name.
    Object(String, String),
    /// The user's schedule inbox.
    Inbox(String),
    /// A message in it, by its name.
    Message(String, String),
    /// The user's schedule outbox.
    Outbox(String),
}

impl Resource {
    /// What a path, percent-coded, names; `None`: nothing. A collection is named with and without the slash at its end.
    pub fn parse(path: &str) -> Option<Self> {
        let path = path.strip_prefix('/')?;
        if path.is_empty() {
            return Some(Self::Root);
        }
        let path = path.strip_suffix('/').unwrap_or(path);
        let segments = path.split('/').map(segment).collect::<Option<Vec<_>>>()?;
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        Some(match segments[..] {
            [".well-known", "caldav"] => Self::WellKnown,
            ["principals"] => Self::Principals,
            ["principals", user] => Self::Principal(named(user)?),
            ["calendars", user] => Self::Home(named(user)?),
            ["calendars", user, "calendar"] => Self::Calendar(named(user)?),
            ["calendars", user, "inbox"] => Self::Inbox(named(user)?),
            ["calendars", user, "outbox"] => Self::Outbox(named(user)?),
            ["calendars", user, "inbox", name] => Self::Message(named(user)?, named(name)?),
            ["calendars", user, "calendar", name] => Self::Object(named(user)?, named(name)?),
            _ => return None,
        })
    }

    /// What an `href` names: a path, or a whole URL of whatever host, of which the path counts.
    pub fn of_href(href: &str) -> Option<Self> {
        Self::parse(path_of(href)?)
    }

    /// Whose it is, by the address in the path.
    pub fn owner(&self) -> Option<&str> {
        match self {
            Self::Root | Self::WellKnown | Self::Principals => None,
            Self::Principal(user)
            | Self::Home(user)
            | Self::Calendar(user)
            | Self::Inbox(user)
            | Self::Outbox(user)
            | Self::Message(user, _)
            | Self::Object(user, _) => Some(user),
        }
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let coded = |text| utf8_percent_encode(text, SEGMENT);
        match self {
            Self::Root => f.write_str("/"),
            Self::WellKnown => f.write_str("/.well-known/caldav"),
            Self::Principals => f.write_str("/principals/"),
            Self::Principal(user) => write!(f, "/principals/{}/", coded(user)),
            Self::Home(user) => write!(f, "/calendars/{}/", coded(user)),
            Self::Calendar(user) => write!(f, "/calendars/{}/calendar/", coded(user)),
            Self::Inbox(user) => write!(f, "/calendars/{}/inbox/", coded(user)),
            Self::Message(user, name) => {
                write!(f, "/calendars/{}/inbox/{}", coded(user), coded(name))
            }
            Self::Outbox(user) => write!(f, "/calendars/{}/outbox/", coded(user)),
            Self::Object(user, name) => {
                write!(f, "/calendars/{}/calendar/{}", coded(user), coded(name))
            }
        }
    }
}

/// Whose busy time a path tells of, as the path says it; `None`: it is another path.
///
/// ```
/// use convoke_caldav::path::free_busy;
///
/// assert_eq!(free_busy("/freebusy/anna%40example.org.ifb").as_deref(), Some("anna@example.org"));
/// assert_eq!(free_busy("/freebusy/"), None);
/// ```
pub fn free_busy(path: &str) -> Option<String> {
    let name = segment(path.strip_prefix("/freebusy/")?)?;
    named(name.strip_suffix(".ifb")?).filter(|it| !it.contains('/'))
}

/// One segment decoded. `None`: it could mean something else to somebody else.
fn segment(coded: &str) -> Option<String> {
    let decoded = percent_decode_str(coded).decode_utf8().ok()?;
    let is_odd = decoded == "." || decoded == ".." || decoded.chars().any(char::is_control);
    (!is_odd).then(|| decoded.into_owned())
}

fn named(segment: &str) -> Option<String> {
    (!segment.is_empty() && segment.len() <= MAX_NAME).then(|| segment.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_no_resource_is_none() {
        for path in [
            "",
            "calendars",
            "//",
            "/x",
            "/calendars//",
            "/calendars//calendar/",
            "/calendars/a/b/",
            "/calendars/a/calendar/..",
            "/calendars/a/calendar/%2e%2e",
            "/calendars/a/calendar/%00",
            "/calendars/a/calendar/%ff",
            "/calendars/a/calendar/b/c",
            "/calendars/a/calendar/b//",
        ] {
            assert_eq!(Resource::parse(path), None, "{path}");
        }
    }

    #[test]
    fn a_whole_url_names_what_its_path_names() {
        let root = Some(Resource::Root);
        assert_eq!(Resource::of_href("https://example.org:1/"), root);
        assert_eq!(Resource::of_href("https://example.org"), None);
        let name = Resource::of_href("/calendars/a/calendar/x%3A%2F%2Fy.ics");
        assert_eq!(
            name,
            Some(Resource::Object("a".to_owned(), "x://y.ics".to_owned()))
        );
    }

    #[test]
    fn busy_time_is_told_of_one_user_a_path() {
        for path in [
            "/freebusy/a",
            "/freebusy/.ifb",
            "/freebusy/a/b.ifb",
            "/freebusy/a%2fb.ifb",
            "/freebusy/%ff.ifb",
            "/freebusy/a.ifb/",
        ] {
            assert_eq!(free_busy(path), None, "{path}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_names_the_same(user in "\\PC{1,20}", name in "\\PC{1,20}") {
            prop_assume!(![".", ".."].contains(&&*user) && ![".", ".."].contains(&&*name));
            let resource = Resource::Object(user, name);
            let path = resource.to_string();
            prop_assert_eq!(path.matches('/').count(), 4);
            prop_assert_eq!(Resource::parse(&path), Some(resource));
        }

        #[test]
        fn anything_may_be_asked_for(path in "[/.%a-z0-9@]{0,40}") {
            if let Some(resource) = Resource::parse(&path) {
                prop_assert_eq!(Resource::parse(&resource.to_string()), Some(resource));
            }
        }
    }
}
