//! What happens: a step of a story is done.

use crate::{
    check,
    host::{self, Env},
    programs::{self, Invitation},
    store::Person,
    story::{Answer, By, Deed, Edit, Program, Response},
    view::{bare, guests, parse},
    world::{Network, World},
};
use convoke_calendar::{
    itip::{PartStat, Proposal, Reply, addressees},
    message::Message,
    time::When,
    tree::{Calendar, Component, Property},
};
use convoke_scheduling::{Response as Said, Scheduler, Submission, TransportFacts, Unbounded};
use convoke_types::Uid;
use futures::executor::block_on;
use std::sync::Arc;

fn uid(meeting: usize) -> String {
    format!("m{meeting}")
}

/// Does what a step says.
pub(crate) fn perform(world: &Arc<World>, deed: &Deed) {
    match deed {
        Deed::Invite {
            meeting,
            who,
            guests,
            days,
            zoned,
            count,
            by,
        } => {
            let person = &world.people[*who];
            let uid = uid(*meeting);
            let guests = guests.iter().map(|guest| world.people[*guest].address());
            let invitation = Invitation {
                uid: &uid,
                organizer: person.address(),
                guests: guests.collect(),
                days: *days,
                zoned: *zoned,
                count: *count,
            };
            let now = world.time_at(person.traits.host);
            let object = invitation.written_by(person.traits.program, now);
            hand_in(world, person, &uid, &object, *by);
        }
        Deed::Edit { meeting, edit, by } => edits(world, &uid(*meeting), *edit, *by),
        Deed::Respond {
            meeting,
            who,
            response,
            by,
        } => responds(world, &uid(*meeting), *who, *response, *by),
        Deed::Delete { meeting, who } => deletes(world, &uid(*meeting), &world.people[*who]),
        Deed::Crash { host, after, down } => world.crash_after(*host, *after, *down),
        Deed::LoseState { host } => lose_state(world, *host),
        Deed::Break { host, part, millis } => world.break_part(*host, *part, *millis),
        Deed::Lossy { percent, millis } => {
            *world.network.lock().unwrap() = Network {
                percent: *percent,
                until: world.executor.now() + millis,
            };
        }
        Deed::Receiver { host, is_there } => world.hosts[*host].set_receiver(*is_there),
        Deed::Post { percent, millis } => {
            *world.post.lock().unwrap() = Network {
                percent: *percent,
                until: world.executor.now() + millis,
            };
        }
        Deed::Clock { host, ahead_ms } => world.set_clock(*host, *ahead_ms),
        Deed::ForgetChanges { who } => world.people[*who].forget_changes(),
        Deed::Retry { host } => {
            if let Some(scheduler) = world.running(*host) {
                let retried = block_on(scheduler.retry(None));
                retried.expect("everything is there");
            }
        }
    }
}

/// Where something waits, it would be lost with the state, and nobody could say who has to hear of it. Nobody edits anything
/// before all calendars have been looked at again: that would be told to nobody.
fn lose_state(world: &Arc<World>, host: usize) {
    let works = world.running(host).is_some() && world.is_whole(host);
    if !works || !check::is_quiet(world, host) {
        return;
    }
    world.log(|| format!("host {host} loses its state"));
    world.end_by_losing_state(host);
    host::start(world, host);
    let people = world.people.iter();
    let people = people.filter(|it| it.traits.host == host).count();
    while world.hosts[host].state.under("user/").len() < people {
        world.run_for(10);
    }
}

/// Whose meeting it is: who has it and is its ORGANIZER.
fn organizer<'w>(world: &'w World, uid: &str) -> Option<(&'w Arc<Person>, Calendar)> {
    let mut people = world.people.iter();
    people.find_map(|person| {
        let object = parse(&person.object(uid)?);
        check::organizes(&object, person.address()).then_some((person, object))
    })
}

