//! What is remembered of mails: for each guest of each meeting a token, and the Message-IDs of what was mailed.
//!
//! The token is part of the address that answers and bounces come back to, so that it proves for whom the mail was that is
//! answered: nobody else knows it. It holds over updates of the meeting, and for two years after the last mail.

use crate::{
    environment::{Environment, State},
    keys,
    scheduler::Scheduler,
    state,
};
use convoke_types::{Batch, CalendarAddress, Error, ErrorKind, Uid};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long a token holds after the last mail.
const KEPT: Duration = Duration::from_secs(2 * 366 * 24 * 3600);
/// The Message-IDs remembered for one guest of one meeting, the first and the latest.
const MOST: usize = 20;
/// How often it is tried to write what others write, too.
const ATTEMPTS: usize = 8;

/// A guest of a meeting who is reached by mail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guest {
    /// Who of ours writes to them, mostly the organizer.
    pub user: CalendarAddress,
    /// The meeting.
    pub uid: Uid,
    /// The guest.
    pub recipient: CalendarAddress,
}

/// The mails to a guest of a meeting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Correspondence {
    /// What the address holds that answers come back to: lower-case letters and digits.
    pub token: String,
    /// The Message-IDs of the mails that were taken, the oldest first, without angle brackets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mails: Vec<String>,
    /// The Message-ID of the last mail that a mail server had all of and said nothing of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unanswered: Option<String>,
}

impl Guest {
    /// The mails to this guest, with the token of the guest: `fresh`, which nobody can guess, if there is none yet.
    pub async fn correspondence(
        &self,
        state: &impl State,
        fresh: impl Fn() -> String,
    ) -> Result<Correspondence, Error> {
        let key = self.key();
        for _ in 0..ATTEMPTS {
            if let Some(known) = state::get(state, &key).await?.value {
                return Ok(known);
            }
            let made = Correspondence {
                token: fresh().to_ascii_lowercase(),
                mails: Vec::new(),
                unanswered: None,
            };
            let token = keys::token(&made.token);
            let batch = Batch::new().if_absent(key.as_slice());
            let batch = batch.if_absent(token.as_slice());
            let batch = batch.put_for(key.as_slice(), state::write(&made), KEPT);
            match state
                .commit(batch.put_for(token, state::write(self), KEPT))
                .await
            {
                Err(error) if error.kind() == ErrorKind::Conflict => {}
                done => return done.map(|_| made),
            }
        }
        Err(self.contended())
    }

    /// Remembers that a mail is about to go to this guest: a report on it, which may come before anybody knows that the mail was
    /// taken, is about this guest.
    pub async fn announce_mail(&self, state: &impl State, message_id: &str) -> Result<(), Error> {
        let batch = Batch::new().put_for(keys::mailed(message_id), state::write(self), KEPT);
        state.commit(batch).await.map(drop)
    }

    /// Remembers that a mail to this guest was taken: later ones refer to it, and a report on it is about this guest.
    pub async fn remember_mail(&self, state: &impl State, message_id: &str) -> Result<(), Error> {
        let key = self.key();
        for _ in 0..ATTEMPTS {
            let read = state::get::<Correspondence>(state, &key).await?;
            let Some(mut known) = read.value else {
                return Ok(());
            };
            if known.mails.iter().any(|it| it == message_id) {
                return Ok(());
            }
            if known.mails.len() >= MOST {
                known.mails.remove(1);
            }
            known.mails.push(message_id.to_owned());
            let token = keys::token(&known.token);
            let batch = state::unchanged(Batch::new(), &key, read.version);
            let batch = batch.put_for(key.as_slice(), state::write(&known), KEPT);
            let batch = batch.put_for(keys::mailed(message_id), state::write(self), KEPT);
            match state
                .commit(batch.put_for(token, state::write(self), KEPT))
                .await
            {
                Err(error) if error.kind() == ErrorKind::Conflict => {}
                done => return done.map(drop),
            }
        }
        Err(self.contended())
    }

