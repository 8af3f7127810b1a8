//! One person on a list several times: by the main address and by an alias, or twice by one address.

use super::{ALICE, address, assert_same, calendar, now, owner};
use crate::freebusy;
use crate::itip::{
    Change, Outgoing, Owner, PartStat, Receiving, addressees, compose_reply, edit, note_delivery,
    receive, update_own_copy,
};
use crate::message::{Message, Method, Provenance};
use crate::tree::{Calendar, Limits};
use convoke_types::{CalendarAddress, RequestStatus, TimeRange};

const MAIN: &str = "mailto:b@example.com";
const ALIAS: &str = "mailto:bo.berg@example.com";

fn hers() -> Vec<CalendarAddress> {
    [MAIN, ALIAS, "urn:uuid:1f0c"].map(address).to_vec()
}

/// A meeting that invites by these lines.
fn meeting(lines: &str) -> String {
    format!(
        "BEGIN:VEVENT\nUID:1\nDTSTAMP:20261201T100000Z\nSEQUENCE:1\nDTSTART:20270104T100000Z\nDTEND:20270104T110000Z
         RRULE:FREQ=WEEKLY;COUNT=3\nSUMMARY:Plan\nORGANIZER:mailto:a@example.com\n{lines}\nEND:VEVENT"
    )
}

fn both() -> String {
    meeting(&format!("ATTENDEE:{MAIN}\nATTENDEE:{ALIAS}"))
}

fn arrives(method: &str, components: &str, existing: &Calendar) -> Calendar {
    let message = Message::read(calendar(&format!("METHOD:{method}\n{components}"))).unwrap();
    let (addresses, originator) = if message.method().is_from_organizer() {
        (hers(), address(ALICE))
    } else {
        (vec![address(ALICE)], message.attendees()[0].clone())
    };
    let at = Receiving {
        owner: &owner(&addresses),
        originator: &originator,
        from: Provenance::Peer { proven: &[] },
        now: now(),
        accept_uninvited: false,
    };
    match receive(&message, Some(existing), &at).change {
        Change::Store(stored) => stored,
        other => panic!("{other:?}"),
    }
}

fn uninvites(who: &str) -> String {
    format!(
        "BEGIN:VEVENT\nUID:1\nDTSTAMP:20261202T100000Z\nSEQUENCE:2\nORGANIZER:mailto:a@example.com
         ATTENDEE:{who}\nEND:VEVENT"
    )
}

#[test]
fn removing_one_address_of_an_attendee_keeps_the_other_invited() {
    for (gone, stays) in [(MAIN, ALIAS), (ALIAS, MAIN)] {
        let stored = arrives("CANCEL", &uninvites(gone), &calendar(&both()));
        let expected = meeting(&format!("ATTENDEE:{stays}")).replace("20261201T", "20261202T");
        assert_same(&stored, &calendar(&expected));
        // The organizer's next update, which counts from the meeting and not from that notice, is news.
        let update = expected
            .replace("20261202T", "20261203T")
            .replace("Plan", "Plan B");
        let stored = arrives("REQUEST", &update, &stored);
        assert_same(&stored, &calendar(&update));
        // As Exchange and Google say it.
        let notice = uninvites(gone).replace("SEQUENCE:2", "SEQUENCE:2\nSTATUS:CANCELLED");
        let stored_too = arrives("CANCEL", &notice, &calendar(&both()));
        assert_same(&stored_too, &calendar(&expected));
        // Without the other one she is out.
        let notice = uninvites(stays).replace("20261202T", "20261204T");
        let stored = arrives("CANCEL", &notice, &stored);
        let mut events = stored.main_components();
        assert_eq!(events.next().unwrap().value("STATUS"), Some("CANCELLED"));
    }
}

#[test]
fn an_instance_to_which_only_one_address_is_invited_goes_with_that() {
    let instance = "BEGIN:VEVENT\nUID:1\nDTSTAMP:20261201T100000Z\nSEQUENCE:1\nRECURRENCE-ID:20270111T100000Z
        DTSTART:20270111T120000Z\nORGANIZER:mailto:a@example.com\nATTENDEE:mailto:bo.berg@example.com\nEND:VEVENT";
    let existing = format!("{}\n{instance}", both());
    let stored = arrives("CANCEL", &uninvites(ALIAS), &calendar(&existing));
    let status: Vec<_> = stored
        .main_components()
        .map(|event| event.value("STATUS"))
        .collect();
    assert_eq!(status, [None, Some("CANCELLED")]);
}

