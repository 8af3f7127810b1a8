use crate::world::{address, discovery, logged, open, policy, setup, store};
use convoke_plugin_host::{Interface, Verdict};
use convoke_sdk::{
    AccessRequest, Acquaintance, BusySpan, BusyType, Cursor, Delivery, Detail, Discovered, Domain,
    ErrorKind, InboxMessage, NewObject, NewUser, ObjectIndex, Page, Precondition, Proof,
    ReceiverUrl, TimeRange, Uid, UserKind,
};
use jiff::Timestamp;
use std::time::Duration;

const DOMAINS: &str = "domains.'example.com' = 'https://cal.example.com/ischedule'";

#[tokio::test]
async fn the_plugin_of_the_style_guide_answers() {
    let plugins = open(vec![discovery("test-fixed", DOMAINS)]).await.unwrap();
    let known = plugins
        .discovery
        .discover(&address("anna@example.com"))
        .await;
    let url = ReceiverUrl::new("https://cal.example.com/ischedule").unwrap();
    assert_eq!(known, Ok(Discovered::receiver(url)));
    let unknown = plugins
        .discovery
        .discover(&address("anna@example.net"))
        .await;
    assert_eq!(unknown, Ok(Discovered::NotMine));
}

#[tokio::test]
async fn a_receiver_arrives_whole_after_a_timer_of_the_plugins_own() {
    let config = format!("{DOMAINS}\nrest_milliseconds = 1");
    let plugins = open(vec![discovery("test-sample", &config)]).await.unwrap();
    let found = plugins
        .discovery
        .discover(&address("anna@example.com"))
        .await;
    let Ok(Discovered::Receivers(receivers)) = found else {
        panic!("{found:?}");
    };
    let [receiver] = receivers.as_slice() else {
        panic!("{receivers:?}");
    };
    assert_eq!(receiver.url.as_str(), "https://cal.example.com/ischedule");
    assert_eq!(receiver.tls_name, Some(Domain::new("tls.example").unwrap()));
    assert_eq!(receiver.valid_for, Some(Duration::from_millis(1500)));
    assert!(receiver.is_administered());
}

#[tokio::test]
async fn events_stand_in_the_hosts_log_under_the_name_of_the_instance() {
    let named = |name: &str| {
        let mut entry = discovery("test-sample", "");
        entry.name = Some(name.to_owned());
        entry
    };
    let plugins = open(vec![named("finder-left"), named("finder-right")])
        .await
        .unwrap();
    let _ = plugins
        .discovery
        .discover(&address("log@example.com"))
        .await;
    let log = logged();
    for name in ["finder-left", "finder-right"] {
        let line = log
            .lines()
            .find(|line| line.contains(&format!("plugin={name} ")));
        let line = line.unwrap_or_else(|| panic!("nothing of {name} in:\n{log}"));
        for part in [
            "INFO",
            "from=convoke_test_sample",
            "looked up",
            "address=mailto:log@example.com",
            &format!("instance={name}"),
        ] {
            assert!(line.contains(part), "{part} is not in: {line}");
        }
    }
}

#[tokio::test]
async fn one_library_serves_several_entries() {
    let entries = vec![
        discovery("test-sample", DOMAINS),
        discovery(
            "test-sample",
            "domains.'example.net' = 'https://net.example/'",
        ),
    ];
    let plugins = open(entries).await.unwrap();
    for known in ["a@example.com", "a@example.net"] {
        let found = plugins.discovery.discover(&address(known)).await;
        assert!(matches!(found, Ok(Discovered::Receivers(_))), "{found:?}");
    }
    let list = plugins.list();
    let names: Vec<_> = list.iter().map(|plugin| plugin.name.as_str()).collect();
    assert_eq!(names, ["test-sample", "test-sample-2"]);
    assert_eq!(list[0].interface, Interface::Abi((1, 0)));
    assert_eq!(list[0].state.as_str(), "ready");
}

