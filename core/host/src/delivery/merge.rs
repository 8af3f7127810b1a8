//! A message changes a stored object: read, apply, write back if nobody else wrote meanwhile.

use super::{Bounds, Envelope, Home, Outcome, Weight, indexing};
use crate::labour::{self, Busy, Effort, Labour, TooMuch};
use convoke_calendar::{
    itip::{self, Anomaly, Change, Outgoing, Owner, Receiving},
    message::{Message, Method},
    tree::{Calendar, Limits},
};
use convoke_sdk::{
    Delivery as Taken, Error, ErrorKind, KeptMessage, NewObject, Precondition, StoredObject,
    Uninvited,
};
use convoke_types::{CalendarAddress, RequestStatus, Uid};
use jiff::Timestamp;
use sha2::{Digest, Sha256};

/// How often another writer may win before we give up; each round somebody makes progress.
const ATTEMPTS: usize = 64;

/// Applies a message that has arrived.
pub(super) async fn receive(
    home: &Home,
    envelope: &Envelope<'_>,
    recipient: &CalendarAddress,
    uninvited: Option<Uninvited>,
    bounds: &Bounds,
    labour: &Labour,
) -> Result<Outcome, Error> {
    let message = envelope.message;
    let whole = KeptMessage {
        originator: envelope.originator.clone(),
        recipient: recipient.clone(),
        method: message.method().as_str().to_owned(),
        uid: message.uid().clone(),
        data: envelope.data.to_vec(),
        attributes: Vec::new(),
    };
    if let Taken::Taken(status) = home.store.deliver(&home.user.id, &whole).await? {
        return Ok(status
            .parse()
            .unwrap_or(RequestStatus::SERVICE_UNAVAILABLE)
            .into());
    }
    let mut addresses = home.addresses();
    // Where the message names nobody, the user speaks as whom it was sent to.
    addresses.sort_by_key(|address| !address.same_user(recipient));
    let owner = Owner {
        addresses: &addresses,
        timezone: home.timezone(),
    };
    let at = Receiving {
        owner: &owner,
        originator: envelope.originator,
        from: envelope.from,
        now: envelope.now,
        accept_uninvited: uninvited == Some(Uninvited::Accept),
    };
    let updating = Updating {
        home,
        uid: message.uid(),
        owner: &owner,
        bounds,
        labour,
        weight: envelope.weight(),
        effort: Some(&envelope.effort),
    };
    let received = updating
        .update(|existing| {
            let mut received = itip::receive(message, existing, &at);
            let change = std::mem::replace(&mut received.change, Change::None);
            (change, received)
        })
        .await;
    let received = match received {
        Ok(received) => received,
        Err(Stopped::Failed(error)) => return Err(error),
        Err(Stopped::TooMuch) => {
            tracing::info!(
                event = "too-much-work", originator = %envelope.originator, %recipient, uid = %message.uid(),
                "the message asks for more work than one may"
            );
            let text =
                "The message takes too much work for so many recipients; send it to fewer at once";
            return Ok(RequestStatus::SERVICE_UNAVAILABLE.with_text(text).into());
        }
    };
    if let Some(anomaly) = &received.anomaly {
        log(anomaly, message, recipient);
    }
    if received.keep {
        let kept = whole.about(&instance(message)).within(bounds.room);
        match home.store.keep(&home.user.id, &kept).await {
            Err(error) if error.kind() == ErrorKind::Conflict => {
                tracing::info!(
                    event = "inbox-full", originator = %envelope.originator, %recipient, uid = %message.uid(),
                    "the message is not kept: {error}"
                );
                let text = "There is no room for more messages that the recipient has to decide on";
                return Ok(RequestStatus::SERVICE_UNAVAILABLE.with_text(text).into());
            }
            kept => kept?,
        }
    }
    Ok(Outcome {
        status: received.status,
        data: None,
        outgoing: received.outgoing,
    })
}

/// Tells the administrator what the sender is not told.
fn log(anomaly: &Anomaly, message: &Message, recipient: &CalendarAddress) {
    let shown = |address: Option<&CalendarAddress>| match address {
        Some(address) => address.to_string(),
        None => "nobody".to_owned(),
    };
    let calls_off = matches!(message.method(), Method::Cancel | Method::DeclineCounter);
    let (uid, method) = (message.uid(), message.method());
    let organizer = shown(message.organizer());
    match anomaly {
        Anomaly::UidTaken { organizer: holder } if !calls_off => tracing::warn!(
            event = "uid-taken",
            %recipient,
            %uid,
            %method,
            organizer,
            holder = shown(holder.as_ref()),
            "refused: the recipient has something else of that UID"
        ),
        Anomaly::UidTaken { organizer: holder } => tracing::info!(
            event = "cancel-ignored",
            %recipient,
            %uid,
            %method,
            organizer,
            holder = shown(holder.as_ref()),
            "acknowledged and ignored: what the recipient has of that UID is not this organizer's"
        ),
        _ => tracing::info!(
            event = "cancel-ignored",
            %recipient,
            %uid,
            %method,
            organizer,
            "acknowledged and ignored: the recipient has nothing of that UID"
        ),
    }
}

