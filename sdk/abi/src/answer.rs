//! The answer to an asynchronous call: a future that crosses.
//!
//! The callee allocates the future, polls it and frees it; the caller drives it. What it answers is written to where the
//! caller wants it. Memory for futures is taken from a few blocks that each thread keeps, as nearly all of them are ready
//! at their first poll.

mod memory;
mod waker;

use crate::values::{Failure, failure};
use abi_stable::{
    StableAbi,
    std_types::{RResult, RVec},
};
use std::{
    future::Future,
    marker::PhantomData,
    mem::MaybeUninit,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    ptr,
    task::{Context, Poll},
};
use waker::ForeignWaker;

/// The answer to an asynchronous call: borrows the object for `'a` (arguments are lent for as long as it is made only), is
/// `Send`, and may be dropped at any time. Since 1.0.
#[repr(C)]
#[derive(StableAbi)]
pub struct Answer<'a, T> {
    /// The future; null once its answer has come.
    future: *mut (),
    /// Polls it. If, and only if, it returns [`poll::READY`], it has written the answer to the third argument, and has
    /// dropped the future.
    poll: unsafe extern "C" fn(*mut (), &ForeignWaker, *mut RResult<T, Failure>) -> u32,
    /// Drops it, and frees its memory.
    drop: unsafe extern "C" fn(*mut ()),
    marker: PhantomData<&'a ()>,
}

/// What a poll returns. Another number is read as [`poll::PANICKED`](PANICKED).
mod poll {
    /// Not yet; the waker will be called.
    pub(super) const PENDING: u32 = 0;
    /// The answer was written, and the future dropped.
    pub(super) const READY: u32 = 1;
    /// It panicked, and is not to be polled again.
    pub(super) const PANICKED: u32 = 2;
}

/// Makes an answer of a future. A panic of its becomes a failure; it must not panic when it is dropped.
///
/// It is given as what makes it: so it is made in its place, which costs less than to move it there.
#[allow(clippy::inline_always, reason = "else it is made elsewhere")]
#[inline(always)]
pub fn answer<'a, T, F>(future: impl FnOnce() -> F) -> Answer<'a, T>
where
    F: Future<Output = RResult<T, Failure>> + Send + 'a,
{
    Answer::new(future)
}

impl<'a, T> Answer<'a, T> {
    #[allow(clippy::inline_always, reason = "as `answer`")]
    #[inline(always)]
    fn new<F: Future<Output = RResult<T, Failure>> + Send + 'a>(make: impl FnOnce() -> F) -> Self {
        Self {
            future: memory::place(make).cast(),
            poll: poll_future::<F, T>,
            drop: drop_future::<F>,
            marker: PhantomData,
        }
    }
}

/// # Safety
///
/// `future` is an `F` that [`memory::place`] placed, which is not moved any more; `answer` may be written.
unsafe extern "C" fn poll_future<F: Future<Output = RResult<T, Failure>>, T>(
    future: *mut (),
    waker: &ForeignWaker,
    answer: *mut RResult<T, Failure>,
) -> u32 {
    let place = future.cast::<F>();
    // SAFETY: as the caller promises; nobody else has it, and it stays where it is until it is dropped.
    let future = unsafe { Pin::new_unchecked(&mut *place) };
    // Whoever polls learns of it and drops the future, which bears being left halfway.
    let polled = catch_unwind(AssertUnwindSafe(|| {
        waker.lend(|waker| future.poll(&mut Context::from_waker(waker)))
    }));
    match polled {
        Ok(Poll::Pending) => poll::PENDING,
        Ok(Poll::Ready(ready)) => {
            // SAFETY: as the caller promises, who does not use the future any more.
            unsafe {
                answer.write(ready);
                memory::clear(place);
            }
            poll::READY
        }
        Err(payload) => {
            // Dropping a payload can panic as well; there is nobody to tell.
            std::mem::forget(payload);
            poll::PANICKED
        }
    }
}

/// # Safety
///
/// `future` is an `F` that [`memory::place`] placed, and is not used any more.
unsafe extern "C" fn drop_future<F>(future: *mut ()) {
    // SAFETY: as the caller promises.
    unsafe { memory::clear(future.cast::<F>()) };
}

impl<T> Future for Answer<'_, T> {
    type Output = RResult<T, Failure>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        assert!(!self.future.is_null(), "an answer comes once");
        let mut answer = MaybeUninit::uninit();
        let waker = ForeignWaker::of(context.waker());
        // SAFETY: `new` made the three fields for each other, the future is there, and `answer` can be written.
        let polled = unsafe { (self.poll)(self.future, &waker, answer.as_mut_ptr()) };
        match polled {
            poll::PENDING => Poll::Pending,
            poll::READY => {
                self.future = ptr::null_mut();
                // SAFETY: it was written, as `READY` says.
                Poll::Ready(unsafe { answer.assume_init() })
            }
            _ => Poll::Ready(RResult::RErr(Failure {
                kind: failure::INTERNAL,
                message: "the call panicked".into(),
                attributes: RVec::new(),
            })),
        }
    }
}

