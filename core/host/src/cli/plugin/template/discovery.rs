//! Receivers by domain: say here, in a sentence, where yours are found.

use convoke_sdk::prelude::*;
use std::time::Duration;

convoke_sdk::config! {
    /// What the administrator writes under `config`; `convoke plugin inspect` shows these lines.
    struct Config {
        /// The receiver of each domain.
        domains: BTreeMap<Domain, ReceiverUrl>,
        /// How long an answer may be remembered, in seconds.
        valid_for: u64 = 3600,
    }
}

/// An opened strategy. One is opened for each entry of the configuration, and asked from many threads at once.
struct Strategy {
    config: Config,
}

impl Discovery for Strategy {
    type Config = Config;

    /// Makes ready to answer. What fails here keeps the host from starting, with your sentence as the reason.
    /// `host.path(…)` makes a path of the configuration absolute; `host` also has a folder for what you must remember,
    /// secrets from files, metrics (`counter`, `gauge`, `histogram`), and `degraded("why")` for when you are not well.
    async fn open(config: Config, _host: Host) -> Result<Self> {
        Ok(Self { config })
    }

    /// Says who takes messages for `address`:
    ///
    /// - `Discovered::Receivers`: these do, the first that answers is used;
    /// - `Discovered::NotMine`: you do not know, so the next strategy is asked;
    /// - `Discovered::NoService`: you know that nobody does, so nobody else is asked;
    /// - an error: you cannot tell now (`Error::unavailable("the directory does not answer")`).
    ///
    /// It may wait (`tokio` works), but must not block its thread.
    async fn discover(&self, address: &CalendarAddress, _: &Call) -> Result<Discovered> {
        // An address such as `urn:uuid:…` has no domain.
        let Ok(domain) = address.domain() else {
            return Ok(Discovered::NotMine);
        };
        let Some(url) = self.config.domains.get(domain) else {
            return Ok(Discovered::NotMine);
        };
        // The administrator wrote it down, so it may lie in a private network. What you look up elsewhere may not:
        // then write `Receiver::new`.
        let mut receiver = Receiver::administered(url.clone());
        receiver.valid_for = Some(Duration::from_secs(self.config.valid_for));
        Ok(Discovered::Receivers(vec![receiver]))
    }
}

convoke_sdk::plugin! { name: "{{name}}", discovery: Strategy }

// Everything that the host relies on, in one line: `cargo test`.
#[cfg(test)]
convoke_sdk::conformance! {
    discovery: Strategy,
    config: r#"domains."example.com" = "https://cal.example.com/.well-known/ischedule""#,
    known: ["anna@example.com"],
    unknown: ["bo@example.net"],
}
