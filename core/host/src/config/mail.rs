//! `[mail]`: how messages leave and come in by mail.

use super::{ConfigError, MailListener, error::Locator};
use convoke_imip::Gateway;
use convoke_types::{CalendarAddress, excerpt};
use serde::{Deserialize, Deserializer, de::Error};
use std::{fmt, net::IpAddr, path::PathBuf};
use toml::Spanned;
use url::{Host, Url};

/// `[mail]`: absent, nobody is reached by mail.
#[derive(Clone, Debug)]
pub struct Mail {
    /// The mail server that takes what we send.
    pub smtp: SmtpServer,
    /// How we log in to it; `None`: not at all.
    pub login: Option<MailLogin>,
    /// The gateway: Sender of what we send, and with `+TOKEN` where answers and bounces come back.
    pub gateway: Gateway,
    /// Whose address stands in From.
    pub from: MailFrom,
    /// What our own people are told by mail.
    pub notify: Notify,
    /// The authserv-ids whose Authentication-Results count, lower-case.
    pub trusted: Vec<String>,
    /// Who takes mail that is no scheduling message; `None`: it is dropped.
    pub pass_on: Option<LmtpServer>,
}

/// A mail server that takes mail by SMTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmtpServer {
    /// A name or an address, without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is encrypted.
    pub security: SmtpSecurity,
}

/// How a connection to a mail server is encrypted. Certificates are verified in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmtpSecurity {
    /// Not at all: the server is on this machine.
    Plain,
    /// By STARTTLS where the server offers it.
    Opportunistic,
    /// By STARTTLS, or nothing is sent.
    Required,
    /// From the first byte (`smtps://`).
    Tls,
}

/// How we log in to a mail server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailLogin {
    /// The name.
    pub user: String,
    /// The file whose first line is the password.
    pub password_file: PathBuf,
}

/// Whose address stands in From.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MailFrom {
    /// The person's own.
    #[default]
    Person,
    /// The gateway's, with the person's name.
    Gateway,
}

/// What our own people are told by mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notify {
    /// Something could not be delivered for good.
    pub undeliverable: Told,
    /// A proposal or the message of a stranger waits for a decision.
    pub waiting: Told,
    /// Somebody has answered: for people whose calendar program shows no answers.
    pub answers: Told,
}

/// Whether people are told of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// They are.
    ByMail,
    /// They are not.
    No,
}

/// A server that takes mail by LMTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LmtpServer {
    /// A name or an address without brackets, and a port.
    Tcp(String, u16),
    /// A socket of this machine.
    Unix(PathBuf),
}

impl fmt::Display for LmtpServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(host, port) if host.contains(':') => write!(f, "lmtp://[{host}]:{port}"),
            Self::Tcp(host, port) => write!(f, "lmtp://{host}:{port}"),
            Self::Unix(path) => write!(f, "lmtp://{}", path.display()),
        }
    }
}

impl fmt::Display for SmtpServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.security {
            SmtpSecurity::Tls => "smtps",
            _ => "smtp",
        };
        if self.host.contains(':') {
            write!(f, "{scheme}://[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{scheme}://{}:{}", self.host, self.port)
        }
    }
}

/// `[mail]` as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Section {
    smtp: Spanned<String>,
    starttls: Option<Spanned<Starttls>>,
    user: Option<Spanned<String>>,
    password_file: Option<Spanned<PathBuf>>,
    address: Option<Spanned<String>>,
    #[serde(default)]
    from: MailFrom,
    #[serde(default)]
    notify: Occasions,
    #[serde(default)]
    trusted: Vec<Spanned<String>>,
    pass_on: Option<Spanned<String>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Starttls {
    Required,
    Opportunistic,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Occasion {
    Undeliverable,
    Waiting,
    Answers,
}

/// `"off"`, or a list of occasions.
struct Occasions(Vec<Occasion>);

impl Default for Occasions {
    fn default() -> Self {
        Self(vec![Occasion::Undeliverable, Occasion::Waiting])
    }
}

impl<'de> Deserialize<'de> for Occasions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = toml::Value::deserialize(deserializer)?;
        if value.as_str() == Some("off") {
            return Ok(Self(Vec::new()));
        }
        if !value.is_array() {
            let text =
                "expected \"off\", or a list such as [\"undeliverable\", \"waiting\", \"answers\"]";
            return Err(D::Error::custom(text));
        }
        Vec::deserialize(value)
            .map(Self)
            .map_err(|error| D::Error::custom(error.message()))
    }
}

