//! The store kit finds nothing wrong with a right store, and finds each flaw of a wrong one.

use convoke_sdk::{
    conformance::{self, StoreFacts},
    prelude::*,
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

/// What a store may do wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    Nothing,
    AddsALine,
    AlwaysOneEtag,
    NoPreconditions,
    CreatesOverOthers,
    RemovesNothing,
    FoldsUids,
    PanicsAtSlashes,
    CutsLargeObjects,
    ChecksThenWrites,
    WritesInTwoSteps,
    SeesStartsOnly,
    SeesTouching,
    ForgetsOpenObjects,
    RepeatsAtPageEnds,
    ForgetsRemovals,
    ForgetsAPut,
    OffersNoUsers,
    TakesAnyCursor,
    CountsCase,
    SharesAddresses,
    SharesObjects,
    InventsUsers,
    KeepsRemovedUsers,
    PutsInboxMessages,
    AnswersTooLate,
    DropsAttributes,
    KeepsOldAddresses,
    LetsAddressesBeTaken,
    KeepsTheFirstOfTwo,
    GivesTwice,
    HasEndlessRoom,
    CountsNoSenders,
    SaysNoStatus,
    KeepsWhatItLeaves,
    HidesBesideItself,
    ForgetsAtTheEnd,
}

use Flaw::*;

/// A store in memory; what `Arc` shares outlives it, as a file would.
struct Memory {
    flaw: Flaw,
    state: Arc<Mutex<Contents>>,
}

#[derive(Default)]
struct Contents {
    users: BTreeMap<UserId, Account>,
    made: u64,
    /// Of users that were removed, by address: for a store that keeps them.
    left_behind: HashMap<String, BTreeMap<Uid, Kept>>,
}

#[derive(Clone)]
struct Account {
    user: CalendarUser,
    objects: BTreeMap<Uid, Kept>,
    removed: BTreeMap<Uid, u64>,
    now: u64,
    inbox: BTreeMap<u64, InboxMessage>,
}

#[derive(Clone)]
struct Kept {
    etag: Etag,
    object: NewObject,
    change: u64,
}

impl Memory {
    fn state(&self) -> MutexGuard<'_, Contents> {
        self.state
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn key(&self, uid: &Uid) -> Uid {
        assert!(
            self.flaw != PanicsAtSlashes || !uid.as_str().contains('/'),
            "a slash"
        );
        match self.flaw {
            FoldsUids => Uid::new(uid.as_str().to_lowercase()).unwrap(),
            _ => uid.clone(),
        }
    }

    fn account<T>(&self, user: &UserId, work: impl FnOnce(&mut Account) -> Result<T>) -> Result<T> {
        let mut state = self.state();
        let first = state.users.keys().next().cloned();
        let user = match self.flaw {
            SharesObjects => first.filter(|_| state.users.contains_key(user)),
            _ => Some(user.clone()),
        };
        let account = user.and_then(|user| state.users.get_mut(&user));
        work(account.ok_or_else(|| Error::not_found("no such user"))?)
    }

    fn check(&self, account: &Account, uid: &Uid, when: &Precondition) -> Result<()> {
        let there = account.objects.get(uid);
        let holds = match when {
            _ if self.flaw == NoPreconditions => true,
            Precondition::Any => true,
            Precondition::Absent => there.is_none() || self.flaw == CreatesOverOthers,
            Precondition::Matches(etag) => there.is_some_and(|kept| kept.etag == *etag),
            _ => false,
        };
        if holds {
            Ok(())
        } else {
            Err(Error::conflict("it was changed"))
        }
    }

    fn write(&self, account: &mut Account, object: &NewObject) -> Etag {
        let mut object = object.clone();
        if self.flaw == CutsLargeObjects {
            object.data.truncate(100_000);
        }
        if self.flaw == AddsALine {
            object.data.extend(b"X-SEEN:by the store\r\n");
        }
        account.now += 1;
        let etag = match self.flaw {
            AlwaysOneEtag => "1".to_owned(),
            _ => account.now.to_string(),
        };
        let kept = Kept {
            etag: Etag::new(etag).unwrap(),
            change: account.now,
            object,
        };
        let etag = kept.etag.clone();
        let uid = self.key(&kept.object.index.uid);
        account.removed.remove(&uid);
        account.objects.insert(uid, kept);
        etag
    }

