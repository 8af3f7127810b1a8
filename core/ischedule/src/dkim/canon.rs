//! Canonicalisation: what may change on the way without breaking a signature.

use aws_lc_rs::digest::{Context, SHA256, digest};
use http::{HeaderMap, HeaderName, HeaderValue};

/// A SHA-256 digest.
pub type Digest = [u8; 32];

/// The fields of a name as *ischedule-relaxed* signs them (spec §7), without a line end; empty if there are none.
///
/// All fields of the name are joined in order with `,`; runs of white space become one space, and none is left at
/// the ends and around commas.
pub fn relaxed(headers: &HeaderMap, name: &HeaderName) -> Vec<u8> {
    let fields: Vec<&[u8]> = headers
        .get_all(name)
        .iter()
        .map(HeaderValue::as_bytes)
        .collect();
    if fields.is_empty() {
        return Vec::new(); // RFC 6376 §3.7: a field that is not there is the null string
    }
    relaxed_field(name.as_str(), &fields.join(&b','))
}

/// `name:value` in *ischedule-relaxed*; the name is taken to be in lower case.
pub(crate) fn relaxed_field(name: &str, value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(name.len() + 1 + value.len());
    out.extend_from_slice(name.as_bytes());
    out.push(b':');
    let start = out.len();
    let mut space = false;
    for &byte in value {
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' => space = true,
            byte => {
                let after_comma = out.last() == Some(&b',') && out.len() > start;
                if space && out.len() > start && byte != b',' && !after_comma {
                    out.push(b' ');
                }
                space = false;
                out.push(byte);
            }
        }
    }
    out
}

/// The digest of a body in *simple* (RFC 6376 §3.4.3): empty lines at its end do not count, one CRLF ends it.
pub fn simple_body_digest(body: &[u8]) -> Digest {
    let mut content = body;
    while let Some(shorter) = content.strip_suffix(b"\r\n") {
        content = shorter;
    }
    let mut hash = Context::new(&SHA256);
    hash.update(content);
    hash.update(b"\r\n");
    to_array(&hash.finish())
}

pub(crate) fn sha256(bytes: &[u8]) -> Digest {
    to_array(&digest(&SHA256, bytes))
}

fn to_array(digest: &aws_lc_rs::digest::Digest) -> Digest {
    digest.as_ref().try_into().expect("SHA-256 makes 32 bytes")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn canonical(values: &[&str]) -> String {
        let name = HeaderName::from_static("recipient");
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(&name, HeaderValue::from_str(value).unwrap());
        }
        String::from_utf8(relaxed(&headers, &name)).unwrap()
    }

    #[test]
    fn changes_by_intermediaries_keep_the_canonical_form() {
        for values in [
            &["mailto:a@b,mailto:c d@e"][..],
            &["mailto:a@b", "mailto:c d@e"],
            &[" mailto:a@b \t,\t mailto:c \t d@e  "],
            &["\tmailto:a@b ", " mailto:c  d@e"],
        ] {
            assert_eq!(canonical(values), "recipient:mailto:a@b,mailto:c d@e");
        }
        assert_eq!(canonical(&[]), "");
        assert_eq!(canonical(&[""]), "recipient:");
        assert_eq!(canonical(&["", " "]), "recipient:,");
        assert_eq!(canonical(&[", a"]), "recipient:,a");
        assert_eq!(relaxed_field("a", b" x\r\n\t y \r\n"), b"a:x y");
    }

    #[test]
    fn empty_lines_at_the_end_of_a_body_do_not_count() {
        for same in [&b""[..], b"\r\n", b"\r\n\r\n"] {
            assert_eq!(simple_body_digest(same), sha256(b"\r\n"));
        }
        for same in [&b"a\r\nb"[..], b"a\r\nb\r\n", b"a\r\nb\r\n\r\n\r\n"] {
            assert_eq!(simple_body_digest(same), sha256(b"a\r\nb\r\n"));
        }
        for other in [&b"a\nb"[..], b"a\r\nb \r\n", b"a\r\nb\n", b"\r\na\r\nb"] {
            assert_ne!(simple_body_digest(other), sha256(b"a\r\nb\r\n"));
        }
    }

    proptest! {
        #[test]
        fn canonicalization_is_idempotent(value in "[ \\ta-c,:]{0,30}") {
            let once = relaxed_field("x", value.as_bytes());
            prop_assert_eq!(relaxed_field("x", &once[2..]), once.clone());
            prop_assert!(!once.ends_with(b" ") && !once.windows(2).any(|w| w == b", " || w == b" ," || w == b"  "));
        }
    }
}
