//! Adding the VTIMEZONE of each TZID to an outgoing message (RFC 5546 §3.2.2).

use super::{
    Meaning, Zones,
    span::used,
    table::{named, rename},
    tzid::{key, name_of},
    vtimezone::vtimezone,
};
use crate::tree::Component;
use jiff::tz::TimeZone;
use std::collections::HashMap;

/// The VTIMEZONEs that components need, one for each zone that their times are in: as `zones` describe it, else made of
/// what is known by its name. A TZID that is not written as the VTIMEZONE has it becomes so, as others may compare
/// letter by letter. A zone that nobody knows is described as `unknown`, or has no VTIMEZONE.
pub(crate) fn self_contained(
    components: &mut [Component],
    zones: &Zones,
    unknown: Option<&TimeZone>,
) -> Vec<Component> {
    let mut names = HashMap::new();
    let mut written: Vec<Component> = Vec::new();
    let mut described: Vec<&Component> = Vec::new();
    for (id, span) in used(&*components) {
        let meaning = match (zones.meaning(id), unknown) {
            (Ok(Meaning::Unknown), Some(zone)) => Ok(Meaning::Named(zone.clone())),
            (meaning, _) => meaning,
        };
        let name = match meaning {
            Ok(Meaning::Described(component, _)) => {
                let name = name_of(component).into_owned();
                if !described.iter().any(|it| std::ptr::eq(*it, component)) {
                    described.push(component);
                    written.push(named(component, &name));
                }
                name
            }
            Ok(Meaning::Named(zone)) => {
                let name = id.trim().to_owned();
                let Some(span) = span else { continue };
                written.push(vtimezone(&name, &zone, span.begin(), span.end()));
                name
            }
            Ok(Meaning::Unknown) | Err(_) => continue,
        };
        if name != id {
            names.insert(id.to_owned(), name);
        }
    }
    for component in components {
        rename(component, &names);
    }
    written
}

/// A calendar's components with the VTIMEZONEs that its times need, as [`self_contained`] makes them.
pub(crate) fn complete(components: &mut Vec<Component>, zones: &Zones, unknown: Option<&TimeZone>) {
    let written = self_contained(components, zones, unknown);
    let is_there = |zone: &Component| components.contains(zone);
    if written.iter().all(is_there) {
        return;
    }
    let keys: Vec<String> = written.iter().map(|zone| key(&name_of(zone))).collect();
    components.retain(|it| !it.is("VTIMEZONE") || !keys.contains(&key(&name_of(it))));
    components.splice(0..0, written);
}
