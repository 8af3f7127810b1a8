//! `convoke backup`: everything that the host must not forget, and all calendars, in one file.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `file` | what is in the file, in which order, and how long each part may be |
//! | `write` | the file is written: beside its name, and moved there once it is whole |
//! | `read` | the file is checked, and read |
//! | `source` | the state and the stores are read |
//!
//! # Consistent while the host runs
//!
//! Nothing is locked, and nobody waits: a backup reads the state first, then the calendars. Whatever the host does to an object, it
//! does in this order: it writes the object to the store, then one commit moves the ledger and fills the outbox. So what is read first
//! is never newer than what is read later, and there are these cases for an object that changes meanwhile:
//!
//! - *The ledger is older than the object.* The restored host takes what is in the calendar for what others know: its first look at each
//!   calendar is a baseline. If the change was told, that is so; if it was not yet, nobody is told, which is what a restore promises.
//!   What the protocol remembers of the object (revisions, answers as received) is taken over from the ledger either way.
//! - *There is no ledger yet*: the same, with nothing remembered.
//! - *The ledger has no object*, as it was removed meanwhile, or just before and others were not told yet: `restore` notes that it is
//!   gone, so that its absence is never taken for a removal that is to be told.
//! - *The object is older than the ledger*, which would have others know more than the calendar says, cannot be.
//!
//! Calendars are read one after the other. A change that goes from one person to another in between is in the second calendar and not in
//! the first, if they are read in this order: they agree again with the next change. What must never disagree, the two sides of one
//! object, is read together as above.
//!
//! Within the state, octets of messages are read after everything else: an entry of the outbox without its message was delivered
//! meanwhile, and a message without an entry harms nothing. Leases are left out.
//!
//! What waited to be delivered is in the backup, and comes back held (`convoke_scheduling::put_back` says why).

pub(super) mod file;
pub(super) mod read;
mod source;
mod write;

use super::{
    Global,
    output::{self, Failure, pluralise},
    owner::give_to_owner,
    state::scan::entries,
};
use crate::escape::escape_controls;
use clap::Args;
use convoke_types::{CalendarAddress, Uid};
use serde::Serialize;
use source::Source;
use std::{fmt::Write as _, path::PathBuf};
use tokio::signal::unix::{SignalKind, signal};
use write::Writer;

const EXAMPLES: &str = "\
Examples:
  convoke backup --to /var/backups/convoke-$(date +%F).tar
  convoke backup --to latest.tar --force --json

While the host runs, it is asked; where none runs, the stores are opened here. The file is a tar: what the host must not forget, and \
of each [[store]] its calendar users with their settings, their objects as the store has them, and what waits for them to decide on. \
It holds what people wrote, and the tokens by which answers by mail are recognised: its mode is 0600.
Not in it: the configuration, keys and certificates, users.htpasswd, plugins. Keep those beside it.

Exit status 1 if something could not be read; the file holds everything else then. `convoke restore` puts it back.";

/// Write state and calendars into one file, also while the host runs
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Backup {
    /// The file to write
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
    /// Overwrite the file if it is there
    #[arg(long)]
    force: bool,
}

/// What became of a backup, or of its restore.
#[derive(Debug, Default, Serialize)]
pub(super) struct Amount {
    /// Entries of the state.
    pub(super) state: usize,
    pub(super) users: usize,
    pub(super) objects: usize,
    /// Messages that wait for people to decide on, of stores that have a place for them.
    pub(super) inbox: usize,
}

#[derive(Serialize)]
struct Done {
    file: PathBuf,
    bytes: u64,
    #[serde(flatten)]
    amount: Amount,
    failed: Vec<Failed>,
}

/// Something that could not be read, or put back.
#[derive(Debug, Serialize)]
pub(super) struct Failed {
    pub(super) store: String,
    pub(super) user: Option<CalendarAddress>,
    pub(super) uid: Option<Uid>,
    pub(super) error: String,
}

impl Backup {
    pub(super) async fn run(self, global: &Global) -> Result<(), Failure> {
        let config = global.config()?;
        let stores = global.stores().await?;
        let mut writer = Writer::create(&self.to, self.force)?;
        let source = Source::new(&config, stores);
        // Who is interrupted leaves nothing behind: with the writer its file goes.
        let failed = tokio::select! {
            failed = source.write(&mut writer) => failed?,
            () = interrupted()? => {
                return Err(Failure::new(format!(
                    "{}: the backup was interrupted, and nothing of it is left",
                    self.to.display()
                )));
            }
        };
        let written = writer.finish(|file| give_to_owner(file, &config.server.state))?;
        let done = Done {
            file: self.to,
            bytes: written.bytes,
            amount: written.amount,
            failed,
        };
        if global.json {
            output::print_json(&done)?;
        } else {
            output::print_text(&done.text())?;
        }
        end(&done.failed)
    }
}

/// Waits until somebody wants this to end.
fn interrupted() -> Result<impl Future<Output = ()>, Failure> {
    let listened = [
        SignalKind::interrupt(),
        SignalKind::terminate(),
        SignalKind::hangup(),
    ]
    .map(signal);
    let [interrupt, terminate, hangup] = listened;
    let unheard =
        |error: std::io::Error| Failure::new(format!("signals cannot be waited for: {error}"));
    let mut interrupt = interrupt.map_err(unheard)?;
    let mut terminate = terminate.map_err(unheard)?;
    let mut hangup = hangup.map_err(unheard)?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    })
}

/// Exit status 1 if anything failed.
pub(super) fn end(failed: &[Failed]) -> Result<(), Failure> {
    if failed.is_empty() {
        Ok(())
    } else {
        Err(Failure::already_reported())
    }
}

impl Done {
    fn text(&self) -> String {
        let mut text = format!(
            "{}: {}, {} bytes\n",
            self.file.display(),
            self.amount.text(),
            self.bytes
        );
        text.push_str(&complaints(&self.failed, "is not in the backup"));
        text
    }
}

impl Amount {
    pub(super) fn text(&self) -> String {
        let counted = |count: usize, one: &str, more: &str| match count {
            1 => format!("1 {one}"),
            count => format!("{count} {more}"),
        };
        format!(
            "{} with {}, {} that wait to be decided, {} of the state",
            counted(self.users, "calendar user", "calendar users"),
            pluralise(self.objects),
            counted(self.inbox, "message", "messages"),
            entries(self.state),
        )
    }
}

/// A line for each thing that failed.
pub(super) fn complaints(failed: &[Failed], what: &str) -> String {
    let mut text = String::new();
    for failed in failed {
        let mut whose = format!("store `{}`", escape_controls(&failed.store));
        if let Some(user) = &failed.user {
            let _ = write!(whose, ", {}", user.human());
        }
        if let Some(uid) = &failed.uid {
            let _ = write!(whose, ", {}", escape_controls(uid.as_str()));
        }
        let error = escape_controls(&failed.error);
        let _ = writeln!(text, "{whose}: {what}: {error}");
    }
    text
}
