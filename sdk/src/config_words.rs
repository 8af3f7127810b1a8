//! What serde says of a configuration that it cannot read, in an administrator's words.

/// What is wrong with a configuration.
#[derive(Debug, PartialEq, Eq)]
pub enum Complaint<'a> {
    /// A key that is not known, and those that are.
    UnknownKey(&'a str, Vec<&'a str>),
    /// A word that is not known, and those that are.
    UnknownWord(&'a str, Vec<&'a str>),
    /// A key that must be there.
    MissingKey(&'a str),
    /// Anything else: `expected a list, not the text "x"`, or the author's own sentence.
    Other(String),
}

impl<'a> Complaint<'a> {
    /// Reads a message of serde's.
    pub fn read(message: &'a str) -> Self {
        let message = message.trim();
        if let Some((wrong, known)) = unknown(message, "unknown field `") {
            return Self::UnknownKey(wrong, known);
        }
        if let Some((wrong, known)) = unknown(message, "unknown variant `") {
            return Self::UnknownWord(wrong, known);
        }
        if let Some(missing) = message.strip_prefix("missing field `") {
            return Self::MissingKey(missing.split('`').next().unwrap_or_default());
        }
        Self::Other(of_another_type(message).unwrap_or_else(|| message.replace('\n', ", ")))
    }
}

/// Serde's way to say that a name is not known, and which are.
fn unknown<'a>(message: &'a str, prefix: &str) -> Option<(&'a str, Vec<&'a str>)> {
    let (wrong, rest) = message.strip_prefix(prefix)?.split_once('`')?;
    // Names stand between backticks: every second piece.
    Some((wrong, rest.split('`').skip(1).step_by(2).collect()))
}

/// The name that was meant by a wrong one, if one is near enough.
pub fn nearest<'a>(wrong: &str, known: &[&'a str]) -> Option<&'a str> {
    known
        .iter()
        .map(|name| (strsim::damerau_levenshtein(wrong, name), *name))
        .min()
        .filter(|(distance, name)| *distance <= 1 + name.len() / 3)
        .map(|(_, name)| name)
}

/// Names as a sentence has them.
pub fn list(names: &[&str]) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

/// A key as sentences name it, whose places in lists count from 1: `config.rules[1].allow` is `allow` in number 2 of `config.rules`.
pub fn named(key: &str) -> String {
    let (mut named, mut piece) = (String::new(), String::new());
    let (mut letters, mut is_quoted) = (key.chars(), false);
    while let Some(letter) = letters.next() {
        match letter {
            '[' if !is_quoted => {
                let number: String = letters.by_ref().take_while(|it| *it != ']').collect();
                let number = number.parse().unwrap_or(0_usize).saturating_add(1);
                named = format!("number {number} of {}", within(&piece, &named));
                piece.clear();
            }
            '.' if piece.is_empty() => {}
            '\\' if is_quoted => {
                piece.push(letter);
                piece.extend(letters.next());
            }
            _ => {
                is_quoted ^= letter == '"';
                piece.push(letter);
            }
        }
    }
    within(&piece, &named)
}

/// A piece of a key, and what it is in.
fn within(piece: &str, outer: &str) -> String {
    match (piece, outer) {
        ("", outer) => outer.to_owned(),
        (piece, "") => format!("`{piece}`"),
        (piece, outer) => format!("`{piece}` in {outer}"),
    }
}

/// `invalid type: integer `3`, expected a string`, and its like.
fn of_another_type(message: &str) -> Option<String> {
    match message {
        "invalid socket address syntax" => {
            return Some(format!("expected {}", expected("socket address")));
        }
        "invalid IP address syntax" => {
            return Some("expected a network, such as \"10.0.0.0/8\"".to_owned());
        }
        _ => {}
    }
    let (found, wanted) = ["invalid type: ", "invalid value: ", "invalid "]
        .into_iter()
        .find_map(|prefix| message.strip_prefix(prefix)?.split_once(", expected "))?;
    let (found, wanted) = (self::found(found), expected(wanted));
    Some(match (found.as_str(), wanted.as_str()) {
        ("a table", "a list") => {
            "expected a list, not a table: a table of a list begins with [[…]]".to_owned()
        }
        _ => format!("expected {wanted}, not {found}"),
    })
}

