//! Who asks, and which calendar user that is: by the server's word on its principals.

use super::{
    ask::Looked,
    forward::{Forwarding, Subject},
};
use crate::{
    caldav::reply::Refused,
    scheduling::OurHome,
    upstream::{self, Answer, Claim, NoAnswer, Scheme},
};
use convoke_caldav::{
    amend::Received,
    xml::{CALDAV, DAV, Name},
};
use http::{HeaderValue, Method, StatusCode};

pub(super) const CURRENT_PRINCIPAL: Name = Name::new(DAV, "current-user-principal");
pub(super) const HOME_SET: Name = Name::new(CALDAV, "calendar-home-set");

/// Asks who is logged in: what only somebody who is gets answered.
const WHO: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<D:propfind xmlns:D=\"DAV:\"><D:prop>\
    <D:current-user-principal/></D:prop></D:propfind>";
/// Asks where the calendars of a principal are.
const HOMES: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<D:propfind xmlns:D=\"DAV:\" \
    xmlns:C=\"urn:ietf:params:xml:ns:caldav\"><D:prop><C:calendar-home-set/></D:prop></D:propfind>";

/// A calendar user who logged in.
pub(super) struct Caller {
    /// The path of the principal, as far as the server said it.
    pub(super) principal: Option<String>,
    pub(super) home: OurHome,
}

/// Whose principal it is that asks, by the server's word.
enum Word {
    Principal(String),
    /// It wants other credentials.
    Challenge(http::Response<Answer>),
    /// It names nobody.
    Nobody,
}

