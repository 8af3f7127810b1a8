//! One user's objects: get, put, remove, busy.
//!
//! One call at a time works on an account. What a server does between two of our requests is seen by the entity tag:
//! nothing is written or removed without the one that was read.

use crate::{
    dav::{self, Multistatus},
    discovery::Places,
    href::{self, Href},
    server::{Answer, Request, Server, tag},
    sync::Calendars,
};
use convoke_sdk::{
    mirror::{Mirror, Object},
    parts::Parts,
    prelude::*,
    tracing,
};
use http::{
    HeaderName,
    header::{CONTENT_TYPE, IF_MATCH, IF_NONE_MATCH},
};
use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};
use tokio::sync::{Mutex, MutexGuard};

/// How often something is tried again that another program gets in the way of.
const ATTEMPTS: u32 = 8;

/// After so many queries for a UID the whole account is read instead: a server may go through all of it for each query.
const MOST_QUERIES: u32 = 16;

/// Who writes need not look again for what was not there so short a time ago. Should it have come since, under another
/// name than ours: a server may not take two objects of one UID (RFC 4791 §5.3.2.1), and when it refuses we look again.
const JUST_NOW: Duration = Duration::from_secs(1);

/// A calendar user, and what is known of its objects.
pub(crate) struct Account {
    pub(crate) host: Host,
    pub(crate) server: Server,
    pub(crate) user: CalendarUser,
    pub(crate) places: Places,
    pub(crate) wishes: Wishes,
    state: Mutex<State>,
}

/// What the administrator wants for an account.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wishes {
    /// Where new objects go.
    pub(crate) calendar: Option<String>,
    /// Which calendars count for free-busy.
    pub(crate) busy: Option<Vec<String>>,
}

/// What is known.
#[derive(Default)]
pub(crate) struct State {
    /// By the entity tag that the server gave last.
    pub(crate) mirror: Mirror<Href, Etag>,
    pub(crate) calendars: Calendars,
    /// When the last complete look at the server began.
    pub(crate) seen: Option<Instant>,
    /// Queries for a UID before the first.
    queries: u32,
    /// Resources that hold objects of several UIDs.
    several: BTreeSet<Href>,
}

/// An object on the server.
struct There {
    href: Href,
    etag: Etag,
}

impl Account {
    pub(crate) fn new(
        host: Host,
        server: Server,
        user: CalendarUser,
        places: Places,
        wishes: Wishes,
    ) -> Self {
        Self {
            host,
            server,
            user,
            places,
            wishes,
            state: Mutex::default(),
        }
    }

    pub(crate) fn user(&self) -> &CalendarUser {
        &self.user
    }

    pub(crate) async fn get(&self, uid: &Uid) -> Result<Option<StoredObject>> {
        let mut state = self.state.lock().await;
        for _ in 0..ATTEMPTS {
            let Some(there) = self.locate(&mut state, uid).await? else {
                return Ok(None);
            };
            if let Some(object) = self.fetch(&mut state, &there.href).await?
                && object.uid == *uid
            {
                return Ok(Some(object));
            }
        }
        Err(self.restless(uid))
    }

    pub(crate) async fn put(&self, object: NewObject, when: Precondition) -> Result<Etag> {
        let uid = &object.index.uid;
        let mut state = self.state.lock().await;
        for attempt in 0..ATTEMPTS {
            let just_now = state.seen.is_some_and(|seen| seen.elapsed() < JUST_NOW);
            let there = if just_now {
                known(&state, uid)
            } else {
                self.locate(&mut state, uid).await?
            };
            check(uid, there.as_ref(), &when)?;
            self.check_alone(&state, there.as_ref())?;
            let (href, request) = if let Some(There { href, etag }) = &there {
                let request = Request::new("PUT", href).with_tag(IF_MATCH, etag);
                (href.clone(), request)
            } else {
                let component = &object.index.component;
                let calendar = self.calendar_for(&mut state, component).await?;
                let href = calendar.child(&href::file(uid, attempt));
                let request = Request::new("PUT", &href).with(IF_NONE_MATCH, "*");
                (href, request)
            };
            let request = request
                .with(CONTENT_TYPE, "text/calendar; charset=utf-8")
                .with_body(object.data.clone());
            let answer = self.server.send(&request).await?;
            match answer.status.as_u16() {
                200 | 201 | 204 if there.is_none() && is_odd(uid) => {
                    return self.written_as(&mut state, &href, uid).await;
                }
                200 | 201 | 204 => return self.written(&mut state, href, &answer, object).await,
                // 409 is also what some servers say of a UID that is elsewhere in the calendar, others say 403.
                404 | 409 | 410 | 412 => {
                    let now = self.fetch(&mut state, &href).await?;
                    if let Some(now) = &now
                        && answer.is_repeated
                        && now.data == object.data
                    {
                        // The attempt before was carried out, though its answer was lost.
                        return Ok(now.etag.clone());
                    }
                    self.check_tag(there.as_ref(), now.as_ref())?;
                    if there.is_none() {
                        // Something of that name, or of that UID, is where we did not look.
                        self.refresh(&mut state).await?;
                    }
                }
                403 if has(&answer, "no-uid-conflict") => {
                    self.refresh(&mut state).await?;
                }
                400 | 413 | 415 | 422 => return Err(self.not_taken(uid, &answer)),
                403 if has(&answer, "valid-calendar") => return Err(self.not_taken(uid, &answer)),
                _ => return Err(self.server.unexpected(&request, &answer)),
            }
        }
        Err(self.restless(uid))
    }

