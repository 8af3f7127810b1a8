//! A room's own copy of an invitation: what a message makes of it, and how it is written with the room's answers.

use super::{RoomSettings, asked::Asked, judge::About, settings::Privacy};
use crate::{
    effort::{Effort, SMALL},
    index,
    ledger::Ledger,
    limits::Limits,
    stored::read,
};
use convoke_calendar::{
    itip::{self, Answers, Change, Occurrences, Outgoing, Owner, PartStat, Received, ReplyError},
    message::{Kind, Message, Method},
    tree::{Calendar, Component},
    work::Work,
};
use convoke_types::{BusySpan, Error, NewObject, Precondition, StoredObject, TimeRange};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;

/// Steps that it may take to find the instances that a message names, as [`Work`] counts them.
const MOST_NAMED: usize = 100_000;

/// What stands for the title of a booking that is not everybody's business.
const TITLE: &str = "Booked";

impl RoomSettings {
    /// Whether a room answers such a message by itself.
    pub(crate) fn answers(message: &Message) -> bool {
        message.kind() == Kind::Event && matches!(message.method(), Method::Request | Method::Add)
    }

    /// A copy as the room keeps it: of a meeting that takes its time, whatever it is to the organizer's, and where titles
    /// are hidden, without what it is about.
    pub(crate) fn keep(&self, mut copy: Calendar, owner: &Owner<'_>) -> Calendar {
        if self.private == Privacy::Hidden {
            copy = itip::hide_details(&copy, owner, TITLE);
        }
        let is_event = |it: &&mut Component| it.is("VEVENT");
        for event in copy.root_mut().components.iter_mut().filter(is_event) {
            // RFC 5545 §3.8.2.7: it says whether the organizer is busy then.
            event.remove("TRANSP");
        }
        copy
    }
}

/// Works on the copies of one message. Nothing here asks a store.
pub(super) struct Copies<'a> {
    pub(super) message: &'a Message,
    pub(super) owner: &'a Owner<'a>,
    pub(super) settings: &'a RoomSettings,
    pub(super) ledger: Option<&'a Ledger>,
    pub(super) limits: &'a Limits,
    pub(super) now: Timestamp,
    /// The time in which occurrences of a series without an end are looked for.
    pub(super) look: TimeRange,
}

/// What the message makes of the room's copy, before the room has answered.
pub(super) struct Draft {
    /// What iTIP says of the message, without the change to the copy.
    pub(super) received: Received,
    after: Calendar,
    pub(super) asked: Result<Asked, Unread>,
    /// When what is stored takes the room's time, as its index has it.
    pub(super) own: Vec<BusySpan>,
    /// What is stored.
    pub(super) stored: Option<StoredObject>,
}

impl Draft {
    /// About how many bytes are handled to write the copy.
    pub(super) fn bytes(&self) -> usize {
        let stored = self.stored.as_ref().map_or(0, |it| it.data.len());
        stored.max(SMALL / 4)
    }

    /// Whether this object is what is stored, and still is if the precondition holds.
    pub(super) fn is_stored(&self, object: &NewObject, when: &Precondition) -> bool {
        let stored = self.stored.as_ref();
        stored.is_some_and(|it| {
            *when == Precondition::Matches(it.etag.clone()) && it.data == object.data
        })
    }
}

/// Why it cannot be told when an invitation is, as its organizer is told.
pub(super) struct Unread(pub(super) String);

/// What a message makes of the room's copy.
pub(super) enum Drafted {
    /// There is nothing to answer.
    Nothing(Received),
    /// The room is asked for.
    Draft(Box<Draft>),
}

