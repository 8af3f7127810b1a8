//! The organizer's edits: REQUEST, ADD and CANCEL to whom they concern (RFC 6638 §3.2.1).

use super::attendees::{Attendees, Part, admit_uninvited, all_attendees};
use super::diff::{Diff, update_versions};
use super::lost_parts::{Cancels, LostPart, lost_parts};
use super::message_batch::{MessageBatch, name_attendee};
use super::{Edit, Told, Written, delivery::drop_owed, spend_force};
use crate::instance::InstanceKey;
use crate::itip::answer_line::keep_delegations;
use crate::itip::normalize::mend;
use crate::itip::object::Object;
use crate::itip::outgoing::{for_message, leave_out};
use crate::itip::participants::{PartStat, person};
use crate::itip::personal::{Role, UNTOLD, is_only_own};
use crate::itip::revision::{Revision, basic, not_before};
use crate::itip::series::Search;
use crate::message::{MessageError, Method};
use crate::tree::{Component, Property};
use convoke_types::CalendarAddress;
use jiff::Timestamp;
use std::collections::{BTreeSet, HashMap};

pub(super) fn edited<'a>(
    edit: Edit<'a>,
    organizer: &CalendarAddress,
) -> Result<Told<'a>, MessageError> {
    let Edit {
        mut old,
        mut new,
        zones,
        owner,
        written,
        now,
    } = edit;
    if let (Some(old), Some(new)) = (&old, &mut new) {
        keep_sent(old, new, written);
    }
    let told = old.iter().flat_map(Object::components);
    let now = not_before(now, told.filter_map(|it| Revision::of(it).stamp));
    // What is only written otherwise is not a change, and what is sent is what is stored.
    let as_written = new.clone();
    for object in old.iter_mut().chain(&mut new) {
        let zones = object.zones.clone();
        mend(object.components_mut(), Method::Request, &zones);
    }
    let mut diff = Diff::between(old.as_ref(), new.as_ref());
    if diff.changed.is_empty() {
        new = as_written;
    }
    let attendees = all_attendees(old.as_ref(), new.as_ref(), owner.addresses);
    let before_edit = Attendees::of(old.as_ref());
    if let Some(new) = &mut new {
        admit_uninvited(old.as_ref(), new, !diff.changed.is_empty());
        let by = (owner.addresses, written);
        update_versions(old.as_ref(), new, &diff, by, now);
    }
    let implied = implied(old.as_ref(), new.as_ref());
    let mut cancels = Cancels::default();
    let lost: Vec<Vec<LostPart>> = {
        let after_edit = Attendees::of(new.as_ref());
        let mut lost_by = |attendee: &CalendarAddress| {
            let (had, has) = (before_edit.parts(attendee), after_edit.parts(attendee));
            let lost = lost_parts(&had, &has, new.as_ref(), &implied);
            if let Some(old) = &old {
                // Who only changes hands is invited as before, for all that others know.
                if !after_edit.is_unserved(attendee) {
                    cancels.count(old, &lost, &had, &has);
                }
                if before_edit.is_unserved(attendee) {
                    cancels.count_back(old, has.difference(&had));
                }
            }
            lost
        };
        attendees.iter().map(&mut lost_by).collect()
    };
    if let (Some(old), Some(new)) = (&old, &mut new) {
        diff.changed.extend(cancels.write(old, new, now));
    }
    let notifier = Notifier {
        after_edit: Attendees::of(new.as_ref()),
        before_edit,
        old: old.as_ref(),
        new: new.as_ref(),
        written,
        diff,
        now,
    };
    let mut batch = MessageBatch::default();
    let mut known = Vec::new();
    for (attendee, lost) in attendees.iter().zip(lost) {
        notifier.uninvite(&mut batch, attendee, lost);
        let told = notifier.invite(&mut batch, attendee);
        known.push((attendee, told));
    }
    let outgoing = batch.outgoing(&zones, organizer)?;
    if let Some(new) = &mut new {
        note_untold(old.as_ref(), new, &known, now);
        spend_force(new);
        if written == Written::ByCommand {
            drop_owed(new, "ATTENDEE");
        }
    }
    Ok(Told {
        object: new,
        outgoing,
    })
}

