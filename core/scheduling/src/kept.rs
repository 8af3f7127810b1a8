//! Messages that wait for a person to decide on, of a store that has no place for them: they are kept in the state.
//!
//! Beside each message stands how long it is, so that what a sender takes is counted without reading the messages. Who keeps
//! one takes the turn of that user, so that two at once never take the same room.

use crate::{environment::State, keys, state};
use convoke_types::{
    Batch, CalendarUser, Cursor, Error, ErrorKind, InboxEntry, InboxMessage, Listing, MessageId,
    Page, StateEntry,
};
use std::time::Duration;

/// Messages kept for one user, at most.
const MOST_KEPT: u32 = 1_000;
/// How long one waits: a user who is gone leaves nothing behind for ever.
const KEPT: Duration = Duration::from_secs(366 * 24 * 3600);
/// How often it is tried to write what others write, too.
const ATTEMPTS: usize = 8;

/// What waits for one calendar user.
pub struct Kept<'a, S> {
    state: &'a S,
    user: &'a CalendarUser,
}

impl<'a, S: State> Kept<'a, S> {
    /// Of this user.
    pub const fn of(state: &'a S, user: &'a CalendarUser) -> Self {
        Self { state, user }
    }

    /// Keeps a message, in the place of an earlier one of the same originator, UID, instances and method.
    ///
    /// # Errors
    /// `Conflict` if it takes more [room](InboxMessage::room) than there is; the state cannot be asked.
    pub async fn add(&self, message: &InboxMessage) -> Result<MessageId, Error> {
        let (sender, id) = names(message);
        let turn = keys::inbox_turn(self.user);
        for _ in 0..ATTEMPTS {
            let before = self.state.get(&turn).await?.map(|it| it.version);
            self.has_room(message, &sender, &id).await?;
            let batch = state::unchanged(Batch::new(), &turn, before);
            let batch = batch.put_for(turn.as_slice(), "", KEPT);
            let size = state::write(&message.data.len());
            let mut message = message.clone();
            message.room = None;
            let batch = batch.put_for(keys::inbox_size(self.user, &id), size, KEPT);
            let key = keys::inbox(self.user, &id);
            match self
                .state
                .commit(batch.put_for(key, state::write(&message), KEPT))
                .await
            {
                Err(error) if error.kind() == ErrorKind::Conflict => {}
                done => {
                    done?;
                    return Ok(MessageId::new(id)?);
                }
            }
        }
        Err(self.contended())
    }

    /// The messages, a page at a time, in an order that does not change.
    ///
    /// # Errors
    /// The state cannot be asked, or was written by a newer version.
    pub async fn list(&self, page: &Page) -> Result<Listing<InboxEntry>, Error> {
        let mut range = keys::inbox_of(self.user);
        if let Some(after) = &page.after {
            range = range.after(&keys::inbox(self.user, after.as_str()));
        }
        let limit = page.limit.max(1).saturating_add(1);
        let entries = self.state.scan(&range, limit).await?;
        let read = |entry: &StateEntry| {
            let id = MessageId::new(keys::last_part(&entry.key))?;
            Ok(InboxEntry::new(id, state::read(entry)?))
        };
        let items: Result<Vec<InboxEntry>, Error> = entries.iter().map(read).collect();
        Ok(Listing::page(items?, page, |last| {
            Cursor::new(last.id.as_str())
        }))
    }

    /// Takes a message out: of two who take it, one gets it.
    ///
    /// # Errors
    /// `NotFound` if there is none; the state cannot be asked.
    pub async fn take(&self, id: &MessageId) -> Result<InboxMessage, Error> {
        let key = keys::inbox(self.user, id.as_str());
        for _ in 0..ATTEMPTS {
            let read = state::get::<InboxMessage>(self.state, &key).await?;
            let Some(message) = read.value else {
                return Err(Error::not_found(format!(
                    "no message {id} is kept for this calendar user"
                )));
            };
            let batch = state::unchanged(Batch::new(), &key, read.version);
            let batch = batch.delete(key.as_slice());
            let batch = batch.delete(keys::inbox_size(self.user, id.as_str()));
            match self.state.commit(batch).await {
                // Another one has taken it, or its place.
                Err(error) if error.kind() == ErrorKind::Conflict => {}
                done => return done.map(|_| message),
            }
        }
        Err(self.contended())
    }

    /// Fails as a conflict unless there is room for a message of this name.
    async fn has_room(&self, message: &InboxMessage, sender: &str, id: &str) -> Result<(), Error> {
        let range = keys::inbox_sizes_of(self.user);
        let there = self.state.scan(&range, MOST_KEPT + 1).await?;
        let (mut count, mut all, mut of_sender) = (0, 0, 0);
        for entry in &there {
            let name = keys::last_part(&entry.key);
            if name == id {
                continue; // its place is taken
            }
            let size: u64 = state::read(entry)?;
            count += 1;
            all += size;
            if name.starts_with(sender) {
                of_sender += size;
            }
        }
        let size = message.data.len() as u64;
        let fits = (message.room)
            .is_none_or(|room| all + size <= room.total && of_sender + size <= room.of_sender);
        if fits && count < MOST_KEPT {
            return Ok(());
        }
        Err(Error::conflict(format!(
            "there is no room for another message to {}; somebody has to decide on those that are there",
            message.recipient.human()
        )))
    }

