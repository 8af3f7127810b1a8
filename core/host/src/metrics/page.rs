//! What is shown: beside what was counted, what is found when somebody looks.

use super::{Metrics, PREFIX, process::ThisProcess};
use crate::{certificates::Certificate, login::Attempts};
use convoke_plugin_host::{
    PluginInfo, PluginMetrics, PluginState,
    metrics::{Family as PluginFamily, FamilySeries},
};
use convoke_sdk::MetricKind;
use jiff::Timestamp;
use prometheus_client::{
    collector::Collector,
    encoding::{
        CounterValueEncoder, DescriptorEncoder, EncodeCounterValue, EncodeGaugeValue, EncodeMetric,
        GaugeValueEncoder, MetricEncoder, NoLabelSet, prometheus_text,
    },
    metrics::{
        MetricType,
        counter::ConstCounter,
        family::Family,
        gauge::{ConstGauge, Gauge},
    },
    registry::Registry,
};
use std::fmt;

/// What waits to be delivered, by state, and since how many seconds the oldest of it does.
pub(crate) type Waiting = ([(&'static str, usize); 3], Option<i64>);

/// What is found when somebody looks.
pub(crate) struct Found<'a> {
    /// When the host began.
    pub(crate) started: Timestamp,
    /// The plugins.
    pub(crate) plugins: &'a [PluginInfo],
    /// What they count, and what is counted of them.
    pub(crate) counted: &'a PluginMetrics,
    /// What waits to be delivered.
    pub(crate) waiting: &'a Waiting,
    /// Attempts to log in.
    pub(crate) attempts: &'a Attempts,
    /// The certificates of the configuration.
    pub(crate) certificates: &'a [Certificate],
    /// How many things an administrator should look at.
    pub(crate) troubles: usize,
}

/// Labels that are known only when somebody looks.
type Labels = Vec<(&'static str, String)>;

impl Metrics {
    /// Prometheus' text format, version 0.0.4.
    pub(crate) fn text(&self, found: &Found<'_>) -> String {
        let mut page = String::new();
        let mut system = Registry::default();
        let started = found.started;
        system.register_collector(Box::new(ThisProcess { started }));
        for registry in [&self.registry, &found.registry(), &system] {
            prometheus_text::encode(&mut page, registry)
                .expect("a String takes whatever is written");
        }
        page
    }
}

impl Found<'_> {
    fn registry(&self) -> Registry {
        let mut registry = Registry::with_prefix(PREFIX);
        let failures = self.attempts.failures().clone();
        registry.register("logins_failed", "Attempts to log in that failed", failures);
        let help = "How many things an administrator should look at: those that /health names";
        registry.register("troubles", help, ConstGauge::new(self.troubles));
        self.put_waiting(&mut registry);
        self.put_certificates(&mut registry);
        self.put_plugins(&mut registry);
        self.counted.calls().register(&mut registry);
        registry.register_collector(Box::new(Counted(self.counted.families())));
        registry
    }

    fn put_waiting(&self, registry: &mut Registry) {
        let (counts, oldest) = self.waiting;
        let series = counts.map(|(state, count)| {
            let labels = vec![("state", state.to_owned())];
            (labels, i64::try_from(count).unwrap_or(i64::MAX))
        });
        let help = "Messages that wait to be delivered, one for each recipient";
        put(registry, "outbox_entries", help, series);
        registry.register(
            "outbox_oldest_seconds",
            "How long the oldest of them has been waiting",
            ConstGauge::new(oldest.unwrap_or_default()),
        );
    }

    fn put_certificates(&self, registry: &mut Registry) {
        let series = self.certificates.iter().filter_map(|it| {
            let labels = vec![
                ("use", it.of.clone()),
                ("file", it.file.display().to_string()),
            ];
            Some((labels, it.until?.as_second()))
        });
        let help = "When a certificate ends, in seconds since 1970";
        put(
            registry,
            "certificate_expiry_timestamp_seconds",
            help,
            series,
        );
    }

    fn put_plugins(&self, registry: &mut Registry) {
        let by_plugin = |value: fn(&PluginState) -> bool| {
            let series = self.plugins.iter().map(move |plugin| {
                let labels = vec![
                    ("plugin", plugin.name.clone()),
                    ("kind", plugin.kind.to_string()),
                ];
                (labels, i64::from(value(&plugin.state)))
            });
            series.collect::<Vec<_>>()
        };
        let ready = by_plugin(|state| !matches!(state, PluginState::Skipped { .. }));
        let help = "Whether a plugin is asked (1) or skipped for a while (0)";
        put(registry, "plugin_ready", help, ready);
        let degraded = by_plugin(|state| matches!(state, PluginState::Degraded { .. }));
        let help = "Whether a plugin says that it is not as well as it should be (1)";
        put(registry, "plugin_degraded", help, degraded);
    }
}

fn put(
    registry: &mut Registry,
    name: &str,
    help: &str,
    series: impl IntoIterator<Item = (Labels, i64)>,
) {
    let family = Family::<Labels, Gauge>::default();
    for (labels, value) in series {
        family.get_or_create(&labels).set(value);
    }
    registry.register(name, help, family);
}

/// What plugins count.
#[derive(Debug)]
struct Counted(Vec<PluginFamily>);

impl Collector for Counted {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for family in &self.0 {
            let (name, kind) = match family.kind {
                MetricKind::Counter => {
                    let name = family.name.strip_suffix("_total");
                    (name.unwrap_or(&family.name), MetricType::Counter)
                }
                MetricKind::Histogram => (family.name.as_str(), MetricType::Histogram),
                _ => (family.name.as_str(), MetricType::Gauge),
            };
            let name = format!("plugin_{name}");
            let mut metric = encoder.encode_descriptor(&name, &family.help, None, kind)?;
            for series in &family.series {
                let plugin = [("plugin", series.plugin.as_str())];
                let labels = series.labels.iter().map(|(label, it)| (&**label, &**it));
                let labels: Vec<_> = plugin.into_iter().chain(labels).collect();
                encode(series, kind, metric.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}

fn encode(series: &FamilySeries, kind: MetricType, mut to: MetricEncoder<'_>) -> fmt::Result {
    match kind {
        MetricType::Counter => ConstCounter::new(Number(series.value)).encode(to),
        MetricType::Histogram => {
            let mut so_far = 0;
            let between = series.buckets.iter().map(|(bound, count)| {
                let between = count - so_far;
                so_far = *count;
                (*bound, between)
            });
            let between: Vec<_> = between.collect();
            to.encode_histogram::<NoLabelSet>(series.value, series.count, &between, None)
        }
        _ => ConstGauge::new(Number(series.value)).encode(to),
    }
}

/// A number, without a point if it is whole.
#[derive(Clone, Copy, Debug)]
struct Number(f64);

/// Whole numbers up to here are exact.
const EXACT: f64 = 9_007_199_254_740_992.0;

impl Number {
    #[allow(
        clippy::cast_possible_truncation,
        reason = "it is whole, and small enough"
    )]
    fn whole(self) -> Option<i64> {
        (self.0.fract() == 0.0 && self.0.abs() < EXACT).then_some(self.0 as i64)
    }
}

impl EncodeCounterValue for Number {
    fn encode(&self, encoder: &mut CounterValueEncoder<'_>) -> fmt::Result {
        match self.whole().and_then(|it| u64::try_from(it).ok()) {
            Some(whole) => EncodeCounterValue::encode(&whole, encoder),
            None => EncodeCounterValue::encode(&self.0, encoder),
        }
    }
}

impl EncodeGaugeValue for Number {
    fn encode(&self, encoder: &mut GaugeValueEncoder<'_>) -> fmt::Result {
        match self.whole() {
            Some(whole) => EncodeGaugeValue::encode(&whole, encoder),
            None => EncodeGaugeValue::encode(&self.0, encoder),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Role;
    use convoke_ischedule::ErrorElement;
    use http::StatusCode;
    use std::time::Duration;

    fn text(metrics: &Metrics, attempts: &Attempts) -> String {
        metrics.text(&Found {
            started: Timestamp::now(),
            plugins: &[],
            counted: &PluginMetrics::default(),
            waiting: &([("waiting", 2), ("retrying", 1), ("held", 0)], Some(5)),
            attempts,
            troubles: 1,
            certificates: &[Certificate {
                of: "receiver".to_owned(),
                file: "a\"b.pem".into(),
                until: Some(Timestamp::from_second(1_800_000_000).unwrap()),
                #[cfg(feature = "acme")]
                acme: None,
                is_near_end: false,
            }],
        })
    }

    #[test]
    fn the_text_is_as_prometheus_reads_it() {
        let metrics = Metrics::default();
        metrics.answered(Role::Receiver, StatusCode::OK, Duration::from_millis(3));
        metrics.answered(Role::Receiver, StatusCode::OK, Duration::from_secs(20));
        metrics.refused(ErrorElement::MaxRecipients);
        let _open = [(); 2].map(|()| metrics.connected(Role::Submission));
        drop(metrics.connected(Role::Receiver));
        let attempts = Attempts::default();
        attempts.failures().inc();
        let text = text(&metrics, &attempts);
        for line in [
            "# TYPE convoke_answer_seconds histogram",
            "# TYPE convoke_answers_total counter",
            "# TYPE convoke_build_info gauge",
            "convoke_answers_total{listener=\"receiver\",status=\"200\"} 2",
            "convoke_answer_seconds_bucket{listener=\"receiver\",le=\"0.001\"} 0",
            "convoke_answer_seconds_bucket{listener=\"receiver\",le=\"0.005\"} 1",
            "convoke_answer_seconds_bucket{listener=\"receiver\",le=\"10\"} 1",
            "convoke_answer_seconds_bucket{listener=\"receiver\",le=\"+Inf\"} 2",
            "convoke_answer_seconds_sum{listener=\"receiver\"} 20.003",
            "convoke_refusals_total{error=\"max-recipients\"} 1",
            "convoke_connections{listener=\"submission\"} 2",
            "convoke_connections{listener=\"receiver\"} 0",
            "convoke_logins_failed_total 1",
            "convoke_troubles 1",
            "convoke_outbox_entries{state=\"waiting\"} 2",
            "convoke_outbox_oldest_seconds 5",
            // Labels cannot break out of their quotes.
            "convoke_certificate_expiry_timestamp_seconds{use=\"receiver\",file=\"a\\\"b.pem\"} 1800000000",
        ] {
            assert!(text.lines().any(|it| it == line), "{line} in\n{text}");
        }
        for name in [
            "cpu_seconds_total",
            "open_fds",
            "resident_memory_bytes",
            "start_time_seconds",
        ] {
            let line = format!("\nprocess_{name} ");
            assert!(text.contains(&line), "{line} in\n{text}");
        }
        let mut families: Vec<_> = text.lines().filter(|it| it.starts_with("# TYPE")).collect();
        let count = families.len();
        families.sort_unstable();
        families.dedup();
        assert_eq!(families.len(), count, "each stands once");
    }

    #[test]
    fn what_plugins_count_stands_under_their_names() {
        let series = |plugin: &str, value, buckets: &[(f64, u64)], count| FamilySeries {
            plugin: plugin.to_owned(),
            labels: vec![("to".to_owned(), "x\"y".to_owned())],
            value,
            buckets: buckets.to_vec(),
            count,
        };
        let family = |name: &str, kind, series| PluginFamily {
            name: name.to_owned(),
            kind,
            help: "Help.".to_owned(),
            series,
        };
        let counted = vec![
            family(
                "a_total",
                MetricKind::Counter,
                vec![series("one", 2.0, &[], 0), series("two", 0.5, &[], 0)],
            ),
            family(
                "b",
                MetricKind::Gauge,
                vec![series("one", f64::NEG_INFINITY, &[], 0)],
            ),
            family(
                "c_seconds",
                MetricKind::Histogram,
                vec![series("one", 7.25, &[(0.5, 1), (1.0, 1)], 2)],
            ),
        ];
        let mut registry = Registry::with_prefix(PREFIX);
        registry.register_collector(Box::new(Counted(counted)));
        let mut text = String::new();
        prometheus_text::encode(&mut text, &registry).unwrap();
        let wanted = [
            "# HELP convoke_plugin_a_total Help.",
            "# TYPE convoke_plugin_a_total counter",
            "convoke_plugin_a_total{plugin=\"one\",to=\"x\\\"y\"} 2",
            "convoke_plugin_a_total{plugin=\"two\",to=\"x\\\"y\"} 0.5",
            "# HELP convoke_plugin_b Help.",
            "# TYPE convoke_plugin_b gauge",
            "convoke_plugin_b{plugin=\"one\",to=\"x\\\"y\"} -Inf",
            "# HELP convoke_plugin_c_seconds Help.",
            "# TYPE convoke_plugin_c_seconds histogram",
            "convoke_plugin_c_seconds_bucket{plugin=\"one\",to=\"x\\\"y\",le=\"0.5\"} 1",
            "convoke_plugin_c_seconds_bucket{plugin=\"one\",to=\"x\\\"y\",le=\"1\"} 1",
            "convoke_plugin_c_seconds_bucket{plugin=\"one\",to=\"x\\\"y\",le=\"+Inf\"} 2",
            "convoke_plugin_c_seconds_sum{plugin=\"one\",to=\"x\\\"y\"} 7.25",
            "convoke_plugin_c_seconds_count{plugin=\"one\",to=\"x\\\"y\"} 2",
        ];
        assert_eq!(text, wanted.join("\n") + "\n");
    }
}
