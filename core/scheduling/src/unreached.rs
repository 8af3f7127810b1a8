//! Whom a person's meetings did not reach, for a person who looks.

use crate::{
    environment::{Clock, Environment, Home, HomeOf, Processor},
    keys,
    ledger::Ledger,
    limits::Limits,
    pages::Pages,
    person::Person,
    scheduler::Scheduler,
    state,
};
use convoke_calendar::{itip, itip::Owner, tree::Calendar};
use convoke_types::{Error, StateEntry};
use jiff::Timestamp;

/// Ledgers that are read at once.
const PAGE: u32 = 200;

impl<E: Environment> Scheduler<E> {
    /// Meetings of a user that are not over and whose last message did not reach everybody: as others know them, with the
    /// status of whom it did not reach (SCHEDULE-STATUS). No more than `most`.
    ///
    /// It is the ledger that is asked, and no store: calendars may be large, and far away.
    ///
    /// # Errors
    ///
    /// The state cannot be read.
    pub async fn unreached(&self, home: &HomeOf<E>, most: usize) -> Result<Vec<Calendar>, Error> {
        let person = Person::of(home.user());
        let owner = person.owner();
        let now = self.environment.clock().now();
        let ledger = keys::ledger_of(home.user());
        let mut pages = Pages::of(self.environment.state(), ledger).at_most(PAGE);
        let mut found = Vec::new();
        while let Some(entries) = pages.next().await? {
            let bytes = entries.iter().map(|it| it.value.len()).sum();
            let work = || {
                let each = entries.iter();
                let each = each.filter_map(|it| unreached(it, &owner, &self.limits, now));
                each.collect::<Vec<_>>()
            };
            found.extend(self.environment.processor().run(bytes, work).await);
            if found.len() >= most {
                break;
            }
        }
        found.truncate(most);
        Ok(found)
    }
}

/// A meeting, if it did not reach somebody.
fn unreached(
    entry: &StateEntry,
    owner: &Owner<'_>,
    limits: &Limits,
    now: Timestamp,
) -> Option<Calendar> {
    // One that cannot be read is told of where it is needed.
    let ledger: Ledger = state::read(entry).ok()?;
    if ledger.gone || !ledger.has_failures() {
        return None;
    }
    let known = ledger.remembered(limits)?;
    (!itip::is_over([&known], owner, now)).then(|| ledger.with_failures(&itip::forget(known)))
}
