//! Character classes of the octets of a content line, so that one pass over them is enough.

/// It may stand in the name of a property.
pub(super) const NAME: u8 = 1;
/// It may not stand in a parameter's value outside of quotes (RFC 5545 §3.1), besides the quote itself.
pub(super) const NEEDS_QUOTES: u8 = 2;
pub(super) const QUOTE: u8 = 4;
/// It, or what follows it, is not the same on the wire as in a parameter's value (RFC 6868 §3.1), besides the quote.
pub(super) const ESCAPED: u8 = 8;

static CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut octet = 0;
    while octet < u8::MAX {
        classes[octet as usize] = match octet {
            b',' | b';' | b':' => NEEDS_QUOTES,
            b'"' => QUOTE,
            b'^' => ESCAPED | NAME,
            b'\n' | b'\r' => ESCAPED,
            b'=' => 0,
            b'!'..=b'~' => NAME,
            _ => 0,
        };
        octet += 1;
    }
    classes
};

/// What an octet is.
pub(super) fn of(octet: u8) -> u8 {
    CLASSES[usize::from(octet)]
}

/// The first octet that is one of `stops`, if there is one, and what stands before it.
pub(super) fn up_to(text: &str, stops: u8) -> (Option<usize>, u8) {
    let mut seen = 0;
    let at = text.bytes().position(|octet| {
        let class = of(octet);
        let stop = class & stops != 0;
        seen |= if stop { 0 } else { class };
        stop
    });
    (at, seen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octets_are_classified_up_to_the_first_stop() {
        for (text, stops, expected) in [
            ("", QUOTE, (None, 0)),
            ("a\"^", QUOTE, (Some(1), NAME)),
            (" ;,\"", QUOTE, (Some(3), NEEDS_QUOTES)),
            ("a\"^ü:", NEEDS_QUOTES, (Some(5), NAME | QUOTE | ESCAPED)),
            ("\r\u{7f}\u{ff}=", QUOTE, (None, ESCAPED)),
        ] {
            assert_eq!(up_to(text, stops), expected, "{text:?}");
        }
        let names = (0..=u8::MAX).filter(|octet| of(*octet) & NAME != 0);
        let graphic = (b'!'..=b'~').filter(|octet| !b";:,\"=".contains(octet));
        assert!(names.eq(graphic));
    }
}
