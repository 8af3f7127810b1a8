//! The discovery kit finds nothing wrong with a right strategy, and finds each flaw of a wrong one.

use convoke_sdk::{
    conformance::{self, Law, Outcome, Samples},
    prelude::*,
};
use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

/// What a strategy may do wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    Nothing,
    ForgetsWhatIsKnown,
    AnswersNobody,
    ClaimsWhatIsUnknown,
    LeavesNoServiceOpen,
    CountsCase,
    TakesAsciiOnly,
    PanicsAtLongNames,
    FailsAtWhatIsUnknown,
    ChangesItsMind,
    AnswersOneAtATime,
    WaitsForThoseWhoLeft,
    BlocksItsThread,
}

use Flaw::*;

struct Listed {
    flaw: Flaw,
    asked: AtomicU32,
    door: tokio::sync::Semaphore,
}

fn receiver() -> ReceiverUrl {
    ReceiverUrl::new("https://cal.example.com/ischedule").unwrap()
}

impl Discovery for Listed {
    type Config = ();

    async fn open((): (), _host: Host) -> Result<Self> {
        Err(Error::unsupported("a test makes it"))
    }

    async fn discover(&self, address: &CalendarAddress, _: &Call) -> Result<Discovered> {
        let Ok(domain) = address.domain() else {
            return Ok(Discovered::NotMine);
        };
        let asked = self.asked.fetch_add(1, Ordering::Relaxed);
        match self.flaw {
            PanicsAtLongNames => assert!(domain.as_str().len() < 100, "a long name"),
            BlocksItsThread if asked < 3 => std::thread::sleep(Duration::from_millis(1050)),
            AnswersOneAtATime => {
                let Ok(_permit) = self.door.try_acquire() else {
                    return Err(Error::unavailable("one at a time"));
                };
                tokio::task::yield_now().await;
            }
            WaitsForThoseWhoLeft => {
                let permit = self.door.acquire().await.unwrap();
                permit.forget(); // given back below, if the caller is still there then
                tokio::task::yield_now().await;
                self.door.add_permits(1);
            }
            _ => {}
        }
        match domain.as_str() {
            _ if self.flaw == TakesAsciiOnly && domain.as_str().contains("xn--") => {
                Err(Error::invalid("a strange name"))
            }
            _ if self.flaw == CountsCase
                && address.local_part().unwrap()
                    != address.local_part().unwrap().to_lowercase() =>
            {
                Ok(Discovered::NotMine)
            }
            "example.com" if self.flaw == ChangesItsMind && asked % 3 == 2 => {
                Ok(Discovered::NotMine)
            }
            "example.com" if self.flaw == ForgetsWhatIsKnown => Ok(Discovered::NotMine),
            "example.com" if self.flaw == AnswersNobody => Ok(Discovered::Receivers(Vec::new())),
            "example.com" => Ok(Discovered::receiver(receiver())),
            "example.net" if self.flaw != LeavesNoServiceOpen => Ok(Discovered::NoService),
            _ if self.flaw == ClaimsWhatIsUnknown => Ok(Discovered::NoService),
            _ if self.flaw == FailsAtWhatIsUnknown => Err(Error::not_found("who is that?")),
            _ => Ok(Discovered::NotMine),
        }
    }
}

/// Each flaw, and a law that it breaks; there is one for every law of the kit.
const FLAWS: &[(Flaw, &str)] = &[
    (ForgetsWhatIsKnown, "what is known leads to receivers"),
    (AnswersNobody, "what is known leads to receivers"),
    (AnswersNobody, "every address gets an answer"),
    (
        ClaimsWhatIsUnknown,
        "what is unknown is left to the next strategy",
    ),
    (
        FailsAtWhatIsUnknown,
        "what is unknown is left to the next strategy",
    ),
    (FailsAtWhatIsUnknown, "every address gets an answer"),
    (LeavesNoServiceOpen, "no service ends the search"),
    (CountsCase, "the case of an address does not count"),
    (
        TakesAsciiOnly,
        "a domain with letters of any script is looked up",
    ),
    (PanicsAtLongNames, "every address gets an answer"),
    (ChangesItsMind, "asked again, it answers the same"),
    (
        AnswersOneAtATime,
        "a hundred who ask at once get the same answers",
    ),
    (
        WaitsForThoseWhoLeft,
        "a question that is given up disturbs nobody",
    ),
    (BlocksItsThread, "no call holds its thread"),
];

async fn report(flaw: Flaw) -> conformance::Report {
    let address = |text| vec![CalendarAddress::new(text).unwrap()];
    let samples = Samples {
        known: address("anna@example.com"),
        unknown: address("anna@example.org"),
        no_service: address("anna@example.net"),
    };
    let open = || async {
        Ok(Listed {
            flaw,
            asked: AtomicU32::new(0),
            door: tokio::sync::Semaphore::new(1),
        })
    };
    conformance::discovery(open, &samples).await
}

#[tokio::test]
async fn a_right_strategy_keeps_every_law() {
    let report = report(Nothing).await;
    let kept = |law: &Law| law.outcome == Outcome::Kept;
    assert!(report.laws.iter().all(kept), "{report}");
    assert_eq!(report.laws.len(), 10);
    for law in &report.laws {
        let is_tried = FLAWS.iter().any(|(_, broken)| law.name == *broken);
        assert!(is_tried, "no flaw breaks “{}”", law.name);
    }
}

/// Time passes by itself where a wrong plugin would wait for ever.
#[tokio::test(start_paused = true)]
async fn each_flaw_breaks_its_law() {
    for (flaw, law) in FLAWS {
        let report = report(*flaw).await;
        let found = report.broken().any(|(name, _)| name == *law);
        assert!(found, "{flaw:?} should break “{law}”:\n{report}");
    }
}

#[tokio::test]
async fn without_samples_what_needs_them_is_not_asked() {
    let open = || async {
        Ok(Listed {
            flaw: Nothing,
            asked: AtomicU32::new(0),
            door: tokio::sync::Semaphore::new(1),
        })
    };
    let report = conformance::discovery(open, &Samples::default()).await;
    report.assert_kept();
    let not_asked = |law: &&Law| matches!(law.outcome, Outcome::NotAsked(_));
    assert_eq!(report.laws.iter().filter(not_asked).count(), 3, "{report}");
}

#[tokio::test]
async fn a_strategy_that_does_not_open_is_told() {
    let open = || async { Listed::open((), conformance::host("/")).await };
    let report = conformance::discovery(open, &Samples::default()).await;
    let (law, how) = report.broken().next().unwrap();
    assert_eq!(
        (law, how),
        ("a strategy opens", "opening it failed: a test makes it")
    );
}