    fn overlaps(&self, span: TimeRange, range: TimeRange) -> bool {
        match self.flaw {
            SeesStartsOnly => range.contains(span.start()),
            SeesTouching => span.start() <= range.end() && range.start() <= span.end(),
            _ => span.overlaps(&range),
        }
    }
}

impl Store for Memory {
    type Config = ();

    async fn open((): (), _host: Host) -> Result<Self> {
        Err(Error::unsupported("a test makes it"))
    }

    async fn find(&self, address: &CalendarAddress, _: &Call) -> Result<Option<CalendarUser>> {
        let state = self.state();
        let mut users = state.users.values().map(|account| &account.user);
        let found = users.find(|user| match self.flaw {
            CountsCase => user.address == *address || user.aliases.contains(address),
            _ => user.answers_to(address),
        });
        Ok(found.cloned())
    }

    async fn get(&self, user: &UserId, uid: &Uid, _: &Call) -> Result<Option<StoredObject>> {
        let uid = self.key(uid);
        self.account(user, |account| {
            Ok(account.objects.get(&uid).map(|kept| {
                let (uid, data) = (kept.object.index.uid.clone(), kept.object.data.clone());
                StoredObject::new(uid, kept.etag.clone(), data)
            }))
        })
    }

    async fn put(
        &self,
        user: &UserId,
        object: &NewObject,
        when: &Precondition,
        _: &Call,
    ) -> Result<Etag> {
        let uid = self.key(&object.index.uid);
        if self.flaw == ChecksThenWrites {
            self.account(user, |account| self.check(account, &uid, when))?;
            tokio::task::yield_now().await;
            return self.account(user, |account| Ok(self.write(account, object)));
        }
        if self.flaw == WritesInTwoSteps {
            let data = object.data[..object.data.len() / 2].to_vec();
            let half = NewObject::new(data, object.index.clone());
            self.account(user, |account| {
                self.check(account, &uid, when)?;
                Ok(self.write(account, &half))
            })?;
            tokio::task::yield_now().await;
            return self.account(user, |account| Ok(self.write(account, object)));
        }
        if self.flaw == InventsUsers && self.account(user, |_| Ok(())).is_err() {
            return Ok(Etag::new("invented")?);
        }
        self.account(user, |account| {
            self.check(account, &uid, when)?;
            Ok(self.write(account, object))
        })
    }

    async fn remove(&self, user: &UserId, uid: &Uid, when: &Precondition, _: &Call) -> Result<()> {
        let uid = self.key(uid);
        self.account(user, |account| {
            self.check(account, &uid, when)?;
            if self.flaw == RemovesNothing {
                return Ok(());
            }
            account
                .objects
                .remove(&uid)
                .ok_or_else(|| Error::not_found("no such object"))?;
            account.now += 1;
            if self.flaw != ForgetsRemovals {
                account.removed.insert(uid, account.now);
            }
            Ok(())
        })
    }

    async fn busy(&self, user: &UserId, range: TimeRange, _: &Call) -> Result<Busy> {
        self.account(user, |account| {
            let mut busy = Busy::default();
            for (uid, kept) in &account.objects {
                let index = &kept.object.index;
                let spans = index.spans.iter();
                busy.spans
                    .extend(spans.filter(|span| self.overlaps(span.range, range)));
                if index.is_open_in(range) && self.flaw != ForgetsOpenObjects {
                    let data = kept.object.data.clone();
                    let object = StoredObject::new(uid.clone(), kept.etag.clone(), data);
                    busy.objects.push(object);
                }
            }
            Ok(busy)
        })
    }

    async fn add_user(&self, user: &NewUser, _: &Call) -> Result<UserId> {
        if self.flaw == OffersNoUsers {
            return Err(Error::unsupported("an administrator makes them"));
        }
        let mut state = self.state();
        let addresses = || [&user.address].into_iter().chain(&user.aliases);
        let taken = addresses().any(|address| {
            state
                .users
                .values()
                .any(|account| account.user.answers_to(address))
        });
        if taken && self.flaw != SharesAddresses {
            return Err(Error::conflict("the address is taken"));
        }
        state.made += 1;
        let id = UserId::new(format!("u{}", state.made))?;
        let mut made = user.clone().with_id(id.clone());
        if self.flaw == DropsAttributes {
            made.attributes = Attributes::new();
        }
        let objects = state.left_behind.remove(made.address.as_str());
        let account = Account {
            user: made,
            objects: objects.unwrap_or_default(),
            removed: BTreeMap::new(),
            now: 0,
            inbox: BTreeMap::new(),
        };
        state.users.insert(id.clone(), account);
        Ok(id)
    }

