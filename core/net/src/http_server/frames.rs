//! Where HTTP/2 frames begin and end among the bytes of a connection (RFC 9113 §4.1).
//!
//! Nothing is understood here: h2 does that. It only does not tell of a header block that has begun and does not end.

/// Of the connection preface, which comes before the first frame (RFC 9113 §3.4).
const PREFACE: usize = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".len();
const HEAD: usize = 9;
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;
const END_HEADERS: u8 = 4;

/// Follows the bytes that come from a peer.
#[derive(Debug)]
pub(super) struct Frames {
    head: [u8; HEAD],
    /// Bytes of the frame's head that have come.
    known: usize,
    /// Bytes that do not belong to a head, before the next one.
    skip: usize,
    /// A header block waits for its CONTINUATION.
    open: bool,
}

impl Frames {
    pub(super) fn new() -> Self {
        Self {
            head: [0; HEAD],
            known: 0,
            skip: PREFACE,
            open: false,
        }
    }

    /// Takes the bytes that came. Whether a header block or a frame's head ended among them, and whether one has begun
    /// that has not ended.
    pub(super) fn pass(&mut self, mut bytes: &[u8]) -> (bool, bool) {
        let mut completed = false;
        while !bytes.is_empty() {
            if self.skip > 0 {
                let count = self.skip.min(bytes.len());
                self.skip -= count;
                bytes = &bytes[count..];
            } else {
                let count = (HEAD - self.known).min(bytes.len());
                self.head[self.known..self.known + count].copy_from_slice(&bytes[..count]);
                self.known += count;
                bytes = &bytes[count..];
                if self.known < HEAD {
                    break;
                }
                self.begin();
            }
            completed |= !self.within();
        }
        (completed, self.within())
    }

    /// The head of a frame is known: what follows belongs to it.
    fn begin(&mut self) {
        let [a, b, c, kind, flags, ..] = self.head;
        self.skip = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
        self.known = 0;
        if matches!(kind, HEADERS | CONTINUATION) {
            self.open = flags & END_HEADERS == 0;
        }
    }

    fn within(&self) -> bool {
        let data = self.head[3] == DATA;
        self.open || self.known > 0 || (self.skip > 0 && !data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let length = u8::try_from(payload.len()).unwrap();
        let mut frame = vec![0, 0, length, kind, flags, 0, 0, 0, 1];
        frame.extend(payload);
        frame
    }

    /// What is open after each byte, after the preface.
    fn open_after(bytes: &[u8]) -> Vec<bool> {
        let mut frames = Frames::new();
        frames.pass(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        bytes.iter().map(|&byte| frames.pass(&[byte]).1).collect()
    }

    #[test]
    fn a_header_is_open_until_its_last_byte() {
        let open = open_after(&frame(HEADERS, END_HEADERS, b"abc"));
        assert_eq!(open, [[true; 11].as_slice(), &[false]].concat());
    }

    #[test]
    fn a_header_goes_on_in_the_next_frame() {
        let bytes = [
            frame(HEADERS, 0, b"abc"),
            frame(CONTINUATION, 0, b""),
            frame(CONTINUATION, END_HEADERS, b"d"),
        ]
        .concat();
        let open = open_after(&bytes);
        assert_eq!(open.iter().position(|open| !open), Some(bytes.len() - 1));
    }

    #[test]
    fn data_on_its_way_is_no_header() {
        let open = open_after(&frame(DATA, 0, b"abc"));
        assert_eq!(open[8..], [false; 4]);
    }

    #[test]
    fn pings_end_at_once() {
        let ping = frame(6, 0, b"12345678");
        let mut frames = Frames::new();
        let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".as_slice();
        assert_eq!(
            frames.pass(&[preface, &ping, &ping].concat()),
            (true, false)
        );
        assert_eq!(frames.pass(&ping[..3]), (false, true));
    }
}
