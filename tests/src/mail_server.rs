//! A mail server: SMTP over real connections, with no code of ours, as well or badly behaved as a test wants it.

use crate::Credentials;
use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

/// Longer than any wait of a test that passes.
const PATIENCE: Duration = Duration::from_secs(60);

/// In the place of a reply: the connection is closed.
pub const CLOSE: &str = "close";
/// In the place of a reply: a line that does not end.
pub const ENDLESS: &str = "endless";

/// In the place of the reply to the dot: there is none before the server is to [`behave`](MailServer::behave) otherwise.
pub const HELD: &str = "held";

/// A mail server on a port of its own. Clones are the same.
#[derive(Clone)]
pub struct MailServer {
    address: SocketAddr,
    shared: Arc<(Mutex<Shared>, Condvar)>,
}

#[derive(Default)]
struct Shared {
    behaviour: Behaviour,
    mails: Vec<TakenMail>,
    /// The commands of all connections.
    commands: Vec<String>,
}

/// A mail that the server took.
#[derive(Clone, Debug)]
pub struct TakenMail {
    /// MAIL FROM, without angle brackets.
    pub from: String,
    /// The parameters of MAIL FROM.
    pub parameters: String,
    /// RCPT TO, without angle brackets.
    pub to: String,
    /// What is between DATA and the dot, dots unstuffed.
    pub content: String,
    /// Whether it came over TLS.
    pub encrypted: bool,
    /// The decoded AUTH PLAIN, with `/` for each NUL.
    pub login: Option<String>,
}

/// How a server behaves. An empty reply is none: the client is left waiting. [`CLOSE`] and [`ENDLESS`] are no replies, either.
#[derive(Clone)]
pub struct Behaviour {
    /// To whoever connects.
    pub greeting: String,
    /// To EHLO; `None`: what is right.
    pub ehlo: Option<String>,
    /// To MAIL FROM.
    pub mail: String,
    /// To RCPT TO.
    pub rcpt: String,
    /// An address, and what it answers to MAIL FROM or RCPT TO for that one.
    pub refuses: Option<(String, String)>,
    /// To DATA.
    pub data: String,
    /// To the dot after the mail.
    pub dot: String,
    /// Ends the connection after the mail, which is taken, without a reply.
    pub drops_after_dot: bool,
    /// Ends the connection once a mail is taken, so that none is used again.
    pub hangs_up: bool,
    /// What EHLO offers beside.
    pub extensions: Vec<String>,
    /// The certificate that it shows; it offers STARTTLS then.
    pub credentials: Option<Credentials>,
    /// TLS from the first byte.
    pub tls_at_once: bool,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            greeting: "220 mail.example.org ESMTP".to_owned(),
            ehlo: None,
            mail: "250 2.1.0 Ok".to_owned(),
            rcpt: "250 2.1.5 Ok".to_owned(),
            refuses: None,
            data: "354 go on".to_owned(),
            dot: "250 2.0.0 Ok: queued as 4Xz1".to_owned(),
            drops_after_dot: false,
            hangs_up: false,
            extensions: vec!["PIPELINING".to_owned(), "8BITMIME".to_owned()],
            credentials: None,
            tls_at_once: false,
        }
    }
}

impl TakenMail {
    /// The value of a field of its header, unfolded.
    pub fn header(&self, name: &str) -> Option<String> {
        let head = self.content.split("\r\n\r\n").next().unwrap_or_default();
        let head = head.replace("\r\n ", " ").replace("\r\n\t", " ");
        let mut fields = head.lines().filter_map(|line| line.split_once(": "));
        let found = fields.find(|(it, _)| it.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.to_owned())
    }
}

impl MailServer {
    /// Listens on a port of the system's choice.
    ///
    /// # Panics
    ///
    /// If there is none.
    #[allow(clippy::new_without_default, reason = "each call starts another one")]
    pub fn new() -> Self {
        Self::at("127.0.0.1:0".parse().expect("a literal address"))
    }

