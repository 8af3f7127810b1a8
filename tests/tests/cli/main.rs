//! The command line, as people and scripts meet it: the real program on a store of its own.

mod calendars;
mod copy;
mod desk;
mod elsewhere;
mod guests;
mod import;
mod init;
mod local;
mod mistakes;
mod modes;
mod people;
mod plugins;
mod reply;
mod rooms;
mod submission;
mod trust;
mod zones;
