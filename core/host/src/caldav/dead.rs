//! Properties that programs set on the calendar (RFC 4918 §4): its name, its colour, what they like.
//!
//! They lie in the state, as one document a user:
//!
//! ```text
//! caldav-properties/USER    a DAV:prop with each of them
//! ```

use super::session::Session;
use convoke_caldav::{
    request::PropertyUpdate,
    xml::{DAV, Element, LIMITS, Limits, Name, document, parse},
};
use convoke_scheduling::{Environment, State};
use convoke_types::{Batch, Error, ErrorKind, StateEntry};

/// What all of them may take, in bytes, as a document.
const MAX_BYTES: usize = 64 << 10;
/// How often a change is tried that others were faster than.
const TRIES: usize = 10;

/// What became of a change.
pub(super) enum Changed {
    /// It is stored.
    Done,
    /// There is no room for it.
    TooLong,
}

/// What programs have set.
pub(super) async fn all(session: &Session<'_>) -> Result<Vec<Element>, Error> {
    let state = session.instance.scheduler.environment().state();
    let entry = state.get(&key(session)).await?;
    Ok(entry.as_ref().map(read).unwrap_or_default())
}

/// Makes all the changes, in their order.
pub(super) async fn change(
    session: &Session<'_>,
    updates: &[PropertyUpdate],
) -> Result<Changed, Error> {
    let state = session.instance.scheduler.environment().state();
    let key = key(session);
    for _ in 0..TRIES {
        let entry = state.get(&key).await?;
        let mut properties = entry.as_ref().map(read).unwrap_or_default();
        for update in updates {
            let name = name(update);
            properties.retain(|it| it.name != *name);
            if let PropertyUpdate::Set(property) = update {
                properties.push(property.clone());
            }
        }
        let mut root = Element::dav("prop");
        root.children = properties;
        let text = document(&root);
        if text.len() > MAX_BYTES {
            return Ok(Changed::TooLong);
        }
        let batch = match &entry {
            Some(entry) => Batch::new().if_version(key.clone(), entry.version),
            None => Batch::new().if_absent(key.clone()),
        };
        match state.commit(batch.put(key.clone(), text)).await {
            Ok(_) => return Ok(Changed::Done),
            Err(error) if error.kind() == ErrorKind::Conflict => {}
            Err(error) => return Err(error),
        }
    }
    Err(Error::unavailable(
        "the properties of a calendar were changed again and again meanwhile",
    ))
}

/// What a change is about.
pub(super) const fn name(update: &PropertyUpdate) -> &Name {
    match update {
        PropertyUpdate::Set(property) => &property.name,
        PropertyUpdate::Remove(name) => name,
    }
}

fn read(entry: &StateEntry) -> Vec<Element> {
    let limits = Limits {
        bytes: 2 * MAX_BYTES,
        tag: 2 * MAX_BYTES,
        ..LIMITS
    };
    let root: Option<Element> = parse(&entry.value, &limits).ok();
    let root = root.filter(|root| root.is(DAV, "prop"));
    root.map(|root| root.children).unwrap_or_default()
}

fn key(session: &Session<'_>) -> Vec<u8> {
    super::names::key_of("caldav-properties", session.user())
}
