//! A plugin in a process of its own: what it does wrong costs the answer it was asked for, not the host.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `protocol` | what host and process say to each other |
//! | `line` | the host's end of the line to one running process: calls in flight, deadlines |
//! | `start` | starts a process |
//! | `child` | what the process does |
//! | `confine` | what the kernel takes away from it before any of the plugin's code runs |
//!
//! [`Isolated`] is a plugin whose process is started again whenever it ends: at once the first time, then after a
//! pause that doubles. A call that comes meanwhile waits, if the pause is shorter than its deadline. A call that was on
//! its way when the process ended is made once more, with no other beside it, if that can do no harm; so a process that
//! ends under one call costs that call, and not those of others, however often somebody makes it.
//!
//! What must hold: nothing of a plugin's code runs before its process is confined; a process that blocks its threads
//! beyond a deadline is ended; it dies with the host, and not before, should somebody end all of a service's processes at
//! once; it inherits no descriptor, no environment, and no more of the
//! host's memory than the library's bytes.
//!
//! Not done: a process may read the names, sizes and times of files that it may not open, as Landlock does not hide
//! them; ports that it may connect to are TCP ports, of whatever host.

mod child;
mod confine;
mod line;
mod protocol;
mod start;

pub(crate) use child::main;
pub(super) use protocol::Call;

use super::{Confinement, placed::Fault};
use convoke_sdk::{
    Error, ErrorKind, Result,
    remote::{Kind, NotOpened, Sealed, Services},
};
use line::{Line, NoAnswer};
use protocol::Opening;
use serde::de::DeserializeOwned;
use start::{Failed, Recipe, Running};
use std::{
    convert::Infallible,
    path::Path,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{RwLock, oneshot, watch},
    time::Instant,
};

/// The hidden command that makes this program the process of a plugin.
pub(crate) const COMMAND: &str = "plugin-process";
/// How long a plugin may take to open again.
const OPENING: Duration = Duration::from_secs(60);
/// The pause before the second start in a row; each further one doubles it.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause for a plugin that answers when it is not asked the wrong thing: short, as others wait for it.
const LONGEST_PAUSE: Duration = Duration::from_millis(250);
/// The longest pause for one that does not even answer.
const LONGEST_PAUSE_UNPROVEN: Duration = Duration::from_secs(60);
/// Processes in a row that ended before they answered anything, after which a plugin counts as such: a few may have been
/// asked nothing but the wrong thing.
const SILENT: u32 = 8;
/// How often a call is made again that could not be alone with the process.
const AGAIN: usize = 3;
/// For how long a call keeps others waiting to be alone with the process.
const ALONE: Duration = Duration::from_secs(1);
/// A process that lived so long starts anew with a clean slate.
const STEADY: Duration = Duration::from_secs(60);

/// A plugin in a process of its own. Closed when it is dropped.
pub struct Isolated {
    state: watch::Receiver<State>,
    deadline: Duration,
    /// What this kernel does not take away from the process, in words.
    lacks: Vec<String>,
    /// Held for reading by calls, and for writing by those under which a process ended: they are made again with no
    /// other beside them, so that the one that ends it takes no others along a second time.
    turns: RwLock<()>,
    /// Whether any call was ever answered.
    answers: AtomicBool,
    /// The keeper ends when this is gone.
    _held: oneshot::Sender<Infallible>,
}

/// How the process fares.
#[derive(Clone)]
enum State {
    Running(Arc<Line>),
    Down { until: Instant, reason: Arc<str> },
}

/// What opening a plugin in a process of its own takes.
pub(super) struct Order<'a> {
    pub(super) program: &'a Path,
    pub(super) library: Sealed,
    pub(super) kind: Kind,
    pub(super) name: &'a str,
    pub(super) folder: &'a Path,
    pub(super) config: &'a str,
    pub(super) confinement: &'a Confinement,
    pub(super) deadline: Duration,
    pub(super) services: Arc<dyn Services>,
}

impl Isolated {
    /// Starts the process and opens the plugin in it.
    pub(super) async fn open(order: Order<'_>) -> Result<Self, NotOpened> {
        let name = order.name.to_owned();
        let recipe = Recipe {
            program: order.program.to_owned(),
            opening: Opening {
                kind: order.kind.as_str().to_owned(),
                file: order.library.file.clone(),
                name: name.clone(),
                folder: order.folder.to_owned(),
                config: order.config.to_owned(),
                level: line::wanted(&*order.services),
                confinement: order.confinement.clone(),
            },
            library: order.library,
            services: order.services,
        };
        let running = recipe.start().await.map_err(|failed| match failed {
            Failed::NotOpened(refused) => with_hint(refused),
            Failed::Broken(reason) => NotOpened {
                error: Error::unavailable(reason),
                config_key: None,
            },
        })?;
        for lack in &running.lacks {
            tracing::warn!(plugin = %name, "its process is not wholly confined: {lack}");
        }
        let lacks = running.lacks.clone();
        let (told, state) = watch::channel(State::Running(Arc::clone(&running.line)));
        let (held, dropped) = oneshot::channel();
        tokio::spawn(keep(name, recipe, running, told, dropped));
        Ok(Self {
            state,
            deadline: order.deadline,
            lacks,
            turns: RwLock::new(()),
            answers: AtomicBool::new(false),
            _held: held,
        })
    }

