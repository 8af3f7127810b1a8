//! Messages and changes that wait for somebody to decide, at hosts that are killed meanwhile.

use crate::{
    OPEN, meeting,
    moment::{Kill, Moment, Random, Victim},
    random,
    relay::Way,
    rounds,
    world::{BO, Store, Who, World},
};
use serde_json::{Value, json};
use std::{
    thread,
    time::{Duration, Instant},
};

/// Strangers wait until Bo lets them in.
const HELD: &str = "[{ allow = \"schedule\", known = true }, { hold = \"schedule\" }]";

fn rows(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

/// Who does something at a side while that is killed.
fn meanwhile(world: &mut World, who: Who, random: &mut Random, (method, asked): (&str, &Value)) {
    let side = match who {
        Who::Anna => &mut world.anna,
        Who::Bo => &mut world.bo,
    };
    let wait = Duration::from_micros(random.below(40_000));
    let asking = side.ask(method, asked);
    let since = Instant::now();
    while since.elapsed() < wait {
        thread::yield_now();
    }
    side.kill();
    drop(asking);
    side.start();
}

#[test]
fn a_held_message_is_there_once_and_let_in_once_though_hosts_are_killed() {
    let mut random = random(3);
    for _ in 0..rounds() {
        let mut world = World::new(Store::Vdir, "settle = \"200ms\"", HELD);
        world.anna.write("strange", &meeting("strange"));
        let kill = Kill::random(&mut random);
        eprintln!("{kill:?}");
        world.kill(Who::Anna, kill, |world| !rows(&world.bo.inbox()).is_empty());
        world.wait("held message", |world| !rows(&world.bo.inbox()).is_empty());
        world.wait_for_calm();
        let inbox = world.bo.inbox();
        let [waits] = rows(&inbox) else {
            panic!("it waits once: {inbox}");
        };
        assert_eq!(world.bo.read("strange"), None);
        // Bo is not told by accident, and decides at last.
        let accept =
            json!({ "user": BO, "id": waits["id"], "decision": "accept", "comment": null });
        meanwhile(&mut world, Who::Bo, &mut random, ("inbox-decide", &accept));
        let inbox = world.bo.inbox();
        if let [still] = rows(&inbox) {
            assert_eq!(still["id"], waits["id"]);
            world.bo.call("inbox-decide", &accept);
        }
        assert_eq!(world.bo.inbox(), json!([]));
        assert!(world.bo.read("strange").is_some());
        world.wait_for_calm();
        world.wait("message in the log", |world| {
            !world.anna.told("strange").is_empty()
        });
        assert_eq!(world.anna.told("strange").len(), 1);
    }
}

/// More changes than `hold` says wait for somebody, over the end of the host, and while they are released.
#[test]
fn held_changes_are_told_once_though_the_host_is_killed_while_they_are_released() {
    let mut random = random(4);
    let uids = ["one", "two", "three"];
    for _ in 0..rounds() {
        let mut world = World::new(Store::Vdir, "settle = \"200ms\"\nhold = 2", OPEN);
        // All of them are there at the same look.
        world.anna.kill();
        for uid in uids {
            world.anna.write(uid, &meeting(uid));
        }
        world.anna.start();
        let moment = Moment::After(Duration::from_millis(random.below(1_000)));
        let victim = Victim::Teller;
        world.kill(Who::Anna, Kill { victim, moment }, |_| false);
        world.wait("held changes", |world| rows(&world.anna.queue()).len() == 3);
        let queue = world.anna.queue();
        assert!(
            rows(&queue).iter().all(|it| it["state"] == "held"),
            "{queue}"
        );
        let release = json!({ "ids": null, "user": null });
        meanwhile(
            &mut world,
            Who::Anna,
            &mut random,
            ("queue-release", &release),
        );
        // Those that were not released wait still.
        world.anna.call("queue-release", &release);
        let octets = usize::try_from(random.below(5_000)).unwrap();
        let moment = Moment::Passed(Way::Back, octets);
        world.kill(Who::Anna, Kill { victim, moment }, |_| false);
        world.wait("end of what is held", |world| {
            world.anna.call("queue-release", &release);
            uids.iter().all(|uid| world.bo.read(uid).is_some())
        });
        world.wait_for_calm();
        for uid in uids {
            world.wait("message in the log", |world| {
                !world.anna.told(uid).is_empty()
            });
            assert_eq!(world.anna.told(uid).len(), 1, "{uid}");
        }
    }
}
