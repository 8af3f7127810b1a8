//! Messages that wait for a person to decide on.

use crate::{
    envelope::InboxItem,
    environment::{Environment, Home},
    scheduler::Scheduler,
};
use convoke_calendar::message::Message;
use convoke_types::{Error, ErrorKind, RequestStatus};
use sha2::{Digest, Sha256};

impl<E: Environment> Scheduler<E> {
    /// Keeps a message for the person to decide on; what the sender is told if there is no room.
    pub(crate) async fn keep<H: Home>(
        &self,
        home: &H,
        item: &InboxItem<'_>,
    ) -> Result<Option<RequestStatus>, Error> {
        let instances = instances(item.message);
        match home.keep(item, &instances, self.limits.room()).await {
            Err(error) if error.kind() == ErrorKind::Conflict => {
                let InboxItem {
                    originator,
                    recipient,
                    message,
                    ..
                } = item;
                tracing::info!(
                    event = "inbox-full", %originator, %recipient, uid = %message.uid(),
                    "the message is not kept: {error}"
                );
                let text = "There is no room for more messages that the recipient has to decide on";
                Ok(Some(RequestStatus::SERVICE_UNAVAILABLE.with_text(text)))
            }
            kept => kept.map(|()| None),
        }
    }
}

/// Which instances a message is about, as long as a digest at most.
fn instances(message: &Message) -> String {
    let names = message.instance_names();
    if names.len() <= 64 {
        return names;
    }
    let digest: Vec<String> = Sha256::digest(names)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    digest.concat()
}
