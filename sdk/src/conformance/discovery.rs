//! What a discovery strategy promises, law by law.

use super::{
    Outcome, Report,
    generator::Generator,
    runner::{
        Ask, Broken, CALL, Verdict, ask, at_once, equal, expect, give_up, holds_no_thread, outcome,
    },
};
use crate::prelude::*;
use std::{
    future::Future,
    sync::Arc,
    time::{Duration, Instant},
};

/// A law that asks random questions has asked enough after this time.
const ENOUGH: Duration = Duration::from_secs(20);

/// Addresses of which the author knows what the strategy has to say; each list may be empty.
#[derive(Clone, Debug, Default)]
pub struct Samples {
    /// Those it finds a receiver for.
    pub known: Vec<CalendarAddress>,
    /// Those it leaves to the next strategy.
    pub unknown: Vec<CalendarAddress>,
    /// Those of which it knows that nobody serves them.
    pub no_service: Vec<CalendarAddress>,
}

/// Asks the strategy that `open` opens for every law, with addresses of its configuration as `samples`.
///
/// Needs a tokio runtime.
pub async fn discovery<D, F>(open: impl FnOnce() -> F, samples: &Samples) -> Report
where
    D: Discovery,
    F: Future<Output = Result<D>>,
{
    let opened = open().await;
    let mut report = Report::default();
    let strategy = match opened {
        Ok(strategy) => Arc::new(strategy),
        Err(error) => {
            let how = format!("opening it failed: {error}");
            report.push("a strategy opens", Outcome::Broken(how));
            return report;
        }
    };
    let subject = Subject {
        strategy,
        samples: Arc::new(samples.clone()),
    };
    for (name, law) in laws::<D>() {
        report.push(name, outcome(ask(law(subject.clone())).await));
    }
    report
}

fn laws<D: Discovery>() -> Vec<(&'static str, Ask<Subject<D>>)> {
    vec![
        ("no call holds its thread", |s| Box::pin(prompt(s))),
        ("what is known leads to receivers", |s| Box::pin(known(s))),
        ("what is unknown is left to the next strategy", |s| {
            Box::pin(unknown(s))
        }),
        ("no service ends the search", |s| Box::pin(no_service(s))),
        ("the case of an address does not count", |s| {
            Box::pin(any_case(s))
        }),
        ("a domain with letters of any script is looked up", |s| {
            Box::pin(internationalised(s))
        }),
        ("every address gets an answer", |s| {
            Box::pin(every_address(s))
        }),
        ("asked again, it answers the same", |s| {
            Box::pin(asked_again(s))
        }),
        ("a hundred who ask at once get the same answers", |s| {
            Box::pin(all_at_once(s))
        }),
        ("a question that is given up disturbs nobody", |s| {
            Box::pin(given_up(s))
        }),
    ]
}

/// The strategy that is asked.
struct Subject<D> {
    strategy: Arc<D>,
    samples: Arc<Samples>,
}

impl<D> Clone for Subject<D> {
    fn clone(&self) -> Self {
        Self {
            strategy: Arc::clone(&self.strategy),
            samples: Arc::clone(&self.samples),
        }
    }
}

/// What of an answer must stay the same: not the order of receivers, which may be drawn by weight, nor how long it
/// holds.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Said {
    Receivers(Vec<(ReceiverUrl, Option<Domain>)>),
    NoService,
    NotMine,
    Mail,
    FreeBusyUrl(ReceiverUrl),
    Failed(ErrorKind),
}

impl<D: Discovery> Subject<D> {
    async fn said(&self, address: &CalendarAddress) -> Said {
        match self.strategy.discover(address, &CALL).await {
            Ok(Discovered::Receivers(receivers)) => {
                let mut pairs: Vec<_> = (receivers.into_iter())
                    .map(|receiver| (receiver.url, receiver.tls_name))
                    .collect();
                pairs.sort_unstable();
                Said::Receivers(pairs)
            }
            Ok(Discovered::NoService) => Said::NoService,
            Ok(Discovered::NotMine) => Said::NotMine,
            Ok(Discovered::Mail) => Said::Mail,
            Ok(Discovered::FreeBusyUrl(receiver)) => Said::FreeBusyUrl(receiver.url),
            Err(error) => Said::Failed(error.kind()),
        }
    }

    /// The samples, and addresses that any strategy may be asked about.
    fn addresses(&self) -> Vec<CalendarAddress> {
        let Samples {
            known,
            unknown,
            no_service,
        } = &*self.samples;
        let others = [
            "mailto:somebody@unknown.invalid",
            "mailto:Somebody@Example.COM",
        ];
        let others = others.map(address);
        [known, unknown, no_service]
            .into_iter()
            .flatten()
            .chain(&others)
            .cloned()
            .collect()
    }

    /// Breaks the law if one of the samples, which the test names as `key`, gets another answer.
    async fn each(
        &self,
        key: &str,
        samples: &[CalendarAddress],
        wanted: &str,
        is_right: impl Fn(&Discovered) -> bool,
    ) -> Verdict {
        if samples.is_empty() {
            return Err(Broken::NotAsked(format!(
                "the test names no address that is {wanted}; name one: `{key}: [\"…\"]`, or `--{} …`",
                key.replace('_', "-")
            )));
        }
        for address in samples {
            let answer = self.strategy.discover(address, &CALL).await;
            expect(answer.as_ref().is_ok_and(&is_right), || {
                format!("{address}: expected {wanted}, got {answer:?}")
            })?;
        }
        Ok(())
    }
}

