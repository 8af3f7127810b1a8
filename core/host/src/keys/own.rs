//! What peers find who look for our own key.

use super::Keys;
use convoke_dns::Resolver;
use convoke_ischedule::dkim::{Lookup, Signer};
use convoke_net::http_client::Client;
use std::fmt;

/// What a peer finds who looks for the key that we sign with.
#[derive(Debug)]
pub(crate) enum Published {
    /// That key.
    Ours,
    /// None.
    Nothing,
    /// Another one.
    Another,
    /// It cannot be found out now.
    Unknown(String),
}

impl fmt::Display for Published {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ours => f.write_str("peers find the key that we sign with"),
            Self::Nothing => f.write_str(
                "peers find no key, and refuse what we sign; publish what `convoke keys show-dns` prints",
            ),
            Self::Another => f.write_str(
                "peers find another key than the one that we sign with; publish what `convoke keys show-dns` prints, or take the right key",
            ),
            Self::Unknown(why) => f.write_str(why),
        }
    }
}

/// What is found by each method that our signatures name, asked for anew; what is handed over in private is not looked for.
pub(crate) async fn published(
    dns: Resolver,
    client: Client,
    signer: &Signer,
) -> Vec<(Lookup, Published)> {
    let keys = Keys::ours(dns, client);
    let (domain, selector) = (signer.domain(), signer.selector());
    let mut found = Vec::new();
    for &lookup in signer.lookups() {
        if lookup == Lookup::PrivateExchange {
            continue;
        }
        let published = match keys.look_up(lookup, domain, selector).await {
            Ok(records) if records.iter().any(|it| it.key == signer.key().public()) => {
                Published::Ours
            }
            Ok(records) if records.is_empty() => Published::Nothing,
            Ok(_) => Published::Another,
            Err(error) => Published::Unknown(error.to_string()),
        };
        found.push((lookup, published));
    }
    found
}
