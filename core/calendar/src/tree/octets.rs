//! Octets that are not UTF-8, held in a `String` without loss.
//!
//! An octet from 0x80 on that is no part of a character stands as one of the last 128 code points, U+10FF80 to
//! U+10FFFF, and is written as that octet again. Those code points mean nothing to anybody (they are for private use); where
//! a calendar holds one all the same, each octet of it is held so, and it comes out as it went in.

use std::borrow::Cow;

/// Stands for the octet 0x80.
const FIRST: char = '\u{10FF80}';
/// What stands for an octet is this much more.
const BASE: u32 = 0x10_FF00;
/// Every code point that stands for an octet begins with it in UTF-8, and few others do.
const LEAD: u8 = 0xF4;

/// Octets as text in which nothing needs a second look: they are UTF-8, none of their code points could stand for an octet,
/// and no control characters are among them but HTAB and the ends of lines.
#[expect(
    clippy::needless_bitwise_bool,
    reason = "without branches many octets are looked at at once, eight times as fast"
)]
pub(crate) fn plain(octets: &[u8]) -> Option<&str> {
    let is_odd = |octet: u8, next: u8| {
        let is_blank = octet.wrapping_sub(b'\t') <= b'\n' - b'\t';
        let ends_line = (octet == b'\r') & (next == b'\n');
        ((octet < b' ') & !is_blank & !ends_line) | (octet == 0x7f) | (octet == LEAD)
    };
    let (last, rest) = octets.split_last()?;
    let pairs = rest.iter().zip(&octets[1..]);
    let odd = pairs.fold(is_odd(*last, 0), |odd, (octet, next)| {
        odd | is_odd(*octet, *next)
    });
    if odd {
        None
    } else {
        std::str::from_utf8(octets).ok()
    }
}

/// Any octets as text.
pub(crate) fn decode(octets: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(octets) {
        Ok(text) if !holds_octets(text) => text.into(),
        _ => {
            let mut text = String::with_capacity(octets.len() + 16);
            for chunk in octets.utf8_chunks() {
                for letter in chunk.valid().chars() {
                    if letter < FIRST {
                        text.push(letter);
                    } else {
                        let mut octets = [0; 4];
                        text.extend(letter.encode_utf8(&mut octets).bytes().map(standing_for));
                    }
                }
                text.extend(chunk.invalid().iter().copied().map(standing_for));
            }
            text.into()
        }
    }
}

/// The octets that a text stands for.
pub(crate) fn encode(text: &str) -> Cow<'_, [u8]> {
    if !holds_octets(text) {
        return text.as_bytes().into();
    }
    let mut octets = Vec::with_capacity(text.len());
    for letter in text.chars() {
        match octet(letter) {
            Some(octet) => octets.push(octet),
            None => octets.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    octets.into()
}

/// Whether a code point in it stands for an octet.
pub(crate) fn holds_octets(text: &str) -> bool {
    memchr::memchr(LEAD, text.as_bytes()).is_some() && text.contains(|it| it >= FIRST)
}

/// Whether the octets that a text stands for are UTF-8.
pub(crate) fn is_utf8(text: &str) -> bool {
    !holds_octets(text) || std::str::from_utf8(&encode(text)).is_ok()
}

/// The text with every octet read as ISO 8859-1, which most of what is not UTF-8 was meant as.
pub(crate) fn as_latin1(text: &str) -> String {
    // What is whole UTF-8 after all (a code point of the last 128) has no such reading.
    let letters = text.chars();
    letters
        .map(|letter| octet(letter).map_or(letter, char::from))
        .collect()
}

fn standing_for(octet: u8) -> char {
    char::from_u32(BASE + u32::from(octet)).unwrap_or(char::REPLACEMENT_CHARACTER)
}

fn octet(letter: char) -> Option<u8> {
    u8::try_from(u32::from(letter).checked_sub(BASE)?)
        .ok()
        .filter(|_| letter >= FIRST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_octets_come_out_as_they_went_in(octets in prop::collection::vec(any::<u8>(), 0..200)) {
            let text = decode(&octets).into_owned();
            let written = encode(&text);
            prop_assert_eq!(written.as_ref(), octets.as_slice());
        }

        #[test]
        fn text_stays_text(text in "[\\x00-\u{10FF7F}]{0,60}", last in "[\u{10FF00}-\u{10FFFF}]{0,9}") {
            prop_assert_eq!(decode(text.as_bytes()), text.as_str());
            let odd = text + &last;
            let read = decode(odd.as_bytes());
            let written = encode(&read);
            prop_assert_eq!(written.as_ref(), odd.as_bytes());
        }
    }

    #[test]
    fn a_letter_of_another_character_set_is_one_code_point() {
        let text = decode(b"Gr\xfc\xdfe, gr\xc3\xbc\xc3\x9fe");
        assert_eq!(text, "Gr\u{10FFFC}\u{10FFDF}e, grüße");
        assert_eq!(as_latin1(&text), "Grüße, grüße");
    }
}
