//! What a policy promises, law by law.

use super::{
    Outcome, Report,
    generator::Generator,
    runner::{
        Ask, Broken, CALL, Verdict, ask, at_once, equal, expect, give_up, holds_no_thread, outcome,
    },
};
use crate::prelude::*;
use std::{
    fmt,
    future::Future,
    str::FromStr,
    sync::Arc,
    time::{Duration, Instant},
};

/// A law that asks random questions has asked enough after this time.
const ENOUGH: Duration = Duration::from_secs(20);

/// What the author knows of the policy as it is configured for the test.
#[derive(Clone, Debug, Default)]
pub struct Expected {
    /// What a request gets that no rule is made for: an unknown method and component, between strangers. `None`: any,
    /// but always the same.
    pub default: Option<DecisionKind>,
    /// Addresses that its rules are about, so that random requests meet them.
    pub addresses: Vec<CalendarAddress>,
}

/// A [`Decision`] without its details.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecisionKind {
    /// Yes.
    Allow,
    /// No.
    Deny,
    /// Nothing to say.
    Abstain,
    /// It waits for the recipient.
    Hold,
}

impl From<&Decision> for DecisionKind {
    fn from(decision: &Decision) -> Self {
        match decision {
            Decision::Allow(_) => Self::Allow,
            Decision::Deny(_) => Self::Deny,
            Decision::Abstain => Self::Abstain,
            Decision::Hold => Self::Hold,
        }
    }
}

impl fmt::Display for DecisionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Abstain => "abstain",
            Self::Hold => "hold",
        })
    }
}

impl FromStr for DecisionKind {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "allow" => Ok(Self::Allow),
            "deny" => Ok(Self::Deny),
            "abstain" => Ok(Self::Abstain),
            "hold" => Ok(Self::Hold),
            _ => Err(Error::invalid(format!(
                "`{text}` is no decision; write `allow`, `deny`, `abstain` or `hold`"
            ))),
        }
    }
}

/// Asks the policy that `open` opens for every law. `open` may be called twice, and opens the same policy.
///
/// Needs a tokio runtime.
pub async fn policy<P, F>(open: impl Fn() -> F, expected: &Expected) -> Report
where
    P: Policy,
    F: Future<Output = Result<P>>,
{
    let mut report = Report::default();
    let (policy, twin) = match (open().await, open().await) {
        (Ok(policy), Ok(twin)) => (Arc::new(policy), Arc::new(twin)),
        (Err(error), _) | (_, Err(error)) => {
            let how = format!("opening it failed: {error}");
            report.push("a policy opens", Outcome::Broken(how));
            return report;
        }
    };
    let subject = Subject {
        policy,
        twin,
        expected: Arc::new(expected.clone()),
    };
    for (name, law) in laws::<P>() {
        report.push(name, outcome(ask(law(subject.clone())).await));
    }
    report
}

fn laws<P: Policy>() -> Vec<(&'static str, Ask<Subject<P>>)> {
    vec![
        ("no call holds its thread", |s| Box::pin(prompt(s))),
        ("no request makes it fail", |s| Box::pin(never_fails(s))),
        ("the same request gets the same decision", |s| {
            Box::pin(same_again(s))
        }),
        ("two of one configuration decide alike", |s| {
            Box::pin(twins(s))
        }),
        ("odd requests get one default", |s| Box::pin(one_default(s))),
        ("the case of an address does not count", |s| {
            Box::pin(any_case(s))
        }),
        ("facts that it cannot know change nothing", |s| {
            Box::pin(unknown_facts(s))
        }),
        ("a hundred who ask at once get the same decisions", |s| {
            Box::pin(all_at_once(s))
        }),
        ("a question that is given up disturbs nobody", |s| {
            Box::pin(given_up(s))
        }),
    ]
}

/// The policy that is asked, and another one opened with the same configuration.
struct Subject<P> {
    policy: Arc<P>,
    twin: Arc<P>,
    expected: Arc<Expected>,
}

impl<P> Clone for Subject<P> {
    fn clone(&self) -> Self {
        Self {
            policy: Arc::clone(&self.policy),
            twin: Arc::clone(&self.twin),
            expected: Arc::clone(&self.expected),
        }
    }
}

/// What of a decision must stay the same: not the words of a reason.
type Said = Result<(DecisionKind, Grant), ErrorKind>;

