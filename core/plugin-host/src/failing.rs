//! Whether what keeps data answers at all: where nobody's calls succeed, the host is not well, whatever the plugin says of itself.

use convoke_sdk::Error;
use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

/// Failures in a row, of whomever, that are no chance.
const ENOUGH: u32 = 2;

/// The failures since the last success.
#[derive(Debug, Default)]
pub(super) struct Failing {
    /// Whether there are any. If not, which is the common case, no lock is taken.
    any: AtomicBool,
    last: Mutex<(u32, String)>,
}

impl Failing {
    /// Takes note of how a call went: `fault` is what the plugin is to blame for.
    pub(super) fn note(&self, fault: Option<&Error>) {
        if fault.is_none() && !self.any.load(Ordering::Acquire) {
            return;
        }
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match fault {
            Some(error) => {
                last.0 = last.0.saturating_add(1);
                error.message().clone_into(&mut last.1);
            }
            None => *last = (0, String::new()),
        }
        self.any.store(fault.is_some(), Ordering::Release);
    }

    /// Why it is not well.
    pub(super) fn reason(&self) -> Option<String> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let (failures, why) = &*last;
        (*failures >= ENOUGH).then(|| format!("its last {failures} calls failed: {why}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_failure_is_chance_and_one_success_ends_it() {
        let failing = Failing::default();
        let error = Error::unavailable("the server is away");
        failing.note(Some(&error));
        assert_eq!(failing.reason(), None);
        failing.note(Some(&error));
        let said = failing.reason().unwrap();
        assert_eq!(said, "its last 2 calls failed: the server is away");
        failing.note(None);
        assert_eq!(failing.reason(), None);
        failing.note(Some(&error));
        assert_eq!(failing.reason(), None, "counted from the last success");
    }
}
