//! `convoke calendar import`: files of any number and size into a store.
//!
//! Of each file its octets are in memory and the objects that are on their way into the store. Many go at once, so that a
//! store can write them together; that a store has acknowledged an object still means that it is kept.

use super::Shown;
use crate::{
    cli::{
        Global,
        output::{self, Failure, counted},
        places::user_of,
        send,
    },
    plugin::{IndexService, StoreHandle},
    serve,
};
use clap::Args;
use convoke_calendar::{tree, zone::unknown_names};
use convoke_sdk::{CalendarUser, NewObject, ObjectSummary, Precondition};
use convoke_types::{CalendarAddress, Uid};
use futures::future;
use indicatif::ProgressBar;
use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// Objects on their way at once: to begin with…
const TOGETHER: usize = 8;
/// …and at most, for a store that takes them as fast as they come.
const MOST_TOGETHER: usize = 64;

/// How long those that go at once shall take. The last one waits for all others, and has to be there before the plugin's
/// deadline.
const BEAT: Duration = Duration::from_secs(1);

const IMPORT_EXAMPLES: &str = "\
Examples:
  convoke calendar import --user anna@example.org holidays.ics
  convoke calendar import --user anna@example.org ~/.calendars/anna/
  curl -s https://example.org/anna.ics | convoke calendar import --user anna@example.org

Each UID becomes one object; an object of the same UID that is there already is replaced. Nothing is sent to anybody.";

/// Put iCalendar files into a user's calendar
#[derive(Args)]
#[command(after_help = IMPORT_EXAMPLES)]
pub(in crate::cli) struct Import {
    /// Whose calendar
    #[arg(long, value_name = "ADDR")]
    user: CalendarAddress,
    /// Take the object of this UID only
    #[arg(long)]
    uid: Option<Uid>,
    /// Files, or folders whose .ics files are taken; stdin if none is named
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
}

impl Import {
    pub(super) async fn run(self, global: &Global) -> Result<(), Failure> {
        let config = global.config()?;
        let plugins = global.plugins().await?;
        let (store, user) = user_of(&plugins, &self.user).await?;
        let mut importer = Importer {
            store,
            user: &user,
            index: serve::setup(&config).index,
            waiting: Vec::new(),
            together: TOGETHER,
            imported: 0,
            summaries: global.json.then(Vec::new),
            progress: output::progress(),
            unknown_zones: BTreeSet::new(),
        };
        let outcome = self.read_all(&mut importer).await;
        // What was read before something failed is kept.
        let outcome = outcome.and(importer.put_all().await);
        importer.progress.finish_and_clear();
        importer.say_unknown_zones();
        outcome.map_err(|failure| importer.after_all(&failure))?;
        let count = importer.imported;
        if count == 0 {
            return Err(Failure::new(match &self.uid {
                Some(uid) => format!("nothing of UID {uid} was found"),
                None => "nothing was found to import: name .ics files, or folders that hold some"
                    .to_owned(),
            }));
        }
        if let Some(summaries) = importer.summaries {
            return output::print_json(&summaries.iter().map(Shown::from).collect::<Vec<_>>());
        }
        let text = format!("{} imported for {}\n", counted(count), self.user.human());
        output::print_text(&text)
    }

    async fn read_all(&self, importer: &mut Importer<'_>) -> Result<(), Failure> {
        for file in self.sources()? {
            let wrong = |what: String| Failure::new(format!("{}: {what}", file.display()));
            let octets = send::read(&file)?;
            let objects = tree::Objects::read(&octets, &limits())
                .map_err(|error| wrong(error.to_string()))?;
            importer.progress.inc_length(objects.len() as u64);
            for object in objects {
                let uid = uid(&object).map_err(wrong)?;
                if self.uid.as_ref().is_none_or(|wanted| *wanted == uid) {
                    importer.unknown_zones.extend(unknown_names(&object));
                    importer.add(&file, uid, object.write()).await?;
                }
            }
        }
        Ok(())
    }

    /// The files, those of folders included; `-` is stdin.
    fn sources(&self) -> Result<Vec<PathBuf>, Failure> {
        if self.files.is_empty() {
            return Ok(vec![PathBuf::from("-")]);
        }
        let mut sources = Vec::new();
        for file in &self.files {
            if file.is_dir() {
                let unreadable = |error: io::Error| {
                    Failure::new(format!("{} cannot be read: {error}", file.display()))
                };
                collect(file, &mut sources).map_err(unreadable)?;
            } else {
                sources.push(file.clone());
            }
        }
        Ok(sources)
    }
}

