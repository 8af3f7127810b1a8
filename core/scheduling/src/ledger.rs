//! The ledger: what was told or received of each object of each calendar user.
//!
//! What a calendar program writes into an object (SEQUENCE, DTSTAMP, `X-` lines) says nothing of what others know. What they
//! know stands here: the object as it was last told or received, each attendee's answer as received among it, and what was
//! delivered to whom. Whatever differs between it and the object in the store is to be told.

use crate::{keys, limits::Limits, state, told_version};
use convoke_calendar::{
    itip::{self, Outgoing},
    message::{Message, Method},
    tree::{self, Calendar},
};
use convoke_types::{Batch, CalendarAddress, Etag, RequestStatus, base64};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// How long it is remembered of an object that is gone: a message that was under way for so long does not bring it back.
const AFTERWARDS: Duration = Duration::from_secs(90 * 24 * 3600);
/// How long the wish holds that nobody is told of a removal, where this host ends before it is known that it was made.
const SILENCE: SignedDuration = SignedDuration::from_hours(7 * 24);
/// How far ahead of the clock the time of a message may be, as many were handed in at once: a minute less than peers take.
const AHEAD: SignedDuration = SignedDuration::from_mins(4);
/// How often statuses are put back into an object, as long as no other one comes: two programs that write over each other end.
const PUT_BACK: u8 = 20;

/// What is remembered of one object of one calendar user.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Ledger {
    /// The object as it was last told or received, with what the protocol remembers of it.
    #[serde(
        default,
        with = "base64::option",
        skip_serializing_if = "Option::is_none"
    )]
    object: Option<Vec<u8>>,
    /// The store's version that says the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) etag: Option<Etag>,
    /// The object as it will be known once an update is in the store that is about to be written there.
    #[serde(
        default,
        with = "base64::option",
        skip_serializing_if = "Option::is_none"
    )]
    coming: Option<Vec<u8>>,
    /// The owner has deleted it, and whom that concerns was told.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) gone: bool,
    /// Until then its owner may remove it without that anybody is told, as it was about to be when the owner wished so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    silent_until: Option<Timestamp>,
    /// Who was on the object when it was found with nothing remembered of it: they may have been told before.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    found_with: BTreeSet<String>,
    /// The time (DTSTAMP) of the latest message about it that was handed in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stamped: Option<Timestamp>,
    /// What was delivered, by recipient.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    told: BTreeMap<String, Told>,
    /// What recipients were told last, as far as people read it, by the names that [`Told::version`] has for it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    versions: BTreeMap<String, String>,
    /// How often statuses were put back that a program had written over, since the last one came.
    #[serde(default, skip_serializing_if = "is_zero")]
    put_back: u8,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands it over like that"
)]
const fn is_zero(count: &u8) -> bool {
    *count == 0
}

/// The last message that was tried to be delivered to a recipient.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Told {
    pub(crate) at: Timestamp,
    pub(crate) method: String,
    pub(crate) sequence: u64,
    pub(crate) dtstamp: Timestamp,
    pub(crate) status: String,
    /// No message about the object ever left for them, for certain.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    unheard: bool,
    /// What they were told last that arrived; `None` if it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    /// An answer of theirs came since, which says in the object that they were reached.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    answered: bool,
}

/// What came of a message for one recipient.
#[derive(Clone, Debug)]
pub(crate) struct Noted {
    pub(crate) recipient: CalendarAddress,
    pub(crate) status: RequestStatus,
    pub(crate) arrival: Arrival,
}

/// How far a message came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// Nothing left, for certain.
    Never,
    /// It left, or nobody knows.
    Perhaps,
    /// The other side took it, and what it says is to be remembered.
    Taken,
}

impl Ledger {
    /// The object as it was last told or received. `None` if nothing was, or if it cannot be read.
    pub(crate) fn remembered(&self, limits: &Limits) -> Option<Calendar> {
        let octets = self.object.as_ref()?;
        // We wrote it, within wider limits perhaps.
        Calendar::parse_stored(octets, &limits.of_objects()).ok()
    }

