//! How much waits for people to decide on; nothing of what it is about.

use super::{
    api::{InboxCount, InboxCounted, InboxCounts},
    stores::named,
};
use crate::{instance::Instance, scheduling::OurHome};
use convoke_scheduling::Home as _;
use convoke_types::{CalendarUser, Error, Page};
use futures::{StreamExt as _, TryStreamExt as _, stream};

/// Users that are looked at for one answer.
const USERS: u32 = 500;
/// Of whom so many are looked at side by side.
const PARALLEL: usize = 8;
/// Messages that are listed at once, to be counted.
const PAGE: u32 = 50;

pub(super) async fn counts(instance: &Instance, asked: InboxCounts) -> Result<InboxCounted, Error> {
    let store = named(&instance.plugins, &asked.store)?;
    let page = Page::after(asked.page.after, asked.page.limit.clamp(1, USERS));
    let users = store.users(&page).await?;
    let count = users.items.len();
    let counting = users.items.into_iter().map(|user: CalendarUser| async {
        let home = OurHome::new(&instance.plugins, store.clone(), user);
        let waiting = waiting(&home).await?;
        let user = home.user().address.clone();
        Ok::<_, Error>(InboxCount { user, waiting })
    });
    let counted = stream::iter(counting).buffered(PARALLEL);
    let mut counts: Vec<InboxCount> = counted.try_collect().await?;
    counts.retain(|it| it.waiting > 0);
    Ok(InboxCounted {
        users: count,
        counts,
        next: users.next,
    })
}

async fn waiting(home: &OurHome) -> Result<usize, Error> {
    let (mut waiting, mut page) = (0, Page::first(PAGE));
    loop {
        let listing = home.inbox(&page).await?;
        waiting += listing.items.len();
        match listing.next {
            Some(next) => page.after = Some(next),
            None => return Ok(waiting),
        }
    }
}
