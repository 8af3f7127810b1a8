//! What is to be done, found out before anything is.

use super::{fault::Fault, record::Row};
use crate::cli::{
    context::failed,
    output::Failure,
    session::{Session, StoreSession},
    user::facts::Described,
};
use convoke_types::{CalendarAddress, CalendarUser, NewUser};
use std::collections::HashMap;

/// How it is done.
pub(super) struct Ways<'a> {
    /// Whether who is there already is changed.
    pub(super) updates: bool,
    /// Of new calendar users for whom none is said.
    pub(super) timezone: Option<&'a str>,
}

/// What becomes of one line.
pub(super) enum Step {
    Add(NewUser),
    Update {
        before: CalendarUser,
        after: CalendarUser,
    },
    /// It is there, and stays as it is.
    Leave(CalendarUser),
}

/// What is to be done because of one line.
pub(super) struct Planned {
    pub(super) line: usize,
    pub(super) store: StoreSession,
    pub(super) step: Step,
}

/// What is to be done for each line, or what is wrong with some. Fails if a store cannot be asked.
pub(super) async fn make(
    stores: &Session,
    rows: Vec<Row>,
    ways: &Ways<'_>,
) -> Result<Result<Vec<Planned>, Vec<Fault>>, Failure> {
    let mut faults = twice(&rows);
    let mut plan = Vec::new();
    for row in rows {
        match step(stores, row, ways).await? {
            Ok(planned) => plan.push(planned),
            Err(fault) => faults.push(fault),
        }
    }
    faults.sort_by_key(|it| it.line);
    Ok(if faults.is_empty() {
        Ok(plan)
    } else {
        Err(faults)
    })
}

/// Addresses that several lines name.
fn twice(rows: &[Row]) -> Vec<Fault> {
    let mut lines = HashMap::new();
    let mut faults = Vec::new();
    for row in rows {
        for address in [&row.address].into_iter().chain(&row.aliases) {
            let first = *lines.entry(of_one_user(address)).or_insert(row.line);
            if first != row.line {
                let text = format!("{} stands in line {first}, too", address.human());
                faults.push(Fault::at(row.line, text));
            }
        }
    }
    faults
}

/// The same for all addresses that [`CalendarAddress::same_user`] holds to be one.
fn of_one_user(address: &CalendarAddress) -> String {
    match address.local_part() {
        Some(_) => address.as_str().to_ascii_lowercase(),
        None => address.as_str().to_owned(),
    }
}

async fn step(
    stores: &Session,
    row: Row,
    ways: &Ways<'_>,
) -> Result<Result<Planned, Fault>, Failure> {
    let line = row.line;
    let fault = |text: String| Ok(Err(Fault::at(line, text)));
    let asked = |error: convoke_types::Error| {
        Failure::new(format!("line {line}: a store cannot be asked: {error}"))
    };
    let human = row.address.human().to_owned();
    let serving = stores.for_address(&row.address).await.map_err(asked)?;
    let Some(serving) = serving else {
        return fault(format!(
            "no [[store]] of the configuration serves {human}; add its domain to the `domains` of one"
        ));
    };
    let there = serving.find(&row.address).await;
    let there = there.map_err(|error| failed(&serving, &error))?;
    for alias in &row.aliases {
        let Some((_, whose)) = stores.find(alias).await.map_err(asked)? else {
            continue;
        };
        if there.as_ref().is_none_or(|it| it.id != whose.id) {
            return fault(format!(
                "{} is an address of {} already",
                alias.human(),
                whose.address.human()
            ));
        }
    }
    let step = match there {
        Some(user) if !user.address.same_user(&row.address) => {
            return fault(format!(
                "{human} is an alias of {} already",
                user.address.human()
            ));
        }
        Some(user) if !ways.updates => Ok(Step::Leave(user)),
        Some(user) => update(user, row),
        None => add(row, ways),
    };
    Ok(match step {
        Ok(step) => Ok(Planned {
            line,
            store: serving,
            step,
        }),
        Err(error) => Err(Fault::at(line, error.to_string())),
    })
}

fn add(mut row: Row, ways: &Ways<'_>) -> Result<Step, Failure> {
    if let Some(zone) = ways.timezone {
        row.facts.default_timezone(zone);
    }
    let mut user = NewUser::new(row.address.clone());
    user.aliases = new_ones(&[row.address], row.aliases);
    let address = user.address.clone();
    row.facts.apply(&mut Described {
        address: &address,
        name: &mut user.name,
        timezone: &mut user.timezone,
        kind: &mut user.kind,
        attributes: &mut user.attributes,
    })?;
    Ok(Step::Add(user))
}

fn update(before: CalendarUser, row: Row) -> Result<Step, Failure> {
    let mut after = before.clone();
    row.facts.apply(&mut Described {
        address: &before.address,
        name: &mut after.name,
        timezone: &mut after.timezone,
        kind: &mut after.kind,
        attributes: &mut after.attributes,
    })?;
    let known: Vec<_> = [&before.address]
        .into_iter()
        .chain(&before.aliases)
        .cloned()
        .collect();
    after.aliases.extend(new_ones(&known, row.aliases));
    Ok(if after == before {
        Step::Leave(before)
    } else {
        Step::Update { before, after }
    })
}

/// The aliases that are not known, each once.
fn new_ones(known: &[CalendarAddress], aliases: Vec<CalendarAddress>) -> Vec<CalendarAddress> {
    let mut new: Vec<CalendarAddress> = Vec::new();
    for alias in aliases {
        if !known.iter().chain(&new).any(|it| it.same_user(&alias)) {
            new.push(alias);
        }
    }
    new
}
