//! One request to the server behind us, and its answer as it comes.
//!
//! Each has a connection of its own: a server may close an idle one just when the next request is written to it, and a PUT must
//! not be sent twice.

use super::{
    connection::connect,
    greeting::advice,
    places::{OwnPlace, Place, Places, Standing},
};
use crate::{admission::RetryAfter, answer::empty, answer::retry_later, config::UpstreamServer};
use bytes::Bytes;
use convoke_net::{
    http_client::Client,
    http_server::{BodyError, Holding, Payload, Response, StreamError},
};
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use hyper::{
    body::{Body, Frame, Incoming, SizeHint},
    client::conn::http1,
};
use hyper_util::rt::TokioIo;
use std::{
    collections::VecDeque,
    error::Error as _,
    net::IpAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    sync::watch,
    time::{Instant, Sleep, sleep},
};

/// How long the server may take to begin its answer, from the last of the request on. A report about a large calendar takes
/// long.
const ANSWER_TIME: Duration = Duration::from_secs(120);
/// How long it may pause in the middle of it.
const PAUSE: Duration = Duration::from_secs(60);
/// When to come back if the server is not there.
const BACK_IN: Duration = Duration::from_secs(10);

/// The body of a request to the server.
pub(crate) type Outgoing = http_body_util::combinators::UnsyncBoxBody<Bytes, StreamError>;

/// Asks the server.
pub(crate) struct Exchanges {
    server: UpstreamServer,
    client: Client,
    places: Places,
}

/// Why there is no answer of the server.
#[derive(Debug)]
pub(crate) enum NoAnswer {
    /// The server, or somebody between.
    Server(RetryAfter),
    /// The client did not send its request to the end.
    Client(StatusCode),
}

impl NoAnswer {
    pub(crate) fn response(&self) -> Response {
        match self {
            Self::Server(wait) => retry_later(wait),
            Self::Client(status) => empty(*status, &[]),
        }
    }
}

impl Exchanges {
    pub(crate) fn new(client: Client, server: UpstreamServer) -> Self {
        Self {
            server,
            client,
            places: Places::new(),
        }
    }

    /// The place of a request of somebody at this address, to ask in.
    pub(crate) async fn place(
        &self,
        own: &OwnPlace,
        client: IpAddr,
        standing: Standing,
    ) -> Result<Arc<Place>, NoAnswer> {
        let place = self.places.of(own, client, standing).await;
        place.ok_or_else(|| {
            let busy = RetryAfter::unavailable("too many requests are being passed on");
            NoAnswer::Server(busy)
        })
    }

    /// The answer to a request, once its header is there. It has its place until its body ends.
    pub(crate) async fn ask(
        &self,
        place: Arc<Place>,
        request: Request<Outgoing>,
    ) -> Result<http::Response<Answer>, NoAnswer> {
        let (request, sent) = watched(request);
        let answer = tokio::select! {
            answer = self.exchange(request) => answer?,
            () = silent(sent) => return Err(self.too_slow()),
        };
        if answer.status().is_informational() {
            // RFC 9110 §15.2.2: nobody asked for another protocol.
            return Err(self.gone(StatusCode::BAD_GATEWAY, &"it wants another protocol"));
        }
        Ok(answer.map(|body| Answer {
            read: VecDeque::new(),
            body,
            pause: Box::pin(sleep(PAUSE)),
            _place: place,
        }))
    }

    async fn exchange(
        &self,
        request: Request<Outgoing>,
    ) -> Result<http::Response<Incoming>, NoAnswer> {
        let stream = connect(&self.client, &self.server).await;
        let stream = stream.map_err(|error| {
            let why = format!("{error}{}", advice(&error));
            self.gone(StatusCode::SERVICE_UNAVAILABLE, &why)
        })?;
        let connected = http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = connected.map_err(|error| self.no_answer(&error))?;
        // It ends with the answer, which tells of its errors.
        tokio::spawn(connection);
        let answer = sender.send_request(request).await;
        answer.map_err(|error| self.no_answer(&error))
    }

    fn too_slow(&self) -> NoAnswer {
        self.gone(
            StatusCode::GATEWAY_TIMEOUT,
            &"it does not answer; is it up?",
        )
    }

    fn no_answer(&self, error: &hyper::Error) -> NoAnswer {
        let mut cause = error.source();
        while let Some(inner) = cause {
            if let Some(body) = inner.downcast_ref::<BodyError>() {
                return of_body(*body);
            }
            cause = inner.source();
        }
        self.gone(StatusCode::BAD_GATEWAY, &innermost(error))
    }

    /// The server broke its answer off.
    pub(crate) fn broke_off(&self, error: &StreamError) -> NoAnswer {
        self.gone(StatusCode::BAD_GATEWAY, error)
    }

