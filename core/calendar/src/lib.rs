//! iCalendar objects and scheduling, without I/O: what a calendar server needs to know about calendars.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`tree`] | [`Calendar`](tree::Calendar): components and properties, kept as they came |
//! | [`time`], [`zone`] | dates, durations, periods; time zones, embedded or known by name |
//! | [`recurrence`], [`rule`] | the instances of an object; the rules that give them |
//! | [`work`] | how much of it may be done |
//! | [`freebusy`], [`availability`] | when somebody is busy, asked and answered |
//! | [`stream`] | the objects of a stream of calendars, and what is wrong with it |
//! | [`gather`](mod@gather) | one object out of what stands of it in several places |
//! | [`index`](mod@index) | what a store keeps beside an object |
//! | [`message`] | scheduling messages, valid by RFC 5546 |
//! | [`itip`] | what a message does to the copy of a calendar user |
//!
//! ```
//! use convoke_calendar::{freebusy, tree::{Calendar, Limits}};
//! use convoke_types::TimeRange;
//!
//! let octets = b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTART:20270104T100000Z\r\nDURATION:PT1H\r\n\
//!     RRULE:FREQ=WEEKLY\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
//! let calendar = Calendar::parse(octets, &Limits::default())?;
//! let january = TimeRange::new("2027-01-01T00:00:00Z".parse()?, "2027-02-01T00:00:00Z".parse()?)?;
//! assert_eq!(freebusy::busy(&calendar, None, january, &Limits::default())?.len(), 4);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Always true: nothing here reads a file, a socket or a clock (now is an argument); input of any kind ends in a value or
//! a typed error, in bounded time and memory; what is not understood is kept.

pub mod availability;
pub mod freebusy;
pub mod gather;
pub mod index;
mod instance;
pub mod itip;
pub mod message;
pub mod recurrence;
pub mod rule;
mod stamp;
pub mod stream;
pub mod time;
pub mod tree;
mod wall;
pub mod work;
pub mod zone;

/// The examples of the README are run as tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
