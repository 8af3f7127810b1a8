//! Addresses of an envelope (RFC 5321 §4.1.2), which `smtp-proto` hands over without the quotes of a local part.

use convoke_types::CalendarAddress;

/// An address as it may be written between angle brackets again, empty for the null sender; `None` if it can be in no envelope.
pub(crate) fn written(unquoted: &str) -> Option<String> {
    if unquoted.is_empty() {
        return Some(String::new());
    }
    let (local, domain) = unquoted.rsplit_once('@')?;
    let is_of_domain = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c) || is_wide(c);
    if !domain.chars().all(is_of_domain) || local.contains(char::is_control) {
        return None;
    }
    if is_dot_string(local) {
        return Some(unquoted.to_owned());
    }
    let escaped = local.replace('\\', "\\\\").replace('"', "\\\"");
    Some(format!("\"{escaped}\"@{domain}"))
}

/// Whom a recipient names. A `%` stands for itself in an envelope, and begins an octet in a URI; `?` and `#` would end the address
/// there.
pub(crate) fn calendar_address(unquoted: &str) -> Option<CalendarAddress> {
    let encoded = unquoted
        .replace('%', "%25")
        .replace('?', "%3F")
        .replace('#', "%23");
    let address = CalendarAddress::new(&format!("mailto:{encoded}")).ok();
    address.filter(|address| address.local_part().is_some())
}

/// RFC 5321 §4.1.2, RFC 6531 §3.3.
fn is_dot_string(local: &str) -> bool {
    let is_atext =
        |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c) || is_wide(c);
    local
        .split('.')
        .all(|atom| !atom.is_empty() && atom.chars().all(is_atext))
}

fn is_wide(c: char) -> bool {
    !c.is_ascii() && !c.is_control() && !c.is_whitespace()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_written_so_that_nothing_of_it_is_taken_for_a_parameter() {
        for (unquoted, expected) in [
            ("", Some("")),
            ("bo@example.com", Some("bo@example.com")),
            ("a.b+c@[127.0.0.1]", Some("a.b+c@[127.0.0.1]")),
            ("john smith@example.com", Some("\"john smith\"@example.com")),
            (
                "a> X=1 Y=<b@evil.example",
                Some("\"a> X=1 Y=<b\"@evil.example"),
            ),
            ("a\"\\b@example.com", Some("\"a\\\"\\\\b\"@example.com")),
            ("a..b@example.com", Some("\"a..b\"@example.com")),
            ("a@b> X=1", None),
            ("a\rb@example.com", None),
            ("nobody", None),
        ] {
            assert_eq!(written(unquoted).as_deref(), expected, "{unquoted:?}");
        }
    }

    #[test]
    fn nothing_in_a_recipient_is_percent_encoded() {
        for (unquoted, expected) in [
            ("bo@example.com", Some("bo")),
            ("a#b@example.com", Some("a#b")),
            ("a?b@example.com", Some("a?b")),
            ("50%off@example.com", Some("50%off")),
            ("bo%2Bx@example.com", Some("bo%2Bx")),
            ("", None),
            ("urn:x@example.com", Some("urn:x")),
        ] {
            let address = calendar_address(unquoted);
            let local = address.as_ref().and_then(|it| it.local_part());
            assert_eq!(local, expected, "{unquoted}");
        }
    }
}
