//! A free-busy question, signed if the configuration has a key: it changes nothing over there (spec §5).

use super::{Notes, Place, Verdict};
use bytes::Bytes;
use convoke_calendar::{
    freebusy,
    message::Message,
    tree::{Calendar, Limits as CalendarLimits},
};
use convoke_ischedule::{
    ContentType, Deviations, ErrorDocument, Recipient, RecipientResponse, RequestHeaders,
    ScheduleResponse,
    dkim::Signer,
    headers::{ISCHEDULE_CAPABILITIES, ISCHEDULE_VERSION},
    xml::Limits,
};
use convoke_net::http_client::{Client, Request, Response};
use convoke_types::{CalendarAddress, TimeRange, Uid};
use http::{HeaderValue, Method, StatusCode, header};
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;

const STEP: &str = "post";
const SECTION: &str = "§5";

/// Who asks about whom.
#[derive(Clone, Debug)]
pub struct Question {
    /// Who asks: a calendar user that the signer may speak for.
    pub originator: CalendarAddress,
    /// Who is asked about.
    pub recipient: CalendarAddress,
    /// Signs the question; without one it goes out unsigned.
    pub signer: Option<Arc<Signer>>,
}

/// Asks when the recipient is busy during the coming day.
pub(super) async fn ask(client: &Client, target: &Place, question: &Question, notes: &mut Notes) {
    let request = match request(target, question) {
        Ok(request) => request,
        Err(error) => return notes.add(STEP, Verdict::Fail, "§7", error),
    };
    let signed = match &question.signer {
        Some(signer) => format!("signed as {}", signer.domain()),
        None => "unsigned".to_owned(),
    };
    let response = match client.send(request).await {
        Ok(response) => response,
        Err(error) => return notes.add(STEP, Verdict::Fail, SECTION, error.to_string()),
    };
    for (name, present) in [
        (ISCHEDULE_VERSION, "iSchedule-Version"),
        (ISCHEDULE_CAPABILITIES, "iSchedule-Capabilities"),
        (header::CACHE_CONTROL, "Cache-Control"),
    ] {
        let there = response.headers.contains_key(name);
        let with = if there { "has" } else { "lacks" };
        notes.check(STEP, SECTION, there, format!("the answer {with} {present}"));
    }
    if response.status == StatusCode::OK {
        let text = format!("the question, {signed}, is answered {}", response.status);
        notes.add(STEP, Verdict::Pass, SECTION, text);
        read(&response, question, notes);
    } else {
        refused(&response, &signed, notes);
    }
}

fn request(target: &Place, question: &Question) -> Result<Request, String> {
    let Question {
        originator,
        recipient,
        signer,
    } = question;
    let now = Timestamp::now();
    let range = TimeRange::new(now, now + SignedDuration::from_hours(24))
        .map_err(|error| error.to_string())?;
    let uid = Uid::new(uuid::Uuid::new_v4().to_string()).map_err(|error| error.to_string())?;
    let recipients = [recipient.clone()];
    let calendar = freebusy::request(originator, &recipients, range, &uid, now);
    let body = Bytes::from(calendar.write());
    let mut headers = RequestHeaders {
        message_id: Some(uuid::Uuid::now_v7().to_string()),
        originator: originator.clone(),
        recipients: vec![Recipient::new(recipient.clone())],
        content: ContentType::new("VFREEBUSY", "REQUEST"),
    }
    .to_headers();
    let agent = HeaderValue::from_static(crate::USER_AGENT);
    headers.insert(header::USER_AGENT, agent);
    if let Some(signer) = signer {
        let signed = signer.sign(&mut headers, &body, now);
        signed.map_err(|error| error.to_string())?;
    }
    Ok(Request {
        method: Method::POST,
        url: target.url.clone(),
        headers,
        body,
        policy: target.policy.clone(),
        longest: None,
    })
}

fn refused(response: &Response, signed: &str, notes: &mut Notes) {
    let said = ErrorDocument::read(&response.body, &Limits::default());
    let said = match &said {
        Ok(said) => format!(
            "{}: {}",
            said.element.map_or("no known element", |it| it.name()),
            said.description
        ),
        Err(error) => format!("without an error document ({error})"),
    };
    let status = response.status;
    let text = format!("the question, {signed}, is refused with {status}, {said}");
    notes.add(STEP, Verdict::Fail, SECTION, text);
}

fn read(response: &Response, question: &Question, notes: &mut Notes) {
    let mut deviations = Deviations::default();
    let read =
        ScheduleResponse::read_reporting(&response.body, &Limits::default(), &mut deviations);
    notes.deviations(STEP, &deviations);
    let read = match read {
        Ok(read) => read,
        Err(error) => {
            let text = format!("the answer cannot be read: {error}");
            return notes.add(STEP, Verdict::Fail, SECTION, text);
        }
    };
    match read.responses.as_slice() {
        [answer] => {
            let same = answer.recipient == question.recipient.as_str();
            let text = format!("the answer names the recipient as {}", answer.recipient);
            notes.check(STEP, SECTION, same, text);
            status(answer, notes);
        }
        others => {
            let text = format!("there are {} responses for one recipient", others.len());
            notes.add(STEP, Verdict::Fail, SECTION, text);
        }
    }
}

fn status(answer: &RecipientResponse, notes: &mut Notes) {
    let text = format!("request-status {}", answer.status);
    if !answer.status.is_success() {
        // A "no" for this recipient is as good an answer as any.
        return notes.add(STEP, Verdict::Info, SECTION, text);
    }
    notes.add(STEP, Verdict::Pass, SECTION, text);
    let Some(data) = &answer.calendar_data else {
        let text = "there is no calendar-data with the success";
        return notes.add(STEP, Verdict::Fail, SECTION, text);
    };
    let calendar = Calendar::parse(data.data.as_bytes(), &CalendarLimits::default())
        .map_err(|error| error.to_string());
    let spans = calendar.and_then(|calendar| {
        let reply = Message::read(calendar.clone()).map_err(|error| error.to_string());
        let spans = freebusy::read_answer(&calendar).map_err(|error| error.to_string());
        reply.and(spans)
    });
    match spans {
        Ok(spans) => {
            let text = format!("the free-busy reply is valid; {} periods", spans.len());
            notes.add(STEP, Verdict::Pass, "§8", text);
        }
        Err(error) => {
            let text = format!("the free-busy reply deviates: {error}");
            notes.add(STEP, Verdict::Deviation, "§8", text);
        }
    }
}
