//! The least that a proxy with TLS must do: accept, read a header, connect, pass both bodies on. It adds nothing, takes nothing
//! away and bounds nothing.

use crate::{Trouble, floor};
use clap::Args;
use http::{Request, Response};
use hyper::{body::Incoming, client, server, service::service_fn};
use hyper_util::rt::TokioIo;
use std::{net::SocketAddr, path::PathBuf, sync::Arc};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// Pass requests on to a server
#[derive(Args)]
pub(crate) struct Relay {
    /// Where to pass them on
    to: SocketAddr,
    /// Where to listen; the address is printed
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// The server's certificate
    #[arg(long, value_name = "FILE")]
    certificate: PathBuf,
    /// Its private key
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
}

impl Relay {
    pub(crate) async fn serve(self) -> Result<(), Trouble> {
        let acceptor = TlsAcceptor::from(Arc::new(floor::tls(&self.certificate, &self.key)?));
        let listener = TcpListener::bind(self.listen).await?;
        println!("{}", listener.local_addr()?);
        loop {
            let (tcp, _) = listener.accept().await?;
            tcp.set_nodelay(true)?;
            let (acceptor, to) = (acceptor.clone(), self.to);
            tokio::spawn(async move {
                let Ok(tls) = acceptor.accept(tcp).await else {
                    return;
                };
                let service = service_fn(move |request| pass_on(to, request));
                // A connection that breaks is the client's to report.
                let _ = server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(tls), service)
                    .await;
            });
        }
    }
}

async fn pass_on(
    to: SocketAddr,
    request: Request<Incoming>,
) -> Result<Response<Incoming>, Trouble> {
    let tcp = TcpStream::connect(to).await?;
    tcp.set_nodelay(true)?;
    let (mut sender, connection) = client::conn::http1::handshake(TokioIo::new(tcp)).await?;
    tokio::spawn(connection);
    Ok(sender.send_request(request).await?)
}
