//! A person decides about a message that waits in its inbox: a proposal (COUNTER), a message of somebody it does not know yet,
//! a booking of a room that it has to approve.
//!
//! The message is taken out when it is decided: a host that ends in between has it still, and to decide the same again
//! changes nothing. One decision is made at a time, so that of two who decide one does.

use crate::{
    change::{Answered, Unsent},
    effort::Effort,
    envelope::{Answering, Envelope, Peer, TransportFacts},
    environment::{Answers, Clock, Environment, Home, HomeOf},
    person::Person,
    room,
    scheduler::Scheduler,
    send::{self, Goes},
    stored::read,
};
use convoke_calendar::{
    itip::{self, Outgoing, ReplyError, Summary},
    message::{Message, Method, Provenance},
    time::When,
    tree::{Calendar, Component},
    zone::Zones,
};
use convoke_types::{
    CalendarAddress, Error, ErrorKind, InboxEntry, InboxMessage, MessageId, Page, Uid,
};
use jiff::{Timestamp, tz::TimeZone};
use std::collections::BTreeSet;

/// Messages read at once.
const PAGE: u32 = 100;

/// A message that waits for a decision.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Undecided {
    /// Its name, and the message.
    pub entry: InboxEntry,
    /// What is to be decided.
    pub why: Why,
    /// What a list says of it; `None` if it cannot be read.
    pub summary: Option<Summary>,
}

/// What is to be decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Whether a proposal is taken up, or read that one was not.
    Counter,
    /// Whether the sender is one whom the person wants to hear of.
    Held,
    /// Whether a room is booked.
    Booking,
}

