//! Who may pass something on to the server now.
//!
//! There are so many places at once, and each address has a share of them, so that no one peer can shut out all others. Who has not
//! proved a log-in lately has a part of both alone, as wrong ones cost a guesser nothing and a slow server answers them late: whom
//! the server has just let in finds a place whatever strangers do, also strangers who come by the same proxy or guess at a
//! log-in that is used there.
//!
//! A request has one place, however many questions it asks the server at once: one that held a place and waited for another one could
//! wait for itself.

use convoke_net::network::network;
use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

/// Requests that are passed on at once.
const AT_ONCE: usize = 256;
/// Those among them of log-ins that were right from there before and are to be proved again; and those of everybody else.
const UNPROVED: usize = 96;
/// How long a request waits for one of the others to end.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is known of who asks, before the server is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// The server took the same credentials lately.
    Proved,
    /// The log-in was right from there before; or somebody says so.
    Familiar,
    /// Anybody.
    Stranger,
}

/// All places.
pub(super) struct Places {
    all: Pool,
    familiar: Pool,
    strangers: Pool,
}

/// One of them. It is given back when nothing holds it any more.
pub(crate) struct Place {
    _of_all: Permits,
    _of_unproved: Option<Permits>,
}

/// The place of one request, as long as something of it goes on.
#[derive(Default)]
pub(crate) struct OwnPlace(Mutex<Weak<Place>>);

/// Places, of which an address has half at most.
struct Pool {
    size: usize,
    all: Arc<Semaphore>,
    /// By [`network`].
    shares: Mutex<HashMap<IpAddr, Weak<Semaphore>>>,
}

/// A place of a pool, and of an address's share of it.
struct Permits {
    _of_share: OwnedSemaphorePermit,
    _of_all: OwnedSemaphorePermit,
}

impl Places {
    pub(super) fn new() -> Self {
        Self {
            all: Pool::new(AT_ONCE),
            familiar: Pool::new(UNPROVED),
            strangers: Pool::new(UNPROVED),
        }
    }

    /// The place that a request has, or else one as soon as one is free; `None` if that takes too long.
    pub(super) async fn of(
        &self,
        own: &OwnPlace,
        client: IpAddr,
        standing: Standing,
    ) -> Option<Arc<Place>> {
        if let Some(place) = own.held() {
            return Some(place);
        }
        let taken = timeout(PATIENCE, self.take(client, standing)).await;
        let place = Arc::new(taken.ok().flatten()?);
        *own.lock() = Arc::downgrade(&place);
        Some(place)
    }

    async fn take(&self, client: IpAddr, standing: Standing) -> Option<Place> {
        // First that: who waits for it keeps nobody else from a place.
        let of_unproved = match standing {
            Standing::Proved => None,
            Standing::Familiar => Some(self.familiar.take(client).await?),
            Standing::Stranger => Some(self.strangers.take(client).await?),
        };
        Some(Place {
            _of_all: self.all.take(client).await?,
            _of_unproved: of_unproved,
        })
    }
}

impl OwnPlace {
    fn held(&self) -> Option<Arc<Place>> {
        self.lock().upgrade()
    }

    fn lock(&self) -> MutexGuard<'_, Weak<Place>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pool {
    fn new(size: usize) -> Self {
        Self {
            size,
            all: Arc::new(Semaphore::new(size)),
            shares: Mutex::default(),
        }
    }

    async fn take(&self, client: IpAddr) -> Option<Permits> {
        let share = self.share_of(client);
        let of_share = share.acquire_owned().await.ok()?;
        Some(Permits {
            _of_share: of_share,
            _of_all: self.all.clone().acquire_owned().await.ok()?,
        })
    }

    fn share_of(&self, client: IpAddr) -> Arc<Semaphore> {
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        let network = network(client);
        if let Some(share) = shares.get(&network).and_then(Weak::upgrade) {
            return share;
        }
        if shares.len() >= self.size {
            shares.retain(|_, share| share.strong_count() > 0);
        }
        let share = Arc::new(Semaphore::new(self.size / 2));
        shares.insert(network, Arc::downgrade(&share));
        share
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const OTHER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

    async fn take(places: &Places, client: IpAddr, standing: Standing) -> Option<Arc<Place>> {
        places.of(&OwnPlace::default(), client, standing).await
    }

    /// As many as there are.
    async fn take_all(places: &Places, client: IpAddr, standing: Standing) -> Vec<Arc<Place>> {
        let mut taken = Vec::new();
        while let Some(place) = take(places, client, standing).await {
            taken.push(place);
        }
        taken
    }

    /// Virtual time: waits cost nothing.
    #[tokio::test(start_paused = true)]
    async fn nobody_shuts_out_all_others() {
        let places = Places::new();
        let mut taken = take_all(&places, ONE, Standing::Proved).await;
        assert_eq!(taken.len(), AT_ONCE / 2);
        assert!(take(&places, OTHER, Standing::Proved).await.is_some());
        taken.pop();
        assert!(take(&places, ONE, Standing::Proved).await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_not_proved_leaves_room_for_who_is() {
        let places = Places::new();
        let mut taken = Vec::new();
        for client in [ONE, OTHER, "192.0.2.3".parse().unwrap()] {
            for standing in [Standing::Stranger, Standing::Familiar] {
                let more = take_all(&places, client, standing).await;
                assert!(more.len() <= UNPROVED / 2);
                taken.extend(more);
            }
            // Also from where they come.
            assert!(take(&places, client, Standing::Proved).await.is_some());
        }
        assert_eq!(taken.len(), 2 * UNPROVED);
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_has_one_place_as_long_as_something_goes_on() {
        let places = Places::new();
        let own = OwnPlace::default();
        let first = places.of(&own, ONE, Standing::Proved).await;
        let others = take_all(&places, ONE, Standing::Proved).await;
        assert_eq!(others.len(), AT_ONCE / 2 - 1);
        let second = places.of(&own, ONE, Standing::Proved).await;
        assert!(second.is_some(), "it does not wait for itself");
        drop(first);
        assert!(take(&places, ONE, Standing::Proved).await.is_none());
        drop(second);
        assert!(take(&places, ONE, Standing::Proved).await.is_some());
    }
}
