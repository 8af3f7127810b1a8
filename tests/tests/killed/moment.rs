//! When a host is killed: moments that a seed chooses.

use crate::relay::Way;
use std::time::Duration;

/// Numbers of a seed.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `end`, by the algorithm `SplitMix64`.
    pub(crate) const fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}

/// Which host is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Victim {
    Teller,
    Receiver,
    Both,
}

/// When.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Moment {
    /// So long after the change.
    After(Duration),
    /// When so many octets went this way between the two.
    Passed(Way, usize),
    /// When the receiver's store has one of the objects as it is to become.
    Written,
}

/// Who is killed, and when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kill {
    pub(crate) victim: Victim,
    pub(crate) moment: Moment,
}

impl Kill {
    /// Some kill or other.
    pub(crate) fn random(random: &mut Random) -> Self {
        let victim = match random.below(5) {
            0 | 1 => Victim::Teller,
            2 | 3 => Victim::Receiver,
            _ => Victim::Both,
        };
        let octets = |random: &mut Random| usize::try_from(random.below(5_000)).unwrap();
        let moment = match random.below(5) {
            0 | 1 => Moment::After(Duration::from_millis(random.below(1_200))),
            2 => Moment::Passed(Way::There, octets(random)),
            3 => Moment::Passed(Way::Back, octets(random)),
            _ => Moment::Written,
        };
        Self { victim, moment }
    }
}
