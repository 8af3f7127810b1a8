//! What waits, and when it goes.

use super::{
    entry::{Entry, EntryId, Place, Tried, Waiting},
    queue::{After, Fate, Queue},
};
use crate::outcome::{HandedOver, Via};
use convoke_calendar::{itip::Outgoing, message::Message, tree};
use convoke_types::{CalendarAddress, RequestStatus};
use jiff::{SignedDuration, Timestamp};

const DOWN: RequestStatus = RequestStatus::SERVICE_UNAVAILABLE;

pub(super) fn at(minutes: i64) -> Timestamp {
    let begin: Timestamp = "2026-12-01T08:00:00Z".parse().unwrap();
    begin + SignedDuration::from_mins(minutes)
}

/// By a receiver, without mail.
fn tried_at(now: Timestamp) -> After {
    After {
        now,
        via: Some(Via::Ischedule),
        handed_over: HandedOver::Perhaps,
        mail_until: None,
    }
}

/// The entries of a message of Anna's about a UID, handed in after so many minutes.
pub(super) fn message(
    method: &str,
    uid: &str,
    more: &str,
    to: &[&str],
    minutes: i64,
) -> Vec<Entry> {
    message_after(&mut Place::default(), (method, uid, more), to, minutes)
}

/// The same, handed in after what has this place.
fn message_after(
    place: &mut Place,
    (method, uid, more): (&str, &str, &str),
    to: &[&str],
    minutes: i64,
) -> Vec<Entry> {
    let text = format!(
        "BEGIN:VCALENDAR\nVERSION:2.0\nMETHOD:{method}\nBEGIN:VEVENT\nUID:{uid}\nDTSTAMP:20261201T080000Z\n\
         SEQUENCE:{}\nDTSTART:20270104T100000Z\nORGANIZER:mailto:anna@example.org\n{more}{}END:VEVENT\nEND:VCALENDAR\n",
        minutes + 1,
        to.iter().fold(String::new(), |lines, it| lines
            + "ATTENDEE:mailto:"
            + it
            + "\n"),
    );
    let calendar = tree::Calendar::parse(text.as_bytes(), &tree::Limits::default()).unwrap();
    let outgoing = Outgoing {
        message: Message::read(calendar).unwrap(),
        originator: CalendarAddress::new("anna@example.org").unwrap(),
        recipients: to
            .iter()
            .map(|it| CalendarAddress::new(it).unwrap())
            .collect(),
    };
    let places = || {
        *place = place.next(at(minutes));
        *place
    };
    Waiting::new(
        &outgoing,
        text.into_bytes(),
        at(minutes),
        at(3 * 24 * 60),
        places,
    )
    .entries
}

fn queue(entries: impl IntoIterator<Item = Entry>) -> Queue {
    let mut queue = Queue::default();
    entries.into_iter().for_each(|entry| queue.add(entry));
    queue
}

/// To whom, in the order of their names.
fn to(entries: &[Entry]) -> Vec<String> {
    let names = entries.iter().map(|it| it.recipient.human().to_string());
    let mut names: Vec<String> = names.collect();
    names.sort_unstable();
    names
}

#[test]
fn recipients_of_one_message_go_together_and_once() {
    let entries = message("REQUEST", "1", "", &["bo@example.com", "cy@example.net"], 0);
    let mut queue = queue(entries.clone());
    let taken = queue.take(at(0), 256);
    assert_eq!(to(&taken), ["bo@example.com", "cy@example.net"]);
    assert!(queue.take(at(0), 256).is_empty(), "they are on their way");
    for entry in &taken {
        let fate = queue.finish(
            &entry.id,
            &Tried::Final(RequestStatus::SUCCESS),
            tried_at(at(0)),
        );
        assert_eq!(fate, Some(Fate::Ended(RequestStatus::SUCCESS)));
    }
    assert_eq!(queue.len(), 0);
    assert_eq!(queue.wakes_at(), None);
}

