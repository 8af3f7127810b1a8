//! Which of two versions of a component is newer (RFC 5546 §2.1.5).

use crate::message::utc;
use crate::tree::{Component, Property};
use jiff::Timestamp;

/// SEQUENCE, then DTSTAMP: the later one in this order obsoletes the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Revision {
    pub sequence: u64,
    /// A stored component without DTSTAMP is older than any message.
    pub stamp: Option<Timestamp>,
}

impl Revision {
    /// The revision that a component states; without SEQUENCE it is 0 (RFC 5545 §3.8.7.4).
    pub(super) fn of(component: &Component) -> Self {
        Self {
            sequence: sequence(component).unwrap_or(0),
            stamp: component.value("DTSTAMP").and_then(utc),
        }
    }

    /// The revision of a CANCEL, ADD or REPLY against a stored component: where peers leave SEQUENCE out (Cyrus),
    /// it is about the version that is stored, and DTSTAMP decides.
    pub(super) fn against(component: &Component, stored: &Component) -> Self {
        let own = Self::of(component);
        let sequence = sequence(component).unwrap_or_else(|| Self::of(stored).sequence);
        Self { sequence, ..own }
    }

    /// Writes it into a component.
    pub(super) fn write(self, component: &mut Component) {
        component.set(Property::new("SEQUENCE", self.sequence.to_string()));
        if let Some(stamp) = self.stamp {
            component.set(Property::new("DTSTAMP", basic(stamp)));
        }
    }
}

/// The SEQUENCE that a component states.
pub(super) fn sequence(component: &Component) -> Option<u64> {
    component.value("SEQUENCE")?.trim().parse().ok()
}

/// `20270104T100000Z`
pub(super) fn basic(stamp: Timestamp) -> String {
    stamp.strftime("%Y%m%dT%H%M%SZ").to_string()
}
