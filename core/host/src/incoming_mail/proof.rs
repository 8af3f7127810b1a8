//! Who says so. A mail's From proves nothing; what proves it is that the mail came to an address that one guest alone was
//! told, or the verdict of our mail server.

use convoke_calendar::message::{Message, Method, Provenance};
use convoke_imip::{Evidence, Incoming, Verdict};
use convoke_scheduling::Guest;
use convoke_types::{CalendarAddress, MailProof};

/// Who sends a message, and by what that is proved. Only `prove` makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Proved {
    pub(super) originator: CalendarAddress,
    pub(super) how: MailProof,
}

/// Who sends the message, or why nobody is proved to.
///
/// The token of `guest` proves that guest, about that meeting, whatever From is: answers are sent from other addresses of the
/// same person, and by the buttons of providers, which nothing else proves. Anybody else whom the message speaks for has been
/// forwarded the invitation, and is proved as where there is no token. It proves answers alone: whoever was shown the address that
/// an answer of ours has told its organizer must not be able to move that meeting, or to call it off.
///
/// DMARC and DKIM vouch for a domain, of which anybody may be a customer: From has to be the ORGANIZER or ATTENDEE that the
/// message speaks for, and SENT-BY counts for nothing.
pub(super) fn prove(
    incoming: &Incoming,
    message: &Message,
    guest: Option<&Guest>,
) -> Result<Proved, String> {
    if let Some(guest) = guest
        && guest.uid == *message.uid()
        && answers(message.method())
        && speaks_for(message, &guest.recipient)
    {
        return Ok(Proved {
            originator: guest.recipient.clone(),
            how: MailProof::Token,
        });
    }
    let Some(from) = &incoming.from else {
        return Err("From is not exactly one address".to_owned());
    };
    let from = &from.address;
    let how = match (incoming.proves(from), &incoming.verdict) {
        (Some(Evidence::Dmarc(_)), _) => MailProof::Dmarc,
        (Some(Evidence::Dkim(_)), _) => MailProof::Dkim,
        (_, verdict @ Verdict::Absent) => {
            return Err(format!("{verdict} (see `trusted` in [mail])"));
        }
        (_, verdict) => return Err(verdict.to_string()),
    };
    match message.check_originator(from, Provenance::Mail) {
        Ok(_) => Ok(Proved {
            originator: from.clone(),
            how,
        }),
        Err(error) => Err(format!("From is {}: {error}", from.human())),
    }
}

/// Whether a message answers one that was mailed.
const fn answers(method: Method) -> bool {
    match method {
        Method::Reply | Method::Counter | Method::Refresh | Method::DeclineCounter => true,
        Method::Request | Method::Cancel | Method::Add | Method::Publish => false,
    }
}

/// Whether the address is the ORGANIZER or ATTENDEE that the message speaks for.
fn speaks_for(message: &Message, address: &CalendarAddress) -> bool {
    message.check_originator(address, Provenance::Mail).is_ok()
}
