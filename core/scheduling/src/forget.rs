//! A calendar user is removed, or all that is remembered of a person is to be erased.
//!
//! Whoever is added under an address that somebody else had is another person, with another calendar: what others know of the
//! meetings of the first one says nothing of it. So the ledger goes with the user, and how far the calendar was looked at. What was
//! handed in before goes to its recipients all the same, unless all is erased.
//!
//! What others of ours remember stays: that they know an address, and whom they invited, is theirs.

use crate::{
    environment::{Environment, State},
    held_messages::forget_put_back,
    keys,
    mail::{Correspondence, Guest},
    outbox::entries,
    pages::Pages,
    scheduler::Scheduler,
    state,
};
use convoke_types::{Batch, CalendarAddress, CalendarUser, Error, KeyRange, StateEntry};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Keys that one commit deletes.
const TOGETHER: u32 = 200;

/// How much was forgotten of a calendar user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Forgotten {
    /// Objects of which it was remembered what others know.
    pub objects: usize,
    /// Changes that waited to be released.
    pub held: usize,
    /// Messages that waited for the user to decide on.
    pub inbox: usize,
    /// Messages of the user's that waited to be delivered, one for each recipient.
    pub queue: usize,
    /// Addresses that the user knew.
    pub known: usize,
    /// Guests of the user's meetings who were reached by mail.
    pub guests: usize,
}

/// Forgets what is remembered of the calendar of a user who is removed. What waits to be delivered goes all the same.
///
/// # Errors
/// The state cannot be asked. Some is forgotten then; the same may be asked again.
pub async fn forget_user(state: &impl State, user: &CalendarUser) -> Result<Forgotten, Error> {
    // Without it the next look is a first one, at which nobody is told.
    let looked = Batch::new().delete(keys::user(user));
    state.commit(looked.delete(keys::inbox_turn(user))).await?;
    let forgotten = Forgotten {
        held: forget_range(state, keys::held_of(Some(user))).await?,
        objects: forget_range(state, keys::ledger_of(user)).await?,
        inbox: forget_range(state, keys::inbox_of(user)).await?,
        ..Forgotten::default()
    };
    forget_range(state, keys::inbox_sizes_of(user)).await?;
    Ok(forgotten)
}

/// Erases all that is remembered of a calendar user: as [`forget_user`], and what waits to be delivered, whom the user knows, and the
/// mails to guests. Where a host runs, it has to [do that itself](Scheduler::erase_user).
///
/// # Errors
/// The state cannot be asked. Some is erased then; the same may be asked again.
pub async fn erase_user(state: &impl State, user: &CalendarUser) -> Result<Forgotten, Error> {
    let mut forgotten = forget_user(state, user).await?;
    forgotten.queue = empty_queue(state, user).await?;
    forget_mails(state, user).await?;
    for own in addresses(user) {
        forgotten.known += forget_range(state, keys::known_of(own)).await?;
        forgotten.guests += forget_guests(state, own).await?;
    }
    Ok(forgotten)
}

impl<E: Environment> Scheduler<E> {
    /// As [`forget_user`], while nobody looks at the calendar.
    ///
    /// # Errors
    /// As there.
    pub async fn forget_user(&self, user: &CalendarUser) -> Result<Forgotten, Error> {
        let _nobody_looks = self.shared.locks.of_calendar(user).await;
        forget_user(self.environment.state(), user).await
    }

    /// As [`erase_user`], while nobody looks at the calendar; what is on its way is not tried again.
    ///
    /// # Errors
    /// As there.
    pub async fn erase_user(&self, user: &CalendarUser) -> Result<Forgotten, Error> {
        let _nobody_looks = self.shared.locks.of_calendar(user).await;
        let outbox = &self.shared.outbox;
        for entry in outbox.entries() {
            if user.answers_to(&entry.originator) {
                outbox.lock().supersede(&entry.id);
            }
        }
        erase_user(self.environment.state(), user).await
    }
}

fn addresses(user: &CalendarUser) -> impl Iterator<Item = &CalendarAddress> {
    std::iter::once(&user.address).chain(&user.aliases)
}

/// What a user has handed in goes to nobody.
async fn empty_queue(state: &impl State, user: &CalendarUser) -> Result<usize, Error> {
    let all = entries(state).await?;
    let own = all.values().filter(|it| user.answers_to(&it.originator));
    let own: Vec<_> = own.collect();
    for some in own.chunks(TOGETHER as usize) {
        let batch = some.iter().fold(Batch::new(), |it, entry| entry.delete(it));
        state.commit(batch).await?;
    }
    let messages: BTreeSet<&str> = own.iter().map(|it| it.message.as_str()).collect();
    for message in messages {
        let batch = Batch::new().delete(keys::message(message));
        state.commit(batch).await?;
    }
    Ok(own.len() + forget_put_back(state, user).await?)
}

async fn forget_guests(state: &impl State, own: &CalendarAddress) -> Result<usize, Error> {
    let with_token = |batch: Batch, entry: &StateEntry| match state::read::<Correspondence>(entry) {
        Ok(known) => batch.delete(keys::token(&known.token)),
        Err(_) => batch,
    };
    delete_with(state, keys::guests_of(own), |_| true, with_token).await
}