impl Occasions {
    fn told(&self, occasion: Occasion) -> Told {
        if self.0.contains(&occasion) {
            Told::ByMail
        } else {
            Told::No
        }
    }
}

/// Reads `[mail]` into types.
pub(super) fn resolve(
    written: Spanned<Section>,
    ours: &[MailListener],
    at: &Locator,
) -> Result<Mail, ConfigError> {
    let span = written.span();
    let section = written.into_inner();
    let Some(address) = section.address else {
        let text = "`address` is missing; write where answers come back: `address = \"calendar@example.org\"`";
        return Err(at.wrong(span, text));
    };
    let smtp = smtp_server(&section.smtp, section.starttls.as_ref(), at)?;
    if ours.iter().any(|it| it.is_at(&smtp.host, smtp.port)) {
        let text = "this is the LMTP listener of this host, where mail comes in; name the mail server that takes what we send";
        return Err(at.wrong(section.smtp.span(), text));
    }
    let login = login(section.user, section.password_file, &smtp, at)?;
    Ok(Mail {
        smtp,
        login,
        gateway: gateway(&address, at)?,
        from: section.from,
        notify: Notify {
            undeliverable: section.notify.told(Occasion::Undeliverable),
            waiting: section.notify.told(Occasion::Waiting),
            answers: section.notify.told(Occasion::Answers),
        },
        trusted: trusted(section.trusted, at)?,
        pass_on: section
            .pass_on
            .map(|written| pass_on(&written, ours, at))
            .transpose()?,
    })
}

fn smtp_server(
    written: &Spanned<String>,
    starttls: Option<&Spanned<Starttls>>,
    at: &Locator,
) -> Result<SmtpServer, ConfigError> {
    let wrong = || {
        let text = "expected a mail server such as \"smtp://127.0.0.1:25\" or \"smtps://mail.example.org\", without path, user \
                    or password";
        at.wrong(written.span(), text)
    };
    let url = Url::parse(written.get_ref()).map_err(|_| wrong())?;
    let (tls, default_port) = match url.scheme() {
        "smtp" => (false, 25),
        "smtps" => (true, 465),
        _ => return Err(wrong()),
    };
    if !is_bare(&url) || !matches!(url.path(), "" | "/") {
        return Err(wrong());
    }
    let host = host(&url).ok_or_else(wrong)?;
    let security = match (tls, starttls.map(Spanned::get_ref)) {
        (true, None) => SmtpSecurity::Tls,
        (true, Some(_)) => {
            let span = starttls.map_or(written.span(), Spanned::span);
            let text =
                "`starttls` goes with `smtp://` only: `smtps://` is encrypted from the first byte";
            return Err(at.wrong(span, text));
        }
        (false, Some(Starttls::Opportunistic)) => SmtpSecurity::Opportunistic,
        (false, None) if is_this_machine(&host) => SmtpSecurity::Plain,
        (false, Some(Starttls::Required) | None) => SmtpSecurity::Required,
    };
    Ok(SmtpServer {
        port: url.port().unwrap_or(default_port),
        host,
        security,
    })
}

/// A URL that says where and nothing else.
fn is_bare(url: &Url) -> bool {
    url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none()
}

