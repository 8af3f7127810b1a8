//! A host: what scheduling asks of it, and the tasks that drive it as the program does.

use crate::{
    store::{Calendar, Person},
    story::Part,
    view::{guests, parse},
    world::World,
};
use convoke_calendar::tree::Calendar as Object;
use convoke_scheduling::{
    Acquaintance, Attempt, Clock, Envelope, Environment, Event, Grant, Journal, Limits, NotDecided,
    Occasion, Outbox, Overloaded, Peer, Policies, Processor, Scheduler, Shared, Stores, Unbounded,
    Unsent, Verdict, Why,
};
use convoke_types::{CalendarAddress, CalendarUser, Domain, Error, ErrorKind, RequestStatus};
use futures::future;
use jiff::Timestamp;
use std::{pin::pin, sync::Arc, time::Duration};

/// What a host asks of the world.
#[derive(Clone)]
pub(crate) struct Env {
    pub(crate) world: Arc<World>,
    pub(crate) host: usize,
}

impl Environment for Env {
    type Stores = Self;
    type Policies = Self;
    type Transport = Self;
    type Clock = Self;
    type Processor = Self;
    type Journal = Self;
    type State = Self;

    fn stores(&self) -> &Self {
        self
    }

    fn policies(&self) -> &Self {
        self
    }

    fn transport(&self) -> &Self {
        self
    }

    fn clock(&self) -> &Self {
        self
    }

    fn processor(&self) -> &Self {
        self
    }

    fn journal(&self) -> &Self {
        self
    }

    fn state(&self) -> &Self {
        self
    }
}

impl Clock for Env {
    fn now(&self) -> Timestamp {
        self.world.time_at(self.host)
    }
}

impl Processor for Env {
    async fn run<T: Send>(&self, _: usize, work: impl FnOnce() -> T + Send) -> T {
        self.world.operation(self.host).await;
        work()
    }

    async fn run_for<T: Send>(
        &self,
        _: &Peer,
        _: usize,
        work: impl FnOnce() -> T + Send,
    ) -> Result<T, Overloaded> {
        self.world.operation(self.host).await;
        Ok(work())
    }
}

impl Journal for Env {
    fn record(&self, event: &Event<'_>) {
        match event {
            Event::Arrived(arrived) => {
                let mut witness = self.world.witness.lock().unwrap();
                let (from, who) = (arrived.originator.human(), arrived.user.address.human());
                witness.acts_on(arrived.data, from, who, self.host);
            }
            Event::Notice(notice) if matches!(notice.occasion, Occasion::Undeliverable(_)) => {
                let mut witness = self.world.witness.lock().unwrap();
                witness.is_told_of_failure(notice.message.uid().as_str(), notice.user.human());
            }
            _ => {}
        }
        self.world.log(|| {
            let (what, message, outcomes) = match event {
                Event::Delivered(message, outcomes) => ("delivered", message, outcomes),
                Event::Sent(message, outcomes) => ("sent", message, outcomes),
                _ => return format!("{event:?}"),
            };
            let codes: Vec<String> = outcomes.iter().map(|it| it.status.to_string()).collect();
            format!("host {} {what} {} {codes:?}", self.host, message.method())
        });
    }
}

/// How a message is marked that the network has doubled.
pub(crate) const AGAIN: &str = "again";

impl Policies for Env {
    async fn decide(
        &self,
        envelope: &Envelope<'_>,
        recipient: &CalendarAddress,
        sender: Acquaintance,
    ) -> Verdict {
        self.world.operation(self.host).await;
        if self.world.fails(self.host, Part::Policies).is_some() {
            return if self.world.chance(50) {
                Verdict::Unavailable
            } else {
                Verdict::RateLimited(Duration::from_secs(20))
            };
        }
        self.world.log(|| {
            let text = String::from_utf8_lossy(envelope.data).replace("\r\n ", "");
            format!(
                "{} to {}:\n{text}",
                envelope.originator.human(),
                recipient.human()
            )
        });
        let mut witness = self.world.witness.lock().unwrap();
        if self.world.hosts[self.host].holds_strangers && sender == Acquaintance::Stranger {
            witness.is_held(envelope.message, envelope.originator, recipient);
            return Verdict::Hold;
        }
        let from = self.world.host_of(envelope.originator);
        let is_doubled = match envelope.transport.message_id {
            Some(mail) if mail != AGAIN => witness.mail_came_again(mail, recipient),
            again => again.is_some(),
        };
        witness.arrives(
            (envelope.message, envelope.data),
            envelope.originator,
            recipient,
            [from, Some(self.host)],
            is_doubled,
        );
        Verdict::Allow(Grant::default())
    }

    fn charge(&self, _: &Grant, _: &CalendarAddress, _: &CalendarUser) -> Result<(), Duration> {
        Ok(())
    }
}

impl Stores for Env {
    type Home = Calendar;

    fn is_our_domain(&self, domain: &Domain) -> bool {
        self.world.hosts[self.host].domain == *domain
    }

    async fn find(&self, address: &CalendarAddress) -> Result<Option<Calendar>, Error> {
        self.world.operation(self.host).await;
        if let Some(failure) = self.world.fails(self.host, Part::Store) {
            return Err(failure.error());
        }
        let people = self.world.people.iter();
        let mut ours = people.filter(|it| it.traits.host == self.host);
        let found = ours.find(|it| it.user.answers_to(address));
        Ok(found.map(|person| self.calendar(person)))
    }
}

impl Env {
    pub(crate) fn calendar(&self, person: &Arc<Person>) -> Calendar {
        Calendar {
            env: self.clone(),
            person: person.clone(),
        }
    }
}

