//! What people are told by mail, as their calendar program may not show it: something could not be delivered for good, or
//! waits for them to decide, or an answer came (`[mail] notify`).
//!
//! A notice is committed with what led to it, and waits in the state until the mail server has taken it; three days at most.
//! None is lost in a crash, and one that was sent just before is sent once more with the same Message-ID. Where several hosts share the
//! state, each tells what it has caused, and what hosts left that are gone. Strangers cause only so many of them.

use crate::{
    config::{Notify, Told},
    write_behind::WriteBehind,
};
use convoke_calendar::itip::PartStat;
use convoke_imip::Occasion as ImipOccasion;
use convoke_scheduling::{Notice, Occasion, Pages, State, forget_where};
use convoke_types::{
    Batch, CalendarAddress, CalendarUser, Error, ErrorKind, KeyRange, StateEntry, Uid, UserKind,
    base64,
};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// Where they lie in the state.
const PREFIX: &str = "notice/";
/// For so long it is tried to send one.
const EXPIRES: Duration = Duration::from_secs(3 * 24 * 3600);
/// Notices that wait at once.
const WAITING: usize = 1_000;
/// Notices to one person in an hour.
const AN_HOUR: u32 = 20;
/// People who are counted at once.
const COUNTED: usize = 10_000;
/// The longest calendar that is kept for a notice, in bytes; a longer one is told without the meeting's time and place.
const LONGEST: usize = 64 << 10;
/// When one is told that is not committed yet.
const NOT_YET: Timestamp = Timestamp::MAX;
/// After so many minutes it is tried again; then this often.
const STEPS: [i64; 5] = [1, 5, 15, 60, 120];

/// The attribute of a calendar user that says what they are told by mail, where that is not what the configuration says: `off`, or
/// `answers` for that and each answer that comes.
pub(crate) const NOTIFY: &str = "notify";

/// What waits to be told.
#[derive(Default)]
pub struct Notices(Mutex<Inner>, tokio::sync::Notify);

#[derive(Default)]
struct Inner {
    /// What people are told of; nothing without `[mail]`.
    notify: Option<Notify>,
    /// The name of this host; empty for one that is alone with its state.
    host: String,
    waiting: BTreeMap<String, WaitingNotice>,
    told: HashMap<String, u32>,
    /// The hour that is counted, since 1970.
    hour: i64,
}

/// A notice that waits to be sent.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct WaitingNotice {
    /// Who is told.
    pub(crate) user: CalendarAddress,
    /// Whom it is about.
    pub(crate) other: CalendarAddress,
    /// The object.
    pub(crate) uid: Uid,
    what: What,
    /// The message, or nothing that is too long.
    #[serde(with = "base64")]
    pub(crate) calendar: Vec<u8>,
    /// When it happened.
    pub(crate) at: Timestamp,
    /// Which host tells it; empty for one that is alone with its state.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    host: String,
    /// The person wants to be told, whatever the configuration says.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    wished: bool,
    #[serde(default)]
    attempts: u32,
    /// The mail server had it and said nothing of it. It may do so each time.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    unanswered: bool,
    next: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum What {
    Undeliverable(String),
    Proposal,
    Held,
    Answered(String),
}

impl WaitingNotice {
    fn new(notice: &Notice<'_>, host: &str, now: Timestamp) -> Self {
        let calendar = notice.message.calendar();
        let written = calendar.write();
        Self {
            user: notice.user.clone(),
            other: notice.other.clone(),
            uid: notice.message.uid().clone(),
            what: match notice.occasion {
                Occasion::Undeliverable(reason) => What::Undeliverable(reason.to_owned()),
                Occasion::Waits if notice.message.method().as_str() == "COUNTER" => What::Proposal,
                Occasion::Waits => What::Held,
                Occasion::Answered(_) => What::Answered(answer(notice)),
            },
            wished: matches!(notice.occasion, Occasion::Answered(user) if wishes_answers(user)),
            calendar: if written.len() <= LONGEST {
                written
            } else {
                Vec::new()
            },
            at: now,
            host: host.to_owned(),
            attempts: 0,
            unanswered: false,
            next: NOT_YET,
        }
    }

    /// Whether it was committed, so that it may be told.
    fn is_kept(&self) -> bool {
        self.next != NOT_YET
    }

