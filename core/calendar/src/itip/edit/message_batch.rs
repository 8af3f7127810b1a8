//! Batching of the messages of one edit: attendees who are told the same share one message.

use super::attendees::Part;
use crate::itip::outgoing::{Outgoing, compose};
use crate::message::{MessageError, Method};
use crate::tree::{Component, Property};
use crate::zone::Zones;
use convoke_types::CalendarAddress;
use std::collections::{HashMap, HashSet};

/// What makes two messages the same: the method, and the parts of the object, each with whether it is cancelled.
pub(super) type BatchKey = (Method, Vec<(Part, bool)>);

/// The messages of one edit, in the order in which they were first needed.
#[derive(Debug, Default)]
pub(super) struct MessageBatch {
    messages: Vec<PendingMessage>,
    known: HashMap<BatchKey, usize>,
}

#[derive(Debug)]
struct PendingMessage {
    method: Method,
    components: Vec<Component>,
    recipients: Vec<CalendarAddress>,
    known: HashSet<String>,
}

impl MessageBatch {
    /// Adds a recipient to the message of this key. `components` is called if there is no such message yet.
    pub(super) fn add_recipient(
        &mut self,
        key: BatchKey,
        recipient: &CalendarAddress,
        components: impl FnOnce() -> Vec<Component>,
    ) -> &mut [Component] {
        let method = key.0;
        let at = *self.known.entry(key).or_insert_with(|| {
            self.messages.push(PendingMessage {
                method,
                components: components(),
                recipients: Vec::new(),
                known: HashSet::new(),
            });
            self.messages.len() - 1
        });
        let pending = &mut self.messages[at];
        if pending
            .known
            .insert(recipient.as_str().to_ascii_lowercase())
        {
            pending.recipients.push(recipient.clone());
        }
        &mut pending.components
    }

    /// The finished messages, CANCEL first: an attendee who loses the series but keeps an instance gets the instance after it.
    pub(super) fn outgoing(
        self,
        zones: &Zones,
        organizer: &CalendarAddress,
    ) -> Result<Vec<Outgoing>, MessageError> {
        let mut messages = self.messages;
        messages.sort_by_key(|pending| pending.method != Method::Cancel);
        let outgoing = messages.into_iter().map(|pending| {
            let message = compose(pending.method, pending.components, zones)?;
            Ok(Outgoing {
                message,
                originator: organizer.clone(),
                recipients: pending.recipients,
            })
        });
        outgoing.collect()
    }
}

/// Adds the ATTENDEE line of one more recipient to each component of a CANCEL (RFC 5546 §3.2.5: one may go to several).
pub(super) fn name_attendee(components: &mut [Component], line: Option<&Property>) {
    for component in components {
        component.properties.extend(line.cloned());
    }
}
