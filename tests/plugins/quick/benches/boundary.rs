//! What a call through the plugin boundary costs, beside the same call made directly.
//!
//! `cargo bench -p convoke-test-quick`

#![allow(
    clippy::wildcard_imports,
    reason = "a group of benches is a module, and shares what stands above it"
)]

use convoke_sdk::{
    AccessRequest, CalendarAddress, CalendarUser, Call, Discovery, Error, Host, ObjectIndex,
    Policy, Result, Store, TimeRange, Uid, UserId,
    remote::{
        Candidate, Library, LogEvent, RemoteDiscovery, RemotePolicy, RemoteStore, Services, Trust,
    },
    tracing::level_filters::LevelFilter,
};
use convoke_test_quick::{Finder, Judge, Keeper};
use divan::{Bencher, black_box};
use std::{
    env::consts::{DLL_PREFIX, DLL_SUFFIX},
    future::Future,
    path::Path,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

fn main() {
    divan::main();
}

/// Polls a call that is ready at once, as the host's first poll does.
fn ready<T>(call: impl Future<Output = T>) -> T {
    match pin!(call).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => unreachable!("nothing waits here"),
    }
}

fn opened<T>(open: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.expect("a runtime").block_on(open)
}

fn host() -> Host {
    Host::for_tests_without_index("/")
}

struct Quiet;

impl Services for Quiet {
    fn instance(&self) -> &'static str {
        "bench"
    }

    fn directory(&self) -> &Path {
        Path::new("/")
    }

    fn index(&self, _: Option<&CalendarUser>, _: &[u8]) -> Result<ObjectIndex> {
        Err(Error::unsupported("this host makes no index"))
    }

    fn level(&self) -> LevelFilter {
        LevelFilter::WARN
    }

    fn log(&self, _: &LogEvent<'_>) {}
}

/// The library that cargo built beside this program.
fn library() -> Library {
    let program = std::env::current_exe().expect("the system knows the running program");
    let name = format!("{DLL_PREFIX}convoke_test_quick{DLL_SUFFIX}");
    let candidate = Candidate::look(&program.with_file_name(name)).expect("it is built");
    let trust = Trust::of_this_process();
    candidate.check(&trust, None).expect("it is ours");
    candidate.load().expect("it fits")
}

fn known() -> CalendarAddress {
    sixty_four("example.com")
}

fn unknown() -> CalendarAddress {
    sixty_four("example.net")
}

/// An address of 64 bytes.
fn sixty_four(domain: &str) -> CalendarAddress {
    let local = "x".repeat(64 - "mailto:@".len() - domain.len());
    let address = CalendarAddress::new(&format!("{local}@{domain}")).expect("an address");
    assert_eq!(address.as_str().len(), 64);
    address
}

/// As a host makes one: with a deadline, for a request.
fn call() -> Call {
    Call::within(Duration::from_secs(10)).of_request(7)
}

fn request() -> AccessRequest {
    AccessRequest::new("REQUEST", "VFREEBUSY", known(), unknown())
}

#[divan::bench_group(name = "discovery, unknown address")]
mod discover_unknown {
    use super::*;

    #[divan::bench(sample_size = 1000)]
    fn direct(bencher: Bencher<'_, '_>) {
        let (strategy, address) = (opened(Finder::open((), host())).unwrap(), unknown());
        let call = call();
        bencher.bench(|| ready(strategy.discover(black_box(&address), black_box(&call))));
    }

    #[divan::bench(sample_size = 1000)]
    fn through_the_boundary(bencher: Bencher<'_, '_>) {
        let open = RemoteDiscovery::open;
        let strategy = opened(open(&library(), "", Arc::new(Quiet))).unwrap();
        let address = unknown();
        let call = call();
        bencher.bench(|| ready(strategy.discover(black_box(&address), black_box(&call))));
    }
}

#[divan::bench_group(name = "discovery, one receiver")]
mod discover_known {
    use super::*;

