//! iCalendar objects and iTIP, without I/O. Being built.

pub mod itip;
pub mod message;
pub mod tree;
