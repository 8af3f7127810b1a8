//! The world: hosts, people, and what is broken at the moment.

use crate::{
    executor::{Executor, Millis, Owner, WORLD, yield_now},
    host::{self, Env},
    state::MemoryState,
    store::Person,
    story::{Deed, Part, PersonTraits, Response, Step, Story},
    witness::Witness,
};
use convoke_scheduling::{Scheduler, Timing};
use convoke_types::{CalendarAddress, Domain, Error};
use futures::FutureExt;
use jiff::{SignedDuration, Timestamp};
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

/// When everything begins: a Tuesday.
const BEGIN: Timestamp = Timestamp::constant(1_796_112_000, 0);

/// How often clocks that drift are set right.
const SET_RIGHT: i64 = 8 * 3_600_000;

pub(crate) struct World {
    pub(crate) executor: Executor,
    pub(crate) hosts: Vec<Host>,
    pub(crate) people: Vec<Arc<Person>>,
    /// People decide about proposals, and bookings.
    pub(crate) has_decisions: bool,
    pub(crate) witness: Mutex<Witness>,
    pub(crate) network: Mutex<Network>,
    /// How mails get lost.
    pub(crate) post: Mutex<Network>,
    /// Mails that are on their way.
    pub(crate) mails: AtomicUsize,
    /// Hosts that are about to end.
    doomed: Mutex<Vec<(usize, Millis)>>,
    /// What happened, for whoever has to find out why.
    log: Option<Mutex<Vec<String>>>,
}

pub(crate) struct Host {
    pub(crate) domain: Domain,
    pub(crate) timing: Timing,
    pub(crate) holds_strangers: bool,
    pub(crate) has_mail: bool,
    has_receiver: AtomicBool,
    pub(crate) state: MemoryState,
    pub(crate) running: Mutex<Option<Arc<Scheduler<Env>>>>,
    /// How often it has lost its state.
    lost: Mutex<u64>,
    clock: Mutex<Clock>,
    trouble: Mutex<Trouble>,
}

struct Clock {
    ahead_ms: i64,
    drift_ppm: i64,
}

/// What is wrong with a host.
#[derive(Default)]
struct Trouble {
    /// Until when parts of it fail.
    broken: HashMap<Part, Millis>,
    /// After so many operations it ends, and for how long.
    crash: Option<(u64, Millis)>,
}

/// How messages get lost.
#[derive(Default)]
pub(crate) struct Network {
    pub(crate) percent: u64,
    pub(crate) until: Millis,
}

/// How an operation fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Nothing happened.
    Before,
    /// It happened, but nobody is told so.
    After,
    /// Somebody else is said to have been faster.
    Conflict,
}

impl Failure {
    pub(crate) fn error(self) -> Error {
        match self {
            Self::Before | Self::After => Error::unavailable("it is broken for a while"),
            Self::Conflict => Error::conflict("somebody else was faster"),
        }
    }
}

impl Network {
    /// How often in a hundred times something happens to what is sent now.
    pub(crate) fn percent_at(&self, now: Millis) -> u64 {
        if now < self.until { self.percent } else { 0 }
    }
}

impl Host {
    /// Whether its people are reached by iSchedule.
    pub(crate) fn has_receiver(&self) -> bool {
        self.has_receiver.load(Ordering::Relaxed)
    }

    pub(crate) fn set_receiver(&self, is_there: bool) {
        self.has_receiver.store(is_there, Ordering::Relaxed);
    }
}

