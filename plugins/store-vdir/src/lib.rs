//! Calendars in a tree of `.ics` files, shared with khal, vdirsyncer and whatever else speaks vdir.
//!
//! ```toml
//! [[store]]
//! plugin = "store-vdir"
//! domains = ["example.org"]
//! config.path = "calendars"              # made if it is not there
//! config.calendar = "work"               # where new objects go; by default a user's only calendar, else `calendar`
//! config.users.anna = { address = "anna@example.org", timezone = "Europe/Vienna" }     # the folder `anna`
//! ```
//!
//! ```text
//! calendars/                             config.path
//!   bo@example.org/                      a user: the folder's name is the address…
//!     .convoke.toml                      …or this file says it: address, aliases, name, timezone, kind, calendar
//!     .convoke/lock                      held while Convoke writes here
//!     .convoke/inbox/                    messages kept for the person to decide on
//!     .convoke/index                     what was worked out of the files; may be thrown away
//!     work/                              a calendar
//!       1f0c-42@example.org.ics          an object
//!   anna/                                a user by `config.users`
//! ```
//!
//! | module | what it does |
//! | --- | --- |
//! | `directory` | folders and files by descriptor: no symbolic link is ever followed, files are replaced whole |
//! | `users` | which folder is whose; making and removing users |
//! | `calendars` | one user's objects: what changed on disk, get, put, remove |
//! | `inbox` | messages kept for the person to decide on |
//! | `outline` | the UIDs in a file that is too large to be read |
//! | `index_file` | what was worked out of the files, kept for the next run |
//! | `watch` | which files may have changed since they were last looked at |
//! | `waiting` | waiting for changes to the calendars of many users |
//! | `place` | where an object stands |
//! | `names` | file names that no UID can choose, and entity tags |
//!
//! What must hold:
//! - a file is replaced whole: written beside, synced, renamed, and the folder synced before it is answered;
//! - no path is made of a UID that could leave its folder, be hidden or clash;
//! - what other programs write is seen by the next call (on local file systems without reading the folder again);
//! - a file that holds objects of several UIDs, as exports of whole calendars do, is each of them: one is read, exchanged or
//!   removed, and all the rest of the file stays byte for byte;
//! - a file that cannot be read as one calendar object is skipped, named once in the log, and never rewritten; what it held
//!   is not gone;
//! - an object that is moved to another calendar is neither gone nor new.
//!
//! Not here: history across restarts ([`changes`](Store::changes) begins again then). Symbolic links inside the
//! tree are ignored. Other programs take no notice of the lock: one that writes a file in the instant between our last
//! look at it and our rename is overwritten.

mod calendars;
mod directory;
mod inbox;
mod index_file;
mod names;
mod outline;
mod place;
mod users;
mod waiting;
mod watch;

use calendars::Calendars;
use convoke_sdk::prelude::*;
use directory::Directory;
use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};
use users::{Profile, Users};
use watch::News;

convoke_sdk::config! {
    /// What the administrator writes under `config`.
    #[derive(Clone, Debug)]
    pub struct Config {
        /// The folder that holds a folder a user; a relative path counts from the configuration file's folder.
        pub path: PathBuf,
        /// The calendar that new objects go to.
        pub calendar: Option<String>,
        /// Users by the names of their folders, for folders that are not named like the address.
        pub users: BTreeMap<String, Profile> as "table of users by folder" = {},
    }
}

/// An open tree.
pub struct VdirStore(Arc<Shared>);

struct Shared {
    host: Host,
    users: Users,
    watch: watch::Watch,
    /// Wakes those who wait for changes.
    news: News,
    pauses: waiting::Pauses,
    /// By the user's folder.
    calendars: Mutex<HashMap<String, Arc<Mutex<Calendars>>>>,
    calendar: Option<String>,
}

impl Store for VdirStore {
    type Config = Config;

    async fn open(config: Config, host: Host) -> Result<Self> {
        if let Some(calendar) = &config.calendar {
            users::check_calendar("`config.calendar`", calendar)?;
        }
        let path = host.path(&config.path);
        let (calendar, users) = (config.calendar, config.users);
        let opened = blocking(move || {
            let root = Directory::open_root(path)?;
            let news = News::new();
            Ok(Shared {
                watch: watch::Watch::new(&root, news.clone()),
                news,
                pauses: waiting::Pauses::default(),
                users: Users::new(root, users)?,
                host,
                calendars: Mutex::default(),
                calendar,
            })
        });
        Ok(Self(Arc::new(opened.await?)))
    }

    async fn find(&self, address: &CalendarAddress, _: &Call) -> Result<Option<CalendarUser>> {
        // Handing work to another thread and back takes longer than what is usually to be done.
        if let Some(found) = self.0.users.find_known(address) {
            return Ok(Some(found));
        }
        let (shared, address) = (Arc::clone(&self.0), address.clone());
        blocking(move || shared.users.find(&address)).await
    }

    async fn get(&self, user: &UserId, uid: &Uid, _: &Call) -> Result<Option<StoredObject>> {
        let uid = uid.clone();
        self.of(user, move |calendars, shared| calendars.get(shared, &uid))
            .await
    }

