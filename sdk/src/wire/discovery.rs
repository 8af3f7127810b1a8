use super::{Garbage, Read, Write, read_all, read_attributes, write_all};
use crate::{Discovered, Dnssec, Domain, Receiver, ReceiverUrl, Source};
use convoke_abi::{
    RVec,
    discovery::{Discovered as SentDiscovered, Receiver as SentReceiver, dnssec, outcome, source},
};

impl Write for Discovered {
    type Sent = SentDiscovered;

    fn write(self) -> SentDiscovered {
        let (outcome, receivers) = match self {
            Self::Receivers(receivers) => (outcome::RECEIVERS, write_all(receivers)),
            Self::NoService => (outcome::NO_SERVICE, RVec::new()),
            Self::NotMine => (outcome::NOT_MINE, RVec::new()),
            Self::Mail => (outcome::MAIL, RVec::new()),
            // Who does not know of such URLs reaches it by mail alone.
            Self::FreeBusyUrl(url) => (outcome::MAIL, write_all(vec![url])),
        };
        SentDiscovered {
            outcome,
            receivers,
            attributes: RVec::new(),
        }
    }
}

impl Read<SentDiscovered> for Discovered {
    fn read(sent: SentDiscovered) -> Result<Self, Garbage> {
        match sent.outcome {
            outcome::RECEIVERS if sent.receivers.is_empty() => {
                Err(Garbage::new("it names receivers, but none of them"))
            }
            outcome::RECEIVERS => Ok(Self::Receivers(read_all(sent.receivers)?)),
            outcome::NO_SERVICE => Ok(Self::NoService),
            outcome::NOT_MINE => Ok(Self::NotMine),
            outcome::MAIL => Ok(match sent.receivers.into_iter().next() {
                Some(url) => Self::FreeBusyUrl(Receiver::read(url)?),
                None => Self::Mail,
            }),
            other => Err(Garbage::new(format!("outcome {other} is not known"))),
        }
    }
}

impl Write for Receiver {
    type Sent = SentReceiver;

    fn write(self) -> SentReceiver {
        let mut attributes = self.attributes;
        if let Some(it) = self.dnssec {
            attributes.set(dnssec::DNSSEC, it.as_str());
        }
        let (host_end, port, target_start) = self.url.parts();
        SentReceiver {
            url: String::from(self.url).into(),
            host_end,
            port: port.into(),
            target_start,
            tls_name: self.tls_name.map(|name| String::from(name).into()).into(),
            valid_for: self.valid_for.write(),
            source: match self.source {
                Source::Lookup => source::LOOKUP,
                Source::Administrator => source::ADMINISTRATOR,
            },
            attributes: (&attributes).write(),
        }
    }
}

impl Read<SentReceiver> for Receiver {
    fn read(sent: SentReceiver) -> Result<Self, Garbage> {
        let tls_name = sent.tls_name.into_option();
        let attributes = read_attributes(sent.attributes);
        Ok(Self {
            url: read_url(
                sent.url.into_string(),
                sent.host_end,
                sent.port,
                sent.target_start,
            )?,
            tls_name: tls_name.map(|name| Domain::new(&name)).transpose()?,
            valid_for: Option::read(sent.valid_for)?,
            source: match sent.source {
                source::ADMINISTRATOR => Source::Administrator,
                _ => Source::Lookup,
            },
            dnssec: attributes.get(dnssec::DNSSEC).and_then(Dnssec::from_name),
            attributes,
        })
    }
}

/// The URL was parsed by the plugin; what it says of its parts is compared with the text.
fn read_url(
    text: String,
    host_end: u32,
    port: u32,
    target_start: u32,
) -> Result<ReceiverUrl, Garbage> {
    let shown: String = text.chars().take(120).collect();
    u16::try_from(port)
        .ok()
        .and_then(|port| ReceiverUrl::from_parts(text, host_end, port, target_start))
        .ok_or_else(|| {
            Garbage::new(format!(
                "`{shown}` is no URL of a receiver whose parts lie where they are said to"
            ))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What hosts make of an outcome that were built before there were free-busy URLs.
    fn read_by_an_old_host(sent: &SentDiscovered) -> Option<Discovered> {
        match sent.outcome {
            outcome::NO_SERVICE => Some(Discovered::NoService),
            outcome::NOT_MINE => Some(Discovered::NotMine),
            outcome::MAIL => Some(Discovered::Mail),
            _ => None,
        }
    }

    fn sent(outcome: u32, receivers: Vec<Receiver>) -> SentDiscovered {
        SentDiscovered {
            outcome,
            receivers: write_all(receivers),
            attributes: RVec::new(),
        }
    }

    #[test]
    fn a_free_busy_url_is_mail_to_who_does_not_know_of_such() {
        let url = ReceiverUrl::new("https://dav.example.net/anna.ifb?x=1").unwrap();
        let known = Discovered::FreeBusyUrl(Receiver::new(url));
        let written = known.clone().write();
        assert_eq!(read_by_an_old_host(&written), Some(Discovered::Mail));
        assert_eq!(Discovered::read(written).ok(), Some(known));
        // A plugin that does not know of them names none.
        let mail = Discovered::read(sent(outcome::MAIL, Vec::new()));
        assert_eq!(mail.ok(), Some(Discovered::Mail));
    }

    #[test]
    fn what_nobody_knows_is_no_outcome() {
        for (code, receivers) in [
            (0, Vec::new()),
            (5, Vec::new()),
            (outcome::RECEIVERS, Vec::new()),
        ] {
            assert!(Discovered::read(sent(code, receivers)).is_err(), "{code}");
        }
    }
}