/// Starts a host, unless it runs.
pub(crate) fn start(world: &Arc<World>, host: usize) {
    let this = &world.hosts[host];
    let mut running = this.running.lock().unwrap();
    if running.is_some() {
        return;
    }
    world.log(|| format!("host {host} starts"));
    let env = Env {
        world: world.clone(),
        host,
    };
    let shared = Shared::default();
    let scheduler = Scheduler::new(env.clone(), Limits::default(), this.timing, shared);
    let scheduler = Arc::new(scheduler);
    *running = Some(scheduler.clone());
    world.spawn(host, empty_outbox(env.clone(), scheduler.clone()));
    for person in world.people.iter().filter(|it| it.traits.host == host) {
        let calendar = env.calendar(person);
        world.spawn(host, watch(scheduler.clone(), calendar.clone()));
        if this.holds_strangers || world.has_decisions {
            world.spawn(host, decide(scheduler.clone(), calendar));
        }
    }
    world.spawn(host, release(env, scheduler));
}

/// Tries what waits when its time has come.
async fn empty_outbox(env: Env, scheduler: Arc<Scheduler<Env>>) {
    let world = &env.world;
    let outbox = scheduler.shared().outbox.clone();
    loop {
        while outbox.load(&env).await.is_err() {
            world.sleep(5_000).await;
        }
        let seen = outbox.version();
        while let Some(attempt) = outbox.take(env.now()) {
            world.spawn(env.host, attempt_alone(scheduler.clone(), attempt));
        }
        let wait = until_next(&outbox, env.now());
        let changed = pin!(outbox.changed_since(seen));
        future::select(changed, pin!(world.sleep(wait))).await;
    }
}

async fn attempt_alone(scheduler: Arc<Scheduler<Env>>, attempt: Attempt) {
    scheduler.attempt(attempt).await;
}

/// The clock may be set, so that it is looked at anew now and then.
fn until_next(outbox: &Outbox, now: Timestamp) -> u64 {
    const LONGEST: u64 = 600_000;
    let wait = outbox
        .wakes_at()
        .map(|at| at.duration_since(now).as_millis());
    let wait = wait.map_or(LONGEST, |wait| u64::try_from(wait).unwrap_or(0));
    wait.clamp(10, LONGEST)
}

/// Looks at a calendar whenever it has changed.
async fn watch(scheduler: Arc<Scheduler<Env>>, calendar: Calendar) {
    let Env { world, .. } = &calendar.env;
    loop {
        let seen = calendar.person.version();
        let wait = match scheduler.reconcile(&calendar).await {
            Ok(looked) => looked.next.map(|next| {
                let wait = next.duration_since(calendar.env.now());
                u64::try_from(wait.as_millis()).unwrap_or(0).max(1)
            }),
            Err(_) => Some(5_000),
        };
        let changed = pin!(calendar.person.changed_since(seen));
        match wait {
            Some(wait) => _ = future::select(changed, pin!(world.sleep(wait))).await,
            None => changed.await,
        }
        // Who waits for changes hears of them a little later.
        world.sleep(world.executor.below(1_000) + 1).await;
    }
}

/// The administrator releases what is held, after a while.
async fn release(env: Env, scheduler: Arc<Scheduler<Env>>) {
    let hold = env.world.hosts[env.host].timing.hold;
    if hold > 10 {
        return; // nothing ever is
    }
    loop {
        env.world.sleep(600_000).await;
        for held in scheduler.held(None).await.unwrap_or_default() {
            // It is tried again.
            let _ = scheduler.release(&held).await;
        }
    }
}

/// The person lets in whom it does not know, takes proposals up or not, and approves bookings or not, after a while.
async fn decide(scheduler: Arc<Scheduler<Env>>, calendar: Calendar) {
    let Env { world, .. } = &calendar.env;
    loop {
        world.sleep(400_000 + world.executor.below(400_000)).await;
        for undecided in scheduler.inbox(&calendar).await.unwrap_or_default() {
            let (id, message) = (&undecided.entry.id, &undecided.entry.message);
            if undecided.why == Why::Booking && world.chance(30) {
                let _ = scheduler.decline(&calendar, id, None, &Unbounded).await;
                continue;
            }
            if message.method == "COUNTER" {
                if world.chance(50) {
                    let _ = scheduler.decline(&calendar, id, None, &Unbounded).await;
                    continue;
                }
                let uid = message.uid.as_str();
                let object = calendar.person.object(uid).map(|data| parse(&data));
                let mut witness = world.witness.lock().unwrap();
                for guest in object
                    .iter()
                    .flat_map(Object::main_components)
                    .flat_map(guests)
                {
                    witness.calls_off(uid, &guest);
                }
            } else if calendar.person.traits.room {
                // Where the host ended before it had noted that, the same is let in once more, and a room answers whenever it is
                // asked.
                let (room, asks) = (calendar.person.address(), message.originator.human());
                let mut witness = world.witness.lock().unwrap();
                witness.is_sent_by_hand(message.uid.as_str(), room, asks);
            }
            let accepted = scheduler.accept(&calendar, id, None, &Unbounded).await;
            // What is refused for good is thrown away; what has failed waits still.
            let is_refused = match accepted {
                Err(NotDecided::NotDelivered(status)) => {
                    !status.same_code(&RequestStatus::SERVICE_UNAVAILABLE)
                }
                Err(NotDecided::Store(error)) => error.kind() == ErrorKind::NotFound,
                Ok(_) | Err(NotDecided::Unsent(Unsent::Store(_) | Unsent::Contended(_))) => false,
                Err(_) => true,
            };
            if is_refused {
                let _ = scheduler.decline(&calendar, id, None, &Unbounded).await;
            }
        }
    }
}
