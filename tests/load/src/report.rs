//! What came of it.

use crate::{Trouble, plan::Plan};
use bytes::Bytes;
use hdrhistogram::Histogram;
use http::StatusCode;
use serde::Serialize;
use std::{collections::BTreeMap, fmt, time::Duration};

/// The longest latency that is told from longer ones.
const LONGEST: Duration = Duration::from_secs(60);

/// What one connection, or all, saw. Latencies in microseconds, to three digits.
pub(crate) struct Tally {
    latencies: Histogram<u64>,
    answers: BTreeMap<String, u64>,
}

impl Default for Tally {
    fn default() -> Self {
        let longest = micros(LONGEST);
        Self {
            latencies: Histogram::new_with_bounds(1, longest, 3)
                .expect("three digits between 1 µs and a minute can be told apart"),
            answers: BTreeMap::new(),
        }
    }
}

impl Tally {
    /// Counts an answer. Only successes count as latencies: refusals are often faster.
    pub(crate) fn count(&mut self, answer: &Result<(StatusCode, Bytes), Trouble>, took: Duration) {
        let mut is_success = false;
        let name = match answer {
            Ok((StatusCode::OK, body)) => match request_status(body) {
                Some(status) => {
                    is_success = status.starts_with('2') || status.starts_with("1.2");
                    status
                }
                None => "200 without a request-status".to_owned(),
            },
            Ok((status, _)) => format!("HTTP {}", status.as_u16()),
            Err(error) => error.to_string(),
        };
        self.count_named(&name, is_success, took);
    }

    /// Counts an answer under a name.
    pub(crate) fn count_named(&mut self, name: &str, is_success: bool, took: Duration) {
        if is_success {
            self.latencies.saturating_record(micros(took).max(1));
        }
        *self.answers.entry(name.to_owned()).or_default() += 1;
    }

    pub(crate) fn add(&mut self, other: &Self) -> Result<(), Trouble> {
        self.latencies.add(&other.latencies)?;
        for (name, count) in &other.answers {
            *self.answers.entry(name.clone()).or_default() += count;
        }
        Ok(())
    }
}

/// The code of the first request-status: `2.0`.
fn request_status(body: &[u8]) -> Option<String> {
    const TAG: &[u8] = b"request-status>";
    let at = body.windows(TAG.len()).position(|it| it == TAG)? + TAG.len();
    let text = body[at..].iter().take(10);
    let code: String = text
        .map(|&byte| char::from(byte))
        .skip_while(char::is_ascii_whitespace)
        .take_while(|it| it.is_ascii_digit() || *it == '.')
        .collect();
    (!code.is_empty()).then_some(code)
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

/// What a run showed.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    /// Connections.
    pub(crate) connections: usize,
    /// Requests a second that were asked for; none in a closed loop.
    pub(crate) rate_wanted: Option<f64>,
    /// Successes a second.
    pub(crate) rate: f64,
    /// Latencies of successes, in milliseconds.
    pub(crate) p50: f64,
    /// 99 of 100 were at most that.
    pub(crate) p99: f64,
    /// 999 of 1000 were at most that.
    pub(crate) p999: f64,
    /// The longest.
    pub(crate) max: f64,
    /// Answers by request-status, HTTP status or error.
    pub(crate) answers: BTreeMap<String, u64>,
    /// Processor time of the server for each answer, in microseconds.
    pub(crate) server_cpu: Option<f64>,
    /// Resident memory of the server at the end, in bytes.
    pub(crate) server_memory: Option<u64>,
    succeeded: u64,
}

#[allow(
    clippy::cast_precision_loss,
    reason = "counts and microseconds of a run are far below 2^52"
)]
impl Report {
    pub(crate) fn new(
        tally: &Tally,
        plan: &Plan,
        usage: Option<Duration>,
        memory: Option<u64>,
    ) -> Self {
        let at = |share: f64| tally.latencies.value_at_quantile(share) as f64 / 1000.0;
        let succeeded = tally.latencies.len();
        let all: u64 = tally.answers.values().sum();
        Self {
            connections: plan.connections,
            rate_wanted: plan.rate,
            rate: succeeded as f64 / plan.length.as_secs_f64(),
            p50: at(0.5),
            p99: at(0.99),
            p999: at(0.999),
            max: at(1.0),
            answers: tally.answers.clone(),
            server_cpu: usage.map(|usage| usage.as_secs_f64() * 1e6 / all.max(1) as f64),
            server_memory: memory,
            succeeded,
        }
    }

    /// Requests that were not answered with success.
    pub(crate) fn failed(&self) -> u64 {
        self.answers.values().sum::<u64>() - self.succeeded
    }

    /// Prints it, for programs or for people; an error, if some failed, in these words.
    pub(crate) fn tell(&self, as_json: bool, failed: &str) -> Result<(), Trouble> {
        if as_json {
            println!("{}", serde_json::to_string_pretty(self)?);
        } else {
            println!("{self}");
        }
        match self.failed() {
            0 => Ok(()),
            some => Err(format!("{some} {failed}").into()),
        }
    }
}

#[allow(clippy::cast_precision_loss, reason = "memory is far below 2^52 bytes")]
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:.0} a second over {} connections",
            self.rate, self.connections
        )?;
        if let Some(wanted) = self.rate_wanted {
            write!(f, " ({wanted:.0} a second sent)")?;
        }
        writeln!(
            f,
            "\nlatency  p50 {:.2} ms  p99 {:.2} ms  p99.9 {:.2} ms  longest {:.2} ms",
            self.p50, self.p99, self.p999, self.max
        )?;
        for (answer, count) in &self.answers {
            writeln!(f, "{count:>9}  {answer}")?;
        }
        if let Some(cpu) = self.server_cpu {
            write!(f, "server   {cpu:.0} µs of processor time a request")?;
        }
        if let Some(memory) = self.server_memory {
            write!(
                f,
                ", {:.1} MiB resident",
                memory as f64 / f64::from(1 << 20)
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(body: &'static str) -> (StatusCode, Bytes) {
        (StatusCode::OK, Bytes::from_static(body.as_bytes()))
    }

    #[test]
    fn answers_are_told_apart_and_only_successes_are_timed() {
        let mut tally = Tally::default();
        for (answer, milliseconds) in [
            (
                Ok(answer("<request-status>2.0;Success</request-status>")),
                3,
            ),
            (
                Ok(answer("<C:request-status> 2.0;Success</C:request-status>")),
                3,
            ),
            (Ok(answer("<request-status>3.7;Invalid calendar user")), 1),
            (Ok(answer("<html>hello")), 1),
            (Ok((StatusCode::SERVICE_UNAVAILABLE, Bytes::new())), 1),
            (Err("no answer".into()), 1),
        ] {
            tally.count(&answer, Duration::from_millis(milliseconds));
        }
        let plan = Plan {
            connections: 1,
            rate: None,
            warm_up: Duration::ZERO,
            length: Duration::from_secs(2),
        };
        let report = Report::new(&tally, &plan, Some(Duration::from_millis(6)), None);
        let answers: Vec<_> = report
            .answers
            .iter()
            .map(|(it, n)| (it.as_str(), *n))
            .collect();
        assert_eq!(
            answers,
            [
                ("2.0", 2),
                ("200 without a request-status", 1),
                ("3.7", 1),
                ("HTTP 503", 1),
                ("no answer", 1)
            ]
        );
        assert_eq!((report.failed(), report.rate), (4, 1.0));
        assert!((2.9..3.1).contains(&report.p50), "{}", report.p50);
        assert_eq!(report.server_cpu, Some(1000.0));
    }
}