impl<T> Drop for Answer<'_, T> {
    fn drop(&mut self) {
        if !self.future.is_null() {
            // SAFETY: nobody uses the future any more.
            unsafe { (self.drop)(self.future) };
        }
    }
}

// SAFETY: `new` takes futures that are `Send`, and nothing else is in it.
unsafe impl<T> Send for Answer<'_, T> {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        future::poll_fn,
        pin::pin,
        sync::{
            Arc, Mutex,
            atomic::{AtomicUsize, Ordering},
            mpsc,
        },
        task::{Wake, Waker},
        thread,
    };

    #[derive(Default)]
    struct Counts(AtomicUsize);

    impl Wake for Counts {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn polled<T>(answer: Pin<&mut Answer<'_, T>>, waker: &Waker) -> Poll<RResult<T, Failure>> {
        answer.poll(&mut Context::from_waker(waker))
    }

    #[test]
    fn what_is_ready_is_answered_wherever_it_lies() {
        let large = [7_u8; 5000];
        for (wanted, mut answer) in [
            (1, answer(|| async { RResult::ROk(1) })),
            (
                7,
                answer(|| async move { RResult::ROk(large[4999].into()) }),
            ),
        ] {
            let Poll::Ready(RResult::ROk(came)) = polled(Pin::new(&mut answer), Waker::noop())
            else {
                panic!("it is ready");
            };
            assert_eq!(came, wanted);
        }
    }

    #[test]
    fn who_waits_is_woken_from_any_thread_and_by_each_clone() {
        let (wakers, woken) = mpsc::channel::<Waker>();
        let mut polls = 0;
        let mut waiting = pin!(answer(|| poll_fn(|context: &mut Context<'_>| {
            polls += 1;
            if polls == 3 {
                return Poll::Ready(RResult::ROk(polls));
            }
            for _ in 0..3 {
                wakers.send(context.waker().clone()).unwrap();
            }
            Poll::Pending
        })));
        let counts = Arc::new(Counts::default());
        let waker = Waker::from(Arc::clone(&counts));
        assert!(polled(waiting.as_mut(), &waker).is_pending());
        let clones: Vec<_> = woken.try_iter().collect();
        thread::scope(|scope| {
            for clone in clones {
                scope.spawn(move || {
                    clone.wake_by_ref();
                    let copy = clone.clone();
                    copy.wake();
                });
            }
        });
        assert_eq!(counts.0.load(Ordering::SeqCst), 6);
        assert!(polled(waiting.as_mut(), &waker).is_pending());
        // Dropped without being woken.
        assert_eq!(woken.try_iter().count(), 3);
        assert!(matches!(
            polled(waiting.as_mut(), &waker),
            Poll::Ready(RResult::ROk(3))
        ));
        drop(waker);
        assert_eq!(Arc::strong_count(&counts), 1);
    }

    #[test]
    fn a_panic_is_a_failure() {
        #[allow(unreachable_code, reason = "the type of what never comes")]
        let mut answer = answer(|| async {
            panic!("a test");
            RResult::ROk(())
        });
        let Poll::Ready(RResult::RErr(failure)) = polled(Pin::new(&mut answer), Waker::noop())
        else {
            panic!("it failed");
        };
        assert_eq!(failure.kind, failure::INTERNAL);
    }

    /// Says when it is dropped.
    struct Dropped(Arc<Mutex<Vec<u32>>>, u32);

    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.lock().unwrap().push(self.1);
        }
    }

    #[test]
    fn what_is_given_up_is_dropped_once_and_its_memory_used_again() {
        let gone = Arc::new(Mutex::new(Vec::new()));
        for number in 0..100 {
            let held = Dropped(Arc::clone(&gone), number);
            let mut waiting = answer(|| async move {
                let _held = held;
                std::future::pending::<RResult<(), Failure>>().await
            });
            if number % 3 != 0 {
                assert!(polled(Pin::new(&mut waiting), Waker::noop()).is_pending());
            }
            if number % 2 == 0 {
                drop(waiting);
            } else {
                thread::spawn(move || drop(waiting)).join().unwrap();
            }
        }
        assert_eq!(*gone.lock().unwrap(), (0..100).collect::<Vec<_>>());
    }
}
