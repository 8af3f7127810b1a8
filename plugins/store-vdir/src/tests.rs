mod waiting;

use super::*;
use convoke_sdk::conformance::{self, StoreFacts};
use std::{
    env, fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
    process::Command,
    sync::atomic::{AtomicUsize, Ordering},
};

/// A tree, and what a person does in it with khal or an editor.
struct World {
    folder: tempfile::TempDir,
    config: Config,
}

impl World {
    fn new() -> Self {
        let config = Config {
            path: "calendars".into(),
            calendar: None,
            users: BTreeMap::new(),
        };
        let folder = tempfile::tempdir().unwrap();
        Self { folder, config }
    }

    async fn open(&self) -> VdirStore {
        self.try_open().await.unwrap()
    }

    async fn try_open(&self) -> Result<VdirStore> {
        let host = conformance::host(self.folder.path());
        VdirStore::open(self.config.clone(), host).await
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join("calendars").join(path)
    }

    /// As an editor does: in place.
    fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// As khal and vdirsyncer do: beside, then renamed.
    fn exchange(&self, path: &str, text: &str) {
        let new = self.path(path).with_extension("tmp");
        fs::write(&new, text).unwrap();
        fs::rename(new, self.path(path)).unwrap();
    }
}

/// An hour on the day of January 2027.
fn event(uid: &str, day: u8) -> String {
    [
        "BEGIN:VCALENDAR",
        "BEGIN:VEVENT",
        &format!("UID:{uid}"),
        &format!("DTSTART:202701{day:02}T100000Z"),
        &format!("DTEND:202701{day:02}T110000Z"),
        "END:VEVENT",
        "END:VCALENDAR",
        "",
    ]
    .join("\r\n")
}

fn object(uid: &str, day: u8) -> NewObject {
    let data = event(uid, day).into_bytes();
    let index = conformance::host("/").index(&data).unwrap();
    NewObject::new(data, index)
}

fn address(text: &str) -> CalendarAddress {
    CalendarAddress::new(text).unwrap()
}

fn uid(text: &str) -> Uid {
    Uid::new(text).unwrap()
}

async fn user(store: &VdirStore, text: &str) -> UserId {
    let found = store.find(&address(text), &Call::default()).await.unwrap();
    found.unwrap_or_else(|| panic!("{text} is nobody")).id
}

/// The days of January 2027 with busy time.
async fn days(store: &VdirStore, user: &UserId) -> Vec<i8> {
    let busy = store
        .busy(user, TimeRange::ALL, &Call::default())
        .await
        .unwrap();
    let day = |span: &BusySpan| span.range.start().strftime("%d").to_string();
    let mut days: Vec<i8> = (busy.spans.iter().map(day))
        .map(|day| day.parse().unwrap())
        .collect();
    days.sort_unstable();
    days
}

fn files(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort_unstable();
    names
}

#[tokio::test]
async fn it_keeps_what_stores_promise() {
    let world = World::new();
    let host = || conformance::host(world.folder.path());
    let open = || VdirStore::open(world.config.clone(), host());
    let report = conformance::store(open, &StoreFacts::default()).await;
    report.assert_kept();
}

#[tokio::test]
async fn it_keeps_what_stores_promise_without_a_watch() {
    let world = World::new();
    let open = async || {
        let mut store = world.try_open().await?;
        let shared = Arc::get_mut(&mut store.0).expect("just opened");
        shared.watch = watch::Watch::nowhere();
        Ok(store)
    };
    let report = conformance::store(open, &StoreFacts::default()).await;
    report.assert_kept();
}

