use crate::world::{address, discovery, logged, open, policy, store};
use convoke_plugin_host::{PluginState, StoreHandle, Verdict, origin::Origin};
use convoke_sdk::{
    AccessRequest, Discovered, Error, ErrorKind, InboxMessage, MessageId, NewObject, NewUser,
    ObjectIndex, Page, Precondition, TimeRange, Uid, UserId,
};
use std::{sync::Arc, time::Duration};

async fn faulty(fault: &str, name: &str) -> Arc<StoreHandle> {
    let mut entry = store("test-faulty", &format!("fault = '{fault}'"));
    entry.name = Some(name.to_owned());
    let plugins = open(vec![entry]).await.unwrap();
    Arc::clone(plugins.stores.by_name(name).unwrap())
}

async fn find(store: &StoreHandle) -> Error {
    store.find(&address("anna@example.org")).await.unwrap_err()
}

#[tokio::test]
async fn a_panic_in_any_method_becomes_internal_with_its_text() {
    let user = UserId::new("u").unwrap();
    let uid = Uid::new("u").unwrap();
    let object = NewObject::new(Vec::new(), ObjectIndex::new("VEVENT", uid.clone()));
    let (from, to) = (address("a@b.example"), address("c@d.example"));
    let message = InboxMessage::new(from, to, "REQUEST", uid.clone(), Vec::new());
    let message_id = MessageId::new("m").unwrap();
    let page = Page::first(1);
    let any = Precondition::Any;
    let new = NewUser::new(address("a@b.example"));
    let known = new.clone().with_id(user.clone());
    for fault in ["panic", "panic-later"] {
        // Four stores, so that none is skipped before each method was called.
        let [a, b, c, d] = [
            faulty(fault, "panics-a").await,
            faulty(fault, "panics-b").await,
            faulty(fault, "panics-c").await,
            faulty(fault, "panics-d").await,
        ];
        let answers = [
            a.find(&address("a@b.example")).await.err(),
            a.get(&user, &uid).await.err(),
            a.put(&user, &object, &any).await.err(),
            a.remove(&user, &uid, &any).await.err(),
            b.busy(&user, TimeRange::ALL).await.err(),
            b.add_user(&new).await.err(),
            b.remove_user(&user).await.err(),
            b.users(&page).await.err(),
            c.list(&user, &page).await.err(),
            c.changes(&user, None).await.err(),
            d.inbox_add(&user, &message).await.err(),
            d.inbox_list(&user, &page).await.err(),
            d.inbox_take(&user, &message_id).await.err(),
            d.update_user(&known).await.err(),
            c.deliver(&user, &message).await.err(),
        ];
        for answer in answers {
            let error = answer.expect("a panic is an error");
            assert_eq!(error.kind(), ErrorKind::Internal);
            let text = error.message();
            assert!(
                text.contains(
                    "the plugin panicked: out of cheese (tests/plugins/faulty/src/lib.rs:"
                ),
                "{text}"
            );
        }
    }
    assert!(logged().contains("plugin=panics-a"));
}

#[tokio::test]
async fn the_log_names_the_request_under_which_a_call_failed() {
    let failed = |name: &str| -> String {
        let log = logged();
        let is_it = |line: &&str| line.contains("plugin-failed") && line.contains(name);
        log.lines().find(is_it).unwrap().to_owned()
    };
    find(&*faulty("panic", "by-the-host").await).await;
    let line = failed("plugin=by-the-host");
    assert!(!line.contains("request="), "{line}");

    let store = faulty("panic", "by-a-peer").await;
    let origin = Origin::of(&address("a@b.example"), &[]);
    origin.ask(find(&store)).await;
    let line = failed("plugin=by-a-peer");
    let (_, number) = line.split_once("request=").unwrap();
    let number = number.split_whitespace().next().unwrap();
    assert!(number.parse::<u64>().unwrap() > 0, "{line}");
}

#[tokio::test]
async fn a_panic_elsewhere_in_a_plugin_costs_nothing_either() {
    let task = find(&*faulty("panic-in-task", "task").await).await;
    assert_eq!(task.kind(), ErrorKind::Internal);
    assert!(task.message().ends_with("Err(true)"), "{task}");

    let mut entry = store("test-faulty", "fault = 'panic-in-drop'");
    entry.timeout = Some(Duration::from_millis(5));
    let plugins = open(vec![entry]).await.unwrap();
    let late = find(plugins.stores.by_name("test-faulty").unwrap()).await;
    assert_eq!(late.kind(), ErrorKind::Unavailable);
}

