//! `convoke store`: whole stores.

mod copy;
mod equivalent;

use super::{Global, output::Failure};
use clap::Subcommand;

const EXAMPLES: &str = "\
Example:
  convoke store copy --from store-vdir --to store-sqlite";

/// Copy calendar users between stores
#[derive(Subcommand)]
#[command(after_help = EXAMPLES)]
pub(super) enum Store {
    Copy(copy::Copy),
}

impl Store {
    pub(super) async fn run(self, global: &Global) -> Result<(), Failure> {
        match self {
            Self::Copy(copy) => copy.run(global).await,
        }
    }
}
