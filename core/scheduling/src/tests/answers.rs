//! What a person is told of answers: each that shows something new, once.

use super::world::{Host, codes, meeting, message};

const CY: &str = "cy@example.com";
const DEE: &str = "dee@example.org";

/// Dee's meeting with Cy.
fn invited() -> Host {
    let host = Host::new();
    let own = meeting(&format!("ATTENDEE:mailto:{CY}\n")).replace("anna@example.com", DEE);
    let own = own.replace("ATTENDEE:mailto:bo@example.org\n", "");
    host.person("dee").has(&format!(
        "BEGIN:VCALENDAR\nVERSION:2.0\n{own}END:VCALENDAR\n"
    ));
    host.looks("dee");
    host
}

/// Cy answers at that minute, as briefly as RFC 5546 allows.
fn answer(minute: u32, said: &str, more: &str) -> String {
    message(
        "REPLY",
        &format!(
            "BEGIN:VEVENT\nUID:meeting\nDTSTAMP:20261201T07{minute:02}00Z\nORGANIZER:mailto:{DEE}\n\
             ATTENDEE;PARTSTAT={said}:mailto:{CY}\n{more}END:VEVENT\n"
        ),
    )
}

fn comes(host: &Host, answer: &str) {
    assert_eq!(codes(&host.receives(answer, CY, &[DEE])), ["2.0"]);
}

#[test]
fn an_answer_is_told_with_its_meeting_once() {
    let host = invited();
    let told = |number: usize, what: &str| {
        let notices = host.notices();
        assert_eq!(notices.len(), number, "{notices:?}");
        let last = format!("{DEE} {CY} Answered({what})");
        assert_eq!(notices.last(), Some(&last));
    };
    let accepted = answer(1, "ACCEPTED", "");
    comes(&host, &accepted);
    told(1, "ACCEPTED of Review at 20270104T100000Z");
    // It comes twice, and the same button is pressed once more.
    comes(&host, &accepted);
    comes(&host, &answer(2, "ACCEPTED", ""));
    told(1, "ACCEPTED of Review at 20270104T100000Z");
    comes(&host, &answer(4, "DECLINED", ""));
    told(2, "DECLINED of Review at 20270104T100000Z");
    // What is older comes late.
    comes(&host, &answer(3, "TENTATIVE", ""));
    told(2, "DECLINED of Review at 20270104T100000Z");
    // The same, and why.
    comes(&host, &answer(5, "DECLINED", "COMMENT:I am ill\n"));
    told(3, "DECLINED of Review at 20270104T100000Z: I am ill");
    comes(&host, &answer(6, "DECLINED", "COMMENT:I am ill\n"));
    told(3, "DECLINED of Review at 20270104T100000Z: I am ill");
}

#[test]
fn an_answer_about_one_instance_says_what_series_it_is_of() {
    let host = invited();
    host.person("dee").edits("meeting", |it| {
        it.replace("DURATION", "RRULE:FREQ=DAILY;COUNT=5\nDURATION")
    });
    host.tells("dee");
    comes(
        &host,
        &answer(1, "DECLINED", "RECURRENCE-ID:20270105T100000Z\n"),
    );
    let told = format!("{DEE} {CY} Answered(DECLINED of Review at 20270105T100000Z)");
    assert_eq!(host.notices(), [told]);
}

/// A program has written over the answer, and no look has found that yet: it is no news when the answer comes again.
#[test]
fn an_answer_that_a_program_has_written_over_is_no_news() {
    let host = invited();
    let accepted = answer(1, "ACCEPTED", "");
    comes(&host, &accepted);
    host.person("dee")
        .edits("meeting", |it| it.replace(";PARTSTAT=ACCEPTED", ""));
    comes(&host, &accepted);
    assert_eq!(host.notices().len(), 1, "{:?}", host.notices());
}

/// Whoever sent the answer did not hear that it came, and sends it again. Found by the simulator.
#[test]
fn a_delegation_that_was_in_vain_does_not_come_back() {
    const EVE: &str = "eve@example.com";
    let sends = answer(1, "DELEGATED;DELEGATED-TO=\"mailto:eve@example.com\"", "");
    let declines = answer(2, "DECLINED", "").replace(CY, EVE);
    let stored = |host: &Host| host.person("dee").object("meeting").unwrap();
    for is_first in [false, true] {
        let host = invited();
        if is_first {
            // Eve is invited by herself, and declines before it is heard that she was sent.
            host.person("dee").edits("meeting", |it| {
                it.replace("END:VEVENT", &format!("ATTENDEE:mailto:{EVE}\nEND:VEVENT"))
            });
            assert_eq!(codes(&host.receives(&declines, EVE, &[DEE])), ["2.0"]);
        }
        comes(&host, &sends);
        assert_eq!(codes(&host.receives(&declines, EVE, &[DEE])), ["2.0"]);
        host.pays();
        assert_eq!(host.sent().last(), Some(&format!("REQUEST {DEE} {CY}")));
        let told = host.sent().len();
        comes(&host, &sends);
        host.pays();
        assert_eq!(host.sent().len(), told, "{:?}", host.sent());
        let asked = stored(&host);
        assert!(!asked.contains("DELEGATED-TO"), "{is_first}: {asked}");
        assert!(asked.contains("PARTSTAT=NEEDS-ACTION"), "{asked}");
        comes(&host, &answer(3, "ACCEPTED", ""));
        assert!(stored(&host).contains("PARTSTAT=ACCEPTED"));
    }
}

/// Dee hears on the phone that Cy does not come after all; then the answer comes once more.
#[test]
fn what_an_organizer_has_heard_since_is_not_undone_by_an_answer_again() {
    let host = invited();
    let accepted = answer(1, "ACCEPTED", "");
    comes(&host, &accepted);
    host.person("dee")
        .edits("meeting", |it| it.replace("=ACCEPTED", "=DECLINED"));
    host.tells("dee");
    comes(&host, &accepted);
    let stored = || host.person("dee").object("meeting").unwrap();
    assert!(stored().contains("=DECLINED"), "{}", stored());
    comes(&host, &answer(2, "TENTATIVE", ""));
    assert!(stored().contains("=TENTATIVE"), "{}", stored());
}

/// It is kept with what led to it: who hears that it was taken need not send it again.
#[test]
fn an_answer_is_told_though_the_host_ends_before_it_is_known() {
    let host = invited();
    let accepted = answer(1, "ACCEPTED", "");
    host.world().remembered.ends_after(0);
    assert_eq!(codes(&host.receives(&accepted, CY, &[DEE])), ["5.1"]);
    host.world().remembered.ends_after(usize::MAX);
    let stored = host.person("dee").object("meeting").unwrap();
    assert!(stored.contains("PARTSTAT=ACCEPTED"), "{stored}");
    assert!(host.notices().is_empty(), "{:?}", host.notices());
    let host = host.restarted();
    comes(&host, &accepted);
    comes(&host, &accepted);
    assert_eq!(host.notices().len(), 1, "{:?}", host.notices());
}
