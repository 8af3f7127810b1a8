//! `convoke state`: what the host must not forget.

mod copy;
pub(super) mod scan;

use super::{Global, output::Failure};
use crate::state_folder;
use clap::Subcommand;
use std::path::Path;

const EXAMPLES: &str = "\
Example:
  convoke state copy --from state-sqlite --to state-postgres";

/// Move what the host must not forget to another place
#[derive(Subcommand)]
#[command(after_help = EXAMPLES)]
pub(super) enum State {
    Copy(copy::Copy),
}

impl State {
    pub(super) async fn run(self, global: &Global) -> Result<(), Failure> {
        match self {
            Self::Copy(copy) => copy.run(global).await,
        }
    }
}

/// Takes a state folder into use, until this process ends, for what cannot be done while a host serves with it.
pub(super) fn hold_alone(folder: &Path, before: &str) -> Result<(), Failure> {
    match state_folder::hold(folder) {
        Ok(true) => Ok(()),
        Ok(false) => Err(Failure::new(format!(
            "{}: a convoke serves with this state folder; end it before {before}",
            folder.display()
        ))),
        Err(error) => Err(Failure::new(format!(
            "{}: the state folder cannot be used: {error}",
            folder.display()
        ))),
    }
}
