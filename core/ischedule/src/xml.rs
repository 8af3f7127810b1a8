//! XML, as far as iSchedule needs it: a bounded tree to read, a small writer.
//!
//! The reader takes UTF-8, any namespace prefixes, text and CDATA alike. It refuses a DOCTYPE, and with it every
//! entity but the five predefined ones and character references, so that nothing expands. Not done: other
//! encodings, mixed content (an element's own text is joined, its place between children is lost).

mod read;
mod write;

pub use read::{Element, Limits, XmlError, parse};
pub use write::Writer;

/// Whether XML 1.0 §2.2 lets a document hold the character.
pub(crate) fn is_xml_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}
