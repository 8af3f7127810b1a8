//! One message that waits to be delivered to one recipient.

use crate::{
    keys::{digest, folded},
    outcome::Via,
};
use convoke_calendar::{itip::Outgoing, message::Method};
use convoke_types::{CalendarAddress, Error, ErrorKind, RequestStatus, Uid};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::{collections::HashSet, fmt, str::FromStr};

/// Names an entry of the outbox: letters, digits and a hyphen; later ones sort after earlier ones.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EntryId(String);

/// A place in the order in which messages are handed in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    millisecond: u64,
    /// Within the millisecond.
    number: u16,
}

impl Place {
    /// The place after this one, for what is handed in at `now`: also where the clock was set back.
    pub(crate) fn next(self, now: Timestamp) -> Self {
        let millisecond = u64::try_from(now.as_millisecond()).unwrap_or(0);
        if millisecond > self.millisecond {
            return Self {
                millisecond,
                number: 0,
            };
        }
        match self.number.checked_add(1) {
            Some(number) => Self { number, ..self },
            None => Self {
                millisecond: self.millisecond + 1,
                number: 0,
            },
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:011x}{:04x}", self.millisecond, self.number)
    }
}

impl EntryId {
    /// Of what was handed in at this place in the order of all, by one for another.
    fn of(place: Place, message: &str, recipient: &CalendarAddress) -> Self {
        let digest = digest(&[message.as_bytes(), folded(recipient).as_bytes()]);
        Self(format!("{place}-{}", &digest[..6]))
    }

    /// The last part of a key; it has no slash.
    pub(crate) fn last_of(key: &[u8]) -> Option<Self> {
        Self::read(key.rsplit(|byte| *byte == b'/').next()?)
    }

    /// As it was [written](Self::as_str).
    pub(crate) fn read(octets: &[u8]) -> Option<Self> {
        std::str::from_utf8(octets).ok()?.parse().ok()
    }

    /// Its place in the order of all; the first for a name of another kind.
    pub(crate) fn place(&self) -> Place {
        let digits = |range| {
            let digits = self.0.get(range).unwrap_or_default();
            u64::from_str_radix(digits, 16).unwrap_or_default()
        };
        Place {
            millisecond: digits(0..11),
            number: u16::try_from(digits(11..15)).unwrap_or_default(),
        }
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for EntryId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let is_id = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if text.is_empty() || text.len() > 128 || !text.bytes().all(is_id) {
            return Err(Error::invalid(format!(
                "`{}` is no identifier of the queue; `convoke queue list` shows them",
                convoke_types::excerpt(text, 40)
            )));
        }
        Ok(Self(text.to_owned()))
    }
}

/// One message that waits to be delivered to one recipient.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Entry {
    /// Its name.
    pub id: EntryId,
    /// Who sends it.
    pub originator: CalendarAddress,
    /// To whom it goes.
    pub recipient: CalendarAddress,
    /// What it is about.
    pub uid: Uid,
    /// Its iTIP method, upper-case.
    pub method: String,
    /// The instances that it is about, see [`Message::instance_names`](convoke_calendar::message::Message::instance_names).
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub instances: String,
    /// The digest under which its octets lie.
    pub message: String,
    /// The host that tries it; empty of one that is alone with its state.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub holder: String,
    /// When it was handed in.
    pub created: Timestamp,
    /// When it is given up.
    pub until: Timestamp,
    /// How often it was tried.
    #[serde(default)]
    pub attempts: u32,
    /// How many of the tries handed nothing over, for certain.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) fruitless: u32,
    /// When it is tried next.
    pub next: Timestamp,
    /// What came of the last try: a request status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<String>,
    /// By what the last try went that got so far. Once it is [`Via::Mail`], it stays so: one version of a meeting goes to a
    /// person by one transport.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<Via>,
    /// How it has ended, where that could not be noted in its originator's calendar: it is not sent any more, and waits for that
    /// alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ended: Option<String>,
    /// A try of it, or of what it replaces, was begun, and nobody knows how far it came.
    #[serde(skip)]
    pub(crate) may_have_left: bool,
    /// The version that it was committed in, as far as hosts share the state.
    #[serde(skip)]
    pub(crate) version: u64,
}

impl Entry {
    /// What came of the last try.
    pub fn last_status(&self) -> Option<RequestStatus> {
        self.last.as_ref()?.parse().ok()
    }

    /// Whether nothing ever left for this recipient, so that nobody there knows of it.
    pub(crate) const fn never_left(&self) -> bool {
        self.attempts == self.fruitless && !self.may_have_left
    }

