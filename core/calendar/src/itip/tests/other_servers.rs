//! Cases that the tests of other servers have (Cyrus, sabre/vobject, Stalwart), in words and shapes of our own: what
//! comes, what is in the calendar then, and what is answered. Where servers differ, the section decides.
//!
//! Calendars are written as short words, separated by `|`, a line a component; all have the same UID and organizer (Alice):
//!
//! | word | stands for |
//! | --- | --- |
//! | `v1.2` | SEQUENCE 1, DTSTAMP of the second day of December |
//! | `@04T10`, `#04T10` | it begins (and lasts an hour), it is the instance of the fourth of January at ten, UTC |
//! | `b`, `b0`, `b+`, `b-`, `b?` | Bob is on the list: with no PARTSTAT, open, accepted, declined, tentative; so are Alice and Carl |
//! | `b+!` | the same, as an answer has said |
//! | `weekly`, `off` | a rule of five weeks; it is cancelled |
//! | `todo` | it is a to-do |
//! | `mine`, `theirs` | an alarm of the recipient's, and of the sender's |

use super::{Arriving, apply, calendar};
use crate::itip::object::same;
use crate::itip::{Change, Received, forget};
use crate::tree::Calendar;
use std::fmt::Write;

struct Case {
    what: &'static str,
    section: &'static str,
    stored: &'static str,
    /// The method, and from whom to whom where that is not between Alice and Bob.
    method: &'static str,
    message: &'static str,
    /// What is stored then; empty if nothing changes.
    then: &'static str,
    /// The status, and what is sent or kept.
    answer: &'static str,
}

