//! Cache of the capabilities documents of receivers.
//!
//! A document is fresh for as long as its `Cache-Control: max-age` says (an hour if it does not), asked for again with
//! its `ETag` afterwards, and dropped when an answer carries another `iSchedule-Capabilities` number (spec §4).

use super::post::Failure;
use bytes::Bytes;
use convoke_ischedule::{Capabilities, headers::ISCHEDULE_CAPABILITIES, xml::Limits};
use convoke_net::http_client::{Client, ConnectPolicy, Request, Response, freshness};
use convoke_sdk::Receiver;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use moka::future::Cache;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use url::Url;

const DEFAULT_AGE: Duration = Duration::from_secs(3600);
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
}

impl Default for CapabilitiesCache {
    fn default() -> Self {
        Self {
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
        let known = self.documents.get(&url).await;
        if let Some(document) = &known
            && Instant::now() < document.fresh_until
        {
            return Ok(document.clone());
        }
        let response = client.send(question(receiver, known.as_deref())).await?;
        let document = match (response.status, known) {
            (StatusCode::NOT_MODIFIED, Some(known)) => refreshed(&known, &response),
            (StatusCode::OK, _) => read(&url, &response)?,
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
            self.documents.invalidate(&receiver.url.url()).await;
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
