//! Who asks: guesses are slowed, and of who was let in the calendar is known.

use super::{
    forward::{Forwarding, Subject},
    looks,
};
use crate::{
    answer::retry_later,
    caldav::reply::Refused,
    login::Attempts,
    scheduling::OurHome,
    upstream::{Claim, Outgoing, Scheme, to_server},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};

/// Asks who is logged in: what only somebody who is gets answered.
const WHO: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<D:propfind xmlns:D=\"DAV:\"><D:prop>\
    <D:current-user-principal/></D:prop></D:propfind>";

impl Forwarding<'_> {
    /// Guesses at passwords are slowed, as at other listeners: the server sees one address for all.
    pub(super) fn admit(&self, subject: &Subject) -> Result<(), Refused> {
        match &subject.claim {
            Some(claim) if !self.upstream.logins.is_right(claim) => self
                .attempts()
                .check_login(self.front.client, &claim.login)
                .map_err(|wait| retry_later(&wait).into()),
            _ => Ok(()),
        }
    }

    /// Before something is changed: was its calendar ever looked at?
    pub(super) async fn prepare(&self, subject: &Subject) {
        for path in &subject.changes {
            let mut home = self.at(path, None).await;
            if let (None, Some(claim)) = (&home, &subject.claim)
                && self.is_proved(claim, subject.credentials.as_ref()).await
            {
                let login = Some(&*claim.login);
                home = self.at(path, login).await;
            }
            if let Some(home) = home {
                looks::prepare(self.instance, self.upstream, home).await;
            }
        }
    }

    /// Whether the server takes these credentials. Only Basic ones can be tried.
    async fn is_proved(&self, claim: &Claim, credentials: Option<&HeaderValue>) -> bool {
        if self.upstream.logins.is_right(claim) {
            return true;
        }
        let Some(credentials) = credentials.filter(|_| claim.scheme != Scheme::Digest) else {
            return false;
        };
        let mut headers = to_server(&HeaderMap::new(), &self.front);
        headers.insert(header::AUTHORIZATION, credentials.clone());
        headers.insert("depth", HeaderValue::from_static("0"));
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/xml"),
        );
        let root = format!("{}/", self.upstream.server.path);
        let Ok(uri) = root.parse() else {
            return false;
        };
        let body: Outgoing = Full::new(Bytes::from(WHO))
            .map_err(|it| match it {})
            .boxed_unsync();
        let mut request = Request::new(body);
        *request.method_mut() = propfind();
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        match self.upstream.exchanges.ask(request).await {
            Ok(answer) if answer.status() == StatusCode::MULTI_STATUS => {
                self.upstream.logins.note_right(claim);
                true
            }
            _ => false,
        }
    }

    /// What the answer says of who asked, and of what has changed.
    pub(super) async fn note(&self, subject: &Subject, status: StatusCode) {
        if let Some(claim) = &subject.claim {
            self.note_login(subject, claim, status);
        }
        if !status.is_success() {
            return;
        }
        let login = subject.claim.as_ref().map(|it| &*it.login);
        for path in &subject.changes {
            if let Some(home) = self.at(path, login).await {
                looks::at_once(self.instance, self.upstream, home);
            }
        }
    }

    fn note_login(&self, subject: &Subject, claim: &Claim, status: StatusCode) {
        let (logins, client) = (&self.upstream.logins, self.front.client);
        match status {
            // A Digest is refused each time that the server wants a new nonce.
            StatusCode::UNAUTHORIZED if claim.scheme != Scheme::Digest => {
                logins.note_wrong(claim);
                self.attempts().note_refused(client, &claim.login);
                claim.tell_refused(client);
            }
            // Others are answered to anybody, by this or that server.
            StatusCode::MULTI_STATUS if !logins.is_right(claim) => {
                logins.note_right(claim);
                self.attempts().note_right(client, &claim.login);
                self.introduce(&claim.login);
            }
            _ if status.is_success() && !subject.changes.is_empty() => {
                logins.note_right(claim);
                self.attempts().note_right(client, &claim.login);
            }
            _ => {}
        }
    }

    /// Somebody has logged in: the calendar is known from now on, and was looked at before anything in it changes.
    fn introduce(&self, login: &str) {
        if !self.upstream.people.is_new(login) {
            return;
        }
        let (instance, upstream) = (self.instance.clone(), self.upstream.clone());
        let login = login.to_owned();
        tokio::spawn(async move {
            let domains = &instance.config.server.domains;
            let home = upstream.people.of(&instance.plugins, domains, &login);
            if let Some(home) = home.await {
                looks::prepare(&instance, &upstream, home).await;
            }
        });
    }

    /// Whose calendars a path lies in.
    async fn at(&self, path: &str, login: Option<&str>) -> Option<OurHome> {
        let (plugins, domains) = (&self.instance.plugins, &self.instance.config.server.domains);
        self.upstream.people.at(plugins, domains, path, login).await
    }

    fn attempts(&self) -> &Attempts {
        &self.instance.shared.attempts
    }
}

fn propfind() -> Method {
    Method::from_bytes(b"PROPFIND").expect("these letters are a token")
}
