//! The control socket: how commands, and the console, reach the running host.
//!
//! A Unix socket in the state folder, which only the host's user can open. HTTP/1.1 goes over it: each method of the admin
//! API ([`crate::admin`]) is a POST of JSON.

use super::current::Current;
use crate::{
    admin::{
        self,
        api::{Method, Reload},
    },
    state_folder::control_socket,
};
use bytes::Bytes;
use convoke_types::Error;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{
    convert::Infallible,
    io,
    os::unix::{fs::PermissionsExt, net::UnixStream as Blocking},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::{
    net::{UnixListener, UnixStream},
    sync::{mpsc, oneshot},
    task::{JoinHandle, JoinSet},
};

/// How long somebody may take to say what is wanted.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long what has begun is waited for at the end.
const ENDING: Duration = Duration::from_secs(10);
/// The longest thing that may be asked: an object with its index.
const LONGEST: usize = 256 << 20;
/// Reloads that wait for the one before them.
const WAITING: usize = 16;

/// A request to reload; the answer goes to who gave it.
pub(super) type ReloadRequest = oneshot::Sender<Result<(), String>>;

/// The socket, in the state folder of the configuration that holds.
pub(super) struct Control {
    asked: Asked,
    open: Option<Open>,
}

/// What answers.
#[derive(Clone)]
struct Asked {
    current: Arc<Current>,
    requests: mpsc::Sender<ReloadRequest>,
}

struct Open {
    state: PathBuf,
    /// Ends the task when it is dropped.
    end: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Control {
    /// No socket yet; what is requested comes out of the second.
    pub(super) fn new(current: Arc<Current>) -> (Self, mpsc::Receiver<ReloadRequest>) {
        let (requests, requested) = mpsc::channel(WAITING);
        let asked = Asked { current, requests };
        (Self { asked, open: None }, requested)
    }

    /// Listens in this state folder, and in no other.
    pub(super) fn follow(&mut self, state: &Path) -> io::Result<()> {
        if self.open.as_ref().is_some_and(|open| open.state == state) {
            return Ok(());
        }
        let path = control_socket(state);
        if Blocking::connect(&path).is_ok() {
            return Err(io::Error::new(
                io::ErrorKind::AddrInUse,
                "another host runs with this state folder",
            ));
        }
        // What a host that was killed left behind.
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let socket = UnixListener::bind(&path)?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
        let (end, ended) = oneshot::channel();
        // The one before it finishes what it has begun.
        self.open = Some(Open {
            state: state.to_owned(),
            end,
            task: tokio::spawn(listen(socket, path, self.asked.clone(), ended)),
        });
        Ok(())
    }

    /// Takes nothing new, and finishes what has begun.
    pub(super) async fn stop(self) {
        let Some(open) = self.open else {
            return;
        };
        drop(open.end);
        // An error: it panicked, and there is nothing to wait for.
        let _ = open.task.await;
    }
}

async fn listen(socket: UnixListener, path: PathBuf, asked: Asked, mut end: oneshot::Receiver<()>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = &mut end => break,
            Some(_) = connections.join_next() => {}
            accepted = socket.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(serve(stream, asked.clone()));
                }
                // No descriptors, for example: they may come back.
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            },
        }
    }
    drop(socket);
    // If it stays, the command line finds nobody there and says so.
    let _ = std::fs::remove_file(path);
    let finished = async { while connections.join_next().await.is_some() {} };
    // An error: the rest is given up.
    let _ = tokio::time::timeout(ENDING, finished).await;
}

async fn serve(stream: UnixStream, asked: Asked) {
    let answer = service_fn(move |request| {
        let asked = asked.clone();
        async move { Ok::<_, Infallible>(asked.answer(request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .serve_connection(TokioIo::new(stream), answer);
    // An error: whoever asked went away.
    let _ = connection.await;
}

impl Asked {
    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let path = request.uri().path().to_owned();
        let unknown = || {
            let text = format!("{path} is no method of this host; is it of another version?");
            (StatusCode::NOT_FOUND, Error::unsupported(text))
        };
        let is_post = request.method() == http::Method::POST;
        // Of what is refused, too: who is answered before having said everything may find a closed connection.
        let body = Limited::new(request.into_body(), LONGEST).collect().await;
        let called = match (path.strip_prefix("/v1/"), body) {
            (Some(method), Ok(body)) if is_post => self.call(method, &body.to_bytes()).await,
            (Some(_), Err(error)) => Some(Err(Error::invalid(error.to_string()))),
            _ => None,
        };
        match called {
            Some(Ok(json)) => json_of(StatusCode::OK, json),
            Some(Err(error)) => refused(admin::status_of(error.kind()), &error),
            None => {
                let (status, error) = unknown();
                refused(status, &error)
            }
        }
    }

    async fn call(&self, method: &str, body: &[u8]) -> Option<Result<Vec<u8>, Error>> {
        if method == Reload::NAME {
            return Some(self.reload().await.map(|()| b"null".to_vec()));
        }
        let instance = self.current.load();
        admin::call(&instance, method, body).await
    }

    async fn reload(&self) -> Result<(), Error> {
        let ending = || Error::unavailable("the host ends");
        let (request, answered) = oneshot::channel();
        self.requests.send(request).await.map_err(|_| ending())?;
        let reloaded = answered.await.map_err(|_| ending())?;
        reloaded.map_err(Error::invalid)
    }
}

fn refused(status: StatusCode, error: &Error) -> Response<Full<Bytes>> {
    json_of(status, serde_json::to_vec(error).unwrap_or_default())
}

fn json_of(status: StatusCode, json: Vec<u8>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(json.into()));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
