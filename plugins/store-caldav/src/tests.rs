//! The plugin against a server that misbehaves; against real ones it is tried in `tests/live`.

mod fake;
mod scheduling;
mod waiting;

use super::*;
use convoke_sdk::{
    TestHost,
    conformance::{self, StoreFacts},
};
use fake::{Fake, Fault, Reply, Seen, reply};
use http::header;
use std::{fs, os::unix::fs::PermissionsExt};

const PASSWORD: &str = "correct horse";

/// A server, and a store in front of it.
struct World {
    server: Fake,
    folder: tempfile::TempDir,
    store: CalDavStore,
}

impl World {
    async fn new() -> Self {
        let (server, folder) = (Fake::start().await, tempfile::tempdir().unwrap());
        let store = open(&server.origin, &folder).await;
        Self {
            server,
            folder,
            store,
        }
    }

    async fn put(&self, uid: &str, when: Precondition) -> Result<Etag> {
        self.store
            .put(&anna(), &object(uid, 10), &when, &Call::default())
            .await
    }

    async fn get(&self, uid: &str) -> Result<Option<StoredObject>> {
        self.store
            .get(&anna(), &Uid::new(uid).unwrap(), &Call::default())
            .await
    }

    async fn busy(&self) -> Result<usize> {
        let busy = self
            .store
            .busy(&anna(), TimeRange::ALL, &Call::default())
            .await;
        busy.map(|busy| busy.spans.len())
    }

    /// How often something was written or tried to be.
    fn writes(&self) -> usize {
        let seen = self.server.seen();
        seen.iter().filter(|it| it.method == "PUT").count()
    }
}

async fn open(origin: &str, folder: &tempfile::TempDir) -> CalDavStore {
    open_with(origin, folder, "").await
}

async fn open_with(origin: &str, folder: &tempfile::TempDir, more: &str) -> CalDavStore {
    let password = folder.path().join("password");
    if !password.exists() {
        fs::write(&password, format!("{PASSWORD}\n")).unwrap();
        fs::set_permissions(&password, fs::Permissions::from_mode(0o600)).unwrap();
    }
    let config = format!(
        "home = \"{origin}/{{user}}/\"\ntimeout = 1\nlogin = {{ username = \"convoke\", password_file = \"password\" }}\n{more}"
    );
    let config = toml::from_str(&config).unwrap();
    let host = conformance::host(folder.path());
    CalDavStore::open(config, host).await.unwrap()
}

fn anna() -> UserId {
    UserId::new("anna@example.org").unwrap()
}

/// An hour of a day in 2027.
fn object(uid: &str, hour: u8) -> NewObject {
    let data = format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:{uid}\r\nDTSTART:20270104T{hour}0000Z\r\nDTEND:20270104T{hour}3000Z\r\n\
         SUMMARY:Meeting\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
    .into_bytes();
    let index = conformance::host(".").index(&data).unwrap();
    NewObject::new(data, index)
}

/// Whatever is asked, this is the answer.
fn always(answer: impl Fn() -> Reply + Send + 'static) -> impl FnMut(&Seen) -> Option<Fault> {
    move |_| Some(Fault::Answer(answer()))
}

