//! The last lines of the log, in memory, for administrators who look.
//!
//! They are those of the JSON log, whatever form the log itself has. What is below the level of information is not among them: it
//! may quote messages. There is room for so many lines and bytes and no more. Whoever reads them only shares them, so that nobody
//! who writes a line waits for it.

use crate::escape::cut;
use serde_json::{Value, json};
use std::{
    collections::VecDeque,
    io::{self, Write},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// Lines that are kept, and their bytes.
const LINES: usize = 2_000;
const BYTES: usize = 1 << 20;
/// The texts of a line that is longer are cut, to so many letters or fewer: nobody has it left out, or push out all others.
const LONGEST: usize = 4 << 10;
const LETTERS: [usize; 3] = [800, 200, 40];

/// Those of this process, which has one log.
static TAIL: Tail = Tail::new();

/// The last lines of this process' log.
pub(crate) fn tail() -> &'static Tail {
    &TAIL
}

/// The last lines of a log.
pub(crate) struct Tail(Mutex<Kept>);

struct Kept {
    lines: VecDeque<Line>,
    bytes: usize,
    /// The number of the last line that came.
    last: u64,
}

#[derive(Clone)]
struct Line {
    number: u64,
    level: Level,
    text: Arc<str>,
}

/// Some of the lines.
#[derive(Debug)]
pub(crate) struct Read {
    /// The oldest first.
    pub(crate) lines: Vec<Value>,
    /// The number of the last line that was looked at.
    pub(crate) last: u64,
    /// Lines that came after the one that was asked for, and are gone already.
    pub(crate) missed: u64,
}

impl Tail {
    const fn new() -> Self {
        Self(Mutex::new(Kept {
            lines: VecDeque::new(),
            bytes: 0,
            last: 0,
        }))
    }

    /// Lines of a level or a graver one: the last ones; or those that follow a line, beginning there.
    pub(crate) fn read(&self, level: Level, after: Option<u64>, most: usize) -> Read {
        let (lines, last) = {
            let kept = self.lock();
            (kept.lines.iter().cloned().collect::<Vec<_>>(), kept.last)
        };
        // Of an earlier run of the host, whose lines had other numbers.
        let after = after.filter(|after| *after <= last);
        let oldest = lines.first().map_or(last + 1, |it| it.number);
        let missed = after.map_or(0, |after| oldest.saturating_sub(after + 1));
        let mut found: Vec<&Line> = (lines.iter())
            .filter(|it| it.level <= level && after.is_none_or(|after| it.number > after))
            .collect();
        let mut looked_at = last;
        match after {
            Some(_) if found.len() > most => {
                found.truncate(most);
                looked_at = found.last().map_or(last, |it| it.number);
            }
            Some(_) => {}
            None => drop(found.drain(..found.len().saturating_sub(most))),
        }
        let lines = found.into_iter();
        Read {
            lines: lines
                .filter_map(|it| serde_json::from_str(&it.text).ok())
                .collect(),
            last: looked_at,
            missed,
        }
    }

    fn add(&self, level: Level, text: &str) {
        let line: Arc<str> = if text.len() <= LONGEST {
            text.into()
        } else {
            shortened(text).into()
        };
        let gone = self.lock().add(level, line);
        // Freed when nobody waits.
        drop(gone);
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        // Nothing in it panics.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    /// Adds a line. What makes room.
    fn add(&mut self, level: Level, text: Arc<str>) -> Vec<Line> {
        self.last += 1;
        self.bytes += text.len();
        let number = self.last;
        self.lines.push_back(Line {
            number,
            level,
            text,
        });
        let mut gone = Vec::new();
        while self.lines.len() > LINES || self.bytes > BYTES {
            let Some(line) = self.lines.pop_front() else {
                break;
            };
            self.bytes -= line.text.len();
            gone.push(line);
        }
        gone
    }
}

/// A line that is too long, as JSON that is not.
fn shortened(text: &str) -> String {
    if let Ok(line) = serde_json::from_str::<Value>(text) {
        for most in LETTERS {
            let mut line = line.clone();
            cut_texts(&mut line, most);
            let line = line.to_string();
            if line.len() <= LONGEST {
                return line;
            }
        }
    }
    // It has more fields than any of ours: its beginning as the message.
    json!({ "fields": { "message": cut(text, 500) } }).to_string()
}

/// Cuts each text in a value.
fn cut_texts(value: &mut Value, most: usize) {
    match value {
        Value::String(text) => *text = cut(text, most).into_owned(),
        Value::Array(values) => values.iter_mut().for_each(|it| cut_texts(it, most)),
        Value::Object(fields) => fields.values_mut().for_each(|it| cut_texts(it, most)),
        _ => {}
    }
}

impl MakeWriter<'_> for &'static Tail {
    type Writer = LineWriter;

