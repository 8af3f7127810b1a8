//! Keeps what is known of an account in step with the server.
//!
//! A look costs one PROPFIND for each home while nothing changed. What it finds is kept piece by piece, so a look that
//! is cut short (a large account, a deadline) has not been in vain: the next one goes on.

use crate::{
    dav::{self, Resource},
    href::Href,
    remote::Remote,
    replica::{Calendar, Replica, Stamp, is_called},
    server::{Request, tag},
};
use convoke_sdk::{mirror::Unreadable, prelude::*};
use std::{
    collections::{BTreeSet, HashMap, HashSet},
    time::Instant,
};

/// Objects fetched at once.
const BATCH: usize = 50;
/// Pieces in which a server may answer one sync-collection (RFC 6578 §3.6).
const MOST_PIECES: usize = 10_000;

impl Remote {
    /// Makes known what changed on the server.
    pub(crate) async fn refresh(&self, replica: &mut Replica) -> Result<()> {
        let began = Instant::now();
        self.look_for_calendars(replica).await?;
        for href in replica.calendars.hrefs() {
            let Some(calendar) = replica.calendars.0.get(&href) else {
                continue;
            };
            let (now, seen) = (calendar.now.clone(), calendar.seen.clone());
            self.fetch_left(replica, &href).await?;
            if now.says_something() && seen.as_ref() == Some(&now) {
                continue;
            }
            let since = seen.and_then(|seen| seen.sync_token);
            let done = match since {
                Some(token) => self.look_since(replica, &href, token).await?,
                None => false,
            };
            if !done {
                self.look_at_all(replica, &href).await?;
            }
            if let Some(calendar) = replica.calendars.0.get_mut(&href) {
                calendar.seen = Some(now);
            }
        }
        replica.seen = Some(began);
        Ok(())
    }

    /// Which calendars are there, and in what state.
    pub(crate) async fn look_for_calendars(&self, replica: &mut Replica) -> Result<()> {
        let mut there = BTreeSet::new();
        for home in &self.places.homes {
            let request = Request::xml("PROPFIND", home, "1", dav::CALENDARS);
            let resources = self.multistatus(&request).await?.resources;
            if resources.is_empty() {
                return Err(self.server.unavailable(format!(
                    "it lists nothing in {home}, not even that; see the server's log"
                )));
            }
            for resource in resources {
                if resource.status < 300 && resource.properties.is_calendar() {
                    there.insert(resource.href.clone());
                    self.note_calendar(replica, resource);
                } else if !is_gone(resource.status) {
                    self.check_shown(replica, &resource)?;
                }
            }
        }
        let calendars = replica.calendars.hrefs().into_iter();
        for gone in calendars.filter(|href| !there.contains(href)) {
            replica.calendars.0.remove(&gone);
            replica.left.remove(&gone);
            replica.forget_in(&gone, |_| true);
        }
        Ok(())
    }

    /// Fails if a resource was a calendar, and the server does not say any more what it is.
    fn check_shown(&self, replica: &Replica, resource: &Resource) -> Result<()> {
        let says_what = resource.status < 300 && !resource.properties.types.is_empty();
        let mut calendars = replica.calendars.0.keys();
        if says_what || !calendars.any(|href| href.is(&resource.href)) {
            return Ok(());
        }
        Err(self.server.unavailable(format!(
            "the calendar {} is there, but it does not show it (status {}); give the login the right to it",
            resource.href, resource.status
        )))
    }

