//! Arguments that were used, kept for the next call on their thread.
//!
//! Most of what it costs to read an address is to ask for memory and to give it back. So the arguments of the calls that
//! are made most are read into those of a call before, whose memory they take over. A thread keeps one of each; what is
//! in it stays there until then.

use crate::{
    AccessRequest, CalendarAddress, Result, Uid, UserId,
    wire::{Garbage, Reread},
};
use std::{cell::Cell, ops::Deref};

/// What a thread keeps: one of each.
pub(super) struct Spares {
    address: Spare<CalendarAddress>,
    request: Spare<AccessRequest>,
    user: Spare<UserId>,
    uid: Spare<Uid>,
}

type Spare<T> = Cell<Option<Box<T>>>;

thread_local! {
    static SPARES: Spares = const {
        Spares {
            address: Cell::new(None),
            request: Cell::new(None),
            user: Cell::new(None),
            uid: Cell::new(None),
        }
    };
}

/// A type that is kept.
pub(super) trait Spared: Sized + 'static {
    /// The one that is.
    fn spare(of: &Spares) -> &Spare<Self>;
}

impl Spared for CalendarAddress {
    fn spare(of: &Spares) -> &Spare<Self> {
        &of.address
    }
}

impl Spared for AccessRequest {
    fn spare(of: &Spares) -> &Spare<Self> {
        &of.request
    }
}

impl Spared for UserId {
    fn spare(of: &Spares) -> &Spare<Self> {
        &of.user
    }
}

impl Spared for Uid {
    fn spare(of: &Spares) -> &Spare<Self> {
        &of.uid
    }
}

/// An argument for the time of a call; its thread keeps it afterwards.
pub(super) struct Lent<T: Spared>(Option<Box<T>>);

/// Reads an argument.
pub(super) fn read<T: Spared + Reread<Sent>, Sent>(sent: Sent) -> Result<Lent<T>> {
    // A thread that ends keeps nothing any more.
    let spare = SPARES.try_with(|spares| T::spare(spares).take());
    let read = match spare.ok().flatten() {
        Some(mut spare) => spare.reread(sent).map(|()| spare),
        None => T::read(sent).map(Box::new),
    };
    Ok(Lent(Some(read.map_err(Garbage::blame_host)?)))
}

impl<T: Spared> Deref for Lent<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.as_deref().expect("it is there until it is dropped")
    }
}

impl<T: Spared> Drop for Lent<T> {
    fn drop(&mut self) {
        let used = self.0.take();
        // Fails on a thread that ends.
        let _ = SPARES.try_with(|spares| T::spare(spares).set(used));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Write;

    #[test]
    fn an_argument_is_read_into_the_one_before_and_is_another() {
        let addresses = [
            "mailto:anna.with.a.long.name@example.org",
            "urn:uuid:7",
            "mailto:bo@example.com",
        ];
        let addresses = addresses.map(|it| CalendarAddress::new(it).unwrap());
        let mut kept = None;
        for address in &addresses {
            let lent: Lent<CalendarAddress> = read(address.write()).unwrap();
            assert_eq!(&*lent, address);
            let place: *const CalendarAddress = &raw const *lent;
            assert_eq!(*kept.get_or_insert(place), place);
        }
        // Several at once are several.
        let [one, two] =
            [0, 1].map(|it| read::<CalendarAddress, _>((&addresses[it]).write()).unwrap());
        assert_eq!((&*one, &*two), (&addresses[0], &addresses[1]));
    }
}
