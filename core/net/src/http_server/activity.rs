//! What happens on a connection, and by when something else must.
//!
//! A connection ends when its peer keeps it waiting: for the first or the next request, for the rest of a header, or for
//! taking what we send. While a request is being answered, its own limits hold instead. PING, SETTINGS and the like are
//! nothing: only requests count.

use super::{frames::Frames, limits::Limits};
use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Instant,
};

/// So much of an answer must be taken in the time that a body has.
const TAKEN: usize = 64 << 10;
/// What a connection without requests has left once the listener was told to end.
const LAST_WAIT: Duration = Duration::from_secs(1);
/// What a peer has left to take an answer then, all of it.
pub(super) const LAST_ANSWER: Duration = Duration::from_secs(3);

/// Why a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Late {
    /// No request came.
    Idle,
    /// A header began and did not end.
    Header,
    /// What we send is not taken.
    Answer,
}

/// What a connection is doing; shared by its parts.
#[derive(Clone, Debug)]
pub(super) struct Activity(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    /// For the next request.
    idle_time: Duration,
    header_time: Duration,
    answer_time: Duration,
    /// For what comes after the first request.
    later_idle_time: Duration,
    requests: usize,
    quiet_since: Instant,
    header_since: Option<Instant>,
    unsent_since: Option<Instant>,
    /// Bytes taken since then.
    taken: usize,
    /// The listener ends.
    leaving: bool,
}

/// A request that is being answered, while it is there.
pub(super) struct Busy(Activity);

impl Activity {
    pub(super) fn new(limits: &Limits) -> Self {
        Self::with(limits.header_time, limits.idle_time, limits.body_time)
    }