    /// The object as it will be known once an update is in the store, or is known already, if the host ended before it had noted
    /// that. `None` if none is on its way, or if it cannot be read.
    pub(crate) fn coming(&self, limits: &Limits) -> Option<Calendar> {
        let octets = self.coming.as_ref()?;
        Calendar::parse_stored(octets, &limits.of_objects()).ok()
    }

    /// An update is about to be written to the store that makes this of what is known.
    pub(crate) fn announce(&mut self, object: &Calendar) {
        self.coming = Some(object.write());
    }

    /// This is what others know now, and this version of the store's says it.
    pub(crate) fn agree(&mut self, object: &Calendar, etag: Option<Etag>) {
        self.know(object);
        self.etag = etag;
        self.gone = false;
    }

    /// Its owner is about to remove it, and wishes that nobody is told.
    pub(crate) fn is_to_go_in_silence(&mut self, now: Timestamp) {
        self.silent_until = Some(now.saturating_add(SILENCE).unwrap_or(Timestamp::MAX));
    }

    /// It was not removed: whether anything was wished.
    pub(crate) fn is_not_to_go(&mut self) -> bool {
        self.silent_until.take().is_some()
    }

    /// Whether nobody is told that it is gone.
    pub(crate) fn goes_in_silence(&self, now: Timestamp) -> bool {
        self.silent_until.is_some_and(|until| now < until)
    }

    /// It was there before anything was remembered of it.
    pub(crate) fn find(&mut self, object: &Calendar) {
        let lines = object.main_components().flat_map(|it| it.all("ATTENDEE"));
        let people = lines.filter_map(|line| CalendarAddress::new(&line.value).ok());
        self.found_with = people.map(|it| keys::folded(&it)).collect();
    }

    /// This is what others know now; the store's object says something else, which is to be told.
    pub(crate) fn know(&mut self, object: &Calendar) {
        self.object = Some(object.write());
        self.coming = None;
        self.silent_until = None;
    }

    /// The owner's object is gone: others know this of it, that it is called off or declined.
    pub(crate) fn bury(&mut self, object: Option<&Calendar>) {
        self.object = object.map(Calendar::write).or(self.object.take());
        self.coming = None;
        self.silent_until = None;
        self.etag = None;
        self.gone = true;
    }

    /// If the store's version `before` said the same, `after` does, too.
    pub(crate) fn agrees_if(&mut self, before: &Etag, after: &Etag) {
        if self.etag.as_ref() == Some(before) {
            self.etag = Some(after.clone());
        }
    }

    /// The time of the next message: after the last one, though the clock was set back since, as it would count as the older of
    /// the two; and not in the same second, as two that overtake each other on their way have nothing else to tell them apart
    /// (RFC 5546 §2.1.5). Who hands in many at once does not get far ahead of the clock by that.
    pub(crate) fn time_of_next(&self, now: Timestamp) -> Timestamp {
        let told = || self.told.values().map(|it| it.dtstamp).chain(self.stamped);
        let not_older = itip::not_before(now, told());
        let most = now.saturating_add(AHEAD).unwrap_or(now);
        let later = told().filter_map(|it| it.checked_add(SignedDuration::from_secs(1)).ok());
        itip::not_before(not_older, later.filter(|it| *it <= most))
    }

