//! A request's body: counted as it arrives, bounded in size and time.

use super::memory::{Holding, Short};
use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use h2::RecvStream;
use http::{HeaderMap, header};
use http_body_util::BodyExt;
use hyper::body::{Frame, Incoming, SizeHint};
use std::{
    collections::VecDeque,
    fmt,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    sync::{Notify, watch},
    time::{Instant, timeout_at},
};

/// How long bodies may go on arriving once the listener was told to end.
const LAST_BODIES: Duration = Duration::from_secs(3);
/// Room for the beginning of a body.
const FIRST: usize = 16 << 10;
/// An unread body that is no longer, and is there already, is thrown away, so that the connection stays usable.
const DRAINED: usize = 64 << 10;
/// How long it may take to find it there.
const DRAIN_TIME: Duration = Duration::from_millis(50);
/// A part of a body that is passed on, which must come in the time that a body has.
const PIECE: usize = 64 << 10;

/// Why a body was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// It is longer than allowed.
    #[error("the body of the request is longer than allowed")]
    TooLong,
    /// It did not come in time.
    #[error("the body of the request did not come in time")]
    TooSlow,
    /// The connection broke off, or the transfer coding is wrong.
    #[error("the body of the request broke off")]
    Broken,
    /// There was no memory for it, or others needed the memory that it held while it was waited for.
    #[error("there is no memory for the body of the request")]
    NoMemory,
    /// The listener ends.
    #[error("the listener ends")]
    Ending,
}

/// The body of a request, not read yet.
#[derive(Debug)]
pub struct Body {
    source: Option<Source>,
    announced: Option<u64>,
    /// Where an unread body goes.
    rest: Rest,
    ended: bool,
    stop: watch::Receiver<bool>,
}

#[derive(Debug)]
enum Source {
    Http1 {
        incoming: Incoming,
        /// The peer sends nothing before it is asked to.
        waits: bool,
    },
    Http2 {
        stream: RecvStream,
        /// What the flow control is not told yet.
        unreleased: usize,
        /// Told when the body is wanted, if the peer waits for `100 Continue`.
        wanted: Option<Arc<Notify>>,
    },
    /// It broke off, or came too slowly, or was too long: what comes next on the connection means nothing.
    Failed,
}

/// What was left of a body when its request was answered.
#[derive(Clone, Debug, Default)]
pub(super) struct Rest(Arc<Mutex<Option<Source>>>);

