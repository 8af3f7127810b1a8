//! Which properties each method needs, allows and forbids (RFC 5546 §3.2 to §3.4) as one table.
//!
//! Where deployed peers deviate without harm the table is wider than the RFC; each such row says so. Properties that
//! the table does not name (`X-` and IANA ones) may stand anywhere, as often as they like. The same line twice counts
//! once.

use super::{Kind, Method, error::Problem};
use crate::tree::Component;

/// How often a property may stand in a component (RFC 5546 §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Presence {
    /// `1`
    One,
    /// `1+`
    Some,
    /// `0`
    None,
    /// `0+`
    Any,
    /// `0 or 1`
    Opt,
}

use Presence::{Any, None as No, One, Opt, Some as Many};

/// A property, and its presence in REQUEST, REPLY, ADD, CANCEL, REFRESH, COUNTER, DECLINECOUNTER.
type Row = (&'static str, [Presence; 7]);

/// RFC 5546 §3.2.2 to §3.2.8.
#[rustfmt::skip]
const EVENT: &[Row] = &[
    //                   REQUEST REPLY ADD CANCEL REFRESH COUNTER DECLINECOUNTER
    // REPLY and REFRESH: the RFC says 1, its own examples (§4.2.6, §4.7.1) and Outlook send more.
    ("ATTENDEE",         [Many, Many, Any,  Any,  Many, Any,  Many]),
    ("DTSTAMP",          [One,  One,  One,  One,  One,  One,  One ]),
    ("DTSTART",          [One,  Opt,  One,  Opt,  No,   One,  Opt ]),
    // REPLY: the RFC says 1, Exchange leaves it out: the invitation tells then.
    ("ORGANIZER",        [One,  Opt,  One,  One,  One,  One,  One ]),
    // ADD, CANCEL, COUNTER, DECLINECOUNTER: the RFC says 1; Cyrus sends none, which is read as 0 or "as known".
    ("SEQUENCE",         [Opt,  Opt,  Opt,  Opt,  No,   Opt,  Opt ]),
    // REQUEST, ADD, COUNTER: the RFC says 1 that may be empty; many leave it out then.
    ("SUMMARY",          [Opt,  Opt,  Opt,  Opt,  No,   Opt,  Opt ]),
    ("UID",              [One,  One,  One,  One,  One,  One,  One ]),
    ("RECURRENCE-ID",    [Opt,  Opt,  No,   Opt,  Opt,  Opt,  Opt ]),
    ("ATTACH",           [Any,  Any,  Any,  Any,  No,   Any,  Any ]),
    ("CATEGORIES",       [Any,  Any,  Any,  Any,  No,   Any,  Any ]),
    ("CLASS",            [Opt,  Opt,  Opt,  Opt,  No,   Opt,  Opt ]),
    ("COMMENT",          [Any,  Any,  Any,  Any,  Any,  Any,  Any ]),
    ("CONTACT",          [Any,  Any,  Any,  Any,  No,   Any,  Any ]),
    ("CREATED",          [Opt,  Opt,  Opt,  Opt,  No,   Opt,  Opt ]),
    ("DESCRIPTION",      [Opt,  Opt,  Opt,  Opt,  No,   Opt,  Opt ]),
    ("DTEND",            [Opt,  Opt,  Opt,  Opt,  No,   Opt,  Opt ]),
    ("DURATION",         [Opt,  Opt,  Opt,  Opt,  No,   Opt,  Opt ]),
    ("EXDATE",           [Any,  Any,  No,   Any,  No,   Any,  Any ]),
    ("GEO",              [Opt,  Opt,  Opt,  Opt,  No,   Opt,  Opt ]),
    ("LAST-MODIFIED",    [Opt,  Opt,  Opt,  Opt,  No,   Opt,  Opt ]),
    ("LOCATION",         [Opt,  Opt,  Opt,  Opt,  No,   Opt,  Opt ]),
    ("PRIORITY",         [Opt,  Opt,  Opt,  Opt,  No,   Opt,  Opt ]),
    ("RDATE",            [Any,  Any,  No,   Any,  No,   Any,  Any ]),
    ("RELATED-TO",       [Any,  Any,  Any,  Any,  No,   Any,  Any ]),
    ("REQUEST-STATUS",   [No,   Any,  No,   No,   No,   Any,  Any ]),
    ("RESOURCES",        [Any,  Any,  Any,  Any,  No,   Any,  Any ]),
    ("RRULE",            [Opt,  Opt,  No,   Opt,  No,   Opt,  Opt ]),
    ("STATUS",           [Opt,  Opt,  Opt,  Opt,  No,   Opt,  Opt ]),
    ("TRANSP",           [Opt,  Opt,  Opt,  Opt,  No,   Opt,  Opt ]),
    ("URL",              [Opt,  Opt,  Opt,  Opt,  No,   Opt,  Opt ]),
    ("VALARM",           [Any,  No,   Any,  No,   No,   Any,  No  ]),
    // Of VTODO only, RFC 5545 §3.6.1.
    ("DUE",              [No,   No,   No,   No,   No,   No,   No  ]),
    ("COMPLETED",        [No,   No,   No,   No,   No,   No,   No  ]),
    ("PERCENT-COMPLETE", [No,   No,   No,   No,   No,   No,   No  ]),
];

/// RFC 5546 §3.4.2 to §3.4.8.
#[rustfmt::skip]
const TODO: &[Row] = &[
    //                   REQUEST REPLY ADD CANCEL REFRESH COUNTER DECLINECOUNTER
    ("ATTENDEE",         [Many, Many, Any,  Any,  Many, Many, Many]),
    ("DTSTAMP",          [One,  One,  One,  One,  One,  One,  One ]),
    // REQUEST: the RFC says 1, but most to-dos have none (RFC 5545 §3.6.2 makes it optional).
    ("DTSTART",          [Opt,  Opt,  Opt,  Opt,  No,   Opt,  Opt ]),
    // REPLY: the RFC says 1, its own example §4.5.7.2 has none. REFRESH: the RFC says 0, for VEVENT 1.
    ("ORGANIZER",        [One,  Opt,  One,  One,  Opt,  One,  One ]),
    // REQUEST, ADD, COUNTER: the RFC says 1; without it the priority is 0 (RFC 5545 §3.8.1.9).
    ("PRIORITY",         [Opt,  Opt,  Opt,  Opt,  No,   Opt,  Opt ]),
    ("SEQUENCE",         [Opt,  Opt,  Opt,  Opt,  No,   Opt,  Opt ]),
    ("SUMMARY",          [Opt,  Opt,  Opt,  Opt,  No,   Opt,  Opt ]),
    ("UID",              [One,  One,  One,  One,  One,  One,  One ]),
    ("RECURRENCE-ID",    [Opt,  Opt,  No,   Opt,  Opt,  Opt,  Opt ]),
    ("ATTACH",           [Any,  Any,  Any,  Any,  No,   Any,  Any ]),
    ("CATEGORIES",       [Any,  Any,  Any,  Any,  No,   Any,  Any ]),
    ("CLASS",            [Opt,  Opt,  Opt,  Opt,  No,   Opt,  Opt ]),
    // REFRESH: the RFC says 0, for VEVENT 0+.
    ("COMMENT",          [Any,  Any,  Any,  Any,  Any,  Any,  Any ]),
    ("COMPLETED",        [Opt,  Opt,  Opt,  Opt,  No,   Opt,  Opt ]),
    ("CONTACT",          [Any,  Any,  Any,  Any,  No,   Any,  Any ]),
    ("CREATED",          [Opt,  Opt,  Opt,  Opt,  No,   Opt,  Opt ]),
    ("DESCRIPTION",      [Opt,  Opt,  Opt,  Opt,  No,   Opt,  Opt ]),
    ("DUE",              [Opt,  Opt,  Opt,  Opt,  No,   Opt,  Opt ]),
    ("DURATION",         [Opt,  Opt,  Opt,  Opt,  No,   Opt,  Opt ]),
    ("EXDATE",           [Any,  Any,  No,   Any,  No,   Any,  Any ]),
    ("GEO",              [Opt,  Opt,  Opt,  Opt,  No,   Opt,  Opt ]),
    ("LAST-MODIFIED",    [Opt,  Opt,  Opt,  Opt,  No,   Opt,  Opt ]),
    ("LOCATION",         [Opt,  Opt,  Opt,  Opt,  No,   Opt,  Opt ]),
    ("PERCENT-COMPLETE", [Opt,  Opt,  Opt,  Opt,  No,   Opt,  Opt ]),
    ("RDATE",            [Any,  Any,  No,   Any,  No,   Any,  Any ]),
    ("RELATED-TO",       [Any,  Any,  Any,  Any,  No,   Any,  Any ]),
    ("REQUEST-STATUS",   [No,   Any,  No,   No,   No,   Any,  Any ]),
    ("RESOURCES",        [Any,  Any,  Any,  Any,  No,   Any,  Any ]),
    ("RRULE",            [Opt,  Opt,  No,   Opt,  No,   Opt,  Opt ]),
    ("STATUS",           [Opt,  Opt,  Opt,  Opt,  No,   Opt,  Opt ]),
    ("URL",              [Opt,  Opt,  Opt,  Opt,  No,   Opt,  Opt ]),
    ("VALARM",           [Any,  No,   Any,  No,   No,   Any,  No  ]),
    // Of VEVENT only, RFC 5545 §3.6.2.
    ("DTEND",            [No,   No,   No,   No,   No,   No,   No  ]),
    ("TRANSP",           [No,   No,   No,   No,   No,   No,   No  ]),
];

/// RFC 5546 §3.3.2 and §3.3.3; the other methods are not defined for VFREEBUSY.
#[rustfmt::skip]
const FREE_BUSY: &[Row] = &[
    //                   REQUEST REPLY
    ("ATTENDEE",         [Many, One,  No,   No,   No,   No,   No  ]),
    ("DTSTAMP",          [One,  One,  No,   No,   No,   No,   No  ]),
    ("DTSTART",          [One,  One,  No,   No,   No,   No,   No  ]),
    ("DTEND",            [One,  One,  No,   No,   No,   No,   No  ]),
    ("ORGANIZER",        [One,  One,  No,   No,   No,   No,   No  ]),
    ("UID",              [One,  One,  No,   No,   No,   No,   No  ]),
    ("COMMENT",          [Any,  Any,  No,   No,   No,   No,   No  ]),
    ("CONTACT",          [Opt,  Opt,  No,   No,   No,   No,   No  ]),
    ("DURATION",         [No,   No,   No,   No,   No,   No,   No  ]),
    ("FREEBUSY",         [No,   Any,  No,   No,   No,   No,   No  ]),
    ("REQUEST-STATUS",   [No,   Any,  No,   No,   No,   No,   No  ]),
    // REPLY: the RFC says 0; calendar libraries write it everywhere.
    ("SEQUENCE",         [Opt,  Opt,  No,   No,   No,   No,   No  ]),
    ("URL",              [No,   Opt,  No,   No,   No,   No,   No  ]),
    ("VALARM",           [No,   No,   No,   No,   No,   No,   No  ]),
];

/// Pairs of which a component may have one (RFC 5545 §3.6).
const EXCLUSIVE: &[(&str, &str)] = &[("DTEND", "DURATION"), ("DUE", "DURATION")];

/// Whether a method exists for a kind of component and is taken here.
pub(super) const fn is_taken(method: Method, kind: Kind) -> bool {
    match kind {
        // Spec §5: PUBLISH is not allowed.
        Kind::Event | Kind::Todo => !matches!(method, Method::Publish),
        Kind::FreeBusy => matches!(method, Method::Request | Method::Reply),
        Kind::Journal | Kind::Poll | Kind::Availability => false,
    }
}

/// Whether a message of the method may hold several components of the kind, for instances.
pub(super) const fn takes_several(method: Method, kind: Kind) -> bool {
    match kind {
        Kind::Event | Kind::Todo => matches!(
            method,
            Method::Request | Method::Reply | Method::Cancel | Method::DeclineCounter
        ),
        _ => false,
    }
}

/// Holds one component against the table.
pub(super) fn check(component: &Component, method: Method, kind: Kind) -> Result<(), Problem> {
    let (Some(column), rows @ [_, ..]) = (column(method), rows(kind)) else {
        return Err(Problem::NotTaken(method, kind));
    };
    for &(name, presences) in rows {
        if presences[column] == Presence::Any {
            continue;
        }
        match (presences[column], count(component, name)) {
            (Presence::One | Presence::Some, 0) => {
                return Err(Problem::Missing(method, kind, name));
            }
            (Presence::One | Presence::Opt, 2..) if !says_one_thing(component, name) => {
                return Err(Problem::Repeated(method, kind, name));
            }
            (Presence::None, 1..) => return Err(Problem::Forbidden(method, kind, name)),
            _ => {}
        }
    }
    for &(one, other) in EXCLUSIVE {
        if count(component, one) > 0 && count(component, other) > 0 {
            return Err(Problem::Both(kind, one, other));
        }
    }
    Ok(())
}

/// Removes from a component what may not stand in a message of the method.
pub(super) fn remove_forbidden(component: &mut Component, method: Method, kind: Kind) {
    let Some(column) = column(method) else {
        return;
    };
    for (name, presences) in rows(kind) {
        if presences[column] == Presence::None {
            component.properties.retain(|it| !it.is(name));
            component.components.retain(|it| !it.is(name));
        }
    }
}

const fn rows(kind: Kind) -> &'static [Row] {
    match kind {
        Kind::Event => EVENT,
        Kind::Todo => TODO,
        Kind::FreeBusy => FREE_BUSY,
        Kind::Journal | Kind::Poll | Kind::Availability => &[],
    }
}

/// The properties that may stand once at most in a message.
pub(crate) fn single(method: Method, kind: Kind) -> impl Iterator<Item = &'static str> {
    let column = column(method);
    let rows = rows(kind).iter().filter(move |(_, presences)| {
        column.is_some_and(|column| matches!(presences[column], Presence::One | Presence::Opt))
    });
    rows.map(|&(name, _)| name)
}

const fn column(method: Method) -> Option<usize> {
    Some(match method {
        Method::Publish => return None,
        Method::Request => 0,
        Method::Reply => 1,
        Method::Add => 2,
        Method::Cancel => 3,
        Method::Refresh => 4,
        Method::Counter => 5,
        Method::DeclineCounter => 6,
    })
}

/// Whether a property that stands several times says the same each time.
fn says_one_thing(component: &Component, name: &str) -> bool {
    let mut lines = component.all(name);
    let first = lines.next();
    lines.all(|line| {
        first.is_some_and(|first| first.value == line.value && first.params == line.params)
    })
}

/// How often a property, or a component inside, stands in a component.
fn count(component: &Component, name: &str) -> usize {
    let inside = component.components.iter().filter(|inner| inner.is(name));
    component.all(name).count() + inside.count()
}
