//! Whom a request is for (RFC 9112 §3.2, RFC 9113 §8.3.1).
//!
//! Which host is named is not held against our domains: a receiver has whatever name DNS gives it. But a name that is
//! missing, there twice, malformed, or another one than in the target is how requests are smuggled past a proxy.

use http::{HeaderMap, Request, Uri, Version, header, uri::Authority};

/// Says what is wrong with how the host is named.
pub(super) fn check<B>(request: &Request<B>) -> Result<(), &'static str> {
    let named = host(request.headers())?;
    let target = request.uri().authority();
    match (named, target) {
        (None, None) if request.version() >= Version::HTTP_11 => {
            Err("the request names no host (RFC 9112 section 3.2)")
        }
        (Some(named), Some(target)) => {
            let port = default_port(request.uri());
            if parts(&named, port) == parts(target, port) {
                is_bare(target)
            } else {
                Err("the Host field and the target name different hosts")
            }
        }
        (None, Some(target)) if request.version() == Version::HTTP_11 => {
            // RFC 9112 §3.2: there is a Host field, whatever the target says.
            is_bare(target).and(Err("the request has no Host field (RFC 9112 section 3.2)"))
        }
        (_, target) => target.map_or(Ok(()), is_bare),
    }
}

fn host(headers: &HeaderMap) -> Result<Option<Authority>, &'static str> {
    let mut fields = headers.get_all(header::HOST).iter();
    let Some(field) = fields.next() else {
        return Ok(None);
    };
    if fields.next().is_some() {
        return Err("there is more than one Host field (RFC 9112 section 3.2)");
    }
    let malformed = "the Host field is no host with an optional port (RFC 9112 section 3.2)";
    let named = field.as_bytes();
    // Cyrus sends its own mark for a server that it does not log in to as a part of the name.
    let named = named.strip_suffix(b"/noauth").unwrap_or(named);
    let authority = Authority::try_from(named).map_err(|_| malformed)?;
    is_bare(&authority).map(|()| Some(authority))
}

/// A host and a port, and no user before them.
fn is_bare(authority: &Authority) -> Result<(), &'static str> {
    let host = authority.host();
    let port = authority.as_str().strip_prefix(host);
    let port = port.map(|rest| rest.strip_prefix(':').unwrap_or(rest));
    let sound = |port: &str| port.is_empty() || port.parse::<u16>().is_ok();
    let bracketed = host.strip_prefix('[').map(|it| it.strip_suffix(']'));
    let is_host = match bracketed {
        None => !host.is_empty(),
        Some(address) => address.is_some_and(|it| it.parse::<std::net::Ipv6Addr>().is_ok()),
    };
    if is_host && port.is_some_and(sound) {
        Ok(())
    } else {
        Err("the host that the request names is malformed")
    }
}

fn parts(authority: &Authority, port: u16) -> (String, u16) {
    let host = authority.host().to_ascii_lowercase();
    (host, authority.port_u16().unwrap_or(port))
}

fn default_port(target: &Uri) -> u16 {
    if target.scheme_str() == Some("http") {
        80
    } else {
        443
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_named_once_and_well() {
        let h2 = Version::HTTP_2;
        for (version, target, hosts, right) in [
            (Version::HTTP_11, "/", &["example.org"][..], true),
            (Version::HTTP_11, "/", &["example.org:8443"], true),
            (Version::HTTP_11, "/", &["example.org:"], true),
            (Version::HTTP_11, "/", &["[2001:db8::1]:443"], true),
            (Version::HTTP_11, "/", &["192.0.2.1"], true),
            (Version::HTTP_11, "/", &[], false),
            (Version::HTTP_10, "/", &[], true),
            (Version::HTTP_11, "/", &["a", "a"], false),
            (Version::HTTP_11, "/", &[""], false),
            (Version::HTTP_11, "/", &["a b"], false),
            (Version::HTTP_11, "/", &["a, b"], false),
            (Version::HTTP_11, "/", &["a/b"], false),
            (Version::HTTP_11, "/", &["a/"], false),
            (Version::HTTP_11, "/", &["192.0.2.1:8090/noauth"], true),
            (Version::HTTP_11, "/", &["/noauth"], false),
            (Version::HTTP_11, "/", &["user@a"], false),
            (Version::HTTP_11, "/", &["a:b"], false),
            (Version::HTTP_11, "/", &["a:70000"], false),
            (Version::HTTP_11, "/", &[":443"], false),
            (Version::HTTP_11, "/", &["[::1"], false),
            (Version::HTTP_11, "/", &["[zz]"], false),
            (Version::HTTP_11, "https://a/", &["a"], true),
            (Version::HTTP_11, "https://a/", &["A:443"], true),
            (Version::HTTP_11, "http://a/", &["a:80"], true),
            (Version::HTTP_11, "https://a/", &["b"], false),
            (Version::HTTP_11, "https://a:1/", &["a"], false),
            (Version::HTTP_11, "https://a/", &[], false),
            (h2, "https://a/", &[], true),
            (h2, "https://a/", &["a"], true),
            (h2, "https://a/", &["b"], false),
            (h2, "https://a/", &["a", "a"], false),
            (h2, "https://u@a/", &[], false),
            (h2, "/", &["a"], true),
            (h2, "/", &[], false),
        ] {
            let mut request = Request::builder().version(version).uri(target);
            for host in hosts {
                request = request.header(header::HOST, *host);
            }
            let checked = check(&request.body(()).unwrap());
            assert_eq!(checked.is_ok(), right, "{version:?} {target} {hosts:?}");
        }
    }
}
