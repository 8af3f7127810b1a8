//! A message that has arrived changes an object of its recipient, or waits for the person to decide.

use super::{anomaly, news, repeated};
use crate::{
    effort::Weight,
    envelope::{Answering, Envelope, InboxItem},
    environment::{Environment, Home, HomeOf, Journal, Notice, Occasion},
    inbox::is_about_all,
    keys,
    ledger::Ledger,
    outcome::Outcome,
    person::Person,
    room::{RoomSettings, Visit},
    scheduler::Scheduler,
    send::Enqueued,
    state::{self, Versioned},
    stored::{NotUpdated, Update, Updated},
};
use convoke_calendar::{
    itip::{self, Anomaly, Change, Outgoing, Received, Receiving},
    message::{Message, Method},
    tree::Calendar,
};
use convoke_types::{Batch, CalendarAddress, Error, ErrorKind, RequestStatus, Uninvited};
use jiff::Timestamp;

/// How often it is tried to commit what a message leads to, where others write about the same object meanwhile.
const TRIES: usize = 8;

impl<E: Environment> Scheduler<E> {
    /// Applies a message that has arrived: the recipient's object first, then what is known of it together with what the
    /// recipient sends in turn. A host that ends in between is sent the message again, which does the same again.
    pub(crate) async fn receive(
        &self,
        home: &HomeOf<E>,
        envelope: &Envelope<'_>,
        recipient: &CalendarAddress,
        uninvited: Option<Uninvited>,
    ) -> Result<Outcome, Error> {
        for _ in 1..TRIES {
            match self
                .receive_once(home, envelope, recipient, uninvited)
                .await
            {
                // A first look at the calendar has just found what was written: the same again changes nothing in it.
                Err(error) if error.kind() == ErrorKind::Conflict => {}
                done => return done,
            }
        }
        self.receive_once(home, envelope, recipient, uninvited)
            .await
    }

    async fn receive_once(
        &self,
        home: &HomeOf<E>,
        envelope: &Envelope<'_>,
        recipient: &CalendarAddress,
        uninvited: Option<Uninvited>,
    ) -> Result<Outcome, Error> {
        let (message, originator) = (envelope.message, envelope.originator);
        let item = item(envelope, recipient);
        if let Some(status) = home.deliver(&item).await? {
            if status.is_success() {
                self.note_taken(envelope, recipient).await;
            }
            return Ok(status.into());
        }
        let room = RoomSettings::of(home.user());
        let room = room.map_err(|error| Error::unavailable(error.to_string()))?;
        let person = Person::of(home.user()).addressed_as(recipient);
        let owner = person.owner();
        let uid = message.uid();
        let _one_at_a_time = self.shared.locks.of(home.user(), uid).await;
        let mut ledger = self.ledger(home.user(), uid).await?;
        let known = ledger.value.as_ref();
        let at = Receiving {
            owner: &owner,
            originator,
            from: envelope.from,
            now: known.map_or(envelope.now, |it| it.time_of_next(envelope.now)),
            accept_uninvited: uninvited == Some(Uninvited::Accept),
        };
        let receive = |existing: Option<&Calendar>| itip::receive(message, existing, &at);
        if room.is_none() {
            ledger = self.announced(home, message, ledger, receive).await?;
        }
        let update = Update {
            processor: self.environment.processor(),
            home,
            journal: self.environment.journal(),
            uid,
            owner: &owner,
            ledger: ledger.value.as_ref(),
            limits: &self.limits,
            now: envelope.now,
            weight: Weight::of(message, envelope.data),
            budget: Some((envelope.peer, &envelope.effort)),
        };
        let updated = match &room {
            Some(settings) if RoomSettings::answers(message) => {
                let visit = Visit {
                    home,
                    envelope,
                    item: &item,
                    owner: &owner,
                    settings,
                    ledger: ledger.value.as_ref(),
                };
                self.booked(&visit, receive).await
            }
            room => {
                let receive = |existing: Option<&Calendar>| {
                    let (change, answer) = with_news(message, existing, receive(existing));
                    let change = match (room, change) {
                        (Some(room), Change::Store(copy)) => Change::Store(room.keep(copy, &owner)),
                        (_, change) => change,
                    };
                    (change, answer)
                };
                update.apply(receive).await
            }
        };
        let Updated {
            answer: (received, news),
            for_others,
            ledger: mut known,
            is_found,
        } = match updated {
            Ok(received) => received,
            Err(NotUpdated::Failed(error)) => return Err(error),
            Err(NotUpdated::TooMuch) => return Ok(too_much_work(envelope, recipient)),
        };
        if let Some(anomaly) = &received.anomaly {
            anomaly::log(anomaly, message, recipient);
        }
        self.cancel_waiting(home, &item, &received, room.as_ref())
            .await?;
        if received.keep
            && let Some(full) = self.keep(home, &item).await?
        {
            return Ok(full.into());
        }
        note_answer(&mut known, message, originator);
        if ledger.value.is_none() && !received.status.is_failure() {
            let first = self.first_known(home, message, &at, is_found).await?;
            known = first.or(known);
        }
        // What the owner has done and others are not told yet is told by a look at the calendar.
        let (outgoing, news) = match for_others {
            Some((for_others, news)) => (for_others.outgoing, news),
            None => (received.outgoing, news),
        };
        let batch = repeated::as_taken(envelope, recipient, &received.status);
        let noted = (home, known, ledger);
        self.note_news(&item, news.as_ref(), envelope, noted, batch, outgoing)
            .await?;
        Ok(received.status.into())
    }

