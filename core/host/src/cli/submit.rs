//! Messages handed to a host elsewhere: the client of its submission listener. A password never goes over plain HTTP, except
//! to this machine.

use super::output::Failure;
use crate::admin::{self, client::Failed};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use convoke_calendar::message::Message;
use convoke_ischedule::{
    ContentType, ErrorDocument, Recipient, RequestHeaders, ScheduleResponse, WELL_KNOWN,
    xml::Limits,
};
use convoke_net::http_client::{self, ConnectPolicy};
use convoke_types::{CalendarAddress, Error};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use std::{io, net::SocketAddr, time::Duration};
use tokio::net::TcpStream;
use url::{Host as UrlHost, Url};

/// The host asks other servers for as long as `client.request_timeout` says; this is longer.
const PATIENCE: Duration = Duration::from_secs(300);
const LONGEST_ANSWER: usize = 16 << 20;

/// A host that takes messages.
pub(crate) struct Submission {
    url: Url,
    authorization: HeaderValue,
    endpoint: Endpoint,
}

enum Endpoint {
    /// On this machine, without TLS.
    Plain(SocketAddr),
    /// Verified.
    Https(http_client::Client),
}

impl Submission {
    /// The submission listener at `server`. Who logs in is the originator, if nobody else is named; the password is asked for,
    /// or is `CONVOKE_PASSWORD`.
    pub(super) fn new(
        server: &Url,
        login: Option<&str>,
        originator: &CalendarAddress,
    ) -> Result<Self, Failure> {
        let mut url = server.clone();
        if matches!(url.path(), "" | "/") {
            url.set_path(WELL_KNOWN);
        }
        let endpoint = match url.scheme() {
            "https" => Endpoint::Https(client()?),
            "http" => Endpoint::Plain(this_machine(&url)?),
            _ => return Err(Failure::usage(format!("{url} is not an https URL"))),
        };
        let login = login.unwrap_or(originator.human());
        let password = match std::env::var("CONVOKE_PASSWORD") {
            Ok(password) => password,
            Err(_) => rpassword::prompt_password(format!("Password of {login} at {url}: "))
                .map_err(|error| {
                    Failure::new(format!(
                        "no password can be asked for ({error}); set CONVOKE_PASSWORD"
                    ))
                })?,
        };
        let credentials = STANDARD.encode(format!("{login}:{password}"));
        Ok(Self {
            authorization: secret(&format!("Basic {credentials}"))?,
            url,
            endpoint,
        })
    }

    /// Hands in a message; one response for each recipient.
    pub(crate) async fn hand_in(
        &self,
        message: &Message,
        originator: &CalendarAddress,
        recipients: &[CalendarAddress],
    ) -> Result<ScheduleResponse, Failure> {
        let request = self.request(message, originator, recipients);
        let exchange = tokio::time::timeout(PATIENCE, self.exchange(request));
        let (status, body) = exchange.await.map_err(|_| {
            Failure::new(format!("{} has not answered for {PATIENCE:?}", self.url))
        })??;
        if status == StatusCode::OK {
            return ScheduleResponse::read(&body, &Limits::default()).map_err(|error| {
                Failure::new(format!(
                    "the answer of {} is no schedule-response ({error}); is it the submission listener?",
                    self.url
                ))
            });
        }
        Err(self.refused(status, &body))
    }

    /// Has the host do something with the calendar of who logs in.
    pub(crate) async fn call<M: admin::api::Method>(&self, asked: &M) -> Result<M::Answer, Failed> {
        let body = serde_json::to_vec(asked).map_err(io::Error::from)?;
        let mut headers = HeaderMap::new();
        let kind = HeaderValue::from_static("application/json");
        headers.insert(header::CONTENT_TYPE, kind);
        let mut url = self.url.clone();
        let base = url.path().strip_suffix(WELL_KNOWN).unwrap_or(url.path());
        let path = format!("{}/v1/{}", base.trim_end_matches('/'), M::NAME);
        url.set_path(&path);
        let request = self.post(url, headers, body.into());
        let exchange = tokio::time::timeout(PATIENCE, self.exchange(request)).await;
        let answered = exchange.map_err(io::Error::from)?;
        let (status, body) = answered.map_err(|failure| io::Error::other(failure.to_string()))?;
        if status == StatusCode::OK {
            return Ok(serde_json::from_slice(&body).map_err(io::Error::from)?);
        }
        Err(match serde_json::from_slice::<Error>(&body) {
            Ok(error) => error.into(),
            Err(_) if status == StatusCode::NOT_FOUND => {
                let text = "is it the submission listener, and of this version?";
                io::Error::other(format!("{path} is not there; {text}")).into()
            }
            Err(_) => io::Error::other(self.refused(status, &body).to_string()).into(),
        })
    }

    fn request(
        &self,
        message: &Message,
        originator: &CalendarAddress,
        recipients: &[CalendarAddress],
    ) -> http_client::Request {
        let headers = RequestHeaders {
            message_id: Some(uuid::Uuid::now_v7().to_string()),
            originator: originator.clone(),
            recipients: recipients.iter().cloned().map(Recipient::new).collect(),
            content: ContentType::new(message.kind().as_str(), message.method().as_str()),
        }
        .to_headers();
        let body = Bytes::from(message.calendar().write());
        self.post(self.url.clone(), headers, body)
    }

