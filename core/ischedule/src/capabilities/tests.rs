use super::*;
use crate::{
    Deviations, ErrorElement,
    xml::{Limits, XmlError},
};
use convoke_types::RequestStatus;
use proptest::prelude::*;

fn read(xml: &str, deviations: &mut Deviations) -> Result<Capabilities, XmlError> {
    Capabilities::read_reporting(xml.as_bytes(), &Limits::default(), deviations)
}

fn cyrus(deviations: &mut Deviations) -> Capabilities {
    let raw = include_str!("../../tests/data/cyrus/02-get-capabilities.resp");
    read(raw.split_once("\r\n\r\n").unwrap().1, deviations).unwrap()
}

#[test]
fn capabilities_of_cyrus_are_read() {
    let mut deviations = Deviations::default();
    let read = cyrus(&mut deviations);
    assert_eq!(read.serial, 1_795_394_656);
    assert_eq!(read.versions, ["1.0"]);
    assert_eq!(
        read.messages[0],
        Supported::new("VEVENT", &["REQUEST", "REPLY", "CANCEL"])
    );
    assert_eq!(read.messages[3], Supported::new("VFREEBUSY", &["REQUEST"]));
    assert_eq!(read.data_types.len(), 3);
    let attachments = Attachments {
        inline: true,
        external: false,
    };
    assert_eq!(read.attachments, Some(attachments));
    assert_eq!(read.rscales.len(), 18);
    assert_eq!(read.max_content_length, Some(2_147_483_647));
    assert_eq!(
        read.min_date_time,
        Some("1901-12-13T20:45:52Z".parse().unwrap())
    );
    assert_eq!(
        read.max_date_time,
        Some("2038-01-19T03:14:07Z".parse().unwrap())
    );
    assert_eq!((read.max_instances, read.max_recipients), (None, None));
    assert_eq!(read.administrator, None);
    let deviations: Vec<_> = deviations.as_slice().iter().map(|s| &*s.text).collect();
    assert_eq!(
        deviations,
        ["max-recipients is empty", "administrator is empty"]
    );
}

#[test]
fn unreadable_capabilities_count_as_not_stated() {
    let mut deviations = Deviations::default();
    let read = read(
        r#"<query-result xmlns="urn:ietf:params:xml:ns:ischedule"><capabilities>
           <serial-number>x</serial-number><max-recipients>0</max-recipients><max-instances>-1</max-instances>
           <min-date-time>yesterday</min-date-time><component/><scheduling-messages><component/></scheduling-messages>
           </capabilities></query-result>"#,
        &mut deviations,
    );
    assert_eq!(read.unwrap(), Capabilities::default());
    assert!(deviations.as_slice().len() >= 5, "{deviations:?}");
}

