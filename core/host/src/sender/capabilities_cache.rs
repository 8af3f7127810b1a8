//! Cache of the capabilities documents of receivers.
//!
//! A document is fresh for as long as its `Cache-Control: max-age` says (an hour if it does not), asked for again with
//! its `ETag` afterwards, and dropped when an answer carries another `iSchedule-Capabilities` number (spec §4).
//!
//! Those in use are in memory; the state holds them over a restart (`kept_document`).

use super::{
    kept_document::{self, KeptDocument},
    post::Failure,
};
use crate::write_behind::WriteBehind;
use bytes::Bytes;
use convoke_ischedule::{Capabilities, headers::ISCHEDULE_CAPABILITIES, xml::Limits};
use convoke_net::http_client::{Client, ConnectPolicy, Request, Response, freshness};
use convoke_plugin_host::StateHandle;
use convoke_sdk::Receiver;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use jiff::{SignedDuration, Timestamp};
use moka::future::Cache;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use url::Url;

const DEFAULT_AGE: Duration = Duration::from_secs(3600);
/// Whatever the state says, for so long a document is believed to be fresh at most.
const LONGEST_FRESH: Duration = Duration::from_secs(24 * 3600);
/// Bytes that all documents may hold together, about.
const MOST_BYTES: u64 = 32 << 20;
/// A receiver that nothing is sent to for so long is forgotten.
const IDLE: Duration = Duration::from_secs(24 * 3600);
/// What a document takes beside its texts, about.
const BESIDE: usize = 1024;
/// What a byte of a document takes in memory at most, about: its shortest elements become strings of their own.
const OF_A_BYTE: usize = 4;

/// The capabilities documents of receivers, by the URL that discovery gave.
pub(super) struct CapabilitiesCache {
    documents: Cache<Url, Arc<Document>>,
    state: StateHandle,
    writes: Arc<WriteBehind>,
}

impl CapabilitiesCache {
    /// What the state holds, and what is written to it.
    pub(super) fn new(state: StateHandle, writes: Arc<WriteBehind>) -> Self {
        Self {
            state,
            writes,
            documents: Cache::builder()
                .max_capacity(MOST_BYTES)
                .weigher(weight)
                .time_to_idle(IDLE)
                .build(),
        }
    }
}

/// How many bytes of memory an entry takes, about.
fn weight(url: &Url, document: &Arc<Document>) -> u32 {
    let urls = url.as_str().len() + document.target.as_str().len();
    u32::try_from(BESIDE + urls + OF_A_BYTE * document.length).unwrap_or(u32::MAX)
}

/// A receiver's document and where its messages go.
#[derive(Clone)]
pub(super) struct Document {
    pub(super) capabilities: Capabilities,
    /// Where to POST: the URL that discovery gave, or where it moved for good.
    pub(super) target: Url,
    etag: Option<HeaderValue>,
    /// In bytes, as it came.
    length: usize,
    fresh_until: Instant,
}

impl CapabilitiesCache {
    /// What the receiver takes, asked for if it is not known or no longer fresh.
    pub(super) async fn of(
        &self,
        client: &Client,
        receiver: &Receiver,
    ) -> Result<Arc<Document>, Failure> {
        let url = receiver.url.url();
        let known = match self.documents.get(&url).await {
            None => self.recall(&url).await,
            known => known,
        };
        if let Some(document) = &known
            && Instant::now() < document.fresh_until
        {
            return Ok(document.clone());
        }
        let question = question(receiver, known.as_deref());
        let response = client.send(question).await.map_err(Failure::Unasked)?;
        let document = match (response.status, known) {
            (StatusCode::NOT_MODIFIED, Some(known)) => refreshed(&known, &response),
            (StatusCode::OK, _) => {
                let document = read(&url, &response)?;
                self.keep(&url, &document, &response);
                document
            }
            (status, _) => return Err(Failure::NoCapabilities { status }),
        };
        let document = Arc::new(document);
        self.documents.insert(url, document.clone()).await;
        Ok(document)
    }

    /// Forgets a document if an answer of its receiver carries another number.
    pub(super) async fn check(&self, receiver: &Receiver, document: &Document, answer: &HeaderMap) {
        let stated = answer
            .get(ISCHEDULE_CAPABILITIES)
            .and_then(|value| value.to_str().ok());
        let serial = stated.and_then(|text| text.trim().parse::<u64>().ok());
        if serial.is_some_and(|serial| serial != document.capabilities.serial) {
            let url = receiver.url.url();
            kept_document::forget(&self.writes, &url);
            self.documents.invalidate(&url).await;
        }
    }

