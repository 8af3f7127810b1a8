//! A series as its instances (RFC 4791 §9.6.5): one component each, in UTC, without rules.

use convoke_calendar::{
    recurrence::{Instance, RecurrenceError, instances},
    time::When,
    tree::{Calendar, Component, Limits, Property},
};
use convoke_types::TimeRange;
use jiff::{Timestamp, tz::TimeZone};

/// Instances of one object, at most.
pub const MAX_INSTANCES: usize = 2000;
/// Octets of all instances of one object together, at most.
pub const MAX_OCTETS: usize = 4 << 20;
/// Steps that the recurrences of one object may take.
const WORK: usize = 200_000;

/// The instances of an object that overlap `range`; dates and floating times are in `own`. Times are in UTC, so there is no
/// VTIMEZONE. An object that does not recur is one instance of itself.
///
/// An error: they cannot be told, are more than [`MAX_INSTANCES`] or [`MAX_OCTETS`], or take too much work.
pub fn expand(
    calendar: &Calendar,
    range: TimeRange,
    own: &TimeZone,
) -> Result<Calendar, RecurrenceError> {
    let limits = Limits {
        work: WORK,
        ..Limits::default()
    };
    let main = calendar.main_components().next();
    let kind = main.map_or("VEVENT", |it| it.name.as_str());
    let mut found = instances(calendar, kind, own, range, &limits)?;
    if found.len() > MAX_INSTANCES {
        return Err(RecurrenceError::TooMany(MAX_INSTANCES));
    }
    // Each instance repeats all of its component.
    let lengths = calendar.main_components().map(|it| {
        let times = found
            .iter()
            .filter(|found| std::ptr::eq(found.component, it));
        times.count().saturating_mul(length(it))
    });
    if lengths.fold(0, usize::saturating_add) > MAX_OCTETS {
        return Err(RecurrenceError::TooMuchWork);
    }
    found.sort_by_key(|it| it.start);
    let recurs = calendar.main_components().any(is_recurring);
    let mut expanded = Calendar::new();
    let root = expanded.root_mut();
    root.properties.clone_from(&calendar.root().properties);
    root.components = (found.iter())
        .map(|it| component(it, recurs, own))
        .collect();
    Ok(expanded)
}

/// The octets of a component.
fn length(component: &Component) -> usize {
    let mut alone = Calendar::new();
    alone.root_mut().components.push(component.clone());
    alone.write().len()
}

fn is_recurring(component: &Component) -> bool {
    ["RRULE", "RDATE", "RECURRENCE-ID"]
        .iter()
        .any(|name| component.get(name).is_some())
}

fn component(instance: &Instance<'_>, recurs: bool, own: &TimeZone) -> Component {
    let mut component = instance.component.clone();
    for rule in ["RRULE", "RDATE", "EXDATE", "EXRULE"] {
        component.remove(rule);
    }
    let start = component.get("DTSTART").map(When::of);
    let is_date = matches!(start, Some(Ok(ref start)) if start.is_date());
    let time = |name: &str, at: Timestamp| {
        if is_date {
            let date = own.to_datetime(at).strftime("%Y%m%d").to_string();
            Property::new(name, date).with("VALUE", "DATE")
        } else {
            Property::new(name, at.strftime("%Y%m%dT%H%M%SZ").to_string())
        }
    };
    if start.is_some() {
        component.set(time("DTSTART", instance.start));
    }
    for end in ["DTEND", "DUE"] {
        if component.get(end).is_some() {
            component.set(time(end, instance.end));
        }
    }
    if recurs {
        component.set(time("RECURRENCE-ID", instance.id));
    }
    component
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(lines: &str, own: &str) -> Vec<String> {
        let text = format!("BEGIN:VCALENDAR\nVERSION:2.0\n{lines}END:VCALENDAR\n");
        let calendar = Calendar::parse(text.as_bytes(), &Limits::default()).unwrap();
        let range = TimeRange::new(
            "2027-01-10T00:00:00Z".parse().unwrap(),
            "2027-01-20T00:00:00Z".parse().unwrap(),
        );
        let own = TimeZone::get(own).unwrap();
        let expanded = expand(&calendar, range.unwrap(), &own).unwrap();
        let shown = |component: &Component| {
            let lines = ["RECURRENCE-ID", "DTSTART", "DTEND", "SUMMARY", "RRULE"];
            let values = lines.iter().map(|it| component.value(it).unwrap_or("-"));
            values.collect::<Vec<_>>().join(" ")
        };
        expanded.root().components.iter().map(shown).collect()
    }

    #[test]
    fn each_instance_stands_alone_in_utc() {
        let series = "BEGIN:VEVENT\nUID:1\nSUMMARY:a\nDTSTART;TZID=Europe/Berlin:20270104T100000\n\
            DTEND;TZID=Europe/Berlin:20270104T110000\nRRULE:FREQ=WEEKLY\nEND:VEVENT\n\
            BEGIN:VEVENT\nUID:1\nSUMMARY:b\nRECURRENCE-ID;TZID=Europe/Berlin:20270118T100000\n\
            DTSTART;TZID=Europe/Berlin:20270118T120000\nDTEND;TZID=Europe/Berlin:20270118T130000\nEND:VEVENT\n";
        let expected = [
            "20270111T090000Z 20270111T090000Z 20270111T100000Z a -",
            "20270118T090000Z 20270118T110000Z 20270118T120000Z b -",
        ];
        assert_eq!(expanded(series, "UTC"), expected);
    }

    #[test]
    fn days_stay_days_and_single_events_stay_single() {
        let days = "BEGIN:VEVENT\nUID:1\nSUMMARY:a\nDTSTART;VALUE=DATE:20270110\nDTEND;VALUE=DATE:20270112\n\
            RRULE:FREQ=WEEKLY;COUNT=1\nEND:VEVENT\n";
        let expected = ["20270110 20270110 20270112 a -"];
        assert_eq!(expanded(days, "America/New_York"), expected);
        let single = "BEGIN:VEVENT\nUID:1\nSUMMARY:a\nDTSTART:20270110T100000Z\nDTEND:20270110T110000Z\nEND:VEVENT\n";
        let expected = ["- 20270110T100000Z 20270110T110000Z a -"];
        assert_eq!(expanded(single, "UTC"), expected);
    }

    #[test]
    fn what_comes_too_often_is_an_error() {
        let text = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nDTSTART:20270104T100000Z\nRRULE:FREQ=MINUTELY\nEND:VEVENT\nEND:VCALENDAR\n";
        let calendar = Calendar::parse(text.as_bytes(), &Limits::default()).unwrap();
        assert!(expand(&calendar, TimeRange::ALL, &TimeZone::UTC).is_err());
    }

    #[test]
    fn what_is_long_and_comes_often_is_an_error() {
        for (octets, taken) in [(1_000, true), (100_000, false)] {
            let title = "x".repeat(octets);
            let text = format!(
                "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nDTSTART:20270104T100000Z\nRRULE:FREQ=DAILY;COUNT=100\nSUMMARY:{title}\n\
                 END:VEVENT\nEND:VCALENDAR\n"
            );
            let calendar = Calendar::parse(text.as_bytes(), &Limits::default()).unwrap();
            let expanded = expand(&calendar, TimeRange::ALL, &TimeZone::UTC);
            assert_eq!(expanded.is_ok(), taken, "{octets}");
        }
    }
}
