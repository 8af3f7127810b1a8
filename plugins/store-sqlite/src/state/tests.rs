use super::*;
use std::{
    env,
    io::{BufRead, BufReader, Write},
    process::{Command, Stdio},
};

convoke_sdk::conformance! { state: SqliteState, config: "path = 'state.db'" }

async fn open_at(path: &Path) -> Result<SqliteState> {
    let config = Config { path: path.into() };
    SqliteState::open(config, Host::for_tests_without_index("/")).await
}

async fn value(state: &SqliteState, key: &str) -> Option<Vec<u8>> {
    let entry = state.get(key.as_bytes(), &Call::default()).await.unwrap();
    entry.map(|entry| entry.value)
}

async fn put(state: &SqliteState, key: &str, value: impl Into<Vec<u8>>) -> Result<Committed> {
    let batch = Batch::new().put(key, value);
    state.commit(&batch, &Call::default()).await
}

/// A state that holds `many` large values, closed.
async fn made(path: &Path, many: usize) {
    let state = open_at(path).await.unwrap();
    for number in 0..many {
        let key = format!("key-{number}");
        put(&state, &key, vec![b'x'; 20_000]).await.unwrap();
    }
    state.close(&Call::default()).await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_ours_is_refused_and_left_alone() {
    type Spoil = fn(&Path);
    let cases: [(&str, Spoil, ErrorKind, &str); 6] = [
        (
            "text",
            |path| fs::write(path, "Dear diary,\n".repeat(100)).unwrap(),
            ErrorKind::Invalid,
            "is not an SQLite database; give `config.path` a file of its own",
        ),
        (
            "calendars",
            |path| {
                fs::remove_file(path).unwrap();
                drop(database::open(path, &database::CALENDARS).unwrap());
            },
            ErrorKind::Invalid,
            "is a database of another program; give `config.path` a file of its own",
        ),
        (
            "newer",
            |path| {
                let ours = Connection::open(path).unwrap();
                ours.pragma_update(None, "user_version", 99).unwrap();
            },
            ErrorKind::Invalid,
            "was written by a newer state-sqlite (tables of version 99",
        ),
        (
            "cut short",
            |path| {
                let file = fs::OpenOptions::new().write(true).open(path).unwrap();
                let size = file.metadata().unwrap().len();
                file.set_len(size / 4096 / 2 * 4096).unwrap();
            },
            ErrorKind::Unavailable,
            "is damaged",
        ),
        (
            "overwritten in the middle",
            |path| {
                let mut bytes = fs::read(path).unwrap();
                let (start, end) = (4096, bytes.len() - 4096);
                bytes[start..end].fill(0xff);
                fs::write(path, bytes).unwrap();
            },
            ErrorKind::Unavailable,
            "is damaged",
        ),
        (
            "copied",
            |path| {
                let copy = path.with_extension("copy");
                fs::copy(path, &copy).unwrap();
                fs::remove_file(path).unwrap();
                fs::rename(copy, path).unwrap();
            },
            ErrorKind::Invalid,
            "is a copy of a state that was made elsewhere or earlier",
        ),
    ];
    for (what, spoil, kind, says) in cases {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        made(&path, 20).await;
        spoil(&path);
        let before = fs::read(&path).unwrap();
        let error = open_at(&path).await.err().expect(what);
        assert_eq!(error.kind(), kind, "{what}: {error}");
        assert!(error.message().contains(says), "{what}: {error}");
        let file = path.to_str().unwrap();
        assert!(error.message().contains(file), "{what}: {error}");
        assert_eq!(fs::read(&path).unwrap(), before, "{what}");
    }
}

#[tokio::test]
async fn a_copy_takes_the_place_of_the_original_once_that_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let [path, copy, moved] =
        ["state.db", "copy.db", "moved.db"].map(|name| folder.path().join(name));
    made(&path, 1).await;
    fs::copy(&path, &copy).unwrap();
    let refused = open_at(&copy).await.err().unwrap();
    let word = folder.path().join("copy.db.adopt");
    assert!(
        refused.message().contains(word.to_str().unwrap()),
        "{refused}"
    );
    fs::write(&word, "").unwrap();
    let adopted = open_at(&copy).await.unwrap();
    assert!(value(&adopted, "key-0").await.is_some());
    assert!(!word.exists(), "said once, it holds once");
    adopted.close(&Call::default()).await.unwrap();
    let again = open_at(&copy).await.unwrap();
    again.close(&Call::default()).await.unwrap();
    // Renamed, it is the same file.
    fs::rename(&path, &moved).unwrap();
    assert!(
        value(&open_at(&moved).await.unwrap(), "key-0")
            .await
            .is_some()
    );
}

#[tokio::test]
async fn a_full_disk_costs_that_commit_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path: Arc<Path> = folder.path().join("state.db").into();
    let connection = open(&path).unwrap();
    let pages: i64 = connection
        .pragma_query_value(None, "page_count", |row| row.get(0))
        .unwrap();
    connection
        .pragma_update_and_check(None, "max_page_count", pages + 4, |_| Ok(()))
        .unwrap();
    let state = SqliteState {
        writer: Writer::start("state-sqlite", connection, Arc::clone(&path)).unwrap(),
        readers: Arc::new(Readers::new(Arc::clone(&path))),
        changes: Changes::default(),
    };
    put(&state, "kept", "1").await.unwrap();
    let large = Batch::new()
        .put("kept", "2")
        .put("large", vec![b'x'; 1 << 20]);
    let call = Call::default();
    let large = state.commit(&large, &call);
    let small = put(&state, "small", "fits");
    let (large, small) = tokio::join!(large, small);
    let error = large.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    let says = format!("no space is left for {}", path.display());
    assert!(error.message().contains(&says), "{error}");
    small.unwrap();
    assert_eq!(value(&state, "kept").await, Some(b"1".to_vec()));
    assert_eq!(value(&state, "large").await, None);
    assert_eq!(value(&state, "small").await, Some(b"fits".to_vec()));
}

