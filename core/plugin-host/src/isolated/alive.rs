//! Whether a process lives: asked of the process itself, by a ping, and never judged by the calls of others.
//!
//! A call that blocks its thread leaves the other threads to other calls. When none is left, the ping is not answered,
//! and the pulse says which calls block them: the others are asked again on another process, beside which this one
//! finishes. So it is with a call that is not given up in time. A process that does not even have a pulse is ended.

use super::connection::{Connection, Fault};
use std::{sync::Arc, time::Duration};
use tokio::time::{sleep, timeout};

/// How often a process that opens, or has calls on their way, is looked at: threads are made quickly.
const BUSY: Duration = Duration::from_millis(50);
/// How often one without is.
const IDLE: Duration = Duration::from_secs(1);
/// At every such look it is pinged.
const PINGED: u32 = 5;
/// How long calls may block all threads: a third of their deadline, but no longer than this.
const BLOCKED: Duration = Duration::from_secs(3);
/// How long a process may take to answer at all; a machine may be busy.
const SILENT: Duration = Duration::from_secs(4);
/// How often a ping that is not answered is followed by another.
const AGAIN: Duration = Duration::from_millis(250);
/// The most threads: those for calls, the plugin's own, and all that a plugin's tokio makes for what blocks.
const THREADS: u32 = 768;

/// Looks at the process `pid` at the other end of `connection`, as long as it is there; `deadline` is that of its calls.
pub(super) async fn watch(connection: Arc<Connection>, pid: u32, deadline: Duration) {
    let patience = (deadline / 3).min(BLOCKED);
    for look in 1_u32.. {
        let quiet = connection.has_opened() && !connection.is_busy();
        sleep(if quiet { IDLE } else { BUSY }).await;
        if connection.is_closed() {
            return;
        }
        connection.look_for_stuck_calls();
        let fault = match crowd(pid) {
            // One that has not yet opened is not asked.
            None if look.is_multiple_of(PINGED) && connection.has_opened() => {
                examine(&connection, pid, patience).await
            }
            crowd => crowd,
        };
        if let Some(fault) = fault {
            connection.report(fault);
        }
    }
}

/// Whether there are too many threads.
fn crowd(pid: u32) -> Option<Fault> {
    let threads = threads(pid).filter(|threads| *threads > THREADS)?;
    let text = format!("its process had {threads} threads, more than {THREADS}, and was ended");
    Some(Fault::Lost(text))
}

/// Pings; answers what is wrong, if so.
async fn examine(connection: &Connection, pid: u32, patience: Duration) -> Option<Fault> {
    let (id, pong) = connection.ping();
    tokio::pin!(pong);
    let (mut waited, mut next) = (Duration::ZERO, AGAIN);
    loop {
        // The connection may close meanwhile: others see to that.
        if timeout(BUSY, &mut pong).await.is_ok() {
            return None;
        }
        connection.look_for_stuck_calls();
        if let Some(crowd) = crowd(pid) {
            return Some(crowd);
        }
        // What it has said may wait for us.
        if !connection.is_deaf() {
            waited += BUSY;
        }
        let pulse = connection.pulse(id);
        if let Some(pulse) = &pulse {
            let all = pulse.blocking.len() >= pulse.threads as usize;
            if (all && waited >= patience) || waited >= SILENT {
                connection.release_all_but(pulse);
                return Some(Fault::Stuck);
            }
        } else if waited >= SILENT {
            let why = "its process did not answer a ping and was ended";
            return Some(Fault::Lost(why.to_owned()));
        }
        if waited >= next {
            // What calls do now, not what they did then.
            drop(connection.ping());
            next += AGAIN;
        }
    }
}

/// How many threads a process has.
fn threads(pid: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name may hold anything, but after its end come numbers.
    let (_, numbers) = stat.rsplit_once(')')?;
    numbers.split_whitespace().nth(17)?.parse().ok()
}

#[cfg(test)]
mod tests {
    #[test]
    fn threads_are_counted() {
        let before = super::threads(std::process::id()).unwrap();
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || ended.recv());
        let now = super::threads(std::process::id()).unwrap();
        assert!(before >= 1 && now >= 2, "{before}, {now}");
        drop(end);
        let _ = thread.join().unwrap();
    }
}