    /// Makes a call; `T` is what the method answers.
    pub(super) async fn call<T: DeserializeOwned>(&self, call: &Call<'_>) -> Result<T, Fault> {
        let deadline = Instant::now() + self.deadline;
        let mut answer = self.beside_others(call, deadline).await;
        for _ in 0..AGAIN {
            if !matches!(answer, Err(NoAnswer::Ended)) || !call.may_be_made_again() {
                break;
            }
            let was_alone;
            (answer, was_alone) = self.alone(call, deadline).await;
            if was_alone {
                break;
            }
        }
        match answer {
            Ok(answer) => {
                self.answers.store(true, Ordering::Relaxed);
                let read = protocol::parse::<Result<T>>(&answer).unwrap_or_else(|error| {
                    let text = format!("the plugin's answer cannot be read: {error}");
                    Err(Error::internal(text))
                });
                read.map_err(Fault::from)
            }
            Err(NoAnswer::Late) => Err(Fault::from(Error::unavailable(format!(
                "no answer within {:?}; raise the entry's `timeout` if it needs longer",
                self.deadline
            )))),
            Err(none) => {
                let of_this_call_only =
                    matches!(none, NoAnswer::Ended) && self.answers.load(Ordering::Relaxed);
                let error = none.into();
                Err(Fault {
                    error,
                    of_this_call_only,
                })
            }
        }
    }

    async fn beside_others(&self, call: &Call<'_>, deadline: Instant) -> Result<Vec<u8>, NoAnswer> {
        let turn = tokio::time::timeout_at(deadline, self.turns.read()).await;
        let _turn = turn.map_err(|_| NoAnswer::Late)?;
        self.line(deadline).await?.call(call, deadline).await
    }

    /// Makes a call with no other beside it, as far as others are not slow and do not wait for it for long; whether it
    /// was alone all the time.
    async fn alone(&self, call: &Call<'_>, deadline: Instant) -> (Result<Vec<u8>, NoAnswer>, bool) {
        // Who is too slow to let it be alone must not cost it its answer.
        let left = deadline.saturating_duration_since(Instant::now());
        let Ok(turn) = tokio::time::timeout(left / 2, self.turns.write()).await else {
            return (self.beside_others(call, deadline).await, false);
        };
        let line = match self.line(deadline).await {
            Ok(line) => line,
            Err(none) => return (Err(none), true),
        };
        let mut answer = pin!(line.call(call, deadline));
        if let Ok(answer) = tokio::time::timeout(ALONE, &mut answer).await {
            return (answer, true);
        }
        let _turn = turn.downgrade();
        (answer.await, false)
    }

    /// A line to the process, once there is one, if there will be before the deadline.
    async fn line(&self, deadline: Instant) -> Result<Arc<Line>, NoAnswer> {
        let mut state = self.state.clone();
        let lasting = async {
            loop {
                match &*state.borrow_and_update() {
                    State::Running(line) if !line.is_closed() => return Ok(Arc::clone(line)),
                    State::Down { until, reason } if *until >= deadline => {
                        let pause = until.saturating_duration_since(Instant::now());
                        return Err(NoAnswer::Nobody(starts_again(reason, pause)));
                    }
                    State::Running(_) | State::Down { .. } => {}
                }
                let gone = "its process is not started any more";
                let gone = |_| NoAnswer::Nobody(Error::unavailable(gone));
                state.changed().await.map_err(gone)?;
            }
        };
        let late = "its process did not start in time";
        let late = |_| Err(NoAnswer::Nobody(Error::unavailable(late)));
        tokio::time::timeout_at(deadline, lasting)
            .await
            .unwrap_or_else(late)
    }

    /// What this kernel does not take away from the process, in words.
    pub(super) fn lacks(&self) -> &[String] {
        &self.lacks
    }

    /// Why there is no process now, and for how long there will be none; `None` if there is one.
    pub(super) fn down(&self) -> Option<(String, Duration)> {
        match &*self.state.borrow() {
            State::Running(_) => None,
            State::Down { until, reason } => Some((
                reason.to_string(),
                until.saturating_duration_since(Instant::now()),
            )),
        }
    }
}

