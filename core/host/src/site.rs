//! Which URLs lead to a listener, as browsers and calendar programs name it.

use convoke_net::http_server::Arrival;
use http::{HeaderMap, HeaderValue, Uri, header};

/// A listener, as a request names it.
pub(crate) struct Site<'r> {
    /// What the request says that it was made to.
    host: Option<&'r str>,
    /// Without TLS of our own, somebody in front of us may have it.
    is_tls: bool,
}

impl<'r> Site<'r> {
    pub(crate) fn of(arrival: &Arrival, uri: &'r Uri, headers: &'r HeaderMap) -> Self {
        let field = headers.get(header::HOST);
        let authority = uri.authority().map(http::uri::Authority::as_str);
        Self {
            host: authority.or_else(|| field.and_then(|it| it.to_str().ok())),
            is_tls: arrival.is_tls,
        }
    }

    /// As whom a request names it, with a path.
    #[cfg(feature = "caldav")]
    pub(crate) fn url(&self, path: &str) -> String {
        let scheme = if self.is_tls { "https" } else { "http" };
        format!("{scheme}://{}{path}", self.host.unwrap_or("localhost"))
    }

    /// Whether a browser says that a page from elsewhere makes the request: it may send a password that it remembers.
    pub(crate) fn is_foreign(&self, headers: &HeaderMap) -> bool {
        let Some(origin) = headers.get(header::ORIGIN).map(HeaderValue::to_str) else {
            return false;
        };
        // An origin has no path.
        origin.ok().and_then(|it| self.after_host(it)) != Some("")
    }

    /// Whether a browser says that a page of this listener sends a form. What says nothing is no browser that knows forms.
    pub(crate) fn sends(&self, headers: &HeaderMap) -> bool {
        let fetched = headers.get("sec-fetch-site");
        let is_same = fetched.is_none_or(|it| it == "same-origin");
        let says_where = fetched.is_some() || headers.contains_key(header::ORIGIN);
        is_same && says_where && !self.is_foreign(headers)
    }

    /// The path that a URL or an absolute path names here; `None`: it leads elsewhere.
    #[cfg(feature = "caldav")]
    pub(crate) fn path_of<'u>(&self, url: &'u str) -> Option<&'u str> {
        if url.starts_with('/') {
            // `//host/path` leads elsewhere.
            return (!url.starts_with("//")).then_some(url);
        }
        let path = self.after_host(url)?;
        path.starts_with('/').then_some(path)
    }

    /// What comes after the host of a URL that leads here.
    fn after_host<'u>(&self, url: &'u str) -> Option<&'u str> {
        let (scheme, rest) = url.split_once("://")?;
        let port = match &*scheme.to_ascii_lowercase() {
            "https" => ":443",
            "http" if !self.is_tls => ":80",
            _ => return None,
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (host, after) = rest.split_at(end);
        let usual = |host: &str| host.strip_suffix(port).unwrap_or(host).to_ascii_lowercase();
        (usual(host) == usual(self.host?)).then_some(after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_that_a_page_from_elsewhere_makes_are_told_apart() {
        for (origin, host, is_tls, expected) in [
            (None, "cal.example.org", true, false),
            (
                Some("https://cal.example.org"),
                "cal.example.org",
                true,
                false,
            ),
            (
                Some("https://CAL.example.org:8444"),
                "cal.example.org:8444",
                true,
                false,
            ),
            (
                Some("https://cal.example.org"),
                "cal.example.org:443",
                true,
                false,
            ),
            (
                Some("https://cal.example.org"),
                "cal.example.org",
                false,
                false,
            ),
            (
                Some("http://cal.example.org"),
                "cal.example.org",
                false,
                false,
            ),
            (
                Some("http://cal.example.org"),
                "cal.example.org",
                true,
                true,
            ),
            (
                Some("https://cal.example.org"),
                "cal.example.org:8444",
                true,
                true,
            ),
            (
                Some("https://cal.example.org/"),
                "cal.example.org",
                true,
                true,
            ),
            (Some("https://evil.example"), "cal.example.org", true, true),
            (Some("null"), "cal.example.org", true, true),
            (Some(""), "cal.example.org", true, true),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, origin.parse().unwrap());
            }
            let host = Some(host);
            let site = Site { host, is_tls };
            assert_eq!(site.is_foreign(&headers), expected, "{origin:?} {host:?}");
        }
    }

    #[cfg(feature = "caldav")]
    #[test]
    fn urls_lead_here_or_elsewhere() {
        let host = Some("cal.example.org:8444");
        let site = Site { host, is_tls: true };
        for (url, path) in [
            ("/a/b", Some("/a/b")),
            ("https://cal.example.org:8444/a?b", Some("/a?b")),
            ("https://cal.example.org:8444", None),
            ("https://cal.example.org/a", None),
            ("http://cal.example.org:8444/a", None),
            ("https://cal.example.org:8444@evil.example/a", None),
            ("//evil.example/a", None),
            ("a", None),
        ] {
            assert_eq!(site.path_of(url), path, "{url}");
        }
    }
}
