//! The place for state, and two plugins in one library.

use crate::world::{isolated, open, setup, state, store};
use convoke_plugin_host::{Confinement, PluginEntry, Plugins, Setup};
use convoke_sdk::{Batch, ErrorKind, KeyRange, Scan, remote::Kind};
use convoke_tests::{plugin_directory, plugin_file};
use std::{fs, path::Path};

fn at(path: &Path) -> PluginEntry {
    state("state-sqlite", &format!("path = \"{}\"", path.display()))
}

#[tokio::test]
async fn the_library_of_the_calendars_offers_the_state_too() {
    let folder = tempfile::tempdir().unwrap();
    let plugins = open(vec![
        store(
            "store-sqlite",
            &format!("path = {:?}", folder.path().join("c.db")),
        ),
        at(&folder.path().join("s.db")),
    ]);
    let plugins = plugins.await.unwrap();
    let listed = plugins.list().into_iter();
    let listed: Vec<_> = listed
        .map(|it| (it.name, it.kind, it.kinds, it.file))
        .collect();
    let library = plugin_file("store-sqlite");
    let plugin = |name: &str, kind| (name.to_owned(), kind, vec![kind], library.clone());
    assert_eq!(
        listed,
        [
            plugin("store-sqlite", Kind::Store),
            plugin("state-sqlite", Kind::State)
        ]
    );
}

#[tokio::test]
async fn what_is_committed_is_there_here_and_in_a_process_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let entry = at(&folder.path().join("s.db"));
    let may = Confinement {
        write: vec![folder.path().to_owned()],
        ..Confinement::default()
    };
    let apart = isolated(entry.clone(), may);
    for (round, entry) in [entry.clone(), apart, entry].into_iter().enumerate() {
        let plugins = open(vec![entry]).await.unwrap();
        let place = &plugins.state;
        let all = Scan::new(KeyRange::ALL, 100);
        assert_eq!(place.scan(&all).await.unwrap().len(), round);
        let key = format!("key-{round}");
        let new = Batch::new().if_absent(key.clone()).put(key.clone(), "x");
        let version = place.commit(&new).await.unwrap().version;
        let again = place.commit(&new).await.unwrap_err();
        assert_eq!(again.kind(), ErrorKind::Conflict);
        let entry = place.get(key.as_bytes()).await.unwrap().unwrap();
        assert_eq!(
            (entry.value.as_slice(), entry.version),
            (&b"x"[..], version)
        );
        plugins.close().await;
    }
}

#[tokio::test]
async fn where_no_place_is_open_that_is_said() {
    let plugins = open(Vec::new()).await.unwrap();
    assert!(!plugins.state.is_open());
    let error = plugins.state.get(b"key").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.message().contains("[[state]]"), "{error}");
}

#[tokio::test]
async fn a_plugin_is_asked_for_by_its_own_name() {
    for (entry, says) in [
        (
            store("state-sqlite", ""),
            "offers state, not store; list it under `[[state]]`",
        ),
        (state("state-sqlit", ""), "did you mean `state-sqlite`?"),
        (
            state("store-vdir", ""),
            "offers store, not state; list it under `[[store]]`",
        ),
    ] {
        let refused = open(vec![entry]).await.err().unwrap().to_string();
        assert!(refused.ends_with(says), "{refused}");
    }
    // The library's own name stands for all that is in it.
    let folder = tempfile::tempdir().unwrap();
    let path = format!("path = {:?}", folder.path().join("s.db"));
    let plugins = open(vec![state("store-sqlite", &path)]).await.unwrap();
    assert!(plugins.state.is_open());
}

/// What lies in a plugin folder beside it does not keep a plugin from being found, and is not run.
#[tokio::test]
async fn it_is_found_among_what_is_no_plugin() {
    let folder = tempfile::tempdir().unwrap();
    let plugins = folder.path().join("plugins");
    fs::create_dir(&plugins).unwrap();
    fs::write(plugins.join("a-text.so"), "Dear diary,").unwrap();
    fs::write(plugins.join("b-empty.so"), "").unwrap();
    std::os::unix::fs::symlink(plugin_directory(), plugins.join("c-folder.so")).unwrap();
    let sample = fs::read(plugin_file("test-sample")).unwrap();
    fs::write(plugins.join("d-cut.so"), &sample[..sample.len() / 2]).unwrap();
    let library = plugins.join("libconvoke_store_sqlite.so");
    fs::copy(plugin_file("store-sqlite"), &library).unwrap();
    let setup = Setup {
        plugin_directories: vec![plugins],
        ..setup(vec![at(&folder.path().join("s.db"))])
    };
    let opened = Plugins::open(&setup).await.unwrap();
    assert_eq!(opened.list()[0].file, library);
}
