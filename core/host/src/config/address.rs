//! Where to listen, and the name servers: IP addresses with ports, and what to write instead of what is none.

use serde::{Deserialize, Deserializer, de::Error};
use std::{
    fmt,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    path::PathBuf,
};

/// The port of name servers (RFC 1035 §4.2).
const DNS: u16 = 53;

/// Where to listen: an IP address and a port, or `unix:` and a path.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Address {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

impl Address {
    /// Whether what listens here leaves nothing of the other to listen at. What the system chooses takes nothing.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Tcp(one), Self::Tcp(other)) => {
                let (one_ip, other_ip) = (one.ip().to_canonical(), other.ip().to_canonical());
                // `[::]` takes IPv4, too.
                let covers = |all: IpAddr, ip: IpAddr| {
                    all.is_unspecified() && (all.is_ipv6() || ip.is_ipv4())
                };
                one.port() == other.port()
                    && one.port() != 0
                    && (one_ip == other_ip || covers(one_ip, other_ip) || covers(other_ip, one_ip))
            }
            (Self::Unix(one), Self::Unix(other)) => one == other,
            _ => false,
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let toml::Value::String(text) = toml::Value::deserialize(deserializer)? else {
            return Err(D::Error::custom(
                "expected an address with a port, in quotes: \"[::]:8443\" for all that reach this machine, \"127.0.0.1:8443\" for \
                 this machine alone",
            ));
        };
        if let Some(path) = text.strip_prefix("unix:") {
            return Ok(Self::Unix(PathBuf::from(path)));
        }
        text.parse()
            .map(Self::Tcp)
            .map_err(|_| D::Error::custom(instead(&text)))
    }
}

/// A name server: an IP address, and a port unless it is 53.
pub(super) struct NameServer(pub(super) SocketAddr);

impl<'de> Deserialize<'de> for NameServer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let alone = text.trim_start_matches('[').trim_end_matches(']');
        if let Ok(address) = alone.parse::<IpAddr>() {
            return Ok(Self(SocketAddr::new(address, DNS)));
        }
        text.parse().map(Self).map_err(|_| {
            D::Error::custom(format!(
                "`{text}` is no name server: expected an IP address, with a port if it is not 53, such as \"127.0.0.1\" or \
                 \"[::1]:5353\""
            ))
        })
    }
}

/// What is wrong with an address to listen at, and what was meant.
fn instead(text: &str) -> String {
    let written = text.trim();
    if written.contains("//") {
        return format!("`{text}` is a URL; write the address alone, such as \"[::]:8443\"");
    }
    let (host, port) = split(written);
    let Some(port) = port else {
        return match host.parse::<IpAddr>() {
            Ok(address) => format!(
                "`{text}` has no port; write \"{}\"",
                SocketAddr::new(address, 8443)
            ),
            Err(_) if written.parse::<u16>().is_ok() => {
                format!("`{text}` is a port without an address; {}", both(written))
            }
            Err(_) => {
                format!("`{text}` is no address: expected one with a port, such as \"[::]:8443\"")
            }
        };
    };
    if port.parse::<u16>().is_err() {
        return format!("`{text}`: `{port}` is no port, which is a number from 0 to 65535");
    }
    match host {
        "" | "*" => format!("`{text}` says no address; {}", both(port)),
        "localhost" => format!(
            "`{text}` is a name, and a listener has an IP address; write \"127.0.0.1:{port}\" or \"[::1]:{port}\""
        ),
        _ if host.parse::<Ipv6Addr>().is_ok() => {
            format!("`{text}`: an IPv6 address stands in brackets; write \"[{host}]:{port}\"")
        }
        _ => format!(
            "`{text}` is a name, and a listener has an IP address of this machine; {}",
            both(port)
        ),
    }
}

/// Host and port; an IPv6 address without brackets and without a port is all host.
fn split(text: &str) -> (&str, Option<&str>) {
    let is_bracketed = text.starts_with('[') && text.ends_with(']');
    if text.parse::<Ipv6Addr>().is_ok() || is_bracketed {
        return (text.trim_matches(['[', ']']), None);
    }
    match text.rsplit_once(':') {
        Some((host, port)) => (host.trim_matches(['[', ']']), Some(port)),
        None => (text, None),
    }
}

/// What to write for everybody, and what for this machine.
fn both(port: &str) -> String {
    format!(
        "write \"[::]:{port}\" for all that reach this machine, \"127.0.0.1:{port}\" for this machine alone"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_address_is_met_with_what_was_meant() {
        for (text, said) in [
            (
                "localhost:9443",
                "write \"127.0.0.1:9443\" or \"[::1]:9443\"",
            ),
            (":9443", "says no address; write \"[::]:9443\" for all"),
            ("*:9443", "write \"[::]:9443\" for all"),
            ("9443", "a port without an address; write \"[::]:9443\""),
            ("127.0.0.1", "has no port; write \"127.0.0.1:8443\""),
            ("::1", "has no port; write \"[::1]:8443\""),
            ("[::1]", "has no port; write \"[::1]:8443\""),
            ("fe80::1:x", "`x` is no port"),
            ("127.0.0.1:99999", "`99999` is no port"),
            ("127.0.0.1:", "`` is no port"),
            ("https://127.0.0.1:8443", "is a URL"),
            ("https://cal.example.org", "is a URL"),
            (
                "cal.example.org:8443",
                "a listener has an IP address of this machine",
            ),
            ("", "expected one with a port"),
        ] {
            let instead = instead(text);
            assert!(instead.contains(said), "{text}: {instead}");
        }
    }

    #[test]
    fn a_name_server_has_the_port_of_dns_unless_it_says_another() {
        #[derive(Deserialize)]
        struct Servers {
            of: Vec<NameServer>,
        }
        let read = |text: &str| toml::from_str::<Servers>(&format!("of = [\"{text}\"]"));
        for (text, address) in [
            ("127.0.0.1", "127.0.0.1:53"),
            ("::1", "[::1]:53"),
            ("[::1]", "[::1]:53"),
            ("[::1]:5353", "[::1]:5353"),
            ("127.0.0.1:5353", "127.0.0.1:5353"),
        ] {
            assert_eq!(read(text).unwrap().of[0].0.to_string(), address);
        }
        let error = read("dns.example.org").err().unwrap().to_string();
        assert!(
            error.contains("`dns.example.org` is no name server"),
            "{error}"
        );
    }
}
