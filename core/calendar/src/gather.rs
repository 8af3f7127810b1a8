//! One object out of what stands of it in several places: a series here, an instance of it that was changed there.
//!
//! Of two versions of the same component the one with the greater SEQUENCE counts, else the one that was changed later
//! (LAST-MODIFIED), else the one that comes later. If nothing says which is newer and they differ in more than DTSTAMP,
//! they contradict each other, and the caller is told.

use crate::{
    instance::InstanceKey,
    stamp::utc,
    stream,
    tree::{self, Calendar, Component},
    zone::{ZoneTable, Zones, used},
};
use jiff::{Timestamp, tz::TimeZone};
use std::collections::{BTreeSet, HashMap, HashSet};

/// What stands of an object in one calendar.
#[derive(Clone, Debug)]
pub struct Part {
    /// The VCALENDAR, without other objects.
    pub frame: Component,
    /// The TZIDs that stand anywhere in it.
    pub zone_names: BTreeSet<String>,
    /// The components of the object, in their order.
    pub components: Vec<Component>,
}

/// An object out of its parts.
#[derive(Clone, Debug)]
pub struct Gathered {
    /// The object.
    pub calendar: Calendar,
    /// Which components contradict a later one that was taken, counted through all the parts.
    pub contradictions: Vec<usize>,
    /// Which components say something else than a newer version of them, and which one that is.
    pub superseded: Vec<(usize, usize)>,
}

impl From<Calendar> for Part {
    fn from(mut calendar: Calendar) -> Self {
        let zone_names = used(&calendar.root().components).into_keys();
        let zone_names = zone_names.map(str::to_owned).collect();
        let components = std::mem::take(&mut calendar.root_mut().components);
        let (components, others) = components.into_iter().partition(tree::is_object);
        calendar.root_mut().components = others;
        Self {
            frame: calendar.root().clone(),
            zone_names,
            components,
        }
    }
}

/// Whether a calendar holds nothing of an object but changed instances, so that the series must be somewhere else.
pub fn is_of_instances(calendar: &Calendar) -> bool {
    let mut components = calendar.main_components().peekable();
    components.peek().is_some() && components.all(|it| it.get("RECURRENCE-ID").is_some())
}

/// Puts changed instances into the object that they are of: each in the place of that instance, whichever is newer.
///
/// ```
/// use convoke_calendar::{gather::{is_of_instances, put_into}, tree::{Calendar, Limits}};
///
/// let read = |lines: &str| {
///     let text = format!("BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\n{lines}\nEND:VEVENT\nEND:VCALENDAR\n");
///     Calendar::parse(text.as_bytes(), &Limits::default())
/// };
/// let series = read("DTSTART:20270104T100000Z\nRRULE:FREQ=DAILY")?;
/// let moved = read("RECURRENCE-ID:20270105T100000Z\nDTSTART:20270105T120000Z")?;
/// assert!(is_of_instances(&moved) && !is_of_instances(&series));
/// assert_eq!(put_into(series, moved).main_components().count(), 2);
/// # Ok::<(), convoke_calendar::tree::ParseError>(())
/// ```
pub fn put_into(object: Calendar, instances: Calendar) -> Calendar {
    let object = Part::from(object);
    let mut instances = Part::from(instances);
    instances.frame.components.retain(|it| it.is("VTIMEZONE"));
    let of_object = object.components.len();
    let (mut calendar, mut components) = joined(vec![object, instances]);
    let zones = Zones::of(&calendar, TimeZone::UTC);
    let new = components.iter().filter(|(number, _)| *number >= of_object);
    let new: HashSet<Place> = new
        .filter_map(|(_, component)| Place::of(component, &zones))
        .collect();
    components.retain(|(number, component)| {
        let place = Place::of(component, &zones);
        *number >= of_object || place.is_none_or(|place| !new.contains(&place))
    });
    let components = components.into_iter().map(|(_, component)| component);
    calendar.root_mut().components.extend(components);
    calendar
}

/// What two versions of one component have in common: the kind, which instance it is, and whether of those to come too.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Place(String, Option<InstanceKey>, Option<String>);

impl Place {
    /// `None` of what belongs to no object.
    fn of(component: &Component, zones: &Zones) -> Option<Self> {
        component.uid_text()?;
        let id = component.get("RECURRENCE-ID");
        let range = id.and_then(|id| id.param("RANGE"));
        Some(Self(
            component.name.to_ascii_uppercase(),
            InstanceKey::of(component, zones),
            range.map(str::to_ascii_uppercase),
        ))
    }
}

