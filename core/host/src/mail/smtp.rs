//! The mail server that takes what we send, over SMTP (RFC 5321).
//!
//! A mail goes to one recipient, so that each reply is about that one. What the server says of a recipient or of the mail
//! (RCPT, DATA) is told apart from what it says of us: a server that wants no greeting, log-in or sender of ours is to be put
//! right by the administrator, and refuses nobody's mail for good.

use super::stream::{Bounded, Lent, Secured};
use crate::config::{Mail as MailConfig, MailLogin, SmtpSecurity, SmtpServer};
use convoke_file_access::{PrivateFileError, read_private_up_to};
use convoke_imip::{Gateway, Mail};
use convoke_net::http_client::Client;
use lettre::{
    Address,
    transport::smtp::{
        authentication::{Credentials, Mechanism},
        client::{AsyncSmtpConnection, AsyncTokioStream},
        commands::{Data, Mail as MailCommand, Rcpt, Starttls},
        extension::{ClientId, Extension, MailBodyParameter, MailParameter},
        response::Response,
    },
};
use memchr::memmem;
use std::{
    error::Error as _,
    fmt,
    future::Future,
    io,
    net::SocketAddr,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::{sync::Semaphore, time::timeout};

/// Connections to the server at once.
const CONNECTIONS: usize = 8;
/// For so long an unused connection is kept: servers close them after some minutes.
const IDLE: Duration = Duration::from_secs(20);
/// How many times as long as for anything else the server may take. With the 30 seconds of `[client] request_timeout`, that is what
/// RFC 5321 §4.5.3.2 asks for: five minutes for a recipient, which it may look up elsewhere, two to be ready, and ten until it has put
/// a whole mail on its disk and its filters have looked at it. Whoever does not wait sends it twice.
const RECIPIENT: u32 = 10;
const READY: u32 = 4;
const FINAL_REPLY: u32 = 20;
/// The longest reply that is shown to people, in characters.
const LONGEST: usize = 200;
/// The longest password, in bytes.
const LONGEST_PASSWORD: usize = 4096;

/// A mail server. Connections are used again.
pub struct MailServer {
    client: Client,
    server: SmtpServer,
    credentials: Option<Credentials>,
    hello: ClientId,
    /// For each reply.
    patience: Duration,
    idle: Mutex<Vec<(Instant, AsyncSmtpConnection)>>,
    permits: Semaphore,
}

/// A mail was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    /// The server cannot be reached or does not want to speak with us: nothing is known of the recipient.
    #[error("{0}")]
    Unavailable(String),
    /// The connection broke before the server had answered the whole mail: nobody knows whether it is the server's to deliver now.
    #[error("{0}")]
    InDoubt(String),
    /// The same, where the server had all of its time: it may do the same with the mail each time.
    #[error("{0}")]
    Silent(String),
    /// The server wants it later (4xx).
    #[error("the mail server asks to come again: {0}")]
    Later(String),
    /// The server refuses it for good (5xx).
    #[error("the mail server refused it: {0}")]
    Refused(String),
}

/// What a command is about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum About {
    /// Us: the connection, our name, our sender.
    Us,
    /// The recipient, or the mail.
    Mail,
    /// The whole mail, which has left.
    Content,
}

impl About {
    /// There is no reply in time.
    const fn silent(self, reason: String) -> NotTaken {
        match self {
            Self::Us | Self::Mail => NotTaken::Unavailable(reason),
            Self::Content => NotTaken::Silent(reason),
        }
    }

    /// There is no reply, or none that can be read.
    const fn unanswered(self, reason: String) -> NotTaken {
        match self {
            Self::Us | Self::Mail => NotTaken::Unavailable(reason),
            Self::Content => NotTaken::InDoubt(reason),
        }
    }
}

impl MailServer {
    /// The server of a configuration, which is not spoken to yet. `patience` is how long it may take for each reply.
    pub fn new(
        config: &MailConfig,
        client: Client,
        patience: Duration,
    ) -> Result<Self, PrivateFileError> {
        let login = config.login.as_ref();
        Ok(Self {
            client,
            server: config.smtp.clone(),
            credentials: login.map(credentials).transpose()?,
            hello: hello(&config.gateway),
            patience,
            idle: Mutex::default(),
            permits: Semaphore::new(CONNECTIONS),
        })
    }

    /// Which server it is.
    pub const fn server(&self) -> &SmtpServer {
        &self.server
    }

