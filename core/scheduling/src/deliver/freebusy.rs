//! A question about busy time, answered as far as the policy grants.

use crate::{
    busy::{FEW, Question},
    effort::LARGE,
    envelope::Envelope,
    environment::{Environment, HomeOf},
    outcome::Outcome,
    scheduler::Scheduler,
};
use convoke_calendar::freebusy;
use convoke_types::{
    BusySpan, BusyType, CalendarAddress, Detail, Error, RequestStatus, TimeRange, merge,
};
use std::time::Duration;

/// The most periods of an answer; with more, those that lie close together are told as one.
const MAX_PERIODS: usize = 20_000;

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
            peer: envelope.peer,
            effort: &envelope.effort,
            now: envelope.now,
            limits: &self.limits,
            processor: self.environment.processor(),
            journal: self.environment.journal(),
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

/// As much as the policy grants.
fn as_granted(spans: Vec<BusySpan>, detail: Detail, range: TimeRange) -> Vec<BusySpan> {
    match detail {
        Detail::Full => spans,
        // What is not known is the strictest.
        _ => merge(
            spans
                .into_iter()
                .map(|span| BusySpan::new(span.range, BusyType::Busy)),
            range,
        ),
    }
}
