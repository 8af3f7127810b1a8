//! The iSchedule Sender (spec §2): one message, many recipients, one delivery status for each.
//!
//! It finds the receiver of every recipient (`route`), lets those behind one receiver share a POST,
//! reads what each receiver takes (`capabilities_cache`, and over a restart `kept_document`), posts (`post`) and merges the answers in the order of the request.
//! Of several receivers, one that hung a short while ago is tried last (`hanging`).
//! Groups are served side by side, few at a time, so that one slow receiver delays nobody else's answer.
//!
//! Where a server tells busy time by URL instead (`busy_url`), questions about it are answered from what is read there.
//!
//! Not here: a spool. What cannot be delivered now is answered with 5.1 and with when it may be tried again, and waits in
//! the outbox of `convoke-scheduling`.

mod body;
mod busy_url;
mod capabilities_cache;
mod hanging;
mod kept_document;
mod post;
mod route;

use crate::{
    metrics::{Metrics, Stage, Way},
    write_behind::WriteBehind,
};
use busy_url::BusyUrls;
use capabilities_cache::CapabilitiesCache;
use convoke_ischedule::dkim;
use convoke_net::http_client::Client;
use convoke_plugin_host::Plugins;
use convoke_scheduling::{HandedOver, Letter, Outcome, Retry, Transport, Via};
use convoke_types::{CalendarAddress, RequestStatus};
use futures::{FutureExt, StreamExt, future::BoxFuture, stream};
use hanging::Hanging;
use route::Route;
use std::sync::Arc;

/// How many receivers are talked to at once for one message, and how many look-ups run at once.
const PARALLEL: usize = 16;

/// Sends scheduling messages to the receivers of other domains. Cheap to clone.
#[derive(Clone)]
pub struct Sender {
    client: Client,
    plugins: Arc<Plugins>,
    signer: Option<Arc<dkim::Signer>>,
    capabilities: Arc<CapabilitiesCache>,
    busy_urls: BusyUrls,
    hanging: Hanging,
    metrics: Arc<Metrics>,
}

/// Whether these are the same receivers, in whatever order: equal ones come in an order of chance (RFC 2782).
fn are_the_same(one: &[convoke_sdk::Receiver], other: &[convoke_sdk::Receiver]) -> bool {
    one.len() == other.len() && one.iter().all(|receiver| other.contains(receiver))
}

impl Sender {
    /// A sender that finds receivers by the discovery plugins and signs with `signer`, if there is one.
    pub fn new(
        client: Client,
        plugins: Arc<Plugins>,
        signer: Option<Arc<dkim::Signer>>,
        writes: Arc<WriteBehind>,
        metrics: Arc<Metrics>,
    ) -> Self {
        let capabilities = CapabilitiesCache::new(plugins.state.clone(), writes);
        Self {
            client,
            plugins,
            signer,
            capabilities: Arc::new(capabilities),
            busy_urls: BusyUrls::new(),
            hanging: Hanging::default(),
            metrics,
        }
    }

    async fn routes(&self, letter: &Letter<'_>, recipients: &[CalendarAddress]) -> Vec<Route> {
        let mut lookups: Vec<BoxFuture<'_, Route>> = Vec::new();
        for recipient in recipients {
            let route = route::permitted(&self.plugins, letter, recipient);
            lookups.push(self.metrics.timed(Stage::Route, route).boxed());
        }
        stream::iter(lookups).buffered(PARALLEL).collect().await
    }

