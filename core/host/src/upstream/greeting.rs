//! What the server behind the listener says to somebody who has not logged in.

use super::{
    connection::connect,
    exchange::{Outgoing, innermost},
};
use crate::config::UpstreamServer;
use bytes::Bytes;
use convoke_net::http_client::{Client, ClientError};
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use std::time::Duration;

/// How long the server may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// How the server greets somebody who has not logged in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Greeting {
    /// It wants a log-in.
    AsksWho,
    /// It does not.
    AsksNobody,
    /// It tells people by itself (RFC 6638).
    SchedulesItself,
    /// It does not know `WebDAV` at this path.
    NoDav(StatusCode),
}

/// Asks the server; an error says what to do.
pub(crate) async fn greeting(client: &Client, server: &UpstreamServer) -> Result<Greeting, String> {
    let greeting = tokio::time::timeout(PATIENCE, ask(client, server));
    greeting.await.unwrap_or_else(|_| {
        Err(format!(
            "{server} does not answer within {PATIENCE:?}; is it up?"
        ))
    })
}

async fn ask(client: &Client, server: &UpstreamServer) -> Result<Greeting, String> {
    let answer = request(client, server, "OPTIONS").await?;
    let classes = answer.headers().get_all("dav").iter();
    let mut classes = classes.flat_map(|it| it.to_str().unwrap_or_default().split(','));
    if classes.any(|it| it.trim() == "calendar-auto-schedule") {
        return Ok(Greeting::SchedulesItself);
    }
    let answer = request(client, server, "PROPFIND").await?;
    Ok(match answer.status() {
        StatusCode::UNAUTHORIZED => Greeting::AsksWho,
        StatusCode::MULTI_STATUS => Greeting::AsksNobody,
        status => Greeting::NoDav(status),
    })
}

async fn request(
    client: &Client,
    server: &UpstreamServer,
    method: &str,
) -> Result<http::Response<hyper::body::Incoming>, String> {
    let stream = connect(client, server).await;
    let stream = stream.map_err(|error| format!("{error}{}", advice(&error)))?;
    let broken = |error: hyper::Error| {
        format!(
            "{server} gives no answer of HTTP: {}; is it http or https?",
            innermost(&error)
        )
    };
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(broken)?;
    // It ends with the answer.
    tokio::spawn(connection);
    let body: Outgoing = Full::new(Bytes::new())
        .map_err(|it| match it {})
        .boxed_unsync();
    let mut request = Request::new(body);
    *request.method_mut() = Method::from_bytes(method.as_bytes()).unwrap_or_default();
    *request.uri_mut() = format!("{}/", server.path).parse().unwrap_or_default();
    let host = header::HeaderValue::from_str(&server.authority());
    if let Ok(host) = host {
        request.headers_mut().insert(header::HOST, host);
    }
    let depth = header::HeaderValue::from_static("0");
    request.headers_mut().insert("depth", depth);
    sender.send_request(request).await.map_err(broken)
}

/// What to do about a server that cannot be reached.
pub(super) fn advice(error: &ClientError) -> &'static str {
    match error {
        ClientError::Tls { .. } => {
            "; if its certificate is self-signed, or of an authority of your own, name that in `[client] ca`"
        }
        _ => "; is it up?",
    }
}
