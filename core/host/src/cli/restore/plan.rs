//! Which stores of a backup are restored, into what, and whether there is room.

use super::Restore;
use crate::{
    cli::{
        backup::{Failed, file::StoreInside, read::BackupFile},
        output::Failure,
        state::scan::{clear, count, entries},
    },
    scheduling::OurHome,
    state::OurState,
};
use convoke_plugin_host::{Plugins, StoreHandle};
use convoke_scheduling::bury_missing;
use convoke_sdk::{KeyRange, Scan};
use convoke_types::{CalendarAddress, CalendarUser, Error, Page};
use std::{collections::HashSet, sync::Arc};

/// Addresses that a sentence names.
const NAMED: usize = 5;

/// What is restored.
pub(super) struct Plan<'a> {
    pub(super) plugins: &'a Plugins,
    pub(super) replace: bool,
    /// How many objects the backup has.
    pub(super) objects: usize,
    /// Each store of the backup.
    stores: Vec<Target<'a>>,
}

/// A store of the backup, and where it goes.
pub(super) struct Target<'a> {
    inside: &'a StoreInside,
    /// The store of the configuration by that name.
    handle: Option<&'a Arc<StoreHandle>>,
    is_restored: bool,
}

impl<'a> Plan<'a> {
    /// What the arguments mean. A store that the configuration has not is named, with whose calendars are in it.
    pub(super) fn new(
        asked: &Restore,
        backup: &'a BackupFile,
        plugins: &'a Plugins,
    ) -> Result<Self, Failure> {
        let all = &backup.manifest().stores;
        for name in &asked.stores {
            if !all.iter().any(|it| it.name == *name) {
                let names: Vec<&str> = all.iter().map(|it| it.name.as_str()).collect();
                return Err(Failure::new(format!(
                    "the backup has no store of the name `{name}`; it has `{}`",
                    names.join("`, `")
                )));
            }
        }
        let stores = all.iter().map(|inside| Target {
            inside,
            handle: plugins.stores.by_name(&inside.name),
            is_restored: !asked.state_only
                && (asked.stores.is_empty() || asked.stores.contains(&inside.name)),
        });
        let plan = Self {
            plugins,
            replace: asked.replace,
            objects: backup.objects(),
            stores: stores.collect(),
        };
        let unknown = |it: &&Target<'_>| it.is_restored && it.handle.is_none();
        match plan.stores.iter().find(unknown) {
            None => Ok(plan),
            Some(target) => Err(Failure::new(format!(
                "the configuration has no [[store]] of the name `{}`, in which the backup has {}; write it, or say with --store which \
                 others are restored",
                target.inside.name,
                people(target.inside)
            ))),
        }
    }

