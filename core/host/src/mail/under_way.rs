//! Mails that are on their way to the mail server: each goes once at a time.
//!
//! Whoever waits for a mail may go, as a program does that has handed in a message and hangs up, and a mail server may take minutes
//! for the final dot. The mail goes on all the same, and who is to send it again meanwhile waits for what comes of it.

use super::smtp::{MailServer, NotTaken};
use convoke_imip::Mail;
use futures::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// What comes of a mail, for all who wait for it.
type Sending = Shared<BoxFuture<'static, Result<String, NotTaken>>>;
/// By the Message-ID, which is that of one mail to one recipient.
type Mails = Arc<Mutex<HashMap<String, Sending>>>;

/// A mail server, and what is on its way to it.
pub(super) struct UnderWay {
    server: Arc<MailServer>,
    mails: Mails,
}

/// Takes a mail off those that are on their way, however that ends.
struct Ends(Mails, String);

impl Drop for Ends {
    fn drop(&mut self) {
        lock(&self.0).remove(&self.1);
    }
}

impl UnderWay {
    pub(super) fn new(server: MailServer) -> Self {
        Self {
            server: Arc::new(server),
            mails: Mails::default(),
        }
    }

    pub(super) fn server(&self) -> &MailServer {
        &self.server
    }

    /// Hands a mail to the server, or waits for what comes of it where it is on its way. It goes on if this is dropped.
    pub(super) async fn send(&self, mail: &Mail) -> Result<String, NotTaken> {
        self.sending(mail).await
    }

    fn sending(&self, mail: &Mail) -> Sending {
        let mut mails = lock(&self.mails);
        if let Some(sending) = mails.get(&mail.message_id) {
            return sending.clone();
        }
        let (server, mail) = (self.server.clone(), mail.clone());
        let name = mail.message_id.clone();
        let ends = Ends(self.mails.clone(), name.clone());
        let task = tokio::spawn(async move {
            let _ends = ends;
            server.send(&mail).await
        });
        let sending = task.map(|sent| {
            // It panicked, or the host ends.
            sent.unwrap_or_else(|error| Err(NotTaken::InDoubt(error.to_string())))
        });
        let sending = sending.boxed().shared();
        mails.insert(name, sending.clone());
        sending
    }
}

fn lock(mails: &Mutex<HashMap<String, Sending>>) -> MutexGuard<'_, HashMap<String, Sending>> {
    // Each change is one step.
    mails.lock().unwrap_or_else(PoisonError::into_inner)
}
