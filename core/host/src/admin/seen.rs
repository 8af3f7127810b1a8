//! What a running host has seen: who came, and what the log says.

use super::api::{Log, LogLevel, LogLines, PeersSeen, SeenPeers};
use crate::{instance::Instance, log_tail};
use tracing::Level;

/// Lines of the log that are answered at once.
const LINES: usize = 1_000;

pub(super) fn peers(instance: &Instance, asked: &PeersSeen) -> SeenPeers {
    let most = usize::try_from(asked.most).unwrap_or(usize::MAX);
    let (peers, forgotten) = instance.shared.peers.last(most);
    SeenPeers { peers, forgotten }
}

pub(super) fn log(asked: &Log) -> LogLines {
    let level = match asked.level {
        LogLevel::Error => Level::ERROR,
        LogLevel::Warn => Level::WARN,
        LogLevel::Info => Level::INFO,
    };
    let most = usize::try_from(asked.most).unwrap_or(LINES).min(LINES);
    let log_tail::Read {
        lines,
        last,
        missed,
    } = log_tail::tail().read(level, asked.after, most);
    LogLines {
        lines,
        last,
        missed,
    }
}
