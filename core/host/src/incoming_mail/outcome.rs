//! What became of a mail for one recipient.

use crate::instance::Instance;
use convoke_imip::{Content, Incoming};
use convoke_lmtp::Reply;
use convoke_scheduling::Decided;
use convoke_types::CalendarAddress;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The letters of a message id that the log has.
const LOGGED: usize = 200;

/// What became of a mail for one recipient.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "outcome", content = "why")]
pub(crate) enum Outcome {
    /// A scheduling message was taken: its request status.
    Taken(String),
    /// It is nothing for a calendar.
    Dropped(String),
    /// A scheduling message is not taken: nobody is proved to have sent it, or policy or iTIP says no.
    Refused(String),
    /// What may be a scheduling message cannot be read.
    Unreadable(String),
    /// It went on to a mailbox.
    PassedOn(String),
    /// The mailbox behind us refuses it for good.
    MailboxRefused(String),
    /// The recipient is none of ours.
    Unknown(String),
    /// Trying later may help.
    Later(String),
}

impl Outcome {
    /// As it is said to who hands mail over. Whatever is not taken for good is accepted all the same: who is named in a mail
    /// that proves nothing must not be sent a report on it.
    pub(crate) fn reply(&self) -> Reply {
        match self {
            Self::Taken(_) => Reply::taken(),
            Self::Dropped(why) => Reply::new(250, "2.0.0", format!("dropped: {why}")),
            Self::Refused(why) | Self::Unreadable(why) => {
                Reply::new(250, "2.0.0", format!("nothing is changed by it: {why}"))
            }
            Self::PassedOn(why) => Reply::new(250, "2.0.0", format!("passed on: {why}")),
            Self::MailboxRefused(why) => Reply::new(550, "5.0.0", why),
            Self::Unknown(why) => Reply::new(550, "5.1.1", why),
            Self::Later(why) => Reply::new(451, "4.3.0", why),
        }
    }

    /// Its name: in metrics, and the same as in what `convoke mail receive --json` prints.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Taken(_) => "taken",
            Self::Dropped(_) => "dropped",
            Self::Refused(_) => "refused",
            Self::Unreadable(_) => "unreadable",
            Self::PassedOn(_) => "passed-on",
            Self::MailboxRefused(_) => "mailbox-refused",
            Self::Unknown(_) => "unknown",
            Self::Later(_) => "later",
        }
    }

    /// Whether somebody's mailbox should have it, as the calendar took nothing of it.
    pub(super) const fn is_for_mailbox(&self) -> bool {
        matches!(
            self,
            Self::Dropped(_) | Self::Refused(_) | Self::Unreadable(_)
        )
    }

    /// Whether an answer was taken, and somebody has written something beside it.
    pub(super) fn has_words_beside(&self, incoming: &Incoming) -> bool {
        matches!(self, Self::Taken(_)) && incoming.has_words_beside_answer()
    }

    /// As it is said where an answer was taken, and the mail itself went on for the words beside it. A mail that comes again for them is
    /// known to the calendar.
    pub(super) fn with_words_that_went_on(self, passed: Self) -> Self {
        match (self, passed) {
            (Self::Taken(status), Self::PassedOn(to)) => {
                Self::Taken(format!("{status}; the words beside it went on ({to})"))
            }
            (Self::Taken(status), Self::Refused(why)) => {
                Self::Taken(format!("{status}; the words beside it go to nobody: {why}"))
            }
            (_, passed) => passed,
        }
    }

    /// As it is said where the mail itself went on to a person, as the calendar took nothing of it.
    pub(super) fn of_what_went_on(&self, passed: Self) -> Self {
        match (self, passed) {
            (Self::Refused(why) | Self::Unreadable(why), Self::PassedOn(to)) => {
                Self::PassedOn(format!("{to}; nothing is changed by it: {why}"))
            }
            (_, passed) => passed,
        }
    }

    /// Logs and counts it, and has it remembered for `convoke explain`.
    pub(super) fn note(
        &self,
        instance: &Instance,
        incoming: &Incoming,
        recipient: &CalendarAddress,
    ) {
        instance.shared.metrics.mail_came_in(self.name());
        let message_id = incoming.message_id.as_deref().unwrap_or_default();
        let logged = convoke_types::excerpt(message_id, LOGGED);
        let from = incoming.from.as_ref().map(|it| it.address.human());
        let from = from.unwrap_or_default();
        let (event, why) = match self {
            Self::Taken(status) => {
                tracing::info!(event = "mail-taken", from, %recipient, message_id = logged, "{status}");
                // What the scheduler decided says more.
                return;
            }
            Self::Dropped(why) => {
                tracing::info!(event = "mail-dropped", from, %recipient, message_id = logged, "dropped: {why}");
                ("mail-dropped", why)
            }
            Self::Refused(why) => {
                tracing::info!(event = "mail-refused", from, %recipient, message_id = logged, "nothing is changed by it: {why}");
                ("mail-refused", why)
            }
            Self::Unreadable(why) => {
                tracing::info!(event = "mail-unreadable", from, %recipient, message_id = logged, "{why}");
                ("mail-unreadable", why)
            }
            Self::PassedOn(why) => {
                tracing::info!(event = "mail-passed-on", from, %recipient, message_id = logged, "passed on: {why}");
                ("mail-passed-on", why)
            }
            Self::MailboxRefused(why) => {
                tracing::info!(event = "mailbox-refused", from, %recipient, message_id = logged, "the mailbox refuses it: {why}");
                ("mailbox-refused", why)
            }
            Self::Unknown(why) => {
                tracing::info!(event = "mail-not-ours", from, %recipient, message_id = logged, "{why}");
                ("mail-not-ours", why)
            }
            Self::Later(why) => {
                tracing::info!(event = "mail-later", from, %recipient, message_id = logged, "to be tried again: {why}");
                ("mail-later", why)
            }
        };
        // By its Message-ID alone: whoever proves nothing adds nothing to the history of a meeting.
        let Some(id) = &incoming.message_id else {
            return;
        };
        let decided = Decided::of_message(Timestamp::now(), event, id);
        let mut decided = decided.of(recipient).why(why);
        decided.method = match &incoming.content {
            Content::Scheduling(part) => Some(part.method()),
            _ => None,
        };
        decided.recipient = Some(recipient.clone());
        decided.peer = Some(format!("{from}, mail, {}", incoming.verdict));
        instance.shared.decisions.add_mail(decided);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_help_later_is_tried_again_and_only_who_is_not_ours_bounces() {
        let why = || "x".to_owned();
        for (outcome, code) in [
            (Outcome::Taken(why()), 250),
            (Outcome::Dropped(why()), 250),
            (Outcome::Refused(why()), 250),
            (Outcome::Unreadable(why()), 250),
            (Outcome::PassedOn(why()), 250),
            (Outcome::MailboxRefused(why()), 550),
            (Outcome::Unknown(why()), 550),
            (Outcome::Later(why()), 451),
        ] {
            assert_eq!(outcome.reply().code(), code, "{outcome:?}");
            let written = serde_json::to_value(&outcome).unwrap();
            assert_eq!(written["outcome"], outcome.name());
        }
    }
}
