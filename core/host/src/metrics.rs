//! What the host counts, as Prometheus reads it.
//!
//! Counters go on over a reload of the configuration. No label holds what a peer may choose freely, so their number is
//! bounded.

use crate::config::Role;
use convoke_ischedule::ErrorElement;
use convoke_plugin_host::{
    PluginInfo, PluginState,
    metrics::{Family, FamilySeries},
};
use convoke_scheduling::{Event, Journal};
use convoke_sdk::MetricKind;
use convoke_types::RequestStatus;
use http::StatusCode;
use std::{
    collections::BTreeMap,
    fmt::{Display, Write},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// Everything that is counted.
#[derive(Default)]
pub struct Metrics {
    answers: Counter<(&'static str, u16)>,
    took: Mutex<BTreeMap<&'static str, Histogram>>,
    refusals: Counter<&'static str>,
    deliveries: Counter<(&'static str, &'static str, String)>,
    sent: Counter<(&'static str, &'static str, &'static str)>,
    connections: [AtomicU64; ROLES.len()],
    #[cfg(feature = "mail")]
    mails: Counter<&'static str>,
    #[cfg(feature = "mail")]
    mail_connections: AtomicU64,
}

const ROLES: [Role; 4] = [Role::Receiver, Role::Submission, Role::Caldav, Role::Admin];

/// What waits to be delivered, by state, and since how many seconds the oldest of it does.
pub(crate) type Waiting = ([(&'static str, usize); 3], Option<i64>);

/// Upper bounds of the buckets, in seconds.
const BUCKETS: [f64; 7] = [0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10.0];

#[derive(Clone, Copy, Default)]
struct Histogram {
    /// How many took at most as long as the bucket of that place.
    buckets: [u64; BUCKETS.len()],
    count: u64,
    sum: f64,
}

impl Metrics {
    /// An HTTP answer.
    pub(crate) fn answered(&self, role: Role, status: StatusCode, took: Duration) {
        self.answers.add((role.as_str(), status.as_u16()));
        let mut all = self.took.lock().unwrap_or_else(PoisonError::into_inner);
        let histogram = all.entry(role.as_str()).or_default();
        let took = took.as_secs_f64();
        histogram.count += 1;
        histogram.sum += took;
        for (bucket, bound) in histogram.buckets.iter_mut().zip(BUCKETS) {
            *bucket += u64::from(took <= bound);
        }
    }

    /// A request refused as a whole.
    pub(crate) fn refused(&self, element: ErrorElement) {
        self.refusals.add(element.name());
    }

    /// Connections to listeners of `role`, to be raised and lowered.
    pub(crate) fn connections(&self, role: Role) -> &AtomicU64 {
        &self.connections[role as usize]
    }

    /// What became of a mail that came in, for one recipient.
    #[cfg(feature = "mail")]
    pub(crate) fn mail_came_in(&self, outcome: &'static str) {
        self.mails.add(outcome);
    }

    /// Connections to listeners for mail servers, to be raised and lowered.
    #[cfg(feature = "mail")]
    pub(crate) const fn mail_connections(&self) -> &AtomicU64 {
        &self.mail_connections
    }

    /// Prometheus' text format, version 0.0.4.
    pub(crate) fn text(
        &self,
        plugins: &[PluginInfo],
        counted: &[Family],
        waiting: &Waiting,
    ) -> String {
        let mut page = Page(String::new());
        page.family("build_info", "gauge", "The version that runs.");
        page.line(
            "build_info",
            &[("version", env!("CARGO_PKG_VERSION"))],
            &1_u8,
        );
        page.family("answers_total", "counter", "HTTP answers.");
        for ((role, status), count) in self.answers.all() {
            let status = status.to_string();
            let labels = [("listener", role), ("status", status.as_str())];
            page.line("answers_total", &labels, &count);
        }
        self.write_times(&mut page);
        page.family("connections", "gauge", "Connections that are open.");
        for role in ROLES {
            let count = self.connections(role).load(Ordering::Relaxed);
            page.line("connections", &[("listener", role.as_str())], &count);
        }
        #[cfg(feature = "mail")]
        self.write_mail(&mut page);
        page.family("refusals_total", "counter", "Messages refused as a whole.");
        for (error, count) in self.refusals.all() {
            page.line("refusals_total", &[("error", error)], &count);
        }
        let help = "Recipients of ours, by request status.";
        page.family("deliveries_total", "counter", help);
        for ((component, method, code), count) in self.deliveries.all() {
            let labels = [
                ("component", component),
                ("method", method),
                ("code", code.as_str()),
            ];
            page.line("deliveries_total", &labels, &count);
        }
        page.family("sent_total", "counter", "Recipients of other servers.");
        for ((component, method, outcome), count) in self.sent.all() {
            let labels = [
                ("component", component),
                ("method", method),
                ("outcome", outcome),
            ];
            page.line("sent_total", &labels, &count);
        }
        let (counts, oldest) = waiting;
        let help = "Messages that wait to be delivered, one for each recipient.";
        page.family("outbox_entries", "gauge", help);
        for (state, count) in counts {
            page.line("outbox_entries", &[("state", state)], count);
        }
        let help = "How long the oldest of them has been waiting.";
        page.family("outbox_oldest_seconds", "gauge", help);
        page.line("outbox_oldest_seconds", &[], &oldest.unwrap_or_default());
        write_plugins(&mut page, plugins);
        for family in counted {
            write_family(&mut page, family);
        }
        page.0
    }

    /// Connections, which end the family before, and mails.
    #[cfg(feature = "mail")]
    fn write_mail(&self, page: &mut Page) {
        let count = self.mail_connections.load(Ordering::Relaxed);
        page.line("connections", &[("listener", "lmtp")], &count);
        let help = "Mails that came in, one for each recipient, by what became of them.";
        page.family("mails_total", "counter", help);
        for (outcome, count) in self.mails.all() {
            page.line("mails_total", &[("outcome", outcome)], &count);
        }
    }

    fn write_times(&self, page: &mut Page) {
        page.family("answer_seconds", "histogram", "From header to answer.");
        for (role, times) in &*self.took.lock().unwrap_or_else(PoisonError::into_inner) {
            for (bound, count) in BUCKETS.iter().zip(times.buckets) {
                let bound = bound.to_string();
                let labels = [("listener", *role), ("le", bound.as_str())];
                page.line("answer_seconds_bucket", &labels, &count);
            }
            let all = [("listener", *role), ("le", "+Inf")];
            page.line("answer_seconds_bucket", &all, &times.count);
            page.line("answer_seconds_sum", &all[..1], &times.sum);
            page.line("answer_seconds_count", &all[..1], &times.count);
        }
    }
}

impl Journal for Metrics {
    /// The codes of other servers are theirs to choose, so only their outcome counts.
    fn record(&self, event: &Event<'_>) {
        match event {
            Event::Delivered(message, outcomes) => {
                let (component, method) = (message.kind().as_str(), message.method().as_str());
                for outcome in *outcomes {
                    let code = outcome.status.code();
                    self.deliveries.add((component, method, code));
                }
            }
            Event::Sent(message, outcomes) => {
                let (component, method) = (message.kind().as_str(), message.method().as_str());
                for outcome in *outcomes {
                    self.sent.add((component, method, result(&outcome.status)));
                }
            }
            _ => {}
        }
    }
}

fn result(status: &RequestStatus) -> &'static str {
    match status {
        status if status.is_success() => "success",
        status if status.is_pending() => "pending",
        _ => "failure",
    }
}

fn write_plugins(page: &mut Page, plugins: &[PluginInfo]) {
    let help = "Whether a plugin is asked (1) or skipped for a while (0).";
    page.family("plugin_ready", "gauge", help);
    for plugin in plugins {
        let skipped = matches!(plugin.state, PluginState::Skipped { .. });
        write_plugin(page, "plugin_ready", plugin, u8::from(!skipped));
    }
    let help = "Whether a plugin says that it is not as well as it should be (1).";
    page.family("plugin_degraded", "gauge", help);
    for plugin in plugins {
        let degraded = matches!(plugin.state, PluginState::Degraded { .. });
        write_plugin(page, "plugin_degraded", plugin, u8::from(degraded));
    }
}

fn write_plugin(page: &mut Page, name: &str, plugin: &PluginInfo, value: u8) {
    let kind = plugin.kind.to_string();
    let labels = [("plugin", plugin.name.as_str()), ("kind", kind.as_str())];
    page.line(name, &labels, &value);
}

/// What plugins count under one name.
fn write_family(page: &mut Page, family: &Family) {
    let name = format!("plugin_{}", family.name);
    page.family(&name, family.kind.as_str(), &family.help);
    for series in &family.series {
        let labels = series.labels.iter().map(|(label, it)| (&**label, &**it));
        let labels: Vec<_> = [("plugin", &*series.plugin)]
            .into_iter()
            .chain(labels)
            .collect();
        match family.kind {
            MetricKind::Histogram => write_histogram(page, &name, &labels, series),
            _ => page.line(&name, &labels, &number(series.value)),
        }
    }
}

fn write_histogram(page: &mut Page, name: &str, labels: &[(&str, &str)], series: &FamilySeries) {
    let bucket = format!("{name}_bucket");
    for (bound, count) in &series.buckets {
        let bound = bound.to_string();
        page.line(
            &bucket,
            &[labels, &[("le", bound.as_str())]].concat(),
            count,
        );
    }
    page.line(
        &bucket,
        &[labels, &[("le", "+Inf")]].concat(),
        &series.count,
    );
    page.line(&format!("{name}_sum"), labels, &number(series.value));
    page.line(&format!("{name}_count"), labels, &series.count);
}

/// A number as Prometheus reads it.
fn number(value: f64) -> String {
    if value.is_infinite() {
        let sign = if value > 0.0 { '+' } else { '-' };
        return format!("{sign}Inf");
    }
    value.to_string()
}

struct Counter<L>(Mutex<BTreeMap<L, u64>>);

impl<L> Default for Counter<L> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<L: Ord + Clone> Counter<L> {
    fn add(&self, labels: L) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry(labels).or_default() += 1;
    }

    fn all(&self) -> Vec<(L, u64)> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let pair = |(labels, count): (&L, &u64)| (labels.clone(), *count);
        counts.iter().map(pair).collect()
    }
}

/// Writing to a String cannot fail.
struct Page(String);

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = write!(
            self.0,
            "# HELP convoke_{name} {help}\n# TYPE convoke_{name} {kind}\n"
        );
    }

    fn line(&mut self, name: &str, labels: &[(&str, &str)], value: &dyn Display) {
        let _ = write!(self.0, "convoke_{name}{{");
        for (place, (label, text)) in labels.iter().enumerate() {
            let comma = if place > 0 { "," } else { "" };
            let text = text
                .replace('\\', "\\\\")
                .replace('"', "\\\"")
                .replace('\n', "\\n");
            let _ = write!(self.0, "{comma}{label}=\"{text}\"");
        }
        let _ = writeln!(self.0, "}} {value}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAITING: Waiting = ([("waiting", 2), ("retrying", 1), ("held", 0)], Some(5));

    #[test]
    fn the_text_is_as_prometheus_reads_it() {
        let metrics = Metrics::default();
        metrics.answered(Role::Receiver, StatusCode::OK, Duration::from_millis(3));
        metrics.answered(Role::Receiver, StatusCode::OK, Duration::from_secs(20));
        metrics.refused(ErrorElement::MaxRecipients);
        metrics
            .connections(Role::Submission)
            .fetch_add(2, Ordering::Relaxed);
        let text = metrics.text(&[], &[], &WAITING);
        for line in [
            "# TYPE convoke_answer_seconds histogram",
            "convoke_answers_total{listener=\"receiver\",status=\"200\"} 2",
            "convoke_answer_seconds_bucket{listener=\"receiver\",le=\"0.001\"} 0",
            "convoke_answer_seconds_bucket{listener=\"receiver\",le=\"0.005\"} 1",
            "convoke_answer_seconds_bucket{listener=\"receiver\",le=\"10\"} 1",
            "convoke_answer_seconds_bucket{listener=\"receiver\",le=\"+Inf\"} 2",
            "convoke_answer_seconds_sum{listener=\"receiver\"} 20.003",
            "convoke_refusals_total{error=\"max-recipients\"} 1",
            "convoke_connections{listener=\"submission\"} 2",
        ] {
            assert!(text.lines().any(|it| it == line), "{line} in\n{text}");
        }
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
        let family = |name: &str, kind, series| Family {
            name: name.to_owned(),
            kind,
            help: "Help.".to_owned(),
            series,
        };
        let counted = [
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
                vec![series("one", 7.25, &[(0.5, 1)], 2)],
            ),
        ];
        let text = Metrics::default().text(&[], &counted, &WAITING);
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
            "convoke_plugin_c_seconds_bucket{plugin=\"one\",to=\"x\\\"y\",le=\"+Inf\"} 2",
            "convoke_plugin_c_seconds_sum{plugin=\"one\",to=\"x\\\"y\"} 7.25",
            "convoke_plugin_c_seconds_count{plugin=\"one\",to=\"x\\\"y\"} 2",
        ];
        assert!(text.ends_with(&(wanted.join("\n") + "\n")), "{text}");
    }

    #[test]
    fn labels_cannot_break_out_of_their_quotes() {
        let mut page = Page(String::new());
        page.line("x", &[("plugin", "a\"} 1\nb\\")], &0);
        assert_eq!(page.0, "convoke_x{plugin=\"a\\\"} 1\\nb\\\\\"} 0\n");
    }
}
