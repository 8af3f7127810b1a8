//! `convoke man`: a manual page for each command, made of what its `--help` says.

use super::{
    Cli, Global,
    output::{self, Failure},
};
use clap::{Args, Command, CommandFactory};
use clap_mangen::{
    Man as Page,
    roff::{Roff, roman},
};
use serde::Serialize;
use std::{
    fs, io,
    path::{Path, PathBuf},
};

const EXAMPLES: &str = "\
Examples:
  convoke man /usr/local/share/man/man1
  convoke man . && man ./convoke-user-add.1";

/// Write manual pages, one for each command
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Man {
    /// The folder, which is made if it is not there
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

/// `man --json`.
#[derive(Serialize)]
struct Written<'a> {
    folder: &'a Path,
    /// File names.
    pages: &'a [String],
}

impl Man {
    pub(super) fn run(self, global: &Global) -> Result<(), Failure> {
        let folder = &self.folder;
        let written = write(folder).map_err(|error| {
            Failure::new(format!(
                "{}: the pages cannot be written: {error}; name a folder that this user may write",
                folder.display()
            ))
        })?;
        if global.json {
            let pages = &written;
            return output::print_json(&Written { folder, pages });
        }
        let text = format!("{} pages are in {}\n", written.len(), folder.display());
        output::print_text(&text)
    }
}

fn write(folder: &Path) -> io::Result<Vec<String>> {
    fs::create_dir_all(folder)?;
    let mut root = Cli::command().disable_help_subcommand(true);
    root.build();
    let version = root.get_version().unwrap_or_default().to_owned();
    let mut written = Vec::new();
    let mut waiting = vec![root];
    while let Some(command) = waiting.pop() {
        let shown = command.get_subcommands().filter(|it| !it.is_hide_set());
        waiting.extend(shown.cloned());
        let page = Page::new(command.clone())
            .source(format!("Convoke {version}"))
            .manual("Convoke");
        let name = page.get_filename();
        fs::write(folder.join(&name), text(&page, &command)?)?;
        written.push(name);
    }
    written.sort();
    Ok(written)
}

fn text(page: &Page, command: &Command) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    page.render_title(&mut text)?;
    page.render_name_section(&mut text)?;
    page.render_synopsis_section(&mut text)?;
    page.render_description_section(&mut text)?;
    page.render_options_section(&mut text)?;
    if command.get_subcommands().any(|it| !it.is_hide_set()) {
        page.render_subcommands_section(&mut text)?;
    }
    let more = command.get_after_long_help().or(command.get_after_help());
    if let Some(more) = more {
        examples(&more.to_string()).to_writer(&mut text)?;
    }
    Ok(text)
}

/// What stands below the options: lines that are indented stay as they are, each other line is a paragraph.
fn examples(more: &str) -> Roff {
    let mut page = Roff::new();
    page.control("SH", ["EXAMPLES"]);
    let mut is_verbatim = false;
    let headings = ["Example:", "Examples:"];
    for line in more.lines().filter(|line| !headings.contains(line)) {
        let indented = line.strip_prefix("  ");
        if indented.is_some() != is_verbatim {
            page.control(if is_verbatim { "EE" } else { "EX" }, []);
            is_verbatim = !is_verbatim;
        }
        match indented {
            Some(line) => page.text([roman(line)]),
            None if line.is_empty() => page.control("PP", []),
            None => page.text([roman(line)]).control("br", []),
        };
    }
    if is_verbatim {
        page.control("EE", []);
    }
    page
}
