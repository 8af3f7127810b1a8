//! The world in memory.

use crate::{
    Acquaintance, Answering, Answers, Clock, Effort, Envelope, Environment, Event, Grant, Home,
    InboxItem, Intake, Journal, Letter, Limits, MailRecipient, Mailing, Occasion, Outcome,
    Overloaded, Peer, Policies, Processor, Room, Scheduler, Shared, State, Stores, Submission,
    Timing, Transport, TransportFacts, Unbounded, Verdict, index,
};
use convoke_calendar::{
    message::{Message, Provenance},
    tree::{self, Calendar},
};
use convoke_types::{
    Batch, Busy, CalendarAddress, CalendarUser, Changes, Committed, Condition, Cursor, Domain,
    Error, Etag, InboxEntry, InboxMessage, KeyRange, Listing, MailProof, MessageId, NewObject,
    ObjectIndex, ObjectSummary, Page, Precondition, Proof, RequestStatus, StateEntry, StateWrite,
    StoredObject, TimeRange, Uid, UserId, UserKind,
};
use futures::{FutureExt, executor::block_on};
use jiff::Timestamp;
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::Poll,
    time::Duration,
};

/// A Tuesday.
pub(crate) const NOW: &str = "2026-12-01T08:00:00Z";

pub(crate) fn address(text: &str) -> CalendarAddress {
    CalendarAddress::new(text).unwrap()
}

pub(crate) fn addresses(texts: &[&str]) -> Vec<CalendarAddress> {
    texts.iter().map(|text| address(text)).collect()
}

/// A message: METHOD, and the lines of its components.
pub(crate) fn message(method: &str, components: &str) -> String {
    format!("BEGIN:VCALENDAR\nVERSION:2.0\nMETHOD:{method}\n{components}END:VCALENDAR\n")
}

/// An event of Anna's on the 4th of January 2027, ten o'clock, with Bo; and more lines.
pub(crate) fn meeting(more: &str) -> String {
    format!(
        "BEGIN:VEVENT\nUID:meeting\nDTSTAMP:20261201T070000Z\nDTSTART:20270104T100000Z\nDURATION:PT1H\nSUMMARY:Review\n\
         ORGANIZER:mailto:anna@example.com\nATTENDEE:mailto:bo@example.org\n{more}END:VEVENT\n"
    )
}

pub(crate) fn calendar(text: &str) -> Calendar {
    Calendar::parse(text.as_bytes(), &tree::Limits::default()).unwrap()
}

