//! Does what was planned, and takes it back where it cannot be finished.

use super::plan::{Planned, Step};
use crate::{
    cli::{
        output::{Failure, warn},
        session::StoreSession,
        user::{reindex, takes_other_time},
    },
    config::Config,
    scheduling::index_service,
};
use convoke_types::{CalendarUser, Error};
use std::path::Path;

/// How a step is taken back.
enum Undo<'a> {
    Remove(&'a StoreSession, CalendarUser),
    Restore(&'a StoreSession, &'a CalendarUser),
}

/// Does all of it. Where a step fails, those before it are taken back.
pub(super) async fn all(plan: &[Planned], file: &Path, config: &Config) -> Result<(), Failure> {
    let mut done = Vec::new();
    for planned in plan {
        match one(planned).await {
            Ok(undo) => done.extend(undo),
            Err(error) => {
                let stays = take_back(done).await;
                let what = if stays == 0 {
                    "nothing of the file was taken".to_owned()
                } else {
                    format!("{stays} lines before it could not be taken back")
                };
                return Err(Failure::new(format!(
                    "{}: line {}: the store `{}`: {error}; {what}",
                    file.display(),
                    planned.line,
                    planned.store.name()
                )));
            }
        }
    }
    let index = index_service(config.limits.messages.clone());
    for planned in plan {
        if let Step::Update { before, after } = &planned.step
            && takes_other_time(before, after)
        {
            reindex::reindex(&planned.store, after, &index).await?;
        }
    }
    Ok(())
}

async fn one(planned: &Planned) -> Result<Option<Undo<'_>>, Error> {
    let store = &planned.store;
    Ok(match &planned.step {
        Step::Add(user) => {
            let id = store.add_user(user).await?;
            Some(Undo::Remove(store, user.clone().with_id(id)))
        }
        Step::Update { before, after } => {
            store.update_user(after).await?;
            Some(Undo::Restore(store, before))
        }
        Step::Leave(_) => None,
    })
}

/// Takes steps back, the last one first. How many it could not.
async fn take_back(done: Vec<Undo<'_>>) -> usize {
    let mut stays = 0;
    for undo in done.into_iter().rev() {
        let (who, undone) = match &undo {
            Undo::Remove(store, user) => (&user.address, store.remove_user(user).await),
            Undo::Restore(store, before) => (&before.address, store.update_user(before).await),
        };
        if let Err(error) = undone {
            let who = who.human();
            warn(&format!(
                "{who}: what was done cannot be taken back: {error}"
            ));
            stays += 1;
        }
    }
    stays
}
