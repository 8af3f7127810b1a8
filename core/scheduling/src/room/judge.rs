//! What a room says to what it is asked.

use super::{
    RoomSettings,
    asked::Asked,
    rules::{Broken, Moment},
    taken::Taken,
};
use convoke_calendar::itip::{Answer, Answers, Occurrence, PartStat};
use convoke_types::TimeRange;
use jiff::{Timestamp, tz::TimeZone};
use std::collections::{BTreeMap, BTreeSet};

/// The most times that a comment names.
const MOST_NAMED: usize = 10;

/// What is known when a room answers, besides what it is asked.
#[derive(Clone, Debug)]
pub(super) struct Context<'a> {
    pub(super) settings: &'a RoomSettings,
    pub(super) at: Moment,
    /// Whether the organizer may book the room.
    pub(super) is_admitted: bool,
    /// Whether somebody else has to approve.
    pub(super) waits: bool,
    /// The end of the time that is looked at.
    pub(super) until: Timestamp,
}

/// What a room says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Judgement {
    /// To the whole.
    whole: Option<Answer>,
    /// Whether the answer to the whole is a new one, by which the room may take time.
    is_whole_new: bool,
    /// To what is asked anew.
    anew: BTreeMap<Timestamp, Said>,
    /// What was answered before to single instances, and stands.
    standing: BTreeMap<Timestamp, Answer>,
    /// The times that the room takes by it.
    slots: Vec<TimeRange>,
    /// Why it is refused, as far as it is: for the log.
    reason: Option<String>,
}

/// What a room says to one occurrence.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Said {
    answer: Answer,
    /// Whether the occurrence has a component of its own.
    is_apart: bool,
}

impl Judgement {
    /// Why it is refused, as far as it is.
    pub(super) fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    /// The answer to the whole, or to the first of what is asked anew.
    pub(super) fn word(&self) -> PartStat {
        let whole = self.whole.as_ref().filter(|_| self.is_whole_new);
        let first = || self.anew.values().next().map(|said| &said.answer);
        let answer = whole.or_else(first).or(self.whole.as_ref());
        answer.map_or(PartStat::NeedsAction, |answer| answer.partstat)
    }

    /// Whether something is answered that was not, or is answered anew.
    pub(super) fn is_new(&self) -> bool {
        self.is_whole_new || !self.anew.is_empty()
    }

    /// Whether the room takes time by it.
    pub(super) fn is_taking(&self) -> bool {
        let mut new = self.anew.values().map(|said| &said.answer);
        let whole = self.whole.iter().filter(|_| self.is_whole_new);
        new.by_ref().chain(whole).any(is_yes)
    }

    /// Whether others have the room at a time that it takes by it.
    pub(super) fn collides(&self, taken: &Taken) -> bool {
        self.slots.iter().any(|slot| taken.overlaps(slot))
    }

    /// What stands on the room's copy by it.
    pub(super) fn answers(&self) -> Answers {
        let whole = self.whole.as_ref().map(|it| it.partstat);
        let anew = self.anew.iter();
        let anew = anew.filter(|(_, it)| it.is_apart || Some(it.answer.partstat) != whole);
        self.with(
            self.whole.clone(),
            anew.map(|(id, said)| (*id, said.answer.clone())),
        )
    }

    /// The same with this word in the place of each answer by which the room takes time.
    pub(super) fn saying(&self, word: PartStat) -> Answers {
        let said = |answer: &Answer| {
            if is_yes(answer) {
                Answer::new(word)
            } else {
                answer.clone()
            }
        };
        let whole = self.whole.as_ref();
        let whole = whole.map(|it| {
            if self.is_whole_new {
                said(it)
            } else {
                it.clone()
            }
        });
        let known = whole.as_ref().map(|it| it.partstat);
        let anew = self
            .anew
            .iter()
            .map(|(id, it)| (*id, said(&it.answer), it.is_apart));
        let anew = anew.filter(|(_, answer, is_apart)| *is_apart || Some(answer.partstat) != known);
        let anew: Vec<_> = anew.map(|(id, answer, _)| (id, answer)).collect();
        self.with(whole, anew.into_iter())
    }

