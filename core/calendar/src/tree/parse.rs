//! Octets → tree.

use super::{
    Component, Limits, ParseError, Property,
    content_line::property,
    error::{Problem, excerpt},
    lines::Lines,
};

/// Exactly one VCALENDAR.
pub(super) fn one(bytes: &[u8], limits: &Limits) -> Result<Component, ParseError> {
    let mut found = None;
    let mut lines = Lines::new(bytes, limits)?;
    let mut budget = limits.properties;
    while let Some(begin) = begin_of_calendar(&mut lines, &mut budget)? {
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
    while let Some(begin) = begin_of_calendar(&mut lines, &mut budget)? {
        found.push(component(&mut lines, begin, limits, &mut budget)?);
    }
    if found.is_empty() {
        return Err(lines.fail(Problem::Empty));
    }
    Ok(found)
}

/// The BEGIN:VCALENDAR that must come next, if anything comes.
fn begin_of_calendar(lines: &mut Lines, budget: &mut usize) -> Result<Option<Begin>, ParseError> {
    let Some((line, text)) = lines.next()? else {
        return Ok(None);
    };
    *budget = budget.saturating_sub(1);
    let begin = property(text).and_then(|property| {
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
        let property = match property(text) {
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
