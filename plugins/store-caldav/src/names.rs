//! Addresses of servers: what the name servers of the host's `[dns]` say, else what the system says.

use convoke_sdk::{
    Network,
    dns::{LookupError, Resolver},
    tracing,
};
use hyper_util::client::legacy::connect::dns::Name;
use std::{
    future::Future,
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
    vec,
};

/// Finds the addresses of servers. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Names(Option<Resolver>);

impl Names {
    /// As the host does: without name servers of its own, the system alone is asked.
    pub(crate) fn of(network: &Network) -> Self {
        let servers = &network.nameservers;
        Self((!servers.is_empty()).then(|| Resolver::new(servers)))
    }

    /// What the name servers say; if they know nothing, what the system says, as for names of the local network. The port
    /// is none yet.
    async fn look_up(self, host: &str) -> io::Result<vec::IntoIter<SocketAddr>> {
        if let Some(resolver) = &self.0 {
            match resolver.addresses(host).await {
                Ok(found) if found.is_empty() => {}
                Ok(found) => {
                    let found = found.into_iter().map(|address| (address, 0).into());
                    return Ok(found.collect::<Vec<_>>().into_iter());
                }
                Err(error) => told(&error),
            }
        }
        let found = tokio::net::lookup_host((host, 0)).await?;
        Ok(found.collect::<Vec<_>>().into_iter())
    }
}

fn told(error: &LookupError) {
    tracing::debug!("{error}; the system is asked");
}

impl tower_service::Service<Name> for Names {
    type Response = vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let names = self.clone();
        Box::pin(async move { names.look_up(name.as_str()).await })
    }
}
