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
