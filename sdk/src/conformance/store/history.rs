//! Laws about listings and changes.

use super::{Broken, CALL, Subject, Verdict, equal, expect, fails};
use crate::{
    conformance::{generator::Generator, objects::Event, runner::waits_in_vain},
    prelude::*,
};
use std::time::Duration;

/// How often a store may say of somebody that something happened, when nothing did.
const LATE: usize = 5;

async fn listed<S: Store>(
    subject: &Subject<S>,
    user: &UserId,
    limit: u32,
) -> Verdict<Vec<ObjectSummary>> {
    let mut items = Vec::new();
    let mut after = None;
    for _ in 0..1000 {
        let page = Page::after(after, limit);
        let listing = subject.store.list(user, &page, &CALL).await?;
        expect(listing.items.len() <= limit as usize, || {
            format!("a page of {limit} held {} items", listing.items.len())
        })?;
        items.extend(listing.items);
        after = listing.next;
        if after.is_none() {
            return Ok(items);
        }
    }
    Err(Broken::How("the listing does not end".to_owned()))
}

pub(super) async fn listing<S: Store>(subject: Subject<S>) -> Verdict {
    let user = subject.user().await?;
    equal("nothing", listed(&subject, &user, 10).await?, Vec::new())?;
    let mut wanted = Vec::new();
    for number in 0..10 {
        let event = Event::new(&format!("object {number}"));
        let etag = subject.put(&user, &event).await?;
        wanted.push(ObjectSummary::new(event.uid, "VEVENT", etag));
    }
    for limit in [1, 3, 10, 11, 1000] {
        let mut found = listed(&subject, &user, limit).await?;
        found.sort_by(|a, b| a.uid.cmp(&b.uid));
        equal(&format!("pages of {limit}"), found, wanted.clone())?;
    }
    let gone = wanted.remove(4);
    let any = Precondition::Any;
    subject.store.remove(&user, &gone.uid, &any, &CALL).await?;
    let mut found = listed(&subject, &user, 4).await?;
    found.sort_by(|a, b| a.uid.cmp(&b.uid));
    equal("after a removal", found, wanted)?;
    subject.done([user]).await
}

pub(super) async fn changes<S: Store>(subject: Subject<S>) -> Verdict {
    let user = subject.user().await?;
    let since = async |cursor: Option<Cursor>| {
        let changes = subject.store.changes(&user, cursor.as_ref(), &CALL);
        changes.await
    };
    let begin = since(None).await?;
    equal("nothing", begin.changed, Vec::new())?;
    let [kept, changed, removed] = ["kept", "changed", "removed"].map(Event::new);
    for event in [&kept, &changed, &removed] {
        subject.put(&user, event).await?;
    }
    let first = since(Some(begin.cursor)).await?;
    equal(
        "made",
        uids(&first),
        [&changed, &kept, &removed].map(|e| e.uid.clone()).to_vec(),
    )?;
    let again = since(Some(first.cursor.clone())).await?;
    expect(again.changed.is_empty() && again.removed.is_empty(), || {
        "nothing happened, but something is told".to_owned()
    })?;
    let fleeting = Event::new("fleeting");
    subject.put(&user, &fleeting).await?;
    let any = Precondition::Any;
    subject
        .store
        .remove(&user, &fleeting.uid, &any, &CALL)
        .await?;
    let etag = subject
        .put(&user, &changed.clone().summary("twice"))
        .await?;
    subject
        .store
        .remove(&user, &removed.uid, &any, &CALL)
        .await?;
    let second = since(Some(first.cursor)).await?;
    equal("changed", uids(&second), vec![changed.uid.clone()])?;
    equal("its etag", second.changed[0].etag.clone(), etag)?;
    expect(second.removed.contains(&removed.uid), || {
        "a removal is not told".to_owned()
    })?;
    subject.put(&user, &removed).await?;
    let third = since(Some(second.cursor)).await?;
    equal("made again", uids(&third), vec![removed.uid])?;
    equal("removed then", third.removed.len(), 0)?;
    let all = since(None).await?;
    equal("all", uids(&all).len(), 3)?;
    subject.done([user]).await
}

/// Objects come, change and go at random; somebody asks for the changes now and then, as a client that synchronises
/// does, and must always hold what the listing says.
pub(super) async fn followed<S: Store>(subject: Subject<S>) -> Verdict {
    let user = subject.user().await?;
    let mut generator = Generator::new();
    let mut mirror: BTreeMap<Uid, ObjectSummary> = BTreeMap::new();
    let mut cursor = subject.store.changes(&user, None, &CALL).await?.cursor;
    for step in 0..200 {
        let event = Event::new(&format!("object {}", generator.roll(20))).summary(step.to_string());
        if generator.roll(3) == 0 {
            let any = Precondition::Any;
            match subject.store.remove(&user, &event.uid, &any, &CALL).await {
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                removed => removed?,
            }
        } else {
            subject.put(&user, &event).await?;
        }
        if generator.roll(8) != 0 {
            continue;
        }
        let changes = subject.store.changes(&user, Some(&cursor), &CALL).await?;
        cursor = changes.cursor;
        for uid in &changes.removed {
            mirror.remove(uid);
        }
        for object in changes.changed {
            mirror.insert(object.uid.clone(), object);
        }
        let mut there = listed(&subject, &user, 7).await?;
        there.sort_by(|a, b| a.uid.cmp(&b.uid));
        let what = format!("what a follower holds after step {step}");
        equal(&what, mirror.values().cloned().collect(), there)?;
    }
    subject.done([user]).await
}

fn uids(changes: &Changes) -> Vec<Uid> {
    let mut uids: Vec<Uid> = changes
        .changed
        .iter()
        .map(|object| object.uid.clone())
        .collect();
    uids.sort_unstable();
    uids
}

pub(super) async fn wrong_cursor<S: Store>(subject: Subject<S>) -> Verdict {
    let user = subject.user().await?;
    let wrong = Cursor::new("no cursor of yours");
    let changes = subject.store.changes(&user, Some(&wrong), &CALL).await;
    fails("changes", changes, ErrorKind::Invalid)?;
    subject.done([user]).await
}

/// Who waits for changes is told of them, and not kept beyond the call's time.
pub(super) async fn awaited<S: Store>(subject: Subject<S>) -> Verdict {
    let (user, other) = (subject.user().await?, subject.user().await?);
    let store = &subject.store;
    let mut watched = Vec::new();
    for user in [&user, &other] {
        let cursor = store.changes(user, None, &CALL).await?.cursor;
        watched.push(Watched::new(user.clone(), cursor));
    }
    let watch = &Watch::over(watched.clone());
    let wait = |call: Call| async move { store.await_changes(watch, &call).await };
    // What a store says need not be true: a file system may tell late of what was before.
    let mut named = waits_in_vain(wait).await?.users;
    for _ in 0..LATE {
        if named.is_empty() {
            break;
        }
        named = waits_in_vain(wait).await?.users;
    }
    equal("when nothing happens", named, Vec::new())?;
    let long = Call::within(Duration::from_secs(30));
    let waiting = store.await_changes(watch, &long);
    let event = Event::new("awaited");
    let (found, put) = tokio::join!(waiting, subject.put(&other, &event));
    put?;
    equal("whose objects changed", found?.users, vec![other.clone()])?;
    // It is level that counts: who was not there when it happened is told at once.
    let late = store.await_changes(watch, &CALL).await?;
    equal("who asks afterwards", late.users, vec![other.clone()])?;
    subject.done([user, other]).await
}
