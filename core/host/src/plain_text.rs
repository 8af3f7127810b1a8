//! The octets of a file that should be text, or why they are none.

const UTF8_MARK: &[u8] = b"\xef\xbb\xbf";

/// Why octets are no text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotText {
    /// Editors and spreadsheets on Windows write it.
    Utf16,
    /// A byte of zero stands in no text; where.
    Zero { at: usize },
    /// Another encoding of letters; where, and which byte.
    NotUtf8 { at: usize, byte: u8 },
}

/// The text. A byte order mark in front of UTF-8 is nothing; places count from behind it.
pub(crate) fn decode(bytes: &[u8]) -> Result<&str, NotText> {
    let bytes = without_mark(bytes);
    if is_utf16(bytes) {
        return Err(NotText::Utf16);
    }
    if let Some(at) = memchr::memchr(0, bytes) {
        return Err(NotText::Zero { at });
    }
    std::str::from_utf8(bytes).map_err(|error| {
        let at = error.valid_up_to();
        let byte = bytes.get(at).copied().unwrap_or_default();
        NotText::NotUtf8 { at, byte }
    })
}

/// The same without the byte order mark of UTF-8.
pub(crate) fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(UTF8_MARK).unwrap_or(bytes)
}

/// By its byte order mark, or as every other byte is zero.
fn is_utf16(bytes: &[u8]) -> bool {
    match bytes {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => true,
        [0, other, ..] | [other, 0, ..] => *other != 0,
        _ => false,
    }
}
