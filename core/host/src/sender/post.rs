//! One receiver: does the message fit, POST it in as many parts as the receiver wants, read the answers.

use super::{
    Sender, body,
    capabilities_cache::{self, Document},
};
use crate::{metrics::Stage, retry_after::retry_after, wire};
use convoke_calendar::{message::Message, recurrence::RecurrenceError};
use convoke_ischedule::{
    Capabilities, ContentType, ErrorDocument, ErrorElement, MessageProfile, Recipient,
    RecipientResponse, RequestHeaders, ScheduleResponse,
    headers::MAX_RECIPIENTS,
    xml::{Limits, XmlError},
};
use convoke_net::http_client::{ClientError, Request, Response};
use convoke_scheduling::{Letter, Outcome};
use convoke_sdk::Receiver;
use convoke_types::{CalendarAddress, RequestStatus, excerpt};
use http::{HeaderValue, Method, StatusCode, header};
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use std::fmt::Display;

/// The longest reason that is kept, in characters.
const LONGEST_REASON: usize = 500;

/// A receiver could not be asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The connection, or the exchange on it.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// It cannot be asked what it takes.
    #[error("it cannot be asked for its capabilities: {0}")]
    Unasked(ClientError),
    /// It has no capabilities document.
    #[error("it answers {status} when asked for its capabilities")]
    NoCapabilities {
        /// What it said instead.
        status: StatusCode,
    },
    /// Its capabilities document cannot be read.
    #[error("its capabilities document cannot be read: {0}")]
    BadDocument(XmlError),
}

impl Failure {
    /// Whether the message was certainly not delivered, so that another server may get it.
    pub(super) const fn may_go_elsewhere(&self) -> bool {
        match self {
            Self::Client(error) => error.is_before_request(),
            // Nothing of the message has been sent.
            Self::Unasked(_) | Self::NoCapabilities { .. } | Self::BadDocument(_) => true,
        }
    }

    /// Whether it said nothing for as long as it was waited for.
    pub(super) const fn is_hang(&self) -> bool {
        matches!(
            self,
            Self::Client(ClientError::ConnectTimeout { .. } | ClientError::Timeout { .. })
                | Self::Unasked(ClientError::ConnectTimeout { .. } | ClientError::Timeout { .. })
        )
    }

    /// What the submitter is told.
    pub(super) fn status(&self) -> RequestStatus {
        match self {
            Self::Client(_) | Self::Unasked(_) => RequestStatus::SERVICE_UNAVAILABLE,
            Self::NoCapabilities { status } if is_temporary(*status) => {
                RequestStatus::SERVICE_UNAVAILABLE
            }
            Self::NoCapabilities { .. } | Self::BadDocument(_) => {
                RequestStatus::INVALID_CALENDAR_SERVICE
                    .with_text("The server found does not speak iSchedule")
            }
        }
    }
}

/// What who asks later is told of a receiver that could not be asked.
pub(super) fn described(receiver: &Receiver, failure: &dyn Display) -> String {
    excerpt(&format!("{}: {failure}", receiver.url), LONGEST_REASON)
}

pub(super) fn is_temporary(status: StatusCode) -> bool {
    status.is_server_error()
        || matches!(
            status,
            StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT
        )
}