/// Why nothing came of a decision. The message waits still, unless it is not there, or it [is too late](Self::is_too_late).
#[derive(Debug, thiserror::Error)]
pub enum NotDecided {
    /// The store cannot do it, or there is no such message.
    #[error(transparent)]
    Store(#[from] Error),
    /// The message cannot be read any more.
    #[error("the message cannot be read: {0}")]
    Unreadable(String),
    /// The proposal cannot be taken up, or declined.
    #[error(transparent)]
    Proposal(#[from] ReplyError),
    /// What it leads to cannot be told.
    #[error(transparent)]
    Unsent(#[from] Unsent),
    /// The booking cannot be decided.
    #[error(transparent)]
    Booking(#[from] room::Undecided),
    /// It could not be delivered.
    #[error("it is not delivered: {0}")]
    NotDelivered(convoke_types::RequestStatus),
}

impl NotDecided {
    /// Whether there is nothing left to decide, now or later: the message does not wait any more.
    pub const fn is_too_late(&self) -> bool {
        matches!(self, Self::Booking(room::Undecided::NothingWaits { .. }))
    }
}

impl<E: Environment> Scheduler<E> {
    /// What waits for a person to decide on.
    pub async fn inbox(&self, home: &HomeOf<E>) -> Result<Vec<Undecided>, Error> {
        let mut waiting = Vec::new();
        let mut page = Page::first(PAGE);
        loop {
            let listing = home.inbox(&page).await?;
            for entry in listing.items {
                waiting.push(self.undecided(home, entry).await?);
            }
            match listing.next {
                Some(next) => page.after = Some(next),
                None => return Ok(waiting),
            }
        }
    }

    async fn undecided(&self, home: &HomeOf<E>, entry: InboxEntry) -> Result<Undecided, Error> {
        let person = Person::of(home.user());
        let calendar = Calendar::parse(&entry.message.data, &self.limits.of_messages()).ok();
        Ok(Undecided {
            why: self.why(home, &entry.message).await?,
            summary: calendar.and_then(|it| itip::summary(&it, &person.owner())),
            entry,
        })
    }

    /// What is to be decided about a message: it is for the person, or for a room that it approves bookings of.
    async fn why(&self, home: &HomeOf<E>, message: &InboxMessage) -> Result<Why, Error> {
        if let Some(Method::Counter | Method::DeclineCounter) = Method::parse(&message.method) {
            return Ok(Why::Counter);
        }
        if !home.user().answers_to(&message.recipient) {
            return Ok(Why::Booking);
        }
        // Who approves may have no inbox here. Then a room keeps in its own what it has taken in, beside messages of strangers.
        let room = room::RoomSettings::of(home.user()).ok().flatten();
        let is_asked =
            room.is_some_and(|it| it.approve.is_some()) && self.is_taken_in(home, message).await?;
        Ok(if is_asked { Why::Booking } else { Why::Held })
    }

    /// Whether a calendar has what a message tells, or something later of it.
    async fn is_taken_in(&self, home: &HomeOf<E>, message: &InboxMessage) -> Result<bool, Error> {
        let Some(stored) = home.get(&message.uid).await? else {
            return Ok(false);
        };
        let stored = read(&stored, &self.limits)?;
        let told = Calendar::parse(&message.data, &self.limits.of_messages());
        Ok(told.is_ok_and(|told| is_not_newer(&told, &stored)))
    }

    /// Takes a proposal up, lets a message in and its sender be known, or books a room: who was told by it, and what came of
    /// that.
    pub async fn accept(
        &self,
        home: &HomeOf<E>,
        id: &MessageId,
        comment: Option<&str>,
        answers: &impl Answers,
    ) -> Result<Vec<Answered>, NotDecided> {
        let decide = Box::pin(async {
            let message = waiting(home, id).await?;
            let accepted = match self.why(home, &message).await? {
                Why::Counter => self.take_up(home, &message, answers).await,
                Why::Held => self.let_in(home, &message, comment).await,
                Why::Booking => {
                    self.book_it(&message, room::Decision::Approve, comment)
                        .await
                }
            };
            self.take_out(home, id, message, accepted, "inbox-accepted")
                .await
        });
        self.alone(home, id, decide).await
    }

    /// Declines a proposal, drops a message, or refuses a booking: who was told by it, and what came of that.
    pub async fn decline(
        &self,
        home: &HomeOf<E>,
        id: &MessageId,
        comment: Option<&str>,
        answers: &impl Answers,
    ) -> Result<Vec<Answered>, NotDecided> {
        let decide = Box::pin(async {
            let message = waiting(home, id).await?;
            let declined = match self.why(home, &message).await? {
                Why::Counter => self.turn_down(&message, comment, answers).await,
                // Who is not known is told nothing.
                Why::Held => Ok(Vec::new()),
                Why::Booking => {
                    self.book_it(&message, room::Decision::Refuse, comment)
                        .await
                }
            };
            self.take_out(home, id, message, declined, "inbox-declined")
                .await
        });
        self.alone(home, id, decide).await
    }

    /// Decides about a message while nobody else does, here or on another host.
    async fn alone(
        &self,
        home: &HomeOf<E>,
        id: &MessageId,
        decide: impl Future<Output = Result<Vec<Answered>, NotDecided>>,
    ) -> Result<Vec<Answered>, NotDecided> {
        let _one_at_a_time = self.shared.locks.of_inbox(home.user()).await;
        let deciding = self.begin_deciding(home.user(), id).await?;
        let decided = decide.await;
        self.end_deciding(deciding).await;
        decided
    }

    /// The person has put into the calendar, by a program of their own, what messages that wait are about: so they are decided.
    /// Who invites to a meeting that is kept is let in, and a proposal whose times it has now is taken up.
    pub async fn decide_by_storing(
        &self,
        home: &HomeOf<E>,
        uid: &Uid,
        stored: &Calendar,
    ) -> Result<(), Error> {
        let _one_at_a_time = self.shared.locks.of_inbox(home.user()).await;
        let waiting = match self.inbox(home).await {
            Err(error) if error.kind() == ErrorKind::Unsupported => return Ok(()),
            waiting => waiting?,
        };
        for it in waiting.iter().filter(|it| it.entry.message.uid == *uid) {
            let message = &it.entry.message;
            let is_decided = match it.why {
                Why::Counter => self.has_its_times(message, stored),
                Why::Held => is_organized_by(stored, &message.originator),
                Why::Booking => false,
            };
            if !is_decided {
                continue;
            }
            if it.why == Why::Held {
                self.introduce(home.user(), &message.originator).await?;
            }
            match home.take(&it.entry.id).await {
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                taken => drop(taken?),
            }
            let decision = self
                .decision("inbox-accepted", uid)
                .of(&home.user().address);
            let why = format!(
                "from {}, by the person's own program",
                message.originator.human()
            );
            self.note_decision(&decision.to(&message.method, &message.recipient).why(why));
        }
        Ok(())
    }

    /// Whether a meeting is when a proposal would have it.
    fn has_its_times(&self, message: &InboxMessage, stored: &Calendar) -> bool {
        let Ok(proposal) = self.read_kept(message) else {
            return false;
        };
        let (proposed, is) = (times(proposal.calendar()), times(stored));
        proposal.method() == Method::Counter && !proposed.is_empty() && proposed.is_subset(&is)
    }

    /// Takes the message out, unless nothing came of it.
    async fn take_out(
        &self,
        home: &HomeOf<E>,
        id: &MessageId,
        message: InboxMessage,
        decided: Result<Vec<Answered>, NotDecided>,
        event: &str,
    ) -> Result<Vec<Answered>, NotDecided> {
        let event = match &decided {
            Ok(_) => event,
            Err(error) if error.is_too_late() => "inbox-too-late",
            Err(error) => {
                tracing::info!(
                    event = "inbox-not-decided", user = %home.user().address, uid = %message.uid,
                    "the message waits still: {error}"
                );
                return decided;
            }
        };
        let decision = self.decision(event, &message.uid).of(&home.user().address);
        let why = format!("from {}", message.originator.human());
        self.note_decision(&decision.to(&message.method, &message.recipient).why(why));
        match home.take(id).await {
            // A newer one has come in its place meanwhile.
            Ok(taken) if taken.data != message.data => home.put_back(&taken).await?,
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        decided
    }

    async fn take_up(
        &self,
        home: &HomeOf<E>,
        message: &InboxMessage,
        answers: &impl Answers,
    ) -> Result<Vec<Answered>, NotDecided> {
        let counter = self.read_kept(message)?;
        if counter.method() != Method::Counter {
            // A notice that a proposal was not taken up: it is read.
            return Ok(Vec::new());
        }
        let missing = || Error::new(ErrorKind::NotFound, "the meeting that it is about is gone");
        let person = Person::of(home.user());
        let take_up = |copy: Option<&Calendar>| {
            let copy = copy.ok_or_else(missing)?;
            Ok(itip::accept_counter(copy, &counter, &person.owner())?)
        };
        let told = self.send_edit(home, &message.uid, take_up, answers).await;
        match told {
            Ok(told) => Ok(told.answers),
            Err(Unsent::Proposal(error)) => Err(error.into()),
            Err(Unsent::Store(error)) => Err(error.into()),
            Err(error) => Err(error.into()),
        }
    }

    async fn turn_down(
        &self,
        message: &InboxMessage,
        comment: Option<&str>,
        answers: &impl Answers,
    ) -> Result<Vec<Answered>, NotDecided> {
        let counter = self.read_kept(message)?;
        if counter.method() != Method::Counter {
            return Ok(Vec::new());
        }
        let now = self.environment.clock().now();
        let declined = itip::compose_decline_counter(&counter, &message.originator, comment, now)?;
        Ok(self.send_alone(&declined, answers).await?)
    }

    /// Sends a message that changes nothing of its originator's, and waits for the first try.
    async fn send_alone(
        &self,
        outgoing: &Outgoing,
        answers: &impl Answers,
    ) -> Result<Vec<Answered>, Error> {
        let enqueued = self.enqueue_alone(outgoing, Goes::WaitedFor).await?;
        let transport = TransportFacts::default();
        let tried = self.first_try(&enqueued, transport, answers).await;
        let outcomes = send::outcomes(outgoing, &enqueued, &tried);
        let recipients = outgoing.recipients.iter().map(ToString::to_string);
        Ok(recipients.zip(outcomes).collect())
    }

    async fn let_in(
        &self,
        home: &HomeOf<E>,
        kept: &InboxMessage,
        comment: Option<&str>,
    ) -> Result<Vec<Answered>, NotDecided> {
        let message = self.read_kept(kept)?;
        let domain = kept.originator.domain().ok().cloned();
        let proven = Vec::from_iter(domain);
        let envelope = Envelope {
            message: &message,
            data: &kept.data,
            originator: &kept.originator,
            from: Provenance::Peer { proven: &proven },
            proofs: &[],
            peer: &Peer::of_ours(&kept.originator),
            transport: TransportFacts::default(),
            now: self.environment.clock().now(),
            answering: Answering::Allowed,
            effort: Effort::default(),
        };
        let delivered = self.receive(home, &envelope, &kept.recipient, None).await?;
        if delivered.status.is_failure() {
            return Err(NotDecided::NotDelivered(delivered.status));
        }
        self.introduce(home.user(), &kept.originator).await?;
        // Who looks after the inbox of a room lets in and approves by one word.
        let by = [message.organizer(), Some(&kept.originator)];
        if !self.asks_in_its_own_inbox(home, by).await? {
            return Ok(Vec::new());
        }
        match self.book_it(kept, room::Decision::Approve, comment).await {
            // The room has refused it, or has accepted what nobody has to approve.
            Err(error) if error.is_too_late() => Ok(Vec::new()),
            booked => booked,
        }
    }

    async fn book_it(
        &self,
        message: &InboxMessage,
        decision: room::Decision,
        comment: Option<&str>,
    ) -> Result<Vec<Answered>, NotDecided> {
        self.decide_booking(&message.recipient, &message.uid, decision, comment)
            .await?;
        Ok(Vec::new())
    }

    fn read_kept(&self, message: &InboxMessage) -> Result<Message, NotDecided> {
        let calendar = Calendar::parse(&message.data, &self.limits.of_messages());
        let calendar = calendar.map_err(|error| NotDecided::Unreadable(error.to_string()))?;
        Message::read(calendar).map_err(|error| NotDecided::Unreadable(error.to_string()))
    }
}

fn is_organized_by(calendar: &Calendar, organizer: &CalendarAddress) -> bool {
    let mut main = calendar.main_components();
    main.any(|it| {
        it.value("ORGANIZER")
            .is_some_and(|it| organizer.is_written_as(it))
    })
}

/// When each instance is that an object speaks of.
fn times(calendar: &Calendar) -> BTreeSet<[Option<Timestamp>; 4]> {
    let zones = Zones::of(calendar, TimeZone::UTC);
    let instant = |it: &Component, name: &str| {
        let when = When::of(it.get(name)?).ok()?;
        when.instant(&zones).ok()
    };
    let each = calendar.main_components().map(|it| {
        let names = ["RECURRENCE-ID", "DTSTART", "DTEND", "DUE"];
        names.map(|name| instant(it, name))
    });
    each.collect()
}

/// A message that waits.
async fn waiting(home: &impl Home, id: &MessageId) -> Result<InboxMessage, Error> {
    let mut page = Page::first(PAGE);
    loop {
        let listing = home.inbox(&page).await?;
        if let Some(found) = listing.items.into_iter().find(|it| it.id == *id) {
            return Ok(found.message);
        }
        let Some(next) = listing.next else {
            let text = format!("no message {id} waits; `convoke inbox list` shows those that do");
            return Err(Error::new(ErrorKind::NotFound, text));
        };
        page.after = Some(next);
    }
}

/// Whether no component of a message is of a later version (RFC 5546 §2.1.5) than what is stored of it.
fn is_not_newer(told: &Calendar, stored: &Calendar) -> bool {
    let [ours, theirs] = [stored, told].map(|it| Zones::of(it, TimeZone::UTC));
    let name = |it: &Component, zones: &Zones| {
        let when = When::of(it.get("RECURRENCE-ID")?).ok()?;
        when.instant(zones).ok()
    };
    // DTSTAMP is in UTC, so that its letters are in the order of time.
    let version = |it: &Component| {
        let sequence = it.value("SEQUENCE").and_then(|it| it.trim().parse().ok());
        let stamp = it.value("DTSTAMP").map(str::to_owned);
        (sequence.unwrap_or(0_u64), stamp)
    };
    let part = |of: Option<Timestamp>| {
        let mut parts = stored.main_components();
        parts.find(|it| name(it, &ours) == of)
    };
    told.main_components().all(|told| {
        let known = part(name(told, &theirs)).or_else(|| part(None));
        known.is_some_and(|known| version(known) >= version(told))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Unbounded;
    use crate::tests::world::{Host, address, codes, meeting, message};
    use futures::{FutureExt, executor::block_on};

    const ANNA: &str = "anna@example.com";
    const BO: &str = "bo@example.org";

    fn only(host: &Host, name: &str) -> Undecided {
        let mut waiting = block_on(host.scheduler.inbox(&host.person(name))).unwrap();
        assert_eq!(waiting.len(), 1);
        waiting.remove(0)
    }

    fn decides(host: &Host, name: &str, accepts: bool) -> Result<Vec<Answered>, NotDecided> {
        let (home, id) = (host.person(name), only(host, name).entry.id);
        block_on(async {
            if accepts {
                return host.scheduler.accept(&home, &id, None, &Unbounded).await;
            }
            let declined = host.scheduler.decline(&home, &id, Some("No"), &Unbounded);
            declined.await
        })
    }

    #[test]
    fn whoever_is_accepted_is_let_in_and_known() {
        let host = Host::new();
        host.holds_strangers();
        let invitation = message("REQUEST", &meeting(""));
        host.receives(&invitation, ANNA, &[BO]);
        let waits = only(&host, "bo");
        assert_eq!(waits.why, Why::Held);
        assert_eq!(waits.summary.unwrap().title, "Review");
        decides(&host, "bo", true).unwrap();
        assert!(host.person("bo").object("meeting").is_some());
        assert!(host.person("bo").inbox().is_empty());
        let other = invitation.replace("UID:meeting", "UID:other");
        host.receives(&other, ANNA, &[BO]);
        assert!(host.person("bo").object("other").is_some(), "Anna is known");
    }

    /// What is called off before anybody decided about it does not come into the calendar later.
    #[test]
    fn what_is_called_off_is_not_to_be_decided_any_more() {
        for is_known in [false, true] {
            let host = Host::new();
            host.holds_strangers();
            host.receives(&message("REQUEST", &meeting("")), ANNA, &[BO]);
            if is_known {
                let bo = host.person("bo");
                block_on(host.scheduler.introduce(bo.user(), &address(ANNA))).unwrap();
            }
            let older = meeting("").replace("T070000Z", "T060000Z");
            host.receives(&message("CANCEL", &older), ANNA, &[BO]);
            assert_eq!(
                only(&host, "bo").why,
                Why::Held,
                "an old notice is not about it"
            );
            host.receives(&message("CANCEL", &meeting("SEQUENCE:1\n")), ANNA, &[BO]);
            assert!(host.person("bo").inbox().is_empty(), "{is_known}");
        }
    }

    /// Mails overtake each other.
    #[test]
    fn an_older_message_does_not_take_the_place_of_a_newer_one() {
        let host = Host::new();
        host.holds_strangers();
        for more in ["SEQUENCE:2\n", "SEQUENCE:1\n"] {
            host.receives(&message("REQUEST", &meeting(more)), ANNA, &[BO]);
        }
        let kept = String::from_utf8(only(&host, "bo").entry.message.data).unwrap();
        assert!(kept.contains("SEQUENCE:2"), "{kept}");
    }

    /// A host that ends while a message is let in has it still.
    #[test]
    fn nothing_is_lost_while_it_is_let_in() {
        let host = Host::new();
        host.holds_strangers();
        host.receives(&message("REQUEST", &meeting("")), ANNA, &[BO]);
        let (bo, id) = (host.person("bo"), only(&host, "bo").entry.id);
        bo.pauses();
        let accepted = host.scheduler.accept(&bo, &id, None, &Unbounded);
        assert!(accepted.now_or_never().is_none());
        assert_eq!(only(&host, "bo").why, Why::Held);
    }

    /// A host that ended after it had stored what was let in, and before it took it out of the inbox.
    #[test]
    fn what_was_let_in_by_half_is_called_off_as_a_whole() {
        let host = Host::new();
        host.holds_strangers();
        host.receives(&message("REQUEST", &meeting("")), ANNA, &[BO]);
        let stored = meeting("");
        host.person("bo").has(&format!(
            "BEGIN:VCALENDAR\nVERSION:2.0\n{stored}END:VCALENDAR\n"
        ));
        let off = meeting("SEQUENCE:1\nSTATUS:CANCELLED\n").replace("T070000Z", "T073000Z");
        let told = host.receives(&message("CANCEL", &off), ANNA, &[BO]);
        assert_eq!(codes(&told), ["2.0"]);
        let bo = host.person("bo");
        assert!(bo.inbox().is_empty());
        let stored = bo.object("meeting").unwrap();
        assert!(stored.contains("STATUS:CANCELLED"), "{stored}");
    }

    /// The organizer's program writes the meeting while a proposal is taken up, at whichever moment. Found by the simulator.
    #[test]
    fn a_proposal_that_is_taken_up_undoes_no_edit() {
        const DEE: &str = "dee@example.org";
        for moment in 0..8 {
            let host = Host::new();
            let own = meeting("").replace(ANNA, DEE).replace(BO, "bo@example.com");
            let object = format!("BEGIN:VCALENDAR\nVERSION:2.0\n{own}END:VCALENDAR\n");
            host.person("dee").has(&object);
            host.looks("dee");
            let counter = own.replace("DTSTART:20270104T100000Z", "DTSTART:20270104T150000Z");
            host.receives(&message("COUNTER", &counter), "bo@example.com", &[DEE]);
            let (dee, id) = (host.person("dee"), only(&host, "dee").entry.id);
            dee.pauses();
            let mut accepting = Box::pin(host.scheduler.accept(&dee, &id, None, &Unbounded));
            let mut accepted = None;
            for _ in 0..moment {
                accepted = accepted.or_else(|| accepting.as_mut().now_or_never());
            }
            dee.edits("meeting", |it| {
                it.replace("SUMMARY:Review", "SUMMARY:Party")
            });
            accepted.unwrap_or_else(|| block_on(accepting)).unwrap();
            let stored = dee.object("meeting").unwrap();
            assert!(stored.contains("SUMMARY:Party"), "{moment}: {stored}");
            assert!(stored.contains("DTSTART:20270104T15"), "{moment}: {stored}");
        }
    }

    /// A room keeps the message of a stranger as anybody does, and answers it when it is let in. Found by the simulator.
    #[test]
    fn a_room_answers_a_stranger_who_is_let_in() {
        for approve in [None, Some("dee@example.org")] {
            let rules = [("booking", "from=*")];
            let approve = approve.map(|it| ("approve", it));
            let rules: Vec<_> = rules.into_iter().chain(approve).collect();
            let host = Host::new().with_room("room", &rules);
            host.holds_strangers();
            let invitation = meeting("ATTENDEE:mailto:room@example.org\n");
            let invitation = message("REQUEST", &invitation);
            host.receives(&invitation, ANNA, &["room@example.org"]);
            let (room, id) = (host.person("room"), only(&host, "room").entry.id);
            block_on(host.scheduler.accept(&room, &id, None, &Unbounded)).unwrap();
            assert!(room.inbox().is_empty());
            let answer = if approve.is_some() {
                "TENTATIVE"
            } else {
                "ACCEPTED"
            };
            let [reply] = &host.owes()[..] else {
                panic!("the room answers: {:?}", host.owes());
            };
            assert!(reply.contains(&format!("PARTSTAT={answer}")), "{reply}");
        }
    }

    /// Messages overtake each other: what comes after it was called off does not wait as if it were new. Found by the simulator.
    #[test]
    fn what_was_called_off_while_it_waited_does_not_wait_again() {
        let host = Host::new();
        host.holds_strangers();
        host.receives(&message("REQUEST", &meeting("")), ANNA, &[BO]);
        let off = meeting("SEQUENCE:2\nSTATUS:CANCELLED\n").replace("T070000Z", "T074500Z");
        host.receives(&message("CANCEL", &off), ANNA, &[BO]);
        assert!(host.person("bo").inbox().is_empty());
        let late = meeting("SEQUENCE:1\n").replace("T070000Z", "T073000Z");
        host.receives(&message("REQUEST", &late), ANNA, &[BO]);
        for waiting in block_on(host.scheduler.inbox(&host.person("bo"))).unwrap() {
            let id = &waiting.entry.id;
            block_on(
                host.scheduler
                    .accept(&host.person("bo"), id, None, &Unbounded),
            )
            .unwrap();
        }
        assert_eq!(host.person("bo").object("meeting"), None);
    }

    /// A room whose own inbox asks for approval keeps the messages of strangers there, too. Found by the simulator.
    #[test]
    fn a_room_tells_who_waits_to_be_let_in_from_what_waits_for_approval() {
        const ROOM: &str = "room@example.org";
        for (accepts, is_known) in [(true, false), (false, false), (true, true), (false, true)] {
            let rules = [("booking", "from=*"), ("approve", "caretaker@example.com")];
            let host = Host::new().with_room("room", &rules);
            host.holds_strangers();
            let room = host.person("room");
            if is_known {
                block_on(host.scheduler.introduce(room.user(), &address(ANNA))).unwrap();
            }
            let invitation = meeting(&format!("ATTENDEE:mailto:{ROOM}\n"));
            host.receives(&message("REQUEST", &invitation), ANNA, &[ROOM]);
            let why = if is_known { Why::Booking } else { Why::Held };
            assert_eq!(only(&host, "room").why, why);
            decides(&host, "room", accepts).unwrap();
            // The store here keeps what the room has asked beside what was let in, and not in its place.
            let waiting = block_on(host.scheduler.inbox(&room)).unwrap();
            assert!(waiting.iter().all(|it| it.why == Why::Booking));
            assert_eq!(waiting.len(), usize::from(accepts && !is_known));
            let answer = host.owes().pop().unwrap_or_default();
            let expected = match (accepts, is_known) {
                (true, _) => "PARTSTAT=ACCEPTED",
                (false, true) => "PARTSTAT=DECLINED",
                // Who is not known is told nothing.
                (false, false) => "",
            };
            assert!(answer.contains(expected), "{accepts} {is_known}: {answer}");
            assert_eq!(answer.is_empty(), expected.is_empty(), "{answer}");
        }
    }

    #[test]
    fn whoever_is_declined_hears_nothing() {
        let host = Host::new();
        host.holds_strangers();
        host.receives(&message("REQUEST", &meeting("")), ANNA, &[BO]);
        decides(&host, "bo", false).unwrap();
        host.pays();
        assert!(host.sent().is_empty() && host.person("bo").inbox().is_empty());
        assert_eq!(host.person("bo").object("meeting"), None);
    }

    /// Dee organizes a meeting with Anna, who proposes another time.
    fn proposal() -> Host {
        let host = Host::new();
        let own = meeting("")
            .replace(ANNA, "dee@example.org")
            .replace("mailto:bo@example.org", "mailto:anna@example.com");
        host.submits(&message("REQUEST", &own), "dee@example.org", &[ANNA]);
        let counter = own
            .replace("T100000Z", "T140000Z")
            .replace("T070000Z", "T073000Z");
        let outcomes = host.receives(&message("COUNTER", &counter), ANNA, &["dee@example.org"]);
        assert_eq!(codes(&outcomes), ["2.0"]);
        assert_eq!(only(&host, "dee").why, Why::Counter);
        host
    }

    #[test]
    fn a_proposal_that_is_accepted_is_an_edit_that_everybody_hears_of() {
        let host = proposal();
        let told = decides(&host, "dee", true).unwrap();
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].0, address(ANNA).to_string());
        let last = host.bodies().pop().unwrap();
        assert!(
            last.contains("METHOD:REQUEST") && last.contains("T140000Z"),
            "{last}"
        );
        let own = host.person("dee").object("meeting").unwrap();
        assert!(own.contains("DTSTART:20270104T140000Z"), "{own}");
    }

    #[test]
    fn a_proposal_that_is_declined_is_told_to_who_made_it() {
        let host = proposal();
        decides(&host, "dee", false).unwrap();
        let last = host.bodies().pop().unwrap();
        assert!(
            last.contains("METHOD:DECLINECOUNTER") && last.contains("COMMENT:No"),
            "{last}"
        );
    }

    #[test]
    fn what_cannot_be_done_leaves_the_message_where_it_was() {
        let host = proposal();
        host.person("dee").deletes("meeting");
        assert!(decides(&host, "dee", true).is_err());
        assert_eq!(host.person("dee").inbox().len(), 1);
    }
}
