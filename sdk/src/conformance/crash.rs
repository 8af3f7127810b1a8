//! Is what a store acknowledged still there after the process was killed?
//!
//! Two halves for two processes. The one that is going to be killed calls [`write_for_ever`] and prints a line for each
//! write once the store has acknowledged it. The other one reads the lines and kills it ([`kill_after`]), opens the store
//! and calls [`survived`].

use super::{
    objects::{Event, summary},
    runner::CALL,
};
use crate::prelude::*;
use std::{
    io::{self, BufRead, BufReader, Read, Write},
    process::{Command, Stdio},
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};
use tokio::task::JoinSet;

/// How many write at the same time.
const WRITERS: usize = 8;
/// How many objects each of them writes in turn.
const OBJECTS: u64 = 5;
/// What the lines begin with, as test harnesses print too.
const PREFIX: &str = "acknowledged ";

/// Writes to the store until it fails or nobody listens any more; answers why it ended.
pub async fn write_for_ever<S: Store>(store: S) -> Error {
    let user = match user(&store).await {
        Ok(user) => user,
        Err(error) => return error,
    };
    // Larger than in a run before this one.
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let first = u64::try_from(since.unwrap_or_default().as_micros()).unwrap_or_default();
    let store = Arc::new(store);
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let (store, user) = (Arc::clone(&store), user.clone());
        writers.spawn(async move {
            let mut count = first;
            loop {
                count += 1;
                if let Err(error) = write(&*store, &user, writer, count).await {
                    return error;
                }
            }
        });
    }
    let ended = writers.join_next().await;
    ended
        .and_then(Result::ok)
        .unwrap_or_else(|| Error::internal("a writer panicked"))
}

async fn write<S: Store>(store: &S, user: &UserId, writer: usize, count: u64) -> Result<()> {
    let name = format!("{writer}-{}", count % OBJECTS);
    let event = Event::new(&name).summary(format!("{count} {}", "x".repeat(3000)));
    store
        .put(user, &event.object(), &Precondition::Any, &CALL)
        .await?;
    let line = format!("{PREFIX}{name} {count}\n");
    let mut out = io::stdout().lock();
    out.write_all(line.as_bytes())?;
    Ok(out.flush()?)
}

/// Starts the half that calls [`write_for_ever`], kills it once it has told of so many writes, and gives all it printed.
pub fn kill_after(acknowledged: usize, writing: &mut Command) -> Result<String> {
    let writing = writing.stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = writing.spawn()?;
    let output = (child.stdout.take()).ok_or_else(|| Error::internal("its output is not piped"))?;
    let mut output = BufReader::new(output);
    let mut printed = String::new();
    while printed.matches(PREFIX).count() < acknowledged {
        if output.read_line(&mut printed)? == 0 {
            return Err(Error::internal(format!("it ended by itself: {printed}")));
        }
    }
    child.kill()?;
    child.wait()?;
    output.read_to_string(&mut printed)?;
    Ok(printed)
}

/// Whether every write that `printed` tells of is there, whole, in that version or a later one; how many it tells of.
pub async fn survived<S: Store>(store: &S, printed: &str) -> Result<usize> {
    let user = user(store).await?;
    let mut told: BTreeMap<&str, u64> = BTreeMap::new();
    let mut lines = 0;
    for line in printed.lines() {
        // The harness may have begun the line; the kill may have cut it.
        let words = line
            .split_once(PREFIX)
            .map(|(_, words)| words.split_once(' '));
        if let Some(Some((name, count))) = words
            && let Ok(count) = count.parse()
        {
            told.insert(name, count);
            lines += 1;
        }
    }
    for (name, acknowledged) in told {
        let uid = Uid::new(name)?;
        let found = store.get(&user, &uid, &CALL).await?;
        let text = found.as_ref().and_then(|object| summary(&object.data));
        let whole = text.as_ref().and_then(|text| {
            let (count, rest) = text.split_once(' ')?;
            let count = count.parse::<u64>().ok()?;
            (rest.len() == 3000).then_some(count)
        });
        if whole.is_none_or(|count| count < acknowledged) {
            return Err(Error::internal(format!(
                "{name} was acknowledged in version {acknowledged}, and this is there: {text:.40?}"
            )));
        }
    }
    let busy = store.busy(&user, TimeRange::ALL, &CALL).await?;
    let objects = store.list(&user, &Page::first(1000), &CALL).await?;
    if objects.items.len() > WRITERS * 5 || busy.spans.is_empty() != objects.items.is_empty() {
        return Err(Error::internal("there is more or less than was written"));
    }
    Ok(lines)
}

async fn user<S: Store>(store: &S) -> Result<UserId> {
    let address = CalendarAddress::new("killed@conformance.example")?;
    match store.find(&address, &CALL).await? {
        Some(user) => Ok(user.id),
        None => store.add_user(&NewUser::new(address), &CALL).await,
    }
}
