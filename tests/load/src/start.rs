//! How long a host takes to start whose ledger is long.

use crate::{
    Trouble,
    pair::Pair,
    process::Usage,
    table::program,
    world::{Store, World},
};
use clap::Args;
use serde::Serialize;
use std::{
    path::PathBuf,
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

/// A first look takes no longer.
const PATIENCE: Duration = Duration::from_secs(1800);
/// After it is ready a host is watched for so long, to see what else it does.
const AFTERWARDS: Duration = Duration::from_secs(5);

/// Start a host whose ledger knows so many objects, and say when it is ready
#[derive(Args)]
pub(crate) struct Start {
    /// The program to measure; by default the one beside this one
    #[arg(long)]
    convoke: Option<PathBuf>,
    /// Entries of the ledger
    #[arg(long, default_value_t = 100_000)]
    entries: u64,
    /// Starts, one after the other
    #[arg(long, default_value_t = 5)]
    starts: usize,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Started {
    /// Milliseconds until it is ready.
    ready: u128,
    /// Milliseconds of processor time until then, and within the five seconds afterwards.
    processor: u128,
    afterwards: u128,
}

impl Start {
    pub(crate) fn run(self) -> Result<(), Trouble> {
        let pair = Pair::new(&program(self.convoke.as_ref())?, Store::Sqlite, "")?;
        let world = &pair.anna;
        world.fill(Store::Sqlite, "anna@example.com", self.entries)?;
        let looked_in = first_look(world)?;
        if !self.json {
            println!(
                "first look at {} objects: {:.1} s",
                self.entries,
                looked_in.as_secs_f64()
            );
        }
        let mut all = Vec::new();
        for _ in 0..self.starts {
            let begun = Instant::now();
            let host = world.serve()?;
            let ready = begun.elapsed().as_millis();
            let used = || Usage::of(host.id()).ok_or("the system does not say what it uses");
            let at_once = used()?;
            thread::sleep(AFTERWARDS);
            let afterwards = used()?.since(at_once).as_millis();
            let processor = at_once.total().as_millis();
            host.stop()?;
            if !self.json {
                println!(
                    "ready after {ready} ms, {processor} ms of processor time; {afterwards} ms within the next {AFTERWARDS:?}"
                );
            }
            all.push(Started {
                ready,
                processor,
                afterwards,
            });
        }
        if self.json {
            println!("{}", serde_json::to_string_pretty(&all)?);
        }
        Ok(())
    }
}

/// Lets the host look at all there is, so that its ledger knows it.
fn first_look(world: &World) -> Result<Duration, Trouble> {
    let (looked, has_looked) = mpsc::channel();
    let begun = Instant::now();
    let host = world.serve_logging(move |line| {
        if line.contains("event=\"calendar-first-look\"") {
            // Fails if nobody waits any more.
            let _ = looked.send(());
        }
    })?;
    has_looked.recv_timeout(PATIENCE)?;
    let took = begun.elapsed();
    host.stop()?;
    Ok(took)
}
