//! The file as it is written: every key, with its default.

use super::{
    address::{Address, NameServer},
    units::{AtMost, DateTime, Pause, Size, Span},
};
use convoke_plugin_host as plugin;
use convoke_types::Domain;
use ipnet::IpNet;
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer},
};
use std::{fmt, path::PathBuf, time::Duration};
use toml::Spanned;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) server: Spanned<Server>,
    #[serde(default)]
    pub(super) listener: Vec<Spanned<Listener>>,
    pub(super) signing: Option<Signing>,
    #[serde(default)]
    pub(super) verification: Verification,
    #[serde(default = "unwritten")]
    pub(super) client: Spanned<Client>,
    #[serde(default)]
    pub(super) dns: Dns,
    #[serde(default = "unwritten")]
    pub(super) limits: Spanned<Limits>,
    #[serde(default)]
    pub(super) scheduling: Scheduling,
    pub(super) mail: Option<Spanned<MailSection>>,
    #[serde(default)]
    pub(super) discovery: Vec<Spanned<Plugin>>,
    #[serde(default)]
    pub(super) policy: Vec<Spanned<Plugin>>,
    #[serde(default)]
    pub(super) store: Vec<Spanned<Plugin>>,
    #[serde(default)]
    pub(super) state: Vec<Spanned<Plugin>>,
}

#[cfg(feature = "mail")]
pub(super) type MailSection = super::mail::Section;
#[cfg(not(feature = "mail"))]
pub(super) type MailSection = toml::Table;

/// The value of a table that is not there; messages about it point at the top of the file.
fn unwritten<T: Default>() -> Spanned<T> {
    Spanned::new(0..0, T::default())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Server {
    pub(super) domains: Vec<Domain>,
    #[serde(default = "default_state")]
    pub(super) state: PathBuf,
    #[serde(default)]
    pub(super) plugins: Vec<PathBuf>,
    #[serde(default)]
    pub(super) trusted_keys: Vec<Spanned<String>>,
    pub(super) administrator: Option<Spanned<String>>,
    pub(super) horizon: Option<Spanned<Span>>,
    pub(super) decisions: Option<Spanned<Span>>,
}

fn default_state() -> PathBuf {
    PathBuf::from("/var/lib/convoke")
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Listener {
    pub(super) role: WrittenRole,
    pub(super) address: Spanned<Address>,
    pub(super) tls: Option<Spanned<Tls>>,
    pub(super) users: Option<PathBuf>,
    pub(super) upstream: Option<String>,
}

/// What a listener is for, as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum WrittenRole {
    Receiver,
    Submission,
    Caldav,
    Lmtp,
    Admin,
}

impl WrittenRole {
    /// What it is for, if it speaks HTTP.
    pub(super) const fn over_http(self) -> Option<Role> {
        match self {
            Self::Receiver => Some(Role::Receiver),
            Self::Submission => Some(Role::Submission),
            Self::Caldav => Some(Role::Caldav),
            Self::Admin => Some(Role::Admin),
            Self::Lmtp => None,
        }
    }
}

/// What a listener that speaks HTTP is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// iSchedule, to the world.
    Receiver,
    /// Local services and users hand in messages.
    Submission,
    /// The stores, to calendar programs.
    Caldav,
    /// Health, metrics and the console.
    Admin,
    /// Authorities that validate names by http-01; made of `tls.acme`.
    Acme,
}

impl Role {
    /// Those that are written as such.
    pub const ALL: [Self; 4] = [Self::Receiver, Self::Submission, Self::Caldav, Self::Admin];

    /// As it stands in the file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Receiver => "receiver",
            Self::Submission => "submission",
            Self::Caldav => "caldav",
            Self::Admin => "admin",
            Self::Acme => "acme",
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tls {
    pub(super) certificate: Option<PathBuf>,
    pub(super) key: Option<PathBuf>,
    pub(super) acme: Option<super::acme::Section>,
    #[serde(default)]
    pub(super) client_ca: Trusted,
}

/// Files of certificates that are believed: one, or a list.
#[derive(Default)]
pub(super) struct Trusted(pub(super) Vec<TrustedFile>);

/// A file of certificates; `domains` binds them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TrustedFile {
    pub(super) file: PathBuf,
    pub(super) domains: Option<Vec<Domain>>,
}

