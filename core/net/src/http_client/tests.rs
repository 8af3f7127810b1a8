//! The client against a server that ends its connections.

use super::{Client, ClientError, ConnectPolicy, Request, Settings};
use crate::trusted_certificates::{TrustedCertificates, TrustedFile};
use bytes::Bytes;
use h2::Reason;
use http::{HeaderMap, Method, StatusCode};
use rustls::{ServerConfig, pki_types::PrivateKeyDer};
use std::sync::Arc;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::oneshot,
};
use tokio_rustls::TlsAcceptor;

/// How a server ends the connection on which the second request is.
#[derive(Clone, Copy, Debug)]
enum End {
    /// As one does on which nothing happens.
    GoAway(Reason),
    /// It refuses that request alone.
    Refused,
}

/// A server of HTTP/2 (RFC 9113 §4) that answers one request on the first connection, ends that with the second, and answers on so many
/// more. It speaks in frames, as a library would take the second request before it ends.
async fn serve(socket: TcpListener, tls: TlsAcceptor, end: End, more: usize) {
    for turn in 0..=more {
        let Ok((stream, _)) = socket.accept().await else {
            return;
        };
        let mut stream = tls.accept(stream).await.unwrap();
        let mut preface = [0; 24];
        stream.read_exact(&mut preface).await.unwrap();
        stream.write_all(&frame(SETTINGS, 0, 0, &[])).await.unwrap();
        // Ends when the client closes it.
        while let Ok((kind, on)) = read(&mut stream).await {
            let said = match (kind, on, end) {
                (HEADERS, 3, End::GoAway(reason)) if turn == 0 => {
                    let last = [0, 0, 0, 1];
                    let reason = u32::from(reason).to_be_bytes();
                    frame(GOAWAY, 0, 0, &[last, reason].concat())
                }
                (HEADERS, 3, End::Refused) if turn == 0 => {
                    let reason = u32::from(Reason::REFUSED_STREAM).to_be_bytes();
                    frame(RST_STREAM, 0, 3, &reason)
                }
                // `:status: 204` of the static table (RFC 7541, appendix A).
                (HEADERS, ..) => frame(HEADERS, END_HEADERS | END_STREAM, on, &[0x89]),
                _ => continue,
            };
            stream.write_all(&said).await.unwrap();
        }
    }
}

const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

fn frame(kind: u8, flags: u8, on: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &on.to_be_bytes(), payload].concat()
}

/// The kind of the next frame, and its stream.
async fn read(stream: &mut (impl AsyncRead + Unpin)) -> std::io::Result<(u8, u32)> {
    let mut head = [0; 9];
    stream.read_exact(&mut head).await?;
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
    let mut payload = vec![0; usize::try_from(length).unwrap()];
    stream.read_exact(&mut payload).await?;
    Ok((
        head[3],
        u32::from_be_bytes([head[5], head[6], head[7], head[8]]),
    ))
}

/// What the second request to a server comes to.
async fn second(end: End, more: usize) -> Result<StatusCode, ClientError> {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let file = folder.path().join("server.pem");
    std::fs::write(&file, made.cert.pem()).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let mut tls = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    tls.alpn_protocols = vec![b"h2".to_vec()];
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/", socket.local_addr().unwrap());
    let (stop, stopped) = oneshot::channel::<()>();
    let tls = TlsAcceptor::from(Arc::new(tls));
    let server = tokio::spawn(async move {
        tokio::select! {
            () = serve(socket, tls, end, more) => {}
            _ = stopped => {}
        }
    });
    let domains = Vec::new();
    let listed = TrustedFile { file, domains };
    let client = Client::new(Settings {
        ca: vec![TrustedCertificates::read(&listed).unwrap()],
        allow_networks: vec!["127.0.0.0/8".parse().unwrap()],
        ..Settings::default()
    });
    let client = client.unwrap();
    let request = Request {
        method: Method::GET,
        url: url.parse().unwrap(),
        headers: HeaderMap::new(),
        body: Bytes::new(),
        policy: ConnectPolicy::default(),
        longest: None,
    };
    let first = client.send(request.clone()).await.unwrap();
    assert_eq!(first.status, StatusCode::NO_CONTENT);
    let second = client.send(request).await;
    let _ = stop.send(());
    server.await.unwrap();
    second.map(|it| it.status)
}

#[tokio::test]
async fn a_request_that_meets_the_end_of_its_connection_is_made_on_another() {
    for end in [End::GoAway(Reason::NO_ERROR), End::Refused] {
        assert_eq!(
            second(end, 1).await.unwrap(),
            StatusCode::NO_CONTENT,
            "{end:?}"
        );
    }
}

#[tokio::test]
async fn what_the_server_finds_wrong_is_not_said_again() {
    let broken = second(End::GoAway(Reason::ENHANCE_YOUR_CALM), 1).await;
    let error = broken.unwrap_err();
    assert!(matches!(error, ClientError::Broken { .. }), "{error}");
}

#[tokio::test]
async fn who_is_turned_away_and_finds_nobody_then_is_told_of_the_first() {
    let broken = second(End::GoAway(Reason::NO_ERROR), 0).await;
    let error = broken.unwrap_err();
    assert!(matches!(error, ClientError::Broken { .. }), "{error}");
}
