//! Redaction: what is taken out of a message before it leaves, as it belongs to one calendar user alone.
//!
//! Every message passes here, whether it was made of a stored object (`compose`) or handed in by a program
//! ([`for_sending`](fn@super::for_sending)); of a component inside another the same holds.
//!
//! | in the object | leaves |
//! | --- | --- |
//! | `X-` properties and parameters | those of [`SHARED`] and [`SHARED_PARAMETERS`], which describe the meeting itself |
//! | `X-` components, alarms | never |
//! | CATEGORIES, COLOR | never: how one files and paints what is in one's own calendar |
//! | TRANSP | from the organizer, as what the guests begin with; each one's own after that |
//! | SCHEDULE-AGENT, SCHEDULE-STATUS, SCHEDULE-FORCE-SEND | never (RFC 6638 §7) |
//! | what is noted of answers: parameters, comments to the organizer | never |
//! | MANAGED-ID of an attachment | never: another server takes it for the name of a file of its own |
//! | attachments by `file:` | never: nobody else can open them, and the path tells of its owner's machine |
//! | of VCALENDAR: its name, colour and `X-` properties | never: they describe the calendar, not the meeting |
//!
//! A list of what may leave, not of what may not: calendar programs keep in `X-` properties where their owner lives
//! (`X-APPLE-TRAVEL-START`), notes to oneself (`X-CALENDARSERVER-PRIVATE-COMMENT`), snoozed alarms (`X-MOZ-SNOOZE-TIME`),
//! errors of their parsers, and invent new ones with each version. What is wrongly held back costs a guest a convenience;
//! what wrongly leaves cannot be called back. Apple's Calendar Server, which had to decide the same, decided it so too.
//! Properties without `X-` are defined in an RFC that says what they are for, and leave, known here or not.

use super::personal::strip_local;
use crate::message::Method;
use crate::tree::{Component, Property};
use std::collections::HashMap;

/// `X-` properties that describe the meeting to everybody: a name, or with `*` the beginning of several.
const SHARED: [&str; 17] = [
    // The description as HTML.
    "X-ALT-DESC",
    // The place of the meeting on a map.
    "X-APPLE-STRUCTURED-LOCATION",
    "X-MICROSOFT-LOCATIONS",
    // How to join it from afar.
    "X-GOOGLE-CONFERENCE",
    "X-GOOGLE-HANGOUT",
    "X-MICROSOFT-ONLINEMEETING*",
    "X-MICROSOFT-SKYPETEAMS*",
    "X-MICROSOFT-CONFERENCETELURI",
    "X-MICROSOFT-SCHEDULINGSERVICEUPDATEURL",
    // What the organizer's Outlook tells that of the guest: MS-OXCICAL §2.1.3.1.1.20.
    "X-MICROSOFT-CDO-INTENDEDSTATUS",
    "X-MICROSOFT-CDO-ALLDAYEVENT",
    "X-MICROSOFT-CDO-IMPORTANCE",
    "X-MICROSOFT-CDO-INSTTYPE",
    "X-MICROSOFT-CDO-OWNERAPPTID",
    "X-MICROSOFT-CDO-APPT-SEQUENCE",
    "X-MICROSOFT-DISALLOW-COUNTER",
    "X-MICROSOFT-ISRESPONSEREQUESTED",
];

/// `X-` parameters that do.
const SHARED_PARAMETERS: [&str; 8] = [
    "X-TITLE",
    "X-ADDRESS",
    "X-APPLE-ADDRESS",
    "X-APPLE-RADIUS",
    "X-APPLE-MAPKIT-HANDLE",
    "X-APPLE-REFERENCEFRAME",
    "X-FILENAME",
    // How many an attendee brings along.
    "X-NUM-GUESTS",
];

/// Of an attachment: its name at the server of whoever wrote it (RFC 8607 §4.3), which means another file, or none, elsewhere.
pub(super) const MANAGED_ID: &str = "MANAGED-ID";

