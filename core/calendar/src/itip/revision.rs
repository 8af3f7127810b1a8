//! Which of two versions of a component is newer (RFC 5546 §2.1.5).

use super::personal::{REPLY_DTSTAMP, REPLY_SEQUENCE, UNKNOWN_REVISION};
use crate::tree::{Component, Property};
use crate::{
    message::{CLOCK_SKEW, MAX_SEQUENCE},
    stamp::utc,
};
use jiff::Timestamp;

/// SEQUENCE, then DTSTAMP: the later one in this order obsoletes the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Revision {
    pub sequence: u64,
    /// A stored component without DTSTAMP is older than any message.
    pub stamp: Option<Timestamp>,
}

impl Revision {
    /// The revision that a component is of: the one that it states, without SEQUENCE 0 (RFC 5545 §3.8.7.4). Where that is
    /// not known (see [`forget_revision`]), it is older than any message.
    pub(super) fn of(component: &Component) -> Self {
        if has_unknown_revision(component) {
            return Self {
                sequence: 0,
                stamp: None,
            };
        }
        Self::stated(component)
    }

    /// The revision that a component states, whoever has written it there.
    pub(super) fn stated(component: &Component) -> Self {
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

    /// Writes it into a component. A SEQUENCE that has come to its end stays there; then DTSTAMP decides.
    pub(super) fn write(self, component: &mut Component) {
        let sequence = self.sequence.min(MAX_SEQUENCE);
        component.set(Property::new("SEQUENCE", sequence.to_string()));
        if let Some(stamp) = self.stamp {
            component.set(Property::new("DTSTAMP", basic(stamp)));
        }
    }
}

/// Notes that what a component states is not known to be its organizer's revision: a program may have written it.
pub(super) fn forget_revision(component: &mut Component) {
    note_unknown(component, "DTSTAMP");
}

/// Whether it is not known of which revision of its organizer's a component is.
pub(super) fn has_unknown_revision(component: &Component) -> bool {
    is_unknown(component, "DTSTAMP")
}

/// Notes that it is not known which SEQUENCE attendees were told of an organizer's component: what it states, less or more.
pub(super) fn forget_told(component: &mut Component) {
    if component.get("SEQUENCE").is_none() && component.get("ORGANIZER").is_some() {
        component.push(Property::new("SEQUENCE", "0"));
    }
    note_unknown(component, "SEQUENCE");
}

/// Whether it is not known which SEQUENCE attendees were told of an organizer's component.
pub(super) fn has_unknown_told(component: &Component) -> bool {
    is_unknown(component, "SEQUENCE")
}

fn note_unknown(component: &mut Component, name: &str) {
    if let Some(line) = component.get_mut(name) {
        line.set_param(UNKNOWN_REVISION, "TRUE");
    }
}

fn is_unknown(component: &Component, name: &str) -> bool {
    let line = component.get(name);
    line.is_some_and(|line| line.param(UNKNOWN_REVISION).is_some())
}

/// The SEQUENCE that a component states; the greatest that there is, where it states a greater one.
pub(super) fn sequence(component: &Component) -> Option<u64> {
    let digits = component.value("SEQUENCE")?.trim();
    if digits.is_empty() || !digits.bytes().all(|it| it.is_ascii_digit()) {
        return None;
    }
    Some(
        digits
            .parse()
            .map_or(MAX_SEQUENCE, |it: u64| it.min(MAX_SEQUENCE)),
    )
}

/// Puts a SEQUENCE into a form that messages may have, for one that a program has written into its own object.
pub(super) fn mend_sequence(component: &mut Component) {
    let number = sequence(component);
    match (component.get_mut("SEQUENCE"), number) {
        // What is noted on it stays there.
        (Some(line), Some(number)) => line.value = number.to_string(),
        (Some(_), None) => _ = component.remove("SEQUENCE"),
        (None, _) => {}
    }
}

/// Forgets versions of a stored component that cannot be: a SEQUENCE beyond its bounds, a time that is still to come.
///
/// No message is taken with such a version, so that whatever wrote it here (a program of the owner's, an import, an
/// earlier release) would keep every later message out. Without it the next message is the newer one.
pub(super) fn forget_impossible(component: &mut Component, now: Timestamp) {
    let latest = now.saturating_add(CLOCK_SKEW).unwrap_or(now);
    let is_ahead = |stamp: &str| utc(stamp).is_some_and(|it| it > latest);
    let beyond = |digits: &str| {
        digits
            .trim()
            .parse()
            .map_or(true, |it: u64| it > MAX_SEQUENCE)
    };
    if component.value("SEQUENCE").is_some_and(beyond) {
        component.remove("SEQUENCE");
    }
    if let Some(line) = component
        .get_mut("DTSTAMP")
        .filter(|it| is_ahead(&it.value))
    {
        // A component must have one (RFC 5545 §3.6.1).
        line.value = basic(Timestamp::UNIX_EPOCH);
    }
    for line in component
        .properties
        .iter_mut()
        .filter(|it| it.is("ATTENDEE"))
    {
        if line.param(REPLY_DTSTAMP).is_some_and(is_ahead) {
            line.remove_param(REPLY_DTSTAMP);
        }
        if line.param(REPLY_SEQUENCE).is_some_and(beyond) {
            line.remove_param(REPLY_SEQUENCE);
        }
    }
}

/// The time (DTSTAMP) of a message that is not older than those that were `told` at these times, though the clock was set back
/// since.
///
/// What was told at a time that is further ahead than [`CLOCK_SKEW`] counts for nothing: nobody has taken it.
pub fn not_before(now: Timestamp, told: impl IntoIterator<Item = Timestamp>) -> Timestamp {
    let latest = now.saturating_add(CLOCK_SKEW).unwrap_or(now);
    let told = told.into_iter().filter(|it| *it <= latest);
    told.fold(now, Timestamp::max)
}

/// `20270104T100000Z`
pub(super) fn basic(stamp: Timestamp) -> String {
    stamp.strftime("%Y%m%dT%H%M%SZ").to_string()
}