/// Others may act.
pub(crate) async fn pause() {
    let mut is_over = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut is_over, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// An object as a store has it.
struct Stored {
    version: u64,
    data: Vec<u8>,
    index: ObjectIndex,
}

/// A calendar user and its part of the store.
#[derive(Clone)]
pub(crate) struct Person {
    user: CalendarUser,
    content: Arc<Mutex<Content>>,
}

#[derive(Default)]
struct Content {
    objects: BTreeMap<String, Stored>,
    versions: u64,
    inbox: Vec<InboxEntry>,
    /// What the store says of each message that it takes whole.
    takes: Option<RequestStatus>,
    /// Writes of others that come before ours.
    rivals: usize,
    /// When each object changed last, gone ones too.
    changed: BTreeMap<String, u64>,
    broken: bool,
    /// The object that is there and cannot be had.
    hidden: Option<String>,
    /// Whether others may act before each look and each write.
    pauses: bool,
    keeps_nothing: bool,
}

impl Person {
    fn new(main: &str) -> Self {
        let address = address(main);
        let id = UserId::new(main).unwrap();
        Self {
            user: CalendarUser::new(id, address),
            content: Arc::default(),
        }
    }

    /// What is stored, with its lines unfolded.
    pub(crate) fn object(&self, uid: &str) -> Option<String> {
        let content = self.content.lock().unwrap();
        let stored = content.objects.get(uid)?;
        let text = String::from_utf8(stored.data.clone()).unwrap();
        Some(text.replace("\r\n ", "").replace("\n ", ""))
    }

    /// Whether the index of an object says by itself that the person is busy then.
    pub(crate) fn is_indexed(&self, uid: &str, at: &str) -> bool {
        let at: Timestamp = at.parse().unwrap();
        let content = self.content.lock().unwrap();
        let mut spans = content.objects[uid].index.spans.iter();
        spans.any(|span| span.range.start() <= at && at < span.range.end())
    }

    /// The messages that wait for a decision: originator, method and instances.
    pub(crate) fn inbox(&self) -> Vec<String> {
        let content = self.content.lock().unwrap();
        let said = content.inbox.iter().map(|entry| {
            let it = &entry.message;
            format!("{} {} {}", it.originator, it.method, it.instance)
        });
        said.collect()
    }

    /// Puts an object there, as a calendar program would.
    pub(crate) fn has(&self, object: &str) {
        let user = Some(&self.user);
        let now = NOW.parse().unwrap();
        let index = index::index_stored(user, object.as_bytes(), &Limits::default(), now).unwrap();
        self.content.lock().unwrap().write(object.into(), index);
    }

    /// Removes an object, as a calendar program would.
    pub(crate) fn deletes(&self, uid: &str) {
        let mut content = self.content.lock().unwrap();
        content.objects.remove(uid).unwrap();
        content.touch(uid);
    }

    /// What a calendar program makes of an object.
    pub(crate) fn edits(&self, uid: &str, edit: impl Fn(&str) -> String) {
        self.has(&edit(&self.object(uid).unwrap()));
    }

    pub(crate) fn takes_whole(&self, status: RequestStatus) {
        self.content.lock().unwrap().takes = Some(status);
    }

    pub(crate) fn has_rivals(&self, times: usize) {
        self.content.lock().unwrap().rivals = times;
    }

    /// Others may act before each look and each write.
    pub(crate) fn pauses(&self) {
        self.content.lock().unwrap().pauses = true;
    }

    async fn pause(&self) {
        let pauses = self.content.lock().unwrap().pauses;
        if pauses {
            pause().await;
        }
    }

    pub(crate) fn keeps_no_messages(&self) {
        self.content.lock().unwrap().keeps_nothing = true;
    }

    pub(crate) fn is_broken(&self) {
        self.content.lock().unwrap().broken = true;
    }

    /// This object, or none, is there and cannot be had.
    pub(crate) fn hides(&self, uid: Option<&str>) {
        self.content.lock().unwrap().hidden = uid.map(str::to_owned);
    }

    pub(crate) fn is_mended(&self) {
        self.content.lock().unwrap().broken = false;
    }
}

impl Content {
    fn touch(&mut self, uid: &str) {
        self.versions += 1;
        self.changed.insert(uid.to_owned(), self.versions);
    }

    fn write(&mut self, data: Vec<u8>, index: ObjectIndex) -> Etag {
        self.touch(index.uid.as_str());
        let version = self.versions;
        let stored = Stored {
            version,
            data,
            index,
        };
        self.objects.insert(stored.index.uid.to_string(), stored);
        etag(version)
    }

    fn check(&mut self, uid: &Uid, when: &Precondition) -> Result<(), Error> {
        if self.rivals > 0 {
            self.rivals -= 1;
            self.versions += 1;
            if let Some(stored) = self.objects.get_mut(uid.as_str()) {
                stored.version = self.versions;
            }
            return Err(Error::conflict("somebody else was faster"));
        }
        let there = self.objects.get(uid.as_str());
        when.check(there.map(|stored| etag(stored.version)).as_ref())
    }

    fn works(&self) -> Result<(), Error> {
        if self.broken {
            return Err(Error::unavailable("the disk is full"));
        }
        Ok(())
    }
}

fn etag(version: u64) -> Etag {
    Etag::new(version.to_string()).unwrap()
}

impl Home for Person {
    fn user(&self) -> &CalendarUser {
        &self.user
    }

    fn store(&self) -> &'static str {
        "memory"
    }

    async fn get(&self, uid: &Uid) -> Result<Option<StoredObject>, Error> {
        self.pause().await;
        let content = self.content.lock().unwrap();
        content.works()?;
        if content.hidden.as_deref() == Some(uid.as_str()) {
            return Err(Error::unavailable("the file is empty"));
        }
        let stored = content.objects.get(uid.as_str());
        Ok(stored.map(|it| StoredObject::new(uid.clone(), etag(it.version), it.data.clone())))
    }

    async fn put(&self, object: &NewObject, when: &Precondition) -> Result<Etag, Error> {
        self.pause().await;
        let mut content = self.content.lock().unwrap();
        content.works()?;
        content.check(&object.index.uid, when)?;
        Ok(content.write(object.data.clone(), object.index.clone()))
    }

    async fn remove(&self, uid: &Uid, when: &Precondition) -> Result<(), Error> {
        let mut content = self.content.lock().unwrap();
        content.check(uid, when)?;
        let removed = content.objects.remove(uid.as_str());
        content.touch(uid.as_str());
        removed
            .map(drop)
            .ok_or_else(|| Error::not_found("there is no such object"))
    }

    async fn changes(&self, since: Option<&Cursor>) -> Result<Changes, Error> {
        let content = self.content.lock().unwrap();
        content.works()?;
        let since: u64 = since
            .map_or(Ok(0), |it| it.as_str().parse())
            .map_err(|_| Error::invalid("no cursor"))?;
        let (mut changed, mut removed) = (Vec::new(), Vec::new());
        for uid in content
            .changed
            .iter()
            .filter(|(_, at)| **at > since)
            .map(|(uid, _)| uid)
        {
            let id = Uid::new(uid).unwrap();
            match content.objects.get(uid) {
                Some(stored) => {
                    changed.push(ObjectSummary::new(id, "VEVENT", etag(stored.version)));
                }
                None => removed.push(id),
            }
        }
        Ok(Changes::new(
            changed,
            removed,
            Cursor::new(content.versions.to_string()),
        ))
    }

    async fn busy(&self, range: TimeRange) -> Result<Busy, Error> {
        self.pause().await;
        let content = self.content.lock().unwrap();
        content.works()?;
        let mut busy = Busy::default();
        for stored in content.objects.values() {
            let uid = stored.index.uid.clone();
            let object = StoredObject::new(uid, etag(stored.version), stored.data.clone());
            busy.add(&object, &stored.index, range);
        }
        Ok(busy)
    }

    async fn deliver(&self, _: &InboxItem<'_>) -> Result<Option<RequestStatus>, Error> {
        Ok(self.content.lock().unwrap().takes.clone())
    }

    async fn inbox(&self, _: &Page) -> Result<Listing<InboxEntry>, Error> {
        let content = self.content.lock().unwrap();
        Ok(Listing::new(content.inbox.clone(), None))
    }

    async fn take(&self, id: &MessageId) -> Result<InboxMessage, Error> {
        let mut content = self.content.lock().unwrap();
        let at = content.inbox.iter().position(|it| it.id == *id);
        let at = at.ok_or_else(|| Error::not_found("there is no such message"))?;
        Ok(content.inbox.remove(at).message)
    }

    async fn put_back(&self, message: &InboxMessage) -> Result<(), Error> {
        let mut content = self.content.lock().unwrap();
        content.versions += 1;
        let id = MessageId::new(content.versions.to_string()).unwrap();
        content.inbox.push(InboxEntry::new(id, message.clone()));
        Ok(())
    }

    async fn keep(&self, item: &InboxItem<'_>, instances: &str, room: Room) -> Result<(), Error> {
        let mut content = self.content.lock().unwrap();
        if content.keeps_nothing {
            return Err(Error::unsupported("this store keeps no messages"));
        }
        if item.data.len() as u64 > room.of_sender {
            return Err(Error::conflict("there is no room"));
        }
        content.versions += 1;
        let id = MessageId::new(content.versions.to_string()).unwrap();
        let message = InboxMessage::new(
            item.originator.clone(),
            item.recipient.clone(),
            item.message.method().as_str(),
            item.message.uid().clone(),
            item.data.to_vec(),
        );
        let message = message.about(instances);
        content.inbox.push(InboxEntry::new(id, message));
        Ok(())
    }
}