#[tokio::test]
async fn what_other_programs_do_is_seen_by_the_next_call() {
    let world = World::new();
    for blind in [false, true] {
        let _ = fs::remove_dir_all(world.path("anna@example.org"));
        world.write("anna@example.org/home/a.ics", &event("a", 1));
        let mut store = world.open().await;
        if blind {
            Arc::get_mut(&mut store.0).unwrap().watch = watch::Watch::nowhere();
        }
        let anna = user(&store, "anna@example.org").await;
        assert_eq!(days(&store, &anna).await, [1]);
        world.exchange("anna@example.org/home/b.ics", &event("b", 2));
        assert_eq!(days(&store, &anna).await, [1, 2], "a new file");
        world.exchange("anna@example.org/home/a.ics", &event("a", 3));
        assert_eq!(days(&store, &anna).await, [2, 3], "a file exchanged");
        world.write("anna@example.org/home/a.ics", &event("a", 4));
        assert_eq!(days(&store, &anna).await, [2, 4], "a file edited in place");
        world.write("anna@example.org/home/a.ics", &event("c", 5));
        assert_eq!(days(&store, &anna).await, [2, 5], "another UID");
        assert_eq!(
            store.get(&anna, &uid("a"), &Call::default()).await.unwrap(),
            None
        );
        world.write("anna@example.org/work/d.ics", &event("d", 6));
        assert_eq!(days(&store, &anna).await, [2, 5, 6], "a new calendar");
        fs::remove_file(world.path("anna@example.org/home/b.ics")).unwrap();
        assert_eq!(days(&store, &anna).await, [5, 6], "a file removed");
        let (work, job) = ("anna@example.org/work", "anna@example.org/job");
        fs::rename(world.path(work), world.path(job)).unwrap();
        assert_eq!(days(&store, &anna).await, [5, 6], "a calendar renamed");
        world.write("anna@example.org/job/e.ics", &event("e", 7));
        assert_eq!(days(&store, &anna).await, [5, 6, 7], "a file in it");
        fs::remove_dir_all(world.path(job)).unwrap();
        assert_eq!(days(&store, &anna).await, [5], "a calendar removed");
    }
}

#[tokio::test]
async fn two_hosts_on_one_tree_see_each_others_writes() {
    let world = World::new();
    let (one, two) = (world.open().await, world.open().await);
    let new = NewUser::new(address("anna@example.org"));
    let anna = one.add_user(&new, &Call::default()).await.unwrap();
    let taken = two.add_user(&new, &Call::default()).await.unwrap_err();
    assert_eq!(taken.kind(), ErrorKind::Conflict);
    let etag = one
        .put(
            &anna,
            &object("a", 1),
            &Precondition::Absent,
            &Call::default(),
        )
        .await
        .unwrap();
    let stale = Precondition::Matches(etag.clone());
    two.put(&anna, &object("a", 2), &stale, &Call::default())
        .await
        .unwrap();
    let late = one
        .put(&anna, &object("a", 3), &stale, &Call::default())
        .await
        .unwrap_err();
    assert_eq!(late.kind(), ErrorKind::Conflict);
    assert_eq!(days(&one, &anna).await, [2]);
}

#[tokio::test]
async fn a_file_that_somebody_else_named_is_the_object_of_its_uid() {
    let world = World::new();
    world.write("anna@example.org/home/whatever.ics", &event("../a", 1));
    let store = world.open().await;
    let anna = user(&store, "anna@example.org").await;
    store
        .put(
            &anna,
            &object("../a", 2),
            &Precondition::Any,
            &Call::default(),
        )
        .await
        .unwrap();
    assert_eq!(
        files(&world.path("anna@example.org/home")),
        ["whatever.ics"]
    );
    assert_eq!(days(&store, &anna).await, [2]);
    store
        .remove(&anna, &uid("../a"), &Precondition::Any, &Call::default())
        .await
        .unwrap();
    assert!(files(&world.path("anna@example.org/home")).is_empty());
}

/// A file with objects of several days; each UID is the day.
fn several(days: &[u8]) -> String {
    let events = days.iter().map(|day| {
        let event = event(&day.to_string(), *day);
        let (from, to) = (
            event.find("BEGIN:VEVENT").unwrap(),
            event.find("END:VCALENDAR").unwrap(),
        );
        event[from..to].to_owned()
    });
    format!(
        "BEGIN:VCALENDAR\r\n{}END:VCALENDAR\r\n",
        events.collect::<String>()
    )
}

