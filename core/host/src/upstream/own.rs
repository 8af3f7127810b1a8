//! Resources of ours on a server that is somebody else's: the schedule inbox and outbox of each user (RFC 6638 §2), and the page for
//! people.
//!
//! They lie below `/.convoke/`, where no CalDAV server keeps anything; what is asked for there is never passed on.

use convoke_caldav::path::Resource;
use convoke_types::CalendarUser;

/// Where they begin.
const PREFIX: &str = "/.convoke";
/// Where the page for people is.
pub(crate) const PAGE: &str = "/.convoke/";

/// Whether a path is one of ours, whether there is something or not.
pub(crate) fn is_own(path: &str) -> bool {
    let rest = path.strip_prefix(PREFIX);
    rest.is_some_and(|it| it.is_empty() || it.starts_with('/'))
}

/// What a path of ours names: an inbox, what is in it, an outbox, or the page.
pub(crate) fn own(path: &str) -> Option<Resource> {
    let resource = Resource::parse(path.strip_prefix(PREFIX)?)?;
    let is_ours = matches!(
        resource,
        Resource::Root | Resource::Inbox(_) | Resource::Message(..) | Resource::Outbox(_)
    );
    is_ours.then_some(resource)
}

/// The path of one of them.
pub(crate) fn own_path(resource: &Resource) -> String {
    format!("{PREFIX}{resource}")
}

/// The path of a user's inbox.
pub(crate) fn inbox(user: &CalendarUser) -> String {
    own_path(&Resource::Inbox(user.address.human().to_owned()))
}

/// The path of a user's outbox.
pub(crate) fn outbox(user: &CalendarUser) -> String {
    own_path(&Resource::Outbox(user.address.human().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ours_and_what_is_there() {
        let outbox = Resource::Outbox("anna@example.org".to_owned());
        let path = own_path(&outbox);
        assert_eq!(own(&path), Some(outbox));
        assert_eq!(own("/.convoke/"), Some(Resource::Root));
        assert_eq!(own("/.convoke"), None);
        for (path, ours) in [
            (&*path, true),
            ("/.convoke", true),
            ("/.convoke/calendars/anna@example.org/calendar/", true),
            ("/.convokex", false),
            ("/calendars/anna@example.org/outbox/", false),
        ] {
            assert_eq!(is_own(path), ours, "{path}");
        }
        assert_eq!(own("/.convoke/calendars/anna@example.org/calendar/"), None);
        assert_eq!(own("/.convoke/principals/anna@example.org/"), None);
    }
}
