//! What quiet CalDAV accounts cost the whole host: requests and processor time for one look at each.

use crate::{Trouble, caldav_server::CalDavServer, process::Usage, table::program, world::World};
use clap::Args;
use serde::Serialize;
use std::{env::temp_dir, fmt::Write as _, path::PathBuf, time::Duration};
use tokio::time::{Instant, sleep};

/// The first looks at all accounts take no longer.
const PATIENCE: Duration = Duration::from_secs(300);

/// Let a host watch CalDAV accounts in which nothing happens, and say what that costs
#[derive(Args)]
pub(crate) struct Accounts {
    /// The program to measure; by default the one beside this one
    #[arg(long)]
    convoke: Option<PathBuf>,
    /// Accounts
    #[arg(long, default_value_t = 1000)]
    accounts: u64,
    /// Seconds within which each is looked at once
    #[arg(long, default_value_t = 60)]
    interval: u32,
    /// Rounds to measure
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// One round.
#[derive(Serialize)]
struct Round {
    requests: u64,
    /// Seconds.
    processor: f64,
}

impl Accounts {
    pub(crate) async fn run(self) -> Result<(), Trouble> {
        let server = CalDavServer::start().await?;
        let config = self.config(&server);
        let world = World::configured(&temp_dir(), &program(self.convoke.as_ref())?, &config)?;
        let (looked, mut has_looked) = tokio::sync::mpsc::unbounded_channel();
        let host = world.serve_logging(move |line| {
            if line.contains("event=\"calendar-first-look\"") {
                // Fails if nobody waits any more.
                let _ = looked.send(());
            }
        })?;
        let deadline = Instant::now() + PATIENCE;
        for number in 0..self.accounts {
            let looked = tokio::time::timeout_at(deadline, has_looked.recv()).await;
            looked.map_err(|_| format!("only {number} accounts were looked at"))?;
        }
        // Until they are looked at as seldom as they may be.
        let interval = Duration::from_secs(self.interval.into());
        sleep(interval * 2).await;
        let used = || Usage::of(host.id()).ok_or("the system does not say what it uses");
        let mut rounds = Vec::new();
        for _ in 0..self.rounds {
            server.requests();
            let before = used()?;
            sleep(interval).await;
            let round = Round {
                requests: server.requests(),
                processor: used()?.since(before).as_secs_f64(),
            };
            if !self.json {
                println!(
                    "{} quiet accounts, each looked at once in {} s: {} requests, {:.2} s of processor time",
                    self.accounts, self.interval, round.requests, round.processor
                );
            }
            rounds.push(round);
        }
        if self.json {
            println!("{}", serde_json::to_string_pretty(&rounds)?);
        }
        Ok(())
    }

    fn config(&self, server: &CalDavServer) -> String {
        let mut config = format!(
            "[server]\ndomains = [\"example.org\"]\nstate = \"state\"\nadministrator = \"mailto:admin@example.org\"\n\
             [[listener]]\nrole = \"receiver\"\naddress = \"127.0.0.1:0\"\n\
             tls = {{ certificate = \"host.pem\", key = \"host.key\" }}\n\
             [verification]\nrequired = false\n\
             [[policy]]\nplugin = \"policy-rules\"\nconfig.rules = [{{ allow = \"any\" }}]\n\
             [[store]]\nplugin = \"store-caldav\"\nconfig.home = \"http://{}/{{user}}/\"\nconfig.poll_interval = {}\n",
            server.address, self.interval
        );
        for number in 0..self.accounts {
            // Writing to a string cannot fail.
            let _ = writeln!(config, "config.users.\"user-{number}@example.org\" = {{}}");
        }
        config
    }
}
