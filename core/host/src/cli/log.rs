//! Where the log goes: stderr.
//!
//! `CONVOKE_LOG` says what is logged (`debug`, `info,convoke::sender=trace`), `CONVOKE_LOG_FORMAT=json` how.

use crate::escape::{EscapedLines, Form};
use std::{
    backtrace::{Backtrace, BacktraceStatus},
    fs::File,
    io,
    os::fd::AsFd,
    panic::{self, PanicHookInfo},
};
use tracing_subscriber::{EnvFilter, fmt, fmt::writer::BoxMakeWriter, prelude::*};

/// Starts the log; `default` is what is logged unless the environment says otherwise.
pub(super) fn start(default: &str) {
    let filter = std::env::var("CONVOKE_LOG")
        .ok()
        .and_then(|filter| filter.parse::<EnvFilter>().ok())
        .unwrap_or_else(|| EnvFilter::new(default));
    let json = std::env::var("CONVOKE_LOG_FORMAT").is_ok_and(|format| format == "json");
    let registry = tracing_subscriber::registry().with(filter);
    let form = if json { Form::Json } else { Form::Text };
    let lines = fmt::layer()
        .with_writer(EscapedLines::new(form, standard_error()))
        .with_ansi(false);
    // Fails only if a log was started before, by a test.
    let _ = if json {
        registry.with(lines.json().with_span_list(false)).try_init()
    } else {
        registry.with(lines).try_init()
    };
    panic::set_hook(Box::new(tell_of_panic));
}

/// A panic may quote what came from outside, so it goes to the log like everything else.
fn tell_of_panic(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string);
    let place = place.unwrap_or_default();
    let payload = panic.payload();
    let literal = payload.downcast_ref::<&str>().copied();
    let text = literal.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    let text = text.unwrap_or("no text");
    let trace = Backtrace::capture();
    if trace.status() == BacktraceStatus::Captured {
        tracing::error!(event = "panic", place, %trace, "panicked: {text}");
    } else {
        tracing::error!(event = "panic", place, "panicked: {text}");
    }
}

/// Without the lock that the standard library has around it: threads would wait in line for whoever reads the log. A
/// line is one write, which the system does not mix with others.
fn standard_error() -> BoxMakeWriter {
    match io::stderr().as_fd().try_clone_to_owned() {
        Ok(descriptor) => BoxMakeWriter::new(File::from(descriptor)),
        Err(_) => BoxMakeWriter::new(io::stderr),
    }
}
