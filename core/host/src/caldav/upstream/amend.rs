//! Answers of the server with what RFC 6638 adds to them: `calendar-auto-schedule` in `DAV:`, and properties of principals and
//! calendars.
//!
//! Only an answer to who asks for such a property by name is read, if it is short enough; all others pass as they come.

use super::{
    ask::Held,
    forward::{Forwarding, Subject},
    looks,
    who::{CURRENT_PRINCIPAL, HOME_SET},
};
use crate::{
    caldav::{
        SCHEDULING_CLASS,
        objects::schedule_tag_in,
        properties::{DATA, MAX_ATTENDEES, MAX_SIZE, user_type},
        reply::Refused,
    },
    scheduling::OurHome,
    upstream::{self, Answer},
};
use bytes::Bytes;
use convoke_caldav::{
    amend::{self, Property, Received, Told, amended},
    xml::{self, CALDAV, DAV, Element, Name},
};
use convoke_net::http_server::{BodyError, Holding, Response, StreamedBody, counted};
use convoke_scheduling::Home;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};

/// Of a request that asks for properties, in bytes.
const ASKED: usize = 64 << 10;
/// What an element takes while the answer that it is in is read, in bytes.
const ELEMENT: usize = 320;

/// What a CalDAV server says that it can (RFC 4791 §5.1).
const ACCESS: &str = "calendar-access";

const OWNER: Name = Name::new(DAV, "owner");
const INBOX_URL: Name = Name::new(CALDAV, "schedule-inbox-URL");
const OUTBOX_URL: Name = Name::new(CALDAV, "schedule-outbox-URL");
const ADDRESSES: Name = Name::new(CALDAV, "calendar-user-address-set");
const USER_TYPE: Name = Name::new(CALDAV, "calendar-user-type");
const SCHEDULE_TAG: Name = Name::new(CALDAV, "schedule-tag");
/// What there is to say, or to learn.
const OURS: [Name; 9] = [
    OWNER,
    INBOX_URL,
    OUTBOX_URL,
    ADDRESSES,
    USER_TYPE,
    SCHEDULE_TAG,
    MAX_ATTENDEES,
    MAX_SIZE,
    CURRENT_PRINCIPAL,
];

/// Properties of ours that a request asks for.
pub(super) struct Wanted {
    names: Vec<Name>,
    /// Objects are wanted as they are, and not in parts.
    is_whole: bool,
}

impl Wanted {
    /// What a request asks for, if it is something of ours.
    pub(super) async fn read(
        method: &Method,
        subject: &Subject,
        body: &mut StreamedBody,
    ) -> Result<Option<Self>, BodyError> {
        if !matches!(method.as_str(), "PROPFIND" | "REPORT") {
            return Ok(None);
        }
        let body = body.peek(ASKED).await?;
        // Who logs in otherwise can be asked about.
        let learns = subject.is_digest();
        let wanted = body.and_then(|it| Self::named_in(&it));
        Ok(wanted.filter(|it| learns || it.names != [CURRENT_PRINCIPAL]))
    }

    /// What cannot be read is the server's to refuse.
    fn named_in(body: &[u8]) -> Option<Self> {
        let root: Element = xml::parse(body, &xml::LIMITS).ok()?;
        let prop = root.child(DAV, "prop")?;
        let mut wanted = Self {
            names: Vec::new(),
            is_whole: true,
        };
        for child in &prop.children {
            if OURS.contains(&child.name) && !wanted.names.contains(&child.name) {
                wanted.names.push(child.name.clone());
            }
            if child.name == DATA {
                wanted.is_whole = child.children.is_empty();
            }
        }
        (!wanted.names.is_empty()).then_some(wanted)
    }

    /// What a principal has by our word.
    fn of_principals(&self) -> impl Iterator<Item = &Name> {
        let names = [INBOX_URL, OUTBOX_URL, ADDRESSES, USER_TYPE];
        self.names.iter().filter(move |name| names.contains(name))
    }
}

