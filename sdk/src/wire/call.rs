//! What goes with each call, in both directions.

#[cfg(any(test, feature = "host"))]
use super::lend_attributes;
use crate::{Purpose, call::Call};
#[cfg(any(test, feature = "host"))]
use convoke_abi::values::LentAttribute;
use convoke_abi::values::{Call as Sent, purpose};

impl Call {
    /// Its attributes, for [`write`](Self::write).
    #[cfg(any(test, feature = "host"))]
    pub(crate) fn facts(&self) -> Vec<LentAttribute<'_>> {
        lend_attributes(&self.attributes)
    }

    #[cfg(any(test, feature = "host"))]
    #[inline]
    pub(crate) fn write<'a>(&self, facts: &'a [LentAttribute<'a>]) -> Sent<'a> {
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
            attributes: facts.into(),
        }
    }

    #[inline]
    pub(crate) fn read(sent: Sent<'_>) -> Self {
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
            attributes: super::copy_attributes(sent.attributes),
        }
    }
}
