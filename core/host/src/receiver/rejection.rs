//! Why a message is not delivered to anybody.

use crate::admission::RetryAfter;
use convoke_ischedule::Refusal;

/// Why a message is not delivered to anybody.
pub(crate) enum Rejection {
    /// It is wrong.
    Refused(Refusal),
    /// It cannot be judged, or worked on, now.
    RetryAfter(RetryAfter),
}

impl From<Refusal> for Rejection {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<RetryAfter> for Rejection {
    fn from(wait: RetryAfter) -> Self {
        Self::RetryAfter(wait)
    }
}
