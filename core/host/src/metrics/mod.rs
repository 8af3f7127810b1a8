//! What the host counts, as Prometheus reads it.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `labels` | what tells the series of a metric apart |
//! | `stage` | how long the stages of a message take |
//! | `page` | what is shown: beside what was counted, what is found when somebody looks |
//! | `process` | what the system says of this process |
//!
//! Counters go on over a reload of the configuration. No label holds what a peer may choose freely, so the number of series
//! is bounded.

mod labels;
mod page;
mod process;
mod stage;

pub(crate) use labels::{Way, known_code};
pub(crate) use page::{Found, Waiting};
pub(crate) use stage::Stage;

use crate::config::Role;
use convoke_ischedule::ErrorElement;
use convoke_scheduling::{Event, Journal};
use convoke_types::RequestStatus;
use http::StatusCode;
#[cfg(feature = "mail")]
use labels::CameIn;
use labels::{Answered, By, Delivered, Error, Outgoing, Sent};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram, info::Info},
    registry::{Metric, Registry},
};
use std::{fmt, hash::Hash, time::Duration};

/// Histograms of how long something takes, by what is told apart.
type Times<L> = Family<L, Histogram, fn() -> Histogram>;

/// What the name of each metric of the host begins with.
const PREFIX: &str = "convoke";

/// Upper bounds of the buckets, in seconds.
const BUCKETS: [f64; 7] = [0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10.0];

/// What a listener for mail servers is called.
#[cfg(feature = "mail")]
const LMTP: &str = "lmtp";

/// Everything that is counted.
pub struct Metrics {
    registry: Registry,
    answers: Family<Answered, Counter>,
    took: Times<By>,
    stages: Times<Stage>,
    refusals: Family<Error, Counter>,
    deliveries: Family<Delivered, Counter>,
    sent: Family<Sent, Counter>,
    outgoing: Family<Outgoing, Counter>,
    connections: Family<By, Gauge>,
    #[cfg(feature = "mail")]
    mails: Family<CameIn, Counter>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix(PREFIX);
        let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The version that runs", version);
        let to = &mut registry;
        Self {
            answers: put(to, "answers", "HTTP answers"),
            took: put_times(to, "answer_seconds", "From header to answer"),
            stages: put_times(to, "stage_seconds", "How long stages of a message take"),
            refusals: put(to, "refusals", "Messages refused as a whole"),
            deliveries: put(to, "deliveries", "Recipients of ours, by request status"),
            sent: put(to, "sent", "Recipients of other servers"),
            outgoing: put(
                to,
                "outgoing",
                "Tries to reach recipients elsewhere, by request status",
            ),
            connections: {
                let all = put::<Family<By, Gauge>>(to, "connections", "Connections that are open");
                for by in Role::ALL.map(By::from) {
                    drop(all.get_or_create(&by));
                }
                #[cfg(feature = "mail")]
                drop(all.get_or_create(&By { listener: LMTP }));
                all
            },
            #[cfg(feature = "mail")]
            mails: put(
                to,
                "mails",
                "Mails that came in, one for each recipient, by what became of them",
            ),
            registry,
        }
    }
}

/// Makes a metric, and shows it.
fn put<M: Metric + Clone + Default>(registry: &mut Registry, name: &str, help: &str) -> M {
    let metric = M::default();
    registry.register(name, help, metric.clone());
    metric
}

fn put_times<L>(registry: &mut Registry, name: &str, help: &str) -> Times<L>
where
    L: EncodeLabelSet + Clone + fmt::Debug + Eq + Hash + Send + Sync + 'static,
{
    let times = Times::<L>::new_with_constructor(|| Histogram::new(BUCKETS));
    registry.register(name, help, times.clone());
    times
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Metrics {
    /// An HTTP answer.
    pub(crate) fn answered(&self, role: Role, status: StatusCode, took: Duration) {
        let listener = role.as_str();
        let status = status.as_u16();
        let answered = Answered { listener, status };
        self.answers.get_or_create(&answered).inc();
        let times = self.took.get_or_create(&By { listener });
        times.observe(took.as_secs_f64());
    }

    /// A request refused as a whole.
    pub(crate) fn refused(&self, element: ErrorElement) {
        let error = element.name();
        self.refusals.get_or_create(&Error { error }).inc();
    }

    /// What became of one try to reach a recipient elsewhere.
    pub(crate) fn tried(&self, receiver: Way, status: &RequestStatus) {
        let status = labels::known_code(status);
        let outgoing = Outgoing { receiver, status };
        self.outgoing.get_or_create(&outgoing).inc();
    }

    /// A connection to a listener of `role`, as long as what is returned is there.
    pub(crate) fn connected(&self, role: Role) -> Connected {
        Connected::new(self.connections.get_or_create(&role.into()).clone())
    }

    /// What became of a mail that came in, for one recipient.
    #[cfg(feature = "mail")]
    pub(crate) fn mail_came_in(&self, outcome: &'static str) {
        self.mails.get_or_create(&CameIn { outcome }).inc();
    }

    /// The same to a listener for mail servers.
    #[cfg(feature = "mail")]
    pub(crate) fn mail_connected(&self) -> Connected {
        let by = By { listener: LMTP };
        Connected::new(self.connections.get_or_create(&by).clone())
    }
}

/// Counts a connection while it is there.
pub(crate) struct Connected(Gauge);

impl Connected {
    fn new(connections: Gauge) -> Self {
        connections.inc();
        Self(connections)
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        self.0.dec();
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
                    let delivered = Delivered {
                        component,
                        method,
                        code,
                    };
                    self.deliveries.get_or_create(&delivered).inc();
                }
            }
            Event::Sent(message, outcomes) => {
                let (component, method) = (message.kind().as_str(), message.method().as_str());
                for outcome in *outcomes {
                    let outcome = result(&outcome.status);
                    let sent = Sent {
                        component,
                        method,
                        outcome,
                    };
                    self.sent.get_or_create(&sent).inc();
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