const fn case(
    what: &'static str,
    section: &'static str,
    stored: &'static str,
    [method, message]: [&'static str; 2],
    [then, answer]: [&'static str; 2],
) -> Case {
    Case {
        what,
        section,
        stored,
        method,
        message,
        then,
        answer,
    }
}

const CASES: &[Case] = &[
    // Invitations and updates.
    case(
        "an update of the same second counts on",
        "RFC 5546 §2.1.5",
        "v0.1|@04T10|SUMMARY:Plan|b+",
        ["REQUEST", "v1.1|@05T14|SUMMARY:New|b0"],
        ["v1.1|@05T14|SUMMARY:New|b0", "2.0"],
    ),
    case(
        "another text of the same version is the later one",
        "RFC 5546 §2.1.5",
        "v0.1|@04T10|SUMMARY:Plan|b+",
        ["REQUEST", "v0.1|@04T10|SUMMARY:Plans|b0"],
        ["v0.1|@04T10|SUMMARY:Plans|b+", "2.0"],
    ),
    case(
        "one instance is elsewhere; the guest's own goes along, and the answer that stands is said",
        "RFC 5546 §3.2.2.2",
        "v0.1|@04T10|weekly|b+|TRANSP:TRANSPARENT|mine",
        ["REQUEST", "v0.2|#04T10|@04T10|LOCATION:Hall|b0|theirs"],
        [
            "v0.1|@04T10|weekly|b+|TRANSP:TRANSPARENT|mine
             v0.2|#04T10|@04T10|LOCATION:Hall|b+|TRANSP:TRANSPARENT|mine",
            "2.0, REPLY to mailto:a@example.com",
        ],
    ),
    case(
        "the list grows, and alarms stay on series and instance",
        "RFC 5545 §3.6.6",
        "v0.1|@04T10|weekly|b+|mine
         v0.2|#04T10|@04T10|LOCATION:Hall|b+|mine",
        [
            "REQUEST",
            "v0.3|@04T10|weekly|b0|c0|theirs
             v0.3|#04T10|@04T10|LOCATION:Hall|b0|c0|theirs",
        ],
        [
            "v0.3|@04T10|weekly|b+|c0|mine
             v0.3|#04T10|@04T10|LOCATION:Hall|b+|c0|mine",
            "2.0",
        ],
    ),
    case(
        "an invitation to one instance gives way to the series that does not name it",
        "RFC 5546 §4.4.7",
        "v0.1|#04T10|@04T10|b+",
        ["REQUEST", "v0.2|@04T10|weekly|b0"],
        ["v0.2|@04T10|weekly|b0", "2.0"],
    ),
    case(
        "two invitations to one instance each stand side by side",
        "RFC 5546 §3.2.2",
        "v0.1|#04T10|@04T10|b+",
        ["REQUEST", "v0.1|#11T10|@11T10|b0"],
        ["v0.1|#04T10|@04T10|b+\nv0.1|#11T10|@11T10|b0", "2.0"],
    ),
    case(
        "how the sender paints it stays out, what it is about comes in",
        "RFC 7986 §5.9",
        "",
        [
            "REQUEST",
            "v0.1|@04T10|b0|COLOR:red|CATEGORIES:foo|TRANSP:TRANSPARENT|X-LIC-ERROR:No value|theirs",
        ],
        ["v0.1|@04T10|b0|CATEGORIES:foo|TRANSP:TRANSPARENT", "2.0"],
    ),
    case(
        "Google's update with an alarm leaves the guest's",
        "RFC 5545 §3.6.6",
        "v0.1|@04T10|b0|mine",
        ["REQUEST", "v1.2|@04T10|DESCRIPTION:more|b0|theirs"],
        ["v1.2|@04T10|DESCRIPTION:more|b0|mine", "2.0"],
    ),
    case(
        "a REQUEST says that it is cancelled",
        "RFC 5546 §3.2.2",
        "v0.1|@04T10|b+",
        ["REQUEST", "v1.2|@04T10|off|b+"],
        ["v1.2|@04T10|off|b+", "2.0"],
    ),
    case(
        "what was cancelled takes place again and is asked about",
        "RFC 5546 §3.2.2.1",
        "v1.2|@04T10|off|b+",
        ["REQUEST", "v2.3|@04T10|b0"],
        ["v2.3|@04T10|b0", "2.0"],
    ),
    case(
        "an old invitation does not bring back what was cancelled",
        "RFC 5546 §2.1.5",
        "v1.2|@04T10|off|b+",
        ["REQUEST", "v0.1|@04T10|b0"],
        ["", "2.0"],
    ),
    case(
        "a shorter rule has no place for an exception",
        "RFC 5546 §4.4.7",
        "v0.1|@04T10|weekly|b+\nv0.2|#25T10|@25T12|b+",
        ["REQUEST", "v1.3|@04T10|RRULE:FREQ=WEEKLY;COUNT=2|b+"],
        ["v1.3|@04T10|RRULE:FREQ=WEEKLY;COUNT=2|b+", "2.0"],
    ),
    case(
        "a series becomes one meeting",
        "RFC 5546 §3.2.2.1",
        "v0.1|@04T10|weekly|b+\nv0.1|#11T10|@11T10|b-",
        ["REQUEST", "v1.2|@04T10|b0"],
        ["v1.2|@04T10|b0", "2.0"],
    ),
    case(
        "one meeting becomes a series",
        "RFC 5546 §3.2.2.1",
        "v0.1|@04T10|b+",
        ["REQUEST", "v1.2|@04T10|weekly|b0"],
        ["v1.2|@04T10|weekly|b0", "2.0"],
    ),
    case(
        "a whole day moves",
        "RFC 5546 §3.2.2.1",
        "v0.1|DTSTART;VALUE=DATE:20270104|b+",
        ["REQUEST", "v1.2|DTSTART;VALUE=DATE:20270105|b0"],
        ["v1.2|DTSTART;VALUE=DATE:20270105|b0", "2.0"],
    ),
    case(
        "the same people in other letters",
        "RFC 5545 §3.3.3",
        "v0.1|@04T10|b+",
        [
            "REQUEST",
            "v0.2|@04T10|LOCATION:Hall|ORGANIZER:MAILTO:A@Example.COM|ATTENDEE;PARTSTAT=NEEDS-ACTION:MAILTO:B@EXAMPLE.COM",
        ],
        [
            "v0.2|@04T10|LOCATION:Hall|ORGANIZER:MAILTO:A@Example.COM|ATTENDEE;PARTSTAT=ACCEPTED:MAILTO:B@EXAMPLE.COM",
            "2.0",
        ],
    ),
    case(
        "an older word on one instance comes late",
        "RFC 5546 §2.1.5",
        "v0.1|@04T10|weekly|b+\nv1.3|#11T10|@11T12|b+",
        ["REQUEST", "v0.2|#11T10|@11T15|b0"],
        ["", "2.0"],
    ),
    case(
        "a newer word on one instance comes with an older series",
        "RFC 5546 §2.1.5",
        "v1.2|@04T10|weekly|b+\nv1.2|#11T10|@11T12|b+",
        [
            "REQUEST",
            "v0.1|@04T10|weekly|LOCATION:Old|b0\nv1.3|#11T10|@11T15|b+",
        ],
        ["v1.2|@04T10|weekly|b+\nv1.3|#11T10|@11T15|b+", "2.0"],
    ),
    case(
        "a date that was added to the meeting moves",
        "RFC 5545 §3.8.4.4",
        "v0.1|@04T10|RDATE:20270111T100000Z|b+",
        ["REQUEST", "v1.2|#11T10|@11T12|b0"],
        [
            "v0.1|@04T10|RDATE:20270111T100000Z|b+\nv1.2|#11T10|@11T12|b0",
            "2.0",
        ],
    ),
    case(
        "two instances trade places",
        "RFC 5545 §3.8.4.4",
        "v0.1|@04T10|weekly|b+",
        ["REQUEST", "v1.2|#11T10|@18T10|b0\nv1.2|#18T10|@11T10|b0"],
        [
            "v0.1|@04T10|weekly|b+\nv1.2|#11T10|@18T10|b0\nv1.2|#18T10|@11T10|b0",
            "2.0",
        ],
    ),
    case(
        "one instance is cancelled by a REQUEST",
        "RFC 5546 §3.2.2",
        "v0.1|@04T10|weekly|b+",
        ["REQUEST", "v1.2|#11T10|@11T10|off|b"],
        ["v0.1|@04T10|weekly|b+\nv1.2|#11T10|@11T10|off|b+", "2.0"],
    ),
    case(
        "the organizer has another name now",
        "RFC 5545 §3.2.2",
        "v0.1|@04T10|ORGANIZER;CN=A:mailto:a@example.com|b+",
        [
            "REQUEST",
            "v0.2|@04T10|ORGANIZER;CN=Ms A:mailto:a@example.com|b+",
        ],
        [
            "v0.2|@04T10|ORGANIZER;CN=Ms A:mailto:a@example.com|b+",
            "2.0",
        ],
    ),
    case(
        "who need not answer is on the list all the same",
        "RFC 5545 §3.2.17",
        "",
        [
            "REQUEST",
            "v0.1|@04T10|ATTENDEE;ROLE=NON-PARTICIPANT;RSVP=FALSE:mailto:b@example.com",
        ],
        [
            "v0.1|@04T10|ATTENDEE;ROLE=NON-PARTICIPANT;RSVP=FALSE:mailto:b@example.com",
            "2.0",
        ],
    ),
    case(
        "a to-do is handed on with its reminder",
        "RFC 5546 §3.4.2",
        "",
        [
            "REQUEST",
            "todo|v0.1|DUE:20270105T100000Z|PRIORITY:1|b0|theirs",
        ],
        ["todo|v0.1|DUE:20270105T100000Z|PRIORITY:1|b0", "2.0"],
    ),
    case(
        "an event of the UID of a to-do",
        "RFC 5546 §6.1.3",
        "todo|v0.1|DUE:20270105T100000Z|b0",
        ["REQUEST", "v1.2|@04T10|b0"],
        ["", "3.8"],
    ),
    // Cancellations.
    case(
        "a CANCEL without STATUS that names all",
        "RFC 5546 §3.2.5",
        "v0.1|@04T10|STATUS:TENTATIVE|a+|b0",
        ["CANCEL", "v1.2|a|b"],
        ["v1.2|@04T10|off|a+|b0", "2.0"],
    ),
    case(
        "the first instance goes, and the series begins where it did",
        "RFC 5546 §3.2.5",
        "v0.1|@04T10|weekly|b+",
        ["CANCEL", "v1.2|#04T10|off|b"],
        ["v0.1|@04T10|weekly|b+\nv1.2|#04T10|@04T10|off|b+", "2.0"],
    ),
    case(
        "a guest calls the organizer's meeting off",
        "RFC 5546 §6.1.1",
        "v0.1|@04T10|STATUS:TENTATIVE|b0",
        ["CANCEL by b to a", "v1.2|off|b"],
        ["", "3.8"],
    ),
    case(
        "one guest calls it off for another",
        "RFC 5546 §6.1.1",
        "v0.1|@04T10|b+|c0",
        ["CANCEL by c to b", "v1.2|off|b"],
        ["", "3.8"],
    ),
    case(
        "the only instance that is known is cancelled",
        "RFC 5546 §3.2.5",
        "v0.1|#11T10|@11T10|b+",
        ["CANCEL", "v1.2|#11T10|off|b"],
        ["v1.2|#11T10|@11T10|off|b+", "2.0"],
    ),
    case(
        "all is cancelled, of which two instances are known",
        "RFC 5546 §3.2.5",
        "v0.1|#11T10|@11T10|b+\nv0.1|#18T10|@18T10|b-",
        ["CANCEL", "v1.2|off|b"],
        [
            "v1.2|#11T10|@11T10|off|b+\nv1.2|#18T10|@18T10|off|b-",
            "2.0",
        ],
    ),
    case(
        "a CANCEL that an update has overtaken",
        "RFC 5546 §2.1.5",
        "v2.3|@04T10|b+",
        ["CANCEL", "v1.2|off|b"],
        ["", "2.0"],
    ),
    case(
        "an instance that was left out is cancelled",
        "RFC 5546 §3.2.5",
        "v0.1|@04T10|weekly|EXDATE:20270111T100000Z|b+",
        ["CANCEL", "v1.2|#11T10|off|b"],
        ["", "2.0"],
    ),
    case(
        "a moved instance is cancelled by the name it has",
        "RFC 5545 §3.8.4.4",
        "v0.1|@04T10|weekly|b+\nv0.1|#11T10|@12T15|LOCATION:Hall|b+",
        ["CANCEL", "v1.2|#11T10|off|b"],
        [
            "v0.1|@04T10|weekly|b+\nv1.2|#11T10|@12T15|LOCATION:Hall|off|b+",
            "2.0",
        ],
    ),
    case(
        "nor by the time to which it was moved",
        "RFC 5545 §3.8.4.4",
        "v0.1|@04T10|weekly|b+\nv0.1|#11T10|@12T15|LOCATION:Hall|b+",
        ["CANCEL", "v1.2|#12T15|off|b"],
        ["", "2.0"],
    ),
    case(
        "what is cancelled keeps the guest's own",
        "RFC 6638 §3.2.2.1",
        "v0.1|@04T10|b+|CATEGORIES:Mine|TRANSP:TRANSPARENT|mine",
        ["CANCEL", "v1.2|off|b"],
        [
            "v1.2|@04T10|off|b+|CATEGORIES:Mine|TRANSP:TRANSPARENT|mine",
            "2.0",
        ],
    ),
    // Instances that are added.
    case(
        "an ADD of the same second",
        "RFC 5546 §3.2.4",
        "v0.1|@04T10|b0",
        ["ADD", "v1.1|DTSTART:20270105T100000Z|b0"],
        ["v1.1|@04T10|RDATE:20270105T100000Z|b0", "2.0"],
    ),
    case(
        "the second ADD of one SEQUENCE",
        "RFC 5546 §3.2.4",
        "v1.1|@04T10|RDATE:20270105T100000Z|b0",
        ["ADD", "v1.2|DTSTART:20270106T100000Z|b0"],
        [
            "v1.2|@04T10|RDATE:20270105T100000Z|RDATE:20270106T100000Z|b0",
            "2.0",
        ],
    ),
    case(
        "a guest adds an instance",
        "RFC 5546 §6.1.1",
        "v0.1|@04T10|b0|c0",
        ["ADD by c to b", "v1.2|DTSTART:20270105T100000Z|b0"],
        ["", "3.8"],
    ),
    // Answers.
    case(
        "an answer is on the organizer's list",
        "RFC 5546 §3.2.3",
        "v1.1|@04T10|a+|ATTENDEE;RSVP=TRUE:mailto:b@example.com",
        ["REPLY", "v1.2|b+"],
        ["v1.1|@04T10|a+|b+!", "2.0"],
    ),
    case(
        "an answer tells how the invitation fared",
        "RFC 6638 §4.2",
        "v1.1|@04T10|b0",
        [
            "REPLY",
            "v1.2|b+|REQUEST-STATUS:2.3;Success\\, a part was ignored",
        ],
        [
            "v1.1|@04T10|ATTENDEE;PARTSTAT=ACCEPTED;SCHEDULE-STATUS=2.3:mailto:b@example.com",
            "2.0",
        ],
    ),
    case(
        "the first instance of a series is declined",
        "RFC 5546 §3.2.3",
        "v1.1|@04T10|weekly|b0",
        ["REPLY", "v1.2|#04T10|b-"],
        ["v1.1|@04T10|weekly|b0\nv1.1|#04T10|@04T10|b-!", "2.0"],
    ),
    case(
        "an instance that is written out is answered by its time in another zone",
        "RFC 5545 §3.8.4.4",
        "v1.1|@04T10|weekly|b0\nv1.1|#11T10|@11T12|b0",
        [
            "REPLY",
            "v1.2|RECURRENCE-ID;TZID=Asia/Tokyo:20270111T190000|b-",
        ],
        ["v1.1|@04T10|weekly|b0\nv1.1|#11T10|@11T12|b-!", "2.0"],
    ),
    case(
        "a series and two of its instances are answered at once, each as of its own time",
        "RFC 5546 §3.2.3",
        "v0.1|@04T10|weekly|b0\nv0.1|#11T10|@12T10|b0",
        ["REPLY", "v0.5|b+\nv0.2|#11T10|b?\nv0.5|#18T10|b-"],
        [
            "v0.1|@04T10|weekly|b+!\nv0.1|#11T10|@12T10|b?!\nv0.1|#18T10|@18T10|b-!",
            "2.0",
        ],
    ),
    case(
        "a date that was added is declined",
        "RFC 5546 §3.2.3",
        "v1.1|@04T10|RDATE:20270111T100000Z|b0",
        ["REPLY", "v1.2|b+\nv1.2|#11T10|b-"],
        [
            "v1.1|@04T10|RDATE:20270111T100000Z|b+!\nv1.1|#11T10|@11T10|b-!",
            "2.0",
        ],
    ),
    case(
        "who is not invited comes to one instance",
        "RFC 5546 §6.1.6",
        "v1.1|@04T10|weekly|b0",
        ["REPLY", "v1.2|#04T10|c+"],
        ["", "3.8"],
    ),
    case(
        "an instance that the organizer does not know",
        "RFC 5546 §3.2.3",
        "v1.1|#04T10|@04T10|b0",
        ["REPLY", "v1.2|#11T10|b+"],
        ["", "5.2"],
    ),
    case(
        "the series is answered of which the organizer has one instance",
        "RFC 5546 §3.2.3",
        "v1.1|#04T10|@04T10|b0",
        ["REPLY", "v1.2|b+"],
        ["", "5.2"],
    ),
    case(
        "an instance of what does not recur",
        "RFC 5545 §3.8.4.4",
        "v1.1|@04T10|b0",
        ["REPLY", "v1.2|#11T10|b-"],
        ["", "5.2"],
    ),
    case(
        "an instance that was left out is answered",
        "RFC 5545 §3.8.5.1",
        "v1.1|@04T10|weekly|EXDATE:20270111T100000Z|b0",
        ["REPLY", "v1.2|#11T10|b+"],
        ["", "5.2"],
    ),
    case(
        "an answer without SEQUENCE",
        "RFC 5546 §3.2.3",
        "v1.1|@04T10|b0",
        ["REPLY", "DTSTAMP:20261202T100000Z|b+"],
        ["v1.1|@04T10|b+!", "2.0"],
    ),
    case(
        "an answer whose program has counted on",
        "RFC 5546 §2.1.5",
        "v1.1|@04T10|b0",
        ["REPLY", "v7.2|b+"],
        ["v1.1|@04T10|b+!", "2.0"],
    ),
    case(
        "an answer that changes the meeting changes the answer alone",
        "RFC 5546 §3.2.3",
        "v1.1|@04T10|SUMMARY:Plan|b0",
        [
            "REPLY",
            "v1.2|@05T10|SUMMARY:Mine|LOCATION:Elsewhere|COLOR:red|b+",
        ],
        ["v1.1|@04T10|SUMMARY:Plan|b+!", "2.0"],
    ),
    case(
        "a guest's name is as the organizer writes it",
        "RFC 5546 §3.2.3",
        "v1.1|@04T10|ATTENDEE;CN=Robert;ROLE=CHAIR:mailto:b@example.com",
        [
            "REPLY",
            "v1.2|ATTENDEE;CN=Bobby;ROLE=OPT-PARTICIPANT;PARTSTAT=ACCEPTED:mailto:b@example.com",
        ],
        [
            "v1.1|@04T10|ATTENDEE;CN=Robert;ROLE=CHAIR;PARTSTAT=ACCEPTED;SCHEDULE-STATUS=2.0:mailto:b@example.com",
            "2.0",
        ],
    ),
    case(
        "an answer to what was cancelled meanwhile",
        "RFC 5546 §2.1.5",
        "v2.3|@04T10|off|b0",
        ["REPLY", "v1.4|b+"],
        ["", "2.0"],
    ),
    case(
        "an answer is taken back",
        "RFC 5545 §3.2.12",
        "v1.1|@04T10|b+",
        ["REPLY", "v1.2|b0"],
        [
            "v1.1|@04T10|ATTENDEE;PARTSTAT=NEEDS-ACTION;SCHEDULE-STATUS=2.0:mailto:b@example.com",
            "2.0",
        ],
    ),
    case(
        "a PARTSTAT that nobody knows is as good as none",
        "RFC 5545 §3.2.12",
        "v1.1|@04T10|b0",
        [
            "REPLY",
            "v1.2|ATTENDEE;PARTSTAT=X-MAYBE:mailto:b@example.com",
        ],
        [
            "v1.1|@04T10|ATTENDEE;PARTSTAT=NEEDS-ACTION;SCHEDULE-STATUS=2.0:mailto:b@example.com",
            "2.0",
        ],
    ),
    case(
        "a PARTSTAT in small letters",
        "RFC 5545 §2",
        "v1.1|@04T10|b0",
        [
            "REPLY",
            "v1.2|ATTENDEE;PARTSTAT=declined:mailto:b@example.com",
        ],
        ["v1.1|@04T10|b-!", "2.0"],
    ),
    case(
        "another address of the same mailbox is another guest",
        "RFC 5546 §6.1.6",
        "v1.1|@04T10|b0",
        [
            "REPLY",
            "v1.2|ATTENDEE;PARTSTAT=ACCEPTED:mailto:b+cal@example.com",
        ],
        ["", "3.8"],
    ),
    case(
        "an answer to a meeting that was deleted",
        "RFC 5546 §6.1.6",
        "",
        ["REPLY", "v1.2|b+"],
        ["", "3.8"],
    ),
    case(
        "an answer with an alarm beside what the organizer has set",
        "RFC 5545 §3.6.6",
        "v1.1|@04T10|b0|COLOR:blue|mine",
        ["REPLY", "v1.2|b+"],
        ["v1.1|@04T10|b+!|COLOR:blue|mine", "2.0"],
    ),
    // Proposals and questions.
    case(
        "a proposal waits for the organizer",
        "RFC 5546 §3.2.7",
        "v1.1|@04T10|SUMMARY:Plan|b0",
        ["COUNTER", "v1.2|@05T10|SUMMARY:Plan|b?|COMMENT:Later"],
        ["", "2.0, kept"],
    ),
    case(
        "who is not invited proposes",
        "RFC 5546 §6.1.6",
        "v1.1|@04T10|SUMMARY:Plan|b0",
        ["COUNTER", "v1.2|@05T10|SUMMARY:Plan|c?"],
        ["", "3.8"],
    ),
    case(
        "a proposal is turned down",
        "RFC 5546 §3.2.8",
        "v1.1|@04T10|SUMMARY:Plan|b?",
        ["DECLINECOUNTER", "v1.2|b?|COMMENT:No"],
        ["", "2.0, kept"],
    ),
    case(
        "a guest asks for the latest version",
        "RFC 5546 §3.2.6",
        "v1.1|@04T10|weekly|SUMMARY:Plan|b0|mine\nv1.1|#11T10|@11T12|b0",
        ["REFRESH", "DTSTAMP:20261202T100000Z|b"],
        ["", "2.0, REQUEST to mailto:b@example.com"],
    ),
    case(
        "who is not invited asks",
        "RFC 5546 §6.1.6",
        "v1.1|@04T10|b0",
        ["REFRESH", "DTSTAMP:20261202T100000Z|c"],
        ["", "3.8"],
    ),
];

#[test]
fn what_other_servers_are_held_to_holds_here() {
    let failures: Vec<String> = CASES.iter().filter_map(failure).collect();
    assert!(
        failures.is_empty(),
        "{} of {}:\n\n{}",
        failures.len(),
        CASES.len(),
        failures.join("\n")
    );
}

fn failure(case: &Case) -> Option<String> {
    let arriving = arriving(case);
    let received = arriving.received();
    let stored = match &received.change {
        Change::Store(after) => Some(forget(after.clone())),
        Change::None | Change::Remove => None,
    };
    let expected = (!case.then.is_empty()).then(|| calendar(&written(case.then)));
    let is_as_expected = match (&stored, &expected) {
        (Some(stored), Some(expected)) => same(stored, expected),
        (None, None) => received.change == Change::None,
        _ => false,
    };
    let answer = answer(&received);
    // The same again changes nothing.
    let again = match received.change {
        Change::Store(after) => arriving.over(after).received().change,
        _ => Change::None,
    };
    if is_as_expected && answer == case.answer && again == Change::None {
        return None;
    }
    let text = |calendar: Option<&Calendar>| {
        let octets = calendar.map(Calendar::write).unwrap_or_default();
        String::from_utf8_lossy(&octets).into_owned()
    };
    Some(format!(
        "{} ({}): {answer}, expected {}; again: {}\n{}expected:\n{}",
        case.what,
        case.section,
        case.answer,
        again == Change::None,
        text(stored.as_ref()),
        text(expected.as_ref())
    ))
}

fn arriving(case: &Case) -> Arriving {
    let (method, people) = case.method.split_once(" by ").unwrap_or((case.method, ""));
    let mut arriving = apply(method, &written(case.message));
    if let Some((from, to)) = people.split_once(" to ") {
        let [from, to] = [from, to].map(|who| format!("mailto:{who}@example.com"));
        arriving = arriving.by(&from).at(&to);
    }
    if case.stored.is_empty() {
        arriving
    } else {
        arriving.to(&written(case.stored))
    }
}

fn answer(received: &Received) -> String {
    let mut answer = received.status.code();
    for outgoing in &received.outgoing {
        let recipients = outgoing.recipients.iter().map(ToString::to_string);
        let recipients: Vec<String> = recipients.collect();
        let method = outgoing.message.method();
        let _ = write!(answer, ", {method} to {}", recipients.join(" "));
    }
    if received.keep {
        answer += ", kept";
    }
    answer
}

fn written(words: &str) -> String {
    let components = words.lines().map(|words| {
        let words: Vec<&str> = words.trim().split('|').collect();
        let kind = if words.contains(&"todo") {
            "VTODO"
        } else {
            "VEVENT"
        };
        let mut lines = vec![format!("BEGIN:{kind}\nUID:1")];
        if !words.iter().any(|it| it.starts_with("ORGANIZER")) {
            lines.push("ORGANIZER:mailto:a@example.com".to_owned());
        }
        // Properties come before components.
        let is_alarm = |word: &&&str| ["mine", "theirs"].contains(*word);
        let properties = words.iter().filter(|word| !is_alarm(word));
        lines.extend(
            properties
                .chain(words.iter().filter(is_alarm))
                .map(|it| line(it)),
        );
        lines.push(format!("END:{kind}"));
        lines.join("\n")
    });
    let components: Vec<String> = components.collect();
    components.join("\n")
}

fn line(word: &str) -> String {
    let time = |day_and_hour: &str| format!("202701{day_and_hour}0000Z");
    match word.split_at(1) {
        ("@", start) => {
            let (day, hour) = start.split_once('T').expect("a day and an hour");
            let hour: u8 = hour.parse().expect("an hour");
            let end = time(&format!("{day}T{}", hour + 1));
            format!("DTSTART:{}\nDTEND:{end}", time(start))
        }
        ("#", start) => format!("RECURRENCE-ID:{}", time(start)),
        ("v", version) => {
            let (sequence, day) = version.split_once('.').expect("a version and a day");
            format!("SEQUENCE:{sequence}\nDTSTAMP:2026120{day}T100000Z")
        }
        (who @ ("a" | "b" | "c"), said) => {
            let (said, status) = said
                .strip_suffix('!')
                .map_or((said, ""), |said| (said, ";SCHEDULE-STATUS=2.0"));
            let said = match said {
                "+" => ";PARTSTAT=ACCEPTED",
                "-" => ";PARTSTAT=DECLINED",
                "?" => ";PARTSTAT=TENTATIVE",
                "0" => ";PARTSTAT=NEEDS-ACTION",
                _ => "",
            };
            format!("ATTENDEE{said}{status}:mailto:{who}@example.com")
        }
        _ => whole_word(word),
    }
}

fn whole_word(word: &str) -> String {
    match word {
        "weekly" => "RRULE:FREQ=WEEKLY;COUNT=5".to_owned(),
        "off" => "STATUS:CANCELLED".to_owned(),
        "todo" => String::new(),
        "mine" => "BEGIN:VALARM\nACTION:DISPLAY\nDESCRIPTION:Mine\nTRIGGER:-PT30M\nEND:VALARM".to_owned(),
        "theirs" => "BEGIN:VALARM\nACTION:AUDIO\nATTACH:https://evil.example/ring.au\nTRIGGER:PT0S\nEND:VALARM".to_owned(),
        line => line.to_owned(),
    }
}
