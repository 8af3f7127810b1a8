//! A host that runs: what it is told anew, what its plugins' processes do to it, and what it answers by itself.

mod acme;
mod activation;
mod commands;
mod console;
mod console_seen;
mod crash;
mod explain;
mod faults;
mod hanging;
mod health;
mod isolated;
mod monitoring;
mod program;
mod reload;
mod rooms;
mod service_manager;
mod state;
mod trouble;
