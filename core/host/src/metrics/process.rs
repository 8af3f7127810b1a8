//! What the system says of this process, by the names that Prometheus' own libraries use.
//!
//! It stands in a few files of `/proc/self`, a number a line or a column (proc(5)).

use jiff::Timestamp;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
};
use std::{fmt, fs, path::Path};

/// The unit of times in `stat`: it is part of the kernel's interface.
const TICKS_PER_SECOND: f64 = 100.0;

/// This process, as it is when somebody looks.
#[derive(Debug)]
pub(super) struct ThisProcess {
    /// When it began.
    pub(super) started: Timestamp,
}

impl Collector for ThisProcess {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let read = |name: &str| fs::read_to_string(Path::new("/proc/self").join(name));
        // Where there is no /proc, nothing is said.
        let stat = read("stat").unwrap_or_default();
        let status = read("status").unwrap_or_default();
        let limits = read("limits").unwrap_or_default();
        if let Some(seconds) = cpu_seconds(&stat) {
            let (name, help) = ("process_cpu_seconds", "Time that processors worked for it.");
            let metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            ConstCounter::new(seconds).encode(metric)?;
        }
        let open = fs::read_dir("/proc/self/fd").ok();
        let kib = |name| number_of(&status, name).map(|kib| kib * 1024);
        for (name, help, value) in [
            (
                "process_start_time_seconds",
                "When it began, in seconds since 1970.",
                u64::try_from(self.started.as_second()).ok(),
            ),
            (
                "process_open_fds",
                "Open files and sockets.",
                open.map(|open| open.count() as u64),
            ),
            (
                "process_max_fds",
                "The most of them.",
                number_of(&limits, "Max open files"),
            ),
            (
                "process_virtual_memory_bytes",
                "Its address space.",
                kib("VmSize:"),
            ),
            (
                "process_resident_memory_bytes",
                "Its memory.",
                kib("VmRSS:"),
            ),
            (
                "process_threads",
                "Its threads.",
                number_of(&status, "Threads:"),
            ),
        ] {
            if let Some(value) = value {
                let metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
                ConstGauge::new(value).encode(metric)?;
            }
        }
        Ok(())
    }
}

/// `utime` and `stime`; the name before them may hold whatever it likes, up to the last parenthesis.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let (_, after) = stat.rsplit_once(") ")?;
    let mut fields = after.split(' ').skip(11).map(str::parse::<f64>);
    let (user, system) = (fields.next()?.ok()?, fields.next()?.ok()?);
    Some((user + system) / TICKS_PER_SECOND)
}

/// The first number of the line that begins so.
fn number_of(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_the_system_are_read() {
        let stat = "7 (a ) name) S 1 7 7 0 -1 4194560 10 0 0 0 250 50 3 4 20 0 9 0 100";
        assert_eq!(cpu_seconds(stat), Some(3.0));
        assert_eq!(cpu_seconds(""), None);
        let status = "Name:\tx\nVmRSS:\t    2048 kB\nThreads:\t9\n";
        assert_eq!(number_of(status, "VmRSS:"), Some(2048));
        assert_eq!(number_of(status, "Threads:"), Some(9));
        let limits = "Max open files            1024                 524288               files\n";
        assert_eq!(number_of(limits, "Max open files"), Some(1024));
        assert_eq!(
            number_of("Max open files  unlimited", "Max open files"),
            None
        );
    }
}
