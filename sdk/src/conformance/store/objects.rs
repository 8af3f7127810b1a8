//! Laws about one object.

use super::{Broken, CALL, Subject, Verdict, equal, expect, fails};
use crate::{
    conformance::objects::{Event, summary},
    prelude::*,
};
use std::{future::Future, pin::pin, sync::Arc, task::Poll};
use tokio::task::JoinSet;

pub(super) async fn get_after_put<S: Store>(subject: Subject<S>) -> Verdict {
    let user = subject.user().await?;
    let event = Event::new("first");
    let before = subject.store.get(&user, &event.uid, &CALL).await?;
    equal("before it was put", before, None)?;
    let etag = subject.put(&user, &event).await?;
    let got = subject.got(&user, &event.uid).await?;
    subject.kept("after", &got, &event)?;
    equal("after", (got.uid, got.etag), (event.uid, etag))?;
    subject.done([user]).await
}

pub(super) async fn put_again<S: Store>(subject: Subject<S>) -> Verdict {
    let user = subject.user().await?;
    let [old, new] = ["old", "new"].map(|text| Event::new("again").summary(text));
    let first = subject.put(&user, &old).await?;
    let second = subject.put(&user, &new).await?;
    expect(first != second, || {
        "other bytes got the same etag".to_owned()
    })?;
    let got = subject.got(&user, &new.uid).await?;
    subject.kept("after", &got, &new)?;
    equal("the etag", got.etag, second.clone())?;
    let third = Event::new("again").summary("third").object();
    let matches = Precondition::Matches(second);
    subject.store.put(&user, &third, &matches, &CALL).await?;
    subject.done([user]).await
}

pub(super) async fn stale_etag<S: Store>(subject: Subject<S>) -> Verdict {
    let user = subject.user().await?;
    let [one, two, three] = ["1", "2", "3"].map(|text| Event::new("stale").summary(text));
    let stale = Precondition::Matches(subject.put(&user, &one).await?);
    subject.put(&user, &two).await?;
    let put = (subject.store.put(&user, &three.object(), &stale, &CALL)).await;
    fails("a put", put, ErrorKind::Conflict)?;
    let removed = subject.store.remove(&user, &one.uid, &stale, &CALL).await;
    fails("a removal", removed, ErrorKind::Conflict)?;
    let got = subject.got(&user, &one.uid).await?;
    subject.kept("after", &got, &two)?;
    let absent = Event::new("never there").object();
    let put = subject.store.put(&user, &absent, &stale, &CALL).await;
    fails("a put of what is not there", put, ErrorKind::Conflict)?;
    subject.done([user]).await
}

pub(super) async fn create_only<S: Store>(subject: Subject<S>) -> Verdict {
    let user = subject.user().await?;
    let create = async |text: &str| {
        let object = Event::new("new").summary(text).object();
        let put = subject
            .store
            .put(&user, &object, &Precondition::Absent, &CALL);
        put.await
    };
    create("first").await?;
    fails("a second time", create("second").await, ErrorKind::Conflict)?;
    let got = subject.got(&user, &Event::new("new").uid).await?;
    equal("the summary", summary(&got.data), Some("first".to_owned()))?;
    subject.done([user]).await
}

pub(super) async fn removal<S: Store>(subject: Subject<S>) -> Verdict {
    let user = subject.user().await?;
    let event = Event::new("short-lived");
    let remove = async |when: Precondition| {
        let removal = subject.store.remove(&user, &event.uid, &when, &CALL);
        removal.await
    };
    fails(
        "before",
        remove(Precondition::Any).await,
        ErrorKind::NotFound,
    )?;
    let etag = subject.put(&user, &event).await?;
    remove(Precondition::Matches(etag.clone())).await?;
    let got = subject.store.get(&user, &event.uid, &CALL).await?;
    equal("after", got, None)?;
    fails(
        "again",
        remove(Precondition::Any).await,
        ErrorKind::NotFound,
    )?;
    let stale = remove(Precondition::Matches(etag)).await;
    expect(stale.is_err(), || "a stale removal succeeded".to_owned())?;
    let busy = subject.store.busy(&user, TimeRange::ALL, &CALL).await?;
    equal("its busy time", busy, Busy::default())?;
    let object = event.object();
    (subject
        .store
        .put(&user, &object, &Precondition::Absent, &CALL))
    .await?;
    subject.got(&user, &event.uid).await?;
    subject.done([user]).await
}

