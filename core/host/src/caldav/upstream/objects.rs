//! Objects that others are concerned with (RFC 6638 §3.2): what a client writes or removes is judged before the server sees it,
//! and told at once.
//!
//! Digest credentials are good for one request, so that nothing can be asked with them before it. What comes with them is judged
//! by what the store reads; but that it is forbidden is said only after the server has taken the credentials (`digest`). It has no
//! schedule tags.

use super::{
    ask::Held,
    forward::{Forwarding, Subject, read_ahead},
    looks,
};
use crate::{
    caldav::{
        conditions::{Since, conditions, is_only_ours_since},
        fields::not_as_it_is,
        inbox,
        objects::{IF_SCHEDULE_TAG, Written, check_schedule_tag, is_calendar, schedule_tag_in},
        reply::{Refused, no_room},
        reports::limits,
        schedule::{self, Removal},
        session::{Missing, Place, Session},
    },
    scheduling::OurHome,
    upstream::{Answer, Outgoing},
};
use bytes::Bytes;
use convoke_caldav::{
    conditional::{Conditions, Unmet},
    precondition::Precondition,
};
use convoke_calendar::tree::{Calendar, Component};
use convoke_net::http_server::{Holding, Payload, Response, StreamedBody, counted};
use convoke_scheduling::{Environment, Home, Processor};
use convoke_types::{Etag, StoredObject, Uid};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use http_body_util::{BodyExt, Full};

pub(super) const SCHEDULE_TAG: HeaderName = HeaderName::from_static("schedule-tag");
/// What programs say of an attendee who leaves without a word (RFC 6638 §8.1).
const SCHEDULE_REPLY: &str = "schedule-reply";

/// A change of an object that others are concerned with, before the server has made it.
pub(super) struct Edit<'a> {
    session: Session<'a>,
    uid: Uid,
    kind: Kind,
    /// What was read of it, for as long as it is here.
    _holding: Holding,
}

enum Kind {
    /// It is written: as it came, or with other people's answers as they gave them.
    Write {
        instead: Option<Bytes>,
        calendar: Calendar,
    },
    /// It is removed.
    Remove(Calendar),
}

impl Edit<'_> {
    /// The body of the request, if it is another one than came.
    pub(super) fn body(&self) -> Option<Outgoing> {
        let Kind::Write { instead, .. } = &self.kind else {
            return None;
        };
        let body = Full::new(instead.clone()?).map_err(|it| match it {});
        Some(body.boxed_unsync())
    }
}

