use super::{
    fake::{Tells, multistatus, response, without},
    *,
};
use std::time::Duration;

/// Somebody who follows the changes of some users.
struct Follower<'a> {
    store: &'a CalDavStore,
    watched: Vec<Watched>,
}

impl<'a> Follower<'a> {
    async fn of(store: &'a CalDavStore, users: &[&str]) -> Self {
        let mut watched = Vec::new();
        for user in users {
            let user = UserId::new(*user).unwrap();
            let cursor = store
                .changes(&user, None, &Call::default())
                .await
                .unwrap()
                .cursor;
            watched.push(Watched::new(user, cursor));
        }
        Self { store, watched }
    }

    async fn waits(&self, time: Duration) -> Result<Vec<String>> {
        // The clock of a call is not the one that is paused.
        let watch = Watch::over(self.watched.clone());
        let call = Call::within(time * 10 / 9);
        let changed = self.store.await_changes(&watch, &call).await?;
        let users = changed.users.into_iter();
        Ok(users.map(|user| user.as_str().to_owned()).collect())
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

    /// Something happens on the server, and that is told of it.
    async fn hears(&mut self, what: &str, work: impl FnOnce(), changed: &[&str], removed: &[&str]) {
        let strings = |uids: &[&str]| uids.iter().map(|&uid| uid.to_owned()).collect::<Vec<_>>();
        work();
        if !changed.is_empty() || !removed.is_empty() {
            let heard = self.waits(Duration::from_secs(120)).await.unwrap();
            assert_eq!(heard, ["anna@example.org"], "{what}");
        }
        let told = self.takes().await;
        assert_eq!(told, (strings(changed), strings(removed)), "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_hears_what_other_programs_do() {
    for tells in [Tells::Ctag, Tells::SyncToken, Tells::Nothing] {
        let world = World::new().await;
        let server = &world.server;
        server.tells(tells);
        server.has(&["friends", "home", "work"]);
        server.write("/anna/home/a.ics", &object("a", 10).data);
        let mut follower =
            Follower::of(&world.store, &["anna@example.org", "bo@example.org"]).await;
        let began = tokio::time::Instant::now();
        let write = |path: &str, uid: &str, hour| server.write(path, &object(uid, hour).data);
        let new = || write("/anna/home/b.ics", "b", 10);
        follower.hears("a new object", new, &["b"], &[]).await;
        let change = || write("/anna/home/b.ics", "b", 11);
        follower.hears("a changed one", change, &["b"], &[]).await;
        let earlier = || server.rename("/anna/home/b.ics", "/anna/friends/b.ics");
        follower
            .hears(
                "moved to a calendar that is looked at earlier",
                earlier,
                &["b"],
                &[],
            )
            .await;
        let later = || server.rename("/anna/friends/b.ics", "/anna/work/c.ics");
        follower
            .hears("moved to one that is looked at later", later, &["b"], &[])
            .await;
        let copy = || write("/anna/friends/d.ics", "b", 12);
        follower.hears("in two calendars", copy, &["b"], &[]).await;
        let one = || server.remove("/anna/work/c.ics");
        follower.hears("in one again", one, &["b"], &[]).await;
        let cut = || {
            server.write(
                "/anna/friends/d.ics",
                b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n",
            );
        };
        follower.hears("broken", cut, &[], &[]).await;
        let error = world.get("b").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        let mend = || write("/anna/friends/d.ics", "b", 13);
        follower.hears("mended", mend, &["b"], &[]).await;
        let other = || write("/anna/friends/d.ics", "e", 13);
        follower
            .hears("another in its place", other, &["e"], &["b"])
            .await;
        let calendar = || server.has(&["home", "work"]);
        follower
            .hears("a calendar removed", calendar, &[], &["e"])
            .await;
        let gone = || server.remove("/anna/home/a.ics");
        follower.hears("removed", gone, &[], &["a"]).await;
        let took = began.elapsed();
        assert!(
            took < Duration::from_secs(180),
            "{took:?}: busy accounts are looked at every few seconds"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_quiet_account_costs_a_request_a_look_and_fewer_and_fewer_looks() {
    for (tells, interval, most) in [(Tells::Ctag, 60, 68), (Tells::SyncToken, 600, 20)] {
        let mut world = World::new().await;
        world.server.tells(tells);
        world.server.has(&["friends", "home", "work"]);
        world
            .server
            .write("/anna/home/a.ics", &object("a", 10).data);
        let config = format!("poll_interval = {interval}\n");
        world.store = open_with(&world.server.origin, &world.folder, &config).await;
        let mut follower = Follower::of(&world.store, &["anna@example.org"]).await;
        world
            .server
            .write("/anna/home/a.ics", &object("a", 11).data);
        follower
            .waits(Duration::from_secs(2 * interval))
            .await
            .unwrap();
        follower.takes().await;
        world.server.seen();
        let heard = follower.waits(Duration::from_secs(3600)).await.unwrap();
        assert_eq!(heard, Vec::<String>::new());
        let seen = world.server.seen();
        assert!(
            seen.len() <= most && seen.len() >= most / 2,
            "{} requests an hour",
            seen.len()
        );
        let is_look = |it: &Seen| it.method == "PROPFIND" && it.path == "/anna/";
        assert!(seen.iter().all(is_look), "{seen:?}");
    }
}

/// `count` users, who were all looked at once.
async fn many(store: &CalDavStore, count: usize) -> Follower<'_> {
    let users: Vec<String> = (0..count)
        .map(|number| format!("user-{number}@example.org"))
        .collect();
    let users: Vec<&str> = users.iter().map(String::as_str).collect();
    Follower::of(store, &users).await
}

#[tokio::test(start_paused = true)]
async fn a_look_at_a_thousand_quiet_accounts_costs_a_thousand_requests() {
    let world = World::new().await;
    world.server.has(&["home", "work"]);
    let follower = many(&world.store, 1000).await;
    world.server.seen();
    // Each is due once in a minute.
    let heard = follower.waits(Duration::from_secs(60)).await.unwrap();
    assert_eq!(heard, Vec::<String>::new());
    let mut seen: Vec<String> = world.server.seen().into_iter().map(|it| it.path).collect();
    let requests = seen.len();
    seen.sort_unstable();
    seen.dedup();
    assert!(
        requests <= 1000 && seen.len() > 900,
        "{requests} requests, {} accounts",
        seen.len()
    );
    world
        .server
        .write("/user-700/home/a.ics", &object("a", 10).data);
    let heard = follower.waits(Duration::from_secs(120)).await.unwrap();
    assert_eq!(heard, ["user-700@example.org"]);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_down_is_asked_by_one_account_ever_more_seldom() {
    let world = World::new().await;
    let follower = many(&world.store, 100).await;
    world
        .server
        .misbehave(always(|| reply(503, "text/plain", "")));
    world.server.seen();
    let error = follower.waits(Duration::from_secs(120)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    for _ in 0..60 {
        tokio::time::advance(Duration::from_secs(10)).await;
        let error = follower.waits(Duration::from_secs(60)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    }
    let requests = world.server.seen().len();
    assert!(
        (20..100).contains(&requests),
        "{requests} requests in ten minutes"
    );
    world.server.behave();
    world
        .server
        .write("/user-70/work/a.ics", &object("a", 10).data);
    tokio::time::advance(Duration::from_secs(30)).await;
    let heard = follower.waits(Duration::from_secs(120)).await.unwrap();
    assert_eq!(heard, ["user-70@example.org"]);
}

#[tokio::test(start_paused = true)]
async fn an_account_that_cannot_be_looked_at_is_in_nobody_elses_way() {
    let world = World::new().await;
    let both = Follower::of(&world.store, &["anna@example.org", "bo@example.org"]).await;
    let anna = Follower::of(&world.store, &["anna@example.org"]).await;
    world.server.misbehave(|seen: &Seen| {
        let is_hers = seen.path.starts_with("/anna/");
        is_hers.then(|| Fault::Answer(reply(403, "text/plain", "")))
    });
    let heard = both.waits(Duration::from_secs(300)).await.unwrap();
    assert_eq!(heard, Vec::<String>::new());
    let error = anna.waits(Duration::from_secs(300)).await.unwrap_err();
    assert!(error.message().contains("anna@example.org"), "{error}");
    world.server.write("/bo/work/a.ics", &object("a", 10).data);
    let heard = both.waits(Duration::from_secs(300)).await.unwrap();
    assert_eq!(heard, ["bo@example.org"]);
}

/// The server of a user whom this run has not met yet is down: then it is tried again later, too.
#[tokio::test(start_paused = true)]
async fn an_account_that_cannot_be_opened_is_tried_again() {
    let world = World::new().await;
    world
        .server
        .misbehave(always(|| reply(503, "text/plain", "")));
    let user = UserId::new("anna@example.org").unwrap();
    let watched = vec![Watched::new(user, Cursor::new("of the last run"))];
    let follower = Follower {
        store: &world.store,
        watched,
    };
    for _ in 0..60 {
        let error = follower.waits(Duration::from_secs(300)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        tokio::time::advance(Duration::from_secs(10)).await;
    }
    let requests = world.server.seen().len();
    assert!((20..100).contains(&requests), "{requests} in ten minutes");
    world.server.behave();
    tokio::time::advance(Duration::from_secs(60)).await;
    let heard = follower.waits(Duration::from_secs(300)).await.unwrap();
    assert_eq!(heard, ["anna@example.org"], "its cursor is of another run");
}

#[tokio::test(start_paused = true)]
async fn what_moves_while_it_is_looked_for_is_not_gone() {
    for tells in [Tells::Ctag, Tells::SyncToken] {
        let world = World::new().await;
        world.server.tells(tells);
        world.server.has(&["home", "work"]);
        world
            .server
            .write("/anna/work/a.ics", &object("a", 10).data);
        let mut follower = Follower::of(&world.store, &["anna@example.org"]).await;
        world
            .server
            .write("/anna/work/b.ics", &object("b", 10).data);
        let mut moved = false;
        world.server.misbehave(move |seen: &Seen| {
            let is_later = seen.path == "/anna/work/" && seen.method != "GET";
            if !is_later || std::mem::replace(&mut moved, true) {
                return None;
            }
            let happens = |server: &Fake| server.rename("/anna/work/a.ics", "/anna/home/a.ics");
            Some(Fault::Before(Box::new(happens)))
        });
        let (mut changed, removed) = follower.takes().await;
        changed.sort_unstable();
        assert_eq!(
            (changed, removed),
            (vec!["a".to_owned(), "b".to_owned()], vec![]),
            "{tells:?}"
        );
    }
}

#[tokio::test]
async fn what_the_server_does_not_show_is_not_gone() {
    let world = World::new().await;
    world
        .server
        .write("/anna/work/a.ics", &object("a", 10).data);
    world
        .server
        .write("/anna/work/b.ics", &object("b", 10).data);
    let mut follower = Follower::of(&world.store, &["anna@example.org"]).await;
    let home = response("/anna/", "<D:resourcetype><D:collection/></D:resourcetype>");
    for (what, listing) in [
        ("nothing is listed", String::new()),
        (
            "the calendar is forbidden",
            home.clone() + &without("/anna/work/", "403 Forbidden"),
        ),
        (
            "nobody says that it is one",
            home + &response("/anna/work/", "<D:displayname>Work</D:displayname>"),
        ),
    ] {
        world.server.misbehave(move |seen: &Seen| {
            (seen.path == "/anna/").then(|| Fault::Answer(multistatus(&listing)))
        });
        let Watched { user, since, .. } = &follower.watched[0];
        let told = world
            .store
            .changes(user, Some(since), &Call::default())
            .await;
        assert_eq!(told.unwrap_err().kind(), ErrorKind::Unavailable, "{what}");
    }
    // Of two objects one is not shown.
    let listing = without("/anna/work/a.ics", "500 Internal Server Error")
        + &response("/anna/work/b.ics", "<D:getetag>\"2\"</D:getetag>");
    world
        .server
        .write("/anna/work/c.ics", &object("c", 10).data);
    world.server.misbehave(move |seen: &Seen| {
        let is_listing = seen.path == "/anna/work/" && seen.method == "PROPFIND";
        is_listing.then(|| Fault::Answer(multistatus(&listing)))
    });
    assert_eq!(follower.takes().await, (vec![], vec![]));
    world.server.behave();
    world.server.remove("/anna/work/a.ics");
    assert_eq!(
        follower.takes().await,
        (vec!["c".to_owned()], vec!["a".to_owned()])
    );
}

/// A host waits in short turns; a look that takes longer is not begun anew at each.
#[tokio::test(start_paused = true)]
async fn a_look_ends_though_nobody_waits_for_it_any_more() {
    let world = World::new().await;
    let follower = Follower::of(&world.store, &["anna@example.org"]).await;
    world
        .server
        .write("/anna/work/a.ics", &object("a", 10).data);
    // Three requests are needed.
    world
        .server
        .misbehave(|_| Some(Fault::Late(Duration::from_millis(800))));
    tokio::time::advance(Duration::from_secs(60)).await;
    for _ in 0..10 {
        let waiting = follower.waits(Duration::from_secs(300));
        if let Ok(heard) = tokio::time::timeout(Duration::from_secs(1), waiting).await {
            assert_eq!(heard.unwrap(), ["anna@example.org"]);
            return;
        }
    }
    panic!("ten turns were not enough: {:?}", world.server.seen());
}

/// The account of one user cannot be opened; that is no reason to list nobody.
#[tokio::test]
async fn who_cannot_be_reached_is_left_out_of_the_list() {
    let world = World::new().await;
    world.server.misbehave(|seen: &Seen| {
        let is_hers = seen.path.starts_with("/anna/");
        is_hers.then(|| Fault::Answer(reply(403, "text/plain", "")))
    });
    let origin = &world.server.origin;
    let users = ["anna", "bo"]
        .map(|it| format!("users.\"{it}@example.org\" = {{ home = \"{origin}/{it}/\" }}\n"));
    let test = convoke_sdk::TestHost::new(world.folder.path());
    let config = toml::from_str(&users.concat()).unwrap();
    let store = CalDavStore::open(config, test.host()).await.unwrap();
    for _ in 0..3 {
        let listed = store
            .users(&Page::first(10), &Call::default())
            .await
            .unwrap();
        let listed: Vec<&str> = listed.items.iter().map(|it| it.id.as_str()).collect();
        assert_eq!(listed, ["bo@example.org"]);
    }
    let why = test.degraded().unwrap();
    assert!(
        why.contains("anna@example.org") && why.contains("403"),
        "{why}"
    );
    let asked = world
        .server
        .seen()
        .into_iter()
        .filter(|it| it.path.starts_with("/anna/"));
    assert_eq!(asked.count(), 1, "she is not tried again at once");
    let config = toml::from_str(&users[0]).unwrap();
    let alone = CalDavStore::open(config, test.host()).await.unwrap();
    let error = alone
        .users(&Page::first(10), &Call::default())
        .await
        .unwrap_err();
    assert!(error.message().contains("403"), "{error}");
}

/// An object changes, and the server names its new version and does not hand it out at first: it is asked for again.
#[tokio::test]
async fn what_is_not_handed_out_at_once_is_asked_for_again() {
    for status in [
        Some("403 Forbidden"),
        Some("500 Internal Server Error"),
        None,
    ] {
        let world = World::new().await;
        let path = "/anna/work/a.ics";
        world.server.write(path, &object("a", 10).data);
        let mut follower = Follower::of(&world.store, &["anna@example.org"]).await;
        world.server.write(path, &object("a", 11).data);
        let says = status.map_or_else(String::new, |it| without(path, it));
        world.server.misbehave(move |seen: &Seen| {
            (seen.method == "REPORT").then(|| Fault::Answer(multistatus(&says)))
        });
        assert_eq!(follower.takes().await, (vec![], vec![]), "{status:?}");
        world.server.behave();
        let changed = (vec!["a".to_owned()], vec![]);
        assert_eq!(follower.takes().await, changed, "{status:?}");
        world.server.seen();
        assert_eq!(follower.takes().await, (vec![], vec![]));
        let seen = world.server.seen();
        assert!(seen.iter().all(|it| it.method != "REPORT"), "it is there");
    }
}
