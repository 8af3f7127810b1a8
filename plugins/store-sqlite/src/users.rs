//! Calendar users and their addresses.

use crate::error::Outcome;
use convoke_sdk::prelude::*;
use rusqlite::{Connection, OptionalExtension, Row, params};

/// The address in one case, as the case of a `mailto:` local part does not tell two users apart.
pub(crate) fn key(address: &CalendarAddress) -> String {
    if address.local_part().is_some() {
        address.as_str().to_ascii_lowercase()
    } else {
        address.as_str().to_owned()
    }
}

/// The number behind a user's identifier.
pub(crate) fn number(user: &UserId) -> Result<i64> {
    let number = user.as_str().parse().ok();
    // Only the spelling that `add` made: `+1` is not `1`.
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

/// Fails unless the user is there.
pub(crate) fn must_exist(db: &Connection, user: i64) -> Outcome<()> {
    let mut exists = db.prepare_cached("SELECT 1 FROM users WHERE id = ?1")?;
    if exists.exists([user])? {
        Ok(())
    } else {
        Err(unknown(user).into())
    }
}

/// The number of the next write to the user's objects.
pub(crate) fn next_change(db: &Connection, user: i64) -> Outcome<i64> {
    let counted = db
        .prepare_cached("UPDATE users SET change = change + 1 WHERE id = ?1 RETURNING change")?
        .query_row([user], |row| row.get(0))
        .optional()?;
    counted.ok_or_else(|| unknown(user).into())
}

pub(crate) fn find(db: &Connection, key: &str) -> Outcome<Option<CalendarUser>> {
    let user: Option<i64> = db
        .prepare_cached("SELECT user FROM addresses WHERE key = ?1")?
        .query_row([key], |row| row.get(0))
        .optional()?;
    user.map(|user| read(db, user)).transpose()
}

fn read(db: &Connection, id: i64) -> Outcome<CalendarUser> {
    let mut statement = db.prepare_cached(
        "SELECT address, name, timezone, kind, schedulable, attributes
         FROM users JOIN addresses ON addresses.user = users.id WHERE users.id = ?1 ORDER BY position",
    )?;
    let mut rows = statement.query([id])?;
    let Some(row) = rows.next()? else {
        return Err(Error::internal(format!("calendar user {id} has no address")).into());
    };
    let address = |row: &Row<'_>| -> Outcome<_> {
        let text = row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?;
        Ok(CalendarAddress::new(text)?)
    };
    let mut user = CalendarUser::new(UserId::new(id.to_string())?, address(row)?);
    user.name = row.get(1)?;
    user.timezone = row.get(2)?;
    user.kind = kind(row.get_ref(3)?.as_str().map_err(rusqlite::Error::from)?);
    user.scheduling = if row.get(4)? {
        Scheduling::Enabled
    } else {
        Scheduling::Disabled
    };
    user.attributes = attributes(row.get_ref(5)?.as_str().map_err(rusqlite::Error::from)?)?;
    while let Some(row) = rows.next()? {
        user.aliases.push(address(row)?);
    }
    Ok(user)
}

/// The users in the order in which they were added.
pub(crate) fn list(db: &Connection, page: &Page) -> Outcome<Listing<CalendarUser>> {
    let after = match &page.after {
        Some(cursor) => cursor_number(cursor)?,
        None => 0,
    };
    let ids = db
        .prepare_cached("SELECT id FROM users WHERE id > ?1 ORDER BY id LIMIT ?2")?
        .query_map(params![after, i64::from(page.limit.max(1)) + 1], |row| {
            row.get::<_, i64>(0)
        })?
        .collect::<Result<Vec<_>, _>>()?;
    let ids = Listing::page(ids, page, |id| Cursor::new(id.to_string()));
    let items = ids.items.into_iter().map(|id| read(db, id));
    Ok(Listing::new(items.collect::<Outcome<_>>()?, ids.next))
}

