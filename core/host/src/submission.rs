//! The submission listener: users and services of ours hand in messages.
//!
//! The same POST as between servers, but the peer logs in ([`login`](crate::login)) instead of signing. `methods` has what
//! people ask about their own calendars from elsewhere.

mod methods;

use crate::{
    answer::{AnswerRoom, delivered, document, empty, refuse_method, refused, retry_later},
    instance::Instance,
    login::{Denied, Submitter},
    receiver::{posted, refusal},
    wire,
};
use convoke_calendar::message::Provenance;
use convoke_ischedule::{ErrorElement, Refusal, ScheduleResponse, WELL_KNOWN};
use convoke_net::http_server::{Arrival, Body, Response};
use convoke_plugin_host::origin::Origin;
use convoke_scheduling::{Environment, Home, Intake, Stores, Submission};
use convoke_types::{CalendarAddress, Error, Proof};
use http::{Method, Request, StatusCode};
use jiff::Timestamp;

/// Answers one request.
pub async fn handle(instance: &Instance, arrival: &Arrival, request: Request<Body>) -> Response {
    let method = methods::named(request.uri().path());
    if request.uri().path() != WELL_KNOWN && method.is_none() {
        return empty(StatusCode::NOT_FOUND, &[]);
    }
    if *request.method() == Method::OPTIONS {
        return empty(StatusCode::OK, &[("allow", "OPTIONS, POST")]);
    }
    if *request.method() != Method::POST {
        return refuse_method();
    }
    let address = arrival.address.ip();
    let submitter = match instance.users.identify(request.headers(), address).await {
        Ok(submitter) => submitter,
        Err(Denied::RetryAfter(wait)) => return retry_later(&wait),
        Err(Denied::Unauthorized) => {
            return empty(
                StatusCode::UNAUTHORIZED,
                &[(
                    "www-authenticate",
                    "Basic realm=\"Convoke\", charset=\"UTF-8\"",
                )],
            );
        }
    };
    let room = AnswerRoom::new(&instance.admission, address);
    if let Some(method) = method {
        return methods::answer(instance, &submitter, arrival, method, request, room).await;
    }
    match submit(instance, &submitter, arrival, request, &room).await {
        Ok(response) => delivered(arrival, room, document(&response)).await,
        Err(response) => response,
    }
}

async fn submit(
    instance: &Instance,
    submitter: &Submitter,
    arrival: &Arrival,
    request: Request<Body>,
    room: &AnswerRoom,
) -> Result<ScheduleResponse, Response> {
    let posted = posted::read(instance, arrival, request).await?;
    let originator = &posted.headers.originator;
    let origin = Origin::of(originator, &[Proof::Submission(originator.clone())]);
    let refuse = |refusal: &Refusal| {
        refusal::tell(arrival, &posted, refusal);
        refused(refusal)
    };
    origin
        .ask(async {
            if !may_act_as(instance, submitter, originator).await {
                let text = format!("{submitter} may not act as {originator}");
                return Err(refuse(&Refusal::new(ErrorElement::OriginatorDenied, text)));
            }
            let recipients = posted.recipients();
            let intake = Intake {
                data: &posted.body,
                originator,
                recipients: &recipients,
                from: Provenance::Submission,
                now: Timestamp::now(),
            };
            let scheduler = &instance.scheduler;
            let read = scheduler.read(&intake, |message| posted.check_content_type(message));
            let message = read
                .await
                .map_err(|refusal| refuse(&wire::refusal(refusal)))?;
            let submission = Submission {
                message: &message,
                data: &posted.body,
                originator,
                recipients: &recipients,
                transport: posted.transport(arrival),
            };
            let outcomes = scheduler.dispatch(&submission, room).await;
            Ok(wire::responses(&posted.headers.recipients, outcomes))
        })
        .await
}

/// A user is its own address and every alias of it; a service on this host is any of our users.
async fn may_act_as(
    instance: &Instance,
    submitter: &Submitter,
    originator: &CalendarAddress,
) -> bool {
    let may = async {
        Ok(instance.scheduler.is_ours(originator).await?
            && match submitter {
                Submitter::Local => true,
                Submitter::User(address) if address.same_user(originator) => true,
                Submitter::User(address) => {
                    let stores = instance.scheduler.environment().stores();
                    let home = stores.find(address).await?;
                    home.is_some_and(|home| home.user().answers_to(originator))
                }
            })
    };
    may.await.unwrap_or_else(|error: Error| {
        tracing::warn!(event = "originator-unknown", %submitter, %originator, "its addresses cannot be looked up: {error}");
        false
    })
}
