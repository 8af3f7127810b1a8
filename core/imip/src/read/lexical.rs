//! The lexical elements of structured header fields (RFC 5322 §3.2, RFC 2045 §5.1): comments, quoted strings, parameters,
//! mailboxes. Each function looks at each octet once.

use super::address;
use convoke_types::CalendarAddress;

/// A value without its comments; what is quoted stays as it is.
pub(super) fn without_comments(value: &str) -> String {
    let mut kept = String::with_capacity(value.len());
    let mut depth = 0_u32;
    let mut is_quoted = false;
    let mut letters = value.chars();
    while let Some(c) = letters.next() {
        match c {
            '\\' if is_quoted || depth > 0 => {
                let next = letters.next();
                if depth == 0 {
                    kept.push(c);
                    kept.extend(next);
                }
            }
            '"' if depth == 0 => {
                is_quoted = !is_quoted;
                kept.push(c);
            }
            '(' if !is_quoted => depth = depth.saturating_add(1),
            ')' if !is_quoted && depth > 0 => {
                depth -= 1;
                if depth == 0 {
                    kept.push(' ');
                }
            }
            c if depth == 0 => kept.push(c),
            _ => {}
        }
    }
    kept
}

/// The pieces between separators that are not quoted.
pub(super) fn split(value: &str, separator: impl Fn(char) -> bool) -> impl Iterator<Item = &str> {
    let mut is_quoted = false;
    let mut is_escaped = false;
    value.split(move |c| {
        if is_escaped {
            is_escaped = false;
            return false;
        }
        match c {
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            _ => {}
        }
        !is_quoted && separator(c)
    })
}

/// A token or a quoted string as what it stands for.
pub(super) fn unquoted(value: &str) -> String {
    let value = value.trim();
    let Some(inner) = value.strip_prefix('"') else {
        return value.to_owned();
    };
    let mut text = String::with_capacity(inner.len());
    let mut letters = inner.chars();
    while let Some(c) = letters.next() {
        match c {
            '"' => break,
            '\\' => text.extend(letters.next()),
            c => text.push(c),
        }
    }
    text
}

/// A value with parameters, such as `text/calendar; method=REPLY` (RFC 2045 §5.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Parameterised {
    /// What stands before the parameters, in lower case.
    pub(super) value: String,
    parameters: Vec<(String, String)>,
}

impl Parameterised {
    /// The most parameters that are looked at.
    const MOST: usize = 50;

    pub(super) fn read(field: &str) -> Self {
        let field = without_comments(field);
        let mut pieces = split(&field, |c| c == ';');
        let value = pieces.next().unwrap_or_default().trim();
        let named = pieces.take(Self::MOST).filter_map(|piece| {
            let (name, value) = piece.split_once('=')?;
            Some((name.trim().to_ascii_lowercase(), unquoted(value)))
        });
        Self {
            value: value.to_ascii_lowercase(),
            parameters: named.collect(),
        }
    }

    /// The first parameter of a name; of `name*=` and `name*0=` (RFC 2231) the beginning, which is enough for what is asked
    /// here.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        let is = |known: &str| {
            known
                .strip_prefix(name)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('*'))
        };
        let mut known = self.parameters.iter();
        known
            .find(|(known, _)| is(known))
            .map(|(_, value)| value.as_str())
    }
}

/// Whether each comment, each quoted string and each escape in a value has its end, and stands where it may. Of one that does
/// not, programs differ about what is part of it.
fn is_closed(value: &str) -> bool {
    let (mut depth, mut is_quoted) = (0_u32, false);
    let mut letters = value.chars();
    while let Some(c) = letters.next() {
        match c {
            '\\' => {
                let is_escape = is_quoted || depth > 0;
                match letters.next() {
                    None => return false,
                    // Outside of them a backslash is no escape (RFC 5322 §3.2.1), and taken for one all the same.
                    Some(next) if !is_escape && "\"()<>\\".contains(next) => return false,
                    Some(_) => {}
                }
            }
            '"' if depth == 0 => is_quoted = !is_quoted,
            '(' if !is_quoted => depth = depth.saturating_add(1),
            ')' if !is_quoted => match depth.checked_sub(1) {
                Some(outer) => depth = outer,
                None => return false,
            },
            _ => {}
        }
    }
    depth == 0 && !is_quoted
}

