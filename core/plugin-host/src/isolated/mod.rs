//! A plugin in a process of its own: a crash, a hang or a leak fails only the call in progress, never the host.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `preparation` | what the host has its own program do before it is the plugin |
//! | `protocol` | what host and process say to each other then |
//! | `connection` | the host's end of the connection to one running process: calls in flight, deadlines |
//! | `log` | what a process says to the log |
//! | `slots` | how many calls are on their way, in all and of one origin |
//! | `start` | starts a process, and ends it |
//! | `alive` | whether it lives |
//! | `keeper` | starts it again |
//! | `quarantine` | calls that may have ended a process are made again, each alone with another one |
//! | `suspects` | calls that are known to do so are made there from the first |
//! | `child` | what the process does: it is the plugin's library, or becomes its program |
//! | `confine` | what the kernel takes away from it before any of the plugin's code runs |
//!
//! [`Isolated`] is a plugin whose process is started again at once whenever it ends under a call, and after pauses that
//! double if it does not open or ends by itself. A call that comes meanwhile waits, if the pause is shorter than its
//! deadline. A call that was on its way when the process ended is made once more, if that can do no harm, and costs
//! nobody else anything; so a process that ends under one call costs that call, and not those of others, however often
//! somebody makes it. A call that hangs costs itself: it is given up at its deadline, and what it blocks is replaced.
//!
//! What must hold: nothing of a plugin's code runs before its process is confined; it dies with the host, and not before,
//! should somebody end all of a service's processes at once; it inherits no descriptor, no environment, and no more of
//! the host's memory than the library's bytes.
//!
//! Not done: a process may read the names, sizes and times of files that it may not open, as Landlock does not hide
//! them; ports that it may connect to are TCP ports, of whatever host; threads are counted from outside, several times a
//! second, so that there may be many for a moment.

mod alive;
mod child;
mod confine;
mod connection;
mod keeper;
mod log;
mod preparation;
mod protocol;
mod quarantine;
mod slots;
mod start;
mod suspects;

use super::{Confinement, Description, program::Run};
pub use child::main;
use connection::{CallError, Cause, Connection, Reply};
use convoke_sdk::{
    Error, ErrorKind, Result,
    remote::{Answered, Kind, NotOpened, Process, ProcessCall, Repeat, Sealed, Services},
};
pub(crate) use keeper::Counted;
use keeper::State;
pub use keeper::all_closed;
use preparation::Preparation;
use protocol::Opening;
use quarantine::{Quarantine, Retried};
use start::{Failed, Launcher, Starter};
use std::{convert::Infallible, path::Path, pin::Pin, sync::Arc, time::Duration};
use suspects::Suspects;
use tokio::{
    sync::{oneshot, watch},
    time::Instant,
};

/// The hidden command that makes this program the process of a plugin.
pub const COMMAND: &str = "plugin-process";
/// How long a program may take to say what it is.
const GREETING: Duration = Duration::from_secs(10);
/// How often a call is made again.
const AGAIN: usize = 3;

/// A plugin in a process of its own. Closed when it is dropped.
pub struct Isolated {
    state: watch::Receiver<State>,
    quarantine: Quarantine,
    suspects: Suspects,
    deadline: Duration,
    /// What this kernel does not take away from the process, in words.
    lacks: Vec<String>,
    /// The keeper ends when this is gone.
    _held: oneshot::Sender<Infallible>,
}

/// What starting a process for a plugin takes.
pub(super) struct StartRequest<'a> {
    pub(super) program: &'a Path,
    pub(super) sealed: Sealed,
    /// How it is run, if it is a program.
    pub(super) run: Option<Run>,
    pub(super) name: &'a str,
    pub(super) confinement: &'a Confinement,
    pub(super) deadline: Duration,
    pub(super) services: Arc<dyn Services>,
}

/// What opening a plugin in it takes besides.
pub(super) struct OpenRequest<'a> {
    pub(super) start: StartRequest<'a>,
    pub(super) kind: Kind,
    pub(super) folder: &'a Path,
    /// It may write there, whatever else it may.
    pub(super) state_folder: &'a Path,
    pub(super) config: &'a toml::Table,
    pub(super) config_toml: &'a str,
}

