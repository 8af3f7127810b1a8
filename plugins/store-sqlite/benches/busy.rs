//! What a question about busy time costs, by the size of the calendar: `cargo bench -p convoke-store-sqlite`.
//!
//! The question is about a working week in the middle; the calendar holds an hour every second hour, so that the
//! answer always has 60 spans and only what lies around it grows.

use convoke_sdk::{Host, prelude::*};
use convoke_store_sqlite::{Config, SqliteStore};
use divan::{Bencher, black_box};
use tokio::runtime::{Builder, Runtime};

fn main() {
    divan::main();
}

const HOUR: i64 = 3600;
/// Spans of one object; a year of a daily meeting has about as many.
const EACH: i64 = 100;

#[divan::bench(args = [100, 10_000, 100_000])]
fn busy_from_an_index_of(bencher: Bencher, spans: i64) {
    let folder = tempfile::tempdir().expect("there is a temporary folder");
    let runtime = Builder::new_current_thread()
        .build()
        .expect("a runtime can be made");
    let (store, user) = runtime
        .block_on(calendar(folder.path(), spans))
        .expect("the calendar can be stored");
    let middle = spans / 2 * 2 * HOUR;
    let week = range(middle - 60 * HOUR, middle + 60 * HOUR);
    let ask = |runtime: &Runtime| runtime.block_on(store.busy(&user, week, &Call::default()));
    let found = ask(&runtime).expect("the store answers").spans.len();
    assert!((60..=61).contains(&found), "{found} spans");
    bencher.bench_local(|| black_box(ask(&runtime)));
}

async fn calendar(folder: &std::path::Path, spans: i64) -> Result<(SqliteStore, UserId)> {
    let config = Config {
        path: "calendars.db".into(),
    };
    let store = SqliteStore::open(config, Host::for_tests_without_index(folder)).await?;
    let anna = NewUser::new(CalendarAddress::new("mailto:anna@example.org")?);
    let user = store.add_user(&anna, &Call::default()).await?;
    for number in 0..spans / EACH {
        let first = number * EACH;
        let mut index = ObjectIndex::new("VEVENT", Uid::new(format!("{number}@example.org"))?);
        index.spans = (first..first + EACH).map(span).collect();
        let data = b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n".to_vec();
        store
            .put(
                &user,
                &NewObject::new(data, index),
                &Precondition::Any,
                &Call::default(),
            )
            .await?;
    }
    Ok((store, user))
}

fn span(number: i64) -> BusySpan {
    let range = range(2 * number * HOUR, (2 * number + 1) * HOUR);
    BusySpan::new(range, BusyType::Busy)
}

fn range(from: i64, to: i64) -> TimeRange {
    let at = |second| Timestamp::from_second(second).expect("it is within range");
    TimeRange::new(at(from), at(to)).expect("it lasts")
}
