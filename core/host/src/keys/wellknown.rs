//! Keys on the web server of their domain (spec §7, `http/well-known`).
//!
//! The SRV records of `_domainkey_lookup._tcp` name the servers, in their order; the first that answers decides. Its
//! certificate must be that of the SRV target.

use super::{Answer, LONGEST_DOCUMENT, Unavailable, records};
use bytes::Bytes;
use convoke_dns::{Resolver, Server, in_order};
use convoke_net::http_client::{Client, ClientError, ConnectPolicy, Request, freshness};
use convoke_types::Domain;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use std::time::{Duration, Instant};
use url::Url;

/// How long a document is used whose server does not say.
const UNSAID: Duration = Duration::from_secs(300);
/// How long it is believed that a server has no such document.
const LONGEST_NO: Duration = Duration::from_secs(60);
/// Servers that are tried.
const MAX_SERVERS: usize = 5;

/// What the domain publishes for the selector.
pub(super) async fn find(
    dns: &Resolver,
    (client, policy): (&Client, &ConnectPolicy),
    domain: &Domain,
    selector: &str,
) -> Result<Answer, Unavailable> {
    let servers = dns
        .servers(&format!("_domainkey_lookup._tcp.{domain}"))
        .await?;
    let mut last = None;
    for server in in_order(servers.records).into_iter().take(MAX_SERVERS) {
        let Some(url) = url(&server, domain, selector) else {
            continue;
        };
        match ask(client, policy, url).await {
            Ok(answer) => {
                return Ok(Answer {
                    until: answer.until.min(servers.until),
                    ..answer
                });
            }
            Err(error) => last = Some(error),
        }
    }
    match last {
        None => Ok(Answer::none(servers.until)),
        Some(error) => Err(error),
    }
}

/// `None` for a target that is no host.
fn url(server: &Server, domain: &Domain, selector: &str) -> Option<Url> {
    let Server { target, port, .. } = server;
    Url::parse(&format!(
        "https://{target}:{port}/.well-known/domainkey/{domain}/{selector}"
    ))
    .ok()
}

async fn ask(client: &Client, policy: &ConnectPolicy, url: Url) -> Result<Answer, Unavailable> {
    let place = url.to_string();
    let mut headers = HeaderMap::new();
    headers.insert(header::ACCEPT, HeaderValue::from_static("text/plain"));
    headers.insert(
        header::USER_AGENT,
        HeaderValue::from_static(crate::USER_AGENT),
    );
    let request = Request {
        method: Method::GET,
        url,
        headers,
        body: Bytes::new(),
        policy: policy.clone(),
        longest: Some(LONGEST_DOCUMENT),
    };
    let response = match client.send(request).await {
        Ok(response) => response,
        // No time will make that address one we go to.
        Err(error @ ClientError::Forbidden { .. }) => {
            tracing::warn!(event = "key-not-looked-up", %place, "a key is not looked up: {error}");
            return Ok(Answer::none(Instant::now() + LONGEST_NO));
        }
        Err(error) => return Err(Unavailable(error.to_string())),
    };
    let status = response.status;
    let fresh = freshness(&response.headers, UNSAID);
    if status == StatusCode::OK {
        let text = String::from_utf8_lossy(&response.body);
        return Ok(Answer {
            records: records(&place, text.lines()),
            until: Instant::now() + fresh,
        });
    }
    let may_change =
        status == StatusCode::TOO_MANY_REQUESTS || status == StatusCode::REQUEST_TIMEOUT;
    if status.is_client_error() && !may_change {
        return Ok(Answer::none(Instant::now() + fresh.min(LONGEST_NO)));
    }
    Err(Unavailable(format!("{place} answered {status}")))
}