fn address(text: &str) -> CalendarAddress {
    CalendarAddress::new(text).expect("the kit's addresses are such")
}

async fn known<D: Discovery>(subject: Subject<D>) -> Verdict {
    let is_right =
        |answer: &Discovered| matches!(answer, Discovered::Receivers(list) if !list.is_empty());
    (subject.each(
        "known",
        &subject.samples.known,
        "known (Receivers)",
        is_right,
    ))
    .await
}

async fn unknown<D: Discovery>(subject: Subject<D>) -> Verdict {
    let is_right = |answer: &Discovered| *answer == Discovered::NotMine;
    (subject.each(
        "unknown",
        &subject.samples.unknown,
        "unknown (NotMine)",
        is_right,
    ))
    .await
}

async fn no_service<D: Discovery>(subject: Subject<D>) -> Verdict {
    let is_right = |answer: &Discovered| *answer == Discovered::NoService;
    (subject.each(
        "no_service",
        &subject.samples.no_service,
        "without service (NoService)",
        is_right,
    ))
    .await
}

async fn any_case<D: Discovery>(subject: Subject<D>) -> Verdict {
    for sample in subject.addresses() {
        if sample.local_part().is_none() {
            continue; // a URL's path may tell A from a
        }
        let wanted = subject.said(&sample).await;
        for text in [
            sample.as_str().to_ascii_uppercase(),
            sample.as_str().to_ascii_lowercase(),
        ] {
            let Some(spelt) = CalendarAddress::new(&text)
                .ok()
                .filter(|spelt| spelt.same_user(&sample))
            else {
                continue;
            };
            let what = format!("{spelt}, as {sample}");
            equal(&what, subject.said(&spelt).await, wanted.clone())?;
        }
    }
    Ok(())
}

async fn internationalised<D: Discovery>(subject: Subject<D>) -> Verdict {
    for text in [
        "cy@bücher.example",
        "cy@xn--bcher-kva.example",
        "用户@例子.example",
        "δοκιμή@παράδειγμα.example",
        "مثال@مثال.example",
    ] {
        answers(&subject, &address(text)).await?;
    }
    Ok(())
}

async fn every_address<D: Discovery>(subject: Subject<D>) -> Verdict {
    let mut generator = Generator::new();
    let around = subject.addresses();
    let begun = Instant::now();
    for number in 0..200 {
        answers(&subject, &generator.address(&around)).await?;
        if number > 20 && begun.elapsed() > ENOUGH {
            break; // a strategy that asks the network need not be asked for minutes
        }
    }
    Ok(())
}

/// An outage may make a strategy fail; the address may not, if it has a domain. In the host, a strategy that fails
/// makes an address *try later* that another strategy would have called unknown.
async fn answers<D: Discovery>(subject: &Subject<D>, address: &CalendarAddress) -> Verdict {
    let strategy = Arc::clone(&subject.strategy);
    let asked = address.clone();
    let answer = ask(async move { Ok(strategy.discover(&asked, &CALL).await) }).await;
    let at = |how: String| Broken::How(format!("{address}: {how}"));
    match answer {
        Err(Broken::How(how) | Broken::NotAsked(how)) => Err(at(how)),
        Ok(Ok(Discovered::Receivers(list))) if list.is_empty() => Err(at(
            "expected receivers or NotMine, got a list of no receivers".to_owned(),
        )),
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => match error.kind() {
            ErrorKind::Unavailable => Ok(()),
            ErrorKind::Invalid if address.domain().is_err() => Ok(()),
            kind => Err(at(format!(
                "expected an answer (NotMine if it means nothing to you), got the error {kind:?}: {error}"
            ))),
        },
    }
}

async fn asked_again<D: Discovery>(subject: Subject<D>) -> Verdict {
    for address in subject.addresses() {
        let first = subject.said(&address).await;
        for _ in 0..5 {
            let again = subject.said(&address).await;
            equal(address.as_str(), again, first.clone())?;
        }
    }
    Ok(())
}

async fn all_at_once<D: Discovery>(subject: Subject<D>) -> Verdict {
    let mut wanted = Vec::new();
    for address in subject.addresses() {
        let said = subject.said(&address).await;
        wanted.push((address, said));
    }
    let calls = wanted.iter().cycle().take(100).cloned();
    let calls = calls.map(|(address, wanted)| {
        let subject = subject.clone();
        async move {
            let said = subject.said(&address).await;
            (address, said, wanted)
        }
    });
    for (address, said, wanted) in at_once(calls).await? {
        equal(address.as_str(), said, wanted)?;
    }
    Ok(())
}

async fn given_up<D: Discovery>(subject: Subject<D>) -> Verdict {
    for address in subject.addresses() {
        let before = subject.said(&address).await;
        for _ in 0..20 {
            give_up(subject.strategy.discover(&address, &CALL)).await;
        }
        let after = tokio::time::timeout(Duration::from_secs(20), subject.said(&address)).await;
        let after = after.map_err(|_| {
            Broken::How(format!(
                "{address}: no answer after others had given the question up"
            ))
        })?;
        equal(address.as_str(), after, before)?;
    }
    Ok(())
}

async fn prompt<D: Discovery>(subject: Subject<D>) -> Verdict {
    for address in subject.addresses() {
        let call = || subject.strategy.discover(&address, &CALL);
        holds_no_thread(address.as_str(), call).await?;
    }
    Ok(())
}
