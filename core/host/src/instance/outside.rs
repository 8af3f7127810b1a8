//! DNS resolver, HTTPS client, plugin setup and signer, as a configuration says.

use super::ServeError;
use crate::{
    config::{Config, Lookup, Signing},
    scheduling,
};
use convoke_dns::Resolver;
use convoke_file_access::{PrivateFileError, read_private};
use convoke_ischedule::dkim;
use convoke_net::{
    http_client::{Client, Settings},
    pem::{TlsError, identity},
    trusted_certificates::TrustedCertificates,
};
use convoke_plugin_host::{NetworkService, Setup, own_program};
use convoke_sdk::{Network, Trust, TrustedCertificate};
use convoke_tls::Believed;
use convoke_types::Error;
use std::{io, sync::Arc};
use tempfile::TempDir;

/// How a configuration reaches other servers.
pub(crate) fn outside(config: &Config) -> Result<(Resolver, Client), ServeError> {
    let dns = Resolver::new(&config.nameservers);
    let client = Client::new(settings(config, &dns)?)?;
    Ok((dns, client))
}

/// What opening the plugins of a configuration takes.
pub fn setup(config: &Config) -> Setup {
    Setup {
        entries: config.plugins.clone(),
        plugin_directories: config.server.plugins.clone(),
        trusted_keys: config.server.trusted_keys.clone(),
        folder: config.folder().to_owned(),
        locate: config.key_locator(),
        domains: config.server.domains.clone(),
        state: config.server.state.clone(),
        index: scheduling::index_service(config.limits.messages.clone()),
        network: network_service(config),
        metrics: Arc::default(),
        program: own_program(),
    }
}

/// What plugins are told that make connections.
fn network_service(config: &Config) -> NetworkService {
    let (nameservers, ca) = (config.nameservers.clone(), config.client.ca.clone());
    Arc::new(move || {
        let trusted = TrustedCertificates::read_all(&ca);
        let trusted = trusted.map_err(|error| Error::invalid(error.to_string()))?;
        let mut network = Network::default();
        network.nameservers.clone_from(&nameservers);
        let believed = trusted.iter().flat_map(TrustedCertificates::believed);
        network.trusted = believed.map(shared).collect();
        Ok(network)
    })
}

/// A certificate as plugins are to believe it.
fn shared(believed: Believed) -> TrustedCertificate {
    let kind = if believed.issues {
        Trust::Authority
    } else {
        Trust::Pinned
    };
    TrustedCertificate::new(believed.certificate.to_vec(), kind).bound_to(believed.domains)
}

/// What opening the plugins takes for somebody who only looks: a state that the host has not made yet is not made, but one in
/// a folder that goes away with the second.
pub(crate) fn setup_to_look(config: &Config) -> io::Result<(Setup, Option<TempDir>)> {
    match config.state_file() {
        Some(file) if !file.exists() => {
            let scratch = tempfile::tempdir()?;
            let mut config = config.clone();
            config.use_state_file(&scratch.path().join("state.db"));
            Ok((setup(&config), Some(scratch)))
        }
        _ => Ok((setup(config), None)),
    }
}

pub(super) fn settings(config: &Config, dns: &Resolver) -> Result<Settings, ServeError> {
    let client = &config.client;
    let identity = match &client.identity {
        Some((certificate, key)) => Some(identity(certificate, key)?),
        None => None,
    };
    Ok(Settings {
        ca: TrustedCertificates::read_all(&client.ca)?,
        identity,
        dns: (!config.nameservers.is_empty()).then(|| dns.clone()),
        allow_networks: client.allow_networks.clone(),
        connect_timeout: client.connect_timeout,
        request_timeout: client.request_timeout,
        redirects: client.redirects,
        response_size: client.response_size,
    })
}

pub(crate) fn signer(signing: &Signing) -> Result<dkim::Signer, ServeError> {
    let wrong = |reason: String| ServeError::Signing {
        file: signing.key.clone(),
        reason,
    };
    let pem = read_private(&signing.key).map_err(|error| match error {
        PrivateFileError::Exposed(exposed) => TlsError::Exposed(exposed).into(),
        PrivateFileError::Io(error) => wrong(error.to_string()),
    })?;
    let pem = String::from_utf8_lossy(&pem);
    let key = dkim::PrivateKey::from_pem(&pem).map_err(|error| wrong(error.to_string()))?;
    let lookups = signing.lookup.iter().map(|lookup| match lookup {
        Lookup::DnsTxt => dkim::Lookup::DnsTxt,
        Lookup::HttpWellKnown => dkim::Lookup::HttpWellKnown,
        Lookup::PrivateExchange => dkim::Lookup::PrivateExchange,
    });
    dkim::Signer::new(
        signing.domain.clone(),
        &signing.selector,
        key,
        lookups.collect(),
    )
    .map_err(|error| wrong(error.to_string()))
}
