//! Paths and URLs: what leads to the server behind us, and what it says of itself.

use super::headers::Front;
use crate::config::{UpstreamServer, is_loopback};
use http::{Uri, uri::Authority};
use percent_encoding::percent_decode_str;

/// The segments of a path, decoded; a slash at its end says nothing. `None`: there is a `.` or `..` among them, however it is
/// written, so that the path could name something else to somebody else.
pub(crate) fn segments(path: &str) -> Option<Vec<String>> {
    let path = path.split('?').next().unwrap_or_default();
    let decoded = percent_decode_str(path).decode_utf8().ok()?;
    let is_odd = |segment: &str| matches!(segment, "." | "..") || segment.contains('\0');
    if decoded.split(['/', '\\']).any(is_odd) {
        return None;
    }
    let path = decoded.trim_matches('/');
    let segments = path.split('/').filter(|_| !path.is_empty());
    Some(segments.map(str::to_owned).collect())
}

/// Whether a path is at another one, or below it.
pub(crate) fn is_within(path: &str, folder: &str) -> bool {
    match (segments(path), segments(folder)) {
        (Some(path), Some(folder)) => path.starts_with(&folder),
        _ => false,
    }
}

/// What a `Destination` (RFC 4918 §10.3) is for the server behind us; `None`: it is none of ours. A path stays as it is, and a
/// URL is one under the name that `Host` says.
pub(crate) fn destination(text: &str, front: &Front, server: &UpstreamServer) -> Option<String> {
    match local_part(text.trim(), front, server)? {
        Local::Path => Some(text.trim().to_owned()),
        Local::Url(path) => Some(format!("{front}{path}")),
    }
}

/// The path of a `Destination` that [`destination`] takes.
pub(crate) fn path_of<'a>(
    text: &'a str,
    front: &Front,
    server: &UpstreamServer,
) -> Option<&'a str> {
    let text = text.trim();
    match local_part(text, front, server)? {
        Local::Path => Some(text),
        Local::Url(path) => Some(path),
    }
}

/// A `Location` or `Content-Location` of the server as the client can follow it; `None`: it is fine as it is.
pub(crate) fn location(text: &str, front: &Front, server: &UpstreamServer) -> Option<String> {
    match local_part(text.trim(), front, server)? {
        Local::Path => None,
        Local::Url(path) => Some(format!("{front}{path}")),
    }
}

enum Local<'a> {
    Path,
    /// What comes after the host.
    Url(&'a str),
}

/// Whether a URL leads to this listener or to the server behind it, by whatever scheme.
fn local_part<'a>(text: &'a str, front: &Front, server: &UpstreamServer) -> Option<Local<'a>> {
    if text.starts_with('/') {
        // `//host/path` leads elsewhere.
        return (!text.starts_with("//")).then_some(Local::Path);
    }
    let (scheme, rest) = text.split_once("://")?;
    let is_tls = match () {
        () if scheme.eq_ignore_ascii_case("https") => true,
        () if scheme.eq_ignore_ascii_case("http") => false,
        () => return None,
    };
    let (named, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let named: Authority = named.parse().ok()?;
    if named.as_str().contains('@') {
        return None;
    }
    let host: Authority = front.host.parse().ok()?;
    // A server that does not know that there is TLS in front of it leaves the port out, or names the wrong scheme.
    let is_front = named.host().eq_ignore_ascii_case(host.host())
        && (named.port_u16() == host.port_u16()
            || port(&named, is_tls) == port(&host, front.scheme == "https"));
    let bare = |host: &str| host.trim_matches(['[', ']']).to_ascii_lowercase();
    let is_server = bare(named.host()) == server.host && port(&named, is_tls) == server.port;
    let path = if path.is_empty() { "/" } else { path };
    (path.starts_with('/') && (is_front || is_server)).then_some(Local::Url(path))
}

fn port(authority: &Authority, is_tls: bool) -> u16 {
    authority
        .port_u16()
        .unwrap_or(if is_tls { 443 } else { 80 })
}