impl<'de> Deserialize<'de> for Trusted {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TrustedVisitor)
    }
}

struct TrustedVisitor;

impl<'de> Visitor<'de> for TrustedVisitor {
    type Value = Trusted;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "a file, or a list of files and of tables such as { file = \"partner.pem\", domains = [\"example.com\"] }",
        )
    }

    fn visit_str<E: Error>(self, file: &str) -> Result<Trusted, E> {
        Ok(Trusted(vec![TrustedFile::unbound(file)]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Trusted, A::Error> {
        let mut files = Vec::new();
        while let Some(Member(file)) = list.next_element()? {
            if file.domains.as_ref().is_some_and(Vec::is_empty) {
                let text = "`domains` is empty; name the domains that the certificates are believed for, or leave it out";
                return Err(A::Error::custom(text));
            }
            files.push(file);
        }
        if files.is_empty() {
            return Err(A::Error::custom("the list is empty; name a file"));
        }
        Ok(Trusted(files))
    }
}

impl TrustedFile {
    fn unbound(file: &str) -> Self {
        Self {
            file: PathBuf::from(file),
            domains: None,
        }
    }
}

/// One of the list: a file, or a table.
struct Member(TrustedFile);

impl<'de> Deserialize<'de> for Member {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(MemberVisitor)
    }
}

struct MemberVisitor;

impl<'de> Visitor<'de> for MemberVisitor {
    type Value = Member;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a file, or { file = \"partner.pem\", domains = [\"example.com\"] }")
    }

    fn visit_str<E: Error>(self, file: &str) -> Result<Member, E> {
        Ok(Member(TrustedFile::unbound(file)))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Member, A::Error> {
        TrustedFile::deserialize(MapAccessDeserializer::new(map)).map(Member)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Signing {
    pub(super) domain: Domain,
    pub(super) selector: Spanned<String>,
    pub(super) key: PathBuf,
    pub(super) lookup: Option<Spanned<Vec<Lookup>>>,
}

/// A way to find the key of a signature (spec §7, `q=`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
pub enum Lookup {
    /// A TXT record.
    #[serde(rename = "dns/txt")]
    DnsTxt,
    /// A document on the signer's web server.
    #[serde(rename = "http/well-known")]
    HttpWellKnown,
    /// A file that the two administrators exchanged.
    #[serde(rename = "private-exchange")]
    PrivateExchange,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Verification {
    pub(super) required: bool,
    pub(super) private_exchange: Option<PathBuf>,
    pub(super) max_age: Span,
    pub(super) timestamp: Timestamped,
}

/// Whether signatures must say when they were made.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Timestamped {
    Required,
    Optional,
}

impl Default for Verification {
    fn default() -> Self {
        Self {
            required: true,
            private_exchange: None,
            max_age: Span(Duration::from_secs(3600)),
            timestamp: Timestamped::Required,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Client {
    pub(super) ca: Trusted,
    pub(super) certificate: Option<PathBuf>,
    pub(super) key: Option<PathBuf>,
    pub(super) allow_networks: Vec<IpNet>,
    pub(super) connect_timeout: Span,
    pub(super) request_timeout: Span,
    pub(super) redirects: usize,
    pub(super) response_size: Size,
}

impl Default for Client {
    fn default() -> Self {
        Self {
            ca: Trusted::default(),
            certificate: None,
            key: None,
            allow_networks: Vec::new(),
            connect_timeout: Span(Duration::from_secs(5)),
            request_timeout: Span(Duration::from_secs(30)),
            redirects: 5,
            response_size: Size(4 << 20),
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Dns {
    pub(super) nameservers: Vec<NameServer>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Limits {
    pub(super) content_length: Size,
    pub(super) recipients: usize,
    pub(super) instances: usize,
    pub(super) attendees: usize,
    pub(super) freebusy_range: Span,
    pub(super) inbox: Size,
    pub(super) min_date_time: DateTime,
    pub(super) max_date_time: DateTime,
    pub(super) attachments: Vec<Attachment>,
    pub(super) connections: usize,
    pub(super) connections_per_address: Option<usize>,
    pub(super) handshake_time: Span,
    pub(super) header_time: Span,
    pub(super) body_time: Span,
    pub(super) idle_time: Option<Span>,
    pub(super) header_size: Size,
    pub(super) header_fields: usize,
    pub(super) body_memory: Size,
    pub(super) answer_memory: Size,
    pub(super) mail_length: Size,
    pub(super) requests: usize,
    pub(super) requests_per_address: Option<AtMost>,
    pub(super) requests_per_domain: Option<AtMost>,
}

/// A form of ATTACH.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Attachment {
    /// Data within the message.
    Inline,
    /// URIs.
    External,
}

impl Default for Limits {
    fn default() -> Self {
        let messages = convoke_scheduling::Limits::default();
        Self {
            content_length: Size(messages.content_length),
            recipients: 250,
            instances: messages.instances,
            attendees: messages.attendees,
            freebusy_range: Span(messages.freebusy_range),
            inbox: Size(messages.inbox),
            min_date_time: DateTime(messages.earliest),
            max_date_time: DateTime(messages.latest),
            attachments: vec![Attachment::Inline, Attachment::External],
            connections: 10_000,
            connections_per_address: None,
            handshake_time: Span(Duration::from_secs(10)),
            header_time: Span(Duration::from_secs(10)),
            body_time: Span(Duration::from_secs(30)),
            idle_time: None,
            header_size: Size(64 << 10),
            header_fields: 1000,
            body_memory: Size(256 << 20),
            answer_memory: Size(128 << 20),
            mail_length: Size(25 << 20),
            requests: 256,
            requests_per_address: None,
            requests_per_domain: None,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Plugin {
    pub(super) plugin: Spanned<String>,
    pub(super) name: Option<String>,
    pub(super) sha256: Option<String>,
    pub(super) timeout: Option<Span>,
    pub(super) isolation: Option<Isolation>,
    pub(super) memory: Option<Spanned<Size>>,
    pub(super) allow: Option<Spanned<Allow>>,
    #[serde(default)]
    pub(super) config: toml::Table,
    #[serde(default)]
    pub(super) domains: Vec<Domain>,
    pub(super) schedule: Option<Spanned<Schedule>>,
}

/// Whether the changes that people make in a store are told.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Schedule {
    Auto,
    Off,
}

/// When changes are told, and for how long delivery is tried.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Scheduling {
    pub(super) settle: Option<Spanned<Pause>>,
    pub(super) hold: Option<Spanned<usize>>,
    pub(super) expire: Option<Spanned<Span>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Isolation {
    InProcess,
    Process,
}

/// What a plugin in a process of its own may do.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Allow {
    pub(super) read: Vec<PathBuf>,
    pub(super) write: Vec<PathBuf>,
    pub(super) connect: Connect,
}

/// `true`, `false`, or a list of TCP ports.
pub(super) struct Connect(pub(super) plugin::Connect);

impl Default for Connect {
    fn default() -> Self {
        Self(plugin::Connect::Nowhere)
    }
}

impl<'de> Deserialize<'de> for Connect {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let port = |value: toml::Value| value.as_integer().and_then(|it| u16::try_from(it).ok());
        match toml::Value::deserialize(deserializer)? {
            toml::Value::Boolean(true) => Some(plugin::Connect::Anywhere),
            toml::Value::Boolean(false) => Some(plugin::Connect::Nowhere),
            toml::Value::Array(ports) => {
                let ports = ports.into_iter().map(port).collect();
                Option::map(ports, plugin::Connect::Ports)
            }
            _ => None,
        }
        .map(Self)
        .ok_or_else(|| D::Error::custom("expected true, false, or TCP ports such as [443, 5432]"))
    }
}
