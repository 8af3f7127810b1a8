//! What became of the certificates that were ordered.

use super::schedule;
use jiff::{SignedDuration, Timestamp};
use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// How long an authority is left alone at most, whatever it wants: certificates end.
const LONGEST_WISH: SignedDuration = SignedDuration::from_hours(24);

/// What failed since the last certificate, by the file that it goes to.
#[derive(Debug, Default)]
pub(crate) struct Progress(Mutex<HashMap<PathBuf, Failure>>);

/// Why there is no certificate, or no newer one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// What was said, by the authority or about it.
    pub(crate) why: String,
    /// How often, one after the other.
    pub(crate) times: u32,
    /// When it is tried again.
    pub(crate) next: Timestamp,
    /// Before which the authority does not want to hear of us.
    wanted_by_authority: Option<Timestamp>,
}

impl Progress {
    /// Notes that it failed now; when it is tried again.
    pub(crate) fn failed(
        &self,
        file: &Path,
        why: String,
        retry_after: Option<Timestamp>,
        now: Timestamp,
    ) -> Timestamp {
        let mut all = self.lock();
        let times = all.get(file).map_or(0, |it| it.times).saturating_add(1);
        let pause = now
            .checked_add(schedule::pause(times))
            .unwrap_or(Timestamp::MAX);
        let latest = now.saturating_add(LONGEST_WISH).unwrap_or(Timestamp::MAX);
        let retry_after = retry_after.map(|it| it.min(latest));
        let next = retry_after.map_or(pause, |it| it.max(pause));
        let failure = Failure {
            why,
            times,
            next,
            wanted_by_authority: retry_after,
        };
        all.insert(file.to_owned(), failure);
        next
    }

    /// Notes that there is a certificate.
    pub(crate) fn succeeded(&self, file: &Path) {
        self.lock().remove(file);
    }

    /// Has everything tried again as soon as authorities want to hear of us.
    pub(crate) fn again(&self) {
        for failure in self.lock().values_mut() {
            failure.next = failure.wanted_by_authority.unwrap_or(Timestamp::MIN);
        }
    }

    /// Why the last try failed, if it did.
    pub(crate) fn failure(&self, file: &Path) -> Option<Failure> {
        self.lock().get(file).cloned()
    }

    /// When it is tried again; `None` if nothing has failed.
    pub(super) fn not_before(&self, file: &Path) -> Option<Timestamp> {
        self.lock().get(file).map(|it| it.next)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<PathBuf, Failure>> {
        // Each change is one step.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    #[test]
    fn what_fails_is_tried_again_later_and_later_and_a_success_ends_that() {
        let (progress, file) = (Progress::default(), Path::new("a.pem"));
        assert_eq!(progress.not_before(file), None);
        let fail = |now| {
            progress
                .failed(file, "no".to_owned(), None, at(now))
                .as_second()
                - now
        };
        assert_eq!([fail(1000), fail(2000), fail(3000)], [300, 900, 2700]);
        assert_eq!(progress.failure(file).unwrap().times, 3);
        assert_eq!(progress.not_before(Path::new("b.pem")), None);
        progress.succeeded(file);
        assert_eq!(progress.failure(file), None);
        assert_eq!(fail(4000), 300);
    }

    #[test]
    fn an_authority_is_left_alone_as_long_as_it_wants_to_be() {
        let (progress, file) = (Progress::default(), Path::new("a.pem"));
        let day = at(1000) + Duration::from_secs(24 * 3600);
        let fail = |retry_after| progress.failed(file, "no".to_owned(), retry_after, at(1000));
        assert_eq!(fail(Some(at(1010))), at(1300), "not sooner than without it");
        assert_eq!(fail(Some(day)), day);
        progress.again();
        assert_eq!(progress.not_before(file), Some(day), "also after a reload");
        assert_eq!(fail(Some(Timestamp::MAX)), day, "and no longer than a day");
        fail(None);
        progress.again();
        assert!(progress.not_before(file).unwrap() < at(1000));
        assert_eq!(
            progress.failure(file).unwrap().times,
            4,
            "which forgets nothing"
        );
    }
}
