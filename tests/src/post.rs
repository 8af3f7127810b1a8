//! One iSchedule POST, good until a test spoils it.

use std::fmt::Write;

/// A POST to `/.well-known/ischedule`.
#[derive(Clone, Debug)]
pub struct Post {
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Post {
    /// A message with the header fields that it needs; `content` is `VEVENT REQUEST`.
    ///
    /// # Panics
    ///
    /// If `content` is not two words.
    pub fn new(content: &str, from: &str, to: &[&str], body: &str) -> Self {
        let (component, method) = content.split_once(' ').expect("component and method");
        let content_type =
            format!("text/calendar; charset=utf-8; component={component}; method={method}");
        let mut headers = vec![
            ("Host", "localhost".to_owned()),
            ("iSchedule-Version", "1.0".to_owned()),
            ("Cache-Control", "no-cache, no-transform".to_owned()),
            ("Originator", format!("mailto:{from}")),
            ("Content-Type", content_type),
        ];
        headers.extend(to.iter().map(|to| ("Recipient", format!("mailto:{to}"))));
        Self {
            target: "/.well-known/ischedule".to_owned(),
            headers: headers
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
            body: body
                .trim_start()
                .replace("\r\n", "\n")
                .replace('\n', "\r\n")
                .into_bytes(),
        }
    }

    /// Asks when people are busy, from 4 January 2027 to the 9th.
    pub fn free_busy(from: &str, to: &[&str]) -> Self {
        let mut attendees = String::new();
        for to in to {
            let _ = writeln!(attendees, "ATTENDEE:mailto:{to}");
        }
        let body = calendar(
            "REQUEST",
            &format!(
                "BEGIN:VFREEBUSY\nUID:fb-1\nDTSTAMP:20261101T080000Z\nDTSTART:20270104T000000Z\nDTEND:20270109T000000Z\nORGANIZER:mailto:{from}\n{attendees}END:VFREEBUSY\n"
            ),
        );
        Self::new("VFREEBUSY REQUEST", from, to, &body)
    }

    /// Invites to a meeting on 5 January 2027, 10:00 to 11:00 UTC.
    pub fn invitation(uid: &str, from: &str, to: &[&str]) -> Self {
        Self::new(
            "VEVENT REQUEST",
            from,
            to,
            &calendar("REQUEST", &event(uid, from, to, "")),
        )
    }

    /// Calls a meeting off.
    pub fn cancellation(uid: &str, from: &str, to: &[&str]) -> Self {
        let event = event(uid, from, to, "STATUS:CANCELLED\n").replace("SEQUENCE:0", "SEQUENCE:1");
        Self::new("VEVENT CANCEL", from, to, &calendar("CANCEL", &event))
    }

    /// An attendee's answer.
    pub fn reply(uid: &str, from: &str, to: &str, partstat: &str) -> Self {
        let body = format!(
            "BEGIN:VEVENT\nUID:{uid}\nDTSTAMP:20261102T080000Z\nSEQUENCE:0\nDTSTART:20270105T100000Z\nDTEND:20270105T110000Z\nORGANIZER:mailto:{to}\nATTENDEE;PARTSTAT={partstat}:mailto:{from}\nEND:VEVENT\n"
        );
        Self::new("VEVENT REPLY", from, &[to], &calendar("REPLY", &body))
    }

    /// Replaces all fields of that name by one; an empty value leaves none.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers
            .retain(|(it, _)| !it.eq_ignore_ascii_case(name));
        if value.is_empty() {
            self
        } else {
            self.also(name, value)
        }
    }

    /// Adds a field.
    #[must_use]
    pub fn also(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sends it somewhere else.
    #[must_use]
    pub fn to_target(mut self, target: &str) -> Self {
        target.clone_into(&mut self.target);
        self
    }

    /// Replaces a piece of the body.
    ///
    /// # Panics
    ///
    /// If it is not in there.
    #[must_use]
    pub fn edited(self, from: &str, to: &str) -> Self {
        let text = String::from_utf8(self.body.clone()).expect("the body is text");
        let text = text.replace("\r\n", "\n");
        assert!(text.contains(from), "{from} is not in {text}");
        self.with_body(text.replace(from, to).replace('\n', "\r\n").as_bytes())
    }

    /// Another body.
    #[must_use]
    pub fn with_body(mut self, body: &[u8]) -> Self {
        body.clone_into(&mut self.body);
        self
    }

    /// The header fields.
    pub fn headers(&self) -> &[(String, String)] {
        &self.headers
    }

    /// The body.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Request line and header, ended; without a length.
    pub fn head(&self) -> String {
        let mut head = format!("POST {} HTTP/1.1\r\n", self.target);
        for (name, value) in &self.headers {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        head + "\r\n"
    }

    /// The request as HTTP/1.1, its length stated.
    pub fn to_bytes(&self) -> Vec<u8> {
        let sized = self
            .clone()
            .also("Content-Length", &self.body.len().to_string());
        let mut bytes = sized.head().into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }

    /// The request as HTTP/1.1, in chunks.
    pub fn to_chunks(&self) -> Vec<u8> {
        let mut bytes = self
            .clone()
            .also("Transfer-Encoding", "chunked")
            .head()
            .into_bytes();
        for chunk in self.body.chunks(100) {
            bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            bytes.extend_from_slice(chunk);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"0\r\n\r\n");
        bytes
    }
}

fn event(uid: &str, from: &str, to: &[&str], more: &str) -> String {
    let mut attendees = String::new();
    for to in to {
        let _ = writeln!(
            attendees,
            "ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:{to}"
        );
    }
    format!(
        "BEGIN:VEVENT\nUID:{uid}\nDTSTAMP:20261101T080000Z\nSEQUENCE:0\nDTSTART:20270105T100000Z\nDTEND:20270105T110000Z\nSUMMARY:Meeting\nORGANIZER:mailto:{from}\n{attendees}{more}END:VEVENT\n"
    )
}

fn calendar(method: &str, component: &str) -> String {
    format!(
        "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//test//test//EN\nMETHOD:{method}\n{component}END:VCALENDAR\n"
    )
}
