//! A state that is restored from a backup: nobody is told anything by that.
//!
//! | of the backup | in the restored state | why |
//! | --- | --- | --- |
//! | whose calendars were looked at, and how far | whose, not how far | the next look at each is a first one, at which nobody is told; a store that is restored, too, counts its changes anew |
//! | what waited to be delivered | held, until somebody [releases](crate::Scheduler::release_message) or [drops](crate::Scheduler::drop_message) it | the host that the backup was made of may have delivered it since, and told newer things; only a person knows whether it did. What was delivered and is released all the same comes under the same names and in the same version, which the other side's rules of order make harmless |
//! | changes that waited to be released | as they were | they wait on for the same person |
//! | leases, calls, turns | gone | they are of hosts that lived then |
//! | ledgers, acquaintances, tokens of mails, inboxes | as they were | they say what others know |
//!
//! A ledger whose object is not in the restored calendar is [buried](bury_missing): it was removed while the backup was made, or its
//! removal was not told yet, and nobody is to be told of that now.

use crate::{
    environment::{Home, State},
    keys,
    ledger::Ledger,
    outbox::Entry,
    pages::Pages,
    reconcile, state,
};
use convoke_types::{Batch, Error, StateEntry};
use std::collections::HashSet;

/// What is of hosts that lived when the backup was made, or is made anew from the rest.
const OF_THE_TIME: [&str; 5] = ["host/", "call/", "turn/", "waits/", "deciding/"];

/// Whether a key is the lease of a host, which is nothing to be kept.
pub fn is_lease(key: &[u8]) -> bool {
    key.starts_with(keys::HOSTS.as_bytes())
}

/// What becomes of an entry of a backup's state in the restored one; `None`: it is left out.
pub fn put_back(mut entry: StateEntry) -> Option<StateEntry> {
    if OF_THE_TIME
        .iter()
        .any(|it| entry.key.starts_with(it.as_bytes()))
    {
        return None;
    }
    if entry.key.starts_with(keys::USERS.as_bytes()) {
        // Without it the next look is a first one just as well.
        entry.value = reconcile::put_back(&entry).ok()?;
        return Some(entry);
    }
    if !entry.key.starts_with(keys::OUTBOX.as_bytes()) {
        return Some(entry);
    }
    // What nobody can read nobody can release.
    let waiting = Entry::read(&entry).ok()?;
    let waiting = Entry {
        holder: String::new(),
        ..waiting
    };
    entry.key = keys::put_back(&waiting.message, waiting.id.as_str());
    entry.value = state::write(&waiting);
    Some(entry)
}

/// After a restore: what is remembered of objects that are not in the calendar counts as gone, and nobody is told. How many there were.
///
/// # Errors
/// The state or the store cannot be asked.
pub async fn bury_missing(state: &impl State, home: &impl Home) -> Result<usize, Error> {
    let listed = home.changes(None).await?.changed;
    let there: HashSet<Vec<u8>> = (listed.iter())
        .map(|it| keys::ledger(home.user(), &it.uid))
        .collect();
    let mut buried = 0;
    let mut pages = Pages::of(state, keys::ledger_of(home.user()));
    while let Some(page) = pages.next().await? {
        let mut batch = Batch::new();
        for entry in page.iter().filter(|it| !there.contains(&it.key)) {
            let mut ledger: Ledger = state::read(entry)?;
            if ledger.gone || is_held(state, &entry.key).await? {
                continue;
            }
            ledger.bury(None);
            batch = ledger.put(batch, entry.key.clone());
            buried += 1;
        }
        if !batch.writes.is_empty() {
            state.commit(batch).await?;
        }
    }
    Ok(buried)
}

