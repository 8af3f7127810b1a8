//! Two people and their calendar programs, for as long as it takes: whatever they do, and however late or often messages
//! come, their copies of the meeting agree in the end.
//!
//! Messages of one sender come in their order, as whoever delivers them sees to; they may come late and twice.

use super::{ALICE, BOB, address, calendar};
use crate::itip::{Change, Outgoing, Owner, PartStat, Receiving, forget, observe, recall, receive};
use crate::message::{Message, Method, Provenance};
use crate::recurrence::instances;
use crate::tree::{Calendar, Component, Limits, Property};
use convoke_types::{CalendarAddress, TimeRange};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use proptest::prelude::*;
use std::collections::{BTreeMap, VecDeque};

const MEETING: &str = "
    BEGIN:VEVENT
    UID:1
    DTSTAMP:20261201T100000Z
    DTSTART:20270104T100000Z
    DTEND:20270104T110000Z
    RRULE:FREQ=WEEKLY;COUNT=5
    SUMMARY:Plan
    ORGANIZER:mailto:a@example.com
    ATTENDEE:mailto:b@example.com
    ATTENDEE:mailto:c@example.com
    END:VEVENT";

/// One who takes part, with what is stored and what is remembered of it.
struct Person {
    addresses: [CalendarAddress; 1],
    stored: Option<Calendar>,
    remembered: Option<Calendar>,
    /// What is on its way to it.
    mail: VecDeque<(Message, CalendarAddress)>,
}

impl Person {
    fn new(who: &str) -> Self {
        Self {
            addresses: [address(who)],
            stored: None,
            remembered: None,
            mail: VecDeque::new(),
        }
    }

    fn owner(&self) -> Owner<'_> {
        Owner {
            addresses: &self.addresses,
            name: None,
            timezone: TimeZone::UTC,
        }
    }

    /// Looks at what is stored, and hands over what it has to say to the other.
    fn look(&mut self, now: Timestamp, other: &mut VecDeque<(Message, CalendarAddress)>, to: &str) {
        let seen = observe(
            self.remembered.as_ref(),
            self.stored.as_ref(),
            &self.owner(),
            now,
        );
        let seen = seen.unwrap_or_else(|error| panic!("{error}"));
        self.remembered = seen.remembered;
        self.stored = seen.rewritten.or(self.stored.take());
        for outgoing in seen.outgoing {
            if outgoing.recipients.contains(&address(to)) {
                other.push_back((outgoing.message, outgoing.originator));
            }
        }
    }

    /// What a message does to what is remembered and to what is stored. What its program has done meanwhile is for the next
    /// look.
    fn take(&mut self, message: &Message, from: &CalendarAddress, now: Timestamp) -> Vec<Outgoing> {
        let owner = self.owner();
        let at = Receiving {
            owner: &owner,
            originator: from,
            from: Provenance::Peer { proven: &[] },
            now,
            accept_uninvited: false,
        };
        let change = |existing: Option<&Calendar>| match receive(message, existing, &at).change {
            Change::Store(next) => Some(next),
            Change::None => None,
            Change::Remove => panic!("nothing is removed by a message"),
        };
        let outgoing = receive(message, self.remembered.as_ref(), &at).outgoing;
        let remembered = change(self.remembered.as_ref());
        let stored = match (&self.stored, &self.remembered) {
            (Some(stored), Some(known)) => change(Some(&recall(stored, known))),
            (Some(stored), None) => change(Some(stored)),
            // Removed: it comes back only by an invitation.
            (None, Some(known))
                if is_gone(known, &owner) && message.method() == Method::Request =>
            {
                remembered.clone()
            }
            (None, Some(_)) => None,
            (None, None) => remembered.clone(),
        };
        if let Some(stored) = stored {
            self.stored = Some(forget(stored));
        }
        if remembered.is_some() {
            self.remembered = remembered;
        }
        outgoing
    }
}

/// Whether somebody has removed it, and others know.
fn is_gone(known: &Calendar, owner: &Owner) -> bool {
    known.main_components().all(|it| {
        let declined = owner.partstat(it) == Some(PartStat::Declined);
        declined || it.value("STATUS") == Some("CANCELLED")
    })
}

fn text(object: Option<&Calendar>) -> String {
    object.map_or_else(String::new, |it| String::from_utf8(it.write()).unwrap())
}

/// The k-th of its instances by its name.
fn id(start: &str, k: i64) -> String {
    let start: Timestamp = crate::stamp::utc(start).unwrap();
    let at = start + SignedDuration::from_hours(24 * 7 * k);
    at.strftime("%Y%m%dT%H%M%SZ").to_string()
}

