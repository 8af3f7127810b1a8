//! Keeps what is known of an account in step with the server.
//!
//! A look costs one PROPFIND for each home while nothing changed. What it finds is kept piece by piece, so a look that
//! is cut short (a large account, a deadline) has not been in vain: the next one goes on.

use crate::{
    account::{Account, State},
    dav::{self, Resource},
    href::Href,
    server::{Request, tag},
};
use convoke_sdk::{prelude::*, tracing};
use std::{
    collections::{BTreeSet, HashMap, HashSet},
    time::Instant,
};

/// Objects fetched at once.
const BATCH: usize = 50;
/// Pieces in which a server may answer one sync-collection (RFC 6578 §3.6).
const MOST_PIECES: usize = 10_000;
/// What a calendar is called that we have to make.
const CALENDAR: &str = "calendar";

/// The calendars of an account.
#[derive(Default)]
pub(crate) struct Calendars(BTreeMap<Href, Calendar>);

struct Calendar {
    name: Option<String>,
    /// `None`: all.
    components: Option<Vec<String>>,
    counts: bool,
    /// What the server says of its state now…
    now: Stamp,
    /// …and what it said before we last looked at all of it.
    seen: Option<Stamp>,
}

/// What changes when a calendar changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Stamp {
    ctag: Option<String>,
    sync_token: Option<String>,
}

impl Stamp {
    fn says_something(&self) -> bool {
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

    fn called(&self, name: &str, component: &str) -> Option<&Href> {
        let mut calendars = self.0.iter();
        let found = calendars
            .find(|(href, it)| is_called(href, it.name.as_deref(), name) && it.takes(component));
        found.map(|(href, _)| href)
    }
}

impl Calendar {
    fn takes(&self, component: &str) -> bool {
        let components = self.components.as_ref();
        components.is_none_or(|all| all.iter().any(|it| it == component))
    }
}

fn is_called(href: &Href, name: Option<&str>, wanted: &str) -> bool {
    name == Some(wanted) || href.name() == wanted
}

impl Account {
    /// Makes known what changed on the server.
    pub(crate) async fn refresh(&self, state: &mut State) -> Result<()> {
        let began = Instant::now();
        self.look_for_calendars(state).await?;
        for href in state.calendars.hrefs() {
            let Some(calendar) = state.calendars.0.get(&href) else {
                continue;
            };
            let (now, seen) = (calendar.now.clone(), calendar.seen.clone());
            if now.says_something() && seen.as_ref() == Some(&now) {
                continue;
            }
            let since = seen.and_then(|seen| seen.sync_token);
            let done = match since {
                Some(token) => self.look_since(state, &href, token).await?,
                None => false,
            };
            if !done {
                self.look_at_all(state, &href).await?;
            }
            if let Some(calendar) = state.calendars.0.get_mut(&href) {
                calendar.seen = Some(now);
            }
        }
        state.seen = Some(began);
        Ok(())
    }

    /// Which calendars are there, and in what state.
    pub(crate) async fn look_for_calendars(&self, state: &mut State) -> Result<()> {
        let mut there = BTreeSet::new();
        for home in &self.places.homes {
            let request = Request::xml("PROPFIND", home, "1", dav::CALENDARS);
            for resource in self.multistatus(&request).await?.resources {
                if resource.status < 300 && resource.properties.is_calendar() {
                    there.insert(resource.href.clone());
                    self.note(state, resource);
                }
            }
        }
        let calendars = state.calendars.hrefs().into_iter();
        for gone in calendars.filter(|href| !there.contains(href)) {
            state.calendars.0.remove(&gone);
            forget_in(state, &gone, |_| true);
        }
        Ok(())
    }

    fn note(&self, state: &mut State, resource: Resource) {
        let Resource {
            href, properties, ..
        } = resource;
        let counts = match &self.wishes.busy {
            Some(names) => {
                let name = properties.name.as_deref();
                names.iter().any(|it| is_called(&href, name, it))
            }
            None => !properties.is_transparent,
        };
        let before = state.calendars.0.remove(&href);
        let mut seen = before.as_ref().and_then(|it| it.seen.clone());
        if before.is_some_and(|it| it.counts != counts) {
            // All of it was described otherwise than it would be now.
            forget_in(state, &href, |_| true);
            seen = None;
        }
        let calendar = Calendar {
            name: properties.name,
            components: properties.components,
            counts,
            now: Stamp {
                ctag: properties.ctag,
                sync_token: properties.sync_token,
            },
            seen,
        };
        state.calendars.0.insert(href, calendar);
    }

    /// What happened since `token` (RFC 6578); `false` if the server does not say.
    async fn look_since(&self, state: &mut State, calendar: &Href, token: String) -> Result<bool> {
        let mut token = token;
        for _ in 0..MOST_PIECES {
            let request = Request::xml("REPORT", calendar, "0", dav::sync_collection(&token));
            let answer = self.server.send(&request).await?;
            if answer.status.as_u16() != 207 {
                // The token is too old, or the report is not known: every object is looked at then.
                return Ok(false);
            }
            let answer = self.read(answer).await?;
            let cut_off =
                (answer.resources.iter()).any(|it| it.status == 507 && it.href.is(calendar));
            let mut changed = Vec::new();
            for resource in answer.resources {
                match resource.status {
                    404 | 410 => state.mirror.forget(&resource.href),
                    _ if resource.href.is_in(calendar) => changed.push(resource),
                    _ => {}
                }
            }
            self.fetch_changed(state, calendar, changed).await?;
            match (cut_off, answer.sync_token) {
                (false, _) => return Ok(true),
                (true, Some(next)) if next != token => token = next,
                (true, _) => return Ok(false),
            }
        }
        Ok(false)
    }

