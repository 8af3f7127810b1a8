//! Configurations that are valid but seldom intended, reported in the log at start and reload.

use super::ServeError;
#[cfg(feature = "caldav")]
use crate::upstream;
use crate::{
    config::{Config, Role},
    file_modes, store_domains,
};
use convoke_net::trusted_certificates::{self, TrustedCertificates};
use convoke_plugin_host::Plugins;
use convoke_sdk::remote::Kind;
use jiff::Timestamp;

/// Logs a warning for each.
pub(super) fn warn(config: &Config, plugins: &Plugins) -> Result<(), ServeError> {
    if !config.verification.required {
        tracing::warn!(
            event = "verification-off",
            "VERIFICATION IS OFF: anybody may speak for any domain but ours; set `verification.required = true` \
             unless this is a test"
        );
    }
    if !config
        .plugins
        .iter()
        .any(|entry| entry.kind == Kind::Policy)
    {
        tracing::warn!(
            event = "no-policy",
            "there is no [[policy]]: every request is denied"
        );
    }
    if plugins.stores.iter().next().is_none() {
        tracing::warn!(
            event = "no-store",
            "there is no [[store]]: this host has no calendar users"
        );
    }
    for passed in store_domains::passed_over(config) {
        tracing::warn!(
            event = "store-passed-over",
            store = passed.store,
            "{}",
            passed.sentence
        );
    }
    for listener in &config.listeners {
        let open = !listener.address.ip().is_loopback();
        // Authorities that validate names come without.
        let is_plain = listener.tls.is_none() && listener.role != Role::Acme;
        if is_plain && open && listener.role != Role::Admin {
            tracing::warn!(event = "plain-http", role = listener.role.as_str(),
                address = %listener.address,
                "plain HTTP on an address that others can reach; set `tls`, or put a proxy with TLS before it"
            );
        }
    }
    #[cfg(feature = "caldav")]
    warn_of_upstream(config);
    warn_of_modes(config);
    warn_of_client_authorities(config)
}

/// A server behind the caldav listener whose changes nobody is told of.
#[cfg(feature = "caldav")]
fn warn_of_upstream(config: &Config) {
    let servers = config
        .listeners
        .iter()
        .filter_map(|it| it.upstream.as_ref());
    for server in servers {
        let is_told = !upstream::stores_on(config, server).is_empty();
        if !is_told || upstream::is_ours(config, server).is_some() {
            tracing::warn!(
                event = "upstream-not-told",
                "nobody is told of what is written through the caldav listener to {server}: no [[store]] keeps calendars there, or \
                 it is this host itself; see `convoke check`"
            );
        }
    }
}

/// What others on this machine may write, though it decides what the host does.
fn warn_of_modes(config: &Config) {
    for (what, exposed) in file_modes::exposed(config) {
        tracing::warn!(event = "file-mode", "{what}: {exposed}");
    }
}

/// An authority that is bound to no domains vouches for every peer, which is seldom meant where a partner's self-signed
/// certificate is listed (`openssl req -x509` makes it an authority).
fn warn_of_client_authorities(config: &Config) -> Result<(), ServeError> {
    let listed = config.listeners.iter().filter_map(|it| it.tls.as_ref());
    let listed: Vec<_> = listed.flat_map(|tls| tls.client_ca.clone()).collect();
    let trusted = TrustedCertificates::read_all(&listed)?;
    for remark in trusted_certificates::remarks(&trusted, Timestamp::now().as_second()) {
        if remark.odd && !remark.already_reported {
            tracing::warn!(event = "client-authority", "client_ca: {}", remark.text);
        }
    }
    Ok(())
}
