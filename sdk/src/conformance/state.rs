//! What a place for state promises, law by law. Each law has keys of its own, so a place that holds others may be asked
//! too.

use super::{
    Outcome, Report,
    generator::Generator,
    runner::{
        Ask, Broken, CALL, Verdict, ask, at_once, equal, expect, fails, outcome, waits_in_vain,
    },
};
use crate::prelude::*;
use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// What is known of the place that is asked.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct StateFacts {
    /// Whether it may be opened twice side by side; what the trait says is asked if this is `None`.
    pub sharing: Option<Sharing>,
}

impl StateFacts {
    /// A place that may be opened so often.
    pub const fn that_is(sharing: Sharing) -> Self {
        Self {
            sharing: Some(sharing),
        }
    }
}

/// Asks the place that `open` opens for every law. `open` may be called several times, and opens the same place.
///
/// Needs a tokio runtime. What it writes is removed again.
pub async fn state<S, O, F>(open: O, facts: &StateFacts) -> Report
where
    S: State,
    O: Fn() -> F,
    F: Future<Output = Result<S>>,
{
    let mut report = Report::default();
    let first = match open().await {
        Ok(state) => Subject::new(Arc::new(state)),
        Err(error) => {
            let how = format!("opening it failed: {error}");
            report.push("a place for state opens", Outcome::Broken(how));
            return report;
        }
    };
    for (name, law) in laws::<S>() {
        let subject = first.law();
        let asked = ask(law(subject.clone())).await;
        let cleared = ask(clear(subject)).await;
        report.push(name, outcome(asked.and(cleared)));
    }
    let beside = match facts.sharing.unwrap_or(S::SHARING) {
        Sharing::Exclusive => Err(Broken::NotAsked("it says that it may not".to_owned())),
        Sharing::Shared | Sharing::OneVersion => match open().await {
            Ok(other) => ask(side_by_side(first.law(), other)).await,
            Err(error) => Err(Broken::How(format!("opening it twice failed: {error}"))),
        },
    };
    report.push("it is opened twice side by side", outcome(beside));
    let reopened = async {
        let kept = first.law();
        let (key, prefix) = (kept.key("kept"), kept.prefix.clone());
        let put = Batch::new().put(key.clone(), "value");
        let version = kept.state.commit(&put, &CALL).await?.version;
        kept.state.close(&CALL).await?;
        drop((kept, first));
        let mut again = Subject::new(Arc::new(open().await?));
        again.prefix = prefix;
        let wanted = StateEntry::new(key.clone(), b"value".to_vec(), version);
        equal(
            "what was committed",
            again.state.get(&key, &CALL).await?,
            Some(wanted),
        )?;
        clear(again).await
    };
    let name = "a place that is closed and opened again holds everything";
    report.push(name, outcome(reopened.await));
    report
}

fn laws<S: State>() -> Vec<(&'static str, Ask<Subject<S>>)> {
    vec![
        ("what was put is got", |s| Box::pin(put_and_get(s))),
        ("a write makes another version", |s| Box::pin(versions(s))),
        ("what was deleted is gone", |s| Box::pin(deleted(s))),
        ("a condition that does not hold writes nothing", |s| {
            Box::pin(conditions(s))
        }),
        ("writes of a batch are made in their order", |s| {
            Box::pin(in_order(s))
        }),
        ("keys and values are any bytes", |s| Box::pin(any_bytes(s))),
        ("a scan is what a sorted map says", |s| Box::pin(scans(s))),
        ("what has expired is not there", |s| Box::pin(expiry(s))),
        ("of a hundred who create a key one wins", |s| {
            Box::pin(creators(s))
        }),
        ("a hundred concurrent writers lose no update", |s| {
            Box::pin(counters(s))
        }),
        ("who waits for changes is not kept beyond its time", |s| {
            Box::pin(awaited(s))
        }),
    ]
}

/// The place that is asked.
struct Subject<S> {
    state: Arc<S>,
    /// What the keys of this law begin with.
    prefix: String,
    laws: Arc<AtomicU32>,
}

impl<S> Clone for Subject<S> {
    fn clone(&self) -> Self {
        Self {
            state: Arc::clone(&self.state),
            prefix: self.prefix.clone(),
            laws: Arc::clone(&self.laws),
        }
    }
}

