//! Maps scheduling outcomes and refusals to iSchedule responses and error elements, and back: the only place that does.

use convoke_ischedule::{
    CalendarData, ErrorElement, Recipient, RecipientResponse, Refusal, ScheduleResponse,
};
use convoke_scheduling::{Condition, Outcome, Refusal as Refused};
use http::StatusCode;

/// Outcomes as the answer to a message, in the order of its recipients.
pub(crate) fn responses(recipients: &[Recipient], outcomes: Vec<Outcome>) -> ScheduleResponse {
    let pairs = recipients.iter().zip(outcomes);
    ScheduleResponse {
        responses: pairs
            .map(|(recipient, outcome)| response(&recipient.as_sent, outcome))
            .collect(),
    }
}

/// One outcome as part of an answer.
pub(crate) fn response(recipient: &str, outcome: Outcome) -> RecipientResponse {
    RecipientResponse {
        calendar_data: outcome.data.map(CalendarData::icalendar),
        error: outcome.condition.and_then(ErrorElement::from_name),
        description: outcome.description,
        ..RecipientResponse::new(recipient, outcome.status)
    }
}

/// What another server says became of a message for one recipient.
pub(crate) fn outcome(response: RecipientResponse) -> Outcome {
    // We ask for iCalendar, and understand nothing else.
    let data = response.calendar_data.filter(|data| {
        let kind = data.content_type.split(';').next().unwrap_or_default();
        kind.trim().eq_ignore_ascii_case("text/calendar")
    });
    Outcome {
        data: data.map(|data| data.data),
        condition: response.error.map(ErrorElement::name),
        description: response.description,
        ..response.status.into()
    }
}

/// A message refused as a whole.
pub(crate) fn refusal(refused: Refused) -> Refusal {
    let refusal = Refusal::new(element(refused.condition), refused.text);
    match refused.condition {
        // There is no element for it; it is no mistake, but more than is taken.
        Condition::Attendees => Refusal {
            status: StatusCode::FORBIDDEN,
            ..refusal
        },
        _ => refusal,
    }
}

const fn element(condition: Condition) -> ErrorElement {
    match condition {
        Condition::CalendarData => ErrorElement::InvalidCalendarData,
        Condition::SchedulingMessage | Condition::Attendees => {
            ErrorElement::InvalidSchedulingMessage
        }
        Condition::Originator => ErrorElement::OriginatorInvalid,
        Condition::Recipients => ErrorElement::RecipientMismatch,
        Condition::Attachments => ErrorElement::AttachmentTypeNotSupported,
        Condition::Instances => ErrorElement::MaxInstances,
        Condition::TooEarly => ErrorElement::MinDateTime,
        Condition::TooLate => ErrorElement::MaxDateTime,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use convoke_types::RequestStatus;

    #[test]
    fn an_outcome_is_read_back_as_it_was_written() {
        let told = Outcome {
            data: Some("BEGIN:VCALENDAR".to_owned()),
            condition: Some("recipient-mismatch"),
            description: Some("words".to_owned()),
            ..RequestStatus::SUCCESS.into()
        };
        let written = response("mailto:bo@example.org", told.clone());
        assert_eq!(outcome(written.clone()), told);
        let mut other = written;
        other.calendar_data.as_mut().unwrap().content_type = "application/pdf".to_owned();
        assert_eq!(outcome(other).data, None);
    }
}
