//! What is fuzzed: everything that reads what strangers send. A target panics where a promise is broken.
//!
//! Run by cargo-fuzz (`README.md` here), and by `tests/tests/fuzz_smoke.rs` on stable over the seeds and bytes made
//! by proptest.

use convoke_caldav::{path::Resource, request, xml as webdav};
use convoke_calendar::{
    message::Message,
    stream::{Objects, Outline},
    tree::{Calendar, Limits as CalendarLimits},
};
use convoke_imip::{Arrival, AuthservId, Content, Evidence, Incoming, ReturnPath, Verdict};
use convoke_ischedule::{
    Capabilities, ContentType, ErrorDocument, RequestHeaders, ScheduleResponse,
    dkim::{KeyRecord, Signature, TagList, Unverified, canon::relaxed},
    xml::Limits,
};
use convoke_lmtp::{Limits as LmtpLimits, Reply, Session, Step};
use http::{HeaderMap, HeaderName, HeaderValue};

/// Tag lists, and the signature fields that are made of them: what is read is written so that it reads the same.
pub(crate) fn tag_list(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(tags) = TagList::read(text) {
        assert!(tags.get(tags.first()).is_some(), "a list has a first tag");
    }
    if let Ok(signature) = Signature::read(text)
        && !signature.lookups.is_empty()
    {
        assert_eq!(Signature::read(&signature.to_string()), Ok(signature));
    }
}

/// Key records, alone and as a document.
pub(crate) fn key_record(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let alone = KeyRecord::read(text).into_iter();
    let documented = KeyRecord::read_document(text).into_iter().flatten();
    for record in alone.chain(documented) {
        assert_eq!(KeyRecord::read(&record.to_string()), Ok(record));
    }
}

/// Header canonicalisation: a line is a field; joining the fields, as a hop may, changes nothing.
pub(crate) fn canonicalisation(data: &[u8]) {
    let name = HeaderName::from_static("recipient");
    let (mut split, mut joined) = (HeaderMap::new(), HeaderMap::new());
    for line in data.split(|&b| b == b'\n').take(1000) {
        let Ok(value) = HeaderValue::from_bytes(line) else {
            return;
        };
        split.append(&name, value);
    }
    let value = data.iter().flat_map(|&b| match b {
        b'\n' => b" ,\t".to_vec(),
        b => vec![b],
    });
    let Ok(value) = HeaderValue::from_bytes(&value.collect::<Vec<_>>()) else {
        return;
    };
    joined.append(&name, value);
    if split.len() < 1000 {
        assert_eq!(relaxed(&split, &name), relaxed(&joined, &name));
    }
    let once = relaxed(&split, &name);
    assert!(!once.ends_with(b" "), "the end is trimmed");
}

/// The whole header of a request, a `Name: value` a line, and its signature.
pub(crate) fn request_headers(data: &[u8]) {
    let mut headers = HeaderMap::new();
    for line in data.split(|&b| b == b'\n').take(1000) {
        let Some(colon) = line.iter().position(|&b| b == b':') else {
            continue;
        };
        let (name, value) = line.split_at(colon);
        if let (Ok(name), Ok(value)) = (
            HeaderName::from_bytes(name),
            HeaderValue::from_bytes(value[1..].trim_ascii()),
        ) {
            headers.append(name, value);
        }
    }
    if let Ok(request) = RequestHeaders::read(&headers) {
        let again = RequestHeaders::read(&request.to_headers()).expect("what we write is read");
        assert_eq!(again.originator, request.originator);
        let whom = |r: &RequestHeaders| {
            let addresses = r.recipients.iter().map(|r| r.address.clone());
            addresses.collect::<Vec<_>>()
        };
        assert_eq!(whom(&again), whom(&request));
        assert_eq!(again.content, request.content);
    }
    let request = Unverified {
        headers: &headers,
        body: b"",
    };
    if let Ok(pending) = request.read(jiff_now()) {
        assert!(
            pending.verify(&[]).is_err(),
            "nothing is verified without a key"
        );
    }
}

/// Content-Type.
pub(crate) fn content_type(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data)
        && let Ok(read) = ContentType::read(text)
    {
        assert_eq!(ContentType::read(&read.to_string()), Ok(read));
    }
}

/// The documents: what is read is written so that it reads the same.
pub(crate) fn xml(data: &[u8]) {
    let limits = Limits::default();
    if let Ok(read) = ScheduleResponse::read(data, &limits) {
        assert_eq!(
            ScheduleResponse::read(read.to_xml().as_bytes(), &limits),
            Ok(read)
        );
    }
    if let Ok(read) = Capabilities::read(data, &limits) {
        assert_eq!(
            Capabilities::read(read.to_xml().as_bytes(), &limits),
            Ok(read)
        );
    }
    let _ = ErrorDocument::read(data, &limits);
}

/// Content lines and the tree above them: writing and reading again changes nothing, and the objects read one at a
/// time are those of the whole.
pub(crate) fn calendar(data: &[u8]) {
    let limits = CalendarLimits::default();
    let unbounded = CalendarLimits {
        bytes: usize::MAX,
        ..limits.clone()
    };
    if let Ok(read) = Calendar::parse(data, &limits) {
        let written = read.write();
        let again = Calendar::parse(&written, &unbounded).expect("what we write is read");
        assert_eq!(again, read);
        assert_eq!(again.write(), written);
    }
    let _ = Outline::of(data, &limits);
    if let Ok(read) = Calendar::parse_stored(data, &limits) {
        let written = read.write();
        let again = Calendar::parse_stored(&written, &unbounded).expect("what we write is read");
        assert_eq!(again, read);
        assert_eq!(again.write(), written);
        let objects = Objects::read(data, &unbounded).expect("what is read whole is read in parts");
        assert!(objects.eq(read.split_by_uid()));
    }
}

