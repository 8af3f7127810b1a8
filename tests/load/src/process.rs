//! What a server on this machine takes, as Linux counts it.

use std::{fs, time::Duration};

/// Processor time that a process has used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage(Duration);

impl Usage {
    /// Of a process and those of its children that have ended; `None` if the system does not say.
    pub(crate) fn of(pid: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The second field, the program's name, may hold anything but ends with the last parenthesis.
        let (_, fields) = stat.rsplit_once(')')?;
        let mut fields = fields.split_ascii_whitespace().skip(11);
        let mut ticks = || fields.next()?.parse::<u64>().ok();
        let ticks = ticks()? + ticks()?;
        let second = rustix::param::clock_ticks_per_second().max(1);
        Some(Self(Duration::from_millis(ticks * 1000 / second)))
    }

    /// All of it.
    pub(crate) const fn total(self) -> Duration {
        self.0
    }

    /// Between two readings.
    pub(crate) fn since(self, before: Self) -> Duration {
        self.0.saturating_sub(before.0)
    }
}

/// Resident memory, in bytes.
pub(crate) fn memory(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_seen_to_work() {
        let pid = std::process::id();
        let before = Usage::of(pid).unwrap();
        let worked = || Usage::of(pid).unwrap().since(before);
        // Linux counts in hundredths of a second.
        while worked() < Duration::from_millis(20) {
            std::hint::black_box((0..100_000_u64).fold(0, u64::wrapping_add));
        }
        assert!(memory(pid).unwrap() > 100_000);
        assert!(Usage::of(u32::MAX).is_none());
    }
}
