use super::{Garbage, Read, Write, attributes, read_all, write_all};
use crate::{Discovered, Dnssec, Domain, Receiver, ReceiverUrl};
use convoke_abi::{
    RVec,
    discovery::{Discovered as SentDiscovered, Receiver as SentReceiver, dnssec, outcome},
    values::Length,
};
use std::time::Duration;

impl Write for Discovered {
    type Sent = SentDiscovered;

    fn write(self) -> SentDiscovered {
        let (outcome, receivers) = match self {
            Self::Receivers(receivers) => (outcome::RECEIVERS, write_all(receivers)),
            Self::NoService => (outcome::NO_SERVICE, RVec::new()),
            Self::NotMine => (outcome::NOT_MINE, RVec::new()),
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
            other => Err(Garbage::new(format!("outcome {other} is not known"))),
        }
    }
}

impl Write for Receiver {
    type Sent = SentReceiver;

    fn write(self) -> SentReceiver {
        let length = |duration: Duration| Length {
            seconds: duration.as_secs(),
            nanoseconds: duration.subsec_nanos(),
        };
        SentReceiver {
            url: self.url.as_str().into(),
            tls_name: self.tls_name.map(|name| name.as_str().into()).into(),
            valid_for: self.valid_for.map(length).into(),
            administered: self.administered,
            attributes: attributes(self.dnssec.map(|it| (dnssec::DNSSEC, it.as_str()))),
        }
    }
}

impl Read<SentReceiver> for Receiver {
    fn read(sent: SentReceiver) -> Result<Self, Garbage> {
        let tls_name = sent.tls_name.into_option();
        let duration = |length: Length| {
            // Nanoseconds beyond a second would carry, and could overflow.
            Duration::new(length.seconds, length.nanoseconds.min(999_999_999))
        };
        Ok(Self {
            url: ReceiverUrl::new(&sent.url)?,
            tls_name: tls_name.map(|name| Domain::new(&name)).transpose()?,
            valid_for: sent.valid_for.map(duration).into(),
            administered: sent.administered,
            dnssec: (sent.attributes.iter())
                .find(|fact| fact.name == dnssec::DNSSEC)
                .and_then(|fact| Dnssec::from_name(&fact.value)),
        })
    }
}
