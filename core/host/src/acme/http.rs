//! Requests to an authority, over the host's own HTTPS client.

use crate::retry_after::retry_after;
use bytes::Bytes;
use convoke_net::http_client::{Client, ConnectPolicy, Request};
use http::{StatusCode, header};
use http_body_util::{BodyExt, Full};
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use jiff::Timestamp;
use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use url::{Origin, Url};

/// The longest answer of an authority: a chain of certificates, at most.
const LONGEST: usize = 1 << 20;

/// The longest pause between two questions about an order; what the authority wants beyond is heard when it refuses something.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// The client of one authority. What it says of coming back later is remembered.
#[derive(Clone)]
pub(super) struct AuthorityClient {
    client: Client,
    /// Where its directory is, which the administrator has named.
    named: Origin,
    retry_after: Arc<Mutex<Option<Timestamp>>>,
}

/// An answer that is no problem document, although it says that something is wrong.
#[derive(Debug, thiserror::Error)]
#[error("{host} answered {status}")]
struct Unexpected {
    host: String,
    status: StatusCode,
}

impl AuthorityClient {
    pub(super) fn new(client: Client, named: Origin) -> Self {
        Self {
            client,
            named,
            retry_after: Arc::default(),
        }
    }

    /// Before when the authority does not want to hear of us, as of its last refusal.
    pub(super) fn retry_after(&self) -> Option<Timestamp> {
        *self
            .retry_after
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    async fn send(
        self,
        request: http::Request<BodyWrapper<Bytes>>,
    ) -> Result<BytesResponse, Error> {
        let (head, body) = request.into_parts();
        let url: Url = head.uri.to_string().parse().map_err(other)?;
        // A directory may lead anywhere.
        let administered = url.origin() == self.named;
        let Ok(body) = body.collect().await;
        let answer = self.client.send(Request {
            method: head.method,
            url,
            headers: head.headers,
            body: body.to_bytes(),
            policy: ConnectPolicy {
                administered,
                tls_name: None,
            },
            longest: Some(LONGEST),
        });
        let mut answer = answer.await.map_err(other)?;
        let status = answer.status;
        let now = Timestamp::now();
        let wait = retry_after(&answer.headers, now);
        // The library adds it to the time of now, which has an end, and waits for it.
        if wait.is_none_or(|it| it > LONGEST_WAIT) {
            answer.headers.remove(header::RETRY_AFTER);
        }
        if status.is_client_error() || status.is_server_error() {
            let wait = wait.map(|it| now.checked_add(it).unwrap_or(Timestamp::MAX));
            *self
                .retry_after
                .lock()
                .unwrap_or_else(PoisonError::into_inner) = wait;
            if !is_json(&answer.headers) {
                let host = answer.url.host_str().unwrap_or_default().to_owned();
                return Err(other(Unexpected { host, status }));
            }
        }
        let mut response = http::Response::new(Full::new(answer.body));
        *response.status_mut() = status;
        *response.headers_mut() = answer.headers;
        Ok(response.into())
    }
}

impl HttpClient for AuthorityClient {
    fn request(
        &self,
        request: http::Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        Box::pin(self.clone().send(request))
    }
}

fn other(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Other(Box::new(error))
}

/// `application/problem+json`, or `application/json`.
fn is_json(headers: &http::HeaderMap) -> bool {
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|it| it.to_str().ok());
    kind.is_some_and(|it| it.contains("json"))
}
