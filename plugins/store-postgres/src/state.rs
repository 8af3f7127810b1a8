//! What hosts must not forget, in PostgreSQL: keys and values, ordered.
//!
//! What must hold, besides what holds of the whole crate:
//! - all conditions of a batch are looked at, and all its writes made, in one transaction that holds a lock on each of its keys: see
//!   `convoke.commit_batch`;
//! - what has expired is never answered, counts as absent in conditions, and is removed little by little with each commit. Time is the
//!   database's clock, the same for all hosts.

use crate::{
    config::Config,
    database::Database,
    news::{LOOK, News},
};
use convoke_sdk::prelude::*;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};
use tokio_postgres::{Row, types::Type};

/// Bytes of a key, at most: what an index of PostgreSQL takes.
const LONGEST_KEY: usize = 2 << 10;
/// Bytes of all values of a batch, at most.
const LARGEST_BATCH: usize = 128 << 20;

/// The columns of an entry, and which are there still.
macro_rules! entries {
    ($which:literal) => {
        concat!(
            "SELECT key, value, version,
                ceil(extract(epoch FROM expires - clock_timestamp()) * 1000)::bigint FROM convoke.entries
             WHERE (expires IS NULL OR expires > clock_timestamp()) AND ",
            $which
        )
    };
}

/// Keys and values in a database.
pub struct PostgresState {
    db: Database,
    news: News,
}

impl State for PostgresState {
    type Config = Config;

    async fn open(config: Config, host: Host) -> Result<Self> {
        let db = Database::open(&config, host).await?;
        let news = News::new("convoke_state");
        news.start_telling(&db);
        Ok(Self { db, news })
    }

    async fn get(&self, key: &[u8], call: &Call) -> Result<Option<StateEntry>> {
        let values = [(&key as _, Type::BYTEA)];
        let row = self
            .db
            .read_one(call, entries!("key = $1"), &values)
            .await?;
        Ok(row.as_ref().map(entry))
    }

    async fn scan(&self, scan: &Scan, call: &Call) -> Result<Vec<StateEntry>> {
        let (start, end) = (scan.range.start(), scan.range.end());
        let limit = i64::from(scan.limit.max(1));
        let mut values = vec![(&start as _, Type::BYTEA), (&limit as _, Type::INT8)];
        let mut sql = entries!("key >= $1 ORDER BY key LIMIT $2");
        if let Some(end) = &end {
            values.push((end as _, Type::BYTEA));
            sql = entries!("key >= $1 AND key < $3 ORDER BY key LIMIT $2");
        }
        let rows = self.db.read(call, sql, &values).await?;
        Ok(rows.iter().map(entry).collect())
    }

    async fn commit(&self, batch: &Batch, call: &Call) -> Result<Committed> {
        let columns = Columns::of(batch)?;
        let sql = "SELECT convoke.commit_batch($1::uuid, $2, $3, $4, $5, $6)";
        let values = [
            (&columns.if_keys as _, Type::BYTEA_ARRAY),
            (&columns.if_versions as _, Type::INT8_ARRAY),
            (&columns.keys as _, Type::BYTEA_ARRAY),
            (&columns.values as _, Type::BYTEA_ARRAY),
            (&columns.lives as _, Type::INT8_ARRAY),
        ];
        let answer = self.db.write(call, sql, &values).await?;
        if !batch.writes.is_empty() {
            self.news.tell();
        }
        read_answer(&answer, batch)
    }

    /// What this host commits is told at once, and what others do, where notifications come through; else within a second.
    async fn await_changes(&self, _: &KeyRange, call: &Call) -> Result<()> {
        let until = Instant::now() + call.patience();
        let mut heard = self.news.subscribe();
        self.news.listen(&self.db).await;
        let before = self.snapshot(call).await?;
        loop {
            tokio::select! {
                _ = heard.changed() => return Ok(()),
                () = sleep_until(until.min(Instant::now() + LOOK)) => {}
            }
            if Instant::now() >= until || self.snapshot(call).await? != before {
                return Ok(());
            }
        }
    }

    async fn close(&self, _: &Call) -> Result<()> {
        self.db.close();
        Ok(())
    }
}

impl PostgresState {
    /// Another one after each transaction that wrote, of whomever.
    async fn snapshot(&self, call: &Call) -> Result<Option<String>> {
        let row = self
            .db
            .read_one(call, "SELECT pg_current_snapshot()::text", &[]);
        Ok(row.await?.map(|row| row.get(0)))
    }
}

fn entry(row: &Row) -> StateEntry {
    let version: i64 = row.get(2);
    let mut entry = StateEntry::new(row.get(0), row.get(1), version.unsigned_abs());
    let left: Option<i64> = row.get(3);
    entry.expires_in = left.map(|left| Duration::from_millis(left.unsigned_abs()));
    entry
}