/// The people of example.org.
#[derive(Default)]
pub(crate) struct People(Vec<Person>);

impl Stores for People {
    type Home = Person;

    fn is_our_domain(&self, domain: &Domain) -> bool {
        domain.as_str() == "example.org"
    }

    async fn find(&self, address: &CalendarAddress) -> Result<Option<Person>, Error> {
        let mut people = self.0.iter();
        Ok(people.find(|it| it.user.answers_to(address)).cloned())
    }
}

/// What the policies say to everybody.
///
/// The second: whether strangers are held.
pub(crate) struct SameForAll(Mutex<Verdict>, AtomicBool);

impl Policies for SameForAll {
    async fn decide(&self, _: &Envelope<'_>, _: &CalendarAddress, sender: Acquaintance) -> Verdict {
        if self.1.load(Ordering::Relaxed) && sender == Acquaintance::Stranger {
            return Verdict::Hold;
        }
        self.0.lock().unwrap().clone()
    }

    fn charge(&self, grant: &Grant, _: &CalendarAddress, _: &CalendarUser) -> Result<(), Duration> {
        if grant.quotas.is_empty() {
            return Ok(());
        }
        Err(Duration::from_secs(59))
    }
}

/// The last version, and what is there.
type Entries = (u64, BTreeMap<Vec<u8>, StateEntry>);

/// What is not forgotten, in memory.
///
/// The second: whether the answer of the next commit that concerns the outbox gets lost. The third: whether somebody else is
/// faster than the next commit that concerns a ledger. The fourth: how many commits are made still. The fifth: whether others may act
/// before and after each operation. The sixth: whether nothing can be read. The seventh: what was asked of it.
#[derive(Clone)]
pub(crate) struct Remembered(
    Arc<Mutex<Entries>>,
    Arc<AtomicBool>,
    Arc<AtomicBool>,
    Arc<AtomicUsize>,
    Arc<AtomicBool>,
    Arc<AtomicBool>,
    Arc<Mutex<Vec<String>>>,
);

impl Default for Remembered {
    fn default() -> Self {
        let all = Arc::new(AtomicUsize::new(usize::MAX));
        let no = || Arc::new(AtomicBool::new(false));
        Self(Arc::default(), no(), no(), all, no(), no(), Arc::default())
    }
}

