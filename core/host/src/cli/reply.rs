//! `convoke reply`.

use super::{
    Global,
    context::{failed, none_of, user_of},
    output::Failure,
    send,
    server::{Server, ServerArgs},
    session::{Session, asked},
};
use crate::{
    admin::{api, client::Client},
    scheduling::OurHome,
};
use clap::{Args, ValueEnum};
use convoke_calendar::itip::{Outgoing, PartStat};
use convoke_ischedule::RecipientResponse;
use convoke_scheduling::{NoReply, compose_reply};
use convoke_types::{CalendarAddress, ErrorKind, Uid};
use jiff::Timestamp;

const EXAMPLES: &str = "\
Examples:
  convoke calendar list --user bo@example.com            which UIDs are there?
  convoke reply --user bo@example.com --uid 20270104-review@example.org accept
  convoke reply --user bo@example.com --uid 20270104-review@example.org decline --json

The answer goes to the ORGANIZER; the user's own copy follows. Exit status 1 if it did not arrive.";

/// Answer an invitation in a user's calendar
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Reply {
    /// The attendee who answers
    #[arg(long, value_name = "ADDR")]
    user: CalendarAddress,
    /// UID of the event or to-do
    #[arg(long)]
    uid: Uid,
    /// The answer
    #[arg(value_enum)]
    answer: Answer,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Clone, Copy, ValueEnum)]
enum Answer {
    Accept,
    Decline,
    Tentative,
}

impl From<Answer> for PartStat {
    fn from(answer: Answer) -> Self {
        match answer {
            Answer::Accept => Self::Accepted,
            Answer::Decline => Self::Declined,
            Answer::Tentative => Self::Tentative,
        }
    }
}

impl Reply {
    pub(super) async fn run(self, global: &Global) -> Result<(), Failure> {
        let mut responses: Vec<RecipientResponse> = Vec::new();
        if self.server.is_elsewhere() {
            let outgoing = self.compose(global).await?;
            let server = Server::find(&self.server, global, &self.user).await?;
            for answer in &outgoing {
                let (message, originator) = (&answer.message, &answer.originator);
                let told = server.hand_in(message, originator, &answer.recipients);
                merge(&mut responses, told.await?);
            }
        } else {
            let host = global.needed_host().await?;
            user_of(&Session::Running(host.clone()), &self.user).await?;
            let told = ask(&host, &self.user, &self.uid, self.answer.into());
            merge(&mut responses, told.await?);
        }
        send::show(&responses, global.json)
    }

    /// The answer as messages, made of the user's own copy in a store that is opened here: one from each of its addresses that
    /// is invited.
    async fn compose(&self, global: &Global) -> Result<Vec<Outgoing>, Failure> {
        let stores = global.stores().await?;
        let (store, user) = user_of(&stores, &self.user).await?;
        let opened = match &stores {
            Session::Opened(plugins) => plugins.stores.by_name(store.name()),
            Session::Running(_) => None,
        };
        let Some(opened) = opened else {
            return Err(Failure::usage(
                "a host runs here and has the calendars: leave out --server, and it sends the answer",
            ));
        };
        let home = OurHome::new(opened.clone(), user);
        let limits = global.config()?.limits.messages;
        let (answer, now) = (self.answer.into(), Timestamp::now());
        let composed = compose_reply(&home, &self.uid, answer, &limits, now).await;
        composed.map_err(|error| match error {
            NoReply::Unknown => none_of(&self.user, &self.uid),
            NoReply::Store(error) => failed(&store, &error),
            NoReply::Reply(error) => Failure::new(format!("{}: {error}", self.uid)),
        })
    }
}

/// Has the running host answer.
pub(crate) async fn ask(
    host: &Client,
    user: &CalendarAddress,
    uid: &Uid,
    answer: PartStat,
) -> Result<Vec<RecipientResponse>, Failure> {
    let asked_for = api::Reply {
        user: user.clone(),
        uid: uid.clone(),
        answer: answer.as_str().to_owned(),
    };
    let told = asked(host.call(&asked_for).await).map_err(|error| match error.kind() {
        ErrorKind::NotFound => none_of(user, uid),
        ErrorKind::Invalid => Failure::new(format!("{uid}: {error}")),
        _ => Failure::new(error.to_string()),
    })?;
    Ok(told.into_iter().map(RecipientResponse::from).collect())
}

/// Who answers by several addresses is told once what became of it: what failed, if anything did.
fn merge(responses: &mut Vec<RecipientResponse>, more: Vec<RecipientResponse>) {
    for response in more {
        let mut known = responses.iter_mut();
        match known.find(|known| known.recipient == response.recipient) {
            Some(known) if known.status.is_failure() => {}
            Some(known) => *known = response,
            None => responses.push(response),
        }
    }
}