/// Puts the parts of one object together, in the order of the input.
///
/// The object has the properties of the first calendar but METHOD, and the VTIMEZONEs that its components use.
///
/// ```
/// use convoke_calendar::{gather::{Part, gather}, tree::{Component, Property}};
///
/// let event = |lines: &[(&str, &str)]| {
///     let mut event = Component::new("VEVENT");
///     event.push(Property::new("UID", "1"));
///     lines.iter().for_each(|(name, value)| event.push(Property::new(*name, *value)));
///     event
/// };
/// let frame = Component::new("VCALENDAR");
/// let part = |event| Part { frame: frame.clone(), zone_names: [].into(), components: vec![event] };
/// let series = event(&[("DTSTART", "20270104T100000Z"), ("RRULE", "FREQ=DAILY")]);
/// let moved = event(&[("RECURRENCE-ID", "20270105T100000Z"), ("DTSTART", "20270105T120000Z")]);
/// let gathered = gather(vec![part(moved.clone()), part(series.clone()), part(series)]);
/// assert_eq!(gathered.calendar.root().components.len(), 2);
/// assert!(gathered.contradictions.is_empty());
///
/// let other = event(&[("RECURRENCE-ID", "20270105T100000Z"), ("DTSTART", "20270105T130000Z")]);
/// let gathered = gather(vec![part(moved), part(other.clone())]);
/// assert_eq!(gathered.calendar.root().components, [other]);
/// assert_eq!(gathered.contradictions, [0]);
/// ```
pub fn gather(parts: Vec<Part>) -> Gathered {
    let (mut calendar, mut components) = joined(parts);
    let (contradictions, superseded) = settle(&calendar, &mut components);
    let components = components.into_iter().map(|(_, component)| component);
    calendar.root_mut().components.extend(components);
    Gathered {
        calendar,
        contradictions,
        superseded,
    }
}

/// The calendar with its time zones, and what else is to stand in it, counted through all the parts.
fn joined(parts: Vec<Part>) -> (Calendar, Vec<(usize, Component)>) {
    let mut calendar = Calendar::new();
    let mut main: Vec<(usize, Component)> = Vec::new();
    let mut zones = ZoneTable::new();
    let (mut count, several) = (0, parts.len() > 1);
    for (number, part) in parts.into_iter().enumerate() {
        let of_object = part.components.len();
        let names = part.zone_names.iter().map(String::as_str);
        let mut whole = stream::object(&part.frame, names, part.components);
        let root = calendar.root_mut();
        if number == 0 {
            root.name.clone_from(&whole.name);
            root.properties.clone_from(&whole.properties);
            root.remove("METHOD");
        }
        let components = if several {
            // Zones of one name that differ stand side by side.
            zones.add(Calendar::of(whole))
        } else {
            std::mem::take(&mut whole.components)
        };
        let (zones, others): (Vec<_>, Vec<_>) =
            components.into_iter().partition(|it| it.is("VTIMEZONE"));
        root.components.extend(zones);
        // What belongs to no object stands behind what does, and is never among what contradicts.
        main.extend((count..).zip(others));
        count += of_object;
    }
    (calendar, main)
}

/// Leaves one version of each component; which of those that are dropped contradict the one that stays, and which are older
/// and say something else.
fn settle(
    calendar: &Calendar,
    components: &mut Vec<(usize, Component)>,
) -> (Vec<usize>, Vec<(usize, usize)>) {
    let zones = Zones::of(calendar, TimeZone::UTC);
    let mut stays: HashMap<Place, usize> = HashMap::new();
    let mut is_dropped = vec![false; components.len()];
    let mut contradictions = Vec::new();
    let mut superseded = Vec::new();
    for (at, (number, component)) in components.iter().enumerate() {
        let Some(place) = Place::of(component, &zones) else {
            continue;
        };
        let Some(before) = stays.insert(place.clone(), at) else {
            continue;
        };
        let (before_number, old) = &components[before];
        let [was, is] = [old, component].map(revision);
        let says_else = content(old) != content(component);
        let (dropped, taken) = if was > is {
            stays.insert(place, before);
            is_dropped[at] = true;
            (*number, *before_number)
        } else {
            is_dropped[before] = true;
            (*before_number, *number)
        };
        match (says_else, was == is) {
            (false, _) => {}
            (true, true) => contradictions.push(dropped),
            (true, false) => superseded.push((dropped, taken)),
        }
    }
    let mut dropped = is_dropped.into_iter();
    components.retain(|_| !dropped.next().unwrap_or_default());
    (contradictions, superseded)
}

fn revision(component: &Component) -> (u64, Option<Timestamp>) {
    let sequence = component.value("SEQUENCE");
    let sequence = sequence.and_then(|it| it.trim().parse().ok()).unwrap_or(0);
    (sequence, component.value("LAST-MODIFIED").and_then(utc))
}

