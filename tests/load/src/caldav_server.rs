//! A CalDAV server in which nothing happens: every user has two calendars, and both are empty. It counts what it is asked.

use crate::Trouble;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use std::{
    convert::Infallible,
    future::ready,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::net::TcpListener;

/// The server; its tasks end with the program.
pub(crate) struct CalDavServer {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    requests: Arc<AtomicU64>,
}

impl CalDavServer {
    pub(crate) async fn start() -> Result<Self, Trouble> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let requests = Arc::<AtomicU64>::default();
        let counted = requests.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let counted = counted.clone();
                let service = service_fn(move |request: Request<Incoming>| {
                    counted.fetch_add(1, Ordering::Relaxed);
                    ready(Ok::<_, Infallible>(answer(request.uri().path())))
                });
                let connection = http1::Builder::new();
                tokio::spawn(connection.serve_connection(TokioIo::new(stream), service));
            }
        });
        Ok(Self { address, requests })
    }

    /// Requests since this was last asked.
    pub(crate) fn requests(&self) -> u64 {
        self.requests.swap(0, Ordering::Relaxed)
    }
}

/// RFC 4918 §13: of a user's home, two calendars; of anything else, that nothing is in it.
fn answer(path: &str) -> Response<Full<Bytes>> {
    let resource = |path: &str, found: &str| {
        format!(
            "<D:response><D:href>{path}</D:href><D:propstat><D:prop>{found}</D:prop><D:status>HTTP/1.1 200 OK</D:status>\
             </D:propstat></D:response>"
        )
    };
    let calendar = "<D:resourcetype><D:collection/><C:calendar/></D:resourcetype><D:displayname>Calendar</D:displayname>\
                    <D:sync-token>http://example.org/ns/sync/1</D:sync-token><CS:getctag>1</CS:getctag>\
                    <C:supported-calendar-component-set><C:comp name=\"VEVENT\"/><C:comp name=\"VTODO\"/>\
                    </C:supported-calendar-component-set>";
    let mut found = resource(path, "<D:resourcetype><D:collection/></D:resourcetype>");
    let is_home = path.matches('/').count() == 2;
    if is_home {
        found += &resource(&format!("{path}home/"), calendar);
        found += &resource(&format!("{path}work/"), calendar);
    } else {
        found += "<D:sync-token>http://example.org/ns/sync/1</D:sync-token>";
    }
    let body = format!(
        "<?xml version=\"1.0\"?><D:multistatus xmlns:D=\"DAV:\" xmlns:C=\"urn:ietf:params:xml:ns:caldav\" \
         xmlns:CS=\"http://calendarserver.org/ns/\">{found}</D:multistatus>"
    );
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = StatusCode::MULTI_STATUS;
    response
}
