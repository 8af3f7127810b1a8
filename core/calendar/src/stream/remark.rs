//! Lines that mean less than they say: what an import tells of, and what is read all the same.

use super::outline::looseness;
use crate::{
    rule::Rule,
    time::{Length, Period, When, values},
    tree::{Property, error::Problem},
};

/// Properties whose value says when something is: an empty one is as if it were not there.
const TIMES: [&str; 9] = [
    "DTSTART",
    "DTEND",
    "DUE",
    "DURATION",
    "RRULE",
    "EXRULE",
    "RDATE",
    "EXDATE",
    "RECURRENCE-ID",
];

/// What is odd about a line, in a sentence.
pub(super) fn remark(property: &Property) -> Option<Problem> {
    looseness(property).or_else(|| meaning(property).map(Problem::Remark))
}

fn meaning(property: &Property) -> Option<String> {
    let name = TIMES.iter().find(|name| property.is(name))?;
    if property.value.trim().is_empty() || (*name == "DURATION" && Length::is_empty(property)) {
        return Some(format!(
            "{name} is empty, which counts as if it were not there"
        ));
    }
    match *name {
        "RRULE" => {
            let part = Rule::empty_part(&property.value)?;
            Some(format!(
                "{name}: {part} is empty, which counts as if it were not there"
            ))
        }
        "EXDATE" | "RDATE" => {
            let wrong = values(property).find(|value| {
                When::read(property, value).is_err() && Period::read(property, value).is_err()
            })?;
            let wrong: String = wrong.chars().take(40).collect();
            Some(format!(
                "{name}: `{wrong}` is no date, and names no instance"
            ))
        }
        _ => None,
    }
}
