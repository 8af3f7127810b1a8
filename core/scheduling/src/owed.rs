//! What our people send because a message came in, and whose answer nobody waits for: a REFRESH where an ADD builds on
//! something missing, a REQUEST where somebody asks for the latest version or is a delegate, the answer of a room.
//!
//! It goes out by the outbox, committed with what the message changed. Who causes it is a stranger, and whom it goes to may be
//! somebody else: so little goes out that nobody is worth using us for it. Of one object, one address is told once a second
//! at most (the latest version waits for that, and takes the place of what waits), and what waits for one domain is bounded. What
//! is not sent is logged. An answer of our own people (REPLY) is never held back.

use crate::{
    echoes::{Haste, Held, TO_A_DOMAIN},
    environment::Environment,
    keys,
    scheduler::Scheduler,
};
use convoke_calendar::{itip::Outgoing, message::Method};
use jiff::Timestamp;

impl<E: Environment> Scheduler<E> {
    /// The message without whom it may not go to, and from when on it may; `None` if that is everybody.
    pub(crate) fn admit_owed(
        &self,
        mut outgoing: Outgoing,
        now: Timestamp,
    ) -> Option<(Outgoing, Timestamp)> {
        let Outgoing {
            message,
            originator,
            recipients,
        } = &mut outgoing;
        if message.method() == Method::Reply {
            return Some((outgoing, now));
        }
        let haste = match message.method() {
            Method::Refresh => Haste::Ends,
            _ => Haste::Waits,
        };
        let (method, uid) = (message.method().as_str(), message.uid());
        let mut goes_at = now;
        recipients.retain(|recipient| {
            let key = (method, uid.as_str().to_owned(), keys::folded(recipient));
            let is_crowded = self.shared.outbox.waiting_for(recipient) >= TO_A_DOMAIN;
            let admitted = if is_crowded {
                Err(Held::Crowded)
            } else {
                self.shared.echoes.admit(key, haste, now)
            };
            match admitted {
                Ok(at) => goes_at = goes_at.max(at),
                Err(held) => tracing::info!(
                    event = "background-held", %originator, %recipient, method, %uid,
                    "not sent: {}", held.reason()
                ),
            }
            admitted.is_ok()
        });
        (!outgoing.recipients.is_empty()).then_some((outgoing, goes_at))
    }
}
