//! The line number of a problem, found by a second pass over the octets, so that correct input does not pay for it.

use super::{Kind, Method, Problem, dates, excerpt, kind_of, method_of, share_organizer, table};
use crate::{
    rule::Rule,
    time::values,
    tree::{Calendar, Component, Limits, LineNumbers, Property},
    zone::Zones,
};
use jiff::tz::TimeZone;

/// The line of `problem` in the octets that the message was read from; `None` if it belongs to no line.
pub(super) fn source_line(problem: &Problem, octets: &[u8]) -> Option<usize> {
    let any = Limits {
        bytes: usize::MAX,
        properties: usize::MAX,
        line_length: usize::MAX,
        depth: Limits::DEEPEST,
        ..Limits::default()
    };
    let mut calendar = Calendar::parse(octets, &any).ok()?;
    let method = method_of(&calendar).ok();
    let rules = method.and_then(|method| Some((method, kind_of(&calendar, method).ok()?)));
    if let Some((_, kind)) = rules {
        share_organizer(&mut calendar, kind);
    }
    let source = Numbered {
        component: calendar.root(),
        numbers: &LineNumbers::of(octets)?,
    };
    // An object has no METHOD; a message that was to be made of it had.
    let fault = || match rules {
        Some(rules) => source.at_fault(rules, &calendar, problem),
        None => source.suspect(problem),
    };
    Some(match problem {
        Problem::Version(None)
        | Problem::NoMethod
        | Problem::NoComponent
        | Problem::TooManyComponents { .. }
        | Problem::TooManyRanges { .. } => source.begin(),
        Problem::Version(Some(_)) => source.property("VERSION", |_| true)?,
        Problem::Twice(name) => source.properties(name).nth(1)?.1,
        Problem::Scale(_) => source.property("CALSCALE", |_| true)?,
        Problem::UnknownMethod(_) | Problem::NotTaken(..) => source.property("METHOD", |_| true)?,
        Problem::Mixed(_, kind) | Problem::OtherKind { is: kind, .. } => {
            source.of_kind(*kind).next()?.begin()
        }
        Problem::MoreThanOne(_, kind) => source.of_kind(*kind).nth(1)?.begin(),
        Problem::TwoMasters(kind) => {
            let is_master = |it: &Numbered| it.component.get("RECURRENCE-ID").is_none();
            source.of_kind(*kind).filter(is_master).nth(1)?.begin()
        }
        Problem::TwoOfOneInstance(kind, value) => {
            let says = |it: &Property| excerpt(&it.value) == *value;
            let lines = source
                .of_kind(*kind)
                .filter_map(|it| it.property("RECURRENCE-ID", says));
            lines.take(2).last()?
        }
        Problem::Missing(..) => fault()?.begin(),
        Problem::Repeated(_, _, name) => fault()?.properties(name).nth(1)?.1,
        Problem::Forbidden(_, _, name) => {
            let fault = fault()?;
            let inner = fault.components().find(|it| it.component.is(name));
            (fault.property(name, |_| true)).or(inner.map(|it| it.begin()))?
        }
        Problem::Both(_, one, other) => {
            let fault = fault()?;
            let lines = [one, other].map(|name| fault.property(name, |_| true));
            lines.into_iter().max()??
        }
        Problem::Needs(_, name, _) => fault()?.property(name, |_| true)?,
        Problem::Rule(_, error) => {
            let is_wrong = |it: &Property| Rule::of_message(&it.value).as_ref() == Err(error);
            fault()?.property("RRULE", is_wrong)?
        }
        Problem::Differs(kind, name) => {
            let first = source
                .of_kind(*kind)
                .find_map(|it| it.component.get(name))?;
            // A UID that is escaped in another way is the same (RFC 5545 §3.8.4.7).
            let text = first.to_text();
            let differs = |it: &Property| {
                it.value != first.value && (*name != "UID" || it.to_text().trim() != text.trim())
            };
            source
                .of_kind(*kind)
                .find_map(|it| it.property(name, differs))?
        }
        Problem::Theirs { .. } => source.theirs(problem)?,
        Problem::Value {
            component,
            property,
            value,
            ..
        }
        | Problem::Date {
            component,
            property,
            value,
            ..
        } => {
            let says = |it: &Property| {
                excerpt(&it.value) == *value || values(it).any(|one| excerpt(one) == *value)
            };
            match fault() {
                Some(fault) => fault.property(property, says)?,
                None => source
                    .of_kind(*component)
                    .find_map(|it| it.property(property, says))?,
            }
        }
        Problem::Originator { .. } | Problem::Recipient { .. } => return None,
    })
}

