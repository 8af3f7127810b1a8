//! `convoke explain`: everything that was decided about a message or an object.

use super::{
    Global,
    output::{self, Failure},
    server::{Server, ServerArgs},
    session::asked,
};
use crate::admin::api::{Explain as Asked, Forget};
use clap::Args;
use convoke_scheduling::Decided;
use convoke_types::{CalendarAddress, Uid};
use serde::Serialize;

const EXAMPLES: &str = "\
Examples:
  convoke explain 20270104-review@example.org            why did it arrive, or not?
  convoke explain 20270104-review@example.org --user bo@example.com --json
  convoke explain 20270104-review@example.org --user bo@example.com --server https://cal.example.com:8008
  convoke explain '<3f1c9a52@example.com>'               by the sender's Message-ID, with or without < and >
  convoke explain --forget --user bo@example.com         erase what is kept about a calendar user

Decisions are kept for `server.decisions` (30 days); what strangers sent and was refused as a whole is kept for a \
day at most, and found by the Message-ID.";

/// Show everything that was decided about an object or a message
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Explain {
    /// A UID, or a message's identifier
    #[arg(required_unless_present = "forget", value_name = "UID|MESSAGE-ID")]
    what: Option<String>,
    /// Only what concerns this calendar user; with --server, who logs in
    #[arg(long, value_name = "ADDR")]
    user: Option<CalendarAddress>,
    /// Erase all that is kept about the calendar user
    #[arg(long, requires = "user", conflicts_with_all = ["what", "server"])]
    forget: bool,
    #[command(flatten)]
    server: ServerArgs,
}

/// `explain --json`.
#[derive(Serialize)]
struct Shown {
    at: String,
    event: String,
    user: Option<CalendarAddress>,
    peer: Option<String>,
    uid: Option<Uid>,
    method: Option<String>,
    recipient: Option<CalendarAddress>,
    result: Option<String>,
    why: Option<String>,
    message_id: Option<String>,
}

impl From<Decided> for Shown {
    fn from(decision: Decided) -> Self {
        Self {
            at: decision.at.to_string(),
            event: decision.event,
            user: decision.user,
            peer: decision.peer,
            uid: decision.uid,
            method: decision.method,
            recipient: decision.recipient,
            result: decision.result,
            why: decision.why,
            message_id: decision.message_id,
        }
    }
}

impl Explain {
    pub(super) async fn run(self, global: &Global) -> Result<(), Failure> {
        let (what, user) = match (self.what, self.user) {
            (Some(what), user) => (what, user),
            (None, Some(user)) => {
                let host = global.needed_host().await?;
                asked(host.call(&Forget { user: user.clone() }).await)?;
                let human = user.human();
                return output::print_text(&format!(
                    "what was decided about {human} is forgotten\n"
                ));
            }
            (None, None) => return Err(Failure::usage("name a UID or a message's identifier")),
        };
        let what_for = what.clone();
        let host = Server::of(&self.server, global, user.as_ref()).await?;
        let found = host.call(&Asked { what, user }).await?;
        let shown: Vec<Shown> = found.into_iter().map(Shown::from).collect();
        if global.json {
            return output::print_json(&shown);
        }
        if shown.is_empty() {
            return Err(Failure::new(format!(
                "nothing is known of {what_for}; decisions are kept for `server.decisions`"
            )));
        }
        let mut rows = vec![
            ["AT", "EVENT", "METHOD", "TO", "RESULT", "FROM", "WHY"]
                .map(str::to_owned)
                .to_vec(),
        ];
        rows.extend(shown.into_iter().map(|it| {
            vec![
                it.at,
                it.event,
                it.method.unwrap_or_default(),
                it.recipient
                    .map(|it| it.human().to_string())
                    .unwrap_or_default(),
                it.result.unwrap_or_default(),
                it.peer.unwrap_or_default(),
                it.why.unwrap_or_default(),
            ]
        }));
        output::print_text(&output::table(&rows))
    }
}
