//! What receivers take: their capabilities documents, remembered.
//!
//! A document is fresh for as long as its `Cache-Control: max-age` says (an hour if it does not), asked for again with
//! its `ETag` afterwards, and dropped when an answer carries another `iSchedule-Capabilities` number (spec §4).

use super::post::Failure;
use bytes::Bytes;
use convoke_ischedule::{Capabilities, headers::ISCHEDULE_CAPABILITIES, xml::Limits};
use convoke_net::http_client::{Client, ConnectPolicy, Request, Response, freshness};
use convoke_sdk::Receiver;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use url::Url;

const DEFAULT_AGE: Duration = Duration::from_secs(3600);
/// Receivers remembered at once; beyond that the older half is forgotten.
const MAX_KNOWN: usize = 10_000;

/// The capabilities documents of receivers, by the URL that discovery gave.
#[derive(Default)]
pub(super) struct CapabilitiesCache {
    documents: Mutex<HashMap<Url, Arc<Document>>>,
}

/// A receiver's document and where its messages go.
#[derive(Clone)]
pub(super) struct Document {
    pub(super) capabilities: Capabilities,
    /// Where to POST: the URL that discovery gave, or where it moved for good.
    pub(super) target: Url,
    etag: Option<HeaderValue>,
    read: Instant,
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
        let known = self.lock().get(url).cloned();
        if let Some(document) = &known
            && Instant::now() < document.fresh_until
        {
            return Ok(document.clone());
        }
        let response = client.send(question(receiver, known.as_deref())).await?;
        let document = match (response.status, known) {
            (StatusCode::NOT_MODIFIED, Some(known)) => refreshed(&known, &response),
            (StatusCode::OK, _) => read(url, &response)?,
            (status, _) => return Err(Failure::NoCapabilities { status }),
        };
        let document = Arc::new(document);
        self.remember(url.clone(), document.clone());
        Ok(document)
    }

    /// Forgets a document if an answer of its receiver carries another number.
    pub(super) fn check(&self, receiver: &Receiver, document: &Document, answer: &HeaderMap) {
        let stated = answer
            .get(ISCHEDULE_CAPABILITIES)
            .and_then(|value| value.to_str().ok());
        let serial = stated.and_then(|text| text.trim().parse::<u64>().ok());
        if serial.is_some_and(|serial| serial != document.capabilities.serial) {
            self.lock().remove(receiver.url.url());
        }
    }

    fn remember(&self, url: Url, document: Arc<Document>) {
        let mut documents = self.lock();
        if documents.len() >= MAX_KNOWN {
            let mut ages: Vec<Instant> = documents.values().map(|document| document.read).collect();
            let median = *ages.select_nth_unstable(MAX_KNOWN / 2).1;
            documents.retain(|_, document| document.read > median);
        }
        documents.insert(url, document);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Url, Arc<Document>>> {
        self.documents
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// How far requests to a receiver may reach.
pub(super) fn connect_policy(receiver: &Receiver) -> ConnectPolicy {
    ConnectPolicy {
        administered: receiver.administered,
        tls_name: receiver.tls_name.as_ref().map(ToString::to_string),
    }
}

fn question(receiver: &Receiver, known: Option<&Document>) -> Request {
    let mut url = receiver.url.url().clone();
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
    let now = Instant::now();
    Ok(Document {
        capabilities,
        target: target(url, response.moved_to.as_ref()),
        etag: response.headers.get(header::ETAG).cloned(),
        read: now,
        fresh_until: now + freshness(&response.headers, DEFAULT_AGE),
    })
}

fn refreshed(known: &Document, response: &Response) -> Document {
    let now = Instant::now();
    let etag = response
        .headers
        .get(header::ETAG)
        .or(known.etag.as_ref())
        .cloned();
    Document {
        etag,
        read: now,
        fresh_until: now + freshness(&response.headers, DEFAULT_AGE),
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