/// A component with the numbers of its lines.
#[derive(Clone, Copy)]
struct Numbered<'a> {
    component: &'a Component,
    numbers: &'a LineNumbers,
}

impl<'a> Numbered<'a> {
    const fn begin(&self) -> usize {
        self.numbers.begin
    }

    fn components(self) -> impl Iterator<Item = Self> {
        let numbers = self.numbers.components.iter();
        let both = self.component.components.iter().zip(numbers);
        both.map(|(component, numbers)| Self { component, numbers })
    }

    fn of_kind(self, kind: Kind) -> impl Iterator<Item = Self> {
        self.components()
            .filter(move |it| it.component.is(kind.as_str()))
    }

    fn properties(self, name: &str) -> impl Iterator<Item = (&'a Property, usize)> {
        let numbers = self.numbers.properties.iter().copied();
        let both = self.component.properties.iter().zip(numbers);
        both.filter(move |(property, _)| property.is(name))
    }

    fn property(self, name: &str, is_it: impl Fn(&Property) -> bool) -> Option<usize> {
        let found = self.properties(name).find(|(property, _)| is_it(property));
        found.map(|(_, line)| line)
    }

    /// The line that an attendee has changed. What is gone stands on no line, but in a component.
    fn theirs(self, problem: &Problem) -> Option<usize> {
        let Problem::Theirs {
            component,
            instance,
            property,
            value,
            ..
        } = problem
        else {
            return None;
        };
        let is_it = |it: &Self| it.component.value("RECURRENCE-ID").map(excerpt) == *instance;
        let mut parts = self.of_kind(*component);
        let part = parts
            .find(is_it)
            .or_else(|| self.of_kind(*component).next())?;
        let says = |it: &Property| excerpt(&it.value) == *value;
        let line = part.property(property, says);
        Some(line.unwrap_or_else(|| part.begin()))
    }

    /// The component of an object of which a message with `problem` was made.
    fn suspect(self, problem: &Problem) -> Option<Self> {
        let has = |it: &Self, name: &str| it.component.get(name).is_some();
        let (Problem::Missing(_, kind, _)
        | Problem::Repeated(_, kind, _)
        | Problem::Forbidden(_, kind, _)
        | Problem::Both(kind, ..)
        | Problem::Needs(kind, ..)
        | Problem::Rule(kind, _)) = problem
        else {
            return None;
        };
        self.of_kind(*kind).find(|it| match problem {
            Problem::Missing(_, _, name) => !has(it, name),
            Problem::Repeated(_, _, name) => it.component.all(name).count() > 1,
            Problem::Forbidden(_, _, name) | Problem::Needs(_, name, _) => has(it, name),
            Problem::Both(_, one, other) => has(it, one) && has(it, other),
            Problem::Rule(_, error) => it.component.all("RRULE").any(|rule| {
                let read = Rule::parse(&rule.value).and_then(|rule| rule.check());
                read.as_ref() == Err(error)
            }),
            _ => false,
        })
    }

    /// The component in which the rules for a single one find `problem`.
    fn at_fault(
        self,
        (method, kind): (Method, Kind),
        calendar: &Calendar,
        problem: &Problem,
    ) -> Option<Self> {
        let zones = Zones::of(calendar, TimeZone::UTC);
        let is_wrong = |it: &Self| {
            table::check(it.component, method, kind)
                .and_then(|()| dates::check(it.component, kind, &zones))
                .is_err_and(|found| found == *problem)
        };
        self.of_kind(kind).find(is_wrong)
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        message::Message,
        tree::{Calendar, Limits},
    };

    /// The line named for a message of these lines; the first one given is line 4.
    fn line_of(method: &str, lines: &str) -> Option<usize> {
        let text =
            format!("BEGIN:VCALENDAR\nVERSION:2.0\nMETHOD:{method}\n{lines}\nEND:VCALENDAR\n");
        line_in(&text)
    }

    fn line_in(text: &str) -> Option<usize> {
        let calendar = Calendar::parse(text.as_bytes(), &Limits::default()).unwrap();
        let error = Message::read(calendar).unwrap_err();
        assert_eq!(error.line(), None);
        let error = error.in_source(text.as_bytes());
        let says = format!("line {}: ", error.line()?);
        assert!(error.to_string().starts_with(&says), "{error}");
        error.line()
    }

