//! Every example of RFC 5546 §4, word for word in `rfc5546/`, told as the stories that the RFC tells.
//!
//! What is wrong in the RFC's own text is put right in [`CORRECTIONS`]. Where Convoke does something else than the
//! RFC shows, the story says so: PUBLISH is refused (spec §5), and nobody replaces an organizer (§4.2.11).

use super::{address, now, owner};
use crate::itip::{Change, Receiving, receive, update_own_copy};
use crate::message::{Message, MessageError, Provenance};
use crate::tree::{Calendar, Component, Limits};
use std::collections::BTreeMap;

const EXAMPLES: &[(&str, &str)] = &[
    ("4.1.1", include_str!("rfc5546/4.1.1.ics")),
    ("4.1.2", include_str!("rfc5546/4.1.2.ics")),
    ("4.1.3", include_str!("rfc5546/4.1.3.ics")),
    ("4.1.4", include_str!("rfc5546/4.1.4.ics")),
    ("4.1.5", include_str!("rfc5546/4.1.5.ics")),
    ("4.2.1", include_str!("rfc5546/4.2.1.ics")),
    ("4.2.2", include_str!("rfc5546/4.2.2.ics")),
    ("4.2.3", include_str!("rfc5546/4.2.3.ics")),
    ("4.2.4-1", include_str!("rfc5546/4.2.4-1.ics")),
    ("4.2.4-2", include_str!("rfc5546/4.2.4-2.ics")),
    ("4.2.4-3", include_str!("rfc5546/4.2.4-3.ics")),
    ("4.2.4-4", include_str!("rfc5546/4.2.4-4.ics")),
    ("4.2.5-1", include_str!("rfc5546/4.2.5-1.ics")),
    ("4.2.5-2", include_str!("rfc5546/4.2.5-2.ics")),
    ("4.2.6", include_str!("rfc5546/4.2.6.ics")),
    ("4.2.7-1", include_str!("rfc5546/4.2.7-1.ics")),
    ("4.2.7-2", include_str!("rfc5546/4.2.7-2.ics")),
    ("4.2.9", include_str!("rfc5546/4.2.9.ics")),
    ("4.2.10-1", include_str!("rfc5546/4.2.10-1.ics")),
    ("4.2.10-2", include_str!("rfc5546/4.2.10-2.ics")),
    ("4.2.11", include_str!("rfc5546/4.2.11.ics")),
    ("4.3.1", include_str!("rfc5546/4.3.1.ics")),
    ("4.3.2", include_str!("rfc5546/4.3.2.ics")),
    ("4.3.3", include_str!("rfc5546/4.3.3.ics")),
    ("4.4.1", include_str!("rfc5546/4.4.1.ics")),
    ("4.4.2-1", include_str!("rfc5546/4.4.2-1.ics")),
    ("4.4.2-2", include_str!("rfc5546/4.4.2-2.ics")),
    ("4.4.3", include_str!("rfc5546/4.4.3.ics")),
    ("4.4.4", include_str!("rfc5546/4.4.4.ics")),
    ("4.4.5", include_str!("rfc5546/4.4.5.ics")),
    ("4.4.6", include_str!("rfc5546/4.4.6.ics")),
    ("4.4.7-1", include_str!("rfc5546/4.4.7-1.ics")),
    ("4.4.7-2", include_str!("rfc5546/4.4.7-2.ics")),
    ("4.4.8-1", include_str!("rfc5546/4.4.8-1.ics")),
    ("4.4.8-2", include_str!("rfc5546/4.4.8-2.ics")),
    ("4.4.8-3", include_str!("rfc5546/4.4.8-3.ics")),
    ("4.4.8-4", include_str!("rfc5546/4.4.8-4.ics")),
    ("4.4.9", include_str!("rfc5546/4.4.9.ics")),
    ("4.4.10-1", include_str!("rfc5546/4.4.10-1.ics")),
    ("4.4.10-2", include_str!("rfc5546/4.4.10-2.ics")),
    ("4.5.1", include_str!("rfc5546/4.5.1.ics")),
    ("4.5.2", include_str!("rfc5546/4.5.2.ics")),
    ("4.5.3", include_str!("rfc5546/4.5.3.ics")),
    ("4.5.4", include_str!("rfc5546/4.5.4.ics")),
    ("4.5.5", include_str!("rfc5546/4.5.5.ics")),
    ("4.5.6", include_str!("rfc5546/4.5.6.ics")),
    ("4.5.7.1", include_str!("rfc5546/4.5.7.1.ics")),
    ("4.5.7.2", include_str!("rfc5546/4.5.7.2.ics")),
    ("4.6", include_str!("rfc5546/4.6.ics")),
    ("4.7.1", include_str!("rfc5546/4.7.1.ics")),
    ("4.7.2-1", include_str!("rfc5546/4.7.2-1.ics")),
    ("4.7.2-2", include_str!("rfc5546/4.7.2-2.ics")),
];

