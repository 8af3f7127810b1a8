//! What a commit costs, alone and among others, and what looking costs in a state of 100,000 entries.
//!
//! `CONVOKE_BENCH_FOLDER` names the folder in which the database lies: what a commit costs is what its disk's sync costs.

use convoke_sdk::prelude::*;
use convoke_store_sqlite::state::{Config, SqliteState};
use divan::{Bencher, black_box, counter::ItemsCount};
use std::{env, sync::Arc};
use tokio::{runtime::Runtime, task::JoinSet};

/// Entries that are there already.
const THERE: usize = 100_000;
/// Bytes of a value: a small meeting.
const VALUE: usize = 1_500;

fn main() {
    divan::main();
}

/// A state in a folder that goes away with it.
struct Place {
    runtime: Runtime,
    state: Arc<SqliteState>,
    folder: tempfile::TempDir,
}

fn place(entries: usize) -> Place {
    let runtime = Runtime::new().expect("the system gives a runtime");
    let folder = env::var_os("CONVOKE_BENCH_FOLDER").unwrap_or_else(|| env::temp_dir().into());
    let folder = tempfile::tempdir_in(folder).expect("the folder can be written");
    let config = Config {
        path: "state.db".into(),
    };
    let host = Host::for_tests_without_index(folder.path());
    let state = runtime.block_on(SqliteState::open(config, host));
    let state = state.expect("a new state opens");
    for first in (0..entries).step_by(1000) {
        let batch = (first..first + 1000).fold(Batch::new(), |batch, number| {
            batch.put(key(number), vec![b'x'; VALUE])
        });
        let committed = runtime.block_on(state.commit(&batch, &Call::default()));
        committed.expect("the state is written");
    }
    Place {
        runtime,
        state: Arc::new(state),
        folder,
    }
}

fn key(number: usize) -> String {
    format!("ledger/mailto:user-{}@example.org/{number}", number % 100)
}

/// So many commits at once, until all are answered; each puts one value.
#[divan::bench(args = [1, 32], sample_count = 50, sample_size = 4)]
fn commit(bencher: Bencher<'_, '_>, together: usize) {
    let place = place(THERE);
    let bencher = bencher.counter(ItemsCount::new(together));
    bencher.bench_local(|| {
        place.runtime.block_on(async {
            let mut commits = JoinSet::new();
            for number in 0..together {
                let state = Arc::clone(&place.state);
                commits.spawn(async move {
                    let batch = Batch::new().put(key(number * 1000), vec![b'y'; VALUE]);
                    state.commit(&batch, &Call::default()).await
                });
            }
            while let Some(committed) = commits.join_next().await {
                black_box(
                    committed
                        .expect("it does not panic")
                        .expect("it is written"),
                );
            }
        });
    });
}

#[divan::bench]
fn get(bencher: Bencher<'_, '_>) {
    let place = place(THERE);
    let key = key(THERE / 2);
    let call = Call::default();
    bencher.bench_local(|| {
        let got = place.state.get(key.as_bytes(), &call);
        black_box(place.runtime.block_on(got).expect("it is there"))
    });
}

/// The first entries of a range that holds a thousandth of all.
#[divan::bench(args = [10, 1000])]
fn scan(bencher: Bencher<'_, '_>, limit: u32) {
    let place = place(THERE);
    let scan = Scan::new(
        KeyRange::prefix("ledger/mailto:user-50@example.org/"),
        limit,
    );
    let call = Call::default();
    bencher.bench_local(|| {
        let found = place.state.scan(&scan, &call);
        black_box(place.runtime.block_on(found).expect("it is there"))
    });
}

/// Opening a state that is there, and closing it.
#[divan::bench(sample_count = 20)]
fn open(bencher: Bencher<'_, '_>) {
    let place = place(THERE);
    let call = Call::default();
    let closed = place.state.close(&call);
    place.runtime.block_on(closed).expect("it closes");
    bencher.bench_local(|| {
        let config = Config {
            path: "state.db".into(),
        };
        let host = Host::for_tests_without_index(place.folder.path());
        place.runtime.block_on(async {
            let state = SqliteState::open(config, host).await.expect("it opens");
            state.close(&Call::default()).await.expect("it closes");
        });
    });
}
