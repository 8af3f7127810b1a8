//! An HTTP/1.1 connection: hyper parses it, and we decide how long it goes on.
//!
//! Of a request with both Content-Length and Transfer-Encoding, hyper drops the former, which is not seen here any more; it reads the body
//! by the latter and ends the connection after the answer, so that nothing can hide behind it (RFC 9112 §6.1).

use super::{
    Arrival, Body, Response,
    activity::{Activity, Observed, Reading},
    answer::{evictions, wire_length},
    listener::{Server, Settings, stopped},
    memory::Eviction,
    stamp::{Announced, Stamped},
};
use http::{HeaderValue, Request, header};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use std::{convert::Infallible, pin::pin, sync::Arc};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::{mpsc, watch},
};

/// What all requests of a connection share.
struct Connection {
    server: Arc<Server>,
    settings: Arc<Settings>,
    arrival: Arc<Arrival>,
    activity: Activity,
    announced: Announced,
    stop: watch::Receiver<bool>,
    evictions: mpsc::UnboundedSender<Eviction>,
}

/// Serves a connection until it ends, its peer keeps us waiting, or the listener stops.
pub(super) async fn serve(
    server: Arc<Server>,
    settings: Arc<Settings>,
    arrival: Arc<Arrival>,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    mut stop: watch::Receiver<bool>,
) {
    let (activity, announced) = (Activity::new(&settings.limits), Announced::default());
    let stamp = server.clone();
    let fields = move || stamp.fields();
    let stream = Observed::new(stream, activity.clone(), Reading::Http1);
    let stream = Stamped::new(stream, announced.clone(), fields);
    let (evictions, evicted) = mpsc::unbounded_channel();
    let builder = builder(&settings);
    let address = arrival.address;
    let connection = Arc::new(Connection {
        server,
        settings,
        arrival,
        activity: activity.clone(),
        announced,
        stop: stop.clone(),
        evictions,
    });
    let service = service_fn(move |request| {
        let connection = connection.clone();
        // hyper keeps room for what answers a request, whether there is one or not: room for a pointer.
        Box::pin(async move { Ok::<_, Infallible>(connection.respond(request).await) })
    });
    let mut serving = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let mut gone = pin!(any_evicted(evicted));
    let mut stopping = false;
    loop {
        tokio::select! {
            ended = serving.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(%address, "connection ended: {error}");
                }
                return;
            }
            late = activity.late() => {
                return tracing::debug!(%address, ?late, "connection closed");
            }
            () = &mut gone => {
                return tracing::info!(event = "slow-reader", %address, "connection closed: the client does not read its response, and the memory is needed");
            }
            () = stopped(&mut stop), if !stopping => {
                stopping = true;
                activity.leave();
                serving.as_mut().graceful_shutdown();
            }
        }
    }
}

fn builder(settings: &Settings) -> http1::Builder {
    let limits = &settings.limits;
    let mut builder = http1::Builder::new();
    builder
        // `Activity` looks at the time.
        .header_read_timeout(None)
        .max_headers(limits.header_fields)
        .max_buf_size(limits.header_size.max(8 << 10));
    builder
}

impl Connection {
    async fn respond(&self, request: Request<Incoming>) -> Response {
        let busy = self.activity.begin();
        self.activity.header_ended();
        let (parts, incoming) = request.into_parts();
        let (method, headers) = (parts.method.clone(), &parts.headers);
        let (body, rest) = Body::http1(incoming, headers, self.stop.clone());
        let request = Request::from_parts(parts, body);
        let mut response = self
            .server
            .respond(&self.settings, &self.arrival, request)
            .await;
        // Said exactly where it is so: hyper closes a connection on which a body was not read to its end.
        if !rest.drained().await {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(header::CONNECTION, close);
        }
        if let Some(eviction) = evictions(&response) {
            // Fails only if the connection is gone.
            let _ = self.evictions.send(eviction);
        }
        // The length of what is sent in chunks shows at its end only: whatever follows on the connection goes as it is.
        self.announced
            .push(wire_length(&method, &response).unwrap_or(usize::MAX));
        if response.body().is_streamed() {
            response.body_mut().hold(busy);
        }
        response
    }
}

/// When one of the answers must give its memory back.
async fn any_evicted(mut answers: mpsc::UnboundedReceiver<Eviction>) {
    let Some(mut current) = answers.recv().await else {
        return std::future::pending().await;
    };
    loop {
        tokio::select! {
            () = current.evicted() => return,
            // An answer follows when the one before it was written.
            next = answers.recv() => match next {
                Some(next) => current = next,
                None => return std::future::pending().await,
            }
        }
    }
}
