//! The properties of each resource.

use super::{
    schedule,
    session::{Missing, Place, Session},
};
use convoke_caldav::{
    multistatus::{About, Answer},
    path::Resource,
    request::Properties,
    xml::{CALDAV, CALENDARSERVER, DAV, Element, Name},
};
use convoke_types::UserKind;

/// What a property is asked of, with what was read for it.
pub(super) struct Subject<'s> {
    pub(super) resource: Resource,
    /// Where the changes of the calendar or the inbox end, if it is one and somebody asked for that.
    pub(super) sync_token: Option<String>,
    /// What programs have set.
    pub(super) dead: &'s [Element],
    pub(super) object: Option<Object<'s>>,
}

/// An object, as far as it was read.
pub(super) struct Object<'s> {
    /// The entity tag.
    pub(super) tag: String,
    /// The schedule tag, if it has one and somebody asked for that.
    pub(super) schedule_tag: Option<String>,
    /// The component, in upper case, if it is known.
    pub(super) component: Option<&'s str>,
    /// The octets, as they are wanted; read only if they are.
    pub(super) data: Option<String>,
    /// Their length, if they were read.
    pub(super) length: Option<usize>,
}

const RESOURCETYPE: Name = Name::new(DAV, "resourcetype");
pub(super) const DISPLAYNAME: Name = Name::new(DAV, "displayname");
const CURRENT_PRINCIPAL: Name = Name::new(DAV, "current-user-principal");
const OWNER: Name = Name::new(DAV, "owner");
const PRIVILEGES: Name = Name::new(DAV, "current-user-privilege-set");
const REPORTS: Name = Name::new(DAV, "supported-report-set");
const PRINCIPAL_URL: Name = Name::new(DAV, "principal-URL");
const PRINCIPALS: Name = Name::new(DAV, "principal-collection-set");
const SYNC_TOKEN: Name = Name::new(DAV, "sync-token");
const ETAG: Name = Name::new(DAV, "getetag");
const CONTENT_TYPE: Name = Name::new(DAV, "getcontenttype");
const CONTENT_LENGTH: Name = Name::new(DAV, "getcontentlength");
const CTAG: Name = Name::new(CALENDARSERVER, "getctag");
pub(super) const HOME_SET: Name = Name::new(CALDAV, "calendar-home-set");
pub(super) const ADDRESSES: Name = Name::new(CALDAV, "calendar-user-address-set");
pub(super) const USER_TYPE: Name = Name::new(CALDAV, "calendar-user-type");
const COMPONENTS: Name = Name::new(CALDAV, "supported-calendar-component-set");
const DATA_TYPES: Name = Name::new(CALDAV, "supported-calendar-data");
const COLLATIONS: Name = Name::new(CALDAV, "supported-collation-set");
pub(super) const MAX_SIZE: Name = Name::new(CALDAV, "max-resource-size");
pub(super) const MAX_ATTENDEES: Name = Name::new(CALDAV, "max-attendees-per-instance");
const INBOX_URL: Name = Name::new(CALDAV, "schedule-inbox-URL");
const OUTBOX_URL: Name = Name::new(CALDAV, "schedule-outbox-URL");
const DEFAULT_CALENDAR: Name = Name::new(CALDAV, "schedule-default-calendar-URL");
const TRANSPARENCY: Name = Name::new(CALDAV, "schedule-calendar-transp");
const SCHEDULE_TAG: Name = Name::new(CALDAV, "schedule-tag");
/// The octets of an object.
pub(super) const DATA: Name = Name::new(CALDAV, "calendar-data");

/// The components that the calendar takes.
pub(super) const TAKEN: [&str; 2] = ["VEVENT", "VTODO"];

/// The properties that a kind of resource may have: those that are given to who asks for all (RFC 4918 §9.1), and the others.
type Names = (&'static [Name], &'static [Name]);

