//! A question about busy time: the store's index, and what the index leaves open.

use crate::{
    effort::LARGE,
    envelope::Envelope,
    environment::{Environment, Home, HomeOf, Overloaded, Processor},
    index,
    limits::Limits,
    outcome::Outcome,
    person::Person,
    scheduler::Scheduler,
    stored,
};
use convoke_calendar::{availability, freebusy, itip::Owner, recurrence, tree::Calendar};
use convoke_types::{
    BusySpan, BusyType, CalendarAddress, Detail, Error, NewObject, Precondition, RequestStatus,
    StoredObject, TimeRange, merge,
};
use std::time::Duration;

/// The most periods of an answer; with more, those that lie close together are told as one.
const MAX_PERIODS: usize = 20_000;

/// Bytes of objects that are read for one question: an index leaves open what is short, and seldom much of it.
const MAX_READ: usize = 16 << 20;

/// As many spans are written without leaving the thread.
const FEW: usize = 2_000;

impl<E: Environment> Scheduler<E> {
    /// Answers for one recipient, at once.
    pub(super) async fn answer_busy(
        &self,
        home: &HomeOf<E>,
        envelope: &Envelope<'_>,
        recipient: &CalendarAddress,
        detail: Detail,
    ) -> Result<Outcome, Error> {
        let Some(range) = envelope.message.range() else {
            return Ok(RequestStatus::INVALID_DATE.into());
        };
        if let Some(status) = too_long(range, self.limits.freebusy_range) {
            return Ok(status.into());
        }
        let question = Question {
            home,
            range,
            envelope,
            limits: &self.limits,
            processor: self.environment.processor(),
        };
        let spans = question.busy().await?;
        let bytes = if spans.len() > FEW { LARGE } else { 0 };
        let write = || {
            let spans = freebusy::coarser(as_granted(spans, detail, range), MAX_PERIODS);
            freebusy::answer(envelope.message, recipient, &spans, envelope.now).write()
        };
        let text = String::from_utf8(question.run(bytes, write).await?)
            .map_err(|_| Error::internal("a calendar we wrote is not UTF-8"))?;
        Ok(Outcome {
            data: Some(text),
            ..RequestStatus::SUCCESS.into()
        })
    }
}

/// What is said to a question about more time than one may be about (spec §9): 3.1, naming DTEND.
fn too_long(range: TimeRange, longest: Duration) -> Option<RequestStatus> {
    const DAY: u64 = 24 * 3600;
    let length = range.end().duration_since(range.start()).unsigned_abs();
    let most = longest.as_secs();
    let most = if most.is_multiple_of(DAY) {
        format!("{} days", most / DAY)
    } else {
        format!("{most} seconds")
    };
    let text = format!(
        "DTEND is more than {most} after DTSTART, which is the longest range answered here"
    );
    (length > longest).then(|| RequestStatus::INVALID_PROPERTY_VALUE.with_text(&text))
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

/// When a calendar user is busy.
struct Question<'a, H, P> {
    home: &'a H,
    range: TimeRange,
    envelope: &'a Envelope<'a>,
    limits: &'a Limits,
    processor: &'a P,
}

impl<H: Home, P: Processor> Question<'_, H, P> {
    async fn busy(&self) -> Result<Vec<BusySpan>, Error> {
        let (user, range) = (self.home.user(), self.range);
        let mut found = self.home.busy(range).await?;
        let mut spans = found.spans;
        if has_unread(&mut found.objects) {
            tracing::info!(event = "free-busy-cut-short", user = %user.address, "there is more to read than one question may; all of the time counts as busy");
            let kind = BusyType::Busy;
            spans.push(BusySpan { range, kind });
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
        let many = if spans.len() > FEW { LARGE } else { 0 };
        Ok(self.run(many, || merge(spans, range)).await?)
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

    async fn run<T: Send>(
        &self,
        bytes: usize,
        work: impl FnOnce() -> T + Send,
    ) -> Result<T, Overloaded> {
        self.processor
            .run_for(self.envelope.peer, bytes, work)
            .await
    }

    /// As time goes by, a range that is asked for often passes the horizon of what was indexed long ago. One object a
    /// question gets a new index then, so that in a while the answers come from the indexes alone again.
    async fn renew(&self, mut objects: Vec<StoredObject>, open: &[Calendar], owner: &Owner<'_>) {
        let (range, now, limits) = (self.range, self.envelope.now, self.limits);
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
        let effort = &self.envelope.effort;
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

/// As much as the policy grants.
fn as_granted(spans: Vec<BusySpan>, detail: Detail, range: TimeRange) -> Vec<BusySpan> {
    match detail {
        Detail::Full => spans,
        // What is not known is the strictest.
        _ => merge(
            spans.into_iter().map(|span| BusySpan {
                kind: BusyType::Busy,
                ..span
            }),
            range,
        ),
    }
}
