//! The configuration file.
//!
//! [`Config::read`] turns `convoke.toml` into types once; nothing behind it reads TOML. A wrong key, type or value is one
//! message with file, line, column, what was expected, and the nearest right name ([`ConfigError`]).
//!
//! | module | what it holds |
//! | --- | --- |
//! | `file` | the file as it is written, key by key |
//! | `mail` | `[mail]`, which is checked in a file of its own |
//! | `acme` | certificates that an authority issues by itself |
//! | `address` | where to listen, and name servers |
//! | `text` | the bytes of the file as text |
//! | `units` | sizes (`1 MiB`), durations (`10s`), dates |
//! | `error` | what is wrong, and where |
//! | `plugin_key` | where a key stands that a plugin does not take |
//! | `written` | where the name of a file stands |
//! | `upstream` | the CalDAV server that a listener stands in front of |
//! | `state` | where the host keeps its state if nothing is said |
//!
//! Always true of a [`Config`]: paths are absolute; there is a domain, and a plugin of kind `state`; the addresses of
//! listeners differ. Whether files exist
//! and plugins open is not looked at here, but for the keys that `trusted_keys` names, which are part of it.

mod acme;
mod address;
mod error;
mod file;
#[cfg(feature = "mail")]
mod mail;
mod plugin_key;
mod state;
mod text;
mod units;
mod upstream;
mod written;

pub use acme::{Acme, Challenge};
pub use error::ConfigError;
use error::line_and_column;
pub use file::{Lookup, Role};
#[cfg(feature = "mail")]
pub use mail::{LmtpServer, Mail, MailFrom, MailLogin, Notify, SmtpSecurity, SmtpServer, Told};
pub use upstream::UpstreamServer;
#[cfg(feature = "caldav")]
pub(crate) use upstream::is_loopback;
pub use written::Naming;

use address::Address;
use convoke_calendar::message::Attachments;
use convoke_ischedule::dkim::{Lifetime, Timestamped};
use convoke_net::{
    http_server::{self, ConnectionsPerAddress, TlsFiles},
    trusted_certificates::TrustedFile,
};
use convoke_plugin_host::{Confinement, Isolation, KeyLocator, PluginEntry, Position, Schedule};
use convoke_scheduling::Timing;
use convoke_sdk::remote::{Kind, TrustedKey};
use convoke_types::{Domain, Rate};
use error::{Locator, sample};
use file::{Attachment, File, WrittenRole};
use ipnet::IpNet;
use jiff::SignedDuration;
use std::{
    net::SocketAddr,
    num::NonZeroU32,
    ops::Range,
    path::{Path, PathBuf},
    time::Duration,
};
use toml::Spanned;
use units::{AtMost, Span};

/// What the administrator wrote.
#[derive(Clone, Debug)]
pub struct Config {
    /// The file it was read from.
    pub file: PathBuf,
    /// `[server]`.
    pub server: Server,
    /// `[[listener]]` that speak HTTP.
    pub listeners: Vec<Listener>,
    /// `[[listener]]` of the role `lmtp`: where mail servers hand mail over. None without `[mail]`.
    pub mail_listeners: Vec<MailListener>,
    /// `[signing]`: how our messages are signed.
    pub signing: Option<Signing>,
    /// `[verification]`: what peers must prove.
    pub verification: Verification,
    /// `[client]`: how we reach other servers.
    pub client: Client,
    /// `[dns] nameservers`: asked for keys instead of the system's, and before it for the addresses of servers.
    pub nameservers: Vec<SocketAddr>,
    /// `[limits]`.
    pub limits: Limits,
    /// `[scheduling]`: when changes are told, and for how long delivery is tried.
    pub scheduling: Timing,
    /// `[mail]`: how messages leave and come in by mail; `None`: not at all.
    #[cfg(feature = "mail")]
    pub mail: Option<Mail>,
    /// `[[discovery]]`, `[[policy]]`, `[[store]]`, `[[state]]`, in this order, each in file order. One of kind `state` is
    /// always there.
    pub plugins: Vec<PluginEntry>,
}

/// `[server]`.
#[derive(Clone, Debug)]
pub struct Server {
    /// Calendar users at these domains are ours; at least one.
    pub domains: Vec<Domain>,
    /// Where the host keeps what it must remember.
    pub state: PathBuf,
    /// Where plugin names are looked up; empty: where the program's are installed, else beside it.
    pub plugins: Vec<PathBuf>,
    /// Whose signature a plugin's file must carry; empty: nobody's.
    pub trusted_keys: Vec<TrustedKey>,
    /// Whom peers may turn to: a URI.
    pub administrator: Option<String>,
    /// How long it is kept what was decided about messages.
    pub decisions: Duration,
}

