//! Delivery to our own calendar users: from a valid message to one outcome for each recipient.
//!
//! | module | what it does |
//! | --- | --- |
//! | `freebusy` | answers a question about busy time |
//! | `announce` | notes what an update is about to make of an object, where that is needed |
//! | `merge` | applies everything else to a stored object, if nobody else changed it meanwhile |
//! | `news` | what is new to a person of an answer |
//! | `repeated` | knows a mail that comes again |
//! | `anomaly` | what the administrator is told and the sender is not |
//!
//! Always true: policy is asked before a store is, so that a peer without authority learns nothing of who exists; what is
//! answered with success is on disk; one recipient's failure is nobody else's.

mod announce;
mod anomaly;
mod freebusy;
mod merge;
mod news;
mod repeated;

use crate::{
    decision::Decided,
    envelope::{Answering, Envelope},
    environment::{
        Answers, Arrived, Environment, Event, Grant, Home, HomeOf, Journal, Policies, Stores,
        Verdict,
    },
    outcome::Outcome,
    room::RoomSettings,
    scheduler::Scheduler,
};
use convoke_calendar::{message::Kind, zone::unknown_names};
use convoke_types::{
    CalendarAddress, Error, ErrorKind, MailProof, Proof, RequestStatus, Scheduling, excerpt,
};
use futures::{FutureExt, StreamExt, future::BoxFuture, stream};
use std::time::Duration;

/// Recipients of one message that are served at once.
const PARALLEL: usize = 16;

/// The letters of a message id, and of a time zone's name, that the log has.
const LOGGED: usize = 200;

/// The condition that a recipient breaks whom the message is not for.
const NOT_ADDRESSED: &str = "recipient-mismatch";

impl<E: Environment> Scheduler<E> {
    /// Delivers a message to calendar users of ours, a few at a time: one outcome for each, in their order.
    ///
    /// What they send in turn (a REFRESH is answered with a REQUEST) waits in the outbox then.
    pub async fn deliver(
        &self,
        envelope: &Envelope<'_>,
        recipients: &[CalendarAddress],
        answers: &impl Answers,
    ) -> Vec<Outcome> {
        if !recipients.is_empty() {
            log_unknown_zones(envelope);
        }
        let deliver = |recipient| async move {
            let outcome = self.deliver_to(envelope, recipient).await;
            answers.admit(outcome).await
        };
        let deliveries: Vec<BoxFuture<'_, Outcome>> = recipients
            .iter()
            .map(|recipient| deliver(recipient).boxed())
            .collect();
        let outcomes: Vec<_> = stream::iter(deliveries).buffered(PARALLEL).collect().await;
        let event = Event::Delivered(envelope.message, &outcomes);
        self.environment.journal().record(&event);
        outcomes
    }

    /// Delivers to one recipient. Never fails: a failure is a status.
    async fn deliver_to(&self, envelope: &Envelope<'_>, recipient: &CalendarAddress) -> Outcome {
        let message = envelope.message;
        if message.kind() != Kind::FreeBusy && message.check_recipient(recipient).is_err() {
            return Outcome {
                condition: Some(NOT_ADDRESSED),
                ..RequestStatus::INVALID_CALENDAR_USER.into()
            };
        }
        let delivered = match self.admit(envelope, recipient).await {
            Ok((home, Some(grant))) if message.kind() == Kind::FreeBusy => {
                self.answer_busy(&home, envelope, recipient, grant.detail)
                    .await
            }
            Ok((home, grant)) => self.take(&home, envelope, recipient, grant).await,
            Err(status) => Ok(status.into()),
        };
        let outcome = delivered.unwrap_or_else(|error| {
            tracing::warn!(event = "not-delivered", %recipient, "not delivered: {error}");
            status_of(&error).into()
        });
        let decided = self
            .decision("delivered", message.uid())
            .of(recipient)
            .to(message.method().as_str(), recipient)
            .result(&outcome.status)
            .why(outcome.description.as_deref().unwrap_or_default());
        self.note_decision(&Decided {
            peer: Some(proved(envelope)),
            message_id: envelope.transport.message_id.map(str::to_owned),
            ..decided
        });
        tracing::info!(
            event = "delivered",
            originator = %envelope.originator,
            %recipient,
            method = %message.method(),
            component = %message.kind(),
            uid = %message.uid(),
            peer = envelope.transport.address.map(tracing::field::display),
            message_id = envelope.transport.message_id.map(|it| excerpt(it, LOGGED)),
            "{}", outcome.status
        );
        outcome
    }

    /// Takes a message into a calendar, or holds it without a grant; once, however often a mail comes.
    async fn take(
        &self,
        home: &HomeOf<E>,
        envelope: &Envelope<'_>,
        recipient: &CalendarAddress,
        grant: Option<Grant>,
    ) -> Result<Outcome, Error> {
        if self.was_taken(envelope, recipient).await? {
            return Ok(RequestStatus::SUCCESS.into());
        }
        let taken = match grant {
            None => self.hold(home, envelope, recipient).await?,
            Some(grant) => {
                self.receive(home, envelope, recipient, grant.uninvited)
                    .await?
            }
        };
        if !taken.status.is_success() {
            return Ok(taken);
        }
        let arrived = Arrived {
            user: home.user(),
            originator: envelope.originator,
            message: envelope.message,
            data: envelope.data,
        };
        let journal = self.environment.journal();
        journal.record(&Event::Arrived(arrived));
        Ok(taken)
    }

