//! Laws about busy time.

use super::{CALL, Subject, Verdict, equal, expect};
use crate::{
    conformance::{
        generator::Generator,
        objects::{Event, day},
    },
    prelude::*,
};
use jiff::SignedDuration;

/// Random events over a year, from minutes to months long, put, moved and removed; after every few steps the store's
/// answer is compared with that of a list.
pub(super) async fn busy_is_the_model<S: Store>(subject: Subject<S>) -> Verdict {
    let user = subject.user().await?;
    let mut generator = Generator::new();
    let mut model: BTreeMap<Uid, Event> = BTreeMap::new();
    for step in 0..300 {
        let event = any_event(&mut generator);
        if generator.roll(4) == 0 && model.contains_key(&event.uid) {
            model.remove(&event.uid);
            let any = Precondition::Any;
            subject.store.remove(&user, &event.uid, &any, &CALL).await?;
        } else {
            subject.put(&user, &event).await?;
            model.insert(event.uid.clone(), event);
        }
        if step % 5 == 0 {
            let range = any_range(&mut generator);
            let found = subject.store.busy(&user, range, &CALL).await?;
            let mut wanted: Vec<BusySpan> = (model.values().filter_map(Event::span))
                .filter(|span| span.range.overlaps(&range))
                .collect();
            let mut spans = found.spans;
            spans.sort_unstable();
            spans.dedup();
            wanted.sort_unstable();
            wanted.dedup();
            let what = format!("busy from {} to {}", range.start(), range.end());
            equal(&what, spans, wanted)?;
            equal("objects to expand", found.objects.len(), 0)?;
        }
    }
    subject.done([user]).await
}

fn any_event(generator: &mut Generator) -> Event {
    let minutes = match generator.roll(10) {
        0 => 60 * 24 * i64::from(1 + generator.roll(120)),
        1 | 2 => 60 * i64::from(1 + generator.roll(48)),
        _ => 15 * i64::from(1 + generator.roll(8)),
    };
    let kind = match generator.roll(6) {
        0 => None,
        1 => Some(BusyType::BusyTentative),
        _ => Some(BusyType::Busy),
    };
    Event {
        start: day(0) + SignedDuration::from_mins(15 * i64::from(generator.roll(365 * 96))),
        minutes,
        kind,
        ..Event::new(&format!("event-{}", generator.roll(120)))
    }
}

fn any_range(generator: &mut Generator) -> TimeRange {
    let start = day(i64::from(generator.roll(400)) - 20);
    let days = [1, 1, 7, 31, 500][generator.roll(5) as usize];
    let end = start + SignedDuration::from_hours(24 * days);
    TimeRange::new(start, end).expect("it lasts a day at least")
}

pub(super) async fn edges<S: Store>(subject: Subject<S>) -> Verdict {
    let user = subject.user().await?;
    let event = Event::new("edge");
    subject.put(&user, &event).await?;
    let (start, hour) = (event.start, SignedDuration::from_hours(1));
    let second = SignedDuration::from_secs(1);
    for (from, to, found) in [
        (start - hour, start, 0),
        (start - hour, start + second, 1),
        (start, start + second, 1),
        (start + hour - second, start + hour, 1),
        (start + hour, start + hour + hour, 0),
        (Timestamp::MIN, Timestamp::MAX, 1),
    ] {
        let range = TimeRange::new(from, to).expect("it goes forward");
        let busy = subject.store.busy(&user, range, &CALL).await?;
        let what = format!("spans from {from} to {to} beside an event from {start} for an hour");
        equal(&what, busy.spans.len(), found)?;
    }
    subject.done([user]).await
}

pub(super) async fn open_objects<S: Store>(subject: Subject<S>) -> Verdict {
    let user = subject.user().await?;
    let weekly = Event {
        repeats: true,
        ..Event::new("weekly")
    };
    subject.put(&user, &weekly).await?;
    subject.put(&user, &Event::new("once")).await?;
    // Far beyond every horizon.
    let range = TimeRange::new(day(365 * 300), day(365 * 301)).expect("a year");
    let busy = subject.store.busy(&user, range, &CALL).await?;
    let wanted = vec![subject.got(&user, &weekly.uid).await?];
    equal("the objects", busy.objects, wanted)?;
    let before = TimeRange::new(day(-800), day(-700)).expect("a hundred days");
    let busy = subject.store.busy(&user, before, &CALL).await?;
    let nothing = busy == Busy::default();
    expect(nothing, || {
        "an event takes time before it begins".to_owned()
    })?;
    subject.done([user]).await
}