impl Copies<'_> {
    /// The time in which occurrences of a series without an end are looked for: a day less than is indexed, so that the
    /// index of what is written knows all of it.
    pub(super) fn look(limits: &Limits, now: Timestamp) -> Result<TimeRange, Error> {
        let indexed = limits.indexed(now)?;
        let until = indexed.end().saturating_sub(SignedDuration::from_hours(24));
        let until = until.unwrap_or(Timestamp::MAX);
        Ok(TimeRange::new(now, until).unwrap_or(indexed))
    }

    /// What the message makes of what is stored, where `receive` says what iTIP alone would.
    pub(super) fn draft(
        &self,
        stored: Option<StoredObject>,
        receive: impl Fn(Option<&Calendar>) -> Received,
        effort: &Effort,
    ) -> Result<Drafted, Error> {
        let remembered = self.ledger.and_then(|it| it.remembered(self.limits));
        let is_gone = stored.is_none() && self.ledger.is_some_and(|ledger| ledger.gone);
        let existing = stored.as_ref().map(|object| read(object, self.limits));
        let existing = match (existing.transpose()?, &remembered) {
            (Some(existing), Some(remembered)) => Some(itip::recall(&existing, remembered)),
            (None, Some(remembered)) if is_gone => Some(remembered.clone()),
            (existing, _) => existing,
        };
        let mut received = receive(existing.as_ref());
        if is_gone && received.change == Change::None {
            // What was under way while somebody deleted the copy does not bring it back.
            return Ok(Drafted::Nothing(received));
        }
        let after = match std::mem::replace(&mut received.change, Change::None) {
            Change::Store(after) => Some(after),
            // It may be a copy that nobody has answered for yet.
            Change::None => existing.clone(),
            Change::Remove => None,
        };
        let is_refused = received.status.is_failure() || received.anomaly.is_some();
        let Some(after) = after.filter(|after| !is_refused && self.is_invitation(after)) else {
            return Ok(Drafted::Nothing(received));
        };
        let mut own = Vec::new();
        // What was deleted takes no time.
        if let (Some(existing), Some(_)) = (&existing, &stored) {
            own = index::of(existing, Some(self.owner), self.limits, self.now)?.spans;
        }
        let mut work = effort.question();
        // What cannot be told of it is no answer that stands.
        let before = existing.and_then(|it| self.occurrences(&it, &mut work).ok());
        let mut before = before.unwrap_or_default();
        if is_gone {
            before.each.retain(|it| it.answer == PartStat::Declined);
            before.whole = before.whole.filter(|it| *it == PartStat::Declined);
        }
        let told = remembered.and_then(|it| self.occurrences(&it, &mut work).ok());
        let after_all = self.occurrences(&after, &mut work);
        effort.give_back(&work);
        let asked = after_all.map(|all| {
            let asked = Asked::of(&before, &all, self.now);
            // Who does not know of a refusal asks anew, and it may be free by now.
            if asked.has_refusals() && !itip::knows_answers(self.message, &after, self.owner) {
                return asked.without_refusals(told.as_ref());
            }
            asked
        });
        Ok(Drafted::Draft(Box::new(Draft {
            received,
            after,
            asked,
            own,
            stored,
        })))
    }

    /// Whether it is somebody else's invitation to the room.
    fn is_invitation(&self, copy: &Calendar) -> bool {
        let mut organizers = copy
            .main_components()
            .filter_map(|it| it.value("ORGANIZER"));
        !organizers.any(|it| self.owner.addresses.iter().any(|own| own.is_written_as(it)))
    }

    fn occurrences(&self, copy: &Calendar, work: &mut Work) -> Result<Occurrences, Unread> {
        let most = self.limits.instances;
        let found = itip::occurrences(copy, self.owner, self.look, most, work);
        found.map_err(|error| {
            Unread(format!(
                "It cannot be looked up when the meeting is: {error}"
            ))
        })
    }

    /// Whether these answers can be written on the copy.
    pub(super) fn is_writable(&self, draft: &Draft, answers: &Answers) -> bool {
        let noted = itip::note_answers(&draft.after, self.owner, answers);
        !matches!(noted, Err(ReplyError::TooLarge))
    }

    /// The copy with these answers on it, to be stored.
    pub(super) fn answered(&self, draft: &Draft, answers: &Answers) -> Result<NewObject, Error> {
        let noted = self.noted(draft, answers)?;
        let copy = self.settings.keep(itip::forget(noted), self.owner);
        let index = index::of(&copy, Some(self.owner), self.limits, self.now)?;
        Ok(NewObject::new(copy.write(), index))
    }

    /// Whether the message says the same, so that its sender knows.
    pub(super) fn is_known(&self, draft: &Draft, answers: &Answers) -> Result<bool, Error> {
        let noted = self.noted(draft, answers)?;
        Ok(itip::knows_answers(self.message, &noted, self.owner))
    }

    /// What the message is about.
    pub(super) fn about(&self) -> About {
        let calendar = self.message.calendar();
        let mut components = calendar.main_components();
        let has_whole = components.any(|it| it.get("RECURRENCE-ID").is_none());
        match self.message.method() {
            Method::Request if has_whole => About::Whole,
            Method::Request => {
                let mut work = Work::of(MOST_NAMED);
                let found = self.occurrences(calendar, &mut work).unwrap_or_default();
                About::Instances(found.each.iter().map(|it| it.id).collect())
            }
            // RFC 5546 §3.2.4: an ADD is about an instance, which it does not name.
            _ => About::Instances(BTreeSet::new()),
        }
    }

    /// What the organizer is told.
    pub(super) fn replies(&self, draft: &Draft, told: &Answers) -> Vec<Outgoing> {
        let known = self.ledger;
        let now = known.map_or(self.now, |it| it.time_of_next(self.now));
        itip::compose_answers(&draft.after, self.owner, told, now).unwrap_or_else(|error| {
            let uid = self.message.uid();
            tracing::debug!(event = "room-not-answered", %uid, "nobody is told: {error}");
            Vec::new()
        })
    }

    fn noted(&self, draft: &Draft, answers: &Answers) -> Result<Calendar, Error> {
        let noted = itip::note_answers(&draft.after, self.owner, answers);
        noted.map_err(|error| Error::invalid(error.to_string()))
    }
}
