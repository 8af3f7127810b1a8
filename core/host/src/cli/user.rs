//! `convoke user`: the calendar users of a store.

use super::{
    Global,
    context::{all, failed, people, store_of, user_of},
    output::{self, Failure},
};
use clap::{Args, Subcommand, ValueEnum};
use convoke_sdk::{CalendarUser, NewUser, UserKind};
use convoke_types::CalendarAddress;
use jiff::tz::TimeZone;
use serde::Serialize;

const EXAMPLES: &str = "\
Examples:
  convoke user add anna@example.org --name 'Anna Berg' --timezone Europe/Berlin
  convoke user add bridge@example.org --kind room --alias meeting-room@example.org
  convoke user list --json
  convoke user remove anna@example.org";

/// Make, remove and list the calendar users of a store that can keep them
#[derive(Subcommand)]
#[command(after_help = EXAMPLES)]
pub(super) enum User {
    Add(Add),
    List(List),
    Remove(Remove),
}

const ADD_EXAMPLES: &str = "\
Examples:
  convoke user add anna@example.org --name 'Anna Berg' --timezone Europe/Berlin
  convoke user add bridge@example.org --kind room --alias meeting-room@example.org";

/// Make a calendar user
#[derive(Args)]
#[command(after_help = ADD_EXAMPLES)]
pub(super) struct Add {
    /// Its main address
    #[arg(value_name = "ADDR")]
    address: CalendarAddress,
    /// What people call it
    #[arg(long)]
    name: Option<String>,
    /// Where its all-day and floating times lie: an IANA name; UTC if it is not given
    #[arg(long, value_name = "ZONE", value_parser = zone_name)]
    timezone: Option<String>,
    /// A further address of the same user; may be repeated
    #[arg(long = "alias", value_name = "ADDR")]
    aliases: Vec<CalendarAddress>,
    /// What it is
    #[arg(long, value_enum, default_value_t = Kind::Individual)]
    kind: Kind,
}

const REMOVE_EXAMPLES: &str = "\
Example:
  convoke user remove anna@example.org";

/// Remove a calendar user with everything that belongs to it
#[derive(Args)]
#[command(after_help = REMOVE_EXAMPLES)]
pub(super) struct Remove {
    /// One of its addresses
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

#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    Individual,
    Group,
    Resource,
    Room,
}

impl From<Kind> for UserKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Individual => Self::Individual,
            Kind::Group => Self::Group,
            Kind::Resource => Self::Resource,
            Kind::Room => Self::Room,
        }
    }
}

fn zone_name(text: &str) -> Result<String, String> {
    TimeZone::get(text)
        .map(|_| text.to_owned())
        .map_err(|_| "it is no IANA time zone such as Europe/Berlin".to_owned())
}

impl User {
    pub(super) async fn run(self, global: &Global) -> Result<(), Failure> {
        match self {
            Self::Add(add) => add.run(global).await,
            Self::Remove(remove) => remove.run(global).await,
            Self::List(_) => list(global).await,
        }
    }
}

impl Add {
    async fn run(self, global: &Global) -> Result<(), Failure> {
        let stores = global.stores().await?;
        let store = store_of(&stores, &self.address).await?;
        let mut user = NewUser::new(self.address.clone());
        user.aliases = self.aliases;
        user.name = self.name;
        user.timezone = self.timezone;
        user.kind = self.kind.into();
        store
            .add_user(&user)
            .await
            .map_err(|error| failed(&store, &error))?;
        if global.json {
            return output::print_json(&Shown {
                address: &user.address,
                name: user.name.as_deref(),
                timezone: user.timezone.as_deref(),
                aliases: &user.aliases,
            });
        }
        let text = format!(
            "{} is now a calendar user of `{}`\n",
            self.address.human(),
            store.name()
        );
        output::print_text(&text)
    }
}

impl Remove {
    async fn run(self, global: &Global) -> Result<(), Failure> {
        let stores = global.stores().await?;
        let (store, user) = user_of(&stores, &self.address).await?;
        store
            .remove_user(&user.id)
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
    if global.json {
        return output::print_json(&users.iter().map(Shown::from).collect::<Vec<_>>());
    }
    let rows: Vec<Vec<String>> = users
        .iter()
        .map(|user| {
            let aliases: Vec<_> = user.aliases.iter().map(CalendarAddress::human).collect();
            vec![
                user.address.human().to_owned(),
                user.name.clone().unwrap_or_default(),
                user.timezone.clone().unwrap_or_default(),
                aliases.join(" "),
            ]
        })
        .collect();
    output::print_text(&output::table(&rows))
}

/// `user list --json`.
#[derive(Serialize)]
struct Shown<'a> {
    address: &'a CalendarAddress,
    name: Option<&'a str>,
    timezone: Option<&'a str>,
    aliases: &'a [CalendarAddress],
}

impl<'a> From<&'a CalendarUser> for Shown<'a> {
    fn from(user: &'a CalendarUser) -> Self {
        Self {
            address: &user.address,
            name: user.name.as_deref(),
            timezone: user.timezone.as_deref(),
            aliases: &user.aliases,
        }
    }
}