    /// Listens there.
    ///
    /// # Panics
    ///
    /// If somebody else does.
    pub fn at(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).expect("the port is free");
        let server = Self {
            address: listener.local_addr().expect("it is bound"),
            shared: Arc::default(),
        };
        let serving = server.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let server = serving.clone();
                thread::spawn(move || server.serve(stream));
            }
        });
        server
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes how it behaves from the next command on.
    pub fn behave(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut self.lock().behaviour);
        self.shared.1.notify_all();
    }

    /// The mails that it took.
    pub fn mails(&self) -> Vec<TakenMail> {
        self.lock().mails.clone()
    }

    /// The commands that it was given, without their arguments.
    pub fn commands(&self) -> Vec<String> {
        self.lock().commands.clone()
    }

    /// Waits until it has taken so many mails.
    ///
    /// # Panics
    ///
    /// If they do not come.
    pub fn wait_for_mails(&self, number: usize) -> Vec<TakenMail> {
        self.wait(|shared| shared.mails.len() >= number)
            .mails
            .clone()
    }

    /// Whether it has taken so many mails before so long is over.
    pub fn takes(&self, number: usize, patience: Duration) -> bool {
        let (lock, changed) = &*self.shared;
        let shared = lock.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = changed.wait_timeout_while(shared, patience, |it| it.mails.len() < number);
        let (shared, _) = waited.unwrap_or_else(PoisonError::into_inner);
        shared.mails.len() >= number
    }

    /// Waits until it was given a command so often.
    ///
    /// # Panics
    ///
    /// If it is not.
    pub fn wait_for_commands(&self, command: &str, number: usize) {
        drop(self.wait(|shared| {
            let commands = shared.commands.iter();
            commands.filter(|it| *it == command).count() >= number
        }));
    }

    fn wait(&self, done: impl Fn(&Shared) -> bool) -> MutexGuard<'_, Shared> {
        let waited = self
            .shared
            .1
            .wait_timeout_while(self.lock(), PATIENCE, |shared| !done(shared));
        let (shared, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        assert!(!timeout.timed_out(), "in vain: {:?}", shared.commands);
        shared
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, stream: TcpStream) {
        let behaviour = self.lock().behaviour.clone();
        let credentials = behaviour.credentials.filter(|_| behaviour.tls_at_once);
        // An error: the client has gone, or does not believe the certificate.
        let _ = match credentials {
            Some(credentials) => encrypted(stream, &credentials)
                .and_then(|stream| self.session(stream, None, &behaviour.greeting)),
            None => stream
                .try_clone()
                .and_then(|clear| self.session(stream, Some(clear), &behaviour.greeting)),
        };
    }

    /// Speaks with a client; `clear` is the connection where it is not encrypted.
    fn session(
        &self,
        stream: impl Read + Write,
        clear: Option<TcpStream>,
        greeting: &str,
    ) -> io::Result<()> {
        let mut session = Session {
            server: self,
            stream: BufReader::new(stream),
            clear,
            from: String::new(),
            parameters: String::new(),
            to: String::new(),
            login: None,
        };
        session.reply(greeting)?;
        while let Some(line) = session.line()? {
            if !session.command(&line)? {
                break;
            }
        }
        Ok(())
    }
}

struct Session<'a, S: Read + Write> {
    server: &'a MailServer,
    stream: BufReader<S>,
    clear: Option<TcpStream>,
    from: String,
    parameters: String,
    to: String,
    login: Option<String>,
}

