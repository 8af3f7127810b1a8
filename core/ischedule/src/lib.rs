//! The iSchedule protocol: the messages of senders and receivers, and how they are authenticated (DKIM).
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`headers`] | the fields of a scheduling POST: [`RequestHeaders`], [`Recipient`] |
//! | [`content_type`] | [`ContentType`]: `text/calendar; component=…; method=…` |
//! | [`capabilities`] | [`Capabilities`]: what a receiver accepts, and whether a message is within it |
//! | [`response`] | [`ScheduleResponse`]: one delivery status for each recipient |
//! | [`refusal`] | [`Refusal`], [`ErrorElement`]: a request refused as a whole |
//! | [`dkim`] | signing and verifying requests: [`dkim::Signer`], [`dkim::Unverified`], [`dkim::Verified`] |
//! | [`deviation`] | [`Deviations`]: where a peer departs from the specification and is read all the same |
//! | [`xml`] | a bounded XML reader and a writer |
//!
//! Invariants: reading is lenient where deployed peers deviate and reports each deviation; writing follows the
//! specification to the letter. Reading any input terminates, in memory bounded by a constant times the
//! size of the input, and never panics. A [`dkim::Verified`] comes from a verification and from nothing else.
//!
//! Not here: HTTP connections, DNS, files, clocks (a time is an argument), and iCalendar (the body of a message
//! is bytes here). The texts followed are draft-desruisseaux-ischedule-05 and -06.

pub mod capabilities;
pub mod content_type;
pub mod deviation;
pub mod dkim;
pub mod headers;
pub mod refusal;
pub mod response;
pub mod xml;

pub use capabilities::{Capabilities, LimitExceeded, MessageProfile};
pub use content_type::ContentType;
pub use deviation::{Deviation, Deviations};
pub use headers::{Recipient, RequestHeaders};
pub use refusal::{ErrorDocument, ErrorElement, Refusal};
pub use response::{CalendarData, RecipientResponse, ScheduleResponse};

/// The XML namespace of every iSchedule document.
pub const NAMESPACE: &str = "urn:ietf:params:xml:ns:ischedule";

/// The path on which every receiver answers, itself or by a redirect.
pub const WELL_KNOWN: &str = "/.well-known/ischedule";

/// The protocol version supported here.
pub const VERSION: &str = "1.0";

/// The media type of iSchedule documents, as it is sent.
pub const XML_TYPE: &str = "application/xml; charset=utf-8";