#[test]
fn the_busiest_line_of_an_attendee_decides_its_busy_time() {
    let range = TimeRange::new(
        "2027-01-04T00:00:00Z".parse().unwrap(),
        "2027-01-05T00:00:00Z".parse().unwrap(),
    )
    .unwrap();
    for (main, alias, busy) in [
        ("DECLINED", "ACCEPTED", "BUSY"),
        ("ACCEPTED", "DECLINED", "BUSY"),
        ("TENTATIVE", "ACCEPTED", "BUSY"),
        ("NEEDS-ACTION", "TENTATIVE", "BUSY-TENTATIVE"),
        ("DECLINED", "TENTATIVE", "BUSY-TENTATIVE"),
        ("DELEGATED", "DECLINED", ""),
        ("DECLINED", "DECLINED", ""),
        ("DELEGATED", "ACCEPTED", "BUSY"),
    ] {
        let text = meeting(&format!(
            "ATTENDEE;PARTSTAT={main}:{MAIN}\nATTENDEE;PARTSTAT={alias}:{ALIAS}"
        ));
        let addresses = hers();
        let spans = freebusy::busy(
            &calendar(&text),
            Some(&owner(&addresses)),
            range,
            &Limits::default(),
        );
        let kinds: Vec<_> = spans.unwrap().iter().map(|it| it.kind.as_str()).collect();
        assert_eq!(kinds.join(" "), busy, "{main} and {alias}");
    }
}

/// (method, originator, ATTENDEE lines) of what goes out.
fn told(outgoing: &[Outgoing]) -> Vec<String> {
    let told = outgoing.iter().map(|it| {
        let components = it.message.calendar().main_components();
        let lines: Vec<String> = components
            .flat_map(|component| component.all("ATTENDEE"))
            .map(|line| format!("{} {}", line.param("PARTSTAT").unwrap_or("-"), line.value))
            .collect();
        format!(
            "{} by {}: {}",
            it.message.method(),
            it.originator,
            lines.join(", ")
        )
    });
    told.collect()
}

/// The own copy after all that was sent.
fn followed(outgoing: &[Outgoing], existing: &str, owner: &Owner) -> Calendar {
    let mut stored = calendar(existing);
    for it in outgoing {
        if let Change::Store(next) = update_own_copy(&it.message, Some(&stored), owner, now()) {
            stored = next;
        }
    }
    stored
}

#[test]
fn a_reply_is_sent_from_each_invited_address() {
    let addresses = hers();
    let owner = owner(&addresses);
    let outgoing = compose_reply(&calendar(&both()), &owner, PartStat::Accepted, now()).unwrap();
    assert_eq!(
        told(&outgoing),
        [
            format!("REPLY by {MAIN}: ACCEPTED {MAIN}"),
            format!("REPLY by {ALIAS}: ACCEPTED {ALIAS}")
        ]
    );
    let accepted = both().replace("ATTENDEE:", "ATTENDEE;PARTSTAT=ACCEPTED:");
    assert_same(&followed(&outgoing, &both(), &owner), &calendar(&accepted));
    // Who has handed it on at one address answers by the other.
    let delegated = both().replace(
        &format!("ATTENDEE:{MAIN}"),
        &format!("ATTENDEE;PARTSTAT=DELEGATED;DELEGATED-TO=\"{ALIAS}\":{MAIN}"),
    );
    let outgoing = compose_reply(&calendar(&delegated), &owner, PartStat::Accepted, now()).unwrap();
    assert_eq!(
        told(&outgoing),
        [format!("REPLY by {ALIAS}: ACCEPTED {ALIAS}")]
    );
    // By her mailbox, where the line names her by what only its own server knows.
    let elsewhere = meeting("ATTENDEE;EMAIL=b@example.com:urn:uuid:ffff");
    let outgoing = compose_reply(&calendar(&elsewhere), &owner, PartStat::Accepted, now()).unwrap();
    assert_eq!(
        told(&outgoing),
        [format!("REPLY by {MAIN}: ACCEPTED {MAIN}")]
    );
    // And by an alias that is not a mailbox.
    let principal = meeting("ATTENDEE:URN:UUID:1F0C");
    let outgoing = compose_reply(&calendar(&principal), &owner, PartStat::Declined, now()).unwrap();
    assert_eq!(outgoing[0].originator, address("urn:uuid:1f0c"));
}

