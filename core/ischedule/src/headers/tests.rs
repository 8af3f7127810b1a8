use super::*;
use proptest::prelude::*;

/// The header of a request, one `Name: value` a line.
fn header(text: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':').expect("a line is `Name: value`");
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        headers.append(name, HeaderValue::from_str(value.trim()).unwrap());
    }
    headers
}

/// A good header with lines replaced (same name) or added; `Name:` alone removes.
fn with(changes: &[&str]) -> HeaderMap {
    let mut headers = header(
        "iSchedule-Version: 1.0
         iSchedule-Message-ID: 6c2a-1
         Cache-Control: no-cache, no-transform
         Originator: mailto:anna@example.org
         Recipient: mailto:bo@example.com
         Content-Type: text/calendar; component=VEVENT; method=REQUEST",
    );
    for change in changes {
        headers.remove(change.split(':').next().unwrap());
    }
    for (name, value) in &header(&changes.join("\n")) {
        if !value.is_empty() {
            headers.append(name, value.clone());
        }
    }
    headers
}

fn recipients(headers: &RequestHeaders) -> Vec<&str> {
    let addresses = headers.recipients.iter().map(|r| r.address.as_str());
    addresses.collect()
}

#[test]
fn the_fields_are_read_as_the_specification_writes_them() {
    let mut deviations = Deviations::default();
    let read = RequestHeaders::read_reporting(&with(&[]), &mut deviations).unwrap();
    assert_eq!(read.message_id.as_deref(), Some("6c2a-1"));
    assert_eq!(read.originator.as_str(), "mailto:anna@example.org");
    assert_eq!(recipients(&read), ["mailto:bo@example.com"]);
    assert_eq!(read.content, ContentType::new("VEVENT", "REQUEST"));
    assert!(deviations.is_empty(), "{deviations:?}");
}

#[test]
fn headers_of_deployed_peers_are_read() {
    for (name, raw, as_sent) in [
        (
            "vevent-request.raw",
            include_str!("../../tests/data/cyrus/vevent-request.raw"),
            "wilfredo@example.org",
        ),
        (
            "vfreebusy-request.raw",
            include_str!("../../tests/data/cyrus/vfreebusy-request.raw"),
            "mailto:wilfredo@example.org",
        ),
    ] {
        let raw = raw.replace("\r\n", "\n");
        let (head, _) = raw.split_once("\n\n").unwrap();
        let (_, fields) = head.split_once('\n').unwrap();
        let mut deviations = Deviations::default();
        let read = RequestHeaders::read_reporting(&header(fields), &mut deviations).unwrap();
        assert!(
            read.message_id.unwrap().starts_with("cmu-ischedule-"),
            "{name}"
        );
        assert_eq!(read.recipients[0].as_sent, as_sent);
        assert_eq!(
            read.recipients[0].address.as_str(),
            "mailto:wilfredo@example.org"
        );
        assert!(
            !deviations.is_empty(),
            "{name}: angle brackets are a deviation"
        );
    }
}

#[test]
fn recipients_come_in_one_field_or_many_and_each_counts_once() {
    let bo_and_cy = ["mailto:bo@example.com", "mailto:cy@example.com"];
    for fields in [
        &["Recipient: mailto:bo@example.com,mailto:cy@example.com"][..],
        &[
            "Recipient: mailto:bo@example.com",
            "Recipient: mailto:cy@example.com",
        ],
        &[
            "Recipient: bo@example.com ,, MAILTO:bo@EXAMPLE.com,",
            "Recipient: cy@example.com",
        ],
    ] {
        let read = RequestHeaders::read(&with(fields)).unwrap();
        assert_eq!(recipients(&read), bo_and_cy, "{fields:?}");
    }
}

#[test]
fn a_wrong_header_gets_the_error_the_specification_names() {
    use ErrorElement as E;
    let many: Vec<String> = (0..=MAX_RECIPIENTS)
        .map(|n| format!("u{n}@example.com"))
        .collect();
    let many = format!("Recipient: {}", many.join(","));
    for (changes, element) in [
        (&["iSchedule-Version:"][..], E::VersionNotSupported),
        (&["iSchedule-Version: 2.0"], E::VersionNotSupported),
        (&["iSchedule-Version: 11.0"], E::VersionNotSupported),
        (&["Content-Type:"], E::InvalidCalendarDataType),
        (&["Content-Type: text/html"], E::InvalidCalendarDataType),
        (&["Originator:"], E::OriginatorMissing),
        (&["Originator: anna"], E::OriginatorInvalid),
        (
            &[
                "Originator: mailto:a@example.org",
                "Originator: mailto:b@example.org",
            ],
            E::TooManyOriginators,
        ),
        (
            &["Originator: mailto:a@b.example, mailto:c@b.example"],
            E::TooManyOriginators,
        ),
        (&["Recipient:"], E::RecipientMissing),
        (&["Recipient: , ,"], E::RecipientMissing),
        (&["Recipient: bo"], E::RecipientMismatch),
        (&[&many], E::MaxRecipients),
        // The version is looked at first, the recipients last.
        (
            &["iSchedule-Version: 3.0", "Recipient:", "Originator:"],
            E::VersionNotSupported,
        ),
        (&["Recipient:", "Originator:"], E::OriginatorMissing),
    ] {
        let refusal = RequestHeaders::read(&with(changes)).expect_err("it is wrong");
        assert_eq!(refusal.element, element, "{changes:?}: {refusal}");
        assert_eq!(refusal.status, element.status());
        assert!(!refusal.description.is_empty());
    }
}

