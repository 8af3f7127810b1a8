//! A question about busy time: the store's index, and what the index leaves open.

use super::{Envelope, Home, Outcome};
use convoke_calendar::{
    availability, freebusy,
    itip::Owner,
    tree::{Calendar, Limits},
};
use convoke_ischedule::CalendarData;
use convoke_sdk::{Detail, Error, StoredObject};
use convoke_types::{BusySpan, BusyType, CalendarAddress, RequestStatus, TimeRange, merge};

/// Answers for one recipient, at once.
pub(super) async fn answer(
    home: &Home,
    envelope: &Envelope<'_>,
    recipient: &CalendarAddress,
    detail: Detail,
    limits: &Limits,
) -> Result<Outcome, Error> {
    let Some(range) = envelope.message.range() else {
        return Ok(RequestStatus::INVALID_DATE.into());
    };
    let spans = shown(busy(home, range, limits).await?, detail, range);
    let reply = freebusy::answer(envelope.message, recipient, &spans, envelope.now);
    let text = String::from_utf8(reply.write())
        .map_err(|_| Error::internal("a calendar we wrote is not UTF-8"))?;
    Ok(Outcome {
        data: Some(CalendarData::icalendar(text)),
        ..RequestStatus::SUCCESS.into()
    })
}

/// When a calendar user is busy.
async fn busy(home: &Home, range: TimeRange, limits: &Limits) -> Result<Vec<BusySpan>, Error> {
    let found = home.store.busy(&home.user.id, range).await?;
    let mut spans = found.spans;
    if !found.objects.is_empty() {
        let addresses = home.addresses();
        let owner = Owner {
            addresses: &addresses,
            timezone: home.timezone(),
        };
        let open: Vec<Calendar> = found
            .objects
            .iter()
            .filter_map(|object| readable(home, object))
            .collect();
        spans.extend(expanded(home, &open, &owner, range, limits));
    }
    Ok(merge(spans, range))
}

/// What the index leaves open: recurrences beyond its horizon, and availability, which counts as a whole.
fn expanded(
    home: &Home,
    open: &[Calendar],
    owner: &Owner,
    range: TimeRange,
    limits: &Limits,
) -> Vec<BusySpan> {
    let mut spans = Vec::new();
    for calendar in open {
        match freebusy::busy(calendar, Some(owner), range, limits) {
            Ok(found) => spans.extend(found),
            Err(error) => {
                tracing::warn!(user = %home.user.address, "an object is left out of free-busy: {error}");
            }
        }
    }
    match availability::unavailable(open, Some(owner), range, limits) {
        Ok(found) => spans.extend(found),
        Err(error) => {
            tracing::warn!(user = %home.user.address, "availability is left out of free-busy: {error}");
        }
    }
    spans
}

fn readable(home: &Home, object: &StoredObject) -> Option<Calendar> {
    let limits = Limits {
        bytes: usize::MAX,
        ..Limits::default()
    };
    Calendar::parse(&object.data, &limits)
        .inspect_err(|error| {
            tracing::warn!(user = %home.user.address, uid = %object.uid, "an object is left out of free-busy: {error}");
        })
        .ok()
}

/// As much as the policy grants.
fn shown(spans: Vec<BusySpan>, detail: Detail, range: TimeRange) -> Vec<BusySpan> {
    match detail {
        Detail::Full => spans,
        Detail::Busy => merge(
            spans.into_iter().map(|span| BusySpan {
                kind: BusyType::Busy,
                ..span
            }),
            range,
        ),
    }
}
