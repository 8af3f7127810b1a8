//! Messages kept for a person to decide on: `.convoke/inbox/`, two files each, the message and from whom it is.
//!
//! A file's name says who sent it and what it is about, as digests: a later message takes the place of the earlier one about
//! the same by itself, and what a sender takes is counted without reading anything.

use crate::{
    Shared,
    directory::{Content, Directory, PATIENCE},
    names, users,
};
use convoke_sdk::{prelude::*, serde::Serialize, tracing};

/// Messages kept for one user, at most.
const MOST_KEPT: usize = 10_000;

/// From whom a message is, and what about, as it stands beside the message.
#[derive(Deserialize, Serialize)]
struct Envelope {
    originator: CalendarAddress,
    recipient: CalendarAddress,
    method: String,
    uid: Uid,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    instance: String,
    #[serde(default, skip_serializing_if = "Attributes::is_empty")]
    attributes: Attributes,
}

/// In a user's own folder ([`users::CONTROL`]).
const INBOX: &str = "inbox";

/// Writes the message into the inbox of the user whose folder is `user`.
pub(crate) fn add(shared: &Shared, user: &str, message: &InboxMessage) -> Result<MessageId> {
    let (folder, _lock) = shared.users.open_locked(user, PATIENCE)?;
    let inbox = folder.make_folder(users::CONTROL)?.make_folder(INBOX)?;
    let (sender, stem) = stem(message);
    has_room(&inbox, message, &sender, &stem)?;
    let envelope = Envelope {
        originator: message.originator.clone(),
        recipient: message.recipient.clone(),
        method: message.method.clone(),
        uid: message.uid.clone(),
        instance: message.instance.clone(),
        attributes: message.attributes.clone(),
    };
    let envelope = toml::to_string(&envelope)
        .map_err(|error| Error::internal(format!("an envelope cannot be written: {error}")))?;
    for (name, bytes) in [
        (format!("{stem}.toml"), envelope.as_bytes()),
        (format!("{stem}.ics"), &message.data),
    ] {
        inbox.prepare(&name, bytes)?.replace()?;
    }
    Ok(MessageId::new(stem)?)
}

/// The messages in the order of their files' names.
pub(crate) fn list(shared: &Shared, user: &str, page: &Page) -> Result<Listing<InboxEntry>> {
    let Some(inbox) = open(shared, user)? else {
        return Ok(Listing::new(Vec::new(), None));
    };
    let names = inbox.entries()?.into_iter().map(|entry| entry.name);
    let mut stems: Vec<String> = names
        .filter_map(|name| Some(name.strip_suffix(".ics")?.to_owned()))
        .collect();
    stems.sort_unstable();
    let after = page.after.as_ref().map(Cursor::as_str);
    let begin = match after {
        Some(after) => stems.partition_point(|stem| stem.as_str() <= after),
        None => 0,
    };
    let mut entries = Vec::new();
    for stem in stems.drain(begin..) {
        if entries.len() > page.len() {
            break;
        }
        // One that is taken meanwhile is not there.
        if let Some(message) = read(&inbox, &stem)? {
            entries.push(InboxEntry::new(MessageId::new(stem)?, message));
        }
    }
    Ok(Listing::page(entries, page, |last| {
        Cursor::new(last.id.as_str())
    }))
}

/// Takes a message out.
pub(crate) fn take(shared: &Shared, user: &str, id: &MessageId) -> Result<InboxMessage> {
    let (folder, _lock) = shared.users.open_locked(user, PATIENCE)?;
    let inbox = folder.make_folder(users::CONTROL)?.make_folder(INBOX)?;
    let gone = || Error::not_found(format!("no message `{id}` is kept for this calendar user"));
    let stem = id.as_str();
    if !is_stem(stem) {
        return Err(gone());
    }
    let message = read(&inbox, stem)?.ok_or_else(gone)?;
    // Without it, the message is not there any more.
    inbox.remove(&format!("{stem}.ics"))?;
    inbox.remove(&format!("{stem}.toml"))?;
    inbox.sync()?;
    Ok(message)
}

fn open(shared: &Shared, user: &str) -> Result<Option<Directory>> {
    match shared.users.open(user)?.folder(users::CONTROL)? {
        Some(control) => control.folder(INBOX),
        None => Ok(None),
    }
}

/// Only names that [`stem`] made: two digests.
fn is_stem(name: &str) -> bool {
    (name.bytes()).all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') && !name.is_empty()
}

/// A message; `None` if it is not there whole.
fn read(inbox: &Directory, stem: &str) -> Result<Option<InboxMessage>> {
    let bytes = |suffix: &str| -> Result<Option<Vec<u8>>> {
        Ok(match inbox.read(&format!("{stem}.{suffix}"))? {
            Some((_, Content::Bytes(bytes))) => Some(bytes),
            Some((_, Content::Forbidden(problem))) => return Err(Error::unavailable(problem)),
            Some((_, Content::Huge(_))) | None => None,
        })
    };
    let (Some(data), Some(envelope)) = (bytes("ics")?, bytes("toml")?) else {
        return Ok(None);
    };
    let envelope: Envelope = match toml::from_slice(&envelope) {
        Ok(envelope) => envelope,
        Err(error) => {
            let file = inbox.path().join(format!("{stem}.toml"));
            let file = file.display();
            tracing::warn!(
                event = "inbox-message-unreadable",
                "{file}: not used: {error}"
            );
            return Ok(None);
        }
    };
    let mut message = InboxMessage::new(
        envelope.originator,
        envelope.recipient,
        envelope.method,
        envelope.uid,
        data,
    );
    message.instance = envelope.instance;
    message.attributes = envelope.attributes;
    Ok(Some(message))
}

/// What the names of a sender's files begin with, and what those of this message do.
fn stem(message: &InboxMessage) -> (String, String) {
    let originator = message.originator.as_str().to_ascii_lowercase();
    let sender = names::hash([originator.as_bytes()]);
    let about = names::hash([
        message.method.as_bytes(),
        message.uid.as_str().as_bytes(),
        message.instance.as_bytes(),
    ]);
    let stem = format!("{sender}-{about}");
    (sender, stem)
}

fn has_room(inbox: &Directory, message: &InboxMessage, sender: &str, stem: &str) -> Result<()> {
    let (mut count, mut all, mut of_sender) = (0, 0, 0);
    for entry in inbox.entries()? {
        if entry.name.starts_with(stem) {
            continue; // its place is taken
        }
        let size = inbox.stamp(&entry.name)?.map_or(0, |stamp| stamp.size());
        count += 1;
        all += size;
        if entry.name.starts_with(sender) {
            of_sender += size;
        }
    }
    let size = message.data.len() as u64;
    let has_room = message
        .room
        .is_none_or(|room| all + size <= room.total && of_sender + size <= room.of_sender);
    if count / 2 >= MOST_KEPT || !has_room {
        return Err(Error::conflict(format!(
            "{} has no room for another message; somebody has to decide on those that are there",
            inbox.path().display()
        )));
    }
    Ok(())
}