/// `[[listener]]`.
#[derive(Clone, Debug)]
pub struct Listener {
    /// What it is for.
    pub role: Role,
    /// Where it listens; port 0 lets the system choose.
    pub address: SocketAddr,
    /// Its certificate; `None` is plain HTTP.
    pub tls: Option<TlsFiles>,
    /// Who issues that certificate and puts it into its file; `None`: the administrator.
    pub acme: Option<Acme>,
    /// For `submission` and `caldav`: who may log in, an htpasswd file.
    pub users: Option<PathBuf>,
    /// For `caldav`: the server that it stands in front of.
    pub upstream: Option<UpstreamServer>,
}

/// `[[listener]]` of the role `lmtp`. Whoever reaches it may claim whatever Authentication-Results, so it is on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MailListener {
    /// A loopback address; port 0 lets the system choose.
    Tcp(SocketAddr),
    /// A socket in the file system.
    Unix(PathBuf),
}

/// `[signing]`.
#[derive(Clone, Debug)]
pub struct Signing {
    /// The `d=` of our signatures.
    pub domain: Domain,
    /// The `s=` of our signatures.
    pub selector: String,
    /// PKCS#8, RSA or Ed25519.
    pub key: PathBuf,
    /// How peers find the public key, in the order they should try.
    pub lookup: Vec<Lookup>,
}

/// `[verification]`.
#[derive(Clone, Debug)]
pub struct Verification {
    /// Whether a peer must prove who it is.
    pub required: bool,
    /// The folder of keys that administrators exchanged.
    pub private_exchange: Option<PathBuf>,
    /// `max_age` and `timestamp`: how long a signature lives.
    pub lifetime: Lifetime,
}

/// `[client]`.
#[derive(Clone, Debug)]
pub struct Client {
    /// PEM: certificates and authorities that are believed besides the system's trust anchors.
    pub ca: Vec<TrustedFile>,
    /// What we show to servers that ask who we are: certificate chain and key, PEM.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// What may be reached besides public addresses.
    pub allow_networks: Vec<IpNet>,
    /// For look-up, connection and handshake together; 5 s.
    pub connect_timeout: Duration,
    /// For a whole request; 30 s.
    pub request_timeout: Duration,
    /// How many redirects are followed; 5.
    pub redirects: usize,
    /// The longest answer read, in bytes; 4 MiB.
    pub response_size: usize,
}

/// `[limits]`.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Recipients of a message; 250.
    pub recipients: usize,
    /// What a message may ask of us; with `[server] horizon`.
    pub messages: convoke_scheduling::Limits,
    /// Connections at once on a listener; 10,000.
    pub connections: usize,
    /// Of each connection: 100 from one address (IPv6: one /64), 10 s for the handshake and for a header, 30 s for a body,
    /// from one request to the next as long as for a header; headers of 64 KiB and 1000 fields.
    pub connection: http_server::Limits,
    /// Bytes of all headers and bodies that are being read or worked on; 256 MiB.
    pub body_memory: usize,
    /// Bytes of all answers that are not taken yet; 128 MiB.
    pub answer_memory: usize,
    /// Bytes of a mail that comes in, at most; 25 MiB.
    pub mail_length: usize,
    /// Messages processed concurrently; 256. More wait for a few seconds, then get 503.
    pub requests: usize,
    /// Requests of one client address (IPv6: one /64) to the receiver; 60,000 a minute.
    pub requests_per_address: Pace,
    /// Messages of one proven domain; 60,000 a minute.
    pub requests_per_domain: Pace,
}

/// Connections at once from one address. Those from this machine count too if the number is written, as for [`Pace`].
fn connections_per_address(written: Option<usize>) -> ConnectionsPerAddress {
    ConnectionsPerAddress {
        most: written.unwrap_or(100),
        loopback: written.is_some(),
    }
}

/// How often a peer may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// `None`: as often as it likes.
    pub rate: Option<Rate>,
    /// Whether connections from this machine count too. They do if the rate is written: without being told to, we
    /// do not hold back a proxy that stands before us.
    pub loopback: bool,
}

impl Pace {
    fn new(written: Option<AtMost>) -> Self {
        match written {
            Some(AtMost(rate)) => Self {
                rate,
                loopback: true,
            },
            None => Self {
                rate: Some(Rate::per_minute(PER_PEER)),
                loopback: false,
            },
        }
    }
}

