//! When a delivery is tried again, and when it is given up.

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use std::time::Duration;

/// After so many minutes the first tries are made again; then this often.
const STEPS: [i64; 5] = [1, 5, 15, 60, 120];

/// When to try again after `failed` failures, at least one: after 1, 5 and 15 minutes, an hour, then every two hours; up to
/// a tenth earlier or later, so that what failed together does not come back together. No sooner than the receiver asked
/// for (`Retry-After`), which may be a day at most.
pub(crate) fn next(now: Timestamp, failed: u32, after: Option<Duration>, what: &str) -> Timestamp {
    let step = usize::try_from(failed.saturating_sub(1)).unwrap_or(usize::MAX);
    let minutes = STEPS[step.min(STEPS.len() - 1)];
    let wait = SignedDuration::from_mins(minutes);
    let wait = wait + jitter(wait, failed, what);
    let asked = after.and_then(|after| SignedDuration::try_from(after).ok());
    let asked = asked
        .unwrap_or_default()
        .min(SignedDuration::from_hours(24));
    now.saturating_add(wait.max(asked))
        .unwrap_or(Timestamp::MAX)
}

/// A tenth of the time more or less, by what is tried: there is no chance in here.
fn jitter(wait: SignedDuration, failed: u32, what: &str) -> SignedDuration {
    let digest = Sha256::new()
        .chain_update(failed.to_be_bytes())
        .chain_update(what)
        .finalize();
    let share = i64::from(u16::from_be_bytes([digest[0], digest[1]])) - 0x8000;
    SignedDuration::from_millis(i64::try_from(wait.as_millis()).unwrap_or(0) / 10 * share / 0x8000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_takes_ever_longer_and_never_less_than_asked_for() {
        let now: Timestamp = "2026-12-01T08:00:00Z".parse().unwrap();
        let waits = |failed, after| {
            let next = next(now, failed, after, "bo");
            next.duration_since(now).as_secs_f64() / 60.0
        };
        for (failed, minutes) in [
            (1, 1.0),
            (2, 5.0),
            (3, 15.0),
            (4, 60.0),
            (5, 120.0),
            (99, 120.0),
        ] {
            let waited = waits(failed, None);
            assert!((waited / minutes - 1.0).abs() <= 0.1, "{failed}: {waited}");
        }
        assert!((waits(1, Some(Duration::from_secs(3600))) - 60.0).abs() < 0.1);
        assert!(waits(1, Some(Duration::MAX)) <= 24.0 * 60.0);
        assert_ne!(next(now, 1, None, "bo"), next(now, 1, None, "cy"));
    }
}