    /// As `convoke-imip` says it.
    pub(crate) fn occasion(&self) -> ImipOccasion<'_> {
        match &self.what {
            What::Undeliverable(reason) => ImipOccasion::Undeliverable(reason),
            What::Proposal => ImipOccasion::Proposal,
            What::Held => ImipOccasion::Held,
            What::Answered(answer) => ImipOccasion::Answered(PartStat::parse(answer)),
        }
    }

    /// Whether people are told of such a thing.
    pub(crate) const fn is_wanted(&self, notify: Notify) -> bool {
        let told = match self.what {
            What::Undeliverable(_) => notify.undeliverable,
            What::Proposal | What::Held => notify.waiting,
            What::Answered(_) => notify.answers,
        };
        self.wished || matches!(told, Told::ByMail)
    }

    /// Its name: the same for the same thing that is told again, whatever a server says this time why it failed.
    pub(crate) fn id(&self) -> String {
        let mut hash = Sha256::new();
        let what = match &self.what {
            What::Undeliverable(_) => "undeliverable",
            What::Proposal => "proposal",
            What::Held => "held",
            What::Answered(answer) => answer,
        };
        for part in [
            self.user.as_str(),
            self.other.as_str(),
            self.uid.as_str(),
            what,
        ] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        hash.update(&self.calendar);
        hex::encode(&hash.finalize()[..16])
    }
}

/// Whether people are told anything: rooms read no mail, and who wants none gets none.
pub(crate) fn reads_notices(user: &CalendarUser) -> bool {
    user.kind == UserKind::Individual && wish(user) != Some(Wish::None)
}

/// Whether somebody has asked to be told of answers. Every program that reads the calendar shows them, so that nobody but the person
/// knows whether the own one does.
fn wishes_answers(user: &CalendarUser) -> bool {
    wish(user) == Some(Wish::Answers)
}

/// What somebody wishes to be told, where that is not what the configuration says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    /// Nothing.
    None,
    /// Answers, too.
    Answers,
}

fn wish(user: &CalendarUser) -> Option<Wish> {
    let said = user.attributes.get(NOTIFY)?.trim().to_ascii_lowercase();
    match said.as_str() {
        "off" => Some(Wish::None),
        "answers" => Some(Wish::Answers),
        _ => None,
    }
}

/// The PARTSTAT of the answer.
fn answer(notice: &Notice<'_>) -> String {
    let components = notice.message.calendar().main_components();
    let mut lines = components.flat_map(|it| &it.properties);
    let line = lines.find(|it| it.is("ATTENDEE"));
    let answer = line.and_then(|it| it.param("PARTSTAT"));
    answer.unwrap_or("NEEDS-ACTION").to_owned()
}

impl Notices {
    /// What people are told of from now on; `None`: nothing.
    pub(crate) fn want(&self, notify: Option<Notify>) {
        self.lock().notify = notify;
    }

    /// What is added belongs to this host from now on; empty for one that is alone with its state.
    pub(crate) fn belong_to(&self, host: &str) {
        host.clone_into(&mut self.lock().host);
    }

    /// Takes note of something that somebody may be told, and adds it to the batch that makes it so. It is told once that is
    /// [committed](Self::is_kept).
    pub(crate) fn add(&self, notice: &Notice<'_>, batch: Batch, now: Timestamp) -> Batch {
        let inner = self.lock();
        let Some(notify) = inner.notify else {
            return batch;
        };
        let host = inner.host.clone();
        drop(inner);
        // Many answers come, and few people want to be told.
        if let Occasion::Answered(user) = notice.occasion
            && !reads_notices(user)
        {
            return batch;
        }
        let waiting = WaitingNotice::new(notice, &host, now);
        if !waiting.is_wanted(notify) {
            return batch;
        }
        let id = waiting.id();
        let mut inner = self.lock();
        if let Some(known) = inner.waiting.get(&id) {
            // One that waits to be committed is in each batch that may be.
            if known.is_kept() {
                return batch;
            }
            return batch.put_for(key(&id), known.value(), EXPIRES);
        }
        if inner.waiting.len() >= WAITING {
            inner.forget_uncommitted(now);
        }
        if inner.waiting.len() >= WAITING || !inner.counts(&waiting.user, now) {
            tracing::info!(
                event = "notice-dropped", user = %waiting.user, uid = %waiting.uid,
                "there are too many notices; the person is not told by mail"
            );
            return batch;
        }
        let batch = batch.put_for(key(&id), waiting.value(), EXPIRES);
        inner.waiting.insert(id, waiting);
        batch
    }

    /// What somebody may be told was committed: it is told.
    pub(crate) fn is_kept(&self, notice: &Notice<'_>, now: Timestamp) {
        let mut inner = self.lock();
        if inner.notify.is_none() {
            return;
        }
        let id = WaitingNotice::new(notice, "", now).id();
        if let Some(waiting) = inner.waiting.get_mut(&id)
            && !waiting.is_kept()
        {
            waiting.next = now;
            drop(inner);
            self.1.notify_one();
        }
    }

