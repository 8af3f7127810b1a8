//! `convoke user import`: calendar users from a file, all of them or none.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `source` | the file as text, within bounds |
//! | `columns` | which column or attribute says what |
//! | `csv`, `ldif` | the two formats |
//! | `record` | what a file says of one calendar user |
//! | `plan` | what is to be done, found out before anything is |
//! | `carry_out` | does it, and takes it back where it cannot be finished |
//! | `report` | what is printed |
//! | `fault` | what is wrong, and in which line |

mod carry_out;
mod columns;
mod csv;
mod fault;
mod ldif;
mod plan;
mod record;
mod report;
mod source;

use super::facts::zone_name;
use crate::cli::{
    Global,
    output::{self, Failure},
};
use clap::{Args, ValueEnum};
use columns::{Columns, Mapping};
use fault::Fault;
use record::{Record, Row};
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  convoke user import people.csv --dry-run
  convoke user import people.csv --timezone Europe/Berlin
  convoke user import staff.csv --map address=Mail --map name='Display name' --ignore-others
  ldapsearch -LLL -x -b ou=people,dc=example,dc=org | convoke user import - --format ldif

The first line of a CSV file names its columns, by the options of `user add`: address, and any of alias, name, timezone, kind, \
schedule, booking, conflicts, approve and private. Several aliases stand in one cell, with blanks between them, or in several \
columns `alias`. An empty cell says nothing. Commas, semicolons or tabs separate; the file is UTF-8.

Of LDIF (RFC 2849), `mail` is the address and its further values are aliases, as are mailAlternateAddress and mailLocalAddress; \
the name is displayName, or else cn. --map names other attributes. Entries without an address are passed over.

All of the file is taken or nothing: what is wrong in it is listed with its lines first, and what a store then refuses has what \
was done taken back. Who is there already is left as it is; with --update, what the file says of them is changed, and aliases \
are added. An import that was interrupted is done again.";

/// Create the calendar users that a CSV or LDIF file lists
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Import {
    /// The file; `-` for stdin
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// What the file is [default: by its name, .csv or .ldif]
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Change calendar users that are there already as the file says
    #[arg(long)]
    update: bool,
    /// The time zone of new calendar users for whom the file names none
    #[arg(long, value_name = "ZONE", value_parser = zone_name)]
    timezone: Option<String>,
    /// Which column or attribute says what (repeatable): address=Mail
    #[arg(long = "map", value_name = "WHAT=COLUMN")]
    mappings: Vec<Mapping>,
    /// Pass over columns of CSV that say nothing of a calendar user
    #[arg(long)]
    ignore_others: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Csv,
    Ldif,
}

impl Import {
    pub(super) async fn run(self, global: &Global) -> Result<(), Failure> {
        let format = self.format()?;
        let config = global.config()?;
        let stores = global.stores().await?;
        let text = source::read(&self.file)?;
        let columns = Columns::new(&self.mappings, self.ignore_others)?;
        let refuse = |faults: Vec<Fault>| report::refuse(&self.file, faults, global.json);
        let read = match format {
            Format::Csv => csv::read(&text, &columns),
            Format::Ldif => ldif::read(&text, &columns),
        };
        let read = match read.and_then(|read| Ok((rows(read.records)?, read.passed_over))) {
            Ok(read) => read,
            Err(faults) => return refuse(faults),
        };
        let (rows, passed_over) = read;
        if passed_over > 0 {
            let text =
                format!("note: entries without an address that are passed over: {passed_over}");
            output::warn(&text);
        }
        let ways = plan::Ways {
            updates: self.update,
            timezone: self.timezone.as_deref(),
        };
        let plan = match plan::make(&stores, rows, &ways).await? {
            Ok(plan) => plan,
            Err(faults) => return refuse(faults),
        };
        if !self.dry_run {
            carry_out::all(&plan, &self.file, &config).await?;
        }
        report::tell(&plan, self.dry_run, global.json)
    }

    fn format(&self) -> Result<Format, Failure> {
        let by_name = || {
            let end = self.file.extension()?.to_str()?.to_ascii_lowercase();
            match &*end {
                "csv" | "tsv" => Some(Format::Csv),
                "ldif" | "ldf" => Some(Format::Ldif),
                _ => None,
            }
        };
        self.format.or_else(by_name).ok_or_else(|| {
            Failure::usage(format!(
                "{}: the name does not end with .csv or .ldif; say --format csv or --format ldif",
                self.file.display()
            ))
        })
    }
}

/// What a format has read.
struct Read {
    records: Vec<Record>,
    /// Entries that name no address.
    passed_over: usize,
}

fn rows(records: Vec<Record>) -> Result<Vec<Row>, Vec<Fault>> {
    let mut faults = Vec::new();
    let rows = records.into_iter();
    let rows = rows.filter_map(|record| record.into_row(&mut faults));
    let rows: Vec<_> = rows.collect();
    if rows.is_empty() && faults.is_empty() {
        faults.push(Fault::of_file("it lists no calendar user"));
    }
    if faults.is_empty() {
        Ok(rows)
    } else {
        Err(faults)
    }
}
