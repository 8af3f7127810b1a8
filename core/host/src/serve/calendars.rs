//! Watches the calendars of our people: what they change in their own programs is told.
//!
//! Each store has a task that lists its calendar users, waits until something changed for one of them, and lets
//! `convoke-scheduling` look at that calendar. Who is new is looked at within seconds, so that what they do from then on is
//! told. A store that cannot be asked is asked again, ever less often; nothing is lost by that, as each look
//! compares.
//!
//! Where several hosts share the state, one of them watches a store: what changes there is found by that one, whoever wrote it.

use super::turn::Turn;
use crate::{
    instance::Instance,
    look_soon::Asked,
    scheduling::{OurHome, Telling, telling},
};
use convoke_plugin_host::{Schedule, StoreHandle, origin::Origin};
use convoke_scheduling::Looked;
use convoke_types::{
    CalendarAddress, CalendarUser, Cursor, Error, ErrorKind, Page, Proof, UserId, Watch, Watched,
};
use futures::{StreamExt, stream};
use jiff::Timestamp;
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep, sleep_until, timeout},
};

/// How often the calendar users of a store are listed.
const LIST_EVERY: Duration = Duration::from_secs(5);
/// Calendar users that are listed at once.
const PAGE: u32 = 500;
/// Calendars of a store that are looked at at once.
const PARALLEL: usize = 8;
/// How long after a failure it is tried again: from, to.
const AGAIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// Whoever is looked at within this time is not waited for: programs save several times. Else they are, as what has to be looked at
/// later may be mended now.
const SOON: Duration = LIST_EVERY;
/// How often it is looked whether it is this host's turn.
const REST: Duration = Duration::from_secs(1);
/// How long looks that have begun are waited for at the end.
const LAST_LOOKS: Duration = Duration::from_secs(5);

