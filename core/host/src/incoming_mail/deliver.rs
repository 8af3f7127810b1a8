//! A scheduling message that came by mail goes the way that all go: intake, policy, delivery.

use super::{Addressee, Outcome, proof::prove};
use crate::{instance::Instance, rate_limit::peer};
use convoke_calendar::{
    message::{Kind, Message, Method, Provenance},
    tree::Component,
};
use convoke_imip::{CalendarPart, Incoming};
use convoke_plugin_host::origin::Origin;
use convoke_scheduling::{
    Answering, Condition, Effort, Envelope, Guest, Home, Intake, Retry, TransportFacts, Unbounded,
};
use convoke_types::{CalendarAddress, CalendarUser, Proof};
use jiff::Timestamp;
use std::net::Ipv4Addr;

/// Delivers the message to one recipient.
pub(super) async fn deliver(
    instance: &Instance,
    incoming: &Incoming,
    part: &CalendarPart,
    addressee: &Addressee,
    recipient: &CalendarAddress,
) -> Outcome {
    let (home, guest, recipient) = match addressee {
        Addressee::Person(home) => (home, None, recipient),
        Addressee::Guest(guest, home) => (home, Some(guest), &guest.user),
        Addressee::Gateway | Addressee::Mailbox => {
            return Outcome::Dropped("the gateway has no calendar of its own".to_owned());
        }
    };
    let method = Method::parse(&part.method());
    if matches!(method, None | Some(Method::Publish)) {
        return Outcome::Dropped(format!("METHOD:{} asks nothing of anybody", part.method()));
    }
    let message = match read(part, home.user(), recipient, guest) {
        Ok(message) => message,
        Err(why) => return Outcome::Unreadable(why),
    };
    if message.kind() == Kind::FreeBusy {
        return Outcome::Refused("busy time is not told by mail".to_owned());
    }
    let proved = match prove(incoming, &message, guest) {
        Ok(proved) => proved,
        Err(why) => return Outcome::Refused(format!("not proved: {why}")),
    };
    let recipient = match addressed(&message, home.user(), recipient) {
        Ok(recipient) => recipient,
        Err(why) => return Outcome::Refused(why),
    };
    let proofs = [Proof::Mail(proved.originator.clone(), proved.how)];
    let origin = Origin::of(&proved.originator, &proofs);
    let handing_in = hand_in(
        instance,
        incoming,
        &message,
        &proofs,
        &proved.originator,
        recipient,
    );
    origin.ask(handing_in).await
}

/// The message, valid by itself. Exchange's answers name no ORGANIZER: whoever they come to is meant. What comes to the address
/// of a guest's is about that meeting: Google may name another ORGANIZER, that of a copy.
fn read(
    part: &CalendarPart,
    user: &CalendarUser,
    recipient: &CalendarAddress,
    guest: Option<&Guest>,
) -> Result<Message, String> {
    let mut uids = part.calendar.main_components().filter_map(Component::uid);
    let is_of_guest = guest.is_some_and(|guest| uids.all(|uid| uid == guest.uid));
    let mut components = part.calendar.main_components();
    let is_nameless = components.all(|it| it.get("ORGANIZER").is_none());
    let organizer = (is_nameless || is_of_guest).then(|| own_address(user, recipient));
    let message = part.message(organizer);
    message.map_err(|error| error.in_source(&part.octets).to_string())
}

/// The address that was written to, as the calendar user has it.
fn own_address<'a>(user: &'a CalendarUser, recipient: &'a CalendarAddress) -> &'a CalendarAddress {
    if user.answers_to(recipient) {
        recipient
    } else {
        &user.address
    }
}

/// The address of the calendar user that the message is for: mail may have come by another one of them.
fn addressed(
    message: &Message,
    user: &CalendarUser,
    recipient: &CalendarAddress,
) -> Result<CalendarAddress, String> {
    let own = [recipient, &user.address].into_iter().chain(&user.aliases);
    let mut refusal = None;
    for address in own {
        match message.check_recipient(address) {
            Ok(()) => return Ok(address.clone()),
            Err(error) => refusal = refusal.or(Some(error)),
        }
    }
    let why = refusal.map(|error| error.to_string()).unwrap_or_default();
    Err(format!("it is not for {}: {why}", recipient.human()))
}

async fn hand_in(
    instance: &Instance,
    incoming: &Incoming,
    message: &Message,
    proofs: &[Proof],
    originator: &CalendarAddress,
    recipient: CalendarAddress,
) -> Outcome {
    let scheduler = &instance.scheduler;
    let data = message.calendar().write();
    let recipients = [recipient];
    let now = Timestamp::now();
    let intake = Intake {
        data: &data,
        originator,
        recipients: &recipients,
        from: Provenance::Mail,
        now,
    };
    let message = match scheduler.read(&intake, |_| Ok(())).await {
        Ok(message) => message,
        Err(refusal) => {
            return match refusal.condition {
                Condition::CalendarData | Condition::SchedulingMessage => {
                    Outcome::Unreadable(refusal.text)
                }
                _ => Outcome::Refused(refusal.text),
            };
        }
    };
    let envelope = Envelope {
        message: &message,
        data: &data,
        originator,
        from: Provenance::Mail,
        proofs,
        peer: &peer(proofs, Ipv4Addr::LOCALHOST.into()),
        transport: TransportFacts {
            address: None,
            message_id: incoming.message_id.as_deref(),
        },
        now,
        answering: if incoming.origin.may_be_answered() {
            Answering::Allowed
        } else {
            Answering::Never
        },
        effort: Effort::default(),
    };
    let delivered = scheduler.deliver(&envelope, &recipients, &Unbounded).await;
    let Some(outcome) = delivered.into_iter().next() else {
        return Outcome::Later("nothing became of it".to_owned());
    };
    match outcome.retry {
        _ if !outcome.status.is_failure() => Outcome::Taken(outcome.status.to_string()),
        Retry::No | Retry::ByMail => Outcome::Refused(outcome.status.to_string()),
        Retry::Recipient(_) | Retry::Receiver(_) => Outcome::Later(outcome.status.to_string()),
    }
}
