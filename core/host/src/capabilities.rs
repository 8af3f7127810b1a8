//! The capabilities document that the receiver publishes (spec §4).
//!
//! The document follows from the configuration. Its serial number must grow when anything in it changes, also across
//! restarts: the last number and what it stood for are kept in `<state>/capabilities.json`. Hosts that share a state agree on the
//! number there, as peers take them for one server; the file says then what was agreed last, for a start at which the state cannot
//! be asked.

use crate::{
    answer::{empty, refused},
    config::Config,
    sharing::Sharing,
    state_folder::write_file,
};
use bytes::Bytes;
use convoke_ischedule::{
    Capabilities, ErrorElement, Refusal, VERSION, XML_TYPE,
    capabilities::{Attachments, Supported},
    headers::{ISCHEDULE_CAPABILITIES, ISCHEDULE_VERSION, NO_CACHE},
};
use convoke_net::http_server::{Body, Response};
use convoke_plugin_host::StateHandle;
use convoke_types::{Batch, ErrorKind, StateEntry};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use serde::{Deserialize, Serialize};
use std::{fs, io, path::Path};

/// How long a peer may keep the document; every answer carries the serial number, so a change is noticed before.
const CACHE_CONTROL: &str = "max-age=3600";

/// Where a host remembers the number, in the state folder.
const FILE: &str = "capabilities.json";
/// Where hosts agree on it that share a state.
const AGREED: &[u8] = b"capabilities";

const SCHEDULED: &[&str] = &[
    "REQUEST",
    "REPLY",
    "ADD",
    "CANCEL",
    "REFRESH",
    "COUNTER",
    "DECLINECOUNTER",
];

/// The capabilities document, ready to be sent.
pub struct CapabilitiesDocument {
    capabilities: Capabilities,
    document: Bytes,
    etag: HeaderValue,
    serial: HeaderValue,
}

/// What the last serial number stood for.
#[derive(Serialize, Deserialize)]
struct Remembered {
    serial: u64,
    document: String,
}

impl CapabilitiesDocument {
    /// What `config` makes of us; the serial number goes on from the last one.
    pub(crate) async fn new(config: &Config, state: &StateHandle) -> io::Result<Self> {
        let mut capabilities = capabilities_of(config);
        let (folder, document) = (&config.server.state, capabilities.to_xml());
        capabilities.serial = match Sharing::of(config) {
            Sharing::Alone => next_serial(folder, &document)?,
            Sharing::Shared => agreed_serial(folder, &document, state).await?,
        };
        let serial = HeaderValue::from(capabilities.serial);
        let etag = format!("\"{}\"", capabilities.serial);
        Ok(Self {
            document: Bytes::from(capabilities.to_xml()),
            etag: HeaderValue::from_str(&etag).expect("digits in quotes make a header value"),
            serial,
            capabilities,
        })
    }

    /// What we take.
    pub fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// Answers `GET ?action=capabilities`.
    pub(crate) fn answer(&self, request: &Request<Body>) -> Response {
        if !asks_for_capabilities(request.uri().query()) {
            let text = "GET takes `?action=capabilities` and nothing else";
            return refused(&Refusal::new(ErrorElement::InvalidSchedulingMessage, text));
        }
        let known = request
            .headers()
            .get_all(header::IF_NONE_MATCH)
            .iter()
            .any(|tags| self.is_known(tags));
        let mut response = if known {
            empty(StatusCode::NOT_MODIFIED, &[])
        } else {
            let head = *request.method() == Method::HEAD;
            let body = if head {
                Bytes::new()
            } else {
                self.document.clone()
            };
            let mut response = Response::new(body.into());
            response
                .headers_mut()
                .insert(header::CONTENT_TYPE, HeaderValue::from_static(XML_TYPE));
            if head {
                response.headers_mut().insert(
                    header::CONTENT_LENGTH,
                    HeaderValue::from(self.document.len()),
                );
            }
            response
        };
        response
            .headers_mut()
            .insert(header::ETAG, self.etag.clone());
        response.headers_mut().insert(
            header::CACHE_CONTROL,
            HeaderValue::from_static(CACHE_CONTROL),
        );
        response
    }

    /// RFC 9110 §13.1.2: weak comparison against each tag of the list.
    fn is_known(&self, tags: &HeaderValue) -> bool {
        let tags = String::from_utf8_lossy(tags.as_bytes());
        tags.split(',').map(str::trim).any(|tag| {
            tag == "*" || tag.strip_prefix("W/").unwrap_or(tag).as_bytes() == self.etag.as_bytes()
        })
    }

    /// What every answer of the receiver carries (spec §4, §5), unless it says itself how long it may be kept.
    pub(crate) fn fields(&self) -> HeaderMap {
        HeaderMap::from_iter([
            (ISCHEDULE_VERSION, HeaderValue::from_static(VERSION)),
            (ISCHEDULE_CAPABILITIES, self.serial.clone()),
            (header::CACHE_CONTROL, NO_CACHE),
        ])
    }
}