impl World {
    pub(crate) fn new(story: &Story, verbose: bool) -> Arc<Self> {
        let hosts = story.hosts.iter().enumerate().map(|(number, traits)| Host {
            domain: Domain::new(&domain(number)).expect("it is a domain"),
            timing: Timing {
                hold: traits.hold,
                expire: traits.mail.map_or(Timing::default().expire, |mail| {
                    Duration::from_millis(mail.expire_ms)
                }),
                ..Timing::default()
            },
            holds_strangers: traits.holds_strangers,
            has_mail: traits.mail.is_some(),
            has_receiver: AtomicBool::new(traits.mail.is_none_or(|mail| !mail.alone)),
            state: MemoryState::default(),
            running: Mutex::default(),
            lost: Mutex::default(),
            clock: Mutex::new(Clock {
                ahead_ms: traits.ahead_ms,
                drift_ppm: traits.drift_ppm,
            }),
            trouble: Mutex::default(),
        });
        let people = story.people.iter().enumerate();
        let people = people.map(|(number, _)| Arc::new(person(number, &story.people)));
        let people: Vec<Arc<Person>> = people.collect();
        let rooms = people.iter().filter(|it| it.traits.room);
        let rooms = rooms.map(|it| it.address().to_owned());
        let witness = Witness::that_knows_rooms(rooms);
        let is_proposal = |step: &Step| {
            let response = match &step.does {
                Deed::Respond { response, .. } => Some(response),
                _ => None,
            };
            matches!(response, Some(Response::Counter(_)))
        };
        let has_approver = |it: &PersonTraits| it.approver.is_some();
        Arc::new(Self {
            executor: Executor::new(story.seed),
            hosts: hosts.collect(),
            people,
            has_decisions: story.steps.iter().any(is_proposal)
                || story.people.iter().any(has_approver),
            witness: Mutex::new(witness),
            network: Mutex::default(),
            post: Mutex::default(),
            mails: AtomicUsize::default(),
            doomed: Mutex::default(),
            log: verbose.then(Mutex::default),
        })
    }

    pub(crate) fn host_of(&self, address: &CalendarAddress) -> Option<usize> {
        let domain = address.domain().ok()?;
        self.hosts.iter().position(|host| host.domain == *domain)
    }

    pub(crate) fn running(&self, host: usize) -> Option<Arc<Scheduler<Env>>> {
        self.hosts[host].running.lock().unwrap().clone()
    }

    /// What time it is on a host.
    pub(crate) fn time_at(&self, host: usize) -> Timestamp {
        let now = i64::try_from(self.executor.now()).expect("a story is short");
        let clock = self.hosts[host].clock.lock().unwrap();
        // Somebody sets it right before it is further away than messages are believed.
        let shown = now + now % SET_RIGHT * clock.drift_ppm / 1_000_000 + clock.ahead_ms;
        BEGIN + SignedDuration::from_millis(shown)
    }

    pub(crate) fn set_clock(&self, host: usize, ahead_ms: i64) {
        self.hosts[host].clock.lock().unwrap().ahead_ms = ahead_ms;
    }

    pub(crate) async fn sleep(&self, millis: Millis) {
        self.executor.sleep(millis).await;
    }

    pub(crate) fn spawn(&self, owner: Owner, future: impl Future<Output = ()> + Send + 'static) {
        self.executor.spawn(owner, future.boxed());
    }

    /// True so often in a hundred times.
    pub(crate) fn chance(&self, percent: u64) -> bool {
        percent > 0 && self.executor.below(100) < percent
    }

    pub(crate) fn log(&self, line: impl FnOnce() -> String) {
        if let Some(log) = &self.log {
            let now = std::time::Duration::from_millis(self.executor.now());
            let line = format!("{:>10.3} {}", now.as_secs_f64(), line());
            log.lock().unwrap().push(line);
        }
    }

    pub(crate) fn logged(&self) -> Vec<String> {
        self.log
            .as_ref()
            .map(|log| log.lock().unwrap().clone())
            .unwrap_or_default()
    }

    /// An operation of a host begins, or has ended: others go on first, and the host may end here.
    pub(crate) async fn operation(&self, host: usize) {
        yield_now().await;
        let crash = {
            let mut trouble = self.hosts[host].trouble.lock().unwrap();
            match &mut trouble.crash {
                Some((0, _)) => trouble.crash.take(),
                Some((left, _)) => {
                    *left -= 1;
                    None
                }
                None => None,
            }
        };
        if let Some((_, down)) = crash {
            self.doomed.lock().unwrap().push((host, down));
            std::future::pending::<()>().await;
        }
    }