/// Which mails went to a user's guests: all that were ever begun, as a guest's own entry names the last ones only.
async fn forget_mails(state: &impl State, user: &CalendarUser) -> Result<(), Error> {
    let is_own =
        |it: &StateEntry| state::read::<Guest>(it).is_ok_and(|it| user.answers_to(&it.user));
    forget_where(state, keys::all_mailed(), is_own).await?;
    Ok(())
}

/// Deletes all that is remembered in a range of keys, a page at a time: how many entries that were.
///
/// # Errors
/// The state cannot be asked. Some is deleted then; the same may be asked again.
pub async fn forget_range(state: &impl State, range: KeyRange) -> Result<usize, Error> {
    forget_where(state, range, |_| true).await
}

/// Deletes what is meant of a range of keys, a page at a time: how many entries that were.
///
/// # Errors
/// The state cannot be asked. Some is deleted then; the same may be asked again.
pub async fn forget_where(
    state: &impl State,
    range: KeyRange,
    is_meant: impl Fn(&StateEntry) -> bool,
) -> Result<usize, Error> {
    delete_with(state, range, is_meant, |batch, _| batch).await
}

/// Deletes what is meant of a range, each with what belongs to it.
async fn delete_with(
    state: &impl State,
    range: KeyRange,
    is_meant: impl Fn(&StateEntry) -> bool,
    more: impl Fn(Batch, &StateEntry) -> Batch,
) -> Result<usize, Error> {
    let mut deleted = 0;
    let mut pages = Pages::of(state, range).at_most(TOGETHER);
    while let Some(page) = pages.next().await? {
        let mut batch = Batch::new();
        for entry in page.iter().filter(|it| is_meant(it)) {
            batch = more(batch, entry).delete(entry.key.as_slice());
            deleted += 1;
        }
        if !batch.writes.is_empty() {
            state.commit(batch).await?;
        }
    }
    Ok(deleted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::world::{Host, address, meeting, message};
    use convoke_types::{RequestStatus, Uid};
    use futures::executor::block_on;

    const DEE: &str = "dee@example.org";
    const X: &str = "x@example.net";

    fn own() -> String {
        meeting("")
            .replace("anna@example.com", DEE)
            .replace("bo@example.org", X)
    }

    fn stored() -> String {
        format!("BEGIN:VCALENDAR\nVERSION:2.0\n{}END:VCALENDAR\n", own())
    }

    /// Dee has invited X, and a change of that waits; another one of ours has a calendar, too.
    fn host() -> Host {
        let host = Host::new();
        for name in ["bo", "dee"] {
            host.looks(name);
        }
        host.person("dee").has(&stored());
        host.tells("dee");
        host.elsewhere_says(RequestStatus::SERVICE_UNAVAILABLE);
        host.person("dee")
            .edits("meeting", |it| it.replace("T100000Z", "T110000Z"));
        host.tells("dee");
        host.receives(
            &message("REQUEST", &meeting("")),
            "anna@example.com",
            &["bo@example.org"],
        );
        host
    }

    fn user(host: &Host) -> CalendarUser {
        use crate::Home;
        host.person("dee").user().clone()
    }

    #[test]
    fn who_is_added_again_calls_nothing_off() {
        let host = host();
        let forgotten = block_on(host.scheduler.forget_user(&user(&host))).unwrap();
        assert_eq!((forgotten.objects, forgotten.queue), (1, 0));
        host.person("dee").deletes("meeting");
        assert!(host.tells("dee").first);
        host.tells("dee");
        assert_eq!(
            host.waits(),
            [format!("REQUEST {X}")],
            "it was handed in before"
        );
        assert!(host.world().remembered.keys("ledger/mailto:dee").is_empty());
        assert_eq!(host.world().remembered.keys("ledger/mailto:bo").len(), 1);
    }

    #[test]
    fn all_of_a_person_is_erased_and_nothing_of_another() {
        let host = host();
        let state = &host.world().remembered;
        let guest = |user: &str| Guest {
            user: address(user),
            uid: Uid::new("meeting").unwrap(),
            recipient: address(X),
        };
        for (own, token) in [(DEE, "token1"), ("bo@example.org", "token2")] {
            let guest = guest(own);
            block_on(guest.correspondence(state, || token.to_owned())).unwrap();
            block_on(guest.remember_mail(state, token)).unwrap();
            let refused = format!("{token}-refused");
            block_on(guest.announce_mail(state, &refused)).unwrap();
        }
        let of_bo = |key: &String| key.contains("bo@") || key.contains("token2");
        let before: Vec<String> = state.keys("").into_iter().filter(of_bo).collect();
        let forgotten = block_on(host.scheduler.erase_user(&user(&host))).unwrap();
        let expected = Forgotten {
            objects: 1,
            queue: 1,
            known: 1,
            guests: 1,
            ..Forgotten::default()
        };
        assert_eq!(forgotten, expected);
        assert!(host.waits().is_empty());
        assert_eq!(state.keys(""), before);
        let again = block_on(erase_user(state, &user(&host))).unwrap();
        assert_eq!(again, Forgotten::default());
    }

    /// Somebody else has the address from now on: the store says so.
    #[test]
    fn another_user_of_an_address_begins_anew() {
        let mut host = host();
        host.is_somebody_else("dee");
        host.person("dee").deletes("meeting");
        assert!(host.tells("dee").first);
        host.tells("dee");
        assert_eq!(host.waits(), [format!("REQUEST {X}")]);
        assert!(host.world().remembered.keys("ledger/mailto:dee").is_empty());
    }
}
