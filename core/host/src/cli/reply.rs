//! `convoke reply`.

use super::{
    Global,
    context::{failed, none_of, user_of},
    output::Failure,
    send,
    session::{Session, asked},
    submit::{Submission, To},
};
use crate::admin::{api, client::Client};
use clap::{Args, ValueEnum};
use convoke_calendar::itip::{Outgoing, PartStat};
use convoke_ischedule::RecipientResponse;
use convoke_scheduling::{Limits, NoReply, compose_reply};
use convoke_types::{CalendarAddress, ErrorKind, Uid};
use jiff::Timestamp;

const EXAMPLES: &str = "\
Examples:
  convoke calendar list --user bo@example.com            which UIDs are there?
  convoke reply --user bo@example.com --uid 20270104-review@example.org accept
  convoke reply --user bo@example.com --uid 20270104-review@example.org decline --json

The answer goes to the ORGANIZER; the user's own copy follows. Exit status 1 if it did not arrive.";

/// Answer an invitation that lies in a user's calendar
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Reply {
    /// Who answers
    #[arg(long, value_name = "ADDR")]
    user: CalendarAddress,
    /// Of which event or to-do
    #[arg(long)]
    uid: Uid,
    /// The answer
    #[arg(value_enum)]
    answer: Answer,
    #[command(flatten)]
    host: To,
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
        match global.running_host().await? {
            Some(host) if !self.host.is_elsewhere() => {
                merge(&mut responses, self.ask(&host).await?);
            }
            _ => {
                let stores = Session::Opened(global.plugins().await?);
                let limits = global.config()?.limits.messages;
                let answer = self.answer.into();
                let outgoing = compose(&stores, &self.user, &self.uid, answer, &limits).await?;
                let submission = Submission::find(&self.host, global, &self.user)?;
                for answer in &outgoing {
                    let (message, originator) = (&answer.message, &answer.originator);
                    let told = submission.hand_in(message, originator, &answer.recipients);
                    merge(&mut responses, told.await?.responses);
                }
            }
        }
        send::show(&responses, global.json)
    }

    /// Has the running host answer.
    async fn ask(&self, host: &Client) -> Result<Vec<RecipientResponse>, Failure> {
        let answer = PartStat::from(self.answer).as_str().to_owned();
        let (user, uid) = (self.user.clone(), self.uid.clone());
        let told = host.call(&api::Reply { user, uid, answer }).await;
        let told = asked(told).map_err(|error| match error.kind() {
            ErrorKind::NotFound => none_of(&self.user, &self.uid),
            ErrorKind::Invalid => Failure::new(format!("{}: {error}", self.uid)),
            _ => Failure::new(error.to_string()),
        })?;
        Ok(told.into_iter().map(send::response).collect())
    }
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

/// The answer as messages, made of the user's own copy: one from each of its addresses that is invited.
pub(crate) async fn compose(
    stores: &Session,
    address: &CalendarAddress,
    uid: &Uid,
    answer: PartStat,
    limits: &Limits,
) -> Result<Vec<Outgoing>, Failure> {
    let (store, user) = user_of(stores, address).await?;
    let home = store.home(user)?;
    let composed = compose_reply(&home, uid, answer, limits, Timestamp::now()).await;
    composed.map_err(|error| match error {
        NoReply::Unknown => none_of(address, uid),
        NoReply::Store(error) => failed(&store, &error),
        NoReply::Reply(error) => Failure::new(format!("{uid}: {error}")),
    })
}