    /// What a room answers, which is stored and known by then.
    async fn booked(
        &self,
        visit: &Visit<'_, HomeOf<E>>,
        receive: impl Fn(Option<&Calendar>) -> Received + Send + Sync,
    ) -> Result<Updated<(Received, Option<Message>)>, NotUpdated> {
        let answer = self.book(visit, receive).await?;
        let uid = visit.envelope.message.uid();
        Ok(Updated {
            answer: (answer, None),
            for_others: None,
            ledger: self
                .as_stored(visit.home, uid, visit.ledger.cloned())
                .await?,
            is_found: false,
        })
    }

    /// Commits what is known of an object of somebody's from now on, together with what the batch holds already, and has them told
    /// what is news to them.
    async fn note_news(
        &self,
        item: &InboxItem<'_>,
        news: Option<&Message>,
        envelope: &Envelope<'_>,
        noted: (&HomeOf<E>, Option<Ledger>, Versioned<Ledger>),
        batch: Batch,
        outgoing: Vec<Outgoing>,
    ) -> Result<(), Error> {
        let Some(answer) = news else {
            return self.note_received(envelope, noted, batch, outgoing).await;
        };
        let user = noted.0.user().clone();
        let notice = Notice {
            user: item.recipient,
            other: envelope.originator,
            message: answer,
            occasion: Occasion::Answered(&user),
        };
        let journal = self.environment.journal();
        let batch = journal.with_notice(&notice, batch);
        self.note_received(envelope, noted, batch, outgoing).await?;
        self.notice_is_kept(&notice);
        Ok(())
    }

    /// What a CANCEL calls off is not to be decided any more: by the person, if it is not in the calendar, or by who approves
    /// the bookings of a room.
    async fn cancel_waiting(
        &self,
        home: &HomeOf<E>,
        item: &InboxItem<'_>,
        received: &Received,
        room: Option<&RoomSettings>,
    ) -> Result<(), Error> {
        if item.message.method() != Method::Cancel {
            return Ok(());
        }
        if received.anomaly == Some(Anomaly::Unknown) {
            self.cancel_held(home, item).await?;
        }
        match room {
            Some(settings) if received.status.is_success() => {
                self.asks_no_more(home, settings, item).await
            }
            _ => Ok(()),
        }
    }

    /// What is known from now on of an object of which nothing was, where that is not what is stored.
    async fn first_known(
        &self,
        home: &HomeOf<E>,
        message: &Message,
        at: &Receiving<'_>,
        is_found: bool,
    ) -> Result<Option<Ledger>, Error> {
        let mut ledger = Ledger::default();
        if is_found {
            // A host that ended before it had noted the invitation: how it was answered meanwhile is not told yet.
            if let Change::Store(told) = itip::receive(message, None, at).change
                && self.is_looked_at(home).await?
            {
                ledger.know(&told);
                return Ok(Some(ledger));
            }
        } else if message.method() == Method::Cancel
            && let Some(off) = itip::called_off_before(message, at.owner)
        {
            // The invitation may be under way still.
            ledger.bury(Some(&off));
            return Ok(Some(ledger));
        }
        Ok(None)
    }

