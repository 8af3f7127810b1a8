//! The network between the hosts, which loses, doubles, delays and reorders.

use crate::{
    executor::WORLD,
    host::{AGAIN, Env},
    story::Part,
    world::World,
};
use convoke_calendar::message::{Message, Provenance};
use convoke_scheduling::{
    Answering, Effort, Envelope, Intake, Letter, MailRecipient, Mailing, Outcome, Peer, Retry,
    Transport, TransportFacts, Unbounded, Via,
};
use convoke_types::{CalendarAddress, MailProof, Proof, RequestStatus};
use futures::{
    FutureExt,
    channel::oneshot,
    future::{self, Either},
};
use jiff::Timestamp;
use std::{pin::pin, sync::Arc};

/// How long a sender waits for an answer.
const PATIENCE: u64 = 30_000;

/// A message on its way.
#[derive(Clone)]
pub(crate) struct Parcel {
    /// What tells a mail from another one.
    pub(crate) message_id: Option<String>,
    pub(crate) from: usize,
    pub(crate) via: Via,
    pub(crate) originator: CalendarAddress,
    pub(crate) recipients: Vec<CalendarAddress>,
    pub(crate) data: Vec<u8>,
    pub(crate) is_doubled: bool,
}

/// What becomes of it.
struct Fate {
    lost: bool,
    answer_lost: bool,
    /// How much later it comes once more.
    again: Option<u64>,
    way: u64,
}

impl Transport for Env {
    async fn send(&self, letter: &Letter<'_>, recipients: &[CalendarAddress]) -> Vec<Outcome> {
        let mut outcomes = vec![None; recipients.len()];
        let mut posts = Vec::new();
        for host in 0..self.world.hosts.len() {
            let is_there = |at: &usize| self.world.host_of(&recipients[*at]) == Some(host);
            let members: Vec<usize> = (0..recipients.len()).filter(is_there).collect();
            if members.is_empty() {
                continue;
            }
            if !self.world.hosts[host].has_receiver() {
                let none = Outcome {
                    retry: Retry::ByMail,
                    ..RequestStatus::NO_SCHEDULING_SUPPORT.into()
                };
                for at in members {
                    outcomes[at] = Some(none.clone());
                }
                continue;
            }
            for at in &members {
                self.goes_by(Via::Ischedule, letter, &recipients[*at]);
            }
            let parcel = Parcel {
                message_id: None,
                from: self.host,
                via: Via::Ischedule,
                originator: letter.originator.clone(),
                recipients: members.iter().map(|at| recipients[*at].clone()).collect(),
                data: letter.data.to_vec(),
                is_doubled: false,
            };
            let post = self.post(parcel, letter.message, host);
            posts.push(post.map(|told| (members, told)));
        }
        for (members, told) in future::join_all(posts).await {
            for (at, outcome) in members.into_iter().zip(told) {
                outcomes[at] = Some(outcome);
            }
        }
        let nowhere = || Outcome::from(RequestStatus::INVALID_CALENDAR_USER);
        outcomes
            .into_iter()
            .map(|it| it.unwrap_or_else(nowhere))
            .collect()
    }

    fn mails(&self) -> Mailing {
        if self.world.hosts[self.host].has_mail {
            Mailing::On
        } else {
            Mailing::Off
        }
    }

    async fn send_mail(
        &self,
        letter: &Letter<'_>,
        recipients: &[MailRecipient],
        _: Timestamp,
    ) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        for MailRecipient { address, .. } in recipients {
            self.goes_by(Via::Mail, letter, address);
            outcomes.push(self.mail(letter, address).await);
        }
        outcomes
    }
}

