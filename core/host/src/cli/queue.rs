//! `convoke queue`: what waits to be delivered, and why.

use super::{
    Global,
    output::{self, Failure},
    server::{Server, ServerArgs},
    session::asked,
};
use crate::{
    admin::api::{
        QueueDrop, QueueList, QueueRelease, QueueRetry, QueueRow, QueueShow, QueueState, Text,
    },
    escape::escape_controls,
};
use clap::{Args, Subcommand};
use convoke_types::CalendarAddress;
use serde::Serialize;
use std::{borrow::Cow, fmt::Write};

const EXAMPLES: &str = "\
Examples:
  convoke queue list                             what waits, and why?
  convoke queue list --user anna@example.org --json
  convoke queue retry --all                      the receiver is back: try now
  convoke queue release --user anna@example.org  tell the changes that were too many at once

A message that cannot be delivered is tried again after 1, 5 and 15 minutes, an hour, then every two hours, until \
`[scheduling] expire` or the end of the meeting. LAST is what the last try came to, such as 5.1; as long as something is tried \
again, `send` and SCHEDULE-STATUS say 1.0 (pending). The commands ask the running host.";

/// Show and manage what waits to be delivered
#[derive(Subcommand)]
#[command(after_help = EXAMPLES)]
pub(super) enum Queue {
    List(List),
    Show(Show),
    Retry(Retry),
    Drop(Drop),
    Release(Release),
}

/// List what waits: `waiting` for its first try, `retrying`, or `held` until it is released
#[derive(Args)]
#[command(
    after_help = "Examples:\n  convoke queue list --json | jq -r '.[] | select(.state == \"held\") | .id'\n  \
                  convoke queue list --user anna@example.org --server https://cal.example.org:8008"
)]
pub(super) struct List {
    /// Only what this calendar user sends; with --server, who logs in
    #[arg(long, value_name = "ADDR")]
    user: Option<CalendarAddress>,
    #[command(flatten)]
    server: ServerArgs,
}

/// Show one entry, with the message
#[derive(Args)]
#[command(after_help = "Example:\n  convoke queue show 19ad2b3c4d5-1f2e3d4c")]
pub(super) struct Show {
    /// Its identifier, as `queue list` shows it
    id: String,
}

/// Try entries again now
#[derive(Args)]
#[command(
    after_help = "Examples:\n  convoke queue retry 19ad2b3c4d5-1f2e3d4c\n  convoke queue retry --all"
)]
pub(super) struct Retry {
    /// Their identifiers; without any, all that waits
    #[arg(value_name = "ID")]
    ids: Vec<String>,
    /// All that waits
    #[arg(long, conflicts_with = "ids")]
    all: bool,
}

/// Drop an entry: nobody will be told
#[derive(Args)]
#[command(after_help = "Example:\n  convoke queue drop 19ad2b3c4d5-1f2e3d4c")]
pub(super) struct Drop {
    /// Its identifier
    id: String,
}

/// Tell changes that are held because they were too many at once, and send messages that are held since a restore
#[derive(Args)]
#[command(
    after_help = "Examples:\n  convoke queue release held-0123456789ab\n  convoke queue release --user anna@example.org"
)]
pub(super) struct Release {
    /// Their identifiers, unless `--user` or `--all` says which
    #[arg(required_unless_present_any = ["all", "user"], value_name = "ID")]
    ids: Vec<String>,
    /// All of this calendar user
    #[arg(long, value_name = "ADDR", conflicts_with = "ids")]
    user: Option<CalendarAddress>,
    /// All
    #[arg(long, conflicts_with_all = ["ids", "user"])]
    all: bool,
}

impl Queue {
    pub(super) async fn run(self, global: &Global) -> Result<(), Failure> {
        match self {
            Self::List(list) => list.run(global).await,
            Self::Show(show) => show.run(global).await,
            Self::Retry(retry) => retry.run(global).await,
            Self::Drop(drop) => drop.run(global).await,
            Self::Release(release) => release.run(global).await,
        }
    }
}

