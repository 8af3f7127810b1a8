use super::*;
use proptest::prelude::*;

fn read(xml: &str) -> Result<ScheduleResponse, XmlError> {
    ScheduleResponse::read(xml.as_bytes(), &Limits::default())
}

fn body(raw: &str) -> &str {
    raw.split_once("\r\n\r\n").expect("a header, then a body").1
}

fn address(text: &str) -> CalendarAddress {
    CalendarAddress::new(text).unwrap()
}

#[test]
fn responses_of_cyrus_are_read() {
    let raw = include_str!("../../tests/data/cyrus/10-fb-known-unknown.resp");
    let response = read(body(raw)).unwrap();
    let known = response.of(&address("mailto:cyrus@example.org")).unwrap();
    assert_eq!(known.status, RequestStatus::SUCCESS);
    let data = known.calendar_data.as_ref().unwrap();
    assert_eq!(
        (&*data.content_type, &*data.version),
        ("text/calendar", "2.0")
    );
    assert!(data.data.starts_with("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n"));
    assert!(data.data.ends_with("END:VCALENDAR\r\n"));
    let unknown = response.of(&address("nobody@Example.org")).unwrap();
    assert_eq!(unknown.status, RequestStatus::INVALID_CALENDAR_USER);
    assert_eq!(unknown.calendar_data, None);

    let raw = include_str!("../../tests/data/cyrus/20-vevent-request.resp");
    let statuses = read(body(raw)).unwrap().responses;
    let statuses: Vec<_> = statuses.iter().map(|r| r.status.code()).collect();
    assert_eq!(statuses, ["2.0", "3.7"]);
}

#[test]
fn responses_are_read_with_any_prefix_and_whitespace() {
    for xml in [
        // a prefix
        r#"<x:schedule-response xmlns:x="urn:ietf:params:xml:ns:ischedule"><x:response><x:recipient>mailto:bo@example.com</x:recipient><x:request-status>2.0; Success</x:request-status></x:response></x:schedule-response>"#,
        // a byte-order mark, comments, CDATA, character references, another's elements
        "\u{FEFF}<?xml version='1.0'?><!-- hi --><schedule-response xmlns='urn:ietf:params:xml:ns:ischedule' xmlns:d='DAV:'>\
         <d:response/><response><recipient><![CDATA[mailto:bo]]>&#64;example&#x2e;com</recipient><d:recipient>no</d:recipient>\
         <request-status>\n 2.0;Success\n</request-status><new/></response></schedule-response>",
        // no namespace, an href
        "<schedule-response><response><recipient><href>mailto:bo@example.com</href></recipient><request-status>2.0;Success</request-status></response></schedule-response>",
    ] {
        let responses = read(xml).unwrap().responses;
        let expected = RecipientResponse::new("mailto:bo@example.com", RequestStatus::SUCCESS);
        assert_eq!(responses, [expected], "{xml}");
    }
}

#[test]
fn a_recipient_without_a_readable_status_has_failed() {
    let xml = r#"<schedule-response xmlns="urn:ietf:params:xml:ns:ischedule"><response><recipient>a@b.example</recipient></response></schedule-response>"#;
    let mut deviations = Deviations::default();
    let read =
        ScheduleResponse::read_reporting(xml.as_bytes(), &Limits::default(), &mut deviations);
    assert!(read.unwrap().responses[0].status.is_failure());
    assert_eq!(deviations.as_slice().len(), 1);
}

#[test]
fn the_largest_honest_answer_is_read() {
    let mut response = ScheduleResponse::default();
    for n in 0..1000 {
        let mut one =
            RecipientResponse::new(format!("mailto:u{n}@b.example"), RequestStatus::SUCCESS);
        one.calendar_data = Some(CalendarData::icalendar(
            "BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n",
        ));
        one.error = Some(ErrorElement::MaxInstances);
        one.description = Some("words".to_owned());
        response.responses.push(one);
    }
    assert_eq!(read(&response.to_xml()).unwrap(), response);
}

