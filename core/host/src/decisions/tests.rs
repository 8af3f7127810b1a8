use super::*;
use convoke_types::{Committed, StateWrite, Uid};
use futures::FutureExt;
use jiff::Timestamp;
use std::collections::BTreeMap;

#[test]
fn brackets_are_not_part_of_an_identifier() {
    for (id, expected) in [
        ("<a@b>", "a@b"),
        (" <a@b> ", "a@b"),
        ("a@b", "a@b"),
        ("<a@b", "<a@b"),
        ("<>", ""),
    ] {
        assert_eq!(bare(id), expected, "{id}");
    }
}

#[test]
fn strangers_do_not_fill_the_log() {
    let mut refusals = Refusals::default();
    let begin = refusals.since;
    let kept = |refusals: &mut Refusals, at: Duration| {
        let admitted = (0..1_000).filter(|_| refusals.admit(begin + at));
        admitted.count()
    };
    assert_eq!(kept(&mut refusals, Duration::ZERO), 60);
    assert_eq!(kept(&mut refusals, Duration::from_secs(10)), 5);
    assert_eq!(kept(&mut refusals, Duration::from_secs(86_400)), 60);
}

/// A state in memory. What is to be written is there once it is let go on.
struct Slow {
    goes_on: tokio::sync::Semaphore,
    entries: Mutex<BTreeMap<Vec<u8>, StateEntry>>,
}

impl Slow {
    fn letting(commits: usize) -> Self {
        Self {
            goes_on: tokio::sync::Semaphore::new(commits),
            entries: Mutex::default(),
        }
    }
}

impl State for Slow {
    async fn get(&self, _: &[u8]) -> Result<Option<StateEntry>, Error> {
        Ok(None)
    }

    async fn scan(&self, range: &KeyRange, limit: u32) -> Result<Vec<StateEntry>, Error> {
        let entries = self.entries.lock().unwrap();
        let within = entries.values().filter(|it| range.contains(&it.key));
        Ok(within.take(limit as usize).cloned().collect())
    }

    async fn commit(&self, batch: Batch) -> Result<Committed, Error> {
        drop(self.goes_on.acquire().await);
        let mut entries = self.entries.lock().unwrap();
        for write in batch.writes {
            match write {
                StateWrite::Put {
                    key,
                    value,
                    expires_in,
                } => {
                    let mut entry = StateEntry::new(key.clone(), value, 1);
                    entry.expires_in = expires_in;
                    entries.insert(key, entry);
                }
                StateWrite::Delete { key } => {
                    entries.remove(&key);
                }
                other => panic!("{other:?}"),
            }
        }
        Ok(Committed::new(1))
    }
}

fn address(text: &str) -> CalendarAddress {
    CalendarAddress::new(text).unwrap()
}

fn delivered(second: i64, uid: &str, to: &str, message: &str) -> Decided {
    let at = Timestamp::from_second(second).unwrap();
    let mut decided = Decided::new(at, "delivered", &Uid::new(uid).unwrap());
    decided.recipient = Some(address(to));
    decided.message_id = Some(message.to_owned());
    decided
}

fn refused(second: i64, message: &str) -> Decided {
    let mut decided = delivered(second, "unknown", BO, message);
    decided.uid = None;
    decided.recipient = None;
    decided
}

const BO: &str = "mailto:bo@example.org";
const CY: &str = "mailto:cy@example.org";

/// Written by two hosts, in three goes.
fn some() -> Slow {
    let state = Slow::letting(100);
    let hosts = [Decisions::default(), Decisions::default()];
    let told = Decided::new(
        Timestamp::from_second(4).unwrap(),
        "change-told",
        &Uid::new("lunch\"s").unwrap(),
    );
    for (host, decided) in [
        (0, delivered(1, "lunch\"s", BO, "<m1@x>")),
        (0, refused(2, "<m2@x>")),
        (0, delivered(3, "tea", CY, "<m3@x>")),
        (1, delivered(2, "lunch\"s", CY, "<m1@x>")),
        (1, delivered(5, "lunch\"s", CY, "<m4@x>")),
        (1, told),
    ] {
        hosts[host].add(decided);
    }
    for host in hosts {
        let written = host.write(&state, Duration::from_secs(1_000_000));
        written.now_or_never().unwrap().unwrap();
    }
    state
}

