//! Requests of our own to the server, with the credentials of who asks us.

use super::forward::{Forwarding, Subject};
use crate::{
    caldav::reply::Refused,
    upstream::{Answer, NoAnswer, Outgoing, Read, to_server},
};
use bytes::Bytes;
use convoke_caldav::amend::Received;
use convoke_net::http_server::{Holding, Payload, Response};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};

/// Of an answer that is about one resource, in bytes.
const SHORT: usize = 256 << 10;
const XML: HeaderValue = HeaderValue::from_static("application/xml; charset=utf-8");

/// An answer of the server that was to be read as a whole.
pub(super) enum Held {
    /// All of it, in this memory, and the response without it.
    Whole(Bytes, Holding, Response),
    /// It is longer, or there is no memory for it: it passes.
    Longer(Response),
}

/// An object of the server's, as who asks may read it.
pub(super) struct Object {
    pub(super) data: Bytes,
    pub(super) etag: Option<String>,
    /// The memory that it takes.
    pub(super) holding: Holding,
}

/// What the server says of a resource.
pub(super) enum Looked {
    /// Its properties.
    Told(Received),
    /// It wants other credentials.
    Challenge(http::Response<Answer>),
    /// Something else.
    Other(StatusCode),
}

impl Forwarding<'_> {
    /// The server's answer to a request for who asks us.
    pub(super) async fn ask(
        &self,
        request: Request<Outgoing>,
    ) -> Result<http::Response<Answer>, NoAnswer> {
        let exchanges = &self.upstream.exchanges;
        let place = exchanges.place(&self.place, self.front.client, self.standing());
        exchanges.ask(place.await?, request).await
    }

    /// Asks for properties of one resource; `body` is a PROPFIND.
    pub(super) async fn look_up(
        &self,
        path: &str,
        credentials: Option<&HeaderValue>,
        body: &'static str,
    ) -> Result<Looked, NoAnswer> {
        let propfind = Method::from_bytes(b"PROPFIND").expect("these letters are a token");
        let request = self.own_request(propfind, path, credentials, body);
        let Some(request) = request else {
            return Ok(Looked::Other(StatusCode::BAD_REQUEST));
        };
        let answer = self.ask(request).await?;
        match answer.status() {
            StatusCode::UNAUTHORIZED => Ok(Looked::Challenge(answer)),
            StatusCode::MULTI_STATUS => {
                let read = self.read(answer, SHORT).await?;
                let received = read.and_then(|(it, _)| Received::read(&it).ok());
                Ok(received.map_or(Looked::Other(StatusCode::MULTI_STATUS), Looked::Told))
            }
            status => Ok(Looked::Other(status)),
        }
    }

    /// An object; `None` if there is none. A collection is none: some servers answer with all that is in it.
    pub(super) async fn read_object(&self, subject: &Subject) -> Result<Option<Object>, NoAnswer> {
        if subject.path.ends_with('/') {
            return Ok(None);
        }
        let credentials = subject.credentials.as_ref();
        let answer = self.status_of(&Method::GET, &subject.path, credentials);
        let answer = answer.await?;
        if answer.status() != StatusCode::OK {
            return Ok(None);
        }
        let etag = answer.headers().get(header::ETAG);
        let etag = etag.and_then(|it| it.to_str().ok()).map(str::to_owned);
        let most = self.instance.config.limits.messages.content_length;
        let data = self.read(answer, most).await?;
        Ok(data.map(|(data, holding)| Object {
            data,
            etag,
            holding,
        }))
    }

    /// Reads an answer of at most `most` bytes.
    pub(super) async fn held(
        &self,
        answer: http::Response<Answer>,
        most: usize,
    ) -> Result<Held, Refused> {
        let (mut head, body) = answer.into_parts();
        let mut holding = (self.instance.admission.answers).hold(self.front.client);
        let read = body.read(most, &mut holding).await;
        let read = read.map_err(|error| self.upstream.exchanges.broke_off(&error).response())?;
        Ok(match read {
            Read::Whole(data) => {
                head.headers.remove(header::CONTENT_LENGTH);
                let response = self.turned_back(head, Payload::default());
                Held::Whole(data, holding, response)
            }
            Read::Longer(body) => Held::Longer(self.turned_back(head, body.payload())),
        })
    }

    /// The status of a request that is made for its status alone.
    pub(super) async fn status_of(
        &self,
        method: &Method,
        path: &str,
        credentials: Option<&HeaderValue>,
    ) -> Result<http::Response<Answer>, NoAnswer> {
        let request = self.own_request(method.clone(), path, credentials, "");
        match request {
            Some(request) => self.ask(request).await,
            None => Err(NoAnswer::Client(StatusCode::BAD_REQUEST)),
        }
    }

    /// The body of an answer, in this memory; `None` if it is too long.
    async fn read(
        &self,
        answer: http::Response<Answer>,
        most: usize,
    ) -> Result<Option<(Bytes, Holding)>, NoAnswer> {
        let mut holding = (self.instance.admission.answers).hold(self.front.client);
        let read = answer.into_body().read(most, &mut holding).await;
        match read.map_err(|error| self.upstream.exchanges.broke_off(&error))? {
            Read::Whole(bytes) => Ok(Some((bytes, holding))),
            Read::Longer(_) => Ok(None),
        }
    }

    fn own_request(
        &self,
        method: Method,
        path: &str,
        credentials: Option<&HeaderValue>,
        body: &'static str,
    ) -> Option<Request<Outgoing>> {
        let mut headers = to_server(&HeaderMap::new(), &self.front);
        if let Some(credentials) = credentials {
            headers.insert(header::AUTHORIZATION, credentials.clone());
        }
        headers.insert("depth", HeaderValue::from_static("0"));
        if !body.is_empty() {
            headers.insert(header::CONTENT_TYPE, XML);
        }
        let body: Outgoing = Full::new(Bytes::from_static(body.as_bytes()))
            .map_err(|it| match it {})
            .boxed_unsync();
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = path.parse().ok()?;
        *request.headers_mut() = headers;
        Some(request)
    }
}
