//! What is odd about a message: the administrator is told, its sender is not.

use convoke_calendar::{
    itip::Anomaly,
    message::{Message, Method},
};
use convoke_types::CalendarAddress;

/// Writes it to the log.
pub(super) fn log(anomaly: &Anomaly, message: &Message, recipient: &CalendarAddress) {
    let shown = |address: Option<&CalendarAddress>| match address {
        Some(address) => address.to_string(),
        None => "nobody".to_owned(),
    };
    let calls_off = matches!(message.method(), Method::Cancel | Method::DeclineCounter);
    let (uid, method) = (message.uid(), message.method());
    let organizer = shown(message.organizer());
    match anomaly {
        Anomaly::UidTaken { organizer: holder } if !calls_off => tracing::warn!(
            event = "uid-taken",
            %recipient,
            %uid,
            %method,
            organizer,
            holder = shown(holder.as_ref()),
            "refused: the recipient has something else of that UID"
        ),
        Anomaly::UidTaken { organizer: holder } => tracing::info!(
            event = "cancel-ignored",
            %recipient,
            %uid,
            %method,
            organizer,
            holder = shown(holder.as_ref()),
            "acknowledged and ignored: what the recipient has of that UID is not this organizer's"
        ),
        _ => tracing::info!(
            event = "cancel-ignored",
            %recipient,
            %uid,
            %method,
            organizer,
            "acknowledged and ignored: the recipient has nothing of that UID"
        ),
    }
}
