//! Where the components of a file begin and end.
//!
//! A file is first read strictly. If that fails it is read once more, leniently: what is broken costs the component that it
//! is in, and is noted with its line.

use super::{
    Broken, Frame, Parts, Zone,
    lines::{self, Line, Lines},
};
use std::{fmt, ops::Range};

/// Components that stand directly in a calendar: where one of them begins inside of another component, the END of that is
/// missing. Only a VPOLL may hold some.
const DIRECT: [&[u8]; 7] = [
    b"VEVENT",
    b"VTODO",
    b"VJOURNAL",
    b"VFREEBUSY",
    b"VAVAILABILITY",
    b"VTIMEZONE",
    b"VPOLL",
];

/// What belongs to a calendar however it came behind its components.
const HEAD: [&[u8]; 4] = [b"VERSION", b"PRODID", b"CALSCALE", b"METHOD"];

/// Nobody nests components deeper, and to look for the one that an END names must not take long.
const DEEPEST: usize = 64;

/// Why a component cannot be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Problem {
    NoEnd,
    WrongEnd,
    NoBegin,
    TooDeep,
    Outside,
    Unfinished,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoEnd => "BEGIN has no END",
            Self::WrongEnd => "END does not match the BEGIN before it",
            Self::NoBegin => "END has no BEGIN",
            Self::TooDeep => "components are nested more than 64 deep",
            Self::Outside => "this stands outside of BEGIN:VCALENDAR … END:VCALENDAR",
            Self::Unfinished => "BEGIN:VCALENDAR has no END",
        })
    }
}

/// How much disorder is borne.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reading {
    Strict,
    Lenient,
}

/// Disorder where none is borne.
struct Disorder;

pub(super) fn parts(octets: &[u8]) -> Parts<'_> {
    let strict = Reader::of(octets, Reading::Strict).read();
    strict.unwrap_or_else(|_| {
        let lenient = Reader::of(octets, Reading::Lenient).read();
        lenient.unwrap_or_else(|_| Parts::empty(octets))
    })
}

struct Reader<'a> {
    parts: Parts<'a>,
    reading: Reading,
    calendar: Option<Open>,
    /// The components inside of the calendar that are open, outermost first, in upper case.
    open: Vec<Vec<u8>>,
    piece: Piece,
    /// What stands outside of all calendars is noted once.
    is_outside: bool,
}

/// The calendar that is being read.
struct Open {
    line: usize,
    frame: Frame,
    /// The properties since the last component.
    since: usize,
}

/// The component of the calendar that is being read.
#[derive(Default)]
struct Piece {
    start: usize,
    line: usize,
    uid: Option<String>,
    zone: Option<[Vec<u8>; 2]>,
    fault: Option<(usize, Problem)>,
}

impl<'a> Reader<'a> {
    fn of(octets: &'a [u8], reading: Reading) -> Self {
        Self {
            parts: Parts::empty(octets),
            reading,
            calendar: None,
            open: Vec::new(),
            piece: Piece::default(),
            is_outside: false,
        }
    }

