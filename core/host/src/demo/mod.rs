//! `convoke demo`: two domains on this machine schedule with each other, and every step is checked, not just shown.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `world` | a folder for each domain: certificate, keys, configuration |
//! | `people` | who lives there, and their week |
//! | `child` | a `convoke serve` process that lives no longer than this one |
//! | `wire` | what went over the wire, from the hosts' logs |
//! | `story` | the steps |
//!
//! Always true: the two hosts share no file and talk over TLS that is verified; when the demo ends, its processes and its
//! folder are gone. Only if it is killed (SIGKILL) the folder stays; the processes end then too.

mod child;
mod people;
mod story;
mod wire;
mod world;

use crate::{
    cli::{Failure, print},
    config::Config,
};
use child::{ChildError, HostProcess};
use story::Story;
use tokio::signal::unix::{Signal, SignalKind, signal};
use world::{House, World};

/// How often other ports are tried when somebody takes the chosen ones first.
const ATTEMPTS: usize = 3;

/// Tells the story; with `once` it ends after that, else it stays up until Ctrl-C.
pub(crate) async fn run(once: bool) -> Result<(), Failure> {
    let mut stop = Stop::new()?;
    let world = World::make().map_err(failure)?;
    let outcome = tokio::select! {
        outcome = stay(world, once) => outcome,
        () = stop.asked() => {
            print(b"\nended: hosts and folder are gone\n")?;
            return Ok(());
        }
    };
    outcome
}

async fn stay(mut world: World, once: bool) -> Result<(), Failure> {
    let day = people::story_day(jiff::Timestamp::now());
    Story::fill(&world, day).await?;
    let (mut harbour, mut meadow) = start(&mut world).await?;
    let story = Story::new(&world, day, (harbour.id(), meadow.id()))?;
    story.tell().await?;
    if !once {
        story.what_next()?;
        let error = tokio::select! {
            error = harbour.gone() => error,
            error = meadow.gone() => error,
        };
        return Err(failure(error));
    }
    harbour.stop().await;
    meadow.stop().await;
    world
        .remove()
        .map_err(|error| Failure::new(format!("the demo's folder cannot be removed: {error}")))?;
    print(b"\nEvery step did what it says. Hosts and folder are gone.\n")
}

async fn start(world: &mut World) -> Result<(HostProcess, HostProcess), Failure> {
    let mut attempt = 1;
    loop {
        match start_both(&world.harbour, &world.meadow).await {
            Ok(hosts) => return Ok(hosts),
            Err(error) if error.is_port_taken() && attempt < ATTEMPTS => {
                attempt += 1;
                world.choose_ports().map_err(failure)?;
            }
            Err(error) => return Err(failure(error)),
        }
    }
}

async fn start_both(
    harbour: &House,
    meadow: &House,
) -> Result<(HostProcess, HostProcess), ChildError> {
    let config = |house: &House| {
        Config::read(&house.config_file()).map_err(|error| std::io::Error::other(error.to_string()))
    };
    let (ours, theirs) = (config(harbour)?, config(meadow)?);
    tokio::try_join!(
        HostProcess::start(harbour, &ours),
        HostProcess::start(meadow, &theirs)
    )
}

fn failure(error: impl std::fmt::Display) -> Failure {
    Failure::new(error.to_string())
}

/// Ctrl-C, or SIGTERM.
struct Stop {
    interrupt: Signal,
    terminate: Signal,
}

impl Stop {
    fn new() -> Result<Self, Failure> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt()).map_err(failure)?,
            terminate: signal(SignalKind::terminate()).map_err(failure)?,
        })
    }

    async fn asked(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