impl<S: State> Subject<S> {
    fn new(state: Arc<S>) -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            state,
            prefix: format!("conformance/{:x}/", since.unwrap_or_default().as_nanos()),
            laws: Arc::default(),
        }
    }

    /// The same place, with other keys.
    fn law(&self) -> Self {
        let number = self.laws.fetch_add(1, Ordering::Relaxed);
        Self {
            prefix: format!("{}{number}/", self.prefix),
            ..self.clone()
        }
    }

    fn key(&self, name: impl AsRef<[u8]>) -> Vec<u8> {
        [self.prefix.as_bytes(), name.as_ref()].concat()
    }

    fn all(&self) -> KeyRange {
        KeyRange::prefix(self.prefix.as_bytes())
    }

    async fn value(&self, name: &str) -> Verdict<Option<Vec<u8>>> {
        let found = self.state.get(&self.key(name), &CALL).await?;
        Ok(found.map(|entry| entry.value))
    }

    async fn commit(&self, batch: Batch) -> Verdict<u64> {
        Ok(self.state.commit(&batch, &CALL).await?.version)
    }
}

/// Removes all keys of a law; no law writes more than these rounds remove.
async fn clear<S: State>(subject: Subject<S>) -> Verdict {
    for _ in 0..5 {
        let scan = Scan::new(subject.all(), 100);
        let found = subject.state.scan(&scan, &CALL).await?;
        if found.is_empty() {
            return Ok(());
        }
        let keys = found.into_iter().map(|entry| entry.key);
        subject
            .commit(keys.fold(Batch::new(), Batch::delete))
            .await?;
    }
    Err(Broken::How("what is deleted is there still".to_owned()))
}

async fn put_and_get<S: State>(subject: Subject<S>) -> Verdict {
    let (key, other) = (subject.key("a"), subject.key("ab"));
    equal("before", subject.state.get(&key, &CALL).await?, None)?;
    let batch = Batch::new()
        .put(key.clone(), "one")
        .put(other.clone(), "two");
    let version = subject.commit(batch).await?;
    for (key, value) in [(key, "one"), (other, "two")] {
        let wanted = StateEntry::new(key.clone(), value.into(), version);
        equal("after", subject.state.get(&key, &CALL).await?, Some(wanted))?;
    }
    equal("a key between", subject.value("aa").await?, None)
}

async fn versions<S: State>(subject: Subject<S>) -> Verdict {
    let key = subject.key("a");
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.push(
            subject
                .commit(Batch::new().put(key.clone(), "same"))
                .await?,
        );
        subject.commit(Batch::new().delete(key.clone())).await?;
    }
    seen.sort_unstable();
    seen.dedup();
    equal("how many versions three writes make", seen.len(), 3)
}

async fn deleted<S: State>(subject: Subject<S>) -> Verdict {
    let key = subject.key("a");
    let version = subject.commit(Batch::new().put(key.clone(), "x")).await?;
    let delete = || {
        Batch::new()
            .if_version(key.clone(), version)
            .delete(key.clone())
    };
    subject.commit(delete()).await?;
    equal("get", subject.value("a").await?, None)?;
    let found = subject
        .state
        .scan(&Scan::new(subject.all(), 10), &CALL)
        .await?;
    equal("scan", found, Vec::new())?;
    let again = subject.state.commit(&delete(), &CALL).await;
    fails("the version that is gone", again, ErrorKind::Conflict)?;
    // What is not there need not be.
    subject.commit(Batch::new().delete(key)).await.map(drop)
}

async fn conditions<S: State>(subject: Subject<S>) -> Verdict {
    let (a, b) = (subject.key("a"), subject.key("b"));
    let first = subject.commit(Batch::new().put(a.clone(), "1")).await?;
    let write = || Batch::new().put(a.clone(), "lost").put(b.clone(), "lost");
    for (what, batch) in [
        ("absent, but it is there", write().if_absent(a.clone())),
        (
            "another version",
            write().if_version(a.clone(), first.wrapping_add(1)),
        ),
        (
            "a version of what is not there",
            write().if_version(b.clone(), first),
        ),
        (
            "one that holds and one that does not",
            write()
                .if_version(a.clone(), first)
                .if_version(b.clone(), 1),
        ),
    ] {
        let committed = subject.state.commit(&batch, &CALL).await;
        fails(what, committed, ErrorKind::Conflict)?;
        equal(
            "what is there",
            subject.value("a").await?,
            Some(b"1".to_vec()),
        )?;
        equal("what is not", subject.value("b").await?, None)?;
    }
    let batch = write().if_version(a.clone(), first).if_absent(b.clone());
    subject.commit(batch).await?;
    equal(
        "what holds is written",
        subject.value("b").await?,
        Some(b"lost".to_vec()),
    )?;
    // A condition alone is a question.
    subject
        .commit(Batch::new().if_absent(subject.key("c")))
        .await
        .map(drop)
}

