use super::{host::Instance, log};
use crate::{Error, Result, wire::Write};
use convoke_abi::{
    RResult,
    answer::{Answer, answer},
    values::Failure,
};
use pin_project_lite::pin_project;
use std::{
    any::Any,
    cell::RefCell,
    future::Future,
    ops::Deref,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Once,
    task::{Context, Poll},
};

/// Sends `future` across the boundary: it is polled and dropped inside the instance's guard, and what it answers is
/// made ready to cross.
#[allow(clippy::inline_always, reason = "as `answer`")]
#[inline(always)]
pub(super) fn guarded<'a, T: Write, F: Future<Output = Result<T>> + Send + 'a>(
    instance: impl Deref<Target = Instance> + Send + 'a,
    future: impl FnOnce() -> F,
) -> Answer<'a, T::Sent> {
    answer(|| Guarded {
        future: Some(future()),
        instance,
    })
}

pin_project! {
    /// A future of the author's.
    struct Guarded<I: Deref<Target = Instance>, F> {
        #[pin]
        future: Option<F>,
        instance: I,
    }

    impl<I: Deref<Target = Instance>, F> PinnedDrop for Guarded<I, F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if this.future.is_some() {
                // What the author's values do when they are dropped may panic too; there is nobody left to tell.
                let _ = inside(this.instance, || this.future.set(None));
            }
        }
    }
}

impl<I, F, T> Future for Guarded<I, F>
where
    I: Deref<Target = Instance>,
    F: Future<Output = Result<T>>,
    T: Write,
{
    type Output = RResult<T::Sent, Failure>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let polled = inside(this.instance, || {
            let Some(future) = this.future.as_mut().as_pin_mut() else {
                return Poll::Pending;
            };
            let polled = future.poll(context);
            if polled.is_ready() {
                // At once, as the guard costs more than most futures' end.
                this.future.set(None);
            }
            polled
        });
        match polled {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(Ok(answer))) => Poll::Ready(RResult::ROk(answer.write())),
            Ok(Poll::Ready(Err(error))) | Err(error) => Poll::Ready(RResult::RErr(error.write())),
        }
    }
}

/// Runs the author's code: in the library's runtime, with `instance` as the one that logs, and with a panic made an
/// error.
#[inline]
pub(super) fn inside<T>(instance: &Instance, run: impl FnOnce() -> T) -> Result<T> {
    let _runtime = instance.enter();
    log::within(instance.id(), || caught(run))
}

/// Makes a panic an error with its text.
#[inline]
pub(super) fn caught<T>(run: impl FnOnce() -> T) -> Result<T> {
    // What a panic leaves behind is never looked at again: a future is dropped, a shared value guards itself.
    catch_unwind(AssertUnwindSafe(run)).map_err(told)
}

#[cold]
fn told(payload: Box<dyn Any + Send>) -> Error {
    let text = format!("the plugin panicked: {}", text_of(&*payload));
    // Dropping a payload can panic as well.
    let _ = catch_unwind(AssertUnwindSafe(|| drop(payload)));
    Error::internal(match LAST_PANIC.take() {
        Some(place) => format!("{text} ({place})"),
        None => text,
    })
}

fn text_of(payload: &(dyn Any + Send)) -> &str {
    payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a text")
}

thread_local! {
    /// Where the last panic of this thread happened.
    static LAST_PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// From now on a panic in this library is told to the host's log instead of standard error.
pub(super) fn hear_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        std::panic::set_hook(Box::new(|panic| {
            let place = panic.location().map(ToString::to_string);
            tracing::error!(
                event = "plugin-panicked",
                "a thread panicked at {}: {}",
                place.as_deref().unwrap_or("an unknown place"),
                text_of(panic.payload()),
            );
            LAST_PANIC.set(place);
        }));
    });
}
