//! Receivers by what a directory says of a person: the file is LDIF, as `ldapsearch` writes it.
//!
//! ```ldif
//! dn: uid=anna,ou=people,dc=example,dc=com
//! mail: anna@example.com
//! mailAlternateAddress: a.berg@example.com
//! calScheduleURI: https://cal.example.com/.well-known/ischedule
//! ```
use convoke_sdk::{prelude::*, tracing};
use std::{fs, path::PathBuf};

convoke_sdk::config! {
    /// What the administrator writes under `config`; `convoke plugin inspect` shows these lines.
    struct Config {
        /// The LDIF file; a relative path counts from the configuration file's folder.
        path: PathBuf,
        /// The attributes that hold a person's addresses.
        addresses: Vec<String> = ["mail", "mailAlternateAddress"],
        /// The attribute that holds the URL of the person's receiver.
        receiver: String = "calScheduleURI",
    }
}

/// An opened strategy: who is in the directory, by address in small letters. `None`: without a calendar.
struct Directory(BTreeMap<String, Option<ReceiverUrl>>);

impl Discovery for Directory {
    type Config = Config;

    async fn open(config: Config, host: Host) -> Result<Self> {
        let path = host.path(&config.path);
        // Nobody waits for this thread yet; in `discover` it would be `tokio::fs`.
        let text = fs::read_to_string(&path)
            .map_err(|error| Error::unavailable(format!("{}: {error}", path.display())))?;
        let mut people = BTreeMap::new();
        for entry in unfolded(&text).split("\n\n") {
            let values = |name: &str| -> Vec<&str> {
                let of = |line| attribute(line).filter(|(key, _)| key.eq_ignore_ascii_case(name));
                entry
                    .lines()
                    .filter_map(of)
                    .map(|(_, value)| value)
                    .collect()
            };
            let url = values(&config.receiver)
                .first()
                .map(|url| ReceiverUrl::new(url));
            for address in config.addresses.iter().flat_map(|name| values(name)) {
                people.insert(
                    key(&CalendarAddress::new(address)?),
                    url.clone().transpose()?,
                );
            }
        }
        tracing::info!(addresses = people.len(), "read the directory");
        Ok(Self(people))
    }

    async fn discover(&self, address: &CalendarAddress, _: &Call) -> Result<Discovered> {
        Ok(match self.0.get(&key(address)) {
            // The directory is the administrator's, so a receiver may lie in a private network.
            Some(Some(url)) => Discovered::Receivers(vec![Receiver::administered(url.clone())]),
            Some(None) => Discovered::NoService, // known, and has no calendar: nobody else is asked
            None => Discovered::NotMine,         // the next strategy is asked
        })
    }
}

/// The case of an address does not tell two people apart.
fn key(address: &CalendarAddress) -> String {
    address.as_str().to_ascii_lowercase()
}

/// A line that begins with a space goes on where the one before it ended (RFC 2849).
fn unfolded(text: &str) -> String {
    text.replace("\r\n", "\n").replace("\n ", "")
}

fn attribute(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once(": ")?;
    Some((name.trim(), value.trim()))
}

convoke_sdk::plugin! { name: "discovery-directory", discovery: Directory }

#[cfg(test)] // everything that the host relies on, in one line
convoke_sdk::conformance! {
    discovery: Directory,
    config: "path = 'people.ldif'",
    known: ["anna@example.com", "a.berg@example.com", "cy@bücher.example"],
    unknown: ["anna@example.net", "urn:uuid:1f0c"],
    no_service: ["printer@example.com"],
}