impl Sender {
    /// Delivers to recipients behind one receiver; one outcome each, in their order.
    pub(super) async fn deliver_to(
        &self,
        receiver: &Receiver,
        letter: &Letter<'_>,
        group: &[&CalendarAddress],
    ) -> Result<Vec<Outcome>, Failure> {
        let document = self.capabilities.of(&self.client, receiver);
        let document = self.metrics.timed(Stage::Capabilities, document).await?;
        if let Err(status) = fits(&document.capabilities, letter) {
            return Ok(vec![status.into(); group.len()]);
        }
        let most = document
            .capabilities
            .max_recipients
            .and_then(|most| usize::try_from(most).ok());
        let mut outcomes: Vec<Outcome> = Vec::with_capacity(group.len());
        for part in group.chunks(most.unwrap_or(MAX_RECIPIENTS).clamp(1, MAX_RECIPIENTS)) {
            let id = message_id(letter, part);
            match self.post(receiver, &document, letter, part, &id).await {
                Ok(answered) => outcomes.extend(answered.into_iter().map(|outcome| Outcome {
                    message_id: Some(id.clone()),
                    ..outcome
                })),
                // A part that went through stays delivered; only if none did may the group go elsewhere.
                Err(error) if outcomes.is_empty() => return Err(error.into()),
                Err(error) => {
                    tracing::warn!(event = "receiver-failed", receiver = %receiver.url, "not delivered: {error}");
                    let failed = Outcome {
                        description: Some(described(receiver, &error)),
                        ..RequestStatus::SERVICE_UNAVAILABLE.into()
                    };
                    let failed = failed.at_receiver(None);
                    outcomes.resize(outcomes.len() + part.len(), failed);
                }
            }
        }
        Ok(outcomes)
    }

    async fn post(
        &self,
        receiver: &Receiver,
        document: &Document,
        letter: &Letter<'_>,
        part: &[&CalendarAddress],
        id: &str,
    ) -> Result<Vec<Outcome>, ClientError> {
        let body = body::for_recipients(letter, part);
        let (kind, method) = (letter.message.kind(), letter.message.method());
        let recipients = part.iter().copied().cloned();
        let mut headers = RequestHeaders {
            message_id: Some(id.to_owned()),
            originator: letter.originator.clone(),
            recipients: recipients.map(Recipient::new).collect(),
            content: ContentType::new(kind.as_str(), method.as_str()),
        }
        .to_headers();
        headers.insert(
            header::USER_AGENT,
            HeaderValue::from_static(crate::USER_AGENT),
        );
        if let Some(signer) = &self.signer
            && let Err(error) = signer.sign(&mut headers, &body, Timestamp::now())
        {
            tracing::error!(event = "not-signed", "a message goes out unsigned: {error}");
        }
        let request = Request {
            method: Method::POST,
            url: document.target.clone(),
            headers,
            body,
            policy: capabilities_cache::connect_policy(receiver),
            longest: None,
        };
        let response = self.client.send(request);
        let response = self.metrics.timed(Stage::Post, response).await?;
        tracing::debug!(event = "posted", receiver = %response.url, status = %response.status, recipients = part.len(), "posted");
        (self.capabilities)
            .check(receiver, document, &response.headers)
            .await;
        Ok(answers(&response, part))
    }
}

/// What is sent again for the same recipients has the same identifier, so that a receiver that has answered it answers
/// the same; each question has one of its own.
fn message_id(letter: &Letter<'_>, part: &[&CalendarAddress]) -> String {
    let Some(id) = letter.id else {
        return uuid::Uuid::now_v7().to_string();
    };
    let mut digest = Sha256::new();
    digest.update(id);
    for recipient in part {
        digest.update([0]);
        digest.update(recipient.as_str());
    }
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest.finalize()[..16]);
    uuid::Builder::from_custom_bytes(bytes)
        .into_uuid()
        .to_string()
}

/// Whether the receiver takes such a message; if not, what its recipients are told without a POST.
fn fits(capabilities: &Capabilities, letter: &Letter<'_>) -> Result<(), RequestStatus> {
    let message = letter.message;
    let size = letter.data.len() as u64;
    let attachments = message.attachments();
    let profile = MessageProfile {
        instances: instances(capabilities, message),
        earliest: message.earliest(),
        latest: message.latest(),
        inline_attachments: attachments.inline,
        external_attachments: attachments.external,
        ..MessageProfile::new(message.kind().as_str(), message.method().as_str(), size)
    };
    capabilities
        .permits(&profile)
        .map_err(|exceeded| exceeded.request_status().with_text(&exceeded.to_string()))
}

