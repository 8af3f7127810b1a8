//! Which properties a request wants of what it finds, and why a request is not understood.

use crate::{
    filter::{FilterError, time_range},
    xml::{CALDAV, DAV, Element, Name},
};
use convoke_types::TimeRange;

/// Properties of one request, at most.
pub const MAX_PROPERTIES: usize = 200;

/// A request that cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Another root element than the method's.
    #[error("the root element is `{0}`, which is not this request")]
    Root(Name),
    /// A report that is not known.
    #[error("there is no report `{0}`")]
    UnknownReport(Name),
    /// Something is missing, or is not what it should be.
    #[error("{0}")]
    Invalid(&'static str),
    /// More of something than is taken.
    #[error("there are more than {0} {1}")]
    TooMany(usize, &'static str),
    /// The filter is wrong.
    #[error(transparent)]
    Filter(#[from] FilterError),
}

/// Which properties are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Properties {
    /// Their names.
    Names,
    /// Those that a client usually wants, and these.
    All(Vec<Name>),
    /// These.
    Some(Wanted),
}

/// Properties by name, and how calendar objects are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Their names, each once.
    pub names: Vec<Name>,
    /// Series are wanted as their instances in this range (RFC 4791 §9.6.5).
    pub expand: Option<TimeRange>,
}

pub(crate) fn properties(root: &Element) -> Result<Option<Properties>, RequestError> {
    if let Some(prop) = root.child(DAV, "prop") {
        return wanted(prop).map(Properties::Some).map(Some);
    }
    if root.child(DAV, "allprop").is_some() {
        let include = root.child(DAV, "include");
        let include = include.map(wanted).transpose()?.unwrap_or_default();
        return Ok(Some(Properties::All(include.names)));
    }
    Ok(root.child(DAV, "propname").map(|_| Properties::Names))
}

fn wanted(prop: &Element) -> Result<Wanted, RequestError> {
    let mut wanted = Wanted::default();
    for child in &prop.children {
        if wanted.names.contains(&child.name) {
            continue;
        }
        if wanted.names.len() == MAX_PROPERTIES {
            return Err(RequestError::TooMany(MAX_PROPERTIES, "properties"));
        }
        if child.is(CALDAV, "calendar-data")
            && let Some(expand) = child.child(CALDAV, "expand")
        {
            wanted.expand = Some(both_ends(expand)?);
        }
        wanted.names.push(child.name.clone());
    }
    Ok(wanted)
}

/// A range of which start and end must be given.
pub(crate) fn both_ends(element: &Element) -> Result<TimeRange, RequestError> {
    if element.attribute("start").is_none() || element.attribute("end").is_none() {
        return Err(RequestError::Invalid(
            "this time range needs both start and end",
        ));
    }
    Ok(time_range(element)?)
}

/// Without any, a report wants nothing of its resources but where they are.
pub(crate) fn reported(root: &Element) -> Result<Properties, RequestError> {
    let none = || Properties::Some(Wanted::default());
    Ok(properties(root)?.unwrap_or_else(none))
}
