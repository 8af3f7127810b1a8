//! When a certificate is renewed, and when it is tried again.

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use std::time::Duration;

/// The first wait after a failure. Let's Encrypt allows five failed validations of a name in an hour.
const FIRST: Duration = Duration::from_secs(5 * 60);
/// The longest one.
const LONGEST: Duration = Duration::from_secs(6 * 3600);

/// When a certificate that is valid from then until then is renewed: at two thirds of its life, or up to a thirtieth of it later,
/// which `salt` decides, so that what was issued together is not renewed together, and a restart changes nothing.
pub(super) fn renewal((from, until): (i64, i64), salt: &str) -> Timestamp {
    let life = i128::from(until) - i128::from(from);
    let digest = Sha256::digest(format!("{from} {until} {salt}"));
    let jitter = i128::from(u16::from_be_bytes([digest[0], digest[1]]));
    let after = life * 2 / 3 + life * jitter / (30 * i128::from(u16::MAX));
    let at = i64::try_from(i128::from(from) + after).unwrap_or(i64::MAX);
    Timestamp::from_second(at).unwrap_or(Timestamp::MAX)
}

/// How long to wait after so many failures, one after the other.
pub(super) fn pause(failures: u32) -> Duration {
    let times = 3_u32.saturating_pow(failures.saturating_sub(1));
    FIRST.saturating_mul(times).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 24 * 3600;

    #[test]
    fn a_certificate_is_renewed_at_two_thirds_of_its_life_or_soon_after() {
        for life in [DAY * 90, DAY * 6, 60] {
            let from = 1_700_000_000;
            let mut times = Vec::new();
            for salt in 0..200 {
                let at = renewal((from, from + life), &salt.to_string()).as_second() - from;
                assert!(at >= life * 2 / 3, "{at} of {life}");
                assert!(at <= life * 2 / 3 + life / 30 + 1, "{at} of {life}");
                times.push(at);
            }
            times.sort_unstable();
            times.dedup();
            assert!(times.len() > 1, "not all at once");
        }
        let dates = (0, DAY * 90);
        assert_eq!(
            renewal(dates, "a"),
            renewal(dates, "a"),
            "after a restart, too"
        );
    }

    #[test]
    fn dates_that_make_no_sense_do_no_harm() {
        for dates in [
            (i64::MIN, i64::MAX),
            (i64::MAX, i64::MIN),
            (0, i64::MAX),
            (5, 5),
        ] {
            let _ = renewal(dates, "");
        }
        assert!(renewal((100, 50), "").as_second() <= 100);
    }

    #[test]
    fn pauses_grow_to_six_hours() {
        let minutes: Vec<_> = (0..8).map(|it| pause(it).as_secs() / 60).collect();
        assert_eq!(minutes, [5, 5, 15, 45, 135, 360, 360, 360]);
        assert_eq!(pause(u32::MAX), LONGEST);
    }
}
