//! What went over the wire: read from the logs of the hosts, which note each exchange with another server.

use serde::Deserialize;
use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::PathBuf,
};

/// Longer header fields are cut: nobody reads a signature.
const WIDTH: usize = 100;

/// Reads what a host has noted since the last time.
pub(super) struct Wire {
    log: PathBuf,
    read: u64,
}

/// One request to another server, and its answer's status.
#[derive(Debug)]
pub(super) struct Exchange {
    /// `POST https://…`
    pub(super) request: String,
    /// `name: value`
    pub(super) headers: Vec<String>,
    pub(super) status: String,
}

#[derive(Deserialize)]
struct Line {
    target: String,
    fields: Fields,
}

#[derive(Deserialize)]
struct Fields {
    request: Option<String>,
    headers: Option<String>,
    status: Option<String>,
}

impl Wire {
    pub(super) const fn new(log: PathBuf) -> Self {
        Self { log, read: 0 }
    }

    /// The exchanges since the last call.
    pub(super) fn new_exchanges(&mut self) -> io::Result<Vec<Exchange>> {
        let mut file = File::open(&self.log)?;
        file.seek(SeekFrom::Start(self.read))?;
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        self.read += whole as u64;
        Ok(text[..whole].lines().filter_map(exchange).collect())
    }
}

fn exchange(line: &str) -> Option<Exchange> {
    let line: Line = serde_json::from_str(line).ok()?;
    if line.target != "convoke::wire" {
        return None;
    }
    let headers = line.fields.headers.unwrap_or_default();
    Some(Exchange {
        request: line.fields.request?,
        headers: headers.lines().map(str::to_owned).collect(),
        status: line.fields.status?,
    })
}

impl Exchange {
    /// For people: the request line, the fields that matter, the status.
    pub(super) fn lines(&self) -> Vec<String> {
        const SHOWN: [&str; 7] = [
            "ischedule-version",
            "originator",
            "recipient",
            "content-type",
            "if-none-match",
            "dkim-signature",
            "ischedule-message-id",
        ];
        let matters = |header: &&String| {
            header
                .split_once(':')
                .is_some_and(|(name, _)| SHOWN.contains(&name))
        };
        let mut lines = vec![format!("> {}", self.request)];
        lines.extend(
            self.headers
                .iter()
                .filter(matters)
                .map(|it| format!("> {}", cut(it))),
        );
        lines.push(format!("< {}", self.status));
        lines
    }

    /// The value of a header field of the request.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut fields = self
            .headers
            .iter()
            .filter_map(|field| field.split_once(": "));
        fields
            .find(|(field, _)| *field == name)
            .map(|(_, value)| value)
    }
}

fn cut(text: &str) -> String {
    if text.chars().count() <= WIDTH {
        return text.to_owned();
    }
    text.chars().take(WIDTH - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_noted_is_read_back() {
        let line = r#"{"target":"convoke::wire","fields":{"request":"POST https://x/","headers":"originator: mailto:a@b.c\nte: x\n","status":"200 OK"}}"#;
        let exchange = exchange(line).unwrap();
        assert_eq!(exchange.header("originator"), Some("mailto:a@b.c"));
        assert_eq!(
            exchange.lines(),
            [
                "> POST https://x/",
                "> originator: mailto:a@b.c",
                "< 200 OK"
            ]
        );
    }
}