impl State for Remembered {
    async fn get(&self, key: &[u8]) -> Result<Option<StateEntry>, Error> {
        self.is_asked("get", [key]);
        self.pause().await;
        if self.5.load(Ordering::Relaxed) {
            return Err(Error::unavailable("the state does not answer"));
        }
        let found = self.0.lock().unwrap().1.get(key).cloned();
        self.pause().await;
        Ok(found)
    }

    async fn scan(&self, range: &KeyRange, limit: u32) -> Result<Vec<StateEntry>, Error> {
        self.is_asked("scan", [range.start()]);
        self.pause().await;
        let found = {
            let entries = &self.0.lock().unwrap().1;
            let found = entries.values().filter(|entry| range.contains(&entry.key));
            found.take(limit as usize).cloned().collect()
        };
        self.pause().await;
        Ok(found)
    }

    async fn commit(&self, batch: Batch) -> Result<Committed, Error> {
        let keys = batch.writes.iter().map(|write| match write {
            StateWrite::Put { key, .. } | StateWrite::Delete { key } => key.as_slice(),
            _ => b"",
        });
        self.is_asked("commit", keys);
        self.pause().await;
        let committed = self.commit_now(batch);
        self.pause().await;
        committed
    }
}

impl Remembered {
    fn commit_now(&self, batch: Batch) -> Result<Committed, Error> {
        let left = self.3.load(Ordering::Relaxed);
        let left = left.checked_sub(1);
        let left = left.ok_or_else(|| Error::unavailable("the host has ended"))?;
        self.3.store(left, Ordering::Relaxed);
        let (version, entries) = &mut *self.0.lock().unwrap();
        let is_of_ledger = |it: &Condition| it.key().starts_with(b"ledger/");
        if batch.conditions.iter().any(is_of_ledger) && self.2.swap(false, Ordering::Relaxed) {
            return Err(Error::conflict("somebody else was faster"));
        }
        for condition in &batch.conditions {
            condition.check(entries.get(condition.key()).map(|it| it.version))?;
        }
        *version += 1;
        let mut concerns_outbox = false;
        for write in batch.writes {
            match write {
                StateWrite::Put { key, value, .. } => {
                    concerns_outbox |= key.starts_with(b"outbox/");
                    entries.insert(key.clone(), StateEntry::new(key, value, *version));
                }
                StateWrite::Delete { key } => {
                    concerns_outbox |= key.starts_with(b"outbox/");
                    entries.remove(&key);
                }
                _ => return Err(Error::unsupported("no such write")),
            }
        }
        if concerns_outbox && self.1.swap(false, Ordering::Relaxed) {
            return Err(Error::unavailable("the connection is gone"));
        }
        Ok(Committed::new(*version))
    }
}

impl Remembered {
    /// Others may act before and after each operation from now on.
    pub(crate) fn pauses(&self) {
        self.4.store(true, Ordering::Relaxed);
    }

    fn is_asked<'a>(&self, what: &str, keys: impl IntoIterator<Item = &'a [u8]>) {
        let kind = |key: &[u8]| {
            let text = String::from_utf8_lossy(key).into_owned();
            text.split('/').next().unwrap_or_default().to_owned()
        };
        let kinds: Vec<String> = keys.into_iter().map(kind).collect();
        let asked = format!("{what} {}", kinds.join(" "));
        self.6.lock().unwrap().push(asked);
    }

    /// What was asked of it since this was asked last: of keys only what they begin with.
    pub(crate) fn was_asked(&self) -> Vec<String> {
        std::mem::take(&mut self.6.lock().unwrap())
    }

    async fn pause(&self) {
        if self.4.load(Ordering::Relaxed) {
            pause().await;
        }
    }

    /// The next commit that concerns the outbox is made, and who made it is not told so.
    pub(crate) fn loses_an_answer(&self) {
        self.1.store(true, Ordering::Relaxed);
    }

    /// So many commits are made still, and then no more, as if the host had ended.
    pub(crate) fn ends_after(&self, commits: usize) {
        self.3.store(commits, Ordering::Relaxed);
    }

    /// Somebody else is faster than the next commit that concerns a ledger.
    pub(crate) fn has_a_rival(&self) {
        self.2.store(true, Ordering::Relaxed);
    }

    /// Nothing can be read, or it can again.
    pub(crate) fn cannot_be_read(&self, so: bool) {
        self.5.store(so, Ordering::Relaxed);
    }

    /// The keys that begin like this.
    pub(crate) fn keys(&self, prefix: &str) -> Vec<String> {
        let entries = &self.0.lock().unwrap().1;
        let keys = entries
            .keys()
            .map(|key| String::from_utf8(key.clone()).unwrap());
        keys.filter(|key| key.starts_with(prefix)).collect()
    }
}

