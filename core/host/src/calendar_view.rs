//! What was worked out of the calendars of our people for their calendar programs: kept by an instance, in a bounded share of
//! memory, and made by the caldav listener.

use convoke_caldav::extent::Extent;
use convoke_types::{CalendarAddress, CalendarUser, Cursor, TimeRange, Uid, UserId};
use moka::sync::Cache;
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::sync::{Mutex, OwnedMutexGuard};

/// What all views may take, in bytes, about.
const MAX_BYTES: u64 = 64 << 20;
/// How long a view is kept that nobody asks for.
const IDLE: Duration = Duration::from_secs(24 * 3600);

/// The views of an instance, by store and user. Those that were not used for longest go.
pub(crate) struct CalendarViews(Cache<(String, UserId), Arc<Shared>>);

/// A view, and how much memory it takes.
#[derive(Default)]
struct Shared {
    bytes: AtomicUsize,
    /// Who gives names to objects.
    naming: Arc<Mutex<()>>,
    view: Arc<Mutex<CalendarView>>,
}

impl Default for CalendarViews {
    fn default() -> Self {
        let weigh = |_: &_, shared: &Arc<Shared>| {
            let bytes = shared.bytes.load(Ordering::Relaxed);
            u32::try_from(bytes).unwrap_or(u32::MAX).max(1)
        };
        let cache = Cache::builder().max_capacity(MAX_BYTES);
        Self(cache.weigher(weigh).time_to_idle(IDLE).build())
    }
}

impl CalendarViews {
    /// The view of a calendar, for one at a time.
    pub(crate) async fn lock(&self, store: &str, user: &UserId) -> OwnedMutexGuard<CalendarView> {
        let shared = self
            .0
            .get_with((store.to_owned(), user.clone()), Arc::default);
        shared.view.clone().lock_owned().await
    }

    /// For one at a time who gives names to objects of a calendar.
    pub(crate) async fn lock_names(&self, store: &str, user: &UserId) -> OwnedMutexGuard<()> {
        let shared = self
            .0
            .get_with((store.to_owned(), user.clone()), Arc::default);
        shared.naming.clone().lock_owned().await
    }

    /// Weighs the view of a calendar anew.
    pub(crate) fn weigh(&self, store: &str, user: &UserId, view: &CalendarView) {
        let key = (store.to_owned(), user.clone());
        let bytes = view.bytes();
        if let Some(shared) = self.0.get(&key)
            && shared.bytes.swap(bytes, Ordering::Relaxed) != bytes
        {
            // It is weighed when it is put in.
            self.0.insert(key, shared);
        }
    }
}

/// What of a user decides what is worked out of the calendar.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct MadeFor {
    timezone: Option<String>,
    /// Whose lines are the user's own.
    addresses: Vec<CalendarAddress>,
}

impl MadeFor {
    pub(crate) fn of(user: &CalendarUser) -> Self {
        let aliases = user.aliases.iter().cloned();
        Self {
            timezone: user.timezone.clone(),
            addresses: std::iter::once(user.address.clone())
                .chain(aliases)
                .collect(),
        }
    }
}

/// What was worked out of a calendar.
#[derive(Default)]
pub(crate) struct CalendarView {
    /// What of its owner it was worked out for.
    pub(crate) made_for: MadeFor,
    /// Where what repeats without an end was followed; `None`: nothing was worked out yet.
    pub(crate) horizon: Option<TimeRange>,
    /// Up to where the changes are seen; `None`: not all is.
    pub(crate) cursor: Option<Cursor>,
    /// How many renames of objects are seen.
    pub(crate) renames: u64,
    /// Every object.
    pub(crate) objects: BTreeMap<Uid, SeenObject>,
}

/// What was worked out of an object.
#[derive(Clone, Debug)]
pub(crate) struct SeenObject {
    /// What it is called in paths.
    pub(crate) name: String,
    /// Its entity tag.
    pub(crate) tag: String,
    /// In bytes, if it was read.
    pub(crate) length: Option<usize>,
    /// When it is.
    pub(crate) extent: Extent,
    /// Its schedule tag, if it is scheduled with others and was read.
    pub(crate) schedule_tag: Option<String>,
}

impl CalendarView {
    fn bytes(&self) -> usize {
        let each = self.objects.iter().map(|(uid, seen)| {
            let tags = seen.tag.len() + seen.schedule_tag.as_ref().map_or(0, String::len);
            let texts = uid.as_str().len() + seen.name.len() + tags;
            size_of::<(Uid, SeenObject)>() + texts + seen.extent.size()
        });
        each.sum()
    }
}
