//! `convoke user`: the calendar users of a store.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `erase` | everything about a person is erased |
//! | `facts` | what can be said of a calendar user |
//! | `import` | calendar users from a file |
//! | `shown` | what is printed of one |
//! | `reindex` | when its objects take its time, worked out anew |

mod erase;
mod facts;
mod import;
mod reindex;
mod shown;

use super::{
    Global,
    context::{all, failed, people, store_of, user_of},
    output::{self, Failure},
};
use crate::{config::Config, escape::escape_controls, scheduling::index_service};
use clap::{Args, Subcommand};
use convoke_plugin_host::{Schedule, find};
use convoke_sdk::{CalendarUser, NewUser, UserId, remote::Kind};
use convoke_types::CalendarAddress;
use facts::{Described, Facts};
use shown::Shown;

const EXAMPLES: &str = "\
Examples:
  convoke user add anna@example.org --name 'Anna Berg' --timezone Europe/Berlin
  convoke user add bridge@example.org --kind room --timezone Europe/Berlin --booking 'longest=4h days=mo-fr'
  convoke user set bridge@example.org --approve anna@example.org
  convoke user show bridge@example.org
  convoke user import people.csv --dry-run
  convoke user list --json
  convoke user remove anna@example.org
  convoke user erase anna@example.org --store";

/// Create, import, list, show, change, remove and erase calendar users
#[derive(Subcommand)]
#[command(after_help = EXAMPLES)]
pub(super) enum User {
    Add(Add),
    Import(import::Import),
    List(List),
    Show(Show),
    Set(Set),
    Remove(Remove),
    Erase(erase::Erase),
}

const ADD_EXAMPLES: &str = "\
Examples:
  convoke user add anna@example.org --name 'Anna Berg' --timezone Europe/Berlin
  convoke user add bridge@example.org --kind room --alias meeting-room@example.org --timezone Europe/Berlin
  convoke user add van@example.org --kind resource --booking 'from=*@example.org,*@example.com ahead=90d longest=8h'

A room or resource answers invitations by itself: it accepts where it is free, and declines where it is taken or may \
not be booked.";

/// Create a calendar user
#[derive(Args)]
#[command(after_help = ADD_EXAMPLES)]
pub(super) struct Add {
    /// Primary address
    #[arg(value_name = "ADDR")]
    address: CalendarAddress,
    #[command(flatten)]
    facts: Facts,
    /// Additional address (repeatable)
    #[arg(long = "alias", value_name = "ADDR")]
    aliases: Vec<CalendarAddress>,
}

const SHOW_EXAMPLES: &str = "\
Examples:
  convoke user show bridge@example.org
  convoke user show bridge@example.org --json | jq -r .booking";

/// Show a calendar user
#[derive(Args)]
#[command(after_help = SHOW_EXAMPLES)]
pub(super) struct Show {
    /// Any of its addresses
    #[arg(value_name = "ADDR")]
    address: CalendarAddress,
}

const SET_EXAMPLES: &str = "\
Examples:
  convoke user set anna@example.org --timezone Europe/Vienna --alias a.berg@example.org
  convoke user set bridge@example.org --booking 'from=*@example.org ahead=90d longest=4h days=mo-fr' --conflicts 20%
  convoke user set bridge@example.org --approve anna@example.org --private
  convoke user set bridge@example.org --approve '' --private=off

What is not named stays as it is. A change of the time zone or of the addresses works out anew when everything in the \
calendar takes its time.";

/// Change a calendar user
#[derive(Args)]
#[command(after_help = SET_EXAMPLES)]
pub(super) struct Set {
    /// Any of its addresses
    #[arg(value_name = "ADDR")]
    address: CalendarAddress,
    #[command(flatten)]
    facts: Facts,
    /// Additional address (repeatable)
    #[arg(long = "alias", value_name = "ADDR")]
    aliases: Vec<CalendarAddress>,
    /// Address to remove (repeatable)
    #[arg(long = "remove-alias", value_name = "ADDR")]
    removed_aliases: Vec<CalendarAddress>,
}

const REMOVE_EXAMPLES: &str = "\
Example:
  convoke user remove anna@example.org

What others know of the meetings is forgotten, and nobody is told; what was sent before goes to its recipients. Whoever is \
added under the same address begins anew. `convoke user erase` erases the rest, too.";

/// Remove a calendar user and its calendar
#[derive(Args)]
#[command(after_help = REMOVE_EXAMPLES)]
pub(super) struct Remove {
    /// Any of its addresses
    #[arg(value_name = "ADDR")]
    address: CalendarAddress,
}

const LIST_EXAMPLES: &str = "\
Example:
  convoke user list --json | jq -r '.[].address'";

/// List the calendar users of all stores
#[derive(Args)]
#[command(after_help = LIST_EXAMPLES)]
pub(super) struct List {}

impl User {
    pub(super) async fn run(self, global: &Global) -> Result<(), Failure> {
        match self {
            Self::Add(add) => add.run(global).await,
            Self::Import(import) => import.run(global).await,
            Self::Show(show) => show.run(global).await,
            Self::Set(set) => set.run(global).await,
            Self::Remove(remove) => remove.run(global).await,
            Self::Erase(erase) => erase.run(global).await,
            Self::List(_) => list(global).await,
        }
    }
}

