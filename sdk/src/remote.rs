//! The host's side of the boundary: an opened plugin with the methods and types that its author sees.
//!
//! Behind the feature `host`; a plugin has no use for it. What a plugin answers is read into our types here, and
//! what cannot be read is the plugin's fault ([`ErrorKind::Internal`]). Deadlines,
//! order and circuit breakers are the host's business: it implements [`Caller`], and calls by a [`Client`].
//!
//! | module | what it holds |
//! | --- | --- |
//! | `services` | what the host offers to a plugin |
//! | `process` | a plugin in a process of its own: calls and answers as JSON |
//! | `client` | a plugin as its host calls it |

mod client;
#[cfg(test)]
mod documented;
mod process;
mod services;

pub use client::{Caller, Client};
#[cfg(target_os = "linux")]
pub use convoke_abi::load::Sealed;
pub use convoke_abi::{
    VERSION_TEXT as ABI_VERSION,
    load::{
        Candidate, InvalidKey, Library, Mismatch, PluginFile, Reason, Refusal, Signed, Stamp,
        Trust, TrustedKey, running_user,
    },
    manifest::{Kind, Manifest, is_name as is_plugin_name},
};
pub use process::{Answered, Process, ProcessCall, RemotePlugin, Repeat};
pub use services::{LogEvent, Services};

use crate::{
    Call, Discovery, Domain, Error, ErrorKind, Host, Policy, Precondition, Result, State, Store,
    call::clock,
    methods::{lent, methods_of, send, stage, written},
    prelude::*,
    wire::{Garbage, Read, Write, error_of},
};
use convoke_abi::{
    ROption, RResult, RVec,
    answer::Answer,
    discovery::DiscoveryObject,
    policy::PolicyObject,
    root::{OpenRequest, Opening},
    services::HostObject,
    state::StateObject,
    store::StoreObject,
    values::{Failure, failure},
};
use std::{
    future::{Future, poll_fn},
    pin::Pin,
    sync::Arc,
};

/// A plugin did not open.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct NotOpened {
    /// What it says.
    pub error: Error,
    /// If its configuration is at fault: the key, from `config` on (`config.domains."example.org"`).
    #[serde(default)]
    pub config_key: Option<String>,
}

/// Where an opened plugin runs.
enum Backend<O> {
    /// In this process.
    InProcess(O),
    /// In another.
    Subprocess(Arc<dyn Process>),
}

/// An opened discovery strategy.
pub struct RemoteDiscovery(Backend<DiscoveryObject>);

/// An opened policy.
pub struct RemotePolicy(Backend<PolicyObject>);

/// An opened store.
pub struct RemoteStore(Backend<StoreObject>);

/// An opened place for state.
pub struct RemoteState(Backend<StateObject>);

macro_rules! open {
    ($remote:ident, $field:ident, $kind:expr) => {
        impl $remote {
            /// Opens one use of `library` with `config`, a TOML document.
            pub async fn open(
                library: &Library,
                config: &str,
                services: Arc<dyn Services>,
            ) -> Result<Self, NotOpened> {
                let ROption::RSome(open) = library.root.$field() else {
                    return Err(not_offered($kind));
                };
                let opened = opened(open, config, services).await?;
                Ok(Self(Backend::InProcess(opened)))
            }

            /// What was opened in another process.
            pub fn apart(process: Arc<dyn Process>) -> Self {
                Self(Backend::Subprocess(process))
            }
        }
    };
}

open!(RemoteDiscovery, open_discovery, Kind::Discovery);
open!(RemotePolicy, open_policy, Kind::Policy);
open!(RemoteStore, open_store, Kind::Store);
open!(RemoteState, open_state, Kind::State);

fn not_offered(kind: Kind) -> NotOpened {
    NotOpened {
        error: Error::unsupported(format!("the library offers no {kind}")),
        config_key: None,
    }
}

