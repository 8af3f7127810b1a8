//! Mail that is nothing for a calendar goes on to the mailbox, by LMTP, so that Convoke can stand before it.

use super::{IncomingMail, Outcome, Passing};
use crate::config::LmtpServer;
use convoke_imip::addr_spec;
use convoke_types::CalendarAddress;
use jiff::{Timestamp, fmt::rfc2822};
use std::{io, time::Duration};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader},
    net::{TcpStream, UnixStream},
};

/// For a whole mail, with the connection.
const PATIENCE: Duration = Duration::from_secs(60);
/// For a greeting.
const GREETING: Duration = Duration::from_secs(10);
/// The longest line of a reply, in octets.
const LINE: u64 = 2048;
/// The most lines of a reply.
const LINES: usize = 100;

/// What a server says to whoever connects.
pub(crate) async fn greeting(server: &LmtpServer) -> io::Result<String> {
    let greeted = async {
        match server {
            LmtpServer::Tcp(host, port) => {
                let stream = TcpStream::connect((host.as_str(), *port)).await?;
                reply(&mut BufReader::new(stream)).await
            }
            LmtpServer::Unix(path) => {
                reply(&mut BufReader::new(UnixStream::connect(path).await?)).await
            }
        }
    };
    let said = match tokio::time::timeout(GREETING, greeted).await {
        Ok(said) => said?,
        Err(_) => return Err(io::ErrorKind::TimedOut.into()),
    };
    if said.starts_with("220") {
        return Ok(said);
    }
    Err(io::Error::other(format!("it says {said}")))
}

/// Hands a mail on for one recipient.
pub(super) async fn pass_on(
    server: &LmtpServer,
    settings: &IncomingMail,
    mail: Passing<'_>,
    recipient: &CalendarAddress,
) -> Outcome {
    let Ok(to) = addr_spec(recipient) else {
        return Outcome::Refused(format!("{} is no mail address", recipient.human()));
    };
    let octets = {
        let mut whole = received(settings).into_bytes();
        whole.extend(convoke_lmtp::with_line_ends(mail.octets));
        convoke_lmtp::stuffed(&whole)
    };
    let handing = async {
        match server {
            LmtpServer::Tcp(host, port) => {
                let stream = TcpStream::connect((host.as_str(), *port)).await?;
                hand_on(stream, mail.sender, &to, &octets).await
            }
            LmtpServer::Unix(path) => {
                hand_on(UnixStream::connect(path).await?, mail.sender, &to, &octets).await
            }
        }
    };
    let handed = match tokio::time::timeout(PATIENCE, handing).await {
        Ok(handed) => handed,
        Err(_) => Err(io::Error::from(io::ErrorKind::TimedOut)),
    };
    match handed {
        Ok(reply) if reply.starts_with('2') => Outcome::PassedOn(format!("{server}: {reply}")),
        // What the mailbox refuses for good is refused, as it would be without us.
        Ok(reply) if reply.starts_with('5') => Outcome::MailboxRefused(reply),
        Ok(reply) => Outcome::Later(reply),
        Err(error) => {
            tracing::warn!(event = "mail-not-passed-on", %server, %recipient, "it is tried again: {error}");
            Outcome::Later(format!("{server} cannot be reached; try again later"))
        }
    }
}

/// That the mail came by us (RFC 5321 §4.4), with its line end.
pub(super) fn received(settings: &IncomingMail) -> String {
    let domain = settings.gateway.address().domain();
    let domain = domain.map_or_else(|_| "localhost".to_owned(), ToString::to_string);
    let date = rfc2822::DateTimePrinter::new().timestamp_to_string(&Timestamp::now());
    let date = date.unwrap_or_default();
    format!("Received: by {domain} (Convoke); {date}\r\n")
}

/// The reply that decides: to the message, or to what was refused before it.
async fn hand_on(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    from: &str,
    to: &str,
    octets: &[u8],
) -> io::Result<String> {
    let mut stream = BufReader::new(stream);
    // RFC 6531 §3.4, where an address needs it.
    let utf8 = if from.is_ascii() && to.is_ascii() {
        ""
    } else {
        " SMTPUTF8"
    };
    let greeting = reply(&mut stream).await?;
    if !greeting.starts_with("220") {
        return Ok(greeting);
    }
    for (command, expected) in [
        ("LHLO localhost\r\n".to_owned(), "250"),
        (format!("MAIL FROM:<{from}>{utf8}\r\n"), "250"),
        (format!("RCPT TO:<{to}>\r\n"), "25"),
        ("DATA\r\n".to_owned(), "354"),
    ] {
        stream.write_all(command.as_bytes()).await?;
        let said = reply(&mut stream).await?;
        if !said.starts_with(expected) {
            let _ = stream.write_all(b"QUIT\r\n").await;
            return Ok(said);
        }
    }
    stream.write_all(octets).await?;
    let said = reply(&mut stream).await?;
    // An error: what counts is said.
    let _ = stream.write_all(b"QUIT\r\n").await;
    Ok(said)
}

/// The last line of the next reply.
async fn reply(stream: &mut (impl AsyncBufReadExt + Unpin)) -> io::Result<String> {
    for _ in 0..LINES {
        let mut line = Vec::new();
        stream.take(LINE).read_until(b'\n', &mut line).await?;
        if line.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end();
        let has_code = text
            .get(..3)
            .is_some_and(|it| it.bytes().all(|it| it.is_ascii_digit()));
        if !has_code || !line.ends_with(b"\n") {
            let text = "the server answers with something that is no reply";
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        if text.as_bytes().get(3) != Some(&b'-') {
            return Ok(text.to_owned());
        }
    }
    let text = "the server's reply does not end";
    Err(io::Error::new(io::ErrorKind::InvalidData, text))
}
