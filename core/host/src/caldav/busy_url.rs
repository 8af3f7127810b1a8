//! Busy time by URL: `GET /freebusy/ADDRESS.ifb?start=…&end=…`, for programs that have no other way to ask.
//!
//! The policies decide, as of any question about busy time: `via = "url"` holds for all that comes this way. Our own people
//! log in; whoever does not is `anonymous`, to whom only a policy that names them tells anything. Whether somebody is a
//! calendar user is known to those alone who may know when they are busy.

use super::{
    challenge,
    reply::{Refused, sent},
    reports::limits,
};
use crate::{
    admission::{RetryAfter, admit_peer},
    answer::{AnswerRoom, empty, retry_later},
    instance::Instance,
    rate_limit::peer,
};
use convoke_calendar::{
    freebusy,
    message::Provenance,
    tree::{Calendar, Property},
};
use convoke_net::http_server::{Arrival, Body, Response};
use convoke_plugin_host::origin::Origin;
use convoke_scheduling::{
    Answering, Effort, Envelope, Environment, Intake, Outcome, Processor, Retry, TransportFacts,
};
use convoke_types::{CalendarAddress, Error, Proof, RequestStatus, TimeRange, Uid};
use http::{HeaderValue, Method, Request, StatusCode};
use jiff::{Timestamp, civil, tz::TimeZone};
use std::time::Duration;
use url::form_urlencoded;

const KIND: HeaderValue =
    HeaderValue::from_static("text/calendar; charset=utf-8; component=VFREEBUSY; method=PUBLISH");
const DAY: Duration = Duration::from_secs(24 * 3600);
/// What is told to who does not say how much they want to know: six weeks, which programs show at most at once.
const USUAL: Duration = Duration::from_secs(42 * 24 * 3600);

/// Answers a request about the busy time of `whose`, of somebody who logged in, or of nobody.
pub(super) async fn answer(
    instance: &Instance,
    arrival: &Arrival,
    request: &Request<Body>,
    whose: &str,
    asks: Option<CalendarAddress>,
) -> Result<Response, Refused> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let allow = [("allow", "GET, HEAD")];
        return Ok(empty(StatusCode::METHOD_NOT_ALLOWED, &allow));
    }
    let now = Timestamp::now();
    let longest = instance.config.limits.messages.freebusy_range;
    let query = request.uri().query().unwrap_or_default();
    let range = range(query, now, longest).map_err(|why| Refused::bad_request(&why))?;
    let whose = CalendarAddress::new(whose).map_err(|_| not_told(asks.as_ref()))?;
    let outcome = ask(instance, arrival, asks.as_ref(), &whose, range, now).await?;
    let Some(reply) = &outcome.data else {
        return Err(why_not(&outcome, asks.as_ref()));
    };
    let processor = instance.scheduler.environment().processor();
    let work = || published(reply, &whose);
    let published = processor.run(reply.len(), work).await?;
    sent(instance, arrival, StatusCode::OK, KIND, published.into()).await
}

/// Asks as it is asked in an outbox: policies first, and the store then.
async fn ask(
    instance: &Instance,
    arrival: &Arrival,
    asks: Option<&CalendarAddress>,
    whose: &CalendarAddress,
    range: TimeRange,
    now: Timestamp,
) -> Result<Outcome, Refused> {
    let originator = asks.cloned().unwrap_or_else(CalendarAddress::anonymous);
    let mut proofs: Vec<Proof> = asks.cloned().map(Proof::Submission).into_iter().collect();
    proofs.push(Proof::Url(originator.clone()));
    let peer = peer(&proofs, arrival.address.ip());
    if asks.is_none() {
        let (shared, limits) = (&instance.shared, &instance.config.limits);
        let admitted = admit_peer(&shared.rate_limiters, limits, arrival, &peer);
        admitted.map_err(|wait| retry_later(&wait))?;
    }
    // The same name each time: what is told now takes the place of what was told before (RFC 5546 §3.3.1).
    let uid = Uid::new(format!("free-busy-{}", whose.human()));
    let uid = uid.map_err(|_| not_told(asks))?;
    let recipients = [whose.clone()];
    let question = freebusy::request(&originator, &recipients, range, &uid, now);
    let data = question.write();
    let intake = Intake {
        data: &data,
        originator: &originator,
        recipients: &recipients,
        from: Provenance::Submission,
        now,
    };
    let message = instance.scheduler.read(&intake, |_| Ok(())).await;
    let message = message.map_err(|refusal| Refused::bad_request(&refusal.text))?;
    let envelope = Envelope {
        message: &message,
        data: &data,
        originator: &originator,
        from: Provenance::Submission,
        proofs: &proofs,
        peer: &peer,
        transport: TransportFacts {
            address: Some(arrival.address.ip()),
            message_id: None,
        },
        now,
        answering: Answering::Never,
        effort: Effort::default(),
    };
    let room = AnswerRoom::new(&instance.admission, arrival.address.ip());
    let delivery = instance.scheduler.deliver(&envelope, &recipients, &room);
    let outcomes = Origin::of(&originator, &proofs).ask(delivery).await;
    let outcome = outcomes.into_iter().next();
    Ok(outcome.unwrap_or_else(|| RequestStatus::SERVICE_UNAVAILABLE.into()))
}