#[test]
fn an_answer_marks_the_line_of_the_address_that_answers() {
    let answer = format!(
        "BEGIN:VEVENT\nUID:1\nDTSTAMP:20261203T100000Z\nSEQUENCE:1\nDTSTART:20270104T100000Z
         ORGANIZER:mailto:a@example.com\nATTENDEE;PARTSTAT=DECLINED:{ALIAS}\nEND:VEVENT"
    );
    let lines = |calendar: &Calendar| -> Vec<String> {
        let event = calendar.main_components().next().unwrap();
        let lines = event.all("ATTENDEE");
        lines
            .map(|line| format!("{} {}", line.param("PARTSTAT").unwrap_or("-"), line.value))
            .collect()
    };
    let expected = [format!("- {MAIN}"), format!("DECLINED {ALIAS}")];
    // In her own copy,
    let addresses = hers();
    let message = Message::read(calendar(&format!("METHOD:REPLY\n{answer}"))).unwrap();
    let Change::Store(own) = update_own_copy(
        &message,
        Some(&calendar(&both())),
        &owner(&addresses),
        now(),
    ) else {
        panic!("the copy follows")
    };
    assert_eq!(lines(&own), expected);
    // in the organizer's,
    let stored = arrives("REPLY", &answer, &calendar(&both()));
    assert_eq!(lines(&stored), expected);
    // and there as often as the address stands there.
    let twice = meeting(&format!(
        "ATTENDEE:{MAIN}\nATTENDEE:{ALIAS}\nATTENDEE;CN=Bo:mailto:BO.Berg@Example.com"
    ));
    let stored = arrives("REPLY", &answer, &calendar(&twice));
    assert_eq!(
        lines(&stored)[1..],
        [
            format!("DECLINED {ALIAS}"),
            "DECLINED mailto:BO.Berg@Example.com".to_owned()
        ]
    );
}

#[test]
fn an_update_leaves_each_answer_where_it_is() {
    let answered = meeting(&format!(
        "ATTENDEE;PARTSTAT=DECLINED:{MAIN}\nATTENDEE;PARTSTAT=ACCEPTED:{ALIAS}"
    ));
    let update = both()
        .replace("20261201T", "20261202T")
        .replace("Plan", "Plan B");
    let stored = arrives("REQUEST", &update, &calendar(&answered));
    let expected = answered
        .replace("20261201T", "20261202T")
        .replace("Plan", "Plan B");
    assert_same(&stored, &calendar(&expected));
    // Moved, both are asked anew.
    let moved = update.replace("T100000Z\nDTEND", "T103000Z\nDTEND");
    let stored = arrives("REQUEST", &moved, &calendar(&answered));
    assert_same(&stored, &calendar(&moved));
}

#[test]
fn an_edit_tells_of_the_lines_that_it_changed() {
    let addresses = hers();
    let owner = owner(&addresses);
    let answered = both().replace(
        &format!("ATTENDEE:{ALIAS}"),
        &format!("ATTENDEE;PARTSTAT=TENTATIVE:{ALIAS}"),
    );
    let edited = edit(
        Some(&calendar(&both())),
        Some(&calendar(&answered)),
        &owner,
        now(),
    )
    .unwrap();
    assert_eq!(
        told(&edited.outgoing),
        [format!("REPLY by {ALIAS}: TENTATIVE {ALIAS}")]
    );
    // Who throws it away declines for both.
    let edited = edit(Some(&calendar(&answered)), None, &owner, now()).unwrap();
    assert_eq!(
        told(&edited.outgoing),
        [
            format!("REPLY by {MAIN}: DECLINED {MAIN}"),
            format!("REPLY by {ALIAS}: DECLINED {ALIAS}")
        ]
    );
}

const URN: &str = "urn:uuid:1f0c";

/// REPLY of one ATTENDEE line.
fn says(line: &str) -> String {
    format!(
        "BEGIN:VEVENT\nUID:1\nDTSTAMP:20261203T100000Z\nSEQUENCE:1\nDTSTART:20270104T100000Z
         ORGANIZER:mailto:a@example.com\n{line}\nEND:VEVENT"
    )
}