/// The tasks that watch the calendars of one instance.
pub(super) struct CalendarsTask {
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl CalendarsTask {
    /// Watches the stores of an instance.
    pub(super) fn start(instance: &Arc<Instance>) -> Self {
        let (stop, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        for store in instance.plugins.stores.iter() {
            let watcher = Watcher {
                instance: instance.clone(),
                store: store.clone(),
                asked: instance.shared.look_soon.of(store.name()),
                people: BTreeMap::new(),
                unlisted: None,
                due: HashMap::new(),
                list_at: Instant::now(),
                troubled: None,
                turn: Turn::to_watch(store.name(), &instance.shared.scheduling.outbox.holder()),
            };
            let mut stopped = stopped.clone();
            tasks.spawn(async move {
                // What has begun is finished: dropping it in between loses nothing, but is looked at once more.
                let (turn, instance) = watcher.run(&mut stopped).await;
                turn.leave(&instance.plugins.state).await;
            });
        }
        Self { stop, tasks }
    }

    /// Begins no look any more, and waits for those that have begun.
    pub(super) async fn finish(mut self) {
        // An error: all tasks have ended already.
        let _ = self.stop.send(true);
        let finished = timeout(LAST_LOOKS, async {
            while self.tasks.join_next().await.is_some() {}
        });
        // What is not finished is compared at the next start.
        let _ = finished.await;
    }
}

/// Watches one store.
struct Watcher {
    instance: Arc<Instance>,
    store: Arc<StoreHandle>,
    asked: Asked,
    people: BTreeMap<UserId, Person>,
    /// Whose calendars in this store were looked at some time, and whom it does not list: it may do so once it is asked for
    /// them. `None`: not read yet.
    unlisted: Option<Vec<CalendarAddress>>,
    /// Who is to be looked at, and when.
    due: HashMap<UserId, Instant>,
    /// When the calendar users are listed next.
    list_at: Instant,
    /// How long to wait after the next failure; nothing while all is well.
    troubled: Option<Duration>,
    turn: Turn,
}

/// A calendar user that is watched.
struct Person {
    user: CalendarUser,
    /// Where what has not been looked at begins; `None` before the first look, and after one that failed.
    cursor: Option<Cursor>,
    /// How long after the next look that fails it is looked at again.
    again: Duration,
}

impl Person {
    const fn new(user: CalendarUser) -> Self {
        Self {
            user,
            cursor: None,
            again: AGAIN.0,
        }
    }
}

impl Watcher {
    /// Returns whose turn it is no longer.
    async fn run(mut self, stopped: &mut watch::Receiver<bool>) -> (Turn, Arc<Instance>) {
        self.watch(stopped).await;
        (self.turn, self.instance)
    }

    async fn watch(&mut self, stopped: &mut watch::Receiver<bool>) {
        loop {
            let step = async {
                if !self.is_ours().await {
                    return self.rest().await;
                }
                if Instant::now() >= self.list_at {
                    self.list().await?;
                    self.list_at = Instant::now() + LIST_EVERY;
                }
                self.look_at_due().await;
                self.wait().await
            };
            let outcome = tokio::select! {
                _ = stopped.wait_for(|stop| *stop) => return,
                outcome = step => outcome,
            };
            match outcome {
                Ok(()) => self.is_well(),
                Err(error) if error.kind() == ErrorKind::Unsupported => {
                    return tracing::warn!(
                        event = "store-not-watched",
                        store = self.store.name(),
                        "what people change in this store is told only when `convoke changed` says so: {error}"
                    );
                }
                Err(error) => {
                    let wait = self.is_troubled(&error);
                    tokio::select! {
                        _ = stopped.wait_for(|stop| *stop) => return,
                        () = sleep(wait) => {}
                    }
                }
            }
        }
    }

    /// Whether it is this host that watches.
    async fn is_ours(&mut self) -> bool {
        let sharing = self.instance.sharing;
        let state = &self.instance.plugins.state;
        self.turn.is_ours(sharing, state).await
    }

    /// Another host watches: what this one is asked to look at, that one sees. Once it is this one's turn, everybody is looked at.
    async fn rest(&mut self) -> Result<(), Error> {
        self.people.clear();
        self.due.clear();
        self.list_at = Instant::now();
        tokio::select! {
            () = sleep(REST) => {}
            _ = self.asked.next() => {}
        }
        Ok(())
    }

    /// Lists the calendar users: who is new is due at once.
    async fn list(&mut self) -> Result<(), Error> {
        let mut there = BTreeMap::new();
        let mut after = None;
        loop {
            let page = self.store.users(&Page::after(after, PAGE)).await?;
            for user in page.items {
                there.insert(user.id.clone(), user);
            }
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        self.recall(&there).await?;
        self.notice_other_schedulers(&there);
        self.people.retain(|id, _| there.contains_key(id));
        self.due.retain(|id, _| there.contains_key(id));
        for (id, user) in there {
            match telling(&self.instance.plugins, &self.store, &user) {
                Telling::On => {}
                Telling::Elsewhere => {
                    self.people.remove(&id);
                    continue;
                }
                Telling::Off => {
                    if self.people.remove(&id).is_some() || !self.asked.is_off(&id) {
                        self.asked.set_off(&id);
                        self.home(user).forget().await?;
                    }
                    continue;
                }
            }
            if let Some(person) = self.people.get_mut(&id) {
                person.user = user;
            } else {
                self.asked.set_on(&id);
                self.due.insert(id.clone(), Instant::now());
                self.people.insert(id, Person::new(user));
            }
        }
        Ok(())
    }

    /// A store may list some users only once it was asked for them, and has forgotten that since this program was started.
    async fn recall(&mut self, there: &BTreeMap<UserId, CalendarUser>) -> Result<(), Error> {
        if self.unlisted.is_none() {
            let scheduler = &self.instance.scheduler;
            self.unlisted = Some(scheduler.looked_at(self.store.name()).await?);
        }
        let mut unlisted = self.unlisted.take().unwrap_or_default();
        let listed: HashSet<String> = (there.values())
            .map(|it| it.address.as_str().to_ascii_lowercase())
            .collect();
        unlisted.retain(|it| !listed.contains(&it.as_str().to_ascii_lowercase()));
        while let Some(address) = unlisted.pop() {
            if let Err(error) = self.store.find(&address).await {
                tracing::debug!(store = self.store.name(), %address, "is asked for again: {error}");
                unlisted.push(address);
                break;
            }
        }
        self.unlisted = Some(unlisted);
        Ok(())
    }

    /// Says once what else schedules for the users of this store.
    fn notice_other_schedulers(&self, there: &BTreeMap<UserId, CalendarUser>) {
        let is_off = self.store.schedule() == Schedule::Off;
        let said = there.values().filter(|_| !is_off);
        let mut said = said.filter_map(|user| user.attributes.get(CalendarUser::SCHEDULES_ITSELF));
        let sentence = said.next();
        let look_soon = &self.instance.shared.look_soon;
        let is_news = look_soon.schedules_itself(self.store.name(), sentence);
        if let (true, Some(sentence)) = (is_news, sentence) {
            tracing::warn!(
                event = "store-schedules-itself",
                store = self.store.name(),
                "what people change in this store is not told by this host: {sentence}"
            );
        }
    }

    /// Looks at everybody whose time has come.
    async fn look_at_due(&mut self) {
        let now = Instant::now();
        let due = self.due.iter().filter(|(_, at)| **at <= now);
        let due: Vec<UserId> = due.map(|(id, _)| id.clone()).collect();
        let homes = due.iter().filter_map(|id| self.people.get(id));
        let homes: Vec<Home> = homes.map(|person| self.home(person.user.clone())).collect();
        let looks = homes.iter().map(Home::look);
        let looked: Vec<_> = stream::iter(looks).buffered(PARALLEL).collect().await;
        for (id, looked) in due.into_iter().zip(looked) {
            self.due.remove(&id);
            match looked {
                Ok(looked) => self.looked(&id, looked),
                Err(error) => self.failed(id, &error),
            }
        }
    }

    fn looked(&mut self, id: &UserId, looked: Looked) {
        if let Some(next) = looked.next {
            let wait = next.duration_since(Timestamp::now());
            let wait = Duration::try_from(wait).unwrap_or_default();
            self.due.insert(id.clone(), Instant::now() + wait);
        }
        if let Some(person) = self.people.get_mut(id) {
            person.cursor = Some(looked.cursor);
            person.again = AGAIN.0;
        }
    }

    fn failed(&mut self, id: UserId, error: &Error) {
        tracing::warn!(
            event = "calendar-not-looked-at", store = self.store.name(), user = %id,
            "what changed in this calendar is told later: {error}"
        );
        // A file that a program was just writing can be read in a moment.
        let again = self.people.get_mut(&id).map_or(AGAIN.1, |person| {
            // What it failed at is news still, and would end each wait at once.
            person.cursor = None;
            let longer = (person.again * 2).min(AGAIN.1 / 2);
            std::mem::replace(&mut person.again, longer)
        });
        self.due.insert(id, Instant::now() + again);
    }

    /// Waits until something is to be done.
    async fn wait(&mut self) -> Result<(), Error> {
        let next = self.due.values().min().copied();
        let until = next.map_or(self.list_at, |next| next.min(self.list_at));
        let soon = Instant::now() + SOON;
        let is_due = |id: &UserId| self.due.get(id).is_some_and(|at| *at <= soon);
        let watched = self.people.iter().filter(|(id, _)| !is_due(id));
        let watched = watched
            .filter_map(|(id, person)| Some(Watched::new(id.clone(), person.cursor.clone()?)));
        let watch = Watch::over(watched.collect());
        let changed = async {
            if watch.users.is_empty() {
                return std::future::pending().await;
            }
            self.store.await_changes(&watch).await
        };
        let who = tokio::select! {
            () = sleep_until(until) => return Ok(()),
            who = self.asked.next() => who,
            changed = changed => changed?.users,
        };
        let now = Instant::now();
        if self.asked.takes_renewed() || who.iter().any(|id| !self.people.contains_key(id)) {
            self.list_at = now;
        }
        self.due.extend(who.into_iter().map(|id| (id, now)));
        Ok(())
    }

    fn home(&self, user: CalendarUser) -> Home {
        Home {
            instance: self.instance.clone(),
            home: OurHome::new(&self.instance.plugins, self.store.clone(), user),
        }
    }

    fn is_well(&mut self) {
        if self.troubled.take().is_some() {
            self.instance.shared.look_soon.well(self.store.name());
            tracing::info!(
                event = "store-watched-again",
                store = self.store.name(),
                "the store answers again"
            );
        }
    }

    /// How long to wait before it is tried again.
    fn is_troubled(&mut self, error: &Error) -> Duration {
        if self.troubled.is_none() {
            self.instance
                .shared
                .look_soon
                .troubled(self.store.name(), &error.to_string());
            tracing::warn!(
                event = "store-unwatched",
                store = self.store.name(),
                "what people change in this store is told once it answers again: {error}"
            );
        }
        let wait = self.troubled.unwrap_or(AGAIN.0);
        self.troubled = Some((wait * 2).min(AGAIN.1));
        wait
    }
}

/// The calendar of one user.
struct Home {
    instance: Arc<Instance>,
    home: OurHome,
}

impl Home {
    async fn look(&self) -> Result<Looked, Error> {
        use convoke_scheduling::Home as _;
        let address = &self.home.user().address;
        let origin = Origin::of(address, &[Proof::Submission(address.clone())]);
        origin
            .ask(self.instance.scheduler.reconcile(&self.home))
            .await
    }

    async fn forget(&self) -> Result<(), Error> {
        self.instance.scheduler.forget_calendar(&self.home).await
    }
}
