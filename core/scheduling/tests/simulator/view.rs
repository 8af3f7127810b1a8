//! What an object says to a person: which of its instances take place with them, when, where, and with whom.

use convoke_calendar::tree::{Calendar, Component, Limits, Property};
use jiff::{SignedDuration, Timestamp, civil::DateTime, tz::TimeZone};
use std::collections::{BTreeMap, BTreeSet};

pub(crate) fn parse(data: &[u8]) -> Calendar {
    Calendar::parse_stored(data, &Limits::default()).expect("programs and hosts write iCalendar")
}

/// An instance as a person sees it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Instance {
    pub(crate) start: Option<Timestamp>,
    pub(crate) title: String,
    pub(crate) place: String,
    pub(crate) guests: BTreeSet<String>,
    /// How the person has answered; nothing, if it is not on the list.
    pub(crate) answer: Option<String>,
}

/// What takes place, by its start before anything moved it; what does not repeat, by nothing.
pub(crate) type View = BTreeMap<Option<Timestamp>, Instance>;

/// What an object says to `who`.
pub(crate) fn view(calendar: &Calendar, who: &str) -> View {
    let mut view = View::new();
    let events = || calendar.main_components().filter(|it| it.is("VEVENT"));
    let master = events().find(|it| it.get("RECURRENCE-ID").is_none());
    if let Some(master) = master.filter(|it| !is_cancelled(it)) {
        for (original, start) in occurrences(master) {
            view.insert(original, instance(master, start, who));
        }
    }
    for event in events() {
        let Some(id) = event.get("RECURRENCE-ID") else {
            continue;
        };
        let key = instant(id);
        if is_cancelled(event) {
            view.remove(&key);
        } else {
            let start = event.get("DTSTART").and_then(instant);
            view.insert(key, instance(event, start, who));
        }
    }
    view
}

type Occurrence = (Option<Timestamp>, Option<Timestamp>);

fn occurrences(master: &Component) -> Vec<Occurrence> {
    let start = master.get("DTSTART").and_then(instant);
    let (Some(rule), Some(first)) = (master.value("RRULE"), start) else {
        return vec![(None, start)];
    };
    let count = rule.split(';').find_map(|part| part.strip_prefix("COUNT="));
    let count: i64 = count.and_then(|it| it.parse().ok()).unwrap_or(0);
    let days = (0..count).map(|day| first + SignedDuration::from_hours(24 * day));
    let dates = master.all("RDATE").flat_map(instants);
    let left_out: BTreeSet<Timestamp> = master.all("EXDATE").flat_map(instants).collect();
    let all = days.chain(dates).filter(|at| !left_out.contains(at));
    all.map(|at| (Some(at), Some(at))).collect()
}

fn instance(event: &Component, start: Option<Timestamp>, who: &str) -> Instance {
    let text = |name| event.get(name).map(Property::to_text).unwrap_or_default();
    let mut lines = event.all("ATTENDEE");
    let own = lines.find(|line| bare(&line.value) == who);
    Instance {
        start,
        title: text("SUMMARY"),
        place: text("LOCATION"),
        guests: guests(event),
        answer: own.map(|line| line.param("PARTSTAT").unwrap_or("NEEDS-ACTION").to_owned()),
    }
}

/// Who is invited, but the organizer.
pub(crate) fn guests(event: &Component) -> BTreeSet<String> {
    let organizer = event.value("ORGANIZER").map(bare);
    let lines = event.all("ATTENDEE").map(|line| bare(&line.value));
    lines.filter(|it| Some(it) != organizer.as_ref()).collect()
}

pub(crate) fn bare(address: &str) -> String {
    let lower = address.to_ascii_lowercase();
    lower.strip_prefix("mailto:").unwrap_or(&lower).to_owned()
}

fn is_cancelled(event: &Component) -> bool {
    event
        .value("STATUS")
        .is_some_and(|it| it.eq_ignore_ascii_case("CANCELLED"))
}

/// The time that a line says, on the clock of Berlin in winter if it names a zone.
pub(crate) fn instant(line: &Property) -> Option<Timestamp> {
    instants(line).into_iter().next()
}

fn instants(line: &Property) -> Vec<Timestamp> {
    let ahead = SignedDuration::from_hours(line.param("TZID").map_or(0, |_| 1));
    let times = line.value.split(',').filter_map(|it| {
        let wall = DateTime::strptime("%Y%m%dT%H%M%S", it.trim_end_matches('Z')).ok()?;
        let at = TimeZone::UTC.to_timestamp(wall).ok()?;
        Some(at - ahead)
    });
    times.collect()
}