/// Whether a change of the object of this ledger waits to be released.
async fn is_held(state: &impl State, ledger: &[u8]) -> Result<bool, Error> {
    Ok(state.get(&keys::held_beside(ledger)).await?.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        held_messages::HeldMessage,
        tests::world::{Host, address, meeting},
    };
    use convoke_types::{RequestStatus, Uid};
    use futures::executor::block_on;

    const X: &str = "x@example.net";

    /// A meeting of Dee's with X, who is elsewhere.
    fn own(uid: &str) -> String {
        let own = meeting("")
            .replace("anna@example.com", "dee@example.org")
            .replace("bo@example.org", X)
            .replace("UID:meeting", &format!("UID:{uid}"));
        format!("BEGIN:VCALENDAR\nVERSION:2.0\n{own}END:VCALENDAR\n")
    }

    fn host() -> Host {
        let host = Host::new();
        host.looks("dee");
        host
    }

    /// Puts all that a host remembers back in its place, as of a backup that is restored.
    fn restored(host: Host) -> Host {
        let state = &host.world().remembered;
        let all = block_on(state.scan(&convoke_types::KeyRange::ALL, 1_000)).unwrap();
        let gone = all
            .iter()
            .fold(Batch::new(), |it, entry| it.delete(entry.key.clone()));
        block_on(state.commit(gone)).unwrap();
        let put = |batch: Batch, it: StateEntry| batch.put(it.key, it.value);
        let batch = all.into_iter().filter_map(put_back).fold(Batch::new(), put);
        block_on(state.commit(batch)).unwrap();
        host.restarted()
    }

    fn held(host: &Host) -> Vec<HeldMessage> {
        block_on(host.scheduler.held_since_restored()).unwrap()
    }

    /// Dee has invited X, whose server takes nothing.
    fn invited() -> Host {
        let host = host();
        host.elsewhere_says(RequestStatus::SERVICE_UNAVAILABLE);
        host.person("dee").has(&own("meeting"));
        host.tells("dee");
        assert_eq!(host.waits().len(), 1);
        host
    }

    #[test]
    fn the_next_look_is_a_first_one_at_which_what_differs_is_told_to_nobody() {
        let host = host();
        host.person("dee").has(&own("meeting"));
        host.tells("dee");
        assert_eq!(host.sent().len(), 1);
        // It was changed after the state was read, and another one is new.
        host.person("dee")
            .edits("meeting", |it| it.replace("T100000Z", "T110000Z"));
        host.person("dee").has(&own("other"));
        let host = restored(host);
        let looked_at = block_on(host.scheduler.looked_at("memory")).unwrap();
        assert_eq!(looked_at.len(), 1, "who is looked at is known");
        assert!(host.tells("dee").first);
        assert!(!host.tells("dee").first);
        assert_eq!(host.sent().len(), 1, "{:?}", host.sent());
        // What changes from now on is told.
        host.person("dee")
            .edits("meeting", |it| it.replace("T110000Z", "T120000Z"));
        host.tells("dee");
        assert_eq!(host.sent().len(), 2, "{:?}", host.sent());
    }

    #[test]
    fn what_is_not_in_the_calendar_is_never_called_off() {
        let host = host();
        for uid in ["kept", "lost"] {
            host.person("dee").has(&own(uid));
        }
        host.tells("dee");
        assert_eq!(host.sent().len(), 2);
        host.person("dee").deletes("lost");
        let host = restored(host);
        let dee = host.person("dee");
        let bury = || block_on(bury_missing(&host.world().remembered, &dee));
        assert_eq!(bury(), Ok(1));
        assert_eq!(bury(), Ok(0));
        host.tells("dee");
        let lost = Uid::new("lost").unwrap();
        assert_eq!(
            block_on(host.scheduler.tell_difference(
                &host.person("dee"),
                &lost,
                crate::send::Goes::ByItself
            ))
            .unwrap()
            .map(|it| it.outgoing.len()),
            None
        );
        assert_eq!(host.sent().len(), 2, "{:?}", host.sent());
    }

    #[test]
    fn a_message_that_waited_is_held_until_it_is_released() {
        let host = restored(invited());
        assert!(host.waits().is_empty());
        host.elsewhere_says(RequestStatus::SUCCESS);
        let before = host.sent().len();
        host.tells("dee");
        host.pays();
        assert_eq!(host.sent().len(), before, "{:?}", host.sent());
        let held = held(&host);
        assert_eq!(held.len(), 1);
        assert_eq!(held[0].entries[0].recipient, address(X));
        assert_eq!(block_on(host.scheduler.release_message(&held[0])), Ok(true));
        host.pays();
        assert_eq!(host.sent().len(), before + 1, "{:?}", host.sent());
        assert!(self::held(&host).is_empty());
        // Twice is once.
        assert_eq!(
            block_on(host.scheduler.release_message(&held[0])),
            Ok(false)
        );
        assert!(host.world().remembered.keys("message/").is_empty());
        assert!(host.world().remembered.keys("put-back/").is_empty());
    }

    #[test]
    fn a_held_message_is_dropped_and_noted_and_one_without_octets_is_nothing() {
        let host = restored(invited());
        let waiting = held(&host);
        block_on(host.scheduler.drop_message(&waiting[0])).unwrap();
        host.pays();
        assert!(held(&host).is_empty() && host.waits().is_empty());
        let object = host.person("dee").object("meeting").unwrap();
        assert!(object.contains("SCHEDULE-STATUS=5.1"), "{object}");

        // It was delivered while the backup was made.
        let host = invited();
        let message = host.world().remembered.keys("message/")[0].clone();
        let gone = Batch::new().delete(message);
        block_on(host.world().remembered.commit(gone)).unwrap();
        let host = restored(host);
        let waiting = held(&host);
        assert_eq!(
            block_on(host.scheduler.release_message(&waiting[0])),
            Ok(false)
        );
        assert!(held(&host).is_empty() && host.waits().is_empty());
    }

    #[test]
    fn changes_that_waited_wait_on_and_are_told_when_they_are_released() {
        let host = host();
        for number in 0..60 {
            host.person("dee").has(&own(&format!("m{number}")));
        }
        assert_eq!(host.tells("dee").held, 60);
        let host = restored(host);
        assert!(host.tells("dee").first);
        host.tells("dee");
        assert!(host.sent().is_empty(), "{:?}", host.sent());
        let changes = block_on(host.scheduler.held(None)).unwrap();
        assert_eq!(changes.len(), 60);
        assert_eq!(block_on(host.scheduler.release(&changes[0])), Ok(true));
        host.pays();
        assert_eq!(host.sent(), ["REQUEST dee@example.org x@example.net"]);
    }

    #[test]
    fn who_is_erased_has_no_held_messages() {
        let host = restored(invited());
        let dee = host.person("dee");
        let forgotten = host.scheduler.erase_user(crate::Home::user(&dee));
        assert_eq!(block_on(forgotten).unwrap().queue, 1);
        assert!(held(&host).is_empty());
        assert!(host.world().remembered.keys("message/").is_empty());
    }
}
