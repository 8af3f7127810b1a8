//! Answers that an organizer does not know of, as its message and they have crossed, or that it may know of wrongly.
//!
//! An attendee answers a series. At the same time its organizer writes one of the instances out, and tells it with the answer that
//! it knows. When that arrives, the answer to the series holds for the instance as well; but whoever gets the answer cannot
//! know whether its attendee had seen the instance by then, as clocks differ and messages are late. So who keeps an
//! answer against what it is told says so, and who has taken one back that it is told as well.
//!
//! Where nothing is remembered of a copy, nobody knows which version its owner answers: the organizer may take that for an answer
//! to a later version that is under way. So who is asked anew by that one says that it has not answered it.

use super::address::is_served;
use super::compose_reply::{answer_to, send};
use super::object::Object;
use super::outgoing::Outgoing;
use super::participants::{Owner, PartStat, person};
use super::personal::{is_taken_back, is_unsure};
use super::request::is_cancelled;
use crate::message::Message;
use crate::tree::{Component, Property};
use jiff::Timestamp;
use std::collections::{HashMap, HashSet};

/// The answers to instances that a REQUEST tells for the first time, and that the owner has answered with their series
/// otherwise than its organizer knows.
pub(super) fn unheard_answers(
    stored: &Object,
    message: &Message,
    merged: &Object,
    owner: &Owner,
    now: Timestamp,
) -> Vec<Outgoing> {
    let mut answers = Vec::new();
    let mut own_lines = stored.components().flat_map(|it| it.all("ATTENDEE"));
    let is_unsure = own_lines.any(is_unsure);
    for told in message.components().filter(|it| !is_cancelled(it)) {
        if is_unsure
            && let (Some(before), Some(kept)) = (stored.version_of(told), merged.version_of(told))
        {
            answers.extend(unsure_answers(&before, &kept, owner, now));
        }
        let Some(key) = merged.part(told) else {
            continue;
        };
        let is_new = stored.master.is_some() && !stored.instances.contains_key(&key);
        let kept = merged.instances.get(&key).filter(|_| is_new);
        answers.extend(kept.map_or_else(Vec::new, |kept| kept_answers(told, kept, owner, now)));
    }
    let leading = merged.leading().filter(|_| !answers.is_empty());
    let served = leading.filter(|it| it.get("ORGANIZER").is_some_and(is_served));
    // What cannot be said is not: nobody waits for it.
    let sent = served.and_then(|leading| send(&merged.zones, leading, answers, owner).ok());
    sent.unwrap_or_default()
}

/// What the owner says of an instance of which it was told something else.
fn kept_answers(
    told: &Component,
    kept: &Component,
    owner: &Owner,
    now: Timestamp,
) -> Vec<Component> {
    let known = owner.all_lines(told).into_iter();
    let known: HashMap<String, PartStat> = known
        .map(|line| (person(line), PartStat::of(line)))
        .collect();
    let lines = owner.all_lines(kept).into_iter();
    let unheard = lines.filter(|line| {
        let answer = PartStat::of(line);
        (answer.says_who_comes() || is_taken_back(line))
            && known.get(&person(line)).is_some_and(|it| *it != answer)
    });
    unheard
        .map(|line| answer_to(kept, line.clone(), now))
        .collect()
}

/// What the owner says of a component that asks it anew, and that it may seem to have answered.
fn unsure_answers(
    before: &Component,
    kept: &Component,
    owner: &Owner,
    now: Timestamp,
) -> Vec<Component> {
    let unsure = owner.all_lines(before).into_iter();
    let unsure: HashSet<String> = unsure.filter(|it| is_unsure(it)).map(person).collect();
    let is_asked = |line: &&Property| {
        PartStat::of(line) == PartStat::NeedsAction && unsure.contains(&person(line))
    };
    let lines = owner.all_lines(kept).into_iter().filter(is_asked);
    lines
        .map(|line| answer_to(kept, line.clone(), now))
        .collect()
}