/// How somebody files and paints what is in the own calendar.
const FILING: [&str; 2] = ["CATEGORIES", "COLOR"];

/// Takes out of a component what its owner keeps to itself, for a message of that method.
pub(super) fn redact(component: &mut Component, method: Method) {
    strip_local(component);
    let from_attendee = !method.is_from_organizer();
    component
        .properties
        .retain(|line| may_leave(line) && !(from_attendee && line.is("TRANSP")));
    for line in &mut component.properties {
        line.params.retain(|param| is_shared_parameter(&param.name));
    }
    component
        .components
        .retain(|inner| !inner.is("VALARM") && !is_extension(&inner.name));
    for inner in &mut component.components {
        redact(inner, method);
    }
}

/// What a VCALENDAR says of the message, and not of the calendar that it was taken from (RFC 7986 §5).
pub(super) const OF_THE_MESSAGE: [&str; 4] = ["VERSION", "PRODID", "CALSCALE", "METHOD"];

/// Takes out of a VCALENDAR what is said of the calendar that a message was taken from.
pub(super) fn redact_calendar(root: &mut Component) {
    let properties = &mut root.properties;
    properties.retain(|line| OF_THE_MESSAGE.iter().any(|name| line.is(name)));
    root.components.retain(|inner| !is_extension(&inner.name));
}

/// The organizer's own copy follows what it has sent: what was held back there stays here.
pub(super) fn restore(before: &Component, component: &mut Component) {
    // What we noted ourselves is looked after elsewhere.
    let is_private = |name: &str| !is_shared_parameter(name) && !name.starts_with("X-CONVOKE-");
    let key = |line: &Property| (line.name.to_ascii_uppercase(), line.value.clone());
    let known = before.properties.iter();
    let known = known.filter(|line| line.params.iter().any(|it| is_private(&it.name)));
    let known: HashMap<_, &Property> = known.map(|line| (key(line), line)).collect();
    for line in &mut component.properties {
        if known.is_empty() {
            break;
        }
        let Some(old) = known.get(&key(line)) else {
            continue;
        };
        for param in old.params.iter().filter(|it| is_private(&it.name)) {
            if line.param(&param.name).is_none() {
                line.params.push(param.clone());
            }
        }
    }
    let files = before.properties.iter().filter(|it| is_local_file(it));
    let files: Vec<Property> = files
        .filter(|file| !component.properties.contains(file))
        .cloned()
        .collect();
    component.properties.extend(files);
}

fn may_leave(line: &Property) -> bool {
    if is_extension(&line.name) {
        return is_shared(&line.name);
    }
    !FILING.iter().any(|name| line.is(name)) && !is_local_file(line)
}

/// Whether an attachment is a file of somebody's machine.
pub(super) fn is_local_file(line: &Property) -> bool {
    let scheme = line.value.trim_start().get(..5);
    line.is("ATTACH") && scheme.is_some_and(|it| it.eq_ignore_ascii_case("file:"))
}

/// Whether a parameter may leave.
fn is_shared_parameter(name: &str) -> bool {
    let mut shared = SHARED_PARAMETERS.iter();
    let is_shared = !is_extension(name) || shared.any(|it| it.eq_ignore_ascii_case(name));
    is_shared && !name.eq_ignore_ascii_case(MANAGED_ID)
}

/// Whether an `X-` property describes the meeting to everybody.
pub(super) fn is_shared(name: &str) -> bool {
    SHARED.iter().any(|shared| match shared.strip_suffix('*') {
        Some(start) => name
            .get(..start.len())
            .is_some_and(|it| it.eq_ignore_ascii_case(start)),
        None => name.eq_ignore_ascii_case(shared),
    })
}

/// Whether a property, parameter or component is a program's own.
pub(super) fn is_extension(name: &str) -> bool {
    name.get(..2)
        .is_some_and(|start| start.eq_ignore_ascii_case("X-"))
}
