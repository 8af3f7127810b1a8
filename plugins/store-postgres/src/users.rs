//! Calendar users and their addresses.

use crate::database::Database;
use convoke_sdk::prelude::*;
use tokio_postgres::{Row, types::Type};

/// The address in one case, as the case of a `mailto:` local part does not tell two users apart.
pub(crate) fn key(address: &CalendarAddress) -> String {
    if address.local_part().is_some() {
        address.as_str().to_ascii_lowercase()
    } else {
        address.as_str().to_owned()
    }
}

fn keys(main: &CalendarAddress, aliases: &[CalendarAddress]) -> Vec<String> {
    [main].into_iter().chain(aliases).map(key).collect()
}

/// The number behind a user's identifier.
pub(crate) fn number(user: &UserId) -> Result<i64> {
    let number = user.as_str().parse().ok();
    // Only the spelling that we made: `+1` is not `1`.
    number
        .filter(|number: &i64| number.to_string() == user.as_str())
        .ok_or_else(|| unknown(user))
}

/// What is said about a user that is not there.
pub(crate) fn unknown(user: impl std::fmt::Display) -> Error {
    Error::not_found(format!(
        "the database has no calendar user with the number {user}"
    ))
}

/// What a function for a user answered: what follows `=`, or another word for why it wrote nothing.
pub(crate) fn answered(answer: &str, user: i64) -> Result<Result<&str, &str>> {
    match answer.strip_prefix('=') {
        Some(value) => Ok(Ok(value)),
        None if answer == "no-user" => Err(unknown(user)),
        None => Ok(Err(answer)),
    }
}

/// An answer that says neither of what it may.
pub(crate) fn unexpected(answer: &str) -> Error {
    Error::internal(format!("a function of ours answered `{answer}`"))
}

pub(crate) async fn find(
    db: &Database,
    address: &CalendarAddress,
    call: &Call,
) -> Result<Option<CalendarUser>> {
    if db.is_empty(call).await? {
        return Ok(None);
    }
    let sql = "SELECT id, profile FROM convoke.users
               WHERE id = (SELECT user_id FROM convoke.addresses WHERE key = $1)";
    let row = db
        .read_one(call, sql, &[(&key(address), Type::TEXT)])
        .await?;
    row.as_ref().map(user).transpose()
}

fn user(row: &Row) -> Result<CalendarUser> {
    let (id, profile): (i64, &str) = (row.get(0), row.get(1));
    let mut user: CalendarUser = from_json(profile)?;
    user.id = UserId::new(id.to_string())?;
    Ok(user)
}

/// A value that stands in the database as JSON.
pub(crate) fn from_json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| {
        Error::internal(format!(
            "the database holds something unreadable: {error}; was it written by a newer version?"
        ))
    })
}

/// A value as it stands in the database.
pub(crate) fn to_json(value: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string(value)
        .map_err(|error| Error::internal(format!("a value cannot be written: {error}")))
}

/// The users in the order in which they were added.
pub(crate) async fn list(db: &Database, page: &Page, call: &Call) -> Result<Listing<CalendarUser>> {
    // A check lists users, and writes nothing: that there are none needs no tables.
    if db.is_empty(call).await? {
        return Ok(Listing::new(Vec::new(), None));
    }
    let after = page.after.as_ref().map_or(Ok(0), cursor_number)?;
    let limit = i64::from(page.limit.max(1)) + 1;
    let sql = "SELECT id, profile FROM convoke.users WHERE id > $1 ORDER BY id LIMIT $2";
    let rows = db
        .read(call, sql, &[(&after, Type::INT8), (&limit, Type::INT8)])
        .await?;
    let users = rows.iter().map(user).collect::<Result<_>>()?;
    Ok(Listing::page(users, page, |last: &CalendarUser| {
        Cursor::new(last.id.as_str())
    }))
}

/// The number in a cursor of a listing.
pub(crate) fn cursor_number(cursor: &Cursor) -> Result<i64> {
    let text = cursor.as_str();
    text.parse()
        .map_err(|_| Error::invalid(format!("`{text}` is no cursor of this store")))
}

pub(crate) async fn add(db: &Database, new: &NewUser, call: &Call) -> Result<UserId> {
    // The number is not known yet, and not read from there.
    let profile = to_json(&new.clone().with_id(UserId::new("0")?))?;
    let keys = keys(&new.address, &new.aliases);
    let sql = "SELECT convoke.add_user($1::uuid, $2, $3)";
    let values = [(&profile as _, Type::TEXT), (&keys as _, Type::TEXT_ARRAY)];
    let answer = db.write(call, sql, &values).await?;
    let id = answer
        .strip_prefix('=')
        .ok_or_else(|| unexpected(&answer))?;
    Ok(UserId::new(id)?)
}

/// Replaces what is known of a user.
pub(crate) async fn update(db: &Database, user: &CalendarUser, call: &Call) -> Result<()> {
    let id = number(&user.id)?;
    let profile = to_json(user)?;
    let keys = keys(&user.address, &user.aliases);
    let sql = "SELECT convoke.update_user($1::uuid, $2, $3, $4)";
    let values = [
        (&id as _, Type::INT8),
        (&profile as _, Type::TEXT),
        (&keys as _, Type::TEXT_ARRAY),
    ];
    done(&db.write(call, sql, &values).await?, id)
}

pub(crate) async fn remove(db: &Database, user: &UserId, call: &Call) -> Result<()> {
    let id = number(user)?;
    let sql = "SELECT convoke.remove_user($1::uuid, $2)";
    done(&db.write(call, sql, &[(&id, Type::INT8)]).await?, id)
}

fn done(answer: &str, user: i64) -> Result<()> {
    answered(answer, user)?.map(drop).map_err(unexpected)
}
