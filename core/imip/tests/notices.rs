//! Mails to our own people.

mod support;

use convoke_calendar::itip::PartStat;
use convoke_imip::{Language, Mail, Mailbox, Notice, Occasion, Recipient, compose_notice};
use jiff::tz::TimeZone;
use mail_parser::MessageParser;
use support::{field, gateway, invitation};

fn notice(occasion: Occasion, language: Language) -> Mail {
    let message = invitation("SUMMARY:Tea|LOCATION:Garden|DESCRIPTION:Secret");
    let other = Mailbox {
        address: "bo@b.example".parse().unwrap(),
        name: Some("Bo\r\nBcc: x@x.example".to_owned()),
    };
    let to = Recipient {
        mailbox: Mailbox::new("anna@example.org".parse().unwrap()),
        language,
    };
    let notice = Notice {
        occasion,
        to: &to,
        other: &other,
        calendar: message.calendar(),
        uid: message.uid(),
        timezone: &TimeZone::UTC,
        gateway: &gateway(),
        date: "2026-11-26T23:00:01Z".parse().unwrap(),
        key: "1",
    };
    compose_notice(&notice).unwrap()
}

#[test]
fn a_notice_is_short_and_says_what_to_do() {
    let reason = "550 5.1.1\r\nno such user";
    let mail = notice(Occasion::Undeliverable(reason), Language::English);
    let parsed = MessageParser::default().parse(&mail.octets).unwrap();
    assert_eq!(
        parsed.subject(),
        Some("Not delivered to Bo Bcc: x@x.example: Tea")
    );
    assert_eq!(
        parsed.body_text(0).unwrap().replace("\r\n", "\n"),
        "Your message about “Tea” could not be delivered to Bo Bcc: x@x.example.\n\nWhen: Monday, 4 January 2027, 10:00 – 11:30 \
         (Europe/Berlin)\nWhere: Garden\n\nReason: 550 5.1.1 no such user\n\nThis is an automatic message of your calendar \
         server.\n",
    );
    assert_eq!(parsed.parts.len(), 1, "plain text alone");
    assert_eq!(field(&mail, "Bcc"), None);
    assert_eq!(
        field(&mail, "Auto-Submitted").as_deref(),
        Some("auto-generated")
    );
    assert_eq!(
        (mail.envelope_from.as_str(), mail.envelope_to.as_str()),
        ("calendar@example.org", "anna@example.org")
    );
}

#[test]
fn each_occasion_has_its_words_in_each_language() {
    let mut subjects = std::collections::BTreeSet::new();
    let occasions = [
        Occasion::Undeliverable("no"),
        Occasion::Proposal,
        Occasion::Held,
        Occasion::Answered(PartStat::Accepted),
        Occasion::Answered(PartStat::Tentative),
        Occasion::Answered(PartStat::Declined),
        Occasion::Answered(PartStat::NeedsAction),
    ];
    for language in Language::ALL {
        for occasion in occasions {
            let mail = notice(occasion, *language);
            assert_eq!(
                mail,
                notice(occasion, *language),
                "sent again, it is the same"
            );
            subjects.insert(field(&mail, "Subject").unwrap());
        }
    }
    assert_eq!(subjects.len(), occasions.len() * Language::ALL.len());
}
