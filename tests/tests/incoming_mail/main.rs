//! Mail that comes in, through the front door: the real host, real sockets, and mails as mail servers and people's programs
//! write them.

mod answers;
mod invitations;
mod pass_on;
mod pipe;
mod protocol;
mod returned;

use convoke_tests::{Host, Setup};
use std::{
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    os::unix::net::UnixStream,
    path::Path,
    time::Duration,
};

const ANNA: &str = "anna@example.org";
const BO: &str = "bo@example.com";
const ROOM: &str = "room@example.org";

/// `example.org`, which takes mail by LMTP and believes `mx.example.org`. Nobody takes the mail that it sends.
fn setup() -> Setup {
    setup_with("smtp://127.0.0.1:1", "")
}

/// The same, with a mail server that takes what it sends, and further lines of `[mail]`.
fn setup_with(smtp: &str, more: &str) -> Setup {
    let mail = format!(
        "smtp = \"{smtp}\"\naddress = \"calendar@example.org\"\ntrusted = [\"mx.example.org\"]\n{more}"
    );
    Setup::new()
        .users(&[ANNA, "dee@example.org"])
        .table("[mail]", &mail)
        .table("[[listener]]", "role = \"lmtp\"\naddress = \"127.0.0.1:0\"")
}

trait Stream: std::io::Read + Write {}
impl<S: std::io::Read + Write> Stream for S {}

/// A mail server that hands mail over.
struct Lmtp(BufReader<Box<dyn Stream>>);

impl Lmtp {
    /// Connects, and says LHLO.
    fn to(host: &Host) -> Self {
        let stream = TcpStream::connect(host.address("lmtp")).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        Self::greeted(Box::new(stream))
    }

    fn to_socket(path: &Path) -> Self {
        let stream = UnixStream::connect(path).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        Self::greeted(Box::new(stream))
    }

    fn greeted(stream: Box<dyn Stream>) -> Self {
        let mut lmtp = Self(BufReader::new(stream));
        assert!(lmtp.reply().starts_with("220 "));
        assert!(lmtp.says("LHLO mx.example.org\r\n").contains("SIZE"));
        lmtp
    }

    fn sends(&mut self, octets: &[u8]) {
        self.0.get_mut().write_all(octets).unwrap();
    }

    /// Sends octets, and gives the reply to them.
    fn says(&mut self, octets: &str) -> String {
        self.sends(octets.as_bytes());
        self.reply()
    }

    /// The next reply, with all its lines; empty at the end of the connection.
    fn reply(&mut self) -> String {
        let mut reply = String::new();
        loop {
            let start = reply.len();
            if self.0.read_line(&mut reply).unwrap_or(0) == 0 {
                return reply;
            }
            if reply.as_bytes()[start..].get(3) != Some(&b'-') {
                return reply;
            }
        }
    }

    /// Hands over a mail: the reply for each recipient that is taken, and else that to RCPT.
    fn mail(&mut self, from: &str, to: &[&str], mail: &str) -> Vec<String> {
        let reply = self.says(&format!("MAIL FROM:<{from}>\r\n"));
        assert!(reply.starts_with("250 "), "{reply}");
        let mut replies = Vec::new();
        for to in to {
            replies.push(self.says(&format!("RCPT TO:<{to}>\r\n")));
        }
        let taken: Vec<usize> = (0..to.len())
            .filter(|&at| replies[at].starts_with("250 "))
            .collect();
        if taken.is_empty() {
            assert!(self.says("RSET\r\n").starts_with("250 "));
            return replies;
        }
        assert!(self.says("DATA\r\n").starts_with("354 "));
        let mail = mail.replace("\r\n", "\n").replace('\n', "\r\n");
        self.sends(format!("{mail}\r\n.\r\n").as_bytes());
        for at in taken {
            replies[at] = self.reply();
        }
        replies
    }
}

/// Hands over a mail to one recipient.
fn mailed(host: &Host, from: &str, to: &str, mail: &str) -> String {
    Lmtp::to(host).mail(from, &[to], mail).remove(0)
}

/// A mail that the mail server has verified, with a calendar part.
fn verified(from: &str, to: &str, method: &str, calendar: &str) -> String {
    let domain = from.split_once('@').unwrap().1;
    let header = format!(
        "Authentication-Results: mx.example.org;\n\tdkim=pass header.d={domain};\n\tdmarc=pass header.from={domain}\n"
    );
    header + &unverified(from, to, method, calendar)
}

fn unverified(from: &str, to: &str, method: &str, calendar: &str) -> String {
    format!(
        "From: <{from}>\nTo: <{to}>\nSubject: a meeting\nMessage-ID: <{method}-1@mail.example.com>\nMIME-Version: 1.0\n\
         Content-Type: multipart/mixed; boundary=\"b\"\n\n--b\nContent-Type: text/plain\n\nIn words.\n--b\n\
         Content-Type: text/calendar; method={method}; charset=UTF-8\nContent-Transfer-Encoding: 8bit\n\n{calendar}\n--b--\n"
    )
}

/// A meeting on 5 January 2027, as a message.
fn calendar(method: &str, uid: &str, people: &str) -> String {
    format!(
        "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//test//EN\nMETHOD:{method}\nBEGIN:VEVENT\nUID:{uid}\nDTSTAMP:20261101T080000Z\n\
         SEQUENCE:0\nDTSTART:20270105T100000Z\nDTEND:20270105T110000Z\nSUMMARY:Review\n{people}\nEND:VEVENT\nEND:VCALENDAR\n"
    )
}

fn invitation(uid: &str, organizer: &str, attendee: &str) -> String {
    let people = format!(
        "ORGANIZER:mailto:{organizer}\nATTENDEE;PARTSTAT=ACCEPTED:mailto:{organizer}\n\
         ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:{attendee}"
    );
    calendar("REQUEST", uid, &people)
}

/// What `convoke explain` says, row by row: event and reason.
fn explained(host: &Host, what: &str) -> Vec<(String, String)> {
    let output = std::process::Command::new(convoke_tests::program())
        .args(["explain", what, "--json", "--config"])
        .arg(host.folder().join("convoke.toml"))
        .output()
        .unwrap();
    let rows: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).unwrap();
    let text =
        |row: &serde_json::Value, key: &str| row[key].as_str().unwrap_or_default().to_owned();
    let decisions = rows
        .iter()
        .map(|row| (text(row, "event"), text(row, "why")));
    // Which rule of which policy decided is tested where policies are.
    let is_of_policy = |event: &str| event.ends_with("-by-policy");
    decisions
        .filter(|(event, _)| !is_of_policy(event))
        .collect()
}
