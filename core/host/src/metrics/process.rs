//! What the system says of this process, by the names that Prometheus' own libraries use.

use procfs::{ProcResult, process::Process};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
};
use std::fmt;

/// This process, as it is when somebody looks.
#[derive(Debug)]
pub(super) struct ThisProcess;

/// What was found out.
struct Seen {
    cpu_seconds: f64,
    open_files: Option<u64>,
    most_files: Option<u64>,
    virtual_bytes: u64,
    resident_bytes: u64,
    started: f64,
    threads: i64,
}

impl Seen {
    fn now() -> ProcResult<Self> {
        let process = Process::myself()?;
        let stat = process.stat()?;
        let ticks = seconds(procfs::ticks_per_second());
        let limits = process.limits()?;
        Ok(Self {
            cpu_seconds: seconds(stat.utime + stat.stime) / ticks,
            open_files: process.fd_count().ok().map(|count| count as u64),
            most_files: match limits.max_open_files.soft_limit {
                procfs::process::LimitValue::Value(most) => Some(most),
                procfs::process::LimitValue::Unlimited => None,
            },
            virtual_bytes: stat.vsize,
            resident_bytes: stat.rss * procfs::page_size(),
            started: seconds(procfs::boot_time_secs()?) + seconds(stat.starttime) / ticks,
            threads: stat.num_threads,
        })
    }
}

#[allow(
    clippy::cast_precision_loss,
    reason = "Prometheus has no other numbers"
)]
const fn seconds(count: u64) -> f64 {
    count as f64
}

impl Collector for ThisProcess {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        // Where there is no /proc, nothing is said.
        let Ok(seen) = Seen::now() else {
            return Ok(());
        };
        let (name, help) = ("process_cpu_seconds", "Time that processors worked for it.");
        let metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        ConstCounter::new(seen.cpu_seconds).encode(metric)?;
        let (name, help) = ("process_start_time_seconds", "When it began, since 1970.");
        let metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        ConstGauge::new(seen.started).encode(metric)?;
        let threads = u64::try_from(seen.threads).ok();
        for (name, help, value) in [
            (
                "process_open_fds",
                "Open files and sockets.",
                seen.open_files,
            ),
            ("process_max_fds", "The most of them.", seen.most_files),
            (
                "process_virtual_memory_bytes",
                "Its address space.",
                Some(seen.virtual_bytes),
            ),
            (
                "process_resident_memory_bytes",
                "Its memory.",
                Some(seen.resident_bytes),
            ),
            ("process_threads", "Its threads.", threads),
        ] {
            if let Some(value) = value {
                let metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
                ConstGauge::new(value).encode(metric)?;
            }
        }
        Ok(())
    }
}