    /// Where a store of the backup goes; `None` if it stays as it is.
    pub(super) fn handle(&self, store: usize) -> Option<&'a Arc<StoreHandle>> {
        let target = self.stores.get(store)?;
        target.handle.filter(|_| target.is_restored)
    }

    fn restored(&self) -> impl Iterator<Item = (&Target<'a>, &'a Arc<StoreHandle>)> {
        let restored = self.stores.iter().filter(|it| it.is_restored);
        restored.filter_map(|it| Some((it, it.handle?)))
    }

    /// Refuses what would be mixed with what is there already.
    pub(super) async fn check(&self) -> Result<(), Failure> {
        let of_state = |error: Error| Failure::new(format!("the state cannot be asked: {error}"));
        let state = &self.plugins.state;
        let leases = Scan::new(KeyRange::prefix("host/"), 1);
        if !state.scan(&leases).await.map_err(of_state)?.is_empty() {
            return Err(Failure::new(
                "a convoke serves with the state that several share, or was killed less than half a minute ago; end all of them before \
                 a backup is restored",
            ));
        }
        if self.replace {
            return Ok(());
        }
        let there = count(self.plugins).await.map_err(of_state)?;
        if there > 0 {
            return Err(Failure::new(format!(
                "the state holds {} already; --replace removes first what state and stores hold",
                entries(there)
            )));
        }
        for (target, handle) in self.restored() {
            target.has_room(handle).await?;
        }
        Ok(())
    }

    /// Removes what is to be replaced: all of the state, and who is not in the backup. What the others have goes when their calendars
    /// are restored.
    pub(super) async fn clear(&self) -> Result<Vec<Failed>, Failure> {
        let mut failed = Vec::new();
        if !self.replace {
            return Ok(failed);
        }
        clear(self.plugins)
            .await
            .map_err(|error| Failure::new(format!("the state cannot be emptied: {error}")))?;
        for (target, handle) in self.restored() {
            let listed = target.inside.listed();
            for user in users(handle).await.map_err(|it| of_store(handle, &it))? {
                if listed.contains(&folded(&user)) {
                    continue;
                }
                if let Err(error) = handle.remove_user(&user.id).await {
                    failed.push(Failed {
                        store: handle.name().to_owned(),
                        user: Some(user.address),
                        uid: None,
                        error: format!("it is not in the backup, and cannot be removed: {error}"),
                    });
                }
            }
        }
        Ok(failed)
    }

    /// Has nobody told that objects are gone of which the backup remembers something that are not in the calendars.
    pub(super) async fn forget_what_is_gone(&self) -> Vec<Failed> {
        let mut failed = Vec::new();
        for target in &self.stores {
            let Some(handle) = target.handle else {
                continue;
            };
            for address in &target.inside.users {
                if let Err(error) = self.forget_gone_of(handle, address).await {
                    failed.push(Failed {
                        store: handle.name().to_owned(),
                        user: Some(address.clone()),
                        uid: None,
                        error: format!("what is remembered cannot be compared: {error}"),
                    });
                }
            }
        }
        failed
    }

    async fn forget_gone_of(
        &self,
        handle: &Arc<StoreHandle>,
        address: &CalendarAddress,
    ) -> Result<(), Error> {
        let Some(user) = handle.find(address).await? else {
            return Ok(());
        };
        let state = OurState::of(self.plugins);
        let home = OurHome::new(self.plugins, handle.clone(), user);
        bury_missing(&state, &home).await?;
        #[cfg(feature = "caldav")]
        crate::caldav::forget_tokens(&state, &home.into_user()).await?;
        Ok(())
    }
}

impl Target<'_> {
    /// Refuses a store that holds anything of its own.
    async fn has_room(&self, handle: &StoreHandle) -> Result<(), Failure> {
        let listed = self.inside.listed();
        let holds = |user: &CalendarUser, what: &str| {
            Failure::new(format!(
                "the store `{}` {what} {} already; --replace removes first what state and stores hold, and --store says which stores are \
                 restored",
                handle.name(),
                user.address.human()
            ))
        };
        for user in users(handle).await.map_err(|it| of_store(handle, &it))? {
            if !listed.contains(&folded(&user)) {
                return Err(holds(
                    &user,
                    "has a calendar user who is not in the backup,",
                ));
            }
            let objects = handle.list(&user.id, &Page::first(1)).await;
            if !objects
                .map_err(|it| of_store(handle, &it))?
                .items
                .is_empty()
            {
                return Err(holds(&user, "holds a calendar of"));
            }
        }
        Ok(())
    }
}

impl StoreInside {
    fn listed(&self) -> HashSet<String> {
        let users = self.users.iter();
        users.map(|it| it.as_str().to_ascii_lowercase()).collect()
    }
}

fn folded(user: &CalendarUser) -> String {
    user.address.as_str().to_ascii_lowercase()
}

/// Whom a store lists.
async fn users(handle: &StoreHandle) -> Result<Vec<CalendarUser>, Error> {
    let (mut users, mut page) = (Vec::new(), Page::first(500));
    loop {
        let listing = handle.users(&page).await?;
        users.extend(listing.items);
        match listing.next {
            Some(next) => page.after = Some(next),
            None => return Ok(users),
        }
    }
}

fn of_store(handle: &StoreHandle, error: &Error) -> Failure {
    Failure::new(format!("the store `{}`: {error}", handle.name()))
}

/// Whose calendars are in a store, as far as a sentence has room for them.
fn people(inside: &StoreInside) -> String {
    let users = inside.users.iter().take(NAMED);
    let mut names: Vec<String> = users.map(|it| it.human().to_string()).collect();
    match inside.users.len() {
        0 => return "nobody".to_owned(),
        more if more > NAMED => names.push(format!("{} more", more - NAMED)),
        _ => {}
    }
    names.join(", ")
}