    fn contended(&self) -> Error {
        let user = self.user.address.human();
        Error::unavailable(format!(
            "what waits for {user} was written by others again and again"
        ))
    }
}

/// What the names of a sender's messages begin with, and that of this message.
fn names(message: &InboxMessage) -> (String, String) {
    let digest = |parts: &[&[u8]]| keys::digest(parts)[..32].to_owned();
    let originator = keys::folded(&message.originator);
    let sender = digest(&[originator.as_bytes()]);
    let about = digest(&[
        message.method.as_bytes(),
        message.uid.as_str().as_bytes(),
        message.instance.as_bytes(),
    ]);
    let id = format!("{sender}-{about}");
    (sender, id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::world::{Remembered, address};
    use convoke_types::{Room, Uid, UserId};
    use futures::executor::block_on;

    fn user(name: &str) -> CalendarUser {
        let address = address(&format!("{name}@example.org"));
        CalendarUser::new(UserId::new(name).unwrap(), address)
    }

    fn message(from: &str, uid: &str, data: &str) -> InboxMessage {
        let data = data.as_bytes().to_vec();
        let uid = Uid::new(uid).unwrap();
        InboxMessage::new(
            address(from),
            address("dee@example.org"),
            "COUNTER",
            uid,
            data,
        )
    }

    /// By pages of two.
    fn all(kept: &Kept<'_, Remembered>) -> Vec<InboxEntry> {
        let (mut items, mut after) = (Vec::new(), None);
        loop {
            let listing = block_on(kept.list(&Page::after(after, 2))).unwrap();
            items.extend(listing.items);
            after = listing.next;
            if after.is_none() {
                return items;
            }
        }
    }

    #[test]
    fn messages_are_listed_and_taken_once() {
        let (state, dee, other) = (Remembered::default(), user("dee"), user("de"));
        let kept = Kept::of(&state, &dee);
        assert!(all(&kept).is_empty());
        let first = message("x@example.net", "1", "first");
        let mut again = first.clone();
        again.originator = address("X@example.net");
        again.data = b"second".to_vec();
        let part = first.clone().about("20270101T000000Z");
        let others = [
            part,
            message("x@example.net", "2", "x"),
            message("y@example.net", "1", "y"),
        ];
        let id = block_on(kept.add(&first)).unwrap();
        assert_eq!(block_on(kept.add(&again)).unwrap(), id);
        for other in &others {
            block_on(kept.add(other)).unwrap();
        }
        let there = all(&kept);
        assert_eq!(there.len(), 4);
        for message in others.iter().chain([&again]) {
            assert!(there.iter().any(|it| it.message == *message), "{message:?}");
        }
        assert!(
            all(&Kept::of(&state, &other)).is_empty(),
            "another's is another's"
        );
        assert_eq!(block_on(kept.take(&id)).unwrap(), again);
        let twice = block_on(kept.take(&id)).unwrap_err();
        assert_eq!(twice.kind(), ErrorKind::NotFound);
        let none = MessageId::new("../x").unwrap();
        assert_eq!(
            block_on(kept.take(&none)).unwrap_err().kind(),
            ErrorKind::NotFound
        );
        assert_eq!(all(&kept).len(), 3);
    }

    #[test]
    fn no_more_is_kept_than_there_is_room_for() {
        let (state, dee) = (Remembered::default(), user("dee"));
        let kept = Kept::of(&state, &dee);
        let add = |from: &str, uid: &str, total, of_sender| {
            let message = message(from, uid, "12345").within(Room::new(total, of_sender));
            block_on(kept.add(&message)).map_err(|it| it.kind())
        };
        assert_eq!(
            add("x@example.net", "1", 4, 5).unwrap_err(),
            ErrorKind::Conflict
        );
        assert_eq!(
            add("x@example.net", "1", 5, 4).unwrap_err(),
            ErrorKind::Conflict
        );
        let id = add("x@example.net", "1", 5, 5).unwrap();
        assert_eq!(
            add("x@example.net", "1", 5, 5).as_ref(),
            Ok(&id),
            "its own place"
        );
        assert_eq!(
            add("x@example.net", "2", 10, 9).unwrap_err(),
            ErrorKind::Conflict
        );
        assert!(add("y@example.net", "2", 10, 9).is_ok());
        assert_eq!(
            add("z@example.net", "2", 10, 9).unwrap_err(),
            ErrorKind::Conflict
        );
        block_on(kept.take(&id)).unwrap();
        assert!(add("z@example.net", "2", 10, 9).is_ok());
    }
}
