//! What scheduling asks of the world around it. The host fills these in with plugins, the network and the system's
//! clock; tests and the simulator with values in memory.

use crate::{
    decision::Decided,
    envelope::{Envelope, InboxItem, Letter, Peer},
    limits::Room,
    outcome::Outcome,
};
use convoke_calendar::{message::Message, tree::Calendar};
use convoke_types::{
    Batch, Busy, CalendarAddress, CalendarUser, Changes, Committed, Cursor, Detail, Domain, Error,
    Etag, InboxEntry, InboxMessage, KeyRange, Listing, MessageId, NewObject, Page, Precondition,
    RequestStatus, StateEntry, StoredObject, TimeRange, Uid, Uninvited,
};
use jiff::Timestamp;
use std::{future::Future, time::Duration};

/// The world around scheduling.
pub trait Environment: Send + Sync {
    /// Where calendars live.
    type Stores: Stores;
    /// Who may do what.
    type Policies: Policies;
    /// How other servers are reached.
    type Transport: Transport;
    /// What time it is.
    type Clock: Clock;
    /// Where work is done.
    type Processor: Processor;
    /// Who is told what was decided.
    type Journal: Journal;
    /// What is not forgotten.
    type State: State;

    /// Where calendars live.
    fn stores(&self) -> &Self::Stores;
    /// Who may do what.
    fn policies(&self) -> &Self::Policies;
    /// How other servers are reached.
    fn transport(&self) -> &Self::Transport;
    /// What time it is.
    fn clock(&self) -> &Self::Clock;
    /// Where work is done.
    fn processor(&self) -> &Self::Processor;
    /// Who is told what was decided.
    fn journal(&self) -> &Self::Journal;
    /// What is not forgotten.
    fn state(&self) -> &Self::State;
}

/// The home that an environment's stores give.
pub(crate) type HomeOf<E> = <<E as Environment>::Stores as Stores>::Home;

/// The clock.
pub trait Clock: Send + Sync {
    /// What time it is.
    fn now(&self) -> Timestamp;
}

/// Where work is done that takes the processor's time.
pub trait Processor: Send + Sync {
    /// Does `work` on something of so many bytes: at once if that is little ([`SMALL`](crate::SMALL)), else when it is its
    /// turn.
    fn run<T: Send>(
        &self,
        bytes: usize,
        work: impl FnOnce() -> T + Send,
    ) -> impl Future<Output = T> + Send;

    /// As [`run`](Self::run), when it is the turn of the peer whose message it is for.
    fn run_for<T: Send>(
        &self,
        peer: &Peer,
        bytes: usize,
        work: impl FnOnce() -> T + Send,
    ) -> impl Future<Output = Result<T, Overloaded>> + Send;
}

/// There is too much to do; the same may be asked again later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is too much to do now; try again later")]
pub struct Overloaded;

impl From<Overloaded> for Error {
    fn from(overloaded: Overloaded) -> Self {
        Self::unavailable(overloaded.to_string())
    }
}