fn redirect(to: &'static str) -> impl FnMut(&Seen) -> Option<Fault> {
    always(move || {
        let mut answer = reply(301, "text/html", "moved");
        let to = to.parse().unwrap();
        answer.headers_mut().insert(header::LOCATION, to);
        answer
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn it_keeps_what_a_store_promises() {
    let world = World::new().await;
    let users = ["anna@example.org", "bo@example.org"];
    let users = users.map(|user| CalendarAddress::new(user).unwrap());
    let open = async || Ok(open(&world.server.origin, &world.folder).await);
    let report = conformance::store(open, &StoreFacts::with_users(users)).await;
    report.assert_kept();
}

#[tokio::test]
async fn whatever_is_wrong_with_the_server_is_to_be_tried_later_and_says_what_to_do() {
    type Faults = Box<dyn FnMut(&Seen) -> Option<Fault> + Send>;
    let html = || reply(200, "text/html", "<html><body>Log in</body></html>");
    let broken = || {
        reply(
            207,
            "application/xml",
            "<D:multistatus xmlns:D=\"DAV:\"><D:response>",
        )
    };
    let bomb = || {
        use std::io::Write;
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&vec![b' '; 65 << 20]).unwrap();
        let mut bomb = reply(207, "application/xml", gzip.finish().unwrap());
        let encoding = "gzip".parse().unwrap();
        bomb.headers_mut()
            .insert(header::CONTENT_ENCODING, encoding);
        bomb
    };
    let cases: [(&str, Faults, &str); 10] = [
        (
            "overloaded",
            Box::new(always(|| reply(503, "text/plain", ""))),
            "is the server up",
        ),
        ("silent", Box::new(|_| Some(Fault::Silence)), "no answer"),
        ("a login page", Box::new(always(html)), "login page"),
        ("broken XML", Box::new(always(broken)), "it ends too early"),
        ("a bomb", Box::new(always(bomb)), "MiB is not read"),
        (
            "to http",
            Box::new(redirect("http://elsewhere.example/")),
            "not https",
        ),
        (
            "elsewhere",
            Box::new(redirect("https://elsewhere.example/")),
            "write that as `url`",
        ),
        (
            "in a circle",
            Box::new(redirect("/anna/")),
            "again and again",
        ),
        (
            "forbidden",
            Box::new(always(|| reply(403, "text/plain", ""))),
            "give the login the right",
        ),
        (
            "no CalDAV",
            Box::new(always(|| reply(501, "text/plain", ""))),
            "is it a CalDAV server",
        ),
    ];
    let world = World::new().await;
    world.put("before", Precondition::Any).await.unwrap();
    world.busy().await.unwrap();
    for (name, faults, remedy) in cases {
        world.server.misbehave(faults);
        world.server.seen();
        let before = world.server.objects();
        for failure in [
            world.busy().await.map(drop),
            world.get("unknown").await.map(drop),
            world.put("unknown", Precondition::Absent).await.map(drop),
        ] {
            let error = failure.expect_err(name);
            let text = error.to_string();
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{name}: {text}");
            for part in [
                &*world.server.origin,
                "anna@example.org",
                "`convoke`",
                remedy,
            ] {
                assert!(text.contains(part), "{name}: expected `{part}` in: {text}");
            }
            assert!(!text.contains(PASSWORD), "{name}: {text}");
        }
        assert_eq!(world.server.objects(), before, "{name}");
    }
    world.server.behave();
    assert_eq!(world.busy().await.unwrap(), 1);
}

#[tokio::test]
async fn a_server_that_is_down_is_to_be_tried_later() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let store = open(&origin, &tempfile::tempdir().unwrap()).await;
    let error = store
        .busy(&anna(), TimeRange::ALL, &Call::default())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.message().contains(&origin), "{error}");
}

#[tokio::test]
async fn a_revoked_password_is_named_and_a_new_one_needs_no_restart() {
    let world = World::new().await;
    let guard = |password: &'static str| {
        use base64::{Engine, prelude::BASE64_STANDARD};
        let pair = BASE64_STANDARD.encode(format!("convoke:{password}"));
        move |seen: &Seen| {
            let authorization = seen.headers.get(header::AUTHORIZATION);
            if authorization.is_some_and(|it| *it == format!("Basic {pair}")) {
                return None;
            }
            let mut refusal = reply(401, "text/plain", "");
            let challenge = "Basic realm=\"calendars\"".parse().unwrap();
            refusal
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, challenge);
            Some(Fault::Answer(refusal))
        }
    };
    world.server.misbehave(guard(PASSWORD));
    world.put("before", Precondition::Any).await.unwrap();
    world.server.misbehave(guard("another"));
    let error = world.busy().await.unwrap_err();
    let file = world.folder.path().join("password");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    for part in [
        &*file.display().to_string(),
        "refuses the password",
        "anna@example.org",
    ] {
        assert!(error.message().contains(part), "{error}");
    }
    assert!(
        world.server.seen().len() < 10,
        "it must not look like an attack"
    );
    fs::write(file, "another\n").unwrap();
    assert_eq!(world.busy().await.unwrap(), 1);
}

#[tokio::test]
async fn a_password_that_others_may_read_is_not_used() {
    let world = World::new().await;
    let file = world.folder.path().join("password");
    let mode = |mode: u32| fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
    mode(0o644);
    let error = world.busy().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    for part in [
        &*file.display().to_string(),
        "can read it",
        "anna@example.org",
    ] {
        assert!(error.message().contains(part), "{error}");
    }
    assert!(
        world.server.seen().is_empty(),
        "nothing was asked of the server"
    );
    mode(0o600);
    assert_eq!(world.busy().await.unwrap(), 0);
}

