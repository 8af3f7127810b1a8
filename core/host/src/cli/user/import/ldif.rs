//! LDIF (RFC 2849): the entries of a directory.
//!
//! Not done: records that change a directory (`changetype` other than `add`), and values that stand in other files (`:<`) where one
//! would be needed.

use super::{
    Read,
    columns::Columns,
    fault::{Fault, beginning},
    record::{Part, Record, Value},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use std::borrow::Cow;

/// What a file says of each calendar user. Entries without an address are passed over: organisations, groups, the root.
pub(super) fn read(text: &str, columns: &Columns) -> Result<Read, Vec<Fault>> {
    let attributes = columns.of_ldif();
    let mut read = Read {
        records: Vec::new(),
        passed_over: 0,
    };
    let mut faults = Vec::new();
    let mut entries = unfold(text, &mut faults);
    take_version(&mut entries, &mut faults);
    for entry in &entries {
        match record(entry, &attributes) {
            Ok(Some(record)) => read.records.push(record),
            Ok(None) => read.passed_over += 1,
            Err(fault) => faults.push(fault),
        }
    }
    if faults.is_empty() {
        Ok(read)
    } else {
        Err(faults)
    }
}

/// A line, whatever number of lines of the file it is folded into.
struct Line<'a> {
    number: usize,
    text: Cow<'a, str>,
}

type Entry<'a> = Vec<Line<'a>>;

/// The entries: empty lines stand between them.
fn unfold<'a>(text: &'a str, faults: &mut Vec<Fault>) -> Vec<Entry<'a>> {
    let mut entries: Vec<Entry<'a>> = Vec::new();
    let mut entry = Vec::new();
    // What a line that begins with a blank goes on with.
    let mut goes_on = Goes::Nowhere;
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        if let Some(rest) = line.strip_prefix(' ') {
            match (goes_on, entry.last_mut()) {
                (Goes::InLine, Some(last)) => {
                    let last: &mut Line<'a> = last;
                    last.text.to_mut().push_str(rest);
                }
                (Goes::InComment, _) => {}
                _ => faults.push(Fault::at(number, "a line that goes on, where none began")),
            }
        } else if line.is_empty() {
            goes_on = Goes::Nowhere;
            entries.push(std::mem::take(&mut entry));
        } else if line.starts_with('#') {
            goes_on = Goes::InComment;
        } else {
            goes_on = Goes::InLine;
            let text = Cow::Borrowed(line);
            entry.push(Line { number, text });
        }
    }
    entries.push(entry);
    entries.retain(|it| !it.is_empty());
    entries
}

#[derive(Clone, Copy)]
enum Goes {
    Nowhere,
    InLine,
    InComment,
}

/// Takes the line that says of which version the file is.
fn take_version(entries: &mut Vec<Entry<'_>>, faults: &mut Vec<Fault>) {
    let Some(first) = entries.first_mut() else {
        return;
    };
    let Some(version) = first[0].text.strip_prefix("version:") else {
        return;
    };
    if version.trim() != "1" {
        let text = format!(
            "LDIF of version `{}`; 1 is known",
            beginning(version.trim())
        );
        faults.push(Fault::at(first[0].number, text));
    }
    first.remove(0);
    entries.retain(|it| !it.is_empty());
}

/// What an entry says; nothing if it names no address.
fn record(entry: &Entry<'_>, attributes: &[(Part, &str)]) -> Result<Option<Record>, Fault> {
    let number = entry[0].number;
    let mut values: Vec<(usize, Value)> = Vec::new();
    for (index, line) in entry.iter().enumerate() {
        let (name, value) = split(line)?;
        if (index == 0) != name.eq_ignore_ascii_case("dn") {
            let text = "an entry begins with one line `dn:`, with an empty line before it";
            return Err(Fault::at(line.number, text));
        }
        if name.eq_ignore_ascii_case("changetype") && !value.trim().eq_ignore_ascii_case("add") {
            let text = format!(
                "a change of a directory (changetype {}), where entries are expected",
                beginning(value.trim())
            );
            return Err(Fault::at(line.number, text));
        }
        // `cn;lang-de` is a `cn`.
        let name = name.split(';').next().unwrap_or_default();
        let rank = attributes
            .iter()
            .position(|(_, it)| it.eq_ignore_ascii_case(name));
        if let Some(rank) = rank {
            let (part, line) = (attributes[rank].0, line.number);
            let text = plain(line, name, value)?;
            if !text.trim().is_empty() {
                values.push((rank, Value { part, text, line }));
            }
        }
    }
    // Of each part the value of its first attribute; further addresses are aliases.
    values.sort_by_key(|(rank, _)| *rank);
    let mut record = Record {
        line: number,
        values: Vec::new(),
    };
    for (_, mut value) in values {
        if record.values.iter().any(|it| it.part == value.part) {
            match value.part {
                Part::Address => value.part = Part::Alias,
                Part::Alias => {}
                Part::Of(_) => continue,
            }
        }
        record.values.push(value);
    }
    let has_address = record.values.iter().any(|it| it.part == Part::Address);
    Ok(has_address.then_some(record))
}

/// The name, and what stands behind its colon.
fn split<'a>(line: &'a Line<'_>) -> Result<(&'a str, &'a str), Fault> {
    let is_of_name =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b';' | b'.' | b'_');
    let split = line.text.split_once(':');
    split
        .filter(|(name, _)| !name.is_empty() && name.bytes().all(is_of_name))
        .ok_or_else(|| {
            let text = format!("`{}` is no `attribute: value`", beginning(&line.text));
            Fault::at(line.number, text)
        })
}

/// A value as text.
fn plain(number: usize, name: &str, value: &str) -> Result<String, Fault> {
    let fault = |text: &str| Fault::at(number, format!("{name}: {text}"));
    if value.starts_with('<') {
        return Err(fault("its value stands in another file; write it here"));
    }
    let Some(encoded) = value.strip_prefix(':') else {
        return Ok(value.trim().to_owned());
    };
    let octets = STANDARD.decode(encoded.trim());
    let octets = octets.map_err(|_| fault("what stands behind `::` is no base64"))?;
    let text = String::from_utf8(octets);
    text.map_err(|_| fault("what stands behind `::` is no text in UTF-8"))
}
