//! `convoke restore`: what `convoke backup` has written, back into state and stores.
//!
//! | module | what it does |
//! | --- | --- |
//! | `plan` | which stores are restored, and whether there is room for them |
//! | `calendars` | calendar users, objects and what waits for people, into a store |
//! | `state` | what the host must not forget |
//!
//! The file is read as a whole, and the state is asked whether it takes what is in it, before anything is written. Then the state is
//! emptied, the calendars are written, and last the state: whenever this ends in between, nothing says that a calendar was looked at, so
//! that the next look at it tells nobody; and what was not finished is begun again with `--replace`. What becomes of the state is said in
//! `convoke_scheduling::put_back`.

mod calendars;
mod plan;
mod state;

use super::{
    Global,
    backup::{
        Amount, Failed, complaints, end,
        read::{BackupFile, Item},
    },
    output::{self, Failure},
    owner::become_owner,
    state::hold_alone,
};
use calendars::Calendars;
use clap::Args;
use plan::Plan;
use serde::Serialize;
use state::StateRestore;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  convoke restore --from backup.tar
  convoke restore --from backup.tar --store store-sqlite
  convoke restore --from backup.tar --replace

The host has to be ended first. State and stores have to be empty; with --replace what they hold is removed first, with the calendars \
of people who are not in the backup. A backup that is cut off, or of which anything was changed, is refused before anything is written.

Nobody is told anything by a restore: what is in the calendars afterwards counts as known. Messages that waited when the backup was \
made are held (`convoke queue list`, `queue release`): the host may have sent them since.

Calendars on a CalDAV server have a backup of their own, mostly: name the stores to restore with --store, and the others stay as they \
are.

Exit status 1 if something could not be put back; it is named.";

/// Put a backup back into state and stores
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Restore {
    /// The file that `convoke backup` has written
    #[arg(long, value_name = "FILE")]
    from: PathBuf,
    /// Remove first what the state and the stores hold
    #[arg(long)]
    replace: bool,
    /// Restore the calendars of this store only (repeatable); the state is restored in any case
    #[arg(long = "store", value_name = "NAME")]
    stores: Vec<String>,
    /// Restore the state only, and leave all calendars as they are
    #[arg(long, conflicts_with = "stores")]
    state_only: bool,
}

#[derive(Serialize)]
struct Restored {
    #[serde(flatten)]
    amount: Amount,
    /// Messages that waited to be delivered, one for each recipient.
    held: usize,
    failed: Vec<Failed>,
}

impl Restore {
    pub(super) async fn run(self, global: &Global) -> Result<(), Failure> {
        let config = global.config()?;
        let folder = &config.server.state;
        become_owner(folder)?;
        let backup = BackupFile::open(&self.from).await?;
        hold_alone(folder, "a backup is restored into it")?;
        let plugins = global.plugins().await?;
        let plan = Plan::new(&self, &backup, &plugins)?;
        plan.check().await?;
        let mut state = StateRestore::new(&plugins, backup.manifest().created);
        backup
            .each(async |item| match item {
                Item::State(entries) => state.try_out(entries).await,
                _ => Ok(()),
            })
            .await?;
        let mut failed = plan.clear().await?;

        let mut calendars = Calendars::new(&plan, config.limits.messages);
        backup
            .each(async |item| {
                calendars.take(item).await;
                Ok(())
            })
            .await?;
        let (mut amount, not_put) = calendars.finish().await;
        failed.extend(not_put);

        backup
            .each(async |item| match item {
                Item::State(entries) => state.put(entries).await,
                _ => Ok(()),
            })
            .await?;
        let held = state.held();
        amount.state = state.amount();
        failed.extend(plan.forget_what_is_gone().await);
        plugins.close().await;

        let restored = Restored {
            amount,
            held,
            failed,
        };
        if global.json {
            output::print_json(&restored)?;
        } else {
            output::print_text(&restored.text())?;
        }
        end(&restored.failed)
    }
}

impl Restored {
    fn text(&self) -> String {
        let mut text = format!("{} restored\n", self.amount.text());
        let is_held = match self.held {
            0 => String::new(),
            1 => "1 message that waited to be delivered is held; `convoke queue list` shows it\n"
                .to_owned(),
            held => format!(
                "{held} messages that waited to be delivered are held; `convoke queue list` shows them\n"
            ),
        };
        text.push_str(&is_held);
        text.push_str(&complaints(&self.failed, "is not restored"));
        text
    }
}
