//! Messages of our own people on their way.
//!
//! The originator's own copy follows before anything leaves, so that an answer that comes back at once finds it; then the
//! message waits in the outbox, and whoever hands it in waits for its first try, so that the answer has the delivery status
//! of each recipient.
//!
//! | module | what it does |
//! | --- | --- |
//! | `enqueue` | from a message to entries of the outbox, in the commit that also moves the ledger |
//! | `attempt` | a try: delivery |
//! | `remember` | what came of it is remembered |
//! | `orphans` | messages that nobody needs any more |
//! | `note_again` | what could not be noted of it |
//! | `elsewhere` | to the receivers of others, and by mail to who has none |
//! | `waiting` | what an administrator may do with what waits |
//! | `delegate` | to whom a REPLY delegates |

mod attempt;
mod delegate;
mod elsewhere;
mod enqueue;
mod note_again;
mod orphans;
mod remember;
mod waiting;

pub(crate) use attempt::Outcomes;
use elsewhere::Addressee;
pub(crate) use enqueue::{Enqueued, Goes, acquaint};

use crate::{
    effort::Weight,
    envelope::{Letter, TransportFacts},
    environment::{Answers, Clock, Environment, Home, HomeOf, Stores, Unbounded},
    keys,
    outcome::{Outcome, Retry},
    person::Person,
    scheduler::Scheduler,
    state,
    stored::{ATTEMPTS, NotUpdated, Update},
};
use convoke_calendar::{
    itip::{self, Outgoing},
    message::{Kind, Message, Method},
};
use convoke_types::{Batch, CalendarAddress, Error, ErrorKind, RequestStatus};

/// A message that one of our own people hands in.
#[derive(Clone, Copy, Debug)]
pub struct Submission<'a> {
    /// The message, valid by itself.
    pub message: &'a Message,
    /// The message as it was handed in.
    pub data: &'a [u8],
    /// Who sends it.
    pub originator: &'a CalendarAddress,
    /// Whom it is to reach.
    pub recipients: &'a [CalendarAddress],
    /// How it came in.
    pub transport: TransportFacts<'a>,
}

impl<E: Environment> Scheduler<E> {
    /// Sends a message of one of our users to everybody it is for: one outcome for each, in their order. What cannot be
    /// delivered now is pending (1.0, RFC 6638 §3.2.9), and tried again.
    pub async fn dispatch(
        &self,
        submission: &Submission<'_>,
        answers: &impl Answers,
    ) -> Vec<Outcome> {
        let Submission {
            message,
            originator,
            recipients,
            data,
            transport,
        } = *submission;
        let all = |status: RequestStatus| vec![Outcome::from(status); recipients.len()];
        if message.kind() == Kind::FreeBusy {
            return self.ask_busy(submission, answers).await;
        }
        let delegates = match itip::delegates(message, originator) {
            Ok(delegates) => delegates,
            Err(status) => return all(status),
        };
        let outgoing = Outgoing {
            message: message.clone(),
            originator: originator.clone(),
            recipients: recipients.to_vec(),
        };
        let hands_on = !delegates.is_empty() && message.method() == Method::Request;
        let sent = self.send(&outgoing, data, hands_on, transport, answers);
        let sent = match sent.await {
            Ok(sent) => sent,
            Err(error) => {
                tracing::warn!(event = "own-copy-not-updated", %originator, uid = %message.uid(), "not sent: the originator's copy could not be updated: {error}");
                let text = "The originator's own calendar cannot be written";
                return all(RequestStatus::SERVICE_UNAVAILABLE.with_text(text));
            }
        };
        if hands_on {
            return self.hand_on_to(submission, &delegates).await;
        }
        let mut outcomes = sent;
        if !delegates.is_empty() {
            self.invite_delegates(submission, &delegates, &mut outcomes)
                .await;
        }
        outcomes
    }

    /// Sends a message that was made of the originator's own object, as if the originator had handed it in.
    pub async fn send_message(&self, outgoing: &Outgoing) -> Vec<Outcome> {
        let data = outgoing.message.calendar().write();
        let submission = Submission {
            message: &outgoing.message,
            data: &data,
            originator: &outgoing.originator,
            recipients: &outgoing.recipients,
            transport: TransportFacts::default(),
        };
        self.dispatch(&submission, &Unbounded).await
    }

    /// A question about busy time: it is answered now or not at all.
    async fn ask_busy(&self, question: &Submission<'_>, answers: &impl Answers) -> Vec<Outcome> {
        let message = &itip::for_sending(question.message, None);
        let data = message.calendar().write();
        let letter = Letter {
            message,
            data: &data,
            originator: question.originator,
            transport: question.transport,
            id: None,
        };
        let now = self.environment.clock().now();
        let recipients = question.recipients.iter().cloned();
        let recipients: Vec<_> = recipients.map(Addressee::by_whatever).collect();
        self.deliver_letter(&letter, &recipients, now, answers)
            .await
    }

