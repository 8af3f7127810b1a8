//! Unfolding octets into lines.

use super::{Limits, ParseError, Reading, error::Problem, octets};
use memchr::memchr;
use std::ops::Range;

/// It stands before a file, and so also in the middle of one that several were made into.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// Unfolded lines (RFC 5545 §3.1), with the number of their first line.
pub(crate) struct Lines<'a> {
    octets: &'a [u8],
    /// The same as text, if they are plain: then no line needs to be looked at again.
    plain: Option<&'a str>,
    /// Where the line at hand starts.
    start: usize,
    /// Where it ends.
    end: usize,
    number: usize,
    longest: usize,
    reading: Reading,
    /// The line at hand, if it was folded and is not plain.
    unfolded: Vec<u8>,
    /// The line at hand, if it was folded and is plain, or was not UTF-8.
    text: String,
}

impl<'a> Lines<'a> {
    pub(crate) fn new(
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
            octets: bytes,
            plain: octets::plain(bytes),
            start: 0,
            end: bytes.len() - without_marks(bytes).len(),
            number: 0,
            longest: limits.line_length,
            reading,
            unfolded: Vec::new(),
            text: String::new(),
        })
    }

    /// The problem, at the line read last.
    pub(crate) fn fail(&self, problem: Problem) -> ParseError {
        let line = self.number.max(1);
        ParseError { line, problem }
    }

    /// What the lines are of.
    pub(crate) const fn reading(&self) -> Reading {
        self.reading
    }

    /// Whether no line can hold a control character, or an octet that is not UTF-8.
    pub(crate) const fn are_plain(&self) -> bool {
        self.plain.is_some()
    }

    /// Where the line read last starts among the octets.
    pub(crate) const fn start(&self) -> usize {
        self.start
    }

    /// Where it ends.
    pub(crate) const fn end(&self) -> usize {
        self.end
    }

    /// The next line that is not empty.
    pub(crate) fn next(&mut self) -> Result<Option<(usize, &str)>, ParseError> {
        let first = loop {
            self.start = self.end;
            match self.raw() {
                None => return Ok(None),
                Some(line) if line.is_empty() => {}
                Some(line) => break line,
            }
        };
        let line = self.number;
        let fail = |problem| ParseError { line, problem };
        let first = match self.octets[first.clone()] {
            // No line of a calendar begins with this octet; what is sent as one message is not put together.
            [0xef, ..] if self.reading == Reading::Stored => {
                let whole = without_marks(&self.octets[first.clone()]);
                let begin = whole.trim_ascii_end();
                let is_begin = begin.eq_ignore_ascii_case(b"BEGIN:VCALENDAR");
                let start = if is_begin {
                    first.end - whole.len()
                } else {
                    first.start
                };
                start..first.end
            }
            _ => first,
        };
        let too_long = Problem::LineTooLong { most: self.longest };
        if let Some(plain) = self.plain {
            let text = if self.is_folded() {
                self.unfold_plain(plain, first);
                &self.text
            } else {
                &plain[first]
            };
            return if text.len() > self.longest {
                Err(fail(too_long))
            } else {
                Ok(Some((line, text)))
            };
        }
        let octets = if self.is_folded() {
            self.unfold(first);
            &self.unfolded
        } else {
            &self.octets[first]
        };
        if octets.len() > self.longest {
            return Err(fail(too_long));
        }
        // A fold may have split a character, so only whole lines must be UTF-8.
        match std::str::from_utf8(octets) {
            Ok(text) if !octets::holds_octets(text) => Ok(Some((line, text))),
            Err(_) if self.reading == Reading::Message => Err(fail(Problem::NotUtf8)),
            _ => {
                self.text = octets::decode(octets).into_owned();
                Ok(Some((line, &self.text)))
            }
        }
    }

    /// Whether the next line belongs to the line at hand.
    fn is_folded(&self) -> bool {
        matches!(self.octets.get(self.end), Some(b' ' | b'\t'))
    }

    /// Puts the line that begins with `first` together, or more of it than is allowed.
    fn unfold(&mut self, first: Range<usize>) {
        self.unfolded.clear();
        self.unfolded.extend_from_slice(&self.octets[first]);
        while self.is_folded()
            && self.unfolded.len() <= self.longest
            && let Some(more) = self.raw()
        {
            let more = &self.octets[more];
            self.unfolded
                .extend_from_slice(more.get(1..).unwrap_or_default());
        }
    }

    /// The same for plain lines.
    fn unfold_plain(&mut self, plain: &str, first: Range<usize>) {
        self.text.clear();
        self.text.push_str(&plain[first]);
        while self.is_folded()
            && self.text.len() <= self.longest
            && let Some(more) = self.raw()
        {
            let more = &plain[more];
            self.text.push_str(more.get(1..).unwrap_or_default());
        }
    }

    /// One line as it stands in the file.
    fn raw(&mut self) -> Option<Range<usize>> {
        let start = self.end;
        let rest = self.octets.get(start..).filter(|it| !it.is_empty())?;
        self.number += 1;
        let line = if let Some(end) = memchr(b'\n', rest) {
            self.end = start + end + 1;
            &rest[..end]
        } else {
            self.end = self.octets.len();
            rest
        };
        let length = match self.reading {
            // Some mailers end lines with two of them; as part of a value they would be control characters.
            Reading::Message if self.plain.is_none() => {
                let text = line.iter().rposition(|octet| *octet != b'\r');
                text.map_or(0, |last| last + 1)
            }
            _ => line.strip_suffix(b"\r").unwrap_or(line).len(),
        };
        Some(start..start + length)
    }
}

/// The octets behind byte order marks.
fn without_marks(mut octets: &[u8]) -> &[u8] {
    while let Some(rest) = octets.strip_prefix(BYTE_ORDER_MARK) {
        octets = rest;
    }
    octets
}