    /// Takes over what an earlier run of this host has left, and what no `living` other host tells.
    pub(crate) async fn take_over(
        &self,
        state: &impl State,
        living: &BTreeSet<String>,
    ) -> Result<(), Error> {
        let mut pages = Pages::of(state, KeyRange::prefix(PREFIX));
        while let Some(page) = pages.next().await? {
            for entry in &page {
                // One that another version has written is told no more.
                if let Ok(notice) = serde_json::from_slice::<WaitingNotice>(&entry.value)
                    && !living.contains(&notice.host)
                {
                    self.take(state, entry, notice).await?;
                }
            }
        }
        self.1.notify_one();
        Ok(())
    }

    /// Takes over one, unless somebody else does, or it is told here already.
    async fn take(
        &self,
        state: &impl State,
        entry: &StateEntry,
        mut notice: WaitingNotice,
    ) -> Result<(), Error> {
        let id = notice.id();
        let host = {
            let inner = self.lock();
            if inner.waiting.contains_key(&id) || inner.waiting.len() >= WAITING {
                return Ok(());
            }
            inner.host.clone()
        };
        let is_own = notice.host == host;
        notice.host = host;
        notice.next = notice.at;
        if !is_own {
            let batch = Batch::new().if_version(entry.key.as_slice(), entry.version);
            let batch = batch.put_for(entry.key.as_slice(), notice.value(), EXPIRES);
            if let Err(error) = state.commit(batch).await {
                return match error.kind() {
                    ErrorKind::Conflict => Ok(()),
                    _ => Err(error),
                };
            }
        }
        self.lock().waiting.entry(id).or_insert(notice);
        Ok(())
    }

    /// Returns once there is something new.
    pub(crate) async fn some(&self) {
        self.1.notified().await;
    }

    /// What is to be sent now.
    pub(crate) fn due(&self, now: Timestamp) -> Vec<(String, WaitingNotice)> {
        let inner = self.lock();
        let due = inner.waiting.iter().filter(|(_, it)| it.next <= now);
        due.map(|(id, it)| (id.clone(), it.clone())).collect()
    }

    /// When the next one is to be sent.
    pub(crate) fn wakes_at(&self) -> Option<Timestamp> {
        let inner = self.lock();
        let kept = inner.waiting.values().filter(|it| it.is_kept());
        kept.map(|it| it.next).min()
    }

    /// Nobody is told anything about a user any more, who is erased.
    pub(crate) fn forget(&self, user: &CalendarUser) {
        self.lock().waiting.retain(|_, it| !it.is_about(user));
    }

    /// It is done with.
    pub(crate) fn finish(&self, id: &str, writes: &WriteBehind) {
        self.lock().waiting.remove(id);
        writes.delete(key(id));
    }

    /// The mail server had it and said nothing of it. Whether it is tried again: the second time it counts as told.
    pub(crate) fn is_unanswered(&self, id: &str, writes: &WriteBehind, now: Timestamp) -> bool {
        let mut inner = self.lock();
        let notice = inner.waiting.get_mut(id);
        let was_so = notice.is_none_or(|it| std::mem::replace(&mut it.unanswered, true));
        drop(inner);
        if was_so {
            self.finish(id, writes);
            return false;
        }
        self.put_off(id, writes, now)
    }