    /// What the organizer is told: what is new, or if it does not know the answers, all that it asked about.
    pub(super) fn told(&self, about: &About, is_known: bool) -> Answers {
        if is_known && !self.is_new() {
            return Answers::default();
        }
        let mut told = match about {
            About::Whole => self.answers(),
            About::Instances(_) => {
                let anew = self.anew.iter();
                self.with(None, anew.map(|(id, said)| (*id, said.answer.clone())))
            }
        };
        told.instances.retain(|id, _| {
            let is_asked = match about {
                About::Whole => true,
                About::Instances(named) => named.contains(id),
            };
            self.anew.contains_key(id) || (is_asked && !is_known)
        });
        told
    }

    fn with(
        &self,
        whole: Option<Answer>,
        anew: impl Iterator<Item = (Timestamp, Answer)>,
    ) -> Answers {
        let standing = self
            .standing
            .iter()
            .map(|(id, answer)| (*id, answer.clone()));
        Answers {
            whole,
            instances: standing.chain(anew).collect(),
            rest: None,
        }
    }
}

/// What a message is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum About {
    /// A series, or one event.
    Whole,
    /// Single instances of a series; those that it names.
    Instances(BTreeSet<Timestamp>),
}

const fn is_yes(answer: &Answer) -> bool {
    matches!(answer.partstat, PartStat::Accepted | PartStat::Tentative)
}

/// Single occurrences that are refused: when each begins, and why.
type Refused = BTreeMap<Timestamp, (Timestamp, String)>;

/// When the room must be free for what is asked anew: from the first to the last moment, but for what the rules refuse.
/// `None` if nothing of it can be had, or none of it takes time.
pub(super) fn range(asked: &Asked, context: &Context<'_>) -> Option<TimeRange> {
    if refusal_of_all(asked, context).is_some() {
        return None;
    }
    let may_be_had = |it: &&Occurrence| context.check(it).is_ok();
    let asked = asked.anew.iter().filter(may_be_had).filter_map(slot);
    asked.reduce(|one, other| {
        let (start, end) = (one.start().min(other.start()), one.end().max(other.end()));
        TimeRange::new(start, end).unwrap_or(one)
    })
}

/// What the room says, which is taken by others as `taken` tells. `taken` covers the [`range`].
pub(super) fn judge(asked: &Asked, context: &Context<'_>, taken: &Taken) -> Judgement {
    if let Some(reason) = refusal_of_all(asked, context) {
        return refuse(asked, &reason);
    }
    let mut refused = Refused::new();
    for occurrence in &asked.anew {
        let is_taken = || slot(occurrence).is_some_and(|slot| taken.overlaps(&slot));
        let reason = match context.check(occurrence) {
            Err(broken) => context.breaks(&broken),
            Ok(()) if is_taken() => context.says("is taken then"),
            Ok(()) => continue,
        };
        refused.insert(occurrence.id, (occurrence.start, reason));
    }
    let (few, all) = (refused.len(), asked.anew.len());
    let one_by_one = !asked.is_about_whole() || context.settings.conflicts.allow(few, all);
    if few > 0 && !one_by_one {
        let reason = match asked.anew.as_slice() {
            [_] => context.says("is taken then"),
            _ => context.says_when("is taken", &refused),
        };
        return refuse(asked, &reason);
    }
    accept(asked, context, refused)
}

/// The room refuses all that is asked anew.
pub(super) fn refuse(asked: &Asked, reason: &str) -> Judgement {
    let declined = Answer::new(PartStat::Declined);
    let because = declined.clone().because(reason);
    let mut judgement = standing(asked);
    judgement.reason = Some(reason.to_owned());
    if judgement.is_whole_new {
        judgement.whole = Some(because.clone());
    }
    // What is said of the whole need not be said of each.
    let of_each = if judgement.is_whole_new {
        declined
    } else {
        because
    };
    for occurrence in &asked.anew {
        judgement.say(occurrence, of_each.clone());
    }
    judgement
}

/// The room accepts what is asked anew, but for what is refused, each for its reason.
fn accept(asked: &Asked, context: &Context<'_>, mut refused: Refused) -> Judgement {
    let mut judgement = standing(asked);
    let comment = context.comment(asked, &refused);
    let answer = |comment: Option<String>| Answer {
        partstat: context.word(),
        comment,
    };
    let of_each = comment.clone().filter(|_| !judgement.is_whole_new);
    if judgement.is_whole_new {
        judgement.whole = Some(answer(comment));
    }
    judgement.reason = refused.values().next().map(|(_, reason)| reason.clone());
    for occurrence in &asked.anew {
        let said = if let Some((_, reason)) = refused.remove(&occurrence.id) {
            Answer::new(PartStat::Declined).because(reason)
        } else {
            judgement.slots.extend(slot(occurrence));
            answer(of_each.clone())
        };
        judgement.say(occurrence, said);
    }
    judgement
}

