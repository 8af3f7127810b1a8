//! A mail may come twice: who hands one over and does not hear that it was taken hands it over again, and mail servers do so
//! for days. It has the same Message-ID then, and says the same; so it is acted on once, and answered as before.
//!
//! What is stored would not change by it. But a proposal that was decided, or a message that was dropped, would wait again,
//! and a person would be told of the same answer twice. Only what was taken is remembered: what was not may be by the next try.
//! (What comes by iSchedule twice its receiver knows by its signature.)

use crate::{
    envelope::Envelope,
    environment::{Environment, State},
    keys,
    scheduler::Scheduler,
};
use convoke_calendar::message::Provenance;
use convoke_types::{Batch, CalendarAddress, Error, RequestStatus};
use std::time::Duration;

/// How long it is remembered that a mail was taken: longer than mail servers try.
const KEPT: Duration = Duration::from_secs(30 * 24 * 3600);

impl<E: Environment> Scheduler<E> {
    /// Whether the same mail was taken for this recipient before.
    pub(super) async fn was_taken(
        &self,
        envelope: &Envelope<'_>,
        recipient: &CalendarAddress,
    ) -> Result<bool, Error> {
        let Some(key) = key(envelope, recipient) else {
            return Ok(false);
        };
        let was_taken = self.environment.state().get(&key).await?.is_some();
        if was_taken {
            tracing::info!(
                event = "mail-repeated", %recipient, uid = %envelope.message.uid(),
                "a mail came again, and was taken before"
            );
        }
        Ok(was_taken)
    }

    /// Remembers that a mail was taken for this recipient, where nothing else is committed with it.
    pub(super) async fn note_taken(&self, envelope: &Envelope<'_>, recipient: &CalendarAddress) {
        let batch = as_taken(envelope, recipient, &RequestStatus::SUCCESS);
        if batch.writes.is_empty() {
            return;
        }
        if let Err(error) = self.environment.state().commit(batch).await {
            tracing::warn!(
                event = "mail-not-noted", %recipient, uid = %envelope.message.uid(),
                "if this mail comes again, it is taken for another one: {error}"
            );
        }
    }
}

/// What remembers that a mail was taken for this recipient, if it was.
pub(super) fn as_taken(
    envelope: &Envelope<'_>,
    recipient: &CalendarAddress,
    status: &RequestStatus,
) -> Batch {
    match key(envelope, recipient).filter(|_| status.is_success()) {
        Some(key) => Batch::new().put_for(key, [], KEPT),
        None => Batch::new(),
    }
}

/// Where it is remembered of a mail. Whoever knows the Message-ID of another's mail and says something else is not taken for that.
fn key(envelope: &Envelope<'_>, recipient: &CalendarAddress) -> Option<Vec<u8>> {
    let message_id = envelope.transport.message_id;
    let message_id = message_id.filter(|_| matches!(envelope.from, Provenance::Mail))?;
    Some(keys::received(message_id, recipient, envelope.data))
}