    /// These messages are handed in: the next one is later than all of them.
    pub(crate) fn stamp<'a>(&mut self, outgoing: impl IntoIterator<Item = &'a Outgoing>) {
        let stamps = outgoing.into_iter().map(|it| it.message.dtstamp());
        self.stamped = stamps.chain(self.stamped).max();
    }

    /// Whether anything ever left for them, or may have; `None` if nothing was ever tried.
    pub(crate) fn has_reached(&self, recipient: &CalendarAddress) -> Option<bool> {
        let recipient = keys::folded(recipient);
        if self.found_with.contains(&recipient) {
            return Some(true);
        }
        let told = self.told.get(&recipient)?;
        Some(!told.unheard)
    }

    /// What a recipient was told last, as far as people read it; `None` if it is not known.
    pub(crate) fn last_told(&self, recipient: &CalendarAddress) -> Option<Calendar> {
        let told = self.told.get(&keys::folded(recipient))?;
        self.version(told.version.as_ref())
    }

    fn version(&self, name: Option<&String>) -> Option<Calendar> {
        let text = self.versions.get(name?)?;
        Calendar::parse_stored(text.as_bytes(), &tree::Limits::default()).ok()
    }

    /// Whether a later message than this one was tried to be delivered to a recipient.
    pub(crate) fn was_told_later(&self, recipient: &CalendarAddress, message: &Message) -> bool {
        let told = self.told.get(&keys::folded(recipient));
        told.is_some_and(|it| (it.sequence, it.dtstamp) > (message.sequence(), message.dtstamp()))
    }

    /// Whether the last message to somebody did not reach them.
    pub(crate) fn has_failures(&self) -> bool {
        let statuses = self.told.values().map(|it| it.status.parse());
        let mut statuses = statuses.filter_map(Result::<RequestStatus, _>::ok);
        statuses.any(|it| it.is_failure())
    }

    /// The object as others know it, with whom the last message about it did not reach (SCHEDULE-STATUS).
    pub(crate) fn with_failures(&self, object: &Calendar) -> Calendar {
        self.with_statuses(object, |_, status| status.is_failure())
    }

    /// The object with whom the last messages about it did not reach (SCHEDULE-STATUS), where a program has written over that, so that
    /// it cannot be seen any more; `None` if it says so, or if that was put back too often already. That others were reached is
    /// nothing to write over a person's file for.
    ///
    /// Those whom `outgoing` is for are told just now. Who has answered since is left alone, too: what their line says is of the
    /// answer.
    pub(crate) fn puts_back(&self, object: &Calendar, outgoing: &[Outgoing]) -> Option<Calendar> {
        if self.put_back >= PUT_BACK {
            return None;
        }
        let now_told = outgoing.iter().flat_map(|it| &it.recipients);
        let now_told: BTreeSet<String> = now_told.map(keys::folded).collect();
        let is_to_stand = |(who, told): (&String, &Told), status: &RequestStatus| {
            status.is_failure() && !told.answered && !now_told.contains(who)
        };
        let restored = self.with_statuses(object, is_to_stand);
        (restored != *object).then_some(restored)
    }

    /// Statuses are put back into the object.
    pub(crate) const fn note_put_back(&mut self) {
        self.put_back = self.put_back.saturating_add(1);
    }

    /// An answer of somebody has come, and stands in the object.
    pub(crate) fn is_answered(&mut self, who: &CalendarAddress) {
        if let Some(told) = self.told.get_mut(&keys::folded(who)) {
            told.answered = true;
        }
    }

    /// The object with the statuses of those whom `is_to_stand` picks.
    fn with_statuses(
        &self,
        object: &Calendar,
        is_to_stand: impl Fn((&String, &Told), &RequestStatus) -> bool,
    ) -> Calendar {
        let (mut answers, mut invitations) = (Vec::new(), Vec::new());
        for (who, told) in &self.told {
            let Ok(status) = told.status.parse() else {
                continue;
            };
            if !is_to_stand((who, told), &status) {
                continue;
            }
            let Ok(who) = CalendarAddress::new(who) else {
                continue;
            };
            match Method::parse(&told.method) {
                Some(Method::Reply) => answers.push((who, status)),
                Some(Method::Request | Method::Add | Method::Cancel) => {
                    invitations.push((who, status));
                }
                _ => {}
            }
        }
        // What an answer led to takes off what became of invitations, so that those follow.
        let mut object = object.clone();
        for (method, told) in [(Method::Reply, answers), (Method::Request, invitations)] {
            if !told.is_empty() {
                object = itip::note_delivery(&object, method, &told);
            }
        }
        object
    }

    /// The last mail to a recipient was not delivered, if that stands as handed to a mail server (1.1): its method.
    pub(crate) fn bounce(
        &mut self,
        recipient: &CalendarAddress,
        status: &RequestStatus,
        now: Timestamp,
    ) -> Option<Method> {
        let told = self.told.get_mut(&keys::folded(recipient))?;
        let is_mailed = |it: RequestStatus| it.same_code(&RequestStatus::SENT);
        if !told.status.parse().is_ok_and(is_mailed) {
            return None;
        }
        told.at = now;
        told.status = status.to_string();
        told.answered = false;
        self.put_back = 0;
        Method::parse(&told.method)
    }

    /// Writes it under a key. Of what is gone it is remembered for a while only.
    pub(crate) fn put(&self, batch: Batch, key: Vec<u8>) -> Batch {
        let value = state::write(self);
        if self.gone {
            batch.put_for(key, value, AFTERWARDS)
        } else {
            batch.put(key, value)
        }
    }

    /// Notes what came of a message.
    pub(crate) fn note(&mut self, message: &Message, noted: &[Noted], now: Timestamp) {
        self.put_back = 0;
        // Many were told the same.
        let mut made: BTreeMap<Option<String>, Option<String>> = BTreeMap::new();
        for Noted {
            recipient,
            status,
            arrival,
        } in noted
        {
            let recipient = keys::folded(recipient);
            let earlier = self.told.get(&recipient);
            let known = earlier.and_then(|it| it.version.clone());
            let unheard = *arrival == Arrival::Never && earlier.is_none_or(|it| it.unheard);
            let version = if *arrival == Arrival::Taken && told_version::tells(message.method()) {
                let version = made.get(&known).cloned();
                version.unwrap_or_else(|| {
                    let version = self.remember_version(known.as_ref(), message);
                    made.insert(known, version.clone());
                    version
                })
            } else {
                known
            };
            let told = Told {
                at: now,
                method: message.method().as_str().to_owned(),
                sequence: message.sequence(),
                dtstamp: message.dtstamp(),
                status: status.to_string(),
                unheard,
                version,
                answered: false,
            };
            self.told.insert(recipient, told);
        }
        let used: BTreeSet<&String> = self.told.values().flat_map(|it| &it.version).collect();
        self.versions.retain(|name, _| used.contains(name));
    }

    /// The name of what a recipient knows who knew another version before.
    fn remember_version(&mut self, known: Option<&String>, message: &Message) -> Option<String> {
        let version = told_version::after(self.version(known).as_ref(), message)?;
        let text = String::from_utf8(version.write()).ok()?;
        let mut name = keys::digest(&[text.as_bytes()]);
        name.truncate(16);
        self.versions.insert(name.clone(), text);
        Some(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_message_is_later_than_the_last_and_none_far_ahead() {
        let now: Timestamp = "2026-12-01T08:00:00Z".parse().unwrap();
        let mut ledger = Ledger::default();
        let mut times = Vec::new();
        for _ in 0..300 {
            let next = ledger.time_of_next(now);
            times.push(next.duration_since(now).as_secs());
            ledger.stamped = Some(next);
        }
        let expected = (0..=240).chain(std::iter::repeat(240)).take(300);
        assert_eq!(times, expected.collect::<Vec<_>>());
        let set_back = now - SignedDuration::from_secs(30);
        let next = ledger.time_of_next(set_back).duration_since(now);
        assert_eq!(next.as_secs(), 240, "it is not older");
        let later = now + SignedDuration::from_mins(5);
        assert_eq!(ledger.time_of_next(later), later);
    }
}