    async fn remove_user(&self, user: &UserId, _: &Call) -> Result<()> {
        if self.flaw == OffersNoUsers {
            return Err(Error::unsupported("an administrator removes them"));
        }
        let mut state = self.state();
        let account = state.users.remove(user);
        let account = account.ok_or_else(|| Error::not_found("no such user"))?;
        if self.flaw == KeepsRemovedUsers {
            let address = account.user.address.as_str().to_owned();
            state.left_behind.insert(address, account.objects);
        }
        Ok(())
    }

    async fn users(&self, page: &Page, _: &Call) -> Result<Listing<CalendarUser>> {
        let state = self.state();
        let after = page
            .after
            .clone()
            .map(|cursor| cursor.0)
            .unwrap_or_default();
        let users = state
            .users
            .iter()
            .filter(|(id, _)| id.as_str() > after.as_str());
        let mut items: Vec<_> = users.map(|(_, account)| account.user.clone()).collect();
        let more = items.len() > page.limit as usize;
        items.truncate(page.limit as usize);
        let next = items
            .last()
            .filter(|_| more)
            .map(|user| Cursor(user.id.to_string()));
        Ok(Listing::new(items, next))
    }

    async fn list(&self, user: &UserId, page: &Page, _: &Call) -> Result<Listing<ObjectSummary>> {
        let after = page
            .after
            .clone()
            .map(|cursor| cursor.0)
            .unwrap_or_default();
        self.account(user, |account| {
            let objects = account.objects.iter().filter(|(uid, _)| match self.flaw {
                RepeatsAtPageEnds => uid.as_str() >= after.as_str(),
                _ => uid.as_str() > after.as_str(),
            });
            let mut items: Vec<_> = objects.map(summary).collect();
            let more = items.len() > page.limit as usize;
            items.truncate(page.limit as usize);
            let next = items.last().filter(|_| more);
            let next = next.map(|object| Cursor(object.uid.to_string()));
            Ok(Listing::new(items, next))
        })
    }

    async fn changes(&self, user: &UserId, since: Option<&Cursor>, _: &Call) -> Result<Changes> {
        self.account(user, |account| {
            let seen = match since.map(|cursor| cursor.0.parse::<u64>()) {
                None => 0,
                Some(Ok(seen)) => seen,
                Some(Err(_)) if self.flaw == TakesAnyCursor => 0,
                Some(Err(_)) => return Err(Error::invalid("no cursor")),
            };
            let objects = account
                .objects
                .iter()
                .filter(|(_, kept)| kept.change > seen)
                .filter(|(_, kept)| self.flaw != ForgetsAPut || kept.change % 11 != 0);
            let removed = account.removed.iter().filter(|(_, change)| **change > seen);
            Ok(Changes::new(
                objects.map(summary).collect(),
                removed.map(|(uid, _)| uid.clone()).collect(),
                Cursor::new(account.now.to_string()),
            ))
        })
    }

    async fn inbox_add(
        &self,
        user: &UserId,
        message: &InboxMessage,
        _: &Call,
    ) -> Result<MessageId> {
        self.account(user, |account| {
            if self.flaw == PutsInboxMessages {
                let index = ObjectIndex::new("VEVENT", message.uid.clone());
                self.write(account, &NewObject::new(message.data.clone(), index));
            }
            let about = |it: &InboxMessage| {
                let uid = (it.uid.clone(), it.instance.clone());
                (uid, it.method.clone(), it.originator.clone())
            };
            let before = account
                .inbox
                .iter()
                .find(|(_, it)| about(it) == about(message));
            let before = before.map(|(id, _)| *id);
            if let Some(id) = before {
                if self.flaw == KeepsTheFirstOfTwo {
                    return Ok(MessageId::new(id.to_string())?);
                }
                account.inbox.remove(&id);
            }
            if let Some(room) = message.room.filter(|_| self.flaw != HasEndlessRoom) {
                let size = |it: &InboxMessage| it.data.len() as u64;
                let of_sender = |it: &&InboxMessage| it.originator == message.originator;
                let all: u64 = account.inbox.values().map(size).sum();
                let of_sender: u64 = account.inbox.values().filter(of_sender).map(size).sum();
                let counts_senders = self.flaw != CountsNoSenders;
                if all + size(message) > room.total
                    || (counts_senders && of_sender + size(message) > room.of_sender)
                {
                    return Err(Error::conflict("there is no room"));
                }
            }
            account.now += 1;
            let mut kept = message.clone();
            kept.room = None;
            account.inbox.insert(account.now, kept);
            Ok(MessageId::new(account.now.to_string())?)
        })
    }

