//! `convoke inbox`: proposals, and messages of senders that somebody does not know yet.

use super::{
    Global,
    output::{self, Failure},
    send,
    server::{Server, ServerArgs},
};
use crate::{
    admin::api::{InboxDecide, InboxDecision, InboxList, InboxRow, InboxShow, InboxWhy, Text},
    escape::escape_controls,
};
use clap::{Args, Subcommand};
use convoke_ischedule::RecipientResponse;
use convoke_types::CalendarAddress;
use serde::Serialize;

const EXAMPLES: &str = "\
Examples:
  convoke inbox list --user anna@example.org
  convoke inbox accept --user anna@example.org 17           take up the proposal, or let the sender in
  convoke inbox decline --user anna@example.org 17 --comment \"Ten o'clock it is\"
  convoke inbox list --user anna@example.org --server https://cal.example.org:8008

counter: an attendee proposes a change; accepting makes the edit and tells everybody, declining tells who proposed it.
held: a message of a sender that a rule holds (`hold = \"schedule\"`); accepting delivers it, and the sender is \
known from then on; declining drops it and tells nobody. booking: a room waits for approval. With --server the host \
there is asked; this machine needs no configuration.";

/// Decide on proposals and on messages that are held
#[derive(Subcommand)]
#[command(after_help = EXAMPLES)]
pub(super) enum Inbox {
    List(List),
    Show(Show),
    Accept(Decide),
    #[command(about = "Decline a proposal, drop a held message, refuse a booking")]
    Decline(Decide),
}

/// List what waits to be decided
#[derive(Args)]
#[command(
    after_help = "Example:\n  convoke inbox list --user anna@example.org --json | jq -r '.[] | select(.why == \"held\") | .from'"
)]
pub(super) struct List {
    /// Whose inbox
    #[arg(long, value_name = "ADDR")]
    user: CalendarAddress,
    #[command(flatten)]
    server: ServerArgs,
}

/// Show one message as it came
#[derive(Args)]
#[command(after_help = "Example:\n  convoke inbox show --user anna@example.org 17")]
pub(super) struct Show {
    /// Whose inbox
    #[arg(long, value_name = "ADDR")]
    user: CalendarAddress,
    /// Its identifier, as `inbox list` shows it
    id: String,
    #[command(flatten)]
    server: ServerArgs,
}

/// Accept a proposal, a held message, or a booking
#[derive(Args)]
#[command(after_help = "Example:\n  convoke inbox accept --user anna@example.org 17")]
pub(super) struct Decide {
    /// Whose inbox
    #[arg(long, value_name = "ADDR")]
    user: CalendarAddress,
    /// Its identifier, as `inbox list` shows it
    id: String,
    /// Words for who is told of the decision
    #[arg(long, value_name = "TEXT")]
    comment: Option<String>,
    #[command(flatten)]
    server: ServerArgs,
}

impl Inbox {
    pub(super) async fn run(self, global: &Global) -> Result<(), Failure> {
        match self {
            Self::List(list) => list.run(global).await,
            Self::Show(show) => show.run(global).await,
            Self::Accept(decide) => decide.run(InboxDecision::Accept, global).await,
            Self::Decline(decide) => decide.run(InboxDecision::Decline, global).await,
        }
    }
}

impl List {
    async fn run(self, global: &Global) -> Result<(), Failure> {
        let host = Server::find(&self.server, global, &self.user).await?;
        let rows = host.call(&InboxList { user: self.user }).await?;
        if global.json {
            return output::print_json(&rows);
        }
        if rows.is_empty() {
            return output::print_text("nothing waits\n");
        }
        output::print_text(&table(&rows))
    }
}

fn table(rows: &[InboxRow]) -> String {
    let mut lines = vec![
        ["ID", "WHY", "METHOD", "FROM", "START", "SUMMARY", "UID"]
            .map(str::to_owned)
            .to_vec(),
    ];
    lines.extend(rows.iter().map(|row| {
        vec![
            row.id.clone(),
            row.why.as_str().to_owned(),
            row.method.clone(),
            row.from.human().to_string(),
            row.start.clone().unwrap_or_default(),
            row.summary.clone().unwrap_or_default(),
            row.uid.to_string(),
        ]
    }));
    output::table(&lines)
}

/// `inbox show --json`.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    row: &'a InboxRow,
    message: String,
}

impl Show {
    async fn run(self, global: &Global) -> Result<(), Failure> {
        let host = Server::find(&self.server, global, &self.user).await?;
        let (user, id) = (self.user, self.id);
        let found = host.call(&InboxShow { user, id }).await?;
        let Text(data) = &found.data;
        let message = String::from_utf8_lossy(data).into_owned();
        if global.json {
            return output::print_json(&Shown {
                row: &found.row,
                message,
            });
        }
        let mut text = table(std::slice::from_ref(&found.row));
        for line in message.lines() {
            text.push_str(&escape_controls(line));
            text.push('\n');
        }
        output::print_text(&text)
    }
}

impl Decide {
    async fn run(self, decision: InboxDecision, global: &Global) -> Result<(), Failure> {
        let host = Server::find(&self.server, global, &self.user).await?;
        let decide = InboxDecide {
            user: self.user,
            id: self.id,
            decision,
            comment: self.comment,
        };
        let told = host.call(&decide).await?;
        if told.is_empty() && !global.json {
            return output::print_text(match decision {
                InboxDecision::Accept => "accepted\n",
                InboxDecision::Decline => "declined\n",
            });
        }
        let responses: Vec<_> = told.into_iter().map(RecipientResponse::from).collect();
        send::show(&responses, global.json)
    }
}

impl InboxWhy {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Held => "held",
            Self::Booking => "booking",
        }
    }
}