    /// Brings the originator's copy in step with a message, lets the message wait unless others hand it on, and waits for its
    /// first try.
    async fn send(
        &self,
        outgoing: &Outgoing,
        data: &[u8],
        hands_on: bool,
        transport: TransportFacts<'_>,
        answers: &impl Answers,
    ) -> Result<Vec<Outcome>, Error> {
        let stores = self.environment.stores();
        let home = stores.find(&outgoing.originator).await?;
        let enqueued = if let Some(home) = &home {
            self.keep_and_enqueue(home, outgoing, data, hands_on)
                .await?
        } else {
            self.enqueue_alone(outgoing, Goes::WaitedFor).await?
        };
        let tried = self.first_try(&enqueued, transport, answers).await;
        Ok(outcomes(outgoing, &enqueued, &tried))
    }

    /// Brings the originator's copy in step and lets the message wait; once more if somebody else wrote the ledger meanwhile,
    /// as who looks at a calendar for the first time does.
    async fn keep_and_enqueue(
        &self,
        home: &HomeOf<E>,
        outgoing: &Outgoing,
        data: &[u8],
        hands_on: bool,
    ) -> Result<Enqueued, Error> {
        let uid = outgoing.message.uid();
        let _one_at_a_time = self.shared.locks.of(home.user(), uid).await;
        for _ in 0..ATTEMPTS {
            let mut enqueued = Enqueued::that_goes(Goes::WaitedFor);
            let mut batch = self.update_own_copy(home, outgoing, data).await?;
            if !hands_on {
                let ledger = self.ledger(home.user(), uid).await?;
                self.enqueue(outgoing, ledger.value.as_ref(), &mut enqueued)
                    .await?;
                batch = acquaint(batch, home.user(), &enqueued);
            }
            match self.commit(batch, &mut enqueued).await {
                Err(error) if error.kind() == ErrorKind::Conflict => {}
                done => return done.map(|()| enqueued),
            }
        }
        Err(enqueue::contended(uid))
    }

    /// Keeps the originator's own copy in step with a message that is about to leave: what the ledger says then.
    async fn update_own_copy(
        &self,
        home: &HomeOf<E>,
        outgoing: &Outgoing,
        data: &[u8],
    ) -> Result<Batch, Error> {
        let message = &outgoing.message;
        let person = Person::of(home.user());
        let owner = person.owner();
        let now = self.environment.clock().now();
        let ledger = self.ledger(home.user(), message.uid()).await?;
        let update = Update {
            processor: self.environment.processor(),
            home,
            journal: self.environment.journal(),
            uid: message.uid(),
            owner: &owner,
            ledger: ledger.value.as_ref(),
            limits: &self.limits,
            now,
            weight: Weight::of(message, data),
            budget: None,
        };
        let updated =
            update.apply(|existing| (itip::update_own_copy(message, existing, &owner, now), ()));
        let updated = updated.await.map_err(|error| match error {
            NotUpdated::Failed(error) => error,
            NotUpdated::TooMuch => Error::unavailable("the message takes too much work"),
        })?;
        let known = match (updated.ledger, &ledger.value) {
            (Some(known), _) => Some(known),
            // A program has stored it before it handed the message in.
            (None, None) => self.found(home, message.uid()).await?,
            (None, Some(_)) => None,
        };
        let key = keys::ledger(home.user(), message.uid());
        Ok(match known.or(ledger.value) {
            Some(mut known) => {
                known.stamp([outgoing]);
                known.put(state::unchanged(Batch::new(), &key, ledger.version), key)
            }
            None => Batch::new(),
        })
    }
}

/// What became of a message for each recipient, in their order; what is not delivered yet is pending.
pub(crate) fn outcomes(outgoing: &Outgoing, enqueued: &Enqueued, tried: &Outcomes) -> Vec<Outcome> {
    let outcome = |recipient: &CalendarAddress| {
        if enqueued.spared.iter().any(|it| it.same_user(recipient)) {
            let text = "Nothing was sent that would have to be called off";
            return RequestStatus::SUCCESS.with_text(text).into();
        }
        let entry = enqueued.entry_for(outgoing.message.method(), recipient);
        match entry.and_then(|entry| tried.get(&entry.id)) {
            Some(outcome) if outcome.retry == Retry::No => outcome.clone(),
            Some(outcome) => pending(Some(outcome)),
            None => pending(None),
        }
    };
    outgoing.recipients.iter().map(outcome).collect()
}

fn pending(tried: Option<&Outcome>) -> Outcome {
    let why = tried.map(|outcome| {
        let why = outcome.description.as_deref();
        format!(
            "{}; it is tried again",
            why.unwrap_or(outcome.status.text())
        )
    });
    let why =
        why.unwrap_or_else(|| "It waits for an earlier message, or for its receiver".to_owned());
    Outcome {
        description: Some(why),
        retry: Retry::No,
        ..RequestStatus::PENDING.into()
    }
}
