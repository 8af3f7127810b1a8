//! Watching by inotify.

use super::{Activity, Changed, News};
use crate::{directory::Directory, names, place::Place};
use convoke_sdk::tracing;
use rustix::{
    event::{PollFd, PollFlags, poll},
    fd::OwnedFd,
    fs::{
        fstatfs,
        inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags},
    },
    io::Errno,
    pipe::{PipeFlags, pipe_with},
};
use std::{
    collections::{BTreeSet, HashMap, HashSet},
    mem::MaybeUninit,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    thread,
    time::{Duration, Instant},
};

/// Whatever the kernel says, whoever asks for a user's objects has everything looked at this often…
const TRUST: Duration = Duration::from_secs(60);
/// …and whoever only waits for changes this often.
const TRUST_OF_WAITERS: Duration = Duration::from_secs(600);

/// Changes of single files that are noted of one user; of more than that, everything is looked at.
const MOST_FILES: usize = 10_000;

/// `f_type` of file systems that only this kernel writes: ext, XFS, Btrfs, tmpfs, overlay, ZFS, F2FS, bcachefs.
const LOCAL: [i128; 8] = [
    0xef53,
    0x5846_5342,
    0x9123_683e,
    0x0102_1994,
    0x794c_7630,
    0x2fc1_2fc1,
    0xf2f5_2010,
    0xca45_1a4e,
];

pub(crate) struct Watch {
    /// `None`: watching is no use here.
    inotify: Option<Arc<Inotify>>,
    /// While this is open, a thread passes on what the kernel tells.
    listener: OnceLock<Option<OwnedFd>>,
}

struct Inotify {
    watched: Mutex<Watched>,
    news: News,
}

struct Watched {
    queue: Arc<OwnedFd>,
    users: HashMap<String, User>,
    /// Whose folders cannot be watched.
    unwatched: HashSet<String>,
    /// Which folder a watch is on: a user's, or a calendar of it.
    folders: HashMap<i32, (String, Option<String>)>,
    /// Whether it was said that something cannot be watched.
    warned: bool,
}

struct User {
    changed: Changed,
    since: Instant,
}

impl User {
    fn is_quiet(&self, trusted_for: Duration) -> bool {
        self.since.elapsed() < trusted_for
            && matches!(&self.changed, Changed::Files(files) if files.is_empty())
    }
}

