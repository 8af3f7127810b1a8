//! A deterministic executor of one thread, with a time of its own.
//!
//! Tasks that can go on do so in an order that a seed decides. Time stands still while any can; then it jumps to the next
//! moment that one waits for. Tasks belong to an owner, a host or the world, and all tasks of an owner can be dropped at once
//! wherever they are: that is a crash.

use futures::future::BoxFuture;
use std::{
    collections::{BTreeMap, HashMap},
    future::poll_fn,
    sync::{Arc, Mutex},
    task::{Context, Poll, Wake, Waker},
};

/// Whose a task is: the index of a host, or [`WORLD`].
pub(crate) type Owner = usize;

/// Tasks that no crash ends.
pub(crate) const WORLD: Owner = usize::MAX;

/// Milliseconds since the beginning.
pub(crate) type Millis = u64;

pub(crate) struct Executor {
    queue: Arc<Mutex<Vec<u64>>>,
    core: Mutex<Core>,
}

struct Core {
    now: Millis,
    next: u64,
    rng: fastrand::Rng,
    tasks: HashMap<u64, Task>,
    timers: BTreeMap<(Millis, u64), Waker>,
}

struct Task {
    owner: Owner,
    /// Nothing while it is being polled.
    future: Option<BoxFuture<'static, ()>>,
    waker: Arc<TaskWaker>,
}

struct TaskWaker {
    id: u64,
    queue: Arc<Mutex<Vec<u64>>>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        let mut queue = self.queue.lock().unwrap();
        if !queue.contains(&self.id) {
            queue.push(self.id);
        }
    }
}

impl Executor {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            queue: Arc::default(),
            core: Mutex::new(Core {
                now: 0,
                next: 0,
                rng: fastrand::Rng::with_seed(seed),
                tasks: HashMap::new(),
                timers: BTreeMap::new(),
            }),
        }
    }

    pub(crate) fn now(&self) -> Millis {
        self.core.lock().unwrap().now
    }

    /// A number below `below`, which is at least 1.
    pub(crate) fn below(&self, below: u64) -> u64 {
        self.core.lock().unwrap().rng.u64(..below)
    }

    pub(crate) fn spawn(&self, owner: Owner, future: BoxFuture<'static, ()>) {
        let core = &mut *self.core.lock().unwrap();
        core.next += 1;
        let id = core.next;
        let waker = Arc::new(TaskWaker {
            id,
            queue: self.queue.clone(),
        });
        let task = Task {
            owner,
            future: Some(future),
            waker: waker.clone(),
        };
        core.tasks.insert(id, task);
        waker.wake();
    }

    /// Drops all tasks of an owner. No task is being polled.
    pub(crate) fn kill(&self, owner: Owner) {
        let mut core = self.core.lock().unwrap();
        let doomed = core.tasks.iter().filter(|(_, task)| task.owner == owner);
        let mut doomed: Vec<u64> = doomed.map(|(id, _)| *id).collect();
        // Who is dropped first must not be a matter of chance.
        doomed.sort_unstable();
        let doomed: Vec<Task> = doomed
            .iter()
            .filter_map(|id| core.tasks.remove(id))
            .collect();
        // What is dropped may wake others, or end timers.
        drop(core);
        drop(doomed);
    }

    /// Drops everything.
    pub(crate) fn clear(&self) {
        let tasks = std::mem::take(&mut self.core.lock().unwrap().tasks);
        drop(tasks);
    }

    /// Lets one task go on, or time pass to the next moment that one waits for, up to `until`. Whether anything happened.
    pub(crate) fn step(&self, until: Millis) -> bool {
        match self.pick() {
            Some(id) => self.poll(id),
            None => return self.pass(until),
        }
        true
    }

    fn pick(&self) -> Option<u64> {
        let mut queue = self.queue.lock().unwrap();
        match queue.len() {
            0 => None,
            1 => queue.pop(),
            many => {
                let at = self.below(many as u64);
                Some(queue.swap_remove(usize::try_from(at).ok()?))
            }
        }
    }

    fn poll(&self, id: u64) {
        let found = self
            .core
            .lock()
            .unwrap()
            .tasks
            .get_mut(&id)
            .and_then(|task| {
                let future = task.future.take()?;
                Some((future, task.waker.clone()))
            });
        let Some((mut future, waker)) = found else {
            return; // it was woken and killed
        };
        let waker = Waker::from(waker);
        let polled = future.as_mut().poll(&mut Context::from_waker(&waker));
        let mut core = self.core.lock().unwrap();
        match polled {
            Poll::Ready(()) => _ = core.tasks.remove(&id),
            Poll::Pending => {
                if let Some(task) = core.tasks.get_mut(&id) {
                    task.future = Some(future);
                    return;
                }
            }
        }
        drop(core);
        drop(future);
    }

    fn pass(&self, until: Millis) -> bool {
        let mut core = self.core.lock().unwrap();
        let first = core.timers.first_key_value().map(|(key, _)| *key);
        let Some(key) = first.filter(|(at, _)| *at <= until) else {
            core.now = core.now.max(until);
            return false;
        };
        let waker = core.timers.remove(&key).expect("it was found");
        core.now = core.now.max(key.0);
        drop(core);
        waker.wake();
        true
    }

    /// Returns after so many milliseconds.
    pub(crate) async fn sleep(&self, millis: Millis) {
        let mut timer = Timer {
            executor: self,
            at: self.now() + millis,
            key: None,
        };
        poll_fn(|context| timer.poll(context)).await;
    }
}

/// Lets others go on first.
pub(crate) async fn yield_now() {
    let mut yielded = false;
    poll_fn(|context| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

struct Timer<'a> {
    executor: &'a Executor,
    at: Millis,
    key: Option<(Millis, u64)>,
}

impl Timer<'_> {
    fn poll(&mut self, context: &Context<'_>) -> Poll<()> {
        let core = &mut *self.executor.core.lock().unwrap();
        if core.now >= self.at {
            return Poll::Ready(());
        }
        core.next += 1;
        let key = *self.key.get_or_insert((self.at, core.next));
        core.timers.insert(key, context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Timer<'_> {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.executor.core.lock().unwrap().timers.remove(&key);
        }
    }
}
