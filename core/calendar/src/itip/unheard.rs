//! Answers that an organizer does not know of, as its message and they have crossed.
//!
//! An attendee answers a series. At the same time its organizer writes one of the instances out, and tells it with the answer that
//! it knows. When that arrives, the answer to the series holds for the instance as well; but whoever gets the answer cannot
//! know whether its attendee had seen the instance by then, as clocks differ and messages are late. So who keeps an
//! answer against what it is told says so.

use super::address::is_served;
use super::compose_reply::{answer_to, send};
use super::object::Object;
use super::outgoing::Outgoing;
use super::participants::{Owner, PartStat, person};
use super::request::is_cancelled;
use crate::message::Message;
use crate::tree::Component;
use jiff::Timestamp;
use std::collections::HashMap;

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
    for told in message.components().filter(|it| !is_cancelled(it)) {
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
        let is_answer = matches!(
            answer,
            PartStat::Accepted | PartStat::Declined | PartStat::Tentative
        );
        is_answer && known.get(&person(line)).is_some_and(|it| *it != answer)
    });
    unheard
        .map(|line| answer_to(kept, line.clone(), now))
        .collect()
}