    /// Compares the entity tags of all objects of a calendar.
    async fn look_at_all(&self, state: &mut State, calendar: &Href) -> Result<()> {
        let request = Request::xml("PROPFIND", calendar, "1", dav::ETAGS);
        let mut there = self.multistatus(&request).await?.resources;
        there.retain(|it| {
            it.status < 300 && it.href.is_in(calendar) && !it.properties.is_collection()
        });
        let hrefs: BTreeSet<&Href> = there.iter().map(|it| &it.href).collect();
        forget_in(state, calendar, |href| !hrefs.contains(href));
        self.fetch_changed(state, calendar, there).await
    }

    /// Fetches what is not known in the version that the server names.
    async fn fetch_changed(
        &self,
        state: &mut State,
        calendar: &Href,
        there: Vec<Resource>,
    ) -> Result<()> {
        let mut changed: HashMap<Href, Option<Etag>> = HashMap::new();
        for resource in there {
            let etag = resource.properties.etag.as_deref().and_then(tag);
            let known = state.mirror.known(&resource.href).map(|it| &it.state);
            if etag.is_none() || known != etag.as_ref() {
                changed.insert(resource.href, etag);
            }
        }
        let mut hrefs: Vec<&Href> = changed.keys().collect();
        hrefs.sort_unstable();
        for batch in hrefs.chunks(BATCH) {
            let mut gone = HashSet::new();
            let body = dav::multiget(batch.iter().copied());
            let request = Request::xml("REPORT", calendar, "0", body);
            for resource in self.multistatus(&request).await?.resources {
                let properties = resource.properties;
                let etag = properties.etag.as_deref().and_then(tag);
                match (etag, properties.data) {
                    (Some(etag), Some(data)) => {
                        self.learn(state, &resource.href, etag, &data)?;
                    }
                    // Somebody was faster than this request.
                    _ if matches!(resource.status, 404 | 410) => {
                        state.mirror.forget(&resource.href);
                        gone.insert(resource.href);
                    }
                    _ => {}
                }
            }
            for href in batch.iter().filter(|it| !gone.contains(**it)) {
                let etag = changed.get(*href).cloned().flatten();
                let known = state.mirror.known(href).map(|it| &it.state);
                if let Some(etag) = etag
                    && known != Some(&etag)
                {
                    self.skip(state, href, etag);
                }
            }
        }
        Ok(())
    }

    /// The server lists the object and does not hand it out, or it changed just now: then the next look finds it.
    fn skip(&self, state: &mut State, href: &Href, etag: Etag) {
        if state.mirror.known(href).is_none() {
            let what = format!(
                "{href} is left out of free-busy: the server lists it, but does not hand it out"
            );
            tracing::warn!(event = "object-unreadable", "{}", self.server.about(what));
            state.mirror.set(href.clone(), etag, None);
        }
    }

    /// The calendar for a new object with this main component.
    pub(crate) async fn calendar_for(&self, state: &mut State, component: &str) -> Result<Href> {
        if state.calendars.is_empty() {
            self.look_for_calendars(state).await?;
        }
        let calendars = &state.calendars;
        if let Some(name) = &self.wishes.calendar {
            if let Some(href) = calendars.called(name, component) {
                return Ok(href.clone());
            }
            if calendars
                .0
                .iter()
                .any(|(href, it)| is_called(href, it.name.as_deref(), name))
            {
                return Err(self.server.unavailable(format!(
                    "the calendar `{name}` takes no {component}; name another as `calendar`, or let this one take them"
                )));
            }
            return self.make_calendar(state, name).await;
        }
        let default = self.places.default_calendar.as_ref();
        let default = default.and_then(|it| calendars.0.keys().find(|href| href.is(it)));
        let mut all = default.into_iter().chain(calendars.0.keys());
        if let Some(href) = all.find(|href| calendars.takes(href, component)) {
            return Ok(href.clone());
        }
        self.make_calendar(state, CALENDAR).await
    }

    async fn make_calendar(&self, state: &mut State, name: &str) -> Result<Href> {
        let segment = crate::href::segment(name);
        let home = self.places.homes.first();
        let (Some(segment), Some(home)) = (segment, home) else {
            return Err(self.server.unavailable(format!(
                "no calendar can be called `{name}`; name another as `calendar`"
            )));
        };
        let href = home.child(&format!("{segment}/"));
        // Without a media type: Xandikos would want XML then.
        let request = Request::new("MKCALENDAR", &href);
        let answer = self.server.send(&request).await?;
        // 405: somebody else made it just now.
        if !matches!(answer.status.as_u16(), 200 | 201 | 405) {
            return Err(self.server.unexpected(&request, &answer));
        }
        self.look_for_calendars(state).await?;
        let mut calendars = state.calendars.0.keys();
        let made = calendars.find(|it| it.is(&href)).cloned();
        made.ok_or_else(|| {
            self.server.unavailable(format!(
                "{href} was made and is no calendar; make one by hand and name it as `calendar`"
            ))
        })
    }
}

fn forget_in(state: &mut State, calendar: &Href, which: impl Fn(&Href) -> bool) {
    let places = state
        .mirror
        .places()
        .filter(|it| it.is_in(calendar) && which(it));
    let gone: Vec<_> = places.cloned().collect();
    for href in gone {
        state.mirror.forget(&href);
    }
}
