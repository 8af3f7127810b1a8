//! `convoke send`, and the table of statuses that other commands show too.

use super::{
    Global,
    output::{self, Failure},
    submit::{Submission, To},
};
use clap::Args;
use convoke_calendar::{
    itip,
    message::Message,
    tree::{Calendar, Limits},
};
use convoke_ischedule::RecipientResponse;
use convoke_types::CalendarAddress;
use serde::Serialize;
use std::{
    io::Read,
    path::{Path, PathBuf},
};

const EXAMPLES: &str = "\
Examples:
  convoke send invitation.ics --as anna@example.org
  convoke send cancel.ics --as anna@example.org --to bo@example.com --to cy@example.net
  my-calendar export-invitation | convoke send - --as anna@example.org --json
  CONVOKE_PASSWORD=… convoke send invitation.ics --as anna@example.org --server https://cal.example.org:8444

The file holds an iTIP message: a VCALENDAR with METHOD. Exit status 1 if it did not reach every recipient.";

/// Hand in a scheduling message, and see what became of it for each recipient
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Send {
    /// An iCalendar file with METHOD; `-` is stdin
    file: PathBuf,
    /// Whom it is from: the ORGANIZER, or for a REPLY the ATTENDEE
    #[arg(long = "as", value_name = "ADDR")]
    from: CalendarAddress,
    /// Whom it goes to; whom the message is for, if nobody is named
    #[arg(long, value_name = "ADDR", num_args = 1..)]
    to: Vec<CalendarAddress>,
    #[command(flatten)]
    host: To,
}

impl Send {
    pub(super) async fn run(self, global: &Global) -> Result<(), Failure> {
        let message = read_message(&self.file)?;
        let recipients = if self.to.is_empty() {
            itip::addressees(&message, &self.from)
        } else {
            self.to
        };
        if recipients.is_empty() {
            return Err(Failure::new(format!(
                "{} names nobody to send it to; name them with --to",
                self.file.display()
            )));
        }
        let submission = Submission::find(&self.host, global, &self.from)?;
        let response = submission.submit(&message, &self.from, &recipients).await?;
        show(&response.responses, global.json)
    }
}

fn read_message(file: &Path) -> Result<Message, Failure> {
    let bytes = read(file)?;
    let wrong =
        |error: &dyn std::fmt::Display| Failure::new(format!("{}: {error}", file.display()));
    let calendar = Calendar::parse(&bytes, &Limits::default()).map_err(|error| wrong(&error))?;
    Message::read(calendar).map_err(|error| wrong(&error.in_source(&bytes)))
}

/// A file, or stdin for `-`.
pub(super) fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let outcome = if file == Path::new("-") {
        std::io::stdin().lock().read_to_end(&mut bytes)
    } else {
        std::fs::File::open(file).and_then(|mut file| file.read_to_end(&mut bytes))
    };
    outcome
        .map(|_| bytes)
        .map_err(|error| Failure::new(format!("{} cannot be read: {error}", file.display())))
}

/// `send --json`, `reply --json`.
#[derive(Serialize)]
struct Shown<'a> {
    recipient: String,
    status: String,
    description: Option<&'a str>,
}

/// The recipient as the host names it, as an address again.
pub(crate) fn address(response: &RecipientResponse) -> String {
    CalendarAddress::new(&response.recipient).map_or_else(
        |_| response.recipient.clone(),
        |address| address.to_string(),
    )
}

/// Shows what became of the message for each recipient; fails if it did not reach one.
pub(super) fn show(responses: &[RecipientResponse], json: bool) -> Result<(), Failure> {
    if json {
        let shown = responses.iter().map(|response| Shown {
            recipient: address(response),
            status: response.status.to_string(),
            description: response.description.as_deref(),
        });
        output::print_json(&shown.collect::<Vec<_>>())?;
    } else {
        output::print(table(responses).as_bytes())?;
    }
    if responses
        .iter()
        .any(|response| response.status.is_failure())
    {
        return Err(Failure::told());
    }
    Ok(())
}

/// One line a recipient.
pub(crate) fn table(responses: &[RecipientResponse]) -> String {
    let row = |response: &RecipientResponse| {
        let address = address(response);
        vec![
            address
                .strip_prefix("mailto:")
                .unwrap_or(&address)
                .to_owned(),
            response.status.code(),
            response.status.text().to_owned(),
            response.description.clone().unwrap_or_default(),
        ]
    };
    output::table(&responses.iter().map(row).collect::<Vec<_>>())
}
