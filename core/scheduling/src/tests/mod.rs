//! Scheduling over stores, policies and other servers in memory: no I/O, no clock, no threads.

mod answers;
mod bounces;
mod cost;
mod deliver;
mod freebusy;
mod hosts;
mod intake;
pub(crate) mod mail;
mod object;
mod owed;
mod rooms;
mod shared_message;
mod submit;
pub(crate) mod world;