/// Enough for the busiest of honest servers, and too little to wear this one out.
const PER_PEER: NonZeroU32 = NonZeroU32::new(60_000).expect("a literal above zero");

impl Config {
    /// Reads a configuration file.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let bytes = std::fs::read(path).map_err(|error| ConfigError::unreadable(path, &error))?;
        Self::parse(text::decode(&bytes, path)?, path)
    }

    /// Reads the text of a configuration file that lies at `path`.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let at = Locator::new(text, path);
        let file: File = toml::from_str(text).map_err(|error| at.syntax(&error))?;
        resolve(file, &at)
    }

    /// The folder of the file, which relative paths count from.
    pub fn folder(&self) -> &Path {
        self.file.parent().unwrap_or(Path::new(""))
    }

    /// Where the configuration file at `config` names a file: `/etc/convoke/convoke.toml:12:30`. `None` if it does not, or
    /// cannot be read now.
    pub fn place_of(config: &Path, naming: Naming<'_>) -> Option<String> {
        written::place(config, naming)
    }

    /// Says where in the file a key stands that a plugin does not take.
    pub fn key_locator(&self) -> KeyLocator {
        plugin_key::locator(self.file.clone())
    }

    /// The file that the state is kept in, if it is the host that chose it: `state.db` in `server.state`.
    pub fn state_file(&self) -> Option<PathBuf> {
        let mut entries = self.plugins.iter();
        entries.find_map(|entry| state::file(entry, &self.server.state))
    }

    /// The place for state of this name: the entry of the configuration, or where state is kept if there is none.
    pub(crate) fn state_entry(&self, name: &str) -> Option<PluginEntry> {
        state::named(&self.plugins, name, &self.server.state)
    }

    /// The names of the places for state.
    pub(crate) fn state_names(&self) -> Vec<String> {
        state::names(&self.plugins)
    }

    /// Has the state kept in another file than the one that the host chose.
    pub(crate) fn use_state_file(&mut self, file: &Path) {
        let folder = &self.server.state;
        let mut entries = self.plugins.iter_mut();
        if let Some(entry) = entries.find(|entry| state::file(entry, folder).is_some()) {
            state::set_file(entry, file);
        }
    }

    /// The first listener of a role.
    pub fn listener(&self, role: Role) -> Option<&Listener> {
        self.listeners.iter().find(|listener| listener.role == role)
    }

    /// Whether calendar users of this domain are ours.
    pub fn is_ours(&self, domain: &Domain) -> bool {
        self.server.domains.contains(domain)
    }
}

fn resolve(file: File, at: &Locator) -> Result<Config, ConfigError> {
    let path = |relative: PathBuf| at.folder().join(relative);
    if file.server.get_ref().domains.is_empty() {
        let text = "`domains` is empty; name the domains whose calendar users are ours";
        return Err(at.wrong(file.server.span(), text));
    }
    let state = path(file.server.get_ref().state.clone());
    let ours = Ours {
        domains: &file.server.get_ref().domains,
        state: &state,
        has_mail: file.mail.is_some(),
    };
    let (listeners, mail_listeners) = listeners(file.listener, &ours, at)?;
    #[cfg(feature = "mail")]
    let mail = file
        .mail
        .map(|mail| mail::resolve(mail, &mail_listeners, at));
    #[cfg(feature = "mail")]
    let mail = mail.transpose()?;
    let server = file.server.into_inner();
    let horizon = horizon(server.horizon.as_ref(), at)?;
    let client = client(file.client, at)?;
    #[cfg(not(feature = "mail"))]
    if let Some(mail) = &file.mail {
        let text =
            "this convoke was built without mail (the cargo feature `mail`); take `[mail]` out";
        return Err(at.wrong(mail.span(), text));
    }
    let mut plugins = entries(Kind::Discovery, file.discovery, at)?;
    plugins.extend(entries(Kind::Policy, file.policy, at)?);
    plugins.extend(entries(Kind::Store, file.store, at)?);
    plugins.extend(state::with_default(
        entries(Kind::State, file.state, at)?,
        &state,
    ));
    Ok(Config {
        file: at.file.clone(),
        server: Server {
            domains: server.domains,
            state,
            plugins: server.plugins.into_iter().map(path).collect(),
            trusted_keys: trusted_keys(server.trusted_keys, at)?,
            administrator: server
                .administrator
                .map(|it| administrator(it, at))
                .transpose()?,
            decisions: decisions(server.decisions.as_ref(), at)?,
        },
        listeners,
        mail_listeners,
        signing: file.signing.map(|it| signing(it, at)).transpose()?,
        verification: verification(file.verification, at),
        client,
        nameservers: file.dns.nameservers.into_iter().map(|it| it.0).collect(),
        limits: limits(&file.limits, horizon, at)?,
        scheduling: timing(&file.scheduling, at)?,
        #[cfg(feature = "mail")]
        mail,
        plugins,
    })
}

