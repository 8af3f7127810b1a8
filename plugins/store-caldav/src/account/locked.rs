//! What is known of an account while a call works on it.

use crate::{news::News, replica::Replica};
use convoke_sdk::prelude::*;
use std::ops::{Deref, DerefMut};
use tokio::sync::MutexGuard;

/// Tells at its end whoever waits for changes, if there are some.
pub(super) struct Locked<'a> {
    replica: MutexGuard<'a, Replica>,
    before: Cursor,
    news: &'a News,
}

impl<'a> Locked<'a> {
    pub(super) fn new(replica: MutexGuard<'a, Replica>, news: &'a News) -> Self {
        Self {
            before: replica.mirror.cursor(),
            replica,
            news,
        }
    }
}

impl Deref for Locked<'_> {
    type Target = Replica;

    fn deref(&self) -> &Replica {
        &self.replica
    }
}

impl DerefMut for Locked<'_> {
    fn deref_mut(&mut self) -> &mut Replica {
        &mut self.replica
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        if self.before != self.replica.mirror.cursor() {
            self.news.tell();
        }
    }
}
