//! Asking for one law, and what came of it.

use super::Outcome;
use crate::prelude::*;
use std::{
    fmt::Debug,
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::LazyLock,
    task::Poll,
    time::{Duration, Instant},
};
use tokio::task::JoinSet;

/// A law that takes longer than this is broken.
const PATIENCE: Duration = Duration::from_secs(120);

/// A poll that holds its thread longer than this keeps others waiting.
const LONGEST_POLL: Duration = Duration::from_secs(1);

/// What goes with the calls of the kits.
pub(super) static CALL: LazyLock<Call> = LazyLock::new(|| Call::default().made_for(Purpose::Test));

/// What a law finds.
pub(super) type Verdict<T = ()> = Result<T, Broken>;

/// A law: it asks a subject.
pub(super) type Ask<S> = fn(S) -> Pin<Box<dyn Future<Output = Verdict> + Send>>;

/// How a law is broken.
pub(super) enum Broken {
    How(String),
    NotAsked(String),
}

impl From<Error> for Broken {
    fn from(error: Error) -> Self {
        match error.kind() {
            ErrorKind::Unsupported => Self::NotAsked(error.to_string()),
            kind => Self::How(format!("unexpected {kind:?}: {error}")),
        }
    }
}

/// How long who waits for something may wait, at first and, where that was not enough, once more: a busy machine takes as
/// long as a tenth of the first, which is what a plugin keeps back of it, and not of the second.
const WAITS: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(20)];

/// Asks in a task of its own, so that a panic is an answer too.
pub(super) async fn ask<T: Send + 'static>(
    answer: impl Future<Output = Verdict<T>> + Send + 'static,
) -> Verdict<T> {
    let task = tokio::spawn(answer);
    match tokio::time::timeout(PATIENCE, task).await {
        Ok(Ok(verdict)) => verdict,
        Ok(Err(panic)) => Err(panicked(panic)),
        Err(_) => Err(Broken::How(format!(
            "no answer within {} s",
            PATIENCE.as_secs()
        ))),
    }
}

fn panicked(panic: tokio::task::JoinError) -> Broken {
    let Ok(payload) = panic.try_into_panic() else {
        return Broken::How("it was cancelled".to_owned());
    };
    let text = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    Broken::How(format!("it panicked: {}", text.unwrap_or("without a text")))
}

/// Runs all of `calls` at once; a panic in one of them breaks the law.
pub(super) async fn at_once<T: Send + 'static>(
    calls: impl IntoIterator<Item = impl Future<Output = T> + Send + 'static>,
) -> Verdict<Vec<T>> {
    let mut tasks = JoinSet::new();
    for call in calls {
        tasks.spawn(call);
    }
    let mut results = Vec::new();
    while let Some(result) = tasks.join_next().await {
        results.push(result.map_err(panicked)?);
    }
    Ok(results)
}

/// Polls the call once, and loses interest.
pub(super) async fn give_up(call: impl Future) {
    let mut call = pin!(call);
    poll_fn(|context| {
        let _ = call.as_mut().poll(context);
        Poll::Ready(())
    })
    .await;
}

/// What comes of waiting for something that does not happen. Breaks the law if who waits is kept beyond the call's deadline.
pub(super) async fn waits_in_vain<T, F>(wait: impl Fn(Call) -> F) -> Verdict<T>
where
    F: Future<Output = Result<T>>,
{
    for length in WAITS {
        let call = Call::within(length);
        let answer = wait(call.clone()).await;
        if call.time_left() > Some(Duration::ZERO) {
            return Ok(answer?);
        }
    }
    Err(Broken::How(
        "who waits is kept beyond the call's deadline: answer within `call.patience()`".to_owned(),
    ))
}

/// Breaks the law if `call` holds its thread, which is the host's, for long.
pub(super) async fn holds_no_thread<F: Future>(what: &str, call: impl Fn() -> F) -> Verdict {
    let mut shortest = Duration::MAX;
    // A busy machine may hold a thread up once, but not each time.
    for _ in 0..3 {
        shortest = shortest.min(longest_poll(call()).await);
        if shortest < LONGEST_POLL {
            return Ok(());
        }
    }
    Err(Broken::How(format!(
        "{what}: expected no poll over {} ms, got one of {} ms: move what blocks into `tokio::task::spawn_blocking`",
        LONGEST_POLL.as_millis(),
        shortest.as_millis()
    )))
}

/// The longest that one poll of the call held its thread.
async fn longest_poll(call: impl Future) -> Duration {
    let mut call = pin!(call);
    let mut longest = Duration::ZERO;
    poll_fn(|context| {
        let before = Instant::now();
        let polled = call.as_mut().poll(context);
        longest = longest.max(before.elapsed());
        polled.map(drop)
    })
    .await;
    longest
}

pub(super) fn outcome(verdict: Verdict) -> Outcome {
    match verdict {
        Ok(()) => Outcome::Kept,
        Err(Broken::NotAsked(why)) => Outcome::NotAsked(why),
        Err(Broken::How(how)) => Outcome::Broken(how),
    }
}

/// Breaks the law unless the condition holds.
pub(super) fn expect(holds: bool, otherwise: impl FnOnce() -> String) -> Verdict {
    if holds {
        Ok(())
    } else {
        Err(Broken::How(otherwise()))
    }
}

/// Breaks the law unless both are equal.
#[allow(
    clippy::needless_pass_by_value,
    reason = "a law is read more easily without borrows"
)]
pub(super) fn equal<T: PartialEq + Debug>(what: &str, found: T, wanted: T) -> Verdict {
    expect(found == wanted, || {
        let short = |value: &T| format!("{value:?}").chars().take(300).collect::<String>();
        format!("{what}: expected {}, got {}", short(&wanted), short(&found))
    })
}

/// Breaks the law unless it failed in this way.
pub(super) fn fails<T: Debug>(what: &str, found: Result<T>, wanted: ErrorKind) -> Verdict {
    match found {
        Err(error) if error.kind() == wanted => Ok(()),
        Err(error) if error.kind() == ErrorKind::Unsupported => Err(error.into()),
        found => Err(Broken::How(format!(
            "{what}: expected the error {wanted:?}, got {:.200}",
            format!("{found:?}")
        ))),
    }
}