/// Who is told what was decided: metrics, and the decision log.
pub trait Journal: Send + Sync {
    /// Something was decided about a message.
    fn record(&self, event: &Event<'_>);

    /// Adds to a batch what must be on disk so that a person is told although the host ends; that it is committed is told by
    /// [`Event::Notice`]. By default that is nothing.
    fn with_notice(&self, _notice: &Notice<'_>, batch: Batch) -> Batch {
        batch
    }
}

/// What was decided about a message.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// It was handed to calendar users of ours, with one outcome for each.
    Delivered(&'a Message, &'a [Outcome]),
    /// It has arrived at one of our calendar users, who has it or decides about it.
    Arrived(Arrived<'a>),
    /// A stored object of a calendar user is about to be written over, with what came in of it by itself. It may yet come to
    /// nothing, if somebody else is faster.
    Overwriting(&'a CalendarUser, &'a StoredObject),
    /// It went to other servers, with one outcome for each recipient.
    Sent(&'a Message, &'a [Outcome]),
    /// Something that somebody may ask about later.
    Decided(&'a Decided),
    /// Something that a person of ours may not see in the own calendar program.
    Notice(Notice<'a>),
}

/// A message that has arrived.
#[derive(Clone, Copy, Debug)]
pub struct Arrived<'a> {
    /// At whom.
    pub user: &'a CalendarUser,
    /// From whom.
    pub originator: &'a CalendarAddress,
    /// The message.
    pub message: &'a Message,
    /// The message as it came.
    pub data: &'a [u8],
}

/// Something that a person of ours may not see in the own calendar program.
#[derive(Clone, Copy, Debug)]
pub struct Notice<'a> {
    /// The person.
    pub user: &'a CalendarAddress,
    /// Whom it is about.
    pub other: &'a CalendarAddress,
    /// The message that it is about.
    pub message: &'a Message,
    /// What happened.
    pub occasion: Occasion<'a>,
}

/// What happened to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion<'a> {
    /// The person's message could not be delivered to the other for good, for this reason.
    Undeliverable(&'a str),
    /// The other's message waits for the person to decide.
    Waits,
    /// The other has answered this user, and the calendar did not show that before.
    Answered(&'a CalendarUser),
}

/// What is not forgotten: keys and values, ordered, written together under conditions.
pub trait State: Send + Sync {
    /// What a key holds.
    fn get(&self, key: &[u8]) -> impl Future<Output = Result<Option<StateEntry>, Error>> + Send;

    /// What the keys of a range hold, in their order; no more than `limit`, at least 1.
    fn scan(
        &self,
        range: &KeyRange,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<StateEntry>, Error>> + Send;

    /// Makes all writes of the batch if all its conditions hold, else none, and fails as a conflict. Answers once they are
    /// on disk.
    fn commit(&self, batch: Batch) -> impl Future<Output = Result<Committed, Error>> + Send;
}

/// The calendar stores.
pub trait Stores: Send + Sync {
    /// A calendar user's part of a store.
    type Home: Home;

    /// Whether a domain is one of ours.
    fn is_our_domain(&self, domain: &Domain) -> bool;

    /// The calendar user that an address means; `None` if there is none here.
    fn find(
        &self,
        address: &CalendarAddress,
    ) -> impl Future<Output = Result<Option<Self::Home>, Error>> + Send;
}

/// The part of a store that belongs to one calendar user.
pub trait Home: Send + Sync {
    /// Whose it is.
    fn user(&self) -> &CalendarUser;

    /// The name of the store that it is in.
    fn store(&self) -> &str;

    /// An object, as it is stored.
    fn get(&self, uid: &Uid) -> impl Future<Output = Result<Option<StoredObject>, Error>> + Send;

    /// Writes an object if the precondition holds, else fails as a conflict. Answers once it is on disk.
    fn put(
        &self,
        object: &NewObject,
        when: &Precondition,
    ) -> impl Future<Output = Result<Etag, Error>> + Send;

    /// Removes an object if the precondition holds, else fails as a conflict.
    fn remove(
        &self,
        uid: &Uid,
        when: &Precondition,
    ) -> impl Future<Output = Result<(), Error>> + Send;

    /// What happened to the objects since `since`, or since ever. Fails as invalid if that is too long ago, as unsupported
    /// if the store cannot tell.
    fn changes(
        &self,
        since: Option<&Cursor>,
    ) -> impl Future<Output = Result<Changes, Error>> + Send;

    /// Every indexed span that overlaps the range, and every object whose index is open in it.
    fn busy(&self, range: TimeRange) -> impl Future<Output = Result<Busy, Error>> + Send;

    /// Offers a message whole to a store that does iTIP by itself: what came of it, or `None` if the store does none.
    fn deliver(
        &self,
        item: &InboxItem<'_>,
    ) -> impl Future<Output = Result<Option<RequestStatus>, Error>> + Send;

    /// The messages that wait for the person to decide on, a page at a time.
    fn inbox(&self, page: &Page)
    -> impl Future<Output = Result<Listing<InboxEntry>, Error>> + Send;

    /// Takes such a message out: of two who take it, one gets it. Not found if there is none.
    fn take(&self, id: &MessageId) -> impl Future<Output = Result<InboxMessage, Error>> + Send;

    /// Puts a message back that was taken out.
    fn put_back(&self, message: &InboxMessage) -> impl Future<Output = Result<(), Error>> + Send;

    /// Keeps a message for the person to decide on, in the place of an earlier one of the same originator, UID, instances
    /// (a text that is the same for the same ones) and method. A conflict if there is no room.
    fn keep(
        &self,
        item: &InboxItem<'_>,
        instances: &str,
        room: Room,
    ) -> impl Future<Output = Result<(), Error>> + Send;
}

/// The policies.
pub trait Policies: Send + Sync {
    /// What they say about one recipient of a message, who may not exist. Also counts what they allow only so often.
    fn decide(
        &self,
        envelope: &Envelope<'_>,
        recipient: &CalendarAddress,
        sender: Acquaintance,
    ) -> impl Future<Output = Verdict> + Send;

    /// Counts what this allowance grants one sender for one calendar user, whatever addresses that one has. An error: it is
    /// used up for so long.
    fn charge(
        &self,
        grant: &Grant,
        originator: &CalendarAddress,
        user: &CalendarUser,
    ) -> Result<(), Duration>;
}

/// Whether the recipient knows the sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acquaintance {
    /// The recipient has invited, answered or accepted them.
    Known,
    /// It has not.
    Stranger,
}

/// What the policies say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Yes, so far.
    Allow(Grant),
    /// Neither: the message waits for the recipient to decide, out of the calendar.
    Hold,
    /// Yes, but not before so long.
    RateLimited(Duration),
    /// No.
    Deny,
    /// They cannot be asked: neither a yes nor a no, later may help.
    Unavailable,
}

/// How far an allowance goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grant {
    /// How much of busy time is told.
    pub detail: Detail,
    /// What becomes of an answer of somebody who was not invited; refused if no policy says anything.
    pub uninvited: Option<Uninvited>,
    /// What is counted for each pair of sender and calendar user.
    pub quotas: Vec<Quota>,
}

