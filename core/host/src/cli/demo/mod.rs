//! `convoke demo`: two domains on this machine schedule with each other, and every step is checked, not just shown.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `world` | a folder for each domain: certificate, keys, configuration |
//! | `people` | who lives there, and their week |
//! | `child` | a `convoke serve` process that lives no longer than this one |
//! | `wire` | what went over the wire, from the hosts' logs |
//! | `story` | the steps |
//! | `files` | the step in which a calendar is edited as files |
//! | `evidence` | what they are checked against |
//!
//! Always true: the two hosts share no file and talk over TLS that is verified; when the demo ends, its processes and its
//! folder are gone. Only if it is killed (SIGKILL) the folder stays; the processes end then too.

mod child;
mod evidence;
mod files;
mod people;
mod story;
mod wire;
mod world;

use crate::cli::output::{Failure, print};
use child::HostProcess;
use clap::Args;
use story::Story;
use tokio::signal::unix::{Signal, SignalKind, signal};
use world::World;

const EXAMPLES: &str = "\
Examples:
  convoke demo            tell the story, then stay up so that you can go on by hand; Ctrl-C ends it
  convoke demo --once     tell the story and end; exit status 0 only if every step did what it says

Nothing is left behind. Only loopback addresses are used.";

/// How often other ports are tried when somebody takes the chosen ones first.
const ATTEMPTS: usize = 3;

/// Run two domains on this machine that schedule with each other
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Demo {
    /// Exit after the last step
    #[arg(long)]
    once: bool,
}

impl Demo {
    pub(super) async fn run(self) -> Result<(), Failure> {
        run(self.once).await
    }
}

/// Tells the story; with `once` it ends after that, else it stays up until Ctrl-C.
async fn run(once: bool) -> Result<(), Failure> {
    let mut interrupts = Interrupts::new()?;
    let mut world = World::make().map_err(failure)?;
    let mut hosts = Vec::new();
    let outcome = tokio::select! {
        outcome = live(&mut world, &mut hosts, once) => outcome,
        () = interrupts.received() => Ok("\nEnded."),
    };
    // Whatever came of it, the hosts end before their folders go.
    futures::future::join_all(hosts.into_iter().map(HostProcess::stop)).await;
    let removed = world.remove();
    let words = outcome?;
    removed
        .map_err(|error| Failure::new(format!("the demo's folder cannot be removed: {error}")))?;
    print(format!("{words} Hosts and folder are gone.\n").as_bytes())
}

async fn live(
    world: &mut World,
    hosts: &mut Vec<HostProcess>,
    once: bool,
) -> Result<&'static str, Failure> {
    let day = people::story_day(jiff::Timestamp::now());
    Story::fill(world, day).await?;
    hosts.extend(start(world).await?);
    let processes = hosts.iter().map(HostProcess::id).collect();
    let story = Story::new(world, day, processes).await?;
    story.tell().await?;
    if once {
        return Ok("Every step did what it says.");
    }
    story.what_next()?;
    let (gone, ..) =
        futures::future::select_all(hosts.iter_mut().map(|host| Box::pin(host.gone()))).await;
    Err(failure(gone))
}

async fn start(world: &mut World) -> Result<[HostProcess; 2], Failure> {
    let mut attempt = 1;
    loop {
        let (harbour, meadow) = (
            HostProcess::start(&world.harbour),
            HostProcess::start(&world.meadow),
        );
        match tokio::try_join!(harbour, meadow) {
            Ok((harbour, meadow)) => return Ok([harbour, meadow]),
            Err(error) if error.is_port_taken() && attempt < ATTEMPTS => {
                attempt += 1;
                world.choose_ports().map_err(failure)?;
            }
            Err(error) => return Err(failure(error)),
        }
    }
}

fn failure(error: impl std::fmt::Display) -> Failure {
    Failure::new(error.to_string())
}

/// Ctrl-C, or SIGTERM.
struct Interrupts {
    interrupt: Signal,
    terminate: Signal,
}

impl Interrupts {
    fn new() -> Result<Self, Failure> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt()).map_err(failure)?,
            terminate: signal(SignalKind::terminate()).map_err(failure)?,
        })
    }

    async fn received(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