static OF_COLLECTIONS: Names = (
    &[RESOURCETYPE, DISPLAYNAME],
    &[CURRENT_PRINCIPAL, OWNER, PRIVILEGES, PRINCIPALS, REPORTS],
);
static OF_PRINCIPALS: Names = (
    &[RESOURCETYPE, DISPLAYNAME],
    &[
        CURRENT_PRINCIPAL,
        PRINCIPAL_URL,
        PRINCIPALS,
        HOME_SET,
        ADDRESSES,
        USER_TYPE,
        INBOX_URL,
        OUTBOX_URL,
        REPORTS,
    ],
);
static OF_INBOXES: Names = (
    &[RESOURCETYPE, DISPLAYNAME],
    &[
        CURRENT_PRINCIPAL,
        OWNER,
        PRIVILEGES,
        PRINCIPALS,
        REPORTS,
        CTAG,
        DEFAULT_CALENDAR,
    ],
);
static OF_OUTBOXES: Names = (
    &[RESOURCETYPE, DISPLAYNAME],
    &[
        CURRENT_PRINCIPAL,
        OWNER,
        PRIVILEGES,
        PRINCIPALS,
        REPORTS,
        DATA_TYPES,
        MAX_SIZE,
    ],
);
static OF_CALENDARS: Names = (
    &[RESOURCETYPE, DISPLAYNAME],
    &[
        CURRENT_PRINCIPAL,
        OWNER,
        PRIVILEGES,
        PRINCIPALS,
        REPORTS,
        SYNC_TOKEN,
        CTAG,
        COMPONENTS,
        DATA_TYPES,
        COLLATIONS,
        MAX_SIZE,
        MAX_ATTENDEES,
        TRANSPARENCY,
    ],
);
static OF_OBJECTS: Names = (
    &[RESOURCETYPE, ETAG, CONTENT_TYPE, CONTENT_LENGTH],
    &[CURRENT_PRINCIPAL, OWNER, PRIVILEGES, SCHEDULE_TAG, DATA],
);

static OF_MESSAGES: Names = (
    &[RESOURCETYPE, ETAG, CONTENT_TYPE, CONTENT_LENGTH],
    &[CURRENT_PRINCIPAL, OWNER, PRIVILEGES, DATA],
);

fn names(resource: &Resource) -> Names {
    match resource {
        Resource::Root | Resource::WellKnown | Resource::Principals | Resource::Home(_) => {
            OF_COLLECTIONS
        }
        Resource::Principal(_) => OF_PRINCIPALS,
        Resource::Calendar(_) => OF_CALENDARS,
        Resource::Inbox(_) => OF_INBOXES,
        Resource::Outbox(_) => OF_OUTBOXES,
        Resource::Object(..) => OF_OBJECTS,
        Resource::Message(..) => OF_MESSAGES,
    }
}

/// Whether somebody asks where the calendar's changes end.
pub(super) fn want_cursor(properties: &Properties) -> bool {
    want(properties, &SYNC_TOKEN) || want(properties, &CTAG)
}

/// Whether a property is asked for by its name.
fn want(properties: &Properties, name: &Name) -> bool {
    match properties {
        Properties::Some(wanted) => wanted.names.contains(name),
        Properties::All(more) => more.contains(name),
        Properties::Names => false,
    }
}

/// Whether the octets of objects are needed.
pub(super) fn want_octets(properties: &Properties) -> bool {
    want(properties, &DATA)
}

/// Whether their length is.
pub(super) fn want_length(properties: &Properties) -> bool {
    matches!(properties, Properties::All(_)) || want(properties, &CONTENT_LENGTH)
}

/// Whether the schedule tags of objects are needed.
pub(super) fn want_schedule_tag(properties: &Properties) -> bool {
    want(properties, &SCHEDULE_TAG)
}

/// What is told of a resource.
pub(super) fn answer(session: &Session<'_>, subject: &Subject<'_>, asked: &Properties) -> Answer {
    let (usual, others) = names(&subject.resource);
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    match asked {
        Properties::Names => {
            let all = usual.iter().chain(others);
            let all = all.filter(|it| is_ours_to_say(session, it)).cloned();
            found.extend(all.map(Element::new));
            let set = subject.dead.iter().map(|it| it.name.clone());
            let set = set.filter(|name| !usual.contains(name));
            found.extend(set.map(Element::new));
        }
        Properties::All(more) => {
            let set = subject.dead.iter().map(|it| &it.name);
            let set = set.filter(|name| !usual.contains(name));
            let all = usual.iter().chain(set).chain(more);
            found.extend(all.filter_map(|name| value(session, subject, name)));
        }
        Properties::Some(wanted) => {
            for name in &wanted.names {
                match value(session, subject, name) {
                    Some(property) => found.push(property),
                    None if session.missing == Missing::LeftOut => {}
                    None => missing.push((name.clone(), 404)),
                }
            }
        }
    }
    Answer {
        href: session.path(&subject.resource),
        about: About::Properties { found, missing },
    }
}