/// The recurrence instances of a message, as far as the receiver wants to know: one more than it takes stands for all
/// that are more.
fn instances(capabilities: &Capabilities, message: &Message) -> u64 {
    let Some(limit) = capabilities.max_instances else {
        return 0;
    };
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    match message.instances(most) {
        Ok(count) => count as u64,
        Err(RecurrenceError::TooMany(_) | RecurrenceError::TooMuchWork) => limit.saturating_add(1),
        // What is wrong with it is the receiver's to say.
        Err(_) => 0,
    }
}

/// What became of each recipient of one POST.
fn answers(response: &Response, part: &[&CalendarAddress]) -> Vec<Outcome> {
    if response.status != StatusCode::OK {
        return vec![refused(response); part.len()];
    }
    let read = match ScheduleResponse::read(&response.body, &Limits::default()) {
        Ok(read) => read,
        Err(error) => {
            tracing::warn!(event = "answer-unreadable", receiver = %response.url, "its answer cannot be read: {error}");
            let text = "The receiver's answer cannot be read";
            let status = RequestStatus::INVALID_CALENDAR_SERVICE.with_text(text);
            return vec![status.into(); part.len()];
        }
    };
    let unanswered = "The receiver's answer leaves this recipient out";
    let unanswered = RequestStatus::SERVICE_UNAVAILABLE.with_text(unanswered);
    part.iter()
        .map(|recipient| match answer_for(&read, recipient) {
            Some(answer) => wire::outcome(answer.clone()),
            None => unanswered.clone().into(),
        })
        .collect()
}

/// Receivers may repeat the address in other letters than it was sent.
fn answer_for<'a>(
    read: &'a ScheduleResponse,
    address: &CalendarAddress,
) -> Option<&'a RecipientResponse> {
    let same = |answer: &&RecipientResponse| {
        CalendarAddress::new(&answer.recipient).is_ok_and(|named| named.same_user(address))
    };
    read.of(address)
        .or_else(|| read.responses.iter().find(same))
}

/// How far clocks may differ before that is worth a word.
const CLOCKS: SignedDuration = SignedDuration::from_secs(60);

/// Where a receiver believes no signature of ours, and its clock is another than ours, a sentence that says so.
fn clocks(response: &Response, element: Option<ErrorElement>, now: Timestamp) -> Option<String> {
    if element != Some(ErrorElement::VerificationFailed) {
        return None;
    }
    let theirs = response.headers.get(header::DATE)?.to_str().ok()?;
    let theirs = jiff::fmt::rfc2822::parse(theirs).ok()?.timestamp();
    let now = Timestamp::from_second(now.as_second()).unwrap_or(now);
    (theirs.duration_since(now).abs() > CLOCKS)
        .then(|| format!("; it is {theirs} there and {now} here: is your clock right?"))
}

/// The whole request was refused: all its recipients share the reason.
fn refused(response: &Response) -> Outcome {
    let refusal = ErrorDocument::read(&response.body, &Limits::default()).ok();
    let element = refusal.as_ref().and_then(|refusal| refusal.element);
    let said = refusal
        .map(|refusal| refusal.description)
        .filter(|text| !text.is_empty());
    tracing::warn!(
        event = "refused-elsewhere",
        receiver = %response.url,
        status = %response.status,
        error = element.map_or("-", ErrorElement::name),
        "the receiver refused the message: {}{}",
        said.as_deref().unwrap_or("it gave no reason"),
        clocks(response, element, Timestamp::now()).unwrap_or_default()
    );
    let outcome = Outcome {
        condition: element.map(ErrorElement::name),
        description: said,
        ..status_of(response.status, element).into()
    };
    let outcome = outcome.at_receiver(retry_after(&response.headers, Timestamp::now()));
    if is_untaken(response.status) {
        return outcome.not_handed_over();
    }
    outcome
}

