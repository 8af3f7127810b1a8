//! Makes the indexes of a calendar user's objects anew: when an object takes its owner's time depends on its owner's time
//! zone, and on which of the ATTENDEEs its owner is.

use crate::admin::api::Tells;
use crate::cli::{
    context::failed,
    output::{Failure, warn},
    session::StoreSession,
};
use convoke_plugin_host::IndexService;
use convoke_types::{CalendarUser, Error, ErrorKind, NewObject, Page, Precondition, Uid};

/// Objects that are listed at once.
const PAGE: u32 = 500;

/// Writes each object of the user as it is, with the index that it has now. One that cannot be described keeps its index,
/// and is named.
pub(super) async fn reindex(
    store: &StoreSession,
    user: &CalendarUser,
    index: &IndexService,
) -> Result<(), Failure> {
    let mut page = Page::first(PAGE);
    loop {
        let listing = match store.list(&user.id, &page).await {
            // Such a store has no use for indexes that only it could tell us of.
            Err(error) if error.kind() == ErrorKind::Unsupported => return Ok(()),
            listing => listing.map_err(|error| failed(store, &error))?,
        };
        for object in &listing.items {
            if let Err(error) = renew(store, user, &object.uid, index).await {
                warn(&format!(
                    "{}: when it takes time is not worked out anew: {error}",
                    object.uid
                ));
            }
        }
        match listing.next {
            Some(next) => page.after = Some(next),
            None => return Ok(()),
        }
    }
}

async fn renew(
    store: &StoreSession,
    user: &CalendarUser,
    uid: &Uid,
    index: &IndexService,
) -> Result<(), Error> {
    let Some(object) = store.get(&user.id, uid).await? else {
        return Ok(());
    };
    let index = index(Some(user), &object.data)?;
    let renewed = NewObject::new(object.data, index);
    let when = Precondition::Matches(object.etag);
    // It is the same object: what its owner has changed in it and is not told yet stays to be told.
    match store.put(user, &renewed, &when, Tells::Concerned).await {
        // Who wrote it meanwhile has described it as well.
        Err(error) if error.kind() == ErrorKind::Conflict => Ok(()),
        written => written.map(drop),
    }
}