fn host(url: &Url) -> Option<String> {
    Some(match url.host()? {
        // Of a scheme that it does not know, the parser takes an IPv4 address for a name.
        Host::Domain("") => return None,
        Host::Domain(name) => name.to_ascii_lowercase(),
        Host::Ipv4(address) => address.to_string(),
        Host::Ipv6(address) => address.to_string(),
    })
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost"
        || host
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

fn login(
    user: Option<Spanned<String>>,
    password_file: Option<Spanned<PathBuf>>,
    smtp: &SmtpServer,
    at: &Locator,
) -> Result<Option<MailLogin>, ConfigError> {
    let (user, file) = match (user, password_file) {
        (None, None) => return Ok(None),
        (Some(user), Some(file)) => (user, file.into_inner()),
        (Some(alone), None) => {
            return Err(at.wrong(alone.span(), "`user` and `password_file` go together"));
        }
        (None, Some(alone)) => {
            return Err(at.wrong(alone.span(), "`user` and `password_file` go together"));
        }
    };
    if smtp.security == SmtpSecurity::Opportunistic && !is_this_machine(&smtp.host) {
        let text = "the password could go in the clear; write `starttls = \"required\"`, or a server with `smtps://`";
        return Err(at.wrong(user.span(), text));
    }
    Ok(Some(MailLogin {
        user: user.into_inner(),
        password_file: at.folder().join(file),
    }))
}

fn gateway(written: &Spanned<String>, at: &Locator) -> Result<Gateway, ConfigError> {
    let wrong = |text: &str| at.wrong(written.span(), text);
    let address = CalendarAddress::new(written.get_ref());
    let address = address.map_err(|_| {
        let written = excerpt(written.get_ref(), 80);
        wrong(&format!(
            "expected a mail address such as calendar@example.org, not `{written}`"
        ))
    })?;
    Gateway::new(address).map_err(|error| wrong(&error.to_string()))
}

fn trusted(written: Vec<Spanned<String>>, at: &Locator) -> Result<Vec<String>, ConfigError> {
    let id = |written: Spanned<String>| {
        let id = written.get_ref();
        // RFC 8601 §2.2: a token or a quoted string, in practice the name of a host.
        let fine = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_graphic());
        if fine && !id.contains(['"', ';', '(', ')', ',']) {
            return Ok(id.to_ascii_lowercase());
        }
        let text = "expected what your mail server writes first in Authentication-Results: \"mx.example.org\"";
        Err(at.wrong(written.span(), text))
    };
    written.into_iter().map(id).collect()
}

/// Who takes mail that is nothing for a calendar: anybody but us, or it would go round.
fn pass_on(
    written: &Spanned<String>,
    ours: &[MailListener],
    at: &Locator,
) -> Result<LmtpServer, ConfigError> {
    let server = lmtp_server(written, at)?;
    let is_us = |listener: &MailListener| match (&server, listener) {
        (LmtpServer::Tcp(host, port), listener) => listener.is_at(host, *port),
        (LmtpServer::Unix(path), MailListener::Unix(own)) => path == own,
        (LmtpServer::Unix(_), MailListener::Tcp(_)) => false,
    };
    if ours.iter().any(is_us) {
        let text = "this is the LMTP listener of this host, so that mail would go round; name the server behind it, such as \
                    \"lmtp:///run/dovecot/lmtp\"";
        return Err(at.wrong(written.span(), text));
    }
    Ok(server)
}

impl MailListener {
    /// Whether who connects to this host, a name or an address, and port reaches it.
    fn is_at(&self, host: &str, port: u16) -> bool {
        let Self::Tcp(address) = self else {
            return false;
        };
        let is_host = host == "localhost" || host.parse() == Ok(address.ip());
        is_host && address.port() == port
    }
}

