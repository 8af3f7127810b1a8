//! Messages kept for a person to decide on.

use crate::{
    database::Database,
    users::{answered, cursor_number, from_json, key, number, to_json, unexpected, unknown},
};
use convoke_sdk::prelude::*;
use tokio_postgres::{Row, types::Type};

/// Messages kept for one user, at most.
const MOST_KEPT: i64 = 10_000;

/// Keeps a message, in the place of an earlier one about the same.
pub(crate) async fn add(
    db: &Database,
    user: &UserId,
    message: &InboxMessage,
    call: &Call,
) -> Result<MessageId> {
    let user = number(user)?;
    let sender = key(&message.originator);
    let about = to_json(&(&message.uid, &message.method, &message.instance, &sender))?;
    let mut header = message.clone();
    header.data = Vec::new();
    header.room = None;
    let header = to_json(&header)?;
    let bytes = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
    let total = message.room.map(|room| bytes(room.total));
    let of_sender = message.room.map(|room| bytes(room.of_sender));
    let sql = "SELECT convoke.inbox_add($1::uuid, $2, $3, $4, $5, $6, $7, $8, $9)";
    let values = [
        (&user as _, Type::INT8),
        (&sender as _, Type::TEXT),
        (&about as _, Type::TEXT),
        (&header as _, Type::TEXT),
        (&message.data as _, Type::BYTEA),
        (&MOST_KEPT as _, Type::INT8),
        (&total as _, Type::INT8),
        (&of_sender as _, Type::INT8),
    ];
    let answer = db.write_of(call, user, sql, &values).await?;
    match answered(&answer, user)? {
        Ok(id) => Ok(MessageId::new(id)?),
        Err("full") => Err(Error::conflict(format!(
            "there is no room for another message to {}; somebody has to decide on those that are there",
            message.recipient.human()
        ))),
        Err(other) => Err(unexpected(other)),
    }
}

/// The messages in the order in which they were kept.
pub(crate) async fn list(
    db: &Database,
    user: &UserId,
    page: &Page,
    call: &Call,
) -> Result<Listing<InboxEntry>> {
    let user = number(user)?;
    let after = page.after.as_ref().map_or(Ok(0), cursor_number)?;
    let limit = i64::from(page.limit.max(1)) + 1;
    let sql = "
        SELECT NULL::bigint, NULL, NULL FROM convoke.users WHERE id = $1
        UNION ALL (SELECT id, header, data FROM convoke.inbox WHERE user_id = $1 AND id > $2 ORDER BY id LIMIT $3)";
    let values = [
        (&user as _, Type::INT8),
        (&after as _, Type::INT8),
        (&limit as _, Type::INT8),
    ];
    let mut rows = db.read(call, sql, &values).await?;
    rows.sort_by_key(|row| row.get::<_, Option<i64>>(0));
    if rows.is_empty() || rows.remove(0).get::<_, Option<i64>>(0).is_some() {
        return Err(unknown(user));
    }
    let entries = rows.iter().map(entry).collect::<Result<_>>()?;
    Ok(Listing::page(entries, page, |last: &InboxEntry| {
        Cursor::new(last.id.as_str())
    }))
}

fn entry(row: &Row) -> Result<InboxEntry> {
    let (id, header): (i64, &str) = (row.get(0), row.get(1));
    let mut message: InboxMessage = from_json(header)?;
    message.data = row.get(2);
    Ok(InboxEntry::new(MessageId::new(id.to_string())?, message))
}

/// Takes a message out: it is read first, and whoever removes it has it.
pub(crate) async fn take(
    db: &Database,
    user: &UserId,
    id: &MessageId,
    call: &Call,
) -> Result<InboxMessage> {
    let user = number(user)?;
    let gone = || Error::not_found(format!("no message {id} is kept for this calendar user"));
    let message: i64 = id.as_str().parse().map_err(|_| gone())?;
    let sql = "SELECT id, header, data FROM convoke.inbox WHERE user_id = $1 AND id = $2";
    let values = [(&user as _, Type::INT8), (&message as _, Type::INT8)];
    let row = db.read_one(call, sql, &values).await?.ok_or_else(gone)?;
    let taken = entry(&row)?.message;
    let sql = "SELECT convoke.inbox_remove($1::uuid, $2, $3)";
    let answer = db.write(call, sql, &values).await?;
    match answered(&answer, user)? {
        Ok(_) => Ok(taken),
        Err("gone") => Err(gone()),
        Err(other) => Err(unexpected(other)),
    }
}