/// Scheduling messages: what is taken is taken again as we write it, and what is not is said with a line of it.
pub(crate) fn message(data: &[u8]) {
    let limits = CalendarLimits::default();
    let Ok(calendar) = Calendar::parse(data, &limits) else {
        return;
    };
    match Message::read(calendar) {
        Ok(message) => {
            let _ = message.instances(limits.instances);
            let _ = (message.earliest(), message.latest(), message.attachments());
            let written = Calendar::parse(&message.calendar().write(), &limits);
            let again = Message::read(written.expect("what we write is read"));
            let again = again.expect("what was taken is taken again");
            assert_eq!(again.uid(), message.uid());
            assert_eq!(again.attendees(), message.attendees());
        }
        Err(error) => {
            let lines = data.split(|octet| *octet == b'\n').count();
            let line = error.in_source(data).line();
            assert!(
                line.is_some_and(|line| (1..=lines).contains(&line)),
                "{line:?}"
            );
        }
    }
}

/// Mail: whatever it is, what is read of it is bounded, and proves no other domain than that of From.
pub(crate) fn mail(data: &[u8]) {
    let trusted = [AuthservId::new("mx.example.org").expect("a name")];
    let limits = CalendarLimits::default();
    let arrival = Arrival {
        return_path: ReturnPath::Unknown,
        trusted: &trusted,
        limits: &limits,
    };
    let incoming = convoke_imip::read(data, &arrival);
    assert!(incoming.references.len() <= 50 && incoming.recipients.len() <= 100);
    assert!(
        incoming
            .text
            .as_ref()
            .is_none_or(|text| text.len() <= 64 << 10)
    );
    let subject = incoming.subject.as_deref().unwrap_or_default();
    assert!(!subject.contains(|c: char| c.is_control()));
    if let Verdict::Proved(evidence) = &incoming.verdict {
        assert_proved(&incoming, evidence);
    }
    match &incoming.content {
        Content::Scheduling(part) => {
            assert!(part.calendar.root().get("METHOD").is_some());
            let again = Calendar::parse(&part.octets, &limits);
            assert_eq!(again.as_ref(), Ok(&part.calendar));
            let _ = part.message(None);
        }
        Content::Bounce(bounce) => assert!((1..=100).contains(&bounce.reports.len())),
        _ => {}
    }
}

fn assert_proved(incoming: &Incoming, evidence: &Evidence) {
    let from = incoming.from.as_ref().expect("somebody is proved");
    let domain = from.address.domain().expect("a mailbox has a domain");
    match evidence {
        Evidence::Dmarc(proved) => assert_eq!(proved, domain),
        Evidence::Dkim(proved) => {
            let last = |name: &str| name.rsplit('.').next().map(str::to_owned);
            assert_eq!(last(proved.as_str()), last(domain.as_str()));
        }
        other => panic!("{other:?}"),
    }
    assert!(incoming.proves(&from.address).is_some());
}

/// A session of LMTP: what is kept is bounded, whoever is asked about is told what became of it, and a message that is taken is
/// no longer than what was sent.
pub(crate) fn lmtp(data: &[u8]) {
    let limits = LmtpLimits {
        message: 100,
        recipients: 2,
    };
    let mut session = Session::new("mx.example.org", limits);
    let mut pieces = data.chunks(7);
    loop {
        match session.step() {
            Step::Octets => match pieces.next() {
                Some(piece) => session.push(piece),
                None => break,
            },
            Step::Recipient(_) => session.answer_recipient(&Reply::recipient_ok()),
            Step::Message(message) => {
                assert!((1..=2).contains(&message.recipients.len()));
                assert!(message.octets.len() <= 100.min(data.len()));
                session.answer_message(&vec![Reply::taken(); message.recipients.len()]);
            }
            Step::End => break,
        }
        assert!(session.held_with(0) <= 100);
    }
    let replies = session.take_replies();
    assert!(replies.ends_with(b"\r\n"));
    assert!(
        replies
            .split(|it| *it == b'\n')
            .all(|line| line.is_empty() || line[0].is_ascii_digit())
    );
}

fn jiff_now() -> jiff::Timestamp {
    jiff::Timestamp::UNIX_EPOCH
}

/// What calendar programs send: a path, or the body of a request. What is read is written so that it reads the same.
pub(crate) fn caldav(data: &[u8]) {
    if let Ok(path) = std::str::from_utf8(data)
        && let Some(resource) = Resource::of_href(path)
    {
        assert_eq!(Resource::parse(&resource.to_string()), Some(resource));
    }
    let Ok(root) = webdav::parse::<webdav::Element>(data, &webdav::LIMITS) else {
        return;
    };
    let written = webdav::document(&root);
    let roomy = webdav::Limits {
        bytes: usize::MAX,
        tag: usize::MAX,
        ..webdav::LIMITS
    };
    assert_eq!(
        webdav::parse(written.as_bytes(), &roomy).as_ref(),
        Ok(&root)
    );
    let _ = request::propfind(Some(&root));
    let _ = request::proppatch(&root);
    if let Ok(request::Report::Query(_, filter)) = request::report(&root)
        && let Ok(calendar) = Calendar::parse(EVENT, &CalendarLimits::default())
    {
        let _ = filter.matches(&calendar, &jiff::tz::TimeZone::UTC);
    }
}

/// What filters are tried on.
const EVENT: &[u8] = b"BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nSUMMARY:Tea\nDTSTART:20270104T100000Z\n\
    ATTENDEE;PARTSTAT=ACCEPTED:mailto:bo@example.org\nRRULE:FREQ=WEEKLY\nEND:VEVENT\nEND:VCALENDAR\n";