async fn in_order<S: State>(subject: Subject<S>) -> Verdict {
    let (a, b) = (subject.key("a"), subject.key("b"));
    let batch = Batch::new()
        .put(a.clone(), "1")
        .put(a.clone(), "2")
        .put(b.clone(), "1")
        .delete(b.clone())
        .delete(a.clone())
        .put(a, "3");
    subject.commit(batch).await?;
    equal("put last", subject.value("a").await?, Some(b"3".to_vec()))?;
    equal("deleted last", subject.value("b").await?, None)
}

async fn any_bytes<S: State>(subject: Subject<S>) -> Verdict {
    let all: Vec<u8> = (0..=255).collect();
    let large = vec![0xff; 1 << 20];
    for (name, value) in [
        (&b""[..], &b""[..]),
        (b"\0", b"\0"),
        (b"\0\0", b"x"),
        (b"\xff\xff", b"y"),
        (&all, &all),
        (b"%_'\"\\", b"'; DROP TABLE"),
        ("\u{fc}".as_bytes(), &large),
    ] {
        let key = subject.key(name);
        subject.commit(Batch::new().put(key.clone(), value)).await?;
        let found = subject.state.get(&key, &CALL).await?;
        let found = found.map(|entry| (entry.key, entry.value));
        expect(found == Some((key, value.to_vec())), || {
            format!(
                "the key {:?} does not hold what was put",
                name.escape_ascii().to_string()
            )
        })?;
    }
    Ok(())
}

/// Random writes; after each few, random ranges are compared with what a sorted map says.
async fn scans<S: State>(subject: Subject<S>) -> Verdict {
    let mut generator = Generator::new();
    let mut model: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
    let key = |generator: &mut Generator| {
        let length = 1 + generator.roll(3);
        let letters = [0, b'a', b'b', 0xff];
        let name: Vec<u8> = (0..length).map(|_| *generator.one_of(&letters)).collect();
        subject.key(name)
    };
    for step in 0..40 {
        let mut batch = Batch::new();
        for _ in 0..=generator.roll(4) {
            let (key, value) = (key(&mut generator), step.to_string().into_bytes());
            if generator.roll(4) == 0 {
                model.remove(&key);
                batch = batch.delete(key);
            } else {
                model.insert(key.clone(), value.clone());
                batch = batch.put(key, value);
            }
        }
        subject.commit(batch).await?;
        let (start, end) = (key(&mut generator), key(&mut generator));
        for (range, limit) in [
            (subject.all(), 1000),
            (subject.all(), 3),
            (KeyRange::new(start.clone(), Some(end)), 1000),
            (KeyRange::prefix(start), 1000),
        ] {
            let found = subject
                .state
                .scan(&Scan::new(range.clone(), limit), &CALL)
                .await?;
            let found: Vec<_> = found.into_iter().map(|it| (it.key, it.value)).collect();
            let wanted: Vec<_> = (model.iter().filter(|(key, _)| range.contains(key)))
                .take(limit as usize)
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect();
            equal(&format!("at most {limit} of {range:?}"), found, wanted)?;
        }
    }
    Ok(())
}