    async fn inbox_list(
        &self,
        user: &UserId,
        page: &Page,
        _: &Call,
    ) -> Result<Listing<InboxEntry>> {
        let after = page.after.as_ref().map_or("0", Cursor::as_str);
        let after: u64 = after.parse().map_err(|_| Error::invalid("no cursor"))?;
        self.account(user, |account| {
            let rest = account.inbox.range(after + 1..);
            let entries = rest.map(|(id, message)| {
                let id = MessageId::new(id.to_string())?;
                Ok(InboxEntry::new(id, message.clone()))
            });
            let entries = entries.take(page.len() + 1).collect::<Result<Vec<_>>>()?;
            Ok(Listing::page(entries, page, |last| {
                Cursor::new(last.id.as_str())
            }))
        })
    }

    async fn inbox_take(&self, user: &UserId, id: &MessageId, _: &Call) -> Result<InboxMessage> {
        let id: u64 = id.as_str().parse().map_err(|_| Error::not_found("gone"))?;
        self.account(user, |account| {
            let taken = match self.flaw {
                GivesTwice => account.inbox.get(&id).cloned(),
                _ => account.inbox.remove(&id),
            };
            taken.ok_or_else(|| Error::not_found("it is gone"))
        })
    }

    async fn update_user(&self, user: &CalendarUser, _: &Call) -> Result<()> {
        let mut state = self.state();
        let addresses = || [&user.address].into_iter().chain(&user.aliases);
        let mut others = state.users.values().filter(|it| it.user.id != user.id);
        let taken = others.any(|other| addresses().any(|it| other.user.answers_to(it)));
        if taken && self.flaw != LetsAddressesBeTaken {
            return Err(Error::conflict("the address is taken"));
        }
        let account = state.users.get_mut(&user.id);
        let account = account.ok_or_else(|| Error::not_found("no such user"))?;
        let before = std::mem::replace(&mut account.user, user.clone());
        if self.flaw == KeepsOldAddresses {
            account.user.aliases.push(before.address);
        }
        Ok(())
    }

