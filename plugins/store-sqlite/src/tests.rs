use super::*;
use convoke_sdk::conformance::{self, StoreFacts};
use std::{env, fs, path::Path, process::Command};

async fn open(path: &Path) -> Result<SqliteStore> {
    let config = Config { path: path.into() };
    SqliteStore::open(config, Host::for_tests_without_index("/")).await
}

fn config() -> Config {
    Config {
        path: "calendars.db".into(),
    }
}

fn address(text: &str) -> CalendarAddress {
    CalendarAddress::new(text).unwrap()
}

#[tokio::test]
async fn it_keeps_what_stores_promise() {
    let folder = tempfile::tempdir().unwrap();
    let host = || conformance::host(folder.path());
    let open = || SqliteStore::open(config(), host());
    let report = conformance::store(open, &StoreFacts::default()).await;
    report.assert_kept();
}

#[cfg(unix)]
#[tokio::test]
async fn only_its_owner_can_read_a_new_database() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("calendars.db")).await.unwrap();
    store
        .add_user(&NewUser::new(address("anna@example.org")), &Call::default())
        .await
        .unwrap();
    let mut files = 0;
    for file in fs::read_dir(folder.path()).unwrap() {
        let file = file.unwrap();
        let mode = file.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{:?}", file.file_name());
        files += 1;
    }
    assert!(files >= 2, "the database and its log");
}

#[tokio::test]
async fn a_file_of_somebody_else_is_refused_and_left_alone() {
    type Prepare = fn(&Path);
    let cases: [(&str, Prepare, &str); 3] = [
        (
            "text",
            |path| fs::write(path, "Dear diary,\n".repeat(100)).unwrap(),
            "is not an SQLite database",
        ),
        (
            "another program",
            |path| {
                let other = rusqlite::Connection::open(path).unwrap();
                other.execute_batch("CREATE TABLE photos (id)").unwrap();
            },
            "is a database of another program",
        ),
        (
            "newer",
            |path| {
                drop(database::open(path, &CALENDARS).unwrap());
                let ours = rusqlite::Connection::open(path).unwrap();
                ours.pragma_update(None, "user_version", 99).unwrap();
            },
            "was written by a newer store-sqlite",
        ),
    ];
    for (what, prepare, says) in cases {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("calendars.db");
        prepare(&path);
        let before = fs::read(&path).unwrap();
        let error = open(&path).await.err().expect(what);
        assert_eq!(error.kind(), ErrorKind::Invalid, "{what}: {error}");
        assert!(error.message().contains(says), "{what}: {error}");
        assert_eq!(fs::read(&path).unwrap(), before, "{what}");
    }
}

/// Tables of each earlier version, with somebody in them.
#[tokio::test]
async fn what_an_older_version_wrote_is_opened() {
    let now = CALENDARS.migrations.len();
    assert!(now > 1);
    for version in 1..now {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("calendars.db");
        let older = database::Schema {
            migrations: &CALENDARS.migrations[..version],
            ..CALENDARS
        };
        let tables = database::open(&path, &older).unwrap();
        let anna = "INSERT INTO users (name, kind) VALUES ('Anna Berg', 'individual');
             INSERT INTO addresses VALUES ('mailto:anna@example.org', 1, 0, 'mailto:anna@example.org');";
        tables.execute_batch(anna).unwrap();
        drop(tables);
        let store = open(&path).await.unwrap();
        let (anna, call) = (address("anna@example.org"), Call::default());
        let found = store.find(&anna, &call).await.unwrap().unwrap();
        assert_eq!(
            found.name.as_deref(),
            Some("Anna Berg"),
            "version {version}"
        );
    }
}

#[tokio::test]
async fn a_missing_folder_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let error = open(&folder.path().join("no/such/calendars.db"))
        .await
        .err()
        .unwrap();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.message().contains("no/such/calendars.db"), "{error}");
}

#[tokio::test]
async fn two_processes_see_each_others_writes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("calendars.db");
    let (host, command) = (open(&path).await.unwrap(), open(&path).await.unwrap());
    let anna = address("anna@example.org");
    assert_eq!(host.find(&anna, &Call::default()).await.unwrap(), None);
    let id = command
        .add_user(&NewUser::new(anna.clone()), &Call::default())
        .await
        .unwrap();
    assert_eq!(
        host.find(&anna, &Call::default())
            .await
            .unwrap()
            .unwrap()
            .id,
        id
    );
    let again = host
        .add_user(&NewUser::new(anna), &Call::default())
        .await
        .unwrap_err();
    assert_eq!(again.kind(), ErrorKind::Conflict);
}

