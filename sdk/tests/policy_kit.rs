//! The policy kit finds nothing wrong with a right policy, and finds each flaw of a wrong one.

use convoke_sdk::{
    conformance::{self, DecisionKind, Expected, Law, Outcome},
    prelude::*,
};
use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

/// What a policy may do wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    Nothing,
    PanicsAtOddMethods,
    FailsWithoutDomain,
    ThrowsDice,
    DiffersByInstance,
    AllowsByDefault,
    FailsByDefault,
    MindsLengths,
    CountsCase,
    CountsFacts,
    DecidesOneAtATime,
    WaitsForThoseWhoLeft,
    BlocksItsThread,
}

use Flaw::*;

/// Anna may do what she likes, others may look.
struct Door {
    flaw: Flaw,
    number: u32,
    asked: AtomicU32,
    door: tokio::sync::Semaphore,
}

fn door(flaw: Flaw, number: u32) -> Door {
    Door {
        flaw,
        number,
        asked: AtomicU32::new(0),
        door: tokio::sync::Semaphore::new(1),
    }
}

fn anna() -> CalendarAddress {
    CalendarAddress::new("anna@example.com").unwrap()
}

impl Policy for Door {
    type Config = ();

    async fn open((): (), _host: Host) -> Result<Self> {
        Err(Error::unsupported("a test makes it"))
    }

    async fn authorize(&self, request: &AccessRequest, _: &Call) -> Result<Decision> {
        let asked = self.asked.fetch_add(1, Ordering::Relaxed);
        let odd = request.component.is_empty();
        match self.flaw {
            PanicsAtOddMethods => assert!(!request.method.contains('*'), "what is that?"),
            FailsWithoutDomain => drop(request.originator.domain()?),
            ThrowsDice if asked % 7 < 3 => return Ok(Decision::Abstain),
            DiffersByInstance if self.number > 0 => return Ok(Decision::Abstain),
            AllowsByDefault => return Ok(Decision::allow()),
            FailsByDefault if odd => return Err(Error::not_found("no such component")),
            MindsLengths if request.method.len() > 5000 => return Ok(Decision::allow()),
            CountsFacts if request.attributes.iter().count() > 3 => return Ok(Decision::Abstain),
            BlocksItsThread if asked < 3 => std::thread::sleep(Duration::from_millis(1050)),
            DecidesOneAtATime => {
                let Ok(_permit) = self.door.try_acquire() else {
                    return Ok(Decision::Abstain);
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
        let is_anna = match self.flaw {
            CountsCase => request.originator == anna(),
            _ => request.originator.same_user(&anna()),
        };
        Ok(match request.action {
            _ if is_anna => Decision::allow(),
            Action::FreeBusy => Decision::Allow(Grant::default()),
            _ => Decision::deny("she alone may"),
        })
    }
}

/// Each flaw, and a law that it breaks; there is one for every law of the kit.
const FLAWS: &[(Flaw, &str)] = &[
    (PanicsAtOddMethods, "no request makes it fail"),
    (FailsWithoutDomain, "no request makes it fail"),
    (ThrowsDice, "the same request gets the same decision"),
    (DiffersByInstance, "two of one configuration decide alike"),
    (AllowsByDefault, "odd requests get one default"),
    (FailsByDefault, "odd requests get one default"),
    (MindsLengths, "odd requests get one default"),
    (CountsCase, "the case of an address does not count"),
    (CountsFacts, "facts that it cannot know change nothing"),
    (
        DecidesOneAtATime,
        "a hundred who ask at once get the same decisions",
    ),
    (
        WaitsForThoseWhoLeft,
        "a question that is given up disturbs nobody",
    ),
    (BlocksItsThread, "no call holds its thread"),
];

async fn report(flaw: Flaw) -> conformance::Report {
    let expected = Expected {
        default: Some(DecisionKind::Deny),
        addresses: vec![anna()],
    };
    let opened = AtomicU32::new(0);
    let open = || async { Ok(door(flaw, opened.fetch_add(1, Ordering::Relaxed))) };
    conformance::policy(open, &expected).await
}

#[tokio::test]
async fn a_right_policy_keeps_every_law() {
    let report = report(Nothing).await;
    let kept = |law: &Law| law.outcome == Outcome::Kept;
    assert!(report.laws.iter().all(kept), "{report}");
    assert_eq!(report.laws.len(), 9);
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

/// Whoever looks for the fault sees what it takes, and nothing else.
#[tokio::test]
async fn a_request_that_fails_is_made_simple() {
    let report = report(FailsWithoutDomain).await;
    let (_, how) = report.broken().next().unwrap();
    assert!(
        how.starts_with("\"REQUEST\" \"VEVENT\" from ")
            && how.contains(" to mailto:bo@example.org with [] and {}: expected a decision"),
        "{how}"
    );
}
