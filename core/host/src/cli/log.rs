//! Where the log goes: stderr.
//!
//! `CONVOKE_LOG` says what is logged (`debug`, `info,convoke::sender=trace`), `CONVOKE_LOG_FORMAT=json` how.

use std::{fs::File, io, os::fd::AsFd};
use tracing_subscriber::{EnvFilter, fmt, fmt::writer::BoxMakeWriter, prelude::*};

/// Starts the log; `default` is what is logged unless the environment says otherwise.
pub(super) fn start(default: &str) {
    let filter = std::env::var("CONVOKE_LOG")
        .ok()
        .and_then(|filter| filter.parse::<EnvFilter>().ok())
        .unwrap_or_else(|| EnvFilter::new(default));
    let json = std::env::var("CONVOKE_LOG_FORMAT").is_ok_and(|format| format == "json");
    let registry = tracing_subscriber::registry().with(filter);
    let lines = fmt::layer().with_writer(standard_error()).with_ansi(false);
    // Fails only if a log was started before, by a test.
    let _ = if json {
        registry.with(lines.json()).try_init()
    } else {
        registry.with(lines).try_init()
    };
}

/// Without the lock that the standard library has around it: threads would wait in line for whoever reads the log. A
/// line is one write, which the system does not mix with others.
fn standard_error() -> BoxMakeWriter {
    match io::stderr().as_fd().try_clone_to_owned() {
        Ok(descriptor) => BoxMakeWriter::new(File::from(descriptor)),
        Err(_) => BoxMakeWriter::new(io::stderr),
    }
}
