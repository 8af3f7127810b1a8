//! The bytes of a configuration file as text, or why they are none.

use super::{ConfigError, error::line_and_column};
use crate::plain_text::{self, NotText, without_mark};
use std::path::Path;

/// The text of the file at `path`. A byte order mark in front of UTF-8 is nothing.
pub(super) fn decode<'a>(bytes: &'a [u8], path: &Path) -> Result<&'a str, ConfigError> {
    plain_text::decode(bytes).map_err(|not| match not {
        NotText::Utf16 => {
            let text = "the file is UTF-16, as editors on Windows write it; save it as UTF-8: iconv -f UTF-16 -t UTF-8";
            ConfigError::in_file(path, text.to_owned())
        }
        NotText::Zero { .. } => {
            let text = "the file is no text: it holds a byte of zero; name a configuration with --config FILE";
            ConfigError::in_file(path, text.to_owned())
        }
        NotText::NotUtf8 { at, byte } => {
            let before = std::str::from_utf8(&without_mark(bytes)[..at]).unwrap_or_default();
            let (line, column) = line_and_column(before, at);
            let text = format!(
                "the byte 0x{byte:02X} is no UTF-8; save the file as UTF-8, such as with iconv -f ISO-8859-1 -t UTF-8"
            );
            ConfigError::at(path, (line, column), text)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_utf8_is_named() {
        let said = |bytes: &[u8]| {
            let read = decode(bytes, Path::new("c.toml"));
            read.map_or_else(|error| error.to_string(), str::to_owned)
        };
        let utf16: Vec<u8> = "[server]"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        let marked = [b"\xff\xfe", &utf16[..]].concat();
        for bytes in [&utf16, &marked] {
            assert!(said(bytes).starts_with("c.toml: the file is UTF-16"));
        }
        assert_eq!(said(b"\xef\xbb\xbf[server]"), "[server]");
        assert!(said(b"a = 1\nb = \"\xe4\"").starts_with("c.toml:2:6: the byte 0xE4 is no UTF-8"));
        assert!(said(b"\x7fELF\x01\x00").contains("is no text"));
        assert_eq!(said(b""), "");
    }
}
