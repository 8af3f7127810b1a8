//! The Content-Type of a scheduling message (spec §5): `text/calendar` with what the body holds.

use crate::{ErrorElement, Refusal};
use std::fmt;

/// `text/calendar; component=VEVENT; method=REQUEST`, parsed.
///
/// The charset is always UTF-8: US-ASCII is a part of it, anything else is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContentType {
    /// The main component of the body, in upper case: `VEVENT`. Of several that are named, the first that is no VTIMEZONE.
    pub component: String,
    /// The other components that are named, in upper case (RFC 5545 §8.1); mostly none.
    pub others: Vec<String>,
    /// The iTIP method of the body, in upper case: `REQUEST`.
    pub method: String,
}

impl ContentType {
    /// The longest field value read, in bytes.
    pub const MAX: usize = 1024;

    /// For a message to send.
    pub fn new(component: &str, method: &str) -> Self {
        Self {
            component: component.to_ascii_uppercase(),
            others: Vec::new(),
            method: method.to_ascii_uppercase(),
        }
    }

    /// Whether a body of these components, of which `main` is the one that the message is about, is what this says.
    ///
    /// Each that is named is there; VTIMEZONE alone may be named without being there, as its sender may know which zones
    /// a receiver has.
    pub fn names(&self, main: &str, components: &[&str]) -> bool {
        let is_there = |name: &String| {
            name == "VTIMEZONE" || components.iter().any(|it| it.eq_ignore_ascii_case(name))
        };
        let is_main = |name: &String| name.eq_ignore_ascii_case(main);
        let mut all = std::iter::once(&self.component).chain(&self.others);
        all.clone().any(is_main) && all.all(is_there)
    }

    /// Reads a field value: parameters in any order and case, quoted or not.
    pub fn read(value: &str) -> Result<Self, Refusal> {
        if value.len() > Self::MAX {
            return Err(wrong_type("Content-Type is longer than 1024 bytes"));
        }
        let media = MediaType::read(value).ok_or_else(|| {
            wrong_type("Content-Type is not a media type with parameters (RFC 9110 §8.3)")
        })?;
        if !media.is("text/calendar") {
            let text = format!("Content-Type is `{}`, not `text/calendar`", media.essence);
            return Err(wrong_type(&text));
        }
        if let Some(charset) = media.parameter("charset")
            && !["utf-8", "us-ascii"].contains(&charset.to_ascii_lowercase().as_str())
        {
            let text = format!("charset `{charset}` is not read; send utf-8");
            return Err(wrong_type(&text));
        }
        let unnamed = |name: &str| {
            let text = format!(
                "Content-Type must name the body's {name}: \
                 `text/calendar; component=VEVENT; method=REQUEST`"
            );
            Refusal::new(ErrorElement::InvalidSchedulingMessage, text)
        };
        let mut others: Vec<String> = Vec::new();
        for name in media.parameters("component") {
            if !is_name(name) {
                return Err(unnamed("component"));
            }
            let name = name.to_ascii_uppercase();
            if !others.contains(&name) {
                others.push(name);
            }
        }
        let main = others.iter().position(|name| name != "VTIMEZONE");
        let component = others.remove(main.ok_or_else(|| unnamed("component"))?);
        let method = media.parameter("method").filter(|value| is_name(value));
        let method = method.ok_or_else(|| unnamed("method"))?;
        Ok(Self {
            component,
            others,
            method: method.to_ascii_uppercase(),
        })
    }
}

impl fmt::Display for ContentType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "text/calendar; charset=utf-8; component={}",
            self.component
        )?;
        for other in &self.others {
            write!(f, "; component={other}")?;
        }
        write!(f, "; method={}", self.method)
    }
}

fn wrong_type(text: &str) -> Refusal {
    Refusal::new(ErrorElement::InvalidCalendarDataType, text)
}

/// An iCalendar name (RFC 5545 §3.1): letters, digits, hyphens.
fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// A media type with its parameters (RFC 9110 §8.3.1), names in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MediaType {
    essence: String,
    parameters: Vec<(String, String)>,
}

impl MediaType {
    /// `None` if it is not one, or names a parameter twice that may stand once.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let (essence, mut rest) = match text.find(';') {
            Some(at) => text.split_at(at),
            None => (text, ""),
        };
        let essence = essence.trim_matches(OWS).to_ascii_lowercase();
        let (kind, subtype) = essence.split_once('/')?;
        if !is_token(kind) || !is_token(subtype) {
            return None;
        }
        let mut parameters: Vec<(String, String)> = Vec::new();
        while let Some(after) = rest.strip_prefix(';') {
            let after = after.trim_start_matches(OWS);
            if after.is_empty() || after.starts_with(';') {
                rest = after; // RFC 9110 §5.6.6: an empty parameter is let pass
                continue;
            }
            let (name, after) = after.split_once('=')?;
            let name = name.trim_matches(OWS).to_ascii_lowercase();
            let (value, after) = parameter_value(after.trim_start_matches(OWS))?;
            let is_twice = parameters.iter().any(|(n, _)| *n == name);
            if !is_token(&name) || (is_twice && !REPEATED.contains(&name.as_str())) {
                return None;
            }
            parameters.push((name, value));
            rest = after.trim_start_matches(OWS);
        }
        rest.is_empty().then_some(Self {
            essence,
            parameters,
        })
    }

    pub(crate) fn is(&self, essence: &str) -> bool {
        self.essence == essence
    }

    fn parameter(&self, name: &str) -> Option<&str> {
        let found = self.parameters.iter().find(|(n, _)| n == name)?;
        Some(&found.1)
    }

    fn parameters<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let named = self.parameters.iter().filter(move |(n, _)| n == name);
        named.map(|(_, value)| value.as_str())
    }
}