/// Other servers, which take everything unless they are told otherwise.
#[derive(Default)]
pub(crate) struct Elsewhere {
    sent: Mutex<Vec<String>>,
    bodies: Mutex<Vec<String>>,
    says: Mutex<Option<Outcome>>,
    mailed: Mutex<Vec<String>>,
    /// What the mail server says, if there is one.
    mail_server: Mutex<Option<Outcome>>,
    /// The way to a receiver that several hosts send to.
    line: Option<Line>,
}

/// The way of one of several hosts to a receiver.
#[derive(Clone, Default)]
pub(crate) struct Line {
    /// What came, in its order.
    pub(crate) came: Arc<Mutex<Vec<Came>>>,
    /// How the receiver is.
    pub(crate) receiver: Arc<Mutex<Receiver>>,
    /// Whether the host has its lease.
    pub(crate) is_held: Arc<AtomicBool>,
}

/// What came to a receiver.
pub(crate) struct Came {
    pub(crate) to: String,
    pub(crate) uid: String,
    pub(crate) revision: u64,
    /// Another one for each message that was handed in.
    pub(crate) name: String,
}

/// How a receiver is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Receiver {
    #[default]
    Well,
    /// It takes everything, and nobody hears of it.
    Mute,
    Down,
}

impl Line {
    async fn send(&self, letter: &Letter<'_>, recipients: &[CalendarAddress]) -> Vec<Outcome> {
        pause().await;
        let later = Outcome::from(RequestStatus::SERVICE_UNAVAILABLE);
        if !self.is_held.load(Ordering::Relaxed) {
            return vec![later; recipients.len()];
        }
        let receiver = *self.receiver.lock().unwrap();
        if receiver == Receiver::Down {
            return vec![later.not_handed_over().at_receiver(None); recipients.len()];
        }
        let came = recipients.iter().map(|to| Came {
            to: to.human().to_string(),
            uid: letter.message.uid().to_string(),
            revision: letter.message.sequence(),
            name: letter.id.unwrap().to_owned(),
        });
        self.came.lock().unwrap().extend(came);
        pause().await;
        let outcome = match receiver {
            Receiver::Well => RequestStatus::SUCCESS.into(),
            _ => later.at_receiver(None),
        };
        vec![outcome; recipients.len()]
    }
}

impl Transport for Elsewhere {
    async fn send(&self, letter: &Letter<'_>, recipients: &[CalendarAddress]) -> Vec<Outcome> {
        let written = letter.message.calendar().write();
        assert_eq!(letter.data, written, "a letter is what it says");
        if recipients.is_empty() {
            return Vec::new();
        }
        if let Some(line) = &self.line {
            return line.send(letter, recipients).await;
        }
        let mut sent = self.sent.lock().unwrap();
        let text = String::from_utf8(written).unwrap();
        self.bodies.lock().unwrap().push(text.replace("\r\n ", ""));
        let (method, from) = (letter.message.method(), letter.originator.human());
        sent.extend(
            recipients
                .iter()
                .map(|to| format!("{method} {from} {}", to.human())),
        );
        let says = self.says.lock().unwrap().clone();
        vec![says.unwrap_or_else(|| RequestStatus::DELIVERED.into()); recipients.len()]
    }

    fn mails(&self) -> Mailing {
        match *self.mail_server.lock().unwrap() {
            Some(_) => Mailing::On,
            None => Mailing::Off,
        }
    }

    async fn send_mail(
        &self,
        letter: &Letter<'_>,
        recipients: &[MailRecipient],
        handed_in: Timestamp,
    ) -> Vec<Outcome> {
        let mut mailed = self.mailed.lock().unwrap();
        mailed.extend(recipients.iter().map(|to| {
            let (method, who) = (letter.message.method(), to.address.human());
            let title = |calendar: &Calendar| {
                let mut events = calendar.main_components();
                events
                    .next()
                    .and_then(|it| it.value("SUMMARY").map(str::to_owned))
            };
            let known = to.last_told.as_ref().and_then(title);
            let known = known.map_or_else(String::new, |it| format!(" knows {it}"));
            format!(
                "{method} {} {who} {handed_in}{known}",
                letter.message.sequence()
            )
        }));
        let says = self.mail_server.lock().unwrap().clone();
        vec![says.unwrap(); recipients.len()]
    }
}

pub(crate) struct World {
    people: People,
    policies: SameForAll,
    elsewhere: Elsewhere,
    now: Now,
    at_once: AtOnce,
    recorded: Recorded,
    pub(crate) remembered: Remembered,
}

pub(crate) struct Now(Mutex<Timestamp>);

/// Does all work at once.
pub(crate) struct AtOnce;

#[derive(Default)]
pub(crate) struct Recorded(Mutex<Vec<String>>, Mutex<Vec<String>>);