    /// Whether an operation fails now.
    pub(crate) fn fails(&self, host: usize, part: Part) -> Option<Failure> {
        if !self.is_broken(host, part) || self.chance(50) {
            return None;
        }
        self.witness.lock().unwrap().trouble_at(host);
        Some(
            [Failure::Before, Failure::After, Failure::Conflict]
                [usize::try_from(self.executor.below(3)).ok()?],
        )
    }

    pub(crate) fn is_broken(&self, host: usize, part: Part) -> bool {
        let trouble = self.hosts[host].trouble.lock().unwrap();
        let until = trouble.broken.get(&part);
        until.is_some_and(|until| self.executor.now() < *until)
    }

    /// Whether nothing of a host is broken, and it is not about to end.
    pub(crate) fn is_whole(&self, host: usize) -> bool {
        let trouble = self.hosts[host].trouble.lock().unwrap();
        let now = self.executor.now();
        trouble.crash.is_none() && trouble.broken.values().all(|until| *until <= now)
    }

    pub(crate) fn break_part(&self, host: usize, part: Part, millis: Millis) {
        let until = self.executor.now() + millis;
        self.hosts[host]
            .trouble
            .lock()
            .unwrap()
            .broken
            .insert(part, until);
    }

    pub(crate) fn crash_after(&self, host: usize, operations: u64, down: Millis) {
        self.hosts[host].trouble.lock().unwrap().crash = Some((operations, down));
    }

    /// Nothing is broken any more.
    pub(crate) fn heal(&self) {
        for host in &self.hosts {
            *host.trouble.lock().unwrap() = Trouble::default();
        }
        *self.network.lock().unwrap() = Network::default();
        *self.post.lock().unwrap() = Network::default();
    }

    /// Lets the world go on for so long.
    pub(crate) fn run_for(self: &Arc<Self>, millis: Millis) {
        let until = self.executor.now() + millis;
        loop {
            let goes_on = self.executor.step(until);
            let doomed = std::mem::take(&mut *self.doomed.lock().unwrap());
            for (host, down) in &doomed {
                self.end(*host);
                let world = self.clone();
                let (host, down) = (*host, *down);
                self.spawn(WORLD, async move {
                    world.sleep(down).await;
                    host::start(&world, host);
                });
            }
            if !goes_on && doomed.is_empty() {
                return;
            }
        }
    }

    /// A host ends at once.
    pub(crate) fn end(&self, host: usize) {
        self.log(|| format!("host {host} ends"));
        self.witness.lock().unwrap().trouble_at(host);
        let scheduler = self.hosts[host].running.lock().unwrap().take();
        self.executor.kill(host);
        drop(scheduler);
    }

    /// A host ends, and what it remembers is lost. What others were sending it goes again; it has no reason to tell anything
    /// again itself.
    pub(crate) fn end_by_losing_state(&self, host: usize) {
        {
            let mut witness = self.witness.lock().unwrap();
            let others = (0..self.hosts.len()).filter(|it| *it != host);
            others.for_each(|other| witness.loss_between(other, host));
            witness.loses_state(host);
        }
        let this = &self.hosts[host];
        let scheduler = this.running.lock().unwrap().take();
        self.executor.kill(host);
        drop(scheduler);
        this.state.lose();
        *this.lost.lock().unwrap() += 1;
    }

    /// How often a host has lost its state.
    pub(crate) fn times_lost(&self, host: usize) -> u64 {
        *self.hosts[host].lost.lock().unwrap()
    }

    /// Takes the world apart, as it refers to itself.
    pub(crate) fn finish(&self) {
        for host in 0..self.hosts.len() {
            self.end(host);
        }
        self.executor.clear();
    }
}

pub(crate) fn domain(host: usize) -> String {
    format!("host{host}.example")
}

fn person(number: usize, people: &[PersonTraits]) -> Person {
    let address = |number: usize| format!("p{number}@{}", domain(people[number].host));
    let traits = people[number];
    let approver = traits.approver.map(address);
    Person::new(&address(number), traits, approver.as_deref())
}
