//! `convoke calendar`: objects in and out, straight through the configured store.

mod export;
mod import;

use super::{
    Global,
    context::{failed, none_of, user_of},
    output::{self, Failure},
    session::StoreSession,
};
use clap::{Args, Subcommand};
use convoke_sdk::{CalendarUser, Cursor, Listing, ObjectSummary, Page};
use convoke_types::{CalendarAddress, Uid};
use serde::Serialize;

const EXAMPLES: &str = "\
Examples:
  convoke calendar import --user anna@example.org holidays.ics ~/.calendars/anna/
  convoke calendar list --user anna@example.org
  convoke calendar export --user anna@example.org > anna.ics";

/// Import, export and list a user's calendar
#[derive(Subcommand)]
#[command(after_help = EXAMPLES)]
pub(super) enum Calendar {
    Import(import::Import),
    Export(export::Export),
    List(List),
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

impl List {
    async fn run(self, global: &Global) -> Result<(), Failure> {
        let stores = global.stores().await?;
        let (store, user) = user_of(&stores, &self.user).await?;
        let mut objects = all(&store, &user).await?;
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
        output::print_text(&output::table(&objects.iter().map(row).collect::<Vec<_>>()))
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

async fn all(store: &StoreSession, user: &CalendarUser) -> Result<Vec<ObjectSummary>, Failure> {
    let mut objects = Vec::new();
    let mut after = None;
    loop {
        let listing = page_after(store, user, after).await?;
        objects.extend(listing.items);
        after = listing.next;
        if after.is_none() {
            return Ok(objects);
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
