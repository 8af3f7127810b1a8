//! The stores, by the domains they serve.

use super::{Handle, PluginEntry, Schedule};
use convoke_sdk::{CalendarAddress, CalendarUser, Domain, Result, remote::RemoteStore};
use std::{cmp::Reverse, ops::Deref, sync::Arc, time::Duration};

/// The deadline of a store's call, if its entry says nothing.
pub(super) const DEADLINE: Duration = Duration::from_secs(10);

/// The stores of the configuration.
pub struct Stores {
    stores: Vec<Arc<StoreHandle>>,
    /// What each serves: a domain and the store's place, the most specific domain first.
    served: Vec<(Domain, usize)>,
}

impl Stores {
    pub(super) fn new(stores: Vec<Arc<StoreHandle>>, ours: &[Domain]) -> Self {
        let domains = stores.iter().map(|store| store.domains.as_slice());
        Self {
            served: by_domain(domains, ours),
            stores,
        }
    }

    /// The store that serves the address's domain; the most specific domain decides, then file order.
    pub fn for_address(&self, address: &CalendarAddress) -> Option<&Arc<StoreHandle>> {
        let domain = address.domain().ok()?;
        let (_, place) = self
            .served
            .iter()
            .find(|(served, _)| domain.is_within(served))?;
        self.stores.get(*place)
    }

    /// The calendar user whose address this is, and the store that has it.
    ///
    /// A mailbox is looked for in the store that serves its domain. What an alias may be besides (`urn:uuid:…`, the URL
    /// of a principal) says nothing of where it lies: it is looked for in every store, until one has it.
    pub async fn find(
        &self,
        address: &CalendarAddress,
    ) -> Result<Option<(&Arc<StoreHandle>, CalendarUser)>> {
        let serving = self.for_address(address);
        let is_mailbox = address.local_part().is_some();
        let others = self.stores.iter().filter(|store| {
            let asked = serving.is_some_and(|serving| Arc::ptr_eq(serving, store));
            !is_mailbox && !asked
        });
        let mut failure = None;
        for store in serving.into_iter().chain(others) {
            match store.find(address).await {
                Ok(Some(user)) => return Ok(Some((store, user))),
                Ok(None) => {}
                Err(error) => failure = Some(error),
            }
        }
        failure.map_or(Ok(None), Err)
    }

    /// The store that the administrator calls `name`.
    pub fn by_name(&self, name: &str) -> Option<&Arc<StoreHandle>> {
        self.stores.iter().find(|store| store.name() == name)
    }

    /// All of them, in file order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<StoreHandle>> {
        self.stores.iter()
    }
}

/// Which domain each store serves, the most specific first. A store that lists none serves the server's, after those
/// that list the same one.
fn by_domain<'a>(
    stores: impl Iterator<Item = &'a [Domain]>,
    ours: &[Domain],
) -> Vec<(Domain, usize)> {
    let mut served: Vec<(Domain, usize, bool)> = Vec::new();
    for (place, domains) in stores.enumerate() {
        let all = domains.is_empty();
        let domains = if all { ours } else { domains };
        served.extend(domains.iter().map(|domain| (domain.clone(), place, all)));
    }
    let labels = |domain: &Domain| domain.as_str().split('.').count();
    served.sort_by_key(|(domain, place, all)| (Reverse(labels(domain)), *all, *place));
    served
        .into_iter()
        .map(|(domain, place, _)| (domain, place))
        .collect()
}

/// An opened store: the methods of [`convoke_sdk::Store`], each with its deadline; arguments are borrowed so that a
/// caller can try again.
pub struct StoreHandle {
    handle: Handle<RemoteStore>,
    domains: Vec<Domain>,
    schedule: Schedule,
}

impl StoreHandle {
    pub(super) fn new(handle: Handle<RemoteStore>, entry: &PluginEntry) -> Self {
        Self {
            handle,
            domains: entry.domains.clone(),
            schedule: entry.schedule,
        }
    }

    /// Whether the changes that people make in it are told.
    pub fn schedule(&self) -> Schedule {
        self.schedule
    }
}

impl Deref for StoreHandle {
    type Target = Handle<RemoteStore>;

    fn deref(&self) -> &Self::Target {
        &self.handle
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_specific_domain_decides_then_file_order() {
        let domain = |text| Domain::new(text).unwrap();
        let [org, lab, com] = ["example.org", "lab.example.org", "example.com"].map(domain);
        let stores = [vec![], vec![org.clone()], vec![lab.clone(), org.clone()]];
        let served = by_domain(
            stores.iter().map(Vec::as_slice),
            &[org.clone(), com.clone()],
        );
        assert_eq!(
            served,
            [
                (lab, 2),
                (org.clone(), 1),
                (org.clone(), 2),
                (org, 0),
                (com, 0)
            ]
        );
    }
}
