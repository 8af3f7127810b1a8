//! Calendar objects and their history.

use crate::{busy, error::Outcome, users};
use convoke_sdk::{bands, prelude::*};
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::{
    hash::{BuildHasher, Hasher, RandomState},
    sync::OnceLock,
};

pub(crate) fn get(db: &Connection, user: i64, uid: &Uid) -> Outcome<Option<StoredObject>> {
    let found = db
        .prepare_cached("SELECT etag, data FROM objects WHERE user = ?1 AND uid = ?2")?
        .query_row(params![user, uid.as_str()], |row| {
            Ok((row.get::<_, String>(0)?, row.get(1)?))
        })
        .optional()?;
    let Some((etag, data)) = found else {
        return Ok(None);
    };
    Ok(Some(StoredObject::new(uid.clone(), Etag::new(etag)?, data)))
}

pub(crate) fn put(
    db: &Connection,
    user: i64,
    object: &NewObject,
    when: &Precondition,
) -> Outcome<Etag> {
    let index = &object.index;
    users::must_exist(db, user)?;
    check(db, user, &index.uid, when)?;
    let change = users::next_change(db, user)?;
    let etag = etag(change)?;
    let id: i64 = db
        .prepare_cached(
            "INSERT INTO objects (user, uid, component, change, etag, open_before, open_after, data)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
             ON CONFLICT (user, uid) DO UPDATE SET
                 component = excluded.component, change = excluded.change, etag = excluded.etag,
                 open_before = excluded.open_before, open_after = excluded.open_after,
                 data = excluded.data
             RETURNING id",
        )?
        .query_row(
            params![
                user,
                index.uid.as_str(),
                index.component,
                change,
                etag.as_str(),
                index.open_before.map(bands::ceiling),
                index.open_after.map(bands::floor),
                object.data,
            ],
            |row| row.get(0),
        )?;
    db.prepare_cached("DELETE FROM removed WHERE user = ?1 AND uid = ?2")?
        .execute(params![user, index.uid.as_str()])?;
    busy::replace(db, user, id, &index.spans)?;
    Ok(etag)
}

pub(crate) fn remove(db: &Connection, user: i64, uid: &Uid, when: &Precondition) -> Outcome<()> {
    users::must_exist(db, user)?;
    let there = check(db, user, uid, when)?;
    if !there {
        return Err(Error::not_found(format!("there is no object with the UID {uid}")).into());
    }
    let change = users::next_change(db, user)?;
    db.prepare_cached("DELETE FROM objects WHERE user = ?1 AND uid = ?2")?
        .execute(params![user, uid.as_str()])?;
    db.prepare_cached("INSERT INTO removed (user, uid, change) VALUES (?1, ?2, ?3)")?
        .execute(params![user, uid.as_str(), change])?;
    Ok(())
}

/// Whether there is such an object; fails if the precondition does not hold.
fn check(db: &Connection, user: i64, uid: &Uid, when: &Precondition) -> Outcome<bool> {
    let found: Option<String> = db
        .prepare_cached("SELECT etag FROM objects WHERE user = ?1 AND uid = ?2")?
        .query_row(params![user, uid.as_str()], |row| row.get(0))
        .optional()?;
    let problem = match (when, &found) {
        (Precondition::Any, _) | (Precondition::Absent, None) => return Ok(found.is_some()),
        (Precondition::Matches(wanted), Some(found)) if wanted.as_str() == found => {
            return Ok(true);
        }
        (Precondition::Absent, Some(_)) => "is there already",
        (Precondition::Matches(_), None) => "is not there any more",
        _ => "was changed meanwhile",
    };
    Err(Error::conflict(format!("the object with the UID {uid} {problem}")).into())
}

/// A tag that no other version of the object had or will have, also when an older copy of the database is put back.
fn etag(change: i64) -> Outcome<Etag> {
    static RUN: OnceLock<u64> = OnceLock::new();
    let run = RUN.get_or_init(|| RandomState::new().build_hasher().finish());
    Ok(Etag::new(format!("{change}-{run:016x}"))?)
}

/// The objects in the order of their UIDs.
pub(crate) fn list(db: &Connection, user: i64, page: &Page) -> Outcome<Listing<ObjectSummary>> {
    users::must_exist(db, user)?;
    let after = page.after.as_ref().map_or("", Cursor::as_str);
    let rows = db
        .prepare_cached(
            "SELECT uid, component, etag FROM objects WHERE user = ?1 AND uid > ?2 ORDER BY uid LIMIT ?3",
        )?
        .query_map(
            params![user, after, i64::from(page.limit.max(1)) + 1],
            summary,
        )?
        .map(|row| read(row?))
        .collect::<Outcome<Vec<_>>>()?;
    Ok(Listing::page(rows, page, |last| {
        Cursor::new(last.uid.as_str())
    }))
}

/// The cursor is the number of the last write seen.
pub(crate) fn changes(db: &Connection, user: i64, since: Option<&Cursor>) -> Outcome<Changes> {
    let now: Option<i64> = db
        .prepare_cached("SELECT change FROM users WHERE id = ?1")?
        .query_row([user], |row| row.get(0))
        .optional()?;
    let now = now.ok_or_else(|| users::unknown(user))?;
    let seen = match since {
        None => -1,
        Some(cursor) => (cursor.as_str().parse::<i64>().ok())
            .filter(|seen| (0..=now).contains(seen))
            .ok_or_else(|| {
                Error::invalid(format!(
                    "`{}` is no cursor of this calendar user; begin again without one",
                    cursor.as_str()
                ))
            })?,
    };
    let changed = db
        .prepare_cached(
            "SELECT uid, component, etag FROM objects WHERE user = ?1 AND change > ?2 ORDER BY change",
        )?
        .query_map([user, seen], summary)?
        .map(|row| read(row?))
        .collect::<Outcome<_>>()?;
    let removed = db
        .prepare_cached("SELECT uid FROM removed WHERE user = ?1 AND change > ?2 ORDER BY change")?
        .query_map([user, seen], |row| row.get::<_, String>(0))?
        .map(|uid| Ok(Uid::new(uid?)?))
        .collect::<Outcome<_>>()?;
    Ok(Changes::new(changed, removed, Cursor::new(now.to_string())))
}

type Columns = (String, String, String);

fn summary(row: &Row<'_>) -> rusqlite::Result<Columns> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
}

fn read((uid, component, etag): Columns) -> Outcome<ObjectSummary> {
    Ok(ObjectSummary::new(
        Uid::new(uid)?,
        component,
        Etag::new(etag)?,
    ))
}
