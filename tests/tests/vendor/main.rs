//! What a vendor does, with real builds outside this workspace: begins a plugin, follows the tutorial, builds the
//! examples, and loads plugins in hosts of another minor version of the ABI.

mod examples;
mod grown;
mod new;
mod tutorial;
mod workshop;
