//! The kits in one line of a plugin's tests.

use super::{
    DecisionKind, Expected, Report, Samples, StateFacts, StoreFacts, discovery, host,
    objects::test_host, policy, state, store,
};
use crate::{guest, prelude::*, wire::error_of};
use std::{
    env, fs,
    future::Future,
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU32, Ordering},
};

/// Makes a test that asks a plugin for everything its trait promises.
///
/// `config` is what the administrator would write under `config`, as TOML, so that reading it is tested too. What
/// comes after it is optional, in this order:
///
/// | kind | further keys | relative paths in `config` count from |
/// | --- | --- | --- |
/// | `discovery` | `known`, `unknown`, `no_service`: addresses by the answer that they get | the crate's folder |
/// | `policy` | `default`: `"allow"`, `"deny"` or `"abstain"`, what a request gets that no rule is made for; `addresses` that its rules are about | the crate's folder |
/// | `store` | `users`: two addresses that it knows, for a store that makes no users | a new folder that goes away |
/// | `state` | | a new folder that goes away |
///
/// A law that would need what is not given is reported as *not asked*. The test is named after the kind, so one of a
/// kind fits in a module.
///
/// ```
/// # use convoke_sdk::prelude::*;
/// /// Nobody gets in after a party of five.
/// struct Small;
///
/// impl Policy for Small {
///     type Config = ();
///
///     async fn open(_: (), _: Host) -> Result<Self> {
///         Ok(Self)
///     }
///
///     async fn authorize(&self, request: &AccessRequest, _: &Call) -> Result<Decision> {
///         Ok(match request.proofs.len() {
///             0..=5 => Decision::Abstain,
///             _ => Decision::deny("too many proofs"),
///         })
///     }
/// }
///
/// # #[cfg(any())]
/// #[cfg(test)]
/// convoke_sdk::conformance! { policy: Small, config: "", default: "abstain" }
/// # convoke_sdk::conformance! { policy: Small, config: "", default: "abstain", addresses: ["anna@example.com"] }
/// # fn main() { it_keeps_what_a_policy_promises() }
/// ```
#[macro_export]
macro_rules! conformance {
    (
        discovery: $type:ty, config: $config:expr
        $(, known: [$($known:expr),* $(,)?])?
        $(, unknown: [$($unknown:expr),* $(,)?])?
        $(, no_service: [$($no_service:expr),* $(,)?])?
        $(,)?
    ) => {
        #[cfg_attr(test, test)]
        fn it_keeps_what_a_discovery_strategy_promises() {
            $crate::conformance::assert_discovery::<$type>(
                ::core::env!("CARGO_MANIFEST_DIR"),
                $config,
                [&[$($($known),*)?], &[$($($unknown),*)?], &[$($($no_service),*)?]],
            );
        }
    };
    (
        policy: $type:ty, config: $config:expr
        $(, default: $default:expr)?
        $(, addresses: [$($address:expr),* $(,)?])?
        $(,)?
    ) => {
        #[cfg_attr(test, test)]
        fn it_keeps_what_a_policy_promises() {
            let default: &[&::core::primitive::str] = &[$($default)?];
            $crate::conformance::assert_policy::<$type>(
                ::core::env!("CARGO_MANIFEST_DIR"),
                $config,
                default.first().copied(),
                &[$($($address),*)?],
            );
        }
    };
    (store: $type:ty, config: $config:expr $(, users: [$($user:expr),* $(,)?])? $(,)?) => {
        #[cfg_attr(test, test)]
        fn it_keeps_what_a_store_promises() {
            $crate::conformance::assert_store::<$type>($config, &[$($($user),*)?]);
        }
    };
    (state: $type:ty, config: $config:expr $(,)?) => {
        #[cfg_attr(test, test)]
        fn it_keeps_what_a_place_for_state_promises() {
            $crate::conformance::assert_state::<$type>($config);
        }
    };
}

/// What [`conformance!`](crate::conformance!) calls.
pub fn assert_discovery<D: Discovery>(folder: &str, config: &str, samples: [&[&str]; 3]) {
    let [known, unknown, no_service] = samples.map(addresses);
    let samples = Samples {
        known,
        unknown,
        no_service,
    };
    let state = Scratch::new();
    let host = test_host(folder).with_state_folder(&state.0).host();
    let open = || async { D::open(read(config)?, host.clone()).await };
    run(discovery(open, &samples)).assert_kept();
}

/// What [`conformance!`](crate::conformance!) calls.
pub fn assert_policy<P: Policy>(
    folder: &str,
    config: &str,
    default: Option<&str>,
    around: &[&str],
) {
    let default = default.map(|text| match text.parse::<DecisionKind>() {
        Ok(kind) => kind,
        Err(error) => panic!("{error}"),
    });
    let expected = Expected {
        default,
        addresses: addresses(around),
    };
    let state = Scratch::new();
    let host = test_host(folder).with_state_folder(&state.0).host();
    let open = || async { P::open(read(config)?, host.clone()).await };
    run(policy(open, &expected)).assert_kept();
}

/// What [`conformance!`](crate::conformance!) calls.
pub fn assert_store<S: Store>(config: &str, users: &[&str]) {
    let folder = Scratch::new();
    let open = || async { S::open(read(config)?, host(&folder.0)).await };
    run(store(open, &StoreFacts::with_users(addresses(users)))).assert_kept();
}

/// What [`conformance!`](crate::conformance!) calls.
pub fn assert_state<S: State>(config: &str) {
    let folder = Scratch::new();
    let open = || async { S::open(read(config)?, host(&folder.0)).await };
    run(state(open, &StateFacts::default())).assert_kept();
}

fn read<C: serde::de::DeserializeOwned>(config: &str) -> Result<C> {
    guest::read_config(config).map_err(error_of)
}

fn addresses(texts: &[&str]) -> Vec<CalendarAddress> {
    let read = |text: &&str| match CalendarAddress::new(text) {
        Ok(address) => address,
        Err(error) => panic!("in the test: {error}"),
    };
    texts.iter().map(read).collect()
}

fn run(kit: impl Future<Output = Report>) -> Report {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .build();
    runtime.expect("the system has threads left").block_on(kit)
}

/// A folder that goes away.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("convoke-conformance-{}-{number}", process::id());
        let folder = Path::new(&env::temp_dir()).join(name);
        fs::create_dir_all(&folder).expect("the system's temporary folder can be written");
        Self(folder)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left behind, the system clears away in time.
        let _ = fs::remove_dir_all(&self.0);
    }
}
