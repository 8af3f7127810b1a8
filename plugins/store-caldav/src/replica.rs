//! What is known of a user's calendars and objects on the server.

use crate::href::Href;
use convoke_sdk::{mirror::Mirror, prelude::*};
use std::{collections::BTreeSet, time::Instant};

/// What is known.
#[derive(Default)]
pub(crate) struct Replica {
    /// By the entity tag that the server gave last.
    pub(crate) mirror: Mirror<Href, Etag>,
    pub(crate) calendars: Calendars,
    /// When the last complete look at the server began.
    pub(crate) seen: Option<Instant>,
    /// Queries for a UID before the first.
    pub(crate) queries: u32,
    /// Resources that hold objects of several UIDs.
    pub(crate) several: BTreeSet<Href>,
    /// What the server listed and did not hand out, to be asked for again at each look, by the calendar that it is in.
    pub(crate) left: BTreeMap<Href, BTreeSet<Href>>,
}

impl Replica {
    /// Takes those objects of a calendar for gone.
    pub(crate) fn forget_in(&mut self, calendar: &Href, which: impl Fn(&Href) -> bool) {
        let places = self.mirror.places();
        let gone = places.filter(|it| it.is_in(calendar) && which(it));
        for href in gone.cloned().collect::<Vec<_>>() {
            self.mirror.forget(&href);
        }
    }
}

/// The calendars of an account.
#[derive(Default)]
pub(crate) struct Calendars(pub(crate) BTreeMap<Href, Calendar>);

pub(crate) struct Calendar {
    pub(crate) name: Option<String>,
    /// `None`: all.
    pub(crate) components: Option<Vec<String>>,
    pub(crate) counts: bool,
    /// What the server says of its state now…
    pub(crate) now: Stamp,
    /// …and what it said before we last looked at all of it.
    pub(crate) seen: Option<Stamp>,
}

/// What changes when a calendar changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) ctag: Option<String>,
    pub(crate) sync_token: Option<String>,
}

impl Stamp {
    pub(crate) fn says_something(&self) -> bool {
        self.ctag.is_some() || self.sync_token.is_some()
    }
}

impl Calendars {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn hrefs(&self) -> Vec<Href> {
        self.0.keys().cloned().collect()
    }

    pub(crate) fn takes(&self, href: &Href, component: &str) -> bool {
        self.0.get(href).is_some_and(|it| it.takes(component))
    }

    /// Whether objects at `href` count for free-busy.
    pub(crate) fn count(&self, href: &Href) -> bool {
        let mut calendars = self.0.iter();
        let calendar = calendars.find(|(folder, _)| href.is_in(folder));
        calendar.is_none_or(|(_, calendar)| calendar.counts)
    }

    pub(crate) fn called(&self, name: &str, component: &str) -> Option<&Href> {
        let mut calendars = self.0.iter();
        let found = calendars
            .find(|(href, it)| is_called(href, it.name.as_deref(), name) && it.takes(component));
        found.map(|(href, _)| href)
    }
}

impl Calendar {
    pub(crate) fn takes(&self, component: &str) -> bool {
        let components = self.components.as_ref();
        components.is_none_or(|all| all.iter().any(|it| it == component))
    }
}

pub(crate) fn is_called(href: &Href, name: Option<&str>, wanted: &str) -> bool {
    name == Some(wanted) || href.name() == wanted
}
