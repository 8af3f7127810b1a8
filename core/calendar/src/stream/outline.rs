//! What stands where in a stream of calendars, whatever else stands there: for an import, which takes what it can.
//!
//! A fault costs the object that it is in, and is noted with its line; the rest goes on. Nothing is kept but places,
//! so that of a stream of any size an outline is small.

use super::remark::remark;
use crate::tree::{
    Component, Limits, OBJECTS, ParseError, Property, Reading,
    content_line::{self, Looseness},
    error::{Problem, excerpt},
    lines::Lines,
    octets, parse,
};
use std::{collections::BTreeSet, ops::Range};

/// A stream of calendars, looked over.
///
/// ```
/// use convoke_calendar::{stream::Outline, tree::Limits};
///
/// let stream = b"BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nno line\nEND:VEVENT\n\
///     BEGIN:VEVENT\nUID:2\nDURATION:\nEND:VEVENT\nEND:VCALENDAR\n";
/// let outline = Outline::of(stream, &Limits::default())?;
/// let [one, other] = outline.pieces.as_slice() else { panic!("two events") };
/// assert_eq!(one.fault.as_ref().unwrap().line(), 4);
/// assert_eq!((other.uid.as_deref(), other.fault.as_ref()), (Some("2"), None));
/// assert_eq!(outline.remarks[0].to_string(), "line 8: DURATION is empty, which counts as if it were not there");
/// # Ok::<(), convoke_calendar::tree::ParseError>(())
/// ```
#[derive(Debug, Default)]
pub struct Outline {
    /// The VCALENDARs.
    pub calendars: Vec<Frame>,
    /// The components in them that are objects, or parts of one.
    pub pieces: Vec<Piece>,
    /// What is wrong besides, and costs no object that is here.
    pub faults: Vec<ParseError>,
    /// What is odd and is kept as it is, by lines.
    pub remarks: Vec<ParseError>,
}

/// A VCALENDAR without its objects.
#[derive(Clone, Debug, Default)]
pub struct Frame {
    /// Its properties, VTIMEZONEs, and what belongs to no object: where they stand among the octets.
    pub places: Vec<Range<usize>>,
    /// The TZIDs in its objects.
    pub zone_names: BTreeSet<String>,
}

/// A component that is an object or a part of one.
#[derive(Clone, Debug)]
pub struct Piece {
    /// In which of the calendars it stands.
    pub calendar: usize,
    /// Where it stands among the octets.
    pub place: Range<usize>,
    /// The line of its BEGIN.
    pub line: usize,
    /// The line of its END.
    pub last_line: usize,
    /// Its UID, without escapes and blanks at its ends.
    pub uid: Option<String>,
    /// The first thing in it that cannot be read.
    pub fault: Option<ParseError>,
}

impl Outline {
    /// Looks over all of `bytes`. Only octets without any calendar are an error, and those beyond a limit.
    pub fn of(bytes: &[u8], limits: &Limits) -> Result<Self, ParseError> {
        let mut lines = Lines::new(bytes, limits, Reading::Stored)?;
        let mut reader = Reader {
            depth: limits.depth.min(Limits::DEEPEST),
            ..Reader::default()
        };
        while let Some((number, text)) = lines.next()? {
            reader.line(number, text);
            reader.place(lines.start()..lines.end());
        }
        reader.end();
        if reader.outline.calendars.is_empty() && reader.outline.faults.is_empty() {
            return Err(lines.fail(Problem::Empty));
        }
        Ok(reader.outline)
    }
}

impl Frame {
    /// The VCALENDAR of these octets: those at its places, one after the other.
    pub fn read(octets: &[u8]) -> Option<Component> {
        let whole = [b"BEGIN:VCALENDAR\n", octets, b"\nEND:VCALENDAR\n"].concat();
        parse::piece(&whole)
    }
}

impl Piece {
    /// The component of the octets at its place.
    pub fn read(octets: &[u8]) -> Option<Component> {
        parse::piece(octets)
    }

    /// The line of the first property of a name in those octets whose value has `value` in it.
    pub fn line_of(&self, octets: &[u8], name: &str, value: &str) -> Option<usize> {
        let any = Limits {
            bytes: usize::MAX,
            line_length: usize::MAX,
            ..Limits::default()
        };
        let mut lines = Lines::new(octets, &any, Reading::Stored).ok()?;
        while let Some((number, text)) = lines.next().ok()? {
            let property = content_line::as_stored(text);
            if property.is(name) && property.value.contains(value) {
                return Some(self.line + number - 1);
            }
        }
        None
    }
}

