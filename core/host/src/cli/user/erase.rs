//! `convoke user erase`: everything that is kept about a person.

use super::super::{
    Global,
    output::{self, Failure},
};
use crate::admin::api::{EraseUser, Erased};
use clap::Args;
use convoke_types::CalendarAddress;

const EXAMPLES: &str = "\
Examples:
  convoke user erase anna@example.org
  convoke user erase anna@example.org --store
  convoke user erase anna@example.org --store --json | jq .queue

Erased is what others know of the user's meetings, held changes, messages that wait in the queue and in the inbox, whom \
the user knows, the mails to guests, and the decision log as far as it names the user. Nobody is told. With --store the \
user and the calendar go, too; without it, what is in the calendar counts as known from the next look on. It also works for \
an address whose user was removed. What others keep (copies of invitations in their calendars) and the log stay.";

/// Erase everything that is kept about a person
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(in super::super) struct Erase {
    /// Any of its addresses
    #[arg(value_name = "ADDR")]
    address: CalendarAddress,
    /// Remove the user and the calendar from the store, too
    #[arg(long)]
    store: bool,
}

impl Erase {
    pub(super) async fn run(self, global: &Global) -> Result<(), Failure> {
        let stores = global.stores().await?;
        let erased = stores
            .ask(EraseUser {
                user: self.address,
                calendar: self.store,
            })
            .await?;
        if global.json {
            return output::print_json(&erased);
        }
        output::print_text(&text(&erased))
    }
}

fn text(erased: &Erased) -> String {
    let forgotten = &erased.forgotten;
    let counts = [
        (
            forgotten.objects,
            "objects of which was known what others know",
        ),
        (forgotten.held, "changes that were held"),
        (forgotten.queue, "messages in the queue"),
        (forgotten.inbox, "messages in the inbox"),
        (forgotten.known, "addresses that the user knew"),
        (forgotten.guests, "guests who were reached by mail"),
    ];
    let rows = counts.map(|(count, what)| vec![count.to_string(), what.to_owned()]);
    let calendar = match &erased.store {
        Some(store) if erased.is_calendar_removed => {
            format!("the user and the calendar are removed from `{store}`")
        }
        Some(store) => format!("the calendar is in `{store}` still; --store removes it"),
        None => "there is no calendar user of this address".to_owned(),
    };
    format!(
        "of {} is erased, with what was decided:\n{}{calendar}\n",
        erased.user.human(),
        output::table(&rows)
    )
}