#[tokio::test]
async fn a_policy_is_told_everything() {
    let plugins = open(vec![policy("test-sample", "answer = 'tell'")])
        .await
        .unwrap();
    let mut request = AccessRequest::new(
        "REQUEST",
        "VFREEBUSY",
        address("bo@example.com"),
        address("anna@example.org"),
    );
    request.proofs = vec![
        Proof::Dkim(Domain::new("example.com").unwrap()),
        Proof::Mtls(Domain::new("mx.example.com").unwrap()),
        Proof::Submission(address("bo@example.com")),
    ];
    request.peer = Some("192.0.2.1".parse().unwrap());
    request.uid = Some(Uid::new("u").unwrap());
    request.organizer = Some(address("boss@example.com"));
    request.message_id = Some("m".to_owned());
    request.size = Some(7);
    request.sender = Some(Acquaintance::Stranger);
    request.attributes.set("later", "fact");
    let verdict = plugins.policy.decide(&request).await;
    assert!(matches!(verdict, Verdict::Deny(_)), "{verdict:?}");
    assert!(logged().contains(&format!("{request:?}")));
}

#[tokio::test]
async fn a_grant_arrives() {
    let plugins = open(vec![policy("test-sample", "answer = 'busy'")])
        .await
        .unwrap();
    let request = AccessRequest::new(
        "REQUEST",
        "VEVENT",
        address("a@b.example"),
        address("c@d.example"),
    );
    let Verdict::Allow(allowance) = plugins.policy.decide(&request).await else {
        panic!("denied");
    };
    assert_eq!(allowance.grant.detail, Detail::Busy);
}