/// RFC 9110 §10.1.1: the peer sends the body when it is told to, or not at all.
fn expects_continue(headers: &HeaderMap) -> bool {
    let expect = headers.get(header::EXPECT);
    expect.is_some_and(|it| it.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

impl Body {
    /// The body of an HTTP/1.1 request. hyper asks for it (`100 Continue`) when it is first read.
    pub(super) fn http1(
        incoming: Incoming,
        headers: &HeaderMap,
        stop: watch::Receiver<bool>,
    ) -> (Self, Rest) {
        let rest = Rest::default();
        let hint = hyper::body::Body::size_hint(&incoming);
        let body = Self {
            announced: hint.exact(),
            ended: hyper::body::Body::is_end_stream(&incoming),
            source: Some(Source::Http1 {
                waits: expects_continue(headers),
                incoming,
            }),
            rest: rest.clone(),
            stop,
        };
        (body, rest)
    }

    /// The body of an HTTP/2 request, and what tells when the peer shall be asked for it, if it waits for that.
    pub(super) fn http2(
        stream: RecvStream,
        headers: &HeaderMap,
        stop: watch::Receiver<bool>,
    ) -> (Self, Option<Arc<Notify>>) {
        let length = headers.get(header::CONTENT_LENGTH);
        let announced = length.and_then(|it| it.to_str().ok()?.parse().ok());
        let ended = stream.is_end_stream();
        let wanted = (!ended && expects_continue(headers)).then(Arc::<Notify>::default);
        let body = Self {
            announced: if ended { Some(0) } else { announced },
            ended,
            source: Some(Source::Http2 {
                stream,
                unreleased: 0,
                wanted: wanted.clone(),
            }),
            rest: Rest::default(),
            stop,
        };
        (body, wanted)
    }

    /// How long the peer says it is.
    pub fn announced(&self) -> Option<u64> {
        self.announced
    }

    /// The body as it comes, to be passed on; each 64 KiB of it must come within `time`. `holding` takes memory for what is read
    /// ahead, as it arrives.
    pub fn streamed(self, time: Duration, holding: Holding) -> StreamedBody {
        let length = if self.ended { Some(0) } else { self.announced };
        let due = Instant::now() + time;
        let state = (self, PIECE, due);
        let chunks = stream::unfold(state, move |(mut body, mut left, mut due)| async move {
            let chunk = body.chunk_until(due).await?;
            match chunk.as_ref().map(Bytes::len) {
                Ok(length) if length < left => left -= length,
                Ok(_) => (left, due) = (PIECE, Instant::now() + time),
                // What comes next on the connection means nothing.
                Err(_) => body.source = None,
            }
            Some((chunk, (body, left, due)))
        });
        StreamedBody {
            read: VecDeque::new(),
            rest: Some(chunks.boxed()),
            length,
            holding,
        }
    }

    /// The next bytes, if they come in time and the listener does not end.
    async fn chunk_until(&mut self, due: Instant) -> Option<Result<Bytes, BodyError>> {
        let mut stop = self.stop.clone();
        tokio::select! {
            chunk = timeout_at(due, self.chunk()) => chunk.unwrap_or(Some(Err(BodyError::TooSlow))),
            () = ending(&mut stop) => Some(Err(BodyError::Ending)),
        }
    }

    /// The next bytes; `None` at the end.
    async fn chunk(&mut self) -> Option<Result<Bytes, BodyError>> {
        if self.ended {
            return None;
        }
        let chunk = match &mut self.source {
            Some(source) => source.chunk().await,
            None => None,
        };
        self.ended = chunk.is_none();
        if matches!(chunk, Some(Err(_))) {
            self.source = None;
        }
        chunk
    }
}

impl Source {
    async fn chunk(&mut self) -> Option<Result<Bytes, BodyError>> {
        match self {
            Self::Http1 { incoming, waits } => loop {
                *waits = false;
                match incoming.frame().await?.map(hyper::body::Frame::into_data) {
                    Ok(Ok(data)) => return Some(Ok(data)),
                    Ok(Err(_trailers)) => {}
                    Err(_) => return Some(Err(BodyError::Broken)),
                }
            },
            Self::Http2 {
                stream,
                unreleased,
                wanted,
            } => {
                if let Some(wanted) = wanted.take() {
                    wanted.notify_one();
                }
                // Only now: the peer may send more when there was memory for what it had sent.
                let _ = stream.flow_control().release_capacity(*unreleased);
                let chunk = stream.data().await?;
                *unreleased = chunk.as_ref().map_or(0, Bytes::len);
                Some(chunk.map_err(|_| BodyError::Broken))
            }
            Self::Failed => Some(Err(BodyError::Broken)),
        }
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        if !self.ended {
            self.rest.put(self.source.take());
        }
    }
}

impl Rest {
    fn put(&self, source: Option<Source>) {
        let source = source.unwrap_or(Source::Failed);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(source);
    }

    /// Whether the next request can follow: the body was read, or what is left of it is short and there already.
    pub(super) async fn drained(self) -> bool {
        let rest = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        match rest {
            None => true,
            Some(Source::Http1 { waits: true, .. } | Source::Failed) => false,
            Some(mut source) => {
                let drain = async {
                    let mut left = DRAINED;
                    while let Some(chunk) = source.chunk().await {
                        match chunk.ok().and_then(|it| left.checked_sub(it.len())) {
                            Some(less) => left = less,
                            None => return false,
                        }
                    }
                    true
                };
                (tokio::time::timeout(DRAIN_TIME, drain).await).unwrap_or(false)
            }
        }
    }
}

/// Reads a body of at most `most` bytes within `time`, in memory that `holding` takes as the bytes arrive.
pub async fn read_body(
    mut body: Body,
    most: usize,
    time: Duration,
    holding: &mut Holding,
) -> Result<Bytes, BodyError> {
    holding.await_peer();
    let (mut stop, eviction) = (body.stop.clone(), holding.eviction());
    let read = tokio::select! {
        read = tokio::time::timeout(time, fill(&mut body, most, holding)) => {
            read.unwrap_or(Err(BodyError::TooSlow))
        }
        () = eviction.evicted() => Err(BodyError::NoMemory),
        () = ending(&mut stop) => Err(BodyError::Ending),
    };
    // It may have been evicted just when the last byte came.
    let settled = holding.settle().map_err(|Short| BodyError::NoMemory);
    let read = settled.and(read);
    if read.is_err() {
        body.source = None;
    }
    read
}

/// Returns when bodies have no time left, as the listener ends.
async fn ending(stop: &mut watch::Receiver<bool>) {
    // Without a listener nobody waits for its end.
    if stop.wait_for(|stopped| *stopped).await.is_err() {
        std::future::pending::<()>().await;
    }
    tokio::time::sleep(LAST_BODIES).await;
}

type Chunks = Pin<Box<dyn Stream<Item = Result<Bytes, BodyError>> + Send>>;

/// A body that is passed on as it comes ([`Body::streamed`]).
pub struct StreamedBody {
    /// What was read ahead.
    read: VecDeque<Bytes>,
    /// `None` once it has ended.
    rest: Option<Chunks>,
    /// What is left of it, if that is known.
    length: Option<u64>,
    /// Memory for what was read ahead; its peer may be slow, and others need it more then.
    holding: Holding,
}

impl StreamedBody {
    /// Reads ahead at most about `most` bytes of a body whose length is not known: if it ends there, its length is known.
    pub async fn measure(&mut self, most: usize) -> Result<(), BodyError> {
        if self.length.is_none() {
            self.read_ahead(most).await?;
        }
        Ok(())
    }

    /// The whole body, which is passed on nevertheless; `None` if it has more than `most` bytes.
    pub async fn peek(&mut self, most: usize) -> Result<Option<Bytes>, BodyError> {
        if self.length.is_some_and(|it| it > most as u64) {
            return Ok(None);
        }
        let length = self.read_ahead(most).await?;
        if self.rest.is_some() || length > most {
            return Ok(None);
        }
        if self.read.len() > 1 {
            self.take_memory(2 * length).await?;
            let whole: Vec<u8> = self.read.drain(..).flatten().collect();
            self.read.push_back(whole.into());
            self.take_memory(length).await?;
        }
        Ok(Some(self.read.front().cloned().unwrap_or_default()))
    }

    async fn take_memory(&mut self, bytes: usize) -> Result<(), BodyError> {
        let taken = self.holding.resize(bytes).await;
        taken.map_err(|Short| BodyError::NoMemory)
    }

    /// Reads until more than `most` bytes are there, or the end; how many there are.
    async fn read_ahead(&mut self, most: usize) -> Result<usize, BodyError> {
        self.holding.await_peer();
        let eviction = self.holding.eviction();
        let read = tokio::select! {
            read = self.fill(most) => read,
            () = eviction.evicted() => Err(BodyError::NoMemory),
        };
        // It may have been evicted just when the last byte came.
        let settled = (self.holding.settle()).map_err(|Short| BodyError::NoMemory);
        settled.and(read)
    }

    async fn fill(&mut self, most: usize) -> Result<usize, BodyError> {
        let mut length: usize = self.read.iter().map(Bytes::len).sum();
        while let Some(rest) = &mut self.rest
            && length <= most
        {
            match rest.next().await {
                Some(chunk) => {
                    let chunk = chunk?;
                    let grown = self.holding.grow(chunk.len()).await;
                    grown.map_err(|Short| BodyError::NoMemory)?;
                    self.holding.progress(chunk.len());
                    length += chunk.len();
                    self.read.push_back(chunk);
                }
                None => self.rest = None,
            }
        }
        if self.rest.is_none() {
            self.length = u64::try_from(length).ok();
        }
        Ok(length)
    }
}

impl fmt::Debug for StreamedBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length = &self.length;
        f.debug_struct("StreamedBody")
            .field("length", length)
            .finish_non_exhaustive()
    }
}

