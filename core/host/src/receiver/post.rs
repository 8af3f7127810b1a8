//! A scheduling message, from HTTP request to answer: the checks of spec §6 in their order.

use super::{
    answer::{delivered, document, empty, later, refused},
    gate::{self, Later},
    identify::identify,
    replay::{Key, Repeatable},
    room::Room,
};
use crate::{
    config::Attachment,
    delivery::{Delivered, Envelope},
    serve::Node,
    throttle::Peer,
};
use bytes::Bytes;
use convoke_calendar::{
    message::{Kind, Message, Method, Provenance},
    recurrence::RecurrenceError,
    tree::{Calendar, Component},
    zone::unknown_names,
};
use convoke_ischedule::{
    ContentType, ErrorElement, Facts, Recipient, RecipientResponse, Refusal, RequestHeaders,
    ScheduleResponse,
};
use convoke_net::http_server::{Arrival, Body, BodyError, Holding, Response, read_body};
use convoke_types::{CalendarAddress, RequestStatus};
use futures::{FutureExt, StreamExt, future::BoxFuture, stream};
use http::{HeaderMap, Request, StatusCode};
use jiff::Timestamp;
use std::{collections::BTreeSet, sync::Arc};

/// Recipients of one message that are served at once.
const PARALLEL: usize = 16;

/// A message whose form is right: header, body, and that the two fit.
pub(crate) struct Posted {
    /// What the header says.
    pub(crate) headers: RequestHeaders,
    /// The header itself.
    pub(crate) fields: HeaderMap,
    /// The body as it came.
    pub(crate) body: Bytes,
    /// What it takes of the memory for bodies.
    holding: Holding,
}

/// Answers a POST of a remote peer.
pub(super) async fn receive(
    node: &Arc<Node>,
    arrival: &Arrival,
    request: Request<Body>,
) -> Response {
    let mut posted = match read(node, arrival, request).await {
        Ok(posted) => posted,
        Err(response) => return response,
    };
    let room = Room::new(&node.gate, arrival.address.ip());
    match process(node, arrival, &mut posted, &room).await {
        Ok(document) => delivered(arrival, room, document).await,
        Err(Stop::Refused(refusal)) => {
            tracing::info!(peer = %arrival.address, originator = %posted.headers.originator, "refused: {refusal}");
            refused(&refusal)
        }
        Err(Stop::Later(wait)) => {
            tracing::info!(peer = %arrival.address, originator = %posted.headers.originator, "later: {}", wait.reason);
            later(&wait)
        }
    }
}

