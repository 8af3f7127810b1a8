//! `convoke calendar`: objects in and out, straight through the configured store.

use super::{
    Global,
    output::{self, Failure},
    places::{failed, none_of, user_of},
    send,
};
use crate::{plugin::StoreHandle, serve};
use clap::{Args, Subcommand};
use convoke_calendar::tree;
use convoke_sdk::{CalendarUser, NewObject, ObjectSummary, Page, Precondition};
use convoke_types::{CalendarAddress, Uid};
use serde::Serialize;
use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

const EXAMPLES: &str = "\
Examples:
  convoke calendar import --user anna@example.org holidays.ics ~/.calendars/anna/
  convoke calendar list --user anna@example.org
  convoke calendar export --user anna@example.org > anna.ics";

/// Put objects into a user's calendar, and get them out
#[derive(Subcommand)]
#[command(after_help = EXAMPLES)]
pub(super) enum Calendar {
    Import(Import),
    Export(Export),
    List(List),
}

const IMPORT_EXAMPLES: &str = "\
Examples:
  convoke calendar import --user anna@example.org holidays.ics
  convoke calendar import --user anna@example.org ~/.calendars/anna/
  curl -s https://example.org/anna.ics | convoke calendar import --user anna@example.org

Each UID becomes one object; an object of the same UID that is there already is replaced. Nothing is sent to anybody.";

/// Put iCalendar files into a user's calendar
#[derive(Args)]
#[command(after_help = IMPORT_EXAMPLES)]
pub(super) struct Import {
    /// Whose calendar
    #[arg(long, value_name = "ADDR")]
    user: CalendarAddress,
    /// Take the object of this UID only
    #[arg(long)]
    uid: Option<Uid>,
    /// Files, or folders whose .ics files are taken; stdin if none is named
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
}

const EXPORT_EXAMPLES: &str = "\
Examples:
  convoke calendar export --user anna@example.org > anna.ics
  convoke calendar export --user anna@example.org --uid 20270104-review@example.org";

/// Print a user's calendar as iCalendar
#[derive(Args)]
#[command(after_help = EXPORT_EXAMPLES)]
pub(super) struct Export {
    /// Whose calendar
    #[arg(long, value_name = "ADDR")]
    user: CalendarAddress,
    /// Print the object of this UID only, as it is stored
    #[arg(long)]
    uid: Option<Uid>,
}

const LIST_EXAMPLES: &str = "\
Example:
  convoke calendar list --user anna@example.org --json | jq -r '.[].uid'";

/// List the objects of a user's calendar
#[derive(Args)]
#[command(after_help = LIST_EXAMPLES)]
pub(super) struct List {
    /// Whose calendar
    #[arg(long, value_name = "ADDR")]
    user: CalendarAddress,
    /// List the object of this UID only
    #[arg(long)]
    uid: Option<Uid>,
}

impl Calendar {
    pub(super) async fn run(self, global: &Global) -> Result<(), Failure> {
        match self {
            Self::Import(import) => import.run(global).await,
            Self::Export(export) => export.run(global).await,
            Self::List(list) => list.run(global).await,
        }
    }
}

impl Import {
    async fn run(self, global: &Global) -> Result<(), Failure> {
        let config = global.config()?;
        let index = serve::setup(&config).index;
        let plugins = global.plugins().await?;
        let (store, user) = user_of(&plugins, &self.user).await?;
        let mut imported = Vec::new();
        for file in self.sources()? {
            for (uid, data) in objects(&file)? {
                if self.uid.as_ref().is_some_and(|wanted| *wanted != uid) {
                    continue;
                }
                let wrong = |error: convoke_sdk::Error| {
                    Failure::new(format!("{}: {uid}: {error}", file.display()))
                };
                let index = index(Some(&user), &data).map_err(wrong)?;
                let object = NewObject { data, index };
                let etag = store
                    .put(&user.id, &object, &Precondition::Any)
                    .await
                    .map_err(wrong)?;
                imported.push(ObjectSummary {
                    uid,
                    component: object.index.component,
                    etag,
                });
            }
        }
        if imported.is_empty() {
            return Err(Failure::new(match &self.uid {
                Some(uid) => format!("nothing of UID {uid} was found"),
                None => "nothing was found to import: name .ics files, or folders that hold some"
                    .to_owned(),
            }));
        }
        if global.json {
            return output::print_json(&imported.iter().map(Shown::from).collect::<Vec<_>>());
        }
        let text = format!(
            "{} imported for {}\n",
            counted(imported.len()),
            self.user.human()
        );
        output::print(text.as_bytes())
    }

    /// The files, those of folders included; `-` is stdin.
    fn sources(&self) -> Result<Vec<PathBuf>, Failure> {
        if self.files.is_empty() {
            return Ok(vec![PathBuf::from("-")]);
        }
        let mut sources = Vec::new();
        for file in &self.files {
            if file.is_dir() {
                let unreadable = |error: io::Error| {
                    Failure::new(format!("{} cannot be read: {error}", file.display()))
                };
                collect(file, &mut sources).map_err(unreadable)?;
            } else {
                sources.push(file.clone());
            }
        }
        Ok(sources)
    }
}