    /// How it has ended, if it is not sent any more.
    pub(crate) fn ended_as(&self) -> Option<RequestStatus> {
        self.ended.as_ref()?.parse().ok()
    }

    /// What goes to one recipient about one object goes in the order in which it was handed in. What has ended is in nobody's way.
    pub(crate) fn chain(&self) -> Chain {
        let parts = [&self.originator, &self.recipient].map(folded);
        let own = self.ended.as_ref().map_or("", |_| self.id.as_str());
        Chain(digest(&[
            parts[0].as_bytes(),
            parts[1].as_bytes(),
            self.uid.as_str().as_bytes(),
            own.as_bytes(),
        ]))
    }

    /// Whether this entry says all that an earlier one of its chain has to say.
    pub(crate) fn replaces(&self, earlier: &Self) -> bool {
        let method = Method::parse(&self.method);
        let same_instances = self.instances == earlier.instances;
        match method {
            Some(Method::Cancel | Method::Request) => {
                self.is_about_all() && is_from_organizer(earlier)
                    || same_instances && is_from_organizer(earlier)
            }
            // It says of nothing else how that is answered.
            Some(Method::Reply) => earlier.method == self.method && self.names_all_of(earlier),
            Some(_) => earlier.method == self.method && same_instances,
            None => false,
        }
    }

    fn names_all_of(&self, other: &Self) -> bool {
        let names: HashSet<&str> = self.instances.split(',').collect();
        other.instances.split(',').all(|name| names.contains(name))
    }

    /// Whether it is about the whole of its object: the first name is that of the whole, which is empty.
    fn is_about_all(&self) -> bool {
        self.instances.is_empty() || self.instances.starts_with(',')
    }
}

/// What one organizer tells one guest about one object.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Chain(String);

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes what it may skip by reference"
)]
const fn is_zero(number: &u32) -> bool {
    *number == 0
}

fn is_from_organizer(entry: &Entry) -> bool {
    matches!(
        Method::parse(&entry.method),
        Some(Method::Request | Method::Add | Method::Cancel)
    )
}

/// A message made ready to wait: its octets, and an entry for each recipient.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    pub(crate) digest: String,
    pub(crate) data: Vec<u8>,
    pub(crate) entries: Vec<Entry>,
}

impl Waiting {
    /// `data` is the message as it leaves.
    pub(crate) fn new(
        outgoing: &Outgoing,
        data: Vec<u8>,
        now: Timestamp,
        until: Timestamp,
        mut place: impl FnMut() -> Place,
    ) -> Self {
        let Outgoing {
            message,
            originator,
            recipients,
        } = outgoing;
        // The same octets handed in twice are two messages: when the one is done, the other is still needed.
        let first = place().to_string();
        let digest = digest(&[folded(originator).as_bytes(), first.as_bytes(), &data]);
        let instances = message.instance_names();
        let mut entry = |recipient: &CalendarAddress| Entry {
            id: EntryId::of(place(), &digest, recipient),
            originator: originator.clone(),
            recipient: recipient.clone(),
            uid: message.uid().clone(),
            method: message.method().as_str().to_owned(),
            instances: instances.clone(),
            message: digest.clone(),
            holder: String::new(),
            created: now,
            until,
            attempts: 0,
            fruitless: 0,
            next: now,
            last: None,
            via: None,
            ended: None,
            may_have_left: false,
            version: 0,
        };
        Self {
            entries: recipients.iter().map(&mut entry).collect(),
            digest,
            data,
        }
    }
}

/// What came of a try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Tried {
    /// That is how it ends.
    Final(RequestStatus),
    /// This recipient may be told later.
    Later(RequestStatus, Option<std::time::Duration>),
    /// Nobody at the recipient's receiver may be told now.
    Down(RequestStatus, Option<std::time::Duration>),
}

impl Tried {
    /// The status.
    pub(crate) const fn status(&self) -> &RequestStatus {
        match self {
            Self::Final(status) | Self::Later(status, _) | Self::Down(status, _) => status,
        }
    }

    /// Whether it did not arrive.
    pub(crate) fn has_failed(&self) -> bool {
        match self {
            Self::Final(status) => status.is_failure(),
            Self::Later(..) | Self::Down(..) => true,
        }
    }
}

/// There is no such entry, or it is on its way.
pub(crate) fn no_entry(id: &EntryId) -> Error {
    Error::new(
        ErrorKind::NotFound,
        format!("nothing waits under {id}; `convoke queue list` shows what does"),
    )
}
