//! Calendar users, objects and what waits for people, into their stores.

use super::plan::Plan;
use crate::{
    cli::{
        backup::{Amount, Failed, read::Item},
        context::as_new,
        output,
    },
    scheduling::{self, OurHome},
};
use convoke_plugin_host::{IndexService, StoreHandle};
use convoke_scheduling::{Home as _, Limits};
use convoke_types::{
    CalendarUser, Error, ErrorKind, InboxMessage, NewObject, Page, Precondition, Scheduling, Uid,
    UserId,
};
use futures::{StreamExt, stream};
use indicatif::ProgressBar;
use std::{collections::HashSet, sync::Arc};

/// Objects that are written, and held in memory, at once; or so many bytes of them.
const TOGETHER: usize = 64;
const BYTES: usize = 8 << 20;
/// Messages of an inbox that are taken out at once.
const MESSAGES: u32 = 100;

/// Calendars that are being written.
pub(super) struct Calendars<'a> {
    plan: &'a Plan<'a>,
    index: IndexService,
    progress: ProgressBar,
    amount: Amount,
    failed: Vec<Failed>,
    /// Whose calendar it is; nobody's that is restored.
    person: Option<Person>,
    /// Objects that are yet to be written.
    objects: Vec<(Uid, Vec<u8>)>,
}

/// A calendar user.
struct Person {
    handle: Arc<StoreHandle>,
    user: CalendarUser,
    /// Objects that were there before and that the backup has not had so far.
    rest: HashSet<Uid>,
}

impl<'a> Calendars<'a> {
    pub(super) fn new(plan: &'a Plan<'a>, limits: Limits) -> Self {
        let progress = output::progress();
        progress.inc_length(plan.objects as u64);
        Self {
            plan,
            index: scheduling::index_service(limits),
            progress,
            amount: Amount::default(),
            failed: Vec::new(),
            person: None,
            objects: Vec::new(),
        }
    }

    /// Puts back one thing of the backup, by and by.
    pub(super) async fn take(&mut self, item: Item) {
        match item {
            Item::State(_) => {}
            Item::User { store, user } => {
                self.leave_person().await;
                if let Some(handle) = self.plan.handle(store) {
                    self.begin(handle, user).await;
                }
            }
            Item::Object(uid, data) => {
                self.progress.inc(1);
                if self.person.is_some() {
                    self.objects.push((uid, data));
                    let bytes: usize = self.objects.iter().map(|(_, data)| data.len()).sum();
                    if self.objects.len() >= TOGETHER || bytes >= BYTES {
                        self.write().await;
                    }
                }
            }
            Item::Message(message) => self.message(&message).await,
        }
    }

    /// Writes what is left: how much it was, and what could not be put back.
    pub(super) async fn finish(mut self) -> (Amount, Vec<Failed>) {
        self.leave_person().await;
        self.progress.finish_and_clear();
        (self.amount, self.failed)
    }

    async fn begin(&mut self, handle: &Arc<StoreHandle>, user: CalendarUser) {
        let begun = async {
            let user = there(handle, &user).await?;
            let mut person = Person {
                handle: handle.clone(),
                user,
                rest: HashSet::new(),
            };
            if self.plan.replace {
                person.note_what_is_there().await?;
                person.empty_inbox().await?;
            }
            Ok(person)
        };
        match begun.await {
            Ok(person) => {
                self.amount.users += 1;
                self.person = Some(person);
            }
            Err(error) => self.failed.push(failed(handle, &user, None, &error)),
        }
    }

    async fn write(&mut self) {
        let objects = std::mem::take(&mut self.objects);
        let Some(person) = &mut self.person else {
            return;
        };
        for (uid, _) in &objects {
            person.rest.remove(uid);
        }
        let (person, index) = (&*person, &self.index);
        let replace = self.plan.replace;
        let mut written = stream::iter(objects.into_iter().map(async |(uid, data)| {
            let put = person.put(index, &uid, data, replace).await;
            (uid, put)
        }))
        .buffered(TOGETHER);
        while let Some((uid, put)) = written.next().await {
            match put {
                Ok(()) => self.amount.objects += 1,
                Err(error) => {
                    let failed = failed(&person.handle, &person.user, Some(uid), &error);
                    self.failed.push(failed);
                }
            }
        }
    }

