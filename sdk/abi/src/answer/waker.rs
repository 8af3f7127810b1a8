//! Wakers of the other side.

use abi_stable::StableAbi;
use std::{
    mem::ManuallyDrop,
    task::{RawWaker, RawWakerVTable, Waker},
};

/// The waker of a task on the caller's side, lent for a poll. Since 1.0.
#[repr(C)]
#[derive(StableAbi)]
pub(super) struct ForeignWaker {
    /// The caller's waker.
    waker: *const (),
    /// What can be done with it; lives as long as its library, which is never unloaded.
    functions: &'static Functions,
}

/// What a side does with its own wakers. Each function may be called from any thread.
#[repr(C)]
#[derive(StableAbi)]
struct Functions {
    /// Makes another one of it, which is owned.
    clone: unsafe extern "C" fn(*const ()) -> *const (),
    /// Wakes its task.
    wake: unsafe extern "C" fn(*const ()),
    /// Drops one that is owned.
    drop: unsafe extern "C" fn(*const ()),
}

static FUNCTIONS: Functions = Functions { clone, wake, drop };

/// # Safety
///
/// `waker` is a [`Waker`] of this library, lent or owned.
unsafe extern "C" fn clone(waker: *const ()) -> *const () {
    // SAFETY: as the caller promises.
    let waker = unsafe { &*waker.cast::<Waker>() };
    Box::into_raw(Box::new(waker.clone())).cast()
}

/// # Safety
///
/// `waker` is a [`Waker`] of this library, lent or owned.
unsafe extern "C" fn wake(waker: *const ()) {
    // SAFETY: as the caller promises.
    unsafe { &*waker.cast::<Waker>() }.wake_by_ref();
}

/// # Safety
///
/// `waker` was made by [`clone`], and is not used any more.
unsafe extern "C" fn drop(waker: *const ()) {
    // SAFETY: as the caller promises.
    std::mem::drop(unsafe { Box::from_raw(waker.cast_mut().cast::<Waker>()) });
}

impl ForeignWaker {
    /// A waker of this side, for the other; it must outlive what is made of it.
    pub(super) fn of(waker: &Waker) -> Self {
        Self {
            waker: std::ptr::from_ref(waker).cast(),
            functions: &FUNCTIONS,
        }
    }

    /// It as a waker of this side, for as long as it is lent.
    pub(super) fn lend<T>(&self, poll: impl FnOnce(&Waker) -> T) -> T {
        let raw = RawWaker::new(std::ptr::from_ref(self).cast(), &LENT);
        // SAFETY: `LENT` keeps the contract: what it clones is owned, and may be sent to any thread. What is lent is never
        // dropped.
        let waker = ManuallyDrop::new(unsafe { Waker::from_raw(raw) });
        poll(&waker)
    }
}

/// What this side does with wakers of the other. Behind the pointer is a [`ForeignWaker`]: lent, or in a box of its own.
static LENT: RawWakerVTable =
    RawWakerVTable::new(clone_foreign, wake_foreign, wake_by_ref, drop_foreign);

/// # Safety
///
/// Behind the pointer is a [`ForeignWaker`]; so in all of these.
unsafe fn clone_foreign(foreign: *const ()) -> RawWaker {
    // SAFETY: as the caller promises.
    let ForeignWaker { waker, functions } = unsafe { &*foreign.cast::<ForeignWaker>() };
    let owned = Box::new(ForeignWaker {
        // SAFETY: the waker is one of theirs.
        waker: unsafe { (functions.clone)(*waker) },
        functions,
    });
    RawWaker::new(Box::into_raw(owned).cast_const().cast(), &LENT)
}

/// # Safety
///
/// It is owned, and not used any more.
unsafe fn wake_foreign(foreign: *const ()) {
    // SAFETY: as the caller promises.
    unsafe {
        wake_by_ref(foreign);
        drop_foreign(foreign);
    }
}

unsafe fn wake_by_ref(foreign: *const ()) {
    // SAFETY: as the caller promises.
    let ForeignWaker { waker, functions } = unsafe { &*foreign.cast::<ForeignWaker>() };
    // SAFETY: the waker is one of theirs.
    unsafe { (functions.wake)(*waker) };
}

/// # Safety
///
/// It is owned, and not used any more.
unsafe fn drop_foreign(foreign: *const ()) {
    // SAFETY: `clone_foreign` made it.
    let owned = unsafe { Box::from_raw(foreign.cast_mut().cast::<ForeignWaker>()) };
    // SAFETY: `clone` of their functions made it.
    unsafe { (owned.functions.drop)(owned.waker) };
}
