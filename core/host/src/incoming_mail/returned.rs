//! What comes to the address of one guest and is no scheduling message: reports on what was mailed, and people's own words.

use super::{IncomingMail, Outcome, Passing, pass_on};
use crate::{instance::Instance, mail::NotTaken};
use convoke_imip::{Action, Bounce, DeliveryReport, addr_spec};
use convoke_scheduling::{Bounced, Guest};
use convoke_types::CalendarAddress;
use sha2::{Digest, Sha256};

const NOTHING_FAILED: &str = "a report that nothing has failed for good";
/// The longest reason that is kept of a report, in characters.
const LONGEST: usize = 200;

/// A report on what was mailed to the guest (RFC 3464).
pub(super) async fn bounce(instance: &Instance, guest: &Guest, bounce: &Bounce) -> Outcome {
    match failed(bounce) {
        Some(report) => note(instance, guest, bounce.message_id.as_deref(), report).await,
        None => Outcome::Dropped(NOTHING_FAILED.to_owned()),
    }
}

/// A report that came to the gateway itself: some mail servers drop what is behind the `+`. The mail that comes back in it
/// names the guest by its Message-ID, which nobody else can tell, but whoever was shown that mail: only what the report says of
/// that very guest counts.
pub(super) async fn bounce_to_gateway(instance: &Instance, bounce: &Bounce) -> Outcome {
    let Some(report) = failed(bounce) else {
        return Outcome::Dropped(NOTHING_FAILED.to_owned());
    };
    let Some(message_id) = &bounce.message_id else {
        return Outcome::Dropped("a report that does not say on which mail".to_owned());
    };
    let guest = match instance.scheduler.guest_mailed(message_id).await {
        Ok(guest) => guest,
        Err(error) => return Outcome::Later(error.to_string()),
    };
    let is_about = |guest: &Guest| {
        let recipient = report.recipient.as_ref();
        recipient.is_some_and(|it| it.same_user(&guest.recipient))
    };
    match guest {
        Some(guest) if is_about(&guest) => note(instance, &guest, Some(message_id), report).await,
        Some(_) => Outcome::Dropped("a report on somebody to whom the mail did not go".to_owned()),
        None => Outcome::Dropped("a report on a mail to no guest of a meeting".to_owned()),
    }
}

/// The first that has failed for good.
fn failed(bounce: &Bounce) -> Option<&DeliveryReport> {
    let mut reports = bounce.reports.iter();
    reports.find(|report| report.action == Action::Failed)
}

async fn note(
    instance: &Instance,
    guest: &Guest,
    mail: Option<&str>,
    report: &DeliveryReport,
) -> Outcome {
    let code = report.status.as_deref().unwrap_or_default();
    let reason = format!("not delivered: {code} {}", report.text);
    let reason: String = reason.trim_end().chars().take(LONGEST).collect();
    match instance.scheduler.note_bounce(guest, mail, &reason).await {
        Ok(Bounced::Noted) => Outcome::Taken(reason),
        Ok(Bounced::Known) => Outcome::Dropped("a report on what is known already".to_owned()),
        Err(error) => Outcome::Later(error.to_string()),
    }
}

/// A person answers in words: they are for whoever sent the meeting.
pub(super) async fn words(
    instance: &Instance,
    settings: &IncomingMail,
    mail: Passing<'_>,
    guest: &Guest,
) -> Outcome {
    if let Some(server) = &settings.pass_on {
        return pass_on::pass_on(server, settings, mail, &guest.user).await;
    }
    let Some(mailer) = instance.mailer() else {
        return Outcome::Later("there is no [mail] in the configuration".to_owned());
    };
    let (Ok(gateway), Ok(envelope_to)) = (
        addr_spec(settings.gateway.address()),
        addr_spec(&guest.user),
    ) else {
        return Outcome::Refused(format!("{} is no mail address", guest.user.human()));
    };
    let mut words = convoke_imip::Mail {
        smtputf8: !mail.sender.is_ascii() || !envelope_to.is_ascii(),
        envelope_from: mail.sender.to_owned(),
        // What goes on is one mail to one person, whatever others have by the same Message-ID.
        message_id: words_id(mail.octets, &envelope_to),
        envelope_to,
        octets: resent(settings, mail.octets, guest),
    };
    // Whoever wrote is told if it does not arrive. Mail servers that send for their own domains only do not take such a sender.
    let sent = match mail.sender {
        "" => Err(NotTaken::Unavailable(String::new())),
        _ => mailer.pass_on(guest, &words).await,
    };
    let sent = match sent {
        Err(NotTaken::Unavailable(_) | NotTaken::Refused(_)) => {
            words.smtputf8 = !gateway.is_ascii() || !words.envelope_to.is_ascii();
            words.envelope_from = gateway;
            mailer.pass_on(guest, &words).await
        }
        sent => sent,
    };
    match sent {
        Ok(_) => Outcome::PassedOn(format!("to {}", guest.user.human())),
        // It knows the recipient: who wrote is to hear of it.
        Err(NotTaken::Refused(reply)) => Outcome::MailboxRefused(reply),
        Err(
            NotTaken::Later(reply)
            | NotTaken::Unavailable(reply)
            | NotTaken::InDoubt(reply)
            | NotTaken::Silent(reply),
        ) => Outcome::Later(reply),
    }
}

/// The name of a mail that goes on to somebody, while it is on its way: the same for the same mail.
fn words_id(octets: &[u8], to: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(to);
    hash.update([0]);
    hash.update(octets);
    format!("words-{:x}", hash.finalize())
}

/// The mail as it came, with the fields of who passes it on (RFC 5322 §3.6.6) above its own.
fn resent(settings: &IncomingMail, octets: &[u8], guest: &Guest) -> Vec<u8> {
    let gateway = settings.gateway.address();
    let received = pass_on::received(settings);
    let date = received.rsplit("; ").next().unwrap_or_default();
    let head = format!(
        "{received}Resent-From: <{}>\r\nResent-To: <{}>\r\nResent-Date: {date}",
        written(gateway),
        written(&guest.user),
    );
    let mut resent = head.into_bytes();
    resent.extend(convoke_lmtp::with_line_ends(octets));
    resent
}

/// As it stands in a header field.
fn written(address: &CalendarAddress) -> String {
    addr_spec(address).unwrap_or_else(|_| address.human().to_owned())
}