/// Delegations that a program has lost, as it had read the object before they came; or that a command says nothing of: who was sent is
/// not called off by that, and who has sent them is asked nothing.
fn keep_sent(old: &Object, new: &mut Object, written: Written) {
    let mut lines = old.components().flat_map(|it| it.all("ATTENDEE"));
    if !lines.any(|line| PartStat::of(line) == PartStat::Delegated) {
        return;
    }
    for component in new.components_mut() {
        if let Some(known) = old.version_of(component) {
            keep_delegations(&known, component, |line| written.says_no_answer(line));
        }
    }
}

fn implied(old: Option<&Object>, new: Option<&Object>) -> BTreeSet<InstanceKey> {
    let (Some(old), Some(new)) = (old, new) else {
        return BTreeSet::new();
    };
    let mut search = Search::of(old);
    let written_out = new.instances.iter();
    let written_out = written_out.filter(|(key, _)| !old.instances.contains_key(key));
    let known = written_out.filter(|(_, it)| {
        let id = it.get("RECURRENCE-ID");
        id.is_some_and(|id| search.has(id))
    });
    known.map(|(key, _)| key.clone()).collect()
}

/// Notes of instances that are written out now which attendees do not know of them by themselves.
fn note_untold(
    old: Option<&Object>,
    new: &mut Object,
    told: &[(&CalendarAddress, BTreeSet<InstanceKey>)],
    now: Timestamp,
) {
    if new.instances.is_empty() || new.master.is_none() {
        return;
    }
    let told = told.iter().filter(|(_, told)| !told.is_empty());
    let name = |attendee: &CalendarAddress| attendee.as_str().to_ascii_lowercase();
    let told: HashMap<String, &BTreeSet<InstanceKey>> = told
        .map(|(attendee, told)| (name(attendee), told))
        .collect();
    for (key, instance) in &mut new.instances {
        let is_new = old.is_some_and(|old| !old.instances.contains_key(key));
        let lines = instance.properties.iter_mut();
        for line in lines.filter(|line| line.is("ATTENDEE")) {
            let told = told.get(&person(line));
            if told.is_some_and(|told| told.contains(key)) {
                // An answer may be under way that was given before it arrives.
                if is_new || line.param(UNTOLD).is_some() {
                    line.set_param(UNTOLD, basic(now));
                }
            } else if is_new {
                line.set_param(UNTOLD, "TRUE");
            }
        }
    }
}

/// What is to be told, and to whom.
struct Notifier<'o, 'c> {
    old: Option<&'o Object<'c>>,
    new: Option<&'o Object<'c>>,
    before_edit: Attendees<'o>,
    after_edit: Attendees<'o>,
    written: Written,
    diff: Diff,
    now: Timestamp,
}

impl Notifier<'_, '_> {
    /// REQUEST to one who has something new: everything it is invited to (RFC 6638 §3.2.1.2). ADD to one who knows the
    /// series, where one date more is all that is new. Returns the instances that they know of by themselves then.
    fn invite(
        &self,
        batch: &mut MessageBatch,
        attendee: &CalendarAddress,
    ) -> BTreeSet<InstanceKey> {
        let (had, has) = (
            self.before_edit.parts(attendee),
            self.after_edit.parts(attendee),
        );
        // Who was not reached with the last version is told of this one, whatever changed.
        let is_owed = self.written == Written::ByCommand && self.before_edit.is_owed(attendee);
        let forced = is_owed || self.after_edit.is_forced(attendee);
        let is_new = has
            .iter()
            .any(|part| !had.contains(part) && !had.contains(&None));
        // Who has left the series is told anew of what is left.
        let has_left = had.contains(&None) && !has.contains(&None);
        let changed = has_left || self.diff.changed.iter().any(|part| has.contains(part));
        let nothing = BTreeSet::new();
        let Some(new) = self.new.filter(|_| !has.is_empty()) else {
            return nothing;
        };
        if !(forced || is_new || changed) {
            return nothing;
        }
        let reached = self.after_edit.address(attendee);
        let reached = reached.unwrap_or_else(|| attendee.clone());
        let knows_series = had.contains(&None) && has.contains(&None);
        if let Some(date) = self.diff.added.as_ref().filter(|_| knows_series && !forced) {
            let key = new.key(date);
            let part = Some(key.clone());
            // One like all others has no component of its own there.
            let is_apart = new.instances.get(&key).is_some_and(|it| {
                let implied = new.implied(date);
                implied.is_none_or(|implied| !is_only_own(it, &implied, Role::Organizer))
            });
            if has.contains(&part) || !new.instances.contains_key(&key) {
                let batch_key = (Method::Add, vec![(part, false)]);
                batch.add_recipient(batch_key, &reached, || self.addition(new, date));
                return is_apart.then_some(key).into_iter().collect();
            }
            return nothing;
        }
        let instances = has.iter().flatten().cloned().collect();
        let told = has.into_iter().map(|part| (part, false)).collect();
        batch.add_recipient((Method::Request, told), &reached, || {
            self.invitation(new, attendee)
        });
        instances
    }