fn later(value: &str, minutes: i64) -> String {
    let at = crate::stamp::utc(value).unwrap() + SignedDuration::from_mins(minutes);
    at.strftime("%Y%m%dT%H%M%SZ").to_string()
}

fn master(object: &mut Calendar) -> Option<&mut Component> {
    let mut components = object.root_mut().components.iter_mut();
    components.find(|it| it.get("RECURRENCE-ID").is_none())
}

/// The k-th instance, written out if it is not yet; `None` if there is none.
fn instance(object: &mut Calendar, k: i64) -> Option<&mut Component> {
    let series = master(object)?.clone();
    let id = id(series.value("DTSTART")?, k);
    let is_it = |it: &Component| it.value("RECURRENCE-ID") == Some(&id);
    if series.all("EXDATE").any(|date| date.value == id) {
        return None;
    }
    if !object.root().components.iter().any(is_it) {
        let mut one = series.clone();
        for name in ["RRULE", "RDATE", "EXDATE"] {
            one.remove(name);
        }
        one.set(Property::new("DTSTART", id.clone()));
        one.set(Property::new("DTEND", later(&id, 60)));
        one.push(Property::new("RECURRENCE-ID", id.clone()));
        object.root_mut().components.push(one);
    }
    object.root_mut().components.iter_mut().find(|it| is_it(it))
}

fn forget_instance(object: &mut Calendar, k: i64) -> Option<String> {
    let id = id(master(object)?.value("DTSTART")?, k);
    let components = &mut object.root_mut().components;
    components.retain(|it| it.value("RECURRENCE-ID") != Some(&id));
    Some(id)
}

fn each(object: &mut Calendar, mut change: impl FnMut(&mut Component)) {
    object
        .root_mut()
        .components
        .iter_mut()
        .for_each(&mut change);
}

fn leave_out(object: &mut Calendar, k: i64) {
    let Some(id) = forget_instance(object, k) else {
        return;
    };
    let Some(series) = master(object) else { return };
    if !series.all("EXDATE").any(|date| date.value == id) {
        series.push(Property::new("EXDATE", id));
    }
}

/// What khal does at each save.
fn save(object: &mut Calendar, now: Timestamp) {
    each(object, |it| {
        let was = it
            .value("SEQUENCE")
            .and_then(|it| it.parse::<u64>().ok())
            .unwrap_or(0);
        it.set(Property::new("SEQUENCE", (was + 1).to_string()));
        it.set(Property::new(
            "DTSTAMP",
            now.strftime("%Y%m%dT%H%M%SZ").to_string(),
        ));
    });
}

const LINE: &str = "mailto:b@example.com";

fn invite(component: &mut Component, is_invited: bool) {
    let there = component.all("ATTENDEE").any(|line| line.value == LINE);
    if is_invited && !there {
        component.push(Property::new("ATTENDEE", LINE));
    } else if !is_invited {
        component.properties.retain(|line| line.value != LINE);
    }
}

fn answer(component: &mut Component, partstat: &str) {
    let lines = component.properties.iter_mut();
    for line in lines.filter(|line| line.value == LINE) {
        line.set_param("PARTSTAT", partstat);
        line.remove_param("RSVP");
    }
}

/// What Alice's program does.
fn organize(alice: &mut Person, what: u8, k: i64, now: Timestamp) {
    let Some(mut object) = alice.stored.take() else {
        // She thinks better of it.
        alice.stored = what.is_multiple_of(3).then(|| calendar(MEETING));
        return;
    };
    match what % 18 {
        0 => each(&mut object, |it| {
            it.set(Property::new("SUMMARY", now.to_string()));
        }),
        1 => {
            // At other times, nothing of what was said of single ones holds.
            object
                .root_mut()
                .components
                .retain(|it| it.get("RECURRENCE-ID").is_none());
            each(&mut object, |it| {
                it.remove("EXDATE");
                for name in ["DTSTART", "DTEND"] {
                    let moved = it.value(name).map(|value| later(value, 60 + k * 15));
                    it.set(Property::new(name, moved.unwrap_or_default()));
                }
            });
        }
        2 | 3 => {
            if let Some(one) = instance(&mut object, k) {
                let start = later(one.value("RECURRENCE-ID").unwrap(), 30);
                one.set(Property::new("DTEND", later(&start, 60)));
                one.set(Property::new("DTSTART", start));
            }
        }
        4 | 5 => leave_out(&mut object, k),
        6 => {
            if let Some(one) = instance(&mut object, k) {
                one.set(Property::new("STATUS", "CANCELLED"));
            }
        }
        7 => _ = forget_instance(&mut object, k),
        8 => {
            if let Some(series) = master(&mut object) {
                series.remove("EXDATE");
            }
        }
        9 | 10 => each(&mut object, |it| invite(it, what.is_multiple_of(2))),
        11 => {
            if let Some(one) = instance(&mut object, k) {
                invite(one, false);
            }
        }
        12 => {
            if let Some(one) = instance(&mut object, k) {
                invite(one, true);
            }
        }
        13 => save(&mut object, now),
        14 => each(&mut object, |it| _ = it.remove("SEQUENCE")),
        15 => each(&mut object, |it| _ = it.remove("ORGANIZER")),
        16 => each(&mut object, |it| {
            it.components.push(Component::new("VALARM"));
        }),
        _ => return,
    }
    alice.stored = Some(object);
}

