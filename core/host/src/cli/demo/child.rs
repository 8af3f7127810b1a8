//! A `convoke serve` process that lives no longer than this one.
//!
//! Its stdin is a pipe that nobody writes to. When this process ends, however it ends, the system closes the pipe, and
//! the child sees that and ends too.

use super::world::House;
use crate::{
    config::{Config, ConfigError},
    state_folder,
};
use std::{
    fs::{self, File},
    io,
    path::PathBuf,
    process::Stdio,
    time::Duration,
};
use tokio::{
    process::{Child, ChildStdin, Command},
    time::{Instant, sleep, timeout},
};

const PATIENCE: Duration = Duration::from_secs(30);
const TO_END: Duration = Duration::from_secs(5);

/// A host did not start, or has ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ChildError {
    /// The program.
    #[error("convoke cannot be started: {0}")]
    Spawn(#[from] io::Error),
    /// The configuration that the demo wrote.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// It ended by itself.
    #[error("the host of {domain} has ended: {said}")]
    Ended {
        /// Of which domain.
        domain: String,
        /// The last it said.
        said: String,
    },
    /// It does not listen.
    #[error("the host of {domain} does not listen after {PATIENCE:?}; its log is {}", log.display())]
    Slow {
        /// Of which domain.
        domain: String,
        /// Its log.
        log: PathBuf,
    },
}

impl ChildError {
    /// Whether somebody else took the port between choosing it and listening on it.
    pub(crate) fn is_port_taken(&self) -> bool {
        matches!(self, Self::Ended { said, .. } if said.contains("cannot listen on"))
    }
}

/// A running host.
pub(crate) struct HostProcess {
    child: Child,
    /// The pipe that keeps it alive; not left in `child`, which closes it before it waits.
    alive: Option<ChildStdin>,
    domain: String,
    log: PathBuf,
}

impl HostProcess {
    /// Starts the host of a domain and waits until it listens.
    pub(crate) async fn start(house: &House) -> Result<Self, ChildError> {
        let config = Config::read(&house.config_file())?;
        let log = house.log_file();
        let mut child = Command::new(std::env::current_exe()?)
            .args(["serve", "--while-stdin-open", "--config"])
            .arg(house.config_file())
            .env("CONVOKE_LOG", "info,convoke::wire=debug")
            .env("CONVOKE_LOG_FORMAT", "json")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(File::create(&log)?)
            .kill_on_drop(true)
            .spawn()?;
        let mut host = Self {
            alive: child.stdin.take(),
            child,
            domain: house.domain.to_string(),
            log,
        };
        host.listens(&config).await?;
        Ok(host)
    }

    async fn listens(&mut self, config: &Config) -> Result<(), ChildError> {
        let begun = Instant::now();
        while state_folder::listener_notes(&config.server.state).len() < config.listeners.len() {
            if let Some(error) = self.has_ended() {
                return Err(error);
            }
            if begun.elapsed() > PATIENCE {
                return Err(ChildError::Slow {
                    domain: self.domain.clone(),
                    log: self.log.clone(),
                });
            }
            sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    fn has_ended(&mut self) -> Option<ChildError> {
        let ended = self.child.try_wait().ok().flatten().is_some();
        ended.then(|| self.ended())
    }

    fn ended(&self) -> ChildError {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        ChildError::Ended {
            domain: self.domain.clone(),
            said: last_words(&log).to_owned(),
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id().unwrap_or(0)
    }

    /// Waits until the host ends, which it should not.
    pub(crate) async fn gone(&mut self) -> ChildError {
        match self.child.wait().await {
            Ok(_) => self.ended(),
            Err(error) => error.into(),
        }
    }

    /// Ends it.
    pub(crate) async fn stop(mut self) {
        drop(self.alive.take());
        if timeout(TO_END, self.child.wait()).await.is_err() {
            // What cannot be killed has ended.
            let _ = self.child.kill().await;
        }
    }
}

/// What a host said last of itself.
fn last_words(log: &str) -> &str {
    let is_its_own = |line: &&str| !line.contains("\"convoke::wire\"");
    let line = log.lines().rev().find(is_its_own);
    line.unwrap_or("it said nothing")
}