impl Clock for Now {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

impl Processor for AtOnce {
    async fn run<T: Send>(&self, _: usize, work: impl FnOnce() -> T + Send) -> T {
        work()
    }

    async fn run_for<T: Send>(
        &self,
        _: &Peer,
        _: usize,
        work: impl FnOnce() -> T + Send,
    ) -> Result<T, Overloaded> {
        Ok(work())
    }
}

/// What an answer says, of what, when, and why.
fn answer_of(message: &Message) -> String {
    let event = message.calendar().main_components().next().unwrap();
    let text = |name| event.value(name).unwrap_or_default();
    let line = event.get("ATTENDEE").unwrap();
    let said = line.param("PARTSTAT").unwrap_or_default();
    let comment = text("COMMENT");
    let why = if comment.is_empty() { "" } else { ": " };
    let [title, start] = ["SUMMARY", "DTSTART"].map(text);
    format!("{said} of {title} at {start}{why}{comment}")
}

impl Journal for Recorded {
    fn record(&self, event: &Event<'_>) {
        let (what, message, outcomes) = match event {
            Event::Delivered(message, outcomes) => ("delivered", message, outcomes),
            Event::Sent(message, outcomes) => ("sent", message, outcomes),
            Event::Decided(_) | Event::Arrived(_) | Event::Overwriting(..) => return,
            Event::Notice(notice) => {
                let (user, other) = (notice.user.human(), notice.other.human());
                let what = match notice.occasion {
                    Occasion::Answered(_) => format!("Answered({})", answer_of(notice.message)),
                    other => format!("{other:?}"),
                };
                let told = format!("{user} {other} {what}");
                return self.1.lock().unwrap().push(told);
            }
        };
        let mut recorded = self.0.lock().unwrap();
        let method = message.method();
        recorded.extend(
            outcomes
                .iter()
                .map(|it| format!("{what} {method} {}", it.status.code())),
        );
    }
}

impl Environment for World {
    type Stores = People;
    type Policies = SameForAll;
    type Transport = Elsewhere;
    type Clock = Now;
    type Processor = AtOnce;
    type Journal = Recorded;
    type State = Remembered;

    fn stores(&self) -> &People {
        &self.people
    }

    fn policies(&self) -> &SameForAll {
        &self.policies
    }

    fn transport(&self) -> &Elsewhere {
        &self.elsewhere
    }

    fn clock(&self) -> &Now {
        &self.now
    }

    fn processor(&self) -> &AtOnce {
        &self.at_once
    }

    fn journal(&self) -> &Recorded {
        &self.recorded
    }

    fn state(&self) -> &Remembered {
        &self.remembered
    }
}

/// A host of example.org, where Bo, Cy and Dee have calendars.
pub(crate) struct Host {
    pub(crate) scheduler: Scheduler<World>,
    pub(crate) shared: Shared,
}

impl Host {
    pub(crate) fn new() -> Self {
        Self::with(Limits::default())
    }

    pub(crate) fn with(limits: Limits) -> Self {
        let people = ["bo@example.org", "cy@example.org", "dee@example.org"];
        let mut people: Vec<Person> = people.map(Person::new).into();
        people[1].user.aliases = addresses(&["urn:uuid:cy", "cyrus@example.org"]);
        let world = World {
            people: People(people),
            policies: SameForAll(
                Mutex::new(Verdict::Allow(Grant::default())),
                AtomicBool::new(false),
            ),
            elsewhere: Elsewhere::default(),
            now: Now(Mutex::new(NOW.parse().unwrap())),
            at_once: AtOnce,
            recorded: Recorded::default(),
            remembered: Remembered::default(),
        };
        let shared = Shared::default();
        Self {
            scheduler: Scheduler::new(world, limits, Timing::default(), shared.clone()),
            shared,
        }
    }

    /// A host like this one, with the same stores.
    pub(crate) fn beside(&self) -> Self {
        let mut other = Self::new();
        other.people_mut().clone_from(&self.world().people.0);
        other
    }

    /// A host like this one, with the same stores and on the same state, of this name, which sends by this line.
    pub(crate) fn on_one_state(&self, name: &str, line: Line) -> Self {
        let mut other = self.beside();
        other.scheduler.environment.remembered = self.world().remembered.clone();
        other.scheduler.environment.elsewhere.line = Some(line);
        other.shared.outbox.belong_to(name);
        other
    }

    /// There is a room, too, which takes bookings of everybody unless these attributes say otherwise.
    pub(crate) fn with_room(mut self, name: &str, attributes: &[(&str, &str)]) -> Self {
        let mut room = Person::new(&format!("{name}@example.org"));
        room.user.kind = UserKind::Room;
        room.user.timezone = Some("Europe/Berlin".to_owned());
        room.user.attributes.set("booking", "from=*");
        for (name, value) in attributes {
            room.user.attributes.set(*name, *value);
        }
        self.people_mut().push(room);
        self
    }

