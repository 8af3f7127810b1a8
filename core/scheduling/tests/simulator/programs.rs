//! What calendar programs make of objects.

use crate::{
    story::{Answer, Edit, Program, Response},
    view::{guests, instant},
};
use convoke_calendar::tree::{Calendar, Component, Property};
use jiff::{SignedDuration, Timestamp};

/// A new meeting.
pub(crate) struct Invitation<'a> {
    pub(crate) uid: &'a str,
    pub(crate) organizer: &'a str,
    pub(crate) guests: Vec<&'a str>,
    pub(crate) days: u32,
    pub(crate) zoned: bool,
    pub(crate) count: Option<u32>,
}

/// The first of all meetings, at ten o'clock on a Monday in a winter.
const FIRST: &str = "2027-01-04T10:00:00Z";

impl Invitation<'_> {
    /// As a program writes it.
    pub(crate) fn written_by(&self, program: Program, now: Timestamp) -> Calendar {
        let mut event = Component::new("VEVENT");
        event.push(Property::new("UID", self.uid));
        event.push(Property::new("DTSTAMP", utc(now)));
        let first: Timestamp = FIRST.parse().expect("it is a time");
        let start = first + SignedDuration::from_hours(24 * i64::from(self.days));
        event.push(time("DTSTART", start, self.zoned));
        event.push(Property::new("DURATION", "PT1H"));
        event.push(Property::new("SUMMARY", "Title"));
        if let Some(count) = self.count {
            event.push(Property::new("RRULE", format!("FREQ=DAILY;COUNT={count}")));
        }
        if program != Program::Khal {
            event.push(Property::new("ORGANIZER", mailto(self.organizer)));
        }
        if program == Program::Thunderbird {
            let own = Property::new("ATTENDEE", mailto(self.organizer));
            event.push(own.with("ROLE", "CHAIR").with("PARTSTAT", "ACCEPTED"));
        }
        for guest in &self.guests {
            event.push(attendee(program, guest));
        }
        let mut calendar = Calendar::new();
        let root = calendar.root_mut();
        root.push(Property::new("VERSION", "2.0"));
        root.push(Property::new("PRODID", format!("-//{program:?}//")));
        root.components.push(event);
        calendar
    }
}

fn attendee(program: Program, guest: &str) -> Property {
    let line = Property::new("ATTENDEE", mailto(guest));
    match program {
        Program::Khal => line,
        _ => line.with("PARTSTAT", "NEEDS-ACTION").with("RSVP", "TRUE"),
    }
}

fn mailto(address: &str) -> String {
    format!("mailto:{address}")
}

