//! Our header fields on the answers that hyper writes by itself.
//!
//! A request that hyper cannot parse (400, 414, 431) never reaches us: hyper writes a bare answer, the last one of the
//! connection. So what is written is followed from answer to answer. The service says of each of its own how long its
//! body is; a head that nobody announced is hyper's, and gets our fields added.

use bytes::{Buf, Bytes, BytesMut};
use http::HeaderMap;
use std::{
    collections::VecDeque,
    io::{self, IoSlice},
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Lengths of the bodies of our own answers that are not written yet.
#[derive(Clone, Debug, Default)]
pub(super) struct Announced(Arc<Mutex<VecDeque<usize>>>);

impl Announced {
    /// The next head is that of an answer of ours, with a body of so many bytes.
    pub(super) fn push(&self, body: usize) {
        let mut lengths = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lengths.push_back(body);
    }

    fn pop(&self) -> Option<usize> {
        let mut lengths = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lengths.pop_front()
    }
}

/// A connection on which HTTP/1.1 answers are written.
pub(super) struct Stamped<S, F> {
    stream: S,
    announced: Announced,
    /// The fields that every answer carries.
    fields: F,
    next: Next,
}

enum Next {
    Head,
    /// So many bytes belong to the answer that has begun.
    Rest(usize),
    /// A head with our fields is written instead of one of so many bytes.
    Instead(Bytes, usize),
}

impl<S, F: Fn() -> HeaderMap> Stamped<S, F> {
    pub(super) fn new(stream: S, announced: Announced, fields: F) -> Self {
        Self {
            stream,
            announced,
            fields,
            next: Next::Head,
        }
    }

    /// What comes after `written`, which begins with a head.
    fn look(&self, written: &[u8]) -> Next {
        let end = written.windows(4).position(|it| it == b"\r\n\r\n");
        // hyper writes a head at once.
        let Some(end) = end.map(|at| at + 4) else {
            return Next::Rest(written.len());
        };
        if written.starts_with(b"HTTP/1.1 1") {
            return Next::Rest(end);
        }
        match self.announced.pop() {
            Some(body) => Next::Rest(end.saturating_add(body)),
            None => Next::Instead(self.stamped(&written[..end]), end),
        }
    }

    fn stamped(&self, head: &[u8]) -> Bytes {
        let mut stamped = BytesMut::from(&head[..head.len() - 2]);
        for (name, value) in &(self.fields)() {
            for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
                stamped.extend_from_slice(part);
            }
        }
        stamped.extend_from_slice(b"\r\n");
        stamped.freeze()
    }
}

impl<S: AsyncWrite + Unpin, F: Fn() -> HeaderMap> Stamped<S, F> {
    /// Writes of `slices`, in their order, what belongs to one answer at most.
    fn poll_slices(
        &mut self,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let Some(first) = slices.iter().find(|it| !it.is_empty()) else {
            return Poll::Ready(Ok(0));
        };
        if matches!(self.next, Next::Head) {
            self.next = self.look(first);
        }
        let stream = Pin::new(&mut self.stream);
        let (written, done) = match &mut self.next {
            Next::Head => (0, true),
            Next::Rest(left) => {
                let all: usize = slices.iter().map(|it| it.len()).sum();
                let written = if all <= *left {
                    ready!(stream.poll_write_vectored(context, slices))?
                } else {
                    ready!(stream.poll_write(context, &first[..first.len().min(*left)]))?
                };
                *left -= written;
                (written, *left == 0)
            }
            Next::Instead(head, length) => {
                let mut stream = stream;
                while !head.is_empty() {
                    match ready!(stream.as_mut().poll_write(context, head))? {
                        0 => return Poll::Ready(Ok(0)),
                        written => head.advance(written),
                    }
                }
                (*length, true)
            }
        };
        if done {
            self.next = Next::Head;
        }
        Poll::Ready(Ok(written))
    }
}

impl<S: AsyncRead + Unpin, F: Unpin> AsyncRead for Stamped<S, F> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin, F: Fn() -> HeaderMap + Unpin> AsyncWrite for Stamped<S, F> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().poll_slices(context, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().poll_slices(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        // Without it hyper would copy each body, and what is counted would be another one than what is there.
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use tokio::io::AsyncWriteExt;

    fn fields() -> HeaderMap {
        HeaderMap::from_iter([(
            http::HeaderName::from_static("x-ours"),
            HeaderValue::from_static("1"),
        )])
    }

    const ANSWER: &str = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nbody";
    const BARE: &str = "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n";
    const STAMPED: &str = "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nx-ours: 1\r\n\r\n";
    const CONTINUE: &str = "HTTP/1.1 100 Continue\r\n\r\n";

    /// What is written for what hyper writes, however little the connection takes at once.
    async fn written(announced: &[usize], written: &str, at_once: usize) -> String {
        let (ours, theirs) = tokio::io::duplex(at_once);
        let lengths = Announced::default();
        for &length in announced {
            lengths.push(length);
        }
        let mut stamped = Stamped::new(ours, lengths, fields);
        let write = async move {
            stamped.write_all(written.as_bytes()).await.unwrap();
            stamped.shutdown().await.unwrap();
        };
        let mut read = String::new();
        let mut theirs = theirs;
        let reading = tokio::io::AsyncReadExt::read_to_string(&mut theirs, &mut read);
        tokio::join!(write, async { reading.await.unwrap() });
        read
    }

    #[tokio::test]
    async fn what_nobody_announced_gets_our_fields() {
        for at_once in [1, 7, 4096] {
            for (announced, from_hyper, expected) in [
                (
                    &[4, 4][..],
                    [ANSWER, ANSWER].concat(),
                    [ANSWER, ANSWER].concat(),
                ),
                (&[], BARE.to_owned(), STAMPED.to_owned()),
                (&[4], [ANSWER, BARE].concat(), [ANSWER, STAMPED].concat()),
                (
                    &[4],
                    [CONTINUE, ANSWER, BARE].concat(),
                    [CONTINUE, ANSWER, STAMPED].concat(),
                ),
                (&[0], BARE.to_owned(), BARE.to_owned()),
            ] {
                assert_eq!(written(announced, &from_hyper, at_once).await, expected);
            }
        }
    }
}
