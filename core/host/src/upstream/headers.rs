//! Header fields that pass, and those that do not.
//!
//! What concerns one connection only stays on it (RFC 9110 §7.6.1). What a server behind us believes of who asks, and under
//! which name, is said by us alone: who is in front of us could write anything. A name with `_` never passes: many servers take
//! `X_Remote_User` for `X-Remote-User`.

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use std::{fmt, net::IpAddr};

/// Fields of one connection, besides those that `Connection` names.
const HOP_BY_HOP: [&str; 11] = [
    "connection",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authentication-info",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Fields that decide what a request does and who asks for it, besides those that begin with `if-`.
const END_TO_END: [&str; 15] = [
    "accept-encoding",
    "authorization",
    "content-encoding",
    "content-length",
    "content-range",
    "content-type",
    "cookie",
    "depth",
    "destination",
    "host",
    "if",
    "overwrite",
    "prefer",
    "range",
    "schedule-reply",
];

/// What is believed of who asks, and how, by this or that server. (`Proxy` becomes the environment's `HTTP_PROXY` for CGI.)
const BELIEVED: [&str; 12] = [
    "auth-user",
    "forwarded",
    "proxy",
    "remote-addr",
    "remote-user",
    "via",
    "x-authenticated-user",
    "x-original-url",
    "x-real-ip",
    "x-rewrite-url",
    "x-script-name",
    "x-webauth-user",
];

/// How such fields begin.
const BELIEVED_FAMILIES: [&str; 5] = [
    "ssl-client-",
    "x-client-cert",
    "x-forwarded-",
    "x-remote-",
    "x-ssl-",
];

/// Under which name, and by whom, we were asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Front {
    /// `https` or `http`.
    pub(crate) scheme: &'static str,
    /// Host and port, as the client names them.
    pub(crate) host: String,
    /// Who connected.
    pub(crate) client: IpAddr,
}

impl fmt::Display for Front {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.host)
    }
}

/// The header of a request as the server behind us gets it. How its body is delimited is not among it: that is said anew.
pub(crate) fn to_server(came: &HeaderMap, front: &Front) -> HeaderMap {
    let named = named_by_connection(came);
    let mut headers = HeaderMap::with_capacity(came.len() + 5);
    for (name, value) in came {
        let is_ours = *name == header::HOST
            || *name == header::CONTENT_LENGTH
            // We ask for the body ourselves, when the server takes it.
            || *name == header::EXPECT
            || is_believed(name.as_str());
        if !is_ours && !is_hop_by_hop(name, &named) {
            headers.append(name, value.clone());
        }
    }
    let client = front.client.to_canonical().to_string();
    for (name, value) in [
        ("host", front.host.as_str()),
        ("x-forwarded-for", &client),
        ("x-forwarded-host", &front.host),
        ("x-forwarded-proto", front.scheme),
        ("via", "1.1 convoke"),
    ] {
        // A host that came as a field, or in a target, can be one again.
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    }
    headers
}

/// The header of an answer as the client gets it.
pub(crate) fn to_client(headers: &mut HeaderMap, status: StatusCode) {
    let named = named_by_connection(headers);
    let dropped: Vec<HeaderName> = headers
        .keys()
        .filter(|name| is_hop_by_hop(name, &named))
        .cloned()
        .collect();
    for name in dropped {
        headers.remove(name);
    }
    if matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
        // There is no body that it could be the length of.
        headers.remove(header::CONTENT_LENGTH);
    }
}

/// Whether a body comes as RFC 9112 §6.1 has it, in no coding but `chunked`: what else there were, we would take away.
pub(crate) fn has_known_coding(headers: &HeaderMap) -> bool {
    let codings = headers.get_all(header::TRANSFER_ENCODING);
    let mut codings = codings.iter().map(|it| it.as_bytes().trim_ascii());
    match (codings.next(), codings.next()) {
        (None, _) => true,
        (Some(only), None) => only.eq_ignore_ascii_case(b"chunked"),
        (Some(_), Some(_)) => false,
    }
}

/// Whether `Connection` names a field that is meant for the server (RFC 9110 §7.6.1 forbids it): it would not get there, and what we
/// do by it, or what the server would have done, is then done for somebody who asks otherwise.
pub(crate) fn hides_fields(headers: &HeaderMap) -> bool {
    let named = named_by_connection(headers);
    (named.iter()).any(|it| END_TO_END.contains(&&**it) || it.starts_with("if-"))
}