#[tokio::test]
async fn a_file_of_several_objects_is_each_of_them() {
    let world = World::new();
    let store = world.open().await;
    let anna = store
        .add_user(&NewUser::new(address("anna@example.org")), &Call::default())
        .await
        .unwrap();
    let file = "anna@example.org/home/all.ics";
    world.write(file, &several(&[1, 2, 3]));
    let read = || fs::read_to_string(world.path(file)).unwrap();
    assert_eq!(days(&store, &anna).await, [1, 2, 3]);
    let page = Page::first(10);
    let listed = store
        .list(&anna, &page, &Call::default())
        .await
        .unwrap()
        .items;
    let uids: Vec<_> = listed.iter().map(|it| it.uid.as_str()).collect();
    assert_eq!(uids, ["1", "2", "3"]);
    let second = store
        .get(&anna, &uid("2"), &Call::default())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(second.data, event("2", 2).into_bytes());
    assert_eq!(second.etag, listed[1].etag);

    let since = store
        .changes(&anna, None, &Call::default())
        .await
        .unwrap()
        .cursor;
    let moved = object("2", 5);
    let stale = Precondition::Matches(listed[0].etag.clone());
    assert_eq!(
        store
            .put(&anna, &moved, &stale, &Call::default())
            .await
            .unwrap_err()
            .kind(),
        ErrorKind::Conflict
    );
    let matches = Precondition::Matches(second.etag);
    let mut moved = moved;
    moved.data = event("2", 5).into_bytes();
    let etag = store
        .put(&anna, &moved, &matches, &Call::default())
        .await
        .unwrap();
    assert_eq!(read(), several(&[1, 2, 3]).replace("0102", "0105"));
    assert_eq!(days(&store, &anna).await, [1, 3, 5]);
    let second = store
        .get(&anna, &uid("2"), &Call::default())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (second.etag, second.data),
        (etag, event("2", 5).into_bytes())
    );
    let changes = store
        .changes(&anna, Some(&since), &Call::default())
        .await
        .unwrap();
    let uids: Vec<_> = changes.changed.iter().map(|it| it.uid.as_str()).collect();
    assert_eq!((uids, changes.removed.len()), (vec!["2"], 0));

    // Another program writes the file.
    world.exchange(file, &several(&[1, 3, 4]));
    assert_eq!(days(&store, &anna).await, [1, 3, 4]);
    assert!(
        store
            .get(&anna, &uid("2"), &Call::default())
            .await
            .unwrap()
            .is_none()
    );
    for (day, left) in [(3, vec![1, 4]), (1, vec![4])] {
        let day = uid(&day.to_string());
        store
            .remove(&anna, &day, &Precondition::Any, &Call::default())
            .await
            .unwrap();
        assert_eq!(read(), several(&left));
        let left: Vec<i8> = left.iter().map(|&day| i8::try_from(day).unwrap()).collect();
        assert_eq!(days(&store, &anna).await, left);
    }
    store
        .remove(&anna, &uid("4"), &Precondition::Any, &Call::default())
        .await
        .unwrap();
    assert!(files(&world.path("anna@example.org/home")).is_empty());
    assert!(days(&store, &anna).await.is_empty());
}

/// One part of a file that is broken makes nobody free at the others, and is never written beside itself.
#[tokio::test]
async fn what_is_broken_in_a_file_costs_itself_alone() {
    let whole = several(&[1, 2, 3]);
    let second = [
        &whole[whole.find("BEGIN:VEVENT\r\nUID:2").unwrap()..][..12],
        "\r\nUID:2\r\n",
    ]
    .concat();
    let huge = "x".repeat(usize::try_from(crate::directory::MOST_BYTES).unwrap());
    let no_end = {
        let at = whole.find("UID:2").unwrap();
        let end = at + whole[at..].find("END:VEVENT\r\n").unwrap();
        [&whole[..end], &whole[end + 12..]].concat()
    };
    for (file, left, broken) in [
        (no_end, vec![1, 3], Some(2)),
        (
            whole[..whole.rfind("DTEND").unwrap() + 9].to_owned(),
            vec![1, 2],
            Some(3),
        ),
        (format!("{whole}{second}garbage"), vec![1, 2, 3], Some(2)),
        (format!("{whole}garbage\r\n"), vec![1, 2, 3], None),
        (whole.replace("END:VCALENDAR\r\n", ""), vec![1, 2, 3], None),
        (
            format!("\u{feff}{}\u{feff}{}", event("1", 1), event("3", 3)),
            vec![1, 3],
            None,
        ),
        (
            event("1", 1).replace("END:VCALENDAR", "\0\0\0"),
            vec![1],
            None,
        ),
        // A whole component whose times cannot be read is no other case.
        (
            whole.replace("DTSTART:20270102", "DTSTART:20279902"),
            vec![1, 3],
            Some(2),
        ),
        (
            event("2", 2).replace("DTSTART:20270102", "DTSTART:20279902"),
            vec![],
            Some(2),
        ),
        (event("2", 2)[..60].to_owned(), vec![], Some(2)),
        // Nothing reads these, but they are no other object's place.
        (event("2", 2).replace("\r\n", "\r"), vec![], Some(2)),
        (
            event("2", 2).replace("END:VEVENT", &format!("X-A:{huge}\r\nEND:VEVENT")),
            vec![],
            Some(2),
        ),
    ] {
        check_what_is_whole(&file, &left, broken).await;
    }
}

