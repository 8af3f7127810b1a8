//! A plugin as its host calls it.

use super::{RemoteDiscovery, RemotePolicy, RemoteState, RemoteStore};
use crate::{
    Call, Discovery, Domain, Policy, Result, State, Store,
    methods::{lent, methods_of},
    prelude::*,
};
use std::{future::Future, ops::Deref};

/// What a host does around each call of a plugin.
pub trait Caller: Send + Sync {
    /// What goes with the next call.
    fn call(&self) -> Call;

    /// Waits for the answer to a call about `subject`: has a deadline, and takes note of how it went.
    fn settle<T: Send>(
        &self,
        subject: &str,
        answer: impl Future<Output = Result<T>> + Send,
    ) -> impl Future<Output = Result<T>> + Send;
}

/// A plugin as its host calls it: each method as in its trait, without the [`Call`], which the [`Caller`] makes.
pub struct Client<C, R> {
    caller: C,
    remote: R,
}

impl<C, R> Client<C, R> {
    /// Calls `remote` by `caller`.
    pub const fn new(caller: C, remote: R) -> Self {
        Self { caller, remote }
    }
}

impl<C, R> Deref for Client<C, R> {
    type Target = C;

    fn deref(&self) -> &C {
        &self.caller
    }
}

macro_rules! client {
    ($trait:ident $plugin:ident $remote:ident: $(
        $name:ident($($arg:ident: $type:ident),*) -> $answer:ty {
            about: $about:expr, again: $($_:tt)*
        }
    )*) => {
        impl<C: Caller> Client<C, $remote> {
            $(#[doc = concat!("See [`", stringify!($trait), "::", stringify!($name), "`].")]
            pub async fn $name(&self, $($arg: lent!('_ $type)),*) -> Result<$answer> {
                let call = self.caller.call();
                let answer = self.remote.$name($($arg,)* &call);
                self.caller.settle($about, answer).await
            })*
        }
    };
}

methods_of!(Discovery, client);
methods_of!(Policy, client);
methods_of!(Store, client);
methods_of!(State, client);