/// Whether a property of the calendar is ours to say, and no program's to set.
pub(super) fn is_protected(name: &Name) -> bool {
    let (usual, others) = OF_CALENDARS;
    let mut ours = usual
        .iter()
        .chain(others)
        .chain(OF_OBJECTS.0)
        .chain(OF_OBJECTS.1);
    *name != DISPLAYNAME && ours.any(|it| it == name)
}

/// The value of a property that a resource has.
pub(super) fn value(session: &Session<'_>, subject: &Subject<'_>, name: &Name) -> Option<Element> {
    if let Some(set) = subject.dead.iter().find(|it| it.name == *name) {
        return Some(set.clone());
    }
    let (usual, others) = names(&subject.resource);
    let has = |it: &&Name| *it == name && is_ours_to_say(session, it);
    let name = usual.iter().chain(others).find(has)?;
    let property = Element::new(name.clone());
    let href = |of: fn(String) -> Resource| Element::href(session.path(&of(session.owner())));
    let principal = || match &session.place {
        Place::Beside {
            principal: Some(principal),
            ..
        } => Element::href(principal),
        _ => href(Resource::Principal),
    };
    Some(match &*name.local {
        "resourcetype" => resource_type(property, &subject.resource),
        "displayname" => property.with_text(display_name(session, &subject.resource)),
        "current-user-principal" | "owner" | "principal-URL" => property.with(principal()),
        "principal-collection-set" => property.with(Element::href("/principals/")),
        "current-user-privilege-set" => privileges(property, &subject.resource),
        "supported-report-set" => reports(session, property, &subject.resource),
        "calendar-home-set" => property.with(href(Resource::Home)),
        "schedule-inbox-URL" => property.with(href(Resource::Inbox)),
        "schedule-outbox-URL" => property.with(href(Resource::Outbox)),
        "schedule-default-calendar-URL" => property.with(href(Resource::Calendar)),
        // RFC 6638 §9.1: what is in it counts as busy time.
        "schedule-calendar-transp" => property.with(Element::caldav("opaque")),
        "calendar-user-address-set" => addresses(session, property),
        "calendar-user-type" => property.with_text(user_type(session.user().kind)),
        "sync-token" | "getctag" => property.with_text(subject.sync_token.as_ref()?),
        "supported-calendar-component-set" => TAKEN.iter().fold(property, |property, kind| {
            property.with(Element::caldav("comp").with_attribute("name", *kind))
        }),
        "supported-calendar-data" => property.with(
            Element::caldav("calendar-data")
                .with_attribute("content-type", "text/calendar")
                .with_attribute("version", "2.0"),
        ),
        "supported-collation-set" => ["i;ascii-casemap", "i;octet"]
            .iter()
            .fold(property, |property, name| {
                property.with(Element::caldav("supported-collation").with_text(*name))
            }),
        "max-resource-size" => {
            let most = session.instance.config.limits.messages.content_length;
            property.with_text(most.to_string())
        }
        // Where nobody is told, everybody may be on it.
        "max-attendees-per-instance" if !schedule::is_on(session) => return None,
        "max-attendees-per-instance" => {
            property.with_text(session.instance.config.limits.recipients.to_string())
        }
        _ => return object_value(property, subject.object.as_ref()?),
    })
}

/// Whether a property is said by us: beside a server that has principals and calendars, it says what is about those.
fn is_ours_to_say(session: &Session<'_>, name: &Name) -> bool {
    match &session.place {
        Place::Root => true,
        Place::Beside { principal, .. } => {
            let is_principal = [&OWNER, &CURRENT_PRINCIPAL].contains(&name);
            let is_theirs = [&PRINCIPALS, &DEFAULT_CALENDAR].contains(&name);
            !is_theirs && (!is_principal || principal.is_some())
        }
    }
}