fn lmtp_server(written: &Spanned<String>, at: &Locator) -> Result<LmtpServer, ConfigError> {
    let wrong = || {
        let text = "expected an LMTP server such as \"lmtp://127.0.0.1:24\" or \"lmtp:///run/dovecot/lmtp\"";
        at.wrong(written.span(), text)
    };
    let url = Url::parse(written.get_ref()).map_err(|_| wrong())?;
    if url.scheme() != "lmtp" || !is_bare(&url) {
        return Err(wrong());
    }
    match (host(&url), url.path()) {
        (Some(host), "" | "/") => Ok(LmtpServer::Tcp(host, url.port().unwrap_or(24))),
        (None, path) if path.len() > 1 && !path.contains('%') => {
            Ok(LmtpServer::Unix(PathBuf::from(path)))
        }
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;
    use std::path::Path;

    fn parse(lines: &str) -> Result<Mail, String> {
        let text = format!("[server]\ndomains = [\"example.org\"]\n[mail]\n{lines}");
        let config = Config::parse(&text, Path::new("/etc/convoke/convoke.toml"));
        config
            .map(|config| config.mail.expect("it is written"))
            .map_err(|error| error.to_string())
    }

    const LISTENER: &str = "[[listener]]\nrole = \"lmtp\"\naddress = \"127.0.0.1:8024\"\n";
    const ADDRESS: &str = "address = \"calendar@example.org\"\n";

    #[test]
    fn servers_and_how_they_are_spoken_to() {
        use SmtpSecurity::{Opportunistic, Plain, Required, Tls};
        for (lines, server) in [
            (
                "smtp = \"smtp://127.0.0.1:2525\"",
                ("127.0.0.1", 2525, Plain),
            ),
            ("smtp = \"smtp://localhost\"", ("localhost", 25, Plain)),
            ("smtp = \"smtp://[::1]\"", ("::1", 25, Plain)),
            (
                "smtp = \"smtp://Mail.example.org\"",
                ("mail.example.org", 25, Required),
            ),
            (
                "smtp = \"smtp://mail.example.org:587\"\nstarttls = \"opportunistic\"",
                ("mail.example.org", 587, Opportunistic),
            ),
            (
                "smtp = \"smtp://127.0.0.1\"\nstarttls = \"required\"",
                ("127.0.0.1", 25, Required),
            ),
            (
                "smtp = \"smtps://mail.example.org\"",
                ("mail.example.org", 465, Tls),
            ),
        ] {
            let SmtpServer {
                host,
                port,
                security,
            } = parse(&format!("{ADDRESS}{lines}\n")).unwrap().smtp;
            assert_eq!((host.as_str(), port, security), server, "{lines}");
        }
    }

    #[test]
    fn everything_that_may_be_written() {
        let mail = parse(&format!(
            "{ADDRESS}smtp = \"smtps://mail.example.org\"\nuser = \"convoke\"\npassword_file = \"secret\"\n\
             from = \"gateway\"\nnotify = [\"undeliverable\"]\ntrusted = [\"MX.example.org\"]\n\
             pass_on = \"lmtp:///run/dovecot/lmtp\"\n"
        ))
        .unwrap();
        let login = mail.login.unwrap();
        assert_eq!(login.password_file, Path::new("/etc/convoke/secret"));
        assert_eq!(mail.from, MailFrom::Gateway);
        assert_eq!(mail.notify.undeliverable, Told::ByMail);
        assert_eq!(mail.notify.answers, Told::No);
        assert_eq!(mail.trusted, ["mx.example.org"]);
        let socket = LmtpServer::Unix("/run/dovecot/lmtp".into());
        assert_eq!(mail.pass_on, Some(socket));
        let lines = format!("{ADDRESS}smtp = \"smtp://localhost\"\nnotify = \"off\"\n");
        let quiet = parse(&lines).unwrap().notify;
        assert_eq!([quiet.undeliverable, quiet.waiting], [Told::No, Told::No]);
        let port = "pass_on = \"lmtp://[::1]:2003\"\n";
        let passes = parse(&format!("{ADDRESS}smtp = \"smtp://localhost\"\n{port}"));
        let passes = passes.unwrap().pass_on.unwrap();
        assert_eq!(passes.to_string(), "lmtp://[::1]:2003");
    }

    #[test]
    fn mistakes_are_said_in_words() {
        let server = "smtp = \"smtp://localhost\"\n";
        for (lines, expected) in [
            (ADDRESS.to_owned(), "3:1: `smtp` is missing; write"),
            (server.to_owned(), "3:1: `address` is missing; write"),
            (
                format!("{ADDRESS}smtp = \"mail.example.org\"\n"),
                "5:8: expected a mail server such as",
            ),
            (
                format!("{ADDRESS}smtp = \"smtp://a:b@mail.example.org\"\n"),
                "without path, user",
            ),
            (
                format!("{ADDRESS}smtp = \"http://mail.example.org\"\n"),
                "expected a mail server",
            ),
            (
                format!("{ADDRESS}smtp = \"smtp://\"\n"),
                "expected a mail server",
            ),
            (
                format!("{ADDRESS}smtp = \"smtps://a.b\"\nstarttls = \"required\"\n"),
                "6:12: `starttls` goes with `smtp://` only",
            ),
            (
                format!("{ADDRESS}{server}starttls = \"maybe\"\n"),
                "`maybe` is not known here",
            ),
            (format!("{ADDRESS}{server}user = \"x\"\n"), "go together"),
            (
                format!(
                    "{ADDRESS}smtp = \"smtp://a.b\"\nstarttls = \"opportunistic\"\nuser = \"x\"\npassword_file = \"y\"\n"
                ),
                "7:8: the password could go in the clear",
            ),
            (
                format!("{server}address = \"calendar\"\n"),
                "5:11: expected a mail address such as calendar@example.org, not `calendar`",
            ),
            (
                format!("{ADDRESS}{server}starttls = true\n"),
                "6:12: expected a word in quotes",
            ),
            (
                format!("{ADDRESS}{server}trusted = [\"\"]\n"),
                "6:12: expected what your mail server writes first",
            ),
            (
                format!("{ADDRESS}smtp = \"smtp://localhost:8024\"\n{LISTENER}"),
                "5:8: this is the LMTP listener of this host",
            ),
            (
                format!("{ADDRESS}{server}pass_on = \"lmtp://127.0.0.1:8024\"\n{LISTENER}"),
                "6:11: this is the LMTP listener of this host, so that mail would go round",
            ),
            (
                format!(
                    "{ADDRESS}{server}pass_on = \"lmtp:///run/lmtp\"\n{}",
                    LISTENER.replace("127.0.0.1:8024", "unix:/run/lmtp")
                ),
                "6:11: this is the LMTP listener of this host, so that mail would go round",
            ),
            (
                format!(
                    "{ADDRESS}{server}{}",
                    LISTENER.replace("127.0.0.1", "0.0.0.0")
                ),
                "8:11: whoever reaches an LMTP listener is believed",
            ),
            (
                format!("{ADDRESS}{server}from = \"me\"\n"),
                "`me` is not known here",
            ),
            (
                format!("{ADDRESS}{server}notify = true\n"),
                "expected \"off\", or a list",
            ),
            (
                format!("{ADDRESS}{server}notify = [\"anwsers\"]\n"),
                "did you mean `answers`?",
            ),
            (
                format!("{ADDRESS}{server}trusted = [\"a;b\"]\n"),
                "Authentication-Results",
            ),
            (
                format!("{ADDRESS}{server}pass_on = \"/run/lmtp\"\n"),
                "expected an LMTP server",
            ),
            (
                format!("{ADDRESS}{server}pasword_file = \"x\"\n"),
                "did you mean `password_file`?",
            ),
        ] {
            let error = parse(&lines).unwrap_err();
            assert!(
                error.contains(expected),
                "{lines}{error}\nwithout {expected}"
            );
        }
    }
}
