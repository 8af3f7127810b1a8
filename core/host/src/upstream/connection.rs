//! A connection to the server behind us: plain, or TLS with the certificates that the host trusts.

use crate::config::UpstreamServer;
use convoke_net::http_client::{Client, ClientError};
use tokio::io::{AsyncRead, AsyncWrite};

/// One of them.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Connects to the server.
pub(super) async fn connect(
    client: &Client,
    server: &UpstreamServer,
) -> Result<Box<dyn Stream>, ClientError> {
    let stream = client.connect(&server.host, server.port).await?;
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!("{server}: {error}");
    }
    if server.is_tls {
        Ok(Box::new(client.start_tls(&server.host, stream).await?))
    } else {
        Ok(Box::new(stream))
    }
}