    /// Whether the message may go to this recipient, and where its calendar is; without a grant, it is to be held.
    async fn admit(
        &self,
        envelope: &Envelope<'_>,
        recipient: &CalendarAddress,
    ) -> Result<(HomeOf<E>, Option<Grant>), RequestStatus> {
        if self.may_be_ours(recipient) == Some(false) {
            return Err(RequestStatus::INVALID_CALENDAR_USER);
        }
        let originator = envelope.originator;
        let sender = self.acquaintance(recipient, originator).await;
        let policies = self.environment.policies();
        let verdict = match sender {
            Ok(sender) => policies.decide(envelope, recipient, sender).await,
            Err(error) => {
                tracing::warn!(event = "state-unreadable", %recipient, "whom the recipient knows cannot be read: {error}");
                Verdict::Unavailable
            }
        };
        let grant = match verdict {
            Verdict::Allow(grant) => Some(grant),
            Verdict::Hold => None,
            Verdict::RateLimited(after) => {
                tracing::info!(event = "too-often", %originator, %recipient, uid = %envelope.message.uid(), "too often, by {}s", after.as_secs());
                return Err(later("Too often", after));
            }
            Verdict::Deny => return Err(RequestStatus::NO_AUTHORITY),
            // Spec §9: a policy that cannot be asked is 5.1.
            Verdict::Unavailable => return Err(RequestStatus::SERVICE_UNAVAILABLE),
        };
        let home = match self.environment.stores().find(recipient).await {
            Ok(Some(home)) if home.user().scheduling == Scheduling::Enabled => home,
            Ok(Some(_)) => return Err(RequestStatus::NO_SCHEDULING_SUPPORT),
            Ok(None) => return Err(RequestStatus::INVALID_CALENDAR_USER),
            Err(error) => return Err(status_of(&error)),
        };
        // RFC 3834 §2: two programs that answer each other never end.
        if envelope.answering == Answering::Never
            && RoomSettings::answers(envelope.message)
            && RoomSettings::of(home.user()).is_ok_and(|room| room.is_some())
        {
            let text = "a room answers neither automatic replies nor mailing lists";
            return Err(RequestStatus::NO_AUTHORITY.with_text(text));
        }
        let Some(grant) = grant else {
            return Ok((home, None));
        };
        // By the user, who may have many addresses.
        let charged = self
            .environment
            .policies()
            .charge(&grant, originator, home.user());
        charged.map_err(|after| {
            tracing::info!(event = "quota-used-up", %originator, %recipient, uid = %envelope.message.uid(), "the quota is used up, for {}s", after.as_secs());
            later("The quota of this sender for this recipient is used up", after)
        })?;
        Ok((home, Some(grant)))
    }

    /// Whether an address is of one of our users, as its domain tells, or for an alias that is no mailbox, a store.
    pub async fn is_ours(&self, address: &CalendarAddress) -> Result<bool, Error> {
        if self.may_be_ours(address) == Some(true) {
            return Ok(true);
        }
        let has_no_mailbox = address.local_part().is_none();
        Ok(has_no_mailbox && self.environment.stores().find(address).await?.is_some())
    }

    /// Whether an address is in our domains; `None` for what only a store can tell, as it is no mailbox.
    fn may_be_ours(&self, address: &CalendarAddress) -> Option<bool> {
        let stores = self.environment.stores();
        let domain = address.domain();
        let ours = domain.is_ok_and(|domain| stores.is_our_domain(domain));
        (ours || address.local_part().is_some()).then_some(ours)
    }
}

/// Who sent a message, and how that is proved.
fn proved(envelope: &Envelope<'_>) -> String {
    let how = envelope.proofs.first().map(|proof| match proof {
        Proof::Dkim(domain) => format!("signed by {domain}"),
        Proof::Mtls(domain) => format!("certificate of {domain}"),
        Proof::Submission(_) => "handed in here".to_owned(),
        Proof::Mail(_, MailProof::Token) => "mail to an address made for it".to_owned(),
        Proof::Mail(_, MailProof::Dmarc) => "mail, dmarc=pass".to_owned(),
        Proof::Mail(_, MailProof::Dkim) => "mail, dkim=pass".to_owned(),
        Proof::Url(_) => "by a free-busy URL".to_owned(),
        _ => "proved".to_owned(),
    });
    let how = how.unwrap_or_else(|| format!("{}, unproved", envelope.peer));
    format!("{}, {how}", envelope.originator.human())
}

fn later(what: &str, after: Duration) -> RequestStatus {
    let text = format!("{what}; try again in {} seconds", after.as_secs() + 1);
    RequestStatus::SERVICE_UNAVAILABLE.with_text(&text)
}

/// The one place where a store's error becomes a delivery status. The error's own words stay in our log.
fn status_of(error: &Error) -> RequestStatus {
    match error.kind() {
        ErrorKind::Denied => RequestStatus::NO_AUTHORITY,
        ErrorKind::NotFound => RequestStatus::INVALID_CALENDAR_USER,
        ErrorKind::Unsupported => RequestStatus::NO_SCHEDULING_SUPPORT,
        ErrorKind::Invalid => RequestStatus::INVALID_PROPERTY_VALUE,
        // Unavailable, Conflict after all retries, Internal, and what later SDKs add: trying later may help.
        _ => RequestStatus::SERVICE_UNAVAILABLE,
    }
}

/// A time in a zone that nobody knows is read in each recipient's own zone.
fn log_unknown_zones(envelope: &Envelope<'_>) {
    for tzid in unknown_names(envelope.message.calendar()) {
        tracing::warn!(
            event = "unknown-time-zone",
            originator = %envelope.originator,
            uid = %envelope.message.uid(),
            tzid = excerpt(&tzid, LOGGED),
            "a message names a time zone that it does not describe and nobody knows; the recipient's own is taken"
        );
    }
}
