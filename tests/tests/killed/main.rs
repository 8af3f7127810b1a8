//! Two hosts of which one is killed (SIGKILL) at a random moment while a change is on its way from calendar to calendar: nothing
//! is lost, nobody is told twice, and nothing is left in a queue.
//!
//! Moments are chosen by a seed, which a test prints. `CONVOKE_SEED=7 CONVOKE_KILLS=50 cargo test -p convoke-tests --test killed`
//! takes another one, and kills in more rounds.

mod held;
mod moment;
mod relay;
mod world;

use moment::{Kill, Random};
use world::{ANNA, BO, Side, Store, Who, World};

/// Everybody may write to everybody.
const OPEN: &str = "[{ allow = \"any\" }]";
/// Meetings that change at once.
const MEETINGS: usize = 3;

/// The moments of a test.
fn random(test: u64) -> Random {
    let seed = std::env::var("CONVOKE_SEED").ok();
    let seed: u64 = seed.map_or(1, |seed| seed.parse().expect("a number"));
    eprintln!("CONVOKE_SEED={seed}");
    Random::new(seed.wrapping_mul(1_000).wrapping_add(test))
}

/// How often a story is told.
fn rounds() -> usize {
    let rounds = std::env::var("CONVOKE_KILLS").ok();
    rounds.map_or(2, |rounds| rounds.parse().expect("a number of rounds"))
}

#[test]
fn what_a_program_writes_as_files_is_told_once_though_hosts_are_killed() {
    story(Store::Vdir, random(1));
}

#[test]
fn what_a_process_writes_into_sqlite_is_told_once_though_hosts_are_killed() {
    story(Store::Sqlite, random(2));
}

/// What happens to each meeting, one step after the other.
#[derive(Clone, Copy, Debug)]
enum Step {
    Invite,
    Accept,
    Move,
    AcceptAgain,
    CallOff,
}

const STEPS: [Step; 5] = [
    Step::Invite,
    Step::Accept,
    Step::Move,
    Step::AcceptAgain,
    Step::CallOff,
];

impl Step {
    const fn teller(self) -> Who {
        match self {
            Self::Invite | Self::Move | Self::CallOff => Who::Anna,
            Self::Accept | Self::AcceptAgain => Who::Bo,
        }
    }

    /// Messages about a meeting that its teller has told after this step.
    const fn told(self) -> usize {
        match self {
            Self::Invite | Self::Accept => 1,
            Self::Move | Self::AcceptAgain => 2,
            Self::CallOff => 3,
        }
    }

    /// Changes the meeting as a calendar program does: one write.
    fn change(self, teller: &Side, uid: &str) {
        match self {
            Self::Invite => teller.write(uid, &meeting(uid)),
            Self::Move => {
                let moved = teller.read(uid).unwrap();
                teller.write(
                    uid,
                    &moved.replace("DTSTART:20370104T1", "DTSTART:20370105T1"),
                );
            }
            Self::CallOff => teller.delete(uid),
            Self::Accept | Self::AcceptAgain => teller.write(uid, &accepted(teller, uid)),
        }
    }

    /// Whether whoever hears of it has it.
    fn is_there(self, receiver: &Side, uid: &str) -> bool {
        let Some(copy) = receiver.read(uid) else {
            return false;
        };
        let bo = attendee(&copy);
        let is_accepted = bo.contains("PARTSTAT=ACCEPTED");
        match self {
            Self::Invite => copy.contains("DTSTART:20370104T1"),
            Self::Move => copy.contains("DTSTART:20370105T1") && !is_accepted,
            Self::Accept | Self::AcceptAgain => is_accepted,
            Self::CallOff => copy.contains("STATUS:CANCELLED"),
        }
    }
}

fn meeting(uid: &str) -> String {
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Somebody//EN\r\nBEGIN:VEVENT\r\nUID:{uid}\r\nDTSTAMP:20261201T070000Z\r\n\
         DTSTART:20370104T100000Z\r\nDURATION:PT1H\r\nSUMMARY:Review\r\nORGANIZER:mailto:{ANNA}\r\n\
         ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:{BO}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
}

/// The line of Bo.
fn attendee(object: &str) -> &str {
    let mut lines = object.lines().filter(|it| it.starts_with("ATTENDEE"));
    lines.find(|it| it.contains(BO)).unwrap_or_default()
}

/// Bo's copy with Bo's answer.
fn accepted(bo: &Side, uid: &str) -> String {
    let copy = bo.read(uid).unwrap();
    let line = attendee(&copy);
    let answer = line.replace(";PARTSTAT=NEEDS-ACTION", "");
    let answer = answer.replacen("ATTENDEE", "ATTENDEE;PARTSTAT=ACCEPTED", 1);
    copy.replace(line, &answer)
}

fn story(store: Store, mut random: Random) {
    let mut world = World::new(store, "settle = \"200ms\"", OPEN);
    for round in 0..rounds() {
        let uids: Vec<String> = (0..MEETINGS)
            .map(|number| format!("meeting-{round}-{number}"))
            .collect();
        for step in STEPS {
            let kills: Vec<Kill> = (0..=random.below(2))
                .map(|_| Kill::random(&mut random))
                .collect();
            eprintln!("round {round}, {step:?}: {kills:?}");
            take(&mut world, step, &uids, &kills);
        }
    }
}

/// Takes a step of each meeting, kills meanwhile, and says what must hold afterwards.
fn take(world: &mut World, step: Step, uids: &[String], kills: &[Kill]) {
    let (teller, _) = world.sides(step.teller());
    for uid in uids {
        step.change(teller, uid);
    }
    for kill in kills {
        world.kill(step.teller(), *kill, |world| {
            let (_, receiver) = world.sides(step.teller());
            uids.iter().any(|uid| step.is_there(receiver, uid))
        });
    }
    for uid in uids {
        let what = format!("{step:?} of {uid}");
        world.wait(&what, |world| {
            let (_, receiver) = world.sides(step.teller());
            step.is_there(receiver, uid)
        });
    }
    world.wait_for_calm();
    let (teller, receiver) = world.sides(step.teller());
    for uid in uids {
        // The log follows what the queue says.
        let what = format!("message of {step:?} of {uid} in the log");
        world.wait(&what, |_| teller.told(uid).len() >= step.told());
        let told = teller.told(uid);
        assert_eq!(told.len(), step.told(), "{step:?} of {uid}: {told:?}");
        let taken = receiver.taken(uid);
        assert!(taken.is_subset(&told), "{step:?} of {uid}: {taken:?}");
        // What came twice has changed nothing since.
        assert!(step.is_there(receiver, uid), "{step:?} of {uid}");
    }
}