/// What Bob's program does.
fn attend(bob: &mut Person, what: u8, k: i64, now: Timestamp) {
    const WORDS: [&str; 3] = ["ACCEPTED", "DECLINED", "TENTATIVE"];
    let Some(mut object) = bob.stored.take() else {
        return;
    };
    let word = WORDS[usize::from(what) % 3];
    match what % 12 {
        0..3 => each(&mut object, |it| answer(it, word)),
        3 | 4 => {
            if let Some(series) = master(&mut object) {
                answer(series, word);
            }
        }
        5..8 => {
            if let Some(one) = instance(&mut object, k) {
                answer(one, word);
            }
        }
        8 => {
            // What its organizer has called off is not there to be left out.
            let is_off = instance(&mut object.clone(), k)
                .is_none_or(|it| it.value("STATUS") == Some("CANCELLED"));
            if !is_off {
                leave_out(&mut object, k);
            }
        }
        9 => save(&mut object, now),
        10 => each(&mut object, |it| _ = it.remove("ORGANIZER")),
        _ if k == 0 => return, // removed
        _ => {}
    }
    bob.stored = Some(object);
}

/// The instances that Bob is invited to: when and what they are, and how he has answered.
fn view(
    object: Option<&Calendar>,
) -> BTreeMap<Timestamp, (Timestamp, Timestamp, String, PartStat)> {
    let bobs = [address(BOB)];
    let bob = Owner {
        addresses: &bobs,
        name: None,
        timezone: TimeZone::UTC,
    };
    let Some(object) = object else {
        return BTreeMap::new();
    };
    let year = TimeRange::new(
        "2027-01-01T00:00:00Z".parse().unwrap(),
        "2028-01-01T00:00:00Z".parse().unwrap(),
    );
    let found = instances(
        object,
        "VEVENT",
        &TimeZone::UTC,
        year.unwrap(),
        &Limits::default(),
    );
    let found = found.unwrap().into_iter().filter_map(|it| {
        let component = it.component;
        let is_off = component.value("STATUS") == Some("CANCELLED");
        let partstat = bob.partstat(component).filter(|_| !is_off)?;
        let title = component.value("SUMMARY").unwrap_or_default().to_owned();
        Some((it.id, (it.start, it.end, title, partstat)))
    });
    found.collect()
}

