//! A session: what a client has said so far, and what it is answered.

use crate::{
    body::{Body, Fed},
    path,
    reply::Reply,
};
use convoke_types::CalendarAddress;
use memchr::memchr2;
use smtp_proto::{Error, MAIL_BODY_BINARYMIME, MailFrom, Request};
use std::borrow::Cow;

/// The longest command line with its line end: RFC 5321 §4.5.3.1.4 and the parameters of the extensions, generously.
const LINE: usize = 2048;
/// So many commands that are wrong end a session.
const FAULTS: u32 = 20;

/// What a session takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest message, in octets.
    pub message: usize,
    /// The most recipients of a message.
    pub recipients: usize,
}

/// What a session waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Replies that wait are to be written, then octets are to be read and [pushed](Session::push).
    Octets,
    /// Whether this recipient is ours is to be [answered](Session::answer_recipient).
    Recipient(CalendarAddress),
    /// The message is to be delivered, and [answered](Session::answer_message) for each recipient.
    Message(Transaction),
    /// Replies that wait are to be written, then the connection is to be closed.
    End,
}

/// A message and its envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// MAIL FROM, as it may stand between angle brackets again; empty for the null sender.
    pub sender: String,
    /// Those who were answered yes; at least one. An address may stand there twice.
    pub recipients: Vec<CalendarAddress>,
    /// The message, its lines with CR LF.
    pub octets: Vec<u8>,
}

/// The server's side of a connection.
#[derive(Debug)]
pub struct Session {
    host: String,
    limits: Limits,
    /// What came and was not looked at yet; its first octets were.
    input: Vec<u8>,
    seen: usize,
    /// What is left of a command line that is too long.
    skips_line: bool,
    replies: Vec<u8>,
    state: State,
    faults: u32,
}

#[derive(Debug)]
enum State {
    /// Before LHLO.
    Connected,
    /// Between messages.
    Greeted,
    /// Behind MAIL.
    Envelope(Envelope),
    /// A recipient was asked for.
    Asked(Envelope, CalendarAddress),
    /// Behind DATA.
    Data(Envelope, Body, Option<Reply>),
    /// So many replies are owed for a message.
    Delivering(usize),
    Ended,
}

#[derive(Debug, Default)]
struct Envelope {
    sender: String,
    recipients: Vec<CalendarAddress>,
}

impl Session {
    /// A connection that has just begun; the greeting waits to be written. `host` is what this server calls itself.
    pub fn new(host: &str, limits: Limits) -> Self {
        let mut session = Self {
            host: host.to_owned(),
            limits,
            input: Vec::new(),
            seen: 0,
            skips_line: false,
            replies: Vec::new(),
            state: State::Connected,
            faults: 0,
        };
        let greeting = format!("{host} LMTP ready");
        session.reply(&Reply::new(220, "", greeting));
        session
    }

    /// Takes octets that the client sent. They are looked at by [`step`](Self::step).
    pub fn push(&mut self, octets: &[u8]) {
        if matches!(self.state, State::Ended) {
            return;
        }
        self.input.drain(..self.seen);
        self.seen = 0;
        self.input.extend_from_slice(octets);
    }

    /// Looks at what has come, as far as nothing else is waited for.
    pub fn step(&mut self) -> Step {
        loop {
            let step = match &self.state {
                State::Ended => Some(Step::End),
                State::Asked(_, recipient) => Some(Step::Recipient(recipient.clone())),
                State::Delivering(_) => Some(Step::Octets),
                State::Data(..) => self.take_data(),
                State::Connected | State::Greeted | State::Envelope(_) => self.take_line(),
            };
            if let Some(step) = step {
                return step;
            }
        }
    }

    /// Answers [`Step::Recipient`]: a positive reply adds it to the message.
    pub fn answer_recipient(&mut self, reply: &Reply) {
        let state = std::mem::replace(&mut self.state, State::Ended);
        let State::Asked(mut envelope, recipient) = state else {
            self.state = state;
            return;
        };
        if reply.is_positive() {
            envelope.recipients.push(recipient);
        }
        self.state = State::Envelope(envelope);
        self.reply(reply);
    }

    /// Answers [`Step::Message`]: one reply for each recipient, in their order (RFC 2033 §4.2). Where there are too few, the
    /// others may be tried again.
    pub fn answer_message(&mut self, replies: &[Reply]) {
        let State::Delivering(owed) = self.state else {
            return;
        };
        let lost = Reply::new(
            451,
            "4.3.0",
            "it is not known what became of it; try again later",
        );
        for place in 0..owed {
            self.reply(replies.get(place).unwrap_or(&lost));
        }
        self.state = State::Greeted;
    }

    /// Keeps nothing of the message that is coming, and answers it so when it has ended. Does nothing between messages.
    pub fn refuse_message(&mut self, reply: Reply) {
        if let State::Data(_, body, refused) = &mut self.state {
            body.discard();
            refused.get_or_insert(reply);
        }
    }

