//! What is forgotten of a calendar user beside what scheduling remembers: what was noted for calendar programs.

use crate::{caldav, overwritten, program_inbox};
use convoke_scheduling::State;
use convoke_types::{Batch, CalendarUser, Error, KeyRange};

/// Keys that one commit deletes.
const TOGETHER: u32 = 200;

/// Forgets names of objects, properties of the calendar, messages that programs show, and versions that were written over.
pub(crate) async fn forget_programs(state: &impl State, user: &CalendarUser) -> Result<(), Error> {
    let kept = caldav::kept_of(user).into_iter();
    let kept = kept.chain([program_inbox::kept_of(user), overwritten::kept_of(user)]);
    for range in kept {
        delete_all(state, &range).await?;
    }
    Ok(())
}

async fn delete_all(state: &impl State, range: &KeyRange) -> Result<(), Error> {
    loop {
        let page = state.scan(range, TOGETHER).await?;
        if page.is_empty() {
            return Ok(());
        }
        let keys = page.into_iter().map(|it| it.key);
        state.commit(keys.fold(Batch::new(), Batch::delete)).await?;
    }
}
