//! Whose word counts about who comes: an attendee's own, whatever a program wrote of somebody else.

use crate::schedule_tag::{ANSWERS, says_the_same};
use convoke_calendar::{
    itip::{COMMENT_FROM, Series},
    tree::{Calendar, Component, Param, Property},
};
use std::collections::{HashMap, HashSet};

const STATUS: &str = "SCHEDULE-STATUS";

/// An object that a program wrote from an older version, with the answers of others and the delivery statuses that came in since:
/// for a program that made sure of the schedule tag (RFC 6638 §3.2.10), or of such a version. Lines of `own` people stay as they
/// were written.
pub fn with_answers_of(
    written: &Calendar,
    stored: &Calendar,
    own: &dyn Fn(&Property) -> bool,
) -> Calendar {
    let mut written = with_answered_instances(written, stored, own);
    let mut known = HashMap::new();
    for component in stored.main_components() {
        known.entry(instance(component)).or_insert(component);
    }
    for component in &mut written.root_mut().components {
        // A time zone goes to everybody, and is the same as no event.
        if let Some(known) = known.get(&instance(component)) {
            keep_ours(component, known);
        }
    }
    with_others(&written, Some(stored), own, &|line, known| {
        let Some(known) = known.filter(|_| is_ours_to_schedule(line)) else {
            return;
        };
        for name in ANSWERS {
            copy_param(name, known, line);
        }
    })
}

/// Gives a line a parameter of another one, with all its values, where it has its own; or takes it away.
fn copy_param(name: &str, from: &Property, to: &mut Property) {
    let of_name = |it: &&Param| it.name.eq_ignore_ascii_case(name);
    let Some(param) = from.params.iter().find(of_name) else {
        to.remove_param(name);
        return;
    };
    match to.params.iter().position(|it| of_name(&it)) {
        Some(place) => to.params[place] = param.clone(),
        None => to.params.push(param.clone()),
    }
}

/// An object with the instances that are written out in the stored one because of an answer alone: its program, which does not know of
/// that, would take the answer back. None if the program has changed when the series is.
fn with_answered_instances(
    written: &Calendar,
    stored: &Calendar,
    own: &dyn Fn(&Property) -> bool,
) -> Calendar {
    let mut changed = written.clone();
    let (Some(now), Some(then)) = (Series::of(written), Series::of(stored)) else {
        return changed;
    };
    if times(now.master()) != times(then.master()) {
        return changed;
    }
    let there: HashSet<_> = written.main_components().map(instance).collect();
    let missing = stored.main_components();
    let missing = missing.filter(|it| !there.contains(&instance(it)));
    let is_answer = |it: &&Component| {
        let implied = then.implied(it);
        implied.is_some_and(|implied| says_the_same(it, &implied, own))
    };
    let answered = missing.filter(is_answer).filter_map(|it| now.implied(it));
    let answered: Vec<Component> = answered.collect();
    changed.root_mut().components.extend(answered);
    changed
}

/// When a series is.
fn times(master: &Component) -> Vec<&Property> {
    const TIMES: [&str; 6] = ["DTSTART", "DURATION", "RRULE", "RDATE", "EXDATE", "EXRULE"];
    let lines = master.properties.iter();
    lines
        .filter(|line| TIMES.iter().any(|it| line.is(it)))
        .collect()
}

/// What is on no guest's line: whether the organizer got the answer, and what guests said to theirs.
fn keep_ours(component: &mut Component, known: &Component) {
    let status = known.get("ORGANIZER");
    let status = status.and_then(|it| it.param(STATUS));
    let mut lines = component.properties.iter_mut();
    if let (Some(status), Some(line)) = (status, lines.find(|it| it.is("ORGANIZER"))) {
        line.set_param(STATUS, status);
    }
    let there = component.all("COMMENT");
    let there: HashSet<_> = there
        .map(|it| (&it.value, it.param(COMMENT_FROM)))
        .collect();
    let said = known.all("COMMENT");
    let said = said.filter(|it| it.param(COMMENT_FROM).is_some());
    let said = said.filter(|it| !there.contains(&(&it.value, it.param(COMMENT_FROM))));
    let said: Vec<Property> = said.cloned().collect();
    component.properties.extend(said);
}

/// An organizer's object without what its program says of guests that they have not said: their status is as it is `stored`, or
/// NEEDS-ACTION (RFC 6638 §3.2.1). Who is not ours to schedule with (SCHEDULE-AGENT) stays as written, as do lines of `own`
/// people.
pub fn without_claims(
    written: &Calendar,
    stored: Option<&Calendar>,
    own: &dyn Fn(&Property) -> bool,
) -> Calendar {
    with_others(written, stored, own, &|line, known| {
        if !is_ours_to_schedule(line) {
            return;
        }
        let known = known.and_then(|it| it.param("PARTSTAT"));
        let known = known.unwrap_or(NEEDS_ACTION);
        let says = line.param("PARTSTAT").unwrap_or(NEEDS_ACTION);
        let is_claim = ![known, NEEDS_ACTION]
            .iter()
            .any(|it| says.eq_ignore_ascii_case(it));
        if is_claim {
            line.set_param("PARTSTAT", known);
        }
    })
}

