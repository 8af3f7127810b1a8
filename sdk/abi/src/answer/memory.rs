//! Where futures lie: nearly all are ready at their first poll, so each thread keeps a block of memory for the next one.

use std::{cell::Cell, mem::MaybeUninit};

/// The size of a block, in bytes: nearly all futures fit into it.
const SIZE: usize = 1024;

#[allow(dead_code, reason = "only its size and alignment count")]
#[repr(align(16))]
struct Block([MaybeUninit<u8>; SIZE]);

thread_local! {
    static FREE: Cell<Option<Box<Block>>> = const { Cell::new(None) };
}

/// Whether an `F` lies in a block.
const fn fits<F>() -> bool {
    size_of::<F>() <= size_of::<Block>() && align_of::<F>() <= align_of::<Block>()
}

/// Makes a value in a place of its own, where it stays until it is [cleared](clear).
#[allow(
    clippy::inline_always,
    reason = "else the value is made elsewhere, and moved"
)]
#[inline(always)]
pub(super) fn place<F>(make: impl FnOnce() -> F) -> *mut F {
    if !fits::<F>() {
        return Box::into_raw(Box::new(make()));
    }
    let place = block().cast::<F>();
    // SAFETY: the block is ours, large enough, and aligned.
    unsafe { place.write(make()) };
    place
}

/// A block that nobody else has.
#[inline]
fn block() -> *mut Block {
    // A thread that ends keeps none any more.
    let kept = FREE.try_with(Cell::take).ok().flatten();
    Box::into_raw(kept.unwrap_or_else(another))
}

/// Drops the value, and takes back its place.
///
/// # Safety
///
/// The place was made by [`place`] in this library, and is not used any more.
pub(super) unsafe fn clear<F>(place: *mut F) {
    if !fits::<F>() {
        // SAFETY: it was made by `Box::into_raw`.
        drop(unsafe { Box::from_raw(place) });
        return;
    }
    // SAFETY: it holds a value, which nobody uses any more; it was made of a block by `Box::into_raw`.
    let block = unsafe {
        place.drop_in_place();
        Box::from_raw(place.cast::<Block>())
    };
    // Fails on a thread that ends.
    let _ = FREE.try_with(|free| free.set(Some(block)));
}

#[cold]
fn another() -> Box<Block> {
    Box::new(Block([const { MaybeUninit::uninit() }; SIZE]))
}
