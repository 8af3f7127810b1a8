//! Wakes whoever waits for changes.

use tokio::sync::watch;

/// Wakes whoever waits for changes.
#[derive(Clone)]
pub(crate) struct News(watch::Sender<()>);

impl Default for News {
    fn default() -> Self {
        Self(watch::Sender::new(()))
    }
}

impl News {
    /// Something changed.
    pub(crate) fn tell(&self) {
        self.0.send_replace(());
    }

    /// Hears of all that is told from now on.
    pub(crate) fn listen(&self) -> watch::Receiver<()> {
        self.0.subscribe()
    }
}
