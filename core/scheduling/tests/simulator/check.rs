//! What must hold when nothing waits any more.

use crate::{
    store::Person,
    view::{Instance, View, bare, parse, view},
    world::World,
};
use convoke_calendar::tree::Calendar;
use jiff::SignedDuration;
use serde_json::Value;
use std::{collections::BTreeSet, sync::atomic::Ordering};

/// Whether somebody is the ORGANIZER of an object.
pub(crate) fn organizes(object: &Calendar, who: &str) -> bool {
    let mut events = object.main_components().filter(|it| it.is("VEVENT"));
    events.any(|it| it.value("ORGANIZER").is_some_and(|line| bare(line) == who))
}

/// What waits still.
pub(crate) fn waiting(world: &World) -> Vec<String> {
    let mut waiting = Vec::new();
    for (number, host) in world.hosts.iter().enumerate() {
        for prefix in ["outbox/", "message/", "held/"] {
            for (key, value) in host.state.under(prefix) {
                let value = String::from_utf8_lossy(&value).into_owned();
                waiting.push(format!("host {number} holds {key} still: {value}"));
            }
        }
        match world.running(number) {
            Some(scheduler) => {
                let entries = scheduler.shared().outbox.entries();
                let entries = entries.iter();
                waiting.extend(entries.map(|it| format!("host {number}: {} waits still", it.id)));
            }
            None => waiting.push(format!("host {number} does not run")),
        }
    }
    let mails = world.mails.load(Ordering::Relaxed);
    if mails > 0 {
        waiting.push(format!("{mails} mails are on their way still"));
    }
    for person in world.people.iter().filter(|it| it.undecided() > 0) {
        waiting.push(format!(
            "{} has something to decide still",
            person.address()
        ));
    }
    waiting
}

/// Whether nothing waits on a host, and its people's calendars are what is known of them.
pub(crate) fn is_quiet(world: &World, host: usize) -> bool {
    let state = &world.hosts[host].state;
    let prefixes = ["outbox/", "message/", "held/"];
    let holds_nothing = prefixes.iter().all(|it| state.under(it).is_empty());
    let ours = || world.people.iter().filter(|it| it.traits.host == host);
    let is_known = |person: &std::sync::Arc<Person>| {
        let objects = person.objects();
        let mut objects = objects.iter();
        objects.all(|(uid, etag, _)| ledger(world, person, uid, Some(etag)).is_none())
    };
    let is_settled = |person: &std::sync::Arc<Person>| {
        let remembered = format!("ledger/mailto:{}/", person.address());
        let mut remembered = state.under(&remembered).into_iter();
        remembered.all(|(key, _)| {
            let uid = key.rsplit('/').next().unwrap_or_default();
            person.object(uid).is_some() || ledger(world, person, uid, None).is_none()
        })
    };
    holds_nothing && ours().all(is_known) && ours().all(is_settled)
}

/// What was seen in a calendar and is not told yet.
fn pending(world: &World) -> Vec<String> {
    let mut pending = Vec::new();
    for host in &world.hosts {
        for (key, value) in host.state.under("user/") {
            let record: Value = serde_json::from_slice(&value).expect("records are JSON");
            let left = record.get("pending").and_then(Value::as_array);
            if left.is_some_and(|it| !it.is_empty()) {
                pending.push(format!("{key} has something pending: {record}"));
            }
        }
    }
    pending
}

/// Everything else.
pub(crate) fn all(world: &World) -> Vec<String> {
    let mut complaints = pending(world);
    let mut uids = BTreeSet::new();
    for person in &world.people {
        for (uid, etag, data) in person.objects() {
            let text = String::from_utf8_lossy(&data).replace("\r\n ", "");
            if text.contains("X-CONVOKE") {
                complaints.push(format!(
                    "{} keeps what is not its own:\n{text}",
                    person.address()
                ));
            }
            complaints.extend(ledger(world, person, &uid, Some(&etag)));
            uids.insert(uid);
        }
    }
    complaints.extend(forgotten(world));
    complaints.extend(world.people.iter().filter_map(|it| booked_twice(it)));
    for uid in &uids {
        complaints.extend(agreement(world, uid));
    }
    complaints
}

