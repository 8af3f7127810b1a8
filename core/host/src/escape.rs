//! Texts of others, where people or programs read them line by line: in the log, on a terminal.
//!
//! A peer, a name server, a plugin, a calendar may write whatever it likes. A line end, a control character, or one that
//! turns the direction of writing would let it fake a line of the log, hide one, or steer the terminal. This is the one
//! place that knows which characters do that; the log and the command line send everything they write through it.

use std::{
    borrow::Cow,
    fmt::Write as _,
    io::{self, Write},
};
use tracing::Metadata;
use tracing_subscriber::fmt::{MakeWriter, writer::BoxMakeWriter};

/// Whether a character says something other than itself: control characters (C0, DEL, C1), separators of lines, marks of
/// the direction of writing, and what is invisible. The joiners that Persian and emoji are written with are left.
const fn is_unsafe(letter: char) -> bool {
    matches!(
        letter,
        '\0'..='\x1f'
            | '\x7f'..='\u{9f}'
            | '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'
            | '\u{200e}' | '\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

/// Whether a text holds nothing but visible ASCII and spaces, which most do.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

/// The text in one line: `\n`, `\u{202e}` for what is not to be written as it is.
pub(crate) fn escape_controls(text: &str) -> Cow<'_, str> {
    escape(text, |_| false, add_visibly)
}

fn add_visibly(escaped: &mut String, letter: char) {
    match letter {
        '\n' => escaped.push_str("\\n"),
        '\r' => escaped.push_str("\\r"),
        '\t' => escaped.push_str("\\t"),
        // Writing to a String cannot fail.
        other => {
            let _ = write!(escaped, "\\u{{{:x}}}", u32::from(other));
        }
    }
}

/// The first letters of a text, and `…` if there are more.
pub(crate) fn cut(text: &str, most: usize) -> Cow<'_, str> {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]).into(),
        None => text.into(),
    }
}

/// [`escape_controls`] of a text of several lines: line ends and tabs stay.
pub(crate) fn escape_lines(text: &str) -> Cow<'_, str> {
    escape(text, |letter| matches!(letter, '\n' | '\t'), add_visibly)
}

/// JSON text that means the same: within strings, which is the only place for such characters, `\u202e`. The line ends
/// between values stay.
pub(crate) fn escape_json(text: &str) -> Cow<'_, str> {
    escape(
        text,
        |letter| letter == '\n',
        |escaped, letter| {
            for unit in letter.encode_utf16(&mut [0; 2]) {
                let _ = write!(escaped, "\\u{unit:04x}");
            }
        },
    )
}

fn escape(
    text: &str,
    keep: impl Fn(char) -> bool,
    add: impl Fn(&mut String, char),
) -> Cow<'_, str> {
    let bad = |letter: char| is_unsafe(letter) && !keep(letter);
    if is_plain(text) || !text.contains(bad) {
        return text.into();
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for letter in text.chars() {
        if bad(letter) {
            add(&mut escaped, letter);
        } else {
            escaped.push(letter);
        }
    }
    escaped.into()
}

/// How the log writes a line.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Form {
    /// For people.
    Text,
    /// A JSON value a line.
    Json,
}

/// Where the log goes: each event, which comes as one write, is one line there, whatever it holds.
pub(crate) struct EscapedLines {
    form: Form,
    place: BoxMakeWriter,
}

impl EscapedLines {
    pub(crate) const fn new(form: Form, place: BoxMakeWriter) -> Self {
        Self { form, place }
    }
}

impl<'a> MakeWriter<'a> for EscapedLines {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line {
            form: self.form,
            place: Box::new(self.place.make_writer()),
        }
    }

    fn make_writer_for(&'a self, of: &Metadata<'_>) -> Line<'a> {
        Line {
            form: self.form,
            place: Box::new(self.place.make_writer_for(of)),
        }
    }
}

/// Writes one line.
pub(crate) struct Line<'a> {
    form: Form,
    place: Box<dyn Write + 'a>,
}

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        let line = text.strip_suffix('\n').unwrap_or(&text);
        let escaped = match self.form {
            Form::Text => escape_controls(line),
            Form::Json => escape_json(line),
        };
        let mut whole = Vec::with_capacity(escaped.len() + 1);
        whole.extend_from_slice(escaped.as_bytes());
        whole.push(b'\n');
        // In one write, which the system does not mix with others.
        self.place.write_all(&whole)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.place.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::sync::{Arc, Mutex};
    use tracing_subscriber::prelude::*;

    const HOSTILE: &str = "x\r\n2026 ERROR FAKE\u{2028}a\u{2029}b\u{202e}c\u{2066}d\u{85}e\u{1b}[2Jf\u{61c}g\u{200f}h\u{feff}i\0j\u{e0041}k\u{7f}l\tm";

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What the log writes of hostile messages and fields.
    fn logged(form: Form) -> String {
        let written = Written::default();
        let place = written.clone();
        let lines = EscapedLines::new(form, BoxMakeWriter::new(move || place.clone()));
        let layer = tracing_subscriber::fmt::layer()
            .with_writer(lines)
            .with_ansi(false);
        let registry = tracing_subscriber::registry();
        let log = || {
            tracing::error!(event = "hostile", shown = %HOSTILE, debug = ?HOSTILE, text = HOSTILE, "{HOSTILE}");
        };
        match form {
            Form::Text => tracing::subscriber::with_default(registry.with(layer), log),
            Form::Json => tracing::subscriber::with_default(registry.with(layer.json()), log),
        }
        let bytes = written.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn an_event_is_one_line_of_the_log_whatever_it_holds() {
        for form in [Form::Text, Form::Json] {
            let log = logged(form);
            let line = log.strip_suffix('\n').unwrap();
            assert!(!line.contains(is_unsafe), "{form:?}: {log:?}");
            assert!(line.contains("2026 ERROR FAKE"), "{log}");
        }
        let value: serde_json::Value = serde_json::from_str(&logged(Form::Json)).unwrap();
        assert_eq!(value["fields"]["text"], HOSTILE);
        assert_eq!(value["fields"]["event"], "hostile");
    }

    #[test]
    fn what_people_write_stays() {
        for text in [
            "Grüße, 日本語 — “x”",
            "می\u{200c}خواهم",
            "👨\u{200d}👩",
            "a b",
            "",
        ] {
            assert!(matches!(escape_controls(text), Cow::Borrowed(same) if same == text));
        }
        assert_eq!(
            escape_controls("a\r\nb\u{202e}c\td"),
            "a\\r\\nb\\u{202e}c\\td"
        );
        assert_eq!(escape_lines("a\nb\u{1b}c\n"), "a\nb\\u{1b}c\n");
        assert_eq!(
            escape_json("{\n\"a\": \"\u{e0041}\u{7f}\"}"),
            "{\n\"a\": \"\\udb40\\udc41\\u007f\"}"
        );
    }

    #[test]
    fn a_text_is_cut_between_letters() {
        for (text, most, expected) in [
            ("", 0, ""),
            ("é日x", 3, "é日x"),
            ("é日x", 2, "é日…"),
            ("é日x", 0, "…"),
        ] {
            assert_eq!(cut(text, most), expected);
        }
    }

    proptest! {
        #[test]
        fn nothing_unsafe_is_left(text in any::<String>()) {
            prop_assert!(!escape_controls(&text).contains(is_unsafe));
            let json = serde_json::to_string(&text).unwrap();
            let escaped = escape_json(&json);
            prop_assert!(!escaped.contains(is_unsafe));
            prop_assert_eq!(serde_json::from_str::<String>(&escaped).unwrap(), text);
        }
    }
}