/// A receiver that is down is asked by one probe, and when it answers, all that waited for it goes.
#[test]
fn one_asks_for_all_whether_a_receiver_is_back() {
    let entries: Vec<Entry> = (0..100)
        .flat_map(|uid| message("REQUEST", &uid.to_string(), "", &["bo@example.com"], 0))
        .chain(message("REQUEST", "other", "", &["eve@example.net"], 0))
        .collect();
    let mut queue = queue(entries);
    let first = queue.take(at(0), 1);
    queue.finish(&first[0].id, &Tried::Down(DOWN, None), tried_at(at(0)));
    let second = queue.take(at(0), 1);
    let mut others = to(&second);
    others.extend(to(&queue.take(at(0), 1)));
    assert_eq!(
        others,
        ["eve@example.net"],
        "nobody else asks at {second:?}"
    );
    assert!(queue.wakes_at().unwrap() <= at(2));

    let probe = queue.take(at(2), 256);
    assert_eq!(probe.len(), 1);
    assert!(queue.take(at(2), 256).is_empty(), "one probe is enough");
    queue.finish(&probe[0].id, &Tried::Down(DOWN, None), tried_at(at(2)));
    assert!(queue.take(at(3), 256).is_empty());
    let probe = queue.take(at(8), 256);
    queue.finish(
        &probe[0].id,
        &Tried::Final(RequestStatus::SUCCESS),
        tried_at(at(8)),
    );
    let mut went = 0;
    loop {
        let taken = queue.take(at(8), 256);
        if taken.is_empty() {
            break;
        }
        went += taken.len();
        for entry in taken {
            queue.finish(
                &entry.id,
                &Tried::Final(RequestStatus::SUCCESS),
                tried_at(at(8)),
            );
        }
    }
    assert_eq!(went, 99);
}

/// A mail server that hangs on one guest, again and again, takes the mails to all others.
#[test]
fn one_that_always_fails_keeps_back_none_of_the_others() {
    let entries: Vec<Entry> = (0..3)
        .flat_map(|uid| message("REQUEST", &uid.to_string(), "", &["bo@example.com"], 0))
        .collect();
    let bad = entries[0].id.clone();
    let mut queue = queue(entries);
    let (mut minute, mut went) = (0, 0);
    while went < 2 {
        assert!(minute < 60, "{went} went");
        for entry in queue.take(at(minute), 1) {
            let tried = if entry.id == bad {
                Tried::Down(DOWN, None)
            } else {
                went += 1;
                Tried::Final(RequestStatus::SUCCESS)
            };
            queue.finish(&entry.id, &tried, tried_at(at(minute)));
        }
        minute += 1;
    }
    assert_eq!(queue.len(), 1);
}

#[test]
fn what_is_about_one_object_goes_in_order() {
    let first = message(
        "REQUEST",
        "1",
        "RECURRENCE-ID:20270104T100000Z\n",
        &["bo@example.com"],
        0,
    );
    let second = message(
        "REQUEST",
        "1",
        "RECURRENCE-ID:20270105T100000Z\n",
        &["bo@example.com"],
        1,
    );
    let mut queue = queue(first.into_iter().chain(second));
    let taken = queue.take(at(1), 256);
    assert_eq!(taken.len(), 1);
    assert!(queue.take(at(1), 256).is_empty());
    queue.finish(&taken[0].id, &Tried::Later(DOWN, None), tried_at(at(1)));
    assert!(queue.take(at(1), 256).is_empty());
    let again = queue.take(at(3), 256);
    assert_eq!(again[0].id, taken[0].id);
    queue.finish(
        &again[0].id,
        &Tried::Final(RequestStatus::SUCCESS),
        tried_at(at(3)),
    );
    assert_eq!(queue.take(at(3), 256).len(), 1);
}

#[test]
fn something_newer_says_it_all() {
    let to = ["bo@example.com"];
    let instance = "RECURRENCE-ID:20270104T100000Z\n";
    for (earlier, later, replaces) in [
        (("REQUEST", ""), ("REQUEST", ""), true),
        (("REQUEST", ""), ("CANCEL", ""), true),
        (("REQUEST", instance), ("CANCEL", ""), true),
        (("REQUEST", instance), ("REQUEST", instance), true),
        (("REQUEST", ""), ("REQUEST", instance), false),
        (("REQUEST", ""), ("CANCEL", instance), false),
        (("ADD", ""), ("REQUEST", ""), true),
        (("REQUEST", ""), ("ADD", ""), false),
    ] {
        let first = message(earlier.0, "1", earlier.1, &to, 0);
        let second = message(later.0, "1", later.1, &to, 1);
        let queue = queue(first.clone());
        let gone = queue.replaced_by(&second[0]);
        assert_eq!(!gone.is_empty(), replaces, "{earlier:?} {later:?}");
    }
    // What is on its way is not taken back, but not tried again either.
    let first = message("REQUEST", "1", "", &to, 0);
    let mut queue = queue(first.clone());
    queue.take(at(0), 1);
    let second = message("REQUEST", "1", "", &to, 1);
    assert!(queue.replaced_by(&second[0]).is_empty());
    queue.supersede(&first[0].id);
    queue.add(second[0].clone());
    let fate = queue.finish(&first[0].id, &Tried::Later(DOWN, None), tried_at(at(1)));
    assert_eq!(fate, Some(Fate::Replaced(Vec::new())));
    assert!(
        queue.take(at(1), 1).is_empty(),
        "its receiver has just failed"
    );
    assert_eq!(queue.take(at(3), 1)[0].id, second[0].id);
}