impl<'a> Forwarding<'a> {
    /// What a request would do to an object that others are concerned with; refused if it may not.
    pub(super) async fn edit(
        &self,
        subject: &Subject,
        method: &Method,
        headers: &mut HeaderMap,
        body: &mut StreamedBody,
    ) -> Result<Option<Edit<'a>>, Refused> {
        let is_write = *method == Method::PUT;
        let is_removal = *method == Method::DELETE
            && [SCHEDULE_REPLY, IF_SCHEDULE_TAG, header::IF_MATCH.as_str()]
                .iter()
                .any(|it| headers.contains_key(*it));
        if !is_write && !is_removal {
            return Ok(None);
        }
        let login = match &subject.claim {
            Some(claim) if subject.is_digest() => Some(&*claim.login),
            _ => self.right_login(subject),
        };
        let Some(home) = self.at(&subject.path, login).await else {
            return Ok(None);
        };
        if !looks::is_told(self.instance, &home) {
            return Ok(None);
        }
        let session = Session {
            instance: self.instance,
            arrival: self.arrival,
            home,
            missing: Missing::Named,
            // Of the server's objects, and of none of ours.
            place: Place::Root,
        };
        if is_write {
            self.write(subject, session, headers, body).await
        } else {
            self.removal(subject, session, headers).await
        }
    }

    async fn write(
        &self,
        subject: &Subject,
        session: Session<'a>,
        headers: &mut HeaderMap,
        body: &mut StreamedBody,
    ) -> Result<Option<Edit<'a>>, Refused> {
        // Of nobody else anything is read ahead.
        if !self.is_own(subject, &session.home).await {
            return Ok(None);
        }
        let Some(data) = self.read_whole(subject, &session, headers, body).await? else {
            return Ok(None);
        };
        let mut holding = (self.instance.admission.bodies).hold(self.front.client);
        holding.resize(data.len()).await.map_err(|_| no_room())?;
        let is_conditional =
            headers.contains_key(IF_SCHEDULE_TAG) || headers.contains_key(header::IF_MATCH);
        if !is_shared(&data) && !is_conditional {
            return Ok(None);
        }
        let processor = self.instance.scheduler.environment().processor();
        let written = processor.run(data.len(), || Written::read(&data)).await;
        // What is no object is the server's to refuse.
        let Ok(written) = written else {
            return Ok(None);
        };
        // Guests may be on it in a version that the server has no more.
        let concerns_others = is_shared(&data)
            || headers.contains_key(IF_SCHEDULE_TAG)
            || names_ours(&session, headers, &written.uid).await;
        if !concerns_others {
            return Ok(None);
        }
        let there = session.home.get(&written.uid).await?;
        // Whoever logs in by Digest has schedule tags of the server's, if any.
        let has_our_tag = !subject.is_digest() && headers.contains_key(IF_SCHEDULE_TAG);
        if has_our_tag {
            self.check_tag(&session, headers, there.as_ref()).await?;
        }
        let since = since(&session, headers, there.as_ref()).await?;
        let data_there = there.as_ref().map(|it| it.data.as_slice());
        let (mut instead, mut calendar) = (None, None);
        if data_there != Some(&data) {
            let size = data_there.map_or(0, <[u8]>::len) + data.len();
            let merged = || written.merged(&session, since, data_there);
            let merged = processor.run(size, merged).await;
            let merged = merged.filter(|_| !subject.is_bound_to_body());
            let judged = merged.as_ref().unwrap_or(&written);
            if let Some(objection) = schedule::judge(&session, judged, data_there).await? {
                if subject.is_digest() {
                    self.check_digest(subject, headers, &data).await?;
                }
                return Err(objection.told(&session, &written.uid));
            }
            (instead, calendar) = merged.map(|it| (it.data, it.calendar)).unzip();
        }
        if has_our_tag {
            headers.remove(IF_SCHEDULE_TAG);
            only_if_same(headers, there.map(|it| it.etag));
        }
        Ok(Some(Edit {
            session,
            uid: written.uid,
            kind: Kind::Write {
                instead,
                calendar: calendar.unwrap_or(written.calendar),
            },
            _holding: holding,
        }))
    }

    /// The object that is to be written; `None` if it is said to be something else, of which not everything can be read. What says that it
    /// is an object and cannot be judged is refused: the server would take it unjudged.
    async fn read_whole(
        &self,
        subject: &Subject,
        session: &Session<'_>,
        headers: &HeaderMap,
        body: &mut StreamedBody,
    ) -> Result<Option<Bytes>, Refused> {
        let is_calendar = is_calendar(headers);
        let refused = not_as_it_is(&Method::PUT, headers);
        let most = self.instance.config.limits.messages.content_length;
        let (refused, why) = match refused {
            Some(_) if !is_calendar => return Ok(None),
            Some(refused) => (refused, "it is in a Content-Encoding, or a part".to_owned()),
            None => match read_ahead(body.peek(most)).await? {
                None if is_calendar => {
                    let why = format!("it is longer than {most} bytes (limits.content_length)");
                    (Precondition::MaxResourceSize.into(), why)
                }
                whole => return Ok(whole),
            },
        };
        // By Digest nobody is proved yet, and cannot be without the body: nothing is said of what is in the calendar.
        if !subject.is_digest() {
            let user = &session.user().address;
            tracing::info!(event = "edit-refused", %user, path = ?subject.path, "{why}");
        }
        Err(refused)
    }

    async fn removal(
        &self,
        subject: &Subject,
        session: Session<'a>,
        headers: &mut HeaderMap,
    ) -> Result<Option<Edit<'a>>, Refused> {
        if subject.is_digest() || !self.is_own(subject, &session.home).await {
            return Ok(None);
        }
        // Which object it is says the server, to who may read it.
        let read = self.read_object(subject).await;
        let Some(object) = read.map_err(|none| none.response())? else {
            return Ok(None);
        };
        let data = object.data;
        let processor = self.instance.scheduler.environment().processor();
        let parsed = || Calendar::parse_stored(&data, &limits()).ok();
        let Some(calendar) = processor.run(data.len(), parsed).await else {
            return Ok(None);
        };
        let Some(uid) = calendar.main_components().find_map(Component::uid) else {
            return Ok(None);
        };
        let tag = schedule_tag_in(self.instance, session.user(), &data).await;
        check_schedule_tag(headers, tag.as_deref())?;
        let etag = object.etag;
        let etag = etag.and_then(|it| Etag::new(unweakened(&it)).ok());
        if let Some(etag) = &etag {
            let there = StoredObject::new(uid.clone(), etag.clone(), data.to_vec());
            since(&session, headers, Some(&there)).await?;
        }
        if headers.remove(IF_SCHEDULE_TAG).is_some() {
            only_if_same(headers, etag);
        }
        let removal = Removal::of(&session, &uid, Some(&calendar), headers);
        removal.begin().await?;
        Ok(Some(Edit {
            session,
            uid,
            kind: Kind::Remove(calendar),
            _holding: object.holding,
        }))
    }

    async fn check_tag(
        &self,
        session: &Session<'_>,
        headers: &HeaderMap,
        there: Option<&StoredObject>,
    ) -> Result<(), Refused> {
        if !headers.contains_key(IF_SCHEDULE_TAG) {
            return Ok(());
        }
        let data = there.map_or(&[][..], |it| &it.data);
        let tag = schedule_tag_in(self.instance, session.user(), data).await;
        check_schedule_tag(headers, tag.as_deref())
    }

    /// Whether who asks is the owner of a calendar, by the server's word: nobody else shall learn by a refusal what is in it. By
    /// Digest it is a claim until the server has taken the request.
    async fn is_own(&self, subject: &Subject, home: &OurHome) -> bool {
        let is_same =
            |own: &OurHome| own.store() == home.store() && own.user().id == home.user().id;
        if let (Some(claim), true) = (&subject.claim, subject.is_digest()) {
            return self.named_by(claim).await.is_some_and(|it| is_same(&it));
        }
        if subject.claim.is_some() && !self.is_proved(subject).await {
            return false;
        }
        let Some(principal) = self.own_principal(subject).await else {
            return false;
        };
        let own = self.user_of(&principal, subject).await;
        own.is_some_and(|it| is_same(&it))
    }

    /// After the server has done as it was asked: whom it concerns is told, and the answer says what is there now.
    pub(super) async fn edited(
        &self,
        edit: Edit<'a>,
        subject: &Subject,
        headers: &HeaderMap,
        response: &mut Response,
    ) {
        let is_done = response.status().is_success();
        let (session, uid) = (&edit.session, &edit.uid);
        match edit.kind {
            Kind::Remove(calendar) if !is_done => {
                let removal = Removal::of(session, uid, Some(&calendar), headers);
                removal.is_off().await;
            }
            Kind::Write { .. } if !is_done => {}
            Kind::Remove(calendar) => {
                let removal = Removal::of(session, uid, Some(&calendar), headers);
                if removal.tell().await.is_err() {
                    tracing::warn!(
                        event = "change-told-later", user = %session.user().address, %uid,
                        "what was removed at {} is told after the next look", subject.path
                    );
                }
            }
            Kind::Write { instead, calendar } => {
                inbox::decide(session, uid, &calendar).await;
                schedule::tell(session, uid).await;
                let is_ours = !subject.is_digest();
                self.tag(session, uid, (instead.is_some(), is_ours), response)
                    .await;
            }
        }
    }

    /// RFC 9110 §9.3.4: an entity tag is given only of what is there just as it was sent. A schedule tag is given to whom it can be
    /// judged by later.
    async fn tag(
        &self,
        session: &Session<'_>,
        uid: &Uid,
        (is_changed, has_our_tags): (bool, bool),
        response: &mut Response,
    ) {
        let object = session.home.get(uid).await.ok().flatten();
        let headers = response.headers_mut();
        let is_same = headers.get(header::ETAG).is_some_and(|etag| {
            let etag = etag.to_str().map(unweakened);
            let there = object.as_ref();
            there.is_some_and(|it| etag.is_ok_and(|etag| it.etag.as_str() == etag))
        });
        if is_changed || !is_same {
            headers.remove(header::ETAG);
        }
        if !has_our_tags {
            return;
        }
        let data = object.map_or_else(Vec::new, |it| it.data);
        let tag = schedule_tag_in(session.instance, session.user(), &data).await;
        set_tag(headers, tag.as_deref());
    }

    /// What a HEAD says of an object, with its schedule tag: its octets are read for that.
    pub(super) async fn tagged_alone(
        &self,
        subject: &Subject,
        home: &OurHome,
        answer: http::Response<Answer>,
    ) -> Response {
        let is_object = answer.status() == StatusCode::OK && says_object(answer.headers());
        let (head, body) = answer.into_parts();
        // There is none; and its place is given back before another one is taken.
        drop(body);
        let mut response = self.turned_back(head, Payload::default());
        if is_object && let Ok(Some(object)) = self.read_object(subject).await {
            let tag = schedule_tag_in(self.instance, home.user(), &object.data).await;
            set_tag(response.headers_mut(), tag.as_deref());
        }
        response
    }

    /// An object, with its schedule tag.
    pub(super) async fn tagged(
        &self,
        home: &OurHome,
        answer: http::Response<Answer>,
    ) -> Result<Response, Refused> {
        let is_coded = answer.headers().contains_key(header::CONTENT_ENCODING);
        let is_object = answer.status() == StatusCode::OK && says_object(answer.headers());
        if !is_object || is_coded {
            return Ok(self.passed_on(answer));
        }
        let most = self.instance.config.limits.messages.content_length;
        let (data, holding, mut response) = match self.held(answer, most).await? {
            Held::Whole(data, holding, response) => (data, holding, response),
            Held::Longer(response) => return Ok(response),
        };
        let tag = schedule_tag_in(self.instance, home.user(), &data).await;
        set_tag(response.headers_mut(), tag.as_deref());
        Ok(counted(response, data, holding))
    }

    /// Whose object is at a path, if it is by our word that it has a schedule tag, if there is one, and not by the server's.
    pub(super) async fn tags_for(&self, subject: &Subject, path: &str) -> Option<OurHome> {
        // What comes with it later could not be judged by it.
        if subject.is_digest() || path.ends_with('/') {
            return None;
        }
        let home = self.at(path, self.right_login(subject)).await;
        home.filter(|it| looks::is_told(self.instance, it))
    }
}