/// Whether the server tells an attendee and takes the answer (RFC 6638 §7.1), and not the program.
fn is_ours_to_schedule(line: &Property) -> bool {
    let agent = line.param("SCHEDULE-AGENT");
    agent.is_none_or(|it| it.eq_ignore_ascii_case("SERVER"))
}

const NEEDS_ACTION: &str = "NEEDS-ACTION";

/// The object with the lines of others changed, each beside what is stored of the same attendee of the same instance, or of the
/// series.
fn with_others(
    written: &Calendar,
    stored: Option<&Calendar>,
    own: &dyn Fn(&Property) -> bool,
    change: &dyn Fn(&mut Property, Option<&Property>),
) -> Calendar {
    let mut known = HashMap::new();
    for component in stored.into_iter().flat_map(Calendar::main_components) {
        let (_, instance) = instance(component);
        known
            .entry(instance)
            .or_insert_with(|| attendees(component));
    }
    let mut changed = written.clone();
    for component in &mut changed.root_mut().components {
        let same = known.get(&instance(component).1);
        let known = same.or_else(|| known.get(&None));
        let lines = component.properties.iter_mut();
        for line in lines.filter(|it| it.is("ATTENDEE") && !own(it)) {
            let stored = known.and_then(|it| it.get(&line.value.to_ascii_lowercase()));
            change(line, stored.copied());
        }
    }
    changed
}

/// What a component is of, and which instance of it.
fn instance(component: &Component) -> (String, Option<String>) {
    let instance = component.value("RECURRENCE-ID").map(str::to_owned);
    (component.name.to_ascii_uppercase(), instance)
}

