use super::*;
use convoke_types::CalendarAddress;

fn busy_of(event: &str) -> Vec<String> {
    let text = format!(
        "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\n{}\nEND:VEVENT\nEND:VCALENDAR\n",
        event.replace('|', "\n")
    );
    let calendar = Calendar::parse(text.as_bytes(), &Limits::default()).unwrap();
    let addresses = [CalendarAddress::new("bo@example.com").unwrap()];
    let owner = Owner {
        addresses: &addresses,
        name: None,
        timezone: TimeZone::get("America/New_York").unwrap(),
    };
    let range = TimeRange::new(
        "2027-01-04T00:00:00Z".parse().unwrap(),
        "2027-01-06T00:00:00Z".parse().unwrap(),
    )
    .unwrap();
    let spans = busy(&calendar, Some(&owner), range, &Limits::default()).unwrap();
    spans
        .iter()
        .map(|span| format!("{} {} {}", span.kind, span.range.start(), span.range.end()))
        .collect()
}

#[test]
fn close_periods_become_one_where_there_are_too_many() {
    let at = |minute: i64| jiff::Timestamp::from_second(minute * 60).unwrap();
    let span = |from, to, kind| BusySpan::new(TimeRange::new(at(from), at(to)).unwrap(), kind);
    let busy = |from, to| span(from, to, BusyType::Busy);
    let spans = vec![
        busy(0, 1),
        span(1, 3, BusyType::BusyTentative),
        busy(2, 3),
        busy(60, 61),
        busy(62, 63),
        busy(1000, 1001),
    ];
    assert_eq!(coarser(spans.clone(), 6), spans);
    let joined = [
        busy(0, 3),
        span(1, 3, BusyType::BusyTentative),
        busy(60, 63),
        busy(1000, 1001),
    ];
    assert_eq!(coarser(spans.clone(), 4), joined);
    assert_eq!(coarser(spans, 3).len(), 3);
}

#[test]
fn busy_time_of_events_is_computed() {
    let ten = "2027-01-04T10:00:00Z 2027-01-04T11:00:00Z";
    let event = "DTSTART:20270104T100000Z|DTEND:20270104T110000Z";
    for (more, expected) in [
        ("", vec![format!("BUSY {ten}")]),
        (
            "|STATUS:CONFIRMED|TRANSP:OPAQUE",
            vec![format!("BUSY {ten}")],
        ),
        ("|STATUS:TENTATIVE", vec![format!("BUSY-TENTATIVE {ten}")]),
        ("|TRANSP:TRANSPARENT", vec![]),
        ("|STATUS:CANCELLED", vec![]),
        ("|ATTENDEE;PARTSTAT=DECLINED:mailto:bo@example.com", vec![]),
        (
            "|ATTENDEE;PARTSTAT=DECLINED:mailto:cy@example.com",
            vec![format!("BUSY {ten}")],
        ),
        (
            "|ATTENDEE;PARTSTAT=TENTATIVE:mailto:Bo@EXAMPLE.com",
            vec![format!("BUSY-TENTATIVE {ten}")],
        ),
        (
            "|ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:bo@example.com",
            vec![format!("BUSY {ten}")],
        ),
    ] {
        assert_eq!(busy_of(&format!("{event}{more}")), expected, "{more}");
    }
}

#[test]
fn a_day_is_the_owners_day() {
    assert_eq!(
        busy_of("DTSTART;VALUE=DATE:20270104"),
        ["BUSY 2027-01-04T05:00:00Z 2027-01-05T05:00:00Z"]
    );
    assert_eq!(
        busy_of("DTSTART:20270104T100000|DURATION:PT1H"),
        ["BUSY 2027-01-04T15:00:00Z 2027-01-04T16:00:00Z"]
    );
}

#[test]
fn time_is_clipped_and_nothing_takes_no_time() {
    assert_eq!(
        busy_of("DTSTART:20270101T100000Z|DTEND:20270110T110000Z"),
        ["BUSY 2027-01-04T00:00:00Z 2027-01-06T00:00:00Z"]
    );
    assert!(busy_of("DTSTART:20270104T100000Z").is_empty());
}

#[test]
fn an_answer_is_read_as_it_was_written() {
    let address = |text| CalendarAddress::new(text).unwrap();
    let at = |text: &str| text.parse::<jiff::Timestamp>().unwrap();
    let range = TimeRange::new(at("2027-01-04T00:00:00Z"), at("2027-01-05T00:00:00Z")).unwrap();
    let (anna, bo) = (address("anna@example.org"), address("bo@example.com"));
    let now = at("2027-01-01T00:00:00Z");
    let question = request(
        &anna,
        std::slice::from_ref(&bo),
        range,
        &"a,b".parse().unwrap(),
        now,
    );
    let question = crate::message::Message::read(question).unwrap();
    assert_eq!(question.range(), Some(range));
    let span = |from, to, kind| BusySpan::new(TimeRange::new(at(from), at(to)).unwrap(), kind);
    let spans = [
        span(
            "2027-01-04T10:00:00Z",
            "2027-01-04T11:00:00Z",
            BusyType::Busy,
        ),
        span(
            "2027-01-04T10:30:00Z",
            "2027-01-04T12:00:00Z",
            BusyType::BusyTentative,
        ),
        span(
            "2027-01-04T14:00:00Z",
            "2027-01-04T15:00:00Z",
            BusyType::Busy,
        ),
    ];
    let reply = answer(&question, &bo, &spans, now);
    let again = Calendar::parse(&reply.write(), &Limits::default()).unwrap();
    assert_eq!(read_answer(&again).unwrap(), spans);
    let text = String::from_utf8(reply.write()).unwrap();
    for line in [
        "METHOD:REPLY",
        "ATTENDEE:mailto:bo@example.com",
        "ORGANIZER:mailto:anna@example.org",
        "DTSTART:20270104T000000Z",
    ] {
        assert!(text.contains(line), "{text}");
    }
}

#[test]
fn other_peers_answers_are_read() {
    let text = "BEGIN:VCALENDAR\nBEGIN:VFREEBUSY\nFREEBUSY:20270104T100000Z/PT1H,20270104T120000Z/20270104T130000Z\nFREEBUSY;FBTYPE=FREE:20270104T150000Z/PT1H\nFREEBUSY;FBTYPE=X-ODD:20270104T170000Z/PT1H\nEND:VFREEBUSY\nEND:VCALENDAR\n";
    let calendar = Calendar::parse(text.as_bytes(), &Limits::default()).unwrap();
    let starts: Vec<_> = read_answer(&calendar)
        .unwrap()
        .iter()
        .map(|it| (it.kind, it.range.start().to_string()))
        .collect();
    let busy = |at: &str| (BusyType::Busy, at.to_owned());
    assert_eq!(
        starts,
        [
            busy("2027-01-04T10:00:00Z"),
            busy("2027-01-04T12:00:00Z"),
            busy("2027-01-04T17:00:00Z")
        ]
    );
}
