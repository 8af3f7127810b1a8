//! Two hosts that sign what they send and talk by TLS, the calendars of Anna and Bo, and their programs.

use crate::{
    moment::{Kill, Moment, Victim},
    relay::Relay,
};
use convoke_ischedule::dkim::{KeyKind, PrivateKey};
use convoke_tests::{Host, Setup};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    fs,
    io::{Read, Write},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

pub(crate) const ANNA: &str = "anna@example.com";
pub(crate) const BO: &str = "bo@example.org";

/// No wait of a test that passes takes so long.
const PATIENCE: Duration = Duration::from_secs(120);
/// So long a moment is waited for that may not come, as all is over.
const NO_LONGER: Duration = Duration::from_secs(3);
/// Between two looks, for the processor's sake.
const PAUSE: Duration = Duration::from_millis(20);

/// What keeps calendars.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Store {
    /// Files, which programs write.
    Vdir,
    /// A database, which another process writes.
    Sqlite,
}

/// One side: a host and the port before it.
pub(crate) struct Side {
    pub(crate) host: Host,
    relay: Relay,
    user: &'static str,
    store: Store,
}

/// Who tells in a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    Anna,
    Bo,
}

pub(crate) struct World {
    pub(crate) anna: Side,
    pub(crate) bo: Side,
}

/// A domain with a key of its own: what its host signs with, and what the other one must know of it.
struct Signature {
    domain: &'static str,
    private: String,
    record: String,
}

impl Signature {
    fn of(domain: &'static str) -> Self {
        let key = PrivateKey::generate(KeyKind::Ed25519).unwrap();
        Self {
            domain,
            private: key.to_pem().unwrap(),
            record: format!("{}\n", key.record()),
        }
    }
}

/// A host that believes the other domain's key.
fn setup(own: &Signature, other: &Signature, user: &str, store: Store, scheduling: &str) -> Setup {
    let known = format!("keys/{}", other.domain);
    let signing = format!(
        "domain = \"{}\"\nselector = \"test\"\nkey = \"dkim.pem\"\nlookup = [\"private-exchange\"]",
        own.domain
    );
    let store = match store {
        Store::Vdir => "plugin = \"store-vdir\"\nconfig.path = \"calendars\"",
        Store::Sqlite => "plugin = \"store-sqlite\"\nconfig.path = \"calendars.db\"",
    };
    Setup::new()
        .server_domains(&[own.domain])
        .users(&[user])
        .folder(&known)
        .file(&format!("{known}/test"), &other.record)
        .private_file("dkim.pem", &own.private)
        .table("[signing]", &signing)
        .table(
            "[verification]",
            "required = true\nprivate_exchange = \"keys\"",
        )
        .table("[[store]]", store)
        .table("[scheduling]", scheduling)
}

/// How a host reaches the other one, whose certificate it believes.
fn reaching(setup: Setup, domain: &str, relay: &Relay, other: &Path) -> Setup {
    let receiver = format!(
        "plugin = \"discovery-static\"\nconfig.domains.\"{domain}\" = \"https://localhost:{}/ischedule\"",
        relay.port()
    );
    let trust = format!(
        "allow_networks = [\"127.0.0.0/8\", \"::1/128\"]\nca = \"{}\"",
        other.join("ca.pem").display()
    );
    setup
        .table("[client]", &trust)
        .table("[[discovery]]", &receiver)
}

impl World {
    /// Anna's host with these lines of `[scheduling]`, and Bo's with these rules, both with a baseline.
    pub(crate) fn new(store: Store, scheduling: &str, rules: &str) -> Self {
        let (com, org) = (Signature::of("example.com"), Signature::of("example.org"));
        let relays = [Relay::new(), Relay::new()];
        let bo = setup(&org, &com, BO, store, "settle = \"200ms\"").rules(rules);
        let mut bo = bo.start();
        let anna = setup(&com, &org, ANNA, store, scheduling);
        let anna = reaching(anna, "example.org", &relays[1], bo.folder()).start();
        bo.configure(|it| reaching(it, "example.com", &relays[0], anna.folder()));
        let [before_anna, before_bo] = relays;
        let side = |host, relay, user| Side {
            host,
            relay,
            user,
            store,
        };
        let mut world = Self {
            anna: side(anna, before_anna, ANNA),
            bo: side(bo, before_bo, BO),
        };
        world.bo.kill();
        for side in [&mut world.anna, &mut world.bo] {
            side.start();
            let looked = side.call("look-now", &json!({ "user": side.user }));
            assert_eq!(looked["told"], 0, "{looked}");
        }
        world
    }

    /// Who tells, and who hears of it.
    pub(crate) const fn sides(&self, teller: Who) -> (&Side, &Side) {
        match teller {
            Who::Anna => (&self.anna, &self.bo),
            Who::Bo => (&self.bo, &self.anna),
        }
    }

    /// Kills at a moment, and starts again what was killed. `is_written` is the moment at which the receiver's store has
    /// something.
    pub(crate) fn kill(&mut self, teller: Who, kill: Kill, is_written: impl Fn(&Self) -> bool) {
        let since = Instant::now();
        let (_, receiver) = self.sides(teller);
        match kill.moment {
            Moment::After(wait) => thread::sleep(wait),
            Moment::Passed(way, octets) => {
                let (sprung, is_sprung) = mpsc::channel();
                receiver.relay.set_trap(way, octets, sprung);
                // Whichever comes first: that it is sprung, or that it is too late.
                let _ = is_sprung.recv_timeout(NO_LONGER);
                receiver.relay.remove_trap();
            }
            Moment::Written => {
                while !is_written(self) && since.elapsed() < NO_LONGER {
                    thread::yield_now();
                }
            }
        }
        let (teller, receiver) = match teller {
            Who::Anna => (&mut self.anna, &mut self.bo),
            Who::Bo => (&mut self.bo, &mut self.anna),
        };
        let killed: &mut [&mut Side] = match kill.victim {
            Victim::Teller => &mut [teller],
            Victim::Receiver => &mut [receiver],
            Victim::Both => &mut [teller, receiver],
        };
        for side in &mut *killed {
            side.kill();
        }
        for side in killed {
            side.start();
        }
    }