/// Components that hold none of those that are objects.
const CLOSED: [&str; 6] = [
    "VEVENT",
    "VTODO",
    "VJOURNAL",
    "VFREEBUSY",
    "VAVAILABILITY",
    "VTIMEZONE",
];

#[derive(Default)]
struct Reader {
    outline: Outline,
    depth: usize,
    /// The components whose END is to come, with their lines.
    open: Vec<(String, usize)>,
    /// What stands outside of all calendars is said once.
    is_outside: bool,
    /// The component of the calendar that is being read.
    start: usize,
    uid: Option<String>,
    fault: Option<ParseError>,
    /// What the line at hand did.
    did: Did,
    /// Properties of the calendar that say which calendar it is.
    head: Vec<String>,
    /// Those of the component of the calendar that may stand once.
    once: Vec<&'static str>,
}

/// Properties that say what a component is and when: of two the first counts, and other programs may read the last.
const ONCE: [&str; 10] = [
    "UID",
    "DTSTART",
    "DTEND",
    "DUE",
    "DURATION",
    "RECURRENCE-ID",
    "SEQUENCE",
    "STATUS",
    "TRANSP",
    "ORGANIZER",
];

#[derive(Default)]
enum Did {
    #[default]
    Nothing,
    /// It begins a component of the calendar.
    Began,
    /// It ends one.
    Ended {
        is_object: bool,
        line: usize,
        last_line: usize,
        calendar: usize,
    },
    /// It is the calendar's own.
    Framed,
}

impl Reader {
    fn line(&mut self, number: usize, text: &str) {
        self.did = Did::Nothing;
        let property = match content_line::property(text) {
            Ok(property) => property,
            Err(problem) => {
                if self.open.len() == 1 {
                    self.did = Did::Framed;
                }
                return self.fail(number, problem);
            }
        };
        let is_begin = property.is("BEGIN");
        if is_begin || property.is("END") {
            let what = if is_begin { "BEGIN" } else { "END" };
            match parse::component_name(&property, what) {
                Err(problem) => self.fail(number, problem),
                Ok(name) if is_begin => self.begin(number, name.to_owned()),
                Ok(name) => self.finish(number, name),
            }
        } else {
            self.property(number, &property);
        }
    }

    fn begin(&mut self, number: usize, name: String) {
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        let is_object = is("VTIMEZONE") || OBJECTS.iter().any(|it| is(it));
        if is("VCALENDAR") {
            self.never_ended(0);
            self.outline.calendars.push(Frame::default());
            self.head.clear();
            self.is_outside = false;
        } else if self.open.is_empty() {
            return self.outside(number, Problem::NotACalendar(excerpt(&name)));
        } else if self.open.len() == 1 {
            self.began();
        } else if is_object
            && CLOSED
                .iter()
                .any(|it| self.open[1].0.eq_ignore_ascii_case(it))
        {
            self.never_ended(1);
            self.began();
        }
        if self.open.len() >= self.depth {
            // It is not opened: what an END names is looked for among few.
            let most = self.depth;
            return self.fail(number, Problem::TooDeep { most });
        }
        self.open.push((name, number));
    }

    fn began(&mut self) {
        (self.uid, self.fault) = (None, None);
        self.once.clear();
        self.did = Did::Began;
    }

    fn finish(&mut self, number: usize, name: &str) {
        let mut open = self.open.iter();
        let Some(at) = open.rposition(|(it, _)| it.eq_ignore_ascii_case(name)) else {
            return self.fail(number, Problem::EndOfNothing(excerpt(name)));
        };
        if at + 1 < self.open.len() {
            let open = excerpt(&self.open[self.open.len() - 1].0);
            let end = excerpt(name);
            let problem = Problem::WrongEnd { open, end };
            if at == 0 {
                self.lost(ParseError {
                    line: number,
                    problem,
                });
            } else {
                self.fail(number, problem);
            }
        }
        self.open.truncate(at + 1);
        let (name, line) = self.open.pop().unwrap_or_default();
        if at == 1 {
            let object = OBJECTS.iter();
            let mut object = object.filter(|it| name.eq_ignore_ascii_case(it));
            let is_zone = name.eq_ignore_ascii_case("VTIMEZONE");
            let is_object = !is_zone && (self.uid.is_some() || object.next().is_some());
            let calendar = self.outline.calendars.len() - 1;
            self.did = Did::Ended {
                is_object,
                line,
                last_line: number,
                calendar,
            };
        }
    }