fn seconds(state: &Slow, what: &str, user: Option<&str>) -> Vec<i64> {
    let user = user.map(address);
    let found = about(state, what, user.as_ref()).now_or_never().unwrap();
    found.unwrap().iter().map(|it| it.at.as_second()).collect()
}

#[test]
fn decisions_are_found_by_what_they_are_about() {
    let state = some();
    for (what, user, expected) in [
        ("lunch\"s", None, vec![1, 2, 4, 5]),
        ("lunch\"s", Some(CY), vec![2, 5]),
        ("tea", None, vec![3]),
        // What occurs in something is not its name.
        ("te", None, vec![]),
        ("example.org", None, vec![]),
        ("", None, vec![]),
        // Of a message, and of its object what is about no other message.
        ("<m1@x>", None, vec![1, 2, 4]),
        (" m4@x ", None, vec![4, 5]),
        ("m2@x", None, vec![2]),
        ("<m2@x>", Some(CY), vec![]),
    ] {
        assert_eq!(seconds(&state, what, user), expected, "{what} {user:?}");
    }
}

#[test]
fn who_is_forgotten_takes_nobody_else_along() {
    let state = some();
    let before = state.entries.lock().unwrap().len();
    let forgotten = forget(&state, &address(CY)).now_or_never();
    forgotten.unwrap().unwrap();
    assert_eq!(seconds(&state, "lunch\"s", None), [1, 4]);
    assert_eq!(seconds(&state, "m2@x", None), [2]);
    let entries = state.entries.lock().unwrap();
    let text = |it: &StateEntry| String::from_utf8(it.value.clone()).unwrap();
    assert!(!entries.values().any(|it| text(it).contains("cy@")));
    assert_eq!(entries.len(), before);
    // Nothing lives longer than it was to.
    assert!(entries.values().all(|it| it.expires_in.is_some()));
}

#[test]
fn who_is_forgotten_is_forgotten_as_a_sender_too() {
    for (peer, stays) in [
        ("cy@example.org, handed in here", false),
        ("CY@example.org, signed by example.org", false),
        ("cy@example.org.au, signed by example.org.au", true),
        ("icy@example.org, handed in here", true),
        ("cy", true),
    ] {
        let mut decided = delivered(1, "tea", BO, "<m1@x>");
        decided.peer = Some(peer.to_owned());
        assert_eq!(!concerns(&decided, &address(CY)), stays, "{peer}");
    }
}

#[test]
fn who_has_written_what_waits_finds_also_what_somebody_else_was_writing() {
    let decisions = Decisions::default();
    let state = Slow::letting(0);
    let decided = Decided::new(Timestamp::UNIX_EPOCH, "sent", &Uid::new("m").unwrap());
    decisions.add(decided);
    let keep = Duration::from_secs(60);
    let mut somebody = Box::pin(decisions.write(&state, keep));
    assert!((&mut somebody).now_or_never().is_none());
    let mut whoever_asks = Box::pin(decisions.write(&state, keep));
    assert!((&mut whoever_asks).now_or_never().is_none());
    state.goes_on.add_permits(1);
    assert!(somebody.now_or_never().is_some());
    assert!(whoever_asks.now_or_never().is_some());
    assert_eq!(state.entries.lock().unwrap().len(), 1);
}

/// Whoever writes to us may give their message the name of an object, and may write often.
#[tokio::test]
async fn no_message_hides_what_was_decided_about_an_object() {
    let state = Slow::letting(10);
    let host = Decisions::default();
    let most = i64::try_from(ANSWERED).unwrap();
    for second in 1..=most + 2 {
        host.add(delivered(second, "tea", BO, "<m1@x>"));
        host.add(refused(second, "<tea>"));
    }
    host.write(&state, Duration::from_secs(60)).await.unwrap();
    let found = about(&state, "tea", None).await.unwrap();
    assert_eq!(found.len(), ANSWERED);
    assert!(
        found
            .iter()
            .all(|it| it.event == "delivered" && it.uid.is_some())
    );
    assert_eq!(found[0].at.as_second(), 3, "the latest are told");
    assert_eq!(found[ANSWERED - 1].at.as_second(), most + 2);
}