    async fn put(
        &self,
        user: &UserId,
        object: &NewObject,
        when: &Precondition,
        _: &Call,
    ) -> Result<Etag> {
        let (object, when) = (object.clone(), when.clone());
        let put = self.of(user, move |calendars, shared| {
            calendars.put(shared, &object, &when)
        });
        let put = put.await;
        self.0.news.tell();
        put
    }

    async fn remove(&self, user: &UserId, uid: &Uid, when: &Precondition, _: &Call) -> Result<()> {
        let (uid, when) = (uid.clone(), when.clone());
        let removed = self.of(user, move |calendars, shared| {
            calendars.remove(shared, &uid, &when)
        });
        let removed = removed.await;
        self.0.news.tell();
        removed
    }

    async fn busy(&self, user: &UserId, range: TimeRange, _: &Call) -> Result<Busy> {
        if let Some(busy) = self.0.busy_at_once(user, range) {
            return Ok(busy);
        }
        self.of(user, move |calendars, shared| calendars.busy(shared, range))
            .await
    }

    async fn add_user(&self, user: &NewUser, _: &Call) -> Result<UserId> {
        let (shared, user) = (Arc::clone(&self.0), user.clone());
        blocking(move || shared.users.add(&user)).await
    }

    async fn update_user(&self, user: &CalendarUser, _: &Call) -> Result<()> {
        let (shared, user) = (Arc::clone(&self.0), user.clone());
        blocking(move || shared.users.update(&user)).await
    }

    async fn remove_user(&self, user: &UserId, _: &Call) -> Result<()> {
        let (shared, user) = (Arc::clone(&self.0), user.clone());
        blocking(move || {
            shared.users.remove(&user)?;
            shared.calendars().remove(user.as_str());
            shared.watch.forget(user.as_str());
            Ok(())
        })
        .await
    }

    async fn users(&self, page: &Page, _: &Call) -> Result<Listing<CalendarUser>> {
        let (shared, page) = (Arc::clone(&self.0), page.clone());
        blocking(move || shared.users.list(&page)).await
    }

    async fn list(&self, user: &UserId, page: &Page, _: &Call) -> Result<Listing<ObjectSummary>> {
        let page = page.clone();
        self.of(user, move |calendars, shared| calendars.list(shared, &page))
            .await
    }

    async fn changes(&self, user: &UserId, since: Option<&Cursor>, _: &Call) -> Result<Changes> {
        let since = since.cloned();
        self.of(user, move |calendars, shared| {
            calendars.changes(shared, since.as_ref())
        })
        .await
    }

    async fn await_changes(&self, watch: &Watch, call: &Call) -> Result<Changed> {
        waiting::wait(&self.0, &watch.users, call).await
    }

    async fn inbox_add(
        &self,
        user: &UserId,
        message: &InboxMessage,
        _: &Call,
    ) -> Result<MessageId> {
        let message = message.clone();
        self.of(user, move |calendars, shared| {
            inbox::add(shared, calendars.user()?, &message)
        })
        .await
    }

    async fn inbox_list(
        &self,
        user: &UserId,
        page: &Page,
        _: &Call,
    ) -> Result<Listing<InboxEntry>> {
        let page = page.clone();
        self.of(user, move |calendars, shared| {
            inbox::list(shared, calendars.user()?, &page)
        })
        .await
    }

    async fn inbox_take(&self, user: &UserId, id: &MessageId, _: &Call) -> Result<InboxMessage> {
        let id = id.clone();
        self.of(user, move |calendars, shared| {
            inbox::take(shared, calendars.user()?, &id)
        })
        .await
    }
}

impl VdirStore {
    /// Runs `work` on the calendars of one user, one call at a time.
    async fn of<T: Send + 'static>(
        &self,
        user: &UserId,
        work: impl FnOnce(&mut Calendars, &Shared) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (shared, user) = (Arc::clone(&self.0), user.clone());
        blocking(move || shared.with(&user, work)).await
    }
}

impl Shared {
    /// Runs `work` on the calendars of one user, one call at a time.
    fn with<T>(
        &self,
        user: &UserId,
        work: impl FnOnce(&mut Calendars, &Self) -> Result<T>,
    ) -> Result<T> {
        let (person, calendar) = self.users.by_folder(user)?;
        let calendars = self
            .calendars()
            .entry(user.as_str().to_owned())
            .or_default()
            .clone();
        let mut calendars = calendars.lock().unwrap_or_else(|poisoned| {
            // A panic may have left the index half-made: begin again from the files.
            let mut calendars = poisoned.into_inner();
            *calendars = Calendars::default();
            calendars
        });
        calendars.are_of(person, calendar.or_else(|| self.calendar.clone()));
        let done = work(&mut calendars, self);
        calendars.save_index(self);
        done
    }

    /// `None` if something has to be read or waited for.
    fn busy_at_once(&self, user: &UserId, range: TimeRange) -> Option<Busy> {
        let calendars = Arc::clone(self.calendars().get(user.as_str())?);
        let calendars = calendars.try_lock().ok()?;
        calendars.busy_at_once(self, range)
    }

    fn calendars(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<Mutex<Calendars>>>> {
        self.calendars
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs `work` on a thread that may wait for the disk.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Error::internal(format!("working on the files failed: {error}")))?
}

convoke_sdk::plugin! { name: "store-vdir", store: VdirStore }

#[cfg(test)]
mod tests;