impl Forwarding<'_> {
    /// The answer to who asks for properties of ours.
    pub(super) async fn amended(
        &self,
        subject: &Subject,
        wanted: &Wanted,
        answer: http::Response<Answer>,
    ) -> Result<Response, Refused> {
        let is_coded = answer.headers().contains_key(header::CONTENT_ENCODING);
        if answer.status() != StatusCode::MULTI_STATUS || is_coded {
            return Ok(self.passed_on(answer));
        }
        let most = amend::LIMITS.bytes;
        let (document, mut holding, response) = match self.held(answer, most).await? {
            Held::Whole(document, holding, response) => (document, holding, response),
            Held::Longer(response) => {
                tracing::debug!("an answer about {} is too long to be amended", subject.path);
                return Ok(response);
            }
        };
        let document = self
            .with_ours(subject, wanted, document, &mut holding)
            .await;
        Ok(counted(response, document, holding))
    }

    async fn with_ours(
        &self,
        subject: &Subject,
        wanted: &Wanted,
        document: Bytes,
        holding: &mut Holding,
    ) -> Bytes {
        let tags = document.split(|it| *it == b'<').count();
        let tree = tags.min(amend::LIMITS.elements) * ELEMENT;
        if holding.resize(2 * document.len() + tree).await.is_err() {
            return document;
        }
        let Ok(received) = Received::read(&document) else {
            return document;
        };
        self.learn(subject, &received);
        let mut properties = Vec::new();
        for told in received.resources().filter(|it| it.is_described()) {
            let Some(path) = self.path(told.href()) else {
                continue;
            };
            let mut own = self.of_principal(subject, wanted, told, &path).await;
            own.extend(self.owner(subject, wanted, told, &path).await);
            own.extend(self.bounds(subject, wanted, told, &path).await);
            let mut own: Vec<Property> = own.into_iter().map(Property::Is).collect();
            if wanted.names.contains(&SCHEDULE_TAG)
                && let Some(home) = self.tags_for(subject, &path).await
            {
                let tag = self.schedule_tag(&home, subject, wanted, told, &path);
                let tag = tag.await;
                own.push(tag.map_or(Property::IsNot(SCHEDULE_TAG), Property::Is));
            }
            if !own.is_empty() {
                properties.push((told, own));
            }
        }
        if properties.is_empty() {
            return document;
        }
        let amended = Bytes::from(amended(&document, &properties));
        drop(properties);
        drop(received);
        // It is a little longer than what memory was taken for.
        let _ = holding.resize(amended.len()).await;
        amended
    }

    /// What the server says of its principals.
    fn learn(&self, subject: &Subject, received: &Received) {
        self.note_homes(received);
        let mut told = received.resources();
        let own = told.find_map(|it| it.hrefs(&CURRENT_PRINCIPAL).first().copied());
        if let (Some(own), Some(login)) =
            (own.and_then(|it| self.path(it)), self.right_login(subject))
        {
            self.upstream.principals.note_login(login, &own);
        }
    }

    /// What a principal has by our word; nothing, if it is none of a user whose changes are told.
    async fn of_principal(
        &self,
        subject: &Subject,
        wanted: &Wanted,
        told: Told<'_>,
        path: &str,
    ) -> Vec<Element> {
        if wanted.of_principals().next().is_none() {
            return Vec::new();
        }
        let is_principal = self.upstream.principals.homes(path).is_some()
            || told.has(&HOME_SET)
            || self
                .own_principal(subject)
                .await
                .is_some_and(|own| upstream::segments(&own) == upstream::segments(path));
        if !is_principal {
            return Vec::new();
        }
        let home = self.user_of(path, subject).await;
        let Some(home) = home.filter(|it| looks::is_told(self.instance, it)) else {
            return Vec::new();
        };
        let property = |name: &Name| property(&home, name, told);
        wanted.of_principals().filter_map(property).collect()
    }

    /// Whose calendar it is, where the server does not say: programs find the outbox by that.
    async fn owner(
        &self,
        subject: &Subject,
        wanted: &Wanted,
        told: Told<'_>,
        path: &str,
    ) -> Option<Element> {
        if !wanted.names.contains(&OWNER) || !told.hrefs(&OWNER).is_empty() {
            return None;
        }
        let home = self.told_at(path, subject).await?;
        let principals = &self.upstream.principals;
        if principals.of_user(&home).is_none() {
            let own = self.own_principal(subject).await?;
            // It takes note of whose it is.
            self.user_of(&own, subject).await?;
        }
        let principal = principals.of_user(&home)?;
        Some(Element::new(OWNER).with(Element::href(principal)))
    }

    /// Whose resource is at a path, if the changes of that user are told.
    async fn told_at(&self, path: &str, subject: &Subject) -> Option<OurHome> {
        let home = self.at(path, self.right_login(subject)).await;
        home.filter(|it| looks::is_told(self.instance, it))
    }

    /// How many guests one meeting may have (RFC 4791 §5.2.9), and how long an object may be (§5.2.5), where the server takes more: what
    /// is beyond it would be refused here.
    async fn bounds(
        &self,
        subject: &Subject,
        wanted: &Wanted,
        told: Told<'_>,
        path: &str,
    ) -> Vec<Element> {
        let limits = &self.instance.config.limits;
        let bounds = [
            (MAX_ATTENDEES, limits.recipients),
            (MAX_SIZE, limits.messages.content_length),
        ];
        let lower = bounds.into_iter().filter(|(name, ours)| {
            let theirs = told
                .text(name)
                .and_then(|it| it.trim().parse::<usize>().ok());
            wanted.names.contains(name) && theirs.is_none_or(|theirs| *ours < theirs)
        });
        let lower: Vec<_> = lower.collect();
        if lower.is_empty() || !path.ends_with('/') || self.told_at(path, subject).await.is_none() {
            return Vec::new();
        }
        let elements = lower.into_iter();
        let elements = elements.map(|(name, ours)| Element::new(name).with_text(ours.to_string()));
        elements.collect()
    }

    /// The schedule tag of an object whose octets are told of as well, or that alone is asked about.
    async fn schedule_tag(
        &self,
        home: &OurHome,
        subject: &Subject,
        wanted: &Wanted,
        told: Told<'_>,
        path: &str,
    ) -> Option<Element> {
        let read;
        let data = match told.text(&DATA) {
            Some(data) if wanted.is_whole => data.as_bytes(),
            None if path == subject.path => {
                read = self.read_object(subject).await.ok()??;
                &read.data[..]
            }
            _ => return None,
        };
        let tag = schedule_tag_in(self.instance, home.user(), data).await?;
        Some(Element::new(SCHEDULE_TAG).with_text(tag))
    }

    /// Says `calendar-auto-schedule` where the server says what it can, to users whose changes are told.
    pub(super) async fn announce(&self, subject: &Subject, response: &mut Response) {
        if !response.status().is_success() || !is_asked_to_say(response.headers()) {
            return;
        }
        let is_scheduled = match self.whose(subject).await {
            Some(home) => looks::is_told(self.instance, &home),
            // Nobody has logged in yet, so that it is about the server.
            None => subject.claim.is_none(),
        };
        if is_scheduled {
            add_class(response.headers_mut());
        }
    }

    /// Whose resource a request is about; of what is nobody's, who asks.
    async fn whose(&self, subject: &Subject) -> Option<OurHome> {
        let login = self.right_login(subject);
        if let Some(home) = self.at(&subject.path, login).await {
            return Some(home);
        }
        if self.upstream.principals.homes(&subject.path).is_some()
            && let Some(home) = self.user_of(&subject.path, subject).await
        {
            return Some(home);
        }
        let own = self.own_principal(subject).await?;
        self.user_of(&own, subject).await
    }
}

