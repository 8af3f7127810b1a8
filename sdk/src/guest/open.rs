use super::{
    config,
    guard::{caught, guarded, hear_panics, inside},
    host::Instance,
    spare,
};
use crate::{
    Call, Discovery, Host, Policy, Result, State, Store,
    call::set_clock,
    methods::{hold, lend, lent, methods_of, owned, sent},
    prelude::*,
    wire::{Garbage, Read, Write},
};
use convoke_abi::{
    RResult, TD_Opaque,
    answer::{Answer, answer},
    discovery::{DiscoveryObject, DiscoveryPlugin, DiscoveryPlugin_TO},
    policy::{PolicyObject, PolicyPlugin, PolicyPlugin_TO},
    root::{OpenRequest, Opening},
    services::HostObject,
    state::{StateObject, StatePlugin, StatePlugin_TO},
    store::{StoreObject, StorePlugin, StorePlugin_TO},
    values::{Call as SentCall, Failure},
};
use serde::de::DeserializeOwned;
use std::{future::Future, sync::Arc};

macro_rules! open {
    ($($(#[$doc:meta])* $name:ident: $trait:ident -> $object:ident by $wrapper:ident;)*) => {
        $($(#[$doc])*
        pub extern "C" fn $name<P: $trait>(
            request: OpenRequest,
            host: HostObject,
        ) -> Opening<$object> {
            open(request, host, P::open, |guest| $wrapper::from_value(guest, TD_Opaque))
        })*
    };
}

open! {
    /// Opens a discovery strategy.
    open_discovery: Discovery -> DiscoveryObject by DiscoveryPlugin_TO;
    /// Opens a policy.
    open_policy: Policy -> PolicyObject by PolicyPlugin_TO;
    /// Opens a store.
    open_store: Store -> StoreObject by StorePlugin_TO;
    /// Opens a place for state.
    open_state: State -> StateObject by StatePlugin_TO;
}

fn open<C, P, F, O>(
    request: OpenRequest,
    host: HostObject,
    open: fn(C, Host) -> F,
    object: fn(Guest<P>) -> O,
) -> Opening<O>
where
    C: DeserializeOwned + 'static,
    P: Send + 'static,
    F: Future<Output = Result<P>> + Send + 'static,
    O: Send + 'static,
{
    set_clock(request.now);
    let instance = match caught(|| Instance::new(host)) {
        Ok(Ok(instance)) => Arc::new(instance),
        Ok(Err(error)) | Err(error) => {
            return answer(|| async move { RResult::RErr(error.write()) });
        }
    };
    hear_panics();
    let opened = guarded(Arc::clone(&instance), || async move {
        // The configuration's failure names a key, which an `Error` cannot: both answers are values here.
        let config = match config::read(&request.config) {
            Ok(config) => config,
            Err(failure) => return Ok(Opened(Err(failure))),
        };
        let plugin = Some(open(config, instance.host()).await?);
        Ok(Opened(Ok(object(Guest { plugin, instance }))))
    });
    answer(|| async move { opened.await.and_then(|opened| opened) })
}

struct Opened<O>(Result<O, Failure>);

impl<O> Write for Opened<O> {
    type Sent = RResult<O, Failure>;

    fn write(self) -> Self::Sent {
        self.0.into()
    }
}

/// An opened plugin.
struct Guest<P> {
    /// There until it is dropped.
    plugin: Option<P>,
    instance: Arc<Instance>,
}

impl<P> Guest<P> {
    fn plugin(&self) -> &P {
        (self.plugin.as_ref()).expect("a plugin is not called while it is dropped")
    }

    /// Sends a call of the plugin across, in its guard.
    #[allow(clippy::inline_always, reason = "as `answer`")]
    #[inline(always)]
    fn call<'a, T: Write, F: Future<Output = Result<T>> + Send + 'a>(
        &'a self,
        future: impl FnOnce() -> F,
    ) -> Answer<'a, T::Sent> {
        guarded(&*self.instance, future)
    }
}

impl<P> Drop for Guest<P> {
    fn drop(&mut self) {
        // A panic here would cross the boundary; there is nobody left to tell.
        let _ = inside(&self.instance, || self.plugin = None);
    }
}

fn read<T: Read<Sent>, Sent>(sent: Sent) -> Result<T> {
    T::read(sent).map_err(Garbage::blame_host)
}

/// What a block of fallible steps comes to.
fn attempt<T>(steps: impl FnOnce() -> Result<T>) -> Result<T> {
    steps()
}

/// The object that a library hands out: every call reads its arguments, asks the author's type, and writes the answer.
macro_rules! object {
    ($trait:ident $plugin:ident $remote:ident: $(
        $name:ident($($arg:ident: $type:ident),*) -> $answer:ty { $($_:tt)* }
    )*) => {
        #[allow(clippy::elidable_lifetime_names, reason = "named where a method has arguments")]
        impl<P: $trait> $plugin for Guest<P> {
            $(fn $name<'a>(
                &'a self,
                $($arg: sent!($type),)*
                call: SentCall<'_>,
            ) -> Answer<'a, <$answer as Write>::Sent> {
                self.call(move || {
                    // At once: they are lent for as long as this takes.
                    let read = attempt(|| Ok((Call::read(call), $(hold!($type $arg)?,)*)));
                    async move {
                        match &read {
                            Ok((call, $($arg,)*)) => {
                                self.plugin().$name($(lend!($type $arg),)* call).await
                            }
                            Err(error) => Err(Error::clone(error)),
                        }
                    }
                })
            })*
        }
    };
}

methods_of!(Discovery, object);
methods_of!(Policy, object);
methods_of!(Store, object);
methods_of!(State, object);