impl<S: Read + Write> Session<'_, S> {
    fn line(&mut self) -> io::Result<Option<String>> {
        let mut line = String::new();
        let read = self.stream.read_line(&mut line)?;
        Ok((read > 0).then(|| line.trim_end_matches("\r\n").to_owned()))
    }

    fn reply(&mut self, reply: &str) -> io::Result<()> {
        let stream = self.stream.get_mut();
        match reply {
            "" => return Ok(()),
            CLOSE => return Err(io::ErrorKind::ConnectionAborted.into()),
            // Until the client goes.
            ENDLESS => loop {
                stream.write_all(&[b'2'; 4096])?;
            },
            _ => {}
        }
        stream.write_all(format!("{reply}\r\n").as_bytes())?;
        stream.flush()
    }

    /// Whether it goes on.
    fn command(&mut self, line: &str) -> io::Result<bool> {
        let verb = line.split([' ', ':']).next().unwrap_or_default();
        let verb = verb.to_ascii_uppercase();
        self.server.lock().commands.push(verb.clone());
        self.server.shared.1.notify_all();
        let behaviour = self.server.lock().behaviour.clone();
        match verb.as_str() {
            "EHLO" if behaviour.ehlo.is_some() => {
                self.reply(&behaviour.ehlo.unwrap_or_default())?;
            }
            "EHLO" => {
                let mut lines = vec!["mail.example.org".to_owned()];
                lines.extend(behaviour.extensions);
                if self.clear.is_some() && behaviour.credentials.is_some() {
                    lines.push("STARTTLS".to_owned());
                }
                let last = lines.len() - 1;
                for (at, line) in lines.iter().enumerate() {
                    let hyphen = if at == last { ' ' } else { '-' };
                    self.reply(&format!("250{hyphen}{line}"))?;
                }
            }
            "STARTTLS" => {
                let (Some(clear), Some(credentials)) = (self.clear.take(), behaviour.credentials)
                else {
                    self.reply("454 4.7.0 not now")?;
                    return Ok(true);
                };
                self.reply("220 2.0.0 go on")?;
                self.server
                    .session(encrypted(clear, &credentials)?, None, "")?;
                return Ok(false);
            }
            "AUTH" => {
                use base64::{Engine, engine::general_purpose::STANDARD};
                let said = line.rsplit(' ').next().unwrap_or_default();
                let said = STANDARD.decode(said).unwrap_or_default();
                let said = String::from_utf8_lossy(&said).replace('\0', "/");
                self.login = Some(said);
                self.reply("235 2.7.0 welcome")?;
            }
            "MAIL" => {
                self.from = within_brackets(line);
                let refused = behaviour.refuses.filter(|(from, _)| *from == self.from);
                let reply = refused.map_or(behaviour.mail, |(_, reply)| reply);
                self.parameters = parameters(line);
                self.reply(&reply)?;
            }
            "RCPT" => {
                self.to = within_brackets(line);
                let refused = behaviour.refuses.filter(|(to, _)| *to == self.to);
                let reply = refused.map_or(behaviour.rcpt, |(_, reply)| reply);
                self.reply(&reply)?;
            }
            "DATA" => return self.data(&behaviour),
            "QUIT" => {
                self.reply("221 2.0.0 bye")?;
                return Ok(false);
            }
            _ => self.reply("250 2.0.0 Ok")?,
        }
        Ok(true)
    }

    fn data(&mut self, behaviour: &Behaviour) -> io::Result<bool> {
        self.reply(&behaviour.data)?;
        if !behaviour.data.starts_with("354") {
            return Ok(true);
        }
        let mut content = String::new();
        loop {
            let Some(line) = self.line()? else {
                return Ok(false);
            };
            if line == "." {
                break;
            }
            content.push_str(line.strip_prefix('.').unwrap_or(&line));
            content.push_str("\r\n");
        }
        // Without an answer, nobody knows that it is taken.
        if !behaviour.dot.starts_with(['4', '5']) || behaviour.drops_after_dot {
            let mail = TakenMail {
                from: self.from.clone(),
                parameters: self.parameters.clone(),
                to: self.to.clone(),
                content,
                encrypted: self.clear.is_none(),
                login: self.login.clone(),
            };
            self.server.lock().mails.push(mail);
            self.server.shared.1.notify_all();
        }
        if behaviour.drops_after_dot {
            return Ok(false);
        }
        if behaviour.dot == HELD {
            let otherwise = self.server.wait(|it| it.behaviour.dot != HELD);
            let dot = otherwise.behaviour.dot.clone();
            drop(otherwise);
            self.reply(&dot)?;
        } else {
            self.reply(&behaviour.dot)?;
        }
        Ok(!behaviour.hangs_up)
    }
}

fn parameters(line: &str) -> String {
    let behind = line.rsplit_once('>');
    behind.map_or("", |(_, behind)| behind).trim().to_owned()
}

fn within_brackets(line: &str) -> String {
    let begin = line.find('<').map_or(0, |at| at + 1);
    let end = line.rfind('>').unwrap_or(line.len());
    line[begin..end].to_owned()
}

fn encrypted(
    stream: TcpStream,
    credentials: &Credentials,
) -> io::Result<StreamOwned<ServerConnection, TcpStream>> {
    let chain = CertificateDer::pem_slice_iter(credentials.certificate.as_bytes());
    let chain: Vec<_> = chain.collect::<Result<_, _>>().map_err(io::Error::other)?;
    let key = PrivateKeyDer::from_pem_slice(credentials.key.as_bytes());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| {
            let key = key.map_err(|error| rustls::Error::General(error.to_string()))?;
            builder.with_no_client_auth().with_single_cert(chain, key)
        })
        .map_err(io::Error::other)?;
    let session = ServerConnection::new(Arc::new(config)).map_err(io::Error::other)?;
    Ok(StreamOwned::new(session, stream))
}