#[tokio::test]
async fn one_call_can_be_made_by_hand() {
    let setup = setup(Vec::new());
    let entry = discovery("test-sample", DOMAINS);
    let asked = async |method, arguments| {
        let answer = convoke_plugin_host::ask(&setup, &entry, method, arguments).await;
        answer.unwrap()
    };
    let address = r#"{"address": "anna@example.com"}"#;
    let answer = asked("discover", address).await.unwrap();
    let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
    let receiver = &answer["receivers"][0];
    assert_eq!(receiver["url"], "https://cal.example.com/ischedule");
    assert_eq!(receiver["source"], "administrator");
    assert_eq!(receiver["valid_for"], 1.5);
    let nobody = asked("discover", r#"{"address": "a@example.net"}"#).await;
    assert_eq!(nobody.unwrap(), "\"not-mine\"");
    for (method, arguments) in [("find", address), ("discover", "{}"), ("discover", "[")] {
        let refused = asked(method, arguments).await.unwrap_err();
        let kinds = [ErrorKind::Unsupported, ErrorKind::Invalid];
        assert!(
            kinds.contains(&refused.kind()),
            "{method} {arguments}: {refused}"
        );
    }
}

fn second(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn object(uid: &str, spans: &[(i64, i64)], open_after: Option<i64>) -> NewObject {
    let spans = spans.iter().map(|(start, end)| {
        let range = TimeRange::new(second(*start), second(*end)).unwrap();
        BusySpan::new(range, BusyType::BusyTentative)
    });
    let mut index = ObjectIndex::new("VEVENT", Uid::new(uid).unwrap());
    index.spans = spans.collect();
    index.open_after = open_after.map(second);
    NewObject::new(format!("BEGIN:{uid}").into_bytes(), index)
}

#[tokio::test]
async fn a_store_keeps_what_it_is_given() {
    let anna = address("anna@example.org");
    let plugins = open(vec![store("test-sample", "user = 'anna@example.org'")])
        .await
        .unwrap();
    let store = plugins.stores.for_address(&anna).unwrap();
    assert_eq!(store.name(), "test-sample");
    assert!(
        plugins
            .stores
            .for_address(&address("a@example.com"))
            .is_none()
    );

    let user = store
        .find(&address("ANNA@example.org"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (user.kind, user.timezone.as_deref()),
        (UserKind::Room, Some("Europe/Zurich"))
    );
    assert_eq!(store.find(&address("bo@example.org")).await, Ok(None));
    let user = user.id;

    let first = object("u/1 é", &[(-10, 10), (100, 110)], None);
    let etag = store
        .put(&user, &first, &Precondition::Absent)
        .await
        .unwrap();
    let again = store
        .put(&user, &first, &Precondition::Absent)
        .await
        .unwrap_err();
    assert_eq!(again.kind(), ErrorKind::Conflict);
    let etag = store
        .put(&user, &first, &Precondition::Matches(etag))
        .await
        .unwrap();
    let found = store.get(&user, &first.index.uid).await.unwrap().unwrap();
    assert_eq!((found.data, found.etag), (first.data.clone(), etag));

    let second_object = object("u2", &[], Some(50));
    store
        .put(&user, &second_object, &Precondition::Any)
        .await
        .unwrap();
    let range = TimeRange::new(second(0), second(60)).unwrap();
    let busy = store.busy(&user, range).await.unwrap();
    assert_eq!(busy.spans, first.index.spans[..1]);
    assert_eq!(busy.objects.len(), 1);

    let mut page = Page::first(1);
    let listing = store.list(&user, &page).await.unwrap();
    assert_eq!(listing.items[0].uid.as_str(), "u/1 é");
    page.after = listing.next;
    assert_eq!(page.after, Some(Cursor("u/1 é".to_owned())));
    let listing = store.list(&user, &page).await.unwrap();
    assert_eq!(listing.items[0].uid.as_str(), "u2");

    store
        .remove(&user, &first.index.uid, &Precondition::Any)
        .await
        .unwrap();
    let gone = store
        .remove(&user, &first.index.uid, &Precondition::Any)
        .await
        .unwrap_err();
    assert_eq!(gone.kind(), ErrorKind::NotFound);
    assert_eq!(store.get(&user, &first.index.uid).await, Ok(None));
}

#[tokio::test]
async fn what_a_store_does_not_offer_says_so() {
    let plugins = open(vec![store("test-sample", "user = 'anna@example.org'")])
        .await
        .unwrap();
    let store = plugins.stores.by_name("test-sample").unwrap();
    let user = convoke_sdk::UserId::new("one").unwrap();
    let refused = store
        .changes(&user, Some(&Cursor("7".to_owned())))
        .await
        .unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unsupported);
    assert_eq!(
        refused.message(),
        "plugin `test-sample`: this store does not track changes"
    );
}

#[tokio::test]
async fn a_plugin_asks_the_host_for_an_index() {
    let plugins = open(vec![store("test-sample", "user = 'anna@example.org'")])
        .await
        .unwrap();
    let store = plugins.stores.by_name("test-sample").unwrap();
    let user = convoke_sdk::UserId::new("one").unwrap();
    let mut message = InboxMessage::new(
        address("bo@example.com"),
        address("anna@example.org"),
        "REQUEST",
        Uid::new("u").unwrap(),
        b"BEGIN:VCALENDAR".to_vec(),
    );
    let taken = store.deliver(&user, &message).await;
    assert_eq!(taken, Ok(Delivery::Handled("2.0;one".to_owned())));
    message.data = b"nonsense".to_vec();
    let refused = store.deliver(&user, &message).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Invalid);
    assert!(refused.message().ends_with("this is no calendar"));
}

#[tokio::test]
async fn our_own_plugins_open_from_their_libraries() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("calendars.db");
    let plugins = open(vec![
        discovery("discovery-static", DOMAINS),
        policy(
            "policy-rules",
            "rules = [{ allow = 'freebusy', from = '*@example.com' }]",
        ),
        store("store-sqlite", &format!("path = {database:?}")),
    ]);
    let plugins = plugins.await.unwrap();
    let anna = address("anna@example.org");
    let bo = address("bo@example.com");

    let found = plugins.discovery.discover(&bo).await;
    assert!(matches!(found, Ok(Discovered::Receivers(_))), "{found:?}");

    let ask = |component| AccessRequest::new("REQUEST", component, bo.clone(), anna.clone());
    assert!(matches!(
        plugins.policy.decide(&ask("VFREEBUSY")).await,
        Verdict::Allow(_)
    ));
    let verdict = plugins.policy.decide(&ask("VEVENT")).await;
    assert!(matches!(verdict, Verdict::Deny(_)), "{verdict:?}");

    let store = plugins.stores.for_address(&anna).unwrap();
    let user = store.add_user(&NewUser::new(anna.clone())).await.unwrap();
    let object = object("u1", &[(0, 10)], None);
    store
        .put(&user, &object, &Precondition::Absent)
        .await
        .unwrap();
    let busy = store.busy(&user, TimeRange::ALL).await.unwrap();
    assert_eq!(busy.spans, object.index.spans);
}