/// The `.ics` files of a folder and of those in it, in the order of their names; links to folders are not followed.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    let mut entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            collect(&path, files)?;
        } else if path
            .extension()
            .is_some_and(|extension| extension.eq_ignore_ascii_case("ics"))
        {
            files.push(path);
        }
    }
    Ok(())
}

fn counted(objects: usize) -> String {
    match objects {
        1 => "1 object".to_owned(),
        more => format!("{more} objects"),
    }
}

/// What a file holds: one object of each UID.
fn objects(file: &Path) -> Result<Vec<(Uid, Vec<u8>)>, Failure> {
    let wrong = |what: String| Failure::new(format!("{}: {what}", file.display()));
    // A calendar of many years may be larger than a message; who imports it has it on this machine.
    let limits = tree::Limits {
        bytes: usize::MAX,
        properties: usize::MAX,
        ..tree::Limits::default()
    };
    let calendars = tree::Calendar::parse_all(&send::read(file)?, &limits)
        .map_err(|error| wrong(error.to_string()))?;
    let mut objects = Vec::new();
    for object in calendars.into_iter().flat_map(tree::Calendar::split_by_uid) {
        let uid = object
            .main_components()
            .find_map(|main| main.get("UID"))
            .ok_or_else(|| {
                wrong("a component has no UID, so that it cannot be stored".to_owned())
            })?;
        let uid = Uid::new(uid.to_text()).map_err(|error| wrong(error.to_string()))?;
        objects.push((uid, object.write()));
    }
    Ok(objects)
}

impl Export {
    async fn run(self, global: &Global) -> Result<(), Failure> {
        let plugins = global.plugins().await?;
        let (store, user) = user_of(&plugins, &self.user).await?;
        if let Some(uid) = &self.uid {
            let stored = store
                .get(&user.id, uid)
                .await
                .map_err(|error| failed(store, &error))?;
            let stored = stored.ok_or_else(|| none_of(&self.user, uid))?;
            return output::print(&stored.data);
        }
        let mut whole = Whole::default();
        for object in all(store, &user).await? {
            let stored = store.get(&user.id, &object.uid).await;
            if let Some(stored) = stored.map_err(|error| failed(store, &error))? {
                whole.add(&object.uid, &stored.data)?;
            }
        }
        output::print(&whole.write())
    }
}

/// Many objects as one VCALENDAR; each time zone stands in it once.
#[derive(Default)]
struct Whole {
    zones: Vec<tree::Component>,
    known_zones: BTreeSet<String>,
    components: Vec<tree::Component>,
}

impl Whole {
    fn add(&mut self, uid: &Uid, data: &[u8]) -> Result<(), Failure> {
        let limits = tree::Limits {
            bytes: usize::MAX,
            ..tree::Limits::default()
        };
        let calendar = tree::Calendar::parse(data, &limits).map_err(|error| {
            Failure::new(format!("the stored object {uid} cannot be read: {error}"))
        })?;
        for component in &calendar.root().components {
            if component.is("VTIMEZONE") {
                let name = component.value("TZID").unwrap_or_default().to_owned();
                if self.known_zones.insert(name) {
                    self.zones.push(component.clone());
                }
            } else {
                self.components.push(component.clone());
            }
        }
        Ok(())
    }

    fn write(self) -> Vec<u8> {
        let mut calendar = tree::Calendar::new();
        let root = calendar.root_mut();
        root.push(tree::Property::new("VERSION", "2.0"));
        root.push(tree::Property::new("PRODID", "-//Convoke//Convoke//EN"));
        root.components.extend(self.zones);
        root.components.extend(self.components);
        calendar.write()
    }
}

impl List {
    async fn run(self, global: &Global) -> Result<(), Failure> {
        let plugins = global.plugins().await?;
        let (store, user) = user_of(&plugins, &self.user).await?;
        let mut objects = all(store, &user).await?;
        if let Some(uid) = &self.uid {
            objects.retain(|object| object.uid == *uid);
            if objects.is_empty() {
                return Err(none_of(&self.user, uid));
            }
        }
        if global.json {
            return output::print_json(&objects.iter().map(Shown::from).collect::<Vec<_>>());
        }
        let row = |object: &ObjectSummary| {
            let etag = object.etag.to_string();
            vec![object.uid.to_string(), object.component.clone(), etag]
        };
        output::print(output::table(&objects.iter().map(row).collect::<Vec<_>>()).as_bytes())
    }
}

/// `calendar list --json`.
#[derive(Serialize)]
struct Shown<'a> {
    uid: &'a str,
    component: &'a str,
    etag: &'a str,
}

impl<'a> From<&'a ObjectSummary> for Shown<'a> {
    fn from(object: &'a ObjectSummary) -> Self {
        Self {
            uid: object.uid.as_str(),
            component: &object.component,
            etag: object.etag.as_str(),
        }
    }
}

async fn all(store: &StoreHandle, user: &CalendarUser) -> Result<Vec<ObjectSummary>, Failure> {
    let mut objects = Vec::new();
    let mut page = Page {
        after: None,
        limit: 500,
    };
    loop {
        let listing = store
            .list(&user.id, &page)
            .await
            .map_err(|error| failed(store, &error))?;
        objects.extend(listing.items);
        match listing.next {
            Some(next) => page.after = Some(next),
            None => return Ok(objects),
        }
    }
}