/// RFC 5545 §8.1: parameters of `text/calendar` that may stand several times.
const REPEATED: [&str; 2] = ["component", "optinfo"];

const OWS: [char; 2] = [' ', '\t'];

/// A token or a quoted string, and what follows it.
fn parameter_value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([';', ' ', '\t']).unwrap_or(text.len());
        let (value, rest) = text.split_at(end);
        return is_token(value).then(|| (value.to_owned(), rest));
    };
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &quoted[at + 1..])),
            '\\' => value.push(chars.next()?.1),
            c => value.push(c),
        }
    }
    None
}

/// RFC 9110 §5.6.2
fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn content_types_are_read_however_they_are_spelt() {
        for text in [
            "text/calendar; charset=utf-8; method=REQUEST; component=VEVENT",
            "text/calendar;component=VEVENT;method=REQUEST",
            "TEXT/Calendar ; Component=\"vevent\" ; METHOD=request",
            "text/calendar; method=\"RE\\QUEST\"; component=VEVENT; charset=\"UTF-8\";",
            "text/calendar;; component=vEvent; x-more=\"a;b=c\"; method=Request; charset=us-ascii",
            "text/calendar; component = VEVENT; method= REQUEST",
        ] {
            let read = ContentType::read(text).unwrap_or_else(|e| panic!("{text}: {e}"));
            assert_eq!(read, ContentType::new("VEVENT", "REQUEST"), "{text}");
        }
    }

    #[test]
    fn other_content_types_are_refused() {
        use ErrorElement::{
            InvalidCalendarDataType as Type, InvalidSchedulingMessage as Parameters,
        };
        let long = format!("text/calendar; x={}", "y".repeat(2000));
        for (text, element) in [
            ("", Type),
            ("text", Type),
            ("text/plain; component=VEVENT; method=REQUEST", Type),
            (
                "application/calendar+json; component=VEVENT; method=REQUEST",
                Type,
            ),
            (
                "text/calendar; charset=utf-16; component=VEVENT; method=REQUEST",
                Type,
            ),
            (
                "text/calendar; component=VEVENT; method=REQUEST; method=REQUEST",
                Type,
            ),
            (
                "text/calendar; component=VTIMEZONE; method=REQUEST",
                Parameters,
            ),
            (
                "text/calendar; component=VEVENT; component=; method=REQUEST",
                Type,
            ),
            (
                "text/calendar; component=VEVENT; component=\"a b\"; method=REQUEST",
                Parameters,
            ),
            ("text/calendar; component=\"VEVENT; method=REQUEST", Type),
            ("text/calendar; component=VEVENT method=REQUEST", Type),
            (&long, Type),
            ("text/calendar", Parameters),
            ("text/calendar; component=VEVENT", Parameters),
            ("text/calendar; method=REQUEST", Parameters),
            ("text/calendar; component=\"\"; method=REQUEST", Parameters),
            (
                "text/calendar; component=\"V EVENT\"; method=REQUEST",
                Parameters,
            ),
        ] {
            let refusal = ContentType::read(text).expect_err(text);
            assert_eq!(refusal.element, element, "{text}: {refusal}");
        }
    }

    #[test]
    fn several_components_may_be_named() {
        let bodies: [&[&str]; 3] = [&["VEVENT"], &["vtimezone", "VEVENT"], &["VTODO"]];
        for (named, fits) in [
            ("VEVENT", [true, true, false]),
            ("vevent VTIMEZONE", [true, true, false]),
            ("VTIMEZONE VEVENT VEVENT", [true, true, false]),
            ("VEVENT VTODO", [false, false, false]),
            ("VTODO VTIMEZONE X-ODD", [false, false, false]),
            ("VTODO", [false, false, true]),
        ] {
            let components = named.split(' ').map(|name| format!("; Component={name}"));
            let text = format!(
                "text/calendar{}; method=REQUEST",
                components.collect::<String>()
            );
            let read = ContentType::read(&text).unwrap();
            let main = |body: &[&str]| {
                if body.contains(&"VTODO") {
                    "VTODO"
                } else {
                    "VEVENT"
                }
            };
            assert_eq!(
                bodies.map(|body| read.names(main(body), body)),
                fits,
                "{text}"
            );
            assert_eq!(ContentType::read(&read.to_string()), Ok(read), "{text}");
        }
    }

    proptest! {
        #[test]
        fn written_values_round_trip(component in "[A-Z][A-Z0-9-]{0,20}", method in "[A-Z-]{1,20}") {
            let written = ContentType::new(&component, &method);
            prop_assert_eq!(ContentType::read(&written.to_string()).unwrap(), written);
        }

        #[test]
        fn reading_any_text_terminates(text in "(text/calendar)?[;= \"\\\\a-zA-Z]{0,60}\\PC{0,10}") {
            let _ = ContentType::read(&text);
        }
    }
}
