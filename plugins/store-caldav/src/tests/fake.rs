//! A small CalDAV server that does as it is told: a calendar a user, `/anna/work/`, or several, and faults on demand.
//! There are `anna`, `bo` and whoever is called `user-…`.

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
    fmt::Write,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};
use tokio::net::{TcpListener, UdpSocket};

pub(super) type Reply = Response<Full<Bytes>>;

/// A request as it came.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

/// What the server does instead.
pub(super) enum Fault {
    /// It answers so.
    Answer(Reply),
    /// It does what it is asked, and answers so.
    After(Reply),
    /// Something happens before it does what it is asked.
    Before(Box<dyn FnOnce(&Fake) + Send>),
    /// It does what it is asked after so long.
    Late(Duration),
    /// It never answers.
    Silence,
}

/// How the server says that a calendar has changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Tells {
    #[default]
    Ctag,
    /// And what changed (RFC 6578).
    SyncToken,
    Nothing,
}

type Faults = Box<dyn FnMut(&Seen) -> Option<Fault> + Send>;

struct Inside {
    objects: BTreeMap<String, (u64, Vec<u8>)>,
    /// The paths that were written or removed, in that order.
    changes: Vec<String>,
    calendars: Vec<&'static str>,
    tells: Tells,
    seen: Vec<Seen>,
    faults: Option<Faults>,
}

/// A running server.
#[derive(Clone)]
pub(super) struct Fake {
    pub(super) origin: String,
    inside: Arc<Mutex<Inside>>,
}

impl Fake {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let fake = Self {
            origin: format!("http://{}", listener.local_addr().unwrap()),
            inside: Arc::new(Mutex::new(Inside {
                objects: BTreeMap::new(),
                changes: Vec::new(),
                calendars: vec!["work"],
                tells: Tells::default(),
                seen: Vec::new(),
                faults: None,
            })),
        };
        let served = fake.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let fake = served.clone();
                let service = service_fn(move |request| fake.clone().serve(request));
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        fake
    }

    /// From now on.
    pub(super) fn misbehave(&self, faults: impl FnMut(&Seen) -> Option<Fault> + Send + 'static) {
        self.inside().faults = Some(Box::new(faults));
    }

    pub(super) fn behave(&self) {
        self.inside().faults = None;
    }

    /// What another program writes.
    pub(super) fn write(&self, path: &str, data: &[u8]) {
        self.inside().write(path, data);
    }

    pub(super) fn remove(&self, path: &str) {
        self.inside().remove(path);
    }

    /// As MOVE does.
    pub(super) fn rename(&self, from: &str, to: &str) {
        let mut inside = self.inside();
        let (_, data) = inside.remove(from).unwrap();
        inside.write(to, &data);
    }

    /// The calendars that everybody has.
    pub(super) fn has(&self, calendars: &[&'static str]) {
        self.inside().calendars = calendars.to_vec();
    }

    pub(super) fn tells(&self, tells: Tells) {
        self.inside().tells = tells;
    }

    pub(super) fn objects(&self) -> BTreeMap<String, Vec<u8>> {
        let inside = self.inside();
        let objects = inside.objects.iter();
        objects
            .map(|(path, (_, data))| (path.clone(), data.clone()))
            .collect()
    }

    /// The requests since the last time this was asked.
    pub(super) fn seen(&self) -> Vec<Seen> {
        std::mem::take(&mut self.inside().seen)
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap()
    }

    async fn serve(self, request: Request<Incoming>) -> Result<Reply, Infallible> {
        let (parts, body) = request.into_parts();
        let Ok(body) = body.collect().await else {
            return Ok(empty(StatusCode::BAD_REQUEST));
        };
        let body = body.to_bytes();
        let seen = Seen {
            method: parts.method,
            path: parts.uri.path().to_owned(),
            headers: parts.headers,
            body: String::from_utf8_lossy(&body).into_owned(),
        };
        let fault = {
            let mut inside = self.inside();
            inside.seen.push(seen.clone());
            inside.faults.as_mut().and_then(|faults| faults(&seen))
        };
        Ok(match fault {
            None => self.inside().answer(&seen),
            Some(Fault::Answer(reply)) => reply,
            Some(Fault::After(reply)) => {
                self.inside().answer(&seen);
                reply
            }
            Some(Fault::Before(happens)) => {
                happens(&self);
                self.inside().answer(&seen)
            }
            Some(Fault::Late(time)) => {
                tokio::time::sleep(time).await;
                self.inside().answer(&seen)
            }
            Some(Fault::Silence) => std::future::pending().await,
        })
    }
}

