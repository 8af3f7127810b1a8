//! Messages that go out on behalf of our users because one came in, and whose answers nobody waits for: a REFRESH where
//! an ADD builds on something missing, a REQUEST where somebody asks for the latest version or is a delegate.
//!
//! Who causes them is a stranger, and whom they go to may be somebody else: so few go out that nobody is worth using us
//! for it, one a second about an object to one address, and few at once to a domain. What is not sent is logged.

use crate::config::Config;
use convoke_calendar::itip::Outgoing;
use convoke_types::{CalendarAddress, Domain};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::watch;

/// How long after a message about an object the next one may go to the same address.
const BETWEEN: Duration = Duration::from_secs(1);
/// Messages on their way to one domain that is not ours.
const TO_A_DOMAIN: usize = 10;
/// Messages remembered at once.
const MOST: usize = 10_000;

/// What is on its way, and what went lately.
#[derive(Default)]
pub struct Background {
    known: Arc<Mutex<Known>>,
    running: watch::Sender<usize>,
}

#[derive(Default)]
struct Known {
    lately: HashMap<Key, Instant>,
    outstanding: HashMap<Domain, usize>,
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

/// A message on its way; it has arrived, or was given up, when this is dropped.
pub(super) struct UnderWay {
    known: Arc<Mutex<Known>>,
    domains: Vec<Domain>,
    running: watch::Sender<usize>,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut known = lock(&self.known);
        for domain in &self.domains {
            if let Some(count) = known.outstanding.get_mut(domain) {
                *count -= 1;
                if *count == 0 {
                    known.outstanding.remove(domain);
                }
            }
        }
        self.running.send_modify(|running| *running -= 1);
    }
}

impl Background {
    /// Leaves out whom the message may not go to now; `None` if that is everybody.
    pub(super) fn begin(&self, outgoing: &mut Outgoing, config: &Config) -> Option<UnderWay> {
        let is_ours = |domain: &Domain| config.is_ours(domain);
        self.begin_at(outgoing, is_ours, Instant::now())
    }

    fn begin_at(
        &self,
        outgoing: &mut Outgoing,
        is_ours: impl Fn(&Domain) -> bool,
        now: Instant,
    ) -> Option<UnderWay> {
        let Outgoing {
            message,
            originator,
            recipients,
        } = outgoing;
        let (method, uid) = (message.method().as_str(), message.uid());
        let mut known = lock(&self.known);
        let mut domains = Vec::new();
        recipients.retain(|recipient| {
            let domain = recipient.domain().ok();
            let domain = domain.filter(|domain| !is_ours(domain));
            match known.admit(key(method, uid.as_str(), recipient), domain, now) {
                Ok(()) => {
                    domains.extend(domain.cloned());
                    true
                }
                Err(held) => {
                    tracing::info!(
                        event = "background-held", %originator, %recipient, method, %uid,
                        "not sent: {}", held.reason()
                    );
                    false
                }
            }
        });
        if recipients.is_empty() {
            return None;
        }
        self.running.send_modify(|running| *running += 1);
        Some(UnderWay {
            known: self.known.clone(),
            domains,
            running: self.running.clone(),
        })
    }

    /// Waits until nothing is on its way any more; after `patience` the rest is given up.
    pub(super) async fn finish(&self, patience: Duration) {
        let mut running = self.running.subscribe();
        let finished = running.wait_for(|running| *running == 0);
        let in_time = tokio::time::timeout(patience, finished).await.is_ok();
        let left = *self.running.borrow();
        if !in_time && left > 0 {
            tracing::warn!(
                event = "background-given-up",
                messages = left,
                "messages on behalf of our users did not arrive in time and are given up"
            );
        }
    }
}

fn key(method: &'static str, uid: &str, recipient: &CalendarAddress) -> Key {
    let recipient = recipient.as_str().to_ascii_lowercase();
    (method, uid.to_owned(), recipient)
}

fn lock(known: &Mutex<Known>) -> MutexGuard<'_, Known> {
    // Nothing is half done when somebody panics: counts change in one step.
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Known {
    fn admit(&mut self, key: Key, domain: Option<&Domain>, now: Instant) -> Result<(), Held> {
        let is_recent = |at: &Instant| now.saturating_duration_since(*at) < BETWEEN;
        if self.lately.get(&key).is_some_and(is_recent) {
            return Err(Held::Lately);
        }
        if self.lately.len() >= MOST {
            self.lately.retain(|_, at| is_recent(at));
        }
        let outstanding = domain.and_then(|domain| self.outstanding.get(domain));
        if self.lately.len() >= MOST || outstanding.is_some_and(|&count| count >= TO_A_DOMAIN) {
            return Err(Held::Crowded);
        }
        self.lately.insert(key, now);
        if let Some(domain) = domain {
            *self.outstanding.entry(domain.clone()).or_default() += 1;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use convoke_calendar::{
        message::Message,
        tree::{Calendar, Limits},
    };

    fn outgoing(uid: &str, recipients: &[&str]) -> Outgoing {
        let text = format!(
            "BEGIN:VCALENDAR\nVERSION:2.0\nMETHOD:REFRESH\nBEGIN:VEVENT\nUID:{uid}\nDTSTAMP:20261201T080000Z\n\
             ORGANIZER:mailto:o@example.com\nATTENDEE:mailto:bo@example.org\nEND:VEVENT\nEND:VCALENDAR\n"
        );
        let calendar = Calendar::parse(text.as_bytes(), &Limits::default()).unwrap();
        let address = |text: &&str| CalendarAddress::new(text).unwrap();
        Outgoing {
            message: Message::read(calendar).unwrap(),
            originator: address(&"bo@example.org"),
            recipients: recipients.iter().map(address).collect(),
        }
    }

    fn is_ours(domain: &Domain) -> bool {
        domain.as_str() == "example.org"
    }

    #[test]
    fn one_message_a_second_goes_to_an_address_about_an_object() {
        let background = Background::default();
        let begun = Instant::now();
        let sends = |uid: &str, to: &str, after: u64| {
            let at = begun + Duration::from_millis(after);
            let sent = background.begin_at(&mut outgoing(uid, &[to]), is_ours, at);
            sent.is_some()
        };
        assert!(sends("1", "o@example.com", 0));
        assert!(!sends("1", "O@example.com", 10));
        assert!(!sends("1", "o@example.com", 999));
        assert!(sends("2", "o@example.com", 10));
        assert!(sends("1", "p@example.com", 10));
        assert!(sends("1", "o@example.com", 1000));
    }

    #[tokio::test]
    async fn few_are_on_their_way_to_a_domain_at_once_and_they_are_waited_for() {
        let background = Background::default();
        let begin = |number: usize, to: &str| {
            let mut outgoing = outgoing(&number.to_string(), &[to]);
            background.begin_at(&mut outgoing, is_ours, Instant::now())
        };
        let mut under_way: Vec<_> = (0..TO_A_DOMAIN)
            .map(|number| begin(number, "o@example.com").unwrap())
            .collect();
        assert!(begin(100, "p@example.com").is_none());
        let elsewhere = begin(101, "o@example.net");
        assert!(elsewhere.is_some());
        under_way.extend((200..250).map(|number| begin(number, "cy@example.org").unwrap()));
        assert_eq!(*background.running.borrow(), 61);
        background.finish(Duration::ZERO).await;

        drop(under_way);
        drop(elsewhere);
        background.finish(Duration::from_secs(3600)).await;
        assert!(begin(102, "p@example.com").is_some());
        assert!(lock(&background.known).outstanding.is_empty());
    }
}