fn said(decision: Result<Decision>) -> Said {
    let decision = decision.map_err(|error| error.kind())?;
    let grant = match decision {
        Decision::Allow(grant) => grant,
        Decision::Deny(_) | Decision::Abstain | Decision::Hold => Grant::default(),
    };
    Ok((DecisionKind::from(&decision), grant))
}

impl<P: Policy> Subject<P> {
    async fn said(&self, request: &AccessRequest) -> Said {
        said(self.policy.authorize(request, &CALL).await)
    }

    fn requests(&self, count: usize) -> Vec<AccessRequest> {
        let mut generator = Generator::new();
        let around = &self.expected.addresses;
        (0..count).map(|_| generator.request(around)).collect()
    }

    /// Breaks the law if two questions get different answers. A policy that minds the clock may change its mind
    /// between them, once.
    async fn alike(&self, one: &AccessRequest, other: &AccessRequest) -> Verdict {
        let mut pair = (self.said(one).await, self.said(other).await);
        if pair.0 != pair.1 {
            pair = (self.said(one).await, self.said(other).await);
        }
        if pair.0 == pair.1 {
            return Ok(());
        }
        Err(Broken::How(format!(
            "{}: expected {}, as for {}, got {}",
            short(other),
            words(pair.0),
            short(one),
            words(pair.1)
        )))
    }

    /// How asking this fails, if it does.
    async fn failure(&self, request: &AccessRequest) -> Option<String> {
        let policy = Arc::clone(&self.policy);
        let asked = request.clone();
        match ask(async move { Ok(policy.authorize(&asked, &CALL).await) }).await {
            Ok(Ok(_)) => None,
            Ok(Err(error)) => Some(format!("the error {:?}: {error}", error.kind())),
            Err(Broken::How(how) | Broken::NotAsked(how)) => Some(how),
        }
    }
}

fn words(said: Said) -> String {
    match said {
        Ok((DecisionKind::Allow, grant)) if grant != Grant::default() => {
            format!("allow ({:?})", grant.detail)
        }
        Ok((kind, _)) => kind.to_string(),
        Err(kind) => format!("the error {kind:?}"),
    }
}

fn short(request: &AccessRequest) -> String {
    let text = format!(
        "{:?} {:?} from {} to {} with {:?} and {:?}",
        request.method,
        request.component,
        request.originator,
        request.recipient,
        request.proofs,
        request.attributes
    );
    text.chars().take(400).collect()
}

/// Anybody can send any message: a policy that fails at some would be skipped after a few of them, for whoever sends them.
async fn never_fails<P: Policy>(subject: Subject<P>) -> Verdict {
    let begun = Instant::now();
    for request in subject.requests(1000) {
        if subject.failure(&request).await.is_none() {
            if begun.elapsed() > ENOUGH {
                break; // a policy that asks the network need not be asked for minutes
            }
            continue;
        }
        let request = simplest(&subject, request).await;
        let how = subject.failure(&request).await.unwrap_or_default();
        return Err(Broken::How(format!(
            "{}: expected a decision (abstain if it means nothing to you), got {how}",
            short(&request)
        )));
    }
    Ok(())
}

/// A request that fails, with what does not matter taken away.
async fn simplest<P: Policy>(subject: &Subject<P>, mut request: AccessRequest) -> AccessRequest {
    let simple = AccessRequest::new(
        "REQUEST",
        "VEVENT",
        CalendarAddress::from_normalised(
            "mailto:anna@example.com",
            Domain::new("example.com").ok(),
        ),
        CalendarAddress::from_normalised("mailto:bo@example.org", Domain::new("example.org").ok()),
    );
    for part in 0..6 {
        let mut simpler = request.clone();
        let from = simple.clone();
        match part {
            0 => simpler.attributes = from.attributes,
            1 => simpler.proofs = from.proofs,
            2 => simpler.method = from.method,
            3 => (simpler.component, simpler.action) = (from.component, from.action),
            4 => simpler.originator = from.originator,
            _ => simpler.recipient = from.recipient,
        }
        if subject.failure(&simpler).await.is_some() {
            request = simpler;
        }
    }
    request
}

/// The clock may strike once while this is asked, and change what a policy of hours says.
async fn same_again<P: Policy>(subject: Subject<P>) -> Verdict {
    let mut struck = false;
    for request in subject.requests(200) {
        let mut wanted = subject.said(&request).await;
        for _ in 0..4 {
            let found = subject.said(&request).await;
            if found != wanted && struck {
                equal(&short(&request), words(found), words(wanted))?;
            }
            struck |= found != wanted;
            wanted = found;
        }
    }
    Ok(())
}

