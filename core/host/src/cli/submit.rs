//! Messages handed to a running host: the submission listener's client.
//!
//! On the host itself the configuration tells where it listens, and the token in its state folder lets in whoever can
//! read it. Elsewhere `--server URL` names it and a password is asked for. A password never goes over plain HTTP, except
//! to this machine.

use super::{Global, output::Failure};
use crate::{
    config::{Config, Role},
    state_folder::{self, ListenerNote},
    wire,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use clap::Args;
use convoke_calendar::{itip::Outgoing, message::Message};
use convoke_ischedule::{
    ContentType, ErrorDocument, Recipient, RequestHeaders, ScheduleResponse, WELL_KNOWN,
    xml::Limits,
};
use convoke_net::{
    http_client::{self, ConnectPolicy},
    http_server::TlsFiles,
    pem,
    trusted_certificates::TrustedCertificates,
};
use convoke_scheduling::{Answered, Submit};
use convoke_types::CalendarAddress;
use http::{HeaderValue, Method, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use rustls::pki_types::CertificateDer;
use std::{net::SocketAddr, path::Path, time::Duration};
use tokio::net::TcpStream;
use url::{Host as UrlHost, Url};

/// The host asks other servers for as long as `client.request_timeout` says; this is longer.
const PATIENCE: Duration = Duration::from_secs(300);
const LONGEST_ANSWER: usize = 16 << 20;

/// Which host, and as whom; for every command that talks to one.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct To {
    /// The submission listener of a host elsewhere, https; asks for a password, or takes `CONVOKE_PASSWORD`
    #[arg(long, value_name = "URL")]
    server: Option<Url>,
    /// Who logs in at --server, if it is not whom the message is from
    #[arg(long, value_name = "ADDR", requires = "server")]
    login: Option<String>,
}

impl To {
    /// Whether it is a host whose stores are not at hand.
    pub(super) const fn is_elsewhere(&self) -> bool {
        self.server.is_some()
    }
}

/// A host that takes messages.
pub(crate) struct Submission {
    /// What messages call it.
    shown: String,
    /// What to do if it is not there.
    remedy: String,
    url: Url,
    authorization: HeaderValue,
    way: Way,
}

enum Way {
    /// On this machine, without TLS.
    Plain(SocketAddr),
    /// Verified.
    Https(http_client::Client, ConnectPolicy),
}

impl Submission {
    /// The host that `to` and the configuration mean; `originator` is who logs in elsewhere.
    pub(super) fn find(
        to: &To,
        global: &Global,
        originator: &CalendarAddress,
    ) -> Result<Self, Failure> {
        match &to.server {
            Some(url) => Self::elsewhere(url, to.login.as_deref(), originator),
            None => Self::here(&global.config()?),
        }
    }

    /// The running host of a configuration.
    pub(crate) fn here(config: &Config) -> Result<Self, Failure> {
        let file = config.file.display();
        let listener = config.listener(Role::Submission).ok_or_else(|| {
            Failure::new(format!(
                "{file} has no listener that takes messages; add one: [[listener]] role = \"submission\" \
                 address = \"127.0.0.1:8008\""
            ))
        })?;
        let state = &config.server.state;
        let remedy = format!("start it with `convoke serve --config {file}`");
        let noted = state_folder::listener_notes(state)
            .into_iter()
            .find(|note| note.role == Role::Submission.as_str());
        let note = noted.unwrap_or(ListenerNote {
            role: Role::Submission.as_str().to_owned(),
            address: listener.address,
            tls: listener.tls.is_some(),
        });
        let address = reachable(note.address);
        let token = state_folder::token(state)
            .map_err(|error| no_token(state, address, &remedy, &error))?;
        let way = match &listener.tls {
            Some(tls) => own_tls(tls)?,
            None => Way::Plain(address),
        };
        let scheme = if listener.tls.is_some() {
            "https"
        } else {
            "http"
        };
        Ok(Self {
            shown: address.to_string(),
            remedy,
            url: url(&format!("{scheme}://{address}{WELL_KNOWN}"))?,
            authorization: secret(&format!("Bearer {token}"))?,
            way,
        })
    }

    fn elsewhere(
        server: &Url,
        login: Option<&str>,
        originator: &CalendarAddress,
    ) -> Result<Self, Failure> {
        let mut url = server.clone();
        if matches!(url.path(), "" | "/") {
            url.set_path(WELL_KNOWN);
        }
        let way = match url.scheme() {
            "https" => Way::Https(client(Vec::new())?, administered(None)),
            "http" => Way::Plain(this_machine(&url)?),
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
            shown: url.to_string(),
            remedy: "look at its address, and whether it runs".to_owned(),
            authorization: secret(&format!("Basic {credentials}"))?,
            url,
            way,
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
            Failure::new(format!("{} has not answered for {PATIENCE:?}", self.shown))
        })??;
        if status == StatusCode::OK {
            return ScheduleResponse::read(&body, &Limits::default()).map_err(|error| {
                Failure::new(format!(
                    "the answer of {} is no schedule-response ({error}); is it the submission listener?",
                    self.shown
                ))
            });
        }
        Err(self.refused(status, &body))
    }

    fn request(
        &self,
        message: &Message,
        originator: &CalendarAddress,
        recipients: &[CalendarAddress],
    ) -> http_client::Request {
        let mut headers = RequestHeaders {
            message_id: Some(uuid::Uuid::now_v7().to_string()),
            originator: originator.clone(),
            recipients: recipients.iter().cloned().map(Recipient::new).collect(),
            content: ContentType::new(message.kind().as_str(), message.method().as_str()),
        }
        .to_headers();
        headers.insert(header::AUTHORIZATION, self.authorization.clone());
        headers.insert(
            header::USER_AGENT,
            HeaderValue::from_static(crate::USER_AGENT),
        );
        http_client::Request {
            method: Method::POST,
            url: self.url.clone(),
            headers,
            body: Bytes::from(message.calendar().write()),
            policy: match &self.way {
                Way::Https(_, policy) => policy.clone(),
                Way::Plain(_) => ConnectPolicy::default(),
            },
            longest: None,
        }
    }

    async fn exchange(
        &self,
        request: http_client::Request,
    ) -> Result<(StatusCode, Bytes), Failure> {
        match &self.way {
            Way::Plain(address) => self.plain(*address, request).await,
            Way::Https(client, _) => {
                let response = client.send(request).await.map_err(|error| {
                    Failure::new(format!(
                        "{} cannot be asked: {error}; {}",
                        self.shown, self.remedy
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
        let stream = TcpStream::connect(address).await.map_err(|_| {
            Failure::new(format!(
                "no convoke is listening on {}; {}",
                self.shown, self.remedy
            ))
        })?;
        let broken = |error: hyper::Error| {
            Failure::new(format!(
                "{} ended the connection: {error}; see its log",
                self.shown
            ))
        };
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(broken)?;
        tokio::spawn(connection);
        let mut built = http::Request::new(Full::new(request.body));
        *built.method_mut() = request.method;
        *built.headers_mut() = request.headers;
        *built.uri_mut() = http::Uri::from_static(WELL_KNOWN);
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
                    self.shown
                ))
            })?;
        Ok((head.status, body.to_bytes()))
    }

    /// The host takes the message from nobody, or not this one.
    fn refused(&self, status: StatusCode, body: &[u8]) -> Failure {
        if status == StatusCode::UNAUTHORIZED {
            return Failure::new(format!(
                "{} does not let you in: the password or token is not the right one",
                self.shown
            ));
        }
        let Ok(document) = ErrorDocument::read(body, &Limits::default()) else {
            return Failure::new(format!(
                "{} answers {status} and does not say why; is it the submission listener?",
                self.shown
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

impl Submit for Submission {
    type Failure = Failure;

    async fn submit(&self, outgoing: &Outgoing) -> Result<Vec<Answered>, Failure> {
        let Outgoing {
            message,
            originator,
            recipients,
        } = outgoing;
        let response = self.hand_in(message, originator, recipients).await?;
        let answers = response.responses.into_iter();
        Ok(answers
            .map(|answer| (answer.recipient.clone(), wire::outcome(answer)))
            .collect())
    }
}

/// A host that listens everywhere is reached on this machine.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}

fn no_token(state: &Path, address: SocketAddr, remedy: &str, error: &std::io::Error) -> Failure {
    if error.kind() == std::io::ErrorKind::NotFound {
        return Failure::new(match address.port() {
            0 => format!("no convoke is running; {remedy}"),
            _ => format!("no convoke is listening on {address}; {remedy}"),
        });
    }
    Failure::new(format!(
        "the token in {} cannot be read ({error}); do this as the host's user, or log in with --server URL",
        state.display()
    ))
}

/// TLS to our own host: its very certificate is believed, by the first name in it.
fn own_tls(tls: &TlsFiles) -> Result<Way, Failure> {
    let mut chain =
        pem::certificates(&tls.certificate).map_err(|error| Failure::new(error.to_string()))?;
    // Those behind it are authorities that vouch for many others.
    chain.truncate(1);
    let name = chain.first().and_then(first_name);
    let own = TrustedCertificates {
        file: tls.certificate.clone(),
        certificates: chain,
        domains: Vec::new(),
    };
    Ok(Way::Https(client(vec![own])?, administered(name)))
}

fn first_name(certificate: &CertificateDer<'_>) -> Option<String> {
    convoke_net::certificate::names(certificate)
        .into_iter()
        .find(|name| !name.starts_with('*'))
}

fn client(ca: Vec<TrustedCertificates>) -> Result<http_client::Client, Failure> {
    let settings = http_client::Settings {
        ca,
        request_timeout: PATIENCE,
        redirects: 0,
        response_size: LONGEST_ANSWER,
        ..http_client::Settings::default()
    };
    http_client::Client::new(settings).map_err(|error| Failure::new(error.to_string()))
}

/// Whoever calls the command has named the server.
const fn administered(tls_name: Option<String>) -> ConnectPolicy {
    ConnectPolicy {
        administered: true,
        tls_name,
    }
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

fn url(text: &str) -> Result<Url, Failure> {
    Url::parse(text).map_err(|error| Failure::new(format!("{text} is no URL: {error}")))
}

fn secret(text: &str) -> Result<HeaderValue, Failure> {
    let mut value = HeaderValue::try_from(text).map_err(|_| {
        Failure::new("the token or password holds a character that HTTP cannot carry")
    })?;
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
