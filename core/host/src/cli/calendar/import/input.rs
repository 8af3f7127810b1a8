//! What stands where in the files of an import, and how an object is read from its places.

use super::report::{Failed, Report, note};
use crate::cli::send;
use convoke_calendar::{
    gather::{self, Part},
    stream::{Frame, Outline, Piece},
    tree::{self, Calendar, Component},
};
use convoke_types::Uid;
use std::{
    cell::RefCell,
    collections::{HashMap, HashSet},
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

/// All that is to be imported.
#[derive(Default)]
pub(super) struct Input {
    sources: Vec<Source>,
    calendars: Vec<(usize, Frame)>,
    objects: Vec<Object>,
    of_uid: HashMap<String, usize>,
    reading: RefCell<Reading>,
}

/// A file, or what came on stdin, which cannot be read again.
struct Source {
    file: PathBuf,
    octets: Option<Vec<u8>>,
}

/// The components of one UID, in the order of the input; a component without one is by itself.
pub(super) struct Object {
    uid: Option<String>,
    pieces: Vec<Piece>,
    /// It is the first of its calendar, and takes with it what belongs to none.
    is_first: bool,
}

/// What was read last, as it is mostly needed next.
#[derive(Default)]
struct Reading {
    file: Option<(usize, File)>,
    frame: Option<(usize, Component)>,
}

impl Input {
    /// Takes note of what stands in a file. Only what has `wanted` for its UID, if it is given.
    pub(super) fn look_over(&mut self, file: PathBuf, wanted: Option<&Uid>, report: &mut Report) {
        let octets = match send::read(&file) {
            Ok(octets) => octets,
            Err(failure) => return report.failed.push(Failed::file(&file, failure.to_string())),
        };
        let mut outline = match Outline::of(&octets, &limits()) {
            Ok(outline) => outline,
            Err(error) => return report.failed.push(Failed::of(&file, None, &error)),
        };
        let faults = outline.faults.iter();
        let faults = faults.map(|fault| Failed::of(&file, None, fault));
        report.failed.extend(faults);
        if let Some(wanted) = wanted {
            let is_wanted = |piece: &Piece| piece.uid.as_deref() == Some(wanted.as_str());
            outline.pieces.retain(is_wanted);
            let lines: Vec<_> = outline
                .pieces
                .iter()
                .map(|it| it.line..=it.last_line)
                .collect();
            let is_in_one = |line| lines.iter().any(|lines| lines.contains(&line));
            outline.remarks.retain(|remark| is_in_one(remark.line()));
        }
        for remark in &outline.remarks {
            note(&file, &remark.to_string());
        }
        let (source, before) = (self.sources.len(), self.calendars.len());
        let frames = outline.calendars.into_iter();
        self.calendars.extend(frames.map(|frame| (source, frame)));
        let mut begun = HashSet::new();
        for mut piece in outline.pieces {
            piece.calendar += before;
            let is_first = begun.insert(piece.calendar);
            self.add(piece, is_first);
        }
        let is_stdin = file == Path::new("-");
        let octets = is_stdin.then_some(octets);
        self.sources.push(Source { file, octets });
    }

    fn add(&mut self, mut piece: Piece, is_first: bool) {
        let uid = piece.uid.take();
        let next = self.objects.len();
        let place = match &uid {
            Some(uid) => *self.of_uid.entry(uid.clone()).or_insert(next),
            None => next,
        };
        if place == next {
            self.objects.push(Object {
                uid,
                pieces: Vec::new(),
                is_first: false,
            });
        }
        let object = &mut self.objects[place];
        object.is_first |= is_first;
        object.pieces.push(piece);
    }

    pub(super) fn len(&self) -> usize {
        self.objects.len()
    }

    pub(super) fn objects(&self) -> impl Iterator<Item = &Object> {
        self.objects.iter()
    }

    /// An object out of all its places, as it is to be stored.
    pub(super) fn read(&self, object: &Object) -> Result<(Uid, Calendar), Failed> {
        if let Some((piece, fault)) = object
            .pieces
            .iter()
            .find_map(|it| Some((it, it.fault.as_ref()?)))
        {
            return Err(Failed::of(self.file_of(piece), object.uid.clone(), fault));
        }
        let Some(uid) = &object.uid else {
            let why = "a component has no UID, so that it cannot be stored";
            return Err(self.failed(object, why.to_owned()));
        };
        let uid = Uid::new(uid.as_str());
        let uid = uid.map_err(|error| self.failed(object, error.to_string()))?;
        let parts = self.parts(object);
        let parts = parts.map_err(|error| self.failed(object, error.to_string()))?;
        let gathered = gather::gather(parts);
        for contradiction in gathered.contradictions {
            let piece = &object.pieces[contradiction];
            let text = format!(
                "line {}: {uid}: it is there in another version that is as new; the later one is taken",
                piece.line
            );
            note(self.file_of(piece), &text);
        }
        for (older, newer) in gathered.superseded {
            let [piece, newer] = [older, newer].map(|number| &object.pieces[number]);
            // In another calendar it is another state of the whole, of which the newer one counts.
            if piece.calendar != newer.calendar {
                continue;
            }
            let text = format!(
                "line {}: {uid}: it is there in a newer version, at line {}, which is taken",
                piece.line, newer.line
            );
            note(self.file_of(piece), &text);
        }
        if let Some(text) = kinds(&gathered.calendar) {
            self.note(object, &text);
        }
        Ok((uid, gathered.calendar))
    }

    /// Says what is odd about an object, at its first line.
    pub(super) fn note(&self, object: &Object, text: &str) {
        let first = &object.pieces[0];
        let uid = object.uid.as_deref().unwrap_or_default();
        let text = format!("line {}: {uid}: {text}", first.line);
        note(self.file_of(first), &text);
    }

    /// Its components, those of one calendar together.
    fn parts(&self, object: &Object) -> io::Result<Vec<Part>> {
        let changed = || io::Error::other("it was changed while it was read; start again");
        let mut parts: Vec<(usize, Part)> = Vec::new();
        for piece in &object.pieces {
            let octets = self.octets(self.calendars[piece.calendar].0, &piece.place)?;
            let component = Piece::read(&octets).ok_or_else(changed)?;
            match parts.last_mut() {
                Some((calendar, part)) if *calendar == piece.calendar => {
                    part.components.push(component);
                }
                _ => {
                    let mut frame = self.frame(piece.calendar)?;
                    if !object.is_first {
                        frame.components.retain(|it| it.is("VTIMEZONE"));
                    }
                    let zone_names = self.calendars[piece.calendar].1.zone_names.clone();
                    let part = Part {
                        frame,
                        zone_names,
                        components: vec![component],
                    };
                    parts.push((piece.calendar, part));
                }
            }
        }
        Ok(parts.into_iter().map(|(_, part)| part).collect())
    }

    fn frame(&self, calendar: usize) -> io::Result<Component> {
        let mut reading = self.reading.borrow_mut();
        if let Some((last, frame)) = &reading.frame
            && *last == calendar
        {
            return Ok(frame.clone());
        }
        drop(reading);
        let (source, frame) = &self.calendars[calendar];
        let mut octets = Vec::new();
        for place in &frame.places {
            octets.extend(self.octets(*source, place)?);
        }
        let changed = || io::Error::other("it was changed while it was read; start again");
        let frame = Frame::read(&octets).ok_or_else(changed)?;
        reading = self.reading.borrow_mut();
        reading.frame = Some((calendar, frame.clone()));
        Ok(frame)
    }

    fn octets(&self, source: usize, place: &std::ops::Range<usize>) -> io::Result<Vec<u8>> {
        let Source { file, octets } = &self.sources[source];
        if let Some(octets) = octets {
            return Ok(octets[place.clone()].to_vec());
        }
        let mut reading = self.reading.borrow_mut();
        if reading
            .file
            .as_ref()
            .is_none_or(|(last, _)| *last != source)
        {
            reading.file = Some((source, File::open(file)?));
        }
        let mut octets = vec![0; place.len()];
        if let Some((_, file)) = &mut reading.file {
            file.seek(SeekFrom::Start(place.start as u64))?;
            file.read_exact(&mut octets)?;
        }
        Ok(octets)
    }

    fn file_of(&self, piece: &Piece) -> &Path {
        &self.sources[self.calendars[piece.calendar].0].file
    }

    /// An object failed as a whole.
    pub(super) fn failed(&self, object: &Object, error: String) -> Failed {
        let first = &object.pieces[0];
        Failed {
            line: Some(first.line),
            uid: object.uid.clone(),
            ..Failed::file(self.file_of(first), error)
        }
    }

    /// An object failed for what `error` says, `NAME: … `value` …`: at the line of that.
    pub(super) fn fault(&self, object: &Object, error: &str) -> Failed {
        let mut failed = self.failed(object, error.to_owned());
        let name = error.split(':').next().unwrap_or_default();
        let value = error.split('`').nth(1).unwrap_or_default();
        for piece in &object.pieces {
            let octets = self.octets(self.calendars[piece.calendar].0, &piece.place);
            let line = octets
                .ok()
                .and_then(|octets| piece.line_of(&octets, name, value));
            if line.is_some() {
                self.file_of(piece).clone_into(&mut failed.file);
                failed.line = line;
                break;
            }
        }
        failed
    }
}

/// What is odd about an object of several kinds.
fn kinds(calendar: &Calendar) -> Option<String> {
    let mut kinds = calendar.main_components().map(|it| it.name.as_str());
    let one = kinds.next()?;
    let other = kinds.find(|it| !it.eq_ignore_ascii_case(one))?;
    let text = format!("{one} and {other} of one UID: both are kept, in one object");
    Some(text)
}

/// A calendar of many years may be larger than a message; who imports it has it on this machine.
pub(super) fn limits() -> tree::Limits {
    tree::Limits {
        bytes: usize::MAX,
        properties: usize::MAX,
        line_length: usize::MAX,
        ..tree::Limits::default()
    }
}