fn edits(world: &Arc<World>, uid: &str, edit: Edit, by: By) {
    let Some((person, before)) = organizer(world, uid) else {
        return;
    };
    let address = |who: usize| world.people[who].address().to_owned();
    let now = world.time_at(person.traits.host);
    let Some(after) = programs::edit(&before, edit, address, person.traits.program, now) else {
        return;
    };
    {
        let mut witness = world.witness.lock().unwrap();
        let concerned = before.main_components().flat_map(guests);
        for guest in concerned {
            let loses = match edit {
                Edit::Uninvite(who) => address(who) == guest,
                Edit::Cancel | Edit::CancelInstance(_) | Edit::Exclude(_) | Edit::Move(_) => true,
                _ => false,
            };
            if loses {
                witness.calls_off(uid, &guest);
            }
        }
    }
    let is_off = |it: &Component| it.value("STATUS") == Some("CANCELLED");
    if let Edit::Invite(who) = edit
        && after.main_components().any(is_off)
    {
        // To what does not take place any more: who asks is told so.
        let mut witness = world.witness.lock().unwrap();
        witness.calls_off(uid, &address(who));
    }
    // A program that forgets SEQUENCE has no business with messages. One REQUEST says all that there is to say only where everybody
    // is invited to all of it, as before: each guest of a single instance would need a message of its own, and whom it does
    // not name any more a CANCEL.
    let is_said_at_once = before.main_components().all(|was| {
        after
            .main_components()
            .all(|is| guests(was).is_subset(&guests(is)))
    }) && after.main_components().all(|one| {
        after
            .main_components()
            .all(|other| guests(one) == guests(other))
    });
    let may_send = person.traits.program != Program::Forgetful && is_said_at_once;
    let by = match (edit, by) {
        (_, By::Message) if !may_send => By::Program,
        (Edit::Move(_) | Edit::Retitle(_) | Edit::Relocate(_) | Edit::Invite(_), by) => by,
        (_, By::Message) => By::Command,
        (_, by) => by,
    };
    hand_in(world, person, uid, &after, by);
}

/// An organizer has a new version of a meeting.
fn hand_in(world: &Arc<World>, person: &Arc<Person>, uid: &str, object: &Calendar, by: By) {
    world.witness.lock().unwrap().writes(uid, object);
    match by {
        By::Program => writes(world, person, uid, object),
        By::Command => sends(world, person, object),
        By::Message => submits_request(world, person, uid, object),
    }
}

fn writes(world: &World, person: &Person, uid: &str, object: &Calendar) {
    let data = object.write();
    world.log(|| {
        let text = String::from_utf8_lossy(&data).replace("\r\n ", "");
        format!("{} writes {uid}\n{text}", person.address())
    });
    person.write(uid, Some(data));
}

/// Does something with a person's host, if that runs.
fn with_host<F: Future<Output = ()> + Send + 'static>(
    world: &Arc<World>,
    person: &Person,
    work: impl FnOnce(Arc<Scheduler<Env>>) -> F,
) {
    let host = person.traits.host;
    if let Some(scheduler) = world.running(host) {
        world.spawn(host, work(scheduler));
    }
}

fn sends(world: &Arc<World>, person: &Arc<Person>, object: &Calendar) {
    let (person_, object, world_) = (person.clone(), object.clone(), world.clone());
    with_host(world, person, |scheduler| async move {
        let calendar = scheduler.environment().calendar(&person_);
        let told = scheduler.send_object(&calendar, &object, &Unbounded).await;
        world_.log(|| format!("{} has sent an object: {told:?}", person_.address()));
    });
}

/// A program that sends by itself what it has not stored: the host puts it into the store.
fn submits_request(world: &Arc<World>, person: &Arc<Person>, uid: &str, object: &Calendar) {
    let mut stored = person.objects().into_iter();
    let etag = stored.find(|(it, ..)| it == uid).map(|(_, etag, _)| etag);
    // Who stores an edit and does not wait until it is told, does not send the next by itself.
    let is_told = etag.is_none_or(|etag| check::ledger(world, person, uid, Some(&etag)).is_none());
    if !is_told {
        return writes(world, person, uid, object);
    }
    let mut object = object.clone();
    let now = world.time_at(person.traits.host);
    for event in object
        .root_mut()
        .components
        .iter_mut()
        .filter(|it| it.is("VEVENT"))
    {
        let stamp = now.strftime("%Y%m%dT%H%M%SZ").to_string();
        event.set(Property::new("DTSTAMP", stamp));
    }
    for guest in object.main_components().flat_map(guests) {
        world
            .witness
            .lock()
            .unwrap()
            .is_sent_by_hand(uid, person.address(), &guest);
    }
    submits(world, person, "REQUEST", &object);
}

