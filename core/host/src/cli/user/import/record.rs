//! What a file says of one calendar user.

use super::{
    super::facts::{Fact, Facts},
    fault::{Fault, beginning},
};
use clap::ValueEnum;
use convoke_types::CalendarAddress;
use std::{fmt, str::FromStr};

/// What a column or an attribute says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Part {
    Address,
    /// Any number of them.
    Alias,
    Of(Fact),
}

impl Part {
    /// Their names.
    pub(super) fn names() -> String {
        let facts = Fact::value_variants().iter().map(|it| Self::Of(*it));
        let parts = [Self::Address, Self::Alias].into_iter().chain(facts);
        let names: Vec<_> = parts.map(|it| it.to_string()).collect();
        names.join(", ")
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address => f.write_str("address"),
            Self::Alias => f.write_str("alias"),
            Self::Of(fact) => {
                let value = fact.to_possible_value();
                f.write_str(value.as_ref().map_or("", |it| it.get_name()))
            }
        }
    }
}

impl FromStr for Part {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        match &*text.to_ascii_lowercase() {
            "address" => Ok(Self::Address),
            "alias" | "aliases" => Ok(Self::Alias),
            _ => Fact::from_str(text, true)
                .map(Self::Of)
                .map_err(|_| format!("expected one of {}", Self::names())),
        }
    }
}

/// One value, as it stands in the file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Value {
    pub(super) part: Part,
    pub(super) text: String,
    pub(super) line: usize,
}

/// What is said of one calendar user, unread.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) line: usize,
    /// One at most for each part, but for aliases.
    pub(super) values: Vec<Value>,
}

/// The same, read.
pub(super) struct Row {
    pub(super) line: usize,
    pub(super) address: CalendarAddress,
    pub(super) aliases: Vec<CalendarAddress>,
    pub(super) facts: Facts,
}

/// No name, rule or address is as long as this.
const LONGEST: usize = 1000;

impl Record {
    /// Reads it; what is wrong with it goes to the faults.
    pub(super) fn into_row(self, faults: &mut Vec<Fault>) -> Option<Row> {
        let before = faults.len();
        let mut address = None;
        let mut aliases = Vec::new();
        let mut facts = Facts::default();
        for Value { part, text, line } in &self.values {
            let said = sound(text).and_then(|text| match part {
                Part::Address => read(text).map(|it| address = Some(it)),
                Part::Alias => several(text).try_for_each(|it| {
                    aliases.push(read(it)?);
                    Ok(())
                }),
                Part::Of(fact) => facts.say(*fact, text),
            });
            if let Err(error) = said {
                let text = beginning(text);
                faults.push(Fault::at(*line, format!("{part} `{text}`: {error}")));
            }
        }
        if address.is_none() && faults.len() == before {
            faults.push(Fault::at(self.line, "it names no address"));
        }
        let row = Row {
            line: self.line,
            address: address?,
            aliases,
            facts,
        };
        (faults.len() == before).then_some(row)
    }
}

/// A value that can be one.
fn sound(text: &str) -> Result<&str, String> {
    if text.chars().count() > LONGEST {
        return Err(format!("it is longer than {LONGEST} letters"));
    }
    match text.chars().find(|it| it.is_control()) {
        Some('\n' | '\r') => {
            Err("it goes over the end of its line; is a quote not closed?".to_owned())
        }
        Some(_) => Err("it holds a control character".to_owned()),
        None => Ok(text.trim()),
    }
}

fn read(text: &str) -> Result<CalendarAddress, String> {
    text.parse()
        .map_err(|error: convoke_types::InvalidAddress| error.to_string())
}

/// Several addresses in one value.
fn several(text: &str) -> impl Iterator<Item = &str> {
    let between = |letter: char| letter.is_whitespace() || matches!(letter, ',' | ';' | '|');
    text.split(between).filter(|it| !it.is_empty())
}
