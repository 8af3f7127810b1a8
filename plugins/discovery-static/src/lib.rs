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
//! config.freebusy."example.edu" = "https://cal.example.edu/SOGo/dav/public/%NAME%/freebusy.ifb"   # reached by mail, busy time there
//! ```
//!
//! The most specific entry answers: the address, then its exact domain, then the longest `*.` above the domain
//! (`*` alone is every domain). An address without an entry is left to the next strategy.
//!
//! `freebusy` is for domains whose server tells busy time by URL (`SOGo`, Open-Xchange, Zimbra…) and has no receiver: where the same
//! domain is under `domains` with one, that is asked. `%NAME%` stands for what is before the `@`, `%SERVER%` for what is after it.

use convoke_sdk::prelude::*;
use serde::de::{Deserializer, SeqAccess, Visitor, value::SeqAccessDeserializer};
use std::fmt;
use template::Template;

mod template;

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
        /// Where the busy time of a domain's people is read, who are reached by mail: an https URL with `%NAME%` for what is
        /// before the `@`, and `%SERVER%`, if it is wanted, for what is after it.
        freebusy: BTreeMap<String, Template> as "table of https URL with %NAME%, by domain" = {},
    }
}

/// The receivers of the configuration, ready to be looked up.
#[derive(Debug)]
pub struct StaticDiscovery {
    addresses: BTreeMap<String, Answer>,
    domains: BTreeMap<Domain, Entry>,
    wildcards: BTreeMap<Domain, Entry>,
    everywhere: Entry,
}

/// What is known of a domain.
#[derive(Debug, Default)]
struct Entry {
    answer: Option<Answer>,
    free_busy: Option<Template>,
}

impl Discovery for StaticDiscovery {
    type Config = Config;

    async fn open(config: Config, _host: Host) -> Result<Self> {
        let mut entries = Self {
            addresses: BTreeMap::new(),
            domains: BTreeMap::new(),
            wildcards: BTreeMap::new(),
            everywhere: Entry::default(),
        };
        for (text, answer) in config.addresses {
            let key = key(&CalendarAddress::new(&text)?);
            once(&text, entries.addresses.insert(key, answer).is_none())?;
        }
        for (text, answer) in config.domains {
            let before = entries.entry(&text)?.answer.replace(answer);
            once(&text, before.is_none())?;
        }
        for (text, template) in config.freebusy {
            let before = entries.entry(&text)?.free_busy.replace(template);
            once(&text, before.is_none())?;
        }
        Ok(entries)
    }

    async fn discover(&self, address: &CalendarAddress, _: &Call) -> Result<Discovered> {
        if let Some(answer) = self.addresses.get(&key(address)) {
            return Ok(answer.0.clone());
        }
        let Some(entry) = self.of_domain(address) else {
            return Ok(Discovered::NotMine);
        };
        let answer = entry.answer.as_ref().map(|it| &it.0);
        let url = entry.free_busy.as_ref().and_then(|it| it.of(address));
        Ok(match (answer, url) {
            (None | Some(Discovered::Mail), Some(url)) => {
                Discovered::FreeBusyUrl(Receiver::administered(url))
            }
            (Some(answer), _) => answer.clone(),
            // Busy time of an address that has no URL: it is reached as the others of its domain.
            (None, None) => Discovered::Mail,
        })
    }
}

impl StaticDiscovery {
    /// The entry of a domain as it is written, made if there is none.
    fn entry(&mut self, text: &str) -> Result<&mut Entry> {
        Ok(match text.strip_prefix("*.") {
            _ if text == "*" => &mut self.everywhere,
            Some(above) => self.wildcards.entry(Domain::new(above)?).or_default(),
            None => self.domains.entry(Domain::new(text)?).or_default(),
        })
    }

    fn of_domain(&self, address: &CalendarAddress) -> Option<&Entry> {
        let domain = address.domain().ok()?;
        let mut above = std::iter::successors(domain.parent(), Domain::parent);
        let everywhere = Some(&self.everywhere);
        (self.domains.get(domain))
            .or_else(|| above.find_map(|domain| self.wildcards.get(&domain)))
            .or_else(|| everywhere.filter(|it| it.answer.is_some() || it.free_busy.is_some()))
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
