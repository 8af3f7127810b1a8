//! What an import prints.

use super::{
    fault::Fault,
    plan::{Planned, Step},
};
use crate::cli::{
    output::{self, Failure},
    user::shown::Shown,
};
use convoke_types::{CalendarUser, UserId};
use serde::Serialize;
use std::{borrow::Cow, fmt::Write as _, path::Path};

/// How many faults people are shown.
const MOST: usize = 50;

/// `user import --json`.
#[derive(Serialize)]
struct Told<'a> {
    /// Whether nothing was done.
    dry_run: bool,
    added: usize,
    updated: usize,
    left: usize,
    users: Vec<OfLine<'a>>,
}

#[derive(Serialize)]
struct OfLine<'a> {
    line: usize,
    /// `add`, `update` or `leave`.
    done: &'static str,
    #[serde(flatten)]
    user: Shown<'a>,
}

/// `user import --json` of a file that is refused.
#[derive(Serialize)]
struct Refused {
    faults: Vec<Fault>,
}

/// Says what is wrong with a file.
pub(super) fn refuse(file: &Path, faults: Vec<Fault>, is_json: bool) -> Result<(), Failure> {
    if is_json {
        output::print_json(&Refused { faults })?;
        return Err(Failure::already_reported());
    }
    let file = file.display();
    let line = |fault: &Fault| match fault.line {
        Some(line) => format!("{file}: line {line}: {}", fault.error),
        None => format!("{file}: {}", fault.error),
    };
    if let [one] = &*faults {
        let text = format!("{}; nothing of the file was taken", line(one));
        return Err(Failure::new(text));
    }
    for fault in faults.iter().take(MOST) {
        output::warn(&line(fault));
    }
    Err(Failure::new(match faults.len() {
        many if many > MOST => format!(
            "{file}: {} more are wrong; nothing of the file was taken",
            many - MOST
        ),
        many => format!("{file}: {many} are wrong; nothing of the file was taken"),
    }))
}

/// Says what was done, or would be.
pub(super) fn tell(plan: &[Planned], dry_run: bool, is_json: bool) -> Result<(), Failure> {
    let count = |word: &str| plan.iter().filter(|it| word_of(&it.step) == word).count();
    let [added, updated, left] = ["add", "update", "leave"].map(count);
    let users: Vec<Cow<'_, CalendarUser>> = plan.iter().map(|it| user(&it.step)).collect();
    if is_json {
        let users = plan.iter().zip(&users).map(|(planned, user)| OfLine {
            line: planned.line,
            done: word_of(&planned.step),
            user: Shown::from(&**user),
        });
        return output::print_json(&Told {
            dry_run,
            added,
            updated,
            left,
            users: users.collect(),
        });
    }
    let mut text = String::new();
    if dry_run {
        let rows: Vec<_> = plan.iter().zip(&users).map(|it| row(it.0, it.1)).collect();
        text.push_str(&output::table(&rows));
    }
    if dry_run {
        text.push_str("this would be: ");
    }
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "{added} added, {updated} changed, {left} left as they are"
    );
    output::print_text(&text)
}

fn row(planned: &Planned, user: &CalendarUser) -> Vec<String> {
    let shown = Shown::from(user);
    let word = word_of(&planned.step);
    vec![
        word.to_owned(),
        shown.address.human().to_owned(),
        shown.name.unwrap_or_default().to_owned(),
        shown.timezone.unwrap_or_default().to_owned(),
        shown.word().to_owned(),
        shown.other_addresses(),
    ]
}

const fn word_of(step: &Step) -> &'static str {
    match step {
        Step::Add(_) => "add",
        Step::Update { .. } => "update",
        Step::Leave(_) => "leave",
    }
}

/// The calendar user as it is afterwards. What a store calls a new one is shown to nobody.
fn user(step: &Step) -> Cow<'_, CalendarUser> {
    match step {
        Step::Add(user) => {
            let none = UserId::new("new").expect("a word is a user identifier");
            Cow::Owned(user.clone().with_id(none))
        }
        Step::Update { after, .. } => Cow::Borrowed(after),
        Step::Leave(user) => Cow::Borrowed(user),
    }
}