    /// Somebody is of another kind.
    pub(crate) fn with_kind(mut self, name: &str, kind: UserKind) -> Self {
        self.user_mut(name).kind = kind;
        self
    }

    /// Somebody else has an address from now on, whom the store calls otherwise.
    pub(crate) fn is_somebody_else(&mut self, name: &str) {
        let user = self.user_mut(name);
        user.id = UserId::new(format!("{}-again", user.id)).unwrap();
    }

    /// Somebody has one more address.
    pub(crate) fn with_alias(mut self, name: &str, alias: CalendarAddress) -> Self {
        self.user_mut(name).aliases.push(alias);
        self
    }

    fn user_mut(&mut self, name: &str) -> &mut CalendarUser {
        let address = address(&format!("{name}@example.org"));
        let mut people = self.people_mut().iter_mut();
        let found = people.find(|it| it.user.answers_to(&address));
        &mut found.unwrap().user
    }

    fn people_mut(&mut self) -> &mut Vec<Person> {
        &mut self.scheduler.environment.people.0
    }

    /// The messages that are owed now, written, with their lines unfolded.
    pub(crate) fn owes(&self) -> Vec<String> {
        let entries = self.shared.outbox.entries().into_iter();
        let messages = entries.map(|entry| block_on(self.scheduler.message_of(&entry)));
        let texts = messages.map(|it| String::from_utf8(it.unwrap().unwrap()).unwrap());
        texts.map(|it| it.replace("\r\n ", "")).collect()
    }

    pub(crate) fn world(&self) -> &World {
        self.scheduler.environment()
    }

    pub(crate) fn person(&self, name: &str) -> Person {
        let address = address(&format!("{name}@example.org"));
        let people = &self.world().people;
        let found = people.find(&address).now_or_never().unwrap().unwrap();
        found.unwrap()
    }

    pub(crate) fn policies_say(&self, verdict: Verdict) {
        *self.world().policies.0.lock().unwrap() = verdict;
    }

    pub(crate) fn holds_strangers(&self) {
        self.world().policies.1.store(true, Ordering::Relaxed);
    }

    pub(crate) fn pass(&self, time: Duration) {
        let mut now = self.world().now.0.lock().unwrap();
        *now = now.saturating_add(time).unwrap();
    }

    pub(crate) fn sets_clock_back(&self, time: Duration) {
        let mut now = self.world().now.0.lock().unwrap();
        *now = now.saturating_sub(time).unwrap();
    }

    /// What went to other servers: method, sender, recipient.
    pub(crate) fn sent(&self) -> Vec<String> {
        self.world().elsewhere.sent.lock().unwrap().clone()
    }

    /// The messages that went to other servers.
    pub(crate) fn bodies(&self) -> Vec<String> {
        self.world().elsewhere.bodies.lock().unwrap().clone()
    }

    /// What other servers say to everything from now on.
    pub(crate) fn elsewhere_says(&self, outcome: impl Into<Outcome>) {
        *self.world().elsewhere.says.lock().unwrap() = Some(outcome.into());
    }

    /// There is a mail server, which says this from now on.
    pub(crate) fn mail_server_says(&self, outcome: impl Into<Outcome>) {
        *self.world().elsewhere.mail_server.lock().unwrap() = Some(outcome.into());
    }

    /// What was handed to the mail server: method, revision, recipient, when it was handed in.
    pub(crate) fn mailed(&self) -> Vec<String> {
        self.world().elsewhere.mailed.lock().unwrap().clone()
    }

    /// The same host after it has ended and was started again.
    pub(crate) fn restarted(self) -> Self {
        let Scheduler {
            environment,
            limits,
            timing,
            ..
        } = self.scheduler;
        let shared = Shared::default();
        block_on(shared.outbox.load(&environment.remembered)).unwrap();
        Self {
            scheduler: Scheduler::new(environment, limits, timing, shared.clone()),
            shared,
        }
    }

    /// Looks at a calendar.
    pub(crate) fn looks(&self, name: &str) -> crate::Looked {
        block_on(self.scheduler.reconcile(&self.person(name))).unwrap()
    }

    /// Looks at a calendar until what changed in it has been quiet for long enough, and sends what may go.
    pub(crate) fn tells(&self, name: &str) -> crate::Looked {
        let looked = self.looks(name);
        let looked = match looked.next {
            Some(_) => {
                self.pass(self.scheduler.timing.settle);
                self.looks(name)
            }
            None => looked,
        };
        self.pays();
        looked
    }

    /// Of what people are told: who, about whom, what.
    pub(crate) fn notices(&self) -> Vec<String> {
        self.world().recorded.1.lock().unwrap().clone()
    }