    /// Notes that a mail server had all of a mail to this guest and did not say whether it takes it: whether that was so before.
    pub async fn is_silent_again(
        &self,
        state: &impl State,
        message_id: &str,
    ) -> Result<bool, Error> {
        let key = self.key();
        for _ in 0..ATTEMPTS {
            let read = state::get::<Correspondence>(state, &key).await?;
            let Some(mut known) = read.value else {
                return Ok(false);
            };
            if known.unanswered.as_deref() == Some(message_id) {
                return Ok(true);
            }
            known.unanswered = Some(message_id.to_owned());
            let batch = state::unchanged(Batch::new(), &key, read.version);
            let batch = batch.put_for(key.as_slice(), state::write(&known), KEPT);
            match state.commit(batch).await {
                Err(error) if error.kind() == ErrorKind::Conflict => {}
                done => return done.map(|_| false),
            }
        }
        Err(self.contended())
    }

    /// Whether a mail was taken to this guest after this one: a report on it says nothing of what the guest was told last.
    pub(crate) async fn was_mailed_after(
        &self,
        state: &impl State,
        message_id: &str,
    ) -> Result<bool, Error> {
        let known = state::get::<Correspondence>(state, &self.key()).await?;
        let mails = known.value.map(|it| it.mails).unwrap_or_default();
        let place = mails.iter().position(|it| it == message_id);
        Ok(place.is_some_and(|place| place + 1 < mails.len()))
    }

    fn key(&self) -> Vec<u8> {
        keys::guest(&self.user, &self.uid, &self.recipient)
    }

    fn contended(&self) -> Error {
        let uid = &self.uid;
        Error::unavailable(format!(
            "the mails about {uid} were written by others again and again"
        ))
    }
}

impl<E: Environment> Scheduler<E> {
    /// For whom a token was made, whatever its case; `None` if it was not made here, or too long ago.
    pub async fn guest_of(&self, token: &str) -> Result<Option<Guest>, Error> {
        let found = state::get(self.environment.state(), &keys::token(token)).await?;
        Ok(found.value)
    }

    /// To whom a mail went that was [announced](Guest::announce_mail) by its Message-ID, without angle brackets; `None` if it
    /// was not sent here, or too long ago.
    pub async fn guest_mailed(&self, message_id: &str) -> Result<Option<Guest>, Error> {
        let found = state::get(self.environment.state(), &keys::mailed(message_id)).await?;
        Ok(found.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::world::{Host, address};
    use futures::executor::block_on;

    #[test]
    fn a_token_is_made_once_for_each_guest_of_each_meeting() {
        let host = Host::new();
        let state = &host.world().remembered;
        let guest = |uid: &str, to: &str| Guest {
            user: address("dee@example.org"),
            uid: Uid::new(uid).unwrap(),
            recipient: address(to),
        };
        let tokens = std::cell::Cell::new(0);
        let fresh = || {
            tokens.set(tokens.get() + 1);
            format!("TOKEN{}", tokens.get())
        };
        let token = |guest: &Guest| block_on(guest.correspondence(state, fresh)).unwrap().token;
        let (one, two) = (guest("1", "x@example.net"), guest("1", "y@example.net"));
        assert_eq!(token(&one), "token1");
        assert_eq!(token(&two), "token2");
        assert_eq!(token(&guest("2", "x@example.net")), "token3");
        assert_eq!(token(&guest("1", "X@example.net")), "token1");
        // One that is taken is not given twice.
        tokens.set(0);
        assert_eq!(token(&guest("3", "x@example.net")), "token4");

        let found = |token: &str| block_on(host.scheduler.guest_of(token)).unwrap();
        assert_eq!(found("Token2"), Some(two));
        assert_eq!(found("token9"), None);
    }

    #[test]
    fn mails_are_remembered_in_their_order_and_not_too_many() {
        let host = Host::new();
        let state = &host.world().remembered;
        let guest = Guest {
            user: address("dee@example.org"),
            uid: Uid::new("1").unwrap(),
            recipient: address("x@example.net"),
        };
        let known = || block_on(guest.correspondence(state, || "token".to_owned())).unwrap();
        known();
        for mail in (0..30).chain([29, 5]) {
            block_on(guest.remember_mail(state, &format!("{mail}@example.org"))).unwrap();
        }
        let mails = known().mails;
        assert_eq!(mails.len(), MOST);
        assert_eq!(
            (mails[0].as_str(), mails[1].as_str()),
            ("0@example.org", "12@example.org")
        );
        assert_eq!(mails[MOST - 1], "5@example.org");
        let found = |id: &str| block_on(host.scheduler.guest_mailed(id)).unwrap();
        assert_eq!(found("3@example.org"), Some(guest.clone()));
        assert_eq!(found("30@example.org"), None);
    }
}
