//! The bodies of PROPFIND, PROPPATCH and REPORT.
//!
//! Not done: which components and properties of an object are wanted (`C:comp`, `C:prop` in `C:calendar-data`; the whole
//! object is given), `C:limit-recurrence-set`, `C:limit-freebusy-set`, RFC 7809's `C:timezone-id`.

pub use crate::wanted::{MAX_PROPERTIES, Properties, RequestError, Wanted};

use crate::{
    filter::Filter,
    principal_search::PrincipalSearch,
    wanted::{both_ends, properties, reported},
    xml::{CALDAV, DAV, Element, Name},
};
use convoke_types::TimeRange;

/// Resources of one multiget, at most.
pub const MAX_HREFS: usize = 5000;
/// The body of a PROPFIND (RFC 4918 §9.1); `None`: it has none.
pub fn propfind(root: Option<&Element>) -> Result<Properties, RequestError> {
    let Some(root) = root else {
        return Ok(Properties::All(Vec::new()));
    };
    if !root.is(DAV, "propfind") {
        return Err(RequestError::Root(root.name.clone()));
    }
    properties(root)?.ok_or(RequestError::Invalid(
        "a propfind holds one of prop, allprop and propname",
    ))
}

/// One change of a property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PropertyUpdate {
    /// It is to have this value.
    Set(Element),
    /// It is to be gone.
    Remove(Name),
}

/// The body of a PROPPATCH (RFC 4918 §9.2): the changes in their order.
pub fn proppatch(root: &Element) -> Result<Vec<PropertyUpdate>, RequestError> {
    if !root.is(DAV, "propertyupdate") {
        return Err(RequestError::Root(root.name.clone()));
    }
    let mut updates = Vec::new();
    for change in &root.children {
        let props = change.children.iter().filter(|it| it.is(DAV, "prop"));
        for property in props.flat_map(|prop| &prop.children) {
            if change.is(DAV, "set") {
                updates.push(PropertyUpdate::Set(property.clone()));
            } else if change.is(DAV, "remove") {
                updates.push(PropertyUpdate::Remove(property.name.clone()));
            }
            if updates.len() > MAX_PROPERTIES {
                return Err(RequestError::TooMany(MAX_PROPERTIES, "properties"));
            }
        }
    }
    if updates.is_empty() {
        return Err(RequestError::Invalid("a propertyupdate changes something"));
    }
    Ok(updates)
}

/// The body of a REPORT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// The objects that match (RFC 4791 §7.8).
    Query(Properties, Filter),
    /// These objects (RFC 4791 §7.9), by their paths as written.
    Multiget(Properties, Vec<String>),
    /// What changed (RFC 6578 §3.2).
    Sync(Sync),
    /// When its owner is busy (RFC 4791 §7.10).
    FreeBusy(TimeRange),
    /// Principals (RFC 3744 §9.4).
    Principals(PrincipalSearch),
    /// By which properties principals can be searched for (RFC 3744 §9.5).
    PrincipalProperties,
}

/// What changed since a token was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sync {
    /// Since when; `None`: since ever.
    pub token: Option<String>,
    /// Objects that the client takes at most.
    pub limit: Option<usize>,
    /// What is wanted of each.
    pub properties: Properties,
}

/// Reads the body of a REPORT.
pub fn report(root: &Element) -> Result<Report, RequestError> {
    if root.is(CALDAV, "calendar-query") {
        let filter = root.child(CALDAV, "filter");
        let filter = filter.ok_or(RequestError::Invalid("a calendar-query holds a filter"))?;
        return Ok(Report::Query(reported(root)?, Filter::read(filter)?));
    }
    if root.is(CALDAV, "calendar-multiget") {
        return multiget(root);
    }
    if root.is(DAV, "sync-collection") {
        return sync(root);
    }
    if root.is(CALDAV, "free-busy-query") {
        let range = root.child(CALDAV, "time-range");
        let range = range.ok_or(RequestError::Invalid(
            "a free-busy-query holds a time-range",
        ))?;
        return both_ends(range).map(Report::FreeBusy);
    }
    if root.is(DAV, "principal-property-search") {
        return PrincipalSearch::read(root).map(Report::Principals);
    }
    if root.is(DAV, "principal-search-property-set") {
        return Ok(Report::PrincipalProperties);
    }
    Err(RequestError::UnknownReport(root.name.clone()))
}

fn multiget(root: &Element) -> Result<Report, RequestError> {
    let hrefs = root.children.iter().filter(|it| it.is(DAV, "href"));
    let hrefs: Vec<String> = hrefs.map(|it| it.text.trim().to_owned()).collect();
    if hrefs.is_empty() {
        return Err(RequestError::Invalid("a calendar-multiget names an href"));
    }
    if hrefs.len() > MAX_HREFS {
        return Err(RequestError::TooMany(MAX_HREFS, "resources"));
    }
    Ok(Report::Multiget(reported(root)?, hrefs))
}

