//! What is asked of the receiver: one message after another, no two the same.

use crate::{
    Trouble,
    calendar::{basic, elsewhere, month},
};
use bytes::Bytes;
use clap::ValueEnum;
use convoke_ischedule::{ContentType, Recipient, RequestHeaders, dkim::Signer};
use convoke_types::CalendarAddress;
use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::{SignedDuration, Timestamp};
use std::sync::atomic::{AtomicU64, Ordering};

/// Meetings that each connection changes in turn.
const CHANGED: u64 = 4;

/// What to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// When somebody is busy within a month
    FreeBusy,
    /// An invitation to a meeting that the recipient does not know yet
    Request,
    /// A meeting at another time; each connection changes four in turn
    Update,
}

impl Kind {
    /// What tables call it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::FreeBusy => "free-busy",
            Self::Request => "new REQUEST",
            Self::Update => "update",
        }
    }

    const fn component(self) -> &'static str {
        match self {
            Self::FreeBusy => "VFREEBUSY",
            Self::Request | Self::Update => "VEVENT",
        }
    }
}

/// Writes messages.
pub(crate) struct Messages {
    kind: Kind,
    headers: RequestHeaders,
    to: CalendarAddress,
    more: Vec<(HeaderName, HeaderValue)>,
    signer: Option<Signer>,
    /// Sets this run's UIDs and Message-IDs apart from those of others.
    run: String,
    sent: AtomicU64,
}

impl Messages {
    pub(crate) fn new(kind: Kind, from: CalendarAddress, to: CalendarAddress) -> Self {
        Self {
            kind,
            headers: RequestHeaders {
                message_id: None,
                originator: from,
                recipients: vec![Recipient::new(to.clone())],
                content: ContentType::new(kind.component(), "REQUEST"),
            },
            to,
            more: Vec::new(),
            signer: None,
            run: format!("{:x}", Timestamp::now().as_nanosecond()),
            sent: AtomicU64::new(0),
        }
    }

    /// Signs each of them.
    pub(crate) fn signed(self, signer: Signer) -> Self {
        Self {
            signer: Some(signer),
            ..self
        }
    }

    /// Further header fields, signed where DKIM says so.
    pub(crate) fn headers(self, more: Vec<(HeaderName, HeaderValue)>) -> Self {
        Self { more, ..self }
    }

    /// The next message of the connection of that number, its `turn`th.
    pub(crate) fn next(&self, connection: usize, turn: u64) -> Result<(HeaderMap, Bytes), Trouble> {
        let number = self.sent.fetch_add(1, Ordering::Relaxed);
        let body = Bytes::from(self.body(number, connection, turn));
        let mut headers = RequestHeaders {
            message_id: Some(format!("{}-{number}@load.example", self.run)),
            ..self.headers.clone()
        }
        .to_headers();
        headers.extend(self.more.iter().cloned());
        if let Some(signer) = &self.signer {
            signer.sign(&mut headers, &body, Timestamp::now())?;
        }
        Ok((headers, body))
    }

    fn body(&self, number: u64, connection: usize, turn: u64) -> String {
        let run = &self.run;
        let (from, to) = (&self.headers.originator, &self.to);
        let now = basic(Timestamp::now());
        let component = match self.kind {
            Kind::FreeBusy => {
                let (begin, end) = month();
                format!(
                    "BEGIN:VFREEBUSY\r\nUID:{run}-{number}@load.example\r\nDTSTAMP:{now}\r\nDTSTART:{}\r\nDTEND:{}\r\n\
                     ORGANIZER:{from}\r\nATTENDEE:{to}\r\nEND:VFREEBUSY\r\n",
                    basic(begin),
                    basic(end),
                )
            }
            Kind::Request => self.event(&format!("{run}-{number}"), 0, elsewhere(number)),
            Kind::Update => {
                let uid = format!("{run}-{connection}-{}", turn % CHANGED);
                self.event(&uid, turn / CHANGED, elsewhere(number))
            }
        };
        format!(
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Convoke//load//EN\r\nMETHOD:REQUEST\r\n{component}END:VCALENDAR\r\n"
        )
    }

    fn event(&self, uid: &str, sequence: u64, start: Timestamp) -> String {
        let (from, to) = (&self.headers.originator, &self.to);
        format!(
            "BEGIN:VEVENT\r\nUID:{uid}@load.example\r\nDTSTAMP:{}\r\nSEQUENCE:{sequence}\r\nDTSTART:{}\r\nDTEND:{}\r\n\
             SUMMARY:Meeting\r\nLOCATION:Room 7\r\nDESCRIPTION:What is to be decided.\r\nSTATUS:CONFIRMED\r\n\
             ORGANIZER:{from}\r\nATTENDEE;PARTSTAT=ACCEPTED:{from}\r\n\
             ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:{to}\r\nEND:VEVENT\r\n",
            basic(Timestamp::now()),
            basic(start),
            basic(start + SignedDuration::from_mins(30)),
        )
    }
}