#[tokio::test(start_paused = true)]
async fn a_plugin_that_cannot_open_says_why() {
    for (fault, end) in [
        (
            "open-panic",
            "did not open: the plugin panicked: cannot even open",
        ),
        ("open-error", "did not open: the database is locked"),
        ("open-hang", "did not open in time"),
    ] {
        let entry = discovery("test-faulty", &format!("fault = '{fault}'"));
        let sentence = open(vec![entry]).await.err().unwrap().to_string();
        assert!(sentence.contains(end), "{sentence}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_ends_at_its_deadline() {
    let store = faulty("hang", "hangs").await;
    let before = tokio::time::Instant::now();
    let error = find(&store).await;
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(
        error
            .message()
            .starts_with("plugin `hangs`: no answer within 10s"),
        "{error}"
    );
    assert_eq!(before.elapsed().as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_plugin_that_keeps_failing_is_skipped_for_a_while() {
    let store = faulty("error", "fails").await;
    for _ in 0..5 {
        assert_eq!(
            find(&store).await.message(),
            "plugin `fails`: the database is locked"
        );
    }
    let skipped = find(&store).await;
    assert_eq!(skipped.kind(), ErrorKind::Unavailable);
    assert_eq!(
        skipped.message(),
        "plugin `fails` is skipped for another 10 s: the database is locked"
    );
    let PluginState::Skipped { reason, .. } = store.info().state else {
        panic!("it is not skipped");
    };
    assert_eq!(reason, "the database is locked");
    tokio::time::advance(Duration::from_secs(11)).await;
    assert_eq!(
        find(&store).await.message(),
        "plugin `fails`: the database is locked"
    );
    let skipped = find(&store).await;
    assert!(
        skipped.message().contains("skipped for another 20 s"),
        "{skipped}"
    );
}

#[tokio::test]
async fn a_plugin_that_panics_at_one_thing_is_asked_about_others() {
    let store = faulty("panic", "panics-at-one").await;
    for _ in 0..20 {
        find(&store).await;
    }
    let skipped = find(&store).await;
    assert!(skipped.message().contains("is skipped"), "{skipped}");
    assert_eq!(store.find(&address("fine@example.org")).await, Ok(None));
}

#[tokio::test]
async fn a_plugin_that_answers_no_is_never_skipped_and_its_flood_is_cut() {
    let store = faulty("flood", "floods").await;
    for _ in 0..20 {
        assert_eq!(find(&store).await.kind(), ErrorKind::NotFound);
    }
    let log = logged();
    let longest = log
        .lines()
        .filter(|line| line.contains("plugin=floods"))
        .map(str::len)
        .max();
    assert!(
        longest.is_some_and(|length| (10_000..20_000).contains(&length)),
        "{longest:?}"
    );
}

#[tokio::test]
async fn a_panic_in_a_strategy_or_a_policy_is_their_failure() {
    let [fault, text] = ["fault = 'panic'", "the plugin panicked: out of cheese"];
    let plugins = open(vec![discovery("test-faulty", fault)]).await.unwrap();
    let found = plugins.discovery.discover(&address("a@b.example")).await;
    assert!(found.unwrap_err().message().contains(text));
    let mut entry = policy("test-faulty", fault);
    entry.name = Some("panicking-policy".to_owned());
    let plugins = open(vec![entry]).await.unwrap();
    let verdict = plugins.policy.decide(&request()).await;
    assert!(matches!(verdict, Verdict::Unavailable(_)), "{verdict:?}");
    let log = logged();
    let told = |line: &str| line.contains("panicking-policy") && line.contains(text);
    assert!(log.lines().any(told), "{log}");
}

fn request() -> AccessRequest {
    let [from, to] = ["a@b.example", "c@d.example"].map(address);
    AccessRequest::new("REQUEST", "VEVENT", from, to)
}

#[tokio::test]
async fn a_call_that_sleeps_past_its_deadline_is_given_up_and_costs_the_others_nothing() {
    let mut sleeps = store("test-faulty", "fault = 'sleep'");
    sleeps.timeout = Some(Duration::from_millis(20));
    sleeps.name = Some("sleeps".to_owned());
    let good = discovery("test-sample", "");
    let plugins = open(vec![sleeps, good]).await.unwrap();
    let store = plugins.stores.by_name("sleeps").unwrap();
    let late = find(store).await;
    assert!(late.message().contains("no answer within 20ms"), "{late}");
    let found = plugins.discovery.discover(&address("a@b.example")).await;
    assert_eq!(found, Ok(Discovered::NotMine));
}

#[tokio::test]
async fn threads_of_a_plugin_may_panic_and_go_on() {
    let store = faulty("threads", "threads").await;
    for _ in 0..3 {
        assert_eq!(find(&store).await.kind(), ErrorKind::NotFound);
    }
}

#[tokio::test]
async fn answers_of_any_size_are_taken_and_do_not_flood_the_log() {
    let fault = "fault = 'huge'";
    let mut named = policy("test-faulty", fault);
    named.name = Some("huge-policy".to_owned());
    let entries = vec![
        discovery("test-faulty", fault),
        named,
        store("test-faulty", fault),
    ];
    let plugins = open(entries).await.unwrap();
    let found = plugins.discovery.discover(&address("a@b.example")).await;
    assert!(matches!(found, Ok(Discovered::Receivers(list)) if list.len() == 10_000));
    let verdict = plugins.policy.decide(&request()).await;
    assert!(matches!(verdict, Verdict::Deny(_)), "{verdict:?}");
    let huge = plugins.stores.iter().next().unwrap();
    let page = Page::first(1);
    let listed = huge.list(&UserId::new("u").unwrap(), &page).await;
    let asked = listed.map(|listing| listing.items.len());
    assert_eq!(asked.unwrap_err().kind(), ErrorKind::Internal);
    assert_eq!(find(huge).await.kind(), ErrorKind::NotFound);
    let longest = logged().lines().map(str::len).max();
    assert!(longest.is_some_and(|length| length < 40_000), "{longest:?}");
}
