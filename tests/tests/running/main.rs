//! A host that runs: what it is told anew, and what its plugins' processes do to it.

mod commands;
mod crash;
mod faults;
mod health;
mod isolated;
mod reload;
mod trouble;
