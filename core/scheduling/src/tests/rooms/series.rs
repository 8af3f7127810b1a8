use super::super::world::message;
use super::super::world::{Host, codes};
use super::{ANNA, EVE, ROOM, at, copy, event, host, takes, told};
use crate::Limits;

/// Anna's series, on so many days from the 4th of January on.
fn daily(count: u32, more: &str) -> String {
    let rule = format!("RRULE:FREQ=DAILY;COUNT={count}\n{more}");
    message("REQUEST", &event("series", ANNA, &rule))
}

/// One hour of Eve's on such a day of January, at ten.
fn on(day: u32) -> String {
    let request = at(10, &format!("of-{day}"), EVE);
    request.replace("20270104", &format!("202701{day:02}"))
}

#[test]
fn what_is_taken_is_refused_alone_or_all_of_it() {
    let whole = "DECLINED The room is taken on 2027-01-05 11:00";
    let partly = "ACCEPTED The room is taken on 2027-01-05 11:00.";
    let alone = "20270105T100000Z DECLINED The room is taken then";
    for (conflicts, answers) in [
        (None, vec![partly, alone]),
        (Some("0"), vec![whole]),
        (Some("1"), vec![partly, alone]),
        (Some("25%"), vec![partly, alone]),
        (Some("24%"), vec![whole]),
    ] {
        let attributes: Vec<_> = conflicts.map(|it| ("conflicts", it)).into_iter().collect();
        let host = host(&attributes);
        told(&host, &on(5), EVE);
        assert_eq!(told(&host, &daily(4, ""), ANNA), answers, "{conflicts:?}");
        let room = host.person("room");
        let takes = |day: u32| room.is_indexed("series", &format!("2027-01-{day:02}T10:30:00Z"));
        let is_partly = answers.len() == 2;
        assert_eq!(
            [4, 5, 6, 7].map(takes),
            [is_partly, false, is_partly, is_partly]
        );
        // It is free where it was refused, and nowhere else.
        let next = on(6).replace("of-6", "next");
        assert_eq!(
            told(&host, &next, EVE).concat().contains("ACCEPTED"),
            !is_partly
        );
    }
}

#[test]
fn a_comment_names_some_times_only() {
    let host = host(&[("conflicts", "0")]);
    for day in 4..20 {
        told(&host, &on(day), EVE);
    }
    let [refused] = told(&host, &daily(30, ""), ANNA).try_into().unwrap();
    assert!(
        refused.ends_with("2027-01-13 11:00, and 6 times more"),
        "{refused}"
    );
}

#[test]
fn a_rule_that_one_occurrence_breaks_refuses_the_whole() {
    let host = host(&[("booking", "from=* days=mo-fr ahead=40d")]);
    let weekend = "DECLINED The room can be booked on mo-fr only";
    assert_eq!(told(&host, &daily(6, ""), ANNA), [weekend]);
    let weekly = daily(2, "")
        .replace("DAILY", "WEEKLY")
        .replace("UID:series", "UID:weekly");
    let beyond = "DECLINED The room cannot be booked beyond 2027-01-11 00:00";
    assert_eq!(told(&host, &weekly, ANNA), [beyond]);
    let endless = weekly
        .replace(";COUNT=2", "")
        .replace("UID:weekly", "UID:endless");
    assert_eq!(told(&host, &endless, ANNA), [beyond]);
    let one = daily(5, "").replace("UID:series", "UID:week");
    assert_eq!(told(&host, &one, ANNA), ["ACCEPTED"]);
}

#[test]
fn a_series_without_an_end_is_accepted_as_far_as_was_looked() {
    let limits = Limits {
        horizon: std::time::Duration::from_secs(100 * 24 * 3600),
        ..Limits::default()
    };
    let host = Host::with(limits).with_room("room", &[]);
    let endless = message("REQUEST", &event("series", ANNA, "RRULE:FREQ=WEEKLY\n"));
    let answer = "ACCEPTED What comes after 2027-03-10 09:00 has not been looked at.";
    assert_eq!(told(&host, &endless, ANNA), [answer]);
    // Who comes later meets it, however far ahead that is.
    let later = at(10, "later", EVE).replace("20270104", "20300107");
    assert_eq!(
        told(&host, &later, EVE),
        ["DECLINED The room is taken then"]
    );
    // What changes nothing of its time keeps its answer, and what it moves to is looked at.
    let moved = endless
        .replace("DTSTAMP", "SEQUENCE:1\nDTSTAMP")
        .replace("T10", "T12")
        .replace("T11", "T13");
    assert_eq!(told(&host, &moved, ANNA), [answer]);
    assert_eq!(
        told(&host, &later.replace("later", "again"), EVE),
        ["ACCEPTED"]
    );
}

