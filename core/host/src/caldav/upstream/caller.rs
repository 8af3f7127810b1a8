//! Guesses at log-ins are slowed, and of who was let in the calendar is known.

use super::{
    forward::{Forwarding, Subject},
    looks,
};
use crate::{
    answer::retry_later,
    caldav::reply::Refused,
    login::Attempts,
    scheduling::OurHome,
    upstream::{Claim, Scheme, Standing},
};
use http::StatusCode;

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

    /// What is known of who asks, before the server is asked.
    pub(super) fn standing(&self) -> Standing {
        let (client, logins) = (self.front.client, &self.upstream.logins);
        match &self.claim {
            Some(claim) if logins.is_right(claim) => Standing::Proved,
            Some(claim) if self.attempts().is_familiar(client, &claim.login) => Standing::Familiar,
            _ => Standing::Stranger,
        }
    }

    /// Before something is changed: was its calendar ever looked at?
    pub(super) async fn prepare(&self, subject: &Subject) {
        for path in &subject.changes {
            let mut home = self.at(path, None).await;
            if let (None, Some(claim)) = (&home, &subject.claim)
                && self.is_proved(subject).await
            {
                self.upstream.people.look_again(&claim.login).await;
                home = self.at(path, Some(&claim.login)).await;
            }
            if let Some(home) = home {
                looks::prepare(self.instance, self.upstream, home).await;
            }
        }
    }

    /// What the answer says of who asked.
    pub(super) fn note(&self, subject: &Subject, status: StatusCode) {
        match &subject.claim {
            Some(claim) if status == StatusCode::UNAUTHORIZED => self.note_wrong(subject, claim),
            Some(claim) if subject.is_accepted => self.note_right(claim),
            _ => {}
        }
    }

    /// What has changed is looked at, and told, within the answer if that is quick.
    pub(super) async fn tell(&self, subject: &Subject, status: StatusCode) {
        if !status.is_success() {
            return;
        }
        let login = subject.claim.as_ref().map(|it| &*it.login);
        for path in &subject.changes {
            if let Some(home) = self.at(path, login).await {
                looks::at_once(self.instance, self.upstream, home).await;
            }
        }
    }

    /// The server took these credentials.
    pub(super) fn note_right(&self, claim: &Claim) {
        let logins = &self.upstream.logins;
        if !logins.is_right(claim) {
            logins.note_right(claim);
            self.attempts().note_right(self.front.client, &claim.login);
            self.introduce(&claim.login);
        }
    }

    /// The server refused them. A Digest is refused each time that it wants a new nonce.
    pub(super) fn note_wrong(&self, subject: &Subject, claim: &Claim) {
        let Scheme::Basic(credentials) = &claim.scheme else {
            return;
        };
        if subject.refused.set(()).is_err() {
            return;
        }
        self.upstream.logins.note_wrong(claim);
        let guess = self.attempts().guess(&[credentials]);
        let client = self.front.client;
        if self.attempts().note_refused(client, &claim.login, guess) {
            claim.tell_refused(client);
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
    pub(super) async fn at(&self, path: &str, login: Option<&str>) -> Option<OurHome> {
        let (plugins, domains) = (&self.instance.plugins, &self.instance.config.server.domains);
        self.upstream.people.at(plugins, domains, path, login).await
    }

    fn attempts(&self) -> &Attempts {
        &self.instance.shared.attempts
    }
}
