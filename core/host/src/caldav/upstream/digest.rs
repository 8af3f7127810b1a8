//! An edit that is forbidden, of who logs in by Digest.
//!
//! Only the server can tell whether a Digest answer is right, and it is right for one request alone. To refuse an edit without
//! that would tell anybody who guesses a name what is in that calendar. So the server gets the request on a condition that nothing
//! meets: it looks at the credentials first (RFC 9110 §13.2.1), and then at that. Digest vouches for the method, the path and at
//! most the body, and for no other field.

use super::forward::{Forwarding, Subject};
use crate::{caldav::reply::Refused, upstream::Outgoing};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use std::hash::{BuildHasher, RandomState};

impl Forwarding<'_> {
    /// Whether the server takes the credentials of an edit that it is not to make. If not, the answer is what it says.
    pub(super) async fn check_digest(
        &self,
        subject: &Subject,
        headers: &HeaderMap,
        body: &Bytes,
    ) -> Result<(), Refused> {
        let mut headers = headers.clone();
        headers.remove(header::IF_NONE_MATCH);
        headers.insert(header::IF_MATCH, no_version());
        let body: Outgoing = Full::new(body.clone())
            .map_err(|it| match it {})
            .boxed_unsync();
        let mut request = Request::new(body);
        *request.method_mut() = Method::PUT;
        *request.uri_mut() = (subject.target.parse()).map_err(|_| StatusCode::BAD_REQUEST)?;
        *request.headers_mut() = headers;
        let answer = self.ask(request).await;
        let answer = answer.map_err(|none| none.response())?;
        if answer.status() == StatusCode::PRECONDITION_FAILED {
            return Ok(());
        }
        Err(self.passed_on(answer).into())
    }
}

/// An entity tag that no version has.
fn no_version() -> HeaderValue {
    let chance = RandomState::new().hash_one(0);
    let tag = HeaderValue::from_str(&format!("\"no-version-{chance:016x}\""));
    tag.unwrap_or(HeaderValue::from_static("\"no-version\""))
}
