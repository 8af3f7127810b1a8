//! Many connections at once.
//!
//! *Closed loop*: each connection sends its next request when it has the answer to the last. *Open loop* (`rate`):
//! requests are due at fixed times whether or not the server keeps up. Latency then counts from when a request was due,
//! if no connection was free to send it, so that a server that stalls cannot hide the requests that had to wait.

use crate::{
    Trouble,
    message::Messages,
    plan::Plan,
    process::{self, Usage},
    report::{Report, Tally},
    target::{Connection, Target},
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, sleep_until, timeout},
};

/// A request without an answer for so long has failed.
const PATIENCE: Duration = Duration::from_secs(30);
/// Before a connection that failed is made again.
const PAUSE: Duration = Duration::from_millis(100);
/// Connections that are made at once.
const AT_ONCE: usize = 32;

/// What all connections share.
struct Run {
    messages: Messages,
    target: Target,
    rate: Option<f64>,
    begin: Instant,
    measured: Instant,
    end: Instant,
    /// Requests of an open loop that a connection has taken.
    due: AtomicU64,
}

/// Does it, and watches the process `pid` meanwhile.
pub(crate) async fn drive(
    target: &Target,
    messages: Messages,
    plan: &Plan,
    pid: Option<u32>,
) -> Result<Report, Trouble> {
    let connections = connect(target, plan.connections).await?;
    let begin = Instant::now();
    let measured = begin + plan.warm_up;
    let run = Arc::new(Run {
        messages,
        target: target.clone(),
        rate: plan.rate,
        begin,
        measured,
        end: measured + plan.length,
        due: AtomicU64::new(0),
    });
    let mut workers = JoinSet::new();
    for (number, connection) in connections.into_iter().enumerate() {
        let run = run.clone();
        workers.spawn(async move { run.work(number, connection).await });
    }
    sleep_until(run.measured).await;
    let before = pid.and_then(Usage::of);
    sleep_until(run.end).await;
    let usage = pid
        .and_then(Usage::of)
        .zip(before)
        .map(|(after, before)| after.since(before));
    let memory = pid.and_then(process::memory);
    let mut tally = Tally::default();
    while let Some(done) = workers.join_next().await {
        tally.add(&done??)?;
    }
    Ok(Report::new(&tally, plan, usage, memory))
}

async fn connect(target: &Target, connections: usize) -> Result<Vec<Connection>, Trouble> {
    let mut made = Vec::with_capacity(connections);
    while made.len() < connections {
        let mut batch = JoinSet::new();
        for _ in 0..AT_ONCE.min(connections - made.len()) {
            let target = target.clone();
            batch.spawn(async move { target.connect().await });
        }
        while let Some(connection) = batch.join_next().await {
            made.push(connection??);
        }
    }
    Ok(made)
}

impl Run {
    async fn work(&self, number: usize, connection: Connection) -> Result<Tally, Trouble> {
        let mut tally = Tally::default();
        let mut connection = Some(connection);
        for turn in 0.. {
            let Some(start) = self.start().await else {
                break;
            };
            let (headers, body) = self.messages.next(number, turn)?;
            // Writing and signing the message is our time, not the server's, unless it was due already.
            let start = start.unwrap_or_else(Instant::now);
            if connection.is_none() {
                connection = self.target.connect().await.ok();
            }
            let answer = match &mut connection {
                None => Err("no connection".into()),
                Some(connection) => timeout(PATIENCE, connection.post(headers, body))
                    .await
                    .unwrap_or_else(|_| Err("no answer".into())),
            };
            if start >= self.measured {
                tally.count(&answer, start.elapsed());
            }
            if answer.is_err() {
                connection = None;
                sleep(PAUSE).await;
            }
        }
        Ok(tally)
    }

    /// Waits until the next request is to be sent. `None`: no more; `Some(Some(_))`: it was due then already.
    async fn start(&self) -> Option<Option<Instant>> {
        let now = Instant::now();
        let Some(rate) = self.rate else {
            return (now < self.end).then_some(None);
        };
        let place = self.due.fetch_add(1, Ordering::Relaxed);
        #[allow(clippy::cast_precision_loss, reason = "nobody sends 2^52 requests")]
        let due = self.begin + Duration::from_secs_f64(place as f64 / rate);
        if due >= self.end {
            return None;
        }
        if due < now {
            return Some(Some(due));
        }
        sleep_until(due).await;
        Some(None)
    }
}