impl Forwarding<'_> {
    /// Who asks for something of ours, proved to the server by this request. Its challenge is passed on.
    pub(super) async fn caller(
        &self,
        subject: &Subject,
        method: &Method,
        path: &str,
    ) -> Result<Caller, Refused> {
        let proved = match &subject.claim {
            Some(claim) if claim.scheme == Scheme::Digest => {
                self.by_digest(subject, claim, method, path).await
            }
            _ => self.by_word(subject).await,
        };
        let caller = proved.map_err(|none| match none {
            NotProved::NoAnswer(none) => none.response().into(),
            NotProved::Refused(refused) => refused,
        })?;
        // Who has a log-in there, and no calendar that is known here.
        caller.ok_or_else(|| StatusCode::NOT_FOUND.into())
    }

    /// Whether the server takes these credentials, and whose principal it is then. Only Basic ones can be tried.
    pub(super) async fn is_proved(&self, subject: &Subject) -> bool {
        let Some(claim) = &subject.claim else {
            return false;
        };
        if self.upstream.logins.is_right(claim) {
            return true;
        }
        if claim.scheme == Scheme::Digest {
            return false;
        }
        let word = self.word(subject.credentials.as_ref()).await;
        match word {
            Ok(Word::Principal(principal)) => {
                self.note_right(claim);
                self.upstream
                    .principals
                    .note_login(&claim.login, &principal);
                true
            }
            Ok(Word::Challenge(_)) => {
                self.note_wrong(subject, claim);
                false
            }
            Ok(Word::Nobody) | Err(_) => false,
        }
    }

    /// Whom a principal of the server is.
    pub(super) async fn user_of(&self, principal: &str, subject: &Subject) -> Option<OurHome> {
        let principals = &self.upstream.principals;
        if principals.homes(principal).is_none() && !subject.is_digest() {
            let credentials = subject.credentials.as_ref();
            let looked = self.look_up(principal, credentials, HOMES).await;
            if let Ok(Looked::Told(received)) = looked {
                self.note_homes(&received);
            }
        }
        let homes = principals.homes(principal);
        let paths = homes.iter().flat_map(|it| it.iter());
        let login = self.right_login(subject);
        // Some servers say nothing of homes, and keep the calendars below the principal.
        for path in paths.map(String::as_str).chain([principal]) {
            if let Some(home) = self.at(path, login).await {
                principals.note_user(&home, principal);
                return Some(home);
            }
        }
        None
    }

    /// The principal of who asks, as far as it is known or can be asked for.
    pub(super) async fn own_principal(&self, subject: &Subject) -> Option<String> {
        let principals = &self.upstream.principals;
        if let Some(claim) = &subject.claim {
            let is_known = subject.is_accepted || self.is_proved(subject).await;
            let known = principals.of_login(&claim.login).filter(|_| is_known);
            if known.is_some() || !is_known || subject.is_digest() {
                return known;
            }
        }
        let ask = async || match self.word(subject.credentials.as_ref()).await {
            Ok(Word::Principal(principal)) => Some(principal),
            _ => None,
        };
        let principal = subject.principal.get_or_init(ask).await.clone()?;
        if let Some(claim) = &subject.claim {
            principals.note_login(&claim.login, &principal);
        }
        Some(principal)
    }

    /// Takes note of where the calendars of principals are.
    pub(super) fn note_homes(&self, received: &Received) {
        for told in received.resources() {
            let homes = told.hrefs(&HOME_SET).into_iter();
            let homes: Vec<String> = homes.filter_map(|it| self.path(it)).collect();
            if let (Some(path), false) = (self.path(told.href()), homes.is_empty()) {
                self.upstream.principals.note_homes(&path, homes);
            }
        }
    }

    /// The path of an `href` of the server.
    pub(super) fn path(&self, href: &str) -> Option<String> {
        let path = upstream::path_of(href, &self.front, &self.upstream.server)?;
        Some(path.to_owned())
    }

    /// The log-in, if it was proved lately.
    pub(super) fn right_login<'s>(&self, subject: &'s Subject) -> Option<&'s str> {
        let claim = subject.claim.as_ref()?;
        let is_right = subject.is_accepted || self.upstream.logins.is_right(claim);
        is_right.then_some(&*claim.login)
    }

    async fn by_word(&self, subject: &Subject) -> Result<Option<Caller>, NotProved> {
        match self.word(subject.credentials.as_ref()).await? {
            Word::Principal(principal) => {
                if let Some(claim) = &subject.claim {
                    self.note_right(claim);
                    self.upstream
                        .principals
                        .note_login(&claim.login, &principal);
                }
                let home = self.user_of(&principal, subject).await;
                Ok(home.map(|home| Caller {
                    principal: Some(principal),
                    home,
                }))
            }
            Word::Challenge(answer) => {
                if let Some(claim) = &subject.claim {
                    self.note_wrong(subject, claim);
                }
                Err(NotProved::Refused(self.passed_on(answer).into()))
            }
            Word::Nobody => Err(NotProved::Refused(StatusCode::FORBIDDEN.into())),
        }
    }

    /// Digest credentials are good for this request alone: the server gets it without its body, and nothing is there. That it
    /// looks for credentials at all is seen when it gets none.
    async fn by_digest(
        &self,
        subject: &Subject,
        claim: &Claim,
        method: &Method,
        path: &str,
    ) -> Result<Option<Caller>, NotProved> {
        let answer = self.status_of(method, path, subject.credentials.as_ref());
        let answer = answer.await?;
        if answer.status() == StatusCode::UNAUTHORIZED {
            return Err(NotProved::Refused(self.passed_on(answer).into()));
        }
        let is_taken = matches!(
            answer.status(),
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED
        );
        drop(answer);
        let without = self.status_of(method, path, None).await?;
        if !is_taken || without.status() != StatusCode::UNAUTHORIZED {
            tracing::warn!(
                event = "login-not-provable",
                login = ?claim.login,
                "the CalDAV server {} does not say whether it takes a Digest log-in at {path}, so that nobody is let in there; \
                 let it take Basic over TLS",
                self.upstream.server
            );
            return Err(NotProved::Refused(StatusCode::FORBIDDEN.into()));
        }
        let principal = self.upstream.principals.of_login(&claim.login);
        let home = match &principal {
            Some(principal) => self.user_of(principal, subject).await,
            None => self.named_by(claim).await,
        };
        Ok(home.map(|home| Caller { principal, home }))
    }

    /// Whom a claim names: by the principal that the server gave that log-in lately, or by its name.
    pub(super) async fn named_by(&self, claim: &Claim) -> Option<OurHome> {
        let principals = &self.upstream.principals;
        if let Some(principal) = principals.of_login(&claim.login) {
            let homes = principals.homes(&principal);
            let paths = homes.iter().flat_map(|it| it.iter()).map(String::as_str);
            for path in paths.chain([&*principal]) {
                if let Some(home) = self.at(path, Some(&claim.login)).await {
                    return Some(home);
                }
            }
        }
        let domains = &self.instance.config.server.domains;
        let people = &self.upstream.people;
        let plugins = &self.instance.plugins;
        people.of(plugins, domains, &claim.login).await
    }

    async fn word(&self, credentials: Option<&HeaderValue>) -> Result<Word, NoAnswer> {
        let root = format!("{}/", self.upstream.server.path);
        Ok(match self.look_up(&root, credentials, WHO).await? {
            Looked::Challenge(answer) => Word::Challenge(answer),
            Looked::Told(received) => {
                let told = received.resources().next();
                let href = told.and_then(|it| it.hrefs(&CURRENT_PRINCIPAL).first().copied());
                let path = href.and_then(|it| self.path(it));
                path.map_or(Word::Nobody, Word::Principal)
            }
            Looked::Other(status) => {
                tracing::debug!("{} says {status} of who is logged in", self.upstream.server);
                Word::Nobody
            }
        })
    }
}

enum NotProved {
    NoAnswer(NoAnswer),
    Refused(Refused),
}

impl From<NoAnswer> for NotProved {
    fn from(none: NoAnswer) -> Self {
        Self::NoAnswer(none)
    }
}
