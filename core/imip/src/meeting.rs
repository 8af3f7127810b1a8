//! What a person reads of a meeting: title, time, place, people, in words.

use crate::clock::{Voice, span};
use crate::language::{Phrases, fill};
use crate::mailbox::one_line;
use crate::recurrence::repeats;
use convoke_calendar::itip::{Owner, PartStat, summary};
use convoke_calendar::time::When;
use convoke_calendar::tree::{Calendar, Component, Property};
use convoke_calendar::zone::Zones;
use convoke_types::CalendarAddress;

/// The most guests that are shown.
const MAX_GUESTS: usize = 50;
/// The most further instances that are shown.
const MAX_INSTANCES: usize = 10;
/// The longest description that is shown, in characters.
const MAX_DESCRIPTION: usize = 4000;

/// One line of a mail: a label and a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub label: &'static str,
    pub value: String,
    /// What it was before, where that is known and another.
    pub was: Option<String>,
}

/// A meeting in words of one language.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Meeting {
    /// Never empty.
    pub title: String,
    pub when: Option<String>,
    pub repeats: Option<String>,
    pub place: Option<String>,
    pub organizer: Option<String>,
    pub guests: Option<String>,
    pub description: Option<String>,
    pub comment: Option<String>,
    pub instances: Option<String>,
    /// Of one instance of a series: when that was to be.
    pub only: Option<String>,
}

impl Meeting {
    /// The meeting of a message or an object; `None` if it holds none.
    pub(crate) fn of(calendar: &Calendar, voice: Voice) -> Option<Self> {
        let component = main(calendar)?;
        let zones = Zones::of(calendar, voice.timezone.clone());
        let owner = Owner {
            addresses: &[],
            name: None,
            timezone: voice.timezone.clone(),
        };
        let found = summary(calendar, &owner)?;
        let title = one_line(&found.title);
        let text = |name| component.get(name).map(Property::to_text);
        let place = text("LOCATION").map(|it| one_line(&it));
        Some(Self {
            title: if title.is_empty() {
                voice.phrases.no_title.to_owned()
            } else {
                title
            },
            when: found
                .start
                .as_ref()
                .map(|start| span(start, found.end.as_ref(), &zones, voice)),
            repeats: repeats(component, &zones, voice),
            place: place.filter(|it| !it.is_empty()),
            organizer: component.get("ORGANIZER").map(person),
            guests: guests(component, voice.phrases),
            description: text("DESCRIPTION").and_then(|it| paragraphs(&it)),
            comment: text("COMMENT").and_then(|it| paragraphs(&it)),
            instances: instances(calendar, component, &zones, voice),
            only: component
                .get("RECURRENCE-ID")
                .and_then(|id| When::of(id).ok())
                .map(|when| span(&when, None, &zones, voice)),
        })
    }

    /// What a mail shows, and what of it was another before.
    pub(crate) fn rows(&self, before: Option<&Self>, voice: Voice) -> Vec<Row> {
        let labels = &voice.phrases.labels;
        let mut rows = Vec::with_capacity(9);
        let mut row = |label, now: Option<&String>, was: Option<&String>, none: &str| {
            let changed = before.is_some() && now != was;
            let Some(value) = now.map(String::as_str).or(changed.then_some(none)) else {
                return;
            };
            rows.push(Row {
                label,
                value: value.to_owned(),
                was: changed.then(|| was.map_or(none, String::as_str).to_owned()),
            });
        };
        let was = |of: fn(&Self) -> Option<&String>| before.and_then(of);
        let is_retitled = before.is_some_and(|before| before.title != self.title);
        if is_retitled {
            row(
                labels.title,
                Some(&self.title),
                was(|it| Some(&it.title)),
                "",
            );
        }
        row(
            labels.when,
            self.when.as_ref(),
            was(|it| it.when.as_ref()),
            "–",
        );
        row(
            labels.repeats,
            self.repeats.as_ref(),
            was(|it| it.repeats.as_ref()),
            "–",
        );
        row(
            labels.place,
            self.place.as_ref(),
            was(|it| it.place.as_ref()),
            voice.phrases.no_place,
        );
        let unchanged = [
            (labels.instance, &self.instances),
            (labels.organizer, &self.organizer),
            (labels.guests, &self.guests),
            (labels.comment, &self.comment),
            (labels.description, &self.description),
        ];
        for (label, value) in unchanged {
            row(label, value.as_ref(), value.as_ref(), "");
        }
        rows
    }
}

/// The component that is spoken of: the whole, else the first instance.
pub(crate) fn main(calendar: &Calendar) -> Option<&Component> {
    let mut whole = calendar.main_components();
    whole
        .find(|it| it.get("RECURRENCE-ID").is_none())
        .or_else(|| calendar.main_components().next())
}

/// What people call an attendee or organizer.
pub(crate) fn person(line: &Property) -> String {
    let name = line.param("CN").map(one_line);
    name.filter(|name| !name.is_empty()).unwrap_or_else(|| {
        let address = CalendarAddress::new(&line.value);
        one_line(address.as_ref().map_or(&line.value, |it| it.human()))
    })
}

fn guests(component: &Component, phrases: &Phrases) -> Option<String> {
    let count = component.all("ATTENDEE").count();
    if count == 0 {
        return None;
    }
    let shown = component.all("ATTENDEE").take(MAX_GUESTS).map(|line| {
        let mark = match PartStat::parse(line.param("PARTSTAT").unwrap_or_default()) {
            PartStat::Accepted => " ✓",
            PartStat::Declined => " ✗",
            PartStat::Tentative => " ?",
            _ => "",
        };
        person(line) + mark
    });
    let mut names: Vec<String> = shown.collect();
    if count > MAX_GUESTS {
        let more = (count - MAX_GUESTS).to_string();
        names.push(fill(phrases.and_more, &[("n", &more)]));
    }
    Some(names.join(", "))
}

/// When the other instances of a message are.
fn instances(calendar: &Calendar, main: &Component, zones: &Zones, voice: Voice) -> Option<String> {
    let others = || {
        calendar
            .main_components()
            .filter(|it| !std::ptr::eq(*it, main))
    };
    let count = others().count();
    let shown = others().take(MAX_INSTANCES).filter_map(|component| {
        let start = When::of(component.get("DTSTART")?).ok()?;
        let end = component.get("DTEND").and_then(|end| When::of(end).ok());
        Some(span(&start, end.as_ref(), zones, voice))
    });
    let mut shown: Vec<String> = shown.collect();
    if count > MAX_INSTANCES {
        let more = (count - MAX_INSTANCES).to_string();
        shown.push(fill(voice.phrases.and_more, &[("n", &more)]));
    }
    (!shown.is_empty()).then(|| shown.join("\n"))
}

/// A text of several lines without controls, not longer than is shown.
pub(crate) fn paragraphs(text: &str) -> Option<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut length = 0;
    for line in text.trim().lines() {
        let line: String = line
            .chars()
            .map(|c| if c == '\t' { ' ' } else { c })
            .filter(|c| !c.is_control())
            .collect();
        length += line.chars().count() + 1;
        if length > MAX_DESCRIPTION {
            let room = line
                .chars()
                .count()
                .saturating_sub(length - MAX_DESCRIPTION);
            let start: String = line.chars().take(room).collect();
            lines.push(start + "…");
            break;
        }
        lines.push(line);
    }
    let text = lines.join("\n");
    (!text.trim().is_empty()).then_some(text)
}