    /// Commits what is known of an object of somebody's from now on, together with what its owner sends in turn, and what the batch
    /// holds already.
    async fn note_received(
        &self,
        envelope: &Envelope<'_>,
        (home, mut known, before): (&HomeOf<E>, Option<Ledger>, Versioned<Ledger>),
        mut batch: Batch,
        outgoing: Vec<Outgoing>,
    ) -> Result<(), Error> {
        let may_answer = envelope.answering == Answering::Allowed;
        let owed = outgoing.into_iter().filter(|_| may_answer);
        let owed: Vec<_> = owed
            .filter_map(|owed| self.admit_owed(owed, envelope.now))
            .collect();
        let key = keys::ledger(home.user(), envelope.message.uid());
        if !owed.is_empty() {
            known = known.or_else(|| before.value.clone());
            if let Some(known) = &mut known {
                known.stamp(owed.iter().map(|(owed, _)| owed));
            }
        }
        if let Some(known) = &known {
            batch = state::unchanged(batch, &key, before.version);
            batch = known.put(batch, key.clone());
        }
        let ledger = known.as_ref().or(before.value.as_ref());
        self.commit_owed(batch, &owed, ledger).await?;
        if let Some(etag) = known.and_then(|known| known.etag) {
            self.shared.locks.agreed(key, etag);
        }
        Ok(())
    }

    /// Commits a batch with what is owed; once more where another host was handed something about the same object meanwhile.
    async fn commit_owed(
        &self,
        batch: Batch,
        owed: &[(Outgoing, Timestamp)],
        ledger: Option<&Ledger>,
    ) -> Result<(), Error> {
        let mut tries = 0;
        loop {
            let mut enqueued = Enqueued::default();
            for (owed, goes_at) in owed {
                self.enqueue_from(*goes_at, owed, ledger, &mut enqueued)
                    .await?;
            }
            tries += 1;
            match self.commit(batch.clone(), &mut enqueued).await {
                Err(error) if error.kind() == ErrorKind::Conflict && tries < TRIES => {}
                done => return done,
            }
        }
    }

    /// Puts a message into the inbox of a recipient who has to accept its sender first. The sender is told that it has
    /// arrived (2.0), which it has.
    pub(super) async fn hold(
        &self,
        home: &HomeOf<E>,
        envelope: &Envelope<'_>,
        recipient: &CalendarAddress,
    ) -> Result<Outcome, Error> {
        let item = item(envelope, recipient);
        let is_cancel = envelope.message.method() == Method::Cancel;
        if is_cancel && self.cancel_held(home, &item).await? {
            // A host that ended while it was let in has stored it already. What else was under way with what is called off may
            // come still, and must not wait then as if it were new.
            let is_stored = home.get(envelope.message.uid()).await?.is_some();
            if is_stored || is_about_all(envelope.message) {
                return self.receive(home, envelope, recipient, None).await;
            }
            self.note_taken(envelope, recipient).await;
            return Ok(RequestStatus::SUCCESS.into());
        }
        if let Some(full) = self.keep(home, &item).await? {
            return Ok(full.into());
        }
        self.note_taken(envelope, recipient).await;
        Ok(RequestStatus::SUCCESS.into())
    }
}

/// The message as a store is handed it.
fn item<'a>(envelope: &'a Envelope<'_>, recipient: &'a CalendarAddress) -> InboxItem<'a> {
    InboxItem {
        message: envelope.message,
        data: envelope.data,
        originator: envelope.originator,
        recipient,
    }
}

/// What a message makes of an object, and what of it is news to its owner.
fn with_news(
    message: &Message,
    existing: Option<&Calendar>,
    mut received: Received,
) -> (Change, (Received, Option<Message>)) {
    let change = std::mem::replace(&mut received.change, Change::None);
    let news = match &change {
        Change::Store(after) => news::of_answer(message, existing, after),
        Change::None | Change::Remove => None,
    };
    (change, (received, news))
}

/// Whoever answers by a message has answered what is known from now on. Somebody may have sent it for them (SENT-BY).
fn note_answer(known: &mut Option<Ledger>, message: &Message, originator: &CalendarAddress) {
    let Some(known) = known.as_mut().filter(|_| message.method() == Method::Reply) else {
        return;
    };
    let mut attendees = message.attendees().iter();
    let own = attendees.clone().find(|it| it.same_user(originator));
    if let Some(answering) = own.or_else(|| attendees.next()) {
        known.is_answered(answering);
    }
}

fn too_much_work(envelope: &Envelope<'_>, recipient: &CalendarAddress) -> Outcome {
    tracing::info!(
        event = "too-much-work", originator = %envelope.originator, %recipient, uid = %envelope.message.uid(),
        "the message asks for more work than one may"
    );
    later("The message takes too much work for so many recipients; send it to fewer at once")
}

fn later(text: &str) -> Outcome {
    RequestStatus::SERVICE_UNAVAILABLE.with_text(text).into()
}
