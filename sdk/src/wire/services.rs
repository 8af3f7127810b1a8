//! What the host offers, in both directions.

use super::{Garbage, Read, Write, attributes, read_attributes, write_all};
use crate::{Domain, Health, Metric, MetricKind, Network, Trust, TrustedCertificate};
use convoke_abi::{
    RString, RVec,
    services::{
        Health as SentHealth, Metric as SentMetric, Network as SentNetwork,
        TrustedCertificate as SentCertificate, health, metric_kind, trust,
    },
};

impl Write for Network {
    type Sent = SentNetwork;

    fn write(self) -> SentNetwork {
        SentNetwork {
            nameservers: (self.nameservers.iter())
                .map(|server| RString::from(server.to_string()))
                .collect(),
            trusted: write_all(self.trusted),
            attributes: (&self.attributes).write(),
        }
    }
}

impl Read<SentNetwork> for Network {
    /// Name servers that cannot be read are asked nothing, and certificates not believed.
    fn read(sent: SentNetwork) -> Result<Self, Garbage> {
        Ok(Self {
            nameservers: (sent.nameservers.iter())
                .filter_map(|server| server.parse().ok())
                .collect(),
            trusted: (sent.trusted.into_iter())
                .filter_map(|it| TrustedCertificate::read(it).ok())
                .collect(),
            attributes: read_attributes(sent.attributes),
        })
    }
}

impl Write for TrustedCertificate {
    type Sent = SentCertificate;

    fn write(self) -> SentCertificate {
        SentCertificate {
            certificate: self.certificate.into(),
            kind: match self.kind {
                Trust::Authority => trust::AUTHORITY,
                Trust::Pinned => trust::PINNED,
            },
            domains: (self.domains.into_iter())
                .map(|domain| String::from(domain).into())
                .collect(),
            attributes: RVec::new(),
        }
    }
}

impl Read<SentCertificate> for TrustedCertificate {
    fn read(sent: SentCertificate) -> Result<Self, Garbage> {
        let kind = match sent.kind {
            trust::AUTHORITY => Trust::Authority,
            trust::PINNED => Trust::Pinned,
            other => return Err(Garbage::new(format!("trust {other} is not known"))),
        };
        // A domain that is lost would leave it believed for all.
        let domains = sent.domains.iter().map(|domain| Domain::new(domain));
        Ok(Self::new(sent.certificate.into_vec(), kind)
            .bound_to(domains.collect::<Result<_, _>>()?))
    }
}

impl<'a> Write for (MetricKind, &'a Metric) {
    type Sent = SentMetric<'a>;

    fn write(self) -> SentMetric<'a> {
        let (kind, metric) = self;
        SentMetric {
            kind: match kind {
                MetricKind::Counter => metric_kind::COUNTER,
                MetricKind::Gauge => metric_kind::GAUGE,
                MetricKind::Histogram => metric_kind::HISTOGRAM,
            },
            name: metric.name.as_str().into(),
            help: metric.help.as_str().into(),
            labels: attributes(metric.labels.iter()),
            bounds: metric.bounds.clone().into(),
            attributes: RVec::new(),
        }
    }
}

impl Read<SentMetric<'_>> for (MetricKind, Metric) {
    fn read(sent: SentMetric<'_>) -> Result<Self, Garbage> {
        let kind = match sent.kind {
            metric_kind::COUNTER => MetricKind::Counter,
            metric_kind::GAUGE => MetricKind::Gauge,
            metric_kind::HISTOGRAM => MetricKind::Histogram,
            other => {
                return Err(Garbage::new(format!(
                    "the kind {other} of a metric is not known"
                )));
            }
        };
        let mut metric = Metric::new(sent.name.as_str(), sent.help.as_str());
        metric.labels = read_attributes(sent.labels);
        metric.bounds = sent.bounds.into_vec();
        Ok((kind, metric))
    }
}

impl<'a> Write for &'a Health {
    type Sent = SentHealth<'a>;

    fn write(self) -> SentHealth<'a> {
        let (state, why) = match self {
            Health::Healthy => (health::OK, ""),
            Health::Degraded(why) => (health::DEGRADED, why.as_str()),
        };
        SentHealth {
            state,
            why: why.into(),
            attributes: RVec::new(),
        }
    }
}

impl Read<SentHealth<'_>> for Health {
    fn read(sent: SentHealth<'_>) -> Result<Self, Garbage> {
        Ok(match sent.state {
            health::OK => Self::Healthy,
            _ => Self::Degraded(sent.why.as_str().to_owned()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_host_offers_comes_back_as_it_was() {
        let domain = Domain::new("example.com").unwrap();
        let servers = ["192.0.2.1:53", "[2001:db8::1]:5353"];
        let network = Network {
            nameservers: servers.map(|it| it.parse().unwrap()).into(),
            trusted: vec![
                TrustedCertificate::new(vec![1, 2], Trust::Authority),
                TrustedCertificate::new(vec![3], Trust::Pinned).bound_to(vec![domain]),
            ],
            ..Network::default()
        };
        let read = Network::read(network.clone().write());
        assert_eq!(read.ok(), Some(network));
        let metric = Metric::new("x_seconds", "X.").with("a", "b").bounds([0.5]);
        let read = <(MetricKind, Metric)>::read((MetricKind::Histogram, &metric).write());
        assert_eq!(read.ok(), Some((MetricKind::Histogram, metric)));
        for health in [Health::Healthy, Health::Degraded("why".to_owned())] {
            assert_eq!(Health::read((&health).write()).ok(), Some(health));
        }
    }

    #[test]
    fn what_is_not_known_is_not_believed() {
        let network = Network {
            trusted: vec![TrustedCertificate::new(vec![1], Trust::Authority); 3],
            ..Network::default()
        };
        let mut sent = network.write();
        sent.trusted[0].kind = 99;
        sent.trusted[1].domains = ["no domain".into()].into_iter().collect();
        sent.nameservers = ["nobody".into()].into_iter().collect();
        let read = Network::read(sent).ok().unwrap();
        assert_eq!((read.trusted.len(), read.nameservers.len()), (1, 0));
        let mut health = (&Health::Healthy).write();
        health.state = 99;
        assert!(Health::read(health).ok().unwrap().why().is_some());
    }
}
