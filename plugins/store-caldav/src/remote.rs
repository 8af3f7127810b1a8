//! One user's calendars on the server: what is asked, and taken note of.

use crate::{
    dav::{self, Multistatus},
    discovery::Places,
    href::Href,
    replica::Replica,
    server::{Answer, Request, Server, tag},
};
use convoke_sdk::{
    excerpt,
    mirror::{Object, Unreadable},
    parts::Parts,
    prelude::*,
    tracing,
};

/// Objects that are there twice and are logged at once, at most.
const MOST_LOGGED: usize = 10;

/// A calendar user on a server.
pub(crate) struct Remote {
    pub(crate) host: Host,
    pub(crate) server: Server,
    pub(crate) user: CalendarUser,
    pub(crate) places: Places,
    pub(crate) wishes: Wishes,
}

/// What the administrator wants for an account.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wishes {
    /// Where new objects go.
    pub(crate) calendar: Option<String>,
    /// Which calendars count for free-busy.
    pub(crate) busy: Option<Vec<String>>,
}

impl Remote {
    /// Asks each calendar for the UID (RFC 4791 §7.8.6).
    pub(crate) async fn query(&self, replica: &mut Replica, uid: &Uid) -> Result<()> {
        if replica.calendars.is_empty() {
            self.look_for_calendars(replica).await?;
        }
        for calendar in replica.calendars.hrefs() {
            for component in ["VEVENT", "VTODO"] {
                if !replica.calendars.takes(&calendar, component) {
                    continue;
                }
                let request = Request::xml("REPORT", &calendar, "1", dav::by_uid(component, uid));
                let found = self.multistatus(&request).await?;
                for resource in found.resources {
                    let properties = resource.properties;
                    if let (Some(etag), Some(data)) = (properties.etag, properties.data)
                        && let Some(etag) = tag(&etag)
                    {
                        self.learn(replica, &resource.href, etag, &data)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Reads an object and takes note of it; `None` if it is gone, or no calendar object any more.
    pub(crate) async fn fetch(
        &self,
        replica: &mut Replica,
        href: &Href,
    ) -> Result<Option<StoredObject>> {
        let request = Request::new("GET", href);
        let answer = self.server.send(&request).await?;
        match answer.status.as_u16() {
            200 if is_calendar(&answer) => {}
            404 | 410 => {
                replica.mirror.forget(href);
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
        let uid = self.learn(replica, href, etag.clone(), &data)?;
        Ok(uid.map(|uid| StoredObject::new(uid, etag, data)))
    }

    /// Takes note of an object as it is on the server; its UID, if it can be read.
    pub(crate) fn learn(
        &self,
        replica: &mut Replica,
        href: &Href,
        etag: Etag,
        data: &[u8],
    ) -> Result<Option<Uid>> {
        let parts = Parts::read(data);
        if parts.is_several() {
            replica.several.insert(href.clone());
        } else {
            replica.several.remove(href);
        }
        match self.host.index_for(&self.user, data) {
            Ok(index) => {
                let uid = index.uid.clone();
                let counts = replica.calendars.count(href);
                let object = described(etag.clone(), index, counts);
                replica.mirror.set(href.clone(), etag, Some(object));
                Ok(Some(uid))
            }
            Err(error) if error.kind() == ErrorKind::Unavailable => Err(error),
            Err(error) => {
                let mut unreadable: Vec<_> = parts.broken().iter().map(Unreadable::from).collect();
                unreadable.extend(parts.keys().map(|uid| Unreadable {
                    uid: Uid::new(uid).ok(),
                    problem: error.to_string(),
                }));
                if unreadable.is_empty() {
                    let problem = error.to_string();
                    unreadable.push(Unreadable { uid: None, problem });
                }
                self.unreadable(replica, href, etag, unreadable);
                Ok(None)
            }
        }
    }

    /// Takes note of a resource that cannot be read, and logs what was not known of it.
    pub(crate) fn unreadable(
        &self,
        replica: &mut Replica,
        href: &Href,
        etag: Etag,
        unreadable: Vec<Unreadable>,
    ) {
        let known = replica
            .mirror
            .known(href)
            .map(|it| it.unreadable.as_slice());
        let known = known.unwrap_or_default();
        let new = unreadable.iter().find(|it| !known.contains(it));
        if let Some(Unreadable { problem, .. }) = new {
            let what = format!("{href} is left out of free-busy, and left as it is: {problem}");
            tracing::warn!(event = "object-unreadable", "{}", self.server.about(what));
        }
        replica
            .mirror
            .set_unreadable(href.clone(), etag, unreadable);
    }

    /// Logs the objects that stand in several places.
    pub(crate) fn log_duplicates(&self, replica: &mut Replica) {
        for (uid, places) in replica
            .mirror
            .take_duplicates()
            .into_iter()
            .take(MOST_LOGGED)
        {
            if let [first, second, ..] = places.as_slice() {
                let uid = excerpt(uid.as_str(), 80);
                let what = format!(
                    "the object with the UID {uid} stands in {first} and in {second}: the first is used; remove one of them"
                );
                tracing::warn!(event = "object-duplicate", "{}", self.server.about(what));
            }
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

    pub(crate) fn keeps_changing(&self, uid: &Uid) -> Error {
        self.server.unavailable(format!(
            "the object with the UID {uid} changes each time it is looked at, or another one is in its place; see what \
             other programs do there"
        ))
    }
}

/// What does not count for free-busy is found by its UID all the same.
pub(crate) fn described(etag: Etag, index: ObjectIndex, counts: bool) -> Object {
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
