//! What a series implies of its instances, for who compares what programs wrote: an answer to one instance writes that out beside its
//! series, though nothing else of it has changed.

use super::instance::{Range, derive, recurs};
use crate::{
    tree::{Calendar, Component},
    zone::Zones,
};
use jiff::tz::TimeZone;

/// The series of an object, and what it implies.
#[derive(Debug)]
pub struct Series<'a> {
    /// The component without RECURRENCE-ID.
    master: &'a Component,
    /// The same as one instance has it.
    common: Component,
    lines: usize,
    zones: Zones<'a>,
}

impl<'a> Series<'a> {
    /// That of an object; `None` if it has none.
    pub fn of(calendar: &'a Calendar) -> Option<Self> {
        let mut components = calendar.main_components();
        let master = components.find(|it| it.get("RECURRENCE-ID").is_none() && recurs(it))?;
        let start = master.get("DTSTART")?;
        let zones = Zones::of(calendar, TimeZone::UTC);
        let common = derive(master, start, &zones);
        Some(Self {
            master,
            lines: lines(&common),
            common,
            zones,
        })
    }

    /// The component of the whole.
    pub const fn master(&self) -> &'a Component {
        self.master
    }

    /// What the series implies of the instance that `written` is about; `None` where that says something else for certain, as it is
    /// much shorter, or is about the following ones, too. So the work is in proportion to what is written.
    pub fn implied(&self, written: &Component) -> Option<Component> {
        let id = written.get("RECURRENCE-ID")?;
        let is_alike = written.is(&self.master.name) && 2 * lines(written) + 16 >= self.lines;
        if !is_alike || Range::of(written) == Range::ThisAndFuture {
            return None;
        }
        let mut from = self.common.clone();
        from.remove("RECURRENCE-ID");
        Some(derive(&from, id, &self.zones))
    }
}

/// All lines of a component: the work that copying it is.
fn lines(component: &Component) -> usize {
    let inner = component.components.iter().map(lines);
    component.properties.len() + inner.sum::<usize>()
}
