//! The state kit finds nothing wrong with a right place for state, and finds each flaw of a wrong one.

use convoke_sdk::{
    conformance::{self, Law, Outcome, Report, StateFacts},
    prelude::*,
};
use std::{
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, Instant},
};

/// What a place may do wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    Nothing,
    CutsKeys,
    AlwaysOneVersion,
    DeletesNothing,
    WritesAnyway,
    WritesBackwards,
    TrimsValues,
    ScansOneTooMany,
    NeverExpires,
    ChecksThenWrites,
    WaitsForEver,
    HidesBesideItself,
    ForgetsAtTheEnd,
}

use Flaw::*;

type Kept = (Vec<u8>, u64, Option<Instant>);

#[derive(Default)]
struct Contents {
    now: u64,
    kept: BTreeMap<Vec<u8>, Kept>,
}

/// A place in memory; what `Arc` shares outlives it, as a file would.
struct Memory {
    flaw: Flaw,
    contents: Arc<Mutex<Contents>>,
}

impl Memory {
    fn contents(&self) -> MutexGuard<'_, Contents> {
        let mut contents = self.contents.lock().unwrap();
        let now = Instant::now();
        if self.flaw != NeverExpires {
            (contents.kept).retain(|_, (_, _, until)| until.is_none_or(|until| now < until));
        }
        contents
    }

    fn key(&self, key: &[u8]) -> Vec<u8> {
        match self.flaw {
            CutsKeys => key[..key.len() - 1].to_vec(),
            _ => key.to_vec(),
        }
    }

    fn check(&self, batch: &Batch) -> Result<()> {
        let contents = self.contents();
        for condition in &batch.conditions {
            let there = contents.kept.get(&self.key(condition.key()));
            condition.check(there.map(|(_, version, _)| *version))?;
        }
        Ok(())
    }

    fn write(&self, batch: &Batch) -> u64 {
        let mut contents = self.contents();
        contents.now += 1;
        let version = match self.flaw {
            AlwaysOneVersion => 1,
            _ => contents.now,
        };
        let mut writes: Vec<_> = batch.writes.iter().collect();
        if self.flaw == WritesBackwards {
            writes.reverse();
        }
        for write in writes {
            match write {
                StateWrite::Put {
                    key,
                    value,
                    expires_in,
                    ..
                } => {
                    let until = expires_in.map(|length| Instant::now() + length);
                    let value = match self.flaw {
                        TrimsValues => value.trim_ascii().iter().copied().take(1000).collect(),
                        _ => value.clone(),
                    };
                    contents.kept.insert(self.key(key), (value, version, until));
                }
                StateWrite::Delete { key, .. } if self.flaw != DeletesNothing => {
                    contents.kept.remove(&self.key(key));
                }
                _ => {}
            }
        }
        version
    }
}

fn entry(key: &[u8], (value, version, until): &Kept) -> StateEntry {
    let mut entry = StateEntry::new(key.to_vec(), value.clone(), *version);
    entry.expires_in = until.map(|until| until.saturating_duration_since(Instant::now()));
    entry
}

impl State for Memory {
    type Config = ();

    async fn open((): (), _host: Host) -> Result<Self> {
        Err(Error::unsupported("a test makes it"))
    }

    async fn get(&self, key: &[u8], _: &Call) -> Result<Option<StateEntry>> {
        let contents = self.contents();
        Ok(contents
            .kept
            .get(&self.key(key))
            .map(|kept| entry(key, kept)))
    }

    async fn scan(&self, scan: &Scan, _: &Call) -> Result<Vec<StateEntry>> {
        let contents = self.contents();
        let limit = match self.flaw {
            ScansOneTooMany => scan.limit as usize + 1,
            _ => scan.limit as usize,
        };
        let found = contents
            .kept
            .iter()
            .filter(|(key, _)| scan.range.contains(key));
        Ok(found
            .take(limit)
            .map(|(key, kept)| entry(key, kept))
            .collect())
    }

    async fn commit(&self, batch: &Batch, _: &Call) -> Result<Committed> {
        match self.flaw {
            WritesAnyway => {
                let version = self.write(batch);
                self.check(batch)?;
                return Ok(Committed::new(version));
            }
            ChecksThenWrites => {
                self.check(batch)?;
                tokio::task::yield_now().await;
            }
            _ => self.check(batch)?,
        }
        Ok(Committed::new(self.write(batch)))
    }

    async fn await_changes(&self, _: &KeyRange, call: &Call) -> Result<()> {
        let patience = call.patience().min(Duration::from_millis(50));
        let wait = match self.flaw {
            WaitsForEver => call.time_left().unwrap_or_default() + Duration::from_millis(1),
            _ => patience,
        };
        tokio::time::sleep(wait).await;
        Ok(())
    }
}

/// Each flaw, and a law that it breaks; there is one for every law of the kit.
const FLAWS: &[(Flaw, &str)] = &[
    (CutsKeys, "what was put is got"),
    (AlwaysOneVersion, "a write makes another version"),
    (DeletesNothing, "what was deleted is gone"),
    (
        WritesAnyway,
        "a condition that does not hold writes nothing",
    ),
    (WritesBackwards, "writes of a batch are made in their order"),
    (TrimsValues, "keys and values are any bytes"),
    (ScansOneTooMany, "a scan is what a sorted map says"),
    (NeverExpires, "what has expired is not there"),
    (ChecksThenWrites, "of a hundred who create a key one wins"),
    (
        ChecksThenWrites,
        "a hundred concurrent writers lose no update",
    ),
    (
        WaitsForEver,
        "who waits for changes is not kept beyond its time",
    ),
    (HidesBesideItself, "it is opened twice side by side"),
    (
        ForgetsAtTheEnd,
        "a place that is closed and opened again holds everything",
    ),
];

async fn report(flaw: Flaw) -> Report {
    let contents = Arc::new(Mutex::new(Contents::default()));
    let open = || async {
        let contents = match flaw {
            ForgetsAtTheEnd | HidesBesideItself => Arc::default(),
            _ => Arc::clone(&contents),
        };
        Ok(Memory { flaw, contents })
    };
    conformance::state(open, &StateFacts::default()).await
}

#[tokio::test]
async fn a_right_place_keeps_every_law() {
    let report = report(Nothing).await;
    report.assert_kept();
    assert!(
        report
            .laws
            .iter()
            .all(|law: &Law| law.outcome == Outcome::Kept)
    );
    assert_eq!(report.laws.len(), 13);
    for law in &report.laws {
        let is_tried = FLAWS.iter().any(|(_, broken)| law.name == *broken);
        assert!(is_tried, "no flaw breaks “{}”", law.name);
    }
}

#[tokio::test]
async fn each_flaw_breaks_its_law() {
    // At once, as some take as long as they may.
    let reports = FLAWS
        .iter()
        .map(|(flaw, law)| (flaw, law, tokio::spawn(report(*flaw))));
    for (flaw, law, report) in reports.collect::<Vec<_>>() {
        let report = report.await.unwrap();
        let found = report.broken().any(|(name, _)| name == *law);
        assert!(found, "{flaw:?} should break “{law}”:\n{report}");
    }
}
