//! The command line.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `demo`, `init`, `serve`, `check`, `user`, `calendar`, `store`, `state`, `backup`, `restore`, `freebusy`, `send`, `reply`, `changed`, `explain`, `inbox`, `queue`, `mail`, `keys`, `plugin`, `probe`, `completions`, `man` | one command each |
//! | `version` | what `--version` says |
//! | `when` | times as people write them: `now+7d` |
//! | `timeline` | free-busy drawn with letters |
//! | `output` | tables, JSON, and what a command says when it fails |
//! | `context` | what every command takes; the configuration file |
//! | `owner` | root goes on as the host's user |
//! | `session` | the stores, through the running host or opened here |
//! | `server`, `submit` | the host that messages are handed to: the running one, or one elsewhere |
//!
//! Always true: what a program may read goes to stdout, everything else to stderr; the exit status is 0 for done, 1 for
//! failed, 2 for wrong usage; an error is one sentence that ends with what to do.

mod backup;
mod calendar;
mod changed;
mod check;
mod completions;
mod context;
mod demo;
mod explain;
mod freebusy;
mod inbox;
mod init;
mod keys;
mod log;
#[cfg(feature = "mail")]
mod mail;
mod man;
mod output;
mod owner;
mod plugin;
mod probe;
mod queue;
mod reload;
mod reply;
mod restore;
mod send;
mod serve;
mod server;
mod session;
mod state;
mod store;
mod submit;
mod timeline;
mod user;
mod version;
mod when;

use clap::{Args, Parser, Subcommand};
use context::Global;
use output::Failure;
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  convoke demo                                   see two domains schedule with each other
  convoke init --domain example.org              write a configuration, with keys
  convoke check --config convoke.toml            validate the configuration
  convoke serve --config convoke.toml            run the host
  convoke user add anna@example.org --name Anna --timezone Europe/Berlin
  convoke freebusy --as anna@example.org bo@example.com --from now --to now+7d
  convoke send invitation.ics --as anna@example.org

Times are RFC 3339 (2027-01-04T10:00:00Z), a date (2027-01-04), or counted from now (now+7d, now-90m).
Addresses are `anna@example.org` or `mailto:anna@example.org`.
Exit status: 0 done, 1 failed, 2 wrong usage; `mail receive` ends as sysexits.h says.";

/// Schedules meetings across calendar systems: iSchedule beside the calendar server that you have.
#[derive(Parser)]
#[command(name = "convoke", version, long_version = version::LONG.as_str(), after_help = EXAMPLES, max_term_width = 120)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Demo(demo::Demo),
    Init(init::Init),
    Serve(serve::Serve),
    Check(check::Check),
    #[command(subcommand)]
    User(user::User),
    #[command(subcommand)]
    Calendar(calendar::Calendar),
    #[command(subcommand)]
    Store(store::Store),
    #[command(subcommand)]
    State(state::State),
    Backup(backup::Backup),
    Restore(restore::Restore),
    Freebusy(freebusy::Freebusy),
    Send(send::Send),
    Reply(reply::Reply),
    Changed(changed::Changed),
    Explain(explain::Explain),
    #[command(subcommand)]
    Inbox(inbox::Inbox),
    #[command(subcommand)]
    Queue(queue::Queue),
    #[cfg(feature = "mail")]
    #[command(subcommand)]
    Mail(mail::Mail),
    #[command(subcommand)]
    Keys(keys::Keys),
    #[command(subcommand)]
    Plugin(plugin::Plugin),
    Probe(probe::Probe),
    Completions(completions::Completions),
    Man(man::Man),
    Reload(reload::Reload),
    #[command(hide = true)]
    PluginProcess(PluginProcess),
}

/// Be the process of a plugin: `serve` starts it, for `isolation = "process"`
#[derive(Args)]
#[command(after_help = "Example: none, it is nothing to run by hand.")]
struct PluginProcess {
    /// What the administrator calls the plugin, for who looks at the processes of the machine
    name: String,
}

/// Runs the program: reads the arguments, does it, and says how it ended.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return wrong_arguments(&error),
    };
    if let Command::PluginProcess(_) = cli.command {
        return convoke_plugin_host::isolated::main();
    }
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

