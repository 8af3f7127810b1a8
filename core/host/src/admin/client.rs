//! Asks a running host, by the control socket in its state folder.

use super::api::Method;
use crate::state_folder::control_socket;
use bytes::Bytes;
use convoke_types::Error;
use http::{HeaderValue, Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::net::UnixStream;

/// How long a host may take for an answer: it may ask other servers, and open plugins at a reload.
const PATIENCE: Duration = Duration::from_secs(300);
const LONGEST_ANSWER: usize = 256 << 20;

/// A host that runs with a state folder.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    socket: PathBuf,
}

/// Why a host did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failed {
    /// It cannot be reached.
    #[error("{0}")]
    Unreachable(#[from] io::Error),
    /// It cannot do it.
    #[error(transparent)]
    Refused(#[from] Error),
}

impl Client {
    /// The host that runs with this state folder; an error if none does, or this user may not ask it.
    pub(crate) async fn find(state: &Path) -> io::Result<Self> {
        let socket = control_socket(state);
        UnixStream::connect(&socket).await?;
        Ok(Self { socket })
    }

    /// Has the host do something.
    pub(crate) async fn call<M: Method>(&self, asked: &M) -> Result<M::Answer, Failed> {
        let body = serde_json::to_vec(asked).map_err(io::Error::from)?;
        let exchange = tokio::time::timeout(PATIENCE, self.exchange(M::NAME, body));
        let (status, body) = exchange.await.map_err(io::Error::from)??;
        if status == StatusCode::OK {
            return Ok(serde_json::from_slice(&body).map_err(io::Error::from)?);
        }
        let error: Error = serde_json::from_slice(&body).map_err(io::Error::from)?;
        Err(error.into())
    }

    async fn exchange(&self, method: &str, body: Vec<u8>) -> io::Result<(StatusCode, Bytes)> {
        let stream = UnixStream::connect(&self.socket).await?;
        let exchange = hyper::client::conn::http1::handshake(TokioIo::new(stream));
        let (mut sender, connection) = exchange.await.map_err(io::Error::other)?;
        let connection = tokio::spawn(connection);
        let mut request = Request::post(format!("/v1/{method}"))
            .body(Full::new(Bytes::from(body)))
            .map_err(io::Error::other)?;
        let headers = request.headers_mut();
        headers.insert(header::HOST, HeaderValue::from_static("localhost"));
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        let response = sender.send_request(request).await;
        let (head, body) = response.map_err(io::Error::other)?.into_parts();
        let body = Limited::new(body, LONGEST_ANSWER).collect().await;
        connection.abort();
        Ok((head.status, body.map_err(io::Error::other)?.to_bytes()))
    }
}