    pub(crate) async fn remove(&self, uid: &Uid, when: Precondition) -> Result<()> {
        let mut state = self.state.lock().await;
        for _ in 0..ATTEMPTS {
            let there = self.locate(&mut state, uid).await?;
            check(uid, there.as_ref(), &when)?;
            self.check_alone(&state, there.as_ref())?;
            let Some(There { href, etag }) = &there else {
                let what = format!("there is no object with the UID {uid}");
                return Err(Error::not_found(what));
            };
            // RFC 6638 §8.1: the server shall tell nobody; we do.
            let request = Request::new("DELETE", href)
                .with_tag(IF_MATCH, etag)
                .with(HeaderName::from_static("schedule-reply"), "F");
            let answer = self.server.send(&request).await?;
            match answer.status.as_u16() {
                200 | 202 | 204 => {
                    state.mirror.forget(href);
                    return Ok(());
                }
                404 | 410 if answer.is_repeated => {
                    state.mirror.forget(href);
                    return Ok(());
                }
                404 | 409 | 410 | 412 => {
                    let now = self.fetch(&mut state, href).await?;
                    self.check_tag(there.as_ref(), now.as_ref())?;
                }
                _ => return Err(self.server.unexpected(&request, &answer)),
            }
        }
        Err(self.restless(uid))
    }

