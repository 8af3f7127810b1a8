//! The one place where a store's error becomes a delivery status.

use convoke_sdk::{Error, ErrorKind};
use convoke_types::RequestStatus;

/// What the sender is told; the error's own words stay in our log.
pub(crate) fn status_of(error: &Error) -> RequestStatus {
    match error.kind() {
        ErrorKind::Denied => RequestStatus::NO_AUTHORITY,
        ErrorKind::NotFound => RequestStatus::INVALID_CALENDAR_USER,
        ErrorKind::Unsupported => RequestStatus::NO_SCHEDULING_SUPPORT,
        ErrorKind::Invalid => RequestStatus::INVALID_PROPERTY_VALUE,
        // Unavailable, Conflict after all retries, Internal, and what later SDKs add: trying later may help.
        _ => RequestStatus::SERVICE_UNAVAILABLE,
    }
}