fn submits(world: &Arc<World>, person: &Arc<Person>, method: &str, object: &Calendar) {
    let mut message = object.clone();
    message.root_mut().set(Property::new("METHOD", method));
    let data = message.write();
    let Ok(message) = Message::read(message) else {
        return; // nothing that anybody would hand in
    };
    let (person_, world_) = (person.clone(), world.clone());
    with_host(world, person, |scheduler| async move {
        let originator = &person_.user.address;
        let submission = Submission {
            message: &message,
            data: &data,
            originator,
            recipients: &addressees(&message, originator),
            transport: TransportFacts::default(),
        };
        let told = scheduler.dispatch(&submission, &Unbounded).await;
        let codes: Vec<String> = told.iter().map(|it| it.status.to_string()).collect();
        world_.log(|| {
            format!(
                "{} has handed in {}: {codes:?}",
                person_.address(),
                message.method()
            )
        });
    });
}

fn responds(world: &Arc<World>, uid: &str, who: usize, response: Response, by: By) {
    let person = &world.people[who];
    let Some(before) = person.object(uid).map(|data| parse(&data)) else {
        return;
    };
    if check::organizes(&before, person.address()) {
        return;
    }
    let now = world.time_at(person.traits.host);
    if response == Response::Refresh {
        return refreshes(world, person, &before);
    }
    let program = person.traits.program;
    match response {
        Response::Counter(minutes) => return proposes(world, person, &before, minutes),
        Response::Delegate(to) => return delegates(world, person, &before, (to, None), by),
        Response::DelegateInstance(number, to) => {
            return delegates(world, person, &before, (to, Some(number)), by);
        }
        _ => {}
    }
    let after = programs::respond(&before, response, person.address(), program, now);
    let Some(after) = after else {
        return;
    };
    let said = match response {
        Response::Answer(answer) | Response::AnswerInstance(_, answer) => Some(answer),
        Response::Exclude(_) => Some(Answer::Declined),
        _ => None,
    };
    if let Some(answer) = said {
        let mut witness = world.witness.lock().unwrap();
        witness.answers(uid, person.address(), programs::word(answer));
    }
    match (by, response) {
        (By::Message, Response::Answer(answer)) => replies(world, person, uid, answer),
        (By::Program | By::Message, _) => writes(world, person, uid, &after),
        (By::Command, _) => sends(world, person, &after),
    }
}

fn replies(world: &Arc<World>, person: &Arc<Person>, uid: &str, answer: Answer) {
    if let Some(object) = person.object(uid).map(|data| parse(&data)) {
        let organizer = object
            .main_components()
            .find_map(|it| it.value("ORGANIZER"));
        let organizer = organizer.map(bare).unwrap_or_default();
        let mut witness = world.witness.lock().unwrap();
        witness.is_sent_by_hand(uid, person.address(), &organizer);
    }
    let answer = PartStat::parse(programs::word(answer));
    let uid = Uid::new(uid).expect("it is short");
    says(world, person, uid, Said::Reply(answer.into()));
}