async fn twins<P: Policy>(subject: Subject<P>) -> Verdict {
    for request in subject.requests(200) {
        let mut alike = false;
        for _ in 0..2 {
            let one = subject.said(&request).await;
            alike |= one == said(subject.twin.authorize(&request, &CALL).await);
        }
        expect(alike, || {
            format!("{}: expected one decision, got two", short(&request))
        })?;
    }
    Ok(())
}

async fn one_default<P: Policy>(subject: Subject<P>) -> Verdict {
    let mut generator = Generator::new();
    let mut wanted = subject.expected.default;
    for number in 0..50 {
        let stranger = |who: &str| {
            let text = format!("{who}{number}@stranger{number}.invalid");
            CalendarAddress::new(&text).expect("the kit's addresses are such")
        };
        let (method, component) = match number % 5 {
            0 => (String::new(), String::new()),
            1 => ("X-ODD".to_owned(), "X-ODD".to_owned()),
            2 => ("request\u{0}".to_owned(), "vevent ".to_owned()),
            3 => ("Ω".repeat(10_000), "Ω".repeat(10_000)),
            _ => (generator.roll(9).to_string(), generator.roll(9).to_string()),
        };
        let request = AccessRequest::new(&method, &component, stranger("a"), stranger("b"));
        let decision = subject
            .policy
            .authorize(&request, &CALL)
            .await
            .map_err(|error| {
                Broken::How(format!(
                    "{}: expected a decision, got the error {:?}: {error}",
                    short(&request),
                    error.kind()
                ))
            })?;
        let found = DecisionKind::from(&decision);
        let wanted = *wanted.get_or_insert(found);
        expect(found == wanted, || {
            format!("{}: expected {wanted}, got {found}", short(&request))
        })?;
    }
    Ok(())
}

async fn any_case<P: Policy>(subject: Subject<P>) -> Verdict {
    let upper = |address: &CalendarAddress| {
        let upper = CalendarAddress::new(&address.as_str().to_ascii_uppercase()).ok();
        upper
            .filter(|upper| upper.same_user(address))
            .unwrap_or_else(|| address.clone())
    };
    for request in subject.requests(300) {
        let mut spelt = request.clone();
        spelt.originator = upper(&request.originator);
        spelt.recipient = upper(&request.recipient);
        subject.alike(&request, &spelt).await?;
    }
    Ok(())
}

/// A newer host tells more; what a policy does not know of may not change its mind.
async fn unknown_facts<P: Policy>(subject: Subject<P>) -> Verdict {
    for request in subject.requests(200) {
        let mut told = request.clone();
        let later = "since a later version";
        told.attributes = Attributes::new().with("x-conformance-first", later);
        for (name, value) in request.attributes.iter() {
            told.attributes.set(name, value);
        }
        told.attributes.set("x-conformance-last", later);
        subject.alike(&request, &told).await?;
    }
    Ok(())
}

async fn all_at_once<P: Policy>(subject: Subject<P>) -> Verdict {
    let requests = subject.requests(100);
    let mut wanted = Vec::new();
    for request in &requests {
        wanted.push(subject.said(request).await);
    }
    let calls = requests.into_iter().enumerate().map(|(number, request)| {
        let subject = subject.clone();
        async move { (number, subject.said(&request).await, request) }
    });
    for (number, said, request) in at_once(calls).await? {
        if said != wanted[number] {
            // The clock may have struck in between.
            let now = subject.said(&request).await;
            equal(&short(&request), words(said), words(now))?;
        }
    }
    Ok(())
}

async fn given_up<P: Policy>(subject: Subject<P>) -> Verdict {
    for request in subject.requests(50) {
        give_up(subject.policy.authorize(&request, &CALL)).await;
        let after = subject.alike(&request, &request);
        let after = tokio::time::timeout(Duration::from_secs(20), after).await;
        after.map_err(|_| {
            Broken::How(format!(
                "{}: no decision after the question had been given up",
                short(&request)
            ))
        })??;
    }
    Ok(())
}

async fn prompt<P: Policy>(subject: Subject<P>) -> Verdict {
    for request in subject.requests(20) {
        let call = || subject.policy.authorize(&request, &CALL);
        holds_no_thread(&short(&request), call).await?;
    }
    Ok(())
}
