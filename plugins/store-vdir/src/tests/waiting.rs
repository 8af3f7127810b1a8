use super::*;
use convoke_sdk::{TestHost, tracing};
use std::{io, sync::atomic::AtomicBool, time::Duration};

const ANNA: &str = "anna@example.org";

/// Somebody who follows the changes of some users.
struct Follower<'a> {
    store: &'a VdirStore,
    watched: Vec<Watched>,
}

impl<'a> Follower<'a> {
    async fn of(store: &'a VdirStore, users: &[&str]) -> Self {
        let mut watched = Vec::new();
        for name in users {
            let user = user(store, name).await;
            let changes = store.changes(&user, None, &Call::default()).await.unwrap();
            watched.push(Watched::new(user, changes.cursor));
        }
        Self { store, watched }
    }

    /// Waits while `work` is done; the users to whom something happened.
    async fn awaits(&self, work: impl FnOnce()) -> Vec<String> {
        let call = Call::within(Duration::from_secs(60));
        let watch = Watch::over(self.watched.clone());
        let waiting = self.store.await_changes(&watch, &call);
        let (changed, ()) = tokio::join!(waiting, async { work() });
        let users = changed.unwrap().users.into_iter();
        users.map(|user| user.as_str().to_owned()).collect()
    }

    /// What has happened to the first of them: changed and removed UIDs.
    async fn takes(&mut self) -> (Vec<String>, Vec<String>) {
        let Watched { user, since, .. } = &mut self.watched[0];
        let call = Call::default();
        let told = self.store.changes(user, Some(since), &call).await.unwrap();
        *since = told.cursor;
        let changed = told.changed.iter().map(|it| it.uid.as_str().to_owned());
        let removed = told.removed.iter().map(|it| it.as_str().to_owned());
        (changed.collect(), removed.collect())
    }

    /// Anna's calendars are changed while this waits, and that is what is told of it.
    async fn hears(&mut self, what: &str, work: impl FnOnce(), changed: &[&str], removed: &[&str]) {
        if changed.is_empty() && removed.is_empty() {
            work();
        } else {
            assert_eq!(self.awaits(work).await, [ANNA], "{what}");
        }
        let (now, gone) = self.takes().await;
        assert_eq!(
            (now.as_slice(), gone.as_slice()),
            (&*strings(changed), &*strings(removed)),
            "{what}"
        );
    }
}

fn strings(uids: &[&str]) -> Vec<String> {
    uids.iter().map(|&uid| uid.to_owned()).collect()
}

/// What other programs do to Anna's calendars, step by step, and what is told of it.
async fn follow_other_programs(world: &World, store: &VdirStore) {
    let mut follower = Follower::of(store, &[ANNA, "bo@example.org"]).await;
    follow_files(world, &mut follower).await;
    follow_calendars(world, &mut follower).await;
    let gone = || fs::remove_dir_all(world.path(ANNA)).unwrap();
    assert_eq!(follower.awaits(gone).await, [ANNA], "the user is gone");
}

async fn follow_files(world: &World, follower: &mut Follower<'_>) {
    let name = |file: &str| format!("{ANNA}/{file}");
    let rename = |from: &str, to: &str| {
        fs::rename(world.path(&name(from)), world.path(&name(to))).unwrap();
    };
    let exchange = |day| world.exchange(&name("home/b.ics"), &event("b", day));
    follower
        .hears("a new file", || exchange(2), &["b"], &[])
        .await;
    follower
        .hears("a file exchanged", || exchange(3), &["b"], &[])
        .await;
    let edit = || world.write(&name("home/b.ics"), &event("b", 4));
    follower.hears("edited in place", edit, &["b"], &[]).await;
    let earlier = || rename("home/b.ics", "friends/b.ics");
    follower
        .hears(
            "moved to a calendar that is looked at earlier",
            earlier,
            &["b"],
            &[],
        )
        .await;
    let later = || rename("friends/b.ics", "home/b.ics");
    follower
        .hears("moved to one that is looked at later", later, &["b"], &[])
        .await;
    let rename = || rename("home/b.ics", "home/z.ics");
    follower.hears("renamed", rename, &["b"], &[]).await;
    let copy = || {
        world.write(&name("friends/b.ics"), &event("b", 5));
        fs::remove_file(world.path(&name("home/z.ics"))).unwrap();
    };
    follower
        .hears("copied, then removed", copy, &["b"], &[])
        .await;
    let remove = || fs::remove_file(world.path(&name("friends/b.ics"))).unwrap();
    follower.hears("removed", remove, &[], &["b"]).await;
}

