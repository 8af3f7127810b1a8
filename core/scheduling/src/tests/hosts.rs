//! Several hosts on one state, under a load that changes host at each message, while hosts end, are paused and come back: what goes to
//! one guest about one meeting goes in the order in which it was handed in, and all of it arrives.
//!
//! Each story is told from one seed. Whatever a host does stops at each operation, and chance says who goes on; so hosts stand between
//! any two operations when another one acts, or when they end.

use super::world::{Host, Line, Receiver, addresses, calendar, message, pause};
use crate::{
    Attempt, Clock, Environment, Membership, Standing, State, Submission, TakeOver, TransportFacts,
    Unbounded,
};
use convoke_calendar::message::Message;
use convoke_types::{Batch, RequestStatus};
use futures::{FutureExt, executor::block_on, future::LocalBoxFuture};
use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    sync::{Arc, atomic::Ordering},
    task::{Context, Waker},
    time::Duration,
};

const DEE: &str = "dee@example.org";
const GUESTS: [&str; 2] = ["x@example.net", "y@example.com"];
const NAMES: [&str; 3] = ["a", "b", "c"];
/// Messages that are handed in about a meeting.
const MESSAGES: u64 = 12;
/// Operations of a story until all is well.
const STEPS: usize = 4_000;

/// A host that runs.
struct Running {
    host: Rc<Host>,
    line: Line,
    /// Whether nothing of it goes on.
    is_paused: bool,
    tasks: Vec<LocalBoxFuture<'static, ()>>,
    /// What it begins meanwhile.
    begun: Begun,
}

/// What was begun, and goes on by itself.
type Begun = Rc<RefCell<Vec<LocalBoxFuture<'static, ()>>>>;

/// Who tells of a meeting, one version after the other, each until a host takes it.
struct Client {
    uid: String,
    sequence: u64,
    asked: Option<Asked>,
}

/// A host that is to take a message.
struct Asked {
    host: usize,
    /// Which run of it.
    run: u64,
    /// Its answer.
    taken: Rc<Cell<Option<bool>>>,
}

struct Story {
    chances: fastrand::Rng,
    /// Everything begins like this one.
    first: Host,
    line: Line,
    /// How much time has passed.
    passed: Duration,
    hosts: Vec<Option<Running>>,
    /// How often each was started.
    runs: Vec<u64>,
    clients: Vec<Client>,
}

/// What Dee tells of a meeting.
fn invitation(uid: &str, sequence: u64) -> String {
    let guests = GUESTS.map(|guest| format!("ATTENDEE:mailto:{guest}\n"));
    let event = format!(
        "BEGIN:VEVENT\nUID:{uid}\nDTSTAMP:20261201T070000Z\nDTSTART:20270104T100000Z\nDURATION:PT1H\nSEQUENCE:{sequence}\n\
         ORGANIZER:mailto:{DEE}\n{}END:VEVENT\n",
        guests.concat()
    );
    message("REQUEST", &event)
}

/// Hands in, and notes whether it was taken.
async fn hand_in(host: Rc<Host>, uid: String, sequence: u64, taken: Rc<Cell<Option<bool>>>) {
    let text = invitation(&uid, sequence);
    let message = Message::read(calendar(&text)).unwrap();
    let submission = Submission {
        message: &message,
        data: text.as_bytes(),
        originator: &addresses(&[DEE])[0],
        recipients: &addresses(&GUESTS),
        transport: TransportFacts::default(),
    };
    let outcomes = host.scheduler.dispatch(&submission, &Unbounded).await;
    let mut refused = outcomes.iter();
    let is_refused = refused.any(|it| it.status.same_code(&RequestStatus::SERVICE_UNAVAILABLE));
    taken.set(Some(!is_refused));
}

/// Tries what waits when its time has come, as long as the lease is held.
async fn empty_outbox(host: Rc<Host>, line: Line, begun: Begun) {
    let outbox = host.shared.outbox.clone();
    loop {
        if line.is_held.load(Ordering::Relaxed) {
            if !outbox.is_certain() {
                let _ = outbox.load(host.scheduler.environment().state()).await;
            }
            while let Some(attempt) = outbox.take(host.world().clock().now()) {
                let host = host.clone();
                let trying = async move { try_it(&host, attempt).await };
                begun.borrow_mut().push(trying.boxed_local());
            }
        }
        pause().await;
    }
}