    async fn await_changes(&self, watch: &Watch, call: &Call) -> Result<Changed> {
        if self.flaw == AnswersTooLate {
            let left = call.time_left().unwrap_or_default();
            tokio::time::sleep(left + Duration::from_millis(1)).await;
            return Ok(Changed::default());
        }
        loop {
            let mut users = Vec::new();
            for watched in &watch.users {
                let changes = self
                    .changes(&watched.user, Some(&watched.since), call)
                    .await?;
                if !changes.changed.is_empty() || !changes.removed.is_empty() {
                    users.push(watched.user.clone());
                }
            }
            if !users.is_empty() || call.patience() < Duration::from_millis(20) {
                return Ok(Changed::of(users));
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn deliver(
        &self,
        user: &UserId,
        message: &InboxMessage,
        call: &Call,
    ) -> Result<Delivery> {
        match self.flaw {
            SaysNoStatus => return Ok(Delivery::Handled("done".to_owned())),
            KeepsWhatItLeaves => drop(self.inbox_add(user, message, call).await?),
            _ => {}
        }
        Ok(Delivery::Unhandled)
    }
}

fn summary((uid, kept): (&Uid, &Kept)) -> ObjectSummary {
    let component = kept.object.index.component.clone();
    ObjectSummary::new(uid.clone(), component, kept.etag.clone())
}

/// Each flaw, and a law that it breaks; there is one for every law of the kit.
const FLAWS: &[(Flaw, &str)] = &[
    (AddsALine, "an object is got as it was put"),
    (AlwaysOneEtag, "a second put replaces the first"),
    (
        NoPreconditions,
        "a stale etag is a conflict and changes nothing",
    ),
    (CreatesOverOthers, "create-only refuses what is there"),
    (
        CreatesOverOthers,
        "of a hundred concurrent creators one wins",
    ),
    (RemovesNothing, "a removed object is gone"),
    (FoldsUids, "a UID is opaque, whatever it holds"),
    (PanicsAtSlashes, "a UID is opaque, whatever it holds"),
    (CutsLargeObjects, "an object of 1 MB is kept whole"),
    (
        ChecksThenWrites,
        "a hundred concurrent writers lose no update",
    ),
    (
        ChecksThenWrites,
        "of a hundred concurrent creators one wins",
    ),
    (
        WritesInTwoSteps,
        "a call that is given up leaves the old or the new object",
    ),
    (SeesStartsOnly, "busy time is what the indexes say"),
    (SeesTouching, "spans that only touch a range are not in it"),
    (
        ForgetsOpenObjects,
        "an object whose recurrence goes on is handed back",
    ),
    (
        RepeatsAtPageEnds,
        "pages of a listing hold each object once",
    ),
    (ForgetsAPut, "who follows the changes sees what is listed"),
    (OffersNoUsers, "a store has calendar users"),
    (
        ForgetsRemovals,
        "changes tell what happened since the cursor",
    ),
    (
        TakesAnyCursor,
        "a cursor that the store did not make is invalid",
    ),
    (CountsCase, "every address of a user finds it, in any case"),
    (SharesAddresses, "an address belongs to one user"),
    (SharesObjects, "two users never see each other's objects"),
    (InventsUsers, "a user that is not there is not found"),
    (KeepsRemovedUsers, "a removed user is gone with everything"),
    (
        PutsInboxMessages,
        "a kept message is taken and is no object",
    ),
    (
        AnswersTooLate,
        "who waits for changes is told of them in time",
    ),
    (
        DropsAttributes,
        "every address of a user finds it, in any case",
    ),
    (KeepsOldAddresses, "what is known of a user can be changed"),
    (
        LetsAddressesBeTaken,
        "what is known of a user can be changed",
    ),
    (
        KeepsTheFirstOfTwo,
        "kept messages are listed, and taken once",
    ),
    (GivesTwice, "kept messages are listed, and taken once"),
    (
        HasEndlessRoom,
        "no more messages are kept than there is room for",
    ),
    (
        CountsNoSenders,
        "no more messages are kept than there is room for",
    ),
    (
        SaysNoStatus,
        "a message is delivered whole, or left to the host",
    ),
    (
        KeepsWhatItLeaves,
        "a message is delivered whole, or left to the host",
    ),
    (HidesBesideItself, "it is opened twice side by side"),
    (
        ForgetsAtTheEnd,
        "a store that is closed and opened again holds everything",
    ),
];

async fn report(flaw: Flaw) -> conformance::Report {
    let state = Arc::new(Mutex::new(Contents::default()));
    let open = || async {
        let state = match flaw {
            ForgetsAtTheEnd | HidesBesideItself => Arc::default(),
            _ => Arc::clone(&state),
        };
        Ok(Memory { flaw, state })
    };
    conformance::store(open, &StoreFacts::default()).await
}

#[tokio::test]
async fn a_right_store_keeps_every_law() {
    let report = report(Nothing).await;
    report.assert_kept();
    let kept = |law: &conformance::Law| law.outcome == conformance::Outcome::Kept;
    assert!(report.laws.iter().all(kept), "{report}");
    assert_eq!(report.laws.len(), 30);
    for law in &report.laws {
        let is_tried = FLAWS.iter().any(|(_, broken)| law.name == *broken);
        assert!(is_tried, "no flaw breaks “{}”", law.name);
    }
}

#[tokio::test]
async fn each_flaw_breaks_its_law() {
    // At once, as some take as long as they may.
    let reports = FLAWS
        .iter()
        .map(|(flaw, law)| (flaw, law, tokio::spawn(report(*flaw))));
    for (flaw, law, report) in reports.collect::<Vec<_>>() {
        let report = report.await.unwrap();
        let found = report.broken().any(|(name, _)| name == *law);
        assert!(found, "{flaw:?} should break “{law}”:\n{report}");
    }
}

#[tokio::test]
async fn a_store_that_makes_no_users_is_asked_with_those_it_has() {
    let state = Arc::new(Mutex::new(Contents::default()));
    let store = |flaw| Memory {
        flaw,
        state: Arc::clone(&state),
    };
    let users = ["a@example.org", "b@example.org"].map(|text| CalendarAddress::new(text).unwrap());
    for user in &users {
        let made = store(Nothing)
            .add_user(&NewUser::new(user.clone()), &Call::default())
            .await;
        made.unwrap();
    }
    let open = || async { Ok(store(OffersNoUsers)) };
    let report = conformance::store(open, &StoreFacts::with_users(users)).await;
    report.assert_kept();
    let kept = |law: &&conformance::Law| law.outcome == conformance::Outcome::Kept;
    assert_eq!(report.laws.iter().filter(kept).count(), 26, "{report}");
}
