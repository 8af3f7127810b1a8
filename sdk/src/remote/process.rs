//! A plugin in a process of its own: calls and answers as JSON, as `PROCESS.md` has them.

use super::{
    Kind, Library, NotOpened, RemoteDiscovery, RemotePolicy, RemoteState, RemoteStore, Services,
};
use crate::{
    Call, Discovery, Error, Policy, Result, State, Store,
    methods::{lend, methods_of, owned},
};
use convoke_types::base64;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;
use std::{future::Future, pin::Pin, sync::Arc};

/// What a process answered, read when it is known what it should be.
pub type Answered = Box<RawValue>;

/// A process in which a plugin was opened.
pub trait Process: Send + Sync {
    /// Makes a call.
    fn call<'a>(
        &'a self,
        call: ProcessCall<'a>,
    ) -> Pin<Box<dyn Future<Output = Result<Answered>> + Send + 'a>>;
}

/// A call to be made in another process.
pub struct ProcessCall<'a> {
    /// The method.
    pub method: &'static str,
    /// Its arguments by name.
    pub arguments: Answered,
    /// What it is about: failures are counted by it.
    pub about: &'a str,
    /// Whether it may be made again when the process ended under it.
    pub repeat: Repeat,
    /// What goes with it.
    pub call: &'a Call,
}

/// Whether a call may be made twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// Twice is no worse than once.
    Harmless,
    /// The second could undo what others did meanwhile, or fail as the first was made.
    Harmful,
}

/// Arguments, written one after the other.
pub(super) struct Arguments(String);

impl Arguments {
    pub(super) fn new() -> Self {
        Self("{".to_owned())
    }

    pub(super) fn with(mut self, name: &str, value: impl Serialize) -> Result<Self> {
        let unwritten =
            |error| Error::invalid(format!("the argument `{name}` cannot be written: {error}"));
        if self.0.len() > 1 {
            self.0.push(',');
        }
        self.0.push('"');
        self.0.push_str(name);
        self.0.push_str("\":");
        self.0
            .push_str(&serde_json::to_string(&value).map_err(unwritten)?);
        Ok(self)
    }

    pub(super) fn end(mut self) -> Answered {
        self.0.push('}');
        RawValue::from_string(self.0).expect("an object of what serde_json wrote")
    }
}

/// A key among arguments.
#[derive(Serialize)]
pub(super) struct PackedKey<'a>(#[serde(with = "base64")] pub(super) &'a [u8]);

/// A key that was read.
#[derive(Deserialize)]
struct OwnedKey(#[serde(with = "base64")] Vec<u8>);

impl From<OwnedKey> for Vec<u8> {
    fn from(key: OwnedKey) -> Self {
        key.0
    }
}

/// An argument as it is written.
macro_rules! packed {
    (Key $it:ident) => {
        $crate::remote::process::PackedKey($it)
    };
    ($type:ident $it:ident) => {
        $it
    };
}

/// The type from which an argument is read.
macro_rules! unpacked {
    (Key) => {
        OwnedKey
    };
    ($type:ident) => {
        owned!($type)
    };
}

pub(super) use packed;

/// Reads an answer; what cannot be read is the plugin's fault.
pub(super) fn read<T: DeserializeOwned>(answer: &RawValue) -> Result<T> {
    serde_json::from_str(answer.get())
        .map_err(|error| Error::internal(format!("the plugin's answer cannot be read: {error}")))
}

/// A plugin of any kind, opened in this process, which answers calls from another.
pub enum RemotePlugin {
    /// A discovery strategy.
    Discovery(RemoteDiscovery),
    /// A policy.
    Policy(RemotePolicy),
    /// A store.
    Store(RemoteStore),
    /// A place for state.
    State(RemoteState),
}

impl RemotePlugin {
    /// Opens one use of `library` with `config`, a TOML document.
    pub async fn open(
        kind: Kind,
        library: &Library,
        config: &str,
        services: Arc<dyn Services>,
    ) -> Result<Self, NotOpened> {
        Ok(match kind {
            Kind::Discovery => {
                Self::Discovery(RemoteDiscovery::open(library, config, services).await?)
            }
            Kind::Policy => Self::Policy(RemotePolicy::open(library, config, services).await?),
            Kind::Store => Self::Store(RemoteStore::open(library, config, services).await?),
            Kind::State => Self::State(RemoteState::open(library, config, services).await?),
        })
    }

    /// What was opened in another process.
    pub fn apart(kind: Kind, process: Arc<dyn Process>) -> Self {
        match kind {
            Kind::Discovery => Self::Discovery(RemoteDiscovery::apart(process)),
            Kind::Policy => Self::Policy(RemotePolicy::apart(process)),
            Kind::Store => Self::Store(RemoteStore::apart(process)),
            Kind::State => Self::State(RemoteState::apart(process)),
        }
    }

    /// Makes a call that came from another process.
    pub async fn answer(&self, method: &str, arguments: &str, call: &Call) -> Result<Answered> {
        match self {
            Self::Discovery(plugin) => plugin.answer(method, arguments, call).await,
            Self::Policy(plugin) => plugin.answer(method, arguments, call).await,
            Self::Store(plugin) => plugin.answer(method, arguments, call).await,
            Self::State(plugin) => plugin.answer(method, arguments, call).await,
        }
    }
}

fn unreadable(error: &serde_json::Error) -> Error {
    Error::invalid(format!("the arguments cannot be read: {error}"))
}

fn written(answer: &impl Serialize) -> Result<Answered> {
    serde_json::value::to_raw_value(answer)
        .map_err(|error| Error::internal(format!("its answer cannot be handed over: {error}")))
}

macro_rules! answers {
    ($trait:ident $plugin:ident $remote:ident: $(
        $name:ident($($arg:ident: $type:ident),*) -> $answer:ty { $($_:tt)* }
    )*) => {
        impl $remote {
            async fn answer(&self, method: &str, arguments: &str, call: &Call) -> Result<Answered> {
                match method {
                    $(stringify!($name) => {
                        #[derive(Deserialize)]
                        struct Arguments {
                            $($arg: unpacked!($type),)*
                        }
                        let read = serde_json::from_str::<Arguments>(arguments);
                        let Arguments { $($arg),* } = read.map_err(|error| unreadable(&error))?;
                        $(
                            let $arg: owned!($type) = $arg.into();
                            let $arg = &$arg;
                        )*
                        written(&self.$name($(lend!($type $arg),)* call).await?)
                    })*
                    other => Err(Error::unsupported(format!(
                        "there is no method `{other}` of this kind"
                    ))),
                }
            }
        }
    };
}

methods_of!(Discovery, answers);
methods_of!(Policy, answers);
methods_of!(Store, answers);
methods_of!(State, answers);