/// A URI; who writes a mail address alone is told how it becomes one.
fn administrator(written: Spanned<String>, at: &Locator) -> Result<String, ConfigError> {
    let text = written.get_ref();
    if url::Url::parse(text).is_ok() {
        return Ok(written.into_inner());
    }
    let instead = if text.contains('@') && !text.contains(char::is_whitespace) {
        format!("mailto:{text}")
    } else {
        "mailto:ischedule-admin@example.org".to_owned()
    };
    let text = format!("`{text}` is no URI; write \"{instead}\"");
    Err(at.wrong(written.span(), &text))
}

fn signing(written: file::Signing, at: &Locator) -> Result<Signing, ConfigError> {
    let selector = written.selector.get_ref();
    if !is_selector(selector) {
        let text = format!(
            "`{selector}` is no selector: letters, digits, `-` and `_`, with dots between, such as \"is1\""
        );
        return Err(at.wrong(written.selector.span(), &text));
    }
    if let Some(lookup) = written.lookup.as_ref().filter(|it| it.get_ref().is_empty()) {
        let text = "`lookup` is empty, so that no peer finds our key; write [\"dns/txt\"], or leave it out";
        return Err(at.wrong(lookup.span(), text));
    }
    Ok(Signing {
        domain: written.domain,
        selector: written.selector.into_inner(),
        key: at.folder().join(written.key),
        lookup: written
            .lookup
            .map_or_else(|| vec![Lookup::DnsTxt], Spanned::into_inner),
    })
}

/// Whether this is one or more labels (RFC 6376 §3.1).
pub(crate) fn is_selector(text: &str) -> bool {
    let is_label = |label: &str| {
        let mut bytes = label.bytes();
        !label.is_empty() && bytes.all(|it| it.is_ascii_alphanumeric() || it == b'-' || it == b'_')
    };
    text.split('.').all(is_label)
}

fn decisions(written: Option<&Spanned<Span>>, at: &Locator) -> Result<Duration, ConfigError> {
    let Some(written) = written else {
        return Ok(DAY * 30);
    };
    let decisions = written.get_ref().0;
    if decisions > DAY * 3660 {
        let text = "`decisions` is at most ten years (\"3660 days\")";
        return Err(at.wrong(written.span(), text));
    }
    Ok(decisions)
}

fn timing(written: &file::Scheduling, at: &Locator) -> Result<Timing, ConfigError> {
    let mut timing = Timing::default();
    if let Some(settle) = &written.settle {
        timing.settle = settle.get_ref().0;
        if timing.settle > DAY {
            let text = "`settle` is at most a day: so long nobody hears of a change";
            return Err(at.wrong(settle.span(), text));
        }
    }
    if let Some(hold) = &written.hold {
        timing.hold = *hold.get_ref();
    }
    if let Some(expire) = &written.expire {
        timing.expire = expire.get_ref().0;
        if !(Duration::from_secs(1)..=DAY * 366).contains(&timing.expire) {
            let text = "`expire` is from a second (\"1s\") to a year (\"366 days\")";
            return Err(at.wrong(expire.span(), text));
        }
    }
    Ok(timing)
}

const DAY: Duration = Duration::from_secs(24 * 3600);

fn horizon(written: Option<&Spanned<Span>>, at: &Locator) -> Result<Duration, ConfigError> {
    let Some(written) = written else {
        return Ok(convoke_scheduling::Limits::default().horizon);
    };
    let horizon = written.get_ref().0;
    if !(DAY..=DAY * 20 * 366).contains(&horizon) {
        let text = "`horizon` is from one day (\"1d\") to twenty years (\"7320d\")";
        return Err(at.wrong(written.span(), text));
    }
    Ok(horizon)
}

