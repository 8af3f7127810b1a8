//! `convoke reply`.

use super::{
    Global,
    output::Failure,
    send,
    server::{Server, ServerArgs},
    when::When,
};
use crate::admin::{api, moment::Moment};
use clap::{Args, ValueEnum};
use convoke_ischedule::RecipientResponse;
use convoke_types::{CalendarAddress, ErrorKind, Uid};
use jiff::Timestamp;

const EXAMPLES: &str = "\
Examples:
  convoke calendar list --user bo@example.com            which UIDs are there?
  convoke reply --user bo@example.com --uid 20270104-review@example.org accept
  convoke reply --user bo@example.com --uid 20270104-review@example.org decline --instance 2027-01-11 --comment 'On holiday'
  convoke reply --user bo@example.com --uid 20270104-review@example.org delegate --to cy@example.net
  convoke reply --user bo@example.com --uid 20270104-review@example.org counter --start 2027-01-04T14:00 --end 2027-01-04T15:00
  convoke reply --user bo@example.com --uid 20270104-review@example.org accept --server https://cal.example.com:8008

The answer goes to the ORGANIZER; the user's own copy follows. A time without a zone is on the clock of the meeting. \
counter proposes another time: nothing changes until the organizer agrees. With --server the host there answers, out \
of its own calendars; this machine needs no configuration. Exit status 1 if the answer did not arrive.";

/// Answer an invitation in a user's calendar, or propose another time
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
    /// Only this instance of a series: when it would begin if nothing had moved it, or the day of that
    #[arg(long, value_name = "TIME")]
    instance: Option<When>,
    /// Words for the organizer
    #[arg(long, value_name = "TEXT")]
    comment: Option<String>,
    /// Of `delegate`: who comes instead
    #[arg(long, value_name = "ADDR")]
    to: Option<CalendarAddress>,
    /// Of `counter`: when it shall begin
    #[arg(long, value_name = "TIME")]
    start: Option<When>,
    /// Of `counter`: when it shall end [default: it takes as long as now]
    #[arg(long, value_name = "TIME", requires = "start")]
    end: Option<When>,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Answer {
    Accept,
    Decline,
    Tentative,
    /// Somebody else comes instead: --to
    Delegate,
    /// Another time is proposed: --start, --end
    Counter,
}

impl From<Answer> for api::Answer {
    fn from(answer: Answer) -> Self {
        match answer {
            Answer::Accept => Self::Accepted,
            Answer::Decline => Self::Declined,
            Answer::Tentative => Self::Tentative,
            Answer::Delegate => Self::Delegated,
            Answer::Counter => Self::Counter,
        }
    }
}

impl Reply {
    pub(super) async fn run(self, global: &Global) -> Result<(), Failure> {
        self.check_options()?;
        let server = Server::find(&self.server, global, &self.user).await?;
        let now = Timestamp::now();
        let moment = |when: Option<When>| -> Result<Option<Moment>, Failure> {
            let moment = when.map(|when| when.moment(now)).transpose();
            moment.map_err(|error| Failure::usage(error.to_string()))
        };
        let asked = api::Reply {
            user: self.user,
            uid: self.uid,
            answer: self.answer.into(),
            instance: moment(self.instance)?,
            comment: self.comment,
            to: self.to,
            start: moment(self.start)?,
            end: moment(self.end)?,
        };
        send::show(&ask(&server, &asked).await?, global.json)
    }

    /// Whether each answer has what it takes, and nothing else.
    fn check_options(&self) -> Result<(), Failure> {
        let delegates = self.answer == Answer::Delegate;
        let proposes = self.answer == Answer::Counter;
        let wrong = match (&self.to, &self.start) {
            (None, _) if delegates => "`delegate` needs --to ADDR: who comes instead",
            (Some(_), _) if !delegates => "--to goes with `delegate` only",
            (_, None) if proposes => "`counter` needs --start TIME: when it shall begin",
            (_, Some(_)) if !proposes => "--start and --end go with `counter` only",
            _ => return Ok(()),
        };
        Err(Failure::usage(wrong))
    }
}

/// Has a host answer: what became of it, once for each recipient.
pub(crate) async fn ask(
    server: &Server,
    asked: &api::Reply,
) -> Result<Vec<RecipientResponse>, Failure> {
    let told = server.call(asked).await;
    let told = told.map_err(|error| match error.kind() {
        ErrorKind::Invalid => Failure::new(format!("{}: {error}", asked.uid)),
        _ => Failure::new(error.to_string()),
    })?;
    let mut responses = Vec::new();
    for response in told.into_iter().map(RecipientResponse::from) {
        merge(&mut responses, response);
    }
    Ok(responses)
}

/// Who answers by several addresses is told once what became of it: what failed, if anything did.
fn merge(responses: &mut Vec<RecipientResponse>, response: RecipientResponse) {
    let mut known = responses.iter_mut();
    match known.find(|known| known.recipient == response.recipient) {
        Some(known) if known.status.is_failure() => {}
        Some(known) => *known = response,
        None => responses.push(response),
    }
}