impl List {
    async fn run(self, global: &Global) -> Result<(), Failure> {
        let host = Server::of(&self.server, global, self.user.as_ref()).await?;
        let rows = host.call(&QueueList { user: self.user }).await?;
        if global.json {
            return output::print_json(&rows);
        }
        if rows.is_empty() {
            return output::print_text("nothing waits\n");
        }
        output::print_text(&table(&rows))
    }
}

fn table(rows: &[QueueRow]) -> String {
    let mut lines = vec![
        [
            "ID", "STATE", "METHOD", "FROM", "TO", "TRIES", "NEXT", "LAST", "UID",
        ]
        .map(str::to_owned)
        .to_vec(),
    ];
    lines.extend(rows.iter().map(|row| {
        vec![
            row.id.clone(),
            row.state.as_str().to_owned(),
            row.method.clone(),
            row.user.human().to_string(),
            row.recipient.human().to_string(),
            row.attempts.to_string(),
            row.next.clone().unwrap_or_default(),
            row.last.clone().unwrap_or_default(),
            row.uid.to_string(),
        ]
    }));
    output::table(&lines)
}

#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    entry: &'a QueueRow,
    since: &'a str,
    until: Option<&'a str>,
    message: Option<String>,
}

impl Show {
    async fn run(self, global: &Global) -> Result<(), Failure> {
        let host = global.needed_host().await?;
        let queued = asked(host.call(&QueueShow { id: self.id }).await)?;
        let texts = queued
            .messages
            .iter()
            .map(|Text(data)| String::from_utf8_lossy(data));
        let texts: Vec<String> = texts.map(Cow::into_owned).collect();
        if global.json {
            let rows = queued.rows.iter().enumerate();
            let shown = rows.map(|(place, entry)| Shown {
                entry,
                since: &queued.since,
                until: queued.until.as_deref(),
                message: texts.get(place).or(texts.last()).cloned(),
            });
            return output::print_json(&shown.collect::<Vec<_>>());
        }
        let until = queued.until.as_deref().unwrap_or("it is released");
        let mut text = table(&queued.rows);
        let _ = writeln!(text, "since {}, until {until}", queued.since);
        if let Some(via) = queued.rows.iter().find_map(|it| it.via.as_deref()) {
            let _ = writeln!(text, "last tried by {via}");
        }
        for message in &texts {
            text.push('\n');
            for line in message.lines() {
                text.push_str(&escape_controls(line));
                text.push('\n');
            }
        }
        output::print_text(&text)
    }
}

impl Retry {
    async fn run(self, global: &Global) -> Result<(), Failure> {
        let host = global.needed_host().await?;
        let is_all = self.all || self.ids.is_empty();
        let ids = (!is_all).then_some(self.ids);
        let hurried = asked(host.call(&QueueRetry { ids }).await)?;
        done(global, "retried", hurried, "are tried now")
    }
}

impl Drop {
    async fn run(self, global: &Global) -> Result<(), Failure> {
        let host = global.needed_host().await?;
        asked(host.call(&QueueDrop { id: self.id }).await)?;
        done(global, "dropped", 1, "is dropped; nobody will be told")
    }
}

impl Release {
    async fn run(self, global: &Global) -> Result<(), Failure> {
        let host = global.needed_host().await?;
        let ids = (!self.all && self.user.is_none()).then_some(self.ids);
        let user = self.user;
        let released = asked(host.call(&QueueRelease { ids, user }).await)?;
        done(global, "released", released, "are told")
    }
}

fn done(global: &Global, what: &str, count: usize, said: &str) -> Result<(), Failure> {
    if global.json {
        return output::print_json(&std::collections::BTreeMap::from([(what, count)]));
    }
    output::print_text(&format!("{count} {said}\n"))
}

impl QueueState {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Retrying => "retrying",
            Self::Held => "held",
        }
    }
}