/// A key as minisign prints it, or the file that holds one.
fn trusted_keys(
    written: Vec<Spanned<String>>,
    at: &Locator,
) -> Result<Vec<TrustedKey>, ConfigError> {
    let key = |entry: Spanned<String>| {
        let text = entry.get_ref();
        let key = match TrustedKey::from_text(text) {
            Err(_) if text.contains(['.', '/']) => TrustedKey::from_file(&at.folder().join(text)),
            read => read,
        };
        key.map_err(|error| {
            at.wrong(
                entry.span(),
                &format!("`{text}` cannot be trusted: {error}"),
            )
        })
    };
    written.into_iter().map(key).collect()
}

/// What listeners are made with.
struct Ours<'a> {
    domains: &'a [Domain],
    state: &'a Path,
    has_mail: bool,
}

/// Those that speak HTTP, and those that speak LMTP.
fn listeners(
    written: Vec<Spanned<file::Listener>>,
    ours: &Ours<'_>,
    at: &Locator,
) -> Result<(Vec<Listener>, Vec<MailListener>), ConfigError> {
    let (mut listeners, mut mail_listeners) = (Vec::new(), Vec::new());
    let mut taken: Vec<Address> = Vec::new();
    let mut answering: Vec<(SocketAddr, Range<usize>)> = Vec::new();
    for entry in written {
        let span = entry.span();
        let file::Listener {
            role,
            address,
            tls,
            users,
            upstream,
        } = entry.into_inner();
        let wrong = |text: &str| Err(at.wrong(span.clone(), text));
        let misplaced = {
            let span = address.span();
            move |text: &str| Err(at.wrong(span.clone(), text))
        };
        let address = address.into_inner();
        if let Some(other) = taken.iter().find(|other| address.overlaps(other)) {
            return misplaced(&if *other == address {
                format!("two listeners have the address {address}")
            } else {
                format!("the listener at {other} takes {address}, too; choose another port")
            });
        }
        taken.push(address.clone());
        if let Some(problem) = elsewhere(role, users.as_deref(), upstream.as_deref()) {
            return wrong(problem);
        }
        let upstream = match upstream.as_deref().map(UpstreamServer::parse) {
            None => None,
            Some(Ok(server)) => Some(server),
            Some(Err(problem)) => return wrong(problem),
        };
        if role == WrittenRole::Caldav
            && let Some(problem) = unserved_programs(users.is_some(), upstream.is_some())
        {
            return wrong(problem);
        }
        let users = users.map(|users| at.folder().join(users));
        if let Some(problem) = contradiction(&listeners, role, users.as_deref(), upstream.as_ref())
        {
            return wrong(&problem);
        }
        match (role.over_http(), address) {
            (Some(role), Address::Tcp(address)) => {
                let (tls, acme) = tls.map(|it| resolve_tls(it, ours, at)).transpose()?.unzip();
                let acme = acme.flatten();
                if let Some(acme) = &acme {
                    if let Some(problem) = other_acme(&listeners, acme, ours.state) {
                        return wrong(&problem);
                    }
                    if let Challenge::Http(address) = acme.challenge {
                        answering.push((address, span.clone()));
                    }
                }
                listeners.push(Listener {
                    role,
                    address,
                    tls,
                    acme,
                    users,
                    upstream,
                });
            }
            (Some(_), Address::Unix(_)) => {
                return misplaced("`unix:` goes with `role = \"lmtp\"` only");
            }
            (None, _) if tls.is_some() => {
                return wrong(
                    "`tls` does not go with `role = \"lmtp\"`, as the mail server is on this machine",
                );
            }
            (None, _) if !cfg!(feature = "mail") => {
                return wrong("this convoke is built without mail, so it takes no LMTP");
            }
            (None, _) if !ours.has_mail => {
                return wrong("`role = \"lmtp\"` needs [mail]; add it, with `smtp` and `address`");
            }
            (None, Address::Tcp(address)) if !address.ip().is_loopback() => {
                // It could claim that somebody else's mail was verified.
                return misplaced(
                    "whoever reaches an LMTP listener is believed; write an address of this machine only, \
                     \"127.0.0.1:8024\" or \"unix:/run/convoke/lmtp\"",
                );
            }
            (None, Address::Tcp(address)) => mail_listeners.push(MailListener::Tcp(address)),
            (None, Address::Unix(path)) if path.is_absolute() => {
                mail_listeners.push(MailListener::Unix(path));
            }
            (None, Address::Unix(_)) => {
                return misplaced("the path of a socket is absolute: \"unix:/run/convoke/lmtp\"");
            }
        }
    }
    listeners.extend(challenge_listeners(answering, &taken, at)?);
    Ok((listeners, mail_listeners))
}

