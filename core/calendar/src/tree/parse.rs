//! Octets → tree.

use super::error::Problem;
use super::{Component, Limits, Param, ParseError, Property, write};
use memchr::memchr;
use std::borrow::Cow;

/// Exactly one VCALENDAR.
pub(super) fn one(bytes: &[u8], limits: &Limits) -> Result<Component, ParseError> {
    let mut found = None;
    let mut lines = Lines::new(bytes, limits)?;
    let mut budget = limits.properties;
    while let Some(begin) = lines.begin_of_calendar(&mut budget)? {
        if found.is_some() {
            return Err(begin.fail(Problem::MoreThanOne));
        }
        found = Some(component(&mut lines, begin, limits, &mut budget)?);
    }
    found.ok_or_else(|| lines.fail(Problem::Empty))
}

/// Every VCALENDAR of a stream.
pub(super) fn all(bytes: &[u8], limits: &Limits) -> Result<Vec<Component>, ParseError> {
    let mut found = Vec::new();
    let mut lines = Lines::new(bytes, limits)?;
    let mut budget = limits.properties;
    while let Some(begin) = lines.begin_of_calendar(&mut budget)? {
        found.push(component(&mut lines, begin, limits, &mut budget)?);
    }
    if found.is_empty() {
        return Err(lines.fail(Problem::Empty));
    }
    Ok(found)
}

/// What follows a BEGIN, to its END.
fn component(
    lines: &mut Lines,
    begin: Begin,
    limits: &Limits,
    budget: &mut usize,
) -> Result<Component, ParseError> {
    let mut open = vec![(begin.line, Component::new(begin.name))];
    let deepest = limits.depth.min(Limits::DEEPEST);
    while let Some((line, text)) = lines.next()? {
        let fail = |problem| Err(ParseError { line, problem });
        let property = match property(&text) {
            Ok(property) => property,
            Err(problem) => return fail(problem),
        };
        *budget = match budget.checked_sub(1) {
            Some(rest) => rest,
            None => {
                return fail(Problem::TooManyProperties {
                    most: limits.properties,
                });
            }
        };
        if property.is("BEGIN") {
            if open.len() >= deepest {
                return fail(Problem::TooDeep { most: deepest });
            }
            match component_name(&property, "BEGIN") {
                Ok(name) => open.push((line, Component::new(name))),
                Err(problem) => return fail(problem),
            }
        } else if property.is("END") {
            let end = match component_name(&property, "END") {
                Ok(end) => end,
                Err(problem) => return fail(problem),
            };
            let Some((_, closed)) = open.pop() else {
                return fail(Problem::EndOfNothing(end));
            };
            if !closed.is(&end) {
                let open = excerpt(&closed.name);
                let end = excerpt(&end);
                return fail(Problem::WrongEnd { open, end });
            }
            match open.last_mut() {
                Some((_, outer)) => outer.components.push(closed),
                None => return Ok(closed),
            }
        } else if let Some((_, inner)) = open.last_mut() {
            inner.properties.push(property);
        }
    }
    let (line, never_ended) = open.pop().expect("the loop returns once all are ended");
    let problem = Problem::NeverEnds(excerpt(&never_ended.name));
    Err(ParseError { line, problem })
}

fn component_name(property: &Property, what: &'static str) -> Result<String, Problem> {
    let name = property.value.trim();
    if name.is_empty() || !property.params.is_empty() || name.contains(char::is_control) {
        return Err(Problem::NotAComponentName(what));
    }
    Ok(name.to_owned())
}

/// Where a VCALENDAR begins.
struct Begin {
    line: usize,
    name: String,
}

impl Begin {
    const fn fail(&self, problem: Problem) -> ParseError {
        let line = self.line;
        ParseError { line, problem }
    }
}

/// Unfolded lines (RFC 5545 §3.1), with the number of their first line.
struct Lines<'a> {
    rest: &'a [u8],
    number: usize,
    longest: usize,
}