#[tokio::test]
async fn a_password_is_the_first_line_of_its_file() {
    for (text, works) in [
        ("correct horse\nsince May\n", true),
        ("\ncorrect horse\n", false),
    ] {
        let world = World::new().await;
        fs::write(world.folder.path().join("password"), text).unwrap();
        let busy = world.busy().await;
        let first = world.server.seen().into_iter().next();
        if works {
            busy.unwrap();
            let sent = first.unwrap().headers[header::AUTHORIZATION].clone();
            assert_eq!(sent, "Basic Y29udm9rZTpjb3JyZWN0IGhvcnNl");
        } else {
            let error = busy.unwrap_err();
            assert!(
                error.message().contains("its first line is empty"),
                "{error}"
            );
            assert!(first.is_none());
        }
    }
}

/// The name is in no zone but that of the name server that the host asks.
#[tokio::test]
async fn a_server_is_found_by_the_name_servers_of_the_host() {
    let server = Fake::start().await;
    let folder = tempfile::tempdir().unwrap();
    let port = server.origin.rsplit(':').next().unwrap();
    let config =
        format!("home = \"http://dav.convoke.test:{port}/{{user}}/\"\nplain_http = true\n");
    let config: Config = toml::from_str(&config).unwrap();
    let asked = fake::name_server("dav.convoke.test", [127, 0, 0, 1]).await;
    let mut network = convoke_sdk::Network::default();
    network.nameservers = vec![asked];
    let host = TestHost::new(folder.path()).with_network(network).host();
    let store = CalDavStore::open(config, host).await.unwrap();
    let address = CalendarAddress::new("anna@example.org").unwrap();
    let found = store.find(&address, &Call::default()).await.unwrap();
    assert_eq!(found.unwrap().address, address);
}

#[tokio::test]
async fn a_write_that_is_tried_again_is_written_once() {
    let world = World::new().await;
    let cases = [
        ("overloaded", 502, false),
        ("somebody else writes", 423, false),
        ("answer lost", 502, true),
    ];
    for (uid, status, lose_answer) in cases {
        let mut failed = false;
        world.server.misbehave(move |seen| {
            if seen.method != "PUT" || std::mem::replace(&mut failed, true) {
                return None;
            }
            let answer = reply(status, "text/plain", "");
            Some(if lose_answer {
                Fault::After(answer)
            } else {
                Fault::Answer(answer)
            })
        });
        world.server.seen();
        let etag = world.put(uid, Precondition::Absent).await.unwrap();
        assert_eq!(world.writes(), 2, "{uid}");
        let there = world.get(uid).await.unwrap().unwrap();
        assert_eq!(
            (there.etag, there.data),
            (etag, object(uid, 10).data),
            "{uid}"
        );
    }
    assert_eq!(world.server.objects().len(), cases.len());
}

#[tokio::test]
async fn what_stays_locked_is_said_and_the_rest_goes_on() {
    let world = World::new().await;
    world.server.misbehave(|seen| {
        let is_locked = seen.method == "PUT" && seen.body.contains("UID:locked");
        is_locked.then(|| Fault::Answer(reply(423, "text/plain", "")))
    });
    let refused = world.put("locked", Precondition::Absent).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unavailable);
    assert!(refused.to_string().contains("has locked it"), "{refused}");
    world.put("free", Precondition::Absent).await.unwrap();
}

#[tokio::test]
async fn a_server_that_lies_about_etags_is_found_out() {
    let world = World::new().await;
    let etag = world.put("one", Precondition::Any).await.unwrap();
    let refuse = |seen: &Seen| {
        let refused = seen.method == "PUT";
        refused.then(|| Fault::Answer(reply(412, "text/plain", "")))
    };
    world.server.misbehave(refuse);
    world.server.seen();
    let error = world
        .put("one", Precondition::Matches(etag))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.message().contains("it refuses If-Match"), "{error}");
    assert_eq!(world.writes(), 1);

    let untagged = |seen: &Seen| {
        let read = seen.method == "GET";
        let object = object("one", 10).data;
        read.then(|| Fault::Answer(reply(200, "text/calendar", object)))
    };
    world.server.misbehave(untagged);
    let error = world.get("one").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.message().contains("without an ETag"), "{error}");
}

