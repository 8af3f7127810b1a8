//! Asks a database for what store-postgres promises: `postgres_kit WHAT CONFIG.toml`, where the file holds what would stand under
//! `config`. For tests/live, which starts PostgreSQL.
//!
//! | WHAT | what is asked |
//! | --- | --- |
//! | `open` | both plugins open; the sentence if they do not |
//! | `store`, `state` | the conformance kits |
//! | `batches` | batches that read what others write come out as if one came after the other |
//! | `changes` | who follows the changes of many writers misses none |
//! | `once` | each write is made once, whatever happens to connections |
//! | `fill COUNT` | makes a calendar of so many events, and prints the statement that asks for its busy time |

use convoke_sdk::{
    conformance::{self, Report, StateFacts, StoreFacts},
    jiff::SignedDuration,
    prelude::*,
};
use convoke_store_postgres::{Config, PostgresStore, state::PostgresState};
use std::{
    collections::BTreeSet, env, error::Error as StdError, fs, path::Path, process::ExitCode,
    sync::Arc, time::Duration,
};
use tokio::task::JoinSet;

type Outcome<T = ()> = std::result::Result<T, Box<dyn StdError + Send + Sync>>;

struct Subject {
    config: Config,
    host: Host,
}

impl Subject {
    async fn store(&self) -> Result<PostgresStore> {
        PostgresStore::open(self.config.clone(), self.host.clone()).await
    }

