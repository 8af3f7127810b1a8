//! CSV (RFC 4180), with commas, semicolons or tabs, as spreadsheets write it.

use super::{
    Read,
    columns::Columns,
    fault::{Fault, beginning},
    record::{Part, Record, Value},
};
use csv_core::{ReadRecordResult, Reader, ReaderBuilder};

/// What a file says of each calendar user.
pub(super) fn read(text: &str, columns: &Columns) -> Result<Read, Vec<Fault>> {
    let mut rows = Rows::of(text);
    let header = rows.next();
    let header = header.ok_or_else(|| vec![Fault::of_file("it is empty")])?;
    let header = header.map_err(|fault| vec![fault])?;
    let parts = parts(&header, columns)?;
    let mut records = Vec::new();
    let mut faults = Vec::new();
    for row in rows {
        let row = match row {
            Ok(row) => row,
            Err(fault) => {
                faults.push(fault);
                continue;
            }
        };
        if row.cells.iter().all(|it| it.trim().is_empty()) {
            continue;
        }
        if row.cells.len() == parts.len() {
            records.push(record(row, &parts));
            continue;
        }
        let (has, names) = (row.cells.len(), parts.len());
        let text = format!("{has} columns, where the first line names {names}");
        faults.push(Fault::at(row.line, text));
    }
    let passed_over = 0;
    if faults.is_empty() {
        Ok(Read {
            records,
            passed_over,
        })
    } else {
        Err(faults)
    }
}

fn record(row: Row, parts: &[Option<Part>]) -> Record {
    let line = row.line;
    let cells = parts.iter().zip(row.cells);
    let said = cells.filter(|(_, text)| !text.trim().is_empty());
    let values = said.filter_map(|(part, text)| part.map(|part| Value { part, text, line }));
    let values = values.collect();
    Record { line, values }
}

/// The cells of a line, or of several where a quoted cell goes over their ends.
struct Row {
    line: usize,
    cells: Vec<String>,
}

/// The rows of a file. Where the quotes of one do not go in pairs, one of them is not closed, and what follows is not what it seems
/// to be.
struct Rows<'a> {
    reader: Reader,
    rest: &'a [u8],
    /// Of what is left, the first.
    line: usize,
    /// The cells of one row, and where each ends.
    cells: Vec<u8>,
    ends: Vec<usize>,
}

impl<'a> Rows<'a> {
    fn of(text: &'a str) -> Self {
        Self {
            reader: ReaderBuilder::new().delimiter(delimiter(text)).build(),
            rest: text.as_bytes(),
            line: 1,
            cells: vec![0; 1024],
            ends: vec![0; 32],
        }
    }

    /// Takes octets off what is left.
    fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at(count);
        self.rest = rest;
        self.line += memchr::memchr_iter(b'\n', taken).count();
        taken
    }

    /// The octets of the next row, whose cells and their ends are there then; how many cells.
    fn advance(&mut self) -> Option<(&'a [u8], usize)> {
        let (mut read, mut written, mut ended) = (0, 0, 0);
        loop {
            let (came, octets, letters, ends) = self.reader.read_record(
                &self.rest[read..],
                &mut self.cells[written..],
                &mut self.ends[ended..],
            );
            read += octets;
            written += letters;
            ended += ends;
            match came {
                // Nothing more comes, which it is told by being given nothing.
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull => self.cells.resize(2 * self.cells.len(), 0),
                ReadRecordResult::OutputEndsFull => self.ends.resize(2 * self.ends.len(), 0),
                ReadRecordResult::Record => return Some((self.take(read), ended)),
                ReadRecordResult::End => return None,
            }
        }
    }
}

impl Iterator for Rows<'_> {
    type Item = Result<Row, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        let blank = self
            .rest
            .iter()
            .take_while(|it| matches!(it, b'\r' | b'\n'));
        self.take(blank.count());
        let line = self.line;
        let (octets, count) = self.advance()?;
        if memchr::memchr_iter(b'"', octets).count() % 2 == 1 {
            let text = "a quote is not closed, or stands in a value that is not quoted; write it twice in a quoted one";
            return Some(Err(Fault::at(line, text)));
        }
        let mut begin = 0;
        let cell = |end: &usize| {
            let cell = &self.cells[begin..*end];
            begin = *end;
            // Text was cut at letters of ASCII.
            String::from_utf8_lossy(cell).into_owned()
        };
        let cells = self.ends[..count].iter().map(cell).collect();
        Some(Ok(Row { line, cells }))
    }
}

/// What separates most in the first line.
fn delimiter(text: &str) -> u8 {
    let first = text.lines().next().unwrap_or_default().as_bytes();
    let count = |it: u8| memchr::memchr_iter(it, first).count();
    // The first of several that are as frequent is the last one here.
    let candidates = [b'\t', b';', b','].into_iter();
    candidates.max_by_key(|it| count(*it)).unwrap_or(b',')
}

/// What each column says.
fn parts(header: &Row, columns: &Columns) -> Result<Vec<Option<Part>>, Vec<Fault>> {
    let mut faults = Vec::new();
    let mut parts = Vec::new();
    for name in &header.cells {
        let name = name.trim();
        let part = columns.of_csv(name);
        if part.is_none() && !columns.ignores_others {
            faults.push(format!(
                "the column `{}` is not known; known are {}; say what it is with --map WHAT='{0}', or --ignore-others",
                beginning(name),
                Part::names()
            ));
        }
        if let Some(part) = part
            && part != Part::Alias
            && parts.contains(&Some(part))
        {
            faults.push(format!("two columns say {part}"));
        }
        parts.push(part);
    }
    for named in columns.named() {
        let mut names = header.cells.iter();
        if !names.any(|it| it.trim().eq_ignore_ascii_case(named)) {
            faults.push(format!("there is no column `{named}`, which --map names"));
        }
    }
    if faults.is_empty() && !parts.contains(&Some(Part::Address)) {
        faults.push("no column says address; name one with --map address=COLUMN".to_owned());
    }
    if faults.is_empty() {
        Ok(parts)
    } else {
        Err(faults.into_iter().map(|it| Fault::at(1, it)).collect())
    }
}