/// Makes what a delegator hands on of its own copy.
pub(super) async fn handed_on(
    home: &Home,
    uid: &Uid,
    delegate: &CalendarAddress,
    bounds: &Bounds,
) -> Result<Option<Outgoing>, Error> {
    let addresses = home.addresses();
    let owner = Owner {
        addresses: &addresses,
        timezone: home.timezone(),
    };
    let Some(stored) = home.store.get(&home.user.id, uid).await? else {
        return Ok(None);
    };
    let existing = readable(&stored, &bounds.limits)?;
    Ok(itip::handed_on(&existing, &owner, delegate))
}

/// Which instances a message is about, as long as a digest at most.
fn instance(message: &Message) -> String {
    let names = message.instance_names();
    if names.len() <= 64 {
        return names;
    }
    let digest: Vec<String> = Sha256::digest(names)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    digest.concat()
}

/// Applies a message that the user has sent.
pub(super) async fn sent(
    home: &Home,
    message: &Message,
    bounds: &Bounds,
    labour: &Labour,
) -> Result<(), Error> {
    let now = Timestamp::now();
    let addresses = home.addresses();
    let owner = Owner {
        addresses: &addresses,
        timezone: home.timezone(),
    };
    let updating = Updating {
        home,
        uid: message.uid(),
        owner: &owner,
        bounds,
        labour,
        weight: Weight::of(message, &message.calendar().write()),
        effort: None,
    };
    let updated = updating.update(|existing| (itip::sent(message, existing, &owner, now), ()));
    updated.await.map_err(|stopped| match stopped {
        Stopped::Failed(error) => error,
        Stopped::TooMuch => Error::unavailable("the message takes too much work"),
    })
}

/// An object that is about to change.
struct Updating<'a> {
    home: &'a Home,
    uid: &'a Uid,
    owner: &'a Owner<'a>,
    bounds: &'a Bounds,
    labour: &'a Labour,
    /// Of the message.
    weight: Weight,
    /// What is left for the message; `None` if it is one of our own users'.
    effort: Option<&'a Effort>,
}

/// Why an object did not change.
enum Stopped {
    TooMuch,
    Failed(Error),
}

impl From<Busy> for Stopped {
    fn from(busy: Busy) -> Self {
        Self::Failed(busy.into())
    }
}

impl From<Error> for Stopped {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// What is to be written.
enum Write {
    Nothing,
    Put(NewObject),
    Remove,
}

impl Updating<'_> {
    /// Lets `apply` change the object, again and again until no other writer came between.
    async fn update<T>(
        self,
        apply: impl Fn(Option<&Calendar>) -> (Change, T) + Send + Sync,
    ) -> Result<T, Stopped> {
        let Home { store, user } = self.home;
        for _ in 0..ATTEMPTS {
            let stored = store.get(&user.id, self.uid).await?;
            let bytes = stored.as_ref().map(|object| object.data.as_slice());
            let bytes = bytes.unwrap_or_default();
            if let Some(effort) = self.effort {
                // What is new is compared with nothing, which is most of the work.
                let lines = match bytes.len() {
                    0 => self.weight.lines / 4,
                    _ => self.weight.lines + labour::weight(bytes),
                };
                let handled = effort.handle(lines);
                handled.map_err(|TooMuch| Stopped::TooMuch)?;
            }
            let work = || self.work(stored.as_ref(), &apply);
            let size = self.weight.bytes + bytes.len();
            let (write, answer) = match self.effort {
                Some(effort) => self.labour.done_for(effort, size, work).await??,
                None => self.labour.done(size, work).await?,
            };
            let when = stored.map_or(Precondition::Absent, |object| {
                Precondition::Matches(object.etag)
            });
            let written = match write {
                Write::Nothing => return Ok(answer),
                Write::Put(object) => store.put(&user.id, &object, &when).await.map(|_| ()),
                Write::Remove => store.remove(&user.id, self.uid, &when).await,
            };
            match written {
                Ok(()) => return Ok(answer),
                Err(error) if error.kind() == ErrorKind::Conflict => {}
                Err(error) => return Err(error.into()),
            }
        }
        let text = format!(
            "object {} of {} keeps changing under our hands",
            self.uid, user.address
        );
        Err(Error::unavailable(text).into())
    }

    /// What takes the processor's time: reads what is stored, changes it, makes it ready to be written.
    fn work<T>(
        &self,
        stored: Option<&StoredObject>,
        apply: impl Fn(Option<&Calendar>) -> (Change, T),
    ) -> Result<(Write, T), Error> {
        let existing = stored
            .map(|object| readable(object, &self.bounds.limits))
            .transpose()?;
        let (change, answer) = apply(existing.as_ref());
        let write = match change {
            Change::None => Write::Nothing,
            Change::Store(calendar) => Write::Put(NewObject {
                index: indexing::index(&calendar, Some(self.owner), self.bounds)?,
                data: calendar.write(),
            }),
            Change::Remove => Write::Remove,
        };
        Ok((write, answer))
    }
}

/// What is stored but cannot be read is left alone.
fn readable(object: &StoredObject, limits: &Limits) -> Result<Calendar, Error> {
    // What was stored may be larger than what is now taken from the wire.
    let limits = Limits {
        bytes: usize::MAX,
        ..limits.clone()
    };
    Calendar::parse_stored(&object.data, &limits).map_err(|error| {
        let text = format!(
            "the stored object {} cannot be read and is left as it is: {error}",
            object.uid
        );
        Error::unavailable(text)
    })
}