impl hyper::body::Body for StreamedBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        let chunk = match (this.read.pop_front(), &mut this.rest) {
            (Some(chunk), _) => Some(Ok(chunk)),
            (None, Some(rest)) => std::task::ready!(rest.poll_next_unpin(context)),
            (None, None) => None,
        };
        if let (Some(Ok(chunk)), Some(length)) = (&chunk, &mut this.length) {
            *length = length.saturating_sub(chunk.len() as u64);
        }
        Poll::Ready(chunk.map(|chunk| chunk.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.length == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        self.length
            .map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

async fn fill(body: &mut Body, most: usize, holding: &mut Holding) -> Result<Bytes, BodyError> {
    let announced = body.announced.and_then(|it| usize::try_from(it).ok());
    let largest = announced.unwrap_or(most).min(most);
    let mut read = Vec::new();
    while let Some(chunk) = body.chunk().await {
        let chunk = chunk?;
        let length = read.len() + chunk.len();
        if length > most {
            return Err(BodyError::TooLong);
        }
        if length > read.capacity() {
            let room = length.max(FIRST.max(2 * read.capacity()).min(largest));
            let more = room - read.capacity();
            holding
                .grow(more)
                .await
                .map_err(|Short| BodyError::NoMemory)?;
            read.reserve_exact(room - read.len());
        }
        read.extend_from_slice(&chunk);
        holding.progress(chunk.len());
    }
    Ok(Bytes::from(read))
}