    pub(crate) async fn busy(&self, range: TimeRange) -> Result<Busy> {
        let mut state = self.refreshed().await?;
        'again: for _ in 0..ATTEMPTS {
            let mut objects = Vec::new();
            for href in state.mirror.open(range) {
                match self.fetch(&mut state, &href).await? {
                    Some(object) => objects.push(object),
                    None => continue 'again,
                }
            }
            let spans = state.mirror.spans(range);
            return Ok(Busy::new(spans, objects));
        }
        Err(self.server.unavailable(
            "its objects change each time they are looked at; see what other programs do there",
        ))
    }

    pub(crate) async fn list(&self, page: &Page) -> Result<Listing<ObjectSummary>> {
        self.refreshed().await?.mirror.list(page)
    }

    pub(crate) async fn changes(&self, since: Option<&Cursor>) -> Result<Changes> {
        self.refreshed().await?.mirror.changes(since)
    }

    /// The state as it is on the server now.
    async fn refreshed(&self) -> Result<MutexGuard<'_, State>> {
        let asked = Instant::now();
        let mut state = self.state.lock().await;
        // While we waited for our turn, another call may have looked.
        if state.seen.is_none_or(|seen| seen < asked) {
            self.refresh(&mut state).await?;
        }
        Ok(state)
    }

    /// Where the object of this UID is.
    async fn locate(&self, state: &mut State, uid: &Uid) -> Result<Option<There>> {
        if let Some(there) = known(state, uid) {
            return Ok(Some(there));
        }
        if state.seen.is_some() || state.queries >= MOST_QUERIES || !dav::is_askable(uid) {
            self.refresh(state).await?;
        } else {
            state.queries += 1;
            self.query(state, uid).await?;
        }
        Ok(known(state, uid))
    }

    /// Asks each calendar for the UID (RFC 4791 §7.8.6).
    async fn query(&self, state: &mut State, uid: &Uid) -> Result<()> {
        if state.calendars.is_empty() {
            self.look_for_calendars(state).await?;
        }
        for calendar in state.calendars.hrefs() {
            for component in ["VEVENT", "VTODO"] {
                if !state.calendars.takes(&calendar, component) {
                    continue;
                }
                let request = Request::xml("REPORT", &calendar, "1", dav::by_uid(component, uid));
                let found = self.multistatus(&request).await?;
                for resource in found.resources {
                    let properties = resource.properties;
                    if let (Some(etag), Some(data)) = (properties.etag, properties.data)
                        && let Some(etag) = tag(&etag)
                    {
                        self.learn(state, &resource.href, etag, &data)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Reads an object and takes note of it; `None` if it is gone, or no calendar object any more.
    pub(crate) async fn fetch(
        &self,
        state: &mut State,
        href: &Href,
    ) -> Result<Option<StoredObject>> {
        let request = Request::new("GET", href);
        let answer = self.server.send(&request).await?;
        match answer.status.as_u16() {
            200 if is_calendar(&answer) => {}
            404 | 410 => {
                state.mirror.forget(href);
                return Ok(None);
            }
            _ => return Err(self.server.unexpected(&request, &answer)),
        }
        let Some(etag) = answer.etag() else {
            return Err(self.server.unavailable(format!(
                "{href} comes without an ETag, and nothing is written without one; see the server's manual"
            )));
        };
        let data = answer.body.to_vec();
        let uid = self.learn(state, href, etag.clone(), &data)?;
        Ok(uid.map(|uid| StoredObject::new(uid, etag, data)))
    }

    /// Takes note of an object as it is on the server; its UID, if it can be read.
    pub(crate) fn learn(
        &self,
        state: &mut State,
        href: &Href,
        etag: Etag,
        data: &[u8],
    ) -> Result<Option<Uid>> {
        let object = match self.host.index_for(&self.user, data) {
            Ok(index) => Some(index),
            Err(error) if error.kind() == ErrorKind::Unavailable => return Err(error),
            Err(error) => {
                let known = state.mirror.known(href);
                if known.is_none_or(|it| it.state != etag || it.object.is_some()) {
                    let what =
                        format!("{href} is left out of free-busy, and left as it is: {error}");
                    tracing::warn!(event = "object-unreadable", "{}", self.server.about(what));
                }
                None
            }
        };
        let uid = object.as_ref().map(|index| index.uid.clone());
        if Parts::read(data).is_several() {
            state.several.insert(href.clone());
        } else {
            state.several.remove(href);
        }
        let counts = state.calendars.count(href);
        let object = object.map(|index| described(etag.clone(), index, counts));
        state.mirror.set(href.clone(), etag, object);
        Ok(uid)
    }

    /// Takes note of what a PUT wrote.
    async fn written(
        &self,
        state: &mut State,
        href: Href,
        answer: &Answer,
        object: NewObject,
    ) -> Result<Etag> {
        // RFC 4791 §5.3.4: without a tag the server may have changed what it stored.
        let Some(etag) = answer.etag() else {
            let now = self.fetch(state, &href).await?;
            return match now {
                Some(now) => Ok(now.etag),
                None => Err(self.restless(&object.index.uid)),
            };
        };
        let counts = state.calendars.count(&href);
        let known = described(etag.clone(), object.index, counts);
        state.mirror.set(href, etag.clone(), Some(known));
        Ok(etag)
    }

    /// Reads what a PUT of a new object wrote, and takes it back if the server made another UID of this one: it would never
    /// be found again, and each message about it would make one more.
    async fn written_as(&self, state: &mut State, href: &Href, uid: &Uid) -> Result<Etag> {
        let Some(now) = self.fetch(state, href).await? else {
            return Err(self.restless(uid));
        };
        if now.uid == *uid {
            return Ok(now.etag);
        }
        let request = Request::new("DELETE", href)
            .with_tag(IF_MATCH, &now.etag)
            .with(HeaderName::from_static("schedule-reply"), "F");
        let answer = self.server.send(&request).await?;
        let left = if matches!(answer.status.as_u16(), 200 | 202 | 204) {
            state.mirror.forget(href);
            "it was taken back"
        } else {
            "it could not be taken back"
        };
        Err(Error::invalid(self.server.about(format!(
            "it keeps the object with the UID `{uid}` under another, `{}`, so that it would not be found again; {left}",
            now.uid
        ))))
    }

    /// A resource with objects of several UIDs (RFC 4791 §4.1 forbids it, some servers take it) is not written: the others
    /// in it would be lost.
    fn check_alone(&self, state: &State, there: Option<&There>) -> Result<()> {
        match there {
            Some(There { href, .. }) if state.several.contains(href) => {
                Err(self.server.unavailable(format!(
                    "{href} holds objects of several UIDs, and is left as it is; put each into a resource of its own"
                )))
            }
            _ => Ok(()),
        }
    }

    /// A request whose answer must be a multistatus.
    pub(crate) async fn multistatus(&self, request: &Request) -> Result<Multistatus> {
        let answer = self.server.send(request).await?;
        if answer.status.as_u16() != 207 {
            return Err(self.server.unexpected(request, &answer));
        }
        self.read(answer).await
    }

    pub(crate) async fn read(&self, answer: Answer) -> Result<Multistatus> {
        let (url, body) = (self.server.url(&answer.href), answer.body);
        // A listing of a large calendar takes a while, and this thread is the host's.
        let reading = tokio::task::spawn_blocking(move || dav::multistatus(&url, &body)).await;
        let read = reading.map_err(|error| Error::internal(format!("reading XML: {error}")))?;
        read.map_err(|problem| {
            self.server.unavailable(format!(
                "{} was answered with XML that cannot be used: {problem}; see the server's log",
                answer.href
            ))
        })
    }

    /// Fails if the server refuses a tag and says in the same breath that it is the right one: then no write would
    /// ever succeed, however often it is tried.
    fn check_tag(&self, there: Option<&There>, now: Option<&StoredObject>) -> Result<()> {
        match (there, now) {
            (Some(there), Some(now)) if there.etag == now.etag => Err(self.server.unavailable(format!(
                "it refuses If-Match: {} for {}, and gives that ETag; a proxy that changes ETags does this, else update the server",
                there.etag, there.href
            ))),
            _ => Ok(()),
        }
    }

    fn not_taken(&self, uid: &Uid, answer: &Answer) -> Error {
        let body = String::from_utf8_lossy(&answer.body);
        let said: String = body
            .chars()
            .filter(|it| !it.is_control())
            .take(200)
            .collect();
        Error::invalid(self.server.about(format!(
            "it does not take the object with the UID {uid}: {} {said}",
            answer.status
        )))
    }

    fn restless(&self, uid: &Uid) -> Error {
        self.server.unavailable(format!(
            "the object with the UID {uid} changes each time it is looked at, or another one is in its place; see what \
             other programs do there"
        ))
    }
}

fn known(state: &State, uid: &Uid) -> Option<There> {
    let (href, known, _) = state.mirror.find(uid)?;
    Some(There {
        href: Href::clone(href),
        etag: known.state.clone(),
    })
}

fn check(uid: &Uid, there: Option<&There>, when: &Precondition) -> Result<()> {
    let problem = match (when, there) {
        (Precondition::Any, _) | (Precondition::Absent, None) => return Ok(()),
        (Precondition::Matches(wanted), Some(there)) if *wanted == there.etag => return Ok(()),
        (Precondition::Absent, Some(_)) => "is there already",
        (Precondition::Matches(_), None) => "is not there any more",
        _ => "was changed meanwhile",
    };
    let what = format!("the object with the UID {uid} {problem}");
    Err(Error::conflict(what))
}

/// Whether a server may make another UID of it, as Radicale does at a comma that is not escaped.
fn is_odd(uid: &Uid) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._@+=:/{}()".contains(&byte);
    !uid.as_str().bytes().all(is_plain)
}

/// What does not count for free-busy is found by its UID all the same.
fn described(etag: Etag, index: ObjectIndex, counts: bool) -> Object {
    let index = if counts {
        index
    } else {
        ObjectIndex::new(index.component, index.uid)
    };
    Object { etag, index }
}

/// Some servers call it `application/octet-stream`; a login page is neither.
fn is_calendar(answer: &Answer) -> bool {
    let body = answer.body.trim_ascii_start();
    let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
    answer.media_type() == "text/calendar"
        || (body.get(..15)).is_some_and(|it| it.eq_ignore_ascii_case(b"BEGIN:VCALENDAR"))
}

fn has(answer: &Answer, element: &str) -> bool {
    let body = answer.body.get(..4096).unwrap_or(&answer.body);
    String::from_utf8_lossy(body).contains(element)
}
