//! Who came lately: other servers that sent messages, what they proved, and why they were refused.
//!
//! Kept in memory, for administrators who look. A peer counts as what the rate limits count it as: the domain that it proved, or the
//! network that it comes from. Anybody may come under a million names, so there is room for so many peers and no more: whoever
//! was never answered makes room first, so that strangers do not push out those with whom we talk. Texts that peers choose
//! are cut.

use crate::metrics::known_code;
use convoke_ischedule::ErrorElement;
use convoke_net::{
    http_server::{Arrival, Response},
    network::network,
};
use convoke_scheduling::Peer;
use convoke_types::{CalendarAddress, Proof, RequestStatus, excerpt};
use http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::{
    borrow::Cow,
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Peers that are remembered.
const MOST: usize = 1_000;
/// What is remembered of what one proved.
const PROOFS: usize = 4;
/// The longest text of a peer that is kept, in characters.
const LONGEST: usize = 200;

/// What is known of one that came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PeerRow {
    /// The domain that it proved, or its network.
    pub(crate) peer: String,
    /// What it proved of the Originator the last time.
    pub(crate) proofs: Vec<Proof>,
    /// Where it came from the last time.
    pub(crate) address: IpAddr,
    /// Who sent the last message; where `proofs` is empty, nobody has proved it.
    pub(crate) originator: Option<String>,
    pub(crate) first: Timestamp,
    pub(crate) last: Timestamp,
    /// Messages that were judged as a whole, and answered for each recipient.
    pub(crate) answered: u64,
    /// Messages that were refused as a whole.
    pub(crate) refused: u64,
    /// Messages that were put off, or of which the end never came.
    pub(crate) put_off: u64,
    /// What its recipients were answered: how often, by the code of the status.
    pub(crate) statuses: BTreeMap<Cow<'static, str>, u64>,
    /// Why its messages were refused: how often, by the error element.
    pub(crate) errors: BTreeMap<Cow<'static, str>, u64>,
    /// The last message that was refused or put off.
    pub(crate) last_refusal: Option<LastRefusal>,
}

/// Why a message was refused or put off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LastRefusal {
    pub(crate) at: Timestamp,
    /// The error element; nothing if it was put off.
    pub(crate) error: Option<Cow<'static, str>>,
    pub(crate) text: String,
}

impl PeerRow {
    fn new(visit: &Visit<'_>, now: Timestamp) -> Self {
        Self {
            peer: visit.peer.to_string(),
            proofs: Vec::new(),
            address: visit.address,
            originator: None,
            first: now,
            last: now,
            answered: 0,
            refused: 0,
            put_off: 0,
            statuses: BTreeMap::new(),
            errors: BTreeMap::new(),
            last_refusal: None,
        }
    }

    fn add(&mut self, visit: &Visit<'_>, came: Came, now: Timestamp) {
        self.last = now;
        self.address = visit.address;
        let proofs = &visit.proofs[..visit.proofs.len().min(PROOFS)];
        if self.proofs != proofs {
            self.proofs = proofs.to_vec();
        }
        if let Some(originator) = visit.originator {
            self.originator = Some(excerpt(originator.human(), LONGEST));
        }
        match came {
            Came::Answered(codes) => {
                self.answered += 1;
                for code in codes {
                    *self.statuses.entry(code.into()).or_default() += 1;
                }
            }
            Came::Refused(element, text) => {
                self.refused += 1;
                let error = Cow::Borrowed(element.name());
                *self.errors.entry(error.clone()).or_default() += 1;
                self.refuse(now, Some(error), &text);
            }
            Came::PutOff(text) => {
                self.put_off += 1;
                self.refuse(now, None, &text);
            }
        }
    }

    fn refuse(&mut self, at: Timestamp, error: Option<Cow<'static, str>>, text: &str) {
        let text = excerpt(text, LONGEST);
        self.last_refusal = Some(LastRefusal { at, error, text });
    }

    /// Whom to forget first: who was never answered, then who came the longest ago.
    fn worth(&self) -> (bool, Timestamp) {
        (self.answered > 0, self.last)
    }
}

/// A message that came.
pub(crate) struct Visit<'a> {
    peer: Peer,
    proofs: &'a [Proof],
    address: IpAddr,
    originator: Option<&'a CalendarAddress>,
}

impl<'a> Visit<'a> {
    /// By somebody who proved nothing, or of whom not even that is known.
    pub(crate) fn of_stranger(arrival: &Arrival, originator: Option<&'a CalendarAddress>) -> Self {
        let address = arrival.address.ip().to_canonical();
        Self {
            peer: Peer::Network(network(address)),
            proofs: &[],
            address,
            originator,
        }
    }

    /// By a peer that proved this of the Originator.
    pub(crate) fn of(
        arrival: &Arrival,
        (peer, proofs): (&Peer, &'a [Proof]),
        originator: &'a CalendarAddress,
    ) -> Self {
        Self {
            peer: peer.clone(),
            proofs,
            ..Self::of_stranger(arrival, Some(originator))
        }
    }
}

/// What became of a message.
pub(crate) enum Came {
    /// It was answered; the codes are those of its recipients, or none if the answer was known already.
    Answered(Vec<&'static str>),
    /// It was refused as a whole.
    Refused(ErrorElement, String),
    /// It is to come again.
    PutOff(String),
}

impl Came {
    /// It could not be read to its end; the response says why.
    pub(crate) fn unread(response: &Response) -> Self {
        let status = response.status();
        match response.extensions().get::<ErrorElement>() {
            Some(element) => Self::Refused(
                *element,
                "its header is wrong, or it is too long".to_owned(),
            ),
            None if status == StatusCode::SERVICE_UNAVAILABLE => {
                Self::PutOff("there was no memory left for it".to_owned())
            }
            None => Self::PutOff(format!("its end did not come: {status}")),
        }
    }
}

/// The codes of statuses, as they are counted.
pub(crate) fn codes<'a>(statuses: impl Iterator<Item = &'a RequestStatus>) -> Vec<&'static str> {
    statuses.map(known_code).collect()
}

