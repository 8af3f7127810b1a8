//! What a call costs through the boundary of a process, beside the same call in the host's own.
//!
//! ```sh
//! cargo build --release -p convoke-tests --examples && cargo bench -p convoke-tests --bench isolation
//! ```
//!
//! One discovery, one policy and one store call that do no I/O of their own, one after the other, so each is a whole
//! round trip; then as many store calls as go at once. The sample plugin answers.

use convoke_plugin_host::{Confinement, Isolation, PluginEntry, Plugins, Setup, Verdict};
use convoke_sdk::{
    AccessRequest, CalendarAddress, Error, Network,
    remote::Kind::{self, Discovery, Policy, Store},
};
use convoke_tests::{plugin_directory, program};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

const CALLS: u32 = 20_000;
const AT_ONCE: usize = 64;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("the system gives a runtime");
    for (where_it_runs, isolation) in [
        ("in-process", Isolation::InProcess),
        ("process", Isolation::Process(Confinement::default())),
    ] {
        runtime.block_on(async {
            let plugins = Plugins::open(&setup(&isolation)).await;
            let plugins = plugins.unwrap_or_else(|error| panic!("{error}"));
            println!("{where_it_runs}:");
            measure(&plugins).await;
        });
    }
}

fn setup(isolation: &Isolation) -> Setup {
    let entry = |kind: Kind, config: &str| PluginEntry {
        config: config.parse().expect("a literal configuration"),
        isolation: isolation.clone(),
        ..PluginEntry::new(kind, "test-sample")
    };
    Setup {
        entries: vec![
            entry(Discovery, ""),
            entry(Policy, "answer = 'allow'"),
            entry(Store, "user = 'mailto:anna@example.org'"),
        ],
        plugin_directories: vec![plugin_directory()],
        trusted_keys: Vec::new(),
        folder: "/etc/convoke".into(),
        state: std::env::temp_dir().join("convoke-bench-isolation"),
        network: Arc::new(|| Ok(Network::default())),
        metrics: Arc::default(),
        locate: Arc::new(|_, _| None),
        domains: vec!["example.org".parse().expect("a literal domain")],
        index: Arc::new(|_, _| Err(Error::unsupported("nobody asks"))),
        program: program(),
    }
}

async fn measure(plugins: &Plugins) {
    // 64 bytes.
    let long = "mailto:somebody.with.a.rather.long.name.indeed.so@example.org.za";
    let address = CalendarAddress::new(long).expect("a literal address");
    let begun = Instant::now();
    for _ in 0..CALLS {
        let found = plugins.discovery.discover(&address).await;
        assert!(found.is_ok());
    }
    tell("discovery, one after the other", begun.elapsed(), CALLS);
    let request = AccessRequest::new("REQUEST", "VFREEBUSY", address.clone(), address.clone());
    let begun = Instant::now();
    for _ in 0..CALLS {
        let verdict = plugins.policy.decide(&request).await;
        assert!(matches!(verdict, Verdict::Allow(_)));
    }
    tell("policy, one after the other", begun.elapsed(), CALLS);
    let store = plugins.stores.iter().next().expect("there is a store");
    let begun = Instant::now();
    for _ in 0..CALLS {
        assert_eq!(store.find(&address).await, Ok(None));
    }
    tell("store, one after the other", begun.elapsed(), CALLS);
    let begun = Instant::now();
    for _ in 0..CALLS / 64 {
        let calls = (0..AT_ONCE).map(|_| store.find(&address));
        for found in futures::future::join_all(calls).await {
            assert_eq!(found, Ok(None));
        }
    }
    tell("store, 64 at once", begun.elapsed(), CALLS / 64 * 64);
}

fn tell(what: &str, time: Duration, calls: u32) {
    println!("  {what}: {:?} a call", time / calls);
}