/// Why a message is not delivered to anybody.
pub(crate) enum Stop {
    /// It is wrong.
    Refused(Refusal),
    /// It cannot be judged, or worked on, now.
    Later(Later),
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Later> for Stop {
    fn from(wait: Later) -> Self {
        Self::Later(wait)
    }
}

/// Size limit, header, body: everything that can be said before the body is understood.
pub(crate) async fn read(
    node: &Node,
    arrival: &Arrival,
    request: Request<Body>,
) -> Result<Posted, Response> {
    let most = node.config.limits.content_length;
    let too_long = || {
        let text = format!("the message is longer than {most} bytes");
        refused(&Refusal::new(ErrorElement::MaxContentLength, text))
    };
    let (parts, body) = request.into_parts();
    // Before the body is asked for: a sender that waits for `100 Continue` is spared sending it.
    if body.announced().is_some_and(|length| length > most as u64) {
        return Err(too_long());
    }
    let headers = RequestHeaders::read(&parts.headers).map_err(|refusal| refused(&refusal))?;
    if headers.recipients.len() > node.config.limits.recipients {
        let text = format!(
            "there are more than {} recipients",
            node.config.limits.recipients
        );
        return Err(refused(&Refusal::new(ErrorElement::MaxRecipients, text)));
    }
    let mut holding = node.gate.bodies.hold(arrival.address.ip());
    let fields = (parts.headers.iter()).map(|(name, value)| name.as_str().len() + value.len());
    let header: usize = fields.sum();
    (holding.grow(gate::BESIDE + header).await).map_err(|short| later(&short.into()))?;
    let time = node.config.limits.connection.body_time;
    let body = match read_body(body, most, time, &mut holding).await {
        Ok(body) => body,
        Err(BodyError::TooLong) => return Err(too_long()),
        Err(BodyError::TooSlow) => return Err(empty(StatusCode::REQUEST_TIMEOUT, &[])),
        Err(BodyError::Broken) => return Err(empty(StatusCode::BAD_REQUEST, &[])),
        Err(BodyError::NoMemory) => {
            let text = "there was no memory left for the message, or it came too slowly to keep it";
            tracing::info!(event = "no-memory", peer = %arrival.address, "{text}");
            return Err(later(&Later::unavailable(text)));
        }
        Err(BodyError::Ending) => {
            return Err(later(&Later::unavailable("this server is being restarted")));
        }
    };
    Ok(Posted {
        headers,
        fields: parts.headers,
        body,
        holding,
    })
}

async fn process(
    node: &Arc<Node>,
    arrival: &Arrival,
    posted: &mut Posted,
    room: &Room,
) -> Result<Bytes, Stop> {
    let now = Timestamp::now();
    let peer = identify(
        &node.config,
        &node.keys,
        arrival,
        &posted.fields,
        &posted.body,
        &posted.headers.originator,
        now,
    )
    .await?;
    // Only now: nobody else waits while a stranger's name servers take their time.
    let turn = node.gate.turn_for(posted.body.len()).await?;
    let limits = &node.config.limits;
    gate::admit_peer(&node.lasting.paces, limits, arrival, peer.counted())?;
    if let Peer::Domain(proven) = peer.counted() {
        (posted.holding.belongs_to(proven).await).map_err(Later::from)?;
    }
    let posted = &*posted;
    let Posted { headers, body, .. } = posted;
    let proven = peer.domains();
    let from = Provenance::Peer { proven: &proven };
    let message = parse(node, posted, from, now).await?;
    refuse_for_ours(node, &message, &headers.originator, from).await?;
    let _turn = if message.repeats_within_a_day() {
        node.gate.long_turn(turn).await?
    } else {
        turn
    };
    let envelope = Envelope {
        message: &message,
        data: body,
        originator: &headers.originator,
        from,
        proofs: peer.proofs(),
        peer: peer.counted(),
        now,
        effort: node.lasting.labour.effort(peer.counted()),
    };
    let work = async {
        let responses = deliver_all(node, &envelope, &headers.recipients, room).await;
        ScheduleResponse { responses }
    };
    Ok(match peer.signed() {
        None => document(&work.await),
        Some(signed) => {
            let repeatable = Repeatable {
                key: Key::of(&posted.fields, signed),
                kind: message.kind(),
                peer: peer.counted(),
                // What nothing ends is remembered as long as what ends.
                until: signed.expires().unwrap_or_else(|| {
                    let longest = now.saturating_add(node.config.verification.lifetime.max_age);
                    longest.unwrap_or(Timestamp::MAX)
                }),
            };
            node.lasting.replays.answer(repeatable, now, work).await
        }
    })
}

/// The body as a message that fits its header and our capabilities.
pub(crate) async fn parse(
    node: &Node,
    posted: &Posted,
    from: Provenance<'_>,
    now: Timestamp,
) -> Result<Message, Refusal> {
    let labour = &node.lasting.labour;
    labour
        .done(posted.body.len(), || read_message(node, posted, from, now))
        .await
}

fn read_message(
    node: &Node,
    posted: &Posted,
    from: Provenance<'_>,
    now: Timestamp,
) -> Result<Message, Refusal> {
    let RequestHeaders {
        originator,
        recipients,
        content,
        ..
    } = &posted.headers;
    let calendar = Calendar::parse(&posted.body, &node.delivery.limits())
        .map_err(|error| Refusal::new(ErrorElement::InvalidCalendarData, error.to_string()))?;
    let invalid = |text: String| Refusal::new(ErrorElement::InvalidSchedulingMessage, text);
    // Before anything looks at each of them (spec §9).
    let most = node.config.limits.attendees;
    let of_one = |component: &Component| component.all("ATTENDEE").count();
    let too_many = || Refusal {
        status: StatusCode::FORBIDDEN,
        ..invalid(format!("there are more than {most} attendees"))
    };
    if calendar.main_components().any(|it| of_one(it) > most) {
        return Err(too_many());
    }
    let message = Message::read(calendar).map_err(|error| {
        let element = if error.is_calendar_data() {
            ErrorElement::InvalidCalendarData
        } else {
            ErrorElement::InvalidSchedulingMessage
        };
        Refusal::new(element, error.in_source(&posted.body).status().to_string())
    })?;
    if message.attendees().len() > most {
        return Err(too_many());
    }
    message
        .check_written_by(now)
        .map_err(|error| invalid(error.in_source(&posted.body).status().to_string()))?;
    check_content_type(content, &message).map_err(invalid)?;
    // Spec §5: what is asked is answered in the answer to the POST.
    if (message.kind(), message.method()) == (Kind::FreeBusy, Method::Reply) {
        let text = "a REPLY about busy time is not posted: it is the answer to the POST that asks";
        return Err(invalid(text.to_owned()));
    }
    message
        .check_originator(originator, from)
        .map_err(|error| Refusal::new(ErrorElement::OriginatorInvalid, error.to_string()))?;
    check_recipients(&message, recipients)?;
    check_limits(node, &message, posted.body.len())?;
    Ok(message)
}

/// Spec §5: both parameters of the Content-Type agree with the body.
fn check_content_type(content: &ContentType, message: &Message) -> Result<(), String> {
    let (method, component) = (message.method().as_str(), message.kind().as_str());
    let mut parts = BTreeSet::new();
    name_parts(message.calendar().root(), &mut parts);
    let parts: Vec<&str> = parts.into_iter().collect();
    if method == content.method && content.names(component, &parts) {
        return Ok(());
    }
    Err(format!(
        "the Content-Type says `{content}`, the body is a {method} of a {component}"
    ))
}

/// The components inside another, however deep: a VALARM stands in its VEVENT.
fn name_parts<'c>(component: &'c Component, names: &mut BTreeSet<&'c str>) {
    for inner in &component.components {
        names.insert(&inner.name);
        name_parts(inner, names);
    }
}

