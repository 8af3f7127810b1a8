//! What waits in a state that one host had alone becomes what several hosts share, and the other way round.
//!
//! That is done by whoever reads what waits, before anything is taken or handed in: what one host had alone has no holder, and nothing
//! says what it is about, so that it would be passed by; and a host that is alone again needs none of the keys that say so.

use super::{Entry, EntryId, Outbox};
use crate::{environment::State, keys};
use convoke_types::{Batch, Error, ErrorKind};
use std::collections::BTreeMap;

/// Entries that one commit changes, and the others about the same object.
const TOGETHER: usize = 100;

impl Outbox {
    /// Brings what was found in step with how many hosts there may be: whether anything was changed, so that it is to be read again.
    pub(super) async fn make_its_own(
        &self,
        state: &impl State,
        found: &BTreeMap<EntryId, Entry>,
    ) -> Result<bool, Error> {
        let holder = self.holder();
        let strange = found.values();
        let strange = strange.filter(|entry| entry.holder.is_empty() != holder.is_empty());
        let together = together(strange);
        for entries in &together {
            let batch = (entries.iter()).fold(Batch::new(), |it, entry| entry.goes_to(&holder, it));
            match state.commit(batch).await {
                // Another host that has just joined does the same.
                Err(error) if error.kind() == ErrorKind::Conflict => return Ok(true),
                done => done.map(drop)?,
            }
        }
        Ok(!together.is_empty())
    }
}

/// Entries in parts that are not too large: what is about one object is in one, so that two hosts do not share it.
fn together<'a>(entries: impl Iterator<Item = &'a Entry>) -> Vec<Vec<&'a Entry>> {
    let mut objects: BTreeMap<_, Vec<&Entry>> = BTreeMap::new();
    for entry in entries {
        let about = keys::waits_about(&entry.originator, &entry.uid);
        let about = about.start().to_vec();
        objects.entry(about).or_default().push(entry);
    }
    let mut together: Vec<Vec<&Entry>> = Vec::new();
    for mut object in objects.into_values() {
        match together.last_mut() {
            Some(last) if last.len() < TOGETHER => last.append(&mut object),
            _ => together.push(object),
        }
    }
    together
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{outbox::tests::message, tests::world::Remembered};
    use futures::executor::block_on;

    #[test]
    fn what_one_host_had_alone_is_shared_and_back() {
        block_on(async {
            let state = Remembered::default();
            let entries = (0..150).flat_map(|uid| {
                message(
                    "REQUEST",
                    &uid.to_string(),
                    "",
                    &["bo@example.com", "cy@example.com"],
                    0,
                )
            });
            let mut names: Vec<String> = Vec::new();
            for entry in entries {
                state.commit(entry.put(Batch::new())).await.unwrap();
                names.push(entry.id.to_string());
            }
            names.sort_unstable();
            let host = |name| {
                let outbox = Outbox::default();
                outbox.belong_to(name);
                outbox
            };
            let waits = |outbox: &Outbox| -> Vec<String> {
                outbox
                    .entries()
                    .iter()
                    .map(|it| it.id.to_string())
                    .collect()
            };
            let (a, b) = (host("a"), host("b"));
            assert_eq!(a.load(&state).await, Ok(300));
            assert_eq!(b.load(&state).await, Ok(0), "the first has it");
            assert_eq!(waits(&a), names);
            assert_eq!(state.keys("waits/").len(), 300);
            let alone = host("");
            assert_eq!(alone.load(&state).await, Ok(300));
            assert_eq!(waits(&alone), names);
            assert!(state.keys("waits/").is_empty());
            for entry in alone.entries() {
                assert_eq!(entry.if_unchanged(Batch::new()), Batch::new());
                state.commit(entry.delete(Batch::new())).await.unwrap();
            }
            assert!(state.keys("").is_empty());
        });
    }

    #[test]
    fn what_is_about_one_object_is_changed_at_once() {
        let guests: Vec<String> = (0..60).map(|it| format!("{it}@example.com")).collect();
        let guests: Vec<&str> = guests.iter().map(String::as_str).collect();
        let entries: Vec<Entry> = (0..4)
            .flat_map(|uid| message("REQUEST", &uid.to_string(), "", &guests, 0))
            .collect();
        let together = together(entries.iter());
        assert_eq!(
            together.iter().map(Vec::len).collect::<Vec<_>>(),
            [120, 120]
        );
        for part in &together {
            let ends = [part[0], part[part.len() - 1]].map(|it| it.uid.to_string());
            let whole = |uid: &String| part.iter().filter(|it| it.uid.as_str() == uid).count();
            assert_eq!(ends.each_ref().map(whole), [60, 60]);
        }
    }
}
