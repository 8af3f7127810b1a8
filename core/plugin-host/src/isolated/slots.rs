//! How many calls are on their way at once, in all and of one origin.

use crate::origin::Origin;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

/// Places for calls. An origin has only some of them, so that calls of one that hang leave places to others.
pub(super) struct Slots {
    all: Semaphore,
    of_each: usize,
    origins: Mutex<HashMap<Origin, Arc<Semaphore>>>,
}

/// A place; free again when it is dropped.
pub(super) struct Slot<'a> {
    own: Option<(Origin, OwnedSemaphorePermit)>,
    slots: &'a Slots,
    _of_all: Option<SemaphorePermit<'a>>,
}

impl Slots {
    pub(super) fn new(all: usize, of_each: usize) -> Self {
        Self {
            all: Semaphore::new(all),
            of_each,
            origins: Mutex::default(),
        }
    }

    /// Waits for a place of the current task's origin. The host's own calls need only one of all.
    pub(super) async fn take(&self) -> Slot<'_> {
        let mut slot = Slot {
            own: None,
            slots: self,
            _of_all: None,
        };
        // Neither semaphore is ever closed.
        if let Some(origin) = Origin::current() {
            let own = self.of(&origin).acquire_owned().await.ok();
            slot.own = own.map(|permit| (origin, permit));
        }
        let of_all = self.all.acquire().await.ok();
        Slot {
            own: slot.own.take(),
            slots: self,
            _of_all: of_all,
        }
    }

    fn of(&self, origin: &Origin) -> Arc<Semaphore> {
        let new = || Arc::new(Semaphore::new(self.of_each));
        let mut origins = self.origins();
        Arc::clone(origins.entry(origin.clone()).or_insert_with(new))
    }

    fn origins(&self) -> MutexGuard<'_, HashMap<Origin, Arc<Semaphore>>> {
        self.origins.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        let Some((origin, permit)) = self.own.take() else {
            return;
        };
        let mut origins = self.slots.origins();
        drop(permit);
        // Those who wait hold it too.
        let unused = |own: &Arc<Semaphore>| Arc::strong_count(own) == 1;
        if origins.get(&origin).is_some_and(unused) {
            origins.remove(&origin);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use convoke_sdk::CalendarAddress;
    use futures::FutureExt;

    #[tokio::test]
    async fn one_origin_leaves_places_to_others_and_nothing_when_it_is_gone() {
        let slots = Slots::new(4, 2);
        let origin = |domain: &str| {
            let address = CalendarAddress::new(&format!("mailto:x@{domain}")).unwrap();
            Origin::of(&address, &[])
        };
        let take = |domain: &str| {
            origin(domain)
                .ask(slots.take())
                .boxed_local()
                .now_or_never()
        };
        let first = take("a.example");
        let second = take("a.example");
        assert!(first.is_some() && second.is_some());
        assert!(take("a.example").is_none());
        let other = take("b.example");
        let host = slots.take().boxed_local().now_or_never();
        assert!(other.is_some() && host.is_some());
        assert!(take("c.example").is_none(), "all are taken");
        drop((first, second, other, host));
        assert!(slots.origins().is_empty());
        assert!(take("a.example").is_some());
    }
}
