//! Another server, or anybody else, on one connection: raw bytes over TLS, no code of ours.

use crate::{Answer, Credentials};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};
use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::Arc,
    time::Duration,
};

/// Longer than any limit that a test waits for.
const PATIENCE: Duration = Duration::from_secs(20);

/// A connection to a listener.
pub struct Peer {
    stream: Stream,
    /// What came but was not looked at yet.
    read: Vec<u8>,
}

enum Stream {
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
    Plain(TcpStream),
}

/// What comes after the head of an answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Follows {
    /// As many octets as it says.
    Body,
    /// Nothing, whatever it says (RFC 9110 §9.3.2).
    Nothing,
}

impl Peer {
    /// Connects without TLS.
    ///
    /// # Panics
    ///
    /// If nobody listens.
    pub fn plain(address: SocketAddr) -> Self {
        Self {
            stream: Stream::Plain(connect(address)),
            read: Vec::new(),
        }
    }

    /// Connects with TLS to `localhost`, trusting `authority` (PEM), as `client` if it is given.
    ///
    /// # Panics
    ///
    /// If nobody listens or the handshake fails.
    pub fn tls(address: SocketAddr, authority: &str, client: Option<&Credentials>) -> Self {
        Self::speaking(b"http/1.1", address, authority, client)
    }

    /// Connects with TLS, agreed on HTTP/2; what is sent and read are raw bytes.
    ///
    /// # Panics
    ///
    /// If nobody listens or the handshake fails.
    pub fn http2(address: SocketAddr, authority: &str) -> Self {
        Self::speaking(b"h2", address, authority, None)
    }

    fn speaking(
        protocol: &[u8],
        address: SocketAddr,
        authority: &str,
        client: Option<&Credentials>,
    ) -> Self {
        let mut config = tls_config(authority, client);
        config.alpn_protocols = vec![protocol.to_vec()];
        let name = ServerName::try_from("localhost").expect("a literal name");
        let session = ClientConnection::new(Arc::new(config), name).expect("a valid name");
        let mut stream = StreamOwned::new(session, connect(address));
        stream.flush().expect("the handshake succeeds");
        Self {
            stream: Stream::Tls(Box::new(stream)),
            read: Vec::new(),
        }
    }

    /// Sends a request and reads its answer.
    pub fn ask(&mut self, request: &[u8]) -> Answer {
        self.send(request);
        let body = if request.starts_with(b"HEAD ") {
            Follows::Nothing
        } else {
            Follows::Body
        };
        self.try_answer(body).expect("an answer comes in time")
    }

    /// The same from a server that may break off at any moment.
    pub fn try_ask(&mut self, request: &[u8]) -> io::Result<Answer> {
        self.stream.write_all(request)?;
        self.stream.flush()?;
        self.try_answer(Follows::Body)
    }

    /// Sends bytes.
    ///
    /// # Panics
    ///
    /// If the other side has closed the connection.
    pub fn send(&mut self, bytes: &[u8]) {
        self.stream
            .write_all(bytes)
            .and_then(|()| self.stream.flush())
            .expect("the connection is open");
    }

    /// Reads one answer, whose body ends by Content-Length, or that has none.
    ///
    /// # Panics
    ///
    /// If none comes, or it is no HTTP.
    pub fn answer(&mut self) -> Answer {
        self.try_answer(Follows::Body)
            .expect("an answer comes in time")
    }

