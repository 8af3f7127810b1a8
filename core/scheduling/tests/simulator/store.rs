//! Calendars in memory, which programs write and a host reads and writes.

use crate::{
    host::Env,
    story::{Part, PersonTraits},
    world::Failure,
};
use convoke_scheduling::{Home, InboxItem, Room, RoomSettings};
use convoke_types::{
    Busy, CalendarAddress, CalendarUser, Changes, Cursor, Error, Etag, InboxEntry, InboxMessage,
    Listing, MessageId, NewObject, ObjectIndex, ObjectSummary, Page, Precondition, RequestStatus,
    StoredObject, TimeRange, Uid, UserId, UserKind,
};
use std::{
    collections::BTreeMap,
    future::poll_fn,
    sync::{Arc, Mutex},
    task::{Poll, Waker},
};

/// A person and its calendar.
pub(crate) struct Person {
    pub(crate) user: CalendarUser,
    pub(crate) traits: PersonTraits,
    content: Mutex<Content>,
}

#[derive(Default)]
struct Content {
    objects: BTreeMap<String, (u64, Vec<u8>)>,
    /// Of what the host has written.
    indexes: BTreeMap<String, ObjectIndex>,
    version: u64,
    /// When each object changed last, gone ones too.
    changed: BTreeMap<String, u64>,
    /// What changed before is forgotten.
    since: u64,
    inbox: Vec<InboxEntry>,
    /// Messages that were ever kept.
    kept: u64,
    wakers: Vec<Waker>,
}

impl Person {
    pub(crate) fn new(address: &str, traits: PersonTraits, approver: Option<&str>) -> Self {
        let id = UserId::new(address).expect("an address is short");
        let address = CalendarAddress::new(address).expect("it is an address");
        let mut user = CalendarUser::new(id, address);
        if traits.room {
            user.kind = UserKind::Room;
            user.attributes.set(RoomSettings::BOOKING, "from=*");
            user.attributes.set(RoomSettings::CONFLICTS, "50%");
            if let Some(approver) = approver {
                user.attributes.set(RoomSettings::APPROVE, approver);
            }
        }
        Self {
            user,
            traits,
            content: Mutex::default(),
        }
    }

    pub(crate) fn address(&self) -> &str {
        self.user.address.human()
    }

    pub(crate) fn object(&self, uid: &str) -> Option<Vec<u8>> {
        let content = self.content.lock().unwrap();
        content.objects.get(uid).map(|(_, data)| data.clone())
    }

    pub(crate) fn objects(&self) -> Vec<(String, String, Vec<u8>)> {
        let content = self.content.lock().unwrap();
        let objects = content.objects.iter();
        let object = |(uid, (version, data)): (&String, &(u64, Vec<u8>))| {
            (uid.clone(), etag(*version).to_string(), data.clone())
        };
        objects.map(object).collect()
    }

    /// A program writes an object, or removes it.
    pub(crate) fn write(&self, uid: &str, data: Option<Vec<u8>>) {
        self.content.lock().unwrap().write(uid, data);
    }

    pub(crate) fn forget_changes(&self) {
        let mut content = self.content.lock().unwrap();
        content.since = content.version;
    }

    /// How many messages wait for a decision.
    pub(crate) fn undecided(&self) -> usize {
        self.content.lock().unwrap().inbox.len()
    }

    pub(crate) fn version(&self) -> u64 {
        self.content.lock().unwrap().version
    }

