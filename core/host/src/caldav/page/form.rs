//! Which forms are the page's own.

use crate::caldav::site::Site;
use http::{HeaderMap, header};
use url::form_urlencoded;

/// The longest value of a form that is looked at, in bytes.
const MAX_VALUE: usize = 1024;

/// Whether a browser says that the page itself sends the form. What says nothing is no browser that knows forms.
pub(super) fn is_from_here(site: &Site<'_>, headers: &HeaderMap) -> bool {
    let fetched = headers.get("sec-fetch-site");
    let is_same = fetched.is_none_or(|it| it == "same-origin");
    let says_where = fetched.is_some() || headers.contains_key(header::ORIGIN);
    is_same && says_where && !site.is_foreign(headers)
}

/// What is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    Accept,
    Decline,
}

/// A form that was sent.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Form {
    pub(super) token: String,
    /// Of the message.
    pub(super) id: String,
    pub(super) decision: Option<Decision>,
}

impl Form {
    pub(super) fn read(body: &[u8]) -> Self {
        let mut form = Self::default();
        for (name, value) in form_urlencoded::parse(body) {
            if value.len() > MAX_VALUE {
                continue;
            }
            match (&*name, &*value) {
                ("token", token) => token.clone_into(&mut form.token),
                ("id", id) => id.clone_into(&mut form.id),
                ("decision", "accept") => form.decision = Some(Decision::Accept),
                ("decision", "decline") => form.decision = Some(Decision::Decline),
                _ => {}
            }
        }
        form
    }
}