async fn try_it(host: &Host, attempt: Attempt) {
    host.scheduler.attempt(attempt).await;
}

/// Holds the lease, hears calls, and takes over what others have left.
async fn belong(host: Rc<Host>, line: Line, name: &'static str, run: u64) {
    let state = host.scheduler.environment().state();
    let outbox = &host.shared.outbox;
    let mut membership = Membership::new(name, run.to_string());
    loop {
        if let Ok(standing) = membership.renew(state).await {
            if standing == Standing::Anew {
                outbox.doubt();
            }
            line.is_held.store(true, Ordering::Relaxed);
            if let Ok(living) = membership.others(state).await {
                let mut look = TakeOver::default();
                while !look.is_over() && look.step(outbox, state, &living).await.is_ok() {}
            }
        }
        for _ in 0..20 {
            let _ = outbox.answer_calls(state, host.world().clock().now()).await;
            pause().await;
        }
    }
}

impl Story {
    fn new(seed: u64) -> Self {
        let first = Host::new();
        first.world().remembered.pauses();
        first.person("dee").pauses();
        let clients = ["m1", "m2"].map(|uid| Client {
            uid: uid.to_owned(),
            sequence: 0,
            asked: None,
        });
        let mut story = Self {
            chances: fastrand::Rng::with_seed(seed),
            first,
            line: Line::default(),
            passed: Duration::ZERO,
            hosts: NAMES.map(|_| None).into(),
            runs: vec![0; NAMES.len()],
            clients: clients.into(),
        };
        (0..NAMES.len()).for_each(|number| story.start(number));
        story
    }

    /// Starts a host, unless it runs; one that is paused goes on.
    fn start(&mut self, number: usize) {
        if let Some(running) = &mut self.hosts[number] {
            running.is_paused = false;
            return;
        }
        self.runs[number] += 1;
        let line = Line {
            is_held: Arc::default(),
            ..self.line.clone()
        };
        let name = NAMES[number];
        let host = Rc::new(self.first.on_one_state(name, line.clone()));
        // Clocks differ.
        host.pass(self.passed + Duration::from_millis(700) * u32::try_from(number).unwrap());
        let begun = Begun::default();
        let emptying = empty_outbox(host.clone(), line.clone(), begun.clone());
        let belonging = belong(host.clone(), line.clone(), name, self.runs[number]);
        self.hosts[number] = Some(Running {
            host,
            line,
            is_paused: false,
            tasks: vec![emptying.boxed_local(), belonging.boxed_local()],
            begun,
        });
    }

    /// The lease of a host that does nothing is over.
    fn lease_ends(&self, number: usize) {
        if let Some(running) = &self.hosts[number] {
            if !running.is_paused {
                return;
            }
            running.line.is_held.store(false, Ordering::Relaxed);
        }
        let gone = Batch::new().delete(format!("host/{}", NAMES[number]));
        block_on(self.first.world().remembered.commit(gone)).unwrap();
    }

    fn time_passes(&mut self, time: Duration) {
        self.passed += time;
        for running in self.hosts.iter().flatten() {
            running.host.pass(time);
        }
    }

    /// Something happens to a host, or to the receiver.
    fn something_happens(&mut self) {
        let number = self.chances.usize(..NAMES.len());
        match self.chances.u8(..10) {
            0 | 1 => self.hosts[number] = None,
            2 => {
                if let Some(running) = &mut self.hosts[number] {
                    running.is_paused = true;
                }
            }
            3 | 4 => self.lease_ends(number),
            5 | 6 => self.start(number),
            7 => {
                let minutes = self.chances.u64(1..4);
                self.time_passes(Duration::from_secs(minutes * 60));
            }
            _ => {
                let all = [
                    Receiver::Well,
                    Receiver::Well,
                    Receiver::Mute,
                    Receiver::Down,
                ];
                *self.line.receiver.lock().unwrap() = *self.chances.choice(&all).unwrap();
            }
        }
    }

