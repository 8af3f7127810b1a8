//! Whose calendar it is: the user who logged in, the store, the time zone, where it changes.

use super::reply::Refused;
use crate::{instance::Instance, scheduling::OurHome, upstream};
use convoke_caldav::path::{Resource, path_of};
use convoke_net::http_server::Arrival;
use convoke_plugin_host::StoreHandle;
use convoke_scheduling::{Environment, Home, Person, Stores};
use convoke_types::{CalendarAddress, CalendarUser, Cursor, Error, ErrorKind, ObjectSummary, Page};
use http::StatusCode;
use jiff::tz::TimeZone;
use std::sync::Arc;

/// How an address begins.
const SCHEME: &str = "mailto:";
/// Objects that are listed at once.
const PAGE: u32 = 500;

/// Somebody who logged in, and the calendar that is theirs.
pub(super) struct Session<'a> {
    pub(super) instance: &'a Arc<Instance>,
    pub(super) arrival: &'a Arrival,
    pub(super) home: OurHome,
    pub(super) missing: Missing,
    pub(super) place: Place,
}

/// Where the user's resources are that this listener has by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// All that there is.
    Root,
    /// Beside those of the server behind us, below `/.convoke/`.
    Beside {
        /// The user's principal there, as far as the server said it.
        principal: Option<String>,
        /// As whom the user logs in there.
        login: Option<String>,
    },
}

/// What is said of properties that a resource has not.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    /// That it has not.
    Named,
    /// Nothing: the program prefers short answers (RFC 8144 §2.1).
    LeftOut,
}

impl<'a> Session<'a> {
    /// Refused if the log-in is no calendar user.
    pub(super) async fn of(
        instance: &'a Arc<Instance>,
        address: CalendarAddress,
        arrival: &'a Arrival,
        missing: Missing,
    ) -> Result<Self, Refused> {
        let stores = instance.scheduler.environment().stores();
        let home = stores.find(&address).await?;
        let home = home.ok_or_else(|| {
            tracing::warn!(event = "login-without-calendar", %address, "somebody logged in who is no calendar user; `convoke user add` makes one");
            StatusCode::FORBIDDEN
        })?;
        Ok(Self {
            instance,
            arrival,
            home,
            missing,
            place: Place::Root,
        })
    }

    pub(super) fn user(&self) -> &CalendarUser {
        self.home.user()
    }

    pub(super) fn store(&self) -> &StoreHandle {
        self.home.place()
    }

    /// As paths name the user.
    pub(super) fn owner(&self) -> String {
        self.user().address.human().to_owned()
    }

    /// Whether a resource is the user's own, or everybody's.
    pub(super) fn owns(&self, resource: &Resource) -> bool {
        let Some(owner) = resource.owner() else {
            return true;
        };
        CalendarAddress::new(owner).is_ok_and(|owner| self.user().answers_to(&owner))
    }

    /// The address that somebody is named by. Evolution makes one of the log-in, where nobody told it the user's.
    pub(super) fn address(&self, text: &str) -> Option<CalendarAddress> {
        let name = text.trim();
        let name = name
            .get(..SCHEME.len())
            .filter(|it| it.eq_ignore_ascii_case(SCHEME))
            .map_or(name, |it| &name[it.len()..]);
        match &self.place {
            Place::Beside {
                login: Some(login), ..
            } if name == login => Some(self.user().address.clone()),
            _ => CalendarAddress::new(text).ok(),
        }
    }

    /// The path of a resource.
    pub(super) fn path(&self, resource: &Resource) -> String {
        match self.place {
            Place::Root => resource.to_string(),
            Place::Beside { .. } => upstream::own_path(resource),
        }
    }

    /// What an `href` names, if it is the user's own, or everybody's.
    pub(super) fn named(&self, href: &str) -> Option<Resource> {
        let named = match self.place {
            Place::Root => Resource::of_href(href),
            Place::Beside { .. } => upstream::own(path_of(href)?),
        };
        named.filter(|it| self.owns(it))
    }

    /// The zone of the user's dates and floating times.
    pub(super) fn zone(&self) -> TimeZone {
        Person::of(self.user()).owner().timezone
    }

    /// Every object.
    pub(super) async fn objects(&self) -> Result<Vec<ObjectSummary>, Error> {
        let (mut objects, mut after) = (Vec::new(), None);
        loop {
            let page = Page::after(after, PAGE);
            let listed = self.store().list(&self.user().id, &page).await?;
            objects.extend(listed.items);
            match listed.next {
                Some(next) => after = Some(next),
                None => return Ok(objects),
            }
        }
    }

    /// Where the changes of the calendar end. It is the same until something changes.
    pub(super) async fn cursor(&self) -> Result<Cursor, Error> {
        let cursors = &self.instance.calendar_ends;
        let key = (self.home.store().to_owned(), self.user().id.clone());
        let known = cursors.get(&key);
        let changes = match self.home.changes(known.as_ref()).await {
            Err(error) if known.is_some() && error.kind() == ErrorKind::Invalid => {
                self.home.changes(None).await?
            }
            changes => changes?,
        };
        let is_same = changes.changed.is_empty() && changes.removed.is_empty();
        if let Some(known) = known.filter(|_| is_same) {
            return Ok(known);
        }
        cursors.insert(key, changes.cursor.clone());
        Ok(changes.cursor)
    }
}