/// Whether nothing of a request was taken, for certain. Of other failures of a server, or of what stands before it, nobody knows.
fn is_untaken(status: StatusCode) -> bool {
    status.is_client_error() || status == StatusCode::SERVICE_UNAVAILABLE
}

/// The one place where a refusal of the whole request becomes a delivery status.
fn status_of(status: StatusCode, element: Option<ErrorElement>) -> RequestStatus {
    use ErrorElement as E;
    match element {
        Some(E::OriginatorDenied | E::VerificationFailed) => RequestStatus::NO_AUTHORITY,
        Some(E::MaxContentLength) => RequestStatus::TOO_LARGE,
        Some(E::VersionNotSupported) => RequestStatus::UNSUPPORTED_VERSION,
        Some(E::MinDateTime | E::MaxDateTime) => RequestStatus::INVALID_DATE,
        Some(
            E::MaxInstances
            | E::MaxRecipients
            | E::AttachmentTypeNotSupported
            | E::InvalidCalendarDataType,
        ) => RequestStatus::UNSUPPORTED,
        _ if is_temporary(status) => RequestStatus::SERVICE_UNAVAILABLE,
        _ if status == StatusCode::FORBIDDEN => RequestStatus::NO_AUTHORITY,
        _ => RequestStatus::INVALID_CALENDAR_SERVICE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use convoke_calendar::tree;
    use convoke_scheduling::{HandedOver, TransportFacts};

    fn message(lines: &str) -> Message {
        let text = format!(
            "BEGIN:VCALENDAR\nVERSION:2.0\nMETHOD:REQUEST\nBEGIN:VEVENT\nUID:1\nDTSTAMP:20261101T080000Z\n\
             DTSTART:20270104T100000Z\n{lines}\nORGANIZER:mailto:anna@example.com\nATTENDEE:mailto:bo@example.org\n\
             END:VEVENT\nEND:VCALENDAR\n"
        );
        let calendar = tree::Calendar::parse(text.as_bytes(), &tree::Limits::default());
        Message::read(calendar.unwrap()).unwrap()
    }

    /// Who called off what was never taken tells nobody; so it counts which it was.
    #[test]
    fn what_is_refused_as_a_whole_was_not_taken() {
        for (status, expected) in [
            (403, HandedOver::No),
            (429, HandedOver::No),
            (503, HandedOver::No),
            (500, HandedOver::Perhaps),
            (502, HandedOver::Perhaps),
        ] {
            let response = Response {
                status: StatusCode::from_u16(status).unwrap(),
                headers: http::HeaderMap::new(),
                body: bytes::Bytes::new(),
                url: "https://cal.example.org/".parse().unwrap(),
                moved_to: None,
            };
            assert_eq!(refused(&response).handed_over, expected, "{status}");
        }
    }

    #[test]
    fn more_instances_than_a_receiver_takes_are_not_posted() {
        let takes = |most| Capabilities {
            max_instances: most,
            ..Capabilities::new(1)
        };
        for (lines, most, fine) in [
            ("RRULE:FREQ=DAILY;COUNT=3", Some(3), true),
            ("RRULE:FREQ=DAILY;COUNT=4", Some(3), false),
            ("RRULE:FREQ=DAILY;COUNT=4", None, true),
            ("RDATE:20270105T100000Z,20270106T100000Z", Some(2), false),
            // Spec §9: an endless rule is no number.
            ("RRULE:FREQ=DAILY", Some(3), true),
            ("SUMMARY:once", Some(1), true),
        ] {
            let message = message(lines);
            let data = message.calendar().write();
            let letter = Letter {
                message: &message,
                data: &data,
                originator: message.organizer().unwrap(),
                transport: TransportFacts::default(),
                id: None,
            };
            let fits = fits(&takes(most), &letter);
            assert_eq!(fits.is_ok(), fine, "{lines}: {fits:?}");
            if let Err(status) = fits {
                assert!(status.same_code(&RequestStatus::UNSUPPORTED), "{status}");
            }
        }
    }
}