#[test]
fn messages_beyond_a_stated_limit_are_refused() {
    let capabilities = Capabilities {
        max_content_length: Some(1000),
        max_recipients: Some(2),
        max_instances: Some(10),
        ..cyrus(&mut Deviations::default())
    };
    let fine = MessageProfile::new("vevent", "request", 1000);
    assert_eq!(capabilities.permits(&fine), Ok(()));
    let late = "2040-01-01T00:00:00Z".parse().unwrap();
    let early = "1900-01-01T00:00:00Z".parse().unwrap();
    for (message, element, status) in [
        (
            MessageProfile {
                component: "VJOURNAL",
                ..fine.clone()
            },
            ErrorElement::InvalidSchedulingMessage,
            RequestStatus::UNSUPPORTED,
        ),
        (
            MessageProfile {
                method: "ADD",
                ..fine.clone()
            },
            ErrorElement::InvalidSchedulingMessage,
            RequestStatus::UNSUPPORTED,
        ),
        (
            MessageProfile {
                size: 1001,
                ..fine.clone()
            },
            ErrorElement::MaxContentLength,
            RequestStatus::TOO_LARGE,
        ),
        (
            MessageProfile {
                recipients: 3,
                ..fine.clone()
            },
            ErrorElement::MaxRecipients,
            RequestStatus::UNSUPPORTED,
        ),
        (
            MessageProfile {
                instances: 11,
                ..fine.clone()
            },
            ErrorElement::MaxInstances,
            RequestStatus::UNSUPPORTED,
        ),
        (
            MessageProfile {
                earliest: Some(early),
                ..fine.clone()
            },
            ErrorElement::MinDateTime,
            RequestStatus::INVALID_DATE,
        ),
        (
            MessageProfile {
                latest: Some(late),
                ..fine.clone()
            },
            ErrorElement::MaxDateTime,
            RequestStatus::INVALID_DATE,
        ),
        (
            MessageProfile {
                inline_attachments: true,
                external_attachments: true,
                ..fine.clone()
            },
            ErrorElement::AttachmentTypeNotSupported,
            RequestStatus::UNSUPPORTED,
        ),
    ] {
        let exceeded = capabilities.permits(&message).unwrap_err();
        assert_eq!(exceeded.element, element, "{message:?}");
        assert!(exceeded.request_status().same_code(&status));
        assert_eq!(exceeded.into_refusal().status, element.status());
    }
}

#[test]
fn unsupported_versions_and_formats_are_refused() {
    let message = MessageProfile::new("VEVENT", "REQUEST", 1);
    let old = Capabilities {
        versions: vec!["0.1".to_owned()],
        ..Capabilities::new(1)
    };
    let exceeded = old.permits(&message).unwrap_err();
    assert_eq!(exceeded.element, ErrorElement::VersionNotSupported);
    let data_types = vec![DataType {
        content_type: "application/calendar+json".to_owned(),
        version: None,
    }];
    let json = Capabilities {
        data_types,
        ..Capabilities::new(1)
    };
    let exceeded = json.permits(&message).unwrap_err();
    assert_eq!(exceeded.element, ErrorElement::InvalidCalendarDataType);
}

#[test]
fn absent_capabilities_refuse_nothing() {
    let message = MessageProfile {
        recipients: 10_000,
        instances: 10_000,
        ..MessageProfile::new("X-ANY", "ADD", 1 << 40)
    };
    assert_eq!(Capabilities::default().permits(&message), Ok(()));
}

prop_compose! {
    fn any_capabilities()(
        (serial, numbers) in (any::<u64>(), prop::array::uniform3(prop::option::of(1..u64::MAX))),
        messages in prop::collection::vec(("[A-Z-]{1,9}", prop::collection::vec("[A-Z]{1,9}", 0..4)), 0..5),
        attachments in prop::option::of((any::<bool>(), any::<bool>())),
        rscales in prop::collection::vec("[A-Z]{1,9}", 0..4),
        times in prop::array::uniform2(prop::option::of(-2_000_000_000i64..10_000_000_000)),
        administrator in prop::option::of("[!-~]{1,30}"),
    ) -> Capabilities {
        let time = |seconds: Option<i64>| seconds.map(|s| Timestamp::from_second(s).unwrap());
        Capabilities {
            messages: messages.into_iter().map(|(component, methods)| Supported { component, methods }).collect(),
            attachments: attachments.map(|(inline, external)| Attachments { inline, external }),
            rscales,
            max_content_length: numbers[0],
            max_instances: numbers[1],
            max_recipients: numbers[2],
            min_date_time: time(times[0]),
            max_date_time: time(times[1]),
            administrator,
            ..Capabilities::new(serial)
        }
    }
}

proptest! {
    #[test]
    fn written_values_round_trip(capabilities in any_capabilities()) {
        let mut deviations = Deviations::default();
        prop_assert_eq!(read(&capabilities.to_xml(), &mut deviations).unwrap(), capabilities);
    }

    #[test]
    fn reading_any_bytes_terminates(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Capabilities::read(&bytes, &Limits::default());
    }
}
