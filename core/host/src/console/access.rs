//! Who is let in: administrators of the listener's `users`, and whoever can read the token in the state folder.

use crate::{
    instance::Instance,
    login::{Denied, Submitter},
};
use convoke_net::http_server::Arrival;
use http::HeaderMap;
use std::fmt;

/// Somebody who was let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Administrator(Submitter);

impl Administrator {
    /// What forms are bound to.
    pub(super) fn key(&self) -> String {
        format!("console {}", self.0)
    }
}

impl fmt::Display for Administrator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Why somebody is not let in.
pub(super) enum Refused {
    /// They did not prove who they are.
    Denied(Denied),
    /// They come from another machine, without TLS: a password would be read on the way.
    InTheClear,
}

pub(super) async fn let_in(
    instance: &Instance,
    arrival: &Arrival,
    headers: &HeaderMap,
) -> Result<Administrator, Refused> {
    let address = arrival.address.ip().to_canonical();
    if !arrival.is_tls && !address.is_loopback() {
        return Err(Refused::InTheClear);
    }
    let submitter = instance.admin_users.identify(headers, address).await;
    submitter.map(Administrator).map_err(Refused::Denied)
}
