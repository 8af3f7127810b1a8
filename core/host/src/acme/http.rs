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
};

/// The longest answer of an authority: a chain of certificates, at most.
const LONGEST: usize = 1 << 20;

/// The client of one authority. What it says of coming back later is remembered.
#[derive(Clone)]
pub(super) struct AuthorityClient {
    client: Client,
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
    pub(super) fn new(client: Client) -> Self {
        Self {
            client,
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
        let url = head.uri.to_string().parse().map_err(other)?;
        let Ok(body) = body.collect().await;
        let answer = self.client.send(Request {
            method: head.method,
            url,
            headers: head.headers,
            body: body.to_bytes(),
            policy: ConnectPolicy {
                administered: true,
                tls_name: None,
            },
            longest: Some(LONGEST),
        });
        let answer = answer.await.map_err(other)?;
        let status = answer.status;
        if status.is_client_error() || status.is_server_error() {
            let now = Timestamp::now();
            let wait = retry_after(&answer.headers, now);
            let wait = wait.and_then(|it| now.checked_add(it).ok());
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
