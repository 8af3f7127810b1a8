use super::*;
use convoke_sdk::conformance;

#[tokio::test]
async fn it_keeps_what_stores_promise() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config {
        path: "calendars".into(),
        calendar: None,
        users: BTreeMap::new(),
    };
    let host = || conformance::host(folder.path());
    let report = conformance::store(|| VdirStore::open(config.clone(), host()));
    report.await.assert_kept();
}
