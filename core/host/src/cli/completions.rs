//! `convoke completions`.

use super::{Cli, output, output::Failure};
use clap::{Args, CommandFactory};
use clap_complete::Shell;

const EXAMPLES: &str = "\
Examples:
  convoke completions bash > /etc/bash_completion.d/convoke
  convoke completions zsh > ~/.zfunc/_convoke
  convoke completions fish > ~/.config/fish/completions/convoke.fish";

/// Print a shell completion script
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    pub(super) fn run(self) -> Result<(), Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "convoke", &mut script);
        output::print(&script)
    }
}
