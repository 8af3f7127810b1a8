//! Everything that one configuration makes.

use super::{ServeError, background::Background, files, metrics::Metrics};
use crate::{
    config::{Config, Lookup, Role, Signing},
    delivery::{self, Bounds, Delivery},
    file_modes,
    keys::Keys,
    labour::Labour,
    receiver::{Published, gate::Gate, replay::Replays},
    sender::Sender,
    submission::{self, attempts::Attempts, auth::Users},
    throttle::Paces,
};
use convoke_calendar::{itip::Outgoing, tree::Limits};
use convoke_file_access::{PrivateFileError, read_private};
use convoke_ischedule::{Recipient, dkim};
use convoke_net::{
    dns::Dns,
    http_client::{Client, Settings},
    pem::{TlsError, certificates, private_key},
    trusted_certificates::{self, TrustedCertificates},
};
use convoke_plugin_host::{Plugins, Setup, own_program};
use convoke_sdk::remote::Kind;
use jiff::Timestamp;
use std::sync::Arc;

/// What answers requests: the configuration, and all that was opened for it.
pub struct Node {
    /// The configuration.
    pub config: Arc<Config>,
    /// The plugins.
    pub plugins: Arc<Plugins>,
    /// To our own calendar users.
    pub delivery: Delivery,
    /// HTTPS to other servers.
    pub client: Client,
    /// To everybody else.
    pub sender: Sender,
    /// What we take.
    pub published: Published,
    /// Name servers.
    pub dns: Dns,
    /// Keys of peers.
    pub keys: Keys,
    /// Signs what we send; its public key is published.
    pub signer: Option<Arc<dkim::Signer>>,
    /// Who may hand in messages.
    pub users: Arc<Users>,
    /// How much is worked on at once.
    pub gate: Gate,
    /// What outlives the configuration.
    pub lasting: Arc<Lasting>,
}

/// What a host remembers as long as it runs, whatever it is configured to do.
#[derive(Default)]
pub struct Lasting {
    /// What was counted.
    pub metrics: Metrics,
    /// Answers to messages that may come again.
    pub replays: Replays,
    /// How often peers came.
    pub paces: Paces,
    /// Attempts to log in.
    pub(crate) attempts: Arc<Attempts>,
    /// What goes out without anybody waiting for it.
    pub background: Background,
    /// Turns for what takes long.
    pub labour: Labour,
}

impl Node {
    /// Opens everything that `config` names, except sockets.
    pub async fn new(config: Config, lasting: Arc<Lasting>) -> Result<Self, ServeError> {
        let config = Arc::new(config);
        let state = |error| ServeError::State {
            folder: config.server.state.clone(),
            error,
        };
        files::make_state(&config.server.state).map_err(state)?;
        let token = files::make_token(&config.server.state).map_err(state)?;
        let (dns, client) = outside(&config)?;
        let signer = config
            .signing
            .as_ref()
            .map(signer)
            .transpose()?
            .map(Arc::new);
        let users = config
            .listener(Role::Submission)
            .and_then(|listener| listener.users.as_deref());
        let users = Users::new(
            token,
            users,
            &config.server.domains[0],
            lasting.attempts.clone(),
        )?;
        let plugins = Arc::new(Plugins::open(&setup(&config)).await?);
        warn_of_oddities(&config, &plugins)?;
        Ok(Self {
            delivery: Delivery::new(config.clone(), plugins.clone(), lasting.clone()),
            sender: Sender::new(client.clone(), plugins.clone(), signer.clone()),
            published: Published::new(&config).map_err(state)?,
            keys: Keys::new(
                config.verification.private_exchange.clone(),
                dns.clone(),
                client.clone(),
            ),
            dns,
            users: Arc::new(users),
            gate: Gate::new(&config.limits),
            lasting,
            signer,
            client,
            plugins,
            config,
        })
    }

    /// Reads the certificates for other servers again.
    pub(super) fn refresh_client(&self) -> Result<(), ServeError> {
        Ok(self
            .client
            .use_settings(settings(&self.config, &self.dns)?)?)
    }

    /// Sends a message on behalf of one of our users, later than the answer that caused it. It was made of the user's own
    /// copy, which therefore stays as it is: the message may hold a part of it only.
    pub(crate) fn send_in_background(self: &Arc<Self>, mut outgoing: Outgoing) {
        let background = &self.lasting.background;
        let Some(under_way) = background.begin(&mut outgoing, &self.config) else {
            return;
        };
        let node = self.clone();
        tokio::spawn(async move {
            let _under_way = under_way;
            let Outgoing {
                message,
                originator,
                recipients,
            } = outgoing;
            let recipients: Vec<Recipient> = recipients.into_iter().map(Recipient::new).collect();
            for response in submission::send_out(&node, &message, &originator, &recipients).await {
                tracing::info!(%originator, recipient = response.recipient, uid = %message.uid(), "answered: {}", response.status);
            }
        });
    }
}

/// How a configuration reaches other servers.
pub(crate) fn outside(config: &Config) -> Result<(Dns, Client), ServeError> {
    let dns = Dns::new(&config.nameservers);
    let client = Client::new(settings(config, &dns)?)?;
    Ok((dns, client))
}

/// What opening the plugins of a configuration takes.
pub fn setup(config: &Config) -> Setup {
    let limits = Limits {
        bytes: usize::MAX,
        instances: config.limits.instances,
        ..Limits::default()
    };
    Setup {
        entries: config.plugins.clone(),
        plugin_directories: config.server.plugins.clone(),
        trusted_keys: config.server.trusted_keys.clone(),
        folder: config.folder().to_owned(),
        locate: config.key_locator(),
        domains: config.server.domains.clone(),
        index: delivery::index_service(Bounds {
            limits,
            ahead: config.server.horizon,
            room: delivery::room(config.limits.inbox, config.limits.content_length),
        }),
        program: own_program(),
    }
}

fn settings(config: &Config, dns: &Dns) -> Result<Settings, ServeError> {
    let client = &config.client;
    let identity = match &client.identity {
        Some((certificate, key)) => Some((certificates(certificate)?, private_key(key)?)),
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

/// What is allowed but seldom meant.
fn warn_of_oddities(config: &Config, plugins: &Plugins) -> Result<(), ServeError> {
    if !config.verification.required {
        tracing::warn!(
            "VERIFICATION IS OFF: anybody may speak for any domain but ours; set `verification.required = true` \
             unless this is a test"
        );
    }
    if !config
        .plugins
        .iter()
        .any(|entry| entry.kind == Kind::Policy)
    {
        tracing::warn!("there is no [[policy]]: every request is denied, as nobody allows any");
    }
    if plugins.stores.iter().next().is_none() {
        tracing::warn!("there is no [[store]]: there are no calendar users here");
    }
    for listener in &config.listeners {
        let open = !listener.address.ip().is_loopback();
        if listener.tls.is_none() && open && listener.role != Role::Admin {
            tracing::warn!(
                role = listener.role.as_str(),
                address = %listener.address,
                "plain HTTP on an address that others can reach; set `tls`, or put a proxy with TLS before it"
            );
        }
    }
    warn_of_modes(config);
    warn_of_client_authorities(config)
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
        if remark.odd {
            tracing::warn!(event = "client-authority", "client_ca: {}", remark.text);
        }
    }
    Ok(())
}