/// Those that answer authorities which validate names by http-01, each address once.
fn challenge_listeners(
    answering: Vec<(SocketAddr, Range<usize>)>,
    taken: &[Address],
    at: &Locator,
) -> Result<Vec<Listener>, ConfigError> {
    let mut made: Vec<Listener> = Vec::new();
    for (address, span) in answering {
        if made.iter().any(|it| it.address == address) {
            continue;
        }
        let wanted = Address::Tcp(address);
        let others = made.iter().map(|it| Address::Tcp(it.address));
        if let Some(other) = taken
            .iter()
            .cloned()
            .chain(others)
            .find(|it| wanted.overlaps(it))
        {
            let text = format!(
                "the listener at {other} takes {address}, where `challenge = \"http-01\"` is to be answered; choose another address for \
                 one of them"
            );
            return Err(at.wrong(span, &text));
        }
        made.push(Listener {
            role: Role::Acme,
            address,
            tls: None,
            acme: None,
            users: None,
            upstream: None,
        });
    }
    Ok(made)
}

/// The files of `tls`, and who puts them there if it is not the administrator.
fn resolve_tls(
    written: Spanned<file::Tls>,
    ours: &Ours<'_>,
    at: &Locator,
) -> Result<(TlsFiles, Option<Acme>), ConfigError> {
    let span = written.span();
    let tls = written.into_inner();
    let missing = |key: &str| {
        let text = format!(
            "`{key}` is missing; write {}",
            sample(key).unwrap_or_default()
        );
        at.wrong(span.clone(), &text)
    };
    let client_ca = trusted(tls.client_ca, at);
    let Some(section) = tls.acme else {
        let certificate = tls.certificate.ok_or_else(|| missing("certificate"))?;
        let key = tls.key.ok_or_else(|| missing("key"))?;
        let files = TlsFiles {
            certificate: at.folder().join(certificate),
            key: at.folder().join(key),
            client_ca,
        };
        return Ok((files, None));
    };
    if tls.certificate.is_some() || tls.key.is_some() {
        let text = "`acme` gets a certificate by itself, and `certificate` and `key` name one that is there; write one or the other";
        return Err(at.wrong(span, text));
    }
    if !cfg!(feature = "acme") {
        let text = "this convoke was built without ACME (the cargo feature `acme`); write `certificate` and `key`";
        return Err(at.wrong(span, text));
    }
    let acme = acme::resolve(section, ours.domains, at)?;
    let file = acme.file(ours.state);
    let files = TlsFiles {
        certificate: file.clone(),
        key: file,
        client_ca,
    };
    Ok((files, Some(acme)))
}

/// What a listener says otherwise than one before it that has the same certificate by ACME, or the same account.
fn other_acme(before: &[Listener], acme: &Acme, state: &Path) -> Option<String> {
    let mut others = before.iter().filter_map(|it| Some((it, it.acme.as_ref()?)));
    let (listener, _) = others.find(|(_, other)| {
        let same_file = other.file(state) == acme.file(state);
        other.directory == acme.directory && other.contact != acme.contact
            || same_file && other.challenge != acme.challenge
    })?;
    Some(format!(
        "the listener `{}` at {} has another `contact` or `challenge` for the same authority; write the same here",
        listener.role.as_str(),
        listener.address
    ))
}

/// What keeps a listener from serving calendar programs.
const fn unserved_programs(has_users: bool, has_upstream: bool) -> Option<&'static str> {
    if !cfg!(feature = "caldav") {
        return Some("this convoke is built without caldav, so it serves no calendar programs");
    }
    match (has_users, has_upstream) {
        (true, true) => Some(
            "`users` does not go with `upstream`: people log in as they do at that server; leave one of them out",
        ),
        (false, false) => Some(
            "`role = \"caldav\"` needs who may log in, `users = \"users.htpasswd\"`, or the CalDAV server that it stands in \
                     front of, `upstream = \"http://127.0.0.1:5232\"`",
        ),
        _ => None,
    }
}

/// A key that belongs to listeners of another role.
fn elsewhere(
    role: WrittenRole,
    users: Option<&Path>,
    upstream: Option<&str>,
) -> Option<&'static str> {
    let roles = [
        WrittenRole::Submission,
        WrittenRole::Caldav,
        WrittenRole::Admin,
    ];
    if users.is_some() && !roles.contains(&role) {
        return Some(
            "`users` goes with `role = \"submission\"` and `role = \"caldav\"` only, besides `role = \"admin\"`",
        );
    }
    if upstream.is_some() && role != WrittenRole::Caldav {
        return Some("`upstream` goes with `role = \"caldav\"` only");
    }
    None
}

