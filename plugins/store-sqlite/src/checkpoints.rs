//! The write-ahead log goes to where its pages belong beside the writer, not while somebody waits for a commit.
//!
//! SQLite does that in the commit that finds the log long enough: thousands of pages are written, and synced, while all who
//! write wait, which takes tens of milliseconds. Here another thread copies with a connection of its own, again until little
//! is left. That the writer copies between two commits, which is when the log can begin anew: the thread alone would never be
//! done while there is always more.

use crate::{database, error::Outcome};
use rusqlite::{Connection, MAIN_DB, wal::CheckpointMode};
use std::{
    path::Path,
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::{self, JoinHandle},
};

/// Pages of the log after which they go to where they belong, 16 MiB. The longer that takes, the more often a page was written
/// anew meanwhile, and goes there once.
const LONG: i32 = 4_000;
/// So many pages the writer copies by itself, 512 KiB.
const FEW: i32 = 128;
/// From so many on it copies whatever there is, 256 MiB: the other thread does not come after.
const LONGEST: i32 = 64_000;
/// How often the other thread goes on with what came meanwhile.
const ROUNDS: usize = 8;

/// What becomes of the log of one writer. Dropped, it waits for the thread.
pub(crate) struct Checkpoints {
    path: Arc<Path>,
    copier: Option<Copier>,
    limits: Limits,
}

/// When is done what, in pages of the log.
#[derive(Clone, Copy)]
struct Limits {
    long: i32,
    few: i32,
    longest: i32,
}

/// How long the log is, and how much of it is where it belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Progress {
    pages: i32,
    copied: i32,
}

impl Progress {
    const fn left(self) -> i32 {
        self.pages - self.copied
    }
}

/// What the writer does after a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Nothing,
    /// The other thread copies.
    Beside,
    /// The writer copies what is left.
    Now,
}

impl Limits {
    const fn after(self, progress: Progress) -> Step {
        if progress.pages < self.long || progress.left() == 0 {
            Step::Nothing
        } else if progress.left() <= self.few || progress.pages >= self.longest {
            Step::Now
        } else {
            Step::Beside
        }
    }
}

impl Checkpoints {
    /// Of the database at `path`.
    pub(crate) const fn new(path: Arc<Path>) -> Self {
        let limits = Limits {
            long: LONG,
            few: FEW,
            longest: LONGEST,
        };
        Self {
            path,
            copier: None,
            limits,
        }
    }

    /// From now on `connection`, which writes, leaves the log alone in its commits.
    pub(crate) fn take_over(connection: &Connection) -> Outcome<()> {
        Ok(connection.pragma_update(None, "wal_autocheckpoint", 0)?)
    }

    /// To be called after each commit of the writer. What fails is tried again after a later one, as SQLite does it: what was
    /// committed is in the log.
    pub(crate) fn after_commit(&mut self, connection: &Connection) {
        let Ok(progress) = checkpoint(connection, CheckpointMode::NOOP) else {
            return;
        };
        match self.limits.after(progress) {
            Step::Nothing => {}
            Step::Beside if self.copies_beside() => {}
            Step::Beside | Step::Now => {
                let _ = checkpoint(connection, CheckpointMode::PASSIVE);
            }
        }
    }

    /// Whether the other thread copies.
    fn copies_beside(&mut self) -> bool {
        if self.copier.is_none() {
            self.copier = Copier::start(self.path.clone(), self.limits).ok();
        }
        self.copier.as_ref().is_some_and(Copier::copies)
    }
}

/// The other thread; it ends with this.
struct Copier {
    /// `None` once it shall end.
    asked: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Copier {
    fn start(path: Arc<Path>, limits: Limits) -> std::io::Result<Self> {
        let (asked, wishes) = sync_channel(1);
        let thread = thread::Builder::new()
            .name("checkpoints".to_owned())
            .spawn(move || copy_when_asked(&path, &wishes, limits))?;
        Ok(Self {
            asked: Some(asked),
            thread: Some(thread),
        })
    }

    /// Asks it to copy, unless that waits already; whether it lives.
    fn copies(&self) -> bool {
        use std::sync::mpsc::TrySendError;
        let asked = self.asked.as_ref().map(|asked| asked.try_send(()));
        !matches!(asked, None | Some(Err(TrySendError::Disconnected(()))))
    }
}

impl Drop for Copier {
    fn drop(&mut self) {
        self.asked = None;
        // An error: it has panicked, and holds nothing any more.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// Ends when nobody can ask any more, or when the file cannot be opened; then the writer copies.
fn copy_when_asked(path: &Path, wishes: &Receiver<()>, limits: Limits) {
    let Ok(connection) = database::open_reader(path) else {
        return;
    };
    while let Ok(()) = wishes.recv() {
        copy(&connection, limits);
    }
}

/// Copies until little is left, as far as readers let it.
fn copy(connection: &Connection, limits: Limits) {
    for _ in 0..ROUNDS {
        let copied = checkpoint(connection, CheckpointMode::PASSIVE);
        let now = checkpoint(connection, CheckpointMode::NOOP);
        match (copied, now) {
            // What came meanwhile is copied, too, unless a reader needs what is there.
            (Ok(copied), Ok(now)) if now.left() > limits.few && copied.left() == 0 => {}
            _ => return,
        }
    }
}

fn checkpoint(connection: &Connection, mode: CheckpointMode) -> rusqlite::Result<Progress> {
    let (pages, copied) = connection.wal_checkpoint_v2(Some(MAIN_DB), mode)?;
    Ok(Progress { pages, copied })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::CALENDARS;

    #[test]
    fn nobody_who_writes_waits_for_much() {
        let limits = Checkpoints::new(Path::new("").into()).limits;
        for (pages, copied, expected) in [
            (LONG - 1, 0, Step::Nothing),
            (LONG, 0, Step::Beside),
            (LONG + 500, LONG, Step::Beside),
            (LONG + FEW, LONG, Step::Now),
            // A reader needs it; nothing is left to copy.
            (LONG + FEW, LONG + FEW, Step::Nothing),
            (LONGEST, 0, Step::Now),
        ] {
            let progress = Progress { pages, copied };
            assert_eq!(limits.after(progress), expected, "{progress:?}");
        }
    }

    #[test]
    fn the_log_begins_anew_while_there_is_always_more() {
        let folder = tempfile::tempdir().unwrap();
        let path: Arc<Path> = folder.path().join("calendars.db").into();
        let connection = database::open(&path, &CALENDARS).unwrap();
        let mut checkpoints = Checkpoints::new(Arc::clone(&path));
        // However long it becomes, the writer copies no more than a little.
        checkpoints.limits = Limits {
            long: 60,
            few: 20,
            longest: i32::MAX,
        };
        Checkpoints::take_over(&connection).unwrap();
        let pages = || {
            let progress = checkpoint(&connection, CheckpointMode::NOOP);
            progress.unwrap().pages
        };
        let (mut before, mut begun) = (0, 0);
        for _ in 0..20_000 {
            let add = "INSERT INTO users (kind) VALUES ('ROOM')";
            connection.execute(add, ()).unwrap();
            checkpoints.after_commit(&connection);
            begun += usize::from(pages() < before);
            before = pages();
            if begun == 3 {
                break;
            }
        }
        assert_eq!(begun, 3, "{before} pages are in the log");
        drop(checkpoints);
        let count = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0);
        let found =
            connection.query_row("PRAGMA integrity_check", (), |row| row.get::<_, String>(0));
        assert_eq!(found.unwrap(), "ok");
        let there = connection.query_row("SELECT count(*) FROM users", (), count);
        assert!(there.unwrap() > 60);
    }
}
