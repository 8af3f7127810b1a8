//! `config.url`: libpq's URLs, of which tokio-postgres knows most.
//!
//! What it does not know, `sslmode` beyond `require` and `sslrootcert`, is taken out here. A host must be able to write: so where
//! several servers are named and nothing is said, only one that can is taken.

use convoke_sdk::prelude::*;
use percent_encoding::percent_decode_str;
use std::path::PathBuf;
use tokio_postgres::{
    Config as Postgres,
    config::{Host as Server, SslMode, TargetSessionAttrs},
};

/// Where PostgreSQL is.
pub(crate) struct Target {
    pub(crate) postgres: Postgres,
    pub(crate) verify: Verify,
    /// `sslrootcert`.
    pub(crate) root: Option<PathBuf>,
}

/// What a server has to show that speaks TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verify {
    /// Nothing (`prefer`, `require`).
    Nothing,
    /// A certificate that is believed, whatever its name (`verify-ca`).
    Authority,
    /// A certificate that is believed, for its name (`verify-full`).
    Full,
}

/// Reads a URL, and `config.sslmode`.
pub(crate) fn read(url: &str, sslmode: Option<&str>) -> Result<Target> {
    let (base, query) = url.split_once('?').unwrap_or((url, ""));
    if !["postgres://", "postgresql://"]
        .iter()
        .any(|scheme| base.starts_with(scheme))
    {
        return Err(Error::invalid(format!(
            "`config.url` is `{}`, which does not begin with postgres://; write \
             postgres://user@host/database",
            without_password(url)
        )));
    }
    let mut left = Vec::new();
    let (mut mode, mut root, mut attributes) = (None, None, None);
    for parameter in query.split('&').filter(|it| !it.is_empty()) {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let decoded = percent_decode_str(value).decode_utf8_lossy().into_owned();
        match name {
            "sslmode" => mode = Some(decoded),
            "sslrootcert" => root = Some(PathBuf::from(decoded)),
            "target_session_attrs" => attributes = Some(decoded),
            _ => left.push(parameter),
        }
    }
    let text = format!("{base}?{}", left.join("&"));
    let mut postgres: Postgres = text.trim_end_matches('?').parse().map_err(|error| {
        let error = reason(&error);
        Error::invalid(format!(
            "`config.url` cannot be read: {error}; write postgres://user@host/database"
        ))
    })?;
    if postgres.get_hosts().is_empty() && postgres.get_hostaddrs().is_empty() {
        return Err(Error::invalid(
            "`config.url` names no server; write postgres://user@host/database, or ?host=/var/run/postgresql for a socket",
        ));
    }
    let (said, mode) = match (&mode, sslmode) {
        (Some(_), Some(_)) => {
            return Err(Error::invalid(
                "`sslmode` stands in `config.url` and in `config.sslmode`; write it once",
            ));
        }
        (Some(mode), None) => ("`sslmode` in `config.url`", mode.as_str()),
        (None, mode) => ("`config.sslmode`", mode.unwrap_or("prefer")),
    };
    let (ssl, mut verify) = tls(said, mode)?;
    if mode == "require" && root.is_some() {
        verify = Verify::Authority; // as libpq does
    }
    postgres.ssl_mode(ssl);
    postgres.target_session_attrs(session(attributes.as_deref(), postgres.get_hosts().len())?);
    Ok(Target {
        postgres,
        verify,
        root,
    })
}

fn tls(said: &str, mode: &str) -> Result<(SslMode, Verify)> {
    Ok(match mode {
        "disable" => (SslMode::Disable, Verify::Nothing),
        // `allow` asks for TLS only where it must; whoever allows it is served by trying it first.
        "allow" | "prefer" => (SslMode::Prefer, Verify::Nothing),
        "require" => (SslMode::Require, Verify::Nothing),
        "verify-ca" => (SslMode::Require, Verify::Authority),
        "verify-full" => (SslMode::Require, Verify::Full),
        other => {
            return Err(Error::invalid(format!(
                "{said} is `{other}`; write disable, prefer, require, verify-ca or verify-full"
            )));
        }
    })
}

fn session(attributes: Option<&str>, servers: usize) -> Result<TargetSessionAttrs> {
    Ok(match attributes {
        None if servers > 1 => TargetSessionAttrs::ReadWrite,
        None | Some("any") => TargetSessionAttrs::Any,
        Some("read-write" | "primary") => TargetSessionAttrs::ReadWrite,
        Some(other) => {
            return Err(Error::invalid(format!(
                "`target_session_attrs` in `config.url` is `{other}`, but a host has to write; write read-write"
            )));
        }
    })
}

