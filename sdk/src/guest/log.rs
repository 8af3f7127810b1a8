//! A plugin's `tracing` events go to the host's log under the name of the instance they belong to.
//!
//! An event belongs to the instance whose call is being polled on the thread. Elsewhere (in a task or thread that
//! the plugin started) it belongs to the instance opened first of those still open.
//!
//! Not done: spans. Their names and fields do not cross; an event's own fields do. Which levels the host wants is
//! asked once, when the first instance is opened.

use super::host::Services;
use crate::wire::attributes;
use convoke_abi::services::{Event as SentEvent, level};
use std::{
    cell::Cell,
    collections::BTreeMap,
    fmt::Write as _,
    sync::{
        Arc, Once, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    level_filters::LevelFilter,
    span,
    subscriber::Interest,
};

/// The longest text of an event that crosses, in bytes.
const MAX_TEXT: usize = 16 * 1024;

static INSTANCES: RwLock<BTreeMap<u64, Arc<Services>>> = RwLock::new(BTreeMap::new());

thread_local! {
    /// The instance whose call is being polled; 0 for none.
    static CURRENT: Cell<u64> = const { Cell::new(0) };
}

/// Makes an instance known, and the first one the reason to listen.
pub(super) fn register(services: Arc<Services>) -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let wanted = match services.host.level() {
            0 | level::ERROR => Level::ERROR,
            level::WARN => Level::WARN,
            level::INFO => Level::INFO,
            level::DEBUG => Level::DEBUG,
            _ => Level::TRACE,
        };
        // Whoever set a subscriber first, as a test does, keeps it.
        let _ = tracing::subscriber::set_global_default(Forward { wanted });
    });
    let id = NEXT.fetch_add(1, Ordering::Relaxed);
    (INSTANCES.write())
        .unwrap_or_else(PoisonError::into_inner)
        .insert(id, services);
    id
}

pub(super) fn forget(id: u64) {
    let gone = (INSTANCES.write())
        .unwrap_or_else(PoisonError::into_inner)
        .remove(&id);
    // Dropped here, outside the lock: the host's object may log.
    drop(gone);
}

/// Runs what must not panic; events on this thread belong to instance `id` meanwhile.
#[inline]
pub(super) fn within<T>(id: u64, run: impl FnOnce() -> T) -> T {
    // Looked up once: a library pays for it each time.
    CURRENT.with(|current| {
        let before = current.replace(id);
        let done = run();
        current.set(before);
        done
    })
}

fn current() -> Option<Arc<Services>> {
    let instances = INSTANCES.read().unwrap_or_else(PoisonError::into_inner);
    // A thread that ends has no current instance any more.
    let id = CURRENT.try_with(Cell::get).unwrap_or_default();
    let services = instances.get(&id).or_else(|| instances.values().next());
    services.map(Arc::clone)
}

fn number(of: Level) -> u32 {
    match of {
        Level::ERROR => level::ERROR,
        Level::WARN => level::WARN,
        Level::INFO => level::INFO,
        Level::DEBUG => level::DEBUG,
        Level::TRACE => level::TRACE,
    }
}

struct Forward {
    wanted: Level,
}

impl Subscriber for Forward {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if metadata.is_event() && *metadata.level() <= self.wanted {
            Interest::always()
        } else {
            Interest::never()
        }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::from_level(self.wanted))
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && *metadata.level() <= self.wanted
    }

    fn event(&self, event: &Event<'_>) {
        let Some(services) = current() else { return };
        let mut texts = Texts::default();
        event.record(&mut texts);
        let metadata = event.metadata();
        services.host.log(SentEvent {
            level: number(*metadata.level()),
            target: metadata.target().into(),
            message: texts.message.as_str().into(),
            fields: attributes(texts.fields.iter().map(|(name, value)| (*name, &**value))),
        });
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// What an event says.
#[derive(Default)]
struct Texts {
    message: String,
    fields: Vec<(&'static str, String)>,
}

impl Texts {
    fn take(&mut self, field: &Field, value: String) {
        if field.name() == "message" {
            self.message = value;
        } else {
            self.fields.push((field.name(), value));
        }
    }
}

impl Visit for Texts {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.take(field, shortened(value.to_owned()));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let mut text = String::new();
        // Writing to a String fails only if the value's own Debug does; what it wrote until then is kept.
        let _ = write!(text, "{value:?}");
        self.take(field, shortened(text));
    }
}

fn shortened(mut text: String) -> String {
    if text.len() > MAX_TEXT {
        let end = (0..=MAX_TEXT).rev().find(|end| text.is_char_boundary(*end));
        text.truncate(end.unwrap_or_default());
        text.push('…');
    }
    text
}