/// Name and address of a field that is exactly one mailbox (RFC 5322 §3.4). Lists, groups, routes and what programs read
/// differently are none.
pub(super) fn mailbox(field: &str) -> Option<(String, CalendarAddress)> {
    if !is_closed(field) {
        return None;
    }
    let field = without_comments(field);
    let mut pieces = split(&field, |c| matches!(c, ',' | ';' | ':'));
    let only = pieces.next()?;
    if pieces.next().is_some() {
        return None;
    }
    let mut pieces = split(only, |c| matches!(c, '<' | '>'));
    let before = pieces.next()?;
    let Some(spec) = pieces.next() else {
        return Some((String::new(), address(before)?));
    };
    // Behind `>` there is nothing more.
    if pieces.next()?.trim().is_empty()
        && pieces.next().is_none()
        && !only.trim_start().starts_with('>')
    {
        Some((unquoted(before), address(spec)?))
    } else {
        None
    }
}

/// The addresses of a list of mailboxes, without those that cannot be read.
pub(super) fn addresses(field: &str) -> Vec<CalendarAddress> {
    let field = without_comments(field);
    let pieces = split(&field, |c| matches!(c, ',' | ';' | ':'));
    let specs = pieces.filter_map(|piece| {
        let mut pieces = split(piece, |c| matches!(c, '<' | '>'));
        let before = pieces.next()?;
        address(pieces.next().unwrap_or(before))
    });
    specs.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_go_and_quotes_stay() {
        for (value, expected) in [
            ("a (b (c) d) e", "a   e"),
            (r#""(a)" (b)"#, r#""(a)"  "#),
            (r"a (b \) c) d", "a   d"),
            (r#""a\"(" b"#, r#""a\"(" b"#),
            ("a (b", "a "),
            ("a) b", "a) b"),
        ] {
            assert_eq!(without_comments(value), expected, "{value}");
        }
    }

    #[test]
    fn from_is_one_mailbox_or_none() {
        for (field, expected) in [
            ("bo@example.org", Some(("", "bo@example.org"))),
            ("Bo <bo@example.org>", Some(("Bo", "bo@example.org"))),
            (
                r#""Bo, <x@y.example>" <bo@example.org>"#,
                Some(("Bo, <x@y.example>", "bo@example.org")),
            ),
            (
                "bo@example.org (Bo <x@y.example>)",
                Some(("", "bo@example.org")),
            ),
            (
                "x@y.example <bo@example.org>",
                Some(("x@y.example", "bo@example.org")),
            ),
            (
                "=?utf-8?q?B=C3=B6?= <bo@example.org>",
                Some(("=?utf-8?q?B=C3=B6?=", "bo@example.org")),
            ),
            ("bo@example.org, anna@example.org", None),
            ("Team: bo@example.org;", None),
            ("<bo@example.org> <x@y.example>", None),
            ("Bo <bo@example.org> x@y.example", None),
            ("<@relay.example:bo@example.org>", None),
            (">bo@example.org<", None),
            ("Bo <bo@example.org", None),
            ("a@x.example (<bo@example.org>", None),
            ("a@x.example (\\) <bo@example.org>", None),
            ("bo@example.org )", None),
            ("\"Bo <bo@example.org>", None),
            ("Bo \\\"B\" <bo@example.org>", None),
            (
                r"Bo (a \) (b\\)) <bo@example.org>",
                Some(("Bo", "bo@example.org")),
            ),
            ("bo at example.org", None),
            ("bo@example.org\u{0}", None),
            ("", None),
        ] {
            let found = mailbox(field);
            let found = found
                .as_ref()
                .map(|(name, address)| (name.as_str(), address.human()));
            assert_eq!(found, expected, "{field}");
        }
    }

    #[test]
    fn lists_are_read_as_far_as_they_can_be() {
        let found = addresses(
            r#"Team: "A, B" <a@x.example>, b@x.example (c@x.example); nobody, <d@x.example>"#,
        );
        let found: Vec<&str> = found.iter().map(CalendarAddress::human).collect();
        assert_eq!(found, ["a@x.example", "b@x.example", "d@x.example"]);
    }

    #[test]
    fn parameters_are_read() {
        let read = Parameterised::read(
            r#"Text/Calendar; Method=REPLY; charset="utf-8" (x); name*0="a;b.ics""#,
        );
        assert_eq!(read.value, "text/calendar");
        assert_eq!(read.parameter("method"), Some("REPLY"));
        assert_eq!(read.parameter("charset"), Some("utf-8"));
        assert_eq!(read.parameter("name"), Some("a;b.ics"));
        assert_eq!(read.parameter("boundary"), None);
    }
}
