//! A question about busy time: the store's index, and what the index leaves open.

use super::{Bounds, Envelope, Home, Outcome, indexing};
use convoke_calendar::{
    availability, freebusy,
    itip::Owner,
    tree::{Calendar, Limits},
};
use convoke_ischedule::CalendarData;
use convoke_sdk::{Detail, Error, NewObject, Precondition, StoredObject};
use convoke_types::{BusySpan, BusyType, CalendarAddress, RequestStatus, TimeRange, merge};
use jiff::Timestamp;

/// Answers for one recipient, at once.
pub(super) async fn answer(
    home: &Home,
    envelope: &Envelope<'_>,
    recipient: &CalendarAddress,
    detail: Detail,
    bounds: &Bounds,
) -> Result<Outcome, Error> {
    let Some(range) = envelope.message.range() else {
        return Ok(RequestStatus::INVALID_DATE.into());
    };
    let spans = busy(home, range, envelope.now, bounds).await?;
    let spans = shown(spans, detail, range);
    let reply = freebusy::answer(envelope.message, recipient, &spans, envelope.now);
    let text = String::from_utf8(reply.write())
        .map_err(|_| Error::internal("a calendar we wrote is not UTF-8"))?;
    Ok(Outcome {
        data: Some(CalendarData::icalendar(text)),
        ..RequestStatus::SUCCESS.into()
    })
}

/// When a calendar user is busy.
async fn busy(
    home: &Home,
    range: TimeRange,
    now: Timestamp,
    bounds: &Bounds,
) -> Result<Vec<BusySpan>, Error> {
    let found = home.store.busy(&home.user.id, range).await?;
    let mut spans = found.spans;
    if !found.objects.is_empty() {
        let addresses = home.addresses();
        let owner = Owner {
            addresses: &addresses,
            timezone: home.timezone(),
        };
        let objects = found.objects.into_iter();
        let (objects, open): (Vec<StoredObject>, Vec<Calendar>) = objects
            .filter_map(|object| {
                let calendar = readable(home, &object)?;
                Some((object, calendar))
            })
            .unzip();
        spans.extend(expanded(home, &open, &owner, range, &bounds.limits));
        renew(home, objects, &open, &owner, (range, now), bounds).await;
    }
    Ok(merge(spans, range))
}

/// As time goes by, a range that is asked for often passes the horizon of what was indexed long ago. One object a
/// question gets a new index then, so that in a while the answers come from the indexes alone again.
async fn renew(
    home: &Home,
    mut objects: Vec<StoredObject>,
    open: &[Calendar],
    owner: &Owner<'_>,
    (range, now): (TimeRange, Timestamp),
    bounds: &Bounds,
) {
    let within = bounds
        .horizon(now)
        .is_ok_and(|horizon| horizon.start() <= range.start() && range.end() <= horizon.end());
    let repeats = |calendar: &Calendar| calendar.main_components().any(|it| it.is("VEVENT"));
    let outdated: Vec<usize> = (0..open.len()).filter(|&at| repeats(&open[at])).collect();
    if !within || outdated.is_empty() {
        return;
    }
    // Some stay open whatever is done: another one each time.
    let turn = usize::try_from(now.as_millisecond().unsigned_abs()).unwrap_or_default();
    let at = outdated[turn % outdated.len()];
    let index = match indexing::index(&open[at], Some(owner), bounds) {
        Ok(index) if !index.is_open_in(range) => index,
        _ => return,
    };
    let object = objects.swap_remove(at);
    let when = Precondition::Matches(object.etag);
    let renewed = NewObject {
        data: object.data,
        index,
    };
    if let Err(error) = home.store.put(&home.user.id, &renewed, &when).await {
        tracing::debug!(user = %home.user.address, uid = %object.uid, "its index stays as it is: {error}");
    }
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
