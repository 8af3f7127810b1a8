//! Where the log goes: stderr, and of a host its last lines to memory.
//!
//! `CONVOKE_LOG` says what is logged (`debug`, `info,convoke::sender=trace`), `CONVOKE_LOG_FORMAT=json` how.

use crate::{
    escape::{EscapedLines, Form},
    log_tail,
};
use std::{
    backtrace::{Backtrace, BacktraceStatus},
    fs::File,
    io,
    os::fd::AsFd,
    panic::{self, PanicHookInfo},
};
use tracing::Subscriber;
use tracing_subscriber::{
    EnvFilter, Layer,
    filter::LevelFilter,
    fmt::{
        self,
        writer::{BoxMakeWriter, MakeWriterExt},
    },
    prelude::*,
    registry::LookupSpan,
};

/// Whether the last lines are kept in memory, for who asks a running host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tail {
    Kept,
    None,
}

/// Starts the log; `default` is what is logged unless the environment says otherwise.
pub(super) fn start(default: &str, tail: Tail) {
    let filter = std::env::var("CONVOKE_LOG")
        .ok()
        .and_then(|filter| filter.parse::<EnvFilter>().ok())
        .unwrap_or_else(|| EnvFilter::new(default));
    let json = std::env::var("CONVOKE_LOG_FORMAT").is_ok_and(|format| format == "json");
    let registry = tracing_subscriber::registry().with(filter);
    // Fails only if a log was started before, by a test.
    let _ = match (json, tail) {
        (true, Tail::None) => registry.with(json_lines(standard_error())).try_init(),
        (true, Tail::Kept) => {
            let both = standard_error().and(log_tail::tail());
            let both = json_lines(BoxMakeWriter::new(both));
            registry.with(both).try_init()
        }
        (false, Tail::None) => registry.with(text_lines()).try_init(),
        (false, Tail::Kept) => {
            let kept = json_lines(BoxMakeWriter::new(log_tail::tail()));
            // What is not kept is not written for it either.
            let kept = kept.with_filter(LevelFilter::INFO);
            registry.with(text_lines()).with(kept).try_init()
        }
    };
    panic::set_hook(Box::new(tell_of_panic));
}

/// For people.
fn text_lines<S: Subscriber + for<'a> LookupSpan<'a>>() -> impl Layer<S> {
    fmt::layer()
        .with_writer(EscapedLines::new(Form::Text, standard_error()))
        .with_ansi(false)
}

/// For programs.
fn json_lines<S: Subscriber + for<'a> LookupSpan<'a>>(place: BoxMakeWriter) -> impl Layer<S> {
    fmt::layer()
        .with_writer(EscapedLines::new(Form::Json, place))
        .with_ansi(false)
        .json()
        .with_span_list(false)
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
