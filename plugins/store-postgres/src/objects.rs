//! Calendar objects and their history.
//!
//! The row of a user counts the writes to its objects. A write locks that row until it is committed, so the numbers of a user's
//! objects are committed in their order, and a reader that sees one sees all before it: no write is missed by who goes on from
//! there, as one would be by a number from a sequence.

use crate::{
    busy,
    database::Database,
    row::object,
    users::{answered, number, unexpected, unknown},
};
use convoke_sdk::{bands, prelude::*};
use std::{
    hash::{BuildHasher, Hasher, RandomState},
    sync::OnceLock,
};
use tokio_postgres::types::Type;

pub(crate) async fn get(
    db: &Database,
    user: &UserId,
    uid: &Uid,
    call: &Call,
) -> Result<Option<StoredObject>> {
    let user = number(user)?;
    let sql = "SELECT uid, etag, data FROM convoke.objects WHERE user_id = $1 AND uid = $2";
    let values = [(&user as _, Type::INT8), (&uid.as_str() as _, Type::TEXT)];
    let row = db.read_one(call, sql, &values).await?;
    row.map(|row| object(&row, 0)).transpose()
}

pub(crate) async fn put(
    db: &Database,
    user: &UserId,
    object: &NewObject,
    when: &Precondition,
    call: &Call,
) -> Result<Etag> {
    let user = number(user)?;
    let index = &object.index;
    let spans = busy::Columns::of(&index.spans);
    let wanted = wanted(when)?;
    let opens = (
        index.open_before.map(bands::ceiling),
        index.open_after.map(bands::floor),
    );
    let sql =
        "SELECT convoke.put_object($1::uuid, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";
    let values = [
        (&user as _, Type::INT8),
        (&index.uid.as_str() as _, Type::TEXT),
        (&index.component as _, Type::TEXT),
        (&wanted as _, Type::TEXT),
        (&run() as _, Type::TEXT),
        (&opens.0 as _, Type::INT8),
        (&opens.1 as _, Type::INT8),
        (&object.data as _, Type::BYTEA),
        (&spans.bands as _, Type::INT2_ARRAY),
        (&spans.starts as _, Type::INT8_ARRAY),
        (&spans.ends as _, Type::INT8_ARRAY),
        (&spans.kinds as _, Type::INT2_ARRAY),
    ];
    let answer = db.write_of(call, user, sql, &values).await?;
    match answered(&answer, user)? {
        Ok(etag) => Ok(Etag::new(etag)?),
        Err(problem) => Err(unmet(&index.uid, problem)),
    }
}

pub(crate) async fn remove(
    db: &Database,
    user: &UserId,
    uid: &Uid,
    when: &Precondition,
    call: &Call,
) -> Result<()> {
    let user = number(user)?;
    let wanted = wanted(when)?;
    let sql = "SELECT convoke.remove_object($1::uuid, $2, $3, $4)";
    let values = [
        (&user as _, Type::INT8),
        (&uid.as_str() as _, Type::TEXT),
        (&wanted as _, Type::TEXT),
    ];
    let answer = db.write_of(call, user, sql, &values).await?;
    match answered(&answer, user)? {
        Ok(_) => Ok(()),
        Err(problem) => Err(unmet(uid, problem)),
    }
}

/// A precondition as our functions take it: nothing for any version, an empty text for none, else the tag.
fn wanted(when: &Precondition) -> Result<Option<&str>> {
    Ok(match when {
        Precondition::Any => None,
        Precondition::Absent => Some(""),
        Precondition::Matches(etag) => Some(etag.as_str()),
        other => return Err(Error::unsupported(format!("{other:?} is not known here"))),
    })
}

fn unmet(uid: &Uid, problem: &str) -> Error {
    let problem = match problem {
        "no-object" => return Error::not_found(format!("there is no object with the UID {uid}")),
        "there" => "is there already",
        "gone" => "is not there any more",
        "changed" => "was changed meanwhile",
        other => return unexpected(other),
    };
    Error::conflict(format!("the object with the UID {uid} {problem}"))
}

