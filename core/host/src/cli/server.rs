//! The host that a command hands messages to: the running host of the configuration, by its control socket, or one elsewhere
//! (`--server`), by its submission listener.

use super::{Global, output::Failure, session::asked, submit::Submission};
use crate::admin::{
    api::{Method, Submit, Text},
    client::{Client, Failed},
};
use clap::Args;
use convoke_calendar::message::Message;
use convoke_ischedule::RecipientResponse;
use convoke_types::{CalendarAddress, Error, ErrorKind};
use url::Url;

/// Which host, and as whom; for every command that hands in messages.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct ServerArgs {
    /// Submission listener of another host (https); prompts for the password, or takes `CONVOKE_PASSWORD`
    #[arg(long, value_name = "URL")]
    server: Option<Url>,
    /// Login at --server [default: the sender]
    #[arg(long, value_name = "ADDR", requires = "server")]
    login: Option<String>,
}

impl ServerArgs {
    /// Whether it is a host elsewhere.
    pub(super) const fn is_elsewhere(&self) -> bool {
        self.server.is_some()
    }
}

/// A host that takes messages.
pub(crate) enum Server {
    /// The one that runs with the configuration's state folder.
    Running(Client),
    /// One elsewhere.
    Elsewhere(Submission),
}

impl Server {
    /// The host that the arguments and the configuration mean; `originator` is who logs in elsewhere.
    pub(super) async fn find(
        server: &ServerArgs,
        global: &Global,
        originator: &CalendarAddress,
    ) -> Result<Self, Failure> {
        if let Some(url) = &server.server {
            let login = server.login.as_deref();
            return Submission::new(url, login, originator).map(Self::Elsewhere);
        }
        global.needed_host().await.map(Self::Running)
    }

    /// The host for a question that may be about everybody, unless the host is elsewhere: there people ask about themselves.
    pub(super) async fn of(
        server: &ServerArgs,
        global: &Global,
        user: Option<&CalendarAddress>,
    ) -> Result<Self, Failure> {
        match user {
            Some(user) => Self::find(server, global, user).await,
            None if server.is_elsewhere() => Err(Failure::usage(
                "--server needs --user ADDR: who is it that asks?",
            )),
            None => global.needed_host().await.map(Self::Running),
        }
    }

    /// Has the host do something with the calendar of one of its people.
    pub(crate) async fn call<M: Method>(&self, asked_for: &M) -> Result<M::Answer, Error> {
        match self {
            Self::Running(client) => asked(client.call(asked_for).await),
            Self::Elsewhere(submission) => {
                submission
                    .call(asked_for)
                    .await
                    .map_err(|failed| match failed {
                        Failed::Refused(error) => error,
                        Failed::Unreachable(error) => Error::unavailable(error.to_string()),
                    })
            }
        }
    }

    /// Hands in a message; one response for each recipient.
    pub(crate) async fn hand_in(
        &self,
        message: &Message,
        originator: &CalendarAddress,
        recipients: &[CalendarAddress],
    ) -> Result<Vec<RecipientResponse>, Failure> {
        let client = match self {
            Self::Running(client) => client,
            Self::Elsewhere(submission) => {
                let response = submission.hand_in(message, originator, recipients).await?;
                return Ok(response.responses);
            }
        };
        let message = Submit {
            originator: originator.clone(),
            recipients: recipients.to_vec(),
            data: Text(message.calendar().write()),
        };
        let told = asked(client.call(&message).await).map_err(|error| match error.kind() {
            ErrorKind::Invalid | ErrorKind::Denied => {
                Failure::new(format!("the host refuses the message: {error}"))
            }
            _ => Failure::new(error.to_string()),
        })?;
        Ok(told.into_iter().map(RecipientResponse::from).collect())
    }
}
