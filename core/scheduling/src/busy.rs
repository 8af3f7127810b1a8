//! When a calendar user is busy: what the store's indexes say, and what they leave open.

use crate::{
    effort::{Effort, LARGE},
    envelope::Peer,
    environment::{Event, Home, Journal, Overloaded, Processor},
    index,
    limits::Limits,
    person::Person,
    stored,
};
use convoke_calendar::{availability, freebusy, itip::Owner, recurrence, tree::Calendar};
use convoke_types::{
    BusySpan, BusyType, Error, NewObject, Precondition, StoredObject, TimeRange, Uid, merge,
};
use jiff::Timestamp;

/// Bytes of objects that are read for one question: an index leaves open what is short, and seldom much of it.
const MAX_READ: usize = 16 << 20;

/// As many spans are handled without leaving the thread.
pub(crate) const FEW: usize = 2_000;

/// When a calendar user is busy, as somebody asks.
pub(crate) struct Question<'a, H, P, J> {
    /// Whose calendar it is.
    pub(crate) home: &'a H,
    pub(crate) range: TimeRange,
    /// As whom the asker is counted.
    pub(crate) peer: &'a Peer,
    /// What is left of what it may cost.
    pub(crate) effort: &'a Effort,
    pub(crate) now: Timestamp,
    pub(crate) limits: &'a Limits,
    pub(crate) processor: &'a P,
    /// Who is told that an object is written over.
    pub(crate) journal: &'a J,
}

impl<H: Home, P: Processor, J: Journal> Question<'_, H, P, J> {
    /// When it is busy: clipped, sorted, merged within a type.
    pub(crate) async fn busy(&self) -> Result<Vec<BusySpan>, Error> {
        let range = self.range;
        let spans = self.spans(None).await?;
        let many = if spans.len() > FEW { LARGE } else { 0 };
        Ok(self.run(many, || merge(spans, range)).await?)
    }

    /// The busy time as it is found: a span of the store's index for each object that takes it, which may reach out of the
    /// range, and what the indexes leave open. Where the index of `except` leaves something open, that is not looked at.
    pub(crate) async fn spans(&self, except: Option<&Uid>) -> Result<Vec<BusySpan>, Error> {
        let (user, range) = (self.home.user(), self.range);
        let mut found = self.home.busy(range).await?;
        found.objects.retain(|it| Some(&it.uid) != except);
        let mut spans = found.spans;
        if has_unread(&mut found.objects) {
            tracing::info!(event = "free-busy-cut-short", user = %user.address, "there is more to read than one question may; all of the time counts as busy");
            let kind = BusyType::Busy;
            spans.push(BusySpan::new(range, kind));
        }
        if !found.objects.is_empty() {
            let person = Person::of(user);
            let owner = person.owner();
            let (objects, open) = self.read(found.objects).await?;
            let bytes: usize = objects.iter().map(|object| object.data.len()).sum();
            let frequent = open.iter().any(recurrence::repeats_within_a_day);
            let bytes = if frequent { LARGE } else { bytes };
            let expanded = self.run(bytes, || self.expanded(&open, &owner));
            spans.extend(expanded.await?);
            self.renew(objects, &open, &owner).await;
        }
        Ok(spans)
    }

    /// Those of the objects that can be read.
    async fn read(
        &self,
        objects: Vec<StoredObject>,
    ) -> Result<(Vec<StoredObject>, Vec<Calendar>), Overloaded> {
        let bytes = objects.iter().map(|object| object.data.len()).sum();
        let readable = |object: StoredObject| {
            let calendar = self.readable(&object)?;
            Some((object, calendar))
        };
        let read = || objects.into_iter().filter_map(readable).unzip();
        self.run(bytes, read).await
    }

    fn readable(&self, object: &StoredObject) -> Option<Calendar> {
        let read = stored::read(object, self.limits);
        let user = &self.home.user().address;
        read.inspect_err(
            |error| tracing::warn!(event = "left-out-of-free-busy", %user, "an object is left out of free-busy: {error}"),
        )
        .ok()
    }

    /// Does work on so many bytes for the asker.
    pub(crate) async fn run<T: Send>(
        &self,
        bytes: usize,
        work: impl FnOnce() -> T + Send,
    ) -> Result<T, Overloaded> {
        self.processor.run_for(self.peer, bytes, work).await
    }

    /// As time goes by, a range that is asked for often passes the horizon of what was indexed long ago. One object a
    /// question gets a new index then, so that in a while the answers come from the indexes alone again.
    async fn renew(&self, mut objects: Vec<StoredObject>, open: &[Calendar], owner: &Owner<'_>) {
        let (range, now, limits) = (self.range, self.now, self.limits);
        let within = limits
            .indexed(now)
            .is_ok_and(|horizon| horizon.start() <= range.start() && range.end() <= horizon.end());
        let repeats = |calendar: &Calendar| calendar.main_components().any(|it| it.is("VEVENT"));
        let outdated: Vec<usize> = (0..open.len()).filter(|&at| repeats(&open[at])).collect();
        if !within || outdated.is_empty() {
            return;
        }
        // Some stay open whatever is done: another one each time.
        let turn = usize::try_from(now.as_millisecond().unsigned_abs()).unwrap_or_default();
        let at = outdated[turn % outdated.len()];
        let bytes = if recurrence::repeats_within_a_day(&open[at]) {
            LARGE
        } else {
            objects[at].data.len()
        };
        let index = || index::of(&open[at], Some(owner), limits, now);
        let index = match self.run(bytes, index).await {
            Ok(Ok(index)) if !index.is_open_in(range) => index,
            _ => return,
        };
        let object = objects.swap_remove(at);
        self.journal
            .record(&Event::Overwriting(self.home.user(), &object));
        let when = Precondition::Matches(object.etag);
        let renewed = NewObject::new(object.data, index);
        if let Err(error) = self.home.put(&renewed, &when).await {
            let user = &self.home.user().address;
            tracing::debug!(event = "index-not-renewed", %user, uid = %object.uid, "its index stays as it is: {error}");
        }
    }

    /// What the index leaves open: recurrences beyond its horizon, and availability, which counts as a whole.
    fn expanded(&self, open: &[Calendar], owner: &Owner<'_>) -> Vec<BusySpan> {
        let user = &self.home.user().address;
        let effort = self.effort;
        let mut work = effort.question();
        let taken = freebusy::taken(open, Some(owner), self.range, &mut work);
        for (_, error) in &taken.left_out {
            tracing::warn!(event = "left-out-of-free-busy", %user, "an object is left out of free-busy: {error}");
        }
        if !taken.cut_short.is_empty() {
            let objects = taken.cut_short.len();
            tracing::info!(
                event = "free-busy-cut-short", %user, objects,
                "objects take more work than one question may; the time that was not looked at counts as busy"
            );
        }
        let mut spans = taken.spans;
        match availability::unavailable_within(open, Some(owner), self.range, &mut work) {
            Ok(found) => spans.extend(found),
            Err(error) => {
                tracing::warn!(event = "left-out-of-free-busy", %user, "availability is left out of free-busy: {error}");
            }
        }
        effort.give_back(&work);
        spans
    }
}

/// Leaves the objects that one question reads, the shortest; whether there are more.
fn has_unread(objects: &mut Vec<StoredObject>) -> bool {
    objects.sort_by_key(|object| object.data.len());
    let mut left = MAX_READ;
    let read = objects.iter().take_while(|object| {
        let rest = left.checked_sub(object.data.len());
        left = rest.unwrap_or_default();
        rest.is_some()
    });
    let read = read.count();
    objects.drain(read..).next().is_some()
}