    /// Waits until it is so; receivers that were down are asked again at once.
    pub(crate) fn wait(&self, what: &str, mut is_so: impl FnMut(&Self) -> bool) {
        let begun = Instant::now();
        while !is_so(self) {
            assert!(begun.elapsed() < PATIENCE, "no {what}");
            for side in [&self.anna, &self.bo] {
                side.call("queue-retry", &json!({ "ids": null }));
            }
            thread::sleep(PAUSE);
        }
    }

    /// Waits until both have looked at all that changed, and nothing is to be told or waits in a queue.
    pub(crate) fn wait_for_calm(&self) {
        self.wait("calm", |world| {
            [&world.anna, &world.bo].iter().all(|side| {
                let looked = side.call("look-now", &json!({ "user": side.user }));
                let nothing = ["told", "held", "settling"]
                    .iter()
                    .all(|it| looked[it] == 0);
                nothing && side.queue() == json!([])
            })
        });
    }
}

impl Side {
    /// Kills the host.
    pub(crate) fn kill(&mut self) {
        self.relay.leads_to(None);
        self.host.kill();
    }

    /// Starts it again.
    pub(crate) fn start(&mut self) {
        if !self.host.is_running() {
            self.host.start_again();
        }
        self.relay.leads_to(Some(self.host.address("receiver")));
    }

    /// What the host answers to a command.
    pub(crate) fn call(&self, method: &str, asked: &Value) -> Value {
        let mut stream = self.ask(method, asked);
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 "), "{method}: {answer}");
        serde_json::from_str(body).unwrap()
    }

    /// Asks the host for something; its answer comes by the stream.
    pub(crate) fn ask(&self, method: &str, asked: &Value) -> UnixStream {
        let mut stream = UnixStream::connect(self.host.folder().join("state/control")).unwrap();
        let body = asked.to_string();
        write!(
            stream,
            "POST /v1/{method} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        stream
    }

    /// What waits in the queue.
    pub(crate) fn queue(&self) -> Value {
        self.call("queue-list", &json!({ "user": null }))
    }

    /// What waits in the user's inbox.
    pub(crate) fn inbox(&self) -> Value {
        self.call("inbox-list", &json!({ "user": self.user }))
    }

    /// The user's object, unfolded; nothing if there is none.
    pub(crate) fn read(&self, uid: &str) -> Option<String> {
        match self.store {
            Store::Sqlite => self.host.stored(self.user, uid),
            Store::Vdir => {
                let file = self.file(uid)?;
                // A file may be replaced or removed meanwhile.
                let text = fs::read_to_string(file).ok()?;
                Some(text.replace("\r\n ", ""))
            }
        }
    }

    /// Writes an object as a calendar program does.
    pub(crate) fn write(&self, uid: &str, object: &str) {
        match self.store {
            Store::Sqlite => self.host.put(self.user, object),
            Store::Vdir => {
                let calendar = self.folder().join("calendar");
                fs::create_dir_all(&calendar).unwrap();
                let file = self.file(uid);
                let file = file.unwrap_or_else(|| calendar.join(format!("{uid}.ics")));
                let new = file.with_extension("new");
                fs::write(&new, object).unwrap();
                fs::rename(new, file).unwrap();
            }
        }
    }

    /// Deletes an object as a calendar program does.
    pub(crate) fn delete(&self, uid: &str) {
        match self.store {
            Store::Sqlite => self.host.remove(self.user, uid),
            Store::Vdir => fs::remove_file(self.file(uid).unwrap()).unwrap(),
        }
    }

    fn folder(&self) -> PathBuf {
        self.host.folder().join("calendars").join(self.user)
    }

    /// The file of an object, whatever the host called it.
    fn file(&self, uid: &str) -> Option<PathBuf> {
        let line = format!("UID:{uid}\r\n");
        let calendars = fs::read_dir(self.folder()).ok()?.map_while(Result::ok);
        let files = calendars.filter_map(|it| fs::read_dir(it.path()).ok());
        let files = files.flat_map(|it| it.map_while(Result::ok));
        let mut files = files.map(|it| it.path());
        files.find(|it| {
            it.extension().is_some_and(|it| it == "ics")
                && fs::read_to_string(it).is_ok_and(|text| text.contains(&line))
        })
    }

    /// The messages about an object that this host told, by their identifiers: what was sent twice under one name is one.
    pub(crate) fn told(&self, uid: &str) -> BTreeSet<String> {
        let log = self.host.whole_log();
        let of_uid = format!("uid={uid} ");
        let lines = log.lines();
        let lines = lines.filter(|it| it.contains("event=\"sent\"") && it.contains(&of_uid));
        let id = |line: &str| {
            let (_, id) = line.split_once("message_id=\"").unwrap();
            let (id, _) = id.split_once('"').unwrap();
            id.to_owned()
        };
        lines.map(id).collect()
    }

    /// The messages about an object that this host took, by their identifiers, as far as its decision log knows.
    pub(crate) fn taken(&self, uid: &str) -> BTreeSet<String> {
        let rows = self.call("explain", &json!({ "what": uid, "user": null }));
        let rows = rows.as_array().unwrap().iter();
        let taken = rows.filter(|it| it["event"] == "delivered");
        let ids = taken.filter_map(|it| it["message_id"].as_str());
        ids.map(str::to_owned).collect()
    }
}