/// What the tags of this process end with, so that no version has the tag of another one, also when an older copy of the database is
/// put back, or a fail-over undid some.
fn run() -> &'static str {
    static RUN: OnceLock<String> = OnceLock::new();
    RUN.get_or_init(|| format!("{:016x}", RandomState::new().build_hasher().finish()))
}

/// The objects in the order of their UIDs.
pub(crate) async fn list(
    db: &Database,
    user: &UserId,
    page: &Page,
    call: &Call,
) -> Result<Listing<ObjectSummary>> {
    let user = number(user)?;
    let after = page.after.as_ref().map_or("", Cursor::as_str);
    let limit = i64::from(page.limit.max(1)) + 1;
    let sql = "
        (SELECT uid, component, etag FROM convoke.objects WHERE user_id = $1 AND uid > $2 ORDER BY uid LIMIT $3)
        UNION ALL SELECT NULL, NULL, NULL FROM convoke.users WHERE id = $1";
    let values = [
        (&user as _, Type::INT8),
        (&after as _, Type::TEXT),
        (&limit as _, Type::INT8),
    ];
    let mut is_there = false;
    let mut found = Vec::new();
    for row in db.read(call, sql, &values).await? {
        match row.get(0) {
            Some(uid) => found.push(summary(uid, row.get(1), row.get(2))?),
            None => is_there = true,
        }
    }
    if !is_there {
        return Err(unknown(user));
    }
    found.sort_by(|one: &ObjectSummary, other| one.uid.cmp(&other.uid));
    Ok(Listing::page(found, page, |last| {
        Cursor::new(last.uid.as_str())
    }))
}

fn summary(uid: &str, component: &str, etag: &str) -> Result<ObjectSummary> {
    Ok(ObjectSummary::new(
        Uid::new(uid)?,
        component,
        Etag::new(etag)?,
    ))
}

/// The cursor is the number of the last write seen.
pub(crate) async fn changes(
    db: &Database,
    user: &UserId,
    since: Option<&Cursor>,
    call: &Call,
) -> Result<Changes> {
    let user = number(user)?;
    let seen = match since {
        None => -1,
        Some(cursor) => (cursor.as_str().parse().ok())
            .filter(|seen: &i64| *seen >= 0)
            .ok_or_else(|| no_cursor(cursor))?,
    };
    // One statement, so what is read is as it is at one instant.
    let sql = "
        SELECT change, NULL, NULL, NULL FROM convoke.users WHERE id = $1
        UNION ALL SELECT change, uid, component, etag FROM convoke.objects WHERE user_id = $1 AND change > $2
        UNION ALL SELECT change, uid, NULL, NULL FROM convoke.removed WHERE user_id = $1 AND change > $2";
    let values = [(&user as _, Type::INT8), (&seen as _, Type::INT8)];
    let mut rows = db.read(call, sql, &values).await?;
    rows.sort_by_key(|row| row.get::<_, i64>(0));
    let mut now = None;
    let (mut changed, mut removed) = (Vec::new(), Vec::new());
    for row in &rows {
        match (row.get::<_, Option<&str>>(1), row.get(2)) {
            (None, _) => now = Some(row.get::<_, i64>(0)),
            (Some(uid), Some(component)) => changed.push(summary(uid, component, row.get(3))?),
            (Some(uid), None) => removed.push(Uid::new(uid)?),
        }
    }
    let now = now.ok_or_else(|| unknown(user))?;
    match since {
        Some(cursor) if seen > now => Err(no_cursor(cursor)),
        _ => Ok(Changes::new(changed, removed, Cursor::new(now.to_string()))),
    }
}

fn no_cursor(cursor: &Cursor) -> Error {
    Error::invalid(format!(
        "`{}` is no cursor of this calendar user; begin again without one",
        cursor.as_str()
    ))
}