/// The number in a cursor of a listing.
pub(crate) fn cursor_number(cursor: &Cursor) -> Result<i64> {
    let text = cursor.as_str();
    text.parse()
        .map_err(|_| Error::invalid(format!("`{text}` is no cursor of this store")))
}

/// Attributes as they stand in the database.
pub(crate) fn attributes(text: &str) -> Result<Attributes> {
    serde_json::from_str(text)
        .map_err(|error| Error::internal(format!("the database holds attributes: {error}")))
}

/// Attributes as they are written into the database.
pub(crate) fn attributes_text(attributes: &Attributes) -> Result<String> {
    serde_json::to_string(attributes)
        .map_err(|error| Error::internal(format!("attributes cannot be written: {error}")))
}

pub(crate) fn add(db: &Connection, user: &NewUser) -> Outcome<UserId> {
    let id: i64 = db
        .prepare_cached(
            "INSERT INTO users (name, timezone, kind, attributes) VALUES (?1, ?2, ?3, ?4) RETURNING id",
        )?
        .query_row(
            params![
                user.name,
                user.timezone,
                word(user.kind),
                attributes_text(&user.attributes)?
            ],
            |row| row.get(0),
        )?;
    give_addresses(db, id, &user.address, &user.aliases)?;
    Ok(UserId::new(id.to_string())?)
}

/// Replaces what is known of a user.
pub(crate) fn update(db: &Connection, id: i64, user: &CalendarUser) -> Outcome<()> {
    let updated = db
        .prepare_cached(
            "UPDATE users SET name = ?2, timezone = ?3, kind = ?4, schedulable = ?5, attributes = ?6
             WHERE id = ?1",
        )?
        .execute(params![
            id,
            user.name,
            user.timezone,
            word(user.kind),
            user.scheduling == Scheduling::Enabled,
            attributes_text(&user.attributes)?,
        ])?;
    if updated == 0 {
        return Err(unknown(&user.id).into());
    }
    // What fails is undone as a whole, this too.
    db.prepare_cached("DELETE FROM addresses WHERE user = ?1")?
        .execute([id])?;
    give_addresses(db, id, &user.address, &user.aliases)
}

fn give_addresses(
    db: &Connection,
    id: i64,
    main: &CalendarAddress,
    aliases: &[CalendarAddress],
) -> Outcome<()> {
    for (position, address) in (0..).zip([main].into_iter().chain(aliases)) {
        let key = key(address);
        let owner: Option<i64> = db
            .prepare_cached("SELECT user FROM addresses WHERE key = ?1")?
            .query_row([&key], |row| row.get(0))
            .optional()?;
        match owner {
            Some(owner) if owner == id => {} // an alias written twice
            Some(_) => {
                return Err(Error::conflict(format!(
                    "{} is an address of another calendar user",
                    address.human()
                ))
                .into());
            }
            None => {
                db.prepare_cached(
                    "INSERT INTO addresses (key, user, position, address) VALUES (?1, ?2, ?3, ?4)",
                )?
                .execute(params![key, id, position, address.as_str()])?;
            }
        }
    }
    Ok(())
}

pub(crate) fn remove(db: &Connection, user: i64) -> Outcome<()> {
    let removed = db
        .prepare_cached("DELETE FROM users WHERE id = ?1")?
        .execute([user])?;
    if removed == 0 {
        return Err(unknown(user).into());
    }
    Ok(())
}

const fn word(kind: UserKind) -> &'static str {
    match kind {
        UserKind::Group => "GROUP",
        UserKind::Resource => "RESOURCE",
        UserKind::Room => "ROOM",
        _ => "INDIVIDUAL",
    }
}

fn kind(word: &str) -> UserKind {
    match word {
        "GROUP" => UserKind::Group,
        "RESOURCE" => UserKind::Resource,
        "ROOM" => UserKind::Room,
        _ => UserKind::Individual,
    }
}
