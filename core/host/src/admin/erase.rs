//! A calendar user is removed, or all that is kept about a person is erased: by the running host, or on stores that a command has
//! opened.

use super::{
    api::{EraseUser, Erased, RemoveUser},
    queue::others_have_written,
    stores::{OfStores, named},
};
use crate::{decisions, instance::Instance, scheduling::OurHome, state::OurState};
use convoke_plugin_host::Plugins;
use convoke_scheduling::{self as scheduling, Environment, Forgotten, Home, State};
use convoke_types::{CalendarUser, Error, ErrorKind, Page, UserId};

/// Messages of an inbox that are taken out at once.
const TOGETHER: u32 = 100;

/// Whose data is erased.
struct Person {
    user: CalendarUser,
    /// The store of a calendar user; without one there is none, or none any more.
    store: Option<String>,
}

/// Whoever is added under the same address is somebody else.
pub(super) async fn remove(instance: &Instance, asked: RemoveUser) -> Result<(), Error> {
    let store = named(&instance.plugins, &asked.store)?;
    store.remove_user(&asked.user.id).await?;
    instance.scheduler.forget_user(&asked.user).await?;
    let state = instance.scheduler.environment().state();
    forget_programs(state, &asked.user).await
}

pub(super) async fn erase(instance: &Instance, asked: EraseUser) -> Result<Erased, Error> {
    let state = instance.scheduler.environment().state();
    let (person, inbox) = begin(&instance.plugins, &asked).await?;
    let mut forgotten = instance.scheduler.erase_user(&person.user).await?;
    forgotten.inbox += inbox;
    // What was decided a moment ago is forgotten, too.
    let keep = instance.config.server.decisions;
    instance.shared.decisions.write(state, keep).await?;
    others_have_written(instance).await;
    #[cfg(feature = "mail")]
    instance.shared.notices.forget(&person.user);
    finish(state, &person.user).await?;
    if let Some(store) = person.store.as_ref().filter(|_| !asked.calendar) {
        instance.shared.look_soon.at(store, &person.user.id);
    }
    Ok(person.erased(&asked, forgotten))
}

/// Where no host runs.
impl OfStores for RemoveUser {
    async fn run(self, plugins: &Plugins) -> Result<(), Error> {
        let store = named(plugins, &self.store)?;
        store.remove_user(&self.user.id).await?;
        let state = OurState::of(plugins);
        scheduling::forget_user(&state, &self.user).await?;
        forget_programs(&state, &self.user).await
    }
}

impl OfStores for EraseUser {
    async fn run(self, plugins: &Plugins) -> Result<Erased, Error> {
        let state = OurState::of(plugins);
        let (person, inbox) = begin(plugins, &self).await?;
        let mut forgotten = scheduling::erase_user(&state, &person.user).await?;
        forgotten.inbox += inbox;
        finish(&state, &person.user).await?;
        Ok(person.erased(&self, forgotten))
    }
}

impl Person {
    fn erased(self, asked: &EraseUser, forgotten: Forgotten) -> Erased {
        Erased {
            user: self.user.address,
            is_calendar_removed: asked.calendar && self.store.is_some(),
            store: self.store,
            forgotten,
        }
    }
}

/// Removes the calendar, if that is asked for, or takes the messages out that wait in its store: how many.
async fn begin(plugins: &Plugins, asked: &EraseUser) -> Result<(Person, usize), Error> {
    let Some((store, user)) = plugins.stores.find(&asked.user).await? else {
        let id = UserId::new("gone")?;
        let user = CalendarUser::new(id, asked.user.clone());
        return Ok((Person { user, store: None }, 0));
    };
    let name = store.name().to_owned();
    let home = OurHome::new(plugins, store.clone(), user.clone());
    let inbox = empty_inbox(&home).await?;
    if asked.calendar {
        store.remove_user(&user.id).await?;
    }
    let store = Some(name);
    Ok((Person { user, store }, inbox))
}

/// Of a store that keeps messages; in the state they go with the rest.
async fn empty_inbox(home: &OurHome) -> Result<usize, Error> {
    let mut taken = 0;
    loop {
        let listing = match home.inbox(&Page::first(TOGETHER)).await {
            Err(error) if error.kind() == ErrorKind::Unsupported => return Ok(taken),
            listing => listing?,
        };
        if listing.items.is_empty() {
            return Ok(taken);
        }
        for message in &listing.items {
            match home.take(&message.id).await {
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                done => {
                    done?;
                    taken += 1;
                }
            }
        }
    }
}

async fn finish(state: &impl State, user: &CalendarUser) -> Result<(), Error> {
    for address in std::iter::once(&user.address).chain(&user.aliases) {
        decisions::forget(state, address).await?;
    }
    #[cfg(feature = "mail")]
    crate::mail::forget(state, user).await?;
    forget_programs(state, user).await
}

#[cfg_attr(
    not(feature = "caldav"),
    allow(clippy::unused_async, reason = "there are no programs")
)]
async fn forget_programs(state: &impl State, user: &CalendarUser) -> Result<(), Error> {
    #[cfg(feature = "caldav")]
    return crate::forgetting::forget_programs(state, user).await;
    #[cfg(not(feature = "caldav"))]
    {
        let _ = (state, user);
        Ok(())
    }
}
