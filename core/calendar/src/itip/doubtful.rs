//! Messages to a copy of which no revision is known, and answers to one of which nobody knows what was told (see
//! [`unremembered`](super::unremembered)).
//!
//! The file's SEQUENCE and DTSTAMP are those of the organizer's message that made it, or of a later save of its owner's
//! program. A message that exceeds one of them is later than the one that made the file, or is the same. What exceeds neither
//! may be an old one that comes again, or one that the owner's program has overtaken: nothing tells them apart.
//!
//! So with answers: one that has both less may be to a version that is over. It has waited for its way, and its attendee may have
//! been asked anew meanwhile.

use super::object::Object;
use super::revision::{Revision, has_unknown_revision, has_unknown_told, sequence};
use crate::message::Message;
use crate::tree::Component;

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

/// Whether an answer may be to an older version than its organizer's copy has: it is not to count, and its attendee to be told the
/// latest.
pub(super) fn may_answer_older(answer: &Component, about: &Component) -> bool {
    let (said, found) = (Revision::of(answer), Revision::stated(about));
    has_unknown_told(about)
        && sequence(answer).is_some_and(|it| it < found.sequence)
        && said.stamp < found.stamp
}
