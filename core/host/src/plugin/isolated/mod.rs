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
//! its way when the process ended is made once more if it changes nothing; so a process that ends under one call costs
//! that call, and not those of others.
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

use super::Confinement;
use convoke_sdk::{
    Error, ErrorKind, Result,
    remote::{Kind, NotOpened, Sealed, Services},
};
use line::{Line, NoAnswer};
use protocol::Opening;
use serde::de::DeserializeOwned;
use start::{Failed, Recipe, Running};
use std::{convert::Infallible, path::Path, sync::Arc, time::Duration};
use tokio::{
    sync::{Mutex, oneshot, watch},
    time::Instant,
};

/// The hidden command that makes this program the process of a plugin.
pub(crate) const COMMAND: &str = "plugin-process";
/// How long a plugin may take to open again.
const OPENING: Duration = Duration::from_secs(60);
/// The pause before the second start in a row; each further one doubles it.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause for a process that answers before it ends again.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause for one that does not even answer.
const LONGEST_PAUSE_UNPROVEN: Duration = Duration::from_secs(60);
/// A process that lived so long starts anew with a clean slate.
const STEADY: Duration = Duration::from_secs(60);

/// A plugin in a process of its own. Closed when it is dropped.
pub struct Isolated {
    state: watch::Receiver<State>,
    deadline: Duration,
    /// What this kernel does not take away from the process, in words.
    lacks: Vec<String>,
    /// Calls under which a process ended are made again one at a time, so that the one that ends it takes no others
    /// along a second time.
    suspects: Mutex<()>,
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
            suspects: Mutex::new(()),
            _held: held,
        })
    }

    /// Makes a call; `T` is what the method answers.
    pub(super) async fn call<T: DeserializeOwned>(&self, call: &Call<'_>) -> Result<T> {
        let deadline = Instant::now() + self.deadline;
        let mut alone = None;
        loop {
            let line = self.line(deadline).await?;
            match line.call(call, deadline).await {
                Ok(answer) => {
                    return protocol::parse::<Result<T>>(&answer).unwrap_or_else(|error| {
                        let text = format!("the plugin's answer cannot be read: {error}");
                        Err(Error::internal(text))
                    });
                }
                Err(NoAnswer::Ended) if call.changes_nothing() && alone.is_none() => {
                    let turn = tokio::time::timeout_at(deadline, self.suspects.lock()).await;
                    alone = Some(turn.map_err(|_| NoAnswer::Ended)?);
                }
                Err(NoAnswer::Late) => {
                    return Err(Error::unavailable(format!(
                        "no answer within {:?}; raise the entry's `timeout` if it needs longer",
                        self.deadline
                    )));
                }
                Err(none) => return Err(none.into()),
            }
        }
    }

    /// A line to the process, once there is one, if there will be before the deadline.
    async fn line(&self, deadline: Instant) -> Result<Arc<Line>> {
        let mut state = self.state.clone();
        let lasting = async {
            loop {
                match &*state.borrow_and_update() {
                    State::Running(line) if !line.is_closed() => return Ok(Arc::clone(line)),
                    State::Down { until, reason } if *until >= deadline => {
                        let pause = until.saturating_duration_since(Instant::now());
                        return Err(starts_again(reason, pause));
                    }
                    State::Running(_) | State::Down { .. } => {}
                }
                let gone = |_| Error::unavailable("its process is not started any more");
                state.changed().await.map_err(gone)?;
            }
        };
        let late = |_| Err(Error::unavailable("its process did not start in time"));
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
            pauses.proven = false;
            match started {
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
            }
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
    proven: bool,
}

impl Pauses {
    /// A process ended that lived so long.
    fn lived(&mut self, time: Duration, answered: bool) {
        self.proven = answered;
        if time >= STEADY {
            self.ends = 0;
        }
    }

    fn next(&mut self) -> Duration {
        self.ends = self.ends.saturating_add(1);
        let longest = if self.proven {
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
        let mut pauses = Pauses::default();
        let seconds = |pauses: &mut Pauses| pauses.next().as_secs_f64();
        let of_one_that_never_answers: Vec<_> = (0..12).map(|_| seconds(&mut pauses)).collect();
        assert_eq!(of_one_that_never_answers[..4], [0.0, 0.1, 0.2, 0.4]);
        assert_eq!(of_one_that_never_answers[11].to_bits(), 60.0_f64.to_bits());
        pauses.lived(Duration::from_secs(1), true);
        assert_eq!(pauses.next(), LONGEST_PAUSE);
        pauses.lived(STEADY, true);
        assert_eq!(pauses.next(), Duration::ZERO);
    }
}
