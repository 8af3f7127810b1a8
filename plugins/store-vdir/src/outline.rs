//! What is in a file that is too large to be read: the lines at which components begin and end, and their UIDs.
//!
//! Such a file is no part of free-busy, and is never written. But whoever brings a new version of an object in it must not
//! be taken for somebody who brings a new object, so its UIDs are known.

use std::io::{self, BufRead, BufReader, Read};

/// A longer line is looked at in pieces of so many octets.
const LONGEST: u64 = 4 << 10;

/// Of so many octets, which is more than anybody waits for.
const MOST_READ: u64 = 1 << 30;

/// The lines of a file that say what is in it, as they stand there; of so many bytes, about.
pub(crate) fn of(file: impl Read, most: u64) -> io::Result<Vec<u8>> {
    let mut file = BufReader::new(file.take(MOST_READ));
    let (mut outline, mut piece) = (Vec::new(), Vec::new());
    let (mut begins_line, mut is_kept) = (true, false);
    loop {
        piece.clear();
        if file.by_ref().take(LONGEST).read_until(b'\n', &mut piece)? == 0 {
            return Ok(outline);
        }
        if begins_line {
            // RFC 5545 §3.1: a line goes on in those that begin with a blank.
            let goes_on = piece.starts_with(b" ") || piece.starts_with(b"\t");
            is_kept = names(&piece) || (goes_on && is_kept);
        }
        begins_line = piece.ends_with(b"\n");
        if is_kept {
            outline.extend_from_slice(&piece);
        }
        if outline.len() as u64 > most {
            return Ok(outline);
        }
    }
}

/// Whether a line says where a component begins or ends, or which it is.
fn names(line: &[u8]) -> bool {
    let name = line.split(|octet| matches!(octet, b':' | b';')).next();
    let name = name.unwrap_or_default();
    [&b"BEGIN"[..], b"END", b"UID"]
        .iter()
        .any(|it| name.eq_ignore_ascii_case(it))
}

#[cfg(test)]
mod tests {
    use super::*;
    use convoke_sdk::parts::Parts;

    #[test]
    fn uids_are_known_however_long_the_other_lines_are() {
        let long = "x".repeat(10_000);
        let text = format!(
            "BEGIN:VCALENDAR\r\nX-LONG:{long}\r\nBEGIN:VEVENT\r\nDESCRIPTION:{long}\r\n UID:not-one\r\nuid;X-A=b:a-rat\r\n her-long-one\r\n\
             BEGIN:VALARM\r\nUID:alarm\r\nEND:VALARM\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\nUID:b\r\nEND:VEVENT\r\nEND:VCALENDAR"
        );
        let outline = of(text.as_bytes(), 1000).unwrap();
        assert!(outline.len() < 300, "{}", outline.len());
        let parts = Parts::read(&outline);
        assert_eq!(parts.keys().collect::<Vec<_>>(), ["a-rather-long-one", "b"]);
    }
}