fn says_object(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE);
    kind.is_some_and(|it| it.as_bytes().starts_with(b"text/calendar"))
}

/// Whether an object has anybody else in it.
fn is_shared(data: &[u8]) -> bool {
    let has = |name: &[u8]| {
        data.windows(name.len())
            .any(|it| it.eq_ignore_ascii_case(name))
    };
    has(b"ORGANIZER") || has(b"ATTENDEE")
}

/// What happened to an object since its program read it. The server compares what `If-Match` names strictly: where only we wrote
/// since, it is asked about the version that is there.
async fn since(
    session: &Session<'_>,
    headers: &mut HeaderMap,
    there: Option<&StoredObject>,
) -> Result<Since, Refused> {
    let wanted = conditions(headers);
    if let Some(there) = there
        && wanted.check(Some(there.etag.as_str())) == Err(Unmet::IfMatch)
        && is_only_ours_since(session, there, named(&wanted)).await?
        && let Ok(etag) = HeaderValue::from_str(there.etag.as_str())
    {
        headers.insert(header::IF_MATCH, etag);
        return Ok(Since::Answers);
    }
    Ok(if headers.contains_key(IF_SCHEDULE_TAG) {
        Since::Answers
    } else {
        Since::Nothing
    })
}

/// Whether `If-Match` names a version of an object that we wrote over. If the state cannot be asked, the server compares by itself.
async fn names_ours(session: &Session<'_>, headers: &HeaderMap, uid: &Uid) -> bool {
    let state = session.instance.scheduler.environment().state();
    let overwritten = &session.instance.shared.overwritten;
    let named = named(&conditions(headers));
    let knows = overwritten.knows(state, session.user(), uid, named);
    knows.await.unwrap_or(false)
}

/// What `If-Match` names, as the store calls it.
fn named(wanted: &Conditions) -> Vec<Etag> {
    let tags = wanted.wanted();
    tags.filter_map(|it| Etag::new(it).ok()).collect()
}

fn unweakened(etag: &str) -> &str {
    etag.strip_prefix("W/").unwrap_or(etag)
}

fn set_tag(headers: &mut HeaderMap, tag: Option<&str>) {
    if let Some(Ok(tag)) = tag.map(HeaderValue::from_str) {
        headers.insert(SCHEDULE_TAG, tag);
    }
}

/// The schedule tag was looked at of this version.
fn only_if_same(headers: &mut HeaderMap, etag: Option<Etag>) {
    let etag = etag.and_then(|it| HeaderValue::from_str(it.as_str()).ok());
    if let (Some(etag), false) = (etag, headers.contains_key(header::IF_MATCH)) {
        headers.insert(header::IF_MATCH, etag);
    }
}
