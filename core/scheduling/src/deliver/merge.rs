//! A message that has arrived changes an object of its recipient, or waits for the person to decide.

use super::anomaly;
use crate::{
    effort::Weight,
    envelope::{Envelope, InboxItem},
    environment::{Environment, Home, HomeOf},
    outcome::Outcome,
    person::Person,
    scheduler::Scheduler,
    stored::{NotUpdated, Update},
};
use convoke_calendar::{
    itip::{self, Change, Outgoing, Receiving},
    message::Message,
};
use convoke_types::{CalendarAddress, Error, ErrorKind, RequestStatus, Uninvited};
use sha2::{Digest, Sha256};

impl<E: Environment> Scheduler<E> {
    /// Applies a message that has arrived. Besides the outcome: what the recipient sends in turn.
    pub(super) async fn receive(
        &self,
        home: &HomeOf<E>,
        envelope: &Envelope<'_>,
        recipient: &CalendarAddress,
        uninvited: Option<Uninvited>,
    ) -> Result<(Outcome, Vec<Outgoing>), Error> {
        let (message, originator) = (envelope.message, envelope.originator);
        let item = InboxItem {
            message,
            data: envelope.data,
            originator,
            recipient,
        };
        if let Some(status) = home.deliver(&item).await? {
            return Ok((status.into(), Vec::new()));
        }
        let person = Person::of(home.user()).addressed_as(recipient);
        let owner = person.owner();
        let at = Receiving {
            owner: &owner,
            originator,
            from: envelope.from,
            now: envelope.now,
            accept_uninvited: uninvited == Some(Uninvited::Accept),
        };
        let update = Update {
            processor: self.environment.processor(),
            home,
            uid: message.uid(),
            owner: &owner,
            limits: &self.limits,
            now: envelope.now,
            weight: Weight::of(message, envelope.data),
            budget: Some((envelope.peer, &envelope.effort)),
        };
        let received = update
            .apply(|existing| {
                let mut received = itip::receive(message, existing, &at);
                let change = std::mem::replace(&mut received.change, Change::None);
                (change, received)
            })
            .await;
        let uid = message.uid();
        let received = match received {
            Ok(received) => received,
            Err(NotUpdated::Failed(error)) => return Err(error),
            Err(NotUpdated::TooMuch) => {
                tracing::info!(
                    event = "too-much-work", %originator, %recipient, %uid,
                    "the message asks for more work than one may"
                );
                let text = "The message takes too much work for so many recipients; send it to fewer at once";
                return Ok((later(text), Vec::new()));
            }
        };
        if let Some(anomaly) = &received.anomaly {
            anomaly::log(anomaly, message, recipient);
        }
        if received.keep
            && let Some(full) = self.keep(home, &item).await?
        {
            return Ok((full, Vec::new()));
        }
        Ok((received.status.into(), received.outgoing))
    }

    /// Puts a message into the inbox of a recipient who has to accept its sender first. The sender is told that it has
    /// arrived (2.0), which it has.
    pub(super) async fn hold<H: Home>(
        &self,
        home: &H,
        envelope: &Envelope<'_>,
        recipient: &CalendarAddress,
    ) -> Result<Outcome, Error> {
        let item = InboxItem {
            message: envelope.message,
            data: envelope.data,
            originator: envelope.originator,
            recipient,
        };
        let full = self.keep(home, &item).await?;
        Ok(full.unwrap_or_else(|| RequestStatus::SUCCESS.into()))
    }

    /// Keeps a message for the person to decide on; what the sender is told if there is no room.
    async fn keep<H: Home>(
        &self,
        home: &H,
        item: &InboxItem<'_>,
    ) -> Result<Option<Outcome>, Error> {
        let instances = instances(item.message);
        match home.keep(item, &instances, self.limits.room()).await {
            Err(error) if error.kind() == ErrorKind::Conflict => {
                let InboxItem {
                    originator,
                    recipient,
                    message,
                    ..
                } = item;
                tracing::info!(
                    event = "inbox-full", %originator, %recipient, uid = %message.uid(),
                    "the message is not kept: {error}"
                );
                let text = "There is no room for more messages that the recipient has to decide on";
                Ok(Some(later(text)))
            }
            kept => kept.map(|()| None),
        }
    }
}

fn later(text: &str) -> Outcome {
    RequestStatus::SERVICE_UNAVAILABLE.with_text(text).into()
}

/// Which instances a message is about, as long as a digest at most.
fn instances(message: &Message) -> String {
    let names = message.instance_names();
    if names.len() <= 64 {
        return names;
    }
    let digest: Vec<String> = Sha256::digest(names)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    digest.concat()
}