#[test]
fn hostile_documents_are_refused() {
    let deep = format!("{}{}", "<a>".repeat(100), "</a>".repeat(100));
    let wide = format!("<a>{}</a>", "<b/>".repeat(30_000));
    let with_attributes = |count| {
        let attributes: Vec<_> = (0..count).map(|n| format!(" a{n}='1'")).collect();
        format!("<a{}/>", attributes.concat())
    };
    let bomb = r#"<!DOCTYPE a [<!ENTITY b "bbbbbbbb"><!ENTITY c "&b;&b;">]><a>&c;</a>"#;
    for (xml, is_it) in [
        (&*deep, "limit of nested elements"),
        (&wide, "limit of elements"),
        (&with_attributes(1000), "attributes"),
        (&with_attributes(33), "attributes"),
        (&with_attributes(32), "not iSchedule's"),
        (bomb, "DOCTYPE"),
        ("<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>", "DOCTYPE"),
        ("<a>&b;</a>", "entity"),
        ("<a>&#0;</a>", "entity"),
        ("<a b='&c;'/>", "not well-formed"),
        ("", "too early"),
        ("<a>", "too early"),
        ("<a></b>", "not well-formed"),
        ("<a b='1' b='2'/>", "not well-formed"),
        ("<a/><a/>", "second root"),
        ("text<a/>", "outside"),
        ("<a/>", "not iSchedule's `schedule-response`"),
        ("<schedule-response xmlns='DAV:'/>", "not iSchedule's"),
        ("<x:schedule-response/>", "not iSchedule's"),
    ] {
        let error = read(xml).expect_err(xml).to_string();
        assert!(
            error.contains(is_it),
            "{error} for {}",
            &xml[..xml.len().min(60)]
        );
    }
    let latin1 = b"<?xml version='1.0' encoding='iso-8859-1'?><a>\xe9</a>";
    let error = ScheduleResponse::read(latin1, &Limits::default()).unwrap_err();
    assert!(matches!(error, XmlError::NotUtf8(_)));
    let tight = Limits {
        bytes: 10,
        ..Limits::default()
    };
    let error = ScheduleResponse::read(b"<aaaaaaaaaaa/>", &tight).unwrap_err();
    assert_eq!(error, XmlError::TooLarge(14, 10));
}

prop_compose! {
    fn any_response()(
        recipient in "[!-~]{1,30}",
        status in (1u8..6, 0u8..20, "[A-Za-z ]{0,20}"),
        data in prop::option::of("BEGIN:[\\PC]{0,40}(\r\n\\PC{1,20}){0,3}\r\n"),
        error in prop::option::of(prop::sample::select(ErrorElement::ALL)),
        description in prop::option::of("[!-~][\\PC]{0,40}[!-~]"),
    ) -> RecipientResponse {
        RecipientResponse {
            recipient,
            status: format!("{}.{};{}", status.0, status.1, status.2).parse().unwrap(),
            calendar_data: data.map(CalendarData::icalendar),
            error,
            description,
        }
    }
}

proptest! {
    #[test]
    fn written_values_round_trip(responses in prop::collection::vec(any_response(), 0..8)) {
        let response = ScheduleResponse { responses };
        let xml = response.to_xml();
        let mut deviations = Deviations::default();
        let read = ScheduleResponse::read_reporting(xml.as_bytes(), &Limits::default(), &mut deviations).unwrap();
        prop_assert_eq!(read, response);
        prop_assert!(deviations.is_empty());
    }

    #[test]
    fn any_text_can_be_written(text in "[\\x00-\\x20<>&\\PC]{0,40}") {
        let mut response = RecipientResponse::new(text.clone(), RequestStatus::SUCCESS);
        response.description = Some(text);
        let xml = ScheduleResponse { responses: vec![response] }.to_xml();
        prop_assert_eq!(read(&xml).unwrap().responses.len(), 1);
    }

    #[test]
    fn reading_any_bytes_terminates(bytes in prop::collection::vec(any::<u8>(), 0..200), xml in "(<[a-c/!?\\[CDATA ='\"x:]{0,12}>?|&[#xa-z0-9]{0,4};|\\PC){0,20}") {
        let _ = ScheduleResponse::read(&bytes, &Limits::default());
        let _ = read(&xml);
    }
}
