//! The methods about what waits to be delivered.

use super::{
    api::{
        Explain, Forget, LookNow, Looked, QueueDrop, QueueList, QueueRelease, QueueRetry, QueueRow,
        QueueShow, QueueState, Queued, Text,
    },
    messages::{home, on_behalf_of},
};
use crate::{
    decisions,
    instance::Instance,
    metrics::Waiting,
    scheduling::{Telling, telling},
    sharing::Sharing,
};
use convoke_scheduling::{
    Decided, Entry, EntryId, Environment, HeldChange, HeldMessage, Home as _,
};
use convoke_types::{CalendarAddress, CalendarUser, Error};
use std::time::Duration;
use tokio::time::sleep;

/// How long decisions are gathered before they are written, and some time to write them.
const WRITTEN_WITHIN: Duration = Duration::from_millis(600);

pub(super) async fn list(instance: &Instance, asked: QueueList) -> Result<Vec<QueueRow>, Error> {
    let scheduler = &instance.scheduler;
    let user = match &asked.user {
        Some(address) => Some(home(instance, address).await?.user().clone()),
        None => None,
    };
    let is_meant =
        |originator: &CalendarAddress| user.as_ref().is_none_or(|user| user.answers_to(originator));
    let entries = scheduler.waiting().await?.into_iter();
    let entries = entries.filter(|entry| is_meant(&entry.originator));
    let mut rows: Vec<QueueRow> = entries.map(row).collect();
    for held in scheduler.held(user.as_ref()).await? {
        rows.extend(held_rows(&held));
    }
    for held in scheduler.held_since_restored().await? {
        let rows_of_it = message_rows(held).into_iter();
        rows.extend(rows_of_it.filter(|it| is_meant(&it.user)));
    }
    Ok(rows)
}

pub(super) async fn show(instance: &Instance, asked: QueueShow) -> Result<Queued, Error> {
    let scheduler = &instance.scheduler;
    if let Some(held) = held_by_name(instance, &asked.id).await? {
        let data = scheduler.held_messages(&held).await?;
        return Ok(Queued {
            rows: held_rows(&held),
            since: held.since.to_string(),
            until: None,
            messages: data.into_iter().map(Text).collect(),
        });
    }
    if let Some(held) = held_message(instance, &asked.id).await?
        && let Some(entry) = held.entries.first().cloned()
    {
        let data = scheduler.message_of(&entry).await?;
        return Ok(Queued {
            since: entry.created.to_string(),
            until: None,
            rows: message_rows(held),
            messages: data.into_iter().map(Text).collect(),
        });
    }
    let entry = scheduler.entry(&asked.id.parse()?).await?;
    let data = scheduler.message_of(&entry).await?;
    Ok(Queued {
        since: entry.created.to_string(),
        until: Some(entry.until.to_string()),
        rows: vec![row(entry)],
        messages: data.into_iter().map(Text).collect(),
    })
}

pub(super) async fn retry(instance: &Instance, asked: QueueRetry) -> Result<usize, Error> {
    let ids = match &asked.ids {
        Some(ids) => Some(names(ids)?),
        None => None,
    };
    instance.scheduler.retry(ids.as_deref()).await
}

pub(super) async fn drop(instance: &Instance, asked: QueueDrop) -> Result<(), Error> {
    if let Some(held) = held_by_name(instance, &asked.id).await? {
        return instance.scheduler.drop_held(&held).await;
    }
    if let Some(held) = held_message(instance, &asked.id).await? {
        return instance.scheduler.drop_message(&held).await;
    }
    let id: EntryId = asked.id.parse()?;
    instance.scheduler.drop_entry(&id).await.map(std::mem::drop)
}

pub(super) async fn release(instance: &Instance, asked: QueueRelease) -> Result<usize, Error> {
    let user = match &asked.user {
        Some(address) => Some(home(instance, address).await?.user().clone()),
        None => None,
    };
    let changes = instance.scheduler.held(user.as_ref()).await?;
    let mut messages = instance.scheduler.held_since_restored().await?;
    messages.retain(|it| is_of(it, user.as_ref()));
    for id in asked.ids.iter().flatten() {
        let is_change = changes.iter().any(|it| it.id == *id);
        if !is_change && !messages.iter().any(|it| it.id == *id) {
            return Err(Error::not_found(format!(
                "nothing is held under {id}; `convoke queue list` shows what is"
            )));
        }
    }
    let is_meant = |id: &String| asked.ids.as_ref().is_none_or(|ids| ids.contains(id));
    let mut released = 0;
    // What waited before goes before what is told now.
    for held in messages.iter().filter(|it| is_meant(&it.id)) {
        released += usize::from(instance.scheduler.release_message(held).await?);
    }
    for held in changes.iter().filter(|it| is_meant(&it.id)) {
        let telling = instance.scheduler.release(held);
        released += usize::from(on_behalf_of(&held.user, telling).await?);
    }
    Ok(released)
}