impl Watch {
    /// `news` is told whenever something may have changed.
    pub(crate) fn new(root: &Directory, news: News) -> Self {
        let path = root.path().display();
        let local = fstatfs(root.descriptor())
            .is_ok_and(|system| LOCAL.contains(&i128::from(system.f_type)));
        if !local {
            tracing::warn!(
                event = "folder-not-watched",
                "{path} is on a file system that others than this machine may write to, or on one that is not known: each \
                 call reads the whole folder, and changes by other programs are noticed by looking for them"
            );
            return Self::nowhere();
        }
        let queue = match inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC) {
            Ok(queue) => Arc::new(queue),
            Err(error) => {
                tracing::warn!(
                    event = "folder-not-watched",
                    "{path} cannot be watched ({error}): each call reads the whole folder, and changes by other programs are \
                     noticed by looking for them; raise fs.inotify.max_user_instances"
                );
                return Self::nowhere();
            }
        };
        let watched = Mutex::new(Watched {
            queue,
            users: HashMap::new(),
            unwatched: HashSet::new(),
            folders: HashMap::new(),
            warned: false,
        });
        Self {
            inotify: Some(Arc::new(Inotify { watched, news })),
            listener: OnceLock::new(),
        }
    }

    /// A watch that sees nothing, as on a network file system.
    pub(crate) const fn nowhere() -> Self {
        Self {
            inotify: None,
            listener: OnceLock::new(),
        }
    }

    /// What may have changed since the user's files were last looked at; they are about to be again.
    pub(crate) fn take(&self, user: &str) -> Changed {
        let Some(mut watched) = self.drained() else {
            return Changed::Everything;
        };
        match watched.users.get_mut(user) {
            Some(user) if user.since.elapsed() < TRUST => {
                std::mem::replace(&mut user.changed, Changed::Files(BTreeSet::new()))
            }
            _ => Changed::Everything,
        }
    }

    /// Whether there would be nothing to [`take`](Self::take).
    pub(crate) fn is_quiet(&self, user: &str) -> bool {
        self.drained().is_some_and(|watched| {
            let user = watched.users.get(user);
            user.is_some_and(|user| user.is_quiet(TRUST))
        })
    }

    /// What is known of the user's files without looking at them.
    pub(crate) fn activity(&self, user: &str) -> Activity {
        let Some(watched) = self.drained() else {
            return Activity::Unwatched;
        };
        match watched.users.get(user) {
            Some(user) if user.is_quiet(TRUST_OF_WAITERS) => Activity::Quiet,
            None if watched.unwatched.contains(user) => Activity::Unwatched,
            _ => Activity::Changed,
        }
    }

    /// From now on whatever the kernel tells is passed on as soon as it tells it.
    pub(crate) fn listen(&self) {
        let Some(inotify) = &self.inotify else {
            return;
        };
        self.listener.get_or_init(|| {
            let (end, open) = pipe_with(PipeFlags::CLOEXEC).ok()?;
            let inotify = Arc::clone(inotify);
            let thread = thread::Builder::new().name("store-vdir".to_owned());
            thread.spawn(move || inotify.listen(&end)).ok()?;
            Some(open)
        });
    }

    /// From now on changes are noted; everything is about to be looked at.
    pub(crate) fn begin(&self, user: &str, folder: &Directory, calendars: &[String]) {
        let Some(mut watched) = self.drained() else {
            return;
        };
        watched.forget(user);
        if let Err(error) = watched.add_all(user, folder.path(), calendars) {
            watched.forget(user);
            watched.unwatched.insert(user.to_owned());
            if !std::mem::replace(&mut watched.warned, true) {
                let path = folder.path().display();
                tracing::warn!(
                    event = "folder-not-watched",
                    "{path} cannot be watched ({error}), and perhaps others: each call reads the whole folder, and changes \
                     by other programs are noticed by looking for them; raise fs.inotify.max_user_watches"
                );
            }
            return;
        }
        let user_now = User {
            changed: Changed::Files(BTreeSet::new()),
            since: Instant::now(),
        };
        watched.users.insert(user.to_owned(), user_now);
    }

    /// The user is gone.
    pub(crate) fn forget(&self, user: &str) {
        if let Some(mut watched) = self.drained() {
            watched.forget(user);
        }
    }

    fn drained(&self) -> Option<MutexGuard<'_, Watched>> {
        self.inotify.as_ref().map(|inotify| inotify.drained())
    }
}

impl Inotify {
    /// What is known once all that the kernel has queued is noted.
    fn drained(&self) -> MutexGuard<'_, Watched> {
        let watched = self.watched.lock();
        let mut watched = watched.unwrap_or_else(PoisonError::into_inner);
        if watched.drain() {
            self.news.tell();
        }
        watched
    }

    /// Until the other end of the pipe is closed.
    fn listen(&self, end: &OwnedFd) {
        let queue = Arc::clone(&self.drained().queue);
        loop {
            let mut events = [
                PollFd::new(&*queue, PollFlags::IN),
                PollFd::new(end, PollFlags::IN),
            ];
            match poll(&mut events, None) {
                Err(Errno::INTR) => continue,
                Ok(_) if events[1].revents().is_empty() => {}
                _ => return,
            }
            drop(self.drained());
        }
    }
}

impl Watched {
    fn add_all(&mut self, user: &str, path: &Path, calendars: &[String]) -> Result<(), Errno> {
        self.add(user, None, path)?;
        for calendar in calendars {
            match self.add(user, Some(calendar), &path.join(calendar)) {
                // It went away just now, which the watch on the user's folder tells.
                Err(Errno::NOENT | Errno::NOTDIR) => {}
                added => added?,
            }
        }
        Ok(())
    }

