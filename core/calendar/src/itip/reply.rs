//! An attendee's reply, as a person gives it: how, to what, in which words, and who comes instead.

use super::object::Object;
use super::participants::PartStat;
use super::series::Search;
use crate::stamp::basic_date_time;
use crate::time::{Clock, When};
use crate::tree::{Component, Property};
use convoke_types::CalendarAddress;

/// An answer to an invitation: to the whole and to every instance that the attendee is invited to, unless it names some.
///
/// ```
/// use convoke_calendar::{itip::{Reply, PartStat}, time::When, tree::Property};
///
/// let monday = When::of(&Property::new("RECURRENCE-ID", "20270111T090000Z"))?;
/// let late = Reply::new(PartStat::Tentative).to_instance(monday).with_comment("My train is late");
/// let instead = Reply::delegate_to("cy@example.net".parse()?);
/// assert_ne!(late, instead);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    pub(super) partstat: PartStat,
    pub(super) instances: Vec<When>,
    pub(super) comment: Option<String>,
    pub(super) delegates: Vec<CalendarAddress>,
}

impl From<PartStat> for Reply {
    fn from(partstat: PartStat) -> Self {
        Self::new(partstat)
    }
}

impl Reply {
    /// Comes, may come, does not come; or of a to-do, works on it, has done it.
    pub const fn new(partstat: PartStat) -> Self {
        Self {
            partstat,
            instances: Vec::new(),
            comment: None,
            delegates: Vec::new(),
        }
    }

    /// Somebody else comes instead (RFC 5546 §3.2.2.3).
    pub fn delegate_to(delegate: CalendarAddress) -> Self {
        Self {
            delegates: vec![delegate],
            ..Self::new(PartStat::Delegated)
        }
    }

    /// The same to one instance of a series; said several times, to each of these. An instance is named by when it would
    /// begin if nothing had moved it: at a time in any zone, at a time on the clock of the series, or by its day.
    #[must_use]
    pub fn to_instance(mut self, instance: When) -> Self {
        self.instances.push(instance);
        self
    }

    /// The same with a COMMENT for the organizer.
    #[must_use]
    pub fn with_comment(mut self, comment: impl Into<String>) -> Self {
        self.comment = Some(comment.into());
        self
    }
}

/// What somebody says beside an answer or a proposal; nothing, if they say nothing.
pub(super) fn comment(text: Option<&str>) -> Option<Property> {
    let text = text.map(str::trim).filter(|text| !text.is_empty());
    text.map(|text| Property::text("COMMENT", text))
}

/// An instance of an object as its owner has it: with a component of its own, or as the series implies it. `None` if there is
/// no such instance.
pub(super) fn named_instance(object: &Object, when: &When) -> Option<Component> {
    let start = object.master.as_ref().and_then(|it| it.get("DTSTART"));
    let id = if let Some(start) = start {
        on_the_clock_of(start, when)
    } else {
        // Without a series its instances tell how they are named.
        let ids = object.instances.values();
        let mut ids = ids.filter_map(|it| it.get("RECURRENCE-ID"));
        ids.find(|id| is_named(id, when, object))?.clone()
    };
    let known = object.instances.get(&object.key(&id)).cloned();
    known.or_else(|| object.implied(&id).filter(|_| Search::of(object).has(&id)))
}

fn is_named(id: &Property, when: &When, object: &Object) -> bool {
    let by_day = || basic_date_time(&id.value).is_some_and(|wall| wall.date() == when.wall.date());
    (when.is_date() && by_day()) || object.key(id) == object.key(&on_the_clock_of(id, when))
}

/// The name of an instance of a series that begins at `start`. What names no clock is on that of the series.
fn on_the_clock_of(start: &Property, when: &When) -> Property {
    let id = match (&when.clock, When::of(start)) {
        (Clock::Floating, Ok(start)) if !start.is_date() => When {
            wall: when.wall,
            clock: start.clock,
        },
        _ => when.clone(),
    };
    id.property("RECURRENCE-ID")
}