impl Add {
    async fn run(self, global: &Global) -> Result<(), Failure> {
        let mut user = NewUser::new(self.address.clone());
        user.aliases = self.aliases;
        self.facts.apply(&mut Described {
            address: &self.address,
            name: &mut user.name,
            timezone: &mut user.timezone,
            kind: &mut user.kind,
            attributes: &mut user.attributes,
        })?;
        let stores = global.stores().await?;
        let store = store_of(&stores, &self.address).await?;
        for address in std::iter::once(&user.address).chain(&user.aliases) {
            // A store that cannot be asked says so when it is to add somebody.
            if let Ok(Some((place, there))) = stores.find(address).await {
                return Err(taken(address, &there, place.name()));
            }
        }
        let id: UserId = store
            .add_user(&user)
            .await
            .map_err(|error| failed(&store, &error))?;
        if global.json {
            return output::print_json(&Shown::from(&user.with_id(id)));
        }
        let text = format!(
            "{} is now a calendar user of `{}`\n",
            self.address.human(),
            store.name()
        );
        output::print_text(&text)
    }
}

/// An address belongs to somebody already.
fn taken(address: &CalendarAddress, there: &CalendarUser, store: &str) -> Failure {
    let (asked, primary) = (address.human(), there.address.human());
    let name = there.name.as_ref();
    let called = name.map_or_else(String::new, |name| format!(", {}", escape_controls(name)));
    Failure::new(if there.address.same_user(address) {
        format!(
            "{asked} is a calendar user of `{store}` already{called}: `convoke user show {asked}` shows what is known of it, and \
             `convoke user set {asked}` changes that"
        )
    } else {
        format!(
            "{asked} is an address of {primary} in `{store}` already{called}: take it from there with `convoke user set {primary} \
             --remove-alias {asked}`, or choose another"
        )
    })
}

impl Show {
    async fn run(self, global: &Global) -> Result<(), Failure> {
        let stores = global.stores().await?;
        let (store, user) = user_of(&stores, &self.address).await?;
        let mut shown = Shown::from(&user);
        if is_off(&global.config()?, store.name()) {
            shown.schedule = "off";
        }
        if global.json {
            return output::print_json(&shown);
        }
        let mut rows = shown.rows();
        rows.push(vec!["store".to_owned(), store.name().to_owned()]);
        output::print_text(&output::table(&rows))
    }
}

/// Whether the changes of all users of a store are told to nobody.
fn is_off(config: &Config, store: &str) -> bool {
    let mut stores = config.plugins.iter().filter(|it| it.kind == Kind::Store);
    stores.any(|entry| {
        let name = entry.name.clone();
        let name = name.unwrap_or_else(|| find::short_name(&entry.plugin));
        entry.schedule == Schedule::Off && name == store
    })
}

impl Set {
    async fn run(self, global: &Global) -> Result<(), Failure> {
        let config = global.config()?;
        let stores = global.stores().await?;
        let (store, before) = user_of(&stores, &self.address).await?;
        let mut user = before.clone();
        self.facts.apply(&mut Described {
            address: &before.address,
            name: &mut user.name,
            timezone: &mut user.timezone,
            kind: &mut user.kind,
            attributes: &mut user.attributes,
        })?;
        for gone in &self.removed_aliases {
            let count = user.aliases.len();
            user.aliases.retain(|alias| !alias.same_user(gone));
            if user.aliases.len() == count {
                return Err(Failure::new(format!(
                    "{} is no alias of {}; see `convoke user show {1}`",
                    gone.human(),
                    before.address.human()
                )));
            }
        }
        for alias in self.aliases {
            if !user.answers_to(&alias) {
                user.aliases.push(alias);
            }
        }
        if user != before {
            let updated = store.update_user(&user).await;
            updated.map_err(|error| failed(&store, &error))?;
        }
        if takes_other_time(&before, &user) {
            let index = index_service(config.limits.messages);
            reindex::reindex(&store, &user, &index).await?;
        }
        if global.json {
            return output::print_json(&Shown::from(&user));
        }
        output::print_text(&output::table(&Shown::from(&user).rows()))
    }
}

/// Whether objects may take other time of a calendar user than they did.
pub(super) fn takes_other_time(before: &CalendarUser, after: &CalendarUser) -> bool {
    before.timezone != after.timezone || before.aliases != after.aliases
}

impl Remove {
    async fn run(self, global: &Global) -> Result<(), Failure> {
        let stores = global.stores().await?;
        let (store, user) = user_of(&stores, &self.address).await?;
        store
            .remove_user(&user)
            .await
            .map_err(|error| failed(&store, &error))?;
        if global.json {
            return output::print_json(&Shown::from(&user));
        }
        let text = format!("{} and its calendar are removed\n", user.address.human());
        output::print_text(&text)
    }
}

async fn list(global: &Global) -> Result<(), Failure> {
    let mut users = Vec::new();
    for store in all(&global.stores().await?).await? {
        users.extend(people(&store).await?);
    }
    let shown: Vec<Shown> = users.iter().map(Shown::from).collect();
    if global.json {
        return output::print_json(&shown);
    }
    let row = |user: &Shown<'_>| {
        vec![
            user.address.human().to_owned(),
            user.name.unwrap_or_default().to_owned(),
            user.timezone.unwrap_or_default().to_owned(),
            user.word().to_owned(),
            user.other_addresses(),
        ]
    };
    let rows: Vec<_> = shown.iter().map(row).collect();
    output::print_text(&output::table(&rows))
}