/// The answers in the organizer's copy after a REPLY of somebody else's server, or the code by which it is refused.
fn answers(by: &str, said: &str, listed: &str) -> Result<Vec<String>, String> {
    let message = Message::read(calendar(&format!("METHOD:REPLY\n{said}"))).unwrap();
    let (addresses, originator) = ([address(ALICE)], address(by));
    let existing = calendar(&meeting(listed));
    let proven = [originator.domain().unwrap().clone()];
    let at = Receiving {
        owner: &owner(&addresses),
        originator: &originator,
        from: Provenance::Peer { proven: &proven },
        now: now(),
        accept_uninvited: false,
    };
    let received = receive(&message, Some(&existing), &at);
    if !received.status.is_success() {
        assert_eq!(received.change, Change::None);
        return Err(received.status.code());
    }
    let after = match received.change {
        Change::Store(after) => after,
        _ => existing,
    };
    let event = after.main_components().next().unwrap();
    let partstat = |line: &crate::tree::Property| PartStat::of(line).as_str().to_owned();
    Ok(event.all("ATTENDEE").map(partstat).collect())
}

#[test]
fn a_mailbox_beside_a_name_answers_where_the_organizer_put_it() {
    let listed = format!("ATTENDEE;EMAIL=b@example.com:{URN}\nATTENDEE:mailto:e@evil.example");
    let accepts = "ATTENDEE;PARTSTAT=ACCEPTED";
    // Its server may name it by either.
    for line in [
        format!("{accepts};EMAIL=b@example.com:{URN}"),
        format!("{accepts}:{MAIN}"),
        format!("{accepts};EMAIL=B@example.com:urn:uuid:other"),
    ] {
        let heard = answers(MAIN, &says(&line), &listed);
        assert_eq!(
            heard,
            Ok(["ACCEPTED", "NEEDS-ACTION"].map(String::from).to_vec()),
            "{line}"
        );
    }
    // Who writes its own mailbox beside the name of another answers for itself, or for nobody.
    let stolen = format!("{accepts};EMAIL=e@evil.example:{URN}");
    let evil = "mailto:e@evil.example";
    let own = "ATTENDEE;PARTSTAT=DECLINED:mailto:e@evil.example";
    for said in [
        says(&stolen),
        says(&format!("{stolen}\n{own}")),
        says(&format!("{own}\n{stolen}")),
    ] {
        let heard = answers(evil, &said, &listed).unwrap();
        assert_eq!(heard[0], "NEEDS-ACTION", "{said}");
        let uninvited = listed.replace("\nATTENDEE:mailto:e@evil.example", "");
        assert_eq!(
            answers(evil, &said, &uninvited),
            Err("3.8".to_owned()),
            "{said}"
        );
    }
    // A name without a mailbox beside it on the list is nobody's who writes one.
    let bare = format!("ATTENDEE:{URN}");
    let claimed = says(&format!("{accepts};EMAIL=b@example.com:{URN}"));
    assert_eq!(answers(MAIN, &claimed, &bare), Err("3.8".to_owned()));
    // Nor is a mailbox that stands there itself.
    let victim = format!("ATTENDEE;EMAIL=e@evil.example:{MAIN}");
    assert_eq!(
        answers(evil, &says(&stolen), &victim),
        Err("3.8".to_owned())
    );
}

#[test]
fn what_is_stolen_spreads_to_no_instance_and_to_no_delegator() {
    let instance = format!(
        "BEGIN:VEVENT\nUID:1\nDTSTAMP:20261201T100000Z\nSEQUENCE:1\nRECURRENCE-ID:20270111T100000Z
         DTSTART:20270111T100000Z\nORGANIZER:mailto:a@example.com
         ATTENDEE;EMAIL=b@example.com:{URN}\nATTENDEE:mailto:e@evil.example\nEND:VEVENT"
    );
    let series = meeting(&format!(
        "ATTENDEE;PARTSTAT=DELEGATED;DELEGATED-TO=\"{URN}\":mailto:c@example.com
         ATTENDEE;EMAIL=b@example.com:{URN}\nATTENDEE:mailto:e@evil.example"
    ));
    let said = says(&format!(
        "RRULE:FREQ=WEEKLY;COUNT=3\nATTENDEE;PARTSTAT=DECLINED;EMAIL=e@evil.example:{URN}"
    ));
    let message = Message::read(calendar(&format!("METHOD:REPLY\n{said}"))).unwrap();
    let (addresses, originator) = ([address(ALICE)], address("mailto:e@evil.example"));
    let at = Receiving {
        owner: &owner(&addresses),
        originator: &originator,
        from: Provenance::Peer { proven: &[] },
        now: now(),
        accept_uninvited: false,
    };
    let received = receive(
        &message,
        Some(&calendar(&format!("{series}\n{instance}"))),
        &at,
    );
    assert!(received.outgoing.is_empty(), "{:?}", received.outgoing);
    let Change::Store(after) = received.change else {
        panic!("{}", received.status)
    };
    for event in after.main_components() {
        let mut lines = event.all("ATTENDEE");
        let victim = lines.find(|line| line.value == URN).unwrap();
        assert_eq!(PartStat::of(victim), PartStat::NeedsAction);
        if let Some(delegator) = event.all("ATTENDEE").find(|it| it.value.contains("c@")) {
            assert_eq!(PartStat::of(delegator), PartStat::Delegated);
        }
    }
}