    fn try_answer(&mut self, follows: Follows) -> io::Result<Answer> {
        let end = loop {
            match self.read.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                Some(end) => break end + 4,
                None => self.must_have_more("closed without an answer")?,
            }
        };
        let head: Vec<u8> = self.read.drain(..end).collect();
        let head = String::from_utf8(head).expect("the header is ASCII");
        let mut lines = head.split("\r\n");
        let status = lines
            .next()
            .and_then(|line| line.split(' ').nth(1)?.parse().ok());
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
            .collect();
        let mut answer = Answer {
            status: status.unwrap_or_else(|| panic!("no status in {head}")),
            headers,
            body: String::new(),
        };
        let length: usize = answer
            .header("content-length")
            .filter(|_| answer.status != 304 && follows == Follows::Body)
            .map_or(0, |length| length.parse().expect("a length is a number"));
        while self.read.len() < length {
            self.must_have_more("closed within the body")?;
        }
        answer.body =
            String::from_utf8(self.read.drain(..length).collect()).expect("the body is UTF-8");
        Ok(answer)
    }

    fn must_have_more(&mut self, otherwise: &str) -> io::Result<()> {
        if self.more()? {
            Ok(())
        } else {
            Err(io::Error::new(io::ErrorKind::UnexpectedEof, otherwise))
        }
    }

    /// Sends the same bytes again and again until the other side closes the connection.
    ///
    /// # Panics
    ///
    /// If it stays open.
    pub fn send_until_closed(&mut self, bytes: &[u8]) {
        while self.stream.write_all(bytes).is_ok() && self.stream.flush().is_ok() {
            match self.more() {
                Ok(true) => self.read.clear(),
                Err(error) if is_timeout(&error) => panic!("the connection stays open"),
                Ok(false) | Err(_) => return,
            }
        }
    }

    /// What comes until these bytes have come, with them.
    ///
    /// # Panics
    ///
    /// If they do not come in time, or what comes before is no UTF-8.
    pub fn read_until(&mut self, bytes: &[u8]) -> String {
        loop {
            let found = self.read.windows(bytes.len()).position(|it| it == bytes);
            if let Some(at) = found {
                let read = self.read.drain(..at + bytes.len()).collect();
                return String::from_utf8(read).expect("it is UTF-8");
            }
            self.must_have_more("closed too early")
                .expect("they come in time");
        }
    }

    /// All that comes until the other side closes the connection.
    ///
    /// # Panics
    ///
    /// If it stays open.
    pub fn read_until_closed(&mut self) -> Vec<u8> {
        loop {
            match self.more() {
                Ok(true) => {}
                Err(error) if is_timeout(&error) => panic!("the connection stays open"),
                Ok(false) | Err(_) => return std::mem::take(&mut self.read),
            }
        }
    }

    /// Waits until the other side closes the connection; bytes that come before are dropped.
    ///
    /// # Panics
    ///
    /// If it stays open.
    pub fn wait_until_closed(&mut self) {
        loop {
            match self.more() {
                Ok(true) => self.read.clear(),
                Err(error) if is_timeout(&error) => panic!("the connection stays open"),
                Ok(false) | Err(_) => return,
            }
        }
    }

    /// Reads what is there; `false` at the end.
    fn more(&mut self) -> io::Result<bool> {
        let mut buffer = [0; 16 << 10];
        let count = self.stream.read(&mut buffer)?;
        self.read.extend_from_slice(&buffer[..count]);
        Ok(count > 0)
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect_timeout(&address, PATIENCE).expect("the host listens");
    stream
        .set_read_timeout(Some(PATIENCE))
        .expect("a timeout can be set");
    stream.set_nodelay(true).expect("an option can be set");
    stream
}

/// A TLS client that trusts one authority.
///
/// # Panics
///
/// If the PEM cannot be read.
pub fn tls_config(authority: &str, client: Option<&Credentials>) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    let anchor = CertificateDer::from_pem_slice(authority.as_bytes()).expect("PEM");
    roots.add(anchor).expect("an authority's certificate");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider has TLS 1.2 and 1.3")
        .with_root_certificates(roots);
    match client {
        None => builder.with_no_client_auth(),
        Some(client) => {
            let chain = CertificateDer::pem_slice_iter(client.certificate.as_bytes());
            let chain = chain.collect::<Result<_, _>>().expect("PEM");
            let key = PrivateKeyDer::from_pem_slice(client.key.as_bytes()).expect("PEM");
            builder
                .with_client_auth_cert(chain, key)
                .expect("certificate and key fit")
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tls(stream) => stream.read(buffer),
            Self::Plain(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tls(stream) => stream.write(bytes),
            Self::Plain(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Tls(stream) => stream.flush(),
            Self::Plain(stream) => stream.flush(),
        }
    }
}
