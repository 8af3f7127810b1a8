//! On whose behalf plugins are asked.
//!
//! Anybody may send what a plugin cannot stand. So failures, and places in the queue of a plugin's process, are counted
//! by origin: whoever breaks a plugin again and again is kept away from it, and nobody else is.

use convoke_sdk::{CalendarAddress, Proof, Purpose};
use std::{
    future::Future,
    hash::{BuildHasher, Hasher, RandomState},
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU64, Ordering},
    },
};

tokio::task_local! {
    /// The number of the request that came in.
    static REQUEST: u64;
    /// Who it is, and the number of the request.
    static CURRENT: (Origin, u64);
}

/// The number of the next request; those of another run are others. All of them are exact for programs that know no whole
/// numbers above 2^53.
static NEXT: LazyLock<AtomicU64> =
    LazyLock::new(|| AtomicU64::new(RandomState::new().build_hasher().finish() >> 12));

/// Who caused a call: the registrable domain of a peer, or one of our own people.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    who: Arc<str>,
    purpose: Purpose,
}

impl Origin {
    /// The origin of a message. What the peer proved covers its originator, so the originator's domain is what was
    /// proven; of those who hand in messages here, each user is an origin of its own.
    pub fn of(originator: &CalendarAddress, proofs: &[Proof]) -> Self {
        let submitted = |proof: &Proof| matches!(proof, Proof::Submission(_));
        let (who, purpose) = match originator.domain() {
            _ if proofs.iter().any(submitted) => (originator.as_str(), Purpose::Submission),
            // Sub-domains cost nothing.
            Ok(domain) => (
                psl::domain_str(domain.as_str()).unwrap_or(domain.as_str()),
                Purpose::Delivery,
            ),
            Err(_) => (originator.as_str(), Purpose::Delivery),
        };
        Self {
            who: who.into(),
            purpose,
        }
    }

    /// The origin of the calls that the current task makes; `None` for the host's own.
    pub fn current() -> Option<Self> {
        CURRENT.try_with(|(origin, _)| origin.clone()).ok()
    }

    /// The number of the request that the current task works on; 0 for none.
    pub(crate) fn request_id() -> u64 {
        CURRENT.try_with(|(_, id)| *id).unwrap_or_default()
    }

    /// A number for a request that has come in.
    pub fn new_request() -> u64 {
        NEXT.fetch_add(1, Ordering::Relaxed)
    }

    /// Works on a request that has come in: all calls that it leads to carry its number.
    pub fn of_request<T>(id: u64, work: impl Future<Output = T>) -> impl Future<Output = T> {
        REQUEST.scope(id, work)
    }

    /// What its calls are made for.
    pub(crate) const fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// Who it is, for people.
    pub fn as_str(&self) -> &str {
        &self.who
    }

    /// Makes the calls of `work` on behalf of this origin.
    pub fn ask<T>(self, work: impl Future<Output = T>) -> impl Future<Output = T> {
        let id = REQUEST.try_with(|id| *id);
        let id = id.unwrap_or_else(|_| Self::new_request());
        CURRENT.scope((self, id), work)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sub_domains_are_one_origin_and_our_own_people_are_many() {
        let origin = |address: &str, submitted: bool| {
            let address: CalendarAddress = address.parse().unwrap();
            let proof = submitted.then(|| Proof::Submission(address.clone()));
            Origin::of(&address, proof.as_slice())
        };
        for (address, submitted, expected) in [
            ("mailto:a@example.com", false, "example.com"),
            ("mailto:b@x.y.example.com", false, "example.com"),
            ("mailto:b@x.example.co.uk", false, "example.co.uk"),
            ("mailto:a@example.org", true, "mailto:a@example.org"),
        ] {
            assert_eq!(origin(address, submitted).as_str(), expected);
        }
    }

    #[tokio::test]
    async fn all_that_is_done_for_a_request_has_its_number() {
        let origin = || Origin::of(&"mailto:a@example.com".parse().unwrap(), &[]);
        let id = Origin::new_request();
        let seen = Origin::of_request(id, async {
            let first = origin().ask(async { Origin::request_id() }).await;
            (first, origin().ask(async { Origin::request_id() }).await)
        });
        assert_eq!(seen.await, (id, id));
        let other = origin().ask(async { Origin::request_id() }).await;
        assert!(other != id && other != 0);
    }

    #[tokio::test]
    async fn calls_have_the_origin_of_the_task_around_them() {
        assert_eq!(Origin::current(), None);
        let origin = Origin::of(&"mailto:a@example.com".parse().unwrap(), &[]);
        let seen = origin.clone().ask(async { Origin::current() }).await;
        assert_eq!(seen, Some(origin));
    }
}
