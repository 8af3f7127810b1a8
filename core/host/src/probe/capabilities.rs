//! What a receiver says of itself, and how it answers questions that it need not understand (spec §4).

use super::{Notes, Place, Verdict};
use bytes::Bytes;
use convoke_ischedule::{
    Capabilities, Deviations, VERSION,
    headers::{ISCHEDULE_CAPABILITIES, ISCHEDULE_VERSION},
    xml::Limits,
};
use convoke_net::http_client::{Client, ClientError, Request, Response};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use url::Url;

const STEP: &str = "capabilities";
const SECTION: &str = "§4";

/// Where to POST, if it is a receiver.
pub(super) async fn look(client: &Client, place: &Place, notes: &mut Notes) -> Option<Place> {
    let mut question = Question { client, place };
    let answer = match question.get("action=capabilities", None).await {
        Ok(answer) if answer.status == StatusCode::OK => answer,
        Ok(answer) => {
            let text = format!("{} answers {}", place.url, answer.status);
            notes.add(STEP, Verdict::Fail, SECTION, text);
            return None;
        }
        Err(error) => {
            notes.add(STEP, Verdict::Fail, SECTION, error.to_string());
            return None;
        }
    };
    let mut target = place.clone();
    target.url = answer.url.clone();
    target.url.set_query(None);
    if target.url != place.url {
        let text = format!("{} redirects to {}", place.url, target.url);
        notes.add(STEP, Verdict::Info, SECTION, text);
    }
    let capabilities = document(&answer, notes)?;
    headers(&answer, &capabilities, notes);
    question.place = &target;
    condition(&question, &answer, notes).await;
    others(&question, notes).await;
    Some(target)
}

fn document(answer: &Response, notes: &mut Notes) -> Option<Capabilities> {
    let kind = answer.headers.get(header::CONTENT_TYPE);
    let kind = kind.and_then(|it| it.to_str().ok()).unwrap_or("none");
    let is_xml = kind.split(';').next().map(str::trim) == Some("application/xml");
    notes.check(STEP, SECTION, is_xml, format!("its Content-Type is {kind}"));
    let mut deviations = Deviations::default();
    let read = Capabilities::read_reporting(&answer.body, &Limits::default(), &mut deviations);
    let capabilities = match read {
        Ok(capabilities) => capabilities,
        Err(error) => {
            let text = format!("the document cannot be read: {error}");
            notes.add(STEP, Verdict::Fail, SECTION, text);
            return None;
        }
    };
    notes.deviations(STEP, &deviations);
    let speaks = capabilities.versions.iter().any(|it| it == VERSION);
    let verdict = if speaks { Verdict::Pass } else { Verdict::Fail };
    let text = format!("it speaks versions {}", capabilities.versions.join(", "));
    notes.add(STEP, verdict, SECTION, text);
    for supported in &capabilities.messages {
        let methods = match supported.methods.as_slice() {
            [] => "every method".to_owned(),
            methods => methods.join(", "),
        };
        let text = format!("it takes {}: {methods}", supported.component);
        notes.add(STEP, Verdict::Info, SECTION, text);
    }
    for (what, value) in [
        ("bytes", capabilities.max_content_length),
        ("recipients", capabilities.max_recipients),
        ("instances", capabilities.max_instances),
    ] {
        if let Some(value) = value {
            let text = format!("it takes at most {value} {what}");
            notes.add(STEP, Verdict::Info, SECTION, text);
        }
    }
    Some(capabilities)
}

fn headers(answer: &Response, capabilities: &Capabilities, notes: &mut Notes) {
    let text = |name| {
        let value = answer.headers.get(name)?;
        value.to_str().ok().map(str::trim)
    };
    let version = text(ISCHEDULE_VERSION);
    let good = version.is_some_and(|it| it.split(',').any(|it| it.trim() == VERSION));
    let said = format!("iSchedule-Version: {}", version.unwrap_or("missing"));
    notes.check(STEP, SECTION, good, said);
    let serial = text(ISCHEDULE_CAPABILITIES);
    let good = serial == Some(capabilities.serial.to_string().as_str());
    let said = format!(
        "iSchedule-Capabilities: {}, serial-number: {}",
        serial.unwrap_or("missing"),
        capabilities.serial
    );
    notes.check(STEP, SECTION, good, said);
}

/// Whether it spares peers a document that they have.
async fn condition(question: &Question<'_>, answer: &Response, notes: &mut Notes) {
    let Some(etag) = answer.headers.get(header::ETAG) else {
        return notes.check(STEP, SECTION, false, "the document has no ETag");
    };
    let again = question.get("action=capabilities", Some(etag)).await;
    let text = match &again {
        Ok(again) => format!("with If-None-Match it answers {}", again.status),
        Err(error) => error.to_string(),
    };
    let good = again.is_ok_and(|again| again.status == StatusCode::NOT_MODIFIED);
    notes.check(STEP, SECTION, good, text);
}

/// Questions that are wrong, or about something else.
async fn others(question: &Question<'_>, notes: &mut Notes) {
    for query in ["", "action=no-such-action"] {
        let (good, text) = match question.get(query, None).await {
            Ok(answer) => (
                answer.status == StatusCode::BAD_REQUEST,
                match query {
                    "" => format!("GET without an action is answered {}", answer.status),
                    query => format!("GET ?{query} is answered {}", answer.status),
                },
            ),
            Err(error) => (false, error.to_string()),
        };
        notes.check(STEP, SECTION, good, text);
    }
    let (good, text) = match question.send(Method::OPTIONS, "", None).await {
        Ok(answer) => {
            let both = [ISCHEDULE_VERSION, ISCHEDULE_CAPABILITIES]
                .iter()
                .all(|name| answer.headers.contains_key(name));
            let with = if both { "with" } else { "without" };
            (
                both && answer.status.is_success(),
                format!(
                    "OPTIONS is answered {}, {with} both iSchedule headers",
                    answer.status
                ),
            )
        }
        Err(error) => (false, error.to_string()),
    };
    notes.check(STEP, SECTION, good, text);
}

struct Question<'a> {
    client: &'a Client,
    place: &'a Place,
}

impl Question<'_> {
    async fn get(&self, query: &str, etag: Option<&HeaderValue>) -> Result<Response, ClientError> {
        self.send(Method::GET, query, etag).await
    }

    async fn send(
        &self,
        method: Method,
        query: &str,
        etag: Option<&HeaderValue>,
    ) -> Result<Response, ClientError> {
        let mut url: Url = self.place.url.clone();
        if !query.is_empty() {
            url.set_query(Some(query));
        }
        let mut headers = HeaderMap::new();
        let agent = HeaderValue::from_static(crate::USER_AGENT);
        headers.insert(header::USER_AGENT, agent);
        if let Some(etag) = etag {
            headers.insert(header::IF_NONE_MATCH, etag.clone());
        }
        let request = Request {
            method,
            url,
            headers,
            body: Bytes::new(),
            policy: self.place.policy.clone(),
            longest: None,
        };
        self.client.send(request).await
    }
}
