//! A mail that was taken by a mail server comes back as not delivered: what is known of the guest changes accordingly.

use crate::{
    environment::{Clock, Environment, Home, HomeOf, Journal, Notice, Occasion, State, Stores},
    keys,
    mail::Guest,
    scheduler::Scheduler,
    state,
    stored::ATTEMPTS,
};
use convoke_calendar::{
    itip,
    message::{Message, Method},
};
use convoke_types::{Batch, Error, ErrorKind, RequestStatus, Uid};

/// What a report that a mail was not delivered led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bounced {
    /// The meeting says so from now on (5.1), and its owner is told.
    Noted,
    /// It says so already, or the guest was reached in another way since.
    Known,
}

/// A report that was noted.
struct Noted {
    /// What was mailed last.
    method: Method,
    /// The meeting; `None` if it is gone.
    meeting: Option<Message>,
}

fn undeliverable<'a>(guest: &'a Guest, message: &'a Message, reason: &'a str) -> Notice<'a> {
    Notice {
        user: &guest.user,
        other: &guest.recipient,
        message,
        occasion: Occasion::Undeliverable(reason),
    }
}

impl<E: Environment> Scheduler<E> {
    /// Notes that what was mailed to a guest did not arrive, and will not: `mail` is the Message-ID that the report names, and `reason`
    /// what it says of it.
    ///
    /// Only what stands as handed to a mail server (1.1) changes: a report that comes twice, or on a mail after which another one was
    /// taken, changes nothing. An error: the
    /// report is to come again, as it is not known yet what became of what the guest was told, or as the meeting cannot be read or
    /// written. Nothing is changed by it then.
    pub async fn note_bounce(
        &self,
        guest: &Guest,
        mail: Option<&str>,
        reason: &str,
    ) -> Result<Bounced, Error> {
        let Some(home) = self.environment.stores().find(&guest.user).await? else {
            return Ok(Bounced::Known);
        };
        let status = RequestStatus::SERVICE_UNAVAILABLE.with_text(reason);
        let Some(bounce) = self.bounce(&home, guest, mail, &status).await? else {
            return Ok(Bounced::Known);
        };
        let (method, meeting) = (bounce.method, bounce.meeting);
        let (user, other) = (&guest.user, &guest.recipient);
        tracing::warn!(
            event = "mail-bounced", %user, recipient = %other, uid = %guest.uid, method = %method,
            "a mail was not delivered: {reason}"
        );
        let decided = self.decision("mail-bounced", &guest.uid).of(user);
        let decided = decided.to(method.as_str(), other).result(&status);
        self.note_decision(&decided.why(reason));
        if let Some(message) = &meeting {
            self.notice_is_kept(&undeliverable(guest, message, reason));
        }
        Ok(Bounced::Noted)
    }

    /// Changes ledger and object, and has the owner told; `None` if nothing is to be changed.
    async fn bounce(
        &self,
        home: &HomeOf<E>,
        guest: &Guest,
        mail: Option<&str>,
        status: &RequestStatus,
    ) -> Result<Option<Noted>, Error> {
        let uid = &guest.uid;
        let _one_at_a_time = self.shared.locks.of(home.user(), uid).await;
        let now = self.environment.clock().now();
        for _ in 0..ATTEMPTS {
            // Before the ledger is read: what is not under way any more stands there.
            if self.is_being_told(guest).await? {
                let text = format!("{uid} is on its way to the guest still");
                return Err(Error::unavailable(text));
            }
            if let Some(mail) = mail {
                let state = self.environment.state();
                if guest.was_mailed_after(state, mail).await? {
                    return Ok(None);
                }
            }
            let ledger = self.ledger(home.user(), uid).await?;
            let Some(mut known) = ledger.value else {
                return Ok(None);
            };
            let Some(method) = known.bounce(&guest.recipient, status, now) else {
                return Ok(None);
            };
            let meeting = self.object_as_message(home, uid, method).await?;
            if meeting.is_some() {
                let told = [(guest.recipient.clone(), status.clone())];
                let note = |copy: &_| itip::note_delivery(copy, method, &told);
                // The report comes again where this fails: the ledger must not say before that it is known.
                if let Some((before, after)) = self.write_object(home, uid, note).await? {
                    known.agrees_if(&before, &after);
                }
            }
            let key = keys::ledger(home.user(), uid);
            let batch = state::unchanged(Batch::new(), &key, ledger.version);
            let batch = match &meeting {
                Some(message) => {
                    let notice = undeliverable(guest, message, status.text());
                    self.environment.journal().with_notice(&notice, batch)
                }
                None => batch,
            };
            match self.environment.state().commit(known.put(batch, key)).await {
                Err(error) if error.kind() == ErrorKind::Conflict => {}
                done => return done.map(|_| Some(Noted { method, meeting })),
            }
        }
        let text = format!("the ledger of {uid} was written by others again and again");
        Err(Error::unavailable(text))
    }

    async fn is_being_told(&self, guest: &Guest) -> Result<bool, Error> {
        let state = self.environment.state();
        let people = (&guest.user, &guest.recipient);
        let outbox = &self.shared.outbox;
        outbox.is_under_way(state, people, &guest.uid).await
    }

    /// An object as a message about it; `None` if it is gone, or cannot be one. An error: the store cannot be asked.
    pub(crate) async fn object_as_message(
        &self,
        home: &HomeOf<E>,
        uid: &Uid,
        method: Method,
    ) -> Result<Option<Message>, Error> {
        let stored = home.get(uid).await?;
        let calendar = stored.and_then(|it| crate::stored::read(&it, &self.limits).ok());
        Ok(calendar.and_then(|it| Message::of_object(it, method).ok()))
    }
}