/// Spec §9: whatever another server proved, it speaks for none of our own people, be it by SENT-BY.
async fn refuse_for_ours(
    node: &Node,
    message: &Message,
    originator: &CalendarAddress,
    from: Provenance<'_>,
) -> Result<(), Refusal> {
    let invalid = |text: String| Refusal::new(ErrorElement::OriginatorInvalid, text);
    let principal = message
        .check_originator(originator, from)
        .map_err(|error| invalid(error.to_string()))?;
    // A store that cannot be asked has the last word when it can.
    if node.delivery.is_ours(&principal).await.unwrap_or(true) {
        return Err(invalid(format!(
            "{principal} is one of this server's own people; no other server sends for them"
        )));
    }
    Ok(())
}

fn check_recipients(message: &Message, recipients: &[Recipient]) -> Result<(), Refusal> {
    let mismatch = |text: String| Refusal::new(ErrorElement::RecipientMismatch, text);
    if message.kind() == Kind::FreeBusy {
        // Spec §5: the exact ATTENDEE set.
        let named = |recipient: &&Recipient| {
            message
                .attendees()
                .iter()
                .any(|it| it.same_user(&recipient.address))
        };
        let asked = |attendee| recipients.iter().any(|it| it.address.same_user(attendee));
        if !recipients.iter().all(|recipient| named(&recipient))
            || !message.attendees().iter().all(asked)
        {
            return Err(mismatch(
                "the Recipients are not exactly the ATTENDEEs of the VFREEBUSY".to_owned(),
            ));
        }
        return Ok(());
    }
    // One stray recipient is refused by itself (see `deliver_all`); if all are, the request is.
    let checks = recipients
        .iter()
        .map(|recipient| message.check_recipient(&recipient.address));
    let mut errors = Vec::new();
    for check in checks {
        match check {
            Ok(()) => return Ok(()),
            Err(error) => errors.push(error),
        }
    }
    errors
        .first()
        .map_or(Ok(()), |error| Err(mismatch(error.to_string())))
}

