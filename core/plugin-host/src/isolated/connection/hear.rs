//! What the process says, and what the host makes of it.

use super::{Beginning, Connection};
use crate::isolated::{
    log::Log,
    protocol::{self, Hello, ToChild, ToHost},
};
use convoke_sdk::{
    CalendarUser, Error, Health, Result,
    remote::{NotOpened, Services},
};
use std::{
    collections::HashMap,
    io,
    sync::{Arc, atomic::Ordering},
};
use tokio::{
    net::unix::OwnedReadHalf,
    sync::{Semaphore, oneshot},
};

/// Indexes that are made for one process at once.
const INDEXES: usize = 4;

/// Series that a process may make known; more than the host takes of an entry.
const SERIES: usize = 1000;

/// Who listens to a process.
pub(super) struct Listener {
    connection: Arc<Connection>,
    services: Arc<dyn Services>,
    greeted: Option<oneshot::Sender<Hello>>,
    opened: Option<oneshot::Sender<Result<(), NotOpened>>>,
    indexes: Arc<Semaphore>,
    log: Log,
    /// The host's numbers of series, by those of the process.
    series: HashMap<u64, u64>,
}

impl Listener {
    pub(super) fn new(
        connection: Arc<Connection>,
        services: Arc<dyn Services>,
        beginning: Beginning,
    ) -> Self {
        Self {
            connection,
            log: Log::new(Arc::clone(&services)),
            services,
            greeted: Some(beginning.greeted),
            opened: Some(beginning.opened),
            indexes: Arc::new(Semaphore::new(INDEXES)),
            series: HashMap::new(),
        }
    }

    /// Listens until the process says no more. An error: what it says is no message.
    pub(super) async fn hear(mut self, read: OwnedReadHalf) -> io::Result<()> {
        let mut read = tokio::io::BufReader::new(read);
        while let Some(frame) = protocol::next(&mut read).await? {
            self.take(protocol::parse(&frame)?).await?;
        }
        Ok(())
    }

    async fn take(&mut self, message: ToHost) -> io::Result<()> {
        let connection = &self.connection;
        match message {
            ToHost::Answer { id, value, error } => {
                connection.misses.store(0, Ordering::Relaxed);
                let answer = protocol::answered(value, error);
                connection.calls.settle(id, Some(answer));
            }
            ToHost::Gone { id } => connection.calls.settle(id, None),
            ToHost::Pong { id } => connection.calls.pong(id),
            ToHost::Pulse(pulse) => {
                let mut known = connection.known_pulse();
                *known = pulse;
            }
            ToHost::Log(event) => self.log.take(&event),
            ToHost::Metric {
                series,
                kind,
                metric,
            } => {
                if let Some(kind) = protocol::metric_kind(&kind)
                    && self.series.len() < SERIES
                {
                    let known = self.services.metric(kind, &metric);
                    self.series.insert(series, known);
                }
            }
            ToHost::Record { series, value } => {
                if let Some(known) = self.series.get(&series) {
                    self.services.record(*known, value);
                }
            }
            ToHost::Health { degraded } => {
                let health = degraded.map_or(Health::Healthy, Health::Degraded);
                connection.health.set(&health);
            }
            ToHost::Hello(hello) => {
                let greeted = self.greeted.take();
                let greeted = greeted.ok_or_else(|| nonsense("it says twice what it is"))?;
                // Fails if the host gave up starting it.
                let _ = greeted.send(hello);
            }
            ToHost::Opened { refused } => {
                if refused.is_none() && self.greeted.is_some() {
                    return Err(nonsense("it opens before it says what it is"));
                }
                let opened = self.opened.take();
                let opened = opened.ok_or_else(|| nonsense("it opens twice"))?;
                connection.opened.store(true, Ordering::Relaxed);
                // Fails if the host gave up opening it.
                let _ = opened.send(refused.map_or(Ok(()), Err));
            }
            ToHost::Index { id, user, data } => self.index(id, user, data).await,
        }
        Ok(())
    }

    /// Describes an object, beside whatever else is said. Nothing is heard while there are too many of them.
    async fn index(&self, id: u64, user: Option<CalendarUser>, data: Vec<u8>) {
        let (connection, services) = (Arc::clone(&self.connection), Arc::clone(&self.services));
        connection.deaf.store(true, Ordering::Relaxed);
        // It is never closed.
        let permit = Arc::clone(&self.indexes).acquire_owned().await;
        connection.deaf.store(false, Ordering::Relaxed);
        tokio::spawn(async move {
            let _permit = permit;
            let made =
                tokio::task::spawn_blocking(move || services.index(user.as_ref(), &data)).await;
            let failed = |_| Err(Error::internal("the host failed to read the object"));
            // An index is smaller than a frame, being bounded by the object's instances.
            let (index, error) = match made.unwrap_or_else(failed) {
                Ok(index) => (Some(index), None),
                Err(error) => (None, Some(error)),
            };
            let _ = connection.send(&ToChild::Index { id, index, error }).await;
        });
    }
}

fn nonsense(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
