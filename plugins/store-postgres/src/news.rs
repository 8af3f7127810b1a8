//! Hearing of what other hosts write: LISTEN and NOTIFY.
//!
//! A NOTIFY inside of a write would make all writes of the database wait for each other until they are on disk. So it is sent
//! after the write, by a statement of its own that writes nothing, and those that come at once are sent together. A host that is
//! killed between the two sends none, and through PgBouncer none arrive: so whoever waits looks every [`LOOK`] as well.

use crate::database::Database;
use convoke_sdk::prelude::*;
use futures::{StreamExt, stream};
use std::{
    future::{pending, ready},
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::{Notify, OnceCell, watch},
    time::sleep,
};
use tokio_postgres::{AsyncMessage, Client, Connection, types::Type};
use uuid::Uuid;

/// How often who waits looks, though it heard nothing.
pub(crate) const LOOK: Duration = Duration::from_secs(1);
/// Writes that follow each other so closely are told together.
const COALESCE: Duration = Duration::from_millis(20);
/// How long after the connection was lost it is made anew.
const AGAIN: Duration = Duration::from_secs(2);

/// What is heard of one kind of plugin.
pub(crate) struct News {
    channel: &'static str,
    /// Tells our own notifications from those of others.
    own: Uuid,
    heard: watch::Sender<()>,
    to_tell: Arc<Notify>,
    listening: OnceCell<()>,
}

impl News {
    /// Of a channel, which is a word.
    pub(crate) fn new(channel: &'static str) -> Self {
        Self {
            channel,
            own: Uuid::new_v4(),
            heard: watch::Sender::new(()),
            to_tell: Arc::default(),
            listening: OnceCell::new(),
        }
    }

    /// Something was written here.
    pub(crate) fn tell(&self) {
        self.heard.send_replace(());
        self.to_tell.notify_one();
    }

    /// Is told of what is written from now on.
    pub(crate) fn subscribe(&self) -> watch::Receiver<()> {
        self.heard.subscribe()
    }

    /// Tells other hosts, until the database is closed.
    pub(crate) fn start_telling(&self, db: &Database) {
        let (to_tell, channel, own) = (
            Arc::clone(&self.to_tell),
            self.channel,
            self.own.to_string(),
        );
        let weak = db.downgrade();
        db.keep(tokio::spawn(async move {
            loop {
                to_tell.notified().await;
                let Some(db) = weak.upgrade() else { return };
                let values = [(&channel as _, Type::TEXT), (&own as _, Type::TEXT)];
                // What is not told is found by looking.
                let _ = db
                    .read(&Call::within(LOOK), "SELECT pg_notify($1, $2)", &values)
                    .await;
                drop(db);
                sleep(COALESCE).await;
            }
        }));
    }

    /// Listens from now on, until the database is closed.
    pub(crate) async fn listen(&self, db: &Database) {
        let listening = self.listening.get_or_init(async || {
            let (postgres, tls) = db.reach();
            let postgres = postgres.clone();
            let (heard, channel, own) = (self.heard.clone(), self.channel, self.own.to_string());
            db.keep(tokio::spawn(async move {
                loop {
                    if let Ok((client, connection)) = postgres.connect(tls.clone()).await {
                        hear(client, connection, channel, &own, &heard).await;
                    }
                    sleep(AGAIN).await;
                }
            }));
        });
        listening.await;
    }
}

/// Passes on what is heard until the connection ends.
async fn hear<S, T>(
    client: Client,
    mut connection: Connection<S, T>,
    channel: &str,
    own: &str,
    heard: &watch::Sender<()>,
) where
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    let messages = stream::poll_fn(|context| connection.poll_message(context));
    let passed_on = messages.for_each(|message| {
        if matches!(&message, Ok(AsyncMessage::Notification(note)) if note.payload() != own) {
            heard.send_replace(());
        }
        ready(())
    });
    let listening = async {
        if client
            .batch_execute(&format!("LISTEN {channel}"))
            .await
            .is_ok()
        {
            // What came before that was not heard.
            heard.send_replace(());
            pending::<()>().await;
        }
    };
    tokio::select! {
        () = passed_on => {}
        () = listening => {}
    }
}
