use crate::world::{address, discovery, open, policy};
use convoke_plugin_host::{PluginEntry, Verdict};
use convoke_sdk::{AccessRequest, Discovered, ErrorKind};

const KNOWN: &str = "domains.'example.com' = 'https://cal.example.com/ischedule'";
const BROKEN: &str = "fault = 'error'";

async fn discover(entries: Vec<PluginEntry>) -> Result<Discovered, ErrorKind> {
    let plugins = open(entries).await.unwrap();
    let found = plugins
        .discovery
        .discover(&address("anna@example.com"))
        .await;
    found.map_err(|error| error.kind())
}

#[tokio::test]
async fn an_outage_of_one_strategy_lets_the_next_one_answer_and_is_else_temporary() {
    let broken = || discovery("test-faulty", BROKEN);
    let known = || discovery("test-sample", KNOWN);
    let unknown = || discovery("test-sample", "");
    assert!(matches!(
        discover(vec![unknown(), broken(), known()]).await,
        Ok(Discovered::Receivers(_))
    ));
    assert_eq!(
        discover(vec![unknown(), unknown()]).await,
        Ok(Discovered::NotMine)
    );
    for entries in [
        vec![broken()],
        vec![broken(), unknown()],
        vec![unknown(), broken()],
    ] {
        assert_eq!(discover(entries).await, Err(ErrorKind::Unavailable));
    }
    let panics = discovery("test-faulty", "fault = 'panic'");
    assert_eq!(discover(vec![panics]).await, Err(ErrorKind::Unavailable));
    assert_eq!(discover(Vec::new()).await, Ok(Discovered::NotMine));
}

#[tokio::test(start_paused = true)]
async fn who_is_not_allowed_is_denied() {
    let answer = |answer: &str| policy("test-sample", &format!("answer = '{answer}'"));
    let faulty = |fault: &str| policy("test-faulty", &format!("fault = '{fault}'"));
    for (entries, allowed) in [
        (vec![], false),
        (vec![answer("abstain")], false),
        (vec![answer("abstain"), answer("allow")], true),
        (vec![answer("allow"), answer("deny")], false),
        (vec![answer("allow"), faulty("error")], false),
        (vec![answer("allow"), faulty("panic")], false),
        (vec![faulty("hang"), answer("allow")], false),
    ] {
        let request = AccessRequest::new(
            "REQUEST",
            "VEVENT",
            address("a@b.example"),
            address("c@d.example"),
        );
        let plugins = open(entries).await.unwrap();
        let verdict = plugins.policy.decide(&request).await;
        assert_eq!(matches!(verdict, Verdict::Allow(_)), allowed);
    }
}