    /// RFC 5546 §3.2.4: the instance, as if it were a component of its own.
    fn addition(&self, new: &Object, date: &Property) -> Vec<Component> {
        let instance = new.instances.get(&new.key(date)).cloned();
        let instance = instance.or_else(|| new.implied(date));
        let master = new.master.as_ref();
        let added = instance.zip(master).map(|(instance, master)| {
            let mut added = for_message(&instance, self.now);
            added.remove("RECURRENCE-ID");
            let version = Revision {
                stamp: Some(self.now),
                ..Revision::of(master)
            };
            version.write(&mut added);
            added
        });
        added.into_iter().collect()
    }

    /// What a attendee is invited to. Instances of its series that it is not invited to are left out of that.
    fn invitation(&self, new: &Object, attendee: &CalendarAddress) -> Vec<Component> {
        let has = self.after_edit.parts(attendee);
        let invited = new.parts().filter(|(part, _)| has.contains(part));
        let mut told: Vec<Component> = invited
            .map(|(_, component)| for_message(component, self.now))
            .collect();
        if has.contains(&None)
            && let Some(series) = told.first_mut()
        {
            let apart = new.instances.iter();
            let apart = apart.filter(|(key, _)| !has.contains(&Some((*key).clone())));
            leave_out(series, apart.map(|(_, instance)| instance));
        }
        told
    }

    /// CANCEL to one who has lost something.
    fn uninvite(&self, batch: &mut MessageBatch, attendee: &CalendarAddress, lost: Vec<LostPart>) {
        let Some(old) = self.old else { return };
        if lost.is_empty() {
            return;
        }
        let parts = lost.clone();
        let reached = self.before_edit.address(attendee);
        let reached = reached.unwrap_or_else(|| attendee.clone());
        let notices = batch.add_recipient((Method::Cancel, lost), &reached, || {
            let notices = parts.iter();
            notices
                .filter_map(|(part, off)| self.notice(old, part, *off))
                .collect()
        });
        name_attendee(notices, self.before_edit.line(attendee));
    }

    /// That a part is called off, or that it goes on without the attendee (RFC 5546 §3.2.5).
    fn notice(&self, old: &Object, part: &Part, called_off: bool) -> Option<Component> {
        const TOLD: [&str; 8] = [
            "UID",
            "RECURRENCE-ID",
            "DTSTART",
            "DTEND",
            "DUE",
            "DURATION",
            "SUMMARY",
            "ORGANIZER",
        ];
        let was = match part {
            None => old.master.clone(),
            Some(key) => {
                let known = old.instances.get(key).cloned();
                known.or_else(|| old.version_of(self.new?.instances.get(key)?))
            }
        }?;
        let mut notice = Component::new(was.name.clone());
        for name in TOLD {
            notice.properties.extend(was.get(name).cloned());
        }
        // RFC 5546 §2.1.4: a CANCEL counts the SEQUENCE up.
        let newest = self.new.and_then(|new| new.version_of(&was));
        let sequence = newest.map_or(0, |it| Revision::of(&it).sequence);
        let sequence = sequence.max(Revision::of(&was).sequence + 1);
        notice.push(Property::new("SEQUENCE", sequence.to_string()));
        notice.push(Property::new("DTSTAMP", basic(self.now)));
        if called_off {
            notice.push(Property::new("STATUS", "CANCELLED"));
        }
        Some(for_message(&notice, self.now))
    }
}
