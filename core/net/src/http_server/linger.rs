//! A connection whose last answer arrives.
//!
//! A server that answers before it has read the whole request (413, 400) and then closes its socket makes the system
//! send a reset, and the peer may lose the answer while it is still sending. So the sending half is closed first, and
//! what still comes is thrown away for a short while (RFC 9112 §9.6).

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf},
    net::TcpStream,
};

/// How long, and how much, a peer may go on sending after the last answer.
const TIME: Duration = Duration::from_secs(5);
const MOST: u64 = 16 << 20;

/// A socket that closes in that way when it is dropped. `L` is held until it is closed.
pub(super) struct Lingering<L: Send + 'static> {
    /// `None` once the other side has closed its half, or the connection has failed: nobody waits for an answer.
    open: Option<(TcpStream, L)>,
    ended: Option<(TcpStream, L)>,
}

impl<L: Send + 'static> Lingering<L> {
    pub(super) fn new(stream: TcpStream, held: L) -> Self {
        Self {
            open: Some((stream, held)),
            ended: None,
        }
    }

    fn stream(&mut self) -> Pin<&mut TcpStream> {
        let held = self.open.as_mut().or(self.ended.as_mut());
        Pin::new(&mut held.expect("the socket is in one of the two").0)
    }

    fn end(&mut self) {
        self.ended = self.open.take().or(self.ended.take());
    }
}

impl<L: Send + 'static> Drop for Lingering<L> {
    fn drop(&mut self) {
        let (Some((mut stream, held)), Ok(runtime)) =
            (self.open.take(), tokio::runtime::Handle::try_current())
        else {
            return;
        };
        runtime.spawn(async move {
            let rest = async {
                stream.shutdown().await?;
                tokio::io::copy(&mut (&mut stream).take(MOST), &mut tokio::io::sink()).await
            };
            // Whatever it ends with, it has ended.
            let _ = tokio::time::timeout(TIME, rest).await;
            drop((stream, held));
        });
    }
}

impl<L: Send + Unpin + 'static> AsyncRead for Lingering<L> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let read = this.stream().poll_read(context, buffer);
        let closed = buffer.filled().len() == before && buffer.remaining() > 0;
        if matches!(&read, Poll::Ready(Err(_))) || (matches!(&read, Poll::Ready(Ok(()))) && closed)
        {
            this.end();
        }
        read
    }
}

impl<L: Send + Unpin + 'static> AsyncWrite for Lingering<L> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().stream().poll_write(context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().stream().poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().stream().poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().stream().poll_shutdown(context)
    }
}
