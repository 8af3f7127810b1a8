//! A configuration's keys as JSON, written by the compiler, so that they can be read without running the library.

use super::{ConfigSchema, Key, Presence};
use std::marker::PhantomData;

/// Whether `C` describes itself: its keys if so, else, through [`WithoutSchema`], none.
pub struct SchemaOf<C>(PhantomData<C>);

impl<C: ConfigSchema> SchemaOf<C> {
    /// The keys.
    pub const KEYS: Option<&'static [Key]> = Some(C::KEYS);
}

/// What a type says that does not describe itself: inherent items go before those of traits.
pub trait WithoutSchema {
    /// Nothing.
    const KEYS: Option<&'static [Key]> = None;
}

impl<C> WithoutSchema for SchemaOf<C> {}

/// JSON of `N` bytes; what does not fit is only counted.
pub struct Schema<const N: usize> {
    bytes: [u8; N],
    length: usize,
}

impl<const N: usize> Schema<N> {
    /// Describes the configurations of the library's kinds.
    pub const fn of(kinds: &[(&str, Option<&[Key]>)]) -> Self {
        let mut json = Self {
            bytes: [0; N],
            length: 0,
        };
        json.text("{");
        let mut at = 0;
        while at < kinds.len() {
            json.text(if at == 0 { "" } else { "," });
            let (kind, keys) = kinds[at];
            json.quoted(kind);
            json.text(":");
            match keys {
                None => json.text("null"),
                Some(keys) => json.keys(keys),
            }
            at += 1;
        }
        json.text("}");
        json
    }

    /// How many bytes it takes.
    pub const fn size(&self) -> usize {
        self.length
    }

    /// The bytes.
    pub const fn bytes(self) -> [u8; N] {
        assert!(self.length == N);
        self.bytes
    }

    const fn keys(&mut self, keys: &[Key]) {
        self.text("[");
        let mut at = 0;
        while at < keys.len() {
            self.text(if at == 0 { "{\"name\":" } else { ",{\"name\":" });
            self.key(&keys[at]);
            at += 1;
        }
        self.text("]");
    }

    const fn key(&mut self, key: &Key) {
        self.quoted(without_raw(key.name));
        self.text(",\"type\":");
        self.quoted(key.kind);
        self.text(",\"required\":");
        self.text(match key.presence {
            Presence::Required => "true",
            Presence::Optional | Presence::Default(_) => "false",
        });
        self.text(",\"default\":");
        match key.presence {
            Presence::Required | Presence::Optional => self.text("null"),
            Presence::Default(default) => self.quoted(default),
        }
        self.text(",\"doc\":\"");
        let mut line = 0;
        while line < key.doc.len() {
            self.text(if line == 0 { "" } else { " " });
            self.escaped(key.doc[line].trim_ascii());
            line += 1;
        }
        self.text("\"}");
    }

    const fn quoted(&mut self, text: &str) {
        self.text("\"");
        self.escaped(text);
        self.text("\"");
    }

    const fn escaped(&mut self, text: &str) {
        let bytes = text.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            match bytes[at] {
                b'"' | b'\\' => {
                    self.push(b'\\');
                    self.push(bytes[at]);
                }
                // A manifest is made of lines.
                control if control < b' ' => self.push(b' '),
                byte => self.push(byte),
            }
            at += 1;
        }
    }

    const fn text(&mut self, text: &str) {
        let bytes = text.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            self.push(bytes[at]);
            at += 1;
        }
    }

    const fn push(&mut self, byte: u8) {
        if self.length < N {
            self.bytes[self.length] = byte;
        }
        self.length += 1;
    }
}

/// The key of a field such as `r#type`.
const fn without_raw(name: &str) -> &str {
    match name.as_bytes() {
        [b'r', b'#', ..] => name.split_at(2).1,
        _ => name,
    }
}

/// The text of a [`Schema`].
pub const fn text(bytes: &[u8]) -> &str {
    match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(_) => panic!("a schema is made of texts"),
    }
}