    fn post(&self, url: Url, mut headers: HeaderMap, body: Bytes) -> http_client::Request {
        headers.insert(header::AUTHORIZATION, self.authorization.clone());
        headers.insert(
            header::USER_AGENT,
            HeaderValue::from_static(crate::USER_AGENT),
        );
        http_client::Request {
            method: Method::POST,
            url,
            headers,
            body,
            // Whoever calls the command has named the server.
            policy: ConnectPolicy {
                administered: true,
                tls_name: None,
            },
            longest: None,
        }
    }

    async fn exchange(
        &self,
        request: http_client::Request,
    ) -> Result<(StatusCode, Bytes), Failure> {
        match &self.endpoint {
            Endpoint::Plain(address) => self.plain(*address, request).await,
            Endpoint::Https(client) => {
                let response = client.send(request).await.map_err(|error| {
                    Failure::new(format!(
                        "{} cannot be asked: {error}; check the URL, and whether the host runs",
                        self.url
                    ))
                })?;
                Ok((response.status, response.body))
            }
        }
    }

    async fn plain(
        &self,
        address: SocketAddr,
        request: http_client::Request,
    ) -> Result<(StatusCode, Bytes), Failure> {
        let stream = TcpStream::connect(address).await.map_err(|error| {
            Failure::new(format!(
                "{} cannot be asked: {error}; check the URL, and whether the host runs",
                self.url
            ))
        })?;
        let broken = |error: hyper::Error| {
            Failure::new(format!(
                "{} ended the connection: {error}; see its log",
                self.url
            ))
        };
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(broken)?;
        tokio::spawn(connection);
        let mut built = http::Request::new(Full::new(request.body));
        *built.method_mut() = request.method;
        *built.headers_mut() = request.headers;
        *built.uri_mut() = http::Uri::try_from(request.url.path())
            .map_err(|error| Failure::new(format!("{}: {error}", request.url)))?;
        let host = HeaderValue::try_from(address.to_string())
            .map_err(|error| Failure::new(format!("{address} is no Host: {error}")))?;
        built.headers_mut().insert(header::HOST, host);
        let (head, body) = sender
            .send_request(built)
            .await
            .map_err(broken)?
            .into_parts();
        let body = Limited::new(body, LONGEST_ANSWER)
            .collect()
            .await
            .map_err(|error| {
                Failure::new(format!(
                    "the answer of {} cannot be read: {error}",
                    self.url
                ))
            })?;
        Ok((head.status, body.to_bytes()))
    }

    /// Why the host does not take the message.
    fn refused(&self, status: StatusCode, body: &[u8]) -> Failure {
        if status == StatusCode::UNAUTHORIZED {
            return Failure::new(format!(
                "{} does not let you in: the password is not the right one",
                self.url
            ));
        }
        let Ok(document) = ErrorDocument::read(body, &Limits::default()) else {
            return Failure::new(format!(
                "{} answers {status} and does not say why; is it the submission listener?",
                self.url
            ));
        };
        let element = document
            .element
            .map_or("error", convoke_ischedule::ErrorElement::name);
        let words = if document.description.is_empty() {
            status.to_string()
        } else {
            document.description
        };
        Failure::new(format!("the host refuses the message ({element}): {words}"))
    }
}

fn client() -> Result<http_client::Client, Failure> {
    let settings = http_client::Settings {
        request_timeout: PATIENCE,
        redirects: 0,
        response_size: LONGEST_ANSWER,
        ..http_client::Settings::default()
    };
    http_client::Client::new(settings).map_err(|error| Failure::new(error.to_string()))
}

/// The address of an `http` URL of this machine.
fn this_machine(url: &Url) -> Result<SocketAddr, Failure> {
    let port = url.port_or_known_default().unwrap_or(80);
    let ip = match url.host() {
        Some(UrlHost::Ipv4(ip)) if ip.is_loopback() => ip.into(),
        Some(UrlHost::Ipv6(ip)) if ip.is_loopback() => ip.into(),
        Some(UrlHost::Domain("localhost")) => std::net::Ipv4Addr::LOCALHOST.into(),
        _ => {
            return Err(Failure::usage(format!(
                "a password does not go over plain HTTP to {url}; use https"
            )));
        }
    };
    Ok(SocketAddr::new(ip, port))
}

fn secret(text: &str) -> Result<HeaderValue, Failure> {
    let mut value = HeaderValue::try_from(text)
        .map_err(|_| Failure::new("the password holds a character that HTTP cannot carry"))?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_never_leaves_this_machine_unencrypted() {
        for (url, expected) in [
            ("http://127.0.0.1:8008/", Some("127.0.0.1:8008")),
            ("http://localhost:8008/", Some("127.0.0.1:8008")),
            ("http://[::1]:8008/", Some("[::1]:8008")),
            ("http://cal.example.org/", None),
            ("http://10.0.0.1/", None),
        ] {
            let found = this_machine(&Url::parse(url).unwrap()).ok();
            assert_eq!(found.map(|it| it.to_string()).as_deref(), expected, "{url}");
        }
    }
}
