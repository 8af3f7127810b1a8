//! Mailboxes: addresses and names of people, as they stand in header fields.

use convoke_types::CalendarAddress;

/// The longest local part (RFC 5321 §4.5.3.1.1), in octets.
pub(crate) const MAX_LOCAL_PART: usize = 64;

/// The longest address (RFC 5321 §4.5.3.1.3), in octets.
const MAX_ADDRESS: usize = 254;

/// The longest text taken into a header field, in characters.
const MAX_TEXT: usize = 200;

/// An address, and what people call who has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mailbox {
    /// The address.
    pub address: CalendarAddress,
    /// The name, as it came from a CN or a configuration: cleaned where it is written.
    pub name: Option<String>,
}

/// No mail can be sent to an address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{address}` is no mail address: {reason}")]
pub struct NotMailable {
    address: String,
    reason: &'static str,
}

impl Mailbox {
    /// A mailbox without a name.
    pub const fn new(address: CalendarAddress) -> Self {
        Self {
            address,
            name: None,
        }
    }

    /// What people call it: the name, else the address.
    pub fn human(&self) -> String {
        self.clean_name()
            .unwrap_or_else(|| self.address.human().to_owned())
    }

    /// The name as one line; `None` if nothing of it is left.
    pub(crate) fn clean_name(&self) -> Option<String> {
        let name = one_line(self.name.as_deref()?);
        (!name.is_empty()).then_some(name)
    }
}

/// A text as it may stand in a header field: one line, in which nothing looks like an encoded word (RFC 2047) that it is not.
pub(crate) fn header_text(text: &str) -> String {
    one_line(text).replace("=?", "= ?")
}

/// A text as one line without controls and without what turns the direction of what follows, at most 200 characters.
pub(crate) fn one_line(text: &str) -> String {
    let is_unsafe = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    let mut line = String::with_capacity(text.len().min(4 * MAX_TEXT));
    let mut length = 0;
    for word in text.split(|c: char| c.is_whitespace() || is_unsafe(c)) {
        if word.is_empty() {
            continue;
        }
        if length > 0 {
            line.push(' ');
            length += 1;
        }
        for c in word.chars() {
            if length >= MAX_TEXT {
                line.push('…');
                return line;
            }
            line.push(c);
            length += 1;
        }
    }
    line
}

/// The address as it stands in an envelope and in header fields: `local-part@domain` (RFC 5321 §4.1.2).
///
/// Outside ASCII it needs SMTPUTF8 (RFC 6531); the domain is always ASCII.
pub fn addr_spec(address: &CalendarAddress) -> Result<String, NotMailable> {
    let refused = |reason| NotMailable {
        address: address.human().to_owned(),
        reason,
    };
    let (Some(local), Ok(domain)) = (address.mailbox_name(), address.domain()) else {
        return Err(refused("only `mailto:` addresses have a mailbox"));
    };
    let local = if is_dot_atom(&local) || is_quoted(&local) {
        local.into_owned()
    } else {
        quoted(&local)
    };
    if local.len() > MAX_LOCAL_PART {
        return Err(refused("the part before `@` is longer than 64 octets"));
    }
    let spec = format!("{local}@{domain}");
    if spec.len() > MAX_ADDRESS {
        return Err(refused("it is longer than 254 octets"));
    }
    Ok(spec)
}

/// Reads an address that stands in a header field or an envelope, where nothing is percent-encoded. What is not written as RFC 5322
/// has it is none, so that nobody reads another address there than we do.
pub fn mailbox_address(spec: &str) -> Option<CalendarAddress> {
    let (local, _) = spec.rsplit_once('@')?;
    if !is_dot_atom(local) && !is_quoted(local) {
        return None;
    }
    CalendarAddress::of_mailbox(spec).ok()
}

/// RFC 5321 §4.1.2, RFC 6531 §3.3: Dot-string.
pub(crate) fn is_dot_atom(local: &str) -> bool {
    let is_atext =
        |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c) || is_wide(c);
    local
        .split('.')
        .all(|atom| !atom.is_empty() && atom.chars().all(is_atext))
}

/// RFC 5321 §4.1.2: Quoted-string, without blanks, which no address has here.
fn is_quoted(local: &str) -> bool {
    let inner = local
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    let Some(inner) = inner.filter(|inner| !inner.is_empty()) else {
        return false;
    };
    let mut letters = inner.chars();
    while let Some(c) = letters.next() {
        let fine = match c {
            '"' => false,
            '\\' => letters.next().is_some_and(|c| c.is_ascii_graphic()),
            c => c.is_ascii_graphic() || is_wide(c),
        };
        if !fine {
            return false;
        }
    }
    true
}

fn quoted(local: &str) -> String {
    let escaped = local.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{escaped}\"")
}

fn is_wide(c: char) -> bool {
    !c.is_ascii() && !c.is_control() && !c.is_whitespace()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_written_as_mail_servers_read_them() {
        for (address, expected) in [
            ("mailto:anna@Example.org", Ok("anna@example.org")),
            ("mailto:a%2Bb@example.org", Ok("a+b@example.org")),
            ("mailto:a;b@example.org", Ok("\"a;b\"@example.org")),
            ("mailto:a..b@example.org", Ok("\"a..b\"@example.org")),
            ("mailto:%22a@b%22@example.org", Ok("\"a@b\"@example.org")),
            ("mailto:a%22b@example.org", Ok("\"a\\\"b\"@example.org")),
            (
                "mailto:jürgen@bücher.example",
                Ok("jürgen@xn--bcher-kva.example"),
            ),
            ("urn:uuid:1", Err("only `mailto:`")),
            (
                "mailto:0123456789012345678901234567890123456789012345678901234567890123456789@example.org",
                Err("longer than 64 octets"),
            ),
        ] {
            let found = addr_spec(&address.parse().unwrap()).map_err(|error| error.to_string());
            match expected {
                Ok(spec) => assert_eq!(found.as_deref(), Ok(spec)),
                Err(part) => assert!(found.as_ref().unwrap_err().contains(part), "{found:?}"),
            }
        }
    }

    #[test]
    fn an_address_in_a_header_is_read_strictly() {
        for (spec, expected) in [
            ("anna@example.org", Some("mailto:anna@example.org")),
            (
                "100%?#@example.org",
                Some("mailto:100%25%3F%23@example.org"),
            ),
            ("\"a;b\"@example.org", Some("mailto:\"a;b\"@example.org")),
            ("victim@bank.exampleevil@evil.example", None),
            ("a;b@example.org", None),
            ("anna", None),
            ("", None),
        ] {
            let found = mailbox_address(spec);
            assert_eq!(
                found.as_ref().map(CalendarAddress::as_str),
                expected,
                "{spec}"
            );
        }
    }

    #[test]
    fn names_are_one_line() {
        for (name, expected) in [
            ("Anna", "Anna"),
            (" Anna \r\n Bcc: x@example.org\t", "Anna Bcc: x@example.org"),
            ("A\u{202e}nna\0", "A nna"),
            ("\r\n", ""),
        ] {
            assert_eq!(one_line(name), expected);
        }
        assert_eq!(one_line(&"x".repeat(1000)).chars().count(), MAX_TEXT + 1);
    }
}