    async fn state(&self) -> Result<PostgresState> {
        PostgresState::open(self.config.clone(), self.host.clone()).await
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Outcome {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [what, file, rest @ ..] = arguments.as_slice() else {
        return Err("usage: postgres_kit WHAT CONFIG.toml".into());
    };
    let folder = Path::new(file).parent().unwrap_or(Path::new("."));
    let subject = Subject {
        config: toml::from_str(&fs::read_to_string(file)?)?,
        host: conformance::host(folder),
    };
    match (what.as_str(), rest) {
        ("open", []) => {
            subject.store().await?;
            subject.state().await?;
        }
        ("store", []) => {
            let open = || subject.store();
            kept(&conformance::store(open, &StoreFacts::default()).await)?;
        }
        ("state", []) => {
            let open = || subject.state();
            kept(&conformance::state(open, &StateFacts::default()).await)?;
        }
        ("batches", []) => batches(&subject).await?,
        ("changes", []) => changes(&subject).await?,
        ("once", []) => once(&subject).await?,
        ("fill", [count]) => fill(&subject, count.parse()?).await?,
        _ => return Err(format!("`{what}` is not known").into()),
    }
    Ok(())
}

fn kept(report: &Report) -> Outcome {
    print!("{report}");
    if report.is_kept() {
        Ok(())
    } else {
        Err("a promise is broken".into())
    }
}

fn call() -> Call {
    Call::within(Duration::from_secs(60))
}

/// Two batches that each write what the other reads: of each pair exactly one is made, whether they are about keys that are there or
/// not. Read and written under row locks or snapshots alone, both would be.
async fn batches(subject: &Subject) -> Outcome {
    let hosts = [
        Arc::new(subject.state().await?),
        Arc::new(subject.state().await?),
    ];
    for round in 0..200 {
        let [x, y] = ["x", "y"].map(|name| format!("batches/{round}/{name}").into_bytes());
        let (of_x, of_y) = if round % 2 == 0 {
            (
                Batch::new().if_absent(x.clone()).put(y.clone(), "1"),
                Batch::new().if_absent(y.clone()).put(x.clone(), "1"),
            )
        } else {
            let there = Batch::new().put(x.clone(), "0").put(y.clone(), "0");
            let version = hosts[0].commit(&there, &call()).await?.version;
            (
                Batch::new()
                    .if_version(x.clone(), version)
                    .put(y.clone(), "1"),
                Batch::new()
                    .if_version(y.clone(), version)
                    .put(x.clone(), "1"),
            )
        };
        let (call, both) = (call(), [of_x, of_y]);
        let (one, other) = tokio::join!(
            hosts[0].commit(&both[0], &call),
            hosts[1].commit(&both[1], &call)
        );
        let made = [&one, &other].iter().filter(|it| it.is_ok()).count();
        if made != 1 {
            return Err(format!("round {round}: {made} were made: {one:?}, {other:?}").into());
        }
        let delete = Batch::new().delete(x).delete(y);
        hosts[0].commit(&delete, &call).await?;
    }
    println!("kept");
    Ok(())
}

fn event(uid: &str) -> Result<NewObject> {
    let uid = Uid::new(uid)?;
    let data = format!("BEGIN:VCALENDAR\r\nUID:{uid}\r\nEND:VCALENDAR\r\n");
    Ok(NewObject::new(
        data.into_bytes(),
        ObjectIndex::new("VEVENT", uid),
    ))
}

async fn new_user(store: &PostgresStore, name: &str) -> Result<UserId> {
    let address = CalendarAddress::new(&format!("{name}@kit.example"))?;
    if let Some(user) = store.find(&address, &call()).await? {
        store.remove_user(&user.id, &call()).await?;
    }
    store.add_user(&NewUser::new(address), &call()).await
}

/// Eight writers through one host, and a follower through another that goes on from cursor to cursor.
async fn changes(subject: &Subject) -> Outcome {
    const EACH: usize = 60;
    let (writing, following) = (Arc::new(subject.store().await?), subject.store().await?);
    let user = new_user(&writing, "followed").await?;
    let mut writers = JoinSet::new();
    for writer in 0..8 {
        let (store, user) = (Arc::clone(&writing), user.clone());
        writers.spawn(async move {
            for number in 0..EACH {
                let object = event(&format!("{writer}-{number}"))?;
                store
                    .put(&user, &object, &Precondition::Absent, &call())
                    .await?;
            }
            Ok::<_, Error>(())
        });
    }
    let (mut told, mut since) = (BTreeSet::new(), Cursor::new("0"));
    while told.len() < 8 * EACH {
        let watch = Watch::over(vec![Watched::new(user.clone(), since.clone())]);
        let changed = following.await_changes(&watch, &call()).await?;
        if changed.users.is_empty() {
            return Err(format!("{} of {} were told", told.len(), 8 * EACH).into());
        }
        let news = following.changes(&user, Some(&since), &call()).await?;
        told.extend(news.changed.into_iter().map(|it| it.uid));
        since = news.cursor;
    }
    while let Some(writer) = writers.join_next().await {
        writer??;
    }
    println!("kept");
    Ok(())
}

/// One writer counts in the state, and puts objects that must not be there: whatever happens to its connections, no write is made twice
/// (a conflict with itself), and none that was answered is missing.
async fn once(subject: &Subject) -> Outcome {
    let state = insist(async || subject.state().await).await?;
    let store = insist(async || subject.store().await).await?;
    let user = insist(async || new_user(&store, "once").await).await?;
    let key = b"once/count".to_vec();
    let delete = Batch::new().delete(key.clone());
    insist(async || state.commit(&delete, &call()).await).await?;
    let mut version = None;
    for number in 1..=100_u32 {
        let batch = match version {
            None => Batch::new().if_absent(key.clone()),
            Some(version) => Batch::new().if_version(key.clone(), version),
        };
        let batch = batch.put(key.clone(), number.to_string());
        let committed = insist(async || state.commit(&batch, &call()).await).await?;
        version = Some(committed.version);
        let object = event(&format!("once-{number}"))?;
        insist(async || {
            store
                .put(&user, &object, &Precondition::Absent, &call())
                .await
        })
        .await?;
    }
    let counted = insist(async || state.get(&key, &call()).await).await?;
    let counted = counted.map(|it| it.value);
    let page = Page::first(1000);
    let listed = insist(async || store.list(&user, &page, &call()).await).await?;
    let listed = listed.items.len();
    if counted.as_deref() != Some(b"100") || listed != 100 {
        return Err(format!("{counted:?} was counted, and {listed} are there").into());
    }
    println!("kept");
    Ok(())
}

/// Tries again what was not made as the database is away.
async fn insist<T>(write: impl AsyncFn() -> Result<T>) -> Result<T> {
    loop {
        match write().await {
            Err(error)
                if error.kind() == ErrorKind::Unavailable
                    && !error.message().contains("is not known") =>
            {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            made => return made,
        }
    }
}

/// One event of an hour after another.
async fn fill(subject: &Subject, count: i64) -> Outcome {
    let store = subject.store().await?;
    let user = new_user(&store, "busy").await?;
    let begin = Timestamp::from_second(1_800_000_000)?;
    let hour = SignedDuration::from_hours(1);
    for first in (0..count).step_by(1000) {
        let mut object = event(&format!("from-{first}"))?;
        let hours = first..count.min(first + 1000);
        let spans = hours.map(|number| {
            let start = begin.checked_add(hour * i32::try_from(number)?)?;
            let range = TimeRange::new(start, start.checked_add(hour)?)?;
            Ok(BusySpan::new(range, BusyType::Busy))
        });
        object.index.spans = spans.collect::<Outcome<_>>()?;
        store
            .put(&user, &object, &Precondition::Absent, &call())
            .await?;
    }
    let day = TimeRange::new(begin, begin.checked_add(hour * 24)?)?;
    let busy = store.busy(&user, day, &call()).await?;
    if busy.spans.len() != 24 {
        return Err(format!("{} spans in a day", busy.spans.len()).into());
    }
    println!(
        "{user}\n{}\n{}",
        begin.as_microsecond(),
        PostgresStore::BUSY
    );
    Ok(())
}
