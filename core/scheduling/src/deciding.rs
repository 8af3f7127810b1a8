//! Of two who decide on one message at the same time, in two hosts, one does: what comes of a decision cannot be taken back.
//!
//! Within a host they do so one after the other anyway, and one that is alone with its state writes nothing for this.

use crate::{
    environment::{Environment, State},
    keys,
    scheduler::Scheduler,
};
use convoke_types::{Batch, CalendarUser, Error, ErrorKind, MessageId};
use std::time::Duration;

/// How long a host that ends in the middle keeps others from it.
const LONGEST: Duration = Duration::from_secs(60);

/// That nobody else decides on a message; nothing in a host that is alone.
#[must_use]
pub(crate) struct Deciding(Option<Vec<u8>>);

impl<E: Environment> Scheduler<E> {
    /// A conflict if another host is deciding on the message.
    pub(crate) async fn begin_deciding(
        &self,
        user: &CalendarUser,
        id: &MessageId,
    ) -> Result<Deciding, Error> {
        let host = self.shared.outbox.holder();
        if host.is_empty() {
            return Ok(Deciding(None));
        }
        let key = keys::deciding(user, id.as_str());
        let batch = Batch::new().if_absent(key.as_slice());
        let batch = batch.put_for(key.as_slice(), host, LONGEST);
        match self.environment.state().commit(batch).await {
            Err(error) if error.kind() == ErrorKind::Conflict => Err(Error::conflict(format!(
                "somebody else is deciding on message {id}; `convoke inbox list` shows what waits"
            ))),
            done => done.map(|_| Deciding(Some(key))),
        }
    }

    /// It is decided, or not.
    pub(crate) async fn end_deciding(&self, Deciding(key): Deciding) {
        let Some(key) = key else {
            return;
        };
        let batch = Batch::new().delete(key);
        if let Err(error) = self.environment.state().commit(batch).await {
            tracing::debug!("others cannot decide on a message for a moment: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        Unbounded,
        tests::world::{Host, Line, meeting, message, pause},
    };
    use convoke_types::{ErrorKind, MessageId};
    use futures::{executor::block_on, future::join};

    #[test]
    fn of_two_hosts_that_decide_one_does() {
        let mut by = [0, 0];
        for pauses in 0..30 {
            let first = Host::new();
            let [a, b] = ["a", "b"].map(|name| {
                let host = first.on_one_state(name, Line::default());
                host.loads();
                host
            });
            a.holds_strangers();
            let text = message("REQUEST", &meeting(""));
            a.receives(&text, "anna@example.com", &["bo@example.org"]);
            let bo = a.person("bo");
            let waiting = block_on(a.scheduler.inbox(&bo)).unwrap();
            let id: MessageId = waiting[0].entry.id.clone();
            a.world().remembered.pauses();
            bo.pauses();
            let by_b = async {
                for _ in 0..pauses {
                    pause().await;
                }
                let home = b.person("bo");
                b.scheduler.decline(&home, &id, None, &Unbounded).await
            };
            let by_a = a.scheduler.accept(&bo, &id, None, &Unbounded);
            let (accepted, declined) = block_on(join(by_a, by_b));
            assert_ne!(accepted.is_ok(), declined.is_ok(), "{pauses}");
            assert_eq!(bo.object("meeting").is_some(), accepted.is_ok(), "{pauses}");
            by[usize::from(declined.is_ok())] += 1;
            let again = block_on(b.scheduler.accept(&bo, &id, None, &Unbounded));
            let Err(crate::NotDecided::Store(error)) = again else {
                panic!("{pauses}: {again:?}");
            };
            assert_eq!(error.kind(), ErrorKind::NotFound, "{pauses}");
            assert!(a.world().remembered.keys("deciding/").is_empty());
        }
        assert!(by[0] > 0, "{by:?}");
    }
}
