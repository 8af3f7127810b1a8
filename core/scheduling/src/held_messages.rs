//! Messages that waited to be delivered when a backup was made. Since the state was restored from it they are held: nobody but a person
//! knows whether they were delivered since.

use crate::{
    environment::{Clock, Environment, State},
    keys,
    outbox::{Entry, EntryId},
    pages::Pages,
    scheduler::Scheduler,
};
use convoke_types::{Batch, CalendarUser, Error, ErrorKind};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// A message that waited when a backup was made, held for all who have not got it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HeldMessage {
    /// Its name: letters, digits and a hyphen.
    pub id: String,
    /// An entry for each recipient, as they waited; at least one.
    pub entries: Vec<Entry>,
}

/// Forgets the messages of a user's that are held: how many recipients they had.
pub(crate) async fn forget_put_back(
    state: &impl State,
    user: &CalendarUser,
) -> Result<usize, Error> {
    let mut forgotten = 0;
    for held in all(state).await? {
        if held
            .entries
            .iter()
            .any(|it| user.answers_to(&it.originator))
        {
            forgotten += held.entries.len();
            state.commit(held.delete(Batch::new())).await?;
        }
    }
    Ok(forgotten)
}

async fn all(state: &impl State) -> Result<Vec<HeldMessage>, Error> {
    let mut messages: BTreeMap<String, Vec<Entry>> = BTreeMap::new();
    let mut pages = Pages::of(state, keys::all_put_back());
    while let Some(page) = pages.next().await? {
        for found in &page {
            let entry = Entry::read(found)?;
            messages
                .entry(entry.message.clone())
                .or_default()
                .push(entry);
        }
    }
    let messages = messages.into_iter();
    Ok(messages
        .map(|(message, entries)| HeldMessage {
            id: format!("held-{}", message.get(..12).unwrap_or(&message)),
            entries,
        })
        .collect())
}

impl HeldMessage {
    fn message(&self) -> &str {
        self.entries.first().map_or("", |it| &it.message)
    }

    fn places(&self) -> impl Iterator<Item = (Vec<u8>, &Entry)> {
        let place = |entry: &Entry| keys::put_back(&entry.message, entry.id.as_str());
        self.entries.iter().map(move |it| (place(it), it))
    }

    /// Has it wait no longer, and forgets its octets.
    fn delete(&self, batch: Batch) -> Batch {
        let batch = batch.delete(keys::message(self.message()));
        (self.places()).fold(batch, |batch, (key, _)| batch.delete(key))
    }

    /// Moves it into the outbox, if nobody has done so before.
    fn moved(&self, entries: &[Entry]) -> Batch {
        let leave = |batch: Batch, (key, entry): (Vec<u8>, &Entry)| {
            batch.if_version(key.clone(), entry.version).delete(key)
        };
        let left = self.places().fold(Batch::new(), leave);
        entries.iter().fold(left, |batch, entry| entry.put(batch))
    }
}

impl<E: Environment> Scheduler<E> {
    /// The messages that waited when the backup was made that the state was restored from.
    ///
    /// # Errors
    /// The state cannot be asked.
    pub async fn held_since_restored(&self) -> Result<Vec<HeldMessage>, Error> {
        all(self.environment.state()).await
    }

    /// Has a held message delivered: whether there was something to deliver.
    ///
    /// # Errors
    /// The state cannot be asked.
    pub async fn release_message(&self, held: &HeldMessage) -> Result<bool, Error> {
        let now = self.environment.clock().now();
        Ok(self.to_outbox(held, now).await?.is_some())
    }

    /// Drops a held message: nobody will be told, which is noted as for what is dropped from the outbox.
    ///
    /// # Errors
    /// The state cannot be asked.
    pub async fn drop_message(&self, held: &HeldMessage) -> Result<(), Error> {
        // Not to be tried before it is dropped.
        let ids = self.to_outbox(held, Timestamp::MAX).await?;
        for id in ids.into_iter().flatten() {
            self.drop_entry(&id).await?;
        }
        Ok(())
    }

    /// Has it wait to be tried at that time; `None` if there is nothing to try.
    async fn to_outbox(
        &self,
        held: &HeldMessage,
        next: Timestamp,
    ) -> Result<Option<Vec<EntryId>>, Error> {
        let (outbox, state) = (&self.shared.outbox, self.environment.state());
        if state.get(&keys::message(held.message())).await?.is_none() {
            // It was delivered while the backup was made.
            state.commit(held.delete(Batch::new())).await?;
            return Ok(None);
        }
        let holder = outbox.holder();
        let waiting = |entry: &Entry| Entry {
            holder: holder.clone(),
            next,
            ..entry.clone()
        };
        let entries: Vec<Entry> = held.entries.iter().map(waiting).collect();
        let commit = outbox.commit(Vec::new());
        match state.commit(held.moved(&entries)).await {
            Ok(committed) => {
                let ids = entries.iter().map(|it| it.id.clone()).collect();
                outbox.add_taken(entries, committed.version);
                commit.settled();
                Ok(Some(ids))
            }
            Err(error) if error.kind() == ErrorKind::Conflict => {
                // Somebody else has released or dropped it.
                commit.settled();
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}