async fn follow_calendars(world: &World, follower: &mut Follower<'_>) {
    let name = |file: &str| format!("{ANNA}/{file}");
    let write = |file: &str, text: &str| world.write(&name(file), text);
    let new = || write("new/c.ics", &event("c", 6));
    follower
        .hears("a new calendar with something in it", new, &["c"], &[])
        .await;
    let rename = || fs::rename(world.path(&name("new")), world.path(&name("old"))).unwrap();
    follower
        .hears("a calendar renamed", rename, &["c"], &[])
        .await;
    let other = || write("old/c.ics", &event("d", 6));
    follower
        .hears("another UID in the file", other, &["d"], &["c"])
        .await;
    let cut = || write("old/c.ics", &event("d", 6)[..60]);
    follower.hears("broken", cut, &[], &[]).await;
    let mend = || write("old/c.ics", &event("d", 7));
    follower.hears("mended", mend, &["d"], &[]).await;
    let remove = || fs::remove_dir_all(world.path(&name("old"))).unwrap();
    follower
        .hears("a calendar removed", remove, &[], &["d"])
        .await;
}

fn begin() -> World {
    let world = World::new();
    for folder in [ANNA, "bo@example.org"] {
        for calendar in ["friends", "home"] {
            let name = format!("{folder}/{calendar}/first-of-{calendar}.ics");
            world.write(&name, &event(calendar, 1));
        }
    }
    world
}

#[tokio::test]
async fn who_waits_hears_what_other_programs_do() {
    let world = begin();
    let store = world.open().await;
    follow_other_programs(&world, &store).await;
}

/// The clock is the test's: it goes on when nothing else is to be done.
#[tokio::test(start_paused = true)]
async fn who_waits_without_a_watch_hears_it_when_the_files_are_looked_at() {
    let world = begin();
    let mut store = world.open().await;
    Arc::get_mut(&mut store.0).unwrap().watch = watch::Watch::nowhere();
    let began = tokio::time::Instant::now();
    follow_other_programs(&world, &store).await;
    let took = began.elapsed();
    assert!(
        took < Duration::from_secs(60),
        "{took:?}: looks follow soon after something happened"
    );
    let quiet = Follower::of(&store, &["bo@example.org"]).await;
    let call = Call::within(Duration::from_secs(600));
    let watch = Watch::over(quiet.watched.clone());
    let nothing = store.await_changes(&watch, &call).await.unwrap();
    assert_eq!(nothing.users, []);
}

#[tokio::test]
async fn of_many_users_the_one_to_whom_something_happened_is_told() {
    let world = World::new();
    let names: Vec<String> = (0..40)
        .map(|number| format!("user-{number:02}@example.org"))
        .collect();
    for name in &names {
        for calendar in ["home", "work"] {
            world.write(&format!("{name}/{calendar}/a.ics"), &event(calendar, 1));
        }
    }
    let read = Arc::new(AtomicUsize::new(0));
    let (stand_in, count) = (conformance::host("/"), Arc::clone(&read));
    let host = Host::for_tests(world.folder.path(), move |user, data| {
        count.fetch_add(1, Ordering::Relaxed);
        stand_in.index_for(user.expect("a user's object"), data)
    });
    let store = VdirStore::open(world.config.clone(), host).await.unwrap();
    let all: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut follower = Follower::of(&store, &all).await;
    follower.watched.swap(0, 17);
    let before = read.load(Ordering::Relaxed);
    let write = || world.write(&format!("{}/work/b.ics", names[17]), &event("b", 2));
    assert_eq!(follower.awaits(write).await, [names[17].clone()]);
    assert_eq!(follower.takes().await, (strings(&["b"]), vec![]));
    assert_eq!(
        read.load(Ordering::Relaxed),
        before + 1,
        "one file was read"
    );
}

/// The kernel's queue holds so many events; what does not fit is lost.
#[tokio::test]
async fn what_the_kernel_had_no_room_for_is_found_all_the_same() {
    let most = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap();
    let most: usize = most.trim().parse().unwrap();
    let world = begin();
    let store = world.open().await;
    let mut follower = Follower::of(&store, &[ANNA, "bo@example.org"]).await;
    // Opened for writing and closed, in turn: the kernel makes one of two events that are the same.
    for number in 0..=most {
        let calendar = ["friends", "home"][number % 2];
        let file = world.path(&format!("{ANNA}/{calendar}/first-of-{calendar}.ics"));
        drop(fs::File::options().append(true).open(file).unwrap());
    }
    world.write("bo@example.org/home/late.ics", &event("late", 2));
    world.write(&format!("{ANNA}/friends/late.ics"), &event("late", 2));
    assert_eq!(follower.awaits(|| ()).await, [ANNA, "bo@example.org"]);
    assert_eq!(follower.takes().await, (strings(&["late"]), vec![]));
}