fn named_by_connection(headers: &HeaderMap) -> Vec<String> {
    let values = headers.get_all(header::CONNECTION);
    let values = values.iter().filter_map(|it| it.to_str().ok());
    let names = values.flat_map(|it| it.split(','));
    names.map(|it| it.trim().to_ascii_lowercase()).collect()
}

fn is_hop_by_hop(name: &HeaderName, named: &[String]) -> bool {
    HOP_BY_HOP.contains(&name.as_str()) || named.iter().any(|it| it == name.as_str())
}

fn is_believed(name: &str) -> bool {
    name.contains('_')
        || BELIEVED.contains(&name)
        || BELIEVED_FAMILIES.iter().any(|it| name.starts_with(it))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let fields = fields.iter().map(|(name, value)| {
            let name = HeaderName::from_static(name);
            (name, HeaderValue::from_static(value))
        });
        fields.fold(HeaderMap::new(), |mut all, (name, value)| {
            all.append(name, value);
            all
        })
    }

    fn shown(headers: &HeaderMap) -> Vec<String> {
        let fields = headers.iter();
        let mut shown: Vec<String> = fields
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
            .collect();
        shown.sort();
        shown
    }

    #[test]
    fn a_request_says_what_its_client_may_say() {
        let came = headers(&[
            ("host", "cal.example.org"),
            ("authorization", "Basic YTpi"),
            ("if-match", "\"1\""),
            ("content-length", "3"),
            ("transfer-encoding", "chunked"),
            ("connection", "close, X-Hop"),
            ("x-hop", "1"),
            ("te", "trailers"),
            ("expect", "100-continue"),
            ("upgrade", "h2c"),
            ("http2-settings", "AAMAAABkAARAAAAAAAIAAAAA"),
            ("proxy-authorization", "Basic YTpi"),
            ("x-remote-user", "bo"),
            ("x_remote_user", "bo"),
            ("remote_user", "bo"),
            ("x-forwarded-for", "192.0.2.9"),
            ("x-forwarded-user", "bo"),
            ("x-script-name", "/evil"),
            ("forwarded", "for=192.0.2.9"),
            ("proxy", "http://evil.example"),
            ("depth", "1"),
            ("accept", "a"),
            ("accept", "b"),
        ]);
        let front = Front {
            scheme: "https",
            host: "cal.example.org".to_owned(),
            client: "::ffff:192.0.2.1".parse().unwrap(),
        };
        assert_eq!(
            shown(&to_server(&came, &front)),
            [
                "accept: a",
                "accept: b",
                "authorization: Basic YTpi",
                "depth: 1",
                "host: cal.example.org",
                "if-match: \"1\"",
                "via: 1.1 convoke",
                "x-forwarded-for: 192.0.2.1",
                "x-forwarded-host: cal.example.org",
                "x-forwarded-proto: https",
            ]
        );
    }

    #[test]
    fn an_answer_loses_what_concerns_the_connection() {
        let mut answer = headers(&[
            ("connection", "keep-alive, x-hop"),
            ("keep-alive", "timeout=5"),
            ("transfer-encoding", "chunked"),
            ("x-hop", "1"),
            ("etag", "\"1\""),
            ("content-encoding", "gzip"),
            ("www-authenticate", "Digest realm=\"a\""),
            ("www-authenticate", "Basic realm=\"a\""),
            ("content-length", "5"),
        ]);
        to_client(&mut answer, StatusCode::NOT_MODIFIED);
        assert_eq!(
            shown(&answer),
            [
                "content-encoding: gzip",
                "etag: \"1\"",
                "www-authenticate: Basic realm=\"a\"",
                "www-authenticate: Digest realm=\"a\"",
            ]
        );
    }

    #[test]
    fn nothing_that_the_server_must_see_is_hidden_from_it() {
        for (value, hides) in [
            ("close, X-Hop", false),
            ("TE, keep-alive", false),
            ("close, Authorization", true),
            ("cookie", true),
            ("If", true),
            ("if-match", true),
            ("If-Schedule-Tag-Match", true),
            ("content-type", true),
        ] {
            let headers = headers(&[("connection", value)]);
            assert_eq!(hides_fields(&headers), hides, "{value}");
        }
    }

    #[test]
    fn only_chunks_are_taken_apart() {
        for (fields, known) in [
            (&[][..], true),
            (&[("transfer-encoding", "Chunked")], true),
            (&[("transfer-encoding", "gzip, chunked")], false),
            (
                &[
                    ("transfer-encoding", "gzip"),
                    ("transfer-encoding", "chunked"),
                ],
                false,
            ),
            (&[("transfer-encoding", "identity")], false),
        ] {
            assert_eq!(has_known_coding(&headers(fields)), known, "{fields:?}");
        }
    }
}