#[tokio::test]
async fn a_login_page_instead_of_an_object_does_not_look_like_a_removal() {
    let world = World::new().await;
    world.put("one", Precondition::Any).await.unwrap();
    world.server.misbehave(|seen: &Seen| {
        let read = seen.method == "GET";
        read.then(|| Fault::Answer(reply(200, "text/html", "<html>Log in</html>")))
    });
    let error = world.get("one").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.message().contains("login page"), "{error}");
}

#[tokio::test]
async fn what_nobody_can_read_is_skipped_and_left_alone() {
    let world = World::new().await;
    let broken = b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:broken\r\nEND:VCALENDAR\r\n";
    world.server.write("/anna/work/broken.ics", broken);
    world
        .server
        .write("/anna/work/fine.ics", &object("fine", 11).data);
    assert_eq!(world.busy().await.unwrap(), 1);
    for error in [
        world.get("broken").await.unwrap_err(),
        world.put("broken", Precondition::Any).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.message().contains("/anna/work/broken.ics"), "{error}");
    }
    world.put("fine", Precondition::Any).await.unwrap();
    assert_eq!(world.busy().await.unwrap(), 1);
    let objects = world.server.objects();
    assert_eq!(objects["/anna/work/broken.ics"], broken);
    assert_eq!(objects.len(), 2, "{:?}", objects.keys());
}

#[tokio::test]
async fn what_goes_away_between_listing_and_reading_is_gone_until_it_comes_back() {
    let world = World::new().await;
    let path = "/anna/work/one.ics";
    world.server.write(path, &object("one", 10).data);
    world.server.misbehave(move |seen: &Seen| {
        let gone = format!(
            "<D:response><D:href>{path}</D:href><D:status>HTTP/1.1 404 Not Found</D:status></D:response>"
        );
        let is_read = seen.body.contains("calendar-multiget");
        is_read.then(|| Fault::Answer(fake::multistatus(&gone)))
    });
    assert_eq!(world.busy().await.unwrap(), 0);
    world.server.behave();
    world
        .server
        .write("/anna/work/two.ics", &object("two", 11).data);
    assert_eq!(world.busy().await.unwrap(), 2);
}

#[tokio::test]
async fn what_another_program_does_is_seen_and_not_overwritten() {
    let world = World::new().await;
    let path = "/anna/work/by-hand.ics";
    world.server.write(path, &object("shared", 10).data);
    let before = world.get("shared").await.unwrap().unwrap();
    world.server.write(path, &object("shared", 12).data);
    let stale = Precondition::Matches(before.etag);
    let error = world.put("shared", stale).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    let now = world.get("shared").await.unwrap().unwrap();
    assert_eq!(now.data, object("shared", 12).data);
    world
        .put("shared", Precondition::Matches(now.etag))
        .await
        .unwrap();
    let paths: Vec<String> = world.server.objects().into_keys().collect();
    assert_eq!(paths, [path]);
}

#[tokio::test]
async fn busy_time_costs_one_request_while_nothing_changes() {
    let world = World::new().await;
    for number in 0..60 {
        let data = object(&format!("event {number}"), 10).data;
        world
            .server
            .write(&format!("/anna/work/{number}.ics"), &data);
    }
    assert_eq!(world.busy().await.unwrap(), 60);
    world.server.seen();
    assert_eq!(world.busy().await.unwrap(), 60);
    assert_eq!(world.server.seen().len(), 1);
    world
        .server
        .write("/anna/work/0.ics", &object("event 0", 11).data);
    assert_eq!(world.busy().await.unwrap(), 60);
    let methods: Vec<_> = world
        .server
        .seen()
        .into_iter()
        .map(|it| it.method)
        .collect();
    assert_eq!(methods, ["PROPFIND", "PROPFIND", "REPORT"]);
}

#[tokio::test]
async fn a_server_that_wants_digest_never_sees_the_password_again() {
    let world = World::new().await;
    world.server.misbehave(|seen: &Seen| {
        let authorization = seen.headers.get(header::AUTHORIZATION);
        let text = authorization.map_or("", |it| it.to_str().unwrap());
        if text.starts_with("Digest ") && text.contains("nonce=\"n1\"") {
            return None;
        }
        let mut refusal = reply(401, "text/plain", "");
        let challenge = "Digest realm=\"calendars\", nonce=\"n1\", qop=\"auth\"";
        let challenge = challenge.parse().unwrap();
        refusal
            .headers_mut()
            .insert(header::WWW_AUTHENTICATE, challenge);
        Some(Fault::Answer(refusal))
    });
    world.busy().await.unwrap();
    world.server.seen();
    world.put("one", Precondition::Absent).await.unwrap();
    for seen in world.server.seen() {
        let authorization = seen.headers[header::AUTHORIZATION].to_str().unwrap();
        assert!(authorization.starts_with("Digest "), "{seen:?}");
    }
}

