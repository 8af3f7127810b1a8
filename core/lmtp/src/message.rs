//! A message as it is sent: lines with CR LF, dots stuffed.

/// The message with CR LF at the end of each line, and no CR or LF elsewhere. An mbox `From ` line before its first is left out.
pub fn with_line_ends(octets: &[u8]) -> Vec<u8> {
    written(octets, b"")
}

/// The message as it follows DATA, with the final dot (RFC 5321 §4.5.2).
pub fn stuffed(octets: &[u8]) -> Vec<u8> {
    let mut sent = written(octets, b".");
    sent.extend_from_slice(b".\r\n");
    sent
}

/// `before_dot` goes before a dot that begins a line.
fn written(octets: &[u8], before_dot: &[u8]) -> Vec<u8> {
    let mut rest = octets;
    if rest.starts_with(b"From ") {
        let end = rest.iter().position(|it| *it == b'\n');
        rest = end.map_or(&[], |end| &rest[end + 1..]);
    }
    let mut sent = Vec::with_capacity(rest.len() + rest.len() / 32);
    for line in rest.split_inclusive(|it| *it == b'\n') {
        let octets = line.iter().copied();
        let mut kept = octets.filter(|it| !matches!(it, b'\r' | b'\n')).peekable();
        if kept.peek() == Some(&b'.') {
            sent.extend_from_slice(before_dot);
        }
        sent.extend(kept);
        sent.extend_from_slice(b"\r\n");
    }
    sent
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::{Body, Fed};
    use proptest::prelude::*;

    #[test]
    fn lines_end_in_one_way() {
        let mail = b"From bo@example.org Mon Jan  4\nA: b\r\n\n.c\r\rd\ne";
        assert_eq!(with_line_ends(mail), b"A: b\r\n\r\n.cd\r\ne\r\n");
        assert_eq!(stuffed(mail), b"A: b\r\n\r\n..cd\r\ne\r\n.\r\n");
        assert_eq!(stuffed(b"a\n\r.\nb"), b"a\r\n..\r\nb\r\n.\r\n");
        assert_eq!(stuffed(b""), b".\r\n");
    }

    proptest! {
        #[test]
        fn what_is_sent_is_what_is_taken(octets in prop::collection::vec(prop::sample::select(b"a.\r\n ".to_vec()), 0..60)) {
            let mut body = Body::new(1000);
            let sent = stuffed(&octets);
            prop_assert_eq!(body.feed(&sent), Fed::Ended(sent.len()));
            prop_assert_eq!(body.finish(), Some(with_line_ends(&octets)));
        }
    }
}