fn check_limits(node: &Node, message: &Message, size: usize) -> Result<(), Refusal> {
    let attachments = message.attachments();
    let taken = &node.config.limits.attachments;
    for (there, form, name) in [
        (attachments.inline, Attachment::Inline, "inline"),
        (attachments.external, Attachment::External, "external"),
    ] {
        if there && !taken.contains(&form) {
            let text = format!("{name} attachments are not taken here");
            return Err(Refusal::new(ErrorElement::AttachmentTypeNotSupported, text));
        }
    }
    let instances = message
        .instances(node.config.limits.instances)
        .map_err(|error| {
            let element = match &error {
                RecurrenceError::TooMany(_) | RecurrenceError::TooMuchWork => {
                    ErrorElement::MaxInstances
                }
                _ => ErrorElement::InvalidSchedulingMessage,
            };
            Refusal::new(element, error.to_string())
        })?;
    let facts = Facts {
        instances: instances as u64,
        earliest: message.earliest(),
        latest: message.latest(),
        ..Facts::new(
            message.kind().as_str(),
            message.method().as_str(),
            size as u64,
        )
    };
    node.published
        .capabilities()
        .permits(&facts)
        .map_err(convoke_ischedule::Unfit::into_refusal)
}

/// Delivers to each recipient, a few at a time; one response each, in their order.
pub(crate) async fn deliver_all(
    node: &Arc<Node>,
    envelope: &Envelope<'_>,
    recipients: &[Recipient],
    room: &Room,
) -> Vec<RecipientResponse> {
    if !recipients.is_empty() {
        log_unknown_zones(envelope);
    }
    let deliver = |recipient| async move {
        let delivered = deliver_one(node, envelope, recipient).await;
        Delivered {
            response: room.admit(delivered.response).await,
            ..delivered
        }
    };
    let deliveries: Vec<BoxFuture<Delivered>> = recipients
        .iter()
        .map(|recipient| deliver(recipient).boxed())
        .collect();
    let delivered: Vec<Delivered> = stream::iter(deliveries).buffered(PARALLEL).collect().await;
    let (responses, outgoing): (Vec<_>, Vec<_>) = delivered
        .into_iter()
        .map(|one| (one.response, one.outgoing))
        .unzip();
    node.lasting.metrics.delivered(envelope.message, &responses);
    for message in outgoing.into_iter().flatten() {
        node.send_in_background(message);
    }
    responses
}

/// A time in a zone that nobody knows is read in each recipient's own zone.
fn log_unknown_zones(envelope: &Envelope<'_>) {
    for tzid in unknown_names(envelope.message.calendar()) {
        tracing::warn!(
            event = "unknown-time-zone",
            originator = %envelope.originator,
            uid = %envelope.message.uid(),
            tzid,
            "a message names a time zone that it does not describe and nobody knows; the recipient's own is taken"
        );
    }
}

async fn deliver_one(node: &Node, envelope: &Envelope<'_>, recipient: &Recipient) -> Delivered {
    let message = envelope.message;
    if message.kind() != Kind::FreeBusy && message.check_recipient(&recipient.address).is_err() {
        let status = RequestStatus::INVALID_CALENDAR_USER;
        let mut response = RecipientResponse::new(&recipient.as_sent, status);
        response.error = Some(ErrorElement::RecipientMismatch);
        return Delivered {
            response,
            outgoing: Vec::new(),
        };
    }
    node.delivery.deliver(envelope, recipient).await
}