    const HEAD: &str =
        "DTSTAMP:20261201T100000Z\nORGANIZER:mailto:a@example.com\nATTENDEE:mailto:b@example.com";

    #[test]
    fn problems_of_a_calendar_give_their_line() {
        for (text, line) in [
            ("BEGIN:VCALENDAR\nVERSION:1.0\nEND:VCALENDAR", 2),
            ("\nBEGIN:VCALENDAR\nX:1\nEND:VCALENDAR", 2),
            ("BEGIN:VCALENDAR\nVERSION:2.0\nEND:VCALENDAR", 1),
            (
                "BEGIN:VCALENDAR\nVERSION\n :2.0\nMETHOD:X\nEND:VCALENDAR",
                4,
            ),
            (
                "BEGIN:VCALENDAR\nVERSION:2.0\nBEGIN:VEVENT\nEND:VEVENT\nMETHOD:PUBLISH\nEND:VCALENDAR",
                5,
            ),
        ] {
            assert_eq!(line_in(text), Some(line), "{text}");
        }
        assert_eq!(
            line_of(
                "REQUEST",
                "BEGIN:VEVENT\nEND:VEVENT\nBEGIN:VTODO\nEND:VTODO"
            ),
            Some(6)
        );
        assert_eq!(
            line_of("ADD", "BEGIN:VEVENT\nEND:VEVENT\nBEGIN:VEVENT\nEND:VEVENT"),
            Some(6)
        );
    }

    #[test]
    fn problems_of_a_component_give_their_line() {
        let fine = format!("BEGIN:VEVENT\nUID:1\n{HEAD}\nDTSTART:20270104T100000Z\nEND:VEVENT");
        // Each stands on line 11 and on, after an event without fault.
        for (lines, line) in [
            ("UID:1\nRECURRENCE-ID:20270104", 11),
            ("UID:1\nRECURRENCE-ID:20270104\nDTSTART:2027", 14),
            (
                "UID:1\nRECURRENCE-ID:20270104\nDTSTART:2027\n 0104\nX:1\nDTSTART:20270105",
                17,
            ),
            (
                "UID:1\nRECURRENCE-ID:20270104\nDTSTART:20270104T100000Z\nDTEND:20270103T100000Z",
                15,
            ),
            (
                "UID:1\nRECURRENCE-ID:20270104\nDTSTART:20270104T100000Z\nDURATION:PT1H\nDTEND:20270105T100000Z",
                16,
            ),
            (
                "UID:2\nRECURRENCE-ID:20270104\nDTSTART:20270104T100000Z",
                12,
            ),
            ("UID:1\nDTSTART:20270104T100000Z", 11),
            (
                "UID:1\nRECURRENCE-ID:20270104\nDTSTART:20270104T100000Z\nPERCENT-COMPLETE:1",
                15,
            ),
            (
                "UID:1\nRECURRENCE-ID:20270104\nDTSTART:20270104T100000Z\nRRULE:FREQ=DAILY;COUNT=x",
                15,
            ),
            (
                "UID:1\nRECURRENCE-ID:20270104\nDTSTART:20270104T100000Z\nRDATE:20270105,oops",
                15,
            ),
            (
                "UID:1\nRECURRENCE-ID:20270104\nDTSTART:20270104T100000Z\nSEQUENCE:two",
                15,
            ),
            (
                "UID:1\nRECURRENCE-ID:20270104\nDTSTART:20270104T100000Z\nORGANIZER:mailto:c@example.com",
                15,
            ),
        ] {
            let head = "DTSTAMP:20261201T100000Z\nATTENDEE:mailto:b@example.com";
            let text = format!("{fine}\nBEGIN:VEVENT\n{lines}\n{head}\nEND:VEVENT");
            assert_eq!(line_of("REQUEST", &text), Some(line), "{lines}");
        }
        let twice = format!(
            "BEGIN:VEVENT\nUID:1\nRECURRENCE-ID:20270104\nDTSTART:20270104\n{HEAD}\nEND:VEVENT\n"
        )
        .repeat(2);
        assert_eq!(line_of("REQUEST", twice.trim_end()), Some(14));
        let alarm = format!(
            "{fine}\nBEGIN:VEVENT\nUID:1\nRECURRENCE-ID:20270104\n{HEAD}\nBEGIN:VALARM\nEND:VALARM\nEND:VEVENT"
        );
        assert_eq!(line_of("CANCEL", &alarm), Some(17));
    }
}
