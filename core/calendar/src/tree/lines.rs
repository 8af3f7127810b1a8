//! Octets → unfolded lines.

use super::{Limits, ParseError, Reading, error::Problem, octets};
use memchr::memchr;

/// It stands before a file, and so also in the middle of one that several were made into.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// Unfolded lines (RFC 5545 §3.1), with the number of their first line.
pub(super) struct Lines<'a> {
    all: usize,
    rest: &'a [u8],
    /// Where the line at hand starts.
    start: usize,
    number: usize,
    longest: usize,
    reading: Reading,
    /// The line at hand, if it was folded.
    unfolded: Vec<u8>,
    /// The line at hand, if it was not UTF-8.
    decoded: String,
}

impl<'a> Lines<'a> {
    pub(super) fn new(
        bytes: &'a [u8],
        limits: &Limits,
        reading: Reading,
    ) -> Result<Self, ParseError> {
        let (found, most) = (bytes.len(), limits.bytes);
        if found > most {
            let problem = Problem::TooManyBytes { found, most };
            return Err(ParseError { line: 1, problem });
        }
        Ok(Self {
            all: bytes.len(),
            rest: without_marks(bytes),
            start: 0,
            number: 0,
            longest: limits.line_length,
            reading,
            unfolded: Vec::new(),
            decoded: String::new(),
        })
    }

    /// The problem, at the line read last.
    pub(super) fn fail(&self, problem: Problem) -> ParseError {
        let line = self.number.max(1);
        ParseError { line, problem }
    }

    /// What the lines are of.
    pub(super) const fn reading(&self) -> Reading {
        self.reading
    }

    /// Where the line read last starts among the octets.
    pub(super) const fn start(&self) -> usize {
        self.start
    }

    /// Where it ends.
    pub(super) const fn end(&self) -> usize {
        self.all - self.rest.len()
    }

    /// The next line that is not empty.
    pub(super) fn next(&mut self) -> Result<Option<(usize, &str)>, ParseError> {
        let first = loop {
            self.start = self.end();
            match self.raw() {
                None => return Ok(None),
                Some([]) => {}
                Some(line) => break line,
            }
        };
        let line = self.number;
        let fail = |problem| ParseError { line, problem };
        let first = match first {
            // No line of a calendar begins with this octet; what is sent as one message is not put together.
            [0xef, ..] if self.reading == Reading::Stored => {
                let whole = without_marks(first);
                let begin = whole.trim_ascii_end();
                let is_begin = begin.eq_ignore_ascii_case(b"BEGIN:VCALENDAR");
                if is_begin { whole } else { first }
            }
            _ => first,
        };
        let octets = if let [b' ' | b'\t', ..] = self.rest {
            self.unfold(first);
            &self.unfolded
        } else {
            first
        };
        if octets.len() > self.longest {
            return Err(fail(Problem::LineTooLong { most: self.longest }));
        }
        // A fold may have split a character, so only whole lines must be UTF-8.
        match std::str::from_utf8(octets) {
            Ok(text) if !octets::holds_octets(text) => Ok(Some((line, text))),
            Err(_) if self.reading == Reading::Message => Err(fail(Problem::NotUtf8)),
            _ => {
                self.decoded = octets::decode(octets).into_owned();
                Ok(Some((line, &self.decoded)))
            }
        }
    }

    /// Puts the line that begins with `first` together, or more of it than is allowed.
    fn unfold(&mut self, first: &[u8]) {
        self.unfolded.clear();
        self.unfolded.extend_from_slice(first);
        while let [b' ' | b'\t', ..] = self.rest
            && self.unfolded.len() <= self.longest
        {
            let more = self.raw().unwrap_or_default();
            self.unfolded
                .extend_from_slice(more.get(1..).unwrap_or_default());
        }
    }

    /// One line as it stands in the file.
    fn raw(&mut self) -> Option<&'a [u8]> {
        if self.rest.is_empty() {
            return None;
        }
        self.number += 1;
        let line = if let Some(end) = memchr(b'\n', self.rest) {
            let line = &self.rest[..end];
            self.rest = &self.rest[end + 1..];
            line
        } else {
            std::mem::take(&mut self.rest)
        };
        let end = match self.reading {
            Reading::Stored => line.strip_suffix(b"\r").unwrap_or(line).len(),
            // Some mailers end lines with two of them; as part of a value they would be control characters.
            Reading::Message => {
                let text = line.iter().rposition(|octet| *octet != b'\r');
                text.map_or(0, |last| last + 1)
            }
        };
        Some(&line[..end])
    }
}

/// The octets behind byte order marks.
fn without_marks(mut octets: &[u8]) -> &[u8] {
    while let Some(rest) = octets.strip_prefix(BYTE_ORDER_MARK) {
        octets = rest;
    }
    octets
}