fn found(what: &str) -> String {
    if what == "map" {
        return "a table".to_owned();
    }
    if what == "sequence" || what.starts_with("length ") {
        return "a list".to_owned();
    }
    let literal = ["integer ", "floating point ", "boolean "];
    let literal = literal.into_iter().find_map(|it| what.strip_prefix(it));
    match (literal, what.strip_prefix("string ")) {
        (Some(literal), _) => literal.trim_matches('`').to_owned(),
        (None, Some(text)) => format!("the text {text}"),
        (None, None) => what.to_owned(),
    }
}

fn expected(what: &str) -> String {
    match what {
        "a sequence" => "a list",
        "a map" => "a table",
        "path string" => "a path in quotes",
        "a boolean" => "true or false",
        "a string" | "string" => "a text",
        "usize" | "u8" | "u16" | "u32" | "u64" => "a whole number from 0 on",
        "isize" | "i8" | "i16" | "i32" | "i64" => "a whole number",
        "f32" | "f64" => "a number",
        "socket address" => "an address with a port, such as \"127.0.0.1:8443\"",
        _ if what.starts_with("struct ") => "a table",
        _ if what.starts_with("enum ") => "a text",
        _ => what,
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_said_in_plain_words() {
        for (message, said) in [
            (
                "invalid type: string \"dns/txt\", expected a sequence",
                "expected a list, not the text \"dns/txt\"",
            ),
            (
                "invalid type: map, expected a sequence",
                "expected a list, not a table: a table of a list begins with [[…]]",
            ),
            (
                "invalid type: integer `3`, expected struct Tls",
                "expected a table, not 3",
            ),
            (
                "invalid length 0, expected struct Server with 6 elements",
                "expected a table, not a list",
            ),
            (
                "invalid value: integer `-5`, expected usize",
                "expected a whole number from 0 on, not -5",
            ),
            (
                "invalid type: string \"yes\", expected a boolean",
                "expected true or false, not the text \"yes\"",
            ),
            (
                "invalid socket address syntax",
                "expected an address with a port, such as \"127.0.0.1:8443\"",
            ),
            ("the office is shut", "the office is shut"),
        ] {
            assert_eq!(
                Complaint::read(message),
                Complaint::Other(said.to_owned()),
                "{message}"
            );
        }
    }

    #[test]
    fn a_key_is_named_from_the_inside_and_counted_from_one() {
        for (key, said) in [
            ("config", "`config`"),
            ("config.path", "`config.path`"),
            ("config.rules[1]", "number 2 of `config.rules`"),
            (
                "config.rules[1].allow",
                "`allow` in number 2 of `config.rules`",
            ),
            (
                "config.a[0][2].b[3].c.d",
                "`c.d` in number 4 of `b` in number 3 of number 1 of `config.a`",
            ),
            ("config.\"a[1].b\".c", "`config.\"a[1].b\".c`"),
            ("config.\"\\\"[0]\"[0]", "number 1 of `config.\"\\\"[0]\"`"),
        ] {
            assert_eq!(named(key), said);
        }
    }

    #[test]
    fn names_are_found_in_what_serde_says() {
        for (message, complaint) in [
            (
                "unknown field `x`, expected `a` or `b`",
                Complaint::UnknownKey("x", vec!["a", "b"]),
            ),
            (
                "unknown field `x`, there are no fields",
                Complaint::UnknownKey("x", vec![]),
            ),
            (
                "unknown variant `x`, expected one of `a`, `b`, `c`",
                Complaint::UnknownWord("x", vec!["a", "b", "c"]),
            ),
            ("missing field `x`\n", Complaint::MissingKey("x")),
        ] {
            assert_eq!(Complaint::read(message), complaint);
        }
    }
}