pub(super) fn reply(status: u16, media_type: &str, body: impl Into<Bytes>) -> Reply {
    Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, media_type)
        .body(Full::new(body.into()))
        .unwrap()
}

fn empty(status: StatusCode) -> Reply {
    reply(status.as_u16(), "text/plain", "")
}

impl Inside {
    fn write(&mut self, path: &str, data: &[u8]) -> u64 {
        self.changes.push(path.to_owned());
        let version = self.changes.len() as u64;
        let object = (version, data.to_vec());
        self.objects.insert(path.to_owned(), object);
        version
    }

    fn remove(&mut self, path: &str) -> Option<(u64, Vec<u8>)> {
        self.changes.push(path.to_owned());
        self.objects.remove(path)
    }

    /// How many changes there were to this calendar, with those to others before them.
    fn version(&self, calendar: &str) -> usize {
        let last = self
            .changes
            .iter()
            .rposition(|path| path.starts_with(calendar));
        last.map_or(0, |last| last + 1)
    }

    fn answer(&mut self, seen: &Seen) -> Reply {
        let there = self.objects.get(&seen.path).map(|(version, _)| *version);
        let has = |name, value: &str| seen.headers.get(name).is_some_and(|it| it == value);
        let tag = |version: u64| format!("\"{version}\"");
        let refused = (has("if-none-match", "*") && there.is_some())
            || seen.headers.contains_key("if-match")
                && !there.is_some_and(|version| has("if-match", &tag(version)));
        match seen.method.as_str() {
            "PUT" | "DELETE" if refused => empty(StatusCode::PRECONDITION_FAILED),
            "PUT" => {
                let version = self.write(&seen.path, seen.body.as_bytes());
                let mut reply = empty(StatusCode::CREATED);
                let tag = tag(version).parse().unwrap();
                reply.headers_mut().insert(header::ETAG, tag);
                reply
            }
            "DELETE" => match self.remove(&seen.path) {
                Some(_) => empty(StatusCode::NO_CONTENT),
                None => empty(StatusCode::NOT_FOUND),
            },
            "GET" => match self.objects.get(&seen.path) {
                Some((version, data)) => {
                    let mut reply = reply(200, "text/calendar", data.clone());
                    let tag = tag(*version).parse().unwrap();
                    reply.headers_mut().insert(header::ETAG, tag);
                    reply
                }
                None => empty(StatusCode::NOT_FOUND),
            },
            "PROPFIND" => self.propfind(seen),
            "REPORT" => self.report(seen),
            _ => empty(StatusCode::METHOD_NOT_ALLOWED),
        }
    }

    fn propfind(&self, seen: &Seen) -> Reply {
        let mut segments = seen.path.split('/').skip(1);
        let user = segments.next().unwrap_or_default();
        if !["anna", "bo"].contains(&user) && !user.starts_with("user-") {
            return empty(StatusCode::NOT_FOUND);
        }
        let mut responses = String::new();
        if segments.next().is_some_and(|it| !it.is_empty()) {
            for (path, (version, _)) in &self.objects {
                if path.starts_with(&seen.path) {
                    responses += &response(path, &format!("<D:getetag>\"{version}\"</D:getetag>"));
                }
            }
        } else {
            responses += &response(
                &format!("/{user}/"),
                "<D:resourcetype><D:collection/></D:resourcetype>",
            );
            for calendar in &self.calendars {
                let path = format!("/{user}/{calendar}/");
                let version = self.version(&path);
                let state = match self.tells {
                    Tells::Ctag => format!("<CS:getctag>{version}</CS:getctag>"),
                    Tells::SyncToken => format!("<D:sync-token>urn:t:{version}</D:sync-token>"),
                    Tells::Nothing => String::new(),
                };
                let kind = "<D:resourcetype><D:collection/><C:calendar/></D:resourcetype>";
                responses += &response(&path, &(kind.to_owned() + &state));
            }
        }
        multistatus(&responses)
    }

