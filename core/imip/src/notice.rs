//! Short mails to our own people: what their calendar program does not show them.

use crate::body::Body;
use crate::clock::Voice;
use crate::compose::Recipient;
use crate::language::{Notices, fill};
use crate::mail::{Head, Mail, write};
use crate::mailbox::{Mailbox, NotMailable, one_line};
use crate::meeting::{Meeting, paragraphs};
use crate::message_id::{digest, thread_id_of};
use crate::token::Gateway;
use convoke_calendar::itip::PartStat;
use convoke_calendar::tree::Calendar;
use convoke_types::Uid;
use jiff::{Timestamp, tz::TimeZone};

/// What somebody is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Occasion<'a> {
    /// A message could not be delivered to the other for good, and why.
    Undeliverable(&'a str),
    /// The other proposes a change (COUNTER), which waits for a decision.
    Proposal,
    /// An invitation of somebody unknown waits for a decision.
    Held,
    /// The other has answered.
    Answered(PartStat),
}

/// A notice to be mailed.
#[derive(Clone, Debug)]
pub struct Notice<'a> {
    /// What happened.
    pub occasion: Occasion<'a>,
    /// Who is told.
    pub to: &'a Recipient,
    /// Whom it is about.
    pub other: &'a Mailbox,
    /// The meeting, as message or object.
    pub calendar: &'a Calendar,
    /// Its UID.
    pub uid: &'a Uid,
    /// The zone of who is told, for times in UTC.
    pub timezone: &'a TimeZone,
    /// The gateway, which is From and takes what bounces.
    pub gateway: &'a Gateway,
    /// The Date of the mail.
    pub date: Timestamp,
    /// What tells this notice from another about the same meeting, such as the Message-ID that failed; the same for a
    /// notice that is sent again.
    pub key: &'a str,
}

/// Writes a notice as a mail of plain text.
pub fn compose_notice(notice: &Notice) -> Result<Mail, NotMailable> {
    let language = notice.to.language;
    let phrases = language.phrases();
    let voice = Voice {
        phrases,
        timezone: notice.timezone,
    };
    let meeting = Meeting::of(notice.calendar, voice).unwrap_or_default();
    let [subject, sentence] = words(&phrases.notices, notice.occasion);
    let who = notice.other.human();
    let values = [("who", who.as_str()), ("title", meeting.title.as_str())];
    let mut footer = Vec::new();
    if let Occasion::Undeliverable(reason) = notice.occasion
        && let Some(reason) = paragraphs(reason)
    {
        footer.push(fill(
            phrases.notices.reason,
            &[("reason", &one_line(&reason))],
        ));
    }
    footer.push(phrases.notices.footer.to_owned());
    let mut rows = meeting.rows(None, voice);
    rows.retain(|row| {
        let labels = &phrases.labels;
        [labels.when, labels.place, labels.comment].contains(&row.label)
    });
    let body = Body {
        sentence: fill(sentence, &values),
        rows,
        footer,
        phrases,
        language: language.tag(),
    };
    let gateway = Mailbox::new(notice.gateway.address().clone());
    let domain = gateway.address.domain().expect("a gateway has a domain");
    let to = notice.to.mailbox.address.as_str();
    let id = digest("notice", &[notice.uid.as_str(), subject, to, notice.key]);
    let id = format!("{id}@{domain}");
    let thread = thread_id_of(notice.uid, domain);
    let head = Head {
        from: &gateway,
        sender: None,
        to: &notice.to.mailbox,
        reply_to: None,
        envelope_from: &gateway,
        subject: fill(subject, &values),
        date: notice.date,
        message_id: &id,
        in_reply_to: None,
        references: vec![&thread],
        language: language.tag(),
    };
    write(&head, &body.text(), None, None)
}

const fn words(notices: &Notices, occasion: Occasion) -> [&'static str; 2] {
    match occasion {
        Occasion::Undeliverable(_) => notices.undeliverable,
        Occasion::Proposal => notices.proposal,
        Occasion::Held => notices.held,
        Occasion::Answered(answer) => match answer {
            PartStat::Accepted | PartStat::Completed | PartStat::InProcess => notices.accepted,
            PartStat::Tentative => notices.tentative,
            PartStat::Declined => notices.declined,
            PartStat::Delegated | PartStat::NeedsAction => notices.answered,
        },
    }
}
