//! The sockets of a host: kept over a reload where the configuration keeps them, opened and closed where it does not.

use super::{inherited::Inherited, watch::Watched};
use crate::{
    config::{Config, Listener, Role},
    instance::ServeError,
    state_folder::ListenerNote,
};
use convoke_net::{
    http_server::{self, Descriptors, Handler, Limits, Listening, ServerTls, TlsChallenges},
    pem::TlsError,
};
use std::sync::Arc;

/// What a listener for mail servers has at most.
#[cfg(feature = "mail")]
const MAIL_CONNECTIONS: usize = super::lmtp::CONNECTIONS;
#[cfg(not(feature = "mail"))]
const MAIL_CONNECTIONS: usize = 0;

/// The listeners that are served.
pub(super) struct Listeners {
    open: Vec<Open>,
    /// What those with a certificate by ACME show to who validates names.
    challenges: Arc<TlsChallenges>,
}

struct Open {
    listening: Listening,
    listener: Listener,
    watched: Watched,
}

/// A listener as the new configuration wants it: certificates read, so that nothing fails any more.
struct Wanted {
    listener: Listener,
    watched: Watched,
    tls: Option<ServerTls>,
}

impl Wanted {
    fn new(listener: &Listener, challenges: &Arc<TlsChallenges>) -> Result<Self, TlsError> {
        Ok(Self {
            listener: listener.clone(),
            // Before the files are read, so that no change goes unseen.
            watched: Watched::listener(listener.tls.as_ref()),
            tls: tls(listener, challenges)?,
        })
    }
}

fn tls(
    listener: &Listener,
    challenges: &Arc<TlsChallenges>,
) -> Result<Option<ServerTls>, TlsError> {
    let tls = listener.tls.as_ref();
    let read = tls.map(|tls| match &listener.acme {
        None => http_server::server_tls(tls),
        Some(_) => http_server::acme_tls(tls, challenges.clone()),
    });
    read.transpose()
}

impl Listeners {
    /// None yet; what they show to who validates names by tls-alpn-01 are `challenges`.
    pub(super) const fn new(challenges: Arc<TlsChallenges>) -> Self {
        Self {
            open: Vec::new(),
            challenges,
        }
    }

    /// Listens where `config` says and nowhere else, and answers by the `handler` of each role; on an error everything stays
    /// as it is.
    pub(super) async fn follow(
        &mut self,
        config: &Config,
        inherited: &Inherited,
        handler: impl Fn(Role) -> Arc<dyn Handler>,
    ) -> Result<(), ServeError> {
        if config.listeners.is_empty() && config.mail_listeners.is_empty() {
            return Err(ServeError::NoListener(config.file.clone()));
        }
        let mut kept: Vec<(usize, Wanted)> = Vec::new();
        let mut bound = Vec::new();
        for listener in &config.listeners {
            let wanted = Wanted::new(listener, &self.challenges)?;
            let taken = |place| kept.iter().any(|(kept, _)| *kept == place);
            let place = (0..self.open.len()).find(|&place| {
                let open = &self.open[place].listener;
                (open.role, open.address) == (listener.role, listener.address) && !taken(place)
            });
            match place {
                Some(place) => kept.push((place, wanted)),
                None => bound.push((bind(listener, inherited).await?, wanted)),
            }
        }
        // From here on nothing fails.
        let connections = allow_connections(config);
        for (place, open) in std::mem::take(&mut self.open).into_iter().enumerate() {
            match kept.iter().position(|(kept, _)| *kept == place) {
                Some(position) => self.keep(
                    open,
                    kept.swap_remove(position).1,
                    &config.limits.connection,
                ),
                None => drop(tokio::spawn(open.listening.stop())),
            }
        }
        for (socket, wanted) in bound {
            tracing::info!(event = "listening", role = socket.role, address = %socket.address, "listening");
            tell_missing(&wanted.listener);
            self.open.push(Open {
                listening: socket.serve(
                    wanted.tls,
                    handler(wanted.listener.role),
                    &config.limits.connection,
                    connections,
                ),
                listener: wanted.listener,
                watched: wanted.watched,
            });
        }
        Ok(())
    }

    fn keep(&mut self, open: Open, wanted: Wanted, limits: &Limits) {
        open.listening.use_settings(wanted.tls, limits);
        self.open.push(Open {
            listening: open.listening,
            listener: wanted.listener,
            watched: wanted.watched,
        });
    }

    /// Takes certificates that have changed on disk. What cannot be used is told once, and the old ones stay.
    pub(super) fn refresh(&mut self, limits: &Limits) {
        for open in &mut self.open {
            if !open.watched.changed() {
                continue;
            }
            let read = tls(&open.listener, &self.challenges)
                .map(|tls| open.listening.use_settings(tls, limits));
            open.watched.tell(read);
        }
    }

    /// Where they listen, for the command line.
    pub(super) fn notes(&self) -> Vec<ListenerNote> {
        let note = |open: &Open| ListenerNote {
            role: open.listener.role.as_str().to_owned(),
            address: open.listening.address,
            tls: open.listener.tls.is_some(),
        };
        self.open.iter().map(note).collect()
    }

    /// Takes no more connections, and returns when requests that had begun have ended.
    pub(super) async fn stop(self) {
        let all = self.open.into_iter().map(|open| open.listening.stop());
        futures::future::join_all(all).await;
    }
}

/// Says that nobody can connect yet.
fn tell_missing(listener: &Listener) {
    let (Some(acme), Some(tls)) = (&listener.acme, &listener.tls) else {
        return;
    };
    if !tls.certificate.exists() {
        tracing::warn!(
            event = "certificate-pending",
            role = listener.role.as_str(),
            address = %listener.address,
            directory = %acme.directory,
            "there is no certificate yet: connections are refused until the authority has issued one"
        );
    }
}

/// How many connections the listeners for mail servers have at most.
pub(crate) const fn mail_connections(config: &Config) -> usize {
    config.mail_listeners.len() * MAIL_CONNECTIONS
}

/// How many connections each listener may have, with the descriptors that the system lets us have.
fn allow_connections(config: &Config) -> usize {
    let listeners = config.listeners.len();
    let mail = mail_connections(config);
    let descriptors = Descriptors::of(listeners, config.limits.connections, mail);
    http_server::raise(descriptors);
    let connections = descriptors.share(listeners, config.limits.connections);
    if !descriptors.suffice() {
        tracing::warn!(
            event = "descriptor-limit",
            connections,
            "each listener has fewer connections than configured: {}",
            descriptors.lack()
        );
    }
    connections
}

async fn bind(
    listener: &Listener,
    inherited: &Inherited,
) -> Result<http_server::Bound, ServeError> {
    let role = listener.role.as_str();
    let bound = match inherited.tcp(listener.address) {
        Ok(Some(socket)) => http_server::adopt(role, socket),
        Ok(None) => http_server::bind(role, listener.address).await,
        Err(error) => Err(error),
    };
    bound.map_err(|error| ServeError::Bind {
        address: listener.address,
        role,
        error,
    })
}
