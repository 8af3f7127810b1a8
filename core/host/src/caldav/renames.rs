//! Which objects were renamed lately, so that programs that synchronise learn that the old names are gone.
//!
//! A store knows nothing of names. So each calendar has a list in the state, of its last renames, and how many there were ever:
//!
//! ```text
//! caldav-renames/USER     COUNT, and for each, the last one first: a line feed, the UID, a line feed, the old name
//! ```

use super::names::{as_read, key_of};
use convoke_scheduling::State;
use convoke_types::{Batch, CalendarUser, Error, StateEntry, Uid};

/// Renames that are remembered. Who has not asked since longer reads the calendar anew.
const REMEMBERED: usize = 100;

/// An object that was renamed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Renamed {
    pub(super) uid: Uid,
    /// What it was called before.
    pub(super) before: String,
}

/// The renames of a calendar.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Renames {
    /// How many there were ever.
    pub(super) count: u64,
    /// The last ones, the last first.
    last: Vec<Renamed>,
}

pub(super) async fn all<S: State>(state: &S, user: &CalendarUser) -> Result<Renames, Error> {
    let entry = state.get(&key(user)).await?;
    Ok(entry.as_ref().map(Renames::read).unwrap_or_default())
}

/// Has a batch note that an object is renamed.
pub(super) async fn add<S: State>(
    state: &S,
    user: &CalendarUser,
    batch: Batch,
    uid: &Uid,
    before: &str,
) -> Result<Batch, Error> {
    let key = key(user);
    let entry = state.get(&key).await?;
    let mut all = entry.as_ref().map(Renames::read).unwrap_or_default();
    let latest = Renamed {
        uid: uid.clone(),
        before: before.to_owned(),
    };
    all.count += 1;
    all.last.insert(0, latest);
    all.last.truncate(REMEMBERED);
    let batch = as_read(batch, &key, entry.as_ref());
    Ok(batch.put(key, all.write()))
}

/// Has programs that synchronise read a calendar anew: it was restored, and the store counts its changes from another beginning.
pub(crate) async fn forget_tokens<S: State>(state: &S, user: &CalendarUser) -> Result<(), Error> {
    let key = key(user);
    let entry = state.get(&key).await?;
    let all = entry.as_ref().map(Renames::read).unwrap_or_default();
    let anew = all.without_memory();
    let batch = as_read(Batch::new(), &key, entry.as_ref());
    state.commit(batch.put(key, anew.write())).await.map(drop)
}

impl Renames {
    /// As if there had been more renames than are remembered, since whenever it is asked.
    fn without_memory(self) -> Self {
        Self {
            count: self.count.saturating_add(REMEMBERED as u64 + 1),
            last: Vec::new(),
        }
    }

    /// Those since there were so many; `None`: some of them are forgotten.
    pub(super) fn since(mut self, count: u64) -> Option<Vec<Renamed>> {
        let since = self.count.checked_sub(count)?;
        let since = usize::try_from(since).ok()?;
        (since <= self.last.len()).then(|| {
            self.last.truncate(since);
            self.last
        })
    }

    fn read(entry: &StateEntry) -> Self {
        let text = String::from_utf8_lossy(&entry.value);
        let mut lines = text.split('\n');
        let count = lines.next().and_then(|it| it.parse().ok());
        let mut last = Vec::new();
        while let (Some(uid), Some(before)) = (lines.next(), lines.next()) {
            if let Ok(uid) = Uid::new(uid) {
                let before = before.to_owned();
                last.push(Renamed { uid, before });
            }
        }
        Self {
            count: count.unwrap_or_default(),
            last,
        }
    }

    fn write(&self) -> String {
        let mut text = self.count.to_string();
        for it in &self.last {
            text.extend(["\n", it.uid.as_str(), "\n", &it.before]);
        }
        text
    }
}

fn key(user: &CalendarUser) -> Vec<u8> {
    key_of("caldav-renames", user)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_since_a_count_are_known_or_it_is_known_that_they_are_not() {
        let named = |name: &str| Renamed {
            uid: Uid::new(name).unwrap(),
            before: format!("{name}, before"),
        };
        let renames = || Renames {
            count: 5,
            last: vec![named("e"), named("d")],
        };
        for (count, expected) in [
            (5, Some(vec![])),
            (4, Some(vec![named("e")])),
            (3, Some(vec![named("e"), named("d")])),
            (2, None),
            (6, None),
        ] {
            assert_eq!(renames().since(count), expected, "{count}");
        }
        let entry = StateEntry::new(Vec::new(), renames().write().into_bytes(), 1);
        assert_eq!(Renames::read(&entry), renames());
        for count in 0..=5 {
            assert_eq!(renames().without_memory().since(count), None, "{count}");
        }
        let restored = renames().without_memory();
        let count = restored.count;
        assert_eq!(restored.since(count), Some(vec![]));
    }
}