/// Plays a story to its end: in which each step is somebody's, and something.
fn play(steps: &[(u8, u8, i64)]) -> Result<(), TestCaseError> {
    let mut now: Timestamp = "2026-12-02T00:00:00Z".parse().unwrap();
    let (mut alice, mut bob) = (Person::new(ALICE), Person::new(BOB));
    alice.stored = Some(calendar(MEETING));
    let mut told = Vec::new();
    let rest = (0..24).flat_map(|_| [(2, 0, 0), (4, 0, 0), (3, 0, 0), (5, 0, 0)]);
    for (step, (who, what, k)) in steps.iter().copied().chain(rest).enumerate() {
        now += SignedDuration::from_secs(1);
        let (mut to_alice, mut to_bob) = (VecDeque::new(), VecDeque::new());
        match who % 6 {
            0 => organize(&mut alice, what, k, now),
            1 => attend(&mut bob, what, k, now),
            2 => alice.look(now, &mut to_bob, BOB),
            3 => bob.look(now, &mut to_alice, ALICE),
            way => {
                let person = if way == 4 { &mut bob } else { &mut alice };
                // One that comes again later is still there.
                let next = if what % 4 == 3 {
                    person.mail.front().cloned()
                } else {
                    person.mail.pop_front()
                };
                if let Some((message, from)) = next {
                    let sent = person.take(&message, &from, now).into_iter();
                    let sent = sent.map(|it| (it.message, it.originator));
                    if way == 4 {
                        to_alice.extend(sent);
                    } else {
                        to_bob.extend(sent);
                    }
                }
            }
        }
        for (message, _) in to_bob.iter().chain(&to_alice) {
            let at = (
                message.method(),
                message.sequence(),
                message.instance_names(),
            );
            told.push(format!("{step}: {at:?}"));
        }
        alice.mail.extend(to_alice);
        bob.mail.extend(to_bob);
    }
    prop_assert!(
        alice.mail.is_empty() && bob.mail.is_empty(),
        "it goes on and on: {told:#?}"
    );
    let (hers, his) = (view(alice.stored.as_ref()), view(bob.stored.as_ref()));
    let copies = || {
        let [a, b] = [alice.stored.as_ref(), bob.stored.as_ref()].map(text);
        let [ar, br] = [alice.remembered.as_ref(), bob.remembered.as_ref()].map(text);
        format!("{told:#?}\nAlice:\n{a}\nBob:\n{b}\nremembered by Alice:\n{ar}\nby Bob:\n{br}")
    };
    for (id, known) in &hers {
        if let Some(told) = his.get(id) {
            prop_assert_eq!(known, told, "{} of\n{}", id, copies());
        } else {
            // He has left it out, or removed all of it.
            prop_assert_eq!(known.3, PartStat::Declined, "{} of\n{}", id, copies());
        }
    }
    for id in his.keys() {
        prop_assert!(hers.contains_key(id), "{} is not Alice's\n{}", id, copies());
    }
    Ok(())
}

/// Stories that ended otherwise once, each step as who, what, and of which instance (see [`play`]).
#[test]
fn copies_agree_in_the_end() {
    let stories: [&[(u8, u8, i64)]; 11] = [
        // An instance with an alarm, of which nobody is told; the series is accepted.
        &[
            (2, 0, 0),
            (4, 0, 0),
            (0, 3, 0),
            (2, 0, 0),
            (1, 3, 0),
            (3, 0, 0),
        ],
        // An answer crosses an update that leaves instances out.
        &[
            (2, 0, 0),
            (4, 0, 0),
            (1, 12, 0),
            (0, 4, 0),
            (0, 28, 0),
            (2, 0, 0),
            (0, 2, 0),
            (0, 76, 1),
        ],
        // An answer to one instance crosses its move.
        &[
            (2, 0, 0),
            (4, 0, 0),
            (0, 254, 0),
            (1, 236, 0),
            (3, 0, 0),
            (0, 2, 0),
        ],
        // The invitation comes a second time, after an instance was left out.
        &[(2, 0, 0), (4, 107, 0), (1, 224, 0), (3, 0, 0)],
        // An answer crosses an update by which an instance goes on without its attendee.
        &[(2, 0, 0), (4, 0, 0), (1, 0, 0), (0, 191, 0), (0, 202, 1)],
        // All is accepted but one instance, which is left out; the organizer moves another one.
        &[
            (2, 0, 0),
            (4, 0, 0),
            (1, 12, 0),
            (1, 152, 2),
            (3, 0, 0),
            (5, 0, 0),
            (0, 2, 0),
        ],
        // An instance is called off by STATUS, and taken back by dropping its component.
        &[
            (2, 0, 0),
            (4, 0, 0),
            (0, 6, 1),
            (2, 0, 0),
            (4, 0, 0),
            (0, 7, 1),
        ],
        // An instance is moved, and the move taken back by dropping its component; then the series gets another title.
        &[
            (2, 0, 0),
            (4, 0, 0),
            (0, 2, 1),
            (2, 0, 0),
            (4, 0, 0),
            (0, 7, 1),
            (2, 0, 0),
            (4, 0, 0),
            (0, 0, 0),
        ],
        // Somebody is not invited to an instance, which is taken back by dropping its component.
        &[
            (2, 0, 0),
            (4, 0, 0),
            (0, 11, 0),
            (2, 0, 0),
            (4, 0, 0),
            (0, 7, 0),
        ],
        // An instance like all others is told, and dropped while the series alone is answered.
        &[(0, 12, 2), (2, 0, 0), (0, 7, 2), (4, 0, 0), (1, 3, 0)],
        // An instance of a series that was declined is left out, and the series accepted.
        &[
            (2, 0, 0),
            (4, 0, 0),
            (1, 1, 0),
            (3, 0, 0),
            (1, 8, 0),
            (1, 0, 0),
        ],
    ];
    for story in stories {
        play(story).unwrap_or_else(|error| panic!("{error}"));
    }
}