#[test]
fn harmless_deviations_are_accepted() {
    for changes in [
        &["iSchedule-Version: 0.9, 1.0"][..],
        &["iSchedule-Version: 0.9", "iSchedule-Version: 1.0"],
        &["Cache-Control:"],
        &["iSchedule-Message-ID:"],
        &["Originator: anna@example.org"],
    ] {
        assert!(RequestHeaders::read(&with(changes)).is_ok(), "{changes:?}");
    }
}

#[test]
fn fields_that_are_not_text_are_refused() {
    for (name, element) in [
        (ISCHEDULE_VERSION, ErrorElement::VersionNotSupported),
        (header::CONTENT_TYPE, ErrorElement::InvalidCalendarDataType),
        (ORIGINATOR, ErrorElement::OriginatorInvalid),
        (RECIPIENT, ErrorElement::RecipientMismatch),
    ] {
        let mut headers = with(&[]);
        headers.insert(name, HeaderValue::from_bytes(b"\xff\xfe").unwrap());
        assert_eq!(RequestHeaders::read(&headers).unwrap_err().element, element);
    }
}

#[test]
fn two_hundred_and_fifty_recipients_make_a_readable_header() {
    let address = |n| CalendarAddress::new(&format!("someone-{n}@example.com")).unwrap();
    let request = RequestHeaders {
        message_id: Some("1".to_owned()),
        originator: address(1000),
        recipients: (0..250).map(address).map(Recipient::new).collect(),
        content: ContentType::new("VFREEBUSY", "REQUEST"),
    };
    let headers = request.to_headers();
    let fields: Vec<_> = headers.get_all(RECIPIENT).iter().collect();
    assert!(fields.len() < 30, "{} fields", fields.len());
    assert!(fields.iter().all(|field| field.len() < 600));
    assert_eq!(RequestHeaders::read(&headers).unwrap(), request);
}

#[test]
fn an_address_is_sent_as_a_uri() {
    for (address, uri) in [
        ("mailto:o'brien@example.org", "mailto:o'brien@example.org"),
        (
            "mailto:a%3Fb%25c%C3%A9@example.org",
            "mailto:a%3Fb%25c%C3%A9@example.org",
        ),
        (
            "mailto:anna+cal@bücher.example",
            "mailto:anna+cal@xn--bcher-kva.example",
        ),
        ("urn:uuid:1f0c", "urn:uuid:1f0c"),
    ] {
        let address = CalendarAddress::new(address).unwrap();
        let sent = Recipient::new(address.clone()).as_sent;
        assert_eq!(sent, uri);
        assert_eq!(CalendarAddress::new(&sent).unwrap(), address);
    }
}

#[test]
fn utf8_addresses_are_sent_percent_encoded() {
    let mut headers = with(&[]);
    let value = HeaderValue::from_bytes("mailto:björn@example.com".as_bytes()).unwrap();
    headers.insert(RECIPIENT, value);
    let read = RequestHeaders::read(&headers).unwrap();
    assert_eq!(read.recipients[0].as_sent, "mailto:björn@example.com");
    let written = read.to_headers();
    assert_eq!(written[RECIPIENT], "mailto:bj%C3%B6rn@example.com");
    let again = RequestHeaders::read(&written).unwrap();
    assert_eq!(recipients(&again), recipients(&read));
}

proptest! {
    #[test]
    fn written_values_round_trip(
        id in "[!-;=?-~]{1,40}",
        users in prop::collection::btree_set("[a-zA-Z0-9.é%?#+_-]{1,20}@[a-z]{1,9}\\.example", 1..40),
    ) {
        let addresses: Vec<_> = users.iter().filter_map(|u| CalendarAddress::new(u).ok()).collect();
        prop_assume!(!addresses.is_empty());
        let mut seen = HashSet::new();
        let request = RequestHeaders {
            message_id: Some(id),
            originator: addresses[0].clone(),
            recipients: addresses.into_iter().filter(|a| seen.insert(a.clone())).map(Recipient::new).collect(),
            content: ContentType::new("VTODO", "CANCEL"),
        };
        let mut deviations = Deviations::default();
        let read = RequestHeaders::read_reporting(&request.to_headers(), &mut deviations).unwrap();
        prop_assert_eq!(read, request);
        prop_assert!(deviations.is_empty(), "{:?}", deviations);
    }

    #[test]
    fn reading_any_fields_terminates(values in prop::collection::vec("\\PC{0,40}", 4)) {
        let mut headers = HeaderMap::new();
        let names = [ISCHEDULE_VERSION, header::CONTENT_TYPE, ORIGINATOR, RECIPIENT];
        for (name, value) in names.into_iter().zip(&values) {
            if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
                headers.append(name, value);
            }
        }
        let _ = RequestHeaders::read(&headers);
    }
}