    fn read(mut self) -> Result<Parts<'a>, Disorder> {
        let mut lines = Lines::of(self.parts.octets);
        while let Some(line) = lines.next() {
            self.line(&line)?;
        }
        self.end_calendar_early(self.parts.octets.len())?;
        Ok(self.parts)
    }

    fn line(&mut self, line: &Line<'_>) -> Result<(), Disorder> {
        let (name, value) = lines::name_and_value(&line.text);
        let is = |what: &str| name.eq_ignore_ascii_case(what.as_bytes());
        if is("BEGIN") {
            return self.begin(line, value.trim_ascii().to_ascii_uppercase());
        }
        if is("END") {
            return self.end(line, &value.trim_ascii().to_ascii_uppercase());
        }
        match (self.open.len(), &mut self.calendar) {
            (0, None) if line.text.trim_ascii().is_empty() => {}
            (0, None) => {
                let uid = is("UID").then(|| lines::key(value)).flatten();
                self.outside(line, uid)?;
            }
            (0, Some(open)) => open.frame.properties.push(line.place.clone()),
            (1, _) if is("UID") && self.piece.uid.is_none() => self.piece.uid = lines::key(value),
            (1, _) if is("TZID") && self.piece.zone.is_none() => {
                let raw = value.trim_ascii().to_vec();
                let text = lines::unescaped(value).trim_ascii().to_vec();
                self.piece.zone = Some([raw, text]);
            }
            _ => {}
        }
        Ok(())
    }

    fn begin(&mut self, line: &Line<'_>, name: Vec<u8>) -> Result<(), Disorder> {
        if name == b"VCALENDAR" {
            self.end_calendar_early(line.whole.start)?;
            let mut frame = Frame::default();
            frame.whole.start = line.whole.start;
            frame.properties.push(line.place.clone());
            self.is_outside = false;
            self.calendar = Some(Open {
                line: line.number,
                frame,
                since: 1,
            });
            return Ok(());
        }
        let is_next = self.reading == Reading::Lenient
            && DIRECT.contains(&name.as_slice())
            && self.open.first().is_some_and(|it| it != b"VPOLL");
        if is_next {
            self.end_piece_early(line.whole.start)?;
        }
        if self.open.is_empty() {
            let is_outside = self.calendar.is_none();
            self.piece = Piece {
                start: line.place.start,
                line: line.number,
                ..Piece::default()
            };
            if is_outside {
                self.fault(line.number, Problem::Outside)?;
            }
        }
        if self.reading == Reading::Lenient && self.open.len() >= DEEPEST {
            return self.fault(line.number, Problem::TooDeep);
        }
        self.open.push(name);
        Ok(())
    }

    fn end(&mut self, line: &Line<'_>, name: &[u8]) -> Result<(), Disorder> {
        if name == b"VCALENDAR" {
            self.end_piece_early(line.whole.start)?;
            let Some(mut open) = self.calendar.take() else {
                return self.outside(line, None);
            };
            open.frame.whole.end = line.place.end;
            open.frame.end = Some(line.place.clone());
            self.parts.calendars.push(open.frame);
            return Ok(());
        }
        let last = self.open.last();
        let at = match self.reading {
            Reading::Strict => last.filter(|it| *it == name).map(|_| self.open.len() - 1),
            Reading::Lenient => self.open.iter().rposition(|it| it == name),
        };
        let Some(at) = at else {
            return match self.open.len() {
                0 => self.end_without_begin(line),
                _ => self.fault(line.number, Problem::WrongEnd),
            };
        };
        if at + 1 < self.open.len() {
            self.fault(line.number, Problem::WrongEnd)?;
        }
        self.open.truncate(at);
        if at == 0 {
            self.end_piece(name, line.place.end);
        }
        Ok(())
    }

    /// The component of the calendar is ended.
    fn end_piece(&mut self, name: &[u8], end: usize) {
        let piece = std::mem::take(&mut self.piece);
        let place = piece.start..end;
        if let Some((line, problem)) = piece.fault {
            self.broken(line, problem, piece.uid, Some(place));
        } else if let Some(open) = &mut self.calendar {
            match piece.uid {
                _ if name == b"VTIMEZONE" => open.frame.zones.push(Zone {
                    place,
                    names: piece.zone.unwrap_or_default(),
                }),
                Some(uid) => self.parts.note(uid, place),
                None => open.frame.others.push(place),
            }
        }
        if let Some(open) = &mut self.calendar {
            open.since = open.frame.properties.len();
        }
    }

    /// Something else begins before the component of the calendar is ended.
    fn end_piece_early(&mut self, end: usize) -> Result<(), Disorder> {
        if self.open.is_empty() {
            return Ok(());
        }
        self.fault(self.piece.line, Problem::NoEnd)?;
        self.open.clear();
        self.end_piece(b"", end);
        Ok(())
    }

    /// Something else begins, or nothing, before the calendar is ended.
    fn end_calendar_early(&mut self, end: usize) -> Result<(), Disorder> {
        self.end_piece_early(end)?;
        let Some(mut open) = self.calendar.take() else {
            return Ok(());
        };
        self.disorder()?;
        self.broken(open.line, Problem::Unfinished, None, None);
        open.frame.whole.end = end;
        self.parts.calendars.push(open.frame);
        Ok(())
    }

    /// What stands since the last component is one whose BEGIN was lost.
    fn end_without_begin(&mut self, line: &Line<'_>) -> Result<(), Disorder> {
        self.disorder()?;
        let Some(open) = &mut self.calendar else {
            return self.outside(line, None);
        };
        let octets = self.parts.octets;
        let since = open.frame.properties.split_off(open.since);
        let mut place = line.place.clone();
        let mut uid = None;
        for property in since {
            let text = lines::unfolded(&octets[property.clone()]);
            let (name, value) = lines::name_and_value(text.strip_suffix(b"\n").unwrap_or(&text));
            if HEAD.iter().any(|it| name.eq_ignore_ascii_case(it)) {
                open.frame.properties.push(property);
                continue;
            }
            place.start = place.start.min(property.start);
            if name.eq_ignore_ascii_case(b"UID") && uid.is_none() {
                uid = lines::key(value);
            }
        }
        open.since = open.frame.properties.len();
        self.broken(line.number, Problem::NoBegin, uid, Some(place));
        Ok(())
    }

    /// A line outside of all calendars.
    fn outside(&mut self, line: &Line<'_>, uid: Option<String>) -> Result<(), Disorder> {
        self.disorder()?;
        if !std::mem::replace(&mut self.is_outside, true) || uid.is_some() {
            let place = Some(line.place.clone());
            self.broken(line.number, Problem::Outside, uid, place);
        }
        Ok(())
    }

    /// The component that is being read is broken; what was found first counts.
    fn fault(&mut self, line: usize, problem: Problem) -> Result<(), Disorder> {
        self.disorder()?;
        self.piece.fault.get_or_insert((line, problem));
        Ok(())
    }

    fn broken(
        &mut self,
        line: usize,
        problem: Problem,
        uid: Option<String>,
        place: Option<Range<usize>>,
    ) {
        // A calendar that is being read comes behind those that were.
        let calendar = self
            .calendar
            .is_some()
            .then_some(self.parts.calendars.len());
        // What belongs to no object is told once, however much of it there is.
        if uid.is_none()
            && let Some(last) = self.parts.broken.last_mut()
            && (last.uid.as_ref(), last.problem, last.calendar) == (None, problem, calendar)
            && let (Some(before), Some(place)) = (&mut last.place, &place)
        {
            before.end = place.end;
            return;
        }
        self.parts.broken.push(Broken {
            line,
            uid,
            problem,
            place,
            calendar,
        });
    }

    const fn disorder(&self) -> Result<(), Disorder> {
        match self.reading {
            Reading::Strict => Err(Disorder),
            Reading::Lenient => Ok(()),
        }
    }
}