/// What fails on its way is not tried again if something newer says all of it, whose turn it is then.
#[test]
fn what_fails_on_its_way_leaves_its_place_to_what_is_newer() {
    let to = ["bo@example.com"];
    let none = HandedOver::No;
    let tries = [
        Tried::Final(RequestStatus::NO_SCHEDULING_SUPPORT),
        Tried::Later(DOWN, None),
        Tried::Down(DOWN, None),
    ];
    for (tried, handed_over, newer, goes) in [
        (&tries[0], HandedOver::Perhaps, "REQUEST", true),
        (&tries[1], none, "REQUEST", true),
        (&tries[2], HandedOver::Perhaps, "CANCEL", true),
        (&tries[0], none, "CANCEL", false),
        (&tries[1], none, "CANCEL", false),
        (&tries[2], none, "CANCEL", false),
    ] {
        let first = message("REQUEST", "1", "", &to, 0);
        let second = message(newer, "1", "", &to, 1);
        let mut queue = queue(first.clone());
        queue.take(at(0), 1);
        queue.add(second[0].clone());
        let after = After {
            handed_over,
            ..tried_at(at(1))
        };
        let fate = queue.finish(&first[0].id, tried, after);
        let Some(Fate::Replaced(with_it)) = fate else {
            panic!("{tried:?} {newer}: {fate:?}");
        };
        assert_eq!(with_it.is_empty(), goes, "{tried:?} {newer}");
        let taken = queue.take(at(60), 256);
        let ids: Vec<_> = taken.iter().map(|it| &it.id).collect();
        let expected: Vec<_> = second.iter().filter(|_| goes).map(|it| &it.id).collect();
        assert_eq!(ids, expected, "{tried:?} {newer}");
        let left = handed_over != none;
        assert!(taken.iter().all(|it| it.never_left() != left));
    }
}

/// A CANCEL goes although what is before it never left, if the guest knows of the meeting from before, or hears of the rest of it.
#[test]
fn what_is_known_from_before_is_called_off() {
    let to = ["bo@example.com"];
    let update = message("REQUEST", "1", "", &to, 0);
    let one = "RECURRENCE-ID:20270104T100000Z\n";
    let instance = message("REQUEST", "1", one, &to, 1);
    let mut cancel = message("CANCEL", "1", "", &to, 2);
    let part = message("CANCEL", "1", one, &to, 3);
    let fails = |queue: &mut Queue| {
        let taken = queue.take(at(0), 1);
        let after = After {
            handed_over: HandedOver::No,
            ..tried_at(at(1))
        };
        queue.finish(&taken[0].id, &Tried::Later(DOWN, None), after)
    };
    // There is more before the CANCEL.
    let mut both = queue(update.iter().chain(&instance).cloned());
    both.add(cancel[0].clone());
    assert_eq!(fails(&mut both), Some(Fate::Replaced(Vec::new())));
    // It does not call off all of it.
    let mut whole = queue(update.iter().chain(&part).cloned());
    assert!(matches!(fails(&mut whole), Some(Fate::Waits(_))));
    // It was told of the meeting before.
    cancel[0].may_have_left = true;
    let mut known = queue(update.iter().chain(&cancel).cloned());
    assert_eq!(fails(&mut known), Some(Fate::Replaced(Vec::new())));
    assert_eq!(known.take(at(60), 1)[0].id, cancel[0].id);
}

/// Who is about to replace something does not find that it has gone meanwhile; if it comes to nothing, it goes on as it was.
#[test]
fn what_is_about_to_be_replaced_does_not_go() {
    let entries: Vec<Entry> = ["1", "2"]
        .iter()
        .flat_map(|uid| message("REQUEST", uid, "", &["bo@example.com"], 0))
        .collect();
    let ids: Vec<&EntryId> = entries.iter().map(|it| &it.id).collect();
    let mut queue = queue(entries.clone());
    queue.reserve(ids[0]);
    queue.reserve(ids[0]);
    assert!(queue.take_these(&[ids[0].clone()]).is_empty());
    queue.unreserve(ids[0]);
    let taken = queue.take(at(0), 256);
    assert_eq!(taken.iter().map(|it| &it.id).collect::<Vec<_>>(), [ids[1]]);
    queue.unreserve(ids[0]);
    // The receiver fails, and the one is reserved that tries for both.
    queue.finish(ids[1], &Tried::Down(DOWN, None), tried_at(at(0)));
    assert!(queue.take(at(0), 256).is_empty());
    assert!(queue.wakes_at() <= Some(at(2)));
    queue.take(at(2), 0);
    queue.reserve(ids[0]);
    queue.take(at(2), 0);
    queue.unreserve(ids[0]);
    let probe = queue.take(at(2), 256);
    assert_eq!(probe.len(), 1, "another one tries");
    queue.finish(
        &probe[0].id,
        &Tried::Final(RequestStatus::SUCCESS),
        tried_at(at(2)),
    );
    queue.reserve(ids[0]);
    assert_eq!(queue.wakes_at(), None);
    queue.supersede(ids[0]);
    queue.unreserve(ids[0]);
    assert_eq!(queue.len(), 0);
}