    /// Hands a mail to the server: its reply once the mail is its own to deliver.
    pub async fn send(&self, mail: &Mail) -> Result<String, NotTaken> {
        let mut connection = self.connection().await?;
        let sent = self.transaction(&mut connection.inner, mail).await;
        let is_usable = !matches!(
            sent,
            Err(NotTaken::Unavailable(_) | NotTaken::InDoubt(_) | NotTaken::Silent(_))
        );
        if is_usable {
            connection.keep();
        }
        sent
    }

    /// Whether the server would take mail for a recipient: its reply to RCPT. Nothing is sent.
    pub async fn verify(&self, from: &str, to: &str) -> Result<String, NotTaken> {
        let mut connection = self.connection().await?;
        let asked = self
            .envelope(&mut connection.inner, from, to, Vec::new())
            .await;
        if !matches!(asked, Err(NotTaken::Unavailable(_))) {
            connection.keep();
        }
        asked
    }

    async fn transaction(
        &self,
        connection: &mut AsyncSmtpConnection,
        mail: &Mail,
    ) -> Result<String, NotTaken> {
        let parameters = parameters(connection, mail)?;
        let (from, to) = (&mail.envelope_from, &mail.envelope_to);
        self.envelope(connection, from, to, parameters).await?;
        self.reply(About::Mail, "DATA", connection.command(Data), READY)
            .await?;
        let content = connection.message(&mail.octets);
        self.reply(About::Content, "the mail", content, FINAL_REPLY)
            .await
    }

    async fn envelope(
        &self,
        connection: &mut AsyncSmtpConnection,
        from: &str,
        to: &str,
        parameters: Vec<MailParameter>,
    ) -> Result<String, NotTaken> {
        let command = MailCommand::new(Some(address(from)), parameters);
        let command = connection.command(command);
        self.reply(About::Us, "MAIL FROM", command, 1).await?;
        let command = connection.command(Rcpt::new(address(to), Vec::new()));
        self.reply(About::Mail, "RCPT TO", command, RECIPIENT).await
    }