    fn note_calendar(&self, replica: &mut Replica, resource: Resource) {
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
        let before = replica.calendars.0.remove(&href);
        let mut seen = before.as_ref().and_then(|it| it.seen.clone());
        if before.is_some_and(|it| it.counts != counts) {
            // All of it was described otherwise than it would be now.
            replica.forget_in(&href, |_| true);
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
        replica.calendars.0.insert(href, calendar);
    }

    /// What happened since `token` (RFC 6578); `false` if the server does not say.
    async fn look_since(
        &self,
        replica: &mut Replica,
        calendar: &Href,
        token: String,
    ) -> Result<bool> {
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
                if is_gone(resource.status) {
                    replica.mirror.forget(&resource.href);
                    if let Some(left) = replica.left.get_mut(calendar) {
                        left.remove(&resource.href);
                    }
                } else if resource.href.is_in(calendar) {
                    changed.push(resource);
                }
            }
            self.fetch_changed(replica, calendar, changed).await?;
            match (cut_off, answer.sync_token) {
                (false, _) => return Ok(true),
                (true, Some(next)) if next != token => token = next,
                (true, _) => return Ok(false),
            }
        }
        Ok(false)
    }

    /// Compares the entity tags of all objects of a calendar.
    async fn look_at_all(&self, replica: &mut Replica, calendar: &Href) -> Result<()> {
        let request = Request::xml("PROPFIND", calendar, "1", dav::ETAGS);
        let mut there = self.multistatus(&request).await?.resources;
        there.retain(|it| !is_gone(it.status) && it.href.is_in(calendar));
        let hrefs: BTreeSet<&Href> = there.iter().map(|it| &it.href).collect();
        replica.forget_in(calendar, |href| !hrefs.contains(href));
        if let Some(left) = replica.left.get_mut(calendar) {
            left.retain(|href| hrefs.contains(href));
        }
        there.retain(|it| it.status < 300 && !it.properties.is_collection());
        self.fetch_changed(replica, calendar, there).await
    }

    /// Fetches what is not known in the version that the server names.
    async fn fetch_changed(
        &self,
        replica: &mut Replica,
        calendar: &Href,
        there: Vec<Resource>,
    ) -> Result<()> {
        let mut changed: HashMap<Href, Option<Etag>> = HashMap::new();
        for resource in there {
            let etag = resource.properties.etag.as_deref().and_then(tag);
            let known = replica.mirror.known(&resource.href).map(|it| &it.state);
            if etag.is_none() || known != etag.as_ref() {
                changed.insert(resource.href, etag);
            }
        }
        self.fetch_all(replica, calendar, &changed).await
    }

    /// Fetches what the server did not hand out when it listed it.
    async fn fetch_left(&self, replica: &mut Replica, calendar: &Href) -> Result<()> {
        let left = replica.left.get(calendar).into_iter().flatten();
        let left: HashMap<_, _> = left.map(|href| (href.clone(), None)).collect();
        self.fetch_all(replica, calendar, &left).await
    }

    /// Fetches objects, which the server named in these versions.
    async fn fetch_all(
        &self,
        replica: &mut Replica,
        calendar: &Href,
        changed: &HashMap<Href, Option<Etag>>,
    ) -> Result<()> {
        let mut hrefs: Vec<&Href> = changed.keys().collect();
        hrefs.sort_unstable();
        for batch in hrefs.chunks(BATCH) {
            let mut answered = HashSet::new();
            let body = dav::multiget(batch.iter().copied());
            let request = Request::xml("REPORT", calendar, "0", body);
            for resource in self.multistatus(&request).await?.resources {
                let properties = resource.properties;
                let etag = properties.etag.as_deref().and_then(tag);
                match (etag, properties.data) {
                    (Some(etag), Some(data)) => {
                        self.learn(replica, &resource.href, etag, &data)?;
                        answered.insert(resource.href);
                    }
                    // Somebody was faster than this request.
                    _ if is_gone(resource.status) => {
                        replica.mirror.forget(&resource.href);
                        answered.insert(resource.href);
                    }
                    _ => {}
                }
            }
            for href in batch.iter().copied() {
                let left = replica.left.entry(calendar.clone()).or_default();
                if answered.contains(href) {
                    left.remove(href);
                    continue;
                }
                left.insert(href.clone());
                if let Some(etag) = changed.get(href).cloned().flatten() {
                    self.skip(replica, href, etag);
                }
            }
            replica.left.retain(|_, left| !left.is_empty());
        }
        Ok(())
    }

    /// The server lists the object and does not hand it out: the next look asks for it again.
    fn skip(&self, replica: &mut Replica, href: &Href, etag: Etag) {
        if replica.mirror.known(href).is_none() {
            let problem = "the server lists it, but does not hand it out".to_owned();
            let unreadable = vec![Unreadable { uid: None, problem }];
            self.unreadable(replica, href, etag, unreadable);
        }
    }
}

/// Whether a status says that there is no such resource: anything else does not, and nobody cancels a meeting for it.
const fn is_gone(status: u16) -> bool {
    matches!(status, 404 | 410)
}