fn asks_for_capabilities(query: Option<&str>) -> bool {
    let pairs = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    let actions: Vec<_> = pairs
        .filter(|(name, _)| name == "action")
        .map(|(_, value)| value)
        .collect();
    actions == ["capabilities"]
}

fn capabilities_of(config: &Config) -> Capabilities {
    let limits = &config.limits.messages;
    Capabilities {
        messages: vec![
            Supported::new("VEVENT", SCHEDULED),
            Supported::new("VTODO", SCHEDULED),
            Supported::new("VFREEBUSY", &["REQUEST"]),
        ],
        attachments: Some(Attachments {
            inline: limits.attachments.inline,
            external: limits.attachments.external,
        }),
        max_content_length: Some(limits.content_length as u64),
        min_date_time: Some(limits.earliest),
        max_date_time: Some(limits.latest),
        max_instances: Some(limits.instances as u64),
        max_recipients: Some(config.limits.recipients as u64),
        administrator: config.server.administrator.clone(),
        ..Capabilities::new(0)
    }
}

/// The number that the document (written with serial 0) gets: the last one if nothing changed, else a greater one.
fn next_serial(state: &Path, document: &str) -> io::Result<u64> {
    let last = remembered(state)?;
    let serial = after(last.as_ref(), document);
    if last.is_none_or(|last| last.serial != serial) {
        remember(state, serial, document)?;
    }
    Ok(serial)
}

/// The number that hosts agree on which share a state: the last one if nothing changed, else a greater one.
async fn agreed_serial(folder: &Path, document: &str, state: &StateHandle) -> io::Result<u64> {
    loop {
        let Ok(there) = state.get(AGREED).await else {
            // Named in the log by its handle.
            return next_serial(folder, document);
        };
        let agreed: Option<Remembered> =
            (there.as_ref()).and_then(|it| serde_json::from_slice(&it.value).ok());
        // Whoever comes first goes on from its own.
        let own = remembered(folder)?;
        let serial = after(agreed.as_ref().or(own.as_ref()), document);
        let is_agreed = agreed.is_some_and(|it| it.serial == serial);
        if is_agreed || agree(there.as_ref(), serial, document, state).await? {
            remember(folder, serial, document)?;
            return Ok(serial);
        }
    }
}

/// Whether this is what hosts agree on from now on; not if another host was faster.
async fn agree(
    there: Option<&StateEntry>,
    serial: u64,
    document: &str,
    state: &StateHandle,
) -> io::Result<bool> {
    let batch = match there {
        Some(there) => Batch::new().if_version(AGREED, there.version),
        None => Batch::new().if_absent(AGREED),
    };
    let batch = batch.put(AGREED, written(serial, document)?);
    match state.commit(&batch).await {
        Err(error) => Ok(error.kind() != ErrorKind::Conflict),
        Ok(_) => Ok(true),
    }
}

/// The number after the last one.
fn after(last: Option<&Remembered>, document: &str) -> u64 {
    match last {
        Some(last) if last.document == document => last.serial,
        Some(last) => last.serial + 1,
        // A state folder that was lost must not make the number fall back to one that peers have seen.
        None => u64::try_from(jiff::Timestamp::now().as_second())
            .unwrap_or(1)
            .max(1),
    }
}

fn remembered(folder: &Path) -> io::Result<Option<Remembered>> {
    match fs::read(folder.join(FILE)) {
        Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn remember(folder: &Path, serial: u64, document: &str) -> io::Result<()> {
    write_file(&folder.join(FILE), &written(serial, document)?)
}

fn written(serial: u64, document: &str) -> io::Result<Vec<u8>> {
    let document = document.to_owned();
    Ok(serde_json::to_vec(&Remembered { serial, document })?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_grows_when_the_document_changes_and_only_then() {
        let state = tempfile::tempdir().unwrap();
        let first = next_serial(state.path(), "a").unwrap();
        assert_eq!(next_serial(state.path(), "a").unwrap(), first);
        let second = next_serial(state.path(), "b").unwrap();
        assert!(second > first);
        assert!(next_serial(state.path(), "a").unwrap() > second);
    }

    #[test]
    fn only_one_question_is_answered() {
        for (query, asked) in [
            (Some("action=capabilities"), true),
            (Some("x=1&action=capabilities"), true),
            (Some("action=capabilities&action=other"), false),
            (Some("action=CAPABILITIES"), false),
            (Some("query=capabilities"), false),
            (Some(""), false),
            (None, false),
        ] {
            assert_eq!(asks_for_capabilities(query), asked, "{query:?}");
        }
    }
}
