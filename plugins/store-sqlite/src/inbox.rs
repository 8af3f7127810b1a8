//! Messages kept for a person to decide on.

use crate::{trouble::Outcome, users::must_exist};
use convoke_sdk::prelude::*;
use rusqlite::{Connection, params};

/// Messages kept for one user, at most.
const MOST_KEPT: i64 = 10_000;

/// Keeps a message, in the place of an earlier one about the same.
pub(crate) fn keep(db: &Connection, user: i64, message: &KeptMessage) -> Outcome<()> {
    must_exist(db, user)?;
    let originator = message.originator.as_str();
    let about = params![
        user,
        message.uid.as_str(),
        message.method,
        message.instance(),
        originator
    ];
    // What fails is undone as a whole, this too.
    db.prepare_cached(
        "DELETE FROM kept WHERE user = ?1 AND uid = ?2 AND method = ?3 AND instance = ?4
         AND originator = ?5 COLLATE NOCASE",
    )?
    .execute(about)?;
    let (count, all): (i64, i64) = db
        .prepare_cached("SELECT count(*), total(size) FROM kept WHERE user = ?1")?
        .query_row([user], |row| Ok((row.get(0)?, whole(row.get(1)?))))?;
    let of_sender: i64 = db
        .prepare_cached(
            "SELECT total(size) FROM kept WHERE user = ?1 AND originator = ?2 COLLATE NOCASE",
        )?
        .query_row(params![user, originator], |row| Ok(whole(row.get(0)?)))?;
    let size = i64::try_from(message.data.len()).unwrap_or(i64::MAX);
    let fits = |there: i64, most: u64| {
        u64::try_from(there.saturating_add(size)).is_ok_and(|bytes| bytes <= most)
    };
    let has_room = message
        .room()
        .is_none_or(|room| fits(all, room.total) && fits(of_sender, room.of_sender));
    if count >= MOST_KEPT || !has_room {
        return Err(Error::conflict(format!(
            "there is no room for another message to {}; somebody has to decide on those that are there",
            message.recipient.human()
        ))
        .into());
    }
    db.prepare_cached(
        "INSERT INTO kept (user, originator, recipient, method, uid, instance, size, data)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?
    .execute(params![
        user,
        originator,
        message.recipient.as_str(),
        message.method,
        message.uid.as_str(),
        message.instance(),
        size,
        message.data,
    ])?;
    Ok(())
}

/// SQLite's `total` is a floating-point number, which a few megabytes fit.
#[allow(
    clippy::cast_possible_truncation,
    reason = "sums of the sizes of messages, which are whole and far below 2^53"
)]
const fn whole(total: f64) -> i64 {
    total as i64
}