/// Whether it is a message of this calendar user's, or nobody is named.
fn is_of(held: &HeldMessage, user: Option<&CalendarUser>) -> bool {
    user.is_none_or(|user| {
        held.entries
            .iter()
            .any(|it| user.answers_to(&it.originator))
    })
}

/// Looks at a calendar now.
pub(super) async fn look(instance: &Instance, asked: LookNow) -> Result<Looked, Error> {
    let home = home(instance, &asked.user).await?;
    if telling(&instance.plugins, home.place(), home.user()) != Telling::On {
        return Err(Error::invalid(format!(
            "what {0} changes is told to nobody; see `schedule` in `convoke user show {0}` and of its [[store]]",
            asked.user.human()
        )));
    }
    let looking = instance.scheduler.reconcile(&home);
    let looked = on_behalf_of(&asked.user, looking).await?;
    // What has to be quiet first is told by the task that watches the store.
    instance
        .shared
        .look_soon
        .at(home.place().name(), &home.user().id);
    Ok(Looked {
        first: looked.first,
        told: looked.told,
        held: looked.held,
        settling: looked.pending.saturating_sub(looked.held),
        next: looked.next.map(|next| next.to_string()),
    })
}

/// What was decided about a UID or a message.
pub(super) async fn explain(instance: &Instance, asked: Explain) -> Result<Vec<Decided>, Error> {
    let state = instance.scheduler.environment().state();
    // What was decided a moment ago counts.
    let keep = instance.config.server.decisions;
    instance.shared.decisions.write(state, keep).await?;
    others_have_written(instance).await;
    decisions::about(state, &asked.what, asked.user.as_ref()).await
}

pub(super) async fn forget(instance: &Instance, asked: Forget) -> Result<(), Error> {
    let state = instance.scheduler.environment().state();
    // What was decided a moment ago is forgotten, too.
    let keep = instance.config.server.decisions;
    instance.shared.decisions.write(state, keep).await?;
    others_have_written(instance).await;
    decisions::forget(state, &asked.user).await
}

/// What other hosts of the same state decided until now, they write within a moment.
pub(super) async fn others_have_written(instance: &Instance) {
    if instance.sharing == Sharing::Shared {
        sleep(WRITTEN_WITHIN).await;
    }
}

/// What waits in this host, as metrics count it: waiting, retrying, held; and the oldest, in seconds.
pub(crate) async fn counts(instance: &Instance) -> Waiting {
    let entries = instance.scheduler.shared().outbox.entries();
    let waiting = entries.iter().filter(|it| it.attempts == 0).count();
    let changes = instance.scheduler.held(None).await;
    let messages = instance.scheduler.held_since_restored().await;
    let held = changes.map_or(0, |it| it.len()) + messages.map_or(0, |it| it.len());
    let oldest = entries.iter().map(|it| it.created).min();
    let age = oldest.map(|it| jiff::Timestamp::now().duration_since(it).as_secs());
    let counts = [
        ("waiting", waiting),
        ("retrying", entries.len() - waiting),
        ("held", held),
    ];
    (counts, age)
}

fn names(ids: &[String]) -> Result<Vec<EntryId>, Error> {
    ids.iter().map(|id| id.parse()).collect()
}

async fn held_by_name(instance: &Instance, id: &str) -> Result<Option<HeldChange>, Error> {
    let held = instance.scheduler.held(None).await?;
    Ok(held.into_iter().find(|it| it.id == id))
}

async fn held_message(instance: &Instance, id: &str) -> Result<Option<HeldMessage>, Error> {
    let held = instance.scheduler.held_since_restored().await?;
    Ok(held.into_iter().find(|it| it.id == id))
}

/// A message that is held since the state was restored: a row for each recipient, as of a change that is held.
fn message_rows(held: HeldMessage) -> Vec<QueueRow> {
    let id = held.id;
    let entries = held.entries.into_iter();
    let rows = entries.map(|entry| QueueRow {
        id: id.clone(),
        state: QueueState::Held,
        next: None,
        ..row(entry)
    });
    rows.collect()
}

fn row(entry: Entry) -> QueueRow {
    QueueRow {
        id: entry.id.to_string(),
        user: entry.originator,
        uid: entry.uid,
        method: entry.method,
        recipient: entry.recipient,
        via: entry.via.map(|via| via.to_string()),
        state: match entry.attempts {
            0 => QueueState::Waiting,
            _ => QueueState::Retrying,
        },
        attempts: entry.attempts,
        next: Some(entry.next.to_string()),
        last: entry.last,
    }
}

fn held_rows(held: &HeldChange) -> Vec<QueueRow> {
    let row = |(method, recipient): &(String, CalendarAddress)| QueueRow {
        id: held.id.clone(),
        user: held.user.clone(),
        uid: held.uid.clone(),
        method: method.clone(),
        recipient: recipient.clone(),
        via: None,
        state: QueueState::Held,
        attempts: 0,
        next: None,
        last: None,
    };
    held.messages.iter().map(row).collect()
}
