//! The parts of a mail (RFC 2046 §5.1), within bounds: each octet is looked at once a level.

use super::Refusal;
use super::fields::Fields;
use super::lexical::Parameterised;

/// The deepest nesting of multiparts.
const MAX_DEPTH: usize = 16;
/// The most parts in all.
const MAX_PARTS: usize = 250;

/// A mail or a part of one.
#[derive(Debug)]
pub(super) struct Entity<'a> {
    pub(super) fields: Fields<'a>,
    pub(super) content_type: Parameterised,
    /// As it came, in its transfer encoding.
    pub(super) body: &'a [u8],
    /// Of a multipart. A message in the mail (message/rfc822) is not looked into: what is forwarded is not the forwarder's.
    pub(super) parts: Vec<Self>,
}

impl<'a> Entity<'a> {
    pub(super) fn read(octets: &'a [u8]) -> Result<Self, Refusal> {
        let mut count = 0;
        let entity = Self::at(octets, "text/plain", 0, &mut count)?;
        if entity.fields.is_empty() {
            return Err(Refusal::NoHeader);
        }
        Ok(entity)
    }

    fn at(
        octets: &'a [u8],
        default: &str,
        depth: usize,
        count: &mut usize,
    ) -> Result<Self, Refusal> {
        *count += 1;
        if *count > MAX_PARTS {
            return Err(Refusal::TooMuch {
                what: "parts",
                most: MAX_PARTS,
            });
        }
        if depth > MAX_DEPTH {
            return Err(Refusal::TooMuch {
                what: "levels of parts in parts",
                most: MAX_DEPTH,
            });
        }
        let (fields, body) = Fields::read(octets)?;
        let content_type = Parameterised::read(fields.get("Content-Type").unwrap_or(default));
        let mut entity = Self {
            fields,
            content_type,
            body,
            parts: Vec::new(),
        };
        let is_multipart = entity.content_type.value.starts_with("multipart/");
        if let Some(boundary) = entity.content_type.parameter("boundary")
            && is_multipart
        {
            // RFC 2046 §5.1.5
            let default = if entity.is("multipart", "digest") {
                "message/rfc822"
            } else {
                "text/plain"
            };
            for part in between(body, boundary, MAX_PARTS + 1) {
                entity
                    .parts
                    .push(Self::at(part, default, depth + 1, count)?);
            }
        }
        Ok(entity)
    }

    /// Whether it is of this type.
    pub(super) fn is(&self, kind: &str, subtype: &str) -> bool {
        self.content_type
            .value
            .split_once('/')
            .is_some_and(|(a, b)| a.trim_end() == kind && b.trim_start() == subtype)
    }

    /// The parts that are no multiparts, in their order; itself if it is none.
    pub(super) fn leaves(&self) -> Vec<&Self> {
        let mut leaves = Vec::new();
        self.gather(&mut leaves);
        leaves
    }

    /// Nested no deeper than [`MAX_DEPTH`].
    fn gather<'e>(&'e self, leaves: &mut Vec<&'e Self>) {
        if self.parts.is_empty() {
            leaves.push(self);
        }
        for part in &self.parts {
            part.gather(leaves);
        }
    }

    /// What its file would be called.
    pub(super) fn file_name(&self) -> Option<String> {
        let disposition = self
            .fields
            .get("Content-Disposition")
            .map(Parameterised::read);
        let named = disposition.as_ref().and_then(|it| it.parameter("filename"));
        named
            .or_else(|| self.content_type.parameter("name"))
            .map(str::to_owned)
    }

    /// Whether it is shown apart from what people read.
    pub(super) fn is_attachment(&self) -> bool {
        let disposition = self
            .fields
            .get("Content-Disposition")
            .map(Parameterised::read);
        disposition.is_some_and(|it| it.value == "attachment")
    }
}

/// What stands between the lines that are the boundary; without the line end before each, which belongs to it. A last part that
/// is not closed goes on to the end.
fn between<'a>(body: &'a [u8], boundary: &str, most: usize) -> Vec<&'a [u8]> {
    let mut parts = Vec::new();
    let mut start = None;
    let mut at = 0;
    for line in body.split_inclusive(|octet| *octet == b'\n') {
        let here = at;
        at += line.len();
        let Some(behind) = line
            .strip_prefix(b"--")
            .and_then(|rest| rest.strip_prefix(boundary.as_bytes()))
        else {
            continue;
        };
        let is_last = match behind.trim_ascii_end() {
            b"" => false,
            b"--" => true,
            _ => continue,
        };
        if let Some(start) = start {
            parts.push(without_line_end(&body[start..here]));
        }
        start = Some(at);
        if is_last || parts.len() >= most {
            return parts;
        }
    }
    parts.extend(start.map(|start| &body[start..]));
    parts
}

fn without_line_end(octets: &[u8]) -> &[u8] {
    let octets = octets.strip_suffix(b"\n").unwrap_or(octets);
    octets.strip_suffix(b"\r").unwrap_or(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn multipart(boundary: &str, parts: &str) -> String {
        format!("Content-Type: multipart/mixed; boundary=\"{boundary}\"\n\n{parts}")
    }

    #[test]
    fn parts_stand_between_boundaries() {
        let mail = multipart(
            "b",
            "preamble\n--b \n\none\n--bb\n--b\nX: y\n\ntwo\r\n--b--\nepilogue\n--b\n\nthree\n",
        );
        let mail = Entity::read(mail.as_bytes()).unwrap();
        let bodies: Vec<_> = mail.leaves().iter().map(|part| part.body).collect();
        assert_eq!(bodies, [&b"one\n--bb"[..], b"two"]);
    }

    #[test]
    fn an_open_end_is_read() {
        let mail = multipart("b", "--b\n\none\n");
        let mail = Entity::read(mail.as_bytes()).unwrap();
        assert_eq!(mail.leaves()[0].body, b"one\n");
    }

    #[test]
    fn a_forwarded_message_stays_closed() {
        let inner = "Content-Type: message/rfc822\n\nContent-Type: text/calendar; method=REQUEST\n\nBEGIN:VCALENDAR\n";
        let mail = Entity::read(inner.as_bytes()).unwrap();
        assert_eq!(mail.leaves().len(), 1);
        assert!(mail.leaves()[0].is("message", "rfc822"));
    }

    #[test]
    fn nesting_and_parts_are_bounded() {
        let flat = multipart("b", &"--b\n\nx\n".repeat(MAX_PARTS));
        let mut deep = "\n\nx".to_owned();
        for level in 0..=MAX_DEPTH {
            deep = multipart(&format!("b{level}."), &format!("--b{level}.\n{deep}\n"));
        }
        for (octets, what) in [
            (flat, "parts"),
            (deep, "levels of parts"),
            ("\n\n".to_owned(), "no header"),
        ] {
            let error = Entity::read(octets.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(what), "{error}");
        }
    }
}
