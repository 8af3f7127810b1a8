//! Keeps the [view](CalendarView) of a calendar in step with its store.
//!
//! A store knows when its objects make their owner busy, which is not when they are: what is transparent or declined is shown, too.
//! So each calendar that somebody asks about is looked through once, and then only what changed since. Most questions
//! are answered from that, and only the objects that a program wants are read.
//!
//! Always true: a view says what the store said at the request that it is for; it is made again from nothing where the store
//! does not know any more what changed.

use super::{names::Names, reports::limits, session::Session};
use crate::{
    calendar_view::{CalendarView, MadeFor, SeenObject},
    overwritten::own_lines,
};
use convoke_caldav::{conditional::entity_tag, extent::Extent, schedule_tag::schedule_tag};
use convoke_calendar::tree::Calendar;
use convoke_scheduling::{Environment, Home, Processor};
use convoke_types::{Changes, Cursor, Error, ErrorKind, ObjectSummary, TimeRange, Uid};
use futures::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;
use tokio::sync::OwnedMutexGuard;

/// How far what repeats without an end is followed: before, and after, in days.
const HORIZON: (i64, i64) = (400, 800);
/// How long a view is of use: what repeats without an end is followed around the time that it was made at.
const USE: SignedDuration = SignedDuration::from_hours(30 * 24);
/// Objects that are read at once.
const PARALLEL: usize = 8;
/// Objects that are read before others get their turn.
const AT_ONCE: usize = 64;

/// The calendar of a session, as it is now. Others who ask wait until it is dropped.
pub(super) async fn current(session: &Session<'_>) -> Result<OwnedMutexGuard<CalendarView>, Error> {
    let views = &session.instance.calendar_views;
    let (store, user) = (session.home.store(), &session.user().id);
    let mut view = views.lock(store, user).await;
    let done = refresh(&mut view, session).await;
    views.weigh(store, user, &view);
    done.map(|()| view)
}

/// What a store's list says of an object.
pub(super) fn listed(summary: &ObjectSummary, name: String) -> SeenObject {
    SeenObject {
        name,
        tag: entity_tag(&summary.etag),
        length: None,
        extent: Extent::unknown(&summary.component),
        schedule_tag: None,
    }
}

async fn refresh(view: &mut CalendarView, session: &Session<'_>) -> Result<(), Error> {
    let made_for = MadeFor::of(session.user());
    let around = horizon(Timestamp::now());
    let is_of_use = |made: TimeRange| around.start().duration_since(made.start()) < USE;
    if view.made_for != made_for || !view.horizon.is_some_and(is_of_use) {
        *view = CalendarView {
            made_for,
            horizon: Some(around),
            ..CalendarView::default()
        };
    }
    let (changes, is_history) = changes(view, session).await?;
    if is_history {
        for uid in &changes.removed {
            view.objects.remove(uid);
        }
    } else {
        let there: BTreeSet<&Uid> = changes.changed.iter().map(|it| &it.uid).collect();
        view.objects.retain(|uid, _| there.contains(uid));
    }
    see_renames(view, session).await?;
    see(view, session, &changes.changed).await?;
    view.cursor = Some(changes.cursor).filter(|it| !it.as_str().is_empty());
    Ok(())
}

/// What changed since the last look; or else everything, which is no history.
async fn changes(view: &CalendarView, session: &Session<'_>) -> Result<(Changes, bool), Error> {
    if let Some(cursor) = &view.cursor {
        match session.home.changes(Some(cursor)).await {
            Err(error) if error.kind() == ErrorKind::Invalid => {}
            changes => return changes.map(|changes| (changes, true)),
        }
    }
    match session.home.changes(None).await {
        // Such a store is listed each time.
        Err(error) if error.kind() == ErrorKind::Unsupported => {
            let all = session.objects().await?;
            let no_cursor = Cursor::new("");
            Ok((Changes::new(all, Vec::new(), no_cursor), false))
        }
        changes => changes.map(|changes| (changes, false)),
    }
}

/// Names are the listener's own, of which the store says nothing.
async fn see_renames(view: &mut CalendarView, session: &Session<'_>) -> Result<(), Error> {
    let names = Names::of(session);
    let count = names.renames().await?;
    if count == view.renames {
        return Ok(());
    }
    let renamed = match names.renamed_since(view.renames).await? {
        Some(renamed) => renamed.into_iter().map(|it| it.uid).collect(),
        None => view.objects.keys().cloned().collect::<Vec<_>>(),
    };
    let uids: Vec<&Uid> = renamed.iter().collect();
    for (uid, name) in names.names(&uids).await? {
        if let Some(seen) = view.objects.get_mut(&uid) {
            seen.name = name;
        }
    }
    view.renames = count;
    Ok(())
}

/// Looks at objects; what is as it was is not read.
async fn see(
    view: &mut CalendarView,
    session: &Session<'_>,
    changed: &[ObjectSummary],
) -> Result<(), Error> {
    let uids: Vec<&Uid> = changed.iter().map(|it| &it.uid).collect();
    let mut names = Names::of(session).names(&uids).await?;
    let horizon = view.horizon.unwrap_or(TimeRange::ALL);
    let mut unseen = Vec::new();
    for summary in changed {
        let name = names.remove(&summary.uid).unwrap_or_default();
        match view.objects.get_mut(&summary.uid) {
            Some(seen) if seen.tag == entity_tag(&summary.etag) => seen.name = name,
            _ => unseen.push((&summary.uid, name)),
        }
    }
    for some in unseen.chunks(AT_ONCE) {
        let looks: Vec<_> = some
            .iter()
            .map(|(uid, name)| look(session, uid, name, horizon))
            .collect();
        let mut looks = stream::iter(looks).buffer_unordered(PARALLEL);
        while let Some(looked) = looks.next().await {
            match looked? {
                (uid, Some(seen)) => view.objects.insert(uid.clone(), seen),
                (uid, None) => view.objects.remove(uid),
            };
        }
        // What others do is not held up by a long calendar.
        tokio::task::yield_now().await;
    }
    Ok(())
}

/// What there is to see of an object; `None` if it is gone.
async fn look<'u>(
    session: &Session<'_>,
    uid: &'u Uid,
    name: &str,
    horizon: TimeRange,
) -> Result<(&'u Uid, Option<SeenObject>), Error> {
    let Some(object) = session.home.get(uid).await? else {
        return Ok((uid, None));
    };
    let zone = session.zone();
    let work = || match Calendar::parse_stored(&object.data, &limits()) {
        Ok(calendar) => (
            Extent::of(&calendar, &zone, horizon),
            schedule_tag(&calendar, &own_lines(session.user())),
        ),
        Err(_) => (Extent::unknown(""), None),
    };
    let processor = session.instance.scheduler.environment().processor();
    let (extent, schedule_tag) = processor.run(object.data.len(), work).await;
    let seen = SeenObject {
        name: name.to_owned(),
        tag: entity_tag(&object.etag),
        length: Some(object.data.len()),
        extent,
        schedule_tag,
    };
    Ok((uid, Some(seen)))
}

fn horizon(now: Timestamp) -> TimeRange {
    let days = |days| SignedDuration::from_hours(days * 24);
    let from = now.checked_sub(days(HORIZON.0));
    let to = now.checked_add(days(HORIZON.1));
    let (from, to) = (from.unwrap_or(Timestamp::MIN), to.unwrap_or(Timestamp::MAX));
    TimeRange::new(from, to).unwrap_or(TimeRange::ALL)
}