#[test]
fn it_ends_when_its_time_is_up() {
    let mut entries = message("REQUEST", "1", "", &["bo@example.com"], 0);
    entries[0].until = at(7);
    let mut queue = queue(entries);
    let mut now = at(0);
    let mut tries = 0;
    loop {
        let taken = queue.take(now, 1);
        tries += 1;
        match queue.finish(&taken[0].id, &Tried::Later(DOWN, None), tried_at(now)) {
            Some(Fate::Ended(status)) => break assert_eq!(status, DOWN),
            Some(Fate::Waits(entry)) => now = entry.next,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(tries, 3);
    assert_eq!(queue.len(), 0);
}

#[test]
fn what_is_given_back_or_hurried_goes_at_once() {
    let entries = message("REQUEST", "1", "", &["bo@example.com"], 0);
    let mut queue = queue(entries.clone());
    let id = &entries[0].id;
    queue.take(at(0), 1);
    queue.give_back(id);
    assert_eq!(queue.take(at(0), 1).len(), 1);
    queue.finish(id, &Tried::Down(DOWN, None), tried_at(at(0)));
    assert!(queue.take(at(0), 1).is_empty());
    assert_eq!(queue.hurry(at(0), |_| true), 1);
    assert_eq!(queue.take(at(0), 1).len(), 1);
    queue.finish(id, &Tried::Final(RequestStatus::SUCCESS), tried_at(at(0)));
    assert_eq!(queue.hurry(at(0), |_| true), 0);
}

/// A receiver has so much at once and no more; others do not wait for it, and nobody looks again before something has changed.
#[test]
fn a_receiver_that_is_busy_holds_up_nobody_else() {
    let busy = (0..100).flat_map(|uid| {
        let uid = uid.to_string();
        message(
            "REQUEST",
            &uid,
            "",
            &["bo@example.com"],
            uid.parse().unwrap(),
        )
    });
    let other = message("REQUEST", "other", "", &["cy@example.net"], 100);
    let mut queue = queue(busy.chain(other));
    let mut under_way = Vec::new();
    while let [entry] = queue.take(at(200), 256).as_slice() {
        under_way.push(entry.clone());
    }
    let (others, of_busy): (Vec<Entry>, Vec<Entry>) = under_way
        .into_iter()
        .partition(|it| it.uid.as_str() == "other");
    assert_eq!((others.len(), of_busy.len()), (1, 32));
    assert_eq!(queue.wakes_at(), None);
    for (done, entry) in of_busy.iter().enumerate() {
        let success = Tried::Final(RequestStatus::SUCCESS);
        queue.finish(&entry.id, &success, tried_at(at(200)));
        assert!(queue.wakes_at().is_some(), "{done}");
        // One came back, one goes: in their order.
        let next = queue.take(at(200), 256);
        assert_eq!(next[0].uid.as_str(), (32 + done).to_string());
        assert!(queue.take(at(200), 256).is_empty());
    }
}

/// An answer to the whole does not say how one instance was answered before.
#[test]
fn an_answer_replaces_only_answers_about_the_same() {
    let one = "RECURRENCE-ID:20270105T100000Z\n";
    let [one, all, again] = [(one, 0), ("", 1), (one, 2)].map(|(more, minutes)| {
        message("REPLY", "1", more, &["anna@example.com"], minutes).remove(0)
    });
    assert!(!all.replaces(&one) && !again.replaces(&all));
    assert!(again.replaces(&one));
    let both = Entry {
        instances: format!(",{}", one.instances),
        ..again
    };
    assert!(both.replaces(&one) && both.replaces(&all));
}

/// Octets that are handed in twice lie there twice: the one that is done takes only its own with it.
#[test]
fn the_same_octets_are_another_message_each_time() {
    let mut place = Place::default();
    let mut entries = |to: &[&str]| message_after(&mut place, ("REQUEST", "1", ""), to, 0);
    let first = entries(&["bo@example.com", "cy@example.com"]);
    let second = entries(&["bo@example.com", "cy@example.com"]);
    assert_eq!(first[0].message, first[1].message);
    assert_ne!(first[0].message, second[0].message);
}
