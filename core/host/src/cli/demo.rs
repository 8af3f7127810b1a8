//! `convoke demo`.

use super::output::Failure;
use clap::Args;

const EXAMPLES: &str = "\
Examples:
  convoke demo            tell the story, then stay up so that you can go on by hand; Ctrl-C ends it
  convoke demo --once     tell the story and end; exit status 0 only if every step did what it says

Nothing is left behind. Only loopback addresses are used.";

/// Watch two domains on this machine schedule with each other
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Demo {
    /// End after the story
    #[arg(long)]
    once: bool,
}

impl Demo {
    pub(super) async fn run(self) -> Result<(), Failure> {
        crate::demo::run(self.once).await
    }
}
