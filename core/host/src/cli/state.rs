//! `convoke state`: what the host must not forget.

mod copy;

use super::{Global, output::Failure};
use clap::Subcommand;

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
