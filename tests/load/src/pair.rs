//! Two hosts: Anna's, which tells, and Bo's, which hears of it, both signing.

use crate::{
    Trouble,
    world::{SELECTOR, Store, World},
};
use convoke_ischedule::dkim::{KeyKind, PrivateKey};
use std::{
    env::temp_dir,
    net::{SocketAddr, TcpListener},
    path::Path,
};

/// The host of Anna and that of Bo, neither of them started.
pub(crate) struct Pair {
    pub(crate) anna: World,
    pub(crate) bo: World,
}

impl Pair {
    /// Anna's calendar is in this store, with these lines of `[scheduling]`.
    pub(crate) fn new(program: &Path, store: Store, scheduling: &str) -> Result<Self, Trouble> {
        let key = PrivateKey::generate(KeyKind::Ed25519)?;
        // Bo's host is down at first, and Anna's is to know where it will be.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let bo = World::configured(
            &temp_dir(),
            program,
            &config("example.org", address, Store::Sqlite, ""),
        )?;
        bo.believes(&key, "example.com")?;
        let more = format!(
            "[client]\nallow_networks = [\"127.0.0.0/8\", \"::1/128\"]\nca = \"{}\"\n\
             [signing]\ndomain = \"example.com\"\nselector = \"{SELECTOR}\"\nkey = \"dkim.pem\"\nlookup = [\"private-exchange\"]\n\
             [scheduling]\n{scheduling}\n\
             [[discovery]]\nplugin = \"discovery-static\"\n\
             config.domains.\"example.org\" = \"https://localhost:{}/ischedule\"\n",
            bo.path("host.pem").display(),
            address.port(),
        );
        let free = SocketAddr::from(([127, 0, 0, 1], 0));
        let anna = World::configured(
            &temp_dir(),
            program,
            &config("example.com", free, store, &more),
        )?;
        anna.signs_with(&key)?;
        anna.command(&["user", "add", "anna@example.com"])?;
        bo.command(&["user", "add", "bo@example.org"])?;
        Ok(Self { anna, bo })
    }
}

fn config(domain: &str, receiver: SocketAddr, store: Store, more: &str) -> String {
    format!(
        "[server]\ndomains = [\"{domain}\"]\nstate = \"state\"\nadministrator = \"mailto:admin@{domain}\"\n\
         [[listener]]\nrole = \"receiver\"\naddress = \"{receiver}\"\n\
         tls = {{ certificate = \"host.pem\", key = \"host.key\" }}\n\
         [[listener]]\nrole = \"admin\"\naddress = \"127.0.0.1:0\"\n\
         [verification]\nrequired = true\nprivate_exchange = \"keys\"\n\
         [[policy]]\nplugin = \"policy-rules\"\nconfig.rules = [{{ allow = \"any\" }}]\n\
         [[store]]\nplugin = \"{}\"\nconfig.path = \"{}\"\n{more}",
        store.name(),
        store.path(),
    )
}

/// One meeting to which Anna invites Bo, as an event.
pub(crate) fn invitation(
    uid: &str,
    start: impl std::fmt::Display,
    end: impl std::fmt::Display,
) -> String {
    format!(
        "BEGIN:VEVENT\r\nUID:{uid}@load.example\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:{start}\r\nDTEND:{end}\r\n\
         SUMMARY:Meeting\r\nLOCATION:Room 7\r\nDESCRIPTION:What is to be decided.\r\nORGANIZER:mailto:anna@example.com\r\n\
         ATTENDEE;PARTSTAT=ACCEPTED:mailto:anna@example.com\r\n\
         ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:bo@example.org\r\nEND:VEVENT\r\n"
    )
}