/// What a listener says otherwise than one of the same role before it: who logs in is the same at all listeners of a role.
fn contradiction(
    before: &[Listener],
    role: WrittenRole,
    users: Option<&Path>,
    upstream: Option<&UpstreamServer>,
) -> Option<String> {
    let role = role.over_http()?;
    let first = before.iter().find(|it| it.role == role)?;
    let (name, address) = (role.as_str(), first.address);
    if first.users.as_deref() != users {
        let theirs = match &first.users {
            Some(users) => format!("has `users = \"{}\"`", users.display()),
            None => "has no `users`".to_owned(),
        };
        return Some(format!(
            "the listener `{name}` at {address} {theirs}, and all of a role have the same; write the same here"
        ));
    }
    if first.upstream.as_ref() != upstream {
        return Some(format!(
            "the listener `{name}` at {address} has another `upstream`, and a host stands in front of one; write the same here"
        ));
    }
    None
}

fn verification(written: file::Verification, at: &Locator) -> Verification {
    let timestamp = match written.timestamp {
        file::Timestamped::Required => Timestamped::Required,
        file::Timestamped::Optional => Timestamped::Optional,
    };
    let max_age = SignedDuration::try_from(written.max_age.0).unwrap_or(SignedDuration::MAX);
    Verification {
        required: written.required,
        private_exchange: written.private_exchange.map(|it| at.folder().join(it)),
        lifetime: Lifetime { max_age, timestamp },
    }
}

fn trusted(written: file::Trusted, at: &Locator) -> Vec<TrustedFile> {
    let file = |it: file::TrustedFile| TrustedFile {
        file: at.folder().join(it.file),
        domains: it.domains.unwrap_or_default(),
    };
    written.0.into_iter().map(file).collect()
}

fn client(written: Spanned<file::Client>, at: &Locator) -> Result<Client, ConfigError> {
    let span = written.span();
    let client = written.into_inner();
    let identity = match (client.certificate, client.key) {
        (Some(certificate), Some(key)) => {
            Some((at.folder().join(certificate), at.folder().join(key)))
        }
        (None, None) => None,
        _ => return Err(at.wrong(span, "`certificate` and `key` go together")),
    };
    Ok(Client {
        ca: trusted(client.ca, at),
        identity,
        allow_networks: client.allow_networks,
        connect_timeout: client.connect_timeout.0,
        request_timeout: client.request_timeout.0,
        redirects: client.redirects,
        response_size: client.response_size.0,
    })
}

fn limits(
    written: &Spanned<file::Limits>,
    horizon: Duration,
    at: &Locator,
) -> Result<Limits, ConfigError> {
    let limits = written.get_ref();
    if limits.max_date_time.0 <= limits.min_date_time.0 {
        return Err(at.wrong(
            written.span(),
            "`max_date_time` must lie after `min_date_time`",
        ));
    }
    if limits.requests == 0 || limits.body_memory.0 < limits.content_length.0 {
        let text = "`requests` must be at least 1, and `body_memory` as large as `content_length`";
        return Err(at.wrong(written.span(), text));
    }
    if limits.connections == 0 || limits.connections_per_address == Some(0) {
        let text = "`connections` and `connections_per_address` must be at least 1";
        return Err(at.wrong(written.span(), text));
    }
    if limits.attendees == 0 || limits.inbox.0 < limits.content_length.0 {
        let text = "`attendees` must be at least 1, and `inbox` as large as `content_length`";
        return Err(at.wrong(written.span(), text));
    }
    if limits.recipients == 0 || limits.content_length.0 == 0 {
        let text = "`recipients` and `content_length` must be at least 1";
        return Err(at.wrong(written.span(), text));
    }
    if limits.mail_length.0 < limits.content_length.0 {
        let text =
            "`mail_length` must be as large as `content_length`: a mail holds a message and more";
        return Err(at.wrong(written.span(), text));
    }
    Ok(Limits {
        recipients: limits.recipients,
        messages: convoke_scheduling::Limits {
            content_length: limits.content_length.0,
            attendees: limits.attendees,
            instances: limits.instances,
            earliest: limits.min_date_time.0,
            latest: limits.max_date_time.0,
            attachments: Attachments {
                inline: limits.attachments.contains(&Attachment::Inline),
                external: limits.attachments.contains(&Attachment::External),
            },
            freebusy_range: limits.freebusy_range.0,
            horizon,
            inbox: limits.inbox.0,
        },
        connections: limits.connections,
        connection: http_server::Limits {
            connections_per_address: connections_per_address(limits.connections_per_address),
            handshake_time: limits.handshake_time.0,
            header_time: limits.header_time.0,
            body_time: limits.body_time.0,
            idle_time: limits.idle_time.unwrap_or(limits.header_time).0,
            header_size: limits.header_size.0,
            header_fields: limits.header_fields,
        },
        body_memory: limits.body_memory.0,
        answer_memory: limits.answer_memory.0,
        mail_length: limits.mail_length.0,
        requests: limits.requests,
        requests_per_address: Pace::new(limits.requests_per_address),
        requests_per_domain: Pace::new(limits.requests_per_domain),
    })
}