#[test]
fn what_has_expired_does_not_add_up() {
    let folder = tempfile::tempdir().unwrap();
    let db = open(&folder.path().join("state.db")).unwrap();
    let rows = || -> i64 {
        db.query_row("SELECT count(*) FROM entries", (), |row| row.get(0))
            .unwrap()
    };
    // One transaction, as nothing is looked for on the disk.
    db.execute_batch("BEGIN").unwrap();
    let second = Duration::from_secs(1);
    let mut most = 0;
    for number in 0..2000_i64 {
        // One commit a millisecond, each of which holds for a second.
        let batch = Batch::new().put_for(number.to_string(), "x", second);
        entries::commit(&db, &batch, number).unwrap();
        most = most.max(rows());
    }
    assert_eq!(most, 1000);
    let much_later = Batch::new().put("last", "x");
    entries::commit(&db, &much_later, 1_000_000).unwrap();
    assert_eq!(rows(), 1000 - 4 + 1, "no commit pays for the whole past");
    // It is gone for everybody long before it is removed.
    let all = Scan::new(KeyRange::ALL, 10);
    assert_eq!(entries::scan(&db, &all, 1_000_000).unwrap().len(), 1);
    assert_eq!(entries::get(&db, b"1999", 1_000_000).unwrap(), None);
}

#[tokio::test]
async fn what_is_too_large_is_refused_with_its_size() {
    let folder = tempfile::tempdir().unwrap();
    let state = open_at(&folder.path().join("state.db")).await.unwrap();
    let key = "k".repeat(5000);
    for batch in [
        Batch::new().put(key.clone(), "x"),
        Batch::new().delete(key.clone()),
    ] {
        let error = state.commit(&batch, &Call::default()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.message().contains("5000 bytes"), "{error}");
    }
}

#[tokio::test]
async fn who_waits_is_told_of_its_keys_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let (state, other) = (open_at(&path).await.unwrap(), open_at(&path).await.unwrap());
    let (long, call) = (Call::within(Duration::from_secs(3600)), Call::default());
    let range = KeyRange::prefix("a/");
    // Of its own commits at once, however the poll goes.
    let told = state.changes.told_of(&range);
    put(&state, "b/1", "x").await.unwrap();
    assert!(futures_ready(told.wait()).await.is_none());
    put(&state, "a/1", "x").await.unwrap();
    told.wait().await;
    // Of those of another process, by and by.
    let waiting = state.await_changes(&range, &long);
    let (waited, written) = tokio::join!(waiting, put(&other, "a/2", "x"));
    waited.unwrap();
    written.unwrap();
    // And when there is nothing more to wait for.
    let (waited, closed) = tokio::join!(state.await_changes(&range, &long), state.close(&call));
    waited.unwrap();
    closed.unwrap();
}

/// What a future gives at once, if it does.
async fn futures_ready<T>(future: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        value = future => Some(value),
        () = std::future::ready(()) => None,
    }
}

/// The half that is killed: see below.
#[tokio::test]
#[ignore = "writes until it is killed"]
async fn commits_until_it_is_killed() {
    let Some(folder) = env::var_os("CONVOKE_TEST_FOLDER") else {
        return;
    };
    let state = open_at(&Path::new(&folder).join("state.db")).await.unwrap();
    let begun = state.get(b"count-0", &Call::default()).await.unwrap();
    let begun = begun.map_or(0, |entry| number(&entry.value));
    for count in begun + 1.. {
        // Two keys that are always written together, by four at once.
        let commits = (0..4).map(|writer| {
            let batch = Batch::new()
                .put(format!("count-{writer}"), count.to_string())
                .put(format!("pair-{writer}"), count.to_string());
            let state = &state;
            async move { state.commit(&batch, &Call::default()).await.unwrap() }
        });
        let mut commits = commits.collect::<Vec<_>>().into_iter();
        let [one, two, three, four] = std::array::from_fn(|_| commits.next().unwrap());
        tokio::join!(one, two, three, four);
        let mut out = std::io::stdout().lock();
        writeln!(out, "acknowledged {count}").unwrap();
        out.flush().unwrap();
    }
}

fn number(value: &[u8]) -> u64 {
    std::str::from_utf8(value).unwrap().parse().unwrap()
}

#[tokio::test]
async fn what_was_committed_survives_a_kill_whole() {
    let folder = tempfile::tempdir().unwrap();
    for rounds in [1, 30, 200] {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--ignored", "--exact", "--nocapture"])
            .arg("state::tests::commits_until_it_is_killed")
            .env("CONVOKE_TEST_FOLDER", folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let told = lines.map_while(Result::ok).filter_map(|line| {
            let (_, count) = line.split_once("acknowledged ")?;
            Some(number(count.as_bytes()))
        });
        let mut last = 0;
        for count in told.take(rounds) {
            last = count;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(last > 0, "it wrote");
        let state = open_at(&folder.path().join("state.db")).await.unwrap();
        for writer in 0..4 {
            let count = value(&state, &format!("count-{writer}")).await.unwrap();
            let pair = value(&state, &format!("pair-{writer}")).await.unwrap();
            assert_eq!(count, pair, "all of a batch or nothing");
            assert!(number(&count) >= last, "{last} was acknowledged");
        }
        state.close(&Call::default()).await.unwrap();
    }
}