/// The reason of an error of tokio-postgres, whose own text only says what was being done.
pub(crate) fn reason(error: &(dyn std::error::Error + 'static)) -> String {
    if let Some(words) = convoke_sdk::tls::in_words(error) {
        return words;
    }
    let mut deepest = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest.to_string()
}

/// A URL as logs may show it.
fn without_password(url: &str) -> String {
    match url.split_once('@') {
        Some((user, rest)) if user.matches(':').count() > 1 => {
            let user = user.rsplit_once(':').map_or(user, |(user, _)| user);
            format!("{user}:…@{rest}")
        }
        _ => url.to_owned(),
    }
}

impl Target {
    /// Whom and where messages name: `db1:5432,db2:5432`.
    pub(crate) fn servers(&self) -> String {
        let ports = self.postgres.get_ports();
        let port = |at: usize| {
            ports
                .get(at)
                .or_else(|| ports.first())
                .copied()
                .unwrap_or(5432)
        };
        let addresses = self.postgres.get_hostaddrs();
        let mut named: Vec<String> = (self.postgres.get_hosts().iter().enumerate())
            .map(|(at, server)| match server {
                Server::Tcp(name) => format!("{name}:{}", port(at)),
                Server::Unix(folder) => format!("{}/.s.PGSQL.{}", folder.display(), port(at)),
            })
            .collect();
        if named.is_empty() {
            let addresses = addresses.iter().enumerate();
            named.extend(addresses.map(|(at, address)| format!("{address}:{}", port(at))));
        }
        named.join(",")
    }

    /// Who logs in.
    pub(crate) fn user(&self) -> &str {
        self.postgres
            .get_user()
            .unwrap_or("the user that runs convoke")
    }

    /// Which database it is.
    pub(crate) fn database(&self) -> &str {
        self.postgres.get_dbname().unwrap_or_else(|| self.user())
    }

    /// Whether all that is sent goes where nobody else reads it, or to a server that was verified.
    pub(crate) fn is_safe(&self) -> bool {
        let is_near = |server: &Server| match server {
            Server::Unix(_) => true,
            Server::Tcp(name) => {
                name == "localhost"
                    || name
                        .parse::<std::net::IpAddr>()
                        .is_ok_and(|it| it.is_loopback())
            }
        };
        let mut addresses = self.postgres.get_hostaddrs().iter();
        self.verify != Verify::Nothing
            || self.postgres.get_hosts().iter().all(is_near)
                && addresses.all(std::net::IpAddr::is_loopback)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(url: &str) -> Target {
        read(url, None).unwrap_or_else(|error| panic!("{url}: {error}"))
    }

    #[test]
    fn several_servers_are_named_and_one_that_can_write_is_taken() {
        let target = target("postgres://convoke@db1,db2:5433/calendars");
        assert_eq!(target.servers(), "db1:5432,db2:5433");
        assert_eq!((target.user(), target.database()), ("convoke", "calendars"));
        let wanted = target.postgres.get_target_session_attrs();
        assert_eq!(wanted, TargetSessionAttrs::ReadWrite);
        let one = self::target("postgresql://convoke@db1");
        assert_eq!(one.database(), "convoke");
        let wanted = one.postgres.get_target_session_attrs();
        assert_eq!(wanted, TargetSessionAttrs::Any);
        let any = self::target("postgres://u@a,b/d?target_session_attrs=any");
        let wanted = any.postgres.get_target_session_attrs();
        assert_eq!(wanted, TargetSessionAttrs::Any);
    }

    #[test]
    fn what_tls_has_to_show_is_said_by_the_names_of_libpq() {
        for (mode, ssl, verify) in [
            ("disable", SslMode::Disable, Verify::Nothing),
            ("prefer", SslMode::Prefer, Verify::Nothing),
            ("allow", SslMode::Prefer, Verify::Nothing),
            ("require", SslMode::Require, Verify::Nothing),
            ("verify-ca", SslMode::Require, Verify::Authority),
            ("verify-full", SslMode::Require, Verify::Full),
        ] {
            let in_url = target(&format!("postgres://db/d?connect_timeout=3&sslmode={mode}"));
            let by_key = read("postgres://db/d", Some(mode)).unwrap();
            for target in [in_url, by_key] {
                let got = (target.postgres.get_ssl_mode(), target.verify);
                assert_eq!(got, (ssl, verify), "{mode}");
            }
        }
        let rooted = target("postgres://db/d?sslmode=require&sslrootcert=%2Fetc%2Fdb%20ca.pem");
        assert_eq!(rooted.verify, Verify::Authority);
        assert_eq!(rooted.root, Some("/etc/db ca.pem".into()));
    }

    #[test]
    fn a_socket_and_loopback_need_no_tls_to_be_safe() {
        for (url, safe) in [
            ("postgres:///d?host=/run/postgresql", true),
            ("postgres://%2Frun%2Fpostgresql/d", true),
            ("postgres://127.0.0.1:5433,[::1]/d", true),
            ("postgres://localhost/d", true),
            ("postgres://localhost,db/d", false),
            ("postgres://db/d?sslmode=require", false),
            ("postgres://db/d?sslmode=verify-full", true),
        ] {
            assert_eq!(target(url).is_safe(), safe, "{url}");
        }
        let socket = target("postgres:///d?host=/run/postgresql");
        assert_eq!(socket.servers(), "/run/postgresql/.s.PGSQL.5432");
    }

    #[test]
    fn what_cannot_be_used_is_refused_without_showing_the_password() {
        for (url, sslmode, says) in [
            ("mysql://anna:secret@db/d", None, "mysql://anna:…@db/d"),
            ("db1", None, "does not begin with postgres://"),
            ("postgres:///d", None, "names no server"),
            ("postgres://db:port/d", None, "`config.url` cannot be read"),
            ("postgres://db/d?sslcert=x", None, "sslcert"),
            (
                "postgres://db/d?sslmode=on",
                None,
                "`sslmode` in `config.url` is `on`",
            ),
            (
                "postgres://db/d?sslmode=require",
                Some("prefer"),
                "write it once",
            ),
            (
                "postgres://db/d?target_session_attrs=standby",
                None,
                "has to write",
            ),
        ] {
            let error = read(url, sslmode).err().unwrap_or_else(|| panic!("{url}"));
            assert_eq!(error.kind(), ErrorKind::Invalid, "{url}");
            assert!(error.message().contains(says), "{url}: {error}");
            assert!(!error.message().contains("secret"), "{error}");
        }
    }
}
