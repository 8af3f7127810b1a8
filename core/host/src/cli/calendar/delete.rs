//! `convoke calendar delete`.

use crate::{
    admin::api::{Delete as Asked, Deleted, Telling},
    cli::{
        Global,
        output::{self, Failure},
        send,
        server::{Server, ServerArgs},
        session::{Session, asked},
    },
};
use clap::Args;
use convoke_ischedule::RecipientResponse;
use convoke_types::{CalendarAddress, Error, Uid};

const EXAMPLES: &str = "\
Examples:
  convoke calendar delete --user anna@example.org --uid 20270104-review@example.org
  convoke calendar delete --user bo@example.org --uid 20270104-review@example.org --server https://cal.example.org:8008

It is what deleting does in a calendar program: a meeting that the user organizes is called off (CANCEL), an \
invitation is declined. The delivery status of each recipient is shown. Meetings that are over tell nobody. Exit \
status 1 if somebody will not be reached.";

/// Delete an object from a user's calendar, and tell whom that concerns
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Delete {
    /// Whose calendar
    #[arg(long, value_name = "ADDR")]
    user: CalendarAddress,
    /// UID of the event or to-do
    #[arg(long)]
    uid: Uid,
    #[command(flatten)]
    server: ServerArgs,
}

impl Delete {
    pub(super) async fn run(self, global: &Global) -> Result<(), Failure> {
        let deleted = self.ask(global).await;
        let deleted = deleted?.map_err(|error| Failure::new(error.to_string()))?;
        let told: Vec<RecipientResponse> = deleted.told.into_iter().map(Into::into).collect();
        if told.is_empty() && !global.json {
            return output::print_text(match deleted.by {
                Telling::Host => "deleted; it concerns nobody else\n",
                Telling::Later => {
                    "deleted; no convoke is running, it tells whom that concerns once it does\n"
                }
                Telling::Off => {
                    "deleted; nobody is told, as `schedule` is off for this calendar, or its server tells them\n"
                }
            });
        }
        send::show(&told, global.json)
    }

    async fn ask(&self, global: &Global) -> Result<Result<Deleted, Error>, Failure> {
        let delete = Asked {
            user: self.user.clone(),
            uid: self.uid.clone(),
        };
        if self.server.is_elsewhere() {
            let server = Server::find(&self.server, global, &self.user).await?;
            return Ok(server.call(&delete).await);
        }
        Ok(match global.stores().await? {
            Session::Running(host) => asked(host.call(&delete).await),
            opened @ Session::Opened(_) => opened.ask(delete).await,
        })
    }
}