#[test]
fn what_nobody_can_look_through_is_refused() {
    let host = host(&[]);
    for rule in ["FREQ=MINUTELY", "FREQ=HOURLY", "FREQ=SECONDLY"] {
        let uid = rule.to_ascii_lowercase();
        let often = event(&uid, ANNA, &format!("RRULE:{rule}\nDURATION:PT1S\n"));
        let often = often.replace("DTEND:20270104T110000Z\n", "");
        let [answer] = told(&host, &message("REQUEST", &often), ANNA)
            .try_into()
            .unwrap();
        assert!(
            answer.starts_with("DECLINED It cannot be looked up when"),
            "{answer}"
        );
        assert!(!takes(&host, &uid, "10:00:00"));
    }
    assert_eq!(told(&host, &at(10, "first", ANNA), ANNA), ["ACCEPTED"]);
}

/// One occurrence that moves: the others stand, and so does the answer to the whole, however strict the room is.
#[test]
fn one_occurrence_that_moves_is_answered_alone() {
    for whole_comes_along in [false, true] {
        let host = host(&[("conflicts", "0")]);
        told(&host, &daily(4, ""), ANNA);
        told(
            &host,
            &at(14, "other", EVE).replace("20270104", "20270105"),
            EVE,
        );
        let moved = |hour: u32, sequence: u32| {
            let id = format!("RECURRENCE-ID:20270105T100000Z\nSEQUENCE:{sequence}\n");
            let instance = event("series", ANNA, &id)
                .replace("DTSTART:20270104T10", &format!("DTSTART:20270105T{hour}"))
                .replace("DTEND:20270104T11", &format!("DTEND:20270105T{}", hour + 1));
            if whole_comes_along {
                let known = daily(4, "").replace("ROOM;RSVP=TRUE", "ROOM;PARTSTAT=ACCEPTED");
                known.replace("END:VCALENDAR", &format!("{instance}END:VCALENDAR"))
            } else {
                message("REQUEST", &instance)
            }
        };
        let whole: &[&str] = if whole_comes_along {
            &["ACCEPTED"]
        } else {
            &[]
        };
        let told_of = |answer: &'static str| [whole, &[answer]].concat();
        let alone = "20270105T100000Z DECLINED The room is taken then";
        assert_eq!(told(&host, &moved(14, 1), ANNA), told_of(alone));
        assert_eq!(
            told(&host, &moved(15, 2), ANNA),
            told_of("20270105T100000Z ACCEPTED")
        );
        let room = host.person("room");
        let takes = |at: &str| room.is_indexed("series", at);
        assert!(takes("2027-01-04T10:30:00Z") && takes("2027-01-06T10:30:00Z"));
        assert!(takes("2027-01-05T15:30:00Z") && !takes("2027-01-05T10:30:00Z"));
        assert_eq!(
            told(&host, &on(5), EVE),
            ["ACCEPTED"],
            "where it was is free"
        );
    }
}

#[test]
fn an_occurrence_that_is_called_off_or_left_out_is_free() {
    let host = host(&[]);
    told(&host, &daily(4, ""), ANNA);
    let off = event(
        "series",
        ANNA,
        "RECURRENCE-ID:20270105T100000Z\nSEQUENCE:1\nSTATUS:CANCELLED\n",
    );
    told(
        &host,
        &message("CANCEL", &off.replace(":20270104T", ":20270105T")),
        ANNA,
    );
    assert_eq!(told(&host, &on(5), EVE), ["ACCEPTED"]);
    assert_eq!(
        told(&host, &on(6), EVE),
        ["DECLINED The room is taken then"]
    );
    let less = daily(4, "SEQUENCE:2\nEXDATE:20270106T100000Z\n");
    let known = less.replace("ROOM;RSVP=TRUE", "ROOM;PARTSTAT=ACCEPTED");
    told(&host, &known, ANNA);
    assert_eq!(
        told(&host, &on(6).replace("of-6", "next"), EVE),
        ["ACCEPTED"]
    );
}

