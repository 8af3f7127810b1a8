//! Messages to a copy of which no revision is known (see [`unremembered`](super::unremembered)).
//!
//! The file's SEQUENCE and DTSTAMP are those of the organizer's message that made it, or of a later save of its owner's
//! program. A message that exceeds one of them is later than the one that made the file, or is the same. What exceeds neither
//! may be an old one that comes again, or one that the owner's program has overtaken: nothing tells them apart.

use super::object::Object;
use super::revision::{Revision, has_unknown_revision};
use crate::message::Message;

/// Whether a message may be older than what is stored: it is not to be taken, and the latest version to be asked for.
pub(super) fn may_be_older(stored: &Object, message: &Message) -> bool {
    message.components().any(|incoming| {
        let known = stored
            .part(incoming)
            .and_then(|it| stored.instances.get(&it));
        let Some(known) = known
            .or(stored.master.as_ref())
            .filter(|it| has_unknown_revision(it))
        else {
            return false;
        };
        let found = Revision::stated(known);
        // Where peers leave SEQUENCE out (Cyrus), DTSTAMP decides.
        let said = Revision::against(incoming, known);
        let counts_on = incoming.get("SEQUENCE").is_some() && said.sequence > found.sequence;
        said.stamp < found.stamp && !counts_on
    })
}
