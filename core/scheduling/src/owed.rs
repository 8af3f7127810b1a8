//! What our people owe because a message came in, and whose answer nobody waits for: a REFRESH where an ADD builds on
//! something missing, a REQUEST where somebody asks for the latest version or is a delegate, a REPLY of a room.
//!
//! Who causes it is a stranger, and whom it goes to may be somebody else: so little goes out that nobody is worth using us
//! for it, one message a second about an object to one address, and few at once to a domain. What is not sent is logged.
//! A room's REPLY is not held back: it goes to the organizer alone, who has just asked for it.
//!
//! [`Owed`] holds each message from the moment it is owed until it was sent. Its owner takes them out
//! ([`Owed::next`]), sends them ([`Scheduler::send_owed`](crate::Scheduler::send_owed)), and at the end waits for the last
//! ones ([`Owed::settled`]) or names what is left ([`Owed::left`]).

use convoke_calendar::{itip::Outgoing, message::Method};
use convoke_types::{CalendarAddress, Domain};
use jiff::{SignedDuration, Timestamp};
use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    future::poll_fn,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

/// How long after a message about an object the next one may go to the same address.
const BETWEEN: SignedDuration = SignedDuration::from_secs(1);
/// Messages on their way to one domain that is not ours.
const TO_A_DOMAIN: usize = 10;
/// Messages that wait or are on their way.
const MOST: usize = 1_000;
/// Messages remembered at once.
const MOST_REMEMBERED: usize = 10_000;

/// What is owed, and what was sent lately. Cheap to clone; clones are the same.
#[derive(Clone, Default)]
pub struct Owed(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    lately: HashMap<Key, Timestamp>,
    to_domain: HashMap<Domain, usize>,
    waiting: VecDeque<u64>,
    /// What waits and what is on its way, by number.
    messages: BTreeMap<u64, Arc<Outgoing>>,
    last_number: u64,
    /// Who waits for something to change.
    wakers: Vec<Waker>,
}

/// Method, UID, recipient.
type Key = (&'static str, String, String);

/// Why a message does not go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Held {
    Lately,
    Crowded,
}

impl Held {
    const fn reason(self) -> &'static str {
        match self {
            Self::Lately => "one about this object went to this address a moment ago",
            Self::Crowded => "many are on their way to this domain",
        }
    }
}

/// A message that is being sent; it was, or was given up, when this is dropped.
#[must_use]
pub struct OwedMessage {
    owed: Owed,
    number: u64,
    outgoing: Arc<Outgoing>,
}

impl OwedMessage {
    /// The message, and to whom.
    pub fn outgoing(&self) -> &Outgoing {
        &self.outgoing
    }
}

impl Drop for OwedMessage {
    fn drop(&mut self) {
        self.owed.lock().done(self.number);
    }
}

impl Owed {
    /// Leaves out whom the message may not go to now; nothing happens if that is everybody.
    pub(crate) fn add(
        &self,
        mut outgoing: Outgoing,
        is_ours: impl Fn(&Domain) -> bool,
        now: Timestamp,
    ) {
        let mut state = self.lock();
        let Outgoing {
            message,
            originator,
            recipients,
        } = &mut outgoing;
        let (method, uid) = (message.method().as_str(), message.uid());
        recipients.retain(|recipient| {
            let domain = recipient.domain().ok().filter(|domain| !is_ours(domain));
            let admitted = match message.method() {
                Method::Reply => state.admit_answer(domain),
                _ => state.admit(key(method, uid.as_str(), recipient), domain, now),
            };
            if let Err(held) = admitted {
                tracing::info!(
                    event = "background-held", %originator, %recipient, method, %uid,
                    "not sent: {}", held.reason()
                );
            }
            admitted.is_ok()
        });
        if outgoing.recipients.is_empty() {
            return;
        }
        state.push(outgoing);
    }

    /// The next message to be sent, once there is one.
    pub async fn next(&self) -> OwedMessage {
        poll_fn(|context| {
            let mut state = self.lock();
            let Some(number) = state.waiting.pop_front() else {
                return state.wait(context);
            };
            let outgoing = state.messages.get(&number).cloned();
            let outgoing = outgoing.expect("what waits is in the list of messages");
            Poll::Ready(OwedMessage {
                owed: self.clone(),
                number,
                outgoing,
            })
        })
        .await
    }

    /// Waits until nothing is owed any more.
    pub async fn settled(&self) {
        poll_fn(|context| {
            let mut state = self.lock();
            if state.messages.is_empty() {
                Poll::Ready(())
            } else {
                state.wait(context)
            }
        })
        .await;
    }

    /// What is owed still, the oldest first: what waits, and what is being sent.
    pub fn left(&self) -> Vec<Arc<Outgoing>> {
        self.lock().messages.values().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing is half done when somebody panics: counts change in one step.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(method: &'static str, uid: &str, recipient: &CalendarAddress) -> Key {
    let recipient = recipient.as_str().to_ascii_lowercase();
    (method, uid.to_owned(), recipient)
}

impl State {
    fn admit(&mut self, key: Key, domain: Option<&Domain>, now: Timestamp) -> Result<(), Held> {
        // A clock that was set back holds nobody up.
        let is_recent =
            |at: &Timestamp| (SignedDuration::ZERO..BETWEEN).contains(&now.duration_since(*at));
        if self.lately.get(&key).is_some_and(is_recent) {
            return Err(Held::Lately);
        }
        if self.lately.len() >= MOST_REMEMBERED {
            self.lately.retain(|_, at| is_recent(at));
        }
        let to_domain = domain.and_then(|domain| self.to_domain.get(domain));
        let is_crowded = to_domain.is_some_and(|&count| count >= TO_A_DOMAIN);
        if is_crowded || self.lately.len() >= MOST_REMEMBERED || self.messages.len() >= MOST {
            return Err(Held::Crowded);
        }
        self.lately.insert(key, now);
        self.count(domain);
        Ok(())
    }

    /// Each is asked for by who gets it.
    fn admit_answer(&mut self, domain: Option<&Domain>) -> Result<(), Held> {
        if self.messages.len() >= MOST {
            return Err(Held::Crowded);
        }
        self.count(domain);
        Ok(())
    }

    fn count(&mut self, domain: Option<&Domain>) {
        if let Some(domain) = domain {
            *self.to_domain.entry(domain.clone()).or_default() += 1;
        }
    }

    fn push(&mut self, outgoing: Outgoing) {
        self.last_number += 1;
        self.messages.insert(self.last_number, Arc::new(outgoing));
        self.waiting.push_back(self.last_number);
        self.wake();
    }

    fn done(&mut self, number: u64) {
        let Some(outgoing) = self.messages.remove(&number) else {
            return;
        };
        for recipient in &outgoing.recipients {
            let Ok(domain) = recipient.domain() else {
                continue;
            };
            // Domains of ours are not counted.
            if let Some(count) = self.to_domain.get_mut(domain) {
                *count -= 1;
                if *count == 0 {
                    self.to_domain.remove(domain);
                }
            }
        }
        self.wake();
    }

    fn wait<T>(&mut self, context: &Context<'_>) -> Poll<T> {
        let waker = context.waker();
        if !self.wakers.iter().any(|known| known.will_wake(waker)) {
            self.wakers.push(waker.clone());
        }
        Poll::Pending
    }

    fn wake(&mut self) {
        self.wakers.drain(..).for_each(Waker::wake);
    }
}
