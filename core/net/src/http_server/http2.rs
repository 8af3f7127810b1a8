//! An HTTP/2 connection, on h2 itself: hyper's server neither sends `100 Continue` (RFC 9110 §15.2.1) nor ends a
//! connection on which nothing happens.
//!
//! What a peer can make us buffer: one window for each stream that nobody reads, one for the connection, a header list.

use super::{
    Arrival, Body, Payload, Response, StreamError,
    activity::{Activity, Busy, LAST_ANSWER, Late, Observed, Reading},
    answer::{evictions, wire_length, without_connection_fields},
    frames::Frames,
    listener::{Server, Settings, stopped},
};
use bytes::Bytes;
use h2::{
    Reason, RecvStream, SendStream,
    server::{Builder, Connection, SendResponse},
};
use http::{HeaderValue, Request, StatusCode, header};
use http_body_util::BodyExt;
use hyper::body::Body as _;
use std::{
    future::{pending, poll_fn},
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::{Notify, watch},
    time::timeout,
};

/// What a stream may send ahead of what was read.
const STREAM_WINDOW: u32 = 128 << 10;
/// What all streams of a connection may.
const CONNECTION_WINDOW: u32 = 256 << 10;
const STREAMS: u32 = 100;
/// Header lists up to so many times the limit are answered with 431 by us; longer ones by h2, without our header fields.
const LISTS: usize = 4;
/// What is written ahead of what the peer takes.
const SEND_BUFFER: usize = 256 << 10;
/// A part of an answer that must be taken in the time that a body has.
const PIECE: usize = 64 << 10;
/// How long the last frames (GOAWAY) may take to leave.
const LAST_FRAMES: Duration = Duration::from_secs(1);

/// Serves a connection until it ends, its peer keeps us waiting, or the listener stops.
pub(super) async fn serve(
    server: Arc<Server>,
    settings: Arc<Settings>,
    arrival: Arc<Arrival>,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    mut stop: watch::Receiver<bool>,
) {
    let (activity, address) = (Activity::new(&settings.limits), arrival.address);
    let stream = Observed::new(stream, activity.clone(), Reading::Http2(Frames::new()));
    let limit = settings.limits.header_time;
    let handshake = timeout(limit, builder(&settings).handshake::<_, Bytes>(stream));
    let mut connection = tokio::select! {
        shaken = handshake => match shaken {
            Ok(Ok(connection)) => connection,
            Ok(Err(error)) => return tracing::debug!(%address, "connection ended: {error}"),
            Err(_) => return tracing::debug!(%address, "no HTTP/2 preface came"),
        },
        () = stopped(&mut stop) => return,
    };
    let (mut stopping, mut is_last_call) = (false, false);
    loop {
        tokio::select! {
            accepted = connection.accept() => match accepted {
                Some(Ok((request, respond))) => {
                    let exchange = Exchange {
                        server: server.clone(),
                        settings: settings.clone(),
                        arrival: arrival.clone(),
                        stop: stop.clone(),
                        _busy: activity.begin(),
                    };
                    tokio::spawn(exchange.run(request, respond));
                }
                Some(Err(error)) => return tracing::debug!(%address, "connection ended: {error}"),
                None => return,
            },
            late = activity.late() => {
                tracing::debug!(%address, ?late, "connection closed");
                if is_last_call || late != Late::Idle {
                    return go_away(connection).await;
                }
                // A request may be on its way: the peer hears that the connection ends before it does (RFC 9113 §6.8).
                is_last_call = true;
                activity.last_call();
                connection.graceful_shutdown();
            }
            () = stopped(&mut stop), if !stopping => {
                stopping = true;
                activity.leave();
                connection.graceful_shutdown();
            }
        }
    }
}

fn builder(settings: &Settings) -> Builder {
    let list = settings.limits.header_size.saturating_mul(LISTS);
    let mut builder = Builder::new();
    builder
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(u32::try_from(list).unwrap_or(u32::MAX))
        .max_send_buffer_size(SEND_BUFFER);
    builder
}

/// Says GOAWAY and closes, whether the peer listens or not.
async fn go_away<S>(mut connection: Connection<S, Bytes>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    connection.abrupt_shutdown(Reason::NO_ERROR);
    let _ = timeout(
        LAST_FRAMES,
        poll_fn(|context| connection.poll_closed(context)),
    )
    .await;
}

/// One request and its answer.
struct Exchange {
    server: Arc<Server>,
    settings: Arc<Settings>,
    arrival: Arc<Arrival>,
    stop: watch::Receiver<bool>,
    _busy: Busy,
}

