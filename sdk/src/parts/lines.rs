//! Content lines with their places in a file.

use memchr::memchr;
use std::{borrow::Cow, ops::Range};

/// A line, folds undone (RFC 5545 §3.1).
pub(super) struct Line<'a> {
    pub(super) text: Cow<'a, [u8]>,
    /// With its line breaks, without byte order marks before it.
    pub(super) place: Range<usize>,
    /// With those, too.
    pub(super) whole: Range<usize>,
    /// Counted from 1.
    pub(super) number: usize,
}

/// It stands before a file, and so also in the middle of one that several were made into.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

pub(super) struct Lines<'a> {
    octets: &'a [u8],
    at: usize,
    number: usize,
    /// The octet that ends a line. Where there is not one LF, lines end in CR alone, as old programs wrote them: what
    /// stands in such a file must be found, although nothing else reads it.
    end: u8,
}

impl<'a> Lines<'a> {
    pub(super) fn of(octets: &'a [u8]) -> Self {
        let has_lf = memchr(b'\n', octets).is_some();
        Self {
            octets,
            at: 0,
            number: 0,
            end: if has_lf { b'\n' } else { b'\r' },
        }
    }

    pub(super) fn next(&mut self) -> Option<Line<'a>> {
        let whole = self.at;
        while self.octets[self.at..].starts_with(BYTE_ORDER_MARK) {
            self.at += BYTE_ORDER_MARK.len();
        }
        if self.at >= self.octets.len() {
            return None;
        }
        let start = self.at;
        let number = self.number + 1;
        let mut text = Cow::from(self.raw());
        while let Some(b' ' | b'\t') = self.octets.get(self.at) {
            let more = self.raw();
            text.to_mut().extend_from_slice(&more[1..]);
        }
        Some(Line {
            text,
            place: start..self.at,
            whole: whole..self.at,
            number,
        })
    }

    fn raw(&mut self) -> &'a [u8] {
        self.number += 1;
        let rest = &self.octets[self.at..];
        let end = memchr(self.end, rest).map_or(rest.len(), |at| at + 1);
        self.at += end;
        let line = &rest[..end];
        let line = line.strip_suffix(&[self.end]).unwrap_or(line);
        line.strip_suffix(b"\r").unwrap_or(line)
    }
}

/// Lines as they are compared: without folds, each ended in the same way.
pub(super) fn unfolded(octets: &[u8]) -> Vec<u8> {
    let mut lines = Lines::of(octets);
    let mut text = Vec::with_capacity(octets.len());
    while let Some(line) = lines.next() {
        text.extend_from_slice(&line.text);
        text.push(b'\n');
    }
    text
}

/// `NAME;PARAM="a:b":value` in two; no value if there is no colon.
pub(super) fn name_and_value(line: &[u8]) -> (&[u8], &[u8]) {
    let name = line.iter().position(|byte| matches!(byte, b';' | b':'));
    let Some(name) = name else {
        return (&[], &[]);
    };
    let mut is_quoted = false;
    let colon = line[name..].iter().position(|byte| {
        is_quoted ^= *byte == b'"';
        *byte == b':' && !is_quoted
    });
    let value = colon.map_or(&[][..], |colon| &line[name + colon + 1..]);
    (&line[..name], value)
}

/// RFC 5545 §3.3.11. A backslash before anything that needs none stands for itself.
pub(super) fn unescaped(value: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(value.len());
    let mut rest = value;
    while let [octet, after @ ..] = rest {
        let (read, left) = match (octet, after) {
            (b'\\', [b'n' | b'N', left @ ..]) => (b'\n', left),
            (b'\\', [escaped @ (b'\\' | b';' | b','), left @ ..]) => (*escaped, left),
            _ => (*octet, after),
        };
        text.push(read);
        rest = left;
    }
    text
}

/// A UID to tell objects apart by; `None` of an empty one.
pub(super) fn key(value: &[u8]) -> Option<String> {
    let text = unescaped(value);
    // Octets that are not UTF-8 are written out, so that no two UIDs become one.
    let text = match String::from_utf8(text) {
        Ok(text) => text.trim().to_owned(),
        Err(error) => error.as_bytes().escape_ascii().to_string(),
    };
    Some(text).filter(|text| !text.is_empty())
}
