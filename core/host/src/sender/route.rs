//! Routing: discovers the receiver of a recipient, and asks the policies whether a message may go there.

use crate::access::access_request;
use convoke_calendar::message::Kind;
use convoke_plugin_host::{DiscoveryChain, Objection, Plugins, origin::Origin};
use convoke_scheduling::Letter;
use convoke_sdk::{Discovered, Proof, Receiver};
use convoke_types::{CalendarAddress, RequestStatus};

/// The outcome of discovery for one recipient.
pub(super) enum Route {
    /// These servers, the first that answers. Recipients of equal receivers share a POST.
    Receivers(Vec<Receiver>),
    /// There is no receiver, for the reason that the words say; mail may reach them.
    ByMail(String),
    /// A question about busy time is answered by what is read there.
    FreeBusyUrl(Receiver),
    /// Nobody to send to.
    Nowhere {
        /// What the submitter is told.
        status: RequestStatus,
        /// Why, in words.
        reason: String,
    },
}

/// Finds the receivers, and asks the policies whether the message may go there.
pub(super) async fn permitted(
    plugins: &Plugins,
    letter: &Letter<'_>,
    recipient: &CalendarAddress,
) -> Route {
    let originator = letter.originator;
    let proofs = vec![Proof::Submission(originator.clone())];
    let origin = Origin::of(originator, &proofs);
    let route = origin
        .clone()
        .ask(find(&plugins.discovery, recipient, letter.message.kind()))
        .await;
    let first = match &route {
        // All come from one answer, of which DNSSEC says one thing.
        Route::Receivers(receivers) => receivers.first(),
        Route::FreeBusyUrl(url) => Some(url),
        Route::ByMail(_) | Route::Nowhere { .. } => None,
    };
    let Some(first) = first else {
        return route;
    };
    let request = access_request(letter, proofs, recipient).to_receiver(first);
    let (status, told, reason) = match origin.ask(plugins.policy.forbids(&request)).await {
        None => return route,
        Some(Objection::Denied(reason)) => (
            RequestStatus::NO_AUTHORITY,
            "a policy of this server forbids to send there",
            reason,
        ),
        // Spec §9: a policy that cannot be asked is 5.1.
        Some(Objection::Unavailable(reason)) => (
            RequestStatus::SERVICE_UNAVAILABLE,
            "a policy of this server cannot be asked; try later",
            reason,
        ),
    };
    tracing::info!(event = "not-sent-by-policy", %originator, %recipient, receiver = %first.url, "not sent: {reason}");
    Route::Nowhere {
        status,
        reason: told.to_owned(),
    }
}

/// Asks the discovery strategies. Only their *no* is permanent; an outage is *try later*.
async fn find(discovery: &DiscoveryChain, address: &CalendarAddress, kind: Kind) -> Route {
    let nowhere = |status, reason| Route::Nowhere { status, reason };
    if let Err(no_domain) = address.domain() {
        return nowhere(RequestStatus::INVALID_CALENDAR_USER, no_domain.to_string());
    }
    match discovery.discover(address).await {
        Ok(Discovered::Receivers(mut receivers)) if !receivers.is_empty() => {
            // How long the answer may be kept says nothing about where it leads.
            for receiver in &mut receivers {
                receiver.valid_for = None;
            }
            Route::Receivers(receivers)
        }
        Ok(Discovered::FreeBusyUrl(url)) if kind == Kind::FreeBusy => Route::FreeBusyUrl(url),
        Ok(Discovered::NotMine) => Route::ByMail(format!(
            "no discovery strategy knows a receiver for {address}"
        )),
        Ok(Discovered::Mail | Discovered::FreeBusyUrl(_)) => Route::ByMail(format!(
            "{address} is reached by mail, which this host does not send"
        )),
        Ok(_) => Route::ByMail(format!(
            "the domain of {address} offers no iSchedule service"
        )),
        Err(error) => {
            tracing::warn!(event = "discovery-failed", recipient = %address, "no receiver could be looked up: {error}");
            nowhere(
                RequestStatus::SERVICE_UNAVAILABLE,
                "the receiver could not be looked up; try later".to_owned(),
            )
        }
    }
}
