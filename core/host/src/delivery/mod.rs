//! Delivery to one recipient of ours: from a valid message to a delivery status.
//!
//! [`Delivery::deliver`] asks the policies, finds the calendar user in a store and hands the message on: a question about
//! busy time to `freebusy`, everything else to `merge`, which lets `convoke-calendar` apply it and puts the result
//! back if nobody else changed the object meanwhile.
//!
//! Always true: policy is asked before a store is, so that a peer without authority learns nothing of who exists; what
//! is answered with success is on disk; one recipient's failure is nobody else's.

mod freebusy;
mod indexing;
mod merge;
mod status;

pub use indexing::{Bounds, index_service, room};
pub(crate) use status::status_of;

use crate::{
    config::Config,
    labour::{self, Effort},
    serve::Lasting,
    throttle::{Allowed, Pair, Peer, TooOften},
};
use convoke_calendar::{
    itip::Outgoing,
    message::{Kind, Message, Provenance},
    tree::Limits,
    zone::unknown_names,
};
use convoke_ischedule::{CalendarData, Recipient, RecipientResponse};
use convoke_plugin_host::{Allowance, Plugins, StoreHandle, Verdict, origin::Origin};
use convoke_sdk::{AccessRequest, CalendarUser, Error, Proof};
use convoke_types::{CalendarAddress, RequestStatus, Uid};
use jiff::{Timestamp, tz::TimeZone};
use std::sync::Arc;

/// Delivers to the calendar users of this host.
#[derive(Clone)]
pub struct Delivery {
    config: Arc<Config>,
    plugins: Arc<Plugins>,
    lasting: Arc<Lasting>,
}

/// A message, who sends it, and what it proved.
pub struct Envelope<'a> {
    /// The message, valid by itself.
    pub message: &'a Message,
    /// The message as it came.
    pub data: &'a [u8],
    /// Who sends it.
    pub originator: &'a CalendarAddress,
    /// How it came, and for which domains its sender speaks.
    pub from: Provenance<'a>,
    /// What the peer proved.
    pub proofs: &'a [Proof],
    /// As whom it is counted.
    pub peer: &'a Peer,
    /// Now.
    pub now: Timestamp,
    /// What is left of what it may cost.
    pub effort: Effort,
}

/// What it costs to handle a message for one recipient, whatever it meets there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weight {
    /// As [`labour::weight`] counts.
    lines: usize,
    /// As [`Labour::done`](labour::Labour::done) asks.
    bytes: usize,
}

impl Weight {
    fn of(message: &Message, data: &[u8]) -> Self {
        // What repeats within the day takes as long to index as many bytes to read.
        let frequent = if message.repeats_within_a_day() {
            labour::SMALL
        } else {
            0
        };
        Self {
            lines: labour::weight(data),
            bytes: data.len() + frequent,
        }
    }
}

impl Envelope<'_> {
    fn weight(&self) -> Weight {
        Weight::of(self.message, self.data)
    }
}

/// What became of a message for one recipient.
pub struct Delivered {
    /// For the sender.
    pub response: RecipientResponse,
    /// Messages to send on behalf of the recipient (a REFRESH is answered with a REQUEST).
    pub outgoing: Vec<Outgoing>,
}

/// What one way of delivering gives: a status, data for the sender, messages to send.
pub(crate) struct Outcome {
    status: RequestStatus,
    data: Option<CalendarData>,
    outgoing: Vec<Outgoing>,
}

impl From<RequestStatus> for Outcome {
    fn from(status: RequestStatus) -> Self {
        Self {
            status,
            data: None,
            outgoing: Vec::new(),
        }
    }
}

/// A calendar user of ours, and where its calendar lives.
pub struct Home {
    /// The store.
    pub store: Arc<StoreHandle>,
    /// The calendar user in it.
    pub user: CalendarUser,
}

impl Home {
    /// The user's addresses, the main one first.
    pub fn addresses(&self) -> Vec<CalendarAddress> {
        std::iter::once(&self.user.address)
            .chain(&self.user.aliases)
            .cloned()
            .collect()
    }

    /// The user's time zone; UTC if none is known.
    pub fn timezone(&self) -> TimeZone {
        timezone_of(&self.user)
    }
}