    /// It was not taken now. Whether it is tried again.
    pub(crate) fn put_off(&self, id: &str, writes: &WriteBehind, now: Timestamp) -> bool {
        let mut inner = self.lock();
        let Some(notice) = inner.waiting.get_mut(id) else {
            return false;
        };
        let step = usize::try_from(notice.attempts).unwrap_or(usize::MAX);
        let wait = SignedDuration::from_mins(STEPS[step.min(STEPS.len() - 1)]);
        notice.attempts = notice.attempts.saturating_add(1);
        notice.next = now.saturating_add(wait).unwrap_or(Timestamp::MAX);
        let expires = notice.at.saturating_add(EXPIRES).unwrap_or(Timestamp::MAX);
        if notice.next > expires {
            inner.waiting.remove(id);
            writes.delete(key(id));
            return false;
        }
        notice.keep(id, writes);
        true
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Each change is one step.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Erases what somebody is to be told, and what others are to be told about them.
pub(crate) async fn forget(state: &impl State, user: &CalendarUser) -> Result<(), Error> {
    let is_about = |entry: &StateEntry| {
        let notice = serde_json::from_slice::<WaitingNotice>(&entry.value);
        notice.is_ok_and(|it| it.is_about(user))
    };
    forget_where(state, KeyRange::prefix(PREFIX), is_about).await?;
    Ok(())
}

impl WaitingNotice {
    fn is_about(&self, user: &CalendarUser) -> bool {
        user.answers_to(&self.user) || user.answers_to(&self.other)
    }

    fn keep(&self, id: &str, writes: &WriteBehind) {
        writes.put(key(id), self.value(), EXPIRES);
    }

    /// As the state keeps it.
    fn value(&self) -> Vec<u8> {
        // Addresses, texts and times can always be written.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

impl Inner {
    /// Drops what was to be committed an hour ago and was not.
    fn forget_uncommitted(&mut self, now: Timestamp) {
        let hour = SignedDuration::from_hours(1);
        self.waiting
            .retain(|_, it| it.is_kept() || now.duration_since(it.at) < hour);
    }

    /// Counts a notice to a person, who is told of only so many an hour.
    fn counts(&mut self, user: &CalendarAddress, now: Timestamp) -> bool {
        let hour = now.as_second() / 3600;
        if self.hour != hour || self.told.len() >= COUNTED {
            self.told.clear();
            self.hour = hour;
        }
        let told = self
            .told
            .entry(user.as_str().to_ascii_lowercase())
            .or_default();
        *told += 1;
        *told <= AN_HOUR
    }
}

fn key(id: &str) -> Vec<u8> {
    format!("{PREFIX}{id}").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use convoke_calendar::{message::Message, tree};

    fn message(uid: &str) -> Message {
        let text = format!(
            "BEGIN:VCALENDAR\nVERSION:2.0\nMETHOD:COUNTER\nBEGIN:VEVENT\nUID:{uid}\nDTSTAMP:20261101T080000Z\n\
             DTSTART:20270104T100000Z\nORGANIZER:mailto:anna@example.org\nATTENDEE:mailto:bo@example.com\n\
             END:VEVENT\nEND:VCALENDAR\n"
        );
        let calendar = tree::Calendar::parse(text.as_bytes(), &tree::Limits::default());
        Message::read(calendar.unwrap()).unwrap()
    }

    #[test]
    fn a_failure_is_told_once_whatever_the_server_says_of_it() {
        let notices = Notices::default();
        notices.want(Some(Notify {
            undeliverable: Told::ByMail,
            waiting: Told::No,
            answers: Told::No,
        }));
        let now: Timestamp = "2026-12-01T08:00:00Z".parse().unwrap();
        let [anna, bo] =
            ["anna@example.org", "bo@example.com"].map(|it| it.parse::<CalendarAddress>().unwrap());
        let message = message("1");
        for reason in ["mailbox full", "mailbox full (try 4711)"] {
            let notice = Notice {
                user: &anna,
                other: &bo,
                message: &message,
                occasion: Occasion::Undeliverable(reason),
            };
            drop(notices.add(&notice, Batch::new(), now));
            notices.is_kept(&notice, now);
        }
        let due = notices.due(now);
        let [(_, told)] = due.as_slice() else {
            panic!("{due:?}");
        };
        assert_eq!(told.occasion(), ImipOccasion::Undeliverable("mailbox full"));
    }

    #[test]
    fn a_person_is_told_once_and_of_only_so_much() {
        let (notices, writes) = (Notices::default(), WriteBehind::default());
        notices.want(Some(Notify {
            undeliverable: Told::No,
            waiting: Told::ByMail,
            answers: Told::No,
        }));
        let now: Timestamp = "2026-12-01T08:00:00Z".parse().unwrap();
        let (anna, bo) = (
            "anna@example.org".parse().unwrap(),
            "bo@example.com".parse().unwrap(),
        );
        let add = |uid: &str, now| {
            let notice = Notice {
                user: &anna,
                other: &bo,
                message: &message(uid),
                occasion: Occasion::Waits,
            };
            let batch = notices.add(&notice, Batch::new(), now);
            let was_due = notices.due(now).len();
            notices.is_kept(&notice, now);
            assert_eq!(batch.writes.len(), notices.due(now).len() - was_due);
        };
        add("1", now);
        add("1", now);
        assert_eq!(notices.due(now).len(), 1);
        assert_eq!(notices.due(now)[0].1.occasion(), ImipOccasion::Proposal);
        for uid in 2..100 {
            add(&uid.to_string(), now);
        }
        assert_eq!(notices.due(now).len(), 20);
        add("later", now + SignedDuration::from_hours(1));
        let (id, _) = notices.due(now)[0].clone();
        assert!(notices.is_unanswered(&id, &writes, now));
        assert_eq!(notices.due(now).len(), 19);
        assert_eq!(notices.due(now + SignedDuration::from_mins(1)).len(), 20);
        let minute = SignedDuration::from_mins(1);
        assert!(!notices.is_unanswered(&id, &writes, now), "twice is enough");
        assert_eq!(notices.due(now + minute).len(), 19);
        let (id, _) = notices.due(now)[0].clone();
        let end = now + SignedDuration::from_hours(72);
        assert!(!notices.put_off(&id, &writes, end), "it is too late");
        for (id, _) in notices.due(end) {
            notices.finish(&id, &writes);
        }
        assert_eq!(notices.wakes_at(), None);
    }
}
