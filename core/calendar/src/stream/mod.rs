//! Streams of calendars, as other programs export them: the objects in them, and what stands where.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `split` | one object for each UID: [`Objects`], [`Calendar::split_by_uid`] |
//! | `outline`, `remark` | [`Outline`]: where things stand, faults and oddities included |

mod outline;
mod remark;
mod split;

pub use outline::{Frame, Outline, Piece};
pub(crate) use split::object;

use crate::tree::{Calendar, Limits, ParseError};

impl Calendar {
    /// One calendar for each UID, in the order of their first appearance, as stores keep them: with the properties of
    /// this one but METHOD, and the VTIMEZONEs that it uses.
    ///
    /// A component without UID gets a calendar of its own; components that iCalendar does not know (`X-…`) stay with
    /// the first.
    pub fn split_by_uid(self) -> Vec<Self> {
        split::by_uid(self.into_root())
            .into_iter()
            .map(Self::of)
            .collect()
    }
}

/// The objects in a stream of calendars, as [`Calendar::split_by_uid`] gives them, one at a time: of a large export
/// only the octets and one object are in memory.
///
/// ```
/// use convoke_calendar::{stream::Objects, tree::Limits};
///
/// let export = b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:1\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n".repeat(3);
/// let objects = Objects::read(&export, &Limits::default())?;
/// assert_eq!(objects.len(), 3);
/// # Ok::<(), convoke_calendar::tree::ParseError>(())
/// ```
#[derive(Debug)]
pub struct Objects<'a> {
    pieces: split::Pieces<'a>,
}

impl<'a> Objects<'a> {
    /// Looks over all of `bytes`: what cannot be read is an error here, before the first object is given.
    pub fn read(bytes: &'a [u8], limits: &Limits) -> Result<Self, ParseError> {
        let pieces = split::Pieces::of(bytes, limits)?;
        Ok(Self { pieces })
    }
}

impl Iterator for Objects<'_> {
    type Item = Calendar;

    fn next(&mut self) -> Option<Calendar> {
        self.pieces.next().map(Calendar::of)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.pieces.left(), Some(self.pieces.left()))
    }
}

impl ExactSizeIterator for Objects<'_> {}
