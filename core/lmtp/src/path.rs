//! Addresses of an envelope (RFC 5321 §4.1.2), which `smtp-proto` hands over without the quotes of a local part.

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
}