    #[divan::bench(sample_size = 1000)]
    fn direct(bencher: Bencher<'_, '_>) {
        let (strategy, address) = (opened(Finder::open((), host())).unwrap(), known());
        let call = call();
        bencher.bench(|| ready(strategy.discover(black_box(&address), black_box(&call))));
    }

    #[divan::bench(sample_size = 1000)]
    fn through_the_boundary(bencher: Bencher<'_, '_>) {
        let open = RemoteDiscovery::open;
        let strategy = opened(open(&library(), "", Arc::new(Quiet))).unwrap();
        let address = known();
        let call = call();
        bencher.bench(|| ready(strategy.discover(black_box(&address), black_box(&call))));
    }
}

#[divan::bench_group(name = "policy, two addresses")]
mod authorize {
    use super::*;

    #[divan::bench(sample_size = 1000)]
    fn direct(bencher: Bencher<'_, '_>) {
        let (policy, request) = (opened(Judge::open((), host())).unwrap(), request());
        let call = call();
        bencher.bench(|| ready(policy.authorize(black_box(&request), black_box(&call))));
    }

    #[divan::bench(sample_size = 1000)]
    fn through_the_boundary(bencher: Bencher<'_, '_>) {
        let open = RemotePolicy::open;
        let policy = opened(open(&library(), "", Arc::new(Quiet))).unwrap();
        let request = request();
        let call = call();
        bencher.bench(|| ready(policy.authorize(black_box(&request), black_box(&call))));
    }
}

#[divan::bench_group(name = "store, find nobody")]
mod find {
    use super::*;

    #[divan::bench(sample_size = 1000)]
    fn direct(bencher: Bencher<'_, '_>) {
        let (store, address) = (opened(Keeper::open((), host())).unwrap(), unknown());
        let call = call();
        bencher.bench(|| ready(store.find(black_box(&address), black_box(&call))));
    }

    #[divan::bench(sample_size = 1000)]
    fn through_the_boundary(bencher: Bencher<'_, '_>) {
        let store = opened(RemoteStore::open(&library(), "", Arc::new(Quiet))).unwrap();
        let address = unknown();
        let call = call();
        bencher.bench(|| ready(store.find(black_box(&address), black_box(&call))));
    }
}

#[divan::bench_group(name = "store, busy")]
mod busy {
    use super::*;

    #[divan::bench(sample_size = 1000)]
    fn direct(bencher: Bencher<'_, '_>) {
        let store = opened(Keeper::open((), host())).unwrap();
        let user = UserId::new("x".repeat(64)).unwrap();
        let call = call();
        bencher.bench(|| ready(store.busy(black_box(&user), TimeRange::ALL, black_box(&call))));
    }

    #[divan::bench(sample_size = 1000)]
    fn through_the_boundary(bencher: Bencher<'_, '_>) {
        let store = opened(RemoteStore::open(&library(), "", Arc::new(Quiet))).unwrap();
        let user = UserId::new("x".repeat(64)).unwrap();
        let call = call();
        bencher.bench(|| ready(store.busy(black_box(&user), TimeRange::ALL, black_box(&call))));
    }
}

#[divan::bench_group(name = "store, get nothing")]
mod get {
    use super::*;

    #[divan::bench(sample_size = 1000)]
    fn direct(bencher: Bencher<'_, '_>) {
        let store = opened(Keeper::open((), host())).unwrap();
        let user = UserId::new("anna").unwrap();
        let uid = Uid::new("x".repeat(64)).unwrap();
        let call = call();
        bencher.bench(|| ready(store.get(black_box(&user), black_box(&uid), black_box(&call))));
    }

    #[divan::bench(sample_size = 1000)]
    fn through_the_boundary(bencher: Bencher<'_, '_>) {
        let store = opened(RemoteStore::open(&library(), "", Arc::new(Quiet))).unwrap();
        let user = UserId::new("anna").unwrap();
        let uid = Uid::new("x".repeat(64)).unwrap();
        let call = call();
        bencher.bench(|| ready(store.get(black_box(&user), black_box(&uid), black_box(&call))));
    }
}
