//! The iSchedule Sender (spec §2): one message, many recipients, one delivery status for each.
//!
//! [`Sender::send`] finds the receiver of every recipient (`route`), lets those behind one receiver share a POST,
//! reads what each receiver takes (`known`), posts (`post`) and merges the answers in the order of the request.
//! Groups are served side by side, few at a time, so that one slow receiver delays nobody else's answer.
//!
//! Not here: a spool. What cannot be delivered now is answered with 5.1, and the submitter tries again.

mod body;
mod known;
mod post;
mod route;

use convoke_calendar::message::Message;
use convoke_ischedule::{Recipient, RecipientResponse, dkim};
use convoke_net::http_client::Client;
use convoke_plugin_host::Plugins;
use convoke_types::CalendarAddress;
use futures::{FutureExt, StreamExt, future::BoxFuture, stream};
use known::Known;
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
    known: Arc<Known>,
}

/// Whether these are the same receivers, in whatever order: equal ones come in an order of chance (RFC 2782).
fn are_the_same(one: &[convoke_sdk::Receiver], other: &[convoke_sdk::Receiver]) -> bool {
    one.len() == other.len() && one.iter().all(|receiver| other.contains(receiver))
}

impl Sender {
    /// A sender that finds receivers by the discovery plugins and signs with `signer`, if there is one.
    pub fn new(client: Client, plugins: Arc<Plugins>, signer: Option<Arc<dkim::Signer>>) -> Self {
        Self {
            client,
            plugins,
            signer,
            known: Arc::default(),
        }
    }

    /// Sends `message` to `recipients`: one response for each, in their order. Never fails as a whole.
    pub async fn send(
        &self,
        message: &Message,
        originator: &CalendarAddress,
        recipients: &[Recipient],
    ) -> Vec<RecipientResponse> {
        let mut responses = vec![None; recipients.len()];
        let mut groups: Vec<(Vec<convoke_sdk::Receiver>, Vec<usize>)> = Vec::new();
        for (position, route) in self
            .routes(message, originator, recipients)
            .await
            .into_iter()
            .enumerate()
        {
            match route {
                Route::Nowhere { status, reason } => {
                    let response = RecipientResponse::new(&recipients[position].as_sent, status);
                    responses[position] = Some(RecipientResponse {
                        description: Some(reason),
                        ..response
                    });
                }
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
        let mut deliveries: Vec<BoxFuture<(&[usize], Vec<RecipientResponse>)>> = Vec::new();
        for (receivers, members) in &groups {
            let group: Vec<&Recipient> = members
                .iter()
                .map(|&position| &recipients[position])
                .collect();
            let delivery = async move {
                (
                    members.as_slice(),
                    self.deliver(receivers, message, originator, &group).await,
                )
            };
            deliveries.push(delivery.boxed());
        }
        let delivered: Vec<_> = stream::iter(deliveries)
            .buffer_unordered(PARALLEL)
            .collect()
            .await;
        for (members, answers) in delivered {
            for (&position, answer) in members.iter().zip(answers) {
                responses[position] = Some(answer);
            }
        }
        responses
            .into_iter()
            .map(|response| response.expect("every recipient is in a group or leads nowhere"))
            .collect()
    }

    async fn routes(
        &self,
        message: &Message,
        originator: &CalendarAddress,
        recipients: &[Recipient],
    ) -> Vec<Route> {
        let mut lookups: Vec<BoxFuture<Route>> = Vec::new();
        for recipient in recipients {
            let to = &recipient.address;
            lookups.push(route::permitted(&self.plugins, message, originator, to).boxed());
        }
        stream::iter(lookups).buffered(PARALLEL).collect().await
    }

    /// Delivers to recipients that share receivers: the first that can be reached takes the message.
    async fn deliver(
        &self,
        receivers: &[convoke_sdk::Receiver],
        message: &Message,
        originator: &CalendarAddress,
        group: &[&Recipient],
    ) -> Vec<RecipientResponse> {
        let mut status = convoke_types::RequestStatus::SERVICE_UNAVAILABLE;
        for receiver in receivers {
            match self.deliver_to(receiver, message, originator, group).await {
                Ok(answers) => return answers,
                Err(failure) => {
                    tracing::warn!(receiver = %receiver.url, "not delivered: {failure}");
                    status = failure.status();
                    if !failure.may_go_elsewhere() {
                        break;
                    }
                }
            }
        }
        post::same_for_all(group, &status)
    }
}