    /// The document that the state holds. One that cannot be read any more is asked for anew.
    async fn recall(&self, url: &Url) -> Option<Arc<Document>> {
        let kept = kept_document::recall(&self.state, url).await?;
        let left = kept.fresh_until.duration_since(Timestamp::now());
        let fresh = Duration::try_from(left).unwrap_or_default();
        let document = Arc::new(Document {
            capabilities: Capabilities::read(kept.document.as_bytes(), &Limits::default()).ok()?,
            target: kept.target,
            etag: kept.etag.and_then(|etag| etag.parse().ok()),
            length: kept.document.len(),
            fresh_until: Instant::now() + fresh.min(LONGEST_FRESH),
        });
        self.documents.insert(url.clone(), document.clone()).await;
        Some(document)
    }

    /// Has the state hold a document by and by; one that may not be kept (`no-store`) is not fresh at all.
    fn keep(&self, url: &Url, document: &Document, response: &Response) {
        let fresh = document
            .fresh_until
            .saturating_duration_since(Instant::now());
        if fresh.is_zero() {
            return;
        }
        let text = String::from_utf8(response.body.to_vec());
        let until =
            SignedDuration::try_from(fresh).and_then(|fresh| Timestamp::now().checked_add(fresh));
        if let (Ok(text), Ok(fresh_until)) = (text, until) {
            let etag = document.etag.as_ref().and_then(|etag| etag.to_str().ok());
            let kept = KeptDocument {
                url: url.clone(),
                target: document.target.clone(),
                etag: etag.map(str::to_owned),
                fresh_until,
                document: text,
            };
            kept_document::keep(&self.writes, &kept, fresh + IDLE);
        }
    }
}

/// How far requests to a receiver may reach.
pub(super) fn connect_policy(receiver: &Receiver) -> ConnectPolicy {
    ConnectPolicy {
        administered: receiver.is_administered(),
        tls_name: receiver.tls_name.as_ref().map(ToString::to_string),
    }
}

fn question(receiver: &Receiver, known: Option<&Document>) -> Request {
    let mut url = receiver.url.url();
    url.query_pairs_mut().append_pair("action", "capabilities");
    let mut headers = HeaderMap::new();
    headers.insert(
        header::ACCEPT,
        HeaderValue::from_static("application/xml, text/xml"),
    );
    headers.insert(
        header::USER_AGENT,
        HeaderValue::from_static(crate::USER_AGENT),
    );
    if let Some(etag) = known.and_then(|document| document.etag.clone()) {
        headers.insert(header::IF_NONE_MATCH, etag);
    }
    Request {
        method: Method::GET,
        url,
        headers,
        body: Bytes::new(),
        policy: connect_policy(receiver),
        longest: None,
    }
}

fn read(url: &Url, response: &Response) -> Result<Document, Failure> {
    let capabilities =
        Capabilities::read(&response.body, &Limits::default()).map_err(Failure::BadDocument)?;
    Ok(Document {
        capabilities,
        target: target(url, response.moved_to.as_ref()),
        etag: response.headers.get(header::ETAG).cloned(),
        length: response.body.len(),
        fresh_until: Instant::now() + freshness(&response.headers, DEFAULT_AGE),
    })
}

fn refreshed(known: &Document, response: &Response) -> Document {
    let etag = response
        .headers
        .get(header::ETAG)
        .or(known.etag.as_ref())
        .cloned();
    Document {
        etag,
        fresh_until: Instant::now() + freshness(&response.headers, DEFAULT_AGE),
        ..known.clone()
    }
}

/// Where messages go: the place the document moved to, without the question that was put there.
fn target(url: &Url, moved_to: Option<&Url>) -> Url {
    let Some(moved) = moved_to else {
        return url.clone();
    };
    let kept: Vec<_> = moved
        .query_pairs()
        .filter(|(name, _)| name != "action")
        .collect();
    let mut target = moved.clone();
    target.set_query(None);
    if !kept.is_empty() {
        target.query_pairs_mut().extend_pairs(kept);
    }
    target
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_go_where_the_document_moved_for_good() {
        let url = |text| Url::parse(text).unwrap();
        let first = url("https://a.example/.well-known/ischedule");
        for (moved, expected) in [
            (None, "https://a.example/.well-known/ischedule"),
            (
                Some("https://a.example/ischedule?action=capabilities"),
                "https://a.example/ischedule",
            ),
            (
                Some("https://b.example/i?x=1&action=capabilities"),
                "https://b.example/i?x=1",
            ),
        ] {
            assert_eq!(target(&first, moved.map(url).as_ref()).as_str(), expected);
        }
    }
}