/// Somebody sends somebody else, to one instance or to all.
fn delegates(
    world: &Arc<World>,
    person: &Arc<Person>,
    before: &Calendar,
    (to, instance): (usize, Option<u32>),
    by: By,
) {
    let (who, to) = (person.address(), &world.people[to]);
    let Some(uid) = before.uid() else { return };
    let organizer = before
        .main_components()
        .find_map(|it| it.value("ORGANIZER"));
    if to.address() == who || organizer.map(bare).as_deref() == Some(to.address()) {
        return; // nobody does
    }
    let id = instance.map(|number| programs::original(&mut before.clone(), number));
    let id = match id {
        Some(None) => return, // there is no such instance
        Some(Some(id)) => Some(id),
        None => None,
    };
    {
        let mut witness = world.witness.lock().unwrap();
        witness.delegates(uid.as_str(), who, to.address());
    }
    if by == By::Program {
        let now = world.time_at(person.traits.host);
        let program = person.traits.program;
        let after = match instance {
            None => programs::delegate(before, who, to.address(), program, now),
            Some(number) => {
                programs::delegate_instance(before, number, [who, to.address()], program, now)
            }
        };
        if let Some(after) = after {
            writes(world, person, uid.as_str(), &after);
        }
        return;
    }
    let mut reply = Reply::delegate_to(to.user.address.clone());
    if let Some(id) = id {
        reply = reply.to_instance(When::of(&id).expect("it is a time"));
    }
    says(world, person, uid, Said::Reply(reply));
}

/// Somebody proposes another time.
fn proposes(world: &Arc<World>, person: &Arc<Person>, before: &Calendar, minutes: i64) {
    let organizer = before
        .main_components()
        .find_map(|it| it.value("ORGANIZER"));
    let (Some(uid), Some((at, start)), Some(organizer)) = (
        before.uid(),
        programs::later(before, minutes),
        organizer.map(bare),
    ) else {
        return;
    };
    {
        let mut witness = world.witness.lock().unwrap();
        witness.proposes(uid.as_str(), at);
        witness.is_sent_by_hand(uid.as_str(), person.address(), &organizer);
    }
    let proposal = Proposal {
        start: When::of(&start).expect("it is a time"),
        end: None,
        instance: None,
        comment: None,
    };
    says(world, person, uid, Said::Counter(proposal));
}

/// Somebody responds by command.
fn says(world: &Arc<World>, person: &Arc<Person>, uid: Uid, said: Said) {
    let person_ = person.clone();
    with_host(world, person, |scheduler| async move {
        let calendar = scheduler.environment().calendar(&person_);
        let messages = scheduler.compose_response(&calendar, &uid, &said).await;
        for message in messages.unwrap_or_default() {
            scheduler.send_message(&message).await;
        }
    });
}

fn refreshes(world: &Arc<World>, person: &Arc<Person>, object: &Calendar) {
    let Some(master) = object.main_components().find(|it| it.is("VEVENT")) else {
        return;
    };
    let mut asked = Component::new("VEVENT");
    for name in ["UID", "ORGANIZER"] {
        asked.properties.extend(master.get(name).cloned());
    }
    {
        let organizer = master.value("ORGANIZER").map(bare).unwrap_or_default();
        let uid = master.value("UID").unwrap_or_default();
        let mut witness = world.witness.lock().unwrap();
        witness.is_sent_by_hand(uid, person.address(), &organizer);
    }
    let now = world.time_at(person.traits.host);
    let stamp = now.strftime("%Y%m%dT%H%M%SZ").to_string();
    asked.push(Property::new("DTSTAMP", stamp));
    asked.push(Property::new(
        "ATTENDEE",
        format!("mailto:{}", person.address()),
    ));
    let mut question = Calendar::new();
    question.root_mut().push(Property::new("VERSION", "2.0"));
    question.root_mut().components.push(asked);
    submits(world, person, "REFRESH", &question);
}

fn deletes(world: &World, uid: &str, person: &Person) {
    let Some(before) = person.object(uid).map(|data| parse(&data)) else {
        return;
    };
    let mut witness = world.witness.lock().unwrap();
    if check::organizes(&before, person.address()) {
        for guest in before.main_components().flat_map(guests) {
            witness.calls_off(uid, &guest);
        }
    } else {
        witness.answers(uid, person.address(), "DECLINED");
    }
    drop(witness);
    world.log(|| format!("{} deletes {uid}", person.address()));
    person.write(uid, None);
}