#[tokio::test]
async fn a_full_disk_is_said_to_be_full_and_reading_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("calendars.db");
    let connection = database::open(&path, &CALENDARS).unwrap();
    let pages: i64 = connection
        .pragma_query_value(None, "page_count", |row| row.get(0))
        .unwrap();
    connection
        .pragma_update_and_check(None, "max_page_count", pages + 2, |_| Ok(()))
        .unwrap();
    let path: Arc<Path> = path.into();
    let store = SqliteStore {
        writer: Writer::start("store-sqlite", connection, Arc::clone(&path)).unwrap(),
        writes: waiting::Writes::new(Arc::clone(&path)),
        readers: Arc::new(Readers::new(path)),
    };
    let user = store
        .add_user(&NewUser::new(address("anna@example.org")), &Call::default())
        .await
        .unwrap();
    let uid = Uid::new("large").unwrap();
    let index = ObjectIndex::new("VEVENT", uid.clone());
    let large = NewObject::new(vec![b'x'; 1 << 20], index);
    let error = store
        .put(&user, &large, &Precondition::Any, &Call::default())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.message().contains("no space is left"), "{error}");
    assert_eq!(
        store.get(&user, &uid, &Call::default()).await.unwrap(),
        None
    );
    let small = NewObject::new(b"small".to_vec(), large.index.clone());
    store
        .put(&user, &small, &Precondition::Absent, &Call::default())
        .await
        .unwrap();
}

/// The half that is killed: see below.
#[tokio::test]
#[ignore = "writes until it is killed"]
async fn writes_until_it_is_killed() {
    if let Some(folder) = env::var_os("CONVOKE_TEST_FOLDER") {
        let host = conformance::host(folder);
        let store = SqliteStore::open(config(), host).await.unwrap();
        panic!("{}", conformance::crash::write_for_ever(store).await);
    }
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let killed = "tests::writes_until_it_is_killed";
    for acknowledged in [1, 20, 200, 7] {
        let mut writing = Command::new(env::current_exe().unwrap());
        writing
            .args(["--ignored", "--exact", "--nocapture", killed])
            .env("CONVOKE_TEST_FOLDER", folder.path());
        let printed = conformance::crash::kill_after(acknowledged, &mut writing).unwrap();
        let host = conformance::host(folder.path());
        let store = SqliteStore::open(config(), host).await.unwrap();
        let told = conformance::crash::survived(&store, &printed)
            .await
            .unwrap();
        assert!(told >= acknowledged);
    }
}

/// Two stores on one file are as two processes: neither knows what the other does.
#[tokio::test]
async fn who_waits_hears_what_others_write() {
    let folder = tempfile::tempdir().unwrap();
    let host = || conformance::host(folder.path());
    let store = SqliteStore::open(config(), host()).await.unwrap();
    let other = SqliteStore::open(config(), host()).await.unwrap();
    let call = Call::within(std::time::Duration::from_secs(60));
    let mut watched = Vec::new();
    for name in ["anna@example.org", "bo@example.org"] {
        let user = store
            .add_user(&NewUser::new(address(name)), &call)
            .await
            .unwrap();
        let cursor = store.changes(&user, None, &call).await.unwrap().cursor;
        watched.push(Watched::new(user, cursor));
    }
    let anna = watched[0].user.clone();
    let object = {
        let data = b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:a\r\nDTSTART:20270101T100000Z\r\nDTEND:20270101T110000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
        NewObject::new(data.to_vec(), host().index(data).unwrap())
    };
    for (number, writer) in [&other, &store, &other].into_iter().enumerate() {
        let watch = Watch::over(watched.clone());
        let write = async {
            let any = Precondition::Any;
            if number == 2 {
                writer
                    .remove(&anna, &object.index.uid, &any, &call)
                    .await
                    .unwrap();
            } else {
                writer.put(&anna, &object, &any, &call).await.unwrap();
            }
        };
        let (changed, ()) = tokio::join!(store.await_changes(&watch, &call), write);
        assert_eq!(changed.unwrap().users, std::slice::from_ref(&anna));
        let since = Some(&watched[0].since);
        let told = store.changes(&anna, since, &call).await.unwrap();
        assert_eq!(told.changed.len() + told.removed.len(), 1);
        watched[0].since = told.cursor;
    }
    let watch = Watch::over(watched);
    let waiting = store.await_changes(&watch, &call);
    let (changed, removed) = tokio::join!(waiting, other.remove_user(&anna, &call));
    removed.unwrap();
    assert_eq!(changed.unwrap().users, [anna], "who is gone is told, too");
}
