//! What the process says, and what the host makes of it.

use super::{Connection, Opened};
use crate::isolated::{
    log::Log,
    protocol::{self, ToChild, ToHost},
};
use convoke_sdk::{CalendarUser, Error, remote::Services};
use std::{
    io,
    sync::{Arc, atomic::Ordering},
};
use tokio::{
    net::unix::OwnedReadHalf,
    sync::{Semaphore, oneshot},
};

/// Indexes that are made for one process at once.
const INDEXES: usize = 4;

/// Who listens to a process.
pub(super) struct Listener {
    connection: Arc<Connection>,
    services: Arc<dyn Services>,
    opened: Option<oneshot::Sender<Opened>>,
    indexes: Arc<Semaphore>,
    log: Log,
}

impl Listener {
    pub(super) fn new(
        connection: Arc<Connection>,
        services: Arc<dyn Services>,
        opened: oneshot::Sender<Opened>,
    ) -> Self {
        Self {
            connection,
            log: Log::new(Arc::clone(&services)),
            services,
            opened: Some(opened),
            indexes: Arc::new(Semaphore::new(INDEXES)),
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
            ToHost::Opened { refused, lacks } => {
                let twice = || io::Error::new(io::ErrorKind::InvalidData, "it opens twice");
                let opened = self.opened.take().ok_or_else(twice)?;
                connection.opened.store(true, Ordering::Relaxed);
                // Fails if the host gave up opening it.
                let _ = opened.send((refused.map_or(Ok(()), Err), lacks));
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