    fn add(&mut self, user: &str, calendar: Option<&str>, path: &Path) -> Result<(), Errno> {
        let flags = WatchFlags::CREATE
            | WatchFlags::MODIFY
            | WatchFlags::CLOSE_WRITE
            | WatchFlags::ATTRIB
            | WatchFlags::DELETE
            | WatchFlags::MOVED_FROM
            | WatchFlags::MOVED_TO
            | WatchFlags::DELETE_SELF
            | WatchFlags::MOVE_SELF
            | WatchFlags::ONLYDIR
            | WatchFlags::DONT_FOLLOW;
        let watch = inotify::add_watch(&self.queue, path, flags)?;
        let folder = (user.to_owned(), calendar.map(str::to_owned));
        self.folders.insert(watch, folder);
        Ok(())
    }

    fn forget(&mut self, user: &str) {
        self.users.remove(user);
        self.unwatched.remove(user);
        let queue = &self.queue;
        self.folders.retain(|watch, (owner, _)| {
            if owner == user {
                // Gone with its folder, perhaps.
                let _ = inotify::remove_watch(queue, *watch);
            }
            owner != user
        });
    }

    /// Notes what the kernel has queued; whether that was something.
    fn drain(&mut self) -> bool {
        let Self {
            queue,
            users,
            folders,
            ..
        } = self;
        let mut buffer = [MaybeUninit::uninit(); 8192];
        let mut events = Reader::new(&*queue, &mut buffer);
        let mut is_news = false;
        loop {
            let event = match events.next() {
                Ok(event) => event,
                Err(Errno::INTR) => continue,
                Err(Errno::WOULDBLOCK) => return is_news,
                Err(_) => {
                    users.clear();
                    return true;
                }
            };
            if event.events().contains(ReadFlags::QUEUE_OVERFLOW) {
                // Everything of everybody may have changed.
                users.clear();
                is_news = true;
                continue;
            }
            let Some((user, calendar)) = folders.get(&event.wd()) else {
                continue; // of a watch that was removed
            };
            let name = event.file_name().map(|name| name.to_string_lossy());
            let change = match (calendar, name) {
                // A calendar came or went.
                (None, Some(name)) if name.starts_with('.') => continue,
                (Some(calendar), Some(name)) => {
                    if !names::is_object(&name) {
                        continue;
                    }
                    Some(Place::file(calendar.clone(), name.into_owned()))
                }
                _ => None,
            };
            let Some(user) = users.get_mut(user) else {
                continue;
            };
            is_news = true;
            match (&mut user.changed, change) {
                (Changed::Files(files), Some(place)) if files.len() < MOST_FILES => {
                    files.insert(place);
                }
                (changed, _) => *changed = Changed::Everything,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_cannot_be_watched_is_known_as_such_until_it_can() {
        let tree = tempfile::tempdir().unwrap();
        let root = Directory::open_root(tree.path().to_owned()).unwrap();
        let watch = Watch::new(&root, News::new());
        let anna = root.make_folder("anna").unwrap();
        let calendars = ["home".to_owned()];
        assert_eq!(watch.activity("anna"), Activity::Changed, "never looked at");
        std::fs::remove_dir(anna.path()).unwrap();
        watch.begin("anna", &anna, &calendars);
        assert_eq!(watch.activity("anna"), Activity::Unwatched);
        let anna = root.make_folder("anna").unwrap();
        watch.begin("anna", &anna, &calendars);
        assert_eq!(watch.activity("anna"), Activity::Quiet);
        std::fs::create_dir(anna.path().join("home")).unwrap();
        assert_eq!(watch.activity("anna"), Activity::Changed);
        assert_eq!(watch.take("anna"), Changed::Everything);
        watch.forget("anna");
        assert_eq!(watch.activity("anna"), Activity::Changed);
    }
}