    fn report(&self, seen: &Seen) -> Reply {
        if seen.body.contains("sync-collection") {
            return self.changes_since(seen);
        }
        let mut responses = String::new();
        for (path, (version, data)) in &self.objects {
            let data = String::from_utf8_lossy(data);
            let is_asked = seen.body.contains(&format!("<D:href>{path}</D:href>"))
                || seen.body.contains("calendar-query") && path.starts_with(&seen.path);
            if is_asked {
                let mut escaped = String::new();
                for letter in data.chars() {
                    match letter {
                        '<' | '>' | '&' => write!(escaped, "&#{};", u32::from(letter)).unwrap(),
                        _ => escaped.push(letter),
                    }
                }
                let found = format!(
                    "<D:getetag>\"{version}\"</D:getetag><C:calendar-data>{escaped}</C:calendar-data>"
                );
                responses += &response(path, &found);
            }
        }
        multistatus(&responses)
    }
}

impl Inside {
    fn changes_since(&self, seen: &Seen) -> Reply {
        let token = seen.body.split_once("urn:t:").map(|(_, rest)| rest);
        let token = token.and_then(|rest| rest.split('<').next()?.parse().ok());
        let (Some(token), Tells::SyncToken) = (token, self.tells) else {
            return empty(StatusCode::FORBIDDEN);
        };
        let changes = self.changes.iter().skip(token);
        let paths: BTreeSet<&String> = changes.filter(|it| it.starts_with(&seen.path)).collect();
        let mut responses = String::new();
        for path in paths {
            responses += &match self.objects.get(path) {
                Some((version, _)) => {
                    response(path, &format!("<D:getetag>\"{version}\"</D:getetag>"))
                }
                None => without(path, "404 Not Found"),
            };
        }
        let version = self.version(&seen.path);
        multistatus(&(responses + &format!("<D:sync-token>urn:t:{version}</D:sync-token>")))
    }
}

/// What is said of a resource that cannot be shown.
pub(super) fn without(path: &str, status: &str) -> String {
    format!(
        "<D:response><D:href>{path}</D:href><D:status>HTTP/1.1 {status}</D:status></D:response>"
    )
}

pub(super) fn response(path: &str, prop: &str) -> String {
    format!(
        "<D:response><D:href>{path}</D:href><D:propstat><D:prop>{prop}</D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>"
    )
}

pub(super) fn multistatus(responses: &str) -> Reply {
    let body = format!(
        "<D:multistatus xmlns:D=\"DAV:\" xmlns:C=\"urn:ietf:params:xml:ns:caldav\" xmlns:CS=\"http://calendarserver.org/ns/\">{responses}</D:multistatus>"
    );
    reply(207, "application/xml", body)
}

/// A name server that knows one name, and that it has one address (RFC 1035 §4.1). What else it is asked, there is not.
pub(super) async fn name_server(name: &str, address: [u8; 4]) -> SocketAddr {
    const HEADER: usize = 12;
    const A: [u8; 4] = [0, 1, 0, 1]; // type A, class IN
    let mut question = Vec::new();
    for label in name.split('.') {
        question.push(u8::try_from(label.len()).unwrap());
        question.extend(label.as_bytes());
    }
    question.push(0);
    question.extend(A);
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let place = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut query = [0; 1500];
        while let Ok((length, from)) = socket.recv_from(&mut query).await {
            let Some(name_end) = query[HEADER..length].iter().position(|it| *it == 0) else {
                continue;
            };
            let asked = &query[HEADER..length.min(HEADER + name_end + 5)];
            let found = asked.eq_ignore_ascii_case(&question);
            let mut reply = query[..2].to_vec(); // its number
            reply.extend([0x84, 0, 0, 1, 0, u8::from(found), 0, 0, 0, 0]);
            reply.extend(asked);
            if found {
                reply.extend([0xc0, 12]); // the name of the question
                reply.extend(A);
                reply.extend([0, 0, 0, 60, 0, 4]);
                reply.extend(address);
            }
            socket.send_to(&reply, from).await.unwrap();
        }
    });
    place
}
