//! `convoke mail`: mail by hand, and from the pipe of a mail server.

mod test;

use super::{Global, output::Failure};
use crate::{
    admin::{
        api::{MailReceive, Text},
        client::{Client, Failed},
    },
    cli::output,
    incoming_mail::{InvalidRecipient, Outcome, envelope_recipient},
};
use clap::{Args, Subcommand};
use std::{ffi::OsString, io::Read, time::Duration};

/// The exit statuses of sysexits.h, which mail servers understand.
mod sysexits {
    /// Wrong usage.
    pub(super) const USAGE: u8 = 64;
    /// The mail cannot be read.
    pub(super) const DATAERR: u8 = 65;
    /// The recipient is none of ours.
    pub(super) const NOUSER: u8 = 67;
    /// Try later.
    pub(super) const TEMPFAIL: u8 = 75;
    /// Not allowed.
    pub(super) const NOPERM: u8 = 77;
}

/// How long the host may take. Mail servers wait about as long; what comes again does the same again.
const PATIENCE: Duration = Duration::from_secs(30);

const GROUP_EXAMPLES: &str = "\
Examples:
  convoke mail test me@gmail.example
  convoke mail receive --to anna@example.org < mail.eml";

/// Send a test invitation, take mail from a mail server
#[derive(Subcommand)]
#[command(after_help = GROUP_EXAMPLES)]
pub(super) enum Mail {
    Test(test::Test),
    Receive(Receive),
}

const EXAMPLES: &str = "\
Examples:
  convoke mail receive --to anna@example.org < mail.eml
  | convoke mail receive --to \"$RECIPIENT\"            in a pipe of an MTA

Takes a mail on standard input, with LF or CR LF, with or without an mbox `From ` line. The running host takes it on.
Exit status (sysexits.h): 0 taken, or it holds no scheduling message; 64 wrong usage; 65 unreadable; 67 the \
recipient is none of ours; 75 try later; 77 not taken: nobody is proved to have sent it, or it is not allowed.";

/// Take a mail on standard input, from the pipe of a mail server
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Receive {
    /// The envelope recipient [default: from Delivered-To, X-Original-To, Envelope-To, To or Cc]
    #[arg(long, value_name = "ADDR", value_parser = checked)]
    to: Option<String>,
}

fn checked(text: &str) -> Result<String, InvalidRecipient> {
    envelope_recipient(text).map(|_| text.to_owned())
}

impl Mail {
    pub(super) async fn run(self, global: &Global) -> Result<(), Failure> {
        match self {
            Self::Test(test) => test.run(global).await,
            Self::Receive(receive) => receive.run(global).await,
        }
    }
}

/// The exit status of wrong arguments, where a mail server reads it.
pub(super) fn usage_status(arguments: impl Iterator<Item = OsString>) -> Option<u8> {
    let words: Vec<OsString> = arguments.skip(1).collect();
    let is_receive = words.iter().any(|it| it == "mail") && words.iter().any(|it| it == "receive");
    is_receive.then_some(sysexits::USAGE)
}

impl Receive {
    async fn run(self, global: &Global) -> Result<(), Failure> {
        let later = |failure: Failure| failure.with_status(sysexits::TEMPFAIL);
        let config = global.config().map_err(later)?;
        let octets = read(config.limits.mail_length)?;
        let client = global.needed_host().await.map_err(later)?;
        let outcome = hand_over(&client, self.to, octets).await.map_err(later)?;
        if global.json {
            output::print_json(&outcome)?;
        }
        let (status, why) = match outcome {
            Outcome::Taken(_) | Outcome::Dropped(_) | Outcome::PassedOn(_) => return Ok(()),
            Outcome::Refused(why) => (sysexits::NOPERM, format!("nothing is changed by it: {why}")),
            Outcome::Unreadable(why) => (sysexits::DATAERR, why),
            Outcome::Unknown(why) | Outcome::MailboxRefused(why) => (sysexits::NOUSER, why),
            Outcome::Later(why) => (sysexits::TEMPFAIL, why),
        };
        Err(Failure::new(why).with_status(status))
    }
}

fn read(most: usize) -> Result<Vec<u8>, Failure> {
    let mut octets = Vec::new();
    let mut input = std::io::stdin().lock().take(most as u64 + 1);
    if let Err(error) = input.read_to_end(&mut octets) {
        let failure = Failure::new(format!("standard input cannot be read: {error}"));
        return Err(failure.with_status(sysexits::TEMPFAIL));
    }
    if octets.len() > most {
        let text = format!("the mail is longer than {most} octets; see `limits.mail_length`");
        return Err(Failure::new(text).with_status(sysexits::DATAERR));
    }
    Ok(octets)
}

async fn hand_over(
    client: &Client,
    to: Option<String>,
    octets: Vec<u8>,
) -> Result<Outcome, Failure> {
    let mail = MailReceive {
        to,
        octets: Text(octets),
    };
    match tokio::time::timeout(PATIENCE, client.call(&mail)).await {
        Ok(Ok(outcome)) => Ok(outcome),
        Ok(Err(Failed::Refused(error))) => Err(Failure::from(error)),
        Ok(Err(Failed::Unreachable(error))) => {
            let text = format!("the running host cannot be asked: {error}");
            Err(Failure::new(text))
        }
        Err(_) => {
            let text = format!("the running host gives no answer within {PATIENCE:?}");
            Err(Failure::new(text))
        }
    }
}