/// The lines of attendees, by their addresses in lower case.
fn attendees(component: &Component) -> HashMap<String, &Property> {
    let mut lines = HashMap::new();
    for line in component.all("ATTENDEE") {
        let address = line.value.to_ascii_lowercase();
        lines.entry(address).or_insert(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use convoke_calendar::tree::Limits;

    #[test]
    fn an_answer_to_one_instance_stays_though_its_program_does_not_know_of_it() {
        let guests = "ATTENDEE:mailto:anna@example.org\nATTENDEE%:mailto:bo@example.org\n";
        let series = |summary: &str, rule: &str, more: &str| {
            let guests = guests.replace('%', "");
            let text = format!(
                "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nSUMMARY:{summary}\nDTSTART:20270104T100000Z\nRRULE:{rule}\n{guests}END:VEVENT\n\
                 {more}END:VCALENDAR\n"
            );
            Calendar::parse(text.as_bytes(), &Limits::default()).unwrap()
        };
        let instance = |summary: &str, start: &str, bo: &str| {
            let guests = guests.replace('%', bo);
            format!(
                "BEGIN:VEVENT\nUID:1\nSUMMARY:{summary}\n{guests}RECURRENCE-ID:20270105T100000Z\nDTSTART:{start}\nEND:VEVENT\n"
            )
        };
        let daily = "FREQ=DAILY;COUNT=9";
        let own = |line: &Property| line.value.contains("anna@");
        let answered = instance("Tea", "20270105T100000Z", ";PARTSTAT=DECLINED");
        let stored = series("Tea", daily, &answered);
        let merged = |written: &Calendar, stored: &Calendar| {
            let merged = with_answers_of(written, stored, &own);
            let instance = merged.main_components().nth(1)?;
            let bo = instance.all("ATTENDEE").nth(1)?;
            Some((
                instance.value("SUMMARY")?.to_owned(),
                bo.param("PARTSTAT").map(str::to_owned),
            ))
        };
        let declined = |summary: &str| Some((summary.to_owned(), Some("DECLINED".to_owned())));
        assert_eq!(merged(&series("Tea", daily, ""), &stored), declined("Tea"));
        assert_eq!(
            merged(&series("Coffee", daily, ""), &stored),
            declined("Coffee"),
            "as the series is now"
        );
        assert_eq!(
            merged(&series("Tea", "FREQ=WEEKLY", ""), &stored),
            None,
            "it is at other times"
        );
        let moved = instance("Tea", "20270105T120000Z", ";PARTSTAT=DECLINED");
        assert_eq!(
            merged(&series("Tea", daily, ""), &series("Tea", daily, &moved)),
            None,
            "it is removed"
        );
    }

    fn object(summary: &str, bo: &str, cy: &str) -> Calendar {
        let text = format!(
            "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nSUMMARY:{summary}\nATTENDEE{bo}:mailto:bo@example.org\n\
             ATTENDEE{cy}:mailto:cy@example.org\nEND:VEVENT\nEND:VCALENDAR\n"
        );
        Calendar::parse(text.as_bytes(), &Limits::default()).unwrap()
    }

    fn is_bo(line: &Property) -> bool {
        line.value.contains("bo@")
    }

    #[test]
    fn answers_that_came_in_survive_who_wrote_from_before() {
        let stored = object("Tea", ";PARTSTAT=ACCEPTED", ";PARTSTAT=DECLINED");
        let written = object("Coffee", ";PARTSTAT=TENTATIVE", ";RSVP=TRUE");
        let merged = with_answers_of(&written, &stored, &is_bo);
        let expected = object("Coffee", ";PARTSTAT=TENTATIVE", ";PARTSTAT=DECLINED");
        assert_eq!(merged.write(), expected.write());
    }

    #[test]
    fn who_hands_an_invitation_on_has_done_so_though_its_program_does_not_know_of_it() {
        let to_dan = ";PARTSTAT=DELEGATED;DELEGATED-TO=\"mailto:dan@example.org\",\"mailto:eve@example.org\"";
        let from_dan = ";PARTSTAT=NEEDS-ACTION;DELEGATED-FROM=\"mailto:dan@example.org\"";
        let written = object("Coffee", "", ";PARTSTAT=ACCEPTED");
        for cy in [to_dan, from_dan] {
            let merged = with_answers_of(&written, &object("Tea", "", cy), &is_bo);
            assert_eq!(merged.write(), object("Coffee", "", cy).write());
        }
        // What was taken back is so as well.
        let taken_back = object("Tea", "", ";PARTSTAT=ACCEPTED");
        let merged = with_answers_of(&object("Tea", "", to_dan), &taken_back, &is_bo);
        assert_eq!(merged.write(), taken_back.write());
    }

    #[test]
    fn whom_the_program_tells_is_as_it_says() {
        let bare = ";SCHEDULE-AGENT=CLIENT;RSVP=TRUE";
        let stored = object("Tea", "", bare);
        let written = object("Tea", "", ";SCHEDULE-AGENT=CLIENT;PARTSTAT=ACCEPTED");
        let merged = with_answers_of(&written, &stored, &is_bo);
        assert_eq!(merged.write(), written.write());
    }

    #[test]
    fn what_we_noted_survives_who_wrote_from_before() {
        // Which is said of events, and of nothing else: zones go to everybody.
        let text = |lines: &str| {
            let text = format!(
                "BEGIN:VCALENDAR\nBEGIN:VTIMEZONE\nTZID:Nowhere\nBEGIN:STANDARD\nDTSTART:19700101T000000\n\
                 TZOFFSETFROM:+0100\nTZOFFSETTO:+0100\nEND:STANDARD\nEND:VTIMEZONE\n\
                 BEGIN:VEVENT\nUID:1\n{lines}END:VEVENT\nEND:VCALENDAR\n"
            );
            Calendar::parse(text.as_bytes(), &Limits::default()).unwrap()
        };
        let stored = text(
            "ORGANIZER;SCHEDULE-STATUS=2.0:mailto:anna@example.org\nCOMMENT:mine\n\
             COMMENT;X-CONVOKE-FROM=cy:Late\nCOMMENT;X-CONVOKE-FROM=bo:Late\n",
        );
        let written = text(
            "ORGANIZER:mailto:anna@example.org\nSUMMARY:Coffee\nCOMMENT;X-CONVOKE-FROM=cy:Late\n",
        );
        let expected = text(
            "ORGANIZER;SCHEDULE-STATUS=2.0:mailto:anna@example.org\nSUMMARY:Coffee\n\
             COMMENT;X-CONVOKE-FROM=cy:Late\nCOMMENT;X-CONVOKE-FROM=bo:Late\n",
        );
        let merged = with_answers_of(&written, &stored, &is_bo);
        assert_eq!(merged.write(), expected.write());
    }

    #[test]
    fn nobody_answers_for_a_guest() {
        let accepted = ";PARTSTAT=ACCEPTED";
        for (stored, written, expected) in [
            (None, accepted, ";PARTSTAT=NEEDS-ACTION"),
            (None, "", ""),
            (
                None,
                ";PARTSTAT=ACCEPTED;SCHEDULE-AGENT=CLIENT",
                ";PARTSTAT=ACCEPTED;SCHEDULE-AGENT=CLIENT",
            ),
            (Some(accepted), accepted, accepted),
            (Some(accepted), ";PARTSTAT=DECLINED", accepted),
            (
                Some(accepted),
                ";PARTSTAT=NEEDS-ACTION",
                ";PARTSTAT=NEEDS-ACTION",
            ),
            (Some(""), accepted, ";PARTSTAT=NEEDS-ACTION"),
        ] {
            let stored = stored.map(|cy| object("Tea", accepted, cy));
            let said = without_claims(&object("Tea", accepted, written), stored.as_ref(), &is_bo);
            let expected = object("Tea", accepted, expected);
            assert_eq!(said.write(), expected.write(), "{written}");
        }
    }
}
