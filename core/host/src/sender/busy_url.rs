//! Busy time that other calendar servers tell by URL (`SOGo`, Open-Xchange, Zimbra…): read, and given as an answer to a question.
//!
//! Everybody who asks is given what the server shows to all, so that it is remembered for a while, whoever asked. Nobody is
//! called free who may not be: where an answer says nothing about a time, that counts as unavailable.

use super::{capabilities_cache::connect_policy, post::is_temporary};
use bytes::Bytes;
use convoke_calendar::{
    freebusy,
    message::Message,
    tree::{Calendar, Limits},
};
use convoke_net::http_client::{Client, ClientError, Request, Response, freshness};
use convoke_scheduling::Outcome;
use convoke_sdk::Receiver;
use convoke_types::{BusySpan, BusyType, CalendarAddress, RequestStatus, TimeRange, merge};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use jiff::Timestamp;
use moka::future::Cache;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use url::Url;

/// How long what was read is of use, if its server says nothing; and the shortest and the longest, whatever it says: a program
/// asks for each day that somebody looks at.
const FRESH: Duration = Duration::from_secs(300);
const SHORTEST: Duration = Duration::from_secs(60);
const LONGEST: Duration = Duration::from_secs(3600);
/// The longest answer, in bytes.
const MAX_LENGTH: usize = 1 << 20;
/// What all that is remembered may take, in bytes, about.
const MAX_BYTES: u64 = 16 << 20;

/// What was read lately.
#[derive(Clone)]
pub(super) struct BusyUrls(Cache<Url, Arc<Told>>);

/// What a URL tells.
struct Told {
    spans: Vec<BusySpan>,
    /// The time that it tells of; `None`: it does not say.
    about: Option<TimeRange>,
    fresh_until: Instant,
}

/// Why nothing is told.
#[derive(Clone, Debug, thiserror::Error)]
enum Untold {
    #[error("{0}")]
    Unreachable(Arc<ClientError>),
    #[error("it answers {0}")]
    Refused(StatusCode),
    #[error("what it answers is no busy time: {0}")]
    Unreadable(String),
}

impl Untold {
    fn status(&self) -> RequestStatus {
        match self {
            Self::Unreachable(_) => RequestStatus::SERVICE_UNAVAILABLE,
            Self::Refused(status) if is_temporary(*status) => RequestStatus::SERVICE_UNAVAILABLE,
            Self::Refused(StatusCode::NOT_FOUND | StatusCode::GONE) => {
                RequestStatus::INVALID_CALENDAR_USER
            }
            Self::Refused(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {
                RequestStatus::NO_AUTHORITY
            }
            Self::Refused(_) | Self::Unreadable(_) => RequestStatus::INVALID_CALENDAR_SERVICE,
        }
    }
}

impl BusyUrls {
    pub(super) fn new() -> Self {
        let weigh = |url: &Url, told: &Arc<Told>| {
            let bytes = url.as_str().len() + size_of_val(&*told.spans) + size_of::<Told>();
            u32::try_from(bytes).unwrap_or(u32::MAX)
        };
        let cache = Cache::builder().max_capacity(MAX_BYTES).weigher(weigh);
        Self(cache.time_to_live(LONGEST).build())
    }

    /// The answer for one recipient, whose busy time is told at `place`.
    pub(super) async fn ask(
        &self,
        client: &Client,
        place: &Receiver,
        question: &Message,
        recipient: &CalendarAddress,
    ) -> Outcome {
        let Some(range) = question.range() else {
            return RequestStatus::INVALID_DATE.into();
        };
        match self.told(client, place).await {
            Ok(told) => {
                let spans = told.within(range);
                let answer = freebusy::answer(question, recipient, &spans, Timestamp::now());
                Outcome {
                    data: String::from_utf8(answer.write()).ok(),
                    ..RequestStatus::SUCCESS.into()
                }
            }
            Err(untold) => {
                tracing::warn!(event = "free-busy-url-failed", %recipient, url = %place.url, "busy time cannot be read there: {untold}");
                Outcome {
                    description: Some("the busy time cannot be read at its URL".to_owned()),
                    ..untold.status().into()
                }
            }
        }
    }

