//! The SQL: what a key holds, what a range holds, and batches.

use crate::error::Outcome;
use convoke_sdk::prelude::*;
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Bytes of a key, at most.
const LONGEST_KEY: usize = 4 << 10;
/// Bytes of all values of a batch, at most.
const LARGEST_BATCH: usize = 128 << 20;

/// What the system's clock shows, in milliseconds since 1970.
pub(super) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    i64::try_from(since.unwrap_or_default().as_millis()).unwrap_or(i64::MAX)
}

/// What a key holds.
pub(super) fn get(db: &Connection, key: &[u8], now: i64) -> Outcome<Option<StateEntry>> {
    let mut statement = db.prepare_cached(
        "SELECT key, value, version, expires FROM entries
         WHERE key = ?1 AND (expires IS NULL OR expires > ?2)",
    )?;
    let mut rows = statement.query(params![key, now])?;
    Ok(rows.next()?.map(|row| entry(row, now)).transpose()?)
}

/// What the keys of a range hold, in their order.
pub(super) fn scan(db: &Connection, scan: &Scan, now: i64) -> Outcome<Vec<StateEntry>> {
    // Two statements, as a condition that may be none would not be looked up in the index.
    let (sql, end) = match scan.range.end() {
        Some(end) => (
            "SELECT key, value, version, expires FROM entries WHERE key >= ?1 AND key < ?4
             AND (expires IS NULL OR expires > ?2) ORDER BY key LIMIT ?3",
            Some(end),
        ),
        None => (
            "SELECT key, value, version, expires FROM entries WHERE key >= ?1
             AND (expires IS NULL OR expires > ?2) ORDER BY key LIMIT ?3",
            None,
        ),
    };
    let mut statement = db.prepare_cached(sql)?;
    let (start, limit) = (scan.range.start(), scan.limit.max(1));
    let mut rows = match end {
        Some(end) => statement.query(params![start, now, limit, end])?,
        None => statement.query(params![start, now, limit])?,
    };
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(entry(row, now)?);
    }
    Ok(found)
}

fn entry(row: &Row<'_>, now: i64) -> rusqlite::Result<StateEntry> {
    let mut entry = StateEntry::new(
        row.get(0)?,
        row.get(1)?,
        row.get::<_, i64>(2)?.unsigned_abs(),
    );
    let expires: Option<i64> = row.get(3)?;
    entry.expires_in =
        expires.map(|expires| Duration::from_millis(expires.saturating_sub(now).unsigned_abs()));
    Ok(entry)
}

/// How many commits wrote, of whichever process.
pub(super) fn version(db: &Connection) -> Outcome<u64> {
    let mut statement = db.prepare_cached("SELECT version FROM counter")?;
    let version: i64 = statement.query_row((), |row| row.get(0))?;
    Ok(version.unsigned_abs())
}

/// Whether a batch is small enough to be written.
pub(super) fn fits(batch: &Batch) -> Result<()> {
    let mut values = 0_usize;
    for write in &batch.writes {
        let key = match write {
            StateWrite::Put { key, value, .. } => {
                values = values.saturating_add(value.len());
                key
            }
            StateWrite::Delete { key } => key,
            other => return Err(Error::unsupported(format!("{other:?} is not known here"))),
        };
        if key.len() > LONGEST_KEY {
            return Err(Error::invalid(format!(
                "a key has {} bytes, and {LONGEST_KEY} is the most",
                key.len()
            )));
        }
    }
    if values > LARGEST_BATCH {
        return Err(Error::invalid(format!(
            "the values of a batch have {values} bytes, and {LARGEST_BATCH} is the most"
        )));
    }
    Ok(())
}

/// Makes the writes of a batch, if its conditions hold.
pub(super) fn commit(db: &Connection, batch: &Batch, now: i64) -> Outcome<Committed> {
    for condition in &batch.conditions {
        condition.check(version_of(db, condition.key(), now)?)?;
    }
    if batch.writes.is_empty() {
        return Ok(Committed::new(version(db)?));
    }
    let version: i64 = db
        .prepare_cached("UPDATE counter SET version = version + 1 RETURNING version")?
        .query_row((), |row| row.get(0))?;
    forget_expired(db, now, batch.writes.len())?;
    for write in &batch.writes {
        match write {
            StateWrite::Put {
                key,
                value,
                expires_in,
            } => put(db, key, value, version, expires_in.map(|it| after(now, it)))?,
            StateWrite::Delete { key } => {
                db.prepare_cached("DELETE FROM entries WHERE key = ?1")?
                    .execute([key])?;
            }
            other => return Err(Error::unsupported(format!("{other:?} is not known here")).into()),
        }
    }
    Ok(Committed::new(version.unsigned_abs()))
}

fn version_of(db: &Connection, key: &[u8], now: i64) -> Outcome<Option<u64>> {
    let mut statement = db.prepare_cached(
        "SELECT version FROM entries WHERE key = ?1 AND (expires IS NULL OR expires > ?2)",
    )?;
    let version = statement.query_row(params![key, now], |row| row.get::<_, i64>(0));
    Ok(version.optional()?.map(i64::unsigned_abs))
}

fn put(
    db: &Connection,
    key: &[u8],
    value: &[u8],
    version: i64,
    expires: Option<i64>,
) -> Outcome<()> {
    db.prepare_cached(
        "INSERT INTO entries (key, value, version, expires) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (key) DO UPDATE
         SET value = excluded.value, version = excluded.version, expires = excluded.expires",
    )?
    .execute(params![key, value, version, expires])?;
    Ok(())
}

/// Removes what has expired: more than is written, so that it does not add up, and not much more, so that no commit waits
/// for the past.
fn forget_expired(db: &Connection, now: i64, writes: usize) -> Outcome<()> {
    let most = i64::try_from(writes).unwrap_or(i64::MAX / 4) * 2 + 2;
    db.prepare_cached(
        "DELETE FROM entries WHERE id IN
         (SELECT id FROM entries WHERE expires <= ?1 ORDER BY expires LIMIT ?2)",
    )?
    .execute([now, most])?;
    Ok(())
}

/// So long after; at least a millisecond, so that what is to expire at once has been there.
fn after(now: i64, time: Duration) -> i64 {
    let milliseconds = i64::try_from(time.as_millis()).unwrap_or(i64::MAX).max(1);
    now.saturating_add(milliseconds)
}
