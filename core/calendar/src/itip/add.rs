//! ADD: the organizer adds an instance (RFC 5546 §3.2.4, §3.4.4).

use super::object::Object;
use super::personal::{Role, blend, is_only_own};
use super::revision::Revision;
use super::series::Search;
use crate::message::Message;
use crate::tree::Component;

/// What an ADD leads to.
pub(super) enum Added<'c> {
    /// The stored object with the instance in it, as if it stood in an RDATE of the whole.
    Taken(Box<Object<'c>>),
    /// It came late: what it adds was in the newer version, or has been dropped by it.
    Stale,
    /// There is no whole to add to, or one that is newer and knows nothing of the instance: it may have been lost on the
    /// way, so the latest version is to be asked for.
    Missed,
}

pub(super) fn apply<'c>(stored: &Object<'c>, message: &Message, role: Role) -> Added<'c> {
    let mut object = stored.clone();
    for added in message.components() {
        match add(&object, added, role) {
            Added::Taken(next) => object = *next,
            other => return other,
        }
    }
    Added::Taken(Box::new(object))
}

fn add<'c>(object: &Object<'c>, added: &Component, role: Role) -> Added<'c> {
    let (Some(master), Some(start)) = (&object.master, added.get("DTSTART")) else {
        return Added::Missed;
    };
    let key = object.key(start);
    let revision = Revision::against(added, master);
    if revision <= Revision::of(master) {
        let known = object.instances.contains_key(&key) || Search::of(object).has(start);
        return if known { Added::Stale } else { Added::Missed };
    }
    let mut object = object.clone();
    let implied = object.implied(start);
    if let Some(master) = &mut object.master {
        if !master.all("RDATE").any(|line| line.value == start.value) {
            let mut date = start.clone();
            "RDATE".clone_into(&mut date.name);
            master.push(date);
        }
        revision.write(master);
    }
    object.readmit(&[key.clone()].into());
    let Some(implied) = implied else {
        return Added::Missed;
    };
    let mut instance = blend(
        &filled(added, &implied),
        Some(&implied),
        role,
        &object.zones,
    );
    let mut id = start.clone();
    "RECURRENCE-ID".clone_into(&mut id.name);
    instance.push(id);
    // An instance like all others needs no component of its own.
    if !is_only_own(&instance, &implied, role) {
        object.instances.insert(key, instance);
    }
    Added::Taken(Box::new(object))
}

/// What an ADD leaves out is as the series has it.
fn filled(added: &Component, implied: &Component) -> Component {
    const NOT_INHERITED: [&str; 5] = [
        "RECURRENCE-ID",
        "COMMENT",
        "REQUEST-STATUS",
        "CREATED",
        "LAST-MODIFIED",
    ];
    let has = |name: &str| added.get(name).is_some();
    let has_end = has("DTEND") || has("DUE") || has("DURATION");
    let mut component = added.clone();
    for line in &implied.properties {
        let is_end = line.is("DTEND") || line.is("DUE") || line.is("DURATION");
        let apart = NOT_INHERITED.iter().any(|name| line.is(name));
        if !(apart || has(&line.name) || (is_end && has_end)) {
            component.push(line.clone());
        }
    }
    component
}
