//! `convoke mail test`: one invitation by mail, to see that it arrives and how it looks.

use super::super::{Global, output, output::Failure, owner::become_owner};
use crate::{
    config::{Mail as MailConfig, MailFrom},
    instance,
    mail::MailServer,
};
use clap::Args;
use convoke_calendar::{
    message::Message,
    tree::{self, Calendar},
};
use convoke_imip::{FromMode, Mail, Mailbox, Outgoing, Recipient, compose};
use convoke_types::CalendarAddress;
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use serde::Serialize;

const EXAMPLES: &str = "\
Examples:
  convoke mail test me@gmail.example
  convoke mail test me@gmail.example --as anna@example.org     with her in From, as her own invitations have it

Sends an invitation for tomorrow by the mail server of [mail], at once and past the queue. Nothing is remembered of \
it: an answer to it changes nothing. Exit status 1 if the server does not take it; its words say why.";

/// Send a test invitation by mail
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Test {
    /// To whom
    #[arg(value_name = "ADDR")]
    to: CalendarAddress,
    /// Who invites [default: the address of the gateway]
    #[arg(long = "as", value_name = "ADDR")]
    organizer: Option<CalendarAddress>,
}

/// `mail test --json`.
#[derive(Serialize)]
struct Sent {
    server: String,
    recipient: CalendarAddress,
    message_id: String,
    reply: String,
}

impl Test {
    pub(in crate::cli) async fn run(self, global: &Global) -> Result<(), Failure> {
        let config = global.config()?;
        become_owner(&config.server.state)?;
        let Some(mail) = &config.mail else {
            let text = format!(
                "{}: there is no [mail]; add it, with `smtp` and `address`",
                config.file.display()
            );
            return Err(Failure::new(text));
        };
        let organizer = self.organizer.as_ref();
        let organizer = organizer.unwrap_or_else(|| mail.gateway.address());
        let (_, client) = instance::outside(&config)?;
        let server = MailServer::new(mail, client, config.client.request_timeout);
        let server = server.map_err(|error| Failure::new(error.to_string()))?;
        let invitation = invitation(mail, organizer, &self.to, Timestamp::now())?;
        let reply = server.send(&invitation).await;
        let reply = reply.map_err(|error| Failure::new(error.to_string()))?;
        let sent = Sent {
            server: server.server().to_string(),
            recipient: self.to,
            message_id: invitation.message_id,
            reply,
        };
        if global.json {
            return output::print_json(&sent);
        }
        let Sent {
            server,
            recipient,
            message_id,
            reply,
        } = sent;
        let to = recipient.human();
        output::print_text(&format!(
            "{server} took the invitation to {to}: {reply}\nMessage-ID: <{message_id}>\n"
        ))
    }
}

fn invitation(
    mail: &MailConfig,
    organizer: &CalendarAddress,
    to: &CalendarAddress,
    now: Timestamp,
) -> Result<Mail, Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::new(error.to_string());
    let tomorrow = now.saturating_add(SignedDuration::from_hours(24));
    let tomorrow = tomorrow.map_err(|error| failed(&error))?;
    let utc = |time: Timestamp| time.strftime("%Y%m%dT%H%M%SZ").to_string();
    let text = format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Convoke//Convoke//EN\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\n\
         UID:convoke-test-{}\r\nDTSTAMP:{}\r\nDTSTART:{}\r\nDURATION:PT30M\r\nSUMMARY:Test of Convoke\r\n\
         DESCRIPTION:Nobody meets. This invitation shows whether mail arrives.\r\n\
         ORGANIZER:{organizer}\r\nATTENDEE;RSVP=TRUE:{to}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
        uuid::Uuid::new_v4(),
        utc(now),
        utc(tomorrow),
    );
    let calendar = Calendar::parse(text.as_bytes(), &tree::Limits::default());
    let calendar = calendar.map_err(|error| failed(&error))?;
    let message = Message::read(calendar).map_err(|error| failed(&error))?;
    compose(&Outgoing {
        message: &message,
        person: &Mailbox::new(organizer.clone()),
        timezone: &TimeZone::UTC,
        gateway: &mail.gateway,
        from: match mail.from {
            MailFrom::Person => FromMode::Person,
            MailFrom::Gateway => FromMode::Gateway,
        },
        recipient: &Recipient::listed(&message, to),
        token: None,
        date: now,
        references: &[],
        previous: None,
    })
    .map_err(|error| failed(&error))
}