/// What a plugin cannot reach, it may simply not have been granted.
fn with_hint(refused: NotOpened) -> NotOpened {
    let kind = refused.error.kind();
    let reaches_out = matches!(
        kind,
        ErrorKind::Unavailable | ErrorKind::Denied | ErrorKind::NotFound
    );
    if refused.config_key.is_some() || !reaches_out {
        return refused;
    }
    let text = format!(
        "{}; its process reaches only what the entry's `allow` grants",
        refused.error
    );
    NotOpened {
        error: Error::new(kind, text),
        ..refused
    }
}

fn starts_again(reason: &str, pause: Duration) -> Error {
    let seconds = pause.as_secs().max(1);
    Error::unavailable(format!("{reason}; it is started again in {seconds} s"))
}

/// Starts the process again whenever it ends, until nobody needs it.
async fn keep(
    name: String,
    recipe: Recipe,
    running: Running,
    told: watch::Sender<State>,
    mut dropped: oneshot::Receiver<Infallible>,
) {
    let mut pauses = Pauses::default();
    let mut running = Some(running);
    loop {
        let reason = if let Some(mut process) = running.take() {
            let begun = Instant::now();
            tokio::select! {
                reason = process.ended() => {
                    pauses.lived(begun.elapsed(), process.line.has_answered());
                    reason
                }
                _ = &mut dropped => {
                    drop(told);
                    return process.close().await;
                }
            }
        } else {
            let started = tokio::select! {
                started = tokio::time::timeout(OPENING, recipe.start()) => started,
                _ = &mut dropped => return,
            };
            let failed = match started {
                Ok(Ok(process)) => {
                    tracing::info!(plugin = %name, "its process runs again");
                    // Fails only if nobody looks any more.
                    let _ = told.send(State::Running(Arc::clone(&process.line)));
                    running = Some(process);
                    continue;
                }
                Ok(Err(Failed::NotOpened(refused))) => {
                    format!("it does not open again: {}", refused.error)
                }
                Ok(Err(Failed::Broken(reason))) => reason,
                Err(_) => "it does not open in time".to_owned(),
            };
            pauses.does_not_open();
            failed
        };
        let pause = pauses.next();
        tracing::error!(plugin = %name, "{reason}; it is started again in {pause:?}");
        let until = Instant::now() + pause;
        let reason = reason.into();
        // Fails only if nobody looks any more.
        let _ = told.send(State::Down { until, reason });
        tokio::select! {
            () = tokio::time::sleep_until(until) => {}
            _ = &mut dropped => return,
        }
    }
}

/// How long to wait before the next start.
#[derive(Default)]
struct Pauses {
    ends: u32,
    /// Processes in a row that ended before they answered.
    silent: u32,
}

impl Pauses {
    /// A process ended that lived so long.
    fn lived(&mut self, time: Duration, answered: bool) {
        self.silent = if answered {
            0
        } else {
            self.silent.saturating_add(1)
        };
        if time >= STEADY {
            self.ends = 0;
        }
    }

    /// It was started, and did not open.
    fn does_not_open(&mut self) {
        self.silent = SILENT;
    }

    fn next(&mut self) -> Duration {
        self.ends = self.ends.saturating_add(1);
        let longest = if self.silent < SILENT {
            LONGEST_PAUSE
        } else {
            LONGEST_PAUSE_UNPROVEN
        };
        match self.ends {
            1 => Duration::ZERO,
            ends => (FIRST_PAUSE * 2_u32.saturating_pow((ends - 2).min(20))).min(longest),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_and_are_short_for_who_answers() {
        let second = Duration::from_secs(1);
        let next = |pauses: &mut Pauses, answered| {
            pauses.lived(second, answered);
            pauses.next()
        };
        let mut pauses = Pauses::default();
        let of_one_that_never_answers: Vec<_> = (0..12).map(|_| next(&mut pauses, false)).collect();
        let first = [0, 100, 200, 250].map(Duration::from_millis);
        assert_eq!(of_one_that_never_answers[..4], first);
        assert_eq!(of_one_that_never_answers[6], LONGEST_PAUSE);
        assert!(of_one_that_never_answers[7] > LONGEST_PAUSE);
        assert_eq!(of_one_that_never_answers[11], LONGEST_PAUSE_UNPROVEN);
        assert_eq!(next(&mut pauses, true), LONGEST_PAUSE);
        // Asked the wrong thing as soon as it had begun.
        assert_eq!(next(&mut pauses, false), LONGEST_PAUSE);
        pauses.does_not_open();
        assert_eq!(pauses.next(), LONGEST_PAUSE_UNPROVEN);
        pauses.lived(STEADY, true);
        assert_eq!(pauses.next(), Duration::ZERO);
    }
}