/// A series that goes on longer keeps what it has, and asks for what is new.
#[test]
fn what_is_added_to_a_series_is_answered_alone() {
    let host = host(&[("conflicts", "0")]);
    told(&host, &on(8), EVE);
    told(&host, &daily(4, ""), ANNA);
    let longer = daily(6, "SEQUENCE:1\n").replace("ROOM;RSVP=TRUE", "ROOM;PARTSTAT=ACCEPTED");
    let told_of = told(&host, &longer, ANNA);
    assert_eq!(
        told_of,
        [
            "ACCEPTED",
            "20270108T100000Z DECLINED The room is taken then"
        ]
    );
    let stored = copy(&host, "series");
    assert_eq!(stored.matches("BEGIN:VEVENT").count(), 2, "{stored}");
    // RFC 5546 §3.2.4
    let added = event("series", ANNA, "SEQUENCE:2\n").replace("20270104T", "20270120T");
    assert_eq!(
        told(&host, &message("ADD", &added), ANNA),
        ["20270120T100000Z ACCEPTED"]
    );
}

#[test]
fn who_is_invited_to_some_occurrences_only_answers_those() {
    let host = host(&[]);
    told(&host, &on(6), EVE);
    let one = |day: u32| {
        let id = format!("RECURRENCE-ID:202701{day:02}T100000Z\n");
        event("series", ANNA, &id)
            .replace("DTSTART:20270104", &format!("DTSTART:202701{day:02}"))
            .replace("DTEND:20270104", &format!("DTEND:202701{day:02}"))
    };
    let both = message("REQUEST", &[one(5), one(6)].concat());
    let answers = [
        "20270105T100000Z ACCEPTED",
        "20270106T100000Z DECLINED The room is taken then",
    ];
    assert_eq!(told(&host, &both, ANNA), answers);
}

/// Local times, whole days, floating ones: an answer to one occurrence names it as the series does.
#[test]
fn an_occurrence_is_named_as_its_series_names_it() {
    let zone =
        "DTSTART;TZID=Europe/Berlin:20270104T110000\nDTEND;TZID=Europe/Berlin:20270104T120000";
    let date = "DTSTART;VALUE=DATE:20270104\nDTEND;VALUE=DATE:20270105";
    let floating = "DTSTART:20270104T110000\nDTEND:20270104T120000";
    for (times, id) in [
        (zone, "RECURRENCE-ID;TZID=Europe/Berlin:20270105T110000"),
        (date, "RECURRENCE-ID;VALUE=DATE:20270105"),
        (floating, "RECURRENCE-ID:20270105T110000"),
    ] {
        let host = host(&[]);
        told(&host, &on(5), EVE);
        let series =
            daily(4, "").replace("DTSTART:20270104T100000Z\nDTEND:20270104T110000Z", times);
        host.receives(&series, ANNA, &[ROOM]);
        let reply = host.owes().concat();
        assert!(reply.contains(id), "{id}: {reply}");
        assert!(copy(&host, "series").contains(id));
        let room = host.person("room");
        assert!(!room.is_indexed("series", "2027-01-05T10:30:00Z"));
        assert!(room.is_indexed("series", "2027-01-06T10:30:00Z"));
    }
}

#[test]
fn an_answer_costs_no_more_than_a_message_may() {
    let host = host(&[]);
    // Half of the series is refused one by one, each with its own long description.
    let long = format!("COMMENT:{}\n", "x".repeat(60_000));
    for day in 4..24 {
        told(&host, &on(day), EVE);
    }
    let series = daily(1000, &long);
    let outcomes = host.receives(&series, ANNA, &[ROOM]);
    assert_eq!(codes(&outcomes), ["2.0"]);
    assert!(copy(&host, "series").len() < 20 << 20);
}
