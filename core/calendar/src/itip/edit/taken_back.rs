//! Instances whose component their program has dropped: they take place after all where they were called off by it, or somebody
//! was not invited to them; and they are answered as they were where it said nothing else.

use crate::itip::object::Object;
use crate::itip::participants::person;
use crate::itip::personal::{Role, is_only_own, is_rescheduled};
use crate::itip::request::is_cancelled;
use crate::itip::series::Search;
use crate::tree::Component;
use std::collections::HashSet;

/// Writes out the instances that were called off for somebody by a component of their own, and that the series implies now
/// without it.
///
/// An attendee's copy keeps an instance called off while updates of the series say nothing of it (RFC 5546 §3.2.5: it was
/// called off by itself). So it has to be told by itself that it takes place, and stands in the organizer's copy as well.
pub(super) fn take_back_cancels(old: Option<&Object>, new: Option<&mut Object>) {
    let (Some(old), Some(new)) = (old, new) else {
        return;
    };
    let takes_place = |object: &Object| object.master.as_ref().is_some_and(|it| !is_cancelled(it));
    if !takes_place(old) || !takes_place(new) {
        return;
    }
    let mut back = Vec::new();
    {
        let mut series = Search::of(new);
        let gone = old.instances.iter();
        let gone = gone.filter(|(key, _)| !new.instances.contains_key(key));
        for (key, instance) in gone {
            let id = instance.get("RECURRENCE-ID").filter(|id| series.has(id));
            let implied = id.and_then(|id| new.implied(id));
            let implied = implied.filter(|it| is_cancelled(instance) || lacks_guests(instance, it));
            back.extend(implied.map(|implied| (key.clone(), implied)));
        }
    }
    new.instances.extend(back);
}

/// Puts back the instances that say nothing by themselves but how they are answered, and that a program has dropped as it may
/// drop answers: where the series goes on as it was, they are answered like that still.
pub(super) fn keep_answered(old: Option<&Object>, new: Option<&mut Object>) {
    let (Some(old), Some(new)) = (old, new) else {
        return;
    };
    // What was answered was about the old times, also where an instance of the new ones begins when one of the old did.
    let series = old.master.as_ref().zip(new.master.as_ref());
    if series.is_none_or(|(was, is)| is_rescheduled(was, is, &new.zones)) {
        return;
    }
    let mut kept = Vec::new();
    {
        let mut series = Search::of(new);
        let gone = old.instances.iter();
        let gone = gone.filter(|(key, _)| !new.instances.contains_key(key));
        for (key, instance) in gone {
            let id = instance.get("RECURRENCE-ID").filter(|id| series.has(id));
            let is_same = |it: Component| is_only_own(instance, &it, Role::Organizer);
            if !is_cancelled(instance)
                && id.and_then(|id| new.implied(id)).is_some_and(is_same)
                && id.and_then(|id| old.implied(id)).is_some_and(is_same)
            {
                kept.push((key.clone(), instance.clone()));
            }
        }
    }
    new.instances.extend(kept);
}

/// Whether somebody who is invited to the series is not to an instance.
fn lacks_guests(instance: &Component, implied: &Component) -> bool {
    let guests: HashSet<String> = instance.all("ATTENDEE").map(person).collect();
    !implied
        .all("ATTENDEE")
        .map(person)
        .all(|it| guests.contains(&it))
}
