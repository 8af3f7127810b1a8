//! A server that answers as a test says, one request a connection, and tells what came, byte by byte.

use convoke_tests::{Authority, Credentials};
use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

/// Longer than any wait of a test that passes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A connection that came.
pub(crate) trait Connection: Read + Write {}

impl<T: Read + Write> Connection for T {}

type Behaviour = dyn Fn(Received, &mut dyn Connection) + Send + Sync;

/// What came, and who is told of more.
type All = Arc<(Mutex<Vec<Received>>, Condvar)>;

/// A listening server.
pub(crate) struct Server {
    address: SocketAddr,
    is_tls: bool,
    received: All,
}

/// The head of a request, and what of its body came with it.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    /// Up to the empty line, without it.
    pub(crate) head: String,
    /// What came after it, so far.
    pub(crate) body: Vec<u8>,
}

impl Server {
    /// Answers everything with the same bytes, once the body has come.
    pub(crate) fn answering(answer: impl Into<Vec<u8>>) -> Self {
        Self::new(with(answer.into()))
    }

    /// Does as the function does, once the body has come.
    pub(crate) fn new(
        behaviour: impl Fn(Received, &mut dyn Connection) + Send + Sync + 'static,
    ) -> Self {
        Self::early(after_body(behaviour))
    }

    /// Does as the function does, once the head has come.
    pub(crate) fn early(
        behaviour: impl Fn(Received, &mut dyn Connection) + Send + Sync + 'static,
    ) -> Self {
        Self::serve(Arc::new(behaviour), None)
    }

    /// Over TLS, with a certificate for `localhost`.
    pub(crate) fn with_tls(authority: &Authority, answer: impl Into<Vec<u8>>) -> Self {
        let config = tls(&authority.issue(&["localhost"]));
        Self::serve(Arc::new(after_body(with(answer.into()))), Some(config))
    }

    fn serve(behaviour: Arc<Behaviour>, tls: Option<Arc<ServerConfig>>) -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = socket.local_addr().expect("it is bound");
        let received = All::default();
        let (all, is_tls) = (received.clone(), tls.is_some());
        thread::spawn(move || {
            for stream in socket.incoming().flatten() {
                let (behaviour, all, tls) = (behaviour.clone(), all.clone(), tls.clone());
                stream.set_read_timeout(Some(PATIENCE)).expect("it is open");
                thread::spawn(move || match tls {
                    None => converse(stream, &*behaviour, &all),
                    Some(config) => {
                        let session = ServerConnection::new(config).expect("it is complete");
                        converse(StreamOwned::new(session, stream), &*behaviour, &all);
                    }
                });
            }
        });
        Self {
            address,
            is_tls,
            received,
        }
    }

    /// As `upstream` is written.
    pub(crate) fn url(&self) -> String {
        if self.is_tls {
            format!("https://localhost:{}", self.address.port())
        } else {
            format!("http://{}", self.address)
        }
    }

    /// Host and port.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What came so far.
    pub(crate) fn received(&self) -> Vec<Received> {
        lock(&self.received).clone()
    }

    /// The first request, once it came.
    pub(crate) fn first(&self) -> Received {
        let all = lock(&self.received);
        let waited = (self.received.1).wait_timeout_while(all, PATIENCE, |all| all.is_empty());
        let (all, _) = waited.unwrap_or_else(PoisonError::into_inner);
        all.first().cloned().expect("a request came")
    }
}

impl Received {
    /// The line that the request begins with.
    pub(crate) fn line(&self) -> &str {
        self.head.lines().next().unwrap_or_default()
    }

    /// The values of a field.
    pub(crate) fn field(&self, name: &str) -> Vec<&str> {
        let fields = self.fields();
        let fields = fields.filter(|(it, _)| it.eq_ignore_ascii_case(name));
        fields.map(|(_, value)| value).collect()
    }

    /// The names of all fields, in lower case, in order of the alphabet.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self
            .fields()
            .map(|(name, _)| name.to_ascii_lowercase())
            .collect();
        names.sort();
        names
    }

    fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        let fields = self.head.lines().skip(1);
        fields.filter_map(|line| line.split_once(": "))
    }

    /// Reads the body to its end, as its length says.
    pub(crate) fn read_body(&mut self, connection: &mut dyn Connection) {
        if !self.field("transfer-encoding").is_empty() {
            while !self.body.ends_with(b"0\r\n\r\n") && more(&mut self.body, connection) {}
            return;
        }
        let length = self.field("content-length");
        let length: usize = length.first().map_or(0, |it| it.parse().expect("a number"));
        while self.body.len() < length && more(&mut self.body, connection) {}
    }
}

fn with(answer: Vec<u8>) -> impl Fn(Received, &mut dyn Connection) + Send + Sync {
    move |_, connection| {
        // Who has gone away is not answered.
        let _ = connection.write_all(&answer);
    }
}

fn after_body(
    behaviour: impl Fn(Received, &mut dyn Connection) + Send + Sync,
) -> impl Fn(Received, &mut dyn Connection) + Send + Sync {
    move |mut received, connection| {
        received.read_body(connection);
        behaviour(received, connection);
    }
}

fn converse(mut stream: impl Connection, behaviour: &Behaviour, all: &All) {
    let mut read = Vec::new();
    let end = loop {
        match read.windows(4).position(|it| it == b"\r\n\r\n") {
            Some(end) => break end,
            None if more(&mut read, &mut stream) => {}
            None => return,
        }
    };
    let received = Received {
        head: String::from_utf8(read[..end].to_vec()).expect("a head is ASCII here"),
        body: read[end + 4..].to_vec(),
    };
    lock(all).push(received.clone());
    all.1.notify_all();
    behaviour(received, &mut stream);
    let _ = stream.flush();
}

fn lock(all: &All) -> MutexGuard<'_, Vec<Received>> {
    all.0.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reads what is there; `false` at the end.
fn more(read: &mut Vec<u8>, stream: &mut dyn Connection) -> bool {
    let mut buffer = [0; 16 << 10];
    let count = stream.read(&mut buffer).unwrap_or(0);
    read.extend_from_slice(&buffer[..count]);
    count > 0
}

fn tls(credentials: &Credentials) -> Arc<ServerConfig> {
    let chain = CertificateDer::pem_slice_iter(credentials.certificate.as_bytes());
    let chain = chain.collect::<Result<_, _>>().expect("PEM");
    let key = PrivateKeyDer::from_pem_slice(credentials.key.as_bytes()).expect("PEM");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider has TLS 1.2 and 1.3")
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .expect("certificate and key fit");
    Arc::new(config)
}
