//! How fast a host empties its queue: many messages for one receiver, which is down while they are handed in.

use crate::{
    Trouble,
    calendar::{self, basic, elsewhere},
    pair::{Pair, invitation},
    process::Usage,
    table::program,
    world::{Running, Store},
};
use clap::Args;
use jiff::SignedDuration;
use serde::Serialize;
use std::{
    fs,
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

/// What waits to be delivered.
const WAITING: &str = "convoke_outbox_entries";
/// Between two looks at what waits.
const PAUSE: Duration = Duration::from_millis(10);
/// Who empties nothing for so long never does.
const PATIENCE: Duration = Duration::from_secs(600);

/// Queue messages for a receiver that is down, start it, and say how fast the queue is emptied
#[derive(Args)]
pub(crate) struct Queue {
    /// The program to measure; by default the one beside this one
    #[arg(long)]
    convoke: Option<PathBuf>,
    /// Messages
    #[arg(long, default_value_t = 10_000)]
    messages: u64,
    /// What keeps the calendar of whoever sends them
    #[arg(long, value_enum, default_value_t = Store::Sqlite)]
    store: Store,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Emptied {
    messages: u64,
    /// Seconds from the first message that was handed in to the last.
    queued_in: f64,
    /// Messages a second, from when the receiver is asked again.
    rate: f64,
    /// Processor time for each message, in microseconds: of who sends, and of who receives.
    sender: f64,
    receiver: f64,
}

impl Queue {
    pub(crate) fn run(self) -> Result<(), Trouble> {
        let scheduling = format!("settle = \"1ms\"\nhold = {}", self.messages);
        let pair = Pair::new(&program(self.convoke.as_ref())?, self.store, &scheduling)?;
        let anna = pair.anna.serve()?;
        pair.anna
            .command(&["changed", "--user", "anna@example.com"])?;
        let file = pair.anna.path("meetings.ics");
        fs::write(&file, meetings(self.messages))?;
        let begun = Instant::now();
        let import = ["calendar", "import", "--tell", "--user", "anna@example.com"];
        let file = file.display().to_string();
        pair.anna.command(&[&import[..], &[&file]].concat())?;
        wait(&anna, |waiting| waiting >= self.messages)?;
        let queued_in = begun.elapsed().as_secs_f64();

        let bo = pair.bo.serve()?;
        let before = [usage(&anna)?, usage(&bo)?];
        let begun = Instant::now();
        pair.anna.command(&["queue", "retry", "--all"])?;
        wait(&anna, |waiting| waiting == 0)?;
        let took = begun.elapsed().as_secs_f64();
        let used = [usage(&anna)?.since(before[0]), usage(&bo)?.since(before[1])];
        #[allow(clippy::cast_precision_loss, reason = "nobody queues 2^52 messages")]
        let messages = self.messages as f64;
        let [sender, receiver] = used.map(|it| it.as_secs_f64() * 1e6 / messages);
        let emptied = Emptied {
            messages: self.messages,
            queued_in,
            rate: messages / took,
            sender,
            receiver,
        };
        if self.json {
            println!("{}", serde_json::to_string_pretty(&emptied)?);
        } else {
            println!(
                "{} messages queued in {queued_in:.1} s, delivered in {took:.1} s: {:.0} a second\n\
                 processor time a message: sender {sender:.0} µs, receiver {receiver:.0} µs",
                self.messages, emptied.rate,
            );
        }
        Ok(())
    }
}

/// So many invitations, each to a meeting of its own.
fn meetings(number: u64) -> String {
    let meetings = (0..number).map(|number| {
        let start = elsewhere(number) + SignedDuration::from_hours(24 * 365);
        let end = start + SignedDuration::from_mins(30);
        invitation(&format!("queued-{number}"), basic(start), basic(end))
    });
    calendar::of(&meetings.collect::<String>())
}

fn wait(host: &Running, is_so: impl Fn(u64) -> bool) -> Result<(), Trouble> {
    let begun = Instant::now();
    loop {
        let waiting = host.metric(WAITING)?;
        if is_so(waiting) {
            return Ok(());
        }
        if begun.elapsed() > PATIENCE {
            return Err(format!("{waiting} messages wait after {PATIENCE:?}").into());
        }
        thread::sleep(PAUSE);
    }
}

fn usage(host: &Running) -> Result<Usage, Trouble> {
    Usage::of(host.id()).ok_or_else(|| "the system does not say what a process uses".into())
}
