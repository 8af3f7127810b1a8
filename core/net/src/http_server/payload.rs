//! The body of a response: whole, or as it comes.

use bytes::Bytes;
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use hyper::body::{Body, Frame, SizeHint};
use std::{
    any::Any,
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

/// Why the rest of a body does not come. Whoever is sent it sees the connection, or the stream, break off.
pub type StreamError = Box<dyn std::error::Error + Send + Sync>;

/// The body of a response: bytes that are there, or what another server sends while it is passed on.
pub struct Payload {
    body: Inner,
    /// Dropped with the body.
    held: Option<Box<dyn Any + Send>>,
}

enum Inner {
    Whole(Full<Bytes>),
    Streamed(UnsyncBoxBody<Bytes, StreamError>),
}

impl Payload {
    /// A body that comes from somewhere else, in parts. It must end, or fail, by itself.
    pub fn streamed<B>(body: B) -> Self
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<StreamError>,
    {
        Self {
            body: Inner::Streamed(body.map_err(Into::into).boxed_unsync()),
            held: None,
        }
    }

    /// Whether it comes in parts.
    pub(super) const fn is_streamed(&self) -> bool {
        matches!(self.body, Inner::Streamed(_))
    }

    /// Keeps something until the body has been sent.
    pub(super) fn hold(&mut self, held: impl Any + Send) {
        self.held = Some(Box::new(held));
    }
}

impl Default for Payload {
    fn default() -> Self {
        Bytes::new().into()
    }
}

impl<T: Into<Bytes>> From<T> for Payload {
    fn from(bytes: T) -> Self {
        Self {
            body: Inner::Whole(Full::new(bytes.into())),
            held: None,
        }
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.body {
            Inner::Whole(whole) => whole.fmt(f),
            Inner::Streamed(_) => f.write_str("Streamed"),
        }
    }
}

impl Body for Payload {
    type Data = Bytes;
    type Error = StreamError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, StreamError>>> {
        match &mut self.body {
            Inner::Whole(whole) => Pin::new(whole)
                .poll_frame(context)
                .map_err(|it| match it {}),
            Inner::Streamed(streamed) => Pin::new(streamed).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.body {
            Inner::Whole(whole) => whole.is_end_stream(),
            Inner::Streamed(streamed) => streamed.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.body {
            Inner::Whole(whole) => whole.size_hint(),
            Inner::Streamed(streamed) => streamed.size_hint(),
        }
    }
}