/// Says what is wrong with the arguments, or shows the help that was asked for.
fn wrong_arguments(error: &clap::Error) -> ExitCode {
    #[cfg(feature = "mail")]
    if error.use_stderr()
        && let Some(status) = mail::usage_status(std::env::args_os())
    {
        // Nothing is left to do if stderr is closed.
        let _ = error.print();
        return ExitCode::from(status);
    }
    error.exit()
}

fn run(cli: Cli) -> Result<(), Failure> {
    let Cli {
        global,
        mut command,
    } = cli;
    let (level, tail) = match command {
        // A host tells what it does.
        Command::Serve(_) => ("info", log::Tail::Kept),
        // Who takes calendars out must hear of what a store could not read.
        Command::Calendar(_)
        | Command::Store(_)
        | Command::State(_)
        | Command::Backup(_)
        | Command::Restore(_) => ("warn", log::Tail::None),
        _ => ("error", log::Tail::None),
    };
    log::start(level, tail);
    if let Command::Completions(completions) = command {
        return completions.run();
    }
    if let Command::Serve(serve) = &mut command {
        serve.prepare(&global)?;
    }
    let mut runtime = match command {
        Command::Serve(_) | Command::Demo(_) | Command::Plugin(_) => {
            tokio::runtime::Builder::new_multi_thread()
        }
        _ => tokio::runtime::Builder::new_current_thread(),
    };
    let runtime = runtime
        .enable_all()
        .build()
        .map_err(|error| Failure::new(format!("the system gives no threads: {error}")))?;
    runtime.block_on(async {
        let done = match command {
            Command::Demo(demo) => demo.run().await,
            Command::Init(init) => init.run(&global),
            Command::Serve(serve) => serve.run(&global).await,
            Command::Check(check) => check.run(&global).await,
            Command::User(user) => user.run(&global).await,
            Command::Calendar(calendar) => calendar.run(&global).await,
            Command::Store(store) => store.run(&global).await,
            Command::State(state) => state.run(&global).await,
            Command::Backup(backup) => backup.run(&global).await,
            Command::Restore(restore) => restore.run(&global).await,
            Command::Freebusy(freebusy) => freebusy.run(&global).await,
            Command::Send(send) => send.run(&global).await,
            Command::Reply(reply) => reply.run(&global).await,
            Command::Changed(changed) => changed.run(&global).await,
            Command::Explain(explain) => explain.run(&global).await,
            Command::Inbox(inbox) => inbox.run(&global).await,
            Command::Queue(queue) => queue.run(&global).await,
            #[cfg(feature = "mail")]
            Command::Mail(mail) => mail.run(&global).await,
            Command::Keys(keys) => keys.run(&global),
            Command::Plugin(plugin) => plugin.run(&global).await,
            Command::Probe(probe) => probe.run(&global).await,
            Command::Completions(completions) => completions.run(),
            Command::Man(man) => man.run(&global),
            Command::Reload(_) => reload::Reload::run(&global).await,
            // Done before there were threads.
            Command::PluginProcess(_) => Ok(()),
        };
        convoke_plugin_host::isolated::all_closed().await;
        done
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_arguments_make_sense() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_teaches_by_example() {
        fn look(command: &clap::Command) {
            for sub in command.get_subcommands() {
                let help = sub.get_after_help().map(ToString::to_string);
                let help = help.unwrap_or_default();
                assert!(help.contains("Example"), "{}", sub.get_name());
                // A paragraph is one line: a terminal breaks it where it ends.
                let lines: Vec<&str> = help.lines().collect();
                for pair in lines.windows(2) {
                    let goes_on = !pair[1].is_empty() && !pair[1].starts_with(' ');
                    let is_broken =
                        goes_on && !pair[0].is_empty() && !pair[0].ends_with(['.', ':']);
                    assert!(!is_broken, "{}: {}", sub.get_name(), pair[0]);
                }
                assert!(sub.get_about().is_some(), "{}", sub.get_name());
                look(sub);
            }
        }
        look(&Cli::command());
    }
}