impl Env {
    async fn post(&self, parcel: Parcel, message: &Message, to: usize) -> Vec<Outcome> {
        let Self { world, host } = self;
        world.operation(*host).await;
        world
            .witness
            .lock()
            .unwrap()
            .leaves(message, &parcel.recipients);
        let many = parcel.recipients.len();
        let down = || {
            world.witness.lock().unwrap().loss_between(*host, to);
            vec![Outcome::from(RequestStatus::SERVICE_UNAVAILABLE).at_receiver(None); many]
        };
        let fate = world.fate(to);
        world.sleep(fate.way).await;
        let is_cut = [*host, to]
            .iter()
            .any(|it| world.is_broken(*it, Part::Network));
        if is_cut || fate.lost {
            world.sleep(PATIENCE / 2).await;
            world.log(|| format!("lost: {} to host {to}", message.method()));
            return down();
        }
        if let Some(later) = fate.again {
            let (world, mut parcel) = (world.clone(), parcel.clone());
            parcel.is_doubled = true;
            world.clone().spawn(WORLD, async move {
                let lost = world.times_lost(to);
                world.sleep(later).await;
                if world.times_lost(to) > lost {
                    return; // nothing can tell an old answer from a new one then
                }
                world.log(|| format!("once more to host {to}"));
                let (answer, _) = oneshot::channel();
                receive(&world, to, parcel, answer);
            });
        }
        let (answer, told) = oneshot::channel();
        receive(world, to, parcel, answer);
        let patience = pin!(world.sleep(PATIENCE));
        match future::select(told, patience).await {
            Either::Left((Ok(outcomes), _)) if !fate.answer_lost => {
                world.sleep(fate.way).await;
                world.operation(*host).await;
                outcomes
            }
            _ => {
                world.log(|| format!("no answer: {} to host {to}", message.method()));
                down()
            }
        }
    }
}

impl World {
    fn fate(&self, to: usize) -> Fate {
        let percent = self.network.lock().unwrap().percent_at(self.executor.now());
        let is_late = self.chance(percent);
        Fate {
            lost: self.chance(percent),
            answer_lost: self.chance(percent / 2),
            again: self
                .chance(percent)
                .then(|| self.executor.below(300_000))
                // What waits to be let in is for the replay memory of a receiver to tell from what came twice.
                .filter(|_| !self.hosts[to].holds_strangers),
            way: self.executor.below(if is_late { 25_000 } else { 50 }) + 1,
        }
    }
}

/// A host is handed a message; if it ends meanwhile, so does the answer.
pub(crate) fn receive(
    world: &Arc<World>,
    host: usize,
    parcel: Parcel,
    answer: oneshot::Sender<Vec<Outcome>>,
) {
    let Some(scheduler) = world.running(host) else {
        return;
    };
    let sender = world.hosts[parcel.from].domain.clone();
    let world = world.clone();
    world.clone().spawn(host, async move {
        let proven = [sender.clone()];
        let now = world.time_at(host);
        let Parcel {
            message_id,
            via,
            originator,
            recipients,
            data,
            is_doubled,
            ..
        } = &parcel;
        let (from, proof) = match via {
            Via::Ischedule => (
                Provenance::Peer { proven: &proven },
                Proof::Dkim(sender.clone()),
            ),
            Via::Mail => (
                Provenance::Mail,
                Proof::Mail(originator.clone(), MailProof::Dmarc),
            ),
        };
        let intake = Intake {
            data,
            originator,
            recipients,
            from,
            now,
        };
        let message = match scheduler.read(&intake, |_| Ok(())).await {
            Ok(message) => message,
            Err(refusal) => {
                let text = String::from_utf8_lossy(data);
                let complaint = format!("host {host} refuses what was sent: {refusal}\n{text}");
                world.witness.lock().unwrap().complain(complaint);
                return;
            }
        };
        let envelope = Envelope {
            message: &message,
            data,
            originator,
            from,
            proofs: &[proof],
            peer: &Peer::Domain(sender.clone()),
            transport: TransportFacts {
                message_id: message_id.as_deref().or(is_doubled.then_some(AGAIN)),
                ..TransportFacts::default()
            },
            now,
            answering: Answering::Allowed,
            effort: Effort::default(),
        };
        let outcomes = scheduler.deliver(&envelope, recipients, &Unbounded).await;
        // The sender may wait no longer.
        let _ = answer.send(outcomes);
    });
}
