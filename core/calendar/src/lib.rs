//! iCalendar objects and scheduling, without I/O: what a calendar server needs to know about calendars.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`tree`] | [`Calendar`](tree::Calendar): components and properties, kept as they came |
//! | [`time`], [`zone`] | dates, durations, periods; time zones, embedded or known by name |
//! | [`recurrence`] | the instances of an object |
//! | [`freebusy`], [`availability`] | when somebody is busy, asked and answered |
//! | [`index`](mod@index) | what a store keeps beside an object |
//! | [`message`] | scheduling messages, valid by RFC 5546 |
//! | [`itip`] | what a message does to the copy of a calendar user |
//!
//! Always true: nothing here reads a file, a socket or a clock (now is an argument); input of any kind ends in a value or
//! a typed error, in bounded time and memory; what is not understood is kept.

pub mod availability;
pub mod freebusy;
pub mod index;
pub mod itip;
pub mod message;
pub mod recurrence;
pub mod rule;
pub mod time;
pub mod tree;
mod wall;
pub mod zone;
