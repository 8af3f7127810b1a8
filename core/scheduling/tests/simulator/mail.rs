//! Mail between hosts, for who has no receiver: it comes in seconds or days, once or twice, or never.

use crate::{
    executor::{Millis, WORLD},
    host::Env,
    network::{Parcel, receive},
    story::Part,
    world::{Failure, World},
};
use convoke_calendar::message::Message;
use convoke_scheduling::{Guest, Letter, Outcome, Retry, Via};
use convoke_types::{CalendarAddress, RequestStatus};
use futures::channel::oneshot;
use std::sync::{Arc, atomic::Ordering};

const MINUTE: Millis = 60_000;
const DAY: Millis = 24 * 60 * MINUTE;

/// What becomes of a mail that a mail server has taken.
struct Fate {
    lost: bool,
    /// There is no such mailbox, as its mail server says later.
    bounces: bool,
    /// How much later it comes once more.
    again: Option<Millis>,
    way: Millis,
}

/// The Message-ID of a mail, which follows from all that it says, and who says it to whom.
fn message_id(letter: &Letter<'_>, to: &CalendarAddress) -> String {
    let said = String::from_utf8_lossy(letter.data);
    format!("{said} from {} to {to}", letter.originator)
}

impl Env {
    /// A try to send a letter to somebody.
    pub(crate) fn goes_by(&self, via: Via, letter: &Letter<'_>, to: &CalendarAddress) {
        let mut witness = self.world.witness.lock().unwrap();
        witness.goes_by(via, letter, to.human(), self.host);
    }

    /// Hands a mail to the mail server.
    pub(crate) async fn mail(&self, letter: &Letter<'_>, to: &CalendarAddress) -> Outcome {
        let Self { world, host } = self;
        world.operation(*host).await;
        let later = Outcome::from(RequestStatus::SERVICE_UNAVAILABLE).at_receiver(None);
        let failure = world.fails(*host, Part::MailServer);
        if matches!(failure, Some(Failure::Before | Failure::Conflict)) {
            return later.not_handed_over();
        }
        let Some(there) = world.host_of(to) else {
            return RequestStatus::INVALID_CALENDAR_USER.into();
        };
        {
            let mut witness = world.witness.lock().unwrap();
            witness.leaves(letter.message, std::slice::from_ref(to));
            // What comes later may be told meanwhile.
            witness.loss_between(*host, there);
        }
        let parcel = Parcel {
            message_id: Some(message_id(letter, to)),
            from: *host,
            via: Via::Mail,
            originator: letter.originator.clone(),
            recipients: vec![to.clone()],
            data: letter.data.to_vec(),
            is_doubled: false,
        };
        world.mail(parcel, letter.message, there);
        world.operation(*host).await;
        match failure {
            Some(_) => later,
            None => RequestStatus::SENT.into(),
        }
    }
}

impl World {
    /// A mail server has taken a mail.
    fn mail(self: &Arc<Self>, parcel: Parcel, message: &Message, to: usize) {
        let fate = self.fate_of_mail();
        if fate.lost {
            self.log(|| format!("lost: mail {} to host {to}", message.method()));
            let (from, to) = (&parcel.originator, &parcel.recipients[0]);
            let mut witness = self.witness.lock().unwrap();
            return witness.loses_mail(message, from.human(), to.human());
        }
        if fate.bounces {
            self.log(|| format!("mail {} to host {to} will come back", message.method()));
            return self.comes_back(&parcel, message, fate.way);
        }
        if let Some(later) = fate.again {
            self.carry(parcel.clone(), to, fate.way + later);
        }
        self.carry(parcel, to, fate.way);
    }

    fn fate_of_mail(&self) -> Fate {
        let percent = self.post.lock().unwrap().percent_at(self.executor.now());
        let is_late = self.chance(percent);
        Fate {
            lost: self.chance(percent / 4),
            bounces: self.chance(percent / 4),
            again: self.chance(percent).then(|| self.executor.below(DAY)),
            way: self.executor.below(if is_late { 3 * DAY } else { 20_000 }) + 1,
        }
    }

    /// Brings a mail to its recipient's host, again and again until that takes it.
    fn carry(self: &Arc<Self>, parcel: Parcel, to: usize, way: Millis) {
        self.mails.fetch_add(1, Ordering::Relaxed);
        let (world, lost) = (self.clone(), self.times_lost(to));
        self.spawn(WORLD, async move {
            world.sleep(way).await;
            // Nothing can tell an old answer from a new one where the state is lost.
            while world.times_lost(to) == lost && !world.hands_over(&parcel, to).await {
                world.witness.lock().unwrap().loss_between(parcel.from, to);
                world.sleep(5 * MINUTE + world.executor.below(MINUTE)).await;
            }
            world.mails.fetch_sub(1, Ordering::Relaxed);
        });
    }

    /// Brings a report that a mail was not delivered to who has sent it, again and again until that takes it.
    fn comes_back(self: &Arc<Self>, parcel: &Parcel, message: &Message, way: Millis) {
        let (from, to) = (parcel.from, parcel.recipients[0].clone());
        {
            let mut witness = self.witness.lock().unwrap();
            witness.loses_mail(message, parcel.originator.human(), to.human());
            witness.comes_back(message, &parcel.data, parcel.originator.human(), to.human());
        }
        let guest = Guest {
            user: parcel.originator.clone(),
            uid: message.uid().clone(),
            recipient: to,
        };
        self.mails.fetch_add(1, Ordering::Relaxed);
        let (world, lost) = (self.clone(), self.times_lost(from));
        self.spawn(WORLD, async move {
            world.sleep(way).await;
            // Who has lost its state does not know whose address a report comes to.
            while world.times_lost(from) == lost && !world.hears(from, &guest).await {
                world.sleep(5 * MINUTE + world.executor.below(MINUTE)).await;
            }
            world.mails.fetch_sub(1, Ordering::Relaxed);
        });
    }

    /// Whether a host takes a report.
    async fn hears(self: &Arc<Self>, host: usize, guest: &Guest) -> bool {
        let Some(scheduler) = self.running(host) else {
            return false;
        };
        let (answer, told) = oneshot::channel();
        let (guest, world) = (guest.clone(), self.clone());
        self.spawn(host, async move {
            let noted = scheduler.note_bounce(&guest, None, "no such mailbox").await;
            world.log(|| {
                format!(
                    "{} hears that {} has no mailbox: {noted:?}",
                    guest.user, guest.recipient
                )
            });
            // Nobody may wait any more.
            let _ = answer.send(noted.is_ok());
        });
        told.await == Ok(true)
    }

    /// Whether a host takes a mail, for whatever it is.
    async fn hands_over(self: &Arc<Self>, parcel: &Parcel, to: usize) -> bool {
        let (answer, told) = oneshot::channel();
        receive(self, to, parcel.clone(), answer);
        let outcomes = told.await.unwrap_or_default();
        let is_final = |it: &Outcome| matches!(it.retry, Retry::No | Retry::ByMail);
        outcomes.first().is_some_and(is_final)
    }
}
