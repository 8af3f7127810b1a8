//! Messages kept for a person to decide on: `.convoke/inbox/`, two files each, the message and from whom it is.
//!
//! A file's name says who sent it and what it is about, as digests: a later message takes the place of the earlier one about
//! the same by itself, and what a sender takes is counted without reading anything.

use crate::{
    Shared, names, people,
    tree::{Folder, PATIENCE},
};
use convoke_sdk::prelude::*;
use std::collections::BTreeMap;

/// Messages kept for one user, at most.
const MOST_KEPT: usize = 10_000;

/// Writes the message into the inbox of the user whose folder is `user`.
pub(crate) fn keep(shared: &Shared, user: &str, message: &KeptMessage) -> Result<()> {
    let (folder, _lock) = shared.people.open_locked(user, PATIENCE)?;
    let inbox = folder.make_folder(people::CONTROL)?.make_folder("inbox")?;
    let (sender, stem) = stem(message);
    has_room(&inbox, message, &sender, &stem)?;
    let envelope = [
        ("originator", message.originator.as_str()),
        ("recipient", message.recipient.as_str()),
        ("method", &message.method),
        ("uid", message.uid.as_str()),
    ];
    let envelope = toml::to_string(&BTreeMap::from(envelope))
        .map_err(|error| Error::internal(format!("an envelope cannot be written: {error}")))?;
    for (name, bytes) in [
        (format!("{stem}.toml"), envelope.as_bytes()),
        (format!("{stem}.ics"), &message.data),
    ] {
        inbox.prepare(&name, bytes)?.replace()?;
    }
    Ok(())
}

/// What the names of a sender's files begin with, and what those of this message do.
fn stem(message: &KeptMessage) -> (String, String) {
    let originator = message.originator.as_str().to_ascii_lowercase();
    let sender = names::hash([originator.as_bytes()]);
    let about = names::hash([
        message.method.as_bytes(),
        message.uid.as_str().as_bytes(),
        message.instance().as_bytes(),
    ]);
    let stem = format!("{sender}-{about}");
    (sender, stem)
}

fn has_room(inbox: &Folder, message: &KeptMessage, sender: &str, stem: &str) -> Result<()> {
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
        .room()
        .is_none_or(|room| all + size <= room.total && of_sender + size <= room.of_sender);
    if count / 2 >= MOST_KEPT || !has_room {
        return Err(Error::conflict(format!(
            "{} has no room for another message; somebody has to decide on those that are there",
            inbox.path().display()
        )));
    }
    Ok(())
}
