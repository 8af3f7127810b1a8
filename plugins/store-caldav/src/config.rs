//! What the administrator writes under `config`.

use convoke_sdk::prelude::*;
use std::path::PathBuf;

convoke_sdk::config! {
    /// One CalDAV server, or several that share users.
    #[derive(Clone, Debug, Default)]
    pub struct Config {
        /// The server: where discovery begins (RFC 6764), or the URL of anything in it.
        pub url: Option<String>,
        /// A user's calendars, for a login that may see everybody's: a URL with `{user}` (the part before the `@`),
        /// `{domain}` or `{address}`. Whose URL the server knows is a calendar user.
        pub home: Option<String>,
        /// With what to log in, unless a user has a `login` of its own. Nothing: the server asks nobody.
        pub login: Option<Login>,
        /// Where new objects go: a calendar's name, or the last part of its URL. By default the server's default calendar
        /// (RFC 6638 §9.2), else the first that takes such objects; `calendar` is made if there is none.
        pub calendar: Option<String>,
        /// The calendars that count for free-busy; by default all that the user has not marked as transparent.
        pub busy: Option<Vec<String>>,
        /// A file of certificates, PEM, that are believed besides the system's trust anchors and the host's `[client] ca`: an
        /// authority by what it issued, any other by itself.
        pub ca: Option<PathBuf>,
        /// Lets `http` URLs be written for other machines than this one.
        pub plain_http: bool = false,
        /// Seconds that one request may take; 4 by default, so that there is time for another try.
        pub timeout: Option<u32>,
        /// Seconds after which an account in which nothing happens is looked at again; 60 by default, 1 to 86400. Accounts in
        /// which something happens are looked at every few seconds.
        pub poll_interval: Option<u32>,
        /// Users by a name of your choice: the address, or anything with `address` said.
        pub users: BTreeMap<String, Profile> as "table of users by name" = {},
    }
}

/// A name and a password.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// The name.
    pub username: String,
    /// A file whose first line is the password.
    pub password_file: PathBuf,
}

/// One calendar user.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Profile {
    /// The main address; the entry's name if it is not said.
    pub address: Option<CalendarAddress>,
    /// Further addresses, besides those that the server names.
    pub aliases: Vec<CalendarAddress>,
    /// What people call the user.
    pub name: Option<String>,
    /// The IANA name of the time zone.
    pub timezone: Option<String>,
    /// `individual` (the default), `group`, `resource` or `room`.
    pub kind: Kind,
    /// Further facts by name, such as `booking`, `conflicts`, `approve` and `private` of a room.
    pub attributes: Attributes,
    /// As above, for this user.
    pub url: Option<String>,
    /// The URL of this user's calendars; none is looked for then.
    pub home: Option<String>,
    /// As above, for this user.
    pub login: Option<Login>,
    /// As above, for this user.
    pub calendar: Option<String>,
    /// As above, for this user.
    pub busy: Option<Vec<String>>,
}

/// CUTYPE (RFC 5545 §3.2.3), as it is written in a profile.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A person.
    #[default]
    Individual,
    /// Several persons.
    Group,
    /// A thing.
    Resource,
    /// A room.
    Room,
}

impl From<Kind> for UserKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Individual => Self::Individual,
            Kind::Group => Self::Group,
            Kind::Resource => Self::Resource,
            Kind::Room => Self::Room,
        }
    }
}