impl Exchange {
    async fn run(mut self, request: Request<RecvStream>, mut respond: SendResponse<Bytes>) {
        let (parts, stream) = request.into_parts();
        let method = parts.method.clone();
        let (body, wanted) = Body::http2(stream, &parts.headers, self.stop.clone());
        let request = Request::from_parts(parts, body);
        let response = tokio::select! {
            biased;
            response = self.server.respond(&self.settings, &self.arrival, request) => response,
            // The peer gave up, or the connection is gone: nobody waits for an answer.
            () = continued(&mut respond, wanted) => return,
        };
        let length = wire_length(&method, &response);
        let eviction = evictions(&response);
        let evicted = async {
            match eviction {
                Some(eviction) => eviction.evicted().await,
                None => pending().await,
            }
        };
        let leaving = async {
            stopped(&mut self.stop).await;
            tokio::time::sleep(LAST_ANSWER).await;
        };
        let address = self.arrival.address;
        let time = self.settings.limits.body_time;
        tokio::select! {
            sent = send(&mut respond, response, length, time) => {
                if let Err(error) = sent {
                    tracing::debug!(%address, "an answer was not sent: {error}");
                }
            }
            () = leaving => respond.send_reset(Reason::CANCEL),
            () = evicted => {
                respond.send_reset(Reason::CANCEL);
                tracing::info!(event = "slow-reader", %address, "connection closed: the client does not read its response, and the memory is needed");
            }
        }
    }
}

/// Asks for the body when it is wanted. Returns when the peer has reset the stream.
async fn continued(respond: &mut SendResponse<Bytes>, wanted: Option<Arc<Notify>>) {
    if let Some(wanted) = wanted {
        tokio::select! {
            () = wanted.notified() => {
                let mut interim = http::Response::new(());
                *interim.status_mut() = StatusCode::CONTINUE;
                if let Err(error) = respond.send_informational(interim) {
                    tracing::debug!("100 Continue was not sent: {error}");
                }
            }
            _ = poll_fn(|context| respond.poll_reset(context)) => return,
        }
    }
    let _ = poll_fn(|context| respond.poll_reset(context)).await;
}

/// Why an answer was not sent to its end.
#[derive(Debug, thiserror::Error)]
enum SendError {
    #[error(transparent)]
    Http2(#[from] h2::Error),
    #[error("the peer does not take it")]
    NotTaken,
    #[error("the rest of it does not come: {0}")]
    CutOff(StreamError),
}

async fn send(
    respond: &mut SendResponse<Bytes>,
    response: Response,
    length: Option<usize>,
    time: Duration,
) -> Result<(), SendError> {
    let (mut parts, body) = response.into_parts();
    without_connection_fields(&mut parts.headers);
    let date = httpdate::fmt_http_date(SystemTime::now());
    if let Ok(date) = HeaderValue::from_str(&date) {
        parts.headers.entry(header::DATE).or_insert(date);
    }
    if let (Some(length), true) = (length, parts.status != StatusCode::NOT_MODIFIED) {
        (parts.headers.entry(header::CONTENT_LENGTH)).or_insert_with(|| length.into());
    }
    let head = http::Response::from_parts(parts, ());
    if length == Some(0) {
        respond.send_response(head, true)?;
        return Ok(());
    }
    let mut stream = respond.send_response(head, false)?;
    let sent = send_body(&mut stream, body, time).await;
    match &sent {
        Ok(()) => {}
        Err(SendError::CutOff(_)) => stream.send_reset(Reason::INTERNAL_ERROR),
        Err(_) => stream.send_reset(Reason::CANCEL),
    }
    sent
}

/// Sends a body, each part of it in the time that a body has.
async fn send_body(
    stream: &mut SendStream<Bytes>,
    mut body: Payload,
    time: Duration,
) -> Result<(), SendError> {
    loop {
        let frame = tokio::select! {
            frame = body.frame() => frame,
            // Nobody waits for what has not come yet.
            _ = poll_fn(|context| stream.poll_reset(context)) => return Err(SendError::NotTaken),
        };
        let mut data = match frame {
            None => return Ok(stream.send_data(Bytes::new(), true)?),
            Some(Err(error)) => return Err(SendError::CutOff(error)),
            Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
        };
        while !data.is_empty() {
            let piece = data.split_to(data.len().min(PIECE));
            let last = data.is_empty() && body.is_end_stream();
            match timeout(time, send_piece(stream, piece, last)).await {
                Err(_) => return Err(SendError::NotTaken),
                Ok(sent) => sent?,
            }
            if last {
                return Ok(());
            }
        }
    }
}

/// Sends as the peer's flow control lets us.
async fn send_piece(
    stream: &mut SendStream<Bytes>,
    mut piece: Bytes,
    last: bool,
) -> Result<(), SendError> {
    stream.reserve_capacity(piece.len());
    while !piece.is_empty() {
        let capacity = match poll_fn(|context| stream.poll_capacity(context)).await {
            Some(capacity) => capacity?,
            None => return Err(SendError::NotTaken),
        };
        let part = piece.split_to(capacity.min(piece.len()));
        let end = last && piece.is_empty();
        stream.send_data(part, end)?;
    }
    Ok(())
}
