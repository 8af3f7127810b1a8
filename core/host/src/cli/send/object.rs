//! `convoke send` of an object: it becomes what its owner wrote, and whom that concerns is told.

use crate::{
    cli::{
        Global,
        output::Failure,
        places::{failed, user_of},
        reply::{addresses, timezone},
        submit::Submission,
    },
    plugin::{IndexService, StoreHandle},
    serve,
};
use convoke_calendar::{
    itip::{self, Change, Edited, Owner},
    tree::{Calendar, Limits},
};
use convoke_ischedule::RecipientResponse;
use convoke_sdk::{CalendarUser, NewObject, Precondition, StoredObject};
use convoke_types::{CalendarAddress, Etag, Uid};
use jiff::Timestamp;

/// Stores the object and hands in the messages that its edit makes. Returns what became of them for each recipient:
/// nothing, if it concerns nobody else.
pub(super) async fn send(
    object: &Calendar,
    owner: &CalendarAddress,
    submission: &Submission,
    global: &Global,
) -> Result<Vec<RecipientResponse>, Failure> {
    let plugins = global.plugins().await?;
    let (store, user) = user_of(&plugins, owner).await?;
    let uid = uid(object)?;
    let shelf = Shelf {
        store,
        user: &user,
        index: serve::setup(&global.config()?).index,
    };
    let before = store.get(&user.id, &uid).await;
    let before = before.map_err(|error| failed(store, &error))?;
    let edited = edit(before.as_ref(), object, &user, &uid)?;
    let etag = match edited.store {
        Change::Store(calendar) => Some(shelf.put(calendar.write(), before.as_ref()).await?),
        Change::None | Change::Remove => None,
    };
    let mut responses = Vec::new();
    for letter in &edited.outgoing {
        let sent = submission.submit(&letter.message, &letter.originator, &letter.recipients);
        match sent.await {
            Ok(response) => responses.extend(response.responses),
            Err(failure) => {
                // Nobody was told, so that nothing has happened.
                if let Some(etag) = etag.filter(|_| responses.is_empty()) {
                    shelf.take_back(&uid, before, etag).await?;
                }
                return Err(failure);
            }
        }
    }
    Ok(responses)
}

fn uid(object: &Calendar) -> Result<Uid, Failure> {
    let uid = object.main_components().find_map(|main| main.get("UID"));
    let uid =
        uid.ok_or_else(|| Failure::new("the object has no UID, so that it cannot be kept"))?;
    Uid::new(uid.to_text()).map_err(|error| Failure::new(error.to_string()))
}

fn edit(
    before: Option<&StoredObject>,
    after: &Calendar,
    user: &CalendarUser,
    uid: &Uid,
) -> Result<Edited, Failure> {
    let limits = Limits {
        bytes: usize::MAX,
        ..Limits::default()
    };
    let before = before.map(|object| Calendar::parse(&object.data, &limits));
    let unreadable = |error| Failure::new(format!("{uid}: what is stored cannot be read: {error}"));
    let before = before.transpose().map_err(unreadable)?;
    let addresses = addresses(user);
    let owner = Owner {
        addresses: &addresses,
        timezone: timezone(user),
    };
    let now = Timestamp::now();
    Ok(itip::edit(before.as_ref(), Some(after), &owner, now))
}

/// Where the owner's objects are.
struct Shelf<'a> {
    store: &'a StoreHandle,
    user: &'a CalendarUser,
    index: IndexService,
}

impl Shelf<'_> {
    /// In the place of what was there, unless somebody else was faster.
    async fn put(&self, data: Vec<u8>, before: Option<&StoredObject>) -> Result<Etag, Failure> {
        let when = match before {
            Some(before) => Precondition::Matches(before.etag.clone()),
            None => Precondition::Absent,
        };
        self.put_when(data, &when).await
    }

    async fn put_when(&self, data: Vec<u8>, when: &Precondition) -> Result<Etag, Failure> {
        let index = (self.index)(Some(self.user), &data);
        let index = index.map_err(|error| Failure::new(error.to_string()))?;
        let object = NewObject { data, index };
        let etag = self.store.put(&self.user.id, &object, when).await;
        etag.map_err(|error| failed(self.store, &error))
    }

    async fn take_back(
        &self,
        uid: &Uid,
        before: Option<StoredObject>,
        etag: Etag,
    ) -> Result<(), Failure> {
        let when = Precondition::Matches(etag);
        if let Some(before) = before {
            return self.put_when(before.data, &when).await.map(drop);
        }
        let removed = self.store.remove(&self.user.id, uid, &when).await;
        removed.map_err(|error| failed(self.store, &error))
    }
}
