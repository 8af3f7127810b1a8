//! Transfer encodings, character sets and encoded words, which `mail-parser` knows.

use super::Refusal;
use super::entity::Entity;
use mail_parser::decoders::base64::base64_decode;
use mail_parser::decoders::charsets::map::charset_decoder;
use mail_parser::decoders::html::html_to_text;
use mail_parser::decoders::quoted_printable::quoted_printable_decode;
use mail_parser::parsers::MessageStream;
use std::borrow::Cow;

/// The longest field in which encoded words are decoded, in octets.
const MAX_WORDS: usize = 1000;
/// The most of a text that people read that is decoded, in octets of its encoding.
const MAX_ENCODED: usize = 256 << 10;
/// The most of it that is kept, in octets.
const MAX_TEXT: usize = 64 << 10;

/// A field with its encoded words decoded (RFC 2047), as far as its first 1000 octets go.
pub(super) fn words(value: &str) -> String {
    let mut line = start_of(value, MAX_WORDS).to_owned();
    line.push('\n');
    let mut stream = MessageStream::new(line.as_bytes());
    stream
        .parse_unstructured()
        .as_text()
        .unwrap_or_default()
        .to_owned()
}

/// The octets of a part, out of their transfer encoding (RFC 2045 §6).
pub(super) fn octets<'a>(part: &Entity<'a>) -> Result<Cow<'a, [u8]>, Refusal> {
    transferred(part, part.body)
}

fn transferred<'a>(part: &Entity<'_>, body: &'a [u8]) -> Result<Cow<'a, [u8]>, Refusal> {
    let encoding = part
        .fields
        .get("Content-Transfer-Encoding")
        .unwrap_or("7bit");
    let encoding = super::lexical::without_comments(encoding)
        .trim()
        .to_ascii_lowercase();
    let decoded = match encoding.as_str() {
        "7bit" | "8bit" | "binary" | "" => return Ok(body.into()),
        "base64" => base64_decode(body).ok_or("base64"),
        "quoted-printable" => quoted_printable_decode(body).ok_or("quoted-printable"),
        _ => return Err(Refusal::UnknownEncoding(start_of(&encoding, 40).to_owned())),
    };
    decoded.map(Cow::Owned).map_err(Refusal::Encoding)
}

/// A calendar's octets as UTF-8, without a byte order mark.
///
/// RFC 6047 §2.4 wants `charset=UTF-8`; programs that forget it, or say another, write UTF-8 all the same.
pub(super) fn calendar(part: &Entity) -> Result<Vec<u8>, Refusal> {
    let octets = octets(part)?;
    let charset = part.content_type.parameter("charset").unwrap_or("utf-8");
    // Their octets are valid UTF-8 too, and mean something else.
    let is_stateful = ["utf-16", "utf-7", "iso-2022"]
        .iter()
        .any(|name| is_named(charset, name));
    let is_utf8 = std::str::from_utf8(&octets).is_ok() && !is_stateful;
    let decode =
        charset_decoder(charset.as_bytes()).filter(|_| !is_utf8 && !is_named(charset, "utf-8"));
    Ok(without_bom(match decode {
        Some(decode) => decode(&octets).into_bytes(),
        None => octets.into_owned(),
    }))
}

fn is_named(charset: &str, name: &str) -> bool {
    start_of(charset, name.len()).eq_ignore_ascii_case(name)
}

fn without_bom(mut octets: Vec<u8>) -> Vec<u8> {
    const BOM: &[u8] = "\u{feff}".as_bytes();
    if octets.starts_with(BOM) {
        octets.drain(..BOM.len());
    }
    octets
}

/// What people read: the first text that is no attachment and not empty, plain rather than HTML.
pub(super) fn readable_text(mail: &Entity) -> Option<String> {
    let leaves = mail.leaves();
    let mut shown = leaves.iter().filter(|part| !part.is_attachment());
    let plain = shown.clone().find(|part| part.is("text", "plain"));
    let kept = |text: String| {
        let text = start_of(text.trim(), MAX_TEXT);
        (!text.is_empty()).then(|| text.to_owned())
    };
    // Some programs write the plain text empty.
    plain.and_then(|part| kept(text(part))).or_else(|| {
        let html = shown.find(|part| part.is("text", "html"))?;
        kept(html_to_text(&text(html)))
    })
}

/// A text in its character set; what cannot be read of it is replaced.
fn text(part: &Entity) -> String {
    let body = &part.body[..part.body.len().min(MAX_ENCODED)];
    let octets = transferred(part, body).unwrap_or(body.into());
    let charset = part.content_type.parameter("charset").unwrap_or("utf-8");
    match charset_decoder(charset.as_bytes()) {
        Some(decode) if !is_named(charset, "utf-8") && !is_named(charset, "us-ascii") => {
            decode(&octets)
        }
        _ => String::from_utf8_lossy(&octets).into_owned(),
    }
}

/// The first octets of a text, ending with a whole character.
pub(super) fn start_of(text: &str, most: usize) -> &str {
    let mut end = most.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