    /// What a URL tells. Those who ask at once share one look.
    async fn told(&self, client: &Client, place: &Receiver) -> Result<Arc<Told>, Untold> {
        let url = place.url.url();
        let known = self.0.get(&url).await;
        if known.is_some_and(|it| it.fresh_until <= Instant::now()) {
            self.0.invalidate(&url).await;
        }
        let told = self.0.try_get_with(url.clone(), read(client, place, url));
        told.await.map_err(|untold| (*untold).clone())
    }
}

impl Told {
    fn of(response: &Response) -> Result<Self, Untold> {
        let unreadable = |why: &dyn std::fmt::Display| Untold::Unreadable(why.to_string());
        let calendar = Calendar::parse(&response.body, &Limits::default());
        let calendar = calendar.map_err(|error| unreadable(&error))?;
        let has_any = (calendar.root().components.iter()).any(|it| it.is("VFREEBUSY"));
        if !has_any {
            return Err(unreadable(&"there is no VFREEBUSY"));
        }
        let spans = freebusy::read_answer(&calendar).map_err(|error| unreadable(&error))?;
        let fresh = freshness(&response.headers, FRESH).clamp(SHORTEST, LONGEST);
        Ok(Self {
            spans,
            about: freebusy::answered_range(&calendar),
            fresh_until: Instant::now() + fresh,
        })
    }

    fn within(&self, range: TimeRange) -> Vec<BusySpan> {
        let mut spans = self.spans.clone();
        if let Some(about) = self.about {
            let sides = [(range.start(), about.start()), (about.end(), range.end())];
            let unknown = sides
                .into_iter()
                .filter_map(|(from, to)| TimeRange::new(from, to).ok());
            spans.extend(unknown.map(|it| BusySpan::new(it, BusyType::BusyUnavailable)));
        }
        merge(spans, range)
    }
}

async fn read(client: &Client, place: &Receiver, url: Url) -> Result<Arc<Told>, Untold> {
    let mut headers = HeaderMap::new();
    let kinds = HeaderValue::from_static("text/calendar, */*;q=0.1");
    headers.insert(header::ACCEPT, kinds);
    let agent = HeaderValue::from_static(crate::USER_AGENT);
    headers.insert(header::USER_AGENT, agent);
    let request = Request {
        method: Method::GET,
        url,
        headers,
        body: Bytes::new(),
        policy: connect_policy(place),
        longest: Some(MAX_LENGTH),
    };
    let response = client.send(request).await;
    let response = response.map_err(|error| Untold::Unreachable(Arc::new(error)))?;
    if response.status != StatusCode::OK {
        return Err(Untold::Refused(response.status));
    }
    Told::of(&response).map(Arc::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(body: &str) -> Result<Told, Untold> {
        Told::of(&Response {
            status: StatusCode::OK,
            headers: HeaderMap::new(),
            body: Bytes::copy_from_slice(body.as_bytes()),
            url: Url::parse("https://cal.example.net/anna.ifb").unwrap(),
            moved_to: None,
        })
    }

    fn shown(told: &Told, from: &str, to: &str) -> Vec<String> {
        let at = |text: &str| format!("2027-01-04T{text}:00Z").parse().unwrap();
        let spans = told.within(TimeRange::new(at(from), at(to)).unwrap());
        let spans = spans.iter().map(|it| {
            let (start, end) = (it.range.start(), it.range.end());
            format!(
                "{}/{} {}",
                start.strftime("%H:%M"),
                end.strftime("%H:%M"),
                it.kind.as_str()
            )
        });
        spans.collect()
    }

    #[test]
    fn what_is_not_told_of_counts_as_unavailable() {
        let free_busy = |lines: &str| {
            format!(
                "BEGIN:VCALENDAR\nVERSION:2.0\nMETHOD:PUBLISH\nBEGIN:VFREEBUSY\n{lines}\
                 FREEBUSY;FBTYPE=BUSY-TENTATIVE:20270104T090000Z/PT1H\nFREEBUSY:20270104T120000Z/20270104T133000Z\n\
                 END:VFREEBUSY\nEND:VCALENDAR\n"
            )
        };
        let all = told(&free_busy("")).unwrap();
        assert_eq!(
            shown(&all, "08:00", "13:00"),
            ["09:00/10:00 BUSY-TENTATIVE", "12:00/13:00 BUSY"]
        );
        assert!(shown(&all, "10:00", "12:00").is_empty());
        let day = "DTSTART:20270104T083000Z\nDTEND:20270104T180000Z\n";
        let day = told(&free_busy(day)).unwrap();
        assert_eq!(
            shown(&day, "08:00", "10:00"),
            ["08:00/08:30 BUSY-UNAVAILABLE", "09:00/10:00 BUSY-TENTATIVE"]
        );
        assert_eq!(
            shown(&day, "17:00", "19:00"),
            ["18:00/19:00 BUSY-UNAVAILABLE"]
        );
    }

    #[test]
    fn what_is_no_busy_time_is_not_taken_for_free_time() {
        for body in [
            "",
            "<html>",
            "BEGIN:VCALENDAR\nVERSION:2.0\nEND:VCALENDAR\n",
            "BEGIN:VCALENDAR\nVERSION:2.0\nBEGIN:VFREEBUSY\nFREEBUSY:x\nEND:VFREEBUSY\nEND:VCALENDAR\n",
        ] {
            assert!(matches!(told(body), Err(Untold::Unreadable(_))), "{body}");
        }
    }
}