    /// A connection on which a mail may be sent.
    async fn connection(&self) -> Result<Pooled<'_>, NotTaken> {
        let permit = self.permits.acquire().await;
        let permit = permit.map_err(|error| NotTaken::Unavailable(error.to_string()))?;
        let pooled = |inner| Pooled {
            server: self,
            _permit: permit,
            inner,
        };
        while let Some(mut inner) = self.unused() {
            let reset = inner.command("RSET\r\n");
            if self.reply(About::Us, "RSET", reset, 1).await.is_ok() {
                return Ok(pooled(inner));
            }
        }
        self.connect().await.map(pooled)
    }

    fn unused(&self) -> Option<AsyncSmtpConnection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|(since, _)| since.elapsed() < IDLE);
        idle.pop().map(|(_, connection)| connection)
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, NotTaken> {
        let SmtpServer {
            host,
            port,
            security,
        } = &self.server;
        let failed = |error: &dyn fmt::Display| NotTaken::Unavailable(error.to_string());
        let stream = self.client.connect(host, *port).await;
        let stream = stream.map_err(|error| failed(&error))?;
        let peer = stream.peer_addr().map_err(|error| failed(&error))?;
        let mut connection = match security {
            SmtpSecurity::Plain => self.greet(Box::new(stream)).await?,
            SmtpSecurity::Tls => {
                let secured = self.client.start_tls(host, stream).await;
                let secured = secured.map_err(|error| failed(&error))?;
                self.greet(Box::new(Secured::new(secured, peer))).await?
            }
            SmtpSecurity::Opportunistic | SmtpSecurity::Required => {
                let lent = Lent::new(stream);
                let connection = self.greet(Box::new(lent.clone())).await?;
                self.upgrade(connection, &lent, peer).await?
            }
        };
        if let Some(credentials) = &self.credentials {
            let mechanisms = [Mechanism::Plain, Mechanism::Login];
            let login = connection.auth(&mechanisms, credentials);
            self.reply(About::Us, "the log-in", login, 1).await?;
        }
        Ok(connection)
    }

    /// Encrypts a connection, if the server offers it or it must be.
    async fn upgrade(
        &self,
        mut connection: AsyncSmtpConnection,
        lent: &Lent,
        peer: SocketAddr,
    ) -> Result<AsyncSmtpConnection, NotTaken> {
        if !connection.can_starttls() {
            if self.server.security == SmtpSecurity::Opportunistic {
                return Ok(connection);
            }
            let text = "the mail server offers no STARTTLS, and nothing is sent in the clear; see `[mail] starttls`";
            return Err(NotTaken::Unavailable(text.to_owned()));
        }
        let asked = connection.command(Starttls);
        self.reply(About::Us, "STARTTLS", asked, 1).await?;
        drop(connection);
        let stream = lent.take_back().expect("nobody else takes it back");
        let secured = self.client.start_tls(&self.server.host, stream).await;
        let secured = secured.map_err(|error| NotTaken::Unavailable(error.to_string()))?;
        self.greet(Box::new(Secured::upgraded(secured, peer))).await
    }

    /// Waits for the greeting, and says who we are.
    async fn greet(
        &self,
        stream: Box<dyn AsyncTokioStream>,
    ) -> Result<AsyncSmtpConnection, NotTaken> {
        let stream = Box::new(Bounded::new(stream));
        let greeted = AsyncSmtpConnection::connect_with_transport(stream, &self.hello);
        match timeout(self.patience, greeted).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(error)) => Err(self.failure(About::Us, "EHLO", &error)),
            Err(_) => Err(self.no_reply(About::Us, "EHLO", self.patience)),
        }
    }

    async fn reply(
        &self,
        about: About,
        what: &str,
        command: impl Future<Output = Result<Response, lettre::transport::smtp::Error>>,
        times: u32,
    ) -> Result<String, NotTaken> {
        let patience = self.patience.saturating_mul(times);
        match timeout(patience, command).await {
            Ok(Ok(response)) => {
                let lines: Vec<&str> = response.message().collect();
                Ok(shown(&format!("{} {}", response.code(), lines.join(" "))))
            }
            Ok(Err(error)) => Err(self.failure(about, what, &error)),
            Err(_) => Err(self.no_reply(about, what, patience)),
        }
    }

    fn no_reply(&self, about: About, what: &str, patience: Duration) -> NotTaken {
        let server = &self.server;
        about.silent(format!(
            "{server} did not answer {what} within {patience:?}"
        ))
    }

    fn failure(
        &self,
        about: About,
        what: &str,
        error: &lettre::transport::smtp::Error,
    ) -> NotTaken {
        let said = error.source().map(ToString::to_string).unwrap_or_default();
        let Some(code) = error.status() else {
            let said = shown(&error.to_string());
            let server = &self.server;
            return about.unanswered(format!("{server} failed at {what}: {said}"));
        };
        let said = shown(&format!("{code} {said}"));
        let code = code.to_string();
        let about = match about {
            About::Mail if is_about_us(&said) => About::Us,
            about => about,
        };
        // RFC 5321 §3.8: 421 ends the connection. RFC 1870 §6.1: 552 is about the size of the mail, whenever it comes.
        match (about, code.as_str()) {
            (_, "552") => NotTaken::Refused(said),
            (About::Us, _) | (_, "421") => {
                let server = &self.server;
                NotTaken::Unavailable(format!("{server} answered {what} with {said}"))
            }
            _ if error.is_permanent() => NotTaken::Refused(said),
            _ => NotTaken::Later(said),
        }
    }
}

/// Whether a reply to RCPT or DATA, with its code, is about us: many servers, Postfix among them (`smtpd_delay_reject`), say only
/// there that they want no connection, name or sender of ours, or relay nothing for us.
fn is_about_us(reply: &str) -> bool {
    // RFC 5321 §4.2.2: the order of commands and their parameters. RFC 4954 §6, RFC 3207 §4: log-in and encryption.
    if let Some("503" | "504" | "530" | "534" | "535" | "538") = reply.get(..3) {
        return true;
    }
    // RFC 3463 §3.2: X.1.7 and X.1.8 are about the sender's address. RFC 4954 §6: X.7.8 to X.7.12 are about log-ins.
    let status = reply.split(' ').nth(1).unwrap_or_default();
    let detail = status.split_once('.').map_or("", |(_, detail)| detail);
    if let "1.7" | "1.8" | "7.8" | "7.9" | "7.11" | "7.12" = detail {
        return true;
    }
    // X.7.1, "not authorized", is about anybody. So words have to do, as Postfix, Sendmail, Exim and Exchange have them.
    let reply = reply.to_ascii_lowercase();
    [
        "relay access denied",
        "relaying denied",
        "relay not permitted",
        "unable to relay",
        "sender address rejected",
        "client host rejected",
        "helo command rejected",
        "authentication required",
    ]
    .iter()
    .any(|words| reply.contains(words))
}

