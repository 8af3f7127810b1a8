//! `convoke calendar list`.

use crate::{
    admin::api::{Listed, Overview},
    cli::{
        Global,
        output::{self, Failure},
        server::{Server, ServerArgs},
    },
};
use clap::Args;
use convoke_types::{CalendarAddress, Error, Listing, Page, Uid};

const EXAMPLES: &str = "\
Examples:
  convoke calendar list --user anna@example.org
  convoke calendar list --user anna@example.org --json | jq -r '.[] | select(.partstat == \"NEEDS-ACTION\") | .uid'
  convoke calendar list --user anna@example.org --server https://cal.example.org:8008

Shown are when it begins (a series: its first time), how the user has answered (nothing, if not invited; CANCELLED, if it \
is called off), title and UID.";

/// Objects that are asked for at once.
const PAGE: u32 = 500;

/// List what is in a user's calendar: start, answer, title
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct List {
    /// Whose calendar
    #[arg(long, value_name = "ADDR")]
    user: CalendarAddress,
    /// List the object of this UID only
    #[arg(long)]
    uid: Option<Uid>,
    #[command(flatten)]
    server: ServerArgs,
}

impl List {
    pub(super) async fn run(self, global: &Global) -> Result<(), Failure> {
        let mut objects = self.all(global).await?;
        if global.json {
            return output::print_json(&objects);
        }
        if objects.is_empty() {
            return output::print_text("the calendar is empty\n");
        }
        objects.sort_by(|one, other| one.start.cmp(&other.start));
        let mut rows = vec![
            ["START", "ANSWER", "TITLE", "UID"]
                .map(str::to_owned)
                .to_vec(),
        ];
        rows.extend(objects.into_iter().map(|it| {
            vec![
                it.start.unwrap_or_default(),
                if it.cancelled {
                    "CANCELLED".to_owned()
                } else {
                    it.partstat.unwrap_or_default()
                },
                it.summary.unwrap_or_default(),
                it.uid.to_string(),
            ]
        }));
        output::print_text(&output::table(&rows))
    }

    async fn all(&self, global: &Global) -> Result<Vec<Listed>, Failure> {
        let mut objects = Vec::new();
        let mut page = Page::first(PAGE);
        if self.server.is_elsewhere() {
            let server = Server::find(&self.server, global, &self.user).await?;
            loop {
                let listing = server.call(&self.ask(&page)).await;
                match add(listing, &mut objects)? {
                    Some(next) => page.after = Some(next),
                    None => return Ok(objects),
                }
            }
        }
        let stores = global.stores().await?;
        loop {
            let listing = stores.ask(self.ask(&page)).await;
            match add(listing, &mut objects)? {
                Some(next) => page.after = Some(next),
                None => return Ok(objects),
            }
        }
    }

    fn ask(&self, page: &Page) -> Overview {
        Overview {
            user: self.user.clone(),
            page: page.clone(),
            uid: self.uid.clone(),
        }
    }
}

/// Takes a page; where the next one goes on.
fn add(
    listing: Result<Listing<Listed>, Error>,
    objects: &mut Vec<Listed>,
) -> Result<Option<convoke_types::Cursor>, Failure> {
    let listing = listing.map_err(|error| Failure::new(error.to_string()))?;
    objects.extend(listing.items);
    Ok(listing.next)
}
