//! A plugin that behaves, of all kinds: what crosses the boundary is seen to arrive.

#![forbid(unsafe_code)] // what `plugin!` writes must pass the strictest crate

use convoke_sdk::{prelude::*, tracing};
use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// Receivers by domain, after a rest.
struct Finder {
    config: FinderConfig,
    host: Host,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FinderConfig {
    #[serde(default)]
    domains: BTreeMap<Domain, ReceiverUrl>,
    /// A timer, on tokio's clock.
    #[serde(default)]
    rest_milliseconds: u64,
}

impl Discovery for Finder {
    type Config = FinderConfig;

    async fn open(config: FinderConfig, host: Host) -> Result<Self> {
        Ok(Self { config, host })
    }

    async fn discover(&self, address: &CalendarAddress, _: &Call) -> Result<Discovered> {
        if self.config.rest_milliseconds > 0 {
            tokio::time::sleep(Duration::from_millis(self.config.rest_milliseconds)).await;
        }
        tracing::info!(%address, instance = self.host.instance(), "looked up");
        let receiver = self.config.domains.get(address.domain()?);
        Ok(receiver.cloned().map_or(Discovered::NotMine, |url| {
            let mut receiver = Receiver::administered(url);
            receiver.tls_name = Some(Domain::new("tls.example").expect("a domain"));
            receiver.valid_for = Some(Duration::from_millis(1500));
            Discovered::Receivers(vec![receiver])
        }))
    }
}

/// Answers as its configuration says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Judge {
    answer: Answer,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Answer {
    Allow,
    Busy,
    Deny,
    Abstain,
    /// Denies, and tells what it was asked.
    Tell,
}

impl Policy for Judge {
    type Config = Self;

    async fn open(config: Self, _host: Host) -> Result<Self> {
        Ok(config)
    }

    async fn authorize(&self, request: &AccessRequest, _: &Call) -> Result<Decision> {
        let mut busy = Grant::default();
        busy.detail = Detail::Busy;
        Ok(match self.answer {
            Answer::Allow => Decision::allow(),
            Answer::Busy => Decision::Allow(busy),
            Answer::Deny => Decision::deny("closed"),
            Answer::Abstain => Decision::Abstain,
            Answer::Tell => Decision::deny(format!("{request:?}")),
        })
    }
}

/// One user, objects in memory.
struct Memory {
    user: CalendarUser,
    host: Host,
    objects: Mutex<BTreeMap<Uid, (u64, NewObject)>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MemoryConfig {
    user: CalendarAddress,
}

impl Memory {
    fn objects(&self) -> std::sync::MutexGuard<'_, BTreeMap<Uid, (u64, NewObject)>> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn etag(version: u64) -> Result<Etag> {
    Ok(Etag::new(version.to_string())?)
}

fn stored(uid: &Uid, version: u64, object: &NewObject) -> Result<StoredObject> {
    Ok(StoredObject::new(
        uid.clone(),
        etag(version)?,
        object.data.clone(),
    ))
}

impl Store for Memory {
    type Config = MemoryConfig;

    async fn open(config: MemoryConfig, host: Host) -> Result<Self> {
        let mut user = CalendarUser::new(UserId::new("one")?, config.user);
        user.timezone = Some("Europe/Zurich".to_owned());
        user.kind = UserKind::Room;
        Ok(Self {
            user,
            host,
            objects: Mutex::default(),
        })
    }

    async fn find(&self, address: &CalendarAddress, _: &Call) -> Result<Option<CalendarUser>> {
        Ok(self.user.answers_to(address).then(|| self.user.clone()))
    }

    async fn get(&self, _user: &UserId, uid: &Uid, _: &Call) -> Result<Option<StoredObject>> {
        let objects = self.objects();
        let object = objects.get(uid);
        object
            .map(|(version, object)| stored(uid, *version, object))
            .transpose()
    }

    async fn put(
        &self,
        _user: &UserId,
        object: &NewObject,
        when: &Precondition,
        _: &Call,
    ) -> Result<Etag> {
        let uid = object.index.uid.clone();
        let mut objects = self.objects();
        let version = objects.get(&uid).map_or(0, |(version, _)| *version);
        let there = (version > 0).then(|| etag(version)).transpose()?;
        when.check(there.as_ref())?;
        objects.insert(uid, (version + 1, object.clone()));
        etag(version + 1)
    }

    async fn remove(
        &self,
        _user: &UserId,
        uid: &Uid,
        _when: &Precondition,
        _: &Call,
    ) -> Result<()> {
        let removed = self.objects().remove(uid);
        removed
            .map(|_| ())
            .ok_or_else(|| Error::not_found("no such object"))
    }

    async fn busy(&self, _user: &UserId, range: TimeRange, _: &Call) -> Result<Busy> {
        let mut busy = Busy::default();
        for (uid, (version, object)) in self.objects().iter() {
            let spans = object.index.spans.iter();
            busy.spans
                .extend(spans.filter(|span| span.range.overlaps(&range)));
            if object.index.is_open_in(range) {
                busy.objects.push(stored(uid, *version, object)?);
            }
        }
        Ok(busy)
    }

    async fn list(&self, _user: &UserId, page: &Page, _: &Call) -> Result<Listing<ObjectSummary>> {
        let objects = self.objects();
        let rest = objects.iter().filter(|(uid, _)| {
            page.after
                .as_ref()
                .is_none_or(|after| uid.as_str() > &*after.0)
        });
        let items: Vec<_> = rest
            .take(page.limit as usize)
            .map(|(uid, (version, object))| {
                Ok(ObjectSummary::new(
                    uid.clone(),
                    object.index.component.clone(),
                    etag(*version)?,
                ))
            })
            .collect::<Result<_>>()?;
        let full = items.len() == page.limit as usize;
        let last = items.last().filter(|_| full);
        let next = last.map(|item| Cursor(item.uid.as_str().to_owned()));
        Ok(Listing::new(items, next))
    }

    /// Asks the host what the message is, to see that it can be asked.
    async fn deliver(&self, _user: &UserId, message: &InboxMessage, _: &Call) -> Result<Delivery> {
        let index = self.host.index_for(&self.user, &message.data)?;
        Ok(Delivery::Handled(format!("2.0;{}", index.component)))
    }
}

convoke_sdk::plugin! { name: "test-sample", vendor: "Test Ltd.", discovery: Finder, policy: Judge, store: Memory }
