//! Calendars in memory: they outlive a reload of the configuration, and are gone when the host ends.
use convoke_sdk::prelude::*;
use std::sync::{Mutex, MutexGuard, PoisonError, atomic::AtomicU64, atomic::Ordering};

convoke_sdk::config! {
    /// What the administrator writes under `config`; `convoke plugin inspect` shows these lines.
    struct Config {
        /// The largest object that is kept, in bytes.
        max_bytes: usize = 10_000_000,
    }
}

type Objects = BTreeMap<Uid, (StoredObject, ObjectIndex)>;

/// Outside the opened store, so that the next one finds it. Nobody waits while holding the lock.
static USERS: Mutex<BTreeMap<UserId, (CalendarUser, Objects)>> = Mutex::new(BTreeMap::new());
static VERSIONS: AtomicU64 = AtomicU64::new(0); // no version ever has the tag of another

fn users() -> MutexGuard<'static, BTreeMap<UserId, (CalendarUser, Objects)>> {
    USERS.lock().unwrap_or_else(PoisonError::into_inner)
}

fn with<T>(user: &UserId, work: impl FnOnce(&mut Objects) -> Result<T>) -> Result<T> {
    match users().get_mut(user) {
        Some((_, objects)) => work(objects),
        None => Err(Error::not_found("there is no such user")),
    }
}

/// An opened store. One is opened for each entry of the configuration, and asked from many threads at once.
struct Memory(Config);

impl Store for Memory {
    type Config = Config;
    async fn open(config: Config, _host: Host) -> Result<Self> {
        Ok(Self(config))
    }

    async fn find(&self, address: &CalendarAddress, _: &Call) -> Result<Option<CalendarUser>> {
        let users = users();
        let found = users.values().find(|(user, _)| user.answers_to(address));
        Ok(found.map(|(user, _)| user.clone()))
    }

    async fn get(&self, user: &UserId, uid: &Uid, _: &Call) -> Result<Option<StoredObject>> {
        with(user, |all| Ok(all.get(uid).map(|kept| kept.0.clone())))
    }

    async fn put(&self, id: &UserId, new: &NewObject, on: &Precondition, _: &Call) -> Result<Etag> {
        let (data, index) = (new.data.clone(), new.index.clone());
        if data.len() > self.0.max_bytes {
            return Err(Error::denied("it is larger than `config.max_bytes`"));
        }
        with(id, |objects| {
            on.check(objects.get(&index.uid).map(|kept| &kept.0.etag))?;
            let etag = Etag::new(VERSIONS.fetch_add(1, Ordering::Relaxed).to_string())?;
            let object = StoredObject::new(index.uid.clone(), etag.clone(), data);
            objects.insert(index.uid.clone(), (object, index));
            Ok(etag)
        })
    }

    async fn remove(&self, user: &UserId, uid: &Uid, when: &Precondition, _: &Call) -> Result<()> {
        with(user, |objects| {
            let there = objects.get(uid).map(|(object, _)| &object.etag);
            when.check(Some(there.ok_or(Error::not_found("no such object"))?))?;
            objects.remove(uid);
            Ok(())
        })
    }

    /// The spans in the range, and whole what the index leaves open: no iCalendar is read for it.
    async fn busy(&self, user: &UserId, range: TimeRange, _: &Call) -> Result<Busy> {
        with(user, |objects| {
            let mut busy = Busy::default();
            (objects.values()).for_each(|(object, index)| busy.add(object, index, range));
            Ok(busy)
        })
    }

    /// This and the further methods may be left out: `remove_user`, `list`, `changes`…
    async fn add_user(&self, new: &NewUser, _: &Call) -> Result<UserId> {
        let mut users = users();
        let id = UserId::new(format!("user-{}", users.len()))?;
        let user = new.clone().with_id(id);
        let taken = |address| users.values().any(|(user, _)| user.answers_to(address));
        if user.aliases.iter().chain([&user.address]).any(taken) {
            return Err(Error::conflict("the address is taken"));
        }
        users.insert(user.id.clone(), (user.clone(), Objects::new()));
        Ok(user.id)
    }
}

convoke_sdk::plugin! { name: "memory", store: Memory }

#[cfg(test)] // everything that the host relies on, in one line
convoke_sdk::conformance! { store: Memory, config: "" }