fn utc(at: Timestamp) -> String {
    at.strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// A time as UTC, or on the clock of Berlin in winter.
fn time(name: &str, at: Timestamp, zoned: bool) -> Property {
    if !zoned {
        return Property::new(name, utc(at));
    }
    let wall = at + SignedDuration::from_hours(1);
    let line = Property::new(name, wall.strftime("%Y%m%dT%H%M%S").to_string());
    line.with("TZID", "Europe/Berlin")
}

fn is_zoned(component: &Component) -> bool {
    let start = component.get("DTSTART");
    start.is_some_and(|line| line.param("TZID").is_some())
}

fn start(component: &Component) -> Option<Timestamp> {
    instant(component.get("DTSTART")?)
}

fn shift(component: &mut Component, minutes: i64) -> Option<()> {
    let start = start(component)? + SignedDuration::from_mins(minutes);
    let zoned = is_zoned(component);
    component.set(time("DTSTART", start, zoned));
    Some(())
}

fn master(calendar: &mut Calendar) -> Option<&mut Component> {
    let mut events = calendar.root_mut().components.iter_mut();
    events.find(|it| it.is("VEVENT") && it.get("RECURRENCE-ID").is_none())
}

fn events(calendar: &mut Calendar) -> impl Iterator<Item = &mut Component> {
    let components = calendar.root_mut().components.iter_mut();
    components.filter(|it| it.is("VEVENT"))
}

/// The start of an instance of a series as it was before anything moved it.
pub(crate) fn original(calendar: &mut Calendar, number: u32) -> Option<Property> {
    let master = master(calendar)?;
    let rule = master.value("RRULE")?;
    let count: u32 = rule.rsplit('=').next()?.parse().ok()?;
    let at = start(master)? + SignedDuration::from_hours(24 * i64::from(number % count));
    let zoned = is_zoned(master);
    let is_out = master.all("EXDATE").any(|line| instant(line) == Some(at));
    (!is_out).then(|| time("RECURRENCE-ID", at, zoned))
}

/// Changes one instance of a series, which is written out for that.
fn instance(
    calendar: &mut Calendar,
    number: u32,
    change: impl FnOnce(&mut Component) -> Option<()>,
) -> Option<()> {
    let id = original(calendar, number)?;
    let is_it = |it: &Component| it.get("RECURRENCE-ID").and_then(instant) == instant(&id);
    if !events(calendar).any(|it| is_it(it)) {
        let mut derived = master(calendar)?.clone();
        for name in ["RRULE", "RDATE", "EXDATE"] {
            derived.remove(name);
        }
        let mut start = id.clone();
        "DTSTART".clone_into(&mut start.name);
        derived.set(start);
        derived.push(id.clone());
        calendar.root_mut().components.push(derived);
    }
    change(events(calendar).find(|it| is_it(it))?)
}

fn cancel(component: &mut Component) {
    component.set(Property::new("STATUS", "CANCELLED"));
}

fn exclude(calendar: &mut Calendar, number: u32) -> Option<()> {
    let mut date = original(calendar, number)?;
    let at = instant(&date);
    let is_it = |it: &Component| it.get("RECURRENCE-ID").is_some_and(|id| instant(id) == at);
    calendar.root_mut().components.retain(|it| !is_it(it));
    "EXDATE".clone_into(&mut date.name);
    master(calendar)?.push(date);
    Some(())
}

/// Alarms and categories of one's own.
fn own(calendar: &mut Calendar, word: u32) -> Option<()> {
    let master = master(calendar)?;
    master.set(Property::new("CATEGORIES", format!("own{word}")));
    if word.is_multiple_of(2) {
        let mut alarm = Component::new("VALARM");
        alarm.push(Property::new("ACTION", "DISPLAY"));
        alarm.push(Property::new("DESCRIPTION", "private"));
        alarm.push(Property::new("TRIGGER", "-PT5M"));
        master.components.retain(|it| !it.is("VALARM"));
        master.components.push(alarm);
    }
    Some(())
}

/// The object after its organizer's edit; nothing, if it does not apply.
pub(crate) fn edit(
    before: &Calendar,
    edit: Edit,
    address: impl Fn(usize) -> String,
    program: Program,
    now: Timestamp,
) -> Option<Calendar> {
    let mut after = before.clone();
    let calendar = &mut after;
    match edit {
        Edit::Move(minutes) => {
            shift(master(calendar)?, minutes)?;
            for name in ["EXDATE", "RDATE"] {
                while master(calendar)?.remove(name) {}
            }
            // What was said about instances at other times does not hold.
            let components = &mut calendar.root_mut().components;
            components.retain(|it| it.get("RECURRENCE-ID").is_none());
        }
        Edit::Retitle(word) => set_text(master(calendar)?, "SUMMARY", word),
        Edit::Relocate(word) => set_text(master(calendar)?, "LOCATION", word),
        Edit::Invite(who) => {
            let who = address(who);
            let is_organizer = |it: &Component| it.value("ORGANIZER") == Some(&mailto(&who));
            for event in events(calendar) {
                if !guests(event).contains(&who) && !is_organizer(event) {
                    event.push(attendee(program, &who));
                }
            }
        }
        Edit::Uninvite(who) => {
            let who = mailto(&address(who));
            for event in events(calendar) {
                let is_it = |line: &Property| line.is("ATTENDEE") && line.value == who;
                event.properties.retain(|line| !is_it(line));
            }
        }
        Edit::Cancel => events(calendar).for_each(cancel),
        Edit::Exclude(number) => exclude(calendar, number)?,
        Edit::MoveInstance(number, minutes) => {
            instance(calendar, number, |it| shift(it, minutes))?;
        }
        Edit::RetitleInstance(number, word) => {
            instance(calendar, number, |it| {
                set_text(it, "SUMMARY", word);
                Some(())
            })?;
        }
        Edit::CancelInstance(number) => instance(calendar, number, |it| {
            cancel(it);
            Some(())
        })?,
        Edit::InviteToInstance(number, who) => {
            let who = address(who);
            instance(calendar, number, |it| {
                let is_on_it =
                    guests(it).contains(&who) || it.value("ORGANIZER") == Some(&mailto(&who));
                (!is_on_it).then(|| it.push(attendee(program, &who)))
            })?;
        }
        Edit::AddDate(number) => {
            let master = master(calendar)?;
            master.get("RRULE")?;
            let at = start(master)? + SignedDuration::from_hours(24 * 30 + 24 * i64::from(number));
            if master.all("RDATE").any(|line| instant(line) == Some(at)) {
                return None;
            }
            let date = time("RDATE", at, is_zoned(master));
            master.push(date);
        }
        Edit::Save => {}
        Edit::Own(word) => own(calendar, word)?,
    }
    let moved = matches!(
        edit,
        Edit::Move(_)
            | Edit::MoveInstance(..)
            | Edit::Exclude(_)
            | Edit::CancelInstance(_)
            | Edit::Cancel
            | Edit::AddDate(_)
    );
    save(program, calendar, moved, now);
    Some(after)
}

fn set_text(component: &mut Component, name: &str, word: u32) {
    component.set(Property::new(name, format!("{name} {word}")));
}

/// The object after an attendee's response; nothing, if it does not apply.
pub(crate) fn respond(
    before: &Calendar,
    response: Response,
    who: &str,
    program: Program,
    now: Timestamp,
) -> Option<Calendar> {
    let mut after = before.clone();
    let calendar = &mut after;
    let own_line = mailto(who);
    match response {
        Response::Answer(answer) => {
            let mut is_on_it = false;
            for event in events(calendar) {
                is_on_it |= say(event, &own_line, answer).is_some();
            }
            is_on_it.then_some(())?;
        }
        Response::AnswerInstance(number, answer) => {
            instance(calendar, number, |it| say(it, &own_line, answer))?;
        }
        Response::Exclude(number) => exclude(calendar, number)?,
        Response::Save => {}
        Response::Own(word) => own(calendar, word)?,
        Response::Refresh
        | Response::Delegate(_)
        | Response::DelegateInstance(..)
        | Response::Counter(_) => return None,
    }
    save(program, calendar, false, now);
    Some(after)
}

/// The object after an attendee has sent somebody else; nothing, if that does not apply.
pub(crate) fn delegate(
    before: &Calendar,
    who: &str,
    delegate: &str,
    program: Program,
    now: Timestamp,
) -> Option<Calendar> {
    let mut after = before.clone();
    let mut is_on_it = false;
    for event in events(&mut after) {
        is_on_it |= send(event, [who, delegate], program).is_some();
    }
    is_on_it.then_some(())?;
    save(program, &mut after, false, now);
    Some(after)
}

/// The same for one instance of a series.
pub(crate) fn delegate_instance(
    before: &Calendar,
    number: u32,
    from_to: [&str; 2],
    program: Program,
    now: Timestamp,
) -> Option<Calendar> {
    let mut after = before.clone();
    instance(&mut after, number, |event| send(event, from_to, program))?;
    save(program, &mut after, false, now);
    Some(after)
}

fn send(event: &mut Component, [who, delegate]: [&str; 2], program: Program) -> Option<()> {
    let [own_line, other] = [who, delegate].map(mailto);
    let mut lines = event.properties.iter_mut();
    let line = lines.find(|line| line.is("ATTENDEE") && line.value == own_line)?;
    line.set_param("PARTSTAT", "DELEGATED");
    line.set_param("DELEGATED-TO", &other);
    line.remove_param("RSVP");
    if !guests(event).contains(delegate) {
        let line = attendee(program, delegate);
        event.push(line.with("DELEGATED-FROM", &own_line));
    }
    Some(())
}

/// When a meeting begins, so many minutes later.
pub(crate) fn later(object: &Calendar, minutes: i64) -> Option<(Timestamp, Property)> {
    let mut events = object.main_components().filter(|it| it.is("VEVENT"));
    let master = events.find(|it| it.get("RECURRENCE-ID").is_none())?;
    let start = start(master)? + SignedDuration::from_mins(minutes);
    Some((start, time("DTSTART", start, is_zoned(master))))
}

fn say(event: &mut Component, own_line: &str, answer: Answer) -> Option<()> {
    if event.value("STATUS") == Some("CANCELLED") {
        return None;
    }
    let mut lines = event.properties.iter_mut();
    let line = lines.find(|line| line.is("ATTENDEE") && line.value == own_line)?;
    line.set_param("PARTSTAT", word(answer));
    line.remove_param("RSVP");
    Some(())
}

/// PARTSTAT.
pub(crate) fn word(answer: Answer) -> &'static str {
    match answer {
        Answer::Accepted => "ACCEPTED",
        Answer::Declined => "DECLINED",
        Answer::Tentative => "TENTATIVE",
        Answer::NeedsAction => "NEEDS-ACTION",
    }
}

/// What a program does to an object each time that it saves it.
fn save(program: Program, calendar: &mut Calendar, moved: bool, now: Timestamp) {
    for event in events(calendar) {
        let sequence: u64 = event
            .value("SEQUENCE")
            .and_then(|it| it.parse().ok())
            .unwrap_or(0);
        match program {
            Program::Khal => event.set(Property::new("SEQUENCE", (sequence + 1).to_string())),
            Program::Thunderbird => {
                event.set(Property::new("DTSTAMP", utc(now)));
                event.set(Property::new("LAST-MODIFIED", utc(now)));
                if moved {
                    event.set(Property::new("SEQUENCE", (sequence + 1).to_string()));
                }
            }
            Program::Forgetful => {
                event.remove("SEQUENCE");
                for line in &mut event.properties {
                    line.params
                        .retain(|param| KNOWN.contains(&param.name.as_str()));
                }
            }
        }
    }
}

/// The parameters that the forgetful program knows.
const KNOWN: [&str; 7] = [
    "PARTSTAT",
    "RSVP",
    "ROLE",
    "TZID",
    "CN",
    "DELEGATED-TO",
    "DELEGATED-FROM",
];
