//! What goes with each call, in both directions.

use crate::{Purpose, call::Call};
use convoke_abi::values::{Call as Sent, purpose};

impl Call {
    #[cfg(any(test, feature = "host"))]
    pub(crate) fn write(&self) -> Sent {
        Sent {
            deadline: self.deadline,
            request_id: self.request_id,
            purpose: match self.purpose {
                Purpose::Other => purpose::OTHER,
                Purpose::Delivery => purpose::DELIVERY,
                Purpose::Submission => purpose::SUBMISSION,
                Purpose::Administration => purpose::ADMINISTRATION,
                Purpose::Background => purpose::BACKGROUND,
                Purpose::Test => purpose::TEST,
            },
            attributes: super::Write::write(&self.attributes),
        }
    }

    pub(crate) fn read(sent: &Sent) -> Self {
        Self {
            deadline: sent.deadline,
            request_id: sent.request_id,
            purpose: match sent.purpose {
                purpose::DELIVERY => Purpose::Delivery,
                purpose::SUBMISSION => Purpose::Submission,
                purpose::ADMINISTRATION => Purpose::Administration,
                purpose::BACKGROUND => Purpose::Background,
                purpose::TEST => Purpose::Test,
                _ => Purpose::Other,
            },
            attributes: super::copy_attributes(&sent.attributes),
        }
    }
}