    /// Nobody says of what level it is.
    fn make_writer(&self) -> LineWriter {
        LineWriter {
            tail: self,
            level: None,
        }
    }

    fn make_writer_for(&self, of: &Metadata<'_>) -> LineWriter {
        let level = *of.level();
        LineWriter {
            tail: self,
            level: (level <= Level::INFO).then_some(level),
        }
    }
}

/// Takes one line, in one write.
pub(crate) struct LineWriter {
    tail: &'static Tail,
    /// `None`: it is not kept.
    level: Option<Level>,
}

impl Write for LineWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let (Some(level), Ok(text)) = (self.level, std::str::from_utf8(bytes)) {
            self.tail.add(level, text.trim_end());
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(read: &Read) -> Vec<u64> {
        let numbers = read.lines.iter().map(|it| it["n"].as_u64().unwrap());
        numbers.collect()
    }

    #[test]
    fn the_last_lines_are_kept_within_bounds() {
        let tail = Tail::new();
        for n in 1..=(LINES as u64 + 5) {
            tail.add(Level::INFO, &format!("{{\"n\":{n}}}"));
        }
        let read = tail.read(Level::INFO, None, usize::MAX);
        assert_eq!(read.lines.len(), LINES);
        assert_eq!((numbers(&read)[0], read.last), (6, LINES as u64 + 5));
        let long = format!("{{\"n\":0,\"text\":\"{}\"}}", "x".repeat(LONGEST - 100));
        for _ in 0..=BYTES / long.len() {
            tail.add(Level::INFO, &long);
        }
        assert!(tail.lock().bytes <= BYTES);
        assert!(tail.lock().lines.len() < LINES);
    }

    #[test]
    fn a_line_that_is_too_long_is_cut_and_kept() {
        let tail = Tail::new();
        let line = |fields: Value| json!({ "level": "INFO", "fields": fields }).to_string();
        let letters = "日".repeat(30_000);
        let one = json!({ "event": "refused", "message_id": letters });
        tail.add(Level::INFO, &line(one));
        let many = (0..10).map(|n| (n.to_string(), Value::from(letters.clone())));
        tail.add(Level::INFO, &line(Value::Object(many.collect())));
        tail.add(Level::INFO, &letters);
        let read = tail.read(Level::INFO, None, usize::MAX);
        assert_eq!((read.lines.len(), read.last, read.missed), (3, 3, 0));
        let fields: Vec<&Value> = read.lines.iter().map(|it| &it["fields"]).collect();
        assert_eq!(fields[0]["event"], "refused");
        assert_eq!(fields[0]["message_id"], format!("{}…", "日".repeat(800)));
        assert_eq!(fields[1]["9"], format!("{}…", "日".repeat(40)));
        assert_eq!(fields[2]["message"], format!("{}…", "日".repeat(500)));
        assert!(tail.lock().lines.iter().all(|it| it.text.len() <= LONGEST));
    }

    #[test]
    fn lines_are_read_by_level_and_on_from_where_one_was() {
        let tail = Tail::new();
        for (n, level) in [
            (1, Level::INFO),
            (2, Level::ERROR),
            (3, Level::WARN),
            (4, Level::INFO),
        ] {
            tail.add(level, &format!("{{\"n\":{n}}}"));
        }
        for (level, after, most, expected, last) in [
            (Level::INFO, None, 9, vec![1, 2, 3, 4], 4),
            (Level::INFO, None, 2, vec![3, 4], 4),
            (Level::WARN, None, 9, vec![2, 3], 4),
            (Level::ERROR, None, 9, vec![2], 4),
            (Level::INFO, Some(0), 3, vec![1, 2, 3], 3),
            (Level::INFO, Some(3), 3, vec![4], 4),
            (Level::WARN, Some(3), 3, vec![], 4),
            (Level::INFO, Some(4), 3, vec![], 4),
            // Of an earlier run.
            (Level::INFO, Some(99), 9, vec![1, 2, 3, 4], 4),
        ] {
            let read = tail.read(level, after, most);
            assert_eq!(
                (numbers(&read), read.last),
                (expected, last),
                "{level} {after:?}"
            );
            assert_eq!(read.missed, 0);
        }
    }

    #[test]
    fn who_was_away_for_long_is_told_how_much_is_gone() {
        let tail = Tail::new();
        for n in 1..=(LINES as u64 + 10) {
            tail.add(Level::INFO, &format!("{{\"n\":{n}}}"));
        }
        let read = tail.read(Level::INFO, Some(3), 1);
        assert_eq!((read.missed, numbers(&read)), (7, vec![11]));
    }
}
