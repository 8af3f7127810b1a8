//! What a calendar holds, as a list shows it.

use super::{
    api::{Listed, Overview},
    messages::none_of,
    stores::{OfStores, no_user},
};
use convoke_calendar::{
    itip,
    time::When,
    tree::{Calendar, Limits},
    zone::Zones,
};
use convoke_plugin_host::{Plugins, StoreHandle};
use convoke_scheduling::Person;
use convoke_types::{CalendarUser, Error, Listing, ObjectSummary, Page, StoredObject};
use futures::{FutureExt, StreamExt, future::BoxFuture, stream};

/// The most objects of one page.
const PAGE: u32 = 500;
/// Objects that are read at once.
const PARALLEL: usize = 16;

impl OfStores for Overview {
    async fn run(self, plugins: &Plugins) -> Result<Listing<Listed>, Error> {
        let found = plugins.stores.find(&self.user).await?;
        let (store, user) = found.ok_or_else(|| no_user(&self.user))?;
        if let Some(uid) = &self.uid {
            let stored = store.get(&user.id, uid).await?;
            let stored = stored.ok_or_else(|| none_of(&self.user, uid))?;
            let listed = Listed::of(&stored, &user, None);
            return Ok(Listing::new(vec![listed], None));
        }
        let page = Page::after(self.page.after, self.page.limit.clamp(1, PAGE));
        let listing = store.list(&user.id, &page).await?;
        let mut reads: Vec<BoxFuture<'_, _>> = Vec::new();
        for object in &listing.items {
            reads.push(read(store, &user, object).boxed());
        }
        let mut reads = stream::iter(reads).buffered(PARALLEL);
        let mut items = Vec::new();
        while let Some(listed) = reads.next().await {
            // What is gone by now is not there.
            items.extend(listed?);
        }
        Ok(Listing::new(items, listing.next))
    }
}

async fn read(
    store: &StoreHandle,
    user: &CalendarUser,
    object: &ObjectSummary,
) -> Result<Option<Listed>, Error> {
    let stored = store.get(&user.id, &object.uid).await?;
    let component = Some(object.component.as_str());
    Ok(stored.map(|stored| Listed::of(&stored, user, component)))
}

impl Listed {
    /// What is said of an object; of one that cannot be read, that it is there.
    fn of(stored: &StoredObject, user: &CalendarUser, component: Option<&str>) -> Self {
        let mut listed = Self {
            uid: stored.uid.clone(),
            component: component.unwrap_or("VEVENT").to_owned(),
            etag: stored.etag.clone(),
            summary: None,
            start: None,
            end: None,
            partstat: None,
            recurs: false,
            cancelled: false,
        };
        let Ok(calendar) = Calendar::parse_stored(&stored.data, &Limits::default()) else {
            return listed;
        };
        if let (None, Some(main)) = (component, calendar.main_components().next()) {
            listed.component = main.name.to_ascii_uppercase();
        }
        let person = Person::of(user);
        let owner = person.owner();
        if let Some(summary) = itip::summary(&calendar, &owner) {
            let zones = Zones::of(&calendar, owner.timezone.clone());
            let at = |when: Option<When>| when.as_ref().and_then(|it| written(it, &zones));
            listed.summary = Some(summary.title);
            listed.start = at(summary.start);
            listed.end = at(summary.end);
            listed.partstat = summary.partstat.map(|it| it.as_str().to_owned());
            listed.recurs = summary.recurs;
            listed.cancelled = summary.cancelled;
        }
        listed
    }
}

/// A time as answers have it: RFC 3339, or a date.
pub(super) fn written(when: &When, zones: &Zones) -> Option<String> {
    if when.is_date() {
        return Some(when.wall.date().to_string());
    }
    when.instant(zones).ok().map(|it| it.to_string())
}
