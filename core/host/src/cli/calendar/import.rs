//! `convoke calendar import`: files of any number and size into a store.
//!
//! The input is looked over twice. First all of it, a file at a time, to see what stands where: what belongs to one UID may
//! be spread over many files. Then object by object, which is read again from its places. So memory holds one
//! file while it is looked over, some hundred octets a component, and the objects that are on their way into the store; what comes on
//! stdin cannot be read again and stays. Many objects go at once, so that a store can write them together; that a store has
//! acknowledged an object still means that it is kept.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `input` | what stands where in the files |
//! | `report` | what was taken, what was not, and why |

mod input;
mod report;

use crate::{
    admin::api::{LookNow, Tells},
    cli::{
        Global,
        context::user_of,
        output::{self, Failure},
        session::{Session, StoreSession, asked},
    },
    scheduling,
};
use clap::Args;
use convoke_calendar::{
    gather::{is_of_instances, put_into},
    tree::Calendar,
    zone::unknown_names,
};
use convoke_plugin_host::IndexService;
use convoke_sdk::{CalendarUser, NewObject, ObjectSummary, Precondition};
use convoke_types::{CalendarAddress, Uid};
use futures::future;
use indicatif::ProgressBar;
use input::{Input, Object};
use report::{Failed, Report};
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
  convoke calendar import --user anna@example.org --tell meetings.ics
  curl -s https://example.org/anna.ics | convoke calendar import --user anna@example.org

Each UID becomes one object, also where a series and its changed instances stand in different files; an object of the \
same UID that is there already is replaced. Changed instances without their series are put into the object that is \
there, each in the place of that instance. Nothing is sent to anybody, unless --tell says so: then each object is what the \
user has just made or changed, and whom it concerns is told, as with a calendar program (after `[scheduling] settle`; more \
than `hold` at once wait for `convoke queue release`).

What cannot be read costs its object only: the rest is taken, and each object that was not is listed with file, line \
and reason; exit status 1 then. Oddities that are kept as they are are told on stderr (`note:`).";

/// Import iCalendar files into a user's calendar
#[derive(Args)]
#[command(after_help = IMPORT_EXAMPLES)]
pub(in crate::cli) struct Import {
    /// Whose calendar
    #[arg(long, value_name = "ADDR")]
    user: CalendarAddress,
    /// Take the object of this UID only
    #[arg(long)]
    uid: Option<Uid>,
    /// Tell whom the objects concern (the host must be running)
    #[arg(long)]
    tell: bool,
    /// Files, or folders whose .ics files are taken; stdin if none is named
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
}

impl Import {
    pub(super) async fn run(self, global: &Global) -> Result<(), Failure> {
        let config = global.config()?;
        let stores = if self.tell {
            Session::Running(global.needed_host().await?)
        } else {
            global.stores().await?
        };
        let (store, user) = user_of(&stores, &self.user).await?;
        // Before anything is there: else it would be in the calendar at the first look, at which nobody is told.
        self.look(&stores).await?;
        let mut report = Report::default();
        let mut input = Input::default();
        for file in self.sources()? {
            input.look_over(file, self.uid.as_ref(), &mut report);
        }
        let mut importer = Importer {
            store: &store,
            user: &user,
            index: scheduling::index_service(config.limits.messages),
            waiting: Vec::new(),
            tells: if self.tell {
                Tells::Concerned
            } else {
                Tells::Nobody
            },
            together: TOGETHER,
            report,
            progress: output::progress(),
            unknown_zones: BTreeSet::new(),
        };
        importer.progress.inc_length(input.len() as u64);
        for object in input.objects() {
            let read = input.read(object);
            importer.add(&input, object, read).await;
        }
        importer.put_all(&input).await;
        importer.progress.finish_and_clear();
        importer.say_unknown_zones();
        self.look(&stores).await?;
        importer
            .report
            .tell(&self.user, self.uid.as_ref(), global.json)
    }