    fn property(&mut self, number: usize, property: &Property) {
        match self.open.len() {
            0 => return self.outside(number, Problem::Outside(excerpt(&property.name))),
            1 => {
                self.did = Did::Framed;
                self.note_head(number, property);
            }
            2 if property.is("UID") && self.uid.is_none() => {
                let uid = property.to_text().trim().to_owned();
                self.uid = Some(uid).filter(|uid| !uid.is_empty());
            }
            _ => {}
        }
        if self.open.len() > 1
            && let Some(id) = property.param("TZID")
            && let Some(frame) = self.outline.calendars.last_mut()
            && !frame.zone_names.contains(id)
        {
            frame.zone_names.insert(id.to_owned());
        }
        if let Some(problem) = remark(property) {
            let line = number;
            self.outline.remarks.push(ParseError { line, problem });
        } else if self.open.len() == 2 {
            self.note_once(number, property);
        }
    }

    fn note_once(&mut self, line: usize, property: &Property) {
        let Some(name) = ONCE.iter().find(|name| property.is(name)) else {
            return;
        };
        if !self.once.contains(name) {
            return self.once.push(name);
        }
        let problem = Problem::Remark(format!("{name} is there twice; the first one counts"));
        self.outline.remarks.push(ParseError { line, problem });
    }

    fn note_head(&mut self, line: usize, property: &Property) {
        let name = property.name.to_ascii_uppercase();
        if !["VERSION", "PRODID", "CALSCALE", "METHOD"].contains(&name.as_str()) {
            return;
        }
        let scale = property.value.trim();
        let problem = if self.head.contains(&name) {
            format!("{name} is there twice")
        } else if name == "CALSCALE" && !scale.eq_ignore_ascii_case("GREGORIAN") {
            let scale = excerpt(scale);
            format!("CALSCALE is `{scale}`; the dates are read as those of the Gregorian calendar")
        } else {
            return self.head.push(name);
        };
        let problem = Problem::Remark(problem);
        self.outline.remarks.push(ParseError { line, problem });
    }

    /// Takes note of where the line stands, once it is understood.
    fn place(&mut self, place: Range<usize>) {
        match std::mem::take(&mut self.did) {
            Did::Nothing => {}
            Did::Began => self.start = place.start,
            Did::Framed => self.frame(place),
            Did::Ended {
                is_object,
                line,
                last_line,
                calendar,
            } => {
                let place = self.start..place.end;
                let (uid, fault) = (self.uid.take(), self.fault.take());
                if is_object {
                    self.outline.pieces.push(Piece {
                        calendar,
                        place,
                        line,
                        last_line,
                        uid,
                        fault,
                    });
                } else {
                    // What nobody can read in a time zone does not make the rest of it worse.
                    self.outline.remarks.extend(fault);
                    self.frame(place);
                }
            }
        }
    }

    fn frame(&mut self, place: Range<usize>) {
        let Some(frame) = self.outline.calendars.last_mut() else {
            return;
        };
        match frame.places.last_mut() {
            Some(last) if last.end == place.start => last.end = place.end,
            _ => frame.places.push(place),
        }
    }

    /// The line at hand cannot be read.
    fn fail(&mut self, line: usize, problem: Problem) {
        let fault = ParseError { line, problem };
        match self.open.len() {
            0 => self.outside(line, fault.problem),
            1 => self.outline.remarks.push(fault),
            _ => _ = self.fault.get_or_insert(fault),
        }
    }

    fn outside(&mut self, line: usize, problem: Problem) {
        if !std::mem::replace(&mut self.is_outside, true) {
            self.outline.faults.push(ParseError { line, problem });
        }
    }

    /// What is open further in than `at` has no END.
    fn never_ended(&mut self, at: usize) {
        // Of a calendar that is not ended the component in it is at fault, if there is one.
        let inner = self.open.get(at.max(1)).or_else(|| self.open.get(at));
        if let Some((name, line)) = inner.cloned() {
            let problem = Problem::NeverEnds(excerpt(&name));
            self.lost(ParseError { line, problem });
        }
        self.open.truncate(at);
    }

    /// The component of the calendar that is being read has no end, and so nothing to be taken.
    fn lost(&mut self, fault: ParseError) {
        let first = self.fault.take().filter(|_| self.open.len() > 1);
        self.uid = None;
        self.outline.faults.push(first.unwrap_or(fault));
    }

    fn end(&mut self) {
        self.never_ended(0);
    }
}

/// What is odd about a line that can be read.
pub(super) fn looseness(property: &Property) -> Option<Problem> {
    let name = || excerpt(&property.name);
    if let Some(looseness) = Looseness::of(property) {
        return Some(Problem::Loose(name(), looseness));
    }
    let params = property.params.iter().flat_map(|param| &param.values);
    let mut texts = params.chain([&property.value]);
    let is_odd = texts.any(|text| !octets::is_utf8(text));
    is_odd.then(|| Problem::Remark(format!("{}: it is not UTF-8, and kept as it is", name())))
}
