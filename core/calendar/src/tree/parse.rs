//! Parsing octets into a tree.

use super::{
    Component, Limits, ParseError, Property, Reading, content_line,
    error::{Problem, excerpt},
    lines::Lines,
};
use std::ops::Range;

/// Exactly one VCALENDAR.
pub(crate) fn one(
    bytes: &[u8],
    limits: &Limits,
    reading: Reading,
) -> Result<Component, ParseError> {
    let mut found = None;
    let mut lines = Lines::new(bytes, limits, reading)?;
    let mut budget = limits.properties;
    while let Some(begin) = begin_of_calendar(&mut lines, &mut budget)? {
        if found.is_some() {
            return Err(begin.fail(Problem::MoreThanOne));
        }
        let read = component(&mut lines, begin, limits, &mut budget, &mut |part, _| {
            Some(part)
        });
        found = Some(read?);
    }
    found.ok_or_else(|| lines.fail(Problem::Empty))
}

/// Every VCALENDAR of a stream, one at a time, with the components in it that `keep` gives back.
pub(crate) fn all(
    bytes: &[u8],
    limits: &Limits,
    mut keep: impl FnMut(usize, Component, Range<usize>) -> Option<Component>,
) -> Result<Vec<Component>, ParseError> {
    let mut found = Vec::new();
    let mut lines = Lines::new(bytes, limits, Reading::Stored)?;
    let mut budget = limits.properties;
    while let Some(begin) = begin_of_calendar(&mut lines, &mut budget)? {
        let number = found.len();
        let mut keep = |part, octets| keep(number, part, octets);
        found.push(component(
            &mut lines,
            begin,
            limits,
            &mut budget,
            &mut keep,
        )?);
    }
    if found.is_empty() {
        return Err(lines.fail(Problem::Empty));
    }
    Ok(found)
}

/// A component out of octets that were read before.
pub(crate) fn piece(bytes: &[u8]) -> Option<Component> {
    let any = Limits {
        bytes: usize::MAX,
        line_length: usize::MAX,
        properties: usize::MAX,
        depth: Limits::DEEPEST,
        ..Limits::default()
    };
    let mut lines = Lines::new(bytes, &any, Reading::Stored).ok()?;
    let (line, text) = lines.next().ok()??;
    let begin = content_line::property(text).ok()?;
    let name = component_name(&begin, "BEGIN").ok()?.to_owned();
    let (begin, mut budget) = (Begin { line, name }, usize::MAX);
    component(&mut lines, begin, &any, &mut budget, &mut |part, _| {
        Some(part)
    })
    .ok()
}

/// The BEGIN:VCALENDAR that must come next, if anything comes.
fn begin_of_calendar(lines: &mut Lines, budget: &mut usize) -> Result<Option<Begin>, ParseError> {
    let Some((line, text)) = lines.next()? else {
        return Ok(None);
    };
    *budget = budget.saturating_sub(1);
    let begin = content_line::property(text).and_then(|property| {
        if !property.is("BEGIN") {
            return Err(Problem::Outside(excerpt(&property.name)));
        }
        let name = component_name(&property, "BEGIN")?;
        if name.eq_ignore_ascii_case("VCALENDAR") {
            let name = name.to_owned();
            Ok(Begin { line, name })
        } else {
            Err(Problem::NotACalendar(excerpt(name)))
        }
    });
    begin
        .map(Some)
        .map_err(|problem| ParseError { line, problem })
}

/// Takes a component out of the outermost one, with the octets it was read from, or gives it back.
type Keep<'a> = dyn FnMut(Component, Range<usize>) -> Option<Component> + 'a;

/// A component whose END is to come.
struct Open {
    line: usize,
    start: usize,
    component: Component,
}

impl Open {
    fn new(line: usize, start: usize, name: String) -> Self {
        let component = Component::new(name);
        Self {
            line,
            start,
            component,
        }
    }
}

/// What follows a BEGIN, to its END.
fn component(
    lines: &mut Lines,
    begin: Begin,
    limits: &Limits,
    budget: &mut usize,
    keep: &mut Keep,
) -> Result<Component, ParseError> {
    let mut open = vec![Open::new(begin.line, lines.start(), begin.name)];
    let deepest = limits.depth.min(Limits::DEEPEST);
    let (reading, are_plain) = (lines.reading(), lines.are_plain());
    while let Some((line, text)) = lines.next()? {
        let fail = |problem| Err(ParseError { line, problem });
        let property = match reading {
            Reading::Stored => content_line::as_stored(text),
            Reading::Message => {
                let read = if are_plain {
                    content_line::of_plain_message(text)
                } else {
                    content_line::of_message(text)
                };
                match read {
                    Ok(property) => property,
                    Err(problem) => return fail(problem),
                }
            }
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
                Ok(name) => open.push(Open::new(line, lines.start(), name.to_owned())),
                Err(problem) => return fail(problem),
            }
        } else if property.is("END") {
            let end = match component_name(&property, "END") {
                Ok(end) => end,
                Err(problem) => return fail(problem),
            };
            let Some(mut closed) = open.pop() else {
                return fail(Problem::EndOfNothing(end.to_owned()));
            };
            if !closed.component.is(end) {
                let open = excerpt(&closed.component.name);
                let end = excerpt(end);
                return fail(Problem::WrongEnd { open, end });
            }
            let properties = closed.component.properties.len();
            for inner in &mut closed.component.components {
                if inner.after == properties {
                    inner.after = usize::MAX;
                }
            }
            if let Some(outer) = open.last() {
                closed.component.after = outer.component.properties.len();
            }
            match open.as_mut_slice() {
                [] => return Ok(closed.component),
                [root] => {
                    let octets = closed.start..lines.end();
                    root.component
                        .components
                        .extend(keep(closed.component, octets));
                }
                [.., outer] => outer.component.components.push(closed.component),
            }
        } else if let Some(inner) = open.last_mut() {
            inner.component.properties.push(property);
        }
    }
    let never_ended = open.pop().expect("the loop returns once all are ended");
    let line = never_ended.line;
    let problem = Problem::NeverEnds(excerpt(&never_ended.component.name));
    Err(ParseError { line, problem })
}

pub(crate) fn component_name<'a>(
    property: &'a Property,
    what: &'static str,
) -> Result<&'a str, Problem> {
    let name = property.value.trim();
    if name.is_empty() || !property.params.is_empty() || name.contains(char::is_control) {
        return Err(Problem::NotAComponentName(what));
    }
    Ok(name)
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
