//! `convoke calendar`: objects in and out, straight through the configured store.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `import`, `export` | files in and out |
//! | `list` | what a calendar holds |
//! | `delete` | one object less |

mod delete;
mod export;
mod import;
mod list;

use super::{Global, context::failed, output::Failure, session::StoreSession};
use clap::Subcommand;
use convoke_sdk::{CalendarUser, Cursor, Listing, ObjectSummary, Page};
use serde::Serialize;

const EXAMPLES: &str = "\
Examples:
  convoke calendar import --user anna@example.org holidays.ics ~/.calendars/anna/
  convoke calendar list --user anna@example.org
  convoke calendar delete --user anna@example.org --uid 20270104-review@example.org
  convoke calendar export --user anna@example.org > anna.ics";

/// Import, export, list and delete what is in a user's calendar
#[derive(Subcommand)]
#[command(after_help = EXAMPLES)]
pub(super) enum Calendar {
    Import(import::Import),
    Export(export::Export),
    List(list::List),
    Delete(delete::Delete),
}

impl Calendar {
    pub(super) async fn run(self, global: &Global) -> Result<(), Failure> {
        match self {
            Self::Import(import) => import.run(global).await,
            Self::Export(export) => export.run(global).await,
            Self::List(list) => list.run(global).await,
            Self::Delete(delete) => delete.run(global).await,
        }
    }
}

/// An object in `calendar import --json`.
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

async fn page_after(
    store: &StoreSession,
    user: &CalendarUser,
    after: Option<Cursor>,
) -> Result<Listing<ObjectSummary>, Failure> {
    let page = Page::after(after, 500);
    let listing = store.list(&user.id, &page).await;
    listing.map_err(|error| failed(store, &error))
}