/// Of a file what is of the days `left` can be read, changed and removed, and what is of the day `broken` is left alone.
async fn check_what_is_whole(file: &str, left: &[i8], broken: Option<i8>) {
    let world = World::new();
    let store = world.open().await;
    let anna = store
        .add_user(&NewUser::new(address("anna@example.org")), &Call::default())
        .await
        .unwrap();
    let path = "anna@example.org/home/all.ics";
    world.write(path, file);
    let read = || fs::read_to_string(world.path(path)).unwrap_or_default();
    assert_eq!(days(&store, &anna).await, left, "{file}");
    if let Some(day) = broken {
        let what = uid(&day.to_string());
        for error in [
            store
                .put(
                    &anna,
                    &object(what.as_str(), 9),
                    &Precondition::Any,
                    &Call::default(),
                )
                .await
                .err(),
            store
                .put(
                    &anna,
                    &object(what.as_str(), 9),
                    &Precondition::Absent,
                    &Call::default(),
                )
                .await
                .err(),
            store
                .remove(&anna, &what, &Precondition::Any, &Call::default())
                .await
                .err(),
        ] {
            let error = error.unwrap_or_else(|| panic!("{file}"));
            assert_eq!(error.kind(), ErrorKind::Unavailable);
            assert!(error.message().contains("home/all.ics"), "{error}");
        }
        let got = store.get(&anna, &what, &Call::default()).await;
        let is_whole_too = left.contains(&day);
        assert_eq!(
            got.map(|it| it.is_some()).ok(),
            is_whole_too.then_some(true)
        );
    }
    assert_eq!(read(), file);
    for &day in left.iter().filter(|day| Some(**day) != broken) {
        let what = uid(&day.to_string());
        let data = store
            .get(&anna, &what, &Call::default())
            .await
            .unwrap()
            .unwrap()
            .data;
        assert!(data.ends_with(b"END:VCALENDAR\r\n"), "{file}");
        let (before, new) = (
            read(),
            object(what.as_str(), 20 + u8::try_from(day).unwrap()),
        );
        store
            .put(&anna, &new, &Precondition::Any, &Call::default())
            .await
            .unwrap();
        // A file of one object alone is written as a whole.
        let text = read();
        assert_eq!(
            text.trim_start_matches('\u{feff}'),
            before
                .replace(&format!("2701{day:02}T"), &format!("2701{}T", 20 + day))
                .trim_start_matches('\u{feff}'),
            "{file}"
        );
        assert_eq!(files(&world.path("anna@example.org/home")), ["all.ics"]);
        store
            .remove(&anna, &what, &Precondition::Any, &Call::default())
            .await
            .unwrap();
        assert!(
            !read().contains(&format!("UID:{what}\r\nDTSTART")),
            "{file}"
        );
    }
    // The rest is not thrown away; and what is mended is there again.
    assert_eq!(
        read().contains("garbage"),
        file.contains("garbage"),
        "{file}"
    );
    world.exchange(path, &event("2", 2));
    assert_eq!(days(&store, &anna).await, [2]);
    store
        .put(&anna, &object("2", 4), &Precondition::Any, &Call::default())
        .await
        .unwrap();
    assert_eq!(days(&store, &anna).await, [4]);
}

/// Of two zones of one name the file keeps its own.
#[tokio::test]
async fn an_object_with_another_zone_of_the_same_name_gets_a_file_of_its_own() {
    let world = World::new();
    let store = world.open().await;
    let anna = store
        .add_user(&NewUser::new(address("anna@example.org")), &Call::default())
        .await
        .unwrap();
    let zone = |rule: &str| {
        format!("BEGIN:VTIMEZONE\r\nTZID:Here\r\n{rule}\r\nEND:VTIMEZONE\r\nBEGIN:VEVENT")
    };
    let file = several(&[1, 2]).replacen("BEGIN:VEVENT", &zone("X-A:1"), 1);
    world.write("anna@example.org/home/all.ics", &file);
    assert_eq!(days(&store, &anna).await, [1, 2]);
    let mut new = object("2", 5);
    new.data = event("2", 5)
        .replace("BEGIN:VEVENT", &zone("X-A:2"))
        .into_bytes();
    store
        .put(&anna, &new, &Precondition::Any, &Call::default())
        .await
        .unwrap();
    let folder = world.path("anna@example.org/home");
    assert_eq!(files(&folder), ["2.ics", "all.ics"]);
    assert_eq!(
        fs::read_to_string(folder.join("all.ics")).unwrap(),
        file.replace(&several(&[2])[17..several(&[2]).len() - 15], "")
    );
    let stored = store
        .get(&anna, &uid("2"), &Call::default())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(stored.data, new.data);
    assert_eq!(days(&store, &anna).await, [1, 5]);
}