/// A room that two meetings have at once.
fn booked_twice(person: &Person) -> Option<String> {
    if !person.traits.room {
        return None;
    }
    let mut taken = Vec::new();
    for (uid, _, data) in person.objects() {
        let instances = view(&parse(&data), person.address()).into_values();
        let has = |it: &Instance| it.answer.as_deref() == Some("ACCEPTED");
        let starts = instances.filter(has).filter_map(|it| it.start);
        taken.extend(starts.map(|start| (start, uid.clone())));
    }
    taken.sort();
    let mut pairs = taken.windows(2);
    let clash = pairs.find(|it| {
        let hour = SignedDuration::from_hours(1);
        it[0].1 != it[1].1 && it[1].0.duration_since(it[0].0) < hour
    });
    clash.map(|it| format!("{} is booked twice: {it:?}", person.address()))
}

/// The ledger says of an object what the store has.
pub(crate) fn ledger(
    world: &World,
    person: &Person,
    uid: &str,
    etag: Option<&str>,
) -> Option<String> {
    let key = format!("ledger/mailto:{}/{uid}", person.address());
    let state = &world.hosts[person.traits.host].state;
    let found = state.under(&key).into_iter().find(|(it, _)| *it == key);
    let Some((_, value)) = found else {
        return etag.map(|_| format!("nothing is remembered of {uid} of {}", person.address()));
    };
    let known: Value = serde_json::from_slice(&value).expect("ledgers are JSON");
    let is_gone = known.get("gone").and_then(Value::as_bool) == Some(true);
    let agrees = match etag {
        Some(etag) => !is_gone && known.get("etag").and_then(Value::as_str) == Some(etag),
        None => is_gone && state.expires(&key),
    };
    (!agrees).then(|| {
        let there = etag.unwrap_or("nothing");
        let who = person.address();
        format!(
            "{who} has {uid} in version {there}, and the ledger says gone: {is_gone}, {:?}",
            known.get("etag")
        )
    })
}

/// What is remembered of objects that are not there.
fn forgotten(world: &World) -> Vec<String> {
    let mut complaints = Vec::new();
    for person in &world.people {
        let prefix = format!("ledger/mailto:{}/", person.address());
        for (key, _) in world.hosts[person.traits.host].state.under(&prefix) {
            let uid = &key[prefix.len()..];
            if person.object(uid).is_none() {
                complaints.extend(ledger(world, person, uid, None));
            }
        }
    }
    complaints
}