#[tokio::test]
async fn what_cannot_be_read_is_not_gone() {
    let world = begin();
    let (file, several) = (format!("{ANNA}/home/d.ics"), several(&[1, 2, 3]));
    world.write(&file, &several);
    let store = world.open().await;
    let mut follower = Follower::of(&store, &[ANNA]).await;
    let anna = user(&store, ANNA).await;
    let cut = &several[..several.find("UID:3").unwrap()];
    for (what, text) in [("cut off", cut), ("empty", ""), ("garbage", "Dear diary")] {
        world.write(&file, text);
        assert_eq!(follower.takes().await, (vec![], vec![]), "{what}");
        let error = store
            .get(&anna, &uid("3"), &Call::default())
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{what}");
        assert!(error.message().contains("home/d.ics"), "{error}");
    }
    // The next run has its own history; it knows what it would not find.
    let again = world.open().await;
    let error = again
        .get(&anna, &uid("3"), &Call::default())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    fs::remove_file(world.path(&file)).unwrap();
    assert_eq!(
        again.get(&anna, &uid("3"), &Call::default()).await.unwrap(),
        None
    );

    world.write(&file, &several);
    let (mut mended, removed) = follower.takes().await;
    mended.sort_unstable();
    assert_eq!((mended, removed), (strings(&["1", "2", "3"]), vec![]));
    // Somebody takes one out of a file in which another thing is broken.
    world.write(&file, &format!("{several}garbage"));
    assert_eq!(follower.takes().await, (vec![], vec![]));
    let two = Precondition::Any;
    store
        .remove(&anna, &uid("2"), &two, &Call::default())
        .await
        .unwrap();
    assert_eq!(follower.takes().await, (vec![], strings(&["2"])));
}

/// What is logged while `work` is done, line by line.
fn logged(work: impl FnOnce()) -> Vec<String> {
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(move || writer.clone());
    tracing::subscriber::with_default(subscriber.finish(), work);
    let bytes = lines.0.lock().unwrap();
    let text = String::from_utf8(bytes.clone()).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn what_is_wrong_is_logged_once_with_file_and_line() {
    let world = begin();
    let store = world.open().await;
    let anna = user(&store, ANNA).await;
    let look = || {
        let changes = store
            .0
            .with(&anna, |calendars, shared| calendars.changes(shared, None));
        drop(changes.unwrap());
    };
    assert_eq!(logged(look), Vec::<String>::new());

    let whole = several(&[8, 9]);
    let broken = whole.replacen("END:VEVENT\r\n", "", 1);
    world.write(&format!("{ANNA}/home/broken.ics"), &broken);
    let lines = logged(|| {
        look();
        look();
    });
    let [line] = lines.as_slice() else {
        panic!("{lines:#?}")
    };
    for part in ["object-unreadable", "home/broken.ics: line ", "UID 8"] {
        assert!(line.contains(part), "{line}");
    }
    world.exchange(&format!("{ANNA}/home/broken.ics"), &event("broken", 2));
    assert_eq!(logged(look), Vec::<String>::new());

    world.write(&format!("{ANNA}/friends/copy.ics"), &event("broken", 2));
    let lines = logged(|| {
        look();
        world.exchange(&format!("{ANNA}/friends/copy.ics"), &event("broken", 3));
        look();
    });
    let [line] = lines.as_slice() else {
        panic!("{lines:#?}")
    };
    for part in ["object-duplicate", "friends/copy.ics", "home/broken.ics"] {
        assert!(line.contains(part), "{line}");
    }
}

#[tokio::test(start_paused = true)]
async fn files_that_cannot_be_looked_at_are_an_error_only_if_none_can() {
    let world = begin();
    let ill = Arc::new(AtomicBool::new(true));
    let (stand_in, is_ill) = (conformance::host("/"), Arc::clone(&ill));
    let test = TestHost::new(world.folder.path()).with_index(move |user, data| {
        let is_late = data.windows(8).any(|it| it == b"UID:late");
        if is_late && is_ill.load(Ordering::Relaxed) {
            return Err(Error::unavailable("the host is overloaded"));
        }
        stand_in.index_for(user.expect("a user's object"), data)
    });
    let store = VdirStore::open(world.config.clone(), test.host())
        .await
        .unwrap();
    let both = Follower::of(&store, &[ANNA, "bo@example.org"]).await;
    let mut alone = Follower::of(&store, &[ANNA]).await;
    world.write(&format!("{ANNA}/home/late.ics"), &event("late", 2));
    let write = || world.write("bo@example.org/home/b.ics", &event("b", 2));
    assert_eq!(both.awaits(write).await, ["bo@example.org"]);
    let call = Call::within(Duration::from_secs(60));
    let watch = Watch::over(alone.watched.clone());
    let error = store.await_changes(&watch, &call).await.unwrap_err();
    assert_eq!(error, Error::unavailable("the host is overloaded"));
    let why = test.degraded().unwrap();
    assert!(why.contains(ANNA) && why.contains("overloaded"), "{why}");
    ill.store(false, Ordering::Relaxed);
    tokio::time::advance(Duration::from_secs(30)).await;
    assert_eq!(alone.awaits(|| ()).await, [ANNA]);
    assert_eq!(alone.takes().await, (strings(&["late"]), vec![]));
    assert_eq!(test.degraded(), None);
}