/// Whether an answer says what a CalDAV server can, and not that it schedules by itself.
fn is_asked_to_say(headers: &HeaderMap) -> bool {
    let values = headers.get_all("dav").iter();
    let values = values.flat_map(|it| it.to_str().unwrap_or_default().split(','));
    let classes: Vec<&str> = values.map(str::trim).collect();
    classes.contains(&ACCESS) && !classes.contains(&SCHEDULING_CLASS)
}

/// Beside what it says already, as there are programs that read one field only.
fn add_class(headers: &mut HeaderMap) {
    let said: Vec<HeaderValue> = headers.get_all("dav").iter().cloned().collect();
    headers.remove("dav");
    for value in said {
        let text = value.to_str().unwrap_or_default();
        let is_it = text.split(',').any(|it| it.trim() == ACCESS);
        let more = is_it.then(|| HeaderValue::from_str(&format!("{text}, {SCHEDULING_CLASS}")));
        headers.append("dav", more.and_then(Result::ok).unwrap_or(value));
    }
}

/// What a principal has by our word.
fn property(home: &OurHome, name: &Name, told: Told<'_>) -> Option<Element> {
    let (property, user) = (Element::new(name.clone()), home.user());
    Some(match &*name.local {
        "schedule-inbox-URL" => property.with(Element::href(upstream::inbox(user))),
        "schedule-outbox-URL" => property.with(Element::href(upstream::outbox(user))),
        "calendar-user-type" => property.with_text(user_type(user.kind)),
        "calendar-user-address-set" => {
            let ours: Vec<&str> = std::iter::once(&user.address)
                .chain(&user.aliases)
                .map(convoke_types::CalendarAddress::as_str)
                .collect();
            // The server may know it by a path, too.
            let theirs = told.hrefs(name).into_iter();
            let theirs = theirs.filter(|it| !ours.iter().any(|own| own.eq_ignore_ascii_case(it)));
            let theirs: Vec<&str> = theirs.collect();
            let all = ours.iter().copied().chain(theirs).enumerate();
            all.fold(property, |property, (place, address)| {
                let href = Element::href(address);
                property.with(if place == 0 {
                    href.with_attribute("preferred", "1")
                } else {
                    href
                })
            })
        }
        _ => return None,
    })
}
