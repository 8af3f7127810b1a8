//! How many files and sockets the system lets us have open (`RLIMIT_NOFILE`).

/// For everything but connections: stores, plugins, look-ups, connections to other servers.
const RESERVE: u64 = 512;
/// Connections of a listener that are possible in any case.
const LEAST: usize = 16;

/// What the connections of a configuration need, and what there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Descriptors {
    /// For all connections of all listeners, and everything else.
    pub needed: u64,
    /// Of these, for connections that no listener of HTTP has.
    pub others: u64,
    /// The most that the system lets us have.
    pub allowed: u64,
}

impl Descriptors {
    /// What `listeners` listeners need, each with so many connections at once, beside so many `others`.
    pub fn of(listeners: usize, connections: usize, others: usize) -> Self {
        let others = others as u64;
        Self {
            needed: (listeners as u64)
                .saturating_mul(connections as u64)
                .saturating_add(others)
                .saturating_add(RESERVE),
            others,
            allowed: hard_limit(),
        }
    }

    /// Whether there are as many as needed.
    pub fn suffice(self) -> bool {
        self.needed <= self.allowed
    }

    /// How many connections a listener can have, so that enough is left for everything else.
    pub fn share(self, listeners: usize, connections: usize) -> usize {
        if self.suffice() {
            return connections;
        }
        let left = self.allowed.saturating_sub(RESERVE);
        let share = left.saturating_sub(self.others) / (listeners.max(1) as u64);
        let share = usize::try_from(share).unwrap_or(usize::MAX);
        share.max(LEAST).min(connections)
    }

    /// For the administrator.
    pub fn lack(self) -> String {
        let Self {
            needed, allowed, ..
        } = self;
        format!(
            "{needed} open files are needed for `limits.connections` on every listener, and {allowed} are allowed: \
             raise the hard limit (LimitNOFILE= of the service, `ulimit -Hn`), or lower `limits.connections`"
        )
    }
}

#[cfg(target_os = "linux")]
fn hard_limit() -> u64 {
    use rustix::process::{Resource, getrlimit};
    getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX)
}

#[cfg(not(target_os = "linux"))]
fn hard_limit() -> u64 {
    u64::MAX
}

/// Raises the limit to what is needed, as far as we may.
#[cfg(target_os = "linux")]
pub fn raise(descriptors: Descriptors) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let wanted = descriptors.needed.min(descriptors.allowed);
    if limit.current.is_some_and(|current| current < wanted) {
        let raised = Rlimit {
            current: Some(wanted),
            ..limit
        };
        if let Err(error) = setrlimit(Resource::Nofile, raised) {
            tracing::warn!(
                event = "descriptor-limit",
                "the limit of open files could not be raised to {wanted}: {error}"
            );
        }
    }
}

/// Raises the limit to what is needed, as far as we may.
#[cfg(not(target_os = "linux"))]
pub fn raise(_descriptors: Descriptors) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn something_is_left_for_everything_else() {
        let of = |needed, allowed| Descriptors {
            needed,
            others: 0,
            allowed,
        };
        for (descriptors, expected) in [
            (of(30_512, 1 << 20), 10_000),
            (of(30_512, 30_512), 10_000),
            (of(30_512, 20_000), 6496),
            (of(30_512, 100), LEAST),
        ] {
            assert_eq!(descriptors.share(3, 10_000), expected, "{descriptors:?}");
        }
        let beside = Descriptors {
            others: 300,
            ..of(30_812, 20_000)
        };
        assert_eq!(beside.share(3, 10_000), 6396);
        assert_eq!(Descriptors::of(3, 10_000, 300).needed, 30_812);
    }
}
