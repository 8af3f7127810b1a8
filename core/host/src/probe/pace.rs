//! How often administrators have somebody probed: a console is no tool to bother others with.

use crate::rate_limit::{KeyedLimiters, RateLimited};
use convoke_types::{Error, Rate};
use tokio::sync::{Semaphore, SemaphorePermit};

/// Probes at once.
const AT_ONCE: usize = 2;
/// How often, by whomever.
const RATE: &str = "10/m";

/// Turns to probe, of a host.
pub(crate) struct Pace {
    at_once: Semaphore,
    limiter: KeyedLimiters<()>,
    rate: Rate,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            at_once: Semaphore::new(AT_ONCE),
            limiter: KeyedLimiters::default(),
            rate: RATE.parse().expect("ten a minute is a rate"),
        }
    }
}

impl Pace {
    /// A turn, until it is dropped.
    pub(crate) fn turn(&self) -> Result<SemaphorePermit<'_>, Error> {
        let permit = self.at_once.try_acquire().map_err(|_| {
            Error::unavailable(format!(
                "{AT_ONCE} probes are under way; wait until they have ended"
            ))
        })?;
        self.limiter.admit(self.rate, &()).map_err(|often| {
            let RateLimited(wait) = often;
            let seconds = wait.as_secs() + 1;
            Error::unavailable(format!(
                "this host probes {RATE} at most; try again in {seconds} s"
            ))
        })?;
        Ok(permit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_are_few_at_once_and_few_a_minute() {
        let pace = Pace::default();
        let held: Vec<_> = (0..AT_ONCE).map(|_| pace.turn().unwrap()).collect();
        assert!(pace.turn().unwrap_err().message().contains("under way"));
        drop(held);
        for _ in AT_ONCE..10 {
            drop(pace.turn().unwrap());
        }
        assert!(pace.turn().unwrap_err().message().contains("try again in"));
    }
}
