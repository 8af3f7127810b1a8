//! `upstream` of a `[[listener]]` with `role = "caldav"`: the CalDAV server that it stands in front of.

use http::{Uri, uri::Scheme};
use std::fmt;

/// A CalDAV server, as the administrator wrote it down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamServer {
    /// Whether it is spoken to over TLS.
    pub is_tls: bool,
    /// A name or an address, without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Where its DAV begins, without a slash at its end; empty if it has the whole server.
    pub path: String,
}

impl UpstreamServer {
    /// Reads a URL: `http` or `https`, a host, perhaps a port and a path. Says what is wrong with another one.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let wrong = "`upstream` is the URL of a CalDAV server: \"http://127.0.0.1:5232\", or with the path where its DAV begins";
        let uri: Uri = text.parse().map_err(|_| wrong)?;
        let scheme = uri.scheme().ok_or(wrong)?;
        let is_tls = match scheme {
            it if *it == Scheme::HTTP => false,
            it if *it == Scheme::HTTPS => true,
            _ => return Err(wrong),
        };
        let authority = uri.authority().ok_or(wrong)?;
        if authority.as_str().contains('@') {
            return Err(
                "`upstream` has no log-in: people's own is passed on; leave out what stands before the `@`",
            );
        }
        if uri.query().is_some() || text.contains('#') {
            return Err("`upstream` has neither `?` nor `#`");
        }
        let host = authority.host();
        let host = host
            .strip_prefix('[')
            .and_then(|it| it.strip_suffix(']'))
            .unwrap_or(host);
        if host.is_empty() {
            return Err(wrong);
        }
        Ok(Self {
            is_tls,
            host: host.to_ascii_lowercase(),
            port: authority
                .port_u16()
                .unwrap_or(if is_tls { 443 } else { 80 }),
            path: uri.path().trim_end_matches('/').to_owned(),
        })
    }

    /// As URLs name it: host and port, the port only where it is not that of the scheme.
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        };
        match (self.is_tls, self.port) {
            (false, 80) | (true, 443) => host,
            (_, port) => format!("{host}:{port}"),
        }
    }

    /// Whether its name says that it is on this machine.
    pub fn is_on_this_machine(&self) -> bool {
        is_loopback(&self.host)
    }

    /// `http` or `https`.
    pub const fn scheme(&self) -> &'static str {
        if self.is_tls { "https" } else { "http" }
    }
}

/// Whether a host, without brackets, is this machine by its name.
pub(crate) fn is_loopback(host: &str) -> bool {
    host == "localhost" || (host.parse()).is_ok_and(|it: std::net::IpAddr| it.is_loopback())
}

impl fmt::Display for UpstreamServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme(), self.authority(), self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_a_server_or_refused() {
        for (text, expected) in [
            ("http://127.0.0.1:5232", Some("http://127.0.0.1:5232")),
            ("http://127.0.0.1:5232/", Some("http://127.0.0.1:5232")),
            (
                "https://DAV.example.org:443/dav.php/",
                Some("https://dav.example.org/dav.php"),
            ),
            ("http://[::1]:80", Some("http://[::1]")),
            ("http://[::1]:81/", Some("http://[::1]:81")),
            ("127.0.0.1:5232", None),
            ("ftp://example.org", None),
            ("http://user:secret@example.org", None),
            ("http://example.org/?a", None),
            ("http://example.org/#a", None),
            ("/dav", None),
            ("", None),
        ] {
            let read = UpstreamServer::parse(text).ok().map(|it| it.to_string());
            assert_eq!(read.as_deref(), expected, "{text}");
        }
    }
}