/// From the server's address to the principal, the home, and the addresses that the server knows.
#[tokio::test]
async fn a_user_is_found_by_what_the_server_says() {
    let world = World::new().await;
    world.server.misbehave(|seen: &Seen| {
        let found = match &*seen.path {
            "/.well-known/caldav" => {
                let mut moved = reply(301, "text/plain", "");
                moved.headers_mut().insert(header::LOCATION, "/dav/".parse().unwrap());
                return Some(Fault::Answer(moved));
            }
            "/dav/" => "<D:current-user-principal><D:href>/principals/anna</D:href></D:current-user-principal>",
            "/principals/anna" => {
                "<C:calendar-home-set><D:href>/anna/</D:href></C:calendar-home-set><C:calendar-user-address-set>\
                 <D:href>mailto:berg@example.org</D:href><D:href>mailto:bo@example.org</D:href><D:href>/principals/anna</D:href>\
                 </C:calendar-user-address-set>"
            }
            _ => return None,
        };
        let answer = fake::multistatus(&fake::response(&seen.path, found));
        Some(Fault::Answer(answer))
    });
    let config = format!(
        "url = \"{0}/\"\nusers.\"anna@example.org\" = {{}}\nusers.\"bo@example.org\" = {{ home = \"{0}/bo/\", \
         kind = \"room\", attributes = {{ booking = \"longest=4h\" }} }}",
        world.server.origin
    );
    let host = conformance::host(world.folder.path());
    let store = CalDavStore::open(toml::from_str(&config).unwrap(), host)
        .await
        .unwrap();
    for (address, wanted) in [
        ("anna@example.org", Some("anna@example.org")),
        ("Berg@example.org", Some("anna@example.org")),
        // what the administrator wrote counts more than what the server says
        ("bo@example.org", Some("bo@example.org")),
        ("nobody@example.org", None),
    ] {
        let found = store
            .find(&CalendarAddress::new(address).unwrap(), &Call::default())
            .await
            .unwrap();
        let id = found.as_ref().map(|user| user.id.as_str());
        assert_eq!(id, wanted, "{address}");
    }
    let bo = CalendarAddress::new("bo@example.org").unwrap();
    let bo = store.find(&bo, &Call::default()).await.unwrap().unwrap();
    assert_eq!(bo.kind, UserKind::Room);
    assert_eq!(bo.attributes.get("booking"), Some("longest=4h"));
    world
        .server
        .write("/anna/work/one.ics", &object("one", 10).data);
    let busy = store
        .busy(&anna(), TimeRange::ALL, &Call::default())
        .await
        .unwrap();
    assert_eq!(busy.spans.len(), 1);
}

#[tokio::test]
async fn only_calendars_that_shall_count_make_busy() {
    let world = World::new().await;
    world.put("one", Precondition::Absent).await.unwrap();
    for (busy, wanted) in [
        ("", 1),
        ("busy = [\"work\"]", 1),
        ("busy = [\"private\"]", 0),
    ] {
        let config = format!("home = \"{}/{{user}}/\"\n{busy}", world.server.origin);
        let host = conformance::host(world.folder.path());
        let store = CalDavStore::open(toml::from_str(&config).unwrap(), host)
            .await
            .unwrap();
        let found = store
            .busy(&anna(), TimeRange::ALL, &Call::default())
            .await
            .unwrap();
        assert_eq!(found.spans.len(), wanted, "{busy}");
        let there = store
            .get(&anna(), &Uid::new("one").unwrap(), &Call::default())
            .await
            .unwrap();
        assert!(there.is_some(), "{busy}");
    }
}