    async fn message(&mut self, message: &InboxMessage) {
        let Some(person) = &self.person else {
            return;
        };
        let (handle, user) = (&person.handle, &person.user);
        let home = OurHome::new(self.plan.plugins, handle.clone(), user.clone());
        match home.put_back(message).await {
            Ok(()) => self.amount.inbox += 1,
            Err(error) => {
                let uid = Some(message.uid.clone());
                self.failed.push(failed(handle, user, uid, &error));
            }
        }
    }

    /// Removes what the calendar before had and the backup has not.
    async fn leave_person(&mut self) {
        self.write().await;
        let Some(person) = self.person.take() else {
            return;
        };
        for uid in &person.rest {
            let user = &person.user;
            let removed = person.handle.remove(&user.id, uid, &Precondition::Any);
            match removed.await {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    let failed = failed(&person.handle, user, Some(uid.clone()), &error);
                    self.failed.push(failed);
                }
                _ => {}
            }
        }
    }
}

impl Person {
    async fn put(
        &self,
        index: &IndexService,
        uid: &Uid,
        data: Vec<u8>,
        replace: bool,
    ) -> Result<(), Error> {
        let (store, user) = (&self.handle, &self.user);
        let mut when = Precondition::Absent;
        if replace && let Some(there) = store.get(&user.id, uid).await? {
            if there.data == data {
                return Ok(());
            }
            when = Precondition::Matches(there.etag);
        }
        let index = index(Some(user), &data)?;
        if index.uid != *uid {
            return Err(Error::invalid(format!("its UID is {}", index.uid)));
        }
        let object = NewObject::new(data, index);
        store.put(&user.id, &object, &when).await.map(drop)
    }

    async fn note_what_is_there(&mut self) -> Result<(), Error> {
        let mut page = Page::first(500);
        loop {
            let listing = self.handle.list(&self.user.id, &page).await?;
            self.rest.extend(listing.items.into_iter().map(|it| it.uid));
            match listing.next {
                Some(next) => page.after = Some(next),
                None => return Ok(()),
            }
        }
    }

    async fn empty_inbox(&self) -> Result<(), Error> {
        loop {
            let page = Page::first(MESSAGES);
            let listing = match self.handle.inbox_list(&self.user.id, &page).await {
                Err(error) if error.kind() == ErrorKind::Unsupported => return Ok(()),
                listing => listing?,
            };
            if listing.items.is_empty() {
                return Ok(());
            }
            for message in &listing.items {
                self.handle.inbox_take(&self.user.id, &message.id).await?;
            }
        }
    }
}

/// The calendar user in the store, with the settings of the backup; made if it is not there.
async fn there(store: &StoreHandle, user: &CalendarUser) -> Result<CalendarUser, Error> {
    let wanted = |id| {
        let mut wanted = as_new(user).with_id(id);
        wanted.scheduling = user.scheduling;
        wanted
    };
    let found = store.find(&user.address).await?;
    let wanted = match found {
        Some(found) if !found.address.same_user(&user.address) => {
            return Err(Error::conflict(format!(
                "it is an address of {} there",
                found.address.human()
            )));
        }
        Some(found) => {
            let wanted = wanted(found.id.clone());
            let mut has = as_new(&found).with_id(found.id);
            has.scheduling = found.scheduling;
            if has == wanted {
                return Ok(wanted);
            }
            wanted
        }
        None => {
            let wanted = wanted(make(store, user).await?);
            if wanted.scheduling == Scheduling::Enabled {
                return Ok(wanted);
            }
            wanted
        }
    };
    match store.update_user(&wanted).await {
        // What is known of users is kept behind the store.
        Err(error) if error.kind() == ErrorKind::Unsupported => Ok(wanted),
        updated => updated.map(|()| wanted),
    }
}

async fn make(store: &StoreHandle, user: &CalendarUser) -> Result<UserId, Error> {
    match store.add_user(&as_new(user)).await {
        Err(error) if error.kind() == ErrorKind::Unsupported => Err(Error::unsupported(
            "the store does not know the address and makes no calendar users; make it known there first",
        )),
        added => added,
    }
}

fn failed(store: &StoreHandle, user: &CalendarUser, uid: Option<Uid>, error: &Error) -> Failed {
    Failed {
        store: store.name().to_owned(),
        user: Some(user.address.clone()),
        uid,
        error: error.to_string(),
    }
}