/// (example, as it stands in the RFC, as it must have been meant)
const CORRECTIONS: &[(&str, &str, &str)] = &[
    ("4.2.1", "T2100000Z", "T210000Z"),
    ("4.2.4-3", "738777@", "738777a@"),
    ("4.2.4-4", "738777@", "738777a@"),
    ("4.2.9", "INDIVIDUAL;mailto", "INDIVIDUAL:mailto"),
    ("4.3.2", "T200000\n", "T200000Z\n"),
    ("4.4.5", ";THISANDFUTURE", ";RANGE=THISANDFUTURE"),
    (
        "4.4.8-4",
        "DTEND:19980304T180000Z",
        "DTEND:19980311T180000Z",
    ),
    ("4.5.7.2", "19980101T170000Z", "19980101T100000Z"),
    ("4.7.2-1", "199700819", "19970819"),
];

fn example(name: &str) -> Result<Message, MessageError> {
    let found = EXAMPLES.iter().find(|(known, _)| *known == name);
    let mut text = found
        .unwrap_or_else(|| panic!("no example {name}"))
        .1
        .to_owned();
    for (_, wrong, right) in CORRECTIONS.iter().filter(|(of, ..)| *of == name) {
        assert!(text.contains(wrong), "{name} does not hold {wrong}");
        text = text.replace(wrong, right);
    }
    let calendar = Calendar::parse(text.as_bytes(), &Limits::default());
    Message::read(calendar.unwrap_or_else(|error| panic!("{name}: {error}")))
}

