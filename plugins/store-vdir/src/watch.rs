//! Which files may have changed since they were last looked at.
//!
//! The kernel queues an event before the call that changed a file returns, and the queue is emptied at the beginning
//! of each look: so what another program wrote before the look began is seen by it, and what did not change
//! costs nothing. Where the kernel cannot know (network file systems, another kernel than Linux, no watch left) each look
//! goes through the whole folder. As a net under the net it does so once a minute anyway.

use crate::{directory::Directory, place::Place};
use std::collections::BTreeSet;

/// What may have changed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Changed {
    /// These files; none, if the set is empty.
    Files(BTreeSet<Place>),
    /// Nobody knows.
    Everything,
}

#[cfg(not(target_os = "linux"))]
pub(crate) struct Watch;

#[cfg(not(target_os = "linux"))]
impl Watch {
    pub(crate) fn new(_root: &Directory) -> Self {
        Self
    }

    #[cfg(test)]
    pub(crate) fn blind() -> Self {
        Self
    }

    pub(crate) fn take(&self, _user: &str) -> Changed {
        Changed::Everything
    }

    pub(crate) fn is_quiet(&self, _user: &str) -> bool {
        false
    }

    pub(crate) fn begin(&self, _user: &str, _folder: &Directory, _calendars: &[String]) {}

    pub(crate) fn forget(&self, _user: &str) {}
}

#[cfg(target_os = "linux")]
pub(crate) use linux::Watch;

#[cfg(target_os = "linux")]
mod linux {
    use super::{BTreeSet, Changed, Directory, Place};
    use crate::names;
    use convoke_sdk::tracing;
    use rustix::{
        fd::OwnedFd,
        fs::{
            fstatfs,
            inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags},
        },
        io::Errno,
    };
    use std::{
        collections::HashMap,
        mem::MaybeUninit,
        path::Path,
        sync::{Mutex, MutexGuard, PoisonError},
        time::{Duration, Instant},
    };

    /// Whatever the kernel says, everything is looked at this often.
    const TRUST: Duration = Duration::from_secs(60);

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

    /// `None`: watching is no use here.
    pub(crate) struct Watch(Option<Mutex<Watched>>);

    struct Watched {
        queue: OwnedFd,
        users: HashMap<String, User>,
        /// Which folder a watch is on: a user's, or a calendar of it.
        folders: HashMap<i32, (String, Option<String>)>,
        /// Whether it was said that something cannot be watched.
        warned: bool,
    }

    struct User {
        changed: Changed,
        since: Instant,
    }

    impl Watch {
        pub(crate) fn new(root: &Directory) -> Self {
            let local = fstatfs(root.descriptor())
                .is_ok_and(|system| LOCAL.contains(&i128::from(system.f_type)));
            if !local {
                return Self(None);
            }
            let queue = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC);
            let watched = queue.map(|queue| {
                Mutex::new(Watched {
                    queue,
                    users: HashMap::new(),
                    folders: HashMap::new(),
                    warned: false,
                })
            });
            if let Err(error) = &watched {
                let path = root.path().display();
                tracing::warn!(
                    event = "folder-not-watched",
                    "{path} cannot be watched ({error}): each call reads the whole folder"
                );
            }
            Self(watched.ok())
        }

        /// A watch that sees nothing, as on a network file system.
        #[cfg(test)]
        pub(crate) fn blind() -> Self {
            Self(None)
        }

        /// What may have changed since the user's files were last looked at; they are about to be again.
        pub(crate) fn take(&self, user: &str) -> Changed {
            let Some(mut watched) = self.watched() else {
                return Changed::Everything;
            };
            watched.drain();
            match watched.users.get_mut(user) {
                Some(user) if user.since.elapsed() < TRUST => {
                    std::mem::replace(&mut user.changed, Changed::Files(BTreeSet::new()))
                }
                _ => Changed::Everything,
            }
        }

        /// Whether there would be nothing to [`take`](Self::take).
        pub(crate) fn is_quiet(&self, user: &str) -> bool {
            self.watched().is_some_and(|mut watched| {
                watched.drain();
                watched.users.get(user).is_some_and(|user| {
                    user.since.elapsed() < TRUST
                        && matches!(&user.changed, Changed::Files(files) if files.is_empty())
                })
            })
        }

        /// From now on changes are noted; everything is about to be looked at.
        pub(crate) fn begin(&self, user: &str, folder: &Directory, calendars: &[String]) {
            let Some(mut watched) = self.watched() else {
                return;
            };
            watched.drain();
            watched.forget(user);
            if let Err(error) = watched.add_all(user, folder.path(), calendars) {
                watched.forget(user);
                if !std::mem::replace(&mut watched.warned, true) {
                    let path = folder.path().display();
                    tracing::warn!(
                        event = "folder-not-watched",
                        "{path} cannot be watched ({error}), and perhaps others: each call reads the whole \
                         folder; raise fs.inotify.max_user_watches"
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
            if let Some(mut watched) = self.watched() {
                watched.forget(user);
            }
        }

        fn watched(&self) -> Option<MutexGuard<'_, Watched>> {
            let watched = self.0.as_ref()?;
            Some(watched.lock().unwrap_or_else(PoisonError::into_inner))
        }
    }

    impl Watched {
        fn add_all(&mut self, user: &str, path: &Path, calendars: &[String]) -> Result<(), Errno> {
            self.add(user, None, path)?;
            for calendar in calendars {
                self.add(user, Some(calendar), &path.join(calendar))?;
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
            let queue = &self.queue;
            self.folders.retain(|watch, (owner, _)| {
                if owner == user {
                    // Gone with its folder, perhaps.
                    let _ = inotify::remove_watch(queue, *watch);
                }
                owner != user
            });
        }

        /// Notes what the kernel has queued.
        fn drain(&mut self) {
            let Self {
                queue,
                users,
                folders,
                ..
            } = self;
            let mut buffer = [MaybeUninit::uninit(); 8192];
            let mut events = Reader::new(&*queue, &mut buffer);
            loop {
                let event = match events.next() {
                    Ok(event) => event,
                    Err(Errno::INTR) => continue,
                    Err(Errno::WOULDBLOCK) => return,
                    Err(_) => return users.clear(),
                };
                if event.events().contains(ReadFlags::QUEUE_OVERFLOW) {
                    users.clear();
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
                match (&mut user.changed, change) {
                    (Changed::Files(files), Some(place)) if files.len() < 10_000 => {
                        files.insert(place);
                    }
                    (changed, _) => *changed = Changed::Everything,
                }
            }
        }
    }
}
