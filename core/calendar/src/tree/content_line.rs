//! Parsing an unfolded line into a property.

use super::{
    Param, Property,
    class::{self, ESCAPED, NAME, NEEDS_QUOTES, QUOTE},
    error::{Problem, excerpt},
};
use std::borrow::Cow;

/// One unfolded content line of a message: with all that RFC 5545 §3.1 forbids refused that another program could read
/// otherwise than we do.
pub(crate) fn of_message(line: &str) -> Result<Property, Problem> {
    refused(property(line)?, Looseness::of)
}

/// The same of a line that is known to hold no control character.
pub(crate) fn of_plain_message(line: &str) -> Result<Property, Problem> {
    refused(property(line)?, Looseness::of_plain)
}

fn refused(
    property: Property,
    looseness: impl FnOnce(&Property) -> Option<Looseness>,
) -> Result<Property, Problem> {
    match looseness(&property) {
        Some(looseness) => Err(Problem::Loose(excerpt(&property.name), looseness)),
        None => Ok(property),
    }
}

/// One unfolded content line as it is stored: one that cannot be read is kept as a whole, without a name.
pub(crate) fn as_stored(line: &str) -> Property {
    property(line).unwrap_or_else(|_| Property::new("", line))
}

/// Why a line that can be read is not one of RFC 5545.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Looseness {
    /// `;RSVP:` of vCard 2.1, or a TZID that lost its `=`.
    NoValue(String),
    /// `item1.SUMMARY` of vCard.
    Group,
    /// RFC 5545 §3.1: CONTROL, which is all control characters but HTAB.
    Control,
}

impl Looseness {
    pub(crate) fn of(property: &Property) -> Option<Self> {
        Self::of_plain(property).or_else(|| {
            let values = property.params.iter().flat_map(|it| &it.values);
            let params = values.chain(property.params.iter().map(|it| &it.name));
            // A line break in a parameter's value is `^n` on the wire (RFC 6868).
            let in_params = params.into_iter().any(|it| has_control(it, true));
            (in_params || has_control(&property.value, false)).then_some(Self::Control)
        })
    }

    /// The same of a property without control characters.
    fn of_plain(property: &Property) -> Option<Self> {
        let bare = property.params.iter().find(|it| it.values.is_empty());
        if let Some(bare) = bare {
            return Some(Self::NoValue(excerpt(&bare.name)));
        }
        property.name.contains('.').then_some(Self::Group)
    }
}

fn has_control(text: &str, takes_breaks: bool) -> bool {
    let is_control = |byte: u8| (byte < b' ' && byte != b'\t') || byte == 0x7f;
    text.bytes()
        .any(|byte| is_control(byte) && !(takes_breaks && byte == b'\n'))
}

/// One unfolded content line.
pub(crate) fn property(line: &str) -> Result<Property, Problem> {
    let no_name = || Problem::NoName(excerpt(line));
    let end = line.bytes().position(|octet| class::of(octet) & NAME == 0);
    let (name, rest) = line.split_at(end.filter(|&end| end > 0).ok_or_else(no_name)?);
    if !rest.starts_with([':', ';']) {
        return Err(no_name());
    }
    let mut scanner = Scanner::of(rest);
    let params = params(&mut scanner).map_err(|problem| problem(excerpt(name)))?;
    let value = scanner.rest.strip_prefix(':');
    let value = value.ok_or_else(|| Problem::NoColon(excerpt(name)))?;
    let written = &rest[..rest.len() - value.len() - 1];
    Ok(Property {
        params,
        source: (!scanner.is_ours).then(|| written.into()),
        ..Property::new(name, value)
    })
}

fn params(scanner: &mut Scanner) -> Result<Vec<Param>, MakeProblem> {
    let mut params = Vec::new();
    while let Some(name) = scanner.name()? {
        let mut values = Vec::with_capacity(1);
        while let Some(value) = scanner.value()? {
            values.push(value.into_owned());
        }
        let name = name.to_owned();
        params.push(Param { name, values });
    }
    Ok(params)
}

/// Whether parameters as they came still say what `params` say.
pub(crate) fn still_says(source: &str, params: &[Param]) -> bool {
    let mut scanner = Scanner::of(source);
    let says = |param: &Param| {
        let is_name = scanner.name().is_ok_and(|name| name == Some(&param.name));
        let values = param.values.iter().map(|value| Some(value.as_str()));
        let mut says = |value| scanner.value().is_ok_and(|it| it.as_deref() == value);
        is_name && values.chain([None]).all(&mut says)
    };
    params.iter().all(says) && scanner.rest.is_empty()
}

type MakeProblem = fn(String) -> Problem;

/// Reads `;NAME=value,value;NAME=…` piece by piece, and copies none of it.
struct Scanner<'a> {
    rest: &'a str,
    /// Whether we would write all that was read in the same way.
    is_ours: bool,
}

impl<'a> Scanner<'a> {
    const fn of(rest: &'a str) -> Self {
        let is_ours = true;
        Self { rest, is_ours }
    }

    /// The name of the next parameter, if there is one.
    fn name(&mut self) -> Result<Option<&'a str>, MakeProblem> {
        let Some(after) = self.rest.strip_prefix(';') else {
            return Ok(None);
        };
        let is_end = |byte| matches!(byte, b'=' | b':' | b';' | b'"');
        let end = after.bytes().position(is_end).unwrap_or(after.len());
        let (name, rest) = after.split_at(end);
        if name.is_empty() || rest.starts_with('"') {
            return Err(Problem::NoEquals);
        }
        self.rest = rest;
        Ok(Some(name))
    }

    /// The next value of a parameter, if it has one more, without quotes and RFC 6868 undone.
    ///
    /// RFC 5545 §3.1 wants one; old programs write `;RSVP:`, as vCard 2.1 had it.
    fn value(&mut self) -> Result<Option<Cow<'a, str>>, MakeProblem> {
        let Some(after) = self.rest.strip_prefix(['=', ',']) else {
            return Ok(None);
        };
        let (raw, rest, seen) = if let Some(quoted) = after.strip_prefix('"') {
            let (end, seen) = class::up_to(quoted, QUOTE);
            let end = end.ok_or(Problem::OpenQuote as MakeProblem)?;
            let (raw, rest) = (&quoted[..end], &quoted[end + 1..]);
            if !rest.is_empty() && !rest.starts_with([',', ';', ':']) {
                return Err(Problem::AfterQuote);
            }
            self.is_ours &= seen & NEEDS_QUOTES != 0;
            (raw, rest, seen)
        } else {
            let (end, seen) = class::up_to(after, NEEDS_QUOTES);
            let (raw, rest) = after.split_at(end.unwrap_or(after.len()));
            (raw, rest, seen)
        };
        self.rest = rest;
        let is_odd = seen & (QUOTE | ESCAPED) != 0;
        self.is_ours &= !is_odd;
        Ok(Some(if is_odd {
            decoded(raw).into()
        } else {
            raw.into()
        }))
    }
}

/// RFC 6868 §3.1: `^n`, `^'` and `^^`; a `^` before anything else stands for itself.
fn decoded(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    let mut letters = value.chars();
    while let Some(letter) = letters.next() {
        if letter != '^' {
            text.push(letter);
            continue;
        }
        match letters.next() {
            Some('n') => text.push('\n'),
            Some('\'') => text.push('"'),
            Some('^') | None => text.push('^'),
            Some(other) => text.extend(['^', other]),
        }
    }
    text
}
