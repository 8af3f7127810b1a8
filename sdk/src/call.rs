//! What goes with every call.

use crate::Attributes;
use std::{
    sync::OnceLock,
    time::{Duration, Instant},
};

/// What goes with every call of a plugin: until when it is waited for, what for it is made, and further facts by name,
/// so that small things need no new method.
///
/// A plugin need not look at any of it. The host gives a call up at its deadline, and drops its future.
///
/// ```
/// use convoke_sdk::{Call, Purpose};
/// use std::time::Duration;
///
/// let call = Call::within(Duration::from_secs(2)).made_for(Purpose::Delivery);
/// assert!(call.time_left() <= Some(Duration::from_secs(2)));
/// assert_eq!(Call::default().time_left(), None); // for ever
/// ```
#[derive(Clone, Debug, Default)]
pub struct Call {
    /// Nanoseconds on the host's clock; 0 for never. So it crosses as it is.
    pub(crate) deadline: u64,
    pub(crate) request_id: u64,
    pub(crate) purpose: Purpose,
    pub(crate) attributes: Attributes,
}

impl Call {
    /// A call that may take so long from now on.
    pub fn within(time: Duration) -> Self {
        let time = u64::try_from(time.as_nanos()).ok();
        let deadline = time.and_then(|time| clock().checked_add(time));
        Self {
            deadline: deadline.unwrap_or(0),
            ..Self::default()
        }
    }

    /// A call whose answer is of use until then.
    pub fn until(deadline: Instant) -> Self {
        Self {
            deadline: on_clock(deadline),
            ..Self::default()
        }
    }

    /// The same call, made for this.
    #[must_use]
    pub fn made_for(self, purpose: Purpose) -> Self {
        Self { purpose, ..self }
    }

    /// The same call, which belongs to the host's request of this number; 0 for none.
    #[must_use]
    pub fn of_request(self, request_id: u64) -> Self {
        Self { request_id, ..self }
    }

    /// The same call, with a further fact.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.attributes.set(name, value);
        self
    }

    /// When the answer is of no use any more; `None` for never.
    pub fn deadline(&self) -> Option<Instant> {
        match self.deadline {
            0 => None,
            since => epoch().checked_add(Duration::from_nanos(since)),
        }
    }

    /// How long the answer is of use yet; `None` for ever.
    pub fn time_left(&self) -> Option<Duration> {
        let deadline = self.deadline()?;
        Some(deadline.saturating_duration_since(Instant::now()))
    }

    /// How long a plugin that waits for something may wait, so that its answer, *nothing happened*, comes before the
    /// deadline: nine tenths of the time left, and a minute where there is no deadline.
    pub fn patience(&self) -> Duration {
        const LONGEST: Duration = Duration::from_secs(60);
        self.time_left().map_or(LONGEST, |left| left / 10 * 9)
    }

    /// Which request of the host it belongs to, for logs.
    pub const fn request_id(&self) -> Option<u64> {
        match self.request_id {
            0 => None,
            id => Some(id),
        }
    }

    /// What it is made for.
    pub const fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// Further facts.
    pub const fn attributes(&self) -> &Attributes {
        &self.attributes
    }
}

/// What a call is made for.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Purpose {
    /// A scheduling message came in.
    Delivery,
    /// A user of ours sends.
    Submission,
    /// An administrator asked.
    Administration,
    /// The host's own work: comparing, retrying, cleaning up.
    Background,
    /// A test of the plugin.
    Test,
    /// Nothing of the others.
    #[default]
    #[serde(other)]
    Other,
}

/// When the host's clock showed nothing. A host and each library know it for themselves.
static EPOCH: OnceLock<Instant> = OnceLock::new();

fn epoch() -> Instant {
    *EPOCH.get_or_init(Instant::now)
}

/// An instant on the host's clock; at least 1.
fn on_clock(instant: Instant) -> u64 {
    let since = instant.saturating_duration_since(epoch()).as_nanos();
    u64::try_from(since).unwrap_or(u64::MAX).max(1)
}

/// What the host's clock shows.
pub(crate) fn clock() -> u64 {
    on_clock(Instant::now())
}

/// Sets a library's clock by the host's.
pub(crate) fn set_clock(shows: u64) {
    EPOCH.get_or_init(|| {
        let now = Instant::now();
        now.checked_sub(Duration::from_nanos(shows)).unwrap_or(now)
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_crosses_whole() {
        let call = Call::within(Duration::from_secs(9))
            .made_for(Purpose::Submission)
            .of_request(7)
            .with("tenant", "blue");
        let facts = call.facts();
        let read = Call::read(call.write(&facts));
        assert_eq!(read.deadline(), call.deadline());
        assert_eq!(
            (read.request_id(), read.purpose()),
            (Some(7), Purpose::Submission)
        );
        assert_eq!(read.attributes().get("tenant"), Some("blue"));
        let read = Call::read(Call::default().write(&[]));
        assert_eq!((read.deadline(), read.request_id()), (None, None));
    }

    #[test]
    fn who_waits_answers_before_the_deadline() {
        let call = Call::within(Duration::from_secs(10));
        let patience = call.patience();
        assert!(patience <= Duration::from_secs(9) && patience > Duration::from_secs(8));
        assert_eq!(Call::until(Instant::now()).patience(), Duration::ZERO);
        assert_eq!(Call::default().patience(), Duration::from_secs(60));
    }
}
