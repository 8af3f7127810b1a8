//! Header fields (RFC 5322 §2.2), unfolded.

use super::Refusal;
use std::borrow::Cow;

/// The longest header, in octets.
const MAX_HEADER: usize = 512 << 10;
/// The longest header field, in octets. RFC 5322 bounds lines and not fields; this is what a To of a thousand people takes.
const MAX_FIELD: usize = 64 << 10;
/// The most header fields of a mail or part.
const MAX_FIELDS: usize = 1000;

/// The fields of one header, in their order.
#[derive(Debug, Default)]
pub(super) struct Fields<'a> {
    fields: Vec<(&'a str, Cow<'a, str>)>,
}

impl<'a> Fields<'a> {
    /// Reads a header up to the empty line, and gives what follows it too. Lines that are no field are passed over.
    pub(super) fn read(octets: &'a [u8]) -> Result<(Self, &'a [u8]), Refusal> {
        let mut fields = Self::default();
        let mut rest = octets;
        while !rest.is_empty() {
            let end = field_end(rest);
            let (field, behind) = rest.split_at(end);
            rest = behind;
            if trimmed(field).is_empty() {
                break;
            }
            if octets.len() - rest.len() > MAX_HEADER {
                return Err(Refusal::TooMuch {
                    what: "octets of header",
                    most: MAX_HEADER,
                });
            }
            if field.len() > MAX_FIELD {
                return Err(Refusal::TooMuch {
                    what: "octets in a header field",
                    most: MAX_FIELD,
                });
            }
            fields.fields.extend(name_and_value(field));
            if fields.fields.len() > MAX_FIELDS {
                return Err(Refusal::TooMuch {
                    what: "header fields",
                    most: MAX_FIELDS,
                });
            }
        }
        Ok((fields, rest))
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The values of every field of a name, from the top.
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        let fields = self.fields.iter();
        let named = fields.filter(move |(known, _)| known.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_ref())
    }

    /// The value of the first field of a name.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// The value of the one field of a name; `None` if there are several, of which programs read one or the other.
    pub(super) fn only(&self, name: &str) -> Option<&str> {
        let mut all = self.all(name);
        all.next().filter(|_| all.next().is_none())
    }

    /// Whether a field of one of the names is there.
    pub(super) fn has_any(&self, names: &[&str]) -> bool {
        let mut fields = self.fields.iter();
        fields.any(|(known, _)| names.iter().any(|name| known.eq_ignore_ascii_case(name)))
    }
}

/// Where the field at the beginning ends: before the next line that does not begin with a blank.
fn field_end(octets: &[u8]) -> usize {
    let mut end = 0;
    loop {
        let rest = &octets[end..];
        let Some(line) = rest.iter().position(|octet| *octet == b'\n') else {
            return octets.len();
        };
        let is_empty = trimmed(&rest[..line]).is_empty();
        end += line + 1;
        // An empty line ends the header, whatever follows.
        if is_empty || !matches!(octets.get(end), Some(b' ' | b'\t')) {
            return end;
        }
    }
}

fn name_and_value(field: &[u8]) -> Option<(&str, Cow<'_, str>)> {
    let colon = field.iter().position(|octet| *octet == b':')?;
    let name = std::str::from_utf8(&field[..colon]).ok()?.trim_end();
    let is_name = !name.is_empty() && name.bytes().all(|octet| octet.is_ascii_graphic());
    is_name.then(|| (name, unfolded(trimmed(&field[colon + 1..]))))
}

/// A value as one line (RFC 5322 §2.2.3): line breaks go, the blanks behind them stay.
fn unfolded(value: &[u8]) -> Cow<'_, str> {
    match String::from_utf8_lossy(value) {
        text if text.contains(['\r', '\n']) => text.replace(['\r', '\n'], "").into(),
        text => text,
    }
}

fn trimmed(octets: &[u8]) -> &[u8] {
    octets.trim_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_unfolded_and_the_body_follows() {
        let octets =
            b"Subject: one\r\n two\r\nno field\r\nX-A : b\nFrom: a@x.example\r\n\r\n folded?\r\n";
        let (fields, body) = Fields::read(octets).unwrap();
        assert_eq!(fields.get("subject"), Some("one two"));
        assert_eq!(fields.get("x-a"), Some("b"));
        assert_eq!(fields.only("FROM"), Some("a@x.example"));
        assert_eq!(body, b" folded?\r\n");
    }

    #[test]
    fn several_of_one_kind_are_not_one() {
        let (fields, _) = Fields::read(b"From: a@x.example\nFrom: b@x.example\n\n").unwrap();
        assert_eq!(fields.only("From"), None);
        assert_eq!(fields.all("From").count(), 2);
    }

    #[test]
    fn headers_are_bounded() {
        let many = "A: b\n".repeat(MAX_FIELDS + 1);
        let long = format!("A: {}\n", "b".repeat(MAX_FIELD));
        let huge = format!("A: {}\n", "b".repeat(MAX_FIELD - 100)).repeat(9);
        for (octets, what) in [
            (many, "header fields"),
            (long, "octets in a header field"),
            (huge, "octets of header"),
        ] {
            let error = Fields::read(octets.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(what), "{error}");
        }
    }
}
