//! ADD: the organizer adds an instance (RFC 5546 §3.2.4, §3.4.4).

use super::instance::derive;
use super::object::Object;
use super::own::{Role, blend, is_only_own};
use super::revision::Revision;
use crate::message::Message;
use crate::tree::Component;

/// The stored object with the instance in it, as if it stood in an RDATE of the whole.
///
/// `None` if the stored object has no whole to add to.
pub(super) fn apply<'c>(stored: &Object<'c>, message: &Message, role: Role) -> Option<Object<'c>> {
    let mut object = stored.clone();
    object.adopt_zones(message.calendar());
    for added in message.components() {
        add(&mut object, added, role)?;
    }
    Some(object)
}

fn add(object: &mut Object, added: &Component, role: Role) -> Option<()> {
    let start = added.get("DTSTART")?;
    let key = object.key(start);
    let zones = object.zones.clone();
    let master = object.master.as_mut()?;
    let revision = Revision::against(added, master);
    // An older ADD came late: what it adds is in the newer version, or was dropped by it.
    if revision <= Revision::of(master) {
        return Some(());
    }
    let known = master.all("RDATE").any(|line| line.value == start.value);
    if !known {
        let mut date = start.clone();
        "RDATE".clone_into(&mut date.name);
        master.push(date);
    }
    revision.write(master);
    let implied = derive(master, start, &zones);
    let mut instance = blend(added, Some(&implied), role);
    let mut id = start.clone();
    "RECURRENCE-ID".clone_into(&mut id.name);
    instance.push(id);
    // An instance like all others needs no component of its own.
    if !is_only_own(&instance, &implied, role) {
        object.instances.insert(key, instance);
    }
    Some(())
}
