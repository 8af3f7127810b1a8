//! The changes that an attendee may make to the list of attendees: its own answer, and its delegates.

use super::permissions::organizers_only;
use crate::itip::participants::{Owner, PartStat, address_of, delegated_to, person};
use crate::message::MessageError;
use crate::message::mailbox_of;
use crate::tree::{Component, Property};
use std::collections::{HashMap, HashSet};

/// Parameters by which somebody says something about somebody else, or about itself what only the organizer does.
pub(super) const PARAMETERS: [&str; 8] = [
    "PARTSTAT",
    "ROLE",
    "CUTYPE",
    "DELEGATED-TO",
    "DELEGATED-FROM",
    "SENT-BY",
    "MEMBER",
    "EMAIL",
];

/// Those of them that are an attendee's own to say on its own line.
pub(super) const ANSWER: [&str; 3] = ["PARTSTAT", "DELEGATED-TO", "SENT-BY"];

/// The same list with the same said of everybody, but for how the owner answers and whom it delegates to.
pub(super) fn check_attendees(
    known: &Component,
    component: &Component,
    owner: &Owner,
) -> Result<(), MessageError> {
    let (was, is) = (List::of(known), List::of(component));
    let gone = known.all("ATTENDEE").find(|line| {
        let is_somebody = address_of(line).is_some() || owner.is(line);
        is_somebody && !is.lines.contains_key(&person(line))
    });
    if let Some(line) = gone {
        return Err(organizers_only(component, "ATTENDEE", &line.value));
    }
    let was_invited = owner.attendees(known).next().is_some();
    let own: HashSet<String> = owner.attendees(component).map(person).collect();
    let delegates = owner.attendees(component).flat_map(delegated_to);
    let delegates: HashSet<String> = delegates
        .map(|it| it.as_str().to_ascii_lowercase())
        .collect();
    for line in component.all("ATTENDEE") {
        let name = person(line);
        let old = was.lines.get(&name).map_or(&[][..], Vec::as_slice);
        let is_delegate = delegates.contains(&name);
        let changed = if own.contains(&name) {
            match old {
                // RFC 5546 §3.2.2.6: who was forwarded an invitation may answer it.
                [] if !was_invited => other_parameter(line, &[&attendee(line)], &ANSWER),
                [] => return Err(organizers_only(component, "ATTENDEE", &line.value)),
                old => other_parameter(line, old, &ANSWER).or_else(|| asks(line, old)),
            }
        } else {
            match old {
                [] if is_delegate => {
                    let roles = owner.attendees(known).map(|own| delegate(line, own));
                    let roles: Vec<Property> = roles.chain([attendee(line)]).collect();
                    let roles: Vec<&Property> = roles.iter().collect();
                    let changed = other_parameter(line, &roles, &["DELEGATED-FROM"]);
                    changed.or_else(|| from_another(line, &[], &own))
                }
                [] => return Err(organizers_only(component, "ATTENDEE", &line.value)),
                old if is_delegate => {
                    let changed = other_parameter(line, old, &["DELEGATED-FROM"]);
                    changed.or_else(|| from_another(line, old, &own))
                }
                old => other_parameter(line, old, &[]),
            }
        };
        if let Some(parameter) = changed {
            return Err(organizers_only(component, "ATTENDEE", &line.value).of_parameter(parameter));
        }
    }
    Ok(())
}

/// The lines of a list by person.
struct List<'c> {
    lines: HashMap<String, Vec<&'c Property>>,
}

impl<'c> List<'c> {
    /// The most lines of one person that are told apart.
    const MOST: usize = 16;

    fn of(component: &'c Component) -> Self {
        let mut lines: HashMap<String, Vec<&Property>> = HashMap::new();
        for line in component.all("ATTENDEE") {
            let known = lines.entry(person(line)).or_default();
            if known.len() < Self::MOST {
                known.push(line);
            }
        }
        Self { lines }
    }
}

/// Somebody new on the list, of whom nothing is said.
fn attendee(line: &Property) -> Property {
    let bare = Property::new("ATTENDEE", &line.value);
    match mailbox_of(line) {
        Some(mailbox) => bare.with("EMAIL", mailbox.human()),
        None => bare,
    }
}

/// RFC 5546 §4.2.5: the delegate has the delegator's role.
fn delegate(line: &Property, delegator: &Property) -> Property {
    match delegator.param("ROLE") {
        Some(role) => attendee(line).with("ROLE", role),
        None => attendee(line),
    }
}

/// The first parameter by which a line says what none of its old versions does.
fn other_parameter(line: &Property, old: &[&Property], free: &[&str]) -> Option<&'static str> {
    let differs = |old: &Property| {
        let mut bound = PARAMETERS.into_iter().filter(|name| !free.contains(name));
        bound.find(|name| said(line, name) != said(old, name))
    };
    let mut first = None;
    for old in old {
        let differs = differs(old)?;
        first = first.or(Some(differs));
    }
    first
}

/// What a parameter says, by meaning.
fn said(line: &Property, name: &str) -> Vec<String> {
    let default = match name {
        "PARTSTAT" => return vec![PartStat::of(line).as_str().to_owned()],
        // Beside a mailbox it is one more name of it.
        "EMAIL" => {
            let mailbox = mailbox_of(line).into_iter();
            return mailbox.map(|it| it.as_str().to_ascii_lowercase()).collect();
        }
        "ROLE" => Some("req-participant"),
        "CUTYPE" => Some("individual"),
        _ => None,
    };
    let params = line.params.iter();
    let params = params.filter(|param| param.name.eq_ignore_ascii_case(name));
    let values = params.flat_map(|param| &param.values);
    let values = values.map(|value| value.trim().to_ascii_lowercase());
    let mut values: Vec<String> = values.filter(|value| !value.is_empty()).collect();
    if values.is_empty() {
        values.extend(default.map(str::to_owned));
    }
    values.sort_unstable();
    values
}

/// RSVP is the organizer's question: it goes when it is answered, and does not come by itself.
fn asks(line: &Property, old: &[&Property]) -> Option<&'static str> {
    let asks = |line: &Property| {
        let rsvp = line.param("RSVP");
        rsvp.is_some_and(|it| it.trim().eq_ignore_ascii_case("TRUE"))
    };
    (asks(line) && !old.iter().any(|old| asks(old))).then_some("RSVP")
}

/// An attendee's delegate comes from that attendee, or from whom it came before.
fn from_another(line: &Property, old: &[&Property], own: &HashSet<String>) -> Option<&'static str> {
    const NAME: &str = "DELEGATED-FROM";
    let before: HashSet<String> = old.iter().flat_map(|old| said(old, NAME)).collect();
    let from = said(line, NAME);
    let is_known = |address: &String| own.contains(address) || before.contains(address);
    (!from.iter().all(is_known)).then_some(NAME)
}