async fn opened<O>(
    open: extern "C" fn(OpenRequest, HostObject) -> Opening<O>,
    config: &str,
    services: Arc<dyn Services>,
) -> Result<O, NotOpened> {
    let request = OpenRequest {
        config: config.into(),
        now: clock(),
        attributes: RVec::new(),
    };
    match open(request, services::object(services)).await {
        RResult::ROk(object) => Ok(object),
        RResult::RErr(failure) => Err(not_opened(failure)),
    }
}

fn not_opened(failure: Failure) -> NotOpened {
    let key = failure
        .attributes
        .iter()
        .find(|fact| fact.name == failure::CONFIG_KEY)
        .map(|fact| fact.value.to_string());
    NotOpened {
        error: error_of(failure),
        config_key: key,
    }
}

/// Waits for a call and reads its answer. Spelled out, as an `async fn` here moves each answer once more.
fn answer<'a, Sent: 'a, T: Read<Sent> + 'a>(
    mut call: Answer<'a, Sent>,
) -> impl Future<Output = Result<T>> + Send + 'a {
    poll_fn(move |context| {
        let answer = Pin::new(&mut call).poll(context);
        answer.map(|answer| match answer {
            RResult::ROk(sent) => T::read(sent).map_err(Garbage::blame_plugin),
            RResult::RErr(failure) => Err(error_of(failure)),
        })
    })
}

/// The traits that authors implement, for what they made: each call goes to where the plugin runs.
macro_rules! remote {
    ($trait:ident $plugin:ident $remote:ident: $(
        $name:ident($($arg:ident: $type:ident),*) -> $answer:ty {
            about: $about:expr, again: $again:expr
            $(, limit: $limit:expr)?
            $(, otherwise: |$itself:ident, $with:ident| $otherwise:expr)?
        }
    )*) => {
        impl $trait for $remote {
            type Config = ();

            async fn open((): (), _: Host) -> Result<Self> {
                Err(Error::unsupported("a plugin is opened by its host"))
            }

            $(async fn $name(&self, $($arg: lent!('_ $type),)* call: &Call) -> Result<$answer> {
                let found: $answer = match &self.0 {
                    Backend::InProcess(plugin) => {
                        let called = {
                            let facts = call.facts();
                            $(let $arg = stage!($type $arg);)*
                            $(let $arg = written!($type $arg);)*
                            plugin.$name($(send!($type $arg),)* call.write(&facts))
                        };
                        answer(called).await?
                    }
                    Backend::Subprocess(process) => {
                        use process::Repeat::{Harmful, Harmless};
                        // Not every method has use for both.
                        let _ = (Harmful, Harmless);
                        let arguments = process::Arguments::new()
                            $(.with(stringify!($arg), process::packed!($type $arg))?)*;
                        let asked = ProcessCall {
                            method: stringify!($name),
                            arguments: arguments.end(),
                            about: $about,
                            repeat: $again,
                            call,
                        };
                        match process.call(asked).await {
                            $(Err(error) if error.kind() == ErrorKind::Unsupported => {
                                let ($itself, $with) = (self, call);
                                return $otherwise;
                            })?
                            answer => process::read(&*answer?)?,
                        }
                    }
                };
                $(within($limit, &found)?;)?
                Ok(found)
            })*
        }
    };
}

methods_of!(Discovery, remote);
methods_of!(Policy, remote);
methods_of!(Store, remote);
methods_of!(State, remote);

/// What is answered with a number of items.
trait Counted {
    fn count(&self) -> usize;
}

impl<T> Counted for Listing<T> {
    fn count(&self) -> usize {
        self.items.len()
    }
}

impl<T> Counted for Vec<T> {
    fn count(&self) -> usize {
        self.len()
    }
}

/// Fails if there are more items than were asked for: the plugin is at fault.
fn within(asked: usize, found: &impl Counted) -> Result<()> {
    let came = found.count();
    if came <= asked {
        return Ok(());
    }
    Err(Error::internal(format!(
        "the plugin answers with {came} items where {asked} were asked for"
    )))
}