pub(super) async fn odd_uids<S: Store>(subject: Subject<S>) -> Verdict {
    let user = subject.user().await?;
    let uids = [
        ".",
        "..",
        "../../etc/passwd",
        "/etc/passwd",
        "a/b",
        "a\\b",
        "a_b",
        "a%2Fb",
        ".hidden",
        "-rf",
        "nul",
        "A",
        "a",
        "a.ics",
        "a b",
        "ü",
        "u\u{308}",
        "🗓 naïve",
        "';DROP TABLE objects;--",
        "%s%n",
        "*",
        "<&>\"'",
        &"x".repeat(255),
        &"y".repeat(1024),
        &format!("{}z", "y".repeat(1023)),
        &"ü".repeat(512),
    ];
    let events = uids.map(|uid| Event::new(uid).summary(format!("it is {uid}")));
    for event in &events {
        let create = Precondition::Absent;
        let put = subject
            .store
            .put(&user, &event.object(), &create, &CALL)
            .await;
        put.map_err(|error| Broken::How(format!("a put of {:?}: {error}", event.uid)))?;
    }
    for event in &events {
        let got = subject.got(&user, &event.uid).await?;
        subject.kept("after", &got, event)?;
        equal("the UID", got.uid, event.uid.clone())?;
    }
    for event in &events {
        let any = Precondition::Any;
        subject.store.remove(&user, &event.uid, &any, &CALL).await?;
    }
    subject.done([user]).await
}

pub(super) async fn large<S: Store>(subject: Subject<S>) -> Verdict {
    let user = subject.user().await?;
    let event = Event::new("large").summary("0123456789abcdef".repeat(1 << 16));
    subject.put(&user, &event).await?;
    let got = subject.got(&user, &event.uid).await?;
    expect(subject.is_kept(&got, &event), || {
        format!("{} other bytes came back", got.data.len())
    })?;
    subject.done([user]).await
}

/// Runs a hundred of `work` at once.
async fn hundred<S: Store, T, F>(
    subject: &Subject<S>,
    user: &UserId,
    work: impl Fn(Arc<S>, UserId, u32) -> F,
) -> Verdict<Vec<T>>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let mut tasks = JoinSet::new();
    for number in 0..100 {
        tasks.spawn(work(Arc::clone(&subject.store), user.clone(), number));
    }
    let mut results = Vec::new();
    while let Some(result) = tasks.join_next().await {
        results.push(result.map_err(|panic| Broken::How(format!("it panicked: {panic}")))?);
    }
    Ok(results)
}

pub(super) async fn concurrent_creators<S: Store>(subject: Subject<S>) -> Verdict {
    let user = subject.user().await?;
    let results = hundred(&subject, &user, |store, user, number| async move {
        let object = Event::new("one").summary(number.to_string()).object();
        let created = store
            .put(&user, &object, &Precondition::Absent, &CALL)
            .await;
        (number, created)
    });
    let mut winners = Vec::new();
    for (number, result) in results.await? {
        match result {
            Ok(_) => winners.push(number.to_string()),
            result => fails("a loser", result, ErrorKind::Conflict)?,
        }
    }
    let got = subject.got(&user, &Event::new("one").uid).await?;
    let there = Vec::from_iter(summary(&got.data));
    equal("the winner, and the object there", winners, there)?;
    subject.done([user]).await
}

pub(super) async fn concurrent_writers<S: Store>(subject: Subject<S>) -> Verdict {
    let user = subject.user().await?;
    let counted = |count: u32| Event::new("counter").summary(count.to_string()).object();
    (subject
        .store
        .put(&user, &counted(0), &Precondition::Absent, &CALL))
    .await?;
    let results = hundred(&subject, &user, move |store, user, _| async move {
        let uid = Event::new("counter").uid;
        loop {
            let Some(before) = store.get(&user, &uid, &CALL).await? else {
                return Err(Error::internal("the counter is gone"));
            };
            let count: Option<u32> = summary(&before.data).and_then(|text| text.parse().ok());
            let count = count.ok_or_else(|| Error::internal("the counter is broken"))?;
            let when = Precondition::Matches(before.etag);
            match store.put(&user, &counted(count + 1), &when, &CALL).await {
                Err(error) if error.kind() == ErrorKind::Conflict => {}
                done => return done.map(drop),
            }
        }
    });
    for result in results.await? {
        result?;
    }
    let got = subject.got(&user, &Event::new("counter").uid).await?;
    equal("the count", summary(&got.data), Some("100".to_owned()))?;
    subject.done([user]).await
}

pub(super) async fn given_up<S: Store>(subject: Subject<S>) -> Verdict {
    let user = subject.user().await?;
    let old = Event::new("given up").summary("old");
    let new = old.clone().summary("new");
    for _ in 0..10 {
        subject.put(&user, &old).await?;
        {
            let object = new.object();
            let put = subject.store.put(&user, &object, &Precondition::Any, &CALL);
            let mut put = pin!(put);
            // Polled once, and then the caller loses interest.
            std::future::poll_fn(|context| {
                let _ = put.as_mut().poll(context);
                Poll::Ready(())
            })
            .await;
        }
        let got = subject.got(&user, &old.uid).await?;
        let whole = [&old, &new].iter().any(|it| subject.is_kept(&got, it));
        expect(whole, || "neither of both objects is there".to_owned())?;
    }
    subject.put(&user, &new).await?;
    subject.done([user]).await
}
