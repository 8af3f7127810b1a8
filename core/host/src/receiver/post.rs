//! A scheduling message of another server, from HTTP request to answer: the checks of spec §6 in their order.

use super::{
    identify::{VerifiedPeer, identify},
    posted::{self, Posted},
    refusal,
    rejection::Rejection,
};
use crate::{
    admission::{self, RetryAfter},
    answer::{AnswerRoom, delivered, document, refused, retry_later},
    instance::Instance,
    metrics::Stage,
    peers::{self, Came, Visit},
    replay::{Key, Lasting, Repeatable},
    wire,
};
use bytes::Bytes;
use convoke_calendar::message::Provenance;
use convoke_ischedule::Refusal;
use convoke_net::http_server::{Arrival, Body, Response};
use convoke_plugin_host::origin::Origin;
use convoke_scheduling::{Answering, Decided, Effort, Envelope, Intake, Peer};
use http::Request;
use jiff::Timestamp;
use std::sync::OnceLock;

/// Answers a POST of a remote peer.
pub(super) async fn receive(
    instance: &Instance,
    arrival: &Arrival,
    request: Request<Body>,
) -> Response {
    let metrics = &instance.shared.metrics;
    let reading = posted::read(instance, arrival, request);
    let peers = &instance.shared.peers;
    let mut posted = match metrics.timed(Stage::Body, reading).await {
        Ok(posted) => posted,
        Err(response) => {
            peers.note(&Visit::of_stranger(arrival, None), Came::unread(&response));
            return response;
        }
    };
    let room = AnswerRoom::new(&instance.admission, arrival.address.ip());
    let now = Timestamp::now();
    let (peer, processed) = match prove(instance, arrival, &posted, now).await {
        Ok(peer) => {
            let processed = process(instance, arrival, &mut posted, &peer, now, &room).await;
            (Some(peer), processed)
        }
        Err(rejection) => (None, Err(rejection)),
    };
    let originator = &posted.headers.originator;
    let visit = peer.as_ref().map_or_else(
        || Visit::of_stranger(arrival, Some(originator)),
        |peer| Visit::of(arrival, (peer.counted(), peer.proofs()), originator),
    );
    match processed {
        Ok(Answer { document, codes }) => {
            peers.note(&visit, Came::Answered(codes));
            delivered(arrival, room, document).await
        }
        Err(Rejection::Refused(refusal)) => {
            peers.note(&visit, Came::Refused(refusal.element, refusal.to_string()));
            refusal::tell(arrival, &posted, &refusal);
            note(instance, arrival, &posted, &refusal);
            refused(&refusal)
        }
        Err(Rejection::RetryAfter(wait)) => {
            peers.note(&visit, Came::PutOff(wait.reason.clone()));
            refusal::tell_later(arrival, &posted, &wait.reason);
            retry_later(&wait)
        }
    }
}

/// What a message is answered.
struct Answer {
    document: Bytes,
    /// The codes of the recipients' statuses; none, if it was answered before.
    codes: Vec<&'static str>,
}

/// Keeps for `convoke explain` that a message was refused; who sent it knows its identifier.
fn note(instance: &Instance, arrival: &Arrival, posted: &Posted, refusal: &Refusal) {
    let Some(id) = &posted.headers.message_id else {
        return;
    };
    let decided = Decided::of_message(Timestamp::now(), "refused", id);
    let mut decided = decided
        .result(refusal)
        .why("the message was refused as a whole");
    let originator = posted.headers.originator.human();
    let address = arrival.address.ip();
    decided.peer = Some(format!("{originator}, from {address}, not believed yet"));
    instance.shared.decisions.add_refusal(decided);
}

/// Who sends it.
async fn prove(
    instance: &Instance,
    arrival: &Arrival,
    posted: &Posted,
    now: Timestamp,
) -> Result<VerifiedPeer, Rejection> {
    let identified = identify(
        &instance.config,
        &instance.keys,
        arrival,
        &posted.fields,
        &posted.body,
        &posted.headers.originator,
        now,
    );
    let metrics = &instance.shared.metrics;
    metrics.timed(Stage::Identify, identified).await
}

async fn process(
    instance: &Instance,
    arrival: &Arrival,
    posted: &mut Posted,
    peer: &VerifiedPeer,
    now: Timestamp,
    room: &AnswerRoom,
) -> Result<Answer, Rejection> {
    let metrics = &instance.shared.metrics;
    // Only now: nobody else waits while a stranger's name servers take their time.
    let permit = instance.admission.permit_for(posted.body.len()).await?;
    let limits = &instance.config.limits;
    admission::admit_peer(
        &instance.shared.rate_limiters,
        limits,
        arrival,
        peer.counted(),
    )?;
    if let Peer::Domain(proven) = peer.counted() {
        (posted.holding.belongs_to(proven).await).map_err(RetryAfter::from)?;
    }
    let posted = &*posted;
    let proven = peer.domains();
    let from = Provenance::Peer { proven: &proven };
    let (originator, recipients) = (&posted.headers.originator, posted.recipients());
    let intake = Intake {
        data: &posted.body,
        originator,
        recipients: &recipients,
        from,
        now,
    };
    let scheduler = &instance.scheduler;
    let read = scheduler.read(&intake, |message| posted.check_content_type(message));
    let origin = Origin::of(originator, peer.proofs());
    let read = metrics.timed(Stage::Read, origin.clone().ask(read));
    let message = read.await.map_err(wire::refusal)?;
    let _permit = if message.repeats_within_a_day() {
        instance.admission.long_permit(permit).await?
    } else {
        permit
    };
    let envelope = Envelope {
        message: &message,
        data: &posted.body,
        originator,
        from,
        proofs: peer.proofs(),
        peer: peer.counted(),
        transport: posted.transport(arrival),
        now,
        answering: Answering::Allowed,
        effort: Effort::default(),
    };
    let codes = OnceLock::new();
    let work = async {
        let delivery = scheduler.deliver(&envelope, &recipients, room);
        let outcomes = metrics.timed(Stage::Deliver, origin.ask(delivery)).await;
        // It is worked on once.
        let _ = codes.set(peers::codes(outcomes.iter().map(|it| &it.status)));
        wire::responses(&posted.headers.recipients, outcomes)
    };
    let Some(signed) = peer.signed() else {
        let document = document(&work.await);
        let codes = codes.into_inner().unwrap_or_default();
        return Ok(Answer { document, codes });
    };
    let repeatable = Repeatable {
        key: Key::of(&posted.fields, signed),
        kind: message.kind(),
        peer: peer.counted(),
        // What nothing ends is remembered as long as what ends.
        until: signed.expires().unwrap_or_else(|| {
            let longest = now.saturating_add(instance.config.verification.lifetime.max_age);
            longest.unwrap_or(Timestamp::MAX)
        }),
    };
    let lasting = Lasting {
        state: &instance.plugins.state,
        writes: &instance.shared.writes,
        sharing: instance.sharing,
    };
    let replays = &instance.shared.replays;
    let document = replays.answer(repeatable, now, lasting, work).await;
    let codes = codes.into_inner().unwrap_or_default();
    Ok(Answer { document, codes })
}
