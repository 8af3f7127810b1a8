//! What is forgotten of a calendar user beside what scheduling remembers: what was noted for calendar programs.

use crate::{caldav, overwritten, program_inbox};
use convoke_scheduling::{State, forget_range};
use convoke_types::{CalendarUser, Error};

/// Forgets names of objects, properties of the calendar, messages that programs show, and versions that were written over.
pub(crate) async fn forget_programs(state: &impl State, user: &CalendarUser) -> Result<(), Error> {
    let kept = caldav::kept_of(user).into_iter();
    let kept = kept.chain([program_inbox::kept_of(user), overwritten::kept_of(user)]);
    for range in kept {
        forget_range(state, range).await?;
    }
    Ok(())
}
