//! An attendee's answer on its line: how it answers, and whom it sends.
//!
//! A delegation is more than a word. It names a delegate, who has a line of its own by that; a version of a meeting that says
//! nothing of the delegation, as it was written before that came, lacks both.

use super::participants::{PartStat, addresses, attendees_by_address, delegated_to, person};
use crate::tree::{Component, Param, Property};
use std::collections::HashSet;

/// Puts onto a line how its attendee answers, and whom it sends; not from whom it came (that is the delegator's to say).
pub(super) fn put_answer(line: &mut Property, said: &Property) {
    line.set_param("PARTSTAT", PartStat::of(said).as_str());
    if PartStat::of(said) != PartStat::NeedsAction {
        line.remove_param("RSVP"); // it has been answered
    }
    let delegates: Vec<String> = delegated_to(said)
        .map(|it| it.as_str().to_owned())
        .collect();
    line.remove_param("DELEGATED-TO");
    if !delegates.is_empty() {
        let name = "DELEGATED-TO".to_owned();
        line.params.push(Param {
            name,
            values: delegates,
        });
    }
}

/// Keeps the delegations of the `known` version of a component on a list that says nothing of them: on the lines of the delegators,
/// and with the delegates who are not on it. Who was invited before somebody sent them stays away if the list lacks them: that is
/// another matter.
pub(super) fn keep_delegations(
    known: &Component,
    component: &mut Component,
    is_unsaid: impl Fn(&Property) -> bool,
) {
    let known = attendees_by_address(known);
    let has_sent = |line: &&&Property| PartStat::of(line) == PartStat::Delegated;
    let mut sent = Vec::new();
    let lines = component.properties.iter_mut();
    for line in lines.filter(|line| line.is("ATTENDEE") && is_unsaid(line)) {
        if let Some(old) = known.get(&person(line)).filter(has_sent) {
            put_answer(line, old);
            sent.extend(delegated_to(old));
        }
    }
    let mut listed: HashSet<String> = component.all("ATTENDEE").map(person).collect();
    while let Some(delegate) = sent.pop() {
        let name = delegate.as_str().to_ascii_lowercase();
        let was_sent = |line: &&&Property| addresses(line, "DELEGATED-FROM").next().is_some();
        if let Some(line) = known.get(&name).filter(was_sent)
            && listed.insert(name)
        {
            sent.extend(delegated_to(line));
            component.push((*line).clone());
        }
    }
}
