//! A message between DATA and the line with a single dot (RFC 5321 §4.5.2).

use memchr::memchr2;

/// The least that memory grows by, in octets.
const LEAST: usize = 4 << 10;

/// What became of octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fed {
    /// All belong to the message, which goes on.
    All,
    /// So many belong to the message, which has ended.
    Ended(usize),
    /// A CR or LF stands alone.
    Stray(&'static str),
}

/// A message as far as it has come, its lines as they were sent and dots unstuffed.
#[derive(Debug)]
pub(crate) struct Body {
    octets: Vec<u8>,
    most: usize,
    at: At,
    keeps: bool,
}

/// Where in a line the next octet stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Start,
    /// Behind a dot that began the line.
    Dot,
    /// Behind a dot and a CR.
    DotCr,
    Middle,
    Cr,
}

impl Body {
    /// An empty one, of which at most so many octets are kept.
    pub(crate) const fn new(most: usize) -> Self {
        Self {
            octets: Vec::new(),
            most,
            at: At::Start,
            keeps: true,
        }
    }

    /// Takes octets up to the end of the message.
    pub(crate) fn feed(&mut self, octets: &[u8]) -> Fed {
        let mut rest = octets;
        while let Some((&first, behind)) = rest.split_first() {
            self.at = match (self.at, first) {
                (At::DotCr, b'\n') => return Fed::Ended(octets.len() - behind.len()),
                (At::Cr, b'\n') => {
                    self.keep(b"\r\n");
                    At::Start
                }
                // RFC 5321 §2.3.8, §4.1.1.4: CR and LF occur together only, and only CR LF . CR LF ends a message.
                (At::Cr | At::DotCr, _) => return Fed::Stray("CR"),
                (_, b'\n') => return Fed::Stray("LF"),
                (At::Dot, b'\r') => At::DotCr,
                (_, b'\r') => At::Cr,
                (At::Start, b'.') => At::Dot,
                _ => {
                    let run = memchr2(b'\r', b'\n', rest).unwrap_or(rest.len());
                    self.keep(&rest[..run]);
                    rest = &rest[run..];
                    self.at = At::Middle;
                    continue;
                }
            };
            rest = behind;
        }
        Fed::All
    }

    fn keep(&mut self, octets: &[u8]) {
        if self.keeps && self.octets.len() + octets.len() > self.most {
            self.discard();
        }
        if self.keeps {
            let room = self.held_with(octets.len());
            self.octets.reserve_exact(room - self.octets.len());
            self.octets.extend_from_slice(octets);
        }
    }

    /// Keeps nothing of it any more.
    pub(crate) fn discard(&mut self) {
        self.octets = Vec::new();
        self.keeps = false;
    }

    /// The octets of memory that are taken once so many more have come: never more than the longest message. Memory grows by an
    /// eighth, as a vector that doubles would take twice what there is.
    pub(crate) fn held_with(&self, more: usize) -> usize {
        let needed = self.octets.len() + more;
        let capacity = self.octets.capacity();
        match (self.keeps, needed <= capacity) {
            (false, _) => 0,
            (true, true) => capacity,
            (true, false) => {
                let spare = (needed / 8).max(LEAST);
                (needed + spare).min(self.most).max(needed)
            }
        }
    }

    /// The message; `None` if it was too long, or nothing of it was to be kept.
    pub(crate) fn finish(self) -> Option<Vec<u8>> {
        self.keeps.then_some(self.octets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What is counted before octets come is what they take, whatever sizes they come in.
    #[test]
    fn memory_is_what_was_counted_and_not_much_more_than_the_message() {
        let mut body = Body::new(1_000_000);
        let mut length = 0;
        for size in (1..1_400).rev() {
            let counted = body.held_with(size);
            assert_eq!(body.feed(&vec![b'x'; size]), Fed::All);
            length += size;
            assert_eq!(body.octets.capacity(), counted);
            assert!(
                counted <= length + LEAST.max(length / 8),
                "{counted} of {length}"
            );
        }
        assert_eq!(body.feed(&vec![b'x'; 1_000_000]), Fed::All);
        assert_eq!(body.held_with(1), 0, "too long: nothing is kept");
    }

    fn fed(octets: &[u8]) -> (Fed, Option<Vec<u8>>) {
        let mut body = Body::new(100);
        (body.feed(octets), body.finish())
    }

    #[test]
    fn a_message_ends_with_a_dot_between_line_ends() {
        for (octets, message, behind) in [
            (&b".\r\nQUIT\r\n"[..], &b""[..], 6),
            (b"a\r\n.\r\n", b"a\r\n", 0),
            (
                b"a\r\n..\r\n.b\r\n...\r\n.\r\n",
                b"a\r\n.\r\nb\r\n..\r\n",
                0,
            ),
            (b"\r\n\r\n.\r\n", b"\r\n\r\n", 0),
        ] {
            let expected = (Fed::Ended(octets.len() - behind), Some(message.to_vec()));
            assert_eq!(fed(octets), expected, "{}", octets.escape_ascii());
        }
    }

    #[test]
    fn nothing_else_ends_a_line() {
        for (octets, stray) in [
            (&b"a\n.\n"[..], "LF"),
            (b"a\n.\r\n", "LF"),
            (b"a\r\n.\n", "LF"),
            (b"a\r\n.\rb", "CR"),
            (b"a\rb", "CR"),
            (b"a\r\r\n", "CR"),
            (b"\n", "LF"),
            (b"a\r.\r\n", "CR"),
        ] {
            assert_eq!(
                fed(octets).0,
                Fed::Stray(stray),
                "{}",
                octets.escape_ascii()
            );
        }
    }

    #[test]
    fn what_is_too_long_is_read_and_not_kept() {
        let mut body = Body::new(100);
        for _ in 0..1000 {
            assert_eq!(body.feed(b"0123456789\r\n"), Fed::All);
            assert!(body.held_with(0) <= 100);
        }
        assert_eq!(body.feed(b".\r\n"), Fed::Ended(3));
        assert_eq!(body.finish(), None);
    }

    proptest! {
        #[test]
        fn what_was_sent_comes_out(lines in prop::collection::vec("[.a]{0,4}", 0..8), cuts in prop::collection::vec(1usize..5, 1..60)) {
            let (mut message, mut sent) = (String::new(), String::new());
            for line in &lines {
                if line.starts_with('.') {
                    sent.push('.');
                }
                for text in [&mut message, &mut sent] {
                    text.push_str(line);
                    text.push_str("\r\n");
                }
            }
            sent.push_str(".\r\n");
            let mut body = Body::new(1000);
            let mut rest = sent.as_bytes();
            for cut in cuts.iter().cycle() {
                let (now, later) = rest.split_at((*cut).min(rest.len()));
                rest = later;
                if let Fed::Ended(taken) = body.feed(now) {
                    prop_assert_eq!(taken, now.len());
                    break;
                }
                prop_assert!(!rest.is_empty());
            }
            prop_assert!(rest.is_empty());
            prop_assert_eq!(body.finish(), Some(message.into_bytes()));
        }
    }
}