/// How much one sender may send to one calendar user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quota {
    /// The policy that says so.
    pub policy: String,
    /// What it counts together, a number of its choice.
    pub bucket: u32,
    /// So many messages in so long.
    pub rate: convoke_types::Rate,
}

/// The way to other servers.
pub trait Transport: Send + Sync {
    /// Sends a letter to receivers: one outcome for each recipient, in their order. Never fails as a whole. Who has no
    /// receiver is told apart by [`Retry::ByMail`](crate::Retry::ByMail).
    fn send(
        &self,
        letter: &Letter<'_>,
        recipients: &[CalendarAddress],
    ) -> impl Future<Output = Vec<Outcome>> + Send;

    /// Whether there is a mail server that takes what we send.
    fn mails(&self) -> Mailing {
        Mailing::Off
    }

    /// Hands a letter to the mail server, one mail for each recipient: an outcome each, in their order. `handed_in` says when
    /// the letter was, so that a mail that is sent again is the same.
    fn send_mail(
        &self,
        _letter: &Letter<'_>,
        recipients: &[MailRecipient],
        _handed_in: Timestamp,
    ) -> impl Future<Output = Vec<Outcome>> + Send {
        let none = Outcome::from(RequestStatus::NO_SCHEDULING_SUPPORT);
        std::future::ready(vec![none; recipients.len()])
    }
}

/// Who gets a mail.
#[derive(Clone, Debug)]
pub struct MailRecipient {
    /// The address.
    pub address: CalendarAddress,
    /// What they were told last of the object, whichever way it went: what people read of it, and nothing else. `None` if that
    /// is not known, or if they were told nothing yet.
    pub last_told: Option<Calendar>,
}

/// Whether messages go by mail, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mailing {
    /// Nobody is reached by mail.
    Off,
    /// Who has no receiver is reached by mail.
    On,
}

/// Where outcomes wait until all of them are there.
pub trait Answers: Send + Sync {
    /// The outcome as it can be answered: one that takes more room than there is loses its data.
    fn admit(&self, outcome: Outcome) -> impl Future<Output = Outcome> + Send;
}

/// Room for answers of any size, where nobody waits for them.
#[derive(Clone, Copy, Debug)]
pub struct Unbounded;

impl Answers for Unbounded {
    async fn admit(&self, outcome: Outcome) -> Outcome {
        outcome
    }
}
