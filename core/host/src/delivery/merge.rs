//! A message changes a stored object: read, apply, write back if nobody else wrote meanwhile.

use super::{Bounds, Envelope, Home, Outcome, indexing};
use convoke_calendar::{
    itip::{self, Change, Owner, Receiving},
    message::Message,
    tree::{Calendar, Limits},
};
use convoke_sdk::{
    Delivery as Taken, Error, ErrorKind, KeptMessage, NewObject, Precondition, StoredObject,
    Uninvited,
};
use convoke_types::{CalendarAddress, RequestStatus, Uid};

/// How often another writer may win before we give up; each round somebody makes progress.
const ATTEMPTS: usize = 64;

/// Applies a message that has arrived.
pub(super) async fn receive(
    home: &Home,
    envelope: &Envelope<'_>,
    recipient: &CalendarAddress,
    uninvited: Option<Uninvited>,
    bounds: &Bounds,
) -> Result<Outcome, Error> {
    let message = envelope.message;
    let whole = KeptMessage {
        originator: envelope.originator.clone(),
        recipient: recipient.clone(),
        method: message.method().as_str().to_owned(),
        uid: message.uid().clone(),
        data: envelope.data.to_vec(),
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
        now: envelope.now,
        accept_uninvited: uninvited == Some(Uninvited::Accept),
    };
    let received = update(home, message.uid(), &owner, bounds, |existing| {
        let received = itip::receive(message, existing, &at);
        (received.change.clone(), received)
    })
    .await?;
    if received.keep {
        home.store.keep(&home.user.id, &whole).await?;
    }
    Ok(Outcome {
        status: received.status,
        data: None,
        outgoing: received.outgoing,
    })
}

/// Applies a message that the user has sent.
pub(super) async fn sent(home: &Home, message: &Message, bounds: &Bounds) -> Result<(), Error> {
    let addresses = home.addresses();
    let owner = Owner {
        addresses: &addresses,
        timezone: home.timezone(),
    };
    update(home, message.uid(), &owner, bounds, |existing| {
        (itip::sent(message, existing, &owner), ())
    })
    .await
}

/// Lets `apply` change the object of `uid`, again and again until no other writer came between.
async fn update<T>(
    home: &Home,
    uid: &Uid,
    owner: &Owner<'_>,
    bounds: &Bounds,
    apply: impl Fn(Option<&Calendar>) -> (Change, T),
) -> Result<T, Error> {
    let Home { store, user } = home;
    for _ in 0..ATTEMPTS {
        let stored = store.get(&user.id, uid).await?;
        let existing = stored
            .as_ref()
            .map(|object| readable(object, &bounds.limits))
            .transpose()?;
        let (change, answer) = apply(existing.as_ref());
        let when = stored.map_or(Precondition::Absent, |object| {
            Precondition::Matches(object.etag)
        });
        let written = match change {
            Change::None => return Ok(answer),
            Change::Store(calendar) => {
                let index = indexing::index(&calendar, Some(owner), bounds)?;
                let object = NewObject {
                    data: calendar.write(),
                    index,
                };
                store.put(&user.id, &object, &when).await.map(|_| ())
            }
            Change::Remove => store.remove(&user.id, uid, &when).await,
        };
        match written {
            Ok(()) => return Ok(answer),
            Err(error) if error.kind() == ErrorKind::Conflict => {}
            Err(error) => return Err(error),
        }
    }
    Err(Error::unavailable(format!(
        "object {uid} of {} keeps changing under our hands",
        user.address
    )))
}

/// What is stored but cannot be read is left alone.
fn readable(object: &StoredObject, limits: &Limits) -> Result<Calendar, Error> {
    // What was stored may be larger than what is now taken from the wire.
    let limits = Limits {
        bytes: usize::MAX,
        ..limits.clone()
    };
    Calendar::parse(&object.data, &limits).map_err(|error| {
        let text = format!(
            "the stored object {} cannot be read and is left as it is: {error}",
            object.uid
        );
        Error::unavailable(text)
    })
}