/// What a component says, in an order of ours; when it was written is not part of it.
fn content(component: &Component) -> Vec<Vec<u8>> {
    let mut component = component.clone();
    component.remove("DTSTAMP");
    let parts = std::mem::take(&mut component.components);
    let mut content: Vec<Vec<u8>> = parts
        .iter()
        .map(|inner| self::content(inner).concat())
        .collect();
    let name = component.name.clone();
    let properties = std::mem::take(&mut component.properties);
    content.extend(properties.into_iter().map(|property| {
        let mut line = Component::new(name.as_str());
        line.push(property);
        line.write()
    }));
    content.sort_unstable();
    content
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Limits;

    /// What is taken of events with these lines, and which contradict.
    fn taken(events: &[&str]) -> (Vec<String>, Vec<usize>) {
        let parts = events.iter().map(|lines| {
            let lines = lines.replace('|', "\n");
            let text = format!(
                "BEGIN:VCALENDAR\nMETHOD:PUBLISH\nBEGIN:VEVENT\nUID:1\n{lines}\nEND:VEVENT\nEND:VCALENDAR\n"
            );
            let mut calendar = Calendar::parse(text.as_bytes(), &Limits::default()).unwrap();
            let components = std::mem::take(&mut calendar.root_mut().components);
            let frame = calendar.root().clone();
            let zone_names = BTreeSet::from(["Europe/Berlin".to_owned()]);
            Part { frame, zone_names, components }
        });
        let gathered = gather(parts.collect());
        assert!(gathered.calendar.root().properties.is_empty());
        let summaries = gathered.calendar.main_components();
        let summaries = summaries.map(|it| it.value("SUMMARY").unwrap_or_default().to_owned());
        (summaries.collect(), gathered.contradictions)
    }

    /// Of two zones of one name each component keeps its own.
    #[test]
    fn zones_of_one_name_stand_side_by_side() {
        let part = |offset: &str, line: &str| {
            let text = format!(
                "BEGIN:VCALENDAR\nBEGIN:VTIMEZONE\nTZID:Mine\nBEGIN:STANDARD\nDTSTART:19700101T000000\n\
                 TZOFFSETFROM:{offset}\nTZOFFSETTO:{offset}\nEND:STANDARD\nEND:VTIMEZONE\n\
                 BEGIN:VEVENT\nUID:1\nDTSTART;TZID=Mine:20270104T100000\n{line}\nEND:VEVENT\nEND:VCALENDAR\n"
            );
            let mut frame = Calendar::parse(text.as_bytes(), &Limits::default()).unwrap();
            let components = frame.root_mut().components.split_off(1);
            let frame = frame.root().clone();
            let zone_names = BTreeSet::from(["Mine".to_owned()]);
            Part {
                frame,
                zone_names,
                components,
            }
        };
        let series = part("+0100", "RRULE:FREQ=DAILY");
        let moved = part("-0500", "RECURRENCE-ID:20270105T090000Z");
        let Gathered { calendar, .. } = gather(vec![series.clone(), moved, series]);
        assert_eq!(calendar.zones().count(), 2);
        let zones = Zones::of(&calendar, TimeZone::UTC);
        let starts = calendar.main_components().map(|it| {
            let start = crate::time::When::of(it.get("DTSTART").unwrap()).unwrap();
            start.instant(&zones).unwrap().to_string()
        });
        let mut starts: Vec<_> = starts.collect();
        starts.sort();
        assert_eq!(starts, ["2027-01-04T09:00:00Z", "2027-01-04T15:00:00Z"]);
    }

    fn calendar(lines: &str) -> Calendar {
        let text = format!(
            "BEGIN:VCALENDAR\n{}\nEND:VCALENDAR\n",
            lines.replace('|', "\n")
        );
        Calendar::parse(text.as_bytes(), &Limits::default()).unwrap()
    }

    #[test]
    fn an_older_version_that_says_something_else_is_told() {
        let event =
            |lines: &str| calendar(&format!("BEGIN:VEVENT|UID:1|{lines}|END:VEVENT")).into();
        let instance = "RECURRENCE-ID:20270105T100000Z|SEQUENCE:";
        for (one, other, superseded) in [
            ("1|SUMMARY:a", "2|SUMMARY:b", vec![(0, 1)]),
            ("2|SUMMARY:a", "1|SUMMARY:b", vec![(1, 0)]),
            ("1|SUMMARY:a", "1|SUMMARY:a", vec![]),
            ("1|SUMMARY:a", "1|SUMMARY:b", vec![]),
        ] {
            let gathered = gather(
                [one, other]
                    .map(|it| event(&format!("{instance}{it}")))
                    .into(),
            );
            assert_eq!(gathered.superseded, superseded, "{one} {other}");
        }
    }

    /// An instance that is put into a series takes the place of that instance only.
    #[test]
    fn instances_are_put_into_the_object_that_they_are_of() {
        let zone = |offset: &str| {
            format!(
                "BEGIN:VTIMEZONE|TZID:Mine|BEGIN:STANDARD|DTSTART:19700101T000000|TZOFFSETFROM:{offset}|TZOFFSETTO:{offset}|\
                 END:STANDARD|END:VTIMEZONE"
            )
        };
        let object = calendar(&format!(
            "X-A:1|{}|BEGIN:X-NOTE|END:X-NOTE|BEGIN:VEVENT|UID:1|DTSTART;TZID=Mine:20270104T100000|RRULE:FREQ=DAILY|END:VEVENT|\
             BEGIN:VEVENT|UID:1|RECURRENCE-ID;TZID=Mine:20270105T100000|SEQUENCE:9|SUMMARY:old|END:VEVENT|\
             BEGIN:VEVENT|UID:1|RECURRENCE-ID;TZID=Mine:20270106T100000|SUMMARY:other|END:VEVENT",
            zone("+0100")
        ));
        let instance = calendar(&format!(
            "{}|BEGIN:VEVENT|UID:1|RECURRENCE-ID:20270105T090000Z|DTSTART;TZID=Mine:20270105T100000|SUMMARY:new|END:VEVENT",
            zone("-0500")
        ));
        assert!(is_of_instances(&instance) && !is_of_instances(&object));
        let put = put_into(object, instance);
        let summaries = put.main_components().map(|it| it.value("SUMMARY"));
        assert_eq!(
            summaries.collect::<Vec<_>>(),
            [None, Some("other"), Some("new")]
        );
        let new = put.main_components().last().unwrap();
        let start = crate::time::When::of(new.get("DTSTART").unwrap()).unwrap();
        let zones = Zones::of(&put, TimeZone::UTC);
        assert_eq!(
            start.instant(&zones).unwrap().to_string(),
            "2027-01-05T15:00:00Z"
        );
        assert_eq!(
            (put.root().value("X-A"), put.zones().count()),
            (Some("1"), 2)
        );
        assert!(!is_of_instances(&calendar("BEGIN:X-NOTE|END:X-NOTE")));
    }

    #[test]
    fn the_newer_version_counts_and_contradictions_are_told() {
        for (events, expected, contradict) in [
            (vec!["SUMMARY:a", "SUMMARY:a"], vec!["a"], vec![]),
            (
                vec![
                    "SUMMARY:a|DTSTAMP:20270101T000000Z",
                    "DTSTAMP:20270102T000000Z|SUMMARY:a",
                ],
                vec!["a"],
                vec![],
            ),
            (vec!["SUMMARY:a", "SUMMARY:b"], vec!["b"], vec![0]),
            (
                vec!["SUMMARY:a", "SUMMARY:b", "SUMMARY:c"],
                vec!["c"],
                vec![0, 1],
            ),
            (
                vec!["SUMMARY:a|SEQUENCE:2", "SUMMARY:b|SEQUENCE:1"],
                vec!["a"],
                vec![],
            ),
            (
                vec!["SUMMARY:a|SEQUENCE:1", "SUMMARY:b|SEQUENCE:2"],
                vec!["b"],
                vec![],
            ),
            (
                vec![
                    "SUMMARY:a|LAST-MODIFIED:20270102T000000Z",
                    "SUMMARY:b|LAST-MODIFIED:20270101T000000Z",
                ],
                vec!["a"],
                vec![],
            ),
            (
                vec![
                    "SUMMARY:a|LAST-MODIFIED:20270101T000000Z",
                    "SUMMARY:b|LAST-MODIFIED:20270101T000000Z",
                ],
                vec!["b"],
                vec![0],
            ),
            (
                vec![
                    "SUMMARY:a|RECURRENCE-ID;TZID=Europe/Berlin:20270104T100000",
                    "SUMMARY:b",
                    "SUMMARY:c|RECURRENCE-ID:20270104T090000Z",
                ],
                vec!["b", "c"],
                vec![0],
            ),
            (
                vec![
                    "SUMMARY:a|RECURRENCE-ID:20270104T090000Z",
                    "SUMMARY:b|RECURRENCE-ID:20270105T090000Z",
                ],
                vec!["a", "b"],
                vec![],
            ),
        ] {
            let (summaries, contradictions) = taken(&events);
            assert_eq!(
                (summaries, contradictions),
                (
                    expected.into_iter().map(str::to_owned).collect(),
                    contradict
                ),
                "{events:?}"
            );
        }
    }
}