/// What is said of a mail in MAIL FROM. What people have written goes on as it is, whatever octets it holds.
fn parameters(
    connection: &AsyncSmtpConnection,
    mail: &Mail,
) -> Result<Vec<MailParameter>, NotTaken> {
    let server = connection.server_info();
    let mut parameters = Vec::new();
    // Of wide letters in a header, many mails are older than SMTPUTF8 and go without.
    if server.supports_feature(Extension::SmtpUtfEight) {
        if mail.smtputf8 || !header(&mail.octets).is_ascii() {
            parameters.push(MailParameter::SmtpUtfEight);
        }
    } else if mail.smtputf8 {
        let text = "it takes no addresses outside ASCII (SMTPUTF8)";
        return Err(NotTaken::Refused(text.to_owned()));
    }
    // RFC 6152 §3, RFC 6531 §3.6: SMTPUTF8 includes 8BITMIME.
    if mail.smtputf8 || !mail.octets.is_ascii() {
        if !server.supports_feature(Extension::EightBitMime) {
            let text = "it takes no mail with octets outside ASCII (8BITMIME)";
            return Err(NotTaken::Refused(text.to_owned()));
        }
        parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
    }
    Ok(parameters)
}

fn header(octets: &[u8]) -> &[u8] {
    let end = memmem::find(octets, b"\r\n\r\n");
    &octets[..end.unwrap_or(octets.len())]
}

/// A connection in use.
struct Pooled<'a> {
    server: &'a MailServer,
    _permit: tokio::sync::SemaphorePermit<'a>,
    inner: AsyncSmtpConnection,
}

impl Pooled<'_> {
    /// Somebody else may use it, if it still works.
    fn keep(self) {
        if self.inner.has_broken() {
            return;
        }
        let idle = &self.server.idle;
        let mut idle = idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.push((Instant::now(), self.inner));
    }
}

fn credentials(login: &MailLogin) -> Result<Credentials, PrivateFileError> {
    let password = read_private_up_to(&login.password_file, LONGEST_PASSWORD)?;
    let password = String::from_utf8_lossy(&password).into_owned();
    let password = password.lines().next().unwrap_or_default().to_owned();
    if password.is_empty() {
        let text = "its first line is empty, where the password has to be";
        return Err(io::Error::new(io::ErrorKind::InvalidData, text).into());
    }
    Ok(Credentials::new(login.user.clone(), password))
}

/// What we call ourselves: the domain that mail comes back to.
fn hello(gateway: &Gateway) -> ClientId {
    let domain = gateway.address().domain();
    domain.map_or_else(
        |_| ClientId::default(),
        |domain| ClientId::Domain(domain.as_str().to_owned()),
    )
}

/// An address of an envelope, which `convoke-imip` has written.
fn address(spec: &str) -> Address {
    let (local, domain) = spec.rsplit_once('@').unwrap_or((spec, ""));
    Address::new_dangerous(local, domain)
}

/// One line, not too long.
fn shown(said: &str) -> String {
    let words: Vec<&str> = said
        .split(|c: char| c.is_whitespace() || c.is_control())
        .collect();
    let line = words.into_iter().filter(|word| !word.is_empty());
    let line = line.collect::<Vec<_>>().join(" ");
    convoke_types::excerpt(&line, LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_wants_nothing_of_ours_refuses_no_recipient() {
        for (reply, is_about) in [
            ("554 5.7.1 <bo@example.net>: Relay access denied", true),
            ("550 5.7.1 <bo@example.net>... Relaying denied", true),
            ("550 relay not permitted", true),
            (
                "550 5.7.54 SMTP; Unable to relay recipient in non-accepted domain",
                true,
            ),
            (
                "553 5.7.1 <a@example.org>: Sender address rejected: not owned by user anna",
                true,
            ),
            (
                "550 5.1.8 <a@example.org>: Sender address rejected: Domain not found",
                true,
            ),
            (
                "504 5.5.2 <x>: Helo command rejected: need fully-qualified hostname",
                true,
            ),
            (
                "554 5.7.1 <unknown[192.0.2.1]>: Client host rejected: Access denied",
                true,
            ),
            ("530 5.7.0 Must issue a STARTTLS command first", true),
            ("550 5.7.9 Authentication mechanism is too weak", true),
            (
                "550 5.1.1 <bo@example.net>: Recipient address rejected: User unknown in local recipient table",
                false,
            ),
            (
                "550 5.7.1 <bo@example.net>: Recipient address rejected: Access denied",
                false,
            ),
            ("552 5.2.2 mailbox full", false),
            (
                "450 4.2.0 <bo@example.net>: Recipient address rejected: Greylisted",
                false,
            ),
            ("550", false),
            ("", false),
        ] {
            assert_eq!(is_about_us(reply), is_about, "{reply}");
        }
    }
}
