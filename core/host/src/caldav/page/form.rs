//! What a form of the page says.

use url::form_urlencoded;

/// The longest value of a form that is looked at, in bytes.
const MAX_VALUE: usize = 1024;

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
