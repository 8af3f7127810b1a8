//! What goes with each call, in both directions.

#[cfg(any(test, feature = "host"))]
use crate::call::on_clock;
use crate::{
    Purpose,
    call::{Call, epoch},
};
use convoke_abi::values::{Call as Sent, purpose};
use std::time::Duration;

impl Call {
    #[cfg(any(test, feature = "host"))]
    pub(crate) fn write(&self) -> Sent {
        Sent {
            deadline: self.deadline.map_or(0, on_clock),
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

    pub(crate) fn read(sent: Sent) -> Self {
        let never = sent.deadline == 0;
        let deadline = epoch().checked_add(Duration::from_nanos(sent.deadline));
        Self {
            deadline: deadline.filter(|_| !never),
            request_id: sent.request_id,
            purpose: match sent.purpose {
                purpose::DELIVERY => Purpose::Delivery,
                purpose::SUBMISSION => Purpose::Submission,
                purpose::ADMINISTRATION => Purpose::Administration,
                purpose::BACKGROUND => Purpose::Background,
                purpose::TEST => Purpose::Test,
                _ => Purpose::Other,
            },
            attributes: super::read_attributes(sent.attributes),
        }
    }
}
