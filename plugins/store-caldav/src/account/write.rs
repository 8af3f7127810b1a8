//! Puts and removes objects.
//!
//! What a server does between two of our requests is seen by the entity tag: nothing is written or removed without the one
//! that was read.

use super::{ATTEMPTS, Account, There, known};
use crate::{
    href::{self, Href},
    remote::described,
    replica::Replica,
    server::{Answer, Request},
};
use convoke_sdk::{excerpt, prelude::*};
use http::{
    HeaderName,
    header::{CONTENT_TYPE, IF_MATCH, IF_NONE_MATCH},
};
use std::time::Duration;

/// Who writes need not look again for what was not there so short a time ago. Should it have come since, under another
/// name than ours: a server may not take two objects of one UID (RFC 4791 §5.3.2.1), and when it refuses we look again.
const JUST_NOW: Duration = Duration::from_secs(1);

impl Account {
    pub(crate) async fn put(&self, object: NewObject, when: Precondition) -> Result<Etag> {
        let uid = &object.index.uid;
        let mut replica = self.lock().await;
        for attempt in 0..ATTEMPTS {
            let just_now = replica.seen.is_some_and(|seen| seen.elapsed() < JUST_NOW);
            let there = if just_now {
                known(&replica, uid)
            } else {
                self.locate(&mut replica, uid).await?
            };
            self.check_readable(&replica, uid)?;
            check(uid, there.as_ref(), &when)?;
            self.check_alone(&replica, there.as_ref())?;
            let (href, request) = if let Some(There { href, etag }) = &there {
                let request = Request::new("PUT", href).with_tag(IF_MATCH, etag);
                (href.clone(), request)
            } else {
                let component = &object.index.component;
                let calendar = self.remote.calendar_for(&mut replica, component).await?;
                let href = calendar.child(&href::file(uid, attempt));
                let request = Request::new("PUT", &href).with(IF_NONE_MATCH, "*");
                (href, request)
            };
            let request = request
                .with(CONTENT_TYPE, "text/calendar; charset=utf-8")
                .with_body(object.data.clone());
            let answer = self.remote.server.send(&request).await?;
            match answer.status.as_u16() {
                200 | 201 | 204 if there.is_none() && is_odd(uid) => {
                    return self.written_as(&mut replica, &href, uid).await;
                }
                200 | 201 | 204 => return self.written(&mut replica, href, &answer, object).await,
                // 409 is also what some servers say of a UID that is elsewhere in the calendar, others say 403.
                404 | 409 | 410 | 412 => {
                    let now = self.remote.fetch(&mut replica, &href).await?;
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
                        self.refresh(&mut replica).await?;
                    }
                }
                403 if has(&answer, "no-uid-conflict") => {
                    self.refresh(&mut replica).await?;
                }
                400 | 413 | 415 | 422 => return Err(self.refused_object(uid, &answer)),
                403 if has(&answer, "valid-calendar") => {
                    return Err(self.refused_object(uid, &answer));
                }
                _ => return Err(self.remote.server.unexpected(&request, &answer)),
            }
        }
        Err(self.remote.keeps_changing(uid))
    }

    pub(crate) async fn remove(&self, uid: &Uid, when: Precondition) -> Result<()> {
        let mut replica = self.lock().await;
        for _ in 0..ATTEMPTS {
            let there = self.locate(&mut replica, uid).await?;
            self.check_readable(&replica, uid)?;
            check(uid, there.as_ref(), &when)?;
            self.check_alone(&replica, there.as_ref())?;
            let Some(There { href, etag }) = &there else {
                let what = format!("there is no object with the UID {uid}");
                return Err(Error::not_found(what));
            };
            // RFC 6638 §8.1: the server shall tell nobody; we do.
            let request = Request::new("DELETE", href)
                .with_tag(IF_MATCH, etag)
                .with(HeaderName::from_static("schedule-reply"), "F");
            let answer = self.remote.server.send(&request).await?;
            match answer.status.as_u16() {
                200 | 202 | 204 => {
                    replica.mirror.forget(href);
                    return Ok(());
                }
                404 | 410 if answer.is_repeated => {
                    replica.mirror.forget(href);
                    return Ok(());
                }
                404 | 409 | 410 | 412 => {
                    let now = self.remote.fetch(&mut replica, href).await?;
                    self.check_tag(there.as_ref(), now.as_ref())?;
                }
                _ => return Err(self.remote.server.unexpected(&request, &answer)),
            }
        }
        Err(self.remote.keeps_changing(uid))
    }

    /// Takes note of what a PUT wrote.
    async fn written(
        &self,
        replica: &mut Replica,
        href: Href,
        answer: &Answer,
        object: NewObject,
    ) -> Result<Etag> {
        // RFC 4791 §5.3.4: without a tag the server may have changed what it stored.
        let Some(etag) = answer.etag() else {
            let now = self.remote.fetch(replica, &href).await?;
            return match now {
                Some(now) if now.data == object.data => Ok(now.etag),
                // Somebody has written it since, or the server keeps it otherwise: whoever looks next compares it.
                Some(_) => Ok(Etag::new(NOT_AS_SENT)?),
                None => Err(self.remote.keeps_changing(&object.index.uid)),
            };
        };
        let counts = replica.calendars.count(&href);
        let known = described(etag.clone(), object.index, counts);
        replica.mirror.set(href, etag.clone(), Some(known));
        Ok(etag)
    }

    /// Reads what a PUT of a new object wrote, and takes it back if the server made another UID of this one: it would never
    /// be found again, and each message about it would make one more.
    async fn written_as(&self, replica: &mut Replica, href: &Href, uid: &Uid) -> Result<Etag> {
        let Some(now) = self.remote.fetch(replica, href).await? else {
            return Err(self.remote.keeps_changing(uid));
        };
        if now.uid == *uid {
            return Ok(now.etag);
        }
        let request = Request::new("DELETE", href)
            .with_tag(IF_MATCH, &now.etag)
            .with(HeaderName::from_static("schedule-reply"), "F");
        let answer = self.remote.server.send(&request).await?;
        let left = if matches!(answer.status.as_u16(), 200 | 202 | 204) {
            replica.mirror.forget(href);
            "it was taken back"
        } else {
            "it could not be taken back"
        };
        Err(Error::invalid(self.remote.server.about(format!(
            "it keeps the object with the UID `{uid}` under another, `{}`, so that it would not be found again; {left}",
            now.uid
        ))))
    }

    /// A resource with objects of several UIDs (RFC 4791 §4.1 forbids it, some servers take it) is not written: the others
    /// in it would be lost.
    fn check_alone(&self, replica: &Replica, there: Option<&There>) -> Result<()> {
        match there {
            Some(There { href, .. }) if replica.several.contains(href) => {
                Err(self.remote.server.unavailable(format!(
                    "{href} holds objects of several UIDs, and is left as it is; put each into a resource of its own"
                )))
            }
            _ => Ok(()),
        }
    }

    /// Fails if the server refuses a tag and says in the same breath that it is the right one: then no write would
    /// ever succeed, however often it is tried.
    fn check_tag(&self, there: Option<&There>, now: Option<&StoredObject>) -> Result<()> {
        match (there, now) {
            (Some(there), Some(now)) if there.etag == now.etag => Err(self.remote.server.unavailable(format!(
                "it refuses If-Match: {} for {}, and gives that ETag; a proxy that changes ETags does this, else update the server",
                there.etag, there.href
            ))),
            _ => Ok(()),
        }
    }

    fn refused_object(&self, uid: &Uid, answer: &Answer) -> Error {
        let body = String::from_utf8_lossy(&answer.body);
        Error::invalid(self.remote.server.about(format!(
            "it does not take the object with the UID {uid}: {} {}",
            answer.status,
            excerpt(&body, 200)
        )))
    }
}

/// The version of what was written, where the server has something else already: it matches no tag of any server.
const NOT_AS_SENT: &str = "not-as-it-was-sent";

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

fn has(answer: &Answer, element: &str) -> bool {
    let body = answer.body.get(..4096).unwrap_or(&answer.body);
    String::from_utf8_lossy(body).contains(element)
}