impl StartRequest<'_> {
    fn starter(self) -> Starter {
        Starter {
            program: self.program.to_owned(),
            preparation: Preparation {
                file: self.sealed.file.clone(),
                name: self.name.to_owned(),
                run: self.run,
                confinement: self.confinement.clone(),
            },
            sealed: self.sealed,
            services: self.services,
            deadline: self.deadline,
        }
    }
}

/// Has a program say what it is, in a process that may do no more than its plugin may, and ends it.
pub(super) async fn introduce(request: StartRequest<'_>) -> Result<Description, NotOpened> {
    let starter = request.starter();
    let late = |_| {
        Err(Failed::Broken(format!(
            "it does not say within {GREETING:?} what it is"
        )))
    };
    let greeted = tokio::time::timeout(GREETING, starter.greet()).await;
    let greeted = greeted.unwrap_or_else(late);
    let greeted = greeted.map_err(|failed| with_hint(failed.into_not_opened()))?;
    let described = greeted.hello.describe();
    greeted.dismiss().await;
    described.map_err(|wrong| NotOpened {
        error: Error::invalid(wrong),
        config_key: None,
    })
}

impl Failed {
    fn into_not_opened(self) -> NotOpened {
        match self {
            Self::NotOpened(refused) => with_hint(refused),
            Self::Broken(reason) => NotOpened {
                error: Error::unavailable(reason),
                config_key: None,
            },
        }
    }
}

impl Isolated {
    /// Starts the process and opens the plugin in it.
    pub(super) async fn open(request: OpenRequest<'_>) -> Result<Self, NotOpened> {
        let StartRequest { name, deadline, .. } = request.start;
        let name = name.to_owned();
        let opening = Opening {
            protocol: protocol::VERSION,
            kind: request.kind.as_str().to_owned(),
            name: name.clone(),
            folder: request.folder.to_owned(),
            state_folder: request.state_folder.to_owned(),
            network: request.start.services.network(),
            config: json(request.config),
            config_toml: request.config_toml.to_owned(),
            level: log::wanted(&*request.start.services),
        };
        let mut starter = request.start.starter();
        let granted = &mut starter.preparation.confinement.write;
        // Behind what the entry grants, whose places messages tell.
        granted.push(request.state_folder.to_owned());
        let launcher = Arc::new(Launcher { starter, opening });
        let running = launcher.start().await.map_err(Failed::into_not_opened)?;
        for lack in &running.lacks {
            tracing::warn!(event = "plugin-not-confined", plugin = %name, "its process is not wholly confined: {lack}");
        }
        let lacks = running.lacks.clone();
        let (held, dropped) = oneshot::channel();
        let quarantine = Quarantine::new(Arc::clone(&launcher));
        let state = keeper::keep(name, launcher, running, deadline, dropped);
        Ok(Self {
            state,
            quarantine,
            suspects: Suspects::default(),
            deadline,
            lacks,
            _held: held,
        })
    }

    async fn make(&self, call: &ProcessCall<'_>) -> Result<Answered> {
        if call.method == "close" {
            // The process is told to, when this is dropped, and the host waits for it (`all_closed`).
            return Ok(protocol::nothing());
        }
        let deadline = Instant::now() + self.deadline;
        let deadline = call
            .call
            .deadline()
            .map_or(deadline, |it| deadline.min(it.into()));
        match self.answer(call, deadline).await {
            Ok(answer) => answer,
            Err(CallError::Blocked) => Err(Error::unavailable(format!(
                "no answer within {:?}; it blocks the thread that it was given",
                self.deadline
            ))),
            Err(CallError::Late) => Err(Error::unavailable(format!(
                "no answer within {:?}; raise the entry's `timeout` if it needs longer",
                self.deadline
            ))),
            Err(none) => Err(none.into()),
        }
    }

    async fn answer(&self, call: &ProcessCall<'_>, deadline: Instant) -> Reply {
        let apart = self.suspects.include(call.about);
        let mut answer = None;
        if apart && let Retried::Done(tried) = self.quarantine.call(call, deadline).await {
            answer = Some(tried);
        }
        let answer = match answer {
            Some(answer) => answer,
            None => self.answer_beside_others(call, deadline).await,
        };
        self.suspects.note(call.about, &answer);
        answer
    }

