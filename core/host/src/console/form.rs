//! What forms and queries say, and whether a form is ours.

use crate::site::Site;
use convoke_net::http_server::Arrival;
use http::request::Parts;
use std::collections::BTreeMap;
use url::form_urlencoded;

/// The longest value that is looked at, in bytes.
const MAX_VALUE: usize = 1024;

/// Whether a browser says that one of our pages sends the form.
pub(super) fn is_ours(arrival: &Arrival, parts: &Parts) -> bool {
    Site::of(arrival, &parts.uri, &parts.headers).sends(&parts.headers)
}

/// Fields by name; of several, the last.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Form(BTreeMap<String, String>);

impl Form {
    pub(super) fn read(text: &[u8]) -> Self {
        let fields = form_urlencoded::parse(text);
        let fields = fields.filter(|(_, value)| value.len() <= MAX_VALUE);
        Self(
            fields
                .map(|(name, value)| (name.into_owned(), value.into_owned()))
                .collect(),
        )
    }

    /// A field; empty if it is not there.
    pub(super) fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", |value| value.trim())
    }
}