async fn expiry<S: State>(subject: Subject<S>) -> Verdict {
    let (soon, late) = (subject.key("soon"), subject.key("late"));
    let hour = Duration::from_secs(3600);
    let batch = Batch::new()
        .put_for(soon.clone(), "x", Duration::from_millis(200))
        .put_for(late.clone(), "y", hour);
    let version = subject.commit(batch).await?;
    let entry = subject.state.get(&late, &CALL).await?;
    let left = entry.and_then(|entry| entry.expires_in);
    expect(
        left.is_some_and(|left| left <= hour && left > hour / 2),
        || format!("expected nearly an hour that is left, got {left:?}"),
    )?;
    let begun = std::time::Instant::now();
    while subject.value("soon").await?.is_some() {
        expect(begun.elapsed() < Duration::from_secs(5), || {
            "what is to expire after 200 ms is still there after 5 s".to_owned()
        })?;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let found = subject
        .state
        .scan(&Scan::new(subject.all(), 10), &CALL)
        .await?;
    equal("what a scan finds then", found.len(), 1)?;
    let stale = Batch::new().if_version(soon.clone(), version);
    let stale = subject.state.commit(&stale, &CALL).await;
    fails("the version that has expired", stale, ErrorKind::Conflict)?;
    subject
        .commit(Batch::new().if_absent(soon.clone()).put(soon, "again"))
        .await?;
    equal(
        "put again, for ever",
        subject.value("soon").await?,
        Some(b"again".to_vec()),
    )
}

async fn creators<S: State>(subject: Subject<S>) -> Verdict {
    let calls = (0..100).map(|number: u32| {
        let subject = subject.clone();
        async move {
            let key = subject.key("one");
            let batch = Batch::new()
                .if_absent(key.clone())
                .put(key, number.to_string());
            (number, subject.state.commit(&batch, &CALL).await)
        }
    });
    let mut won = Vec::new();
    for (number, committed) in at_once(calls).await? {
        match committed {
            Ok(_) => won.push(number.to_string().into_bytes()),
            lost => fails("who comes too late", lost, ErrorKind::Conflict)?,
        }
    }
    equal("how many won", won.len(), 1)?;
    equal("what is there", subject.value("one").await?, won.pop())
}

async fn counters<S: State>(subject: Subject<S>) -> Verdict {
    let key = subject.key("count");
    subject.commit(Batch::new().put(key.clone(), "0")).await?;
    let calls = (0..100).map(|_| {
        let (subject, key) = (subject.clone(), key.clone());
        async move {
            // Each round somebody makes progress.
            for _ in 0..1000 {
                let entry = subject.state.get(&key, &CALL).await?;
                let entry = entry.ok_or_else(|| Error::internal("the counter is gone"))?;
                let text = String::from_utf8_lossy(&entry.value).into_owned();
                let count: u32 = text.parse().map_err(|_| Error::internal("no number"))?;
                let batch = Batch::new().if_version(key.clone(), entry.version);
                let batch = batch.put(key.clone(), (count + 1).to_string());
                match subject.state.commit(&batch, &CALL).await {
                    Err(error) if error.kind() == ErrorKind::Conflict => {}
                    committed => return committed.map(drop),
                }
            }
            Err(Error::internal("a thousand conflicts"))
        }
    });
    for counted in at_once(calls).await? {
        counted?;
    }
    equal(
        "the count",
        subject.value("count").await?,
        Some(b"100".to_vec()),
    )
}

async fn awaited<S: State>(subject: Subject<S>) -> Verdict {
    let (state, range) = (&subject.state, &subject.all());
    waits_in_vain(|call: Call| async move { state.await_changes(range, &call).await }).await?;
    let long = Call::within(Duration::from_secs(60));
    let waiting = state.await_changes(range, &long);
    let put = subject.commit(Batch::new().put(subject.key("a"), "x"));
    let (waited, put) = tokio::join!(waiting, put);
    put?;
    Ok(waited?)
}

/// What one of two opened places writes, the other reads.
async fn side_by_side<S: State>(one: Subject<S>, other: S) -> Verdict {
    let key = one.key("shared");
    let version = one.commit(Batch::new().put(key.clone(), "1")).await?;
    let seen = other.get(&key, &CALL).await?;
    let wanted = StateEntry::new(key.clone(), b"1".to_vec(), version);
    equal("through the other one", seen, Some(wanted))?;
    let next = Batch::new()
        .if_version(key.clone(), version)
        .put(key.clone(), "2");
    other.commit(&next, &CALL).await?;
    let late = one.state.commit(&next, &CALL).await;
    fails("against the version before", late, ErrorKind::Conflict)?;
    other.close(&CALL).await?;
    equal(
        "after the other one closed",
        one.value("shared").await?,
        Some(b"2".to_vec()),
    )?;
    clear(one).await
}