/// The answer as it is published (RFC 5546 §3.3.1): by whom it is about, to nobody by name.
fn published(reply: &str, whose: &CalendarAddress) -> Result<Vec<u8>, Error> {
    let calendar = Calendar::parse(reply.as_bytes(), &limits());
    let mut calendar = calendar.map_err(|error| Error::internal(error.to_string()))?;
    let root = calendar.root_mut();
    root.set(Property::new("METHOD", "PUBLISH"));
    for part in &mut root.components {
        part.remove("ATTENDEE");
        part.set(Property::new("ORGANIZER", whose.as_str()));
    }
    Ok(calendar.write())
}

/// Why nothing is told.
fn why_not(outcome: &Outcome, asks: Option<&CalendarAddress>) -> Refused {
    let status = &outcome.status;
    if status.same_code(&RequestStatus::NO_AUTHORITY) {
        return not_told(asks);
    }
    match outcome.retry {
        Retry::No | Retry::ByMail => StatusCode::NOT_FOUND.into(),
        Retry::Recipient(_) | Retry::Receiver(_) => {
            let text = "when this calendar user is busy cannot be told now";
            retry_later(&RetryAfter::unavailable(text)).into()
        }
    }
}

/// No policy lets it be known. Who logs in may get further.
fn not_told(asks: Option<&CalendarAddress>) -> Refused {
    match asks {
        Some(_) => StatusCode::FORBIDDEN.into(),
        None => challenge(),
    }
}

/// Why the times of a URL cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum WrongRange {
    #[error(
        "`{0}` cannot be read: write 2027-01-04T10:00:00Z, 20270104T100000Z or 2027-01-04, whose midnight is taken in UTC"
    )]
    Time(&'static str),
    #[error("`end` is not after `start`")]
    Empty,
    #[error("`end` is more than {0} days after `start`, which is the longest range answered here")]
    TooLong(u64),
}

/// Which time is asked about: from `start`, today if it is not said, to `end`.
fn range(query: &str, now: Timestamp, longest: Duration) -> Result<TimeRange, WrongRange> {
    let named = |name: &'static str| {
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        let value = pairs.find(|(it, _)| it == name).map(|(_, value)| value);
        let time = value.map(|value| time(&value).ok_or(WrongRange::Time(name)));
        time.transpose()
    };
    let today = TimeZone::UTC.to_datetime(now).date();
    let start = match named("start")? {
        Some(start) => start,
        None => midnight(today).ok_or(WrongRange::Time("start"))?,
    };
    let end = match named("end")? {
        Some(end) => end,
        None => start
            .saturating_add(USUAL.min(longest))
            .unwrap_or(Timestamp::MAX),
    };
    let range = TimeRange::new(start, end).map_err(|_| WrongRange::Empty)?;
    if end.duration_since(start).unsigned_abs() > longest {
        return Err(WrongRange::TooLong(longest.as_secs() / DAY.as_secs()));
    }
    Ok(range)
}

/// As RFC 3339 or RFC 5545 write it, or a date. A plus sign that was not coded was read as a space.
fn time(text: &str) -> Option<Timestamp> {
    let text = text.trim().replace(' ', "+");
    match text.parse() {
        Ok(instant) => Some(instant),
        Err(_) if text.contains(['T', 't']) => None,
        Err(_) => midnight(text.parse().ok()?),
    }
}

fn midnight(day: civil::Date) -> Option<Timestamp> {
    let midnight = day.to_datetime(civil::Time::midnight());
    TimeZone::UTC.to_timestamp(midnight).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_programs_write_them() {
        let now = "2026-11-27T09:41:00Z".parse().unwrap();
        let year = 365 * DAY;
        for (query, expected) in [
            ("", Ok("2026-11-27T00:00:00Z/2027-01-08T00:00:00Z")),
            (
                "start=20270104T100000Z&end=2027-01-04T12:00:00%2B01:00",
                Ok("2027-01-04T10:00:00Z/2027-01-04T11:00:00Z"),
            ),
            (
                "x=1&end=2027-01-05T00:00:00+01:00&start=2027-01-04",
                Ok("2027-01-04T00:00:00Z/2027-01-04T23:00:00Z"),
            ),
            (
                "start=20270104",
                Ok("2027-01-04T00:00:00Z/2027-02-15T00:00:00Z"),
            ),
            ("start=soon", Err(WrongRange::Time("start"))),
            ("end=", Err(WrongRange::Time("end"))),
            ("start=2027-01-04T10:00:00", Err(WrongRange::Time("start"))),
            ("start=2027-01-04&end=2027-01-04", Err(WrongRange::Empty)),
            ("end=2026-11-26", Err(WrongRange::Empty)),
            (
                "start=2027-01-04&end=2029-01-04",
                Err(WrongRange::TooLong(365)),
            ),
        ] {
            let range = range(query, now, year);
            let text = range.map(|it| format!("{}/{}", it.start(), it.end()));
            assert_eq!(text, expected.map(str::to_owned), "{query}");
        }
    }
}
