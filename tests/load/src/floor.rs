//! The floor: what any such server must do. TLS, HTTP/1.1, one Ed25519 verification a request over the digest of its
//! body, and a constant answer. No header is read, no calendar is touched; nothing could be much faster on this machine.

use crate::Trouble;
use aws_lc_rs::{
    digest::{SHA256, digest},
    signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey},
};
use bytes::Bytes;
use clap::Args;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use std::{
    convert::Infallible,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// Serve the floor
#[derive(Args)]
pub(crate) struct Floor {
    /// Where to listen; the address is printed
    #[arg(long, default_value = "127.0.0.1:0")]
    pub(crate) listen: SocketAddr,
    /// The server's certificate
    #[arg(long, value_name = "FILE")]
    pub(crate) certificate: PathBuf,
    /// Its private key
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
    /// The answer's length
    #[arg(long, default_value_t = 4000)]
    pub(crate) size: usize,
}

/// A signature to verify, and the answer.
struct Constant {
    public: UnparsedPublicKey<Vec<u8>>,
    signature: Vec<u8>,
    answer: Bytes,
}

const SIGNED: [u8; 32] = [7; 32];

impl Floor {
    pub(crate) async fn serve(self) -> Result<(), Trouble> {
        let acceptor = TlsAcceptor::from(Arc::new(tls(&self.certificate, &self.key)?));
        let pair = Ed25519KeyPair::generate()?;
        let mut answer =
            "<schedule-response><request-status>2.0;Success</request-status>".to_owned();
        answer.extend(std::iter::repeat_n(
            'x',
            self.size.saturating_sub(answer.len()),
        ));
        let constant = Arc::new(Constant {
            public: UnparsedPublicKey::new(&ED25519, pair.public_key().as_ref().to_vec()),
            signature: pair.sign(&SIGNED).as_ref().to_vec(),
            answer: answer.into(),
        });
        let listener = TcpListener::bind(self.listen).await?;
        println!("{}", listener.local_addr()?);
        loop {
            let (tcp, _) = listener.accept().await?;
            tcp.set_nodelay(true)?;
            let (acceptor, constant) = (acceptor.clone(), constant.clone());
            tokio::spawn(async move {
                let Ok(tls) = acceptor.accept(tcp).await else {
                    return;
                };
                let service = service_fn(|request| {
                    let constant = constant.clone();
                    async move { Ok::<_, Infallible>(constant.answer(request).await) }
                });
                // A connection that breaks is the client's to report.
                let _ = http1::Builder::new()
                    .serve_connection(TokioIo::new(tls), service)
                    .await;
            });
        }
    }
}

/// TLS of a server with this certificate.
pub(crate) fn tls(certificate: &Path, key: &Path) -> Result<ServerConfig, Trouble> {
    let chain = CertificateDer::pem_file_iter(certificate)?.collect::<Result<_, _>>()?;
    let key = PrivateKeyDer::from_pem_file(key)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    Ok(ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?)
}

impl Constant {
    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let body = request.into_body().collect().await;
        let status = match body.map(|body| self.verifies(&body.to_bytes())) {
            Ok(true) => StatusCode::OK,
            Ok(false) | Err(_) => StatusCode::BAD_REQUEST,
        };
        let mut response = Response::new(Full::new(self.answer.clone()));
        *response.status_mut() = status;
        response
    }

    /// As much work as a signature over this body, whatever it is.
    fn verifies(&self, body: &[u8]) -> bool {
        let digest = digest(&SHA256, body);
        digest.as_ref().len() == SIGNED.len()
            && self.public.verify(&SIGNED, &self.signature).is_ok()
    }
}