    /// Returns once the calendar is not in the version `seen` any more.
    pub(crate) async fn changed_since(&self, seen: u64) {
        poll_fn(|context| {
            let mut content = self.content.lock().unwrap();
            if content.version != seen {
                return Poll::Ready(());
            }
            content.wakers.retain(|it| !it.will_wake(context.waker()));
            content.wakers.push(context.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

impl Content {
    fn write(&mut self, uid: &str, data: Option<Vec<u8>>) -> u64 {
        self.version += 1;
        self.indexes.remove(uid);
        self.changed.insert(uid.to_owned(), self.version);
        match data {
            Some(data) => _ = self.objects.insert(uid.to_owned(), (self.version, data)),
            None => _ = self.objects.remove(uid),
        }
        self.wakers.drain(..).for_each(Waker::wake);
        self.version
    }

    /// Keeps a message in the place of an earlier one about the same.
    fn keep(&mut self, message: InboxMessage) {
        let about = |it: &InboxMessage| {
            let parts = [
                it.originator.as_str(),
                it.uid.as_str(),
                &it.instance,
                &it.method,
            ];
            parts.map(str::to_owned)
        };
        let mut inbox = self.inbox.iter_mut();
        if let Some(there) = inbox.find(|it| about(&it.message) == about(&message)) {
            there.message = message;
            return;
        }
        self.kept += 1;
        let id = MessageId::new(self.kept.to_string()).expect("a number is short");
        self.inbox.push(InboxEntry::new(id, message));
    }

    fn check(&self, uid: &Uid, when: &Precondition) -> Result<(), Error> {
        let there = self.objects.get(uid.as_str());
        when.check(there.map(|(version, _)| etag(*version)).as_ref())
    }
}

fn etag(version: u64) -> Etag {
    Etag::new(version.to_string()).expect("a number is short")
}

/// A person's calendar, as its host reaches it.
#[derive(Clone)]
pub(crate) struct Calendar {
    pub(crate) env: Env,
    pub(crate) person: Arc<Person>,
}

impl Calendar {
    /// Does something with the content, or fails as a store does.
    async fn with<T>(
        &self,
        is_write: bool,
        work: impl FnOnce(&mut Content) -> Result<T, Error> + Send,
    ) -> Result<T, Error> {
        let Env { world, host } = &self.env;
        world.operation(*host).await;
        let failure = world.fails(*host, Part::Store);
        let failure = failure.map(|it| if is_write { it } else { Failure::Before });
        let done = match failure {
            Some(failure @ (Failure::Before | Failure::Conflict)) => Err(failure.error()),
            Some(Failure::After) => {
                let _ = work(&mut self.person.content.lock().unwrap());
                Err(Failure::After.error())
            }
            None => work(&mut self.person.content.lock().unwrap()),
        };
        world.operation(*host).await;
        done
    }

    fn log(&self, what: &str, uid: &Uid, data: &[u8]) {
        self.env.world.log(|| {
            let text = String::from_utf8_lossy(data).replace("\r\n ", "");
            let who = self.person.address();
            format!("host {} {what} {uid} of {who}\n{text}", self.env.host)
        });
    }
}

impl Home for Calendar {
    fn user(&self) -> &CalendarUser {
        &self.person.user
    }

    fn store(&self) -> &'static str {
        "memory"
    }

    async fn get(&self, uid: &Uid) -> Result<Option<StoredObject>, Error> {
        let found = |content: &mut Content| {
            let stored = content.objects.get(uid.as_str());
            Ok(stored.map(|(version, data)| {
                StoredObject::new(uid.clone(), etag(*version), data.clone())
            }))
        };
        self.with(false, found).await
    }

    async fn put(&self, object: &NewObject, when: &Precondition) -> Result<Etag, Error> {
        let uid = &object.index.uid;
        let put = |content: &mut Content| {
            content.check(uid, when)?;
            self.log("writes", uid, &object.data);
            let version = content.write(uid.as_str(), Some(object.data.clone()));
            let index = object.index.clone();
            content.indexes.insert(uid.to_string(), index);
            Ok(etag(version))
        };
        self.with(true, put).await
    }

    async fn remove(&self, uid: &Uid, when: &Precondition) -> Result<(), Error> {
        let remove = |content: &mut Content| {
            content.check(uid, when)?;
            self.log("removes", uid, b"");
            content.write(uid.as_str(), None);
            Ok(())
        };
        self.with(true, remove).await
    }

    async fn changes(&self, since: Option<&Cursor>) -> Result<Changes, Error> {
        let changes = |content: &mut Content| {
            let is_first = since.is_none();
            let since = since.map_or(Ok(0), |it| it.as_str().parse::<u64>());
            let since = since.map_err(|_| Error::invalid("this is no cursor"))?;
            if !is_first && since < content.since {
                return Err(Error::invalid("what changed then is forgotten"));
            }
            let (mut changed, mut removed) = (Vec::new(), Vec::new());
            let later = content.changed.iter().filter(|(_, at)| **at > since);
            for (uid, _) in later {
                let id = Uid::new(uid).expect("it was one");
                match content.objects.get(uid) {
                    Some((version, _)) => {
                        changed.push(ObjectSummary::new(id, "VEVENT", etag(*version)));
                    }
                    None if !is_first => removed.push(id),
                    None => {}
                }
            }
            let cursor = Cursor::new(content.version.to_string());
            Ok(Changes::new(changed, removed, cursor))
        };
        self.with(false, changes).await
    }

    async fn busy(&self, range: TimeRange) -> Result<Busy, Error> {
        let busy = |content: &mut Content| {
            let mut busy = Busy::default();
            for (uid, index) in &content.indexes {
                let (version, data) = &content.objects[uid];
                let uid = Uid::new(uid).expect("it was one");
                let object = StoredObject::new(uid, etag(*version), data.clone());
                busy.add(&object, index, range);
            }
            Ok(busy)
        };
        self.with(false, busy).await
    }

    async fn deliver(&self, _: &InboxItem<'_>) -> Result<Option<RequestStatus>, Error> {
        Ok(None)
    }

    async fn inbox(&self, _: &Page) -> Result<Listing<InboxEntry>, Error> {
        let inbox = |content: &mut Content| Ok(Listing::new(content.inbox.clone(), None));
        self.with(false, inbox).await
    }

    async fn take(&self, id: &MessageId) -> Result<InboxMessage, Error> {
        let take = |content: &mut Content| {
            let at = content.inbox.iter().position(|it| it.id == *id);
            let at = at.ok_or_else(|| Error::not_found("there is no such message"))?;
            Ok(content.inbox.remove(at).message)
        };
        self.with(true, take).await
    }

    async fn put_back(&self, message: &InboxMessage) -> Result<(), Error> {
        self.with(true, |content| {
            content.keep(message.clone());
            Ok(())
        })
        .await
    }

    async fn keep(&self, item: &InboxItem<'_>, instances: &str, _: Room) -> Result<(), Error> {
        let message = InboxMessage::new(
            item.originator.clone(),
            item.recipient.clone(),
            item.message.method().as_str(),
            item.message.uid().clone(),
            item.data.to_vec(),
        );
        self.with(true, |content| {
            content.keep(message.about(instances));
            Ok(())
        })
        .await
    }
}
