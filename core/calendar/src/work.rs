//! A budget of work: input from strangers may ask for any amount.

use std::ops::{Deref, DerefMut};

/// How many steps may still be taken: rules of strangers may ask for any amount of work.
///
/// One budget may serve several questions, which then cost no more together than one of them may cost alone.
///
/// ```
/// use convoke_calendar::work::Work;
///
/// assert_eq!(Work::of(1000).left(), 1000);
/// ```
#[derive(Debug)]
pub struct Work {
    left: usize,
}

/// Work that is done out of another one's budget.
#[derive(Debug)]
pub(crate) struct Share<'w> {
    whole: &'w mut Work,
    part: Work,
}

impl Deref for Share<'_> {
    type Target = Work;

    fn deref(&self) -> &Work {
        &self.part
    }
}

impl DerefMut for Share<'_> {
    fn deref_mut(&mut self) -> &mut Work {
        &mut self.part
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        self.whole.left += self.part.left;
    }
}

/// The budget is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooMuchWork;

impl Work {
    /// So many steps, each about 10 ns: a day, hour, minute or second that is looked at; an instance found is four.
    pub const fn of(steps: usize) -> Self {
        Self { left: steps }
    }

    /// How many are left.
    pub const fn left(&self) -> usize {
        self.left
    }

    /// Takes so many for a part of the work; what of them is not used comes back.
    pub(crate) fn share(&mut self, steps: usize) -> Share<'_> {
        let part = Self::of(steps.min(self.left));
        self.left -= part.left;
        Share { whole: self, part }
    }

    /// Takes so many; where there are not enough, none are left.
    pub(crate) fn spend(&mut self, steps: usize) -> Result<(), TooMuchWork> {
        let left = self.left.checked_sub(steps);
        self.left = left.unwrap_or(0);
        left.map(|_| ()).ok_or(TooMuchWork)
    }
}
