//! The instances that a series leaves out (EXDATE), and whose doing that is.

use super::instance::bare_date;
use super::personal::LEFT_OUT;
use crate::stamp::basic_date_time;
use crate::time::values;
use crate::tree::{Component, Property};

/// An instance that its attendee leaves out, as it is remembered.
pub(super) fn left_out(mut date: Property) -> Property {
    "EXDATE".clone_into(&mut date.name);
    date.with(LEFT_OUT, "TRUE")
}

/// The dates that a series leaves out, one a property. What is no date leaves nothing out.
pub(super) fn exceptions(master: &Component) -> Vec<Property> {
    dates_of(master.all("EXDATE"))
}

/// Those of them that the attendee has left out, as it is remembered.
pub(super) fn own_exceptions(master: &Component) -> Vec<Property> {
    let lines = master.all("EXDATE");
    dates_of(lines.filter(|line| line.param(LEFT_OUT).is_some()))
}

fn dates_of<'c>(lines: impl Iterator<Item = &'c Property>) -> Vec<Property> {
    let dates = lines.flat_map(|line| {
        let dates = values(line).filter(|date| basic_date_time(date).is_some());
        dates.map(|date| {
            let mut one = bare_date(line, date);
            "RECURRENCE-ID".clone_into(&mut one.name);
            one
        })
    });
    dates.collect()
}
