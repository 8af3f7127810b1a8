//! The plugin boundary, through real library files: what is refused and how, what crosses, and what a plugin that
//! misbehaves costs.

mod apart;
mod calls;
mod chains;
mod faults;
mod isolated;
mod programs;
mod refusals;
mod services;
mod signatures;
mod state;
mod world;