/// The `.ics` files of a folder and of those in it, in the order of their names; links to folders are not followed.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    let mut entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            collect(&path, files)?;
        } else if path
            .extension()
            .is_some_and(|extension| extension.eq_ignore_ascii_case("ics"))
        {
            files.push(path);
        }
    }
    Ok(())
}

/// A calendar of many years may be larger than a message; who imports it has it on this machine.
fn limits() -> tree::Limits {
    tree::Limits {
        bytes: usize::MAX,
        properties: usize::MAX,
        ..tree::Limits::default()
    }
}

fn uid(object: &tree::Calendar) -> Result<Uid, String> {
    let uid = object.main_components().find_map(|main| main.get("UID"));
    let uid = uid.ok_or("a component has no UID, so that it cannot be stored")?;
    Uid::new(uid.to_text()).map_err(|error| error.to_string())
}

/// Puts objects into the store, some at once.
struct Importer<'a> {
    store: &'a StoreHandle,
    user: &'a CalendarUser,
    index: IndexService,
    /// No two of one UID, so that the later file wins.
    waiting: Vec<(PathBuf, Uid, NewObject)>,
    /// How many may wait before they go.
    together: usize,
    imported: usize,
    summaries: Option<Vec<ObjectSummary>>,
    progress: ProgressBar,
    /// TZIDs that nobody knows.
    unknown_zones: BTreeSet<String>,
}

impl Importer<'_> {
    async fn add(&mut self, file: &Path, uid: Uid, data: Vec<u8>) -> Result<(), Failure> {
        let index = (self.index)(Some(self.user), &data);
        let index = index.map_err(|error| wrong(file, &uid, &error))?;
        if self.waiting.len() >= self.together || self.waiting.iter().any(|(_, it, _)| *it == uid) {
            self.put_all().await?;
        }
        let object = NewObject { data, index };
        self.waiting.push((file.to_owned(), uid, object));
        Ok(())
    }

    async fn put_all(&mut self) -> Result<(), Failure> {
        let (store, user) = (self.store, &self.user.id);
        let puts = self.waiting.iter();
        let puts = puts.map(|(_, _, object)| store.put(user, object, &Precondition::Any));
        let begun = Instant::now();
        let etags = future::join_all(puts).await;
        self.together = next(self.together, begun.elapsed());
        let mut outcome = Ok(());
        for ((file, uid, object), etag) in self.waiting.drain(..).zip(etags) {
            let etag = match etag {
                Ok(etag) => etag,
                Err(error) => {
                    outcome = outcome.and(Err(wrong(&file, &uid, &error)));
                    continue;
                }
            };
            self.imported += 1;
            self.progress.inc(1);
            if let Some(summaries) = &mut self.summaries {
                summaries.push(ObjectSummary {
                    uid,
                    component: object.index.component,
                    etag,
                });
            }
        }
        outcome
    }

    /// What will be read otherwise than it was meant, perhaps.
    fn say_unknown_zones(&self) {
        let own = self.user.timezone.as_deref().unwrap_or("UTC");
        for name in &self.unknown_zones {
            output::warn(&format!(
                "no VTIMEZONE describes the time zone `{name}` and nobody knows it: its times are read in the user's own, {own}"
            ));
        }
    }

    /// What failed, and what is in the store all the same.
    fn after_all(&self, failure: &Failure) -> Failure {
        match self.imported {
            0 => Failure::new(failure.to_string()),
            some => Failure::new(format!("{failure}; {} imported before that", counted(some))),
        }
    }
}

/// How many go at once after so many took so long.
fn next(together: usize, took: Duration) -> usize {
    let next = match took {
        _ if took < BEAT / 2 => together * 2,
        _ if took > BEAT * 2 => together / 2,
        _ => together,
    };
    next.clamp(1, MOST_TOGETHER)
}

fn wrong(file: &Path, uid: &Uid, error: &convoke_sdk::Error) -> Failure {
    Failure::new(format!("{}: {uid}: {error}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_store_gets_less_at_once() {
        let second = Duration::from_secs(1);
        let cases = [
            (8, second / 10, 16),
            (64, second / 10, 64),
            (8, second, 8),
            (8, second * 3, 4),
            (1, second * 9, 1),
        ];
        for (together, took, then) in cases {
            assert_eq!(next(together, took), then, "{together} in {took:?}");
        }
    }
}