    /// Makes a call, and again if the process ends under it and that can do no harm.
    async fn answer_beside_others(&self, call: &ProcessCall<'_>, deadline: Instant) -> Reply {
        let mut made = 0;
        while made < AGAIN {
            let cause = match self.beside_others(call, deadline).await {
                Err(CallError::Ended(cause)) => cause,
                answer => return answer,
            };
            made += usize::from(cause != Cause::NotBegun);
            match cause {
                // There will be another process, or none before the deadline.
                Cause::NotBegun => tokio::task::yield_now().await,
                _ if call.repeat == Repeat::Harmful => return Err(CallError::Ended(cause)),
                Cause::AnotherCall => {}
                Cause::Unknown => match self.quarantine.call(call, deadline).await {
                    Retried::Done(answer) => return answer,
                    Retried::Harmless => {}
                },
            }
        }
        self.beside_others(call, deadline).await
    }

    async fn beside_others(&self, call: &ProcessCall<'_>, deadline: Instant) -> Reply {
        self.connection(deadline).await?.call(call, deadline).await
    }

    /// A connection to the process, once there is one, if there will be before the deadline.
    async fn connection(&self, deadline: Instant) -> Result<Arc<Connection>, CallError> {
        let mut state = self.state.clone();
        let lasting = async {
            loop {
                match &*state.borrow_and_update() {
                    State::Running(connection) if connection.is_open() => {
                        return Ok(Arc::clone(connection));
                    }
                    State::Down { until, reason } if *until >= deadline => {
                        let pause = until.saturating_duration_since(Instant::now());
                        return Err(CallError::Nobody(starts_again(reason, pause)));
                    }
                    State::Running(_) | State::Down { .. } => {}
                }
                let gone = "its process is not started any more";
                let gone = |_| CallError::Nobody(Error::unavailable(gone));
                state.changed().await.map_err(gone)?;
            }
        };
        let late = "its process did not start in time";
        let late = |_| Err(CallError::Nobody(Error::unavailable(late)));
        tokio::time::timeout_at(deadline, lasting)
            .await
            .unwrap_or_else(late)
    }

    /// What this kernel does not take away from the process, in words.
    pub(super) fn lacks(&self) -> &[String] {
        &self.lacks
    }

    /// Why the plugin is not well, by the word of the process that runs now.
    pub(super) fn degraded(&self) -> Option<String> {
        match &*self.state.borrow() {
            State::Running(connection) => connection.degraded(),
            State::Down { .. } => None,
        }
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

impl Process for Isolated {
    fn call<'a>(
        &'a self,
        call: ProcessCall<'a>,
    ) -> Pin<Box<dyn Future<Output = Result<Answered>> + Send + 'a>> {
        Box::pin(async move { self.make(&call).await })
    }
}

/// A configuration as JSON; dates and times become texts.
fn json(config: &toml::Table) -> serde_json::Value {
    fn value(of: &toml::Value) -> serde_json::Value {
        match of {
            toml::Value::String(text) => text.as_str().into(),
            toml::Value::Integer(number) => (*number).into(),
            toml::Value::Float(number) => (*number).into(),
            toml::Value::Boolean(it) => (*it).into(),
            toml::Value::Datetime(time) => time.to_string().into(),
            toml::Value::Array(items) => items.iter().map(value).collect(),
            toml::Value::Table(table) => json(table),
        }
    }
    let members = config.iter().map(|(key, it)| (key.clone(), value(it)));
    serde_json::Value::Object(members.collect())
}

const HINT: &str = "; its process reaches only what the entry's `allow` grants";

/// What a plugin cannot reach, it may simply not have been granted.
fn with_hint(refused: NotOpened) -> NotOpened {
    let kind = refused.error.kind();
    let reaches_out = matches!(
        kind,
        ErrorKind::Unavailable | ErrorKind::Denied | ErrorKind::NotFound
    );
    let is_told = refused.error.message().ends_with(HINT);
    if refused.config_key.is_some() || !reaches_out || is_told {
        return refused;
    }
    let text = format!("{}{HINT}", refused.error);
    NotOpened {
        error: Error::new(kind, text),
        ..refused
    }
}

fn starts_again(reason: &str, pause: Duration) -> Error {
    let seconds = pause.as_secs().max(1);
    Error::unavailable(format!("{reason}; it is started again in {seconds} s"))
}
