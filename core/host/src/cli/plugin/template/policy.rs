//! Friends may look and invite: say here, in a sentence, who may do what with yours.

use convoke_sdk::prelude::*;

convoke_sdk::config! {
    /// What the administrator writes under `config`; `convoke plugin inspect` shows these lines.
    struct Config {
        /// Domains whose people may see when ours are busy, and invite them.
        friends: Vec<Domain> = [],
        /// How much of busy time they see: "full", or "busy" to hide tentative and unavailable.
        detail: String = "busy",
    }
}

/// An opened policy. One is opened for each entry of the configuration, and asked from many threads at once.
struct Friends {
    domains: Vec<Domain>,
    grant: Grant,
}

impl Policy for Friends {
    type Config = Config;

    /// Makes ready to decide. What fails here keeps the host from starting, with your sentence as the reason. `host` makes
    /// paths absolute (`path`) and has a folder for what you must remember, secrets from files, metrics, and
    /// `degraded("why")` for when you are not well.
    async fn open(config: Config, _host: Host) -> Result<Self> {
        let mut grant = Grant::default();
        grant.detail = match config.detail.as_str() {
            "full" => Detail::Full,
            "busy" => Detail::Busy,
            other => {
                return Err(Error::invalid(format!(
                    "`config.detail` is `{other}`; write \"full\" or \"busy\""
                )));
            }
        };
        Ok(Self {
            domains: config.friends,
            grant,
        })
    }

    /// Decides about one recipient of one message:
    ///
    /// - `Decision::Allow`: yes, within the grant;
    /// - `Decision::Abstain`: nothing to say, the other policies decide;
    /// - `Decision::Deny`: no, whatever the others say; the reason goes to the log;
    /// - an error: you cannot tell now, so the sender is told to try later; after a few of them in a row you are not asked
    ///   for a while. Anybody can send any message: never fail at an odd one.
    ///
    /// `request.proofs` holds what the peer proved about itself; the host has checked that before, unless the
    /// administrator told it not to.
    async fn authorize(&self, request: &AccessRequest, _: &Call) -> Result<Decision> {
        let Ok(domain) = request.originator.domain() else {
            return Ok(Decision::Abstain);
        };
        if self.domains.iter().any(|friend| domain.is_within(friend)) {
            return Ok(Decision::Allow(self.grant));
        }
        Ok(Decision::Abstain)
    }
}

convoke_sdk::plugin! { name: "{{name}}", policy: Friends }

// Everything that the host relies on, in one line: `cargo test`.
#[cfg(test)]
convoke_sdk::conformance! {
    policy: Friends,
    config: r#"friends = ["example.com"]"#,
    default: "abstain",
    addresses: ["anna@example.com"],
}
