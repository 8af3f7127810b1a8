//! Receivers written down by the administrator.
//!
//! ```toml
//! [[discovery]]
//! plugin = "discovery-static"
//! config.domains."example.com" = "https://cal.example.com/.well-known/ischedule"
//! config.domains."*.example.com" = ["https://a.example.com/", "https://b.example.com/"]   # the first that answers
//! config.domains."example.net" = "none"                    # known to have no receiver: nobody else is asked
//! config.domains."example.info" = "mail"                   # reached by mail
//! config.addresses."mailto:anna@example.com" = "https://other.example.org/"
//! ```
//!
//! The most specific entry answers: the address, then its exact domain, then the longest `*.` above the domain
//! (`*` alone is every domain). An address without an entry is left to the next strategy.

use convoke_sdk::prelude::*;
use serde::de::{Deserializer, SeqAccess, Visitor, value::SeqAccessDeserializer};
use std::fmt;

convoke_sdk::config! {
    /// What the administrator writes under `config`.
    #[derive(Debug)]
    pub struct Config {
        /// What is known of a domain: its receivers, the first that answers is used, `"none"` if it has none, or `"mail"`
        /// if it is reached by mail.
        /// `*.` before a domain stands for all below it, `*` alone for every domain.
        domains: BTreeMap<String, Answer> as "table of https URL, list of them, \"none\" or \"mail\", by domain" = {},
        /// The same of single addresses, which go before their domain.
        addresses: BTreeMap<String, Answer> as "table of https URL, list of them, \"none\" or \"mail\", by address" = {},
    }
}

/// The receivers of the configuration, ready to be looked up.
#[derive(Debug)]
pub struct StaticDiscovery {
    addresses: BTreeMap<String, Answer>,
    domains: BTreeMap<Domain, Answer>,
    wildcards: BTreeMap<Domain, Answer>,
    everywhere: Option<Answer>,
}

impl Discovery for StaticDiscovery {
    type Config = Config;

    async fn open(config: Config, _host: Host) -> Result<Self> {
        let mut entries = Self {
            addresses: BTreeMap::new(),
            domains: BTreeMap::new(),
            wildcards: BTreeMap::new(),
            everywhere: None,
        };
        for (text, answer) in config.addresses {
            let key = key(&CalendarAddress::new(&text)?);
            once(&text, entries.addresses.insert(key, answer).is_none())?;
        }
        for (text, answer) in config.domains {
            let before = match text.strip_prefix("*.") {
                _ if text == "*" => entries.everywhere.replace(answer),
                Some(above) => entries.wildcards.insert(Domain::new(above)?, answer),
                None => entries.domains.insert(Domain::new(&text)?, answer),
            };
            once(&text, before.is_none())?;
        }
        Ok(entries)
    }

    async fn discover(&self, address: &CalendarAddress, _: &Call) -> Result<Discovered> {
        let entry = (self.addresses.get(&key(address))).or_else(|| self.of_domain(address));
        Ok(entry.map_or(Discovered::NotMine, |answer| answer.0.clone()))
    }
}

impl StaticDiscovery {
    fn of_domain(&self, address: &CalendarAddress) -> Option<&Answer> {
        let domain = address.domain().ok()?;
        let mut above = std::iter::successors(domain.parent(), Domain::parent);
        (self.domains.get(domain))
            .or_else(|| above.find_map(|domain| self.wildcards.get(&domain)))
            .or(self.everywhere.as_ref())
    }
}

/// The case of a `mailto:` local part does not tell two people apart.
fn key(address: &CalendarAddress) -> String {
    if address.local_part().is_some() {
        address.as_str().to_ascii_lowercase()
    } else {
        address.as_str().to_owned()
    }
}

fn once(text: &str, first: bool) -> Result<()> {
    if first {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "`{text}` is listed twice, in two spellings; remove one"
    )))
}

/// One URL, a list of them, `"none"` or `"mail"`.
#[derive(Clone, Debug)]
struct Answer(Discovered);

impl<'de> Deserialize<'de> for Answer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnswerVisitor)
    }
}

struct AnswerVisitor;

impl<'de> Visitor<'de> for AnswerVisitor {
    type Value = Answer;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a receiver's https URL, a list of such URLs, \"none\" or \"mail\"")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Answer, E> {
        if text == "none" {
            return Ok(Answer(Discovered::NoService));
        }
        if text == "mail" {
            return Ok(Answer(Discovered::Mail));
        }
        let url = ReceiverUrl::new(text).map_err(E::custom)?;
        Ok(Answer(Discovered::Receivers(vec![Receiver::administered(
            url,
        )])))
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<Answer, E> {
        if value {
            return Err(E::invalid_type(serde::de::Unexpected::Bool(value), &self));
        }
        Ok(Answer(Discovered::NoService))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Answer, A::Error> {
        let urls = Vec::<ReceiverUrl>::deserialize(SeqAccessDeserializer::new(list))?;
        if urls.is_empty() {
            return Err(serde::de::Error::invalid_length(0, &self));
        }
        let receivers = urls.into_iter().map(Receiver::administered).collect();
        Ok(Answer(Discovered::Receivers(receivers)))
    }
}

convoke_sdk::plugin! { name: "discovery-static", discovery: StaticDiscovery }

#[cfg(test)]
mod tests;