fn sync(root: &Element) -> Result<Report, RequestError> {
    let token = root.child(DAV, "sync-token");
    let token = token.ok_or(RequestError::Invalid(
        "a sync-collection holds a sync-token, which may be empty",
    ))?;
    // RFC 6578 §3.3: `infinite` is the same here, as a calendar has no collections in it.
    let level = root.child(DAV, "sync-level").map(|it| it.text.trim());
    if !matches!(level, Some("1" | "infinite") | None) {
        return Err(RequestError::Invalid("the sync-level is 1 or infinite"));
    }
    let limit = root.child(DAV, "limit");
    let limit = limit.and_then(|limit| limit.child(DAV, "nresults"));
    let limit = limit.map(|it| it.text.trim().parse()).transpose();
    Ok(Report::Sync(Sync {
        token: Some(token.text.trim().to_owned()).filter(|it| !it.is_empty()),
        limit: limit.map_err(|_| RequestError::Invalid("nresults is a number"))?,
        properties: reported(root)?,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::{LIMITS, parse};

    fn read(inner: &str) -> Element {
        let (name, rest) = inner[1..].split_at(inner[1..].find([' ', '/', '>']).unwrap());
        let text = format!("<{name} xmlns='DAV:' xmlns:C='{CALDAV}'{rest}");
        parse(text.as_bytes(), &LIMITS).unwrap()
    }

    #[test]
    fn propfinds_are_read() {
        let etag = Name::new(DAV, "getetag");
        let some = |names: Vec<Name>| {
            Properties::Some(Wanted {
                names,
                expand: None,
            })
        };
        for (text, expected) in [
            ("<propfind><propname/></propfind>", Properties::Names),
            (
                "<propfind><allprop/></propfind>",
                Properties::All(Vec::new()),
            ),
            (
                "<propfind><allprop/><include><getetag/></include></propfind>",
                Properties::All(vec![etag.clone()]),
            ),
            (
                "<propfind><prop><getetag/><getetag/></prop></propfind>",
                some(vec![etag]),
            ),
            ("<propfind><prop/></propfind>", some(Vec::new())),
        ] {
            assert_eq!(propfind(Some(&read(text))), Ok(expected), "{text}");
        }
        assert_eq!(propfind(None), Ok(Properties::All(Vec::new())));
        assert!(propfind(Some(&read("<propfind/>"))).is_err());
        assert!(propfind(Some(&read("<prop/>"))).is_err());
    }

    #[test]
    fn reports_are_read() {
        let sync = report(&read(
            "<sync-collection><sync-token> t </sync-token><sync-level>1</sync-level><limit><nresults>5</nresults></limit>\
             <prop/></sync-collection>",
        ));
        let Ok(Report::Sync(sync)) = sync else {
            panic!("{sync:?}");
        };
        assert_eq!((sync.token.as_deref(), sync.limit), (Some("t"), Some(5)));
        let multiget = report(&read(
            "<C:calendar-multiget><prop><C:calendar-data><C:expand start='20270101T000000Z' end='20270201T000000Z'/>\
             </C:calendar-data></prop><href>/a</href></C:calendar-multiget>",
        ));
        let Ok(Report::Multiget(Properties::Some(wanted), hrefs)) = multiget else {
            panic!("{multiget:?}");
        };
        assert!(wanted.expand.is_some() && hrefs == ["/a"]);
    }

    #[test]
    fn what_is_no_report_is_told_apart() {
        for text in [
            "<sync-collection><prop/></sync-collection>",
            "<sync-collection><sync-token/><sync-level>2</sync-level></sync-collection>",
            "<C:calendar-multiget><prop/></C:calendar-multiget>",
            "<C:calendar-query><prop/></C:calendar-query>",
            "<C:free-busy-query/>",
            "<C:free-busy-query><C:time-range start='20270101T000000Z'/></C:free-busy-query>",
        ] {
            let error = report(&read(text)).unwrap_err();
            assert!(matches!(error, RequestError::Invalid(_)), "{text}: {error}");
        }
        let unknown = report(&read("<version-tree/>"));
        assert!(matches!(unknown, Err(RequestError::UnknownReport(_))));
        let many = "<href>x</href>".repeat(MAX_HREFS + 1);
        let many = report(&read(&format!(
            "<C:calendar-multiget>{many}</C:calendar-multiget>"
        )));
        assert!(matches!(many, Err(RequestError::TooMany(..))));
    }

    #[test]
    fn changes_of_properties_are_read_in_their_order() {
        let updates = proppatch(&read(
            "<propertyupdate><set><prop><displayname>x</displayname></prop></set>\
             <remove><prop><C:calendar-timezone/></prop></remove></propertyupdate>",
        ));
        let expected = [
            PropertyUpdate::Set(Element::dav("displayname").with_text("x")),
            PropertyUpdate::Remove(Name::new(CALDAV, "calendar-timezone")),
        ];
        assert_eq!(updates.unwrap(), expected);
        assert!(proppatch(&read("<propertyupdate/>")).is_err());
    }
}