/// Who came since the host began.
#[derive(Default)]
pub(crate) struct Peers(Mutex<Known>);

#[derive(Default)]
struct Known {
    rows: HashMap<Peer, PeerRow>,
    forgotten: u64,
}

impl Peers {
    /// Takes note of a message.
    pub(crate) fn note(&self, visit: &Visit<'_>, came: Came) {
        self.lock().note(visit, came, Timestamp::now(), MOST);
    }

    /// Those who came last, at most so many; and how many are not remembered any more.
    pub(crate) fn last(&self, most: usize) -> (Vec<PeerRow>, u64) {
        let (mut rows, forgotten) = {
            let known = self.lock();
            (
                known.rows.values().cloned().collect::<Vec<_>>(),
                known.forgotten,
            )
        };
        rows.sort_by_key(|it| Reverse(it.last));
        rows.truncate(most);
        (rows, forgotten)
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        // Counters: a change that was cut short does no harm.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn note(&mut self, visit: &Visit<'_>, came: Came, now: Timestamp, most: usize) {
        if !self.rows.contains_key(&visit.peer) && self.rows.len() >= most {
            self.forget(most.div_ceil(8));
        }
        let row = self.rows.entry(visit.peer.clone());
        let row = row.or_insert_with(|| PeerRow::new(visit, now));
        row.add(visit, came, now);
    }

    /// Forgets so many at once: to look through all for each stranger that comes would hold up those who are answered.
    fn forget(&mut self, count: usize) {
        let rows = self.rows.iter();
        let mut worths: Vec<_> = rows.map(|(peer, row)| (row.worth(), peer)).collect();
        worths.sort_unstable_by_key(|it| it.0);
        let least: Vec<Peer> = worths.iter().take(count).map(|it| it.1.clone()).collect();
        for peer in &least {
            self.rows.remove(peer);
        }
        self.forgotten += least.len() as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn visit(peer: &str) -> Visit<'_> {
        let address = "192.0.2.1".parse().unwrap();
        Visit {
            peer: Peer::Domain(peer.parse().unwrap()),
            proofs: &[],
            address,
            originator: None,
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn names(known: &Known) -> Vec<String> {
        let mut names: Vec<_> = known.rows.values().map(|it| it.peer.clone()).collect();
        names.sort();
        names
    }

    #[test]
    fn strangers_do_not_push_out_those_who_were_answered() {
        let mut known = Known::default();
        known.note(
            &visit("good.example"),
            Came::Answered(vec!["2.0"]),
            at(0),
            3,
        );
        for number in 1..=1000 {
            let name = format!("n{number}.example");
            let element = ErrorElement::VerificationFailed;
            let came = Came::Refused(element, "no".to_owned());
            known.note(&visit(&name), came, at(number), 3);
        }
        assert_eq!(
            names(&known),
            ["good.example", "n1000.example", "n999.example"]
        );
        assert_eq!(known.forgotten, 998);
    }

    #[test]
    fn among_those_who_were_answered_the_oldest_makes_room() {
        let mut known = Known::default();
        for (second, name) in [
            (1, "a.example"),
            (2, "b.example"),
            (3, "a.example"),
            (4, "c.example"),
        ] {
            known.note(&visit(name), Came::Answered(Vec::new()), at(second), 2);
        }
        assert_eq!(names(&known), ["a.example", "c.example"]);
    }

    #[test]
    fn what_became_of_messages_is_counted_and_texts_are_cut() {
        let mut known = Known::default();
        let peer = visit("a.example");
        known.note(&peer, Came::Answered(vec!["2.0", "2.0", "3.8"]), at(1), 9);
        let element = ErrorElement::OriginatorDenied;
        let long = "x".repeat(5_000);
        known.note(&peer, Came::Refused(element, long), at(2), 9);
        let row = &known.rows[&peer.peer];
        let refusal = row.last_refusal.as_ref().unwrap();
        assert_eq!(refusal.text.len(), LONGEST);
        assert_eq!(row.errors["originator-denied"], 1);
        known.note(&peer, Came::PutOff("later".to_owned()), at(3), 9);
        let row = &known.rows[&peer.peer];
        assert_eq!((row.answered, row.refused, row.put_off), (1, 1, 1));
        assert_eq!((row.statuses["2.0"], row.statuses["3.8"]), (2, 1));
        assert_eq!((row.first, row.last), (at(1), at(3)));
        let refusal = row.last_refusal.as_ref().unwrap();
        assert_eq!((refusal.error.as_deref(), &*refusal.text), (None, "later"));
        let json = serde_json::to_string(row).unwrap();
        assert_eq!(serde_json::from_str::<PeerRow>(&json).unwrap(), *row);
    }
}
