//! Texts beside answers, of programs and of people.

use crate::{Arrival, Incoming, ReturnPath, read};

/// A REPLY of Bo's, with header fields and a text.
fn answered(fields: &str, text: &str, more: &str) -> Incoming {
    let mail = format!(
        "From: Bo Lee <bo@example.com>\nMessage-ID: <1@example.com>\n{fields}MIME-Version: 1.0\n\
         Content-Type: multipart/alternative; boundary=\"b\"\n\n--b\nContent-Type: text/plain; charset=utf-8\n\
         Content-Transfer-Encoding: 8bit\n\n{text}\n--b\nContent-Type: text/calendar; method=REPLY; charset=utf-8\n\
         Content-Transfer-Encoding: 8bit\n\nBEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\nMETHOD:REPLY\nBEGIN:VEVENT\nUID:1\n\
         DTSTAMP:20261101T080000Z\nORGANIZER:mailto:anna@example.org\n\
         ATTENDEE;CN=Bo;PARTSTAT=ACCEPTED:mailto:bo@home.example\nSUMMARY:Tea\\, and cake\n{more}END:VEVENT\nEND:VCALENDAR\n\
         --b--\n"
    );
    let limits = convoke_calendar::tree::Limits::default();
    let arrival = Arrival {
        return_path: ReturnPath::Address("bo@example.com".to_owned()),
        trusted: &[],
        limits: &limits,
    };
    read(mail.as_bytes(), &arrival)
}

const GOOGLE: &str =
    "Sender: Google Calendar <calendar-notification@google.com>\nAuto-Submitted: auto-generated\n";

#[test]
fn what_programs_write_is_nobodys_words() {
    for (fields, text) in [
        ("", ""),
        ("", "\u{a0}\n\u{feff}\n\u{200b}"),
        (GOOGLE, "Bo Lee has accepted this invitation."),
        (GOOGLE, "bo@home.example hat diese Einladung\nangenommen."),
        ("", "Bo Lee a accepté cette invitation."),
        (
            "",
            "Bo Lee a répondu «\u{a0}Peut-être\u{a0}» à cette invitation.",
        ),
        ("", "Bo ha rechazado esta invitación."),
        (
            "",
            "Bo <bo@home.example> has accepted your event invitation.",
        ),
        (
            "",
            "Bo Lee <bo@example.com> hat Ihre Termineinladung akzeptiert.",
        ),
        ("", "BO HAS ACCEPTED"),
        ("", "Bo hat „Tea, and cake“ zugesagt."),
        (
            "",
            "bo@home.example accepted your invitation to Tea, and cake",
        ),
        (
            "",
            "Yes, I will attend.\n\nGet Outlook for iOS<https://aka.ms/o0ukef>",
        ),
        ("", "Von meinem iPhone gesendet"),
        (
            "",
            "Bo has accepted the invitation.\nTea, and cake\nSent from my iPad",
        ),
        (
            GOOGLE,
            "Bo Lee has accepted this invitation.\n\nTea, and cake\nMonday 4 Jan 2027 ⋅ 10am – 11:30am\nCentral European Time\n\n\
             Guests\nanna@example.org - organizer\n\nInvitation from Google Calendar: https://calendar.google.com/calendar/\n\n\
             You are receiving this email because you are subscribed to calendar notifications.",
        ),
    ] {
        let mail = answered(fields, text, "");
        assert!(!mail.has_words_beside_answer(), "{text:?}");
    }
}

#[test]
fn what_is_not_known_is_somebodys_words() {
    for (fields, text) in [
        ("", "I shall be late."),
        ("", "Accepted, and I bring cake"),
        ("", "Bo has accepted.\nI bring cake."),
        ("", "Bo has accepted.\n\nI bring cake."),
        ("", "I bring cake.\n\nSent from my iPhone"),
        // Of somebody else it may be anything.
        ("", "Carl has accepted this invitation."),
        ("", "Bo has accepted this invitation. Carl has not."),
        (
            GOOGLE,
            "Bo Lee has declined this invitation with a note: “I am ill”",
        ),
        (
            GOOGLE,
            "Bo Lee has declined this invitation with a note:\n\n“I am ill”\n\n\
             Invitation from Google Calendar: https://calendar.google.com/calendar/",
        ),
        // Whoever is not that program may write anything in between.
        (
            "",
            "Bo Lee has accepted this invitation.\n\nBut not for long.\n\nInvitation from Google Calendar: https://example.com",
        ),
        // It may be a note, of which nobody knows how it ends.
        (
            GOOGLE,
            "Bo Lee has accepted this invitation.\n\nBut not for long.",
        ),
        ("", "👍"),
        ("", "好的"),
        ("", "> Tea"),
        ("Auto-Submitted: no\n", "ok"),
    ] {
        let mail = answered(fields, text, "");
        assert!(mail.has_words_beside_answer(), "{text:?}");
    }
}

#[test]
fn what_the_answer_says_itself_needs_no_mail() {
    let comment = "COMMENT:Ask Carl\\, he knows.\\n\\nOr Dora.\n";
    for text in [
        "Ask Carl, he knows.\n\nOr Dora.",
        "ask Carl, he  knows\nOr Dora.",
        "Bo has declined.\n\nAsk Carl, he knows.\n\nOr Dora.",
    ] {
        assert!(
            !answered("", text, comment).has_words_beside_answer(),
            "{text:?}"
        );
        assert!(answered("", text, "").has_words_beside_answer(), "{text:?}");
    }
    let text = "Ask Carl, he knows. Not Dora.";
    assert!(answered("", text, comment).has_words_beside_answer());
}

#[test]
fn what_answers_by_itself_or_goes_to_many_has_no_words() {
    for fields in [
        "Auto-Submitted: auto-replied\n",
        "Auto-Submitted: auto-notified\n",
        "X-Autoreply: yes\n",
        "Precedence: bulk\n",
        "List-Id: <a.example.org>\n",
    ] {
        let mail = answered(fields, "I am away until Monday.", "");
        assert!(!mail.has_words_beside_answer(), "{fields}");
    }
    let mut ours = answered("", "When: Monday", "");
    assert!(ours.has_words_beside_answer());
    let crate::Content::Scheduling(part) = &mut ours.content else {
        panic!("{ours:?}");
    };
    let product = convoke_calendar::tree::Property::new("PRODID", "-//Convoke//Convoke//EN");
    part.calendar.root_mut().set(product);
    assert!(!ours.has_words_beside_answer());
}

/// A text of many paragraphs takes no longer than as many letters.
#[test]
fn a_long_text_is_compared_in_one_go() {
    let text = "Tea, and cake\n\n".repeat(4_000);
    assert!(!answered("", &text, "").has_words_beside_answer());
    assert!(answered("", &(text + "?"), "").has_words_beside_answer());
}
