//! A range of keys, a page at a time: what is remembered of many objects or messages does not fit into one answer.

use crate::environment::State;
use convoke_types::{Error, KeyRange, StateEntry};

/// Entries of a page, at most, where nothing else is asked for.
const PAGE: u32 = 1_000;

/// What the keys of a range hold, a page at a time, in their order. What is written behind the walk meanwhile is not met.
#[derive(Debug)]
pub struct Pages<'a, S> {
    state: &'a S,
    rest: KeyRange,
    most: u32,
}

impl<'a, S: State> Pages<'a, S> {
    /// From the beginning of a range, 1,000 entries at a time.
    pub fn of(state: &'a S, range: KeyRange) -> Self {
        Self {
            state,
            rest: range,
            most: PAGE,
        }
    }

    /// So many entries at a time, at least 1.
    #[must_use]
    pub fn at_most(self, most: u32) -> Self {
        Self { most, ..self }
    }

    /// The next page, which is not empty; `None` at the end.
    ///
    /// # Errors
    /// The state cannot be asked. The same page may be asked for again.
    pub async fn next(&mut self) -> Result<Option<Vec<StateEntry>>, Error> {
        // A page with fewer entries than asked for is not the last one: a state may have limits of its own.
        let page = self.state.scan(&self.rest, self.most).await?;
        let Some(last) = page.last() else {
            return Ok(None);
        };
        self.rest = self.rest.after(&last.key);
        Ok(Some(page))
    }
}
