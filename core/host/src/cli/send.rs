//! `convoke send`, and the table of statuses that other commands show too.

use super::{
    Global,
    context::user_of,
    output::{self, Failure},
    server::{Server, ServerArgs},
    session::Session,
};
use crate::admin::api::{SendObject, Sent, Text};
use clap::Args;
use convoke_calendar::{
    itip,
    message::Message,
    tree::{Calendar, Limits},
};
use convoke_ischedule::RecipientResponse;
use convoke_types::{CalendarAddress, ErrorKind, RequestStatus};
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
  convoke send meeting.ics --as anna@example.org
  CONVOKE_PASSWORD=… convoke send meeting.ics --as anna@example.org --server https://cal.example.org:8008

A file with METHOD is an iTIP message and is sent as it is. Without METHOD it is the object as its owner wants it: it is \
stored, and whoever its changes concern is notified (REQUEST, ADD, CANCEL; REPLY from an attendee). What cannot be delivered \
now is pending (1.0) and retried by the host. The delivery status of each recipient is shown.
Exit status 1 if somebody will not be reached.";

/// Send a scheduling message, or store an object and notify the people concerned by its changes
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Send {
    /// An iCalendar file; `-` is stdin
    file: PathBuf,
    /// Sender: the ORGANIZER, or for a REPLY the ATTENDEE
    #[arg(long = "as", value_name = "ADDR")]
    from: CalendarAddress,
    /// Recipients [default: everybody the message is for]
    #[arg(long, value_name = "ADDR", num_args = 1..)]
    to: Vec<CalendarAddress>,
    #[command(flatten)]
    server: ServerArgs,
}

impl Send {
    pub(super) async fn run(self, global: &Global) -> Result<(), Failure> {
        let (calendar, octets) = read_calendar(&self.file)?;
        if calendar.root().get("METHOD").is_none() {
            return self.run_object(&octets, global).await;
        }
        let message = Message::read(calendar);
        let message = message.map_err(|error| wrong(&self.file, &error.in_source(&octets)))?;
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
        let server = Server::find(&self.server, global, &self.from).await?;
        let responses = server.hand_in(&message, &self.from, &recipients).await?;
        show(&responses, global.json)
    }

    async fn run_object(self, octets: &[u8], global: &Global) -> Result<(), Failure> {
        if !self.to.is_empty() {
            return Err(Failure::usage(format!(
                "{} has no METHOD, so that it is an object: --to is for messages",
                self.file.display()
            )));
        }
        let server = Server::find(&self.server, global, &self.from).await?;
        if let Server::Running(host) = &server {
            user_of(&Session::Running(host.clone()), &self.from).await?;
        }
        let told = self.ask(octets, &server).await?;
        if told.told.is_empty() && !global.json {
            return output::print_text(if told.left_to_client {
                "stored; nobody is told, as SCHEDULE-AGENT leaves that to a calendar program\n"
            } else {
                "stored; there is nothing that others do not know already\n"
            });
        }
        let responses: Vec<_> = told.told.into_iter().map(RecipientResponse::from).collect();
        let pending = responses.iter();
        let pending = pending.filter(|it| it.status.same_code(&RequestStatus::PENDING));
        let pending = pending.count();
        show(&responses, global.json)?;
        if pending > 0 {
            output::advise(
                "what is pending (1.0) is tried again by itself; `convoke queue list` shows it",
            );
        }
        Ok(())
    }

    /// Has the host make the object what its owner wrote, and tell whom that concerns.
    async fn ask(&self, octets: &[u8], server: &Server) -> Result<Sent, Failure> {
        let (user, data) = (self.from.clone(), Text(octets.to_vec()));
        let sent = server.call(&SendObject { user, data }).await;
        sent.map_err(|error| match error.kind() {
            ErrorKind::Invalid => self.not_stored(&error),
            _ => Failure::new(error.to_string()),
        })
    }

    fn not_stored(&self, why: &dyn std::fmt::Display) -> Failure {
        Failure::new(format!(
            "{}: {why}; nothing is stored, and nobody is told",
            self.file.display()
        ))
    }
}

fn read_calendar(file: &Path) -> Result<(Calendar, Vec<u8>), Failure> {
    let octets = read(file)?;
    let calendar = Calendar::parse(&octets, &Limits::default());
    let calendar = calendar.map_err(|error| wrong(file, &error))?;
    Ok((calendar, octets))
}

fn wrong(file: &Path, error: &dyn std::fmt::Display) -> Failure {
    Failure::new(format!("{}: {error}", file.display()))
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
        output::print_text(&table(responses))?;
    }
    if responses
        .iter()
        .any(|response| response.status.is_failure())
    {
        return Err(Failure::already_reported());
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