fn object_value(property: Element, object: &Object<'_>) -> Option<Element> {
    Some(match &*property.name.local {
        "getetag" => property.with_text(&object.tag),
        "getcontenttype" => property.with_text(match object.component {
            Some(component) => format!("text/calendar; charset=utf-8; component={component}"),
            None => "text/calendar; charset=utf-8".to_owned(),
        }),
        "getcontentlength" => property.with_text(object.length?.to_string()),
        "schedule-tag" => property.with_text(object.schedule_tag.as_ref()?),
        "calendar-data" => property.with_text(object.data.as_ref()?),
        _ => return None,
    })
}

fn resource_type(property: Element, resource: &Resource) -> Element {
    match resource {
        Resource::Object(..) | Resource::Message(..) => property,
        Resource::Principal(_) => property
            .with(Element::dav("collection"))
            .with(Element::dav("principal")),
        Resource::Calendar(_) => property
            .with(Element::dav("collection"))
            .with(Element::caldav("calendar")),
        Resource::Inbox(_) => property
            .with(Element::dav("collection"))
            .with(Element::caldav("schedule-inbox")),
        Resource::Outbox(_) => property
            .with(Element::dav("collection"))
            .with(Element::caldav("schedule-outbox")),
        Resource::Root | Resource::WellKnown | Resource::Principals | Resource::Home(_) => {
            property.with(Element::dav("collection"))
        }
    }
}

fn display_name(session: &Session<'_>, resource: &Resource) -> String {
    match resource {
        Resource::Root | Resource::WellKnown => "Convoke".to_owned(),
        Resource::Principals => "Principals".to_owned(),
        Resource::Inbox(_) => "Inbox".to_owned(),
        Resource::Outbox(_) => "Outbox".to_owned(),
        _ => {
            let name = session.user().name.clone();
            name.unwrap_or_else(|| session.owner())
        }
    }
}

/// RFC 3744 §5.4, RFC 6638 §6: what programs look at before they let somebody write.
fn privileges(property: Element, resource: &Resource) -> Element {
    let (granted, scheduling): (&[&'static str], &[&'static str]) = match resource {
        Resource::Calendar(_) | Resource::Object(..) => (
            &["read", "write", "write-content", "bind", "unbind"],
            &["read-free-busy"],
        ),
        Resource::Inbox(_) => (
            &["read", "unbind"],
            &[
                "schedule-deliver",
                "schedule-deliver-invite",
                "schedule-deliver-reply",
                "schedule-query-freebusy",
            ],
        ),
        Resource::Outbox(_) => (
            &["read"],
            &[
                "schedule-send",
                "schedule-send-invite",
                "schedule-send-reply",
                "schedule-send-freebusy",
            ],
        ),
        _ => (&["read"], &[]),
    };
    let granted = granted.iter().chain(&["read-current-user-privilege-set"]);
    let granted = granted.map(|name| Element::dav(name));
    let all = granted.chain(scheduling.iter().map(|name| Element::caldav(name)));
    all.fold(property, |property, name| {
        property.with(Element::dav("privilege").with(name))
    })
}

fn reports(session: &Session<'_>, property: Element, resource: &Resource) -> Element {
    let of_inboxes = ["calendar-query", "calendar-multiget"].map(Element::caldav);
    let mut all = match session.place {
        Place::Root => vec![Element::dav("principal-property-search")],
        Place::Beside { .. } => Vec::new(),
    };
    match resource {
        Resource::Calendar(_) => {
            all.extend(of_inboxes);
            all.push(Element::caldav("free-busy-query"));
            all.push(Element::dav("sync-collection"));
        }
        Resource::Inbox(_) => all.extend(of_inboxes),
        Resource::Principals => all.push(Element::dav("principal-search-property-set")),
        _ => {}
    }
    all.into_iter().fold(property, |property, report| {
        property.with(Element::dav("supported-report").with(Element::dav("report").with(report)))
    })
}

/// RFC 6638 §2.4.1: the main address first.
fn addresses(session: &Session<'_>, property: Element) -> Element {
    let user = session.user();
    let principal = Resource::Principal(session.owner()).to_string();
    let all = std::iter::once(&user.address).chain(&user.aliases);
    all.fold(property, |property, address| {
        property.with(Element::href(address.as_str()))
    })
    .with(Element::href(principal))
}

/// RFC 6638 §2.4.2.
pub(super) const fn user_type(kind: UserKind) -> &'static str {
    match kind {
        UserKind::Room => "ROOM",
        UserKind::Resource => "RESOURCE",
        _ => "INDIVIDUAL",
    }
}
