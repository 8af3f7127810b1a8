//! How long it takes from a change in a calendar until it is delivered, besides the time that it has to settle.

use crate::{
    Trouble,
    calendar::{self, basic, elsewhere},
    pair::{Pair, invitation},
    table::program,
    world::Store,
};
use clap::Args;
use jiff::SignedDuration;
use serde::Serialize;
use std::{
    fs,
    path::PathBuf,
    sync::mpsc,
    time::{Duration, Instant},
};

/// As `[scheduling]` has it here.
const SETTLE: Duration = Duration::from_secs(1);
/// A change of which nobody hears for so long is lost.
const PATIENCE: Duration = Duration::from_secs(60);

/// Change a calendar again and again, and say how long after `settle` each change is delivered
#[derive(Args)]
pub(crate) struct Change {
    /// The program to measure; by default the one beside this one
    #[arg(long)]
    convoke: Option<PathBuf>,
    /// Events in the calendar that is changed
    #[arg(long, default_value_t = 1000)]
    events: u64,
    /// Changes, one after the other
    #[arg(long, default_value_t = 10)]
    changes: u64,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Milliseconds after `settle`.
#[derive(Serialize)]
struct Delays {
    shortest: u128,
    median: u128,
    longest: u128,
}

impl Change {
    pub(crate) fn run(self) -> Result<(), Trouble> {
        let scheduling = format!("settle = \"{}s\"", SETTLE.as_secs());
        let program = program(self.convoke.as_ref())?;
        let pair = Pair::new(&program, Store::Vdir, &scheduling)?;
        pair.anna
            .fill(Store::Vdir, "anna@example.com", self.events)?;
        let _bo = pair.bo.serve()?;
        let (sent, is_sent) = mpsc::channel();
        let _anna = pair.anna.serve_logging(move |line| {
            if line.contains("event=\"sent\"") {
                // Fails if nobody waits any more.
                let _ = sent.send(Instant::now());
            }
        })?;
        pair.anna
            .command(&["changed", "--user", "anna@example.com"])?;
        let folder = pair.anna.path("calendars/anna@example.com/calendar");
        fs::create_dir_all(&folder)?;
        let mut delays = Vec::new();
        for number in 0..self.changes {
            let start = elsewhere(number) + SignedDuration::from_hours(24 * 365);
            let end = start + SignedDuration::from_mins(30);
            let uid = format!("changed-{number}");
            let meeting = calendar::of(&invitation(&uid, basic(start), basic(end)));
            let written = Instant::now();
            let new = folder.join("new");
            fs::write(&new, meeting)?;
            fs::rename(new, folder.join(format!("{uid}.ics")))?;
            let sent: Instant = is_sent.recv_timeout(PATIENCE)?;
            delays.push((sent - written).saturating_sub(SETTLE).as_millis());
        }
        delays.sort_unstable();
        let (Some(&shortest), Some(&longest)) = (delays.first(), delays.last()) else {
            return Err("--changes: at least one".into());
        };
        let median = delays[delays.len() / 2];
        if self.json {
            let delays = Delays {
                shortest,
                median,
                longest,
            };
            println!("{}", serde_json::to_string_pretty(&delays)?);
        } else {
            println!(
                "{} changes delivered {shortest} to {longest} ms after `settle`, median {median} ms",
                self.changes
            );
        }
        Ok(())
    }
}
