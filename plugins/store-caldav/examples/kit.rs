//! Asks a CalDAV server for what a store promises: `kit CONFIG.toml ADDRESS ADDRESS`, where the file holds what would
//! stand under `config`. **All objects of the two users are removed.**

use convoke_sdk::{
    CalendarAddress, Store,
    conformance::{self, Keeps, StoreFacts},
};
use convoke_store_caldav::{CalDavStore, Config};
use std::{env, fs, path::Path, process::ExitCode};

#[tokio::main]
async fn main() -> ExitCode {
    let mut arguments = env::args().skip(1);
    let file = arguments.next().expect("a file as the first argument");
    let text = fs::read_to_string(&file).expect("the file can be read");
    let config: Config = toml::from_str(&text).expect("the file is a configuration");
    let users: Vec<CalendarAddress> = arguments
        .map(|text| CalendarAddress::new(&text).expect("addresses follow"))
        .collect();
    let folder = Path::new(&file).parent().unwrap_or(Path::new("."));
    let open = || CalDavStore::open(config.clone(), conformance::host(folder));
    let report = conformance::store(
        open,
        &StoreFacts::with_users(users).that_keeps(Keeps::Meaning),
    )
    .await;
    print!("{report}");
    if report.is_kept() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
