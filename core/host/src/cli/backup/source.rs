//! The state and the stores are read: through the running host, or opened here. See [`super`] for the order, and why.

use super::{
    Failed,
    file::{FORMAT, LONGEST, Manifest, StoreInside},
    write::Writer,
};
use crate::{
    admin::api::StatePage,
    cli::{
        context::{all, people},
        output::{self, Failure},
        session::{Session, StoreSession},
        state::scan::pages,
    },
    config::Config,
};
use convoke_types::{CalendarUser, Error, KeyRange, Page, StateEntry, StoredObject, Uid};
use futures::{StreamExt, stream};
use indicatif::ProgressBar;
use jiff::Timestamp;

/// Objects that are asked for, and held in memory, at once.
const TOGETHER: u32 = 32;
/// Messages of an inbox that are read at once.
const MESSAGES: u32 = 16;
/// The octets of messages that wait, which are read last.
const MESSAGES_OF_OUTBOX: &[u8] = b"message/";

/// What is backed up.
pub(super) struct Source<'a> {
    config: &'a Config,
    session: Session,
    progress: ProgressBar,
}

impl<'a> Source<'a> {
    pub(super) fn new(config: &'a Config, session: Session) -> Self {
        Self {
            config,
            session,
            progress: output::progress(),
        }
    }

    /// Writes all of it: what could not be read.
    pub(super) async fn write(&self, writer: &mut Writer) -> Result<Vec<Failed>, Failure> {
        let mut stores = Vec::new();
        for store in all(&self.session).await? {
            let users = people(&store).await?;
            stores.push((store, users));
        }
        let inside = stores.iter().map(|(store, users)| StoreInside {
            name: store.name().to_owned(),
            users: users.iter().map(|it| it.address.clone()).collect(),
        });
        writer.manifest(&Manifest {
            format: FORMAT,
            convoke: env!("CARGO_PKG_VERSION").to_owned(),
            created: Timestamp::now(),
            domains: self.config.server.domains.clone(),
            stores: inside.collect(),
        })?;
        self.state(writer).await?;
        let mut failed = Vec::new();
        for (number, (store, users)) in stores.iter().enumerate() {
            for (place, user) in users.iter().enumerate() {
                writer.user(number, place, user)?;
                let person = Person {
                    source: self,
                    store,
                    user,
                };
                person.write(writer, &mut failed).await?;
            }
        }
        self.progress.finish_and_clear();
        Ok(failed)
    }

    async fn state(&self, writer: &mut Writer) -> Result<(), Failure> {
        let messages = KeyRange::prefix(MESSAGES_OF_OUTBOX);
        let before = KeyRange::new([], Some(messages.start().to_vec()));
        let behind = KeyRange::new(messages.end().unwrap_or_default(), None);
        for range in [before, behind, messages] {
            let read = async |range| self.session.ask(StatePage { range }).await;
            let written = pages(range, read, async |page: Vec<StateEntry>| {
                writer.state(&page).map_err(Stopped::Writing)
            });
            written.await.map_err(|stopped| match stopped {
                Stopped::Reading(error) => {
                    Failure::new(format!("the state cannot be read: {error}"))
                }
                Stopped::Writing(failure) => failure,
            })?;
        }
        Ok(())
    }
}

/// Why the state is not in the file.
enum Stopped {
    Reading(Error),
    Writing(Failure),
}

impl From<Error> for Stopped {
    fn from(error: Error) -> Self {
        Self::Reading(error)
    }
}

/// One calendar user.
struct Person<'a> {
    source: &'a Source<'a>,
    store: &'a StoreSession,
    user: &'a CalendarUser,
}

impl Person<'_> {
    async fn write(&self, writer: &mut Writer, failed: &mut Vec<Failed>) -> Result<(), Failure> {
        if let Err(stopped) = self.objects(writer, failed).await {
            failed.push(self.failed(None, stopped)?);
        }
        if let Err(stopped) = self.inbox(writer).await {
            failed.push(self.failed(None, stopped)?);
        }
        Ok(())
    }

    fn failed(&self, uid: Option<Uid>, stopped: Stopped) -> Result<Failed, Failure> {
        match stopped {
            Stopped::Reading(error) => Ok(Failed {
                store: self.store.name().to_owned(),
                user: Some(self.user.address.clone()),
                uid,
                error: error.to_string(),
            }),
            Stopped::Writing(failure) => Err(failure),
        }
    }

    async fn objects(&self, writer: &mut Writer, failed: &mut Vec<Failed>) -> Result<(), Stopped> {
        let mut page = Page::first(TOGETHER);
        let progress = &self.source.progress;
        loop {
            let listing = self.store.list(&self.user.id, &page).await?;
            progress.inc_length(listing.items.len() as u64);
            let read: Vec<(Uid, Result<Option<StoredObject>, Error>)> =
                stream::iter(listing.items.into_iter().map(async |object| {
                    let read = self.store.get(&self.user.id, &object.uid).await;
                    progress.inc(1);
                    (object.uid, read)
                }))
                .buffered(TOGETHER as usize)
                .collect()
                .await;
            let mut objects = Vec::new();
            for (uid, read) in read {
                match read {
                    Ok(Some(object)) if object.data.len() as u64 > LONGEST => {
                        let error = format!("it has more than {LONGEST} bytes");
                        failed.extend(self.failed(Some(uid), Error::invalid(error).into()).ok());
                    }
                    Ok(Some(object)) => objects.push((uid, object.data)),
                    // It was removed since it was listed.
                    Ok(None) => {}
                    Err(error) => failed.extend(self.failed(Some(uid), error.into()).ok()),
                }
            }
            writer.objects(&objects).map_err(Stopped::Writing)?;
            match listing.next {
                Some(next) => page.after = Some(next),
                None => return Ok(()),
            }
        }
    }

    async fn inbox(&self, writer: &mut Writer) -> Result<(), Stopped> {
        let mut page = Page::first(MESSAGES);
        loop {
            let listing = self.store.inbox(&self.user.id, &page).await?;
            for waiting in &listing.items {
                writer.inbox(&waiting.message).map_err(Stopped::Writing)?;
            }
            match listing.next {
                Some(next) => page.after = Some(next),
                None => return Ok(()),
            }
        }
    }
}