    fn with(header_time: Duration, idle_time: Duration, answer_time: Duration) -> Self {
        Self(Arc::new(Mutex::new(State {
            // The first request is due as fast as its header (spec §9).
            idle_time: header_time,
            later_idle_time: idle_time,
            header_time,
            answer_time,
            requests: 0,
            quiet_since: Instant::now(),
            header_since: None,
            unsent_since: None,
            taken: 0,
            leaving: false,
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request has come.
    pub(super) fn begin(&self) -> Busy {
        let mut state = self.state();
        state.requests += 1;
        state.idle_time = state.later_idle_time;
        Busy(self.clone())
    }

    /// A header has ended.
    pub(super) fn header_ended(&self) {
        self.state().header_since = None;
    }

    /// The listener ends: who is idle goes at once, and nobody stays long.
    pub(super) fn leave(&self) {
        let mut state = self.state();
        state.idle_time = state.idle_time.min(LAST_WAIT);
        state.later_idle_time = state.idle_time;
        state.header_time = state.header_time.min(LAST_WAIT);
        state.answer_time = state.answer_time.min(LAST_ANSWER);
        state.unsent_since = state.unsent_since.map(|_| Instant::now());
        state.leaving = true;
    }

    /// Nothing has come for so long that the connection ends: what is on its way by now is waited for.
    pub(super) fn last_call(&self) {
        let mut state = self.state();
        state.idle_time = state.idle_time.min(LAST_WAIT);
        state.later_idle_time = state.idle_time;
        state.quiet_since = Instant::now();
    }

    /// Returns when the peer has kept us waiting for too long.
    pub(super) async fn late(&self) -> Late {
        loop {
            let (due, look) = {
                let state = self.state();
                (state.due(), state.shortest())
            };
            let now = Instant::now();
            match due {
                Some((due, late)) if due <= now => return late,
                // What becomes due earlier meanwhile is seen at the next look.
                due => {
                    let look = now + look;
                    tokio::time::sleep_until(due.map_or(look, |(due, _)| due.min(look))).await;
                }
            }
        }
    }
}

impl State {
    fn due(&self) -> Option<(Instant, Late)> {
        let idle = self.requests == 0 && self.unsent_since.is_none();
        [
            self.header_since
                .map(|since| (since + self.header_time, Late::Header)),
            self.unsent_since
                .map(|since| (since + self.answer_time, Late::Answer)),
            idle.then(|| (self.quiet_since + self.idle_time, Late::Idle)),
        ]
        .into_iter()
        .flatten()
        .min_by_key(|(due, _)| *due)
    }

    fn shortest(&self) -> Duration {
        [
            self.idle_time,
            self.later_idle_time,
            self.header_time,
            self.answer_time,
        ]
        .into_iter()
        .min()
        .unwrap_or_default()
    }

    fn wrote(&mut self, written: &Poll<io::Result<usize>>) {
        match written {
            Poll::Pending => {
                self.unsent_since.get_or_insert_with(Instant::now);
            }
            Poll::Ready(Ok(bytes)) if self.unsent_since.is_some() && !self.leaving => {
                self.taken += bytes;
                if self.taken >= TAKEN {
                    self.taken = 0;
                    self.unsent_since = Some(Instant::now());
                }
            }
            Poll::Ready(_) => {}
        }
    }

    fn flushed(&mut self, flushed: &Poll<io::Result<()>>) {
        if flushed.is_pending() {
            self.unsent_since.get_or_insert_with(Instant::now);
        } else if self.unsent_since.take().is_some() {
            self.taken = 0;
            self.quiet_since = Instant::now();
        }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.requests -= 1;
        state.quiet_since = Instant::now();
    }
}

/// What of the bytes that come is a header.
pub(super) enum Reading {
    /// HTTP/1.1: all that comes while no request is being answered.
    Http1,
    /// HTTP/2: HEADERS and CONTINUATION, and what is not known yet to be something else.
    Http2(Frames),
}

/// A connection whose bytes are looked at as they pass.
pub(super) struct Observed<S> {
    stream: S,
    activity: Activity,
    reading: Reading,
}

impl<S> Observed<S> {
    pub(super) fn new(stream: S, activity: Activity, reading: Reading) -> Self {
        Self {
            stream,
            activity,
            reading,
        }
    }

    fn came(&mut self, bytes: &[u8]) {
        let mut state = self.activity.state();
        let within = match &mut self.reading {
            Reading::Http1 => state.requests == 0,
            Reading::Http2(frames) => {
                let (completed, within) = frames.pass(bytes);
                if completed {
                    state.header_since = None;
                }
                within
            }
        };
        if within {
            state.header_since.get_or_insert_with(Instant::now);
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Observed<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(context, buffer);
        let bytes = &buffer.filled()[before..];
        if !bytes.is_empty() {
            this.came(bytes);
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Observed<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.activity.state().wrote(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, bytes);
        self.activity.state().wrote(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.activity.state().flushed(&flushed);
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    const SECOND: Duration = Duration::from_secs(1);

    /// A connection with 10 s for a header, 60 s between requests and 30 s to take an answer, and its other end.
    fn connection() -> (Activity, Observed<DuplexStream>, DuplexStream) {
        let activity = Activity::with(10 * SECOND, 60 * SECOND, 30 * SECOND);
        let (ours, theirs) = duplex(1000);
        let observed = Observed::new(ours, activity.clone(), Reading::Http1);
        (activity, observed, theirs)
    }

    /// After how many seconds, and why, in virtual time.
    async fn end(activity: &Activity) -> (u64, Late) {
        let begun = Instant::now();
        let late = activity.late().await;
        (begun.elapsed().as_secs(), late)
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_request_is_due_sooner_than_the_next() {
        let (activity, ..) = connection();
        assert_eq!(end(&activity).await, (10, Late::Idle));
        drop(activity.begin());
        assert_eq!(end(&activity).await, (60, Late::Idle));
    }

    #[tokio::test(start_paused = true)]
    async fn a_header_is_due_from_its_first_byte() {
        let (activity, mut ours, mut theirs) = connection();
        drop(activity.begin());
        let trickle = async {
            loop {
                tokio::time::sleep(SECOND).await;
                theirs.write_all(b"x").await.unwrap();
                ours.read_u8().await.unwrap();
            }
        };
        tokio::select! {
            ended = end(&activity) => assert_eq!(ended, (11, Late::Header)),
            () = trickle => {}
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_to_be_taken_while_it_is_sent() {
        let (activity, mut ours, mut theirs) = connection();
        let busy = activity.begin();
        let send = async {
            ours.write_all(&vec![0; 1 << 20]).await.unwrap();
            std::future::pending::<()>().await;
        };
        let mut piece = vec![0; TAKEN];
        let take = async {
            for _ in 0..5 {
                tokio::time::sleep(20 * SECOND).await;
                theirs.read_exact(&mut piece).await.unwrap();
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            (seconds, late) = end(&activity) => {
                assert_eq!(late, Late::Answer);
                assert!((100..=140).contains(&seconds), "{seconds}");
            }
            () = send => {}
            () = take => {}
        }
        drop(busy);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_is_late_while_a_request_is_answered() {
        let (activity, ..) = connection();
        let busy = activity.begin();
        tokio::select! {
            ended = end(&activity) => panic!("{ended:?}"),
            () = tokio::time::sleep(1000 * SECOND) => {}
        }
        drop(busy);
        activity.leave();
        assert_eq!(
            end(&activity).await,
            (1, Late::Idle),
            "when the listener ends"
        );
    }
}
