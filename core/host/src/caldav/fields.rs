//! Header fields that are refused before anything is done: those of which two readers could make two things.

use super::reply::Refused;
use http::{HeaderMap, Method, Request, header};

/// Fields that a request has once or not at all. A server behind us, or a proxy before us, may believe the other one of two.
const ONCE: [&str; 9] = [
    "authorization",
    "content-range",
    "content-type",
    "depth",
    "destination",
    "if-schedule-tag-match",
    "origin",
    "overwrite",
    "schedule-reply",
];

/// Whether a field is there twice that may be there once.
pub(super) fn are_ambiguous(headers: &HeaderMap) -> bool {
    ONCE.iter()
        .any(|name| headers.get_all(*name).iter().nth(1).is_some())
}

/// Refuses a body that is not what is to be stored, though it may look like it.
pub(super) fn check_body<B>(request: &Request<B>) -> Result<(), Refused> {
    match not_as_it_is(request.method(), request.headers()) {
        Some(refused) => Err(refused),
        None => Ok(()),
    }
}

/// Why a body is not what is to be stored, though it may look like it.
pub(super) fn not_as_it_is(method: &Method, headers: &HeaderMap) -> Option<Refused> {
    // RFC 9110 §14.4: a part would take the place of the whole.
    if *method == Method::PUT && headers.contains_key(header::CONTENT_RANGE) {
        let why = "a part of an object is not taken: leave Content-Range out and send the whole";
        return Some(Refused::bad_request(&why));
    }
    let mut codings = headers.get_all(header::CONTENT_ENCODING).iter();
    let is_coded = codings.any(|it| !it.as_bytes().eq_ignore_ascii_case(b"identity"));
    is_coded.then(Refused::coding)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn a_field_that_is_there_twice_is_ambiguous() {
        let mut headers = HeaderMap::new();
        for name in ONCE.into_iter().chain(["if-match", "cookie"]) {
            headers.append(name, HeaderValue::from_static("a"));
        }
        assert!(!are_ambiguous(&headers));
        headers.append("if-match", HeaderValue::from_static("b"));
        assert!(!are_ambiguous(&headers));
        for name in ONCE {
            let mut twice = headers.clone();
            twice.append(name, HeaderValue::from_static("a"));
            assert!(are_ambiguous(&twice), "{name}");
        }
    }
}