    /// Delivers to recipients that share receivers: the first that can be reached takes the message.
    async fn deliver(
        &self,
        receivers: &[convoke_sdk::Receiver],
        letter: &Letter<'_>,
        group: &[&CalendarAddress],
    ) -> Vec<Outcome> {
        let mut status = RequestStatus::SERVICE_UNAVAILABLE;
        let mut why = None;
        let mut handed_over = HandedOver::No;
        for receiver in self.hanging.last(receivers) {
            match self.deliver_to(receiver, letter, group).await {
                Ok(outcomes) => {
                    self.hanging.answers(receiver);
                    return outcomes;
                }
                Err(failure) => {
                    if failure.is_hang() {
                        self.hanging.hung(receiver);
                    }
                    tracing::warn!(event = "receiver-failed", receiver = %receiver.url, "not delivered: {failure}");
                    status = failure.status();
                    why = Some(post::described(receiver, &failure));
                    if !failure.may_go_elsewhere() {
                        handed_over = HandedOver::Perhaps;
                        break;
                    }
                }
            }
        }
        let outcome = Outcome {
            handed_over,
            description: why,
            ..status.into()
        };
        vec![outcome.at_receiver(None); group.len()]
    }
}

impl Transport for Sender {
    async fn send(&self, letter: &Letter<'_>, recipients: &[CalendarAddress]) -> Vec<Outcome> {
        let mut outcomes = vec![None; recipients.len()];
        let mut groups: Vec<(Vec<convoke_sdk::Receiver>, Vec<usize>)> = Vec::new();
        let mut urls: Vec<(usize, convoke_sdk::Receiver)> = Vec::new();
        let routes = self.routes(letter, recipients).await;
        for (position, route) in routes.into_iter().enumerate() {
            match route {
                Route::Nowhere { status, reason } => {
                    self.metrics.tried(Way::None, &status);
                    let outcome = Outcome {
                        description: Some(reason),
                        ..status.into()
                    };
                    outcomes[position] = Some(outcome.at_receiver(None).not_handed_over());
                }
                Route::ByMail(reason) => {
                    outcomes[position] = Some(Outcome {
                        description: Some(reason),
                        retry: Retry::ByMail,
                        ..RequestStatus::NO_SCHEDULING_SUPPORT.into()
                    });
                }
                Route::FreeBusyUrl(url) => urls.push((position, url)),
                Route::Receivers(receivers) => {
                    match groups
                        .iter_mut()
                        .find(|(known, _)| are_the_same(known, &receivers))
                    {
                        Some((_, members)) => members.push(position),
                        None => groups.push((receivers, vec![position])),
                    }
                }
            }
        }
        let asked = urls.iter().map(|(position, url)| {
            let recipient = &recipients[*position];
            let asked = self
                .busy_urls
                .ask(&self.client, url, letter.message, recipient);
            async move { (*position, asked.await) }.boxed()
        });
        let asked: Vec<BoxFuture<'_, (usize, Outcome)>> = asked.collect();
        let mut asked = stream::iter(asked).buffer_unordered(PARALLEL);
        while let Some((position, outcome)) = asked.next().await {
            self.metrics.tried(Way::FreeBusyUrl, &outcome.status);
            outcomes[position] = Some(outcome);
        }
        let mut deliveries: Vec<BoxFuture<'_, (&[usize], Vec<Outcome>)>> = Vec::new();
        for (receivers, members) in &groups {
            let group: Vec<&CalendarAddress> = members
                .iter()
                .map(|&position| &recipients[position])
                .collect();
            let delivery = async move {
                let delivered = self.deliver(receivers, letter, &group).await;
                for outcome in &delivered {
                    self.metrics.tried(Way::to(receivers), &outcome.status);
                }
                (members.as_slice(), delivered)
            };
            deliveries.push(delivery.boxed());
        }
        let delivered: Vec<_> = stream::iter(deliveries)
            .buffer_unordered(PARALLEL)
            .collect()
            .await;
        for (members, delivered) in delivered {
            for (&position, outcome) in members.iter().zip(delivered) {
                outcomes[position] = Some(outcome.via(Via::Ischedule));
            }
        }
        outcomes
            .into_iter()
            .map(|outcome| outcome.expect("every recipient is in a group or leads nowhere"))
            .collect()
    }
}