    /// A host does one thing.
    fn a_host_goes_on(&mut self) {
        let number = self.chances.usize(..NAMES.len());
        let Some(running) = &mut self.hosts[number] else {
            return;
        };
        if running.is_paused {
            return;
        }
        let at = self.chances.usize(..running.tasks.len());
        let mut context = Context::from_waker(Waker::noop());
        if running.tasks[at].poll_unpin(&mut context).is_ready() {
            drop(running.tasks.swap_remove(at));
        }
        let begun = running.begun.take();
        running.tasks.extend(begun);
    }

    /// A client asks a host, or hears from it; one that hears nothing asks another.
    fn a_client_goes_on(&mut self, at: usize) {
        let number = self.chances.usize(..NAMES.len());
        let client = &mut self.clients[at];
        if let Some(asked) = &client.asked {
            let is_there = self.hosts[asked.host].is_some() && self.runs[asked.host] == asked.run;
            match asked.taken.get() {
                Some(taken) => client.sequence += u64::from(taken),
                None if is_there => return,
                None => {}
            }
            client.asked = None;
        }
        if client.sequence == MESSAGES {
            return;
        }
        let Some(running) = &mut self.hosts[number] else {
            return;
        };
        let taken = Rc::new(Cell::new(None));
        let (host, uid) = (running.host.clone(), client.uid.clone());
        let handing_in = hand_in(host, uid, client.sequence, taken.clone());
        running.tasks.push(handing_in.boxed_local());
        client.asked = Some(Asked {
            host: number,
            run: self.runs[number],
            taken,
        });
    }

    fn goes_on(&mut self) {
        self.a_host_goes_on();
        for at in 0..self.clients.len() {
            self.a_client_goes_on(at);
        }
    }

    /// Whether all was handed in, and nothing waits.
    fn is_over(&self) -> bool {
        let mut clients = self.clients.iter();
        clients.all(|it| it.sequence == MESSAGES)
            && self.first.world().remembered.keys("outbox/").is_empty()
    }

    fn tell(mut self) {
        for _ in 0..STEPS {
            if self.chances.u8(..) == 0 {
                self.something_happens();
            }
            self.goes_on();
        }
        *self.line.receiver.lock().unwrap() = Receiver::Well;
        (0..NAMES.len()).for_each(|number| self.start(number));
        for step in 0..100 * STEPS {
            if self.is_over() {
                return self.is_as_it_should_be();
            }
            if step % 1_000 == 0 {
                self.time_passes(Duration::from_secs(600));
            }
            self.goes_on();
        }
        panic!(
            "{:?} are left",
            self.first.world().remembered.keys("outbox/")
        );
    }

    fn is_as_it_should_be(&self) {
        let came = self.line.came.lock().unwrap();
        for (uid, guest) in ["m1", "m2"]
            .iter()
            .flat_map(|uid| GUESTS.map(|guest| (uid, guest)))
        {
            let theirs = came.iter().filter(|it| it.uid == *uid && it.to == guest);
            let mut first: Vec<(u64, &str)> = Vec::new();
            for it in theirs {
                if !first.iter().any(|(_, name)| *name == it.name) {
                    first.push((it.revision, &it.name));
                }
            }
            assert!(
                first.is_sorted_by_key(|it| it.0),
                "{uid} {guest}: {first:?}"
            );
            let last = first.last().map(|it| it.0);
            assert_eq!(last, Some(MESSAGES - 1), "{uid} {guest}");
        }
        for left in ["outbox/", "waits/", "message/"] {
            let left = self.first.world().remembered.keys(left);
            assert!(left.is_empty(), "{left:?}");
        }
    }
}

/// `HOSTS_SEED` is the one that is told, `HOSTS_SEEDS` how many are.
#[test]
fn what_several_hosts_are_handed_arrives_in_its_order() {
    let setting = |name| std::env::var(name).ok().and_then(|it| it.parse().ok());
    let seeds = match setting("HOSTS_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..setting("HOSTS_SEEDS").unwrap_or(60),
    };
    let failed: Vec<u64> = seeds
        .filter(|seed| std::panic::catch_unwind(|| Story::new(*seed).tell()).is_err())
        .collect();
    assert!(failed.is_empty(), "these seeds fail: {failed:?}");
}