#[tokio::test]
async fn khal_sees_calendars_and_nothing_else() {
    let world = World::new();
    let store = world.open().await;
    let anna = store
        .add_user(&NewUser::new(address("anna@example.org")), &Call::default())
        .await
        .unwrap();
    store
        .put(
            &anna,
            &object("1f0c@example.org", 1),
            &Precondition::Absent,
            &Call::default(),
        )
        .await
        .unwrap();
    let message = InboxMessage::new(
        address("bo@example.com"),
        address("anna@example.org"),
        "COUNTER",
        uid("1f0c@example.org"),
        event("1f0c@example.org", 2).into_bytes(),
    );
    for _ in 0..2 {
        store
            .inbox_add(&anna, &message, &Call::default())
            .await
            .unwrap();
    }
    let visible = |path: &str| {
        let names = files(&world.path(path)).into_iter();
        names
            .filter(|name| !name.starts_with('.'))
            .collect::<Vec<_>>()
    };
    assert_eq!(visible(""), ["anna@example.org"]);
    assert_eq!(visible("anna@example.org"), ["calendar"]);
    assert_eq!(
        files(&world.path("anna@example.org/calendar")),
        ["1f0c@example.org.ics"]
    );
    assert_eq!(
        files(&world.path("anna@example.org/.convoke/inbox")).len(),
        2
    );
    let mode = |path: &str| fs::metadata(world.path(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(""), 0o700);
    assert_eq!(
        mode("anna@example.org/calendar/1f0c@example.org.ics"),
        0o600
    );
}

/// Opens the tree and looks up Anna; what she answers with, and how many files had to be read for it.
async fn look_up(world: &World) -> (Vec<BusySpan>, usize) {
    let asked = Arc::new(AtomicUsize::new(0));
    let (stand_in, count) = (conformance::host("/"), Arc::clone(&asked));
    let host = Host::for_tests(world.folder.path(), move |user, data| {
        count.fetch_add(1, Ordering::Relaxed);
        stand_in.index_for(user.expect("a user's object"), data)
    });
    let store = VdirStore::open(world.config.clone(), host).await.unwrap();
    let anna = user(&store, "anna@example.org").await;
    let mut spans = store
        .busy(&anna, TimeRange::ALL, &Call::default())
        .await
        .unwrap()
        .spans;
    spans.sort_unstable();
    (spans, asked.load(Ordering::Relaxed))
}

#[tokio::test]
async fn what_one_run_found_out_the_next_one_knows() {
    let world = World::new();
    let path = |number: usize| format!("anna@example.org/home/{number}.ics");
    let put = |number: usize, day| world.write(&path(number), &event(&number.to_string(), day));
    for number in 0..300 {
        put(number, 1 + u8::try_from(number % 28).unwrap());
    }
    let (before, read) = look_up(&world).await;
    assert_eq!((before.len(), read), (300, 300));
    assert_eq!(
        look_up(&world).await,
        (before.clone(), 0),
        "nothing changed"
    );

    put(7, 30);
    put(300, 31);
    fs::remove_file(world.path(&path(0))).unwrap();
    let (after, read) = look_up(&world).await;
    assert_eq!(
        (after.len(), read),
        (300, 2),
        "what changed meanwhile is read"
    );
    assert_ne!(after, before);

    let profile = "timezone = 'Europe/Vienna'";
    world.write("anna@example.org/.convoke.toml", profile);
    let again = look_up(&world).await;
    assert_eq!(
        again,
        (after.clone(), 300),
        "her days begin at another hour"
    );
    assert_eq!(look_up(&world).await, (after.clone(), 0));

    let index = world.path("anna@example.org/.convoke/index");
    let whole = fs::read(&index).unwrap();
    let broken = |at: usize| {
        let mut octets = whole.clone();
        octets[at] ^= 0x20;
        octets
    };
    for (octets, what) in [
        (Vec::new(), "empty"),
        (b"Dear diary".to_vec(), "somebody else's"),
        (whole[..whole.len() / 2].to_vec(), "half"),
        (whole[..whole.len() - 1].to_vec(), "without its end"),
        (broken(0), "another format"),
        (broken(whole.len() / 2), "another octet"),
        (broken(whole.len() - 1), "another sum"),
        ([&whole[..60], &[0xff; 64]].concat(), "an entry of 4 GiB"),
    ] {
        fs::write(&index, octets).unwrap();
        assert_eq!(look_up(&world).await, (after.clone(), 300), "{what}");
        assert_eq!(
            fs::read(&index).unwrap().len(),
            whole.len(),
            "{what}: made anew"
        );
    }
}

#[tokio::test]
async fn what_is_no_calendar_object_is_left_alone() {
    let world = World::new();
    world.write("anna@example.org/home/good.ics", &event("good", 1));
    world.write(
        "anna@example.org/home/broken.ics",
        "BEGIN:VCALENDAR\r\nBEGIN:",
    );
    world.write("anna@example.org/home/new.ics", "Dear diary");
    world.write("anna@example.org/home/.hidden.ics", &event("hidden", 2));
    world.write("anna@example.org/home/notes.txt", &event("notes", 3));
    world.write("anna@example.org/home/displayname", "Home");
    let huge = fs::File::create(world.path("anna@example.org/home/huge.ics")).unwrap();
    huge.set_len(directory::MOST_BYTES + 1).unwrap();
    fs::create_dir(world.path("anna@example.org/home/folder.ics")).unwrap();
    let store = world.open().await;
    let anna = user(&store, "anna@example.org").await;
    assert_eq!(days(&store, &anna).await, [1]);
    // It may be what the name says: nobody calls it off, or writes it once more.
    let put = async |name| {
        let (object, any) = (object(name, 4), Precondition::Any);
        store.put(&anna, &object, &any, &Call::default()).await
    };
    for name in ["broken", "new"] {
        let error = put(name).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        let got = store.get(&anna, &uid(name), &Call::default()).await;
        assert_eq!(got.unwrap_err().kind(), ErrorKind::Unavailable);
    }
    put("fresh").await.unwrap();
    assert_eq!(days(&store, &anna).await, [1, 4]);
    let text = |path: &str| fs::read_to_string(world.path(path)).unwrap();
    assert_eq!(text("anna@example.org/home/new.ics"), "Dear diary");
    assert_eq!(text("anna@example.org/home/fresh.ics"), event("fresh", 4));
    assert_eq!(
        text("anna@example.org/home/broken.ics"),
        "BEGIN:VCALENDAR\r\nBEGIN:"
    );
    // Mended, it counts.
    world.write("anna@example.org/home/broken.ics", &event("mended", 5));
    assert_eq!(days(&store, &anna).await, [1, 4, 5]);
}

#[tokio::test]
async fn no_symbolic_link_leads_out_of_the_tree() {
    let world = World::new();
    let outside = tempfile::tempdir().unwrap();
    let secret = outside.path().join("secret.ics");
    fs::write(&secret, event("secret", 1)).unwrap();
    world.write("anna@example.org/home/a.ics", &event("a", 2));
    symlink(&secret, world.path("anna@example.org/home/link.ics")).unwrap();
    symlink(outside.path(), world.path("anna@example.org/linked")).unwrap();
    symlink(outside.path(), world.path("bo@example.org")).unwrap();
    let store = world.open().await;
    let anna = user(&store, "anna@example.org").await;
    assert_eq!(days(&store, &anna).await, [2]);
    assert_eq!(
        store
            .find(&address("bo@example.org"), &Call::default())
            .await
            .unwrap(),
        None
    );
    store
        .put(
            &anna,
            &object("link", 3),
            &Precondition::Absent,
            &Call::default(),
        )
        .await
        .unwrap();
    store
        .put(
            &anna,
            &object("secret", 4),
            &Precondition::Absent,
            &Call::default(),
        )
        .await
        .unwrap();
    assert_eq!(fs::read_to_string(&secret).unwrap(), event("secret", 1));
    assert_eq!(files(outside.path()), ["secret.ics"]);
    // A calendar exchanged for a link while the store is open.
    fs::rename(
        world.path("anna@example.org/home"),
        world.path("anna@example.org/.old"),
    )
    .unwrap();
    symlink(outside.path(), world.path("anna@example.org/home")).unwrap();
    assert_eq!(
        store.get(&anna, &uid("a"), &Call::default()).await.unwrap(),
        None
    );
    store.remove_user(&anna, &Call::default()).await.unwrap();
    assert_eq!(files(outside.path()), ["secret.ics"]);
}

#[tokio::test]
async fn new_objects_go_where_they_are_expected() {
    for (folders, configured, profile, calendar) in [
        (&[][..], None, "", "calendar"),
        (&["home"], None, "", "home"),
        (&["home", "work"], None, "", "calendar"),
        (&["home", "work"], Some("work"), "", "work"),
        (&["home"], Some("work"), "", "work"),
        (&["home", "work"], Some("work"), "calendar = 'home'", "home"),
    ] {
        let mut world = World::new();
        world.config.calendar = configured.map(str::to_owned);
        world.write("anna@example.org/.convoke.toml", profile);
        for folder in folders {
            world.write(&format!("anna@example.org/{folder}/color"), "#ff0000");
        }
        let store = world.open().await;
        let anna = user(&store, "anna@example.org").await;
        store
            .put(&anna, &object("a", 1), &Precondition::Any, &Call::default())
            .await
            .unwrap();
        let path = world.path(&format!("anna@example.org/{calendar}/a.ics"));
        assert!(path.exists(), "{folders:?} {configured:?} {profile}");
    }
}

#[tokio::test]
async fn a_folder_belongs_to_whom_it_says() {
    let mut world = World::new();
    let profile = Profile {
        address: Some(address("bo@example.org")),
        timezone: Some("Europe/Vienna".to_owned()),
        ..Profile::default()
    };
    world.config.users.insert("bo".to_owned(), profile);
    for folder in [
        "anna@example.org",
        "bo",
        "nobody",
        "cy",
        ".hidden@example.org",
    ] {
        world.write(&format!("{folder}/home/a.ics"), &event("a", 1));
    }
    world.write(
        "cy/.convoke.toml",
        "address = 'cy@example.org'\naliases = ['c@example.org']\nkind = 'room'",
    );
    world.write("anna@example.org/.convoke.toml", "nme = 'a typing error'");
    let store = world.open().await;
    for (text, folder) in [
        ("Anna@example.org", "anna@example.org"),
        ("bo@example.org", "bo"),
        ("C@EXAMPLE.org", "cy"),
    ] {
        assert_eq!(user(&store, text).await.as_str(), folder);
    }
    for nobody in [
        "nobody@example.org",
        "hidden@example.org",
        ".hidden@example.org",
        "cy@example.com",
    ] {
        assert_eq!(
            store
                .find(&address(nobody), &Call::default())
                .await
                .unwrap(),
            None,
            "{nobody}"
        );
    }
    // Edited by hand.
    world.write("cy/.convoke.toml", "address = 'cynthia@example.org'");
    assert_eq!(
        store
            .find(&address("c@example.org"), &Call::default())
            .await
            .unwrap(),
        None
    );
    assert_eq!(user(&store, "cynthia@example.org").await.as_str(), "cy");
}

#[tokio::test]
async fn a_wrong_configuration_says_what_is_wrong() {
    for (calendar, folder, says) in [
        (Some("../out"), None, "the calendar `../out`"),
        (Some(".hidden"), None, "the calendar `.hidden`"),
        (None, Some("a/b"), "`a/b`, which is no name of a folder"),
    ] {
        let mut world = World::new();
        world.config.calendar = calendar.map(str::to_owned);
        if let Some(folder) = folder {
            world
                .config
                .users
                .insert(folder.to_owned(), Profile::default());
        }
        let error = world.try_open().await.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.message().contains(says), "{error}");
    }
}

/// The half that is killed: see below.
#[tokio::test]
#[ignore = "writes until it is killed"]
async fn writes_until_it_is_killed() {
    if let Some(folder) = env::var_os("CONVOKE_TEST_FOLDER") {
        let host = conformance::host(folder);
        let store = VdirStore::open(World::new().config, host).await.unwrap();
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
        let store = VdirStore::open(World::new().config, host).await.unwrap();
        let told = conformance::crash::survived(&store, &printed)
            .await
            .unwrap();
        assert!(told >= acknowledged);
    }
}