/// The path of a URL that lies on this server; what names this machine is the same, however it does.
pub(crate) fn path_on(server: &UpstreamServer, url: &str) -> Option<String> {
    let url: Uri = url.parse().ok()?;
    let is_tls = url.scheme_str()? == "https";
    let authority = url.authority()?;
    let host = authority
        .host()
        .trim_matches(['[', ']'])
        .to_ascii_lowercase();
    let is_same = host == server.host || (is_loopback(&host) && server.is_on_this_machine());
    let is_it = is_same && is_tls == server.is_tls && port(authority, is_tls) == server.port;
    is_it.then(|| url.path().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn front() -> Front {
        Front {
            scheme: "https",
            host: "cal.example.org:8444".to_owned(),
            client: std::net::Ipv4Addr::LOCALHOST.into(),
        }
    }

    fn server() -> UpstreamServer {
        UpstreamServer::parse("http://127.0.0.1:5232").unwrap()
    }

    #[test]
    fn a_destination_is_on_this_server_or_none() {
        let here = "https://cal.example.org:8444/u1/b%20c.ics";
        for (text, expected) in [
            ("https://cal.example.org:8444/u1/b%20c.ics", Some(here)),
            ("HTTP://CAL.example.org:8444/u1/b%20c.ics", Some(here)),
            ("http://127.0.0.1:5232/u1/b%20c.ics", Some(here)),
            ("/u1/b%20c.ics", Some("/u1/b%20c.ics")),
            ("//evil.example/u1/b.ics", None),
            ("https://evil.example/u1/b.ics", None),
            ("https://cal.example.org:8445/u1/b.ics", None),
            ("https://cal.example.org:8444@evil.example/", None),
            ("ftp://cal.example.org:8444/", None),
            ("u1/b.ics", None),
            ("", None),
        ] {
            let read = destination(text, &front(), &server());
            assert_eq!(read.as_deref(), expected, "{text}");
        }
        assert_eq!(path_of(here, &front(), &server()), Some("/u1/b%20c.ics"));
    }

    #[test]
    fn a_redirect_leads_back_to_us() {
        for (text, expected) in [
            ("/u1/", None),
            (
                "http://127.0.0.1:5232/u1/",
                Some("https://cal.example.org:8444/u1/"),
            ),
            (
                "http://cal.example.org:8444/u1/?a",
                Some("https://cal.example.org:8444/u1/?a"),
            ),
            (
                "http://127.0.0.1:5232",
                Some("https://cal.example.org:8444/"),
            ),
            ("https://elsewhere.example/", None),
        ] {
            assert_eq!(
                location(text, &front(), &server()).as_deref(),
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn what_lies_where() {
        for (path, folder, within) in [
            ("/u1/cal/a.ics", "/u1/", true),
            ("/u1", "/u1/", true),
            ("/u%31/a", "/u1/", true),
            ("/u10/a", "/u1/", false),
            ("/u1/../u2/a", "/u2", false),
            ("/u1/%2e%2e/u2/a", "/u1", false),
            ("/u1/a%2fb", "/u1", true),
            ("/u1/a%2f..%2fb", "/u1", false),
            ("/u1/a%5c..%5cb", "/u1", false),
            ("/u1/%ff", "/u1", false),
            ("/a", "/", true),
        ] {
            assert_eq!(is_within(path, folder), within, "{path} {folder}");
        }
    }

    #[test]
    fn a_home_is_on_the_server_however_it_is_called() {
        for (url, expected) in [
            ("http://127.0.0.1:5232/u1/", Some("/u1/")),
            ("http://localhost:5232/u1/", Some("/u1/")),
            ("http://[::1]:5232/u1/", Some("/u1/")),
            ("https://127.0.0.1:5232/u1/", None),
            ("http://127.0.0.1/u1/", None),
            ("http://dav.example.org:5232/u1/", None),
        ] {
            assert_eq!(path_on(&server(), url).as_deref(), expected, "{url}");
        }
    }
}
