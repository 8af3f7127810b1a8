//! Which part of a mail is the scheduling message, and whether it is one.

use super::entity::Entity;
use super::{Refusal, decode};
use convoke_calendar::message::{Message, MessageError};
use convoke_calendar::tree::{Calendar, Limits, Property};
use convoke_types::{CalendarAddress, excerpt};

/// Letters of a METHOD or file name that a refusal shows.
const SHOWN: usize = 40;

/// A scheduling message as it came by mail, not yet held against the rules of iTIP.
#[derive(Clone, Debug)]
pub struct CalendarPart {
    /// The calendar as UTF-8: what lines an error names are lines of this.
    pub octets: Vec<u8>,
    /// The calendar, which has a METHOD.
    pub calendar: Calendar,
}

impl CalendarPart {
    /// The METHOD in upper case, known or not.
    pub fn method(&self) -> String {
        property(&self.calendar).unwrap_or_default()
    }

    /// The message, if it keeps the rules of RFC 5546.
    ///
    /// `organizer` is whom the message is for, where a token says so: a REPLY, COUNTER or REFRESH that names no ORGANIZER
    /// (Exchange), or the address of a copy in another calendar (Google), then has this one. Alarms are left out where RFC 5546
    /// §3.2 has none: programs write what they have stored, and nobody acts on an alarm of somebody else.
    pub fn message(&self, organizer: Option<&CalendarAddress>) -> Result<Message, MessageError> {
        let mut calendar = self.calendar.clone();
        let is_to_organizer = matches!(self.method().as_str(), "REPLY" | "COUNTER" | "REFRESH");
        if let Some(organizer) = organizer.filter(|_| is_to_organizer) {
            let kinds = ["VEVENT", "VTODO"];
            let components = calendar.root_mut().components.iter_mut();
            for component in components.filter(|it| kinds.iter().any(|kind| it.is(kind))) {
                let named = component.get("ORGANIZER").map(|line| line.value.as_str());
                if !named.is_some_and(|named| organizer.is_written_as(named)) {
                    component.set(Property::new("ORGANIZER", organizer.as_str()));
                }
            }
        }
        let method = self.method();
        if ["REPLY", "CANCEL", "REFRESH", "DECLINECOUNTER"].contains(&method.as_str()) {
            for component in &mut calendar.root_mut().components {
                component.components.retain(|it| !it.is("VALARM"));
            }
        }
        Message::read(calendar)
    }
}

/// Finds the scheduling message: the first text/calendar with a METHOD, else the first application/ics with one.
pub(super) fn find(mail: &Entity, limits: &Limits) -> Result<Option<CalendarPart>, Refusal> {
    let leaves = mail.leaves();
    let of = |kind, subtype| leaves.iter().filter(move |part| part.is(kind, subtype));
    let mut unreadable = None;
    for part in of("text", "calendar").chain(of("application", "ics")) {
        match read(part, limits) {
            Ok(Some(found)) => return Ok(Some(found)),
            // A calendar without METHOD is a file like any other (RFC 6047 §2.4, note 2).
            Ok(None) => {}
            Err(refusal @ (Refusal::MethodsDiffer { .. } | Refusal::NoMethod(_))) => {
                return Err(refusal);
            }
            Err(refusal) => drop(unreadable.get_or_insert(refusal)),
        }
    }
    if let Some(refusal) = unreadable {
        return Err(refusal);
    }
    // RFC 6047 §2.6: the name of a file does not make it a calendar.
    let is_ics = |name: &String| {
        let ending = name.rsplit_once('.').map(|(_, ending)| ending);
        ending.is_some_and(|ending| ending.eq_ignore_ascii_case("ics"))
    };
    let name = of("application", "octet-stream").find_map(|part| part.file_name().filter(is_ics));
    name.map_or(Ok(None), |name| {
        Err(Refusal::OctetStream(excerpt(&name, SHOWN)))
    })
}

fn read(part: &Entity, limits: &Limits) -> Result<Option<CalendarPart>, Refusal> {
    let parameter = part.content_type.parameter("method");
    let octets = decode::calendar(part)?;
    let calendar = Calendar::parse(&octets, limits)?;
    let property = property(&calendar);
    match (parameter, property) {
        (Some(parameter), Some(property)) if !parameter.trim().eq_ignore_ascii_case(&property) => {
            Err(Refusal::MethodsDiffer {
                parameter: excerpt(parameter, SHOWN),
                property: excerpt(&property, SHOWN),
            })
        }
        (Some(parameter), None) => Err(Refusal::NoMethod(excerpt(parameter, SHOWN))),
        (None, None) => Ok(None),
        (_, Some(_)) => Ok(Some(CalendarPart { octets, calendar })),
    }
}

fn property(calendar: &Calendar) -> Option<String> {
    let method = calendar.root().value("METHOD")?;
    Some(method.trim().to_ascii_uppercase())
}
