//! How often an account is looked at: soon after something happened in it, ever less often while nothing does.

use convoke_sdk::prelude::*;
use std::{
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};
use tokio::time::Instant;

/// The pause after something happened.
pub(crate) const SHORTEST: Duration = Duration::from_secs(3);
/// The longest pause, unless the configuration says another.
pub(crate) const LONGEST: Duration = Duration::from_secs(60);

/// When an account is looked at next.
#[derive(Debug)]
pub(crate) struct Pace {
    longest: Duration,
    pause: Duration,
    next: Instant,
    /// Why the last look failed.
    failed: Option<Error>,
}

/// What a look came to.
#[derive(Clone, Debug)]
pub(crate) enum Found {
    /// All that is there, at the first look.
    Everything,
    Something,
    Nothing,
    Failure(Error),
}

impl Pace {
    /// Of an account that was never looked at.
    pub(crate) fn new(longest: Duration) -> Self {
        Self {
            longest,
            pause: longest,
            next: Instant::now(),
            failed: None,
        }
    }

    /// Somebody looked at the account of this user just now.
    pub(crate) fn looked(&mut self, user: &UserId, found: Found) {
        let shortest = SHORTEST.min(self.longest);
        self.pause = match &found {
            Found::Everything => self.longest,
            Found::Nothing if self.failed.is_none() => {
                (self.pause * 3 / 2).clamp(shortest, self.longest)
            }
            Found::Failure(_) if self.failed.is_some() => (self.pause * 2).min(self.longest),
            Found::Something | Found::Nothing | Found::Failure(_) => shortest,
        };
        let pause = match &found {
            Found::Everything => self.pause.mul_f64(share(user)),
            _ => self.pause,
        };
        self.next = Instant::now() + pause;
        self.failed = match found {
            Found::Failure(error) => Some(error),
            _ => None,
        };
    }

    pub(crate) const fn next(&self) -> Instant {
        self.next
    }

    /// Why the last look failed.
    pub(crate) const fn failed(&self) -> Option<&Error> {
        self.failed.as_ref()
    }
}

/// Between 0 and 1, another for each user, so that those who were first looked at together are not looked at together for ever.
fn share(user: &UserId) -> f64 {
    let mut hasher = DefaultHasher::new();
    user.hash(&mut hasher);
    let lot = u32::try_from(hasher.finish() & 0xffff).unwrap_or_default();
    f64::from(lot) / 65536.0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seconds until the next look.
    fn seconds(pace: &Pace) -> u64 {
        (pace.next() - Instant::now()).as_secs()
    }

    #[tokio::test(start_paused = true)]
    async fn quiet_accounts_are_looked_at_less_and_less_often() {
        let user = UserId::new("anna").unwrap();
        let mut pace = Pace::new(LONGEST);
        assert_eq!(seconds(&pace), 0);
        pace.looked(&user, Found::Everything);
        assert!(seconds(&pace) <= 60);
        pace.looked(&user, Found::Nothing);
        assert_eq!(seconds(&pace), 60);
        pace.looked(&user, Found::Something);
        let mut pauses = vec![seconds(&pace)];
        while seconds(&pace) < 60 {
            pace.looked(&user, Found::Nothing);
            pauses.push(seconds(&pace));
        }
        assert_eq!(pauses, [3, 4, 6, 10, 15, 22, 34, 51, 60]);
        for pause in [3, 6, 12, 24, 48, 60, 60] {
            pace.looked(&user, Found::Failure(Error::unavailable("down")));
            assert_eq!(seconds(&pace), pause);
            assert!(pace.failed().is_some());
        }
        pace.looked(&user, Found::Nothing);
        assert_eq!((seconds(&pace), pace.failed()), (3, None));
        let mut fast = Pace::new(Duration::from_secs(1));
        fast.looked(&user, Found::Something);
        fast.looked(&user, Found::Nothing);
        assert_eq!(seconds(&fast), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn accounts_that_are_first_seen_together_are_spread() {
        let mut soon = 0;
        for number in 0..1000 {
            let mut pace = Pace::new(LONGEST);
            pace.looked(
                &UserId::new(format!("user-{number}")).unwrap(),
                Found::Everything,
            );
            soon += u32::from(seconds(&pace) < 30);
        }
        assert!((400..600).contains(&soon), "{soon}");
    }
}