fn entries(
    kind: Kind,
    written: Vec<Spanned<file::Plugin>>,
    at: &Locator,
) -> Result<Vec<PluginEntry>, ConfigError> {
    let mut entries = Vec::new();
    for entry in written {
        let (line, column) = at.position(entry.span().start);
        let file::Plugin {
            plugin,
            name,
            sha256,
            timeout,
            isolation,
            memory,
            allow,
            config,
            domains,
            schedule,
        } = entry.into_inner();
        let isolation = isolated(isolation, memory, allow, at)?;
        if !domains.is_empty() && kind != Kind::Store {
            return Err(at.wrong(plugin.span(), "`domains` goes with `[[store]]` only"));
        }
        if let Some(schedule) = &schedule
            && kind != Kind::Store
        {
            return Err(at.wrong(schedule.span(), "`schedule` goes with `[[store]]` only"));
        }
        let schedule = match schedule.map(Spanned::into_inner) {
            Some(file::Schedule::Off) => Schedule::Off,
            Some(file::Schedule::Auto) => Schedule::Auto,
            None => Schedule::IfPossible,
        };
        entries.push(PluginEntry {
            name,
            sha256,
            timeout: timeout.map(|timeout| timeout.0),
            config,
            domains,
            schedule,
            isolation,
            position: Some(Position {
                file: at.path.to_owned(),
                line,
                column,
            }),
            ..PluginEntry::new(kind, plugin.into_inner())
        });
    }
    Ok(entries)
}

fn isolated(
    written: Option<file::Isolation>,
    memory: Option<Spanned<units::Size>>,
    allow: Option<Spanned<file::Allow>>,
    at: &Locator,
) -> Result<Isolation, ConfigError> {
    if written != Some(file::Isolation::Process) {
        let spans = [
            memory.map(|memory| ("memory", memory.span())),
            allow.map(|allow| ("allow", allow.span())),
        ];
        return match spans.into_iter().flatten().next() {
            None => Ok(Isolation::InProcess),
            Some((key, span)) => {
                let text = format!("`{key}` goes with `isolation = \"process\"` only");
                Err(at.wrong(span, &text))
            }
        };
    }
    let mut confinement = Confinement::default();
    if let Some(memory) = memory {
        confinement.memory = memory.get_ref().0 as u64;
        if confinement.memory < Confinement::LEAST_MEMORY {
            let text = "a process needs 64 MiB to begin with; raise `memory`";
            return Err(at.wrong(memory.span(), text));
        }
    }
    if let Some(allow) = allow {
        allow.into_inner().grant(at.folder(), &mut confinement);
    }
    Ok(Isolation::Process(confinement))
}

/// What `allow` grants to the process of a plugin, as a document of its own (`write = ["calendars"]`). Relative paths count
/// from `folder`. An error: what is wrong, in words.
pub fn grants(allow: &str, folder: &Path) -> Result<Confinement, String> {
    let allow: file::Allow = toml::from_str(allow).map_err(|error| error.message().to_owned())?;
    let mut confinement = Confinement::default();
    allow.grant(folder, &mut confinement);
    Ok(confinement)
}

impl file::Allow {
    fn grant(self, folder: &Path, confinement: &mut Confinement) {
        let absolute = |paths: Vec<PathBuf>| {
            let paths = paths.into_iter();
            paths.map(|path| folder.join(path)).collect()
        };
        confinement.read = absolute(self.read);
        confinement.write = absolute(self.write);
        confinement.connect = self.connect.0;
    }
}

#[cfg(test)]
mod tests;
