//! What people who log in may ask about their own calendars: some methods of the admin API ([`crate::admin`]), each a POST of
//! JSON to `/v1/NAME`. A method names a calendar user, and only who may act as that one is answered.

use super::may_act_as;
use crate::{
    admin::{self, OfOwn},
    answer::{AnswerRoom, json},
    instance::Instance,
    login::Submitter,
    receiver::posted,
};
use bytes::Bytes;
use convoke_net::http_server::{Arrival, Body, Response};
use convoke_types::{CalendarAddress, Error};
use http::{Request, StatusCode};

/// The method that a path names, if people may ask it.
pub(super) fn named(path: &str) -> Option<OfOwn> {
    OfOwn::named(path.strip_prefix("/v1/")?)
}

/// Does what is asked, and answers with JSON.
pub(super) async fn answer(
    instance: &Instance,
    submitter: &Submitter,
    arrival: &Arrival,
    method: OfOwn,
    request: Request<Body>,
    room: AnswerRoom,
) -> Response {
    let (parts, body) = request.into_parts();
    let (body, _holding) = match posted::read_whole(instance, arrival, &parts.headers, body).await {
        Ok(read) => read,
        Err(response) => return response,
    };
    let (status, document) = match call(instance, submitter, method, &body).await {
        Ok(document) => (StatusCode::OK, document),
        Err(error) => {
            let document = serde_json::to_vec(&error).unwrap_or_default();
            (admin::status_of(error.kind()), document)
        }
    };
    json(arrival, room, status, Bytes::from(document)).await
}

async fn call(
    instance: &Instance,
    submitter: &Submitter,
    method: OfOwn,
    body: &[u8],
) -> Result<Vec<u8>, Error> {
    let user: CalendarAddress = method.user(body)?;
    if !may_act_as(instance, submitter, &user).await {
        let text = format!("{submitter} may not act as {}", user.human());
        return Err(Error::denied(text));
    }
    admin::call(instance, method.name(), body)
        .await
        .unwrap_or_else(|| Err(Error::unsupported(method.name())))
}