    fn gone(&self, status: StatusCode, why: &dyn std::fmt::Display) -> NoAnswer {
        tracing::warn!(
            event = "upstream-unavailable",
            "the CalDAV server {} gave no answer: {why}",
            self.server
        );
        NoAnswer::Server(RetryAfter {
            status,
            after: BACK_IN,
            reason: "the calendar server cannot be reached now".to_owned(),
        })
    }
}

/// What an error comes from.
pub(super) fn innermost(error: &hyper::Error) -> &dyn std::error::Error {
    let mut innermost: &dyn std::error::Error = error;
    while let Some(inner) = innermost.source() {
        innermost = inner;
    }
    innermost
}

fn of_body(error: BodyError) -> NoAnswer {
    match error {
        BodyError::TooSlow => NoAnswer::Client(StatusCode::REQUEST_TIMEOUT),
        BodyError::TooLong => NoAnswer::Client(StatusCode::PAYLOAD_TOO_LARGE),
        BodyError::Broken => NoAnswer::Client(StatusCode::BAD_REQUEST),
        BodyError::NoMemory | BodyError::Ending => NoAnswer::Server(RetryAfter::unavailable(
            "this server has no room for the request now",
        )),
    }
}

impl From<BodyError> for NoAnswer {
    fn from(error: BodyError) -> Self {
        of_body(error)
    }
}

/// A request that says when of its body was sent last, for who waits for the answer.
fn watched(request: Request<Outgoing>) -> (Request<Outgoing>, watch::Receiver<Instant>) {
    let (progress, sent) = watch::channel(Instant::now());
    let request = request.map(|body| Watched { body, progress }.boxed_unsync());
    (request, sent)
}

struct Watched {
    body: Outgoing,
    progress: watch::Sender<Instant>,
}

impl Body for Watched {
    type Data = Bytes;
    type Error = StreamError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, StreamError>>> {
        let this = self.get_mut();
        let frame = std::task::ready!(Pin::new(&mut this.body).poll_frame(context));
        this.progress.send_replace(Instant::now());
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Returns when the server has said nothing for too long since the last of the request went to it.
async fn silent(sent: watch::Receiver<Instant>) {
    loop {
        let due = *sent.borrow() + ANSWER_TIME;
        if Instant::now() >= due {
            return;
        }
        tokio::time::sleep_until(due).await;
    }
}

/// The body of an answer, as it comes; it ends with an error if the server pauses for too long.
pub(crate) struct Answer {
    /// What was read ahead.
    read: VecDeque<Bytes>,
    body: Incoming,
    pause: Pin<Box<Sleep>>,
    _place: Arc<Place>,
}

/// What there is of a body that was to be read as a whole.
pub(crate) enum Read {
    /// All of it.
    Whole(Bytes),
    /// It is longer, or there is no memory for it: to be passed on.
    Longer(Answer),
}

impl Answer {
    /// Reads a body of at most `most` bytes, in memory that `holding` takes.
    pub(crate) async fn read(
        mut self,
        most: usize,
        holding: &mut Holding,
    ) -> Result<Read, StreamError> {
        let (mut length, mut held) = (0, 0);
        while let Some(frame) = self.next_frame().await {
            let Ok(data) = frame?.into_data() else {
                continue;
            };
            length += data.len();
            self.read.push_back(data);
            if length > held {
                held = length.next_power_of_two();
                // Once in parts, and once in one piece.
                if length > most || holding.resize(2 * held).await.is_err() {
                    return Ok(Read::Longer(self));
                }
            }
        }
        if self.read.len() == 1 {
            return Ok(Read::Whole(self.read.pop_front().unwrap_or_default()));
        }
        let whole: Vec<u8> = self.read.iter().flatten().copied().collect();
        Ok(Read::Whole(whole.into()))
    }

    /// What the server sends next.
    async fn next_frame(&mut self) -> Option<Result<Frame<Bytes>, StreamError>> {
        std::future::poll_fn(|context| self.poll_server(context)).await
    }

    fn poll_server(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, StreamError>>> {
        match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Ready(frame) => {
                self.pause.as_mut().reset(Instant::now() + PAUSE);
                Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
            }
            Poll::Pending => {
                std::task::ready!(self.pause.as_mut().poll(context));
                Poll::Ready(Some(Err(Paused.into())))
            }
        }
    }

    /// As the body of an answer of ours.
    pub(crate) fn payload(self) -> Payload {
        Payload::streamed(self)
    }
}

/// The server did not go on.
#[derive(Debug, thiserror::Error)]
#[error("the CalDAV server did not send the rest of its answer within {PAUSE:?}")]
struct Paused;

impl Body for Answer {
    type Data = Bytes;
    type Error = StreamError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, StreamError>>> {
        let this = self.get_mut();
        match this.read.pop_front() {
            Some(data) => Poll::Ready(Some(Ok(Frame::data(data)))),
            None => this.poll_server(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.read.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let left = self.body.size_hint();
        let read: usize = self.read.iter().map(Bytes::len).sum();
        match left.exact() {
            Some(left) => SizeHint::with_exact(left + read as u64),
            None => left,
        }
    }
}