pub(crate) fn timezone_of(user: &CalendarUser) -> TimeZone {
    let Some(name) = &user.timezone else {
        return TimeZone::UTC;
    };
    TimeZone::get(name).unwrap_or_else(|_| {
        tracing::warn!(user = %user.address, "the time zone `{name}` is not known; UTC is used");
        TimeZone::UTC
    })
}

impl Delivery {
    /// Delivers to the users of `config` in the stores of `plugins`.
    pub const fn new(config: Arc<Config>, plugins: Arc<Plugins>, lasting: Arc<Lasting>) -> Self {
        Self {
            config,
            plugins,
            lasting,
        }
    }

    /// Bounds on calendar objects, as the configuration sets them.
    pub fn limits(&self) -> Limits {
        Limits {
            bytes: self.config.limits.content_length,
            instances: self.config.limits.instances,
            ..Limits::default()
        }
    }

    fn bounds(&self) -> Bounds {
        Bounds {
            limits: self.limits(),
            ahead: self.config.server.horizon,
            room: room(self.config.limits.inbox, self.config.limits.content_length),
        }
    }

    /// Delivers a message to one recipient. Never fails: a failure is a status.
    pub async fn deliver(&self, envelope: &Envelope<'_>, recipient: &Recipient) -> Delivered {
        let origin = Origin::of(envelope.originator, envelope.proofs);
        let outcome = origin.ask(self.outcome(envelope, &recipient.address)).await;
        tracing::info!(
            originator = %envelope.originator,
            recipient = %recipient.address,
            method = %envelope.message.method(),
            component = %envelope.message.kind(),
            uid = %envelope.message.uid(),
            "{}", outcome.status
        );
        let response = RecipientResponse::new(&recipient.as_sent, outcome.status);
        Delivered {
            response: RecipientResponse {
                calendar_data: outcome.data,
                ..response
            },
            outgoing: outcome.outgoing,
        }
    }

    async fn outcome(&self, envelope: &Envelope<'_>, recipient: &CalendarAddress) -> Outcome {
        if may_be_ours(&self.config, recipient) == Some(false) {
            return RequestStatus::INVALID_CALENDAR_USER.into();
        }
        let request = access_request(envelope, recipient);
        let allowance = match self.plugins.policy.decide(&request).await {
            Verdict::Allow(allowance) => allowance,
            Verdict::Deny => return RequestStatus::NO_AUTHORITY.into(),
            // Spec §9: a policy that cannot be asked is 5.1.
            Verdict::Unavailable => return RequestStatus::SERVICE_UNAVAILABLE.into(),
        };
        if let Err(TooOften(after)) = self.hold(&allowance, envelope.peer) {
            tracing::info!(originator = %envelope.originator, %recipient, "too often, by {}s", after.as_secs());
            let text = format!("Too often; try again in {} seconds", after.as_secs() + 1);
            return RequestStatus::SERVICE_UNAVAILABLE.with_text(&text).into();
        }
        let home = match self.home(recipient).await {
            Ok(Some(home)) if home.user.schedulable => home,
            Ok(Some(_)) => return RequestStatus::NO_SCHEDULING_SUPPORT.into(),
            Ok(None) => return RequestStatus::INVALID_CALENDAR_USER.into(),
            Err(error) => return status_of(&error).into(),
        };
        // By the user, who may have many addresses.
        if let Err(TooOften(after)) =
            self.hold_quota(&allowance, envelope.originator, &home.user.address)
        {
            tracing::info!(event = "quota-used-up", originator = %envelope.originator, %recipient, "the quota is used up, for {}s", after.as_secs());
            let text = format!(
                "The quota of this sender for this recipient is used up; try again in {} seconds",
                after.as_secs() + 1
            );
            return RequestStatus::SERVICE_UNAVAILABLE.with_text(&text).into();
        }
        let outcome = if envelope.message.kind() == Kind::FreeBusy {
            freebusy::answer(
                &home,
                envelope,
                recipient,
                &freebusy::Shown {
                    detail: allowance.grant.detail,
                    longest: self.config.limits.freebusy_range,
                },
                &self.bounds(),
                &self.lasting.labour,
            )
            .await
        } else {
            let uninvited = allowance.grant.uninvited;
            let labour = &self.lasting.labour;
            merge::receive(
                &home,
                envelope,
                recipient,
                uninvited,
                &self.bounds(),
                labour,
            )
            .await
        };
        outcome.unwrap_or_else(|error| {
            tracing::warn!(recipient = %recipient, "not delivered: {error}");
            status_of(&error).into()
        })
    }