    pub(crate) fn recorded(&self) -> Vec<String> {
        self.world().recorded.0.lock().unwrap().clone()
    }

    /// Reads a message of another server, or why it is refused.
    pub(crate) fn reads(
        &self,
        text: &str,
        from: &str,
        to: &[&str],
    ) -> Result<Message, crate::Refusal> {
        let intake = Intake {
            data: text.as_bytes(),
            originator: &address(from),
            recipients: &addresses(to),
            from: Provenance::Peer { proven: &[] },
            now: self.world().now.now(),
        };
        block_on(self.scheduler.read(&intake, |_| Ok(())))
    }

    /// A message of another server on its way to one of our users: the code of what becomes of it.
    pub(crate) async fn delivery(&self, text: &str, from: &str, to: &str) -> String {
        let message = Message::read(calendar(text)).unwrap();
        let (originator, recipients) = (address(from), [address(to)]);
        let domain = originator.domain().unwrap().clone();
        let envelope = Envelope {
            message: &message,
            data: text.as_bytes(),
            originator: &originator,
            from: Provenance::Peer { proven: &[] },
            proofs: &[Proof::Dkim(domain.clone())],
            peer: &Peer::Domain(domain),
            transport: TransportFacts::default(),
            now: self.world().now.now(),
            answering: Answering::Allowed,
            effort: Effort::default(),
        };
        let delivered = self.scheduler.deliver(&envelope, &recipients, &Unbounded);
        delivered.await[0].status.code()
    }

    /// Delivers a message of another server.
    pub(crate) fn receives(&self, text: &str, from: &str, to: &[&str]) -> Vec<Outcome> {
        let message = self.reads(text, from, to).unwrap();
        self.delivers(&message, text, from, to, &Unbounded)
    }

    pub(crate) fn delivers(
        &self,
        message: &Message,
        text: &str,
        from: &str,
        to: &[&str],
        answers: &impl Answers,
    ) -> Vec<Outcome> {
        let originator = address(from);
        let domain = originator.domain().unwrap().clone();
        let envelope = Envelope {
            message,
            data: text.as_bytes(),
            originator: &originator,
            from: Provenance::Peer { proven: &[] },
            proofs: &[Proof::Dkim(domain.clone())],
            peer: &Peer::Domain(domain),
            transport: TransportFacts::default(),
            now: self.world().now.now(),
            answering: Answering::Allowed,
            effort: Effort::default(),
        };
        block_on(self.scheduler.deliver(&envelope, &addresses(to), answers))
    }

    /// A proved mail is delivered to one of our users.
    pub(crate) fn gets_mail(&self, id: &str, text: &str, from: &str, to: &str) -> String {
        let message = Message::read(calendar(text)).unwrap();
        let originator = address(from);
        let proof = Proof::Mail(originator.clone(), MailProof::Dmarc);
        let domain = originator.domain().unwrap().clone();
        let envelope = Envelope {
            message: &message,
            data: text.as_bytes(),
            originator: &originator,
            from: Provenance::Mail,
            proofs: &[proof],
            peer: &Peer::Domain(domain),
            transport: TransportFacts {
                message_id: Some(id),
                ..TransportFacts::default()
            },
            now: self.world().now.now(),
            answering: Answering::Allowed,
            effort: Effort::default(),
        };
        let to = [address(to)];
        let delivered = self.scheduler.deliver(&envelope, &to, &Unbounded);
        block_on(delivered)[0].status.code()
    }

    /// Hands in a message of one of our people.
    pub(crate) fn submits(&self, text: &str, from: &str, to: &[&str]) -> Vec<Outcome> {
        let message = Message::read(calendar(text)).unwrap();
        let submission = Submission {
            message: &message,
            data: text.as_bytes(),
            originator: &address(from),
            recipients: &addresses(to),
            transport: TransportFacts::default(),
        };
        block_on(self.scheduler.dispatch(&submission, &Unbounded))
    }

    /// Reads what waits, if that is in doubt.
    pub(crate) fn loads(&self) -> usize {
        block_on(self.shared.outbox.load(&self.world().remembered)).unwrap()
    }

    /// Sends what may go now.
    pub(crate) fn pays(&self) {
        while let Some(attempt) = self.shared.outbox.take(self.world().now.now()) {
            block_on(self.scheduler.attempt(attempt));
        }
    }

    /// What waits: method and recipient.
    pub(crate) fn waits(&self) -> Vec<String> {
        let entries = self.shared.outbox.entries().into_iter();
        entries
            .map(|entry| format!("{} {}", entry.method, entry.recipient.human()))
            .collect()
    }
}

/// The codes of outcomes.
pub(crate) fn codes(outcomes: &[Outcome]) -> Vec<String> {
    outcomes.iter().map(|it| it.status.code()).collect()
}