/// The answers that stand, so that nothing that the organizer says of them takes their place.
fn standing(asked: &Asked) -> Judgement {
    let standing = asked.standing.iter();
    let apart = standing.filter(|it| it.is_apart || Some(it.answer) != asked.whole);
    Judgement {
        whole: asked.whole.map(Answer::new),
        is_whole_new: asked.is_about_whole(),
        standing: apart.map(|it| (it.id, Answer::new(it.answer))).collect(),
        ..Judgement::default()
    }
}

impl Judgement {
    fn say(&mut self, occurrence: &Occurrence, answer: Answer) {
        let said = Said {
            answer,
            is_apart: occurrence.is_apart,
        };
        self.anew.insert(occurrence.id, said);
    }
}

/// Why all that is asked anew is refused, whatever else is in the calendar.
fn refusal_of_all(asked: &Asked, context: &Context<'_>) -> Option<String> {
    if asked.anew.is_empty() {
        return None;
    }
    if !context.is_admitted {
        return Some(context.breaks(&Broken::From));
    }
    if !asked.is_about_whole() {
        return None;
    }
    let rules = &context.settings.booking;
    if asked.is_endless
        && let Some(until) = rules.until(&context.at)
    {
        return Some(context.breaks(&Broken::Ahead(until)));
    }
    let mut broken = asked.anew.iter().filter_map(|it| context.check(it).err());
    broken.next().map(|broken| context.breaks(&broken))
}

/// The time that an occurrence takes.
fn slot(occurrence: &Occurrence) -> Option<TimeRange> {
    TimeRange::new(occurrence.start, occurrence.end).ok()
}

impl Context<'_> {
    fn check(&self, occurrence: &Occurrence) -> Result<(), Broken> {
        let rules = &self.settings.booking;
        rules.check(occurrence.start, occurrence.end, &self.at)
    }

    fn word(&self) -> PartStat {
        if self.waits {
            PartStat::Tentative
        } else {
            PartStat::Accepted
        }
    }

    /// A sentence about the room.
    pub(super) fn says(&self, what: &str) -> String {
        format!("{} {what}", self.settings.noun)
    }

    /// In the words of the organizer's calendar program. Nothing here tells of other bookings.
    fn breaks(&self, broken: &Broken) -> String {
        self.says(&match broken {
            Broken::From => "cannot be booked by the organizer".to_owned(),
            Broken::Ahead(until) => {
                format!(
                    "cannot be booked beyond {}",
                    until.strftime("%Y-%m-%d %H:%M")
                )
            }
            Broken::Longest(longest) => format!("cannot be booked for longer than {longest}"),
            Broken::Days(days) => format!("can be booked on {days} only"),
        })
    }

    fn says_when(&self, what: &str, when: &Refused) -> String {
        let named = when.values().take(MOST_NAMED);
        let mut times: Vec<String> = named.map(|(at, _)| local(*at, &self.at.zone)).collect();
        if when.len() > MOST_NAMED {
            times.push(format!("and {} times more", when.len() - MOST_NAMED));
        }
        self.says(&format!("{what} on {}", times.join(", ")))
    }

    /// What an organizer who gets the room has to know.
    fn comment(&self, asked: &Asked, refused: &Refused) -> Option<String> {
        let mut said = Vec::new();
        if self.waits {
            said.push("The booking waits for approval.".to_owned());
        }
        if asked.is_about_whole() && !refused.is_empty() {
            said.push(format!("{}.", self.says_when("is taken", refused)));
        }
        if asked.is_about_whole() && asked.is_endless {
            let until = local(self.until, &self.at.zone);
            said.push(format!("What comes after {until} has not been looked at."));
        }
        (!said.is_empty()).then(|| said.join(" "))
    }
}

fn local(at: Timestamp, zone: &TimeZone) -> String {
    let local = at.to_zoned_datetime(zone.clone());
    local.strftime("%Y-%m-%d %H:%M").to_string()
}
