//! Writing XML: UTF-8, indented, everything in the iSchedule namespace.

use crate::NAMESPACE;
use convoke_xml::is_xml_char;

/// Writes one document, element by element.
///
/// The names given are trusted (they are literals); texts and attribute values may hold anything: what XML
/// cannot hold at all, such as a NUL, becomes U+FFFD.
#[derive(Debug)]
pub struct Writer {
    out: String,
    open: Vec<&'static str>,
}

impl Writer {
    /// Begins a document with its root element, in the iSchedule namespace.
    pub fn document(root: &'static str) -> Self {
        let mut writer = Self {
            out: "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n".to_owned(),
            open: Vec::new(),
        };
        writer.open(root, &[("xmlns", NAMESPACE)]);
        writer
    }

    /// Opens an element that will hold other elements.
    pub fn open(&mut self, name: &'static str, attributes: &[(&str, &str)]) -> &mut Self {
        self.start(name, attributes);
        self.out.push_str(">\n");
        self.open.push(name);
        self
    }

    /// Closes the element opened last.
    pub fn close(&mut self) -> &mut Self {
        if let Some(name) = self.open.pop() {
            self.indent();
            self.end(name);
        }
        self
    }

    /// Writes an element without content.
    pub fn empty(&mut self, name: &str, attributes: &[(&str, &str)]) -> &mut Self {
        self.start(name, attributes);
        self.out.push_str("/>\n");
        self
    }

    /// Writes an element that holds text.
    pub fn text(&mut self, name: &str, attributes: &[(&str, &str)], text: &str) -> &mut Self {
        self.start(name, attributes);
        self.out.push('>');
        self.escaped(text, false);
        self.end(name);
        self
    }

    /// Closes what is open and gives the document.
    pub fn finish(mut self) -> String {
        while !self.open.is_empty() {
            self.close();
        }
        self.out
    }

    fn start(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.indent();
        self.out.push('<');
        self.out.push_str(name);
        for (name, value) in attributes {
            self.out.push(' ');
            self.out.push_str(name);
            self.out.push_str("=\"");
            self.escaped(value, true);
            self.out.push('"');
        }
    }

    fn end(&mut self, name: &str) {
        self.out.push_str("</");
        self.out.push_str(name);
        self.out.push_str(">\n");
    }

    fn indent(&mut self) {
        for _ in &self.open {
            self.out.push_str("  ");
        }
    }

    fn escaped(&mut self, text: &str, in_attribute: bool) {
        self.out.reserve(text.len());
        let mut rest = text;
        // Octet by octet: this goes through every answer, and most of it stands as it is.
        while let Some(at) = rest.bytes().position(is_suspect) {
            let (plain, from) = rest.split_at(at);
            self.out.push_str(plain);
            let mut characters = from.chars();
            let c = characters.next().unwrap_or_default();
            rest = characters.as_str();
            match c {
                '<' => self.out.push_str("&lt;"),
                '>' => self.out.push_str("&gt;"),
                '&' => self.out.push_str("&amp;"),
                // Unescaped, a reader turns CRLF into LF (XML 1.0 §2.11), and iCalendar lines end with CRLF.
                '\r' => self.out.push_str("&#13;"),
                '"' if in_attribute => self.out.push_str("&quot;"),
                '\n' if in_attribute => self.out.push_str("&#10;"),
                '\t' if in_attribute => self.out.push_str("&#9;"),
                c if is_xml_char(c) => self.out.push(c),
                _ => self.out.push('\u{fffd}'),
            }
        }
        self.out.push_str(rest);
    }
}

/// Whether a character that begins with this octet of UTF-8 may have to be written otherwise. Of those beyond ASCII
/// only U+FFFE and U+FFFF are no XML.
const fn is_suspect(octet: u8) -> bool {
    matches!(octet, 0..=0x1f | b'<' | b'>' | b'&' | b'"' | 0xef)
}