#[tokio::test]
async fn a_configuration_that_cannot_work_says_what_to_write() {
    for (config, part) in [
        ("", "names no calendar users"),
        ("home = \"dav.example.org/{user}/\"", "is no URL"),
        ("home = \"http://dav.example.org/{user}/\"", "write https"),
        (
            "home = \"https://dav.example.org/{usr}/\"",
            "`{usr}` stands for nothing",
        ),
        (
            "home = \"https://dav.example.org/cal/\"",
            "the same calendars",
        ),
        (
            "home = \"https://anna:secret@dav.example.org/{user}/\"",
            "under `login`",
        ),
        (
            "home = \"ftp://dav.example.org/{user}/\"",
            "expected an https URL",
        ),
        ("[users.\"anna@example.org\"]", "neither `url` nor `home`"),
        (
            "home = \"https://dav.example.org/{user}/\"\npoll_interval = 0",
            "expected 1 to 86400 seconds, got 0",
        ),
        (
            "url = \"https://dav.example.org/\"\n[users.anna]",
            "no `address`",
        ),
        (
            "home = \"https://dav.example.org/{user}/\"\nca = \"missing.pem\"",
            "`config.ca`",
        ),
    ] {
        let config = toml::from_str(config).unwrap();
        let host = conformance::host(".");
        let Err(error) = CalDavStore::open(config, host).await else {
            panic!("{part}: it was taken");
        };
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
        assert!(error.message().contains(part), "{error}");
        assert!(!error.message().contains("secret"), "{error}");
    }
}

/// Radicale cuts a UID at a comma that is not escaped.
#[tokio::test]
async fn a_server_that_makes_another_uid_of_ours_is_noticed_at_the_first_put() {
    let world = World::new().await;
    world.server.misbehave(|seen| {
        let data = object("a", 10).data;
        let mut answer = reply(200, "text/calendar", data);
        answer
            .headers_mut()
            .insert(header::ETAG, "\"1\"".parse().unwrap());
        (seen.method == "GET").then_some(Fault::Answer(answer))
    });
    let error = world.put("a,b", Precondition::Absent).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(
        error.message().contains("`a,b` under another, `a`"),
        "{error}"
    );
    assert!(error.message().contains("taken back"), "{error}");
    assert!(world.server.objects().is_empty());

    world.server.behave();
    world.server.seen();
    world.put("a,b", Precondition::Absent).await.unwrap();
    let plain = "20270104T100000Z-1f0c@example.org";
    world.put(plain, Precondition::Absent).await.unwrap();
    let reads = world
        .server
        .seen()
        .into_iter()
        .filter(|it| it.method == "GET");
    assert_eq!(reads.count(), 1, "what is plain is not read again");
    assert_eq!(world.get("a,b").await.unwrap().unwrap().uid.as_str(), "a,b");
}

#[tokio::test]
async fn a_resource_of_several_objects_is_not_written() {
    let world = World::new().await;
    let [one, other] = ["one", "other"].map(|uid| String::from_utf8(object(uid, 10).data).unwrap());
    let event = other.find("BEGIN:VEVENT").unwrap()..other.find("END:VCALENDAR").unwrap();
    let both = one.replace("END:VCALENDAR", &format!("{}END:VCALENDAR", &other[event]));
    world.server.write("/anna/work/both.ics", both.as_bytes());
    assert!(world.get("one").await.unwrap().is_some());
    for error in [
        world.put("one", Precondition::Any).await.map(drop),
        world
            .store
            .remove(
                &anna(),
                &Uid::new("one").unwrap(),
                &Precondition::Any,
                &Call::default(),
            )
            .await,
    ] {
        let error = error.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(
            error
                .message()
                .contains("/anna/work/both.ics holds objects of several UIDs"),
            "{error}"
        );
    }
    let objects = world.server.objects();
    assert_eq!(objects["/anna/work/both.ics"], both.as_bytes());
}

/// Between a PUT whose answer has no tag and the GET that asks for it somebody else writes: that is no write of ours.
#[tokio::test]
async fn what_somebody_else_wrote_meanwhile_is_not_taken_for_ours() {
    for theirs in [None, Some(object("a", 12).data)] {
        let world = World::new().await;
        let is_ours = theirs.is_none();
        world.server.misbehave(move |seen: &Seen| {
            let (path, theirs) = (seen.path.clone(), theirs.clone());
            match seen.method.as_str() {
                "PUT" => Some(Fault::After(reply(201, "text/plain", ""))),
                "GET" => Some(Fault::Before(Box::new(move |server: &Fake| {
                    if let Some(theirs) = theirs {
                        server.write(&path, &theirs);
                    }
                }))),
                _ => None,
            }
        });
        let written = world.put("a", Precondition::Absent).await.unwrap();
        world.server.behave();
        let there = world.get("a").await.unwrap().unwrap();
        assert_eq!(written == there.etag, is_ours);
    }
}
