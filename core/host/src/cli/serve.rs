//! `convoke serve`.

use super::{Global, output::Failure, owner::become_owner};
use crate::{config::Config, serve::Inherited};
use clap::Args;
use std::io;

const EXAMPLES: &str = "\
Examples:
  convoke serve --config /etc/convoke/convoke.toml
  convoke reload                  read the configuration again; kill -HUP $(pidof convoke) does too
  kill -TERM $(pidof convoke)     finish what is in flight, then end

Root serves as the owner of `server.state`, if that is somebody else.
CONVOKE_LOG says what is logged to stderr (info; debug; info,convoke::wire=debug shows what goes over the wire), \
CONVOKE_LOG_FORMAT=json how.";

/// Run the host
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Serve {
    /// End when stdin is closed: for a parent that may die.
    #[arg(long, hide = true)]
    while_stdin_open: bool,
    /// Sockets that the service manager has opened.
    #[arg(skip)]
    inherited: Inherited,
}

impl Serve {
    /// What has to be done before there are threads.
    pub(super) fn prepare(&mut self, global: &Global) -> Result<(), Failure> {
        let file = global.config_file()?;
        // What root makes in the state folder, the host's own user could not use any more.
        if let Ok(config) = Config::read(&file) {
            become_owner(&config.server.state)?;
        }
        // By the process that uses them: a program that is begun anew would not have them any more.
        let inherited = Inherited::take();
        self.inherited = inherited.map_err(|error| Failure::of_serving(error, &file))?;
        Ok(())
    }

    pub(super) async fn run(self, global: &Global) -> Result<(), Failure> {
        let file = global.config_file()?;
        tokio::select! {
            ended = crate::serve::run(&file, self.inherited) => {
                ended.map_err(|error| Failure::of_serving(error, &file))
            }
            () = stdin_closed(), if self.while_stdin_open => Ok(()),
        }
    }
}

/// Reads on a thread of its own, which does not keep the process when the host ends first.
async fn stdin_closed() {
    let (closed, seen) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        // An error means that nobody is there any more, as the end does.
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        // Fails only if the host has ended.
        let _ = closed.send(());
    });
    // Fails only if the thread is gone, and then stdin is too.
    let _ = seen.await;
}
