//! From bytes to a valid message that its sender may send to its recipients.

use crate::{
    environment::{Environment, Processor},
    limits::Limits,
    refusal::{Condition, Refusal},
    scheduler::Scheduler,
};
use convoke_calendar::{
    message::{Kind, Message, Method, Provenance},
    recurrence::RecurrenceError,
    tree::{Calendar, Component},
};
use convoke_types::CalendarAddress;
use jiff::Timestamp;

/// A message that has come in, not yet read.
#[derive(Clone, Copy, Debug)]
pub struct Intake<'a> {
    /// The message: iCalendar.
    pub data: &'a [u8],
    /// Who sends it.
    pub originator: &'a CalendarAddress,
    /// Whom it is to reach.
    pub recipients: &'a [CalendarAddress],
    /// How it came, and for which domains its sender speaks.
    pub from: Provenance<'a>,
    /// When it came.
    pub now: Timestamp,
}

impl<E: Environment> Scheduler<E> {
    /// Reads a message and holds it against the rules of RFC 5546, its sender, its recipients and our limits. `announced`
    /// holds it against what its transport said of it beforehand (a `Content-Type`).
    ///
    /// From elsewhere it is refused, too, if it speaks for one of our own people.
    pub async fn read(
        &self,
        intake: &Intake<'_>,
        announced: impl FnOnce(&Message) -> Result<(), String> + Send,
    ) -> Result<Message, Refusal> {
        let work = || {
            let message = parse(intake, &self.limits)?;
            announced(&message).map_err(|text| Refusal::new(Condition::SchedulingMessage, text))?;
            check(&message, intake, &self.limits)?;
            Ok(message)
        };
        let message = self
            .environment
            .processor()
            .run(intake.data.len(), work)
            .await?;
        if !matches!(intake.from, Provenance::Submission) {
            self.refuse_for_ours(&message, intake).await?;
        }
        Ok(message)
    }

    /// Spec §9: whatever another server proved, it speaks for none of our own people, be it by SENT-BY.
    async fn refuse_for_ours(&self, message: &Message, intake: &Intake<'_>) -> Result<(), Refusal> {
        let invalid = |text: String| Refusal::new(Condition::Originator, text);
        let principal = message
            .check_originator(intake.originator, intake.from)
            .map_err(|error| invalid(error.to_string()))?;
        // A store that cannot be asked has the last word when it can.
        if self.is_ours(&principal).await.unwrap_or(true) {
            return Err(invalid(format!(
                "{principal} is one of this server's own people; no other server sends for them"
            )));
        }
        Ok(())
    }
}

/// The message that the bytes are, valid by itself.
fn parse(intake: &Intake<'_>, limits: &Limits) -> Result<Message, Refusal> {
    let Intake { data, now, .. } = *intake;
    let calendar = Calendar::parse(data, &limits.of_messages())
        .map_err(|error| Refusal::new(Condition::CalendarData, error.to_string()))?;
    // Before anything looks at each of them (spec §9).
    let most = limits.attendees;
    let of_one = |component: &Component| component.all("ATTENDEE").count();
    let too_many = || {
        let text = format!("there are more than {most} attendees");
        Refusal::new(Condition::Attendees, text)
    };
    if calendar.main_components().any(|it| of_one(it) > most) {
        return Err(too_many());
    }
    let message = Message::read(calendar).map_err(|error| {
        let condition = if error.is_calendar_data() {
            Condition::CalendarData
        } else {
            Condition::SchedulingMessage
        };
        Refusal::new(condition, error.in_source(data).status().to_string())
    })?;
    if message.attendees().len() > most {
        return Err(too_many());
    }
    message.check_written_by(now).map_err(|error| {
        let text = error.in_source(data).status().to_string();
        Refusal::new(Condition::SchedulingMessage, text)
    })?;
    Ok(message)
}

/// Whether the sender may send the message to its recipients, and we take it.
fn check(message: &Message, intake: &Intake<'_>, limits: &Limits) -> Result<(), Refusal> {
    // Spec §5: what is asked is answered in the answer to the POST.
    if (message.kind(), message.method()) == (Kind::FreeBusy, Method::Reply) {
        let text = "a REPLY about busy time is not posted: it is the answer to the POST that asks";
        return Err(Refusal::new(Condition::SchedulingMessage, text));
    }
    message
        .check_originator(intake.originator, intake.from)
        .map_err(|error| Refusal::new(Condition::Originator, error.to_string()))?;
    check_recipients(message, intake.recipients)?;
    check_limits(message, limits)
}

fn check_recipients(message: &Message, recipients: &[CalendarAddress]) -> Result<(), Refusal> {
    let mismatch = |text: String| Refusal::new(Condition::Recipients, text);
    if message.kind() == Kind::FreeBusy {
        // Spec §5: the exact ATTENDEE set.
        let attendees = message.attendees();
        let named = |recipient| attendees.iter().any(|it| it.same_user(recipient));
        let asked = |attendee| recipients.iter().any(|it| it.same_user(attendee));
        if !recipients.iter().all(named) || !attendees.iter().all(asked) {
            let text = "the Recipients are not exactly the ATTENDEEs of the VFREEBUSY";
            return Err(mismatch(text.to_owned()));
        }
        return Ok(());
    }
    // One stray recipient is refused by itself (see `deliver`); if all are, the message is.
    let mut first = None;
    for recipient in recipients {
        match message.check_recipient(recipient) {
            Ok(()) => return Ok(()),
            Err(error) => {
                first.get_or_insert(error);
            }
        }
    }
    first.map_or(Ok(()), |error| Err(mismatch(error.to_string())))
}

fn check_limits(message: &Message, limits: &Limits) -> Result<(), Refusal> {
    let attachments = message.attachments();
    for (there, taken, name) in [
        (attachments.inline, limits.attachments.inline, "inline"),
        (
            attachments.external,
            limits.attachments.external,
            "external",
        ),
    ] {
        if there && !taken {
            let text = format!("{name} attachments are not taken here");
            return Err(Refusal::new(Condition::Attachments, text));
        }
    }
    message.instances(limits.instances).map_err(|error| {
        let condition = match &error {
            RecurrenceError::TooMany(_) | RecurrenceError::TooMuchWork => Condition::Instances,
            _ => Condition::SchedulingMessage,
        };
        Refusal::new(condition, error.to_string())
    })?;
    match (message.earliest(), message.latest()) {
        (Some(is), _) if is < limits.earliest => {
            let limit = limits.earliest;
            let text = format!("{is} is before {limit}, the earliest time taken");
            Err(Refusal::new(Condition::TooEarly, text))
        }
        (_, Some(is)) if is > limits.latest => {
            let limit = limits.latest;
            let text = format!("{is} is after {limit}, the latest time taken");
            Err(Refusal::new(Condition::TooLate, text))
        }
        _ => Ok(()),
    }
}