/// What becomes of an example where it arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Stored,
    Unchanged,
    Kept,
    /// Stored or not, a message of this method goes out.
    Answered(&'static str),
    Refused(&'static str),
}
use Outcome::{Answered, Kept, Refused, Stored, Unchanged};

/// The copies of everybody in a story, by the letter before the `@`.
#[derive(Default)]
struct Story(BTreeMap<char, Calendar>);

impl Story {
    /// An example goes from one to another; both copies follow.
    #[track_caller]
    fn goes(mut self, name: &str, from: char, to: char, expected: Outcome) -> Self {
        let message = example(name).unwrap_or_else(|error| panic!("{name}: {error}"));
        let known = |who: char| {
            let mut all = message.attendees().iter().chain(message.organizer());
            let known = all.find(|it| it.local_part() == Some(who.to_string().as_str()));
            known
                .cloned()
                .unwrap_or_else(|| address(&format!("mailto:{who}@example.com")))
        };
        let sender = [known(from)];
        if let Change::Store(own) =
            update_own_copy(&message, self.0.get(&from), &owner(&sender), now())
        {
            self.0.insert(from, own);
        }
        let recipient = [known(to)];
        let at = Receiving {
            owner: &owner(&recipient),
            originator: &sender[0],
            from: Provenance::Submission,
            now: now(),
            accept_uninvited: false,
        };
        let received = receive(&message, self.0.get(&to), &at);
        let outgoing = received
            .outgoing
            .first()
            .map(|it| it.message.method().as_str());
        let refusal = received.status.code();
        let outcome = match (&received.change, outgoing) {
            _ if received.status.is_failure() => Refused(refusal.leak()),
            (_, Some(method)) => Answered(method),
            (Change::Store(_), None) => Stored,
            _ if received.keep => Kept,
            _ => Unchanged,
        };
        assert_eq!(outcome, expected, "{name}: {}", received.status);
        if let Change::Store(copy) = received.change {
            let again = receive(&message, Some(&copy), &at);
            assert_eq!(again.change, Change::None, "{name} a second time");
            self.0.insert(to, copy);
        }
        self
    }

    /// In a copy, a line begins and ends like that.
    #[track_caller]
    fn shows(self, who: char, lines: &[&str]) -> Self {
        let text = String::from_utf8(self.0[&who].write())
            .unwrap()
            .replace("\r\n ", "");
        for line in lines {
            let fits = |it: &str| fits(it, line);
            assert!(text.lines().any(fits), "{who} has no {line} in\n{text}");
        }
        self
    }

    fn parts(&self, who: char) -> Vec<&Component> {
        self.0[&who].main_components().collect()
    }
}

/// Whether a line is like a pattern in which `…` stands for anything.
fn fits(line: &str, pattern: &str) -> bool {
    let mut rest = line;
    for (index, piece) in pattern.split('…').enumerate() {
        match rest.find(piece) {
            Some(at) if index > 0 || at == 0 => rest = &rest[at + piece.len()..],
            _ => return false,
        }
    }
    rest.is_empty() || pattern.ends_with('…')
}

#[test]
fn a_group_event_is_answered_moved_and_cancelled() {
    Story::default()
        .goes("4.2.1", 'a', 'b', Stored)
        .goes("4.2.2", 'b', 'a', Stored)
        .shows('a', &["ATTENDEE…PARTSTAT=ACCEPTED;X-CONVOKE-REPLY-SEQUENCE=0;X-CONVOKE-REPLY-DTSTAMP=19970612T190000Z;SCHEDULE-STATUS=2.0:mailto:b@example.com"])
        .shows('b', &["ATTENDEE…PARTSTAT=ACCEPTED:mailto:b@example.com"])
        .goes("4.2.3", 'a', 'b', Stored)
        // moved: asked anew
        .shows('b', &["DTSTART:19970701T180000Z", "ATTENDEE;RSVP=TRUE;CUTYPE=INDIVIDUAL:mailto:b@example.com"])
        .goes("4.2.1", 'a', 'b', Unchanged)
        .goes("4.2.9", 'a', 'b', Stored)
        .shows('b', &["STATUS:CANCELLED", "COMMENT:Mr. B…"])
        .goes("4.2.3", 'a', 'b', Unchanged);
}

#[test]
fn an_attendee_is_removed() {
    Story::default()
        .goes("4.2.1", 'a', 'b', Stored)
        .goes("4.2.1", 'a', 'c', Stored)
        .goes("4.2.10-1", 'a', 'b', Stored)
        .shows('b', &["STATUS:CANCELLED"])
        .goes("4.2.10-2", 'a', 'c', Stored)
        .shows('c', &["STATUS:CONFIRMED", "SEQUENCE:2"]);
}

#[test]
fn a_proposal_is_made_taken_or_turned_down() {
    Story::default()
        .goes("4.2.4-1", 'a', 'b', Stored)
        .goes("4.2.4-2", 'b', 'a', Kept)
        .goes("4.2.4-4", 'a', 'b', Kept)
        .shows('b', &["DTSTART:19970701T190000Z"])
        .goes("4.2.4-3", 'a', 'b', Stored)
        .shows('b', &["DTSTART:19970701T160000Z"]);
}

#[test]
fn a_delegate_accepts() {
    Story::default()
        .goes("4.2.1", 'a', 'c', Stored)
        .goes("4.2.5-1", 'c', 'a', Stored)
        .shows(
            'a',
            &["ATTENDEE;CUTYPE=INDIVIDUAL;CN=C;PARTSTAT=DELEGATED…:mailto:c@example.com"],
        )
        .goes("4.2.5-2", 'c', 'e', Stored)
        .goes("4.2.6", 'e', 'a', Stored)
        .shows(
            'a',
            &["ATTENDEE;ROLE=NON-PARTICIPANT…PARTSTAT=ACCEPTED…:mailto:e@example.com"],
        );
}

#[test]
fn a_delegate_declines_and_the_delegator_is_asked_again() {
    Story::default()
        .goes("4.2.1", 'a', 'c', Stored)
        .goes("4.2.5-1", 'c', 'a', Stored)
        .shows('c', &["ATTENDEE…PARTSTAT=DELEGATED;DELEGATED-TO=\"mailto:e@example.com\":mailto:c@example.com"])
        .goes("4.2.5-2", 'c', 'e', Stored)
        .goes("4.2.7-1", 'e', 'a', Answered("REQUEST"))
        .shows('a', &["COMMENT;X-CONVOKE-FROM=…:Sorry…", "ATTENDEE…PARTSTAT=DECLINED…:mailto:e@example.com"])
        .goes("4.2.7-2", 'a', 'c', Stored)
        .shows('c', &["ATTENDEE;RSVP=TRUE:mailto:c@example.com"]);
}

#[test]
fn an_organizer_is_not_replaced() {
    let mut story = Story::default();
    story = story.goes("4.2.11", 'b', 'c', Stored);
    let copy = String::from_utf8(story.0[&'c'].write()).unwrap();
    let of_a = copy
        .replace("ORGANIZER:mailto:b@", "ORGANIZER:mailto:a@")
        .replace("SEQUENCE:1", "SEQUENCE:0");
    story.0.insert(
        'c',
        Calendar::parse(of_a.as_bytes(), &Limits::default()).unwrap(),
    );
    story
        .goes("4.2.11", 'b', 'c', Refused("3.8"))
        .shows('c', &["ORGANIZER:mailto:a@example.com"]);
}

#[test]
fn a_series_with_a_time_zone_is_stored_whole() {
    Story::default().goes("4.4.1", 'a', 'b', Stored).shows(
        'b',
        &[
            "TZID:America-SanJose",
            "RRULE:FREQ=WEEKLY;COUNT=20;WKST=SU;BYDAY=TU",
        ],
    );
}

#[test]
fn instances_of_a_series_are_moved_and_cancelled() {
    let story = Story::default()
        .goes("4.4.2-1", 'a', 'b', Stored)
        .goes("4.4.2-2", 'a', 'b', Stored)
        .goes("4.4.2-1", 'a', 'b', Unchanged)
        .goes("4.4.3", 'a', 'b', Stored)
        .goes("4.4.5", 'a', 'b', Stored)
        .goes("4.4.9", 'b', 'a', Kept);
    assert_eq!(story.parts('b').len(), 4);
    let story = story.goes("4.4.4", 'a', 'b', Stored);
    let cancelled = |part: &&&Component| part.value("STATUS") == Some("CANCELLED");
    assert_eq!(story.parts('b').iter().filter(cancelled).count(), 4);
}

#[test]
fn instances_are_added_and_a_series_gets_another_rule() {
    Story::default()
        .goes("4.4.7-1", 'a', 'b', Stored)
        .goes("4.4.6", 'a', 'b', Stored)
        .shows('b', &["RDATE:19970715T210000Z", "SEQUENCE:4"])
        .goes("4.4.7-2", 'a', 'b', Stored)
        .shows(
            'b',
            &["RRULE:WKST=SU;BYDAY=TU,TH;FREQ=WEEKLY", "SEQUENCE:7"],
        );
}

#[test]
fn a_refresh_tells_all_that_has_happened() {
    let story = Story::default()
        .goes("4.4.8-1", 'a', 'b', Stored)
        .goes("4.4.8-2", 'a', 'b', Stored)
        .goes("4.4.8-3", 'a', 'b', Stored)
        .shows(
            'b',
            &[
                "RDATE:19980315T180000Z",
                "LOCATION:The Small conference room",
            ],
        )
        .goes("4.4.8-4", 'a', 'b', Unchanged);
    // The RFC's answer to the refresh has the DTSTAMP of the first message: what was told later stands.
    assert_eq!(story.parts('b').len(), 2);
    // Who has nothing yet takes it all.
    let story = Story::default().goes("4.4.8-4", 'a', 'b', Stored);
    assert_eq!(story.parts('b').len(), 2);
}

#[test]
fn an_error_is_told_to_the_organizer() {
    Story::default()
        .goes("4.4.10-1", 'a', 'b', Stored)
        .shows('b', &["FOO:BAR"])
        .goes("4.4.10-2", 'b', 'a', Stored)
        .shows('a', &["ATTENDEE…SCHEDULE-STATUS=3.0:mailto:b@example.com"]);
}

#[test]
fn a_to_do_goes_on_in_parts() {
    Story::default()
        .goes("4.5.1", 'a', 'b', Stored)
        .goes("4.5.2", 'b', 'a', Stored)
        .shows('a', &["COMMENT…I'll send you my input by email"])
        .goes("4.5.3", 'a', 'b', Stored)
        .shows(
            'b',
            &[
                "ATTENDEE…PARTSTAT=ACCEPTED:mailto:b@example.com",
                "STATUS:NEEDS-ACTION",
            ],
        )
        .goes("4.5.4", 'b', 'a', Stored)
        .shows(
            'a',
            &["ATTENDEE…X-CONVOKE-PERCENT-COMPLETE=75:mailto:b@example.com"],
        )
        .goes("4.5.5", 'd', 'a', Stored)
        .shows('a', &["ATTENDEE…PARTSTAT=COMPLETED…:mailto:d@example.com"])
        .goes("4.5.6", 'a', 'b', Stored)
        .shows('b', &["SEQUENCE:1", "PERCENT-COMPLETE:75"]);
}

#[test]
fn a_to_do_that_recurs_is_answered_for_one_instance() {
    let story = Story::default()
        .goes("4.5.7.1", 'a', 'b', Stored)
        .goes("4.5.7.2", 'b', 'a', Stored)
        .shows(
            'a',
            &[
                "RECURRENCE-ID:19980101T100000Z",
                "ATTENDEE…PARTSTAT=IN-PROCESS…:mailto:b@example.com",
            ],
        );
    assert_eq!(story.parts('a').len(), 2);
}

#[test]
fn refreshes_are_answered_if_there_is_something() {
    Story::default()
        .goes("4.7.1", 'b', 'a', Refused("3.8"))
        .goes("4.7.2-1", 'a', 'b', Stored)
        .goes("4.7.2-2", 'b', 'a', Answered("REQUEST"));
}

#[test]
fn busy_time_is_asked_and_told() {
    for name in ["4.3.2", "4.3.3"] {
        assert!(example(name).unwrap().range().is_some(), "{name}");
    }
}

#[test]
fn published_things_are_refused() {
    for name in ["4.1.1", "4.1.2", "4.1.4", "4.1.5", "4.3.1", "4.6"] {
        assert!(example(name).unwrap_err().is_unsupported(), "{name}");
    }
    Story::default().goes("4.1.3", 'a', 'b', Unchanged);
}