impl<'a> Lines<'a> {
    fn new(bytes: &'a [u8], limits: &Limits) -> Result<Self, ParseError> {
        const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();
        let (found, most) = (bytes.len(), limits.bytes);
        if found > most {
            let problem = Problem::TooManyBytes { found, most };
            return Err(ParseError { line: 1, problem });
        }
        Ok(Self {
            rest: bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes),
            number: 0,
            longest: limits.line_length,
        })
    }

    fn fail(&self, problem: Problem) -> ParseError {
        let line = self.number.max(1);
        ParseError { line, problem }
    }

    /// The BEGIN:VCALENDAR that must come next, if anything comes.
    fn begin_of_calendar(&mut self, budget: &mut usize) -> Result<Option<Begin>, ParseError> {
        let Some((line, text)) = self.next()? else {
            return Ok(None);
        };
        *budget = budget.saturating_sub(1);
        let begin = property(&text).and_then(|property| {
            if !property.is("BEGIN") {
                return Err(Problem::Outside(excerpt(&property.name)));
            }
            let name = component_name(&property, "BEGIN")?;
            if name.eq_ignore_ascii_case("VCALENDAR") {
                Ok(Begin { line, name })
            } else {
                Err(Problem::NotACalendar(excerpt(&name)))
            }
        });
        begin
            .map(Some)
            .map_err(|problem| ParseError { line, problem })
    }

    fn next(&mut self) -> Result<Option<(usize, Cow<'a, str>)>, ParseError> {
        let first = loop {
            match self.raw() {
                None => return Ok(None),
                Some([]) => {}
                Some(line) => break line,
            }
        };
        let number = self.number;
        let fail = |problem| ParseError {
            line: number,
            problem,
        };
        let mut folded: Option<Vec<u8>> = None;
        while let [b' ' | b'\t', ..] = self.rest {
            let more = self.raw().unwrap_or_default();
            let line = folded.get_or_insert_with(|| first.to_vec());
            line.extend_from_slice(more.get(1..).unwrap_or_default());
            if line.len() > self.longest {
                break;
            }
        }
        if folded.as_deref().unwrap_or(first).len() > self.longest {
            return Err(fail(Problem::LineTooLong { most: self.longest }));
        }
        // A fold may have split a character, so only whole lines must be UTF-8.
        let text = match folded {
            None => std::str::from_utf8(first).ok().map(Cow::Borrowed),
            Some(line) => String::from_utf8(line).ok().map(Cow::Owned),
        };
        text.map(|text| Some((number, text)))
            .ok_or_else(|| fail(Problem::NotUtf8))
    }

    /// One line as it stands in the file.
    fn raw(&mut self) -> Option<&'a [u8]> {
        if self.rest.is_empty() {
            return None;
        }
        self.number += 1;
        let line = if let Some(end) = memchr(b'\n', self.rest) {
            let line = &self.rest[..end];
            self.rest = &self.rest[end + 1..];
            line
        } else {
            std::mem::take(&mut self.rest)
        };
        Some(line.strip_suffix(b"\r").unwrap_or(line))
    }
}

/// One unfolded content line.
fn property(line: &str) -> Result<Property, Problem> {
    let no_name = || Problem::NoName(excerpt(line));
    let is_in_name = |byte: &u8| byte.is_ascii_graphic() && !b";:,\"=".contains(byte);
    let end = line
        .bytes()
        .position(|byte| !is_in_name(&byte))
        .filter(|&end| end > 0)
        .ok_or_else(no_name)?;
    let (name, rest) = line.split_at(end);
    let mut property = Property::new(name, "");
    let value = match rest.as_bytes()[0] {
        b':' => &rest[1..],
        b';' => {
            let (params, value) = params(rest, name)?;
            let written = &rest[..rest.len() - value.len() - 1];
            property.params = params;
            if !write::is_written_as(&property.params, written) {
                property.source = Some(written.into());
            }
            value
        }
        _ => return Err(no_name()),
    };
    value.clone_into(&mut property.value);
    Ok(property)
}

/// Whether parameters as they came still say what `params` say.
pub(super) fn still_says(source: &str, params: &[Param]) -> bool {
    let line = format!("{source}:");
    self::params(&line, "").is_ok_and(|(read, _)| read == params)
}

/// `;NAME=value,value…:` and what follows.
fn params<'a>(mut rest: &'a str, property: &str) -> Result<(Vec<Param>, &'a str), Problem> {
    let mut params = Vec::new();
    while let Some(after) = rest.strip_prefix(';') {
        let end = after.find(['=', ':', ';', '"']).filter(|&end| end > 0);
        let (name, mut next) = end
            .and_then(|end| Some((&after[..end], after[end..].strip_prefix('=')?)))
            .ok_or_else(|| Problem::NoEquals(excerpt(property)))?;
        let mut values = Vec::with_capacity(1);
        loop {
            let value;
            if let Some(quoted) = next.strip_prefix('"') {
                (value, next) = quoted
                    .split_once('"')
                    .ok_or_else(|| Problem::OpenQuote(excerpt(property)))?;
                if !next.starts_with([',', ';', ':']) {
                    return Err(Problem::AfterQuote(excerpt(property)));
                }
            } else {
                let end = next.bytes().position(|byte| b",;:".contains(&byte));
                let end = end.ok_or_else(|| Problem::NoColon(excerpt(property)))?;
                (value, next) = next.split_at(end);
            }
            values.push(decoded(value));
            match next.strip_prefix(',') {
                Some(more) => next = more,
                None => break,
            }
        }
        let name = name.to_owned();
        params.push(Param { name, values });
        rest = next;
    }
    match rest.strip_prefix(':') {
        Some(value) => Ok((params, value)),
        None => Err(Problem::NoColon(excerpt(property))),
    }
}

/// RFC 6868 §3.1: `^n`, `^'` and `^^`; a `^` before anything else stands for itself.
fn decoded(value: &str) -> String {
    if !value.contains('^') {
        return value.to_owned();
    }
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

fn excerpt(text: &str) -> String {
    text.chars()
        .filter(|letter| !letter.is_control())
        .take(40)
        .collect()
}