    /// Ends the session with this reply (421, RFC 5321 §3.8).
    pub fn end(&mut self, reply: &Reply) {
        if !matches!(self.state, State::Ended) {
            self.reply(reply);
            self.state = State::Ended;
        }
    }

    /// The replies that wait to be written; none wait any more.
    pub fn take_replies(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.replies)
    }

    /// Whether no message has begun, so that nothing is lost if the session ends.
    pub const fn is_idle(&self) -> bool {
        matches!(self.state, State::Connected | State::Greeted | State::Ended)
    }

    /// The octets of memory that the message that is coming takes once so many more of it have come.
    pub fn held_with(&self, more: usize) -> usize {
        match &self.state {
            State::Data(_, body, _) => body.held_with(more),
            _ => more,
        }
    }

    fn reply(&mut self, reply: &Reply) {
        self.replies.extend_from_slice(reply.to_string().as_bytes());
        self.replies.extend_from_slice(b"\r\n");
    }

    /// Answers a command that is wrong, or wrong here.
    fn fault(&mut self, reply: &Reply) {
        self.faults += 1;
        self.reply(reply);
        if self.faults >= FAULTS {
            self.end(&Reply::new(421, "4.7.0", "too many errors"));
        }
    }

    fn stray(&mut self, which: &str) {
        // RFC 5321 §2.3.8. What follows cannot be told from commands any more.
        let text = format!("bare {which}: lines end with CR LF");
        let reply = Reply::new(521, "5.5.2", text);
        let state = std::mem::replace(&mut self.state, State::Ended);
        if let State::Data(envelope, ..) = state {
            for _ in 1..envelope.recipients.len() {
                self.reply(&reply);
            }
        }
        self.reply(&reply);
    }

    /// Looks at the next line; `None` if something may follow at once.
    fn take_line(&mut self) -> Option<Step> {
        let rest = &self.input[self.seen..];
        let end = memchr2(b'\r', b'\n', rest);
        let Some(end) = end else {
            if self.skips_line || rest.len() >= LINE {
                self.skips_line = true;
                self.seen = self.input.len();
            }
            return Some(Step::Octets);
        };
        match rest.get(end..end + 2) {
            Some(b"\r\n") => {}
            None if rest[end] == b'\r' => {
                if end >= LINE {
                    self.skips_line = true;
                    self.seen += end;
                }
                return Some(Step::Octets);
            }
            _ => {
                let which = if rest[end] == b'\r' { "CR" } else { "LF" };
                self.stray(which);
                return None;
            }
        }
        let length = end + 2;
        let start = self.seen;
        self.seen += length;
        if std::mem::take(&mut self.skips_line) || length > LINE {
            self.fault(&Reply::new(500, "5.5.2", "the line is too long"));
            return None;
        }
        let line = self.input[start..start + length].to_vec();
        self.command(&line);
        None
    }

    fn command(&mut self, line: &[u8]) {
        if line.contains(&0) {
            return self.fault(&Reply::new(501, "5.5.2", "NUL in a command"));
        }
        let request = match Request::parse(&mut line.iter()) {
            Ok(request) => request,
            Err(error) => return self.fault(&unreadable(error)),
        };
        match request {
            Request::Lhlo { .. } => self.greet(),
            // RFC 2033 §4.1
            Request::Ehlo { .. } | Request::Helo { .. } => {
                self.fault(&Reply::new(500, "5.5.1", "this is LMTP: use LHLO"));
            }
            Request::Noop { .. } => self.reply(&Reply::new(250, "2.0.0", "ok")),
            Request::Help { .. } => self.reply(&Reply::new(214, "2.0.0", "RFC 2033")),
            Request::Vrfy { .. } => {
                self.reply(&Reply::new(252, "2.1.5", "send a message to find out"));
            }
            Request::Rset => {
                if !matches!(self.state, State::Connected) {
                    self.state = State::Greeted;
                }
                self.reply(&Reply::new(250, "2.0.0", "ok"));
            }
            Request::Quit => {
                self.reply(&Reply::new(221, "2.0.0", "bye"));
                self.state = State::Ended;
            }
            Request::Mail { from } => self.mail(&from),
            Request::Rcpt { to } => self.rcpt(&to.address),
            Request::Data => self.data(),
            _ => self.fault(&Reply::new(502, "5.5.1", "not done here")),
        }
    }

    fn greet(&mut self) {
        self.state = State::Greeted;
        let size = format!("SIZE {}", self.limits.message);
        let lines = [
            self.host.as_str(),
            "PIPELINING",
            "ENHANCEDSTATUSCODES",
            "8BITMIME",
            "SMTPUTF8",
            &size,
        ];
        for (place, line) in lines.iter().enumerate() {
            let between = if place + 1 == lines.len() { ' ' } else { '-' };
            let line = format!("250{between}{line}\r\n");
            self.replies.extend_from_slice(line.as_bytes());
        }
    }

    fn mail(&mut self, from: &MailFrom<Cow<'_, str>>) {
        match self.state {
            State::Greeted => {}
            State::Connected => return self.fault(&out_of_order("LHLO first")),
            _ => return self.fault(&out_of_order("one MAIL a message; RSET begins anew")),
        }
        if from.flags & MAIL_BODY_BINARYMIME != 0 {
            let text = "BODY is 7BIT or 8BITMIME here";
            return self.fault(&Reply::new(501, "5.5.4", text));
        }
        if from.size > self.limits.message {
            return self.reply(&too_long(self.limits.message));
        }
        let Some(sender) = path::written(&from.address) else {
            return self.fault(&unreadable(Error::InvalidSenderAddress));
        };
        // A connection on which message after message is sent has its errors, too.
        self.faults = 0;
        self.state = State::Envelope(Envelope {
            sender,
            recipients: Vec::new(),
        });
        self.reply(&Reply::new(250, "2.1.0", "ok"));
    }

    fn rcpt(&mut self, to: &str) {
        let State::Envelope(envelope) = &mut self.state else {
            return self.fault(&out_of_order("MAIL first"));
        };
        if envelope.recipients.len() >= self.limits.recipients {
            // RFC 5321 §4.5.3.1.10: the client sends the others in another message.
            return self.reply(&Reply::new(452, "4.5.3", "too many recipients"));
        }
        match CalendarAddress::of_mailbox(to) {
            Ok(address) => {
                let envelope = std::mem::take(envelope);
                self.state = State::Asked(envelope, address);
            }
            Err(_) => self.reply(&Reply::new(
                553,
                "5.1.3",
                "no address such as anna@example.org",
            )),
        }
    }

    fn data(&mut self) {
        let is_ready =
            matches!(&self.state, State::Envelope(envelope) if !envelope.recipients.is_empty());
        let state = std::mem::replace(&mut self.state, State::Greeted);
        match state {
            State::Envelope(envelope) if is_ready => {
                self.state = State::Data(envelope, Body::new(self.limits.message), None);
                self.reply(&Reply::new(354, "", "end with a dot on a line by itself"));
            }
            state => {
                // RFC 2033 §4.2: who pipelines sends DATA also where every recipient is refused then, which is no error.
                let is_refused = matches!(state, State::Envelope(_));
                self.state = state;
                let reply = out_of_order("there is no recipient");
                if is_refused {
                    self.reply(&reply);
                } else {
                    self.fault(&reply);
                }
            }
        }
    }

    /// Looks at octets of a message.
    fn take_data(&mut self) -> Option<Step> {
        let State::Data(_, body, _) = &mut self.state else {
            return None;
        };
        let rest = &self.input[self.seen..];
        match body.feed(rest) {
            Fed::All => {
                self.seen = self.input.len();
                return Some(Step::Octets);
            }
            Fed::Stray(which) => {
                self.stray(which);
                return None;
            }
            Fed::Ended(length) => self.seen += length,
        }
        let state = std::mem::replace(&mut self.state, State::Greeted);
        let State::Data(Envelope { sender, recipients }, body, refused) = state else {
            return None;
        };
        self.state = State::Delivering(recipients.len());
        if let Some(octets) = body.finish().filter(|_| refused.is_none()) {
            return Some(Step::Message(Transaction {
                sender,
                recipients,
                octets,
            }));
        }
        let reply = refused.unwrap_or_else(|| too_long(self.limits.message));
        self.answer_message(&vec![reply; recipients.len()]);
        None
    }
}

fn out_of_order(text: &str) -> Reply {
    Reply::new(503, "5.5.1", text)
}

fn too_long(most: usize) -> Reply {
    let text = format!("a message is at most {most} octets");
    Reply::new(552, "5.3.4", text)
}

fn unreadable(error: Error) -> Reply {
    match error {
        Error::UnknownCommand => Reply::new(500, "5.5.1", "not a command"),
        Error::InvalidSenderAddress => Reply::new(553, "5.1.7", "not an address"),
        Error::InvalidRecipientAddress => Reply::new(553, "5.1.3", "not an address"),
        Error::SyntaxError { syntax } => Reply::new(501, "5.5.2", format!("expected {syntax}")),
        Error::InvalidParameter { param } => {
            Reply::new(501, "5.5.4", format!("the value of {param} is wrong"))
        }
        Error::UnsupportedParameter { param } => {
            Reply::new(555, "5.5.4", format!("{param} is not done here"))
        }
        _ => Reply::new(501, "5.5.2", "not understood"),
    }
}

#[cfg(test)]
mod tests;