    /// Counts one more use of what the policies allow only so often.
    fn hold(&self, allowance: &Allowance, peer: &Peer) -> Result<(), TooOften> {
        for (policy, limit) in &allowance.rates {
            let allowed = Allowed {
                policy: policy.clone(),
                bucket: limit.bucket,
                peer: peer.clone(),
            };
            let allowances = &self.lasting.paces.allowances;
            allowances.admit(limit.rate, &allowed)?;
        }
        Ok(())
    }

    /// Counts one more of what the policies allow one sender to send to one recipient.
    fn hold_quota(
        &self,
        allowance: &Allowance,
        originator: &CalendarAddress,
        recipient: &CalendarAddress,
    ) -> Result<(), TooOften> {
        for (policy, limit) in &allowance.quotas {
            let pair = Pair::new((policy, limit.bucket), originator, recipient);
            self.lasting.paces.quotas.admit(limit.rate, &pair)?;
        }
        Ok(())
    }

    /// The calendar user that an address means; `None` if there is none here.
    pub async fn home(&self, address: &CalendarAddress) -> Result<Option<Home>, Error> {
        let found = self.plugins.stores.find(address).await?;
        Ok(found.map(|(store, user)| Home {
            store: store.clone(),
            user,
        }))
    }

    /// Whether an address is of one of our users, as its domain tells, or for an alias that is no mailbox, a store.
    pub async fn is_ours(&self, address: &CalendarAddress) -> Result<bool, Error> {
        if may_be_ours(&self.config, address) == Some(true) {
            return Ok(true);
        }
        Ok(address.local_part().is_none() && self.home(address).await?.is_some())
    }

    /// The zone in which the originator reads the times of a message whose TZID nobody knows. `None` if there are none, or if
    /// the originator cannot be looked up.
    pub async fn zone_of_unknown(
        &self,
        message: &Message,
        originator: &CalendarAddress,
    ) -> Option<TimeZone> {
        if unknown_names(message.calendar()).is_empty() {
            return None;
        }
        match self.home(originator).await {
            Ok(home) => home.map(|home| timezone_of(&home.user)),
            Err(error) => {
                tracing::warn!(%originator, uid = %message.uid(), "a time zone that nobody knows is sent undescribed: {error}");
                None
            }
        }
    }

    /// Keeps the originator's own copy in step with a message it has just sent.
    pub async fn keep_own_copy(
        &self,
        message: &Message,
        originator: &CalendarAddress,
    ) -> Result<(), Error> {
        let proofs = [Proof::Submission(originator.clone())];
        let kept = async {
            match self.home(originator).await? {
                Some(home) => {
                    merge::sent(&home, message, &self.bounds(), &self.lasting.labour).await
                }
                None => Ok(()),
            }
        };
        Origin::of(originator, &proofs).ask(kept).await
    }

    /// What a delegator of ours hands on to one of its delegates: what the organizer has told it. `None` if its calendar
    /// holds nothing of that UID which it has delegated to them.
    pub async fn handed_on(
        &self,
        uid: &Uid,
        delegator: &CalendarAddress,
        delegate: &CalendarAddress,
    ) -> Result<Option<Outgoing>, Error> {
        match self.home(delegator).await? {
            Some(home) => merge::handed_on(&home, uid, delegate, &self.bounds()).await,
            None => Ok(None),
        }
    }
}

/// Whether an address is in our domains; `None` for what only a store can tell, as it is no mailbox.
fn may_be_ours(config: &Config, address: &CalendarAddress) -> Option<bool> {
    let ours = address.domain().is_ok_and(|domain| config.is_ours(domain));
    (ours || address.local_part().is_some()).then_some(ours)
}

fn access_request(envelope: &Envelope<'_>, recipient: &CalendarAddress) -> AccessRequest {
    let message = envelope.message;
    let mut request = AccessRequest::new(
        message.method().as_str(),
        message.kind().as_str(),
        envelope.originator.clone(),
        recipient.clone(),
    );
    request.proofs = envelope.proofs.to_vec();
    request
}