/// `=version`, or `!n` for the first condition that does not hold.
fn read_answer(answer: &str, batch: &Batch) -> Result<Committed> {
    let number = |text: &str| text.parse::<u64>().ok();
    if let Some(version) = answer.strip_prefix('=').and_then(number) {
        return Ok(Committed::new(version));
    }
    let unmet = answer.strip_prefix('!').and_then(number);
    let unmet = unmet.and_then(|at| usize::try_from(at).ok()?.checked_sub(1));
    match unmet.and_then(|at| batch.conditions.get(at)) {
        Some(condition) => Err(Error::conflict(format!(
            "the key {} was written meanwhile",
            condition.key().escape_ascii()
        ))),
        None => Err(Error::internal(format!("a batch was answered `{answer}`"))),
    }
}

/// A batch, column by column. Of the writes to one key the last counts.
struct Columns<'a> {
    if_keys: Vec<&'a [u8]>,
    if_versions: Vec<Option<i64>>,
    keys: Vec<&'a [u8]>,
    values: Vec<Option<&'a [u8]>>,
    lives: Vec<Option<i64>>,
}

impl<'a> Columns<'a> {
    fn of(batch: &'a Batch) -> Result<Self> {
        let (mut if_keys, mut if_versions) = (Vec::new(), Vec::new());
        for condition in &batch.conditions {
            if_keys.push(fitting(condition.key())?);
            if_versions.push(match condition {
                Condition::Absent { .. } => None,
                // What is no version of ours is that of nothing.
                Condition::Version { version, .. } => Some(i64::try_from(*version).unwrap_or(-1)),
                other => return Err(Error::unsupported(format!("{other:?} is not known here"))),
            });
        }
        let mut writes = BTreeMap::new();
        let mut bytes = 0_usize;
        for write in &batch.writes {
            let (key, value, life) = match write {
                StateWrite::Put {
                    key,
                    value,
                    expires_in,
                } => (key, Some(value.as_slice()), expires_in.map(milliseconds)),
                StateWrite::Delete { key } => (key, None, None),
                other => return Err(Error::unsupported(format!("{other:?} is not known here"))),
            };
            bytes = bytes.saturating_add(value.map_or(0, <[u8]>::len));
            writes.insert(fitting(key)?, (value, life));
        }
        if bytes > LARGEST_BATCH {
            return Err(Error::invalid(format!(
                "the values of a batch have {bytes} bytes, and {LARGEST_BATCH} is the most"
            )));
        }
        let mut columns = Self {
            if_keys,
            if_versions,
            keys: Vec::new(),
            values: Vec::new(),
            lives: Vec::new(),
        };
        for (key, (value, life)) in writes {
            columns.keys.push(key);
            columns.values.push(value);
            columns.lives.push(life);
        }
        Ok(columns)
    }
}

fn fitting(key: &[u8]) -> Result<&[u8]> {
    if key.len() <= LONGEST_KEY {
        return Ok(key);
    }
    Err(Error::invalid(format!(
        "a key has {} bytes, and {LONGEST_KEY} is the most",
        key.len()
    )))
}

/// At least one, so that what is to expire at once has been there; a thousand years at most, as dates end.
fn milliseconds(life: Duration) -> i64 {
    const MOST: i64 = 1000 * 366 * 24 * 3600 * 1000;
    i64::try_from(life.as_millis())
        .unwrap_or(MOST)
        .clamp(1, MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_the_writes_to_a_key_the_last_counts() {
        let batch = Batch::new()
            .if_absent("c")
            .if_version("a", 7)
            .if_version("b", u64::MAX)
            .put("a", "1")
            .delete("a")
            .put("b", "1")
            .put_for("a", "2", Duration::ZERO)
            .delete("b");
        let columns = Columns::of(&batch).unwrap();
        assert_eq!(columns.if_keys, [b"c", b"a", b"b"]);
        assert_eq!(columns.if_versions, [None, Some(7), Some(-1)]);
        assert_eq!(columns.keys, [b"a", b"b"]);
        assert_eq!(columns.values, [Some(&b"2"[..]), None]);
        assert_eq!(columns.lives, [Some(1), None]);
    }

    #[test]
    fn the_condition_that_does_not_hold_is_named() {
        let batch = Batch::new().if_absent("first").if_version("second", 1);
        assert_eq!(read_answer("=12", &batch), Ok(Committed::new(12)));
        let error = read_answer("!2", &batch).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict);
        assert!(error.message().contains("second"), "{error}");
        for wrong in ["", "!0", "!3", "=", "=x", "no-user"] {
            let error = read_answer(wrong, &batch).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Internal, "{wrong}");
        }
    }

    #[test]
    fn what_an_index_cannot_take_is_refused() {
        let long = vec![b'k'; LONGEST_KEY + 1];
        for batch in [
            Batch::new().put(long.clone(), "x"),
            Batch::new().delete(long.clone()),
            Batch::new().if_absent(long),
        ] {
            let error = Columns::of(&batch).err().unwrap();
            assert_eq!(error.kind(), ErrorKind::Invalid);
        }
        assert_eq!(milliseconds(Duration::MAX), 1000 * 366 * 24 * 3600 * 1000);
    }
}