#[test]
fn who_is_named_without_a_mailbox_is_told_and_answers_by_the_one_beside() {
    let addresses = hers();
    let owner_of_copy = owner(&addresses);
    let copy = meeting(&format!(
        "ATTENDEE;EMAIL=b@example.com:{URN}\nATTENDEE:{ALIAS}"
    ));
    let outgoing =
        compose_reply(&calendar(&copy), &owner_of_copy, PartStat::Accepted, now()).unwrap();
    assert_eq!(
        told(&outgoing),
        [
            format!("REPLY by {MAIN}: ACCEPTED {MAIN}"),
            format!("REPLY by {ALIAS}: ACCEPTED {ALIAS}")
        ]
    );
    // Her own copy follows on that line alone.
    let first = followed(&outgoing[..1], &copy, &owner_of_copy);
    let accepted = copy.replace("ATTENDEE;EMAIL", "ATTENDEE;PARTSTAT=ACCEPTED;EMAIL");
    assert_same(&first, &calendar(&accepted));
    // A mailbox that is not hers is not spoken for.
    let wrong = meeting(&format!("ATTENDEE;EMAIL=x@example.net:{URN}"));
    let outgoing =
        compose_reply(&calendar(&wrong), &owner_of_copy, PartStat::Accepted, now()).unwrap();
    assert_eq!(outgoing[0].originator, address(URN));
    // Her organizer writes there, too.
    let alices = [address(ALICE)];
    let told = edit(None, Some(&calendar(&copy)), &owner(&alices), now()).unwrap();
    assert_eq!(told.outgoing[0].recipients, [MAIN, ALIAS].map(address));
    let message = &told.outgoing[0].message;
    assert_eq!(
        addressees(message, &address(ALICE)),
        [MAIN, ALIAS].map(address)
    );
    for recipient in [MAIN, ALIAS] {
        message.check_recipient(&address(recipient)).unwrap();
    }
    let failed = [(address(MAIN), RequestStatus::SERVICE_UNAVAILABLE)];
    let noted = note_delivery(&calendar(&copy), Method::Request, &failed);
    let event = noted.main_components().next().unwrap();
    let statuses: Vec<_> = event
        .all("ATTENDEE")
        .map(|it| it.param("SCHEDULE-STATUS"))
        .collect();
    assert_eq!(statuses, [Some("5.1"), None]);
    let gone = edit(Some(&calendar(&copy)), None, &owner(&alices), now()).unwrap();
    assert_eq!(gone.outgoing[0].recipients, [MAIN, ALIAS].map(address));
}

#[test]
fn a_mailbox_that_stands_there_twice_is_one() {
    let addresses = hers();
    let copy = meeting(&format!(
        "ATTENDEE;EMAIL=b@example.com:{URN}\nATTENDEE:{MAIN}"
    ));
    let outgoing = compose_reply(
        &calendar(&copy),
        &owner(&addresses),
        PartStat::Accepted,
        now(),
    )
    .unwrap();
    assert_eq!(
        told(&outgoing),
        [format!("REPLY by {MAIN}: ACCEPTED {MAIN}")]
    );
    let accepted = copy.replace("ATTENDEE", "ATTENDEE;PARTSTAT=ACCEPTED");
    assert_same(
        &followed(&outgoing, &copy, &owner(&addresses)),
        &calendar(&accepted),
    );
    let edited = edit(
        Some(&calendar(&copy)),
        Some(&calendar(&accepted)),
        &owner(&addresses),
        now(),
    );
    assert_eq!(
        told(&edited.unwrap().outgoing),
        [format!("REPLY by {MAIN}: ACCEPTED {MAIN}")]
    );
    let alices = [address(ALICE)];
    let invited = edit(None, Some(&calendar(&copy)), &owner(&alices), now()).unwrap();
    assert_eq!(invited.outgoing.len(), 1);
    assert_eq!(invited.outgoing[0].recipients, [address(MAIN)]);
}