    /// Has the host look at the calendar, if somebody is to be told.
    async fn look(&self, stores: &Session) -> Result<(), Failure> {
        if let (true, Session::Running(host)) = (self.tell, stores) {
            let user = self.user.clone();
            let looked = asked(host.call(&LookNow { user }).await);
            looked.map_err(|error| Failure::new(format!("--tell: {error}")))?;
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

/// Puts objects into the store, some at once.
struct Importer<'a> {
    store: &'a StoreSession,
    user: &'a CalendarUser,
    index: IndexService,
    waiting: Vec<(&'a Object, Uid, NewObject, Precondition)>,
    tells: Tells,
    /// How many may wait before they go.
    together: usize,
    report: Report,
    progress: ProgressBar,
    /// TZIDs that nobody knows.
    unknown_zones: BTreeSet<String>,
}

impl<'a> Importer<'a> {
    async fn add(
        &mut self,
        input: &Input,
        object: &'a Object,
        read: Result<(Uid, Calendar), Failed>,
    ) {
        let read = match read {
            Ok((uid, calendar)) => self.prepare(input, object, uid, calendar).await,
            Err(failed) => Err(failed),
        };
        match read {
            Ok((uid, new, when)) => self.waiting.push((object, uid, new, when)),
            Err(failed) => {
                self.progress.inc(1);
                self.report.failed.push(failed);
            }
        }
        if self.waiting.len() >= self.together {
            self.put_all(input).await;
        }
    }

    /// An object as it is to be put.
    async fn prepare(
        &mut self,
        input: &Input,
        object: &Object,
        uid: Uid,
        calendar: Calendar,
    ) -> Result<(Uid, NewObject, Precondition), Failed> {
        self.unknown_zones.extend(unknown_names(&calendar));
        let (calendar, when) = if is_of_instances(&calendar) {
            self.with_series(input, object, &uid, calendar).await?
        } else {
            (calendar, Precondition::Any)
        };
        let data = calendar.write();
        let index = (self.index)(Some(self.user), &data);
        let index = index.map_err(|error| input.fault(object, &error.to_string()))?;
        Ok((uid, NewObject::new(data, index), when))
    }

    /// Changed instances, put into the object that is there: they are no new version of the whole.
    async fn with_series(
        &self,
        input: &Input,
        object: &Object,
        uid: &Uid,
        instances: Calendar,
    ) -> Result<(Calendar, Precondition), Failed> {
        let failed = |error: String| input.failed(object, error);
        let stored = self.store.get(&self.user.id, uid).await;
        let Some(stored) = stored.map_err(|error| failed(error.to_string()))? else {
            return Ok((instances, Precondition::Absent));
        };
        let there = Calendar::parse_stored(&stored.data, &input::limits());
        let there = there.map_err(|error| failed(format!("what is there already: {error}")))?;
        let kind = instances.main_components().next().map(|it| &it.name);
        if kind.is_some_and(|kind| !there.main_components().any(|it| it.is(kind))) {
            let text = "what is there already under this UID is no series of such instances";
            return Err(failed(text.to_owned()));
        }
        let text = "only changed instances; they are put into the object that is there";
        input.note(object, text);
        let when = Precondition::Matches(stored.etag);
        Ok((put_into(there, instances), when))
    }

    async fn put_all(&mut self, input: &Input) {
        let (store, user) = (self.store, self.user);
        let puts = self.waiting.iter();
        let tells = self.tells;
        let puts = puts.map(|(_, _, object, when)| store.put(user, object, when, tells));
        let begun = Instant::now();
        let etags = future::join_all(puts).await;
        self.together = next(self.together, begun.elapsed());
        for ((object, uid, new, _), etag) in self.waiting.drain(..).zip(etags) {
            self.progress.inc(1);
            match etag {
                Ok(etag) => {
                    self.report
                        .imported
                        .push(ObjectSummary::new(uid, new.index.component, etag));
                }
                Err(error) => {
                    let failed = input.failed(object, error.to_string());
                    self.report.failed.push(failed);
                }
            }
        }
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
