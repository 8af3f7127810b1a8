//! Messages kept for a person to decide on.

use crate::{
    error::Outcome,
    users::{attributes, attributes_text, cursor_number, must_exist},
};
use convoke_sdk::prelude::*;
use rusqlite::{Connection, Row, params};

/// Messages kept for one user, at most.
const MOST_KEPT: i64 = 10_000;

/// Keeps a message, in the place of an earlier one about the same.
pub(crate) fn add(db: &Connection, user: i64, message: &InboxMessage) -> Outcome<MessageId> {
    must_exist(db, user)?;
    let originator = message.originator.as_str();
    let about = params![
        user,
        message.uid.as_str(),
        message.method,
        message.instance,
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
        .room
        .is_none_or(|room| fits(all, room.total) && fits(of_sender, room.of_sender));
    if count >= MOST_KEPT || !has_room {
        return Err(Error::conflict(format!(
            "there is no room for another message to {}; somebody has to decide on those that are there",
            message.recipient.human()
        ))
        .into());
    }
    let id: i64 = db
        .prepare_cached(
            "INSERT INTO kept (user, originator, recipient, method, uid, instance, size, data, attributes)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) RETURNING id",
        )?
        .query_row(
            params![
                user,
                originator,
                message.recipient.as_str(),
                message.method,
                message.uid.as_str(),
                message.instance,
                size,
                message.data,
                attributes_text(&message.attributes)?,
            ],
            |row| row.get(0),
        )?;
    Ok(MessageId::new(id.to_string())?)
}

const COLUMNS: &str = "id, originator, recipient, method, uid, instance, data, attributes";

/// The messages in the order in which they were kept.
pub(crate) fn list(db: &Connection, user: i64, page: &Page) -> Outcome<Listing<InboxEntry>> {
    must_exist(db, user)?;
    let after = page.after.as_ref().map_or(Ok(0), cursor_number)?;
    let question =
        format!("SELECT {COLUMNS} FROM kept WHERE user = ?1 AND id > ?2 ORDER BY id LIMIT ?3");
    let mut statement = db.prepare_cached(&question)?;
    let mut rows = statement.query(params![user, after, i64::from(page.limit.max(1)) + 1])?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next()? {
        entries.push(read(row)?);
    }
    Ok(Listing::page(entries, page, |last| {
        Cursor::new(last.id.as_str())
    }))
}

/// Takes a message out.
pub(crate) fn take(db: &Connection, user: i64, id: &MessageId) -> Outcome<InboxMessage> {
    must_exist(db, user)?;
    let gone = || Error::not_found(format!("no message {id} is kept for this calendar user"));
    let number: i64 = id.as_str().parse().map_err(|_| gone())?;
    let order = format!("DELETE FROM kept WHERE user = ?1 AND id = ?2 RETURNING {COLUMNS}");
    let mut statement = db.prepare_cached(&order)?;
    let mut rows = statement.query([user, number])?;
    let row = rows.next()?.ok_or_else(gone)?;
    let entry = read(row)?;
    // The row is gone once the statement has ended.
    while rows.next()?.is_some() {}
    Ok(entry.message)
}

fn read(row: &Row<'_>) -> Outcome<InboxEntry> {
    let text = |column| -> Outcome<&str> {
        Ok(row
            .get_ref(column)?
            .as_str()
            .map_err(rusqlite::Error::from)?)
    };
    let mut message = InboxMessage::new(
        CalendarAddress::new(text(1)?)?,
        CalendarAddress::new(text(2)?)?,
        text(3)?,
        Uid::new(text(4)?)?,
        row.get(6)?,
    );
    text(5)?.clone_into(&mut message.instance);
    message.attributes = attributes(text(7)?)?;
    let id = row.get::<_, i64>(0)?.to_string();
    Ok(InboxEntry::new(MessageId::new(id)?, message))
}

/// SQLite's `total` is a floating-point number, which a few megabytes fit.
#[allow(
    clippy::cast_possible_truncation,
    reason = "sums of the sizes of messages, which are whole and far below 2^53"
)]
const fn whole(total: f64) -> i64 {
    total as i64
}