/// All copies of a meeting agree with their organizer's.
fn agreement(world: &World, uid: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    let copies = world.people.iter();
    let copies = copies.map(|person| (person, person.object(uid).map(|data| parse(&data))));
    let copies: Vec<_> = copies.collect();
    let organizer = copies.iter().find(|(person, object)| {
        object
            .as_ref()
            .is_some_and(|object| organizes(object, person.address()))
    });
    let master = organizer.and_then(|(_, object)| object.as_ref());
    for (person, copy) in &copies {
        let who = person.address();
        if organizer.is_some_and(|(organizer, _)| organizer.address() == who) {
            continue;
        }
        let (lacks_something, was_not_heard) = {
            let witness = world.witness.lock().unwrap();
            let may_cross = witness.has_answered_anything(uid, who);
            let was_lost = witness.was_not_heard(uid, who);
            (witness.lacks_something(uid, who), may_cross || was_lost)
        };
        // Whose mail came back is shown as not reached.
        if let (Some((host, _)), Some(master)) = (organizer, master)
            && world.times_lost(host.traits.host) == 0
            && lists(master, who)
            && !has_failed(master, "ATTENDEE", who)
        {
            let witness = world.witness.lock().unwrap();
            if witness.has_come_back(uid, host.address(), who) {
                let text = String::from_utf8_lossy(&master.write()).into_owned();
                complaints.push(format!(
                    "a mail to {who} came back, and its organizer does not see it:\n{text}"
                ));
            }
        }
        // A mail was lost, or the organizer was told that the last message was given up.
        if lacks_something || master.is_some_and(|it| has_failed(it, "ATTENDEE", who)) {
            continue;
        }
        let is_unheard = |it: &Calendar| has_failed(it, "ORGANIZER", &organizer_of(it));
        let was_not_heard = was_not_heard || copy.as_ref().is_some_and(is_unheard);
        let told = master.map(|object| view(object, who)).unwrap_or_default();
        let told: View = told
            .into_iter()
            .filter(|(_, it)| it.answer.is_some())
            .collect();
        let has = copy
            .as_ref()
            .map(|object| view(object, who))
            .unwrap_or_default();
        // Who was sent by whom, others hear with the next update.
        let [told, has] = [told, has].map(|mut view| {
            let witness = world.witness.lock().unwrap();
            for instance in view.values_mut() {
                instance.guests.retain(|it| !witness.is_delegate(uid, it));
            }
            view
        });
        // See the known disagreements in the documentation of the simulator.
        let has: View = has
            .into_iter()
            .map(|(key, it)| match told.get(&key) {
                Some(told) if was_not_heard => (key, with_answer(it, told)),
                _ => (key, it),
            })
            .collect();
        let mut told = told;
        if was_not_heard && copy.is_none() {
            // Nobody has heard that it was declined by being deleted.
            told.clear();
        }
        if was_not_heard && world.witness.lock().unwrap().has_declined(uid, who) {
            // Nor that an instance was, by being left out.
            told.retain(|key, _| has.contains_key(key));
        }
        // See the known disagreements in the documentation of the simulator.
        if told.is_empty() && world.witness.lock().unwrap().is_delegate(uid, who) {
            continue;
        }
        let difference = difference(&told, &has);
        if !difference.is_empty() {
            let text = |object: Option<&Calendar>| {
                let text = object.map(|it| String::from_utf8_lossy(&it.write()).into_owned());
                text.unwrap_or_default().replace("\r\n ", "")
            };
            complaints.push(format!(
                "the copy of {who} is not as its organizer's: {}\norganizer:\n{}\ncopy:\n{}",
                difference.join("; "),
                text(master),
                text(copy.as_ref())
            ));
        }
    }
    complaints
}

/// Whether a line of somebody says that the last message to them failed for good.
fn has_failed(object: &Calendar, name: &str, who: &str) -> bool {
    let mut lines = object.main_components().flat_map(|it| it.all(name));
    lines.any(|line| {
        let status = line.param("SCHEDULE-STATUS").unwrap_or_default();
        bare(&line.value) == who && status.starts_with(['3', '4', '5'])
    })
}

/// Whether somebody is on the list of an object.
fn lists(object: &Calendar, who: &str) -> bool {
    let mut lines = object.main_components().flat_map(|it| it.all("ATTENDEE"));
    lines.any(|line| bare(&line.value) == who)
}

fn organizer_of(object: &Calendar) -> String {
    let mut lines = object
        .main_components()
        .filter_map(|it| it.value("ORGANIZER"));
    lines.next().map(bare).unwrap_or_default()
}

fn with_answer(instance: Instance, told: &Instance) -> Instance {
    Instance {
        answer: told.answer.clone(),
        ..instance
    }
}

/// In what a copy is not as its organizer's.
fn difference(told: &View, has: &View) -> Vec<String> {
    let mut difference = Vec::new();
    for (key, told) in told {
        match has.get(key) {
            Some(has) if has == told => {}
            Some(has) => difference.push(format!("{key:?}: told {told:?}, has {has:?}")),
            // Who has deleted it has declined it.
            None if told.answer.as_deref() == Some("DECLINED") => {}
            None => difference.push(format!("{key:?}: told {told:?}, has nothing")),
        }
    }
    for (key, has) in has {
        if !told.contains_key(key) {
            difference.push(format!("{key:?}: is not told, has {has:?}"));
        }
    }
    difference
}
