//! Messages that wait for a person to decide on.

use crate::{
    envelope::InboxItem,
    environment::{Environment, Home, Notice, Occasion},
    scheduler::Scheduler,
};
use convoke_calendar::{
    message::{Message, Method},
    tree::{self, Calendar},
};
use convoke_types::{Error, ErrorKind, InboxMessage, MessageId, Page, RequestStatus};
use sha2::{Digest, Sha256};

/// Messages read at once.
const PAGE: u32 = 100;

impl<E: Environment> Scheduler<E> {
    /// Keeps a message for the person to decide on; what the sender is told if there is no room.
    pub(crate) async fn keep<H: Home>(
        &self,
        home: &H,
        item: &InboxItem<'_>,
    ) -> Result<Option<RequestStatus>, Error> {
        let instances = instances(item.message);
        // Messages may overtake each other: what waits in its place may be newer.
        let held = held(home, item).await?;
        let takes_its_place =
            |it: &Held| it.method == *item.message.method().as_str() && it.instances == instances;
        if held.iter().any(|it| !it.is_older && takes_its_place(it)) {
            return Ok(None);
        }
        match home.keep(item, &instances, self.limits.room()).await {
            Err(error) if error.kind() == ErrorKind::Conflict => {
                let InboxItem {
                    originator,
                    recipient,
                    message,
                    ..
                } = item;
                tracing::info!(
                    event = "inbox-full", %originator, %recipient, uid = %message.uid(),
                    "the message is not kept: {error}"
                );
                let text = "There is no room for more messages that the recipient has to decide on";
                Ok(Some(RequestStatus::SERVICE_UNAVAILABLE.with_text(text)))
            }
            kept => {
                kept?;
                self.notify(&Notice {
                    user: &home.user().address,
                    other: item.originator,
                    message: item.message,
                    occasion: Occasion::Waits,
                })
                .await;
                Ok(None)
            }
        }
    }

    /// A CANCEL of what its recipient does not have may be about what waits in its inbox, and must not be forgotten while
    /// that can still be let in. If all of it is called off, there is nothing left to decide; a part waits with it.
    ///
    /// Whether anything waited.
    pub(crate) async fn cancel_held<H: Home>(
        &self,
        home: &H,
        item: &InboxItem<'_>,
    ) -> Result<bool, Error> {
        let mut held = held(home, item).await?;
        held.retain(|it| Method::parse(&it.method).is_some_and(Method::is_from_organizer));
        if held.is_empty() {
            return Ok(false);
        }
        if !is_about_all(item.message) {
            self.keep(home, item).await?;
            return Ok(true);
        }
        take_older(home, item, &held).await?;
        Ok(true)
    }

    /// A CANCEL of all of a booking leaves nothing to approve of it.
    pub(crate) async fn cancel_asked<H: Home>(
        &self,
        home: &H,
        item: &InboxItem<'_>,
    ) -> Result<(), Error> {
        if !is_about_all(item.message) {
            return Ok(());
        }
        let held = held(home, item).await?;
        if held.is_empty() {
            return Ok(());
        }
        take_older(home, item, &held).await
    }
}

/// Takes out what a message calls off. What is newer is not called off by it.
async fn take_older<H: Home>(home: &H, item: &InboxItem<'_>, held: &[Held]) -> Result<(), Error> {
    for held in held.iter().filter(|it| it.is_older) {
        match home.take(&held.id).await {
            // The person was faster.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            taken => drop(taken?),
        }
    }
    tracing::info!(
        event = "held-called-off", originator = %item.originator, recipient = %item.recipient,
        uid = %item.message.uid(), "it was called off before anybody decided about it"
    );
    Ok(())
}

/// Whether a message is about the whole of its object.
pub(crate) fn is_about_all(message: &Message) -> bool {
    let names = message.instance_names();
    names.is_empty() || names.starts_with(',')
}

/// A message that waits, of the same originator and about the same object as another.
struct Held {
    id: MessageId,
    method: String,
    instances: String,
    /// It is not newer than the other.
    is_older: bool,
}

/// What waits of the same originator about the same object.
async fn held<H: Home>(home: &H, item: &InboxItem<'_>) -> Result<Vec<Held>, Error> {
    let mut held = Vec::new();
    let mut page = Page::first(PAGE);
    loop {
        let listing = match home.inbox(&page).await {
            Err(error) if error.kind() == ErrorKind::Unsupported => return Ok(held),
            listing => listing?,
        };
        let of_it = listing.items.into_iter();
        let of_it = of_it.filter(|it| is_about(home, &it.message, item));
        held.extend(of_it.map(|it| Held {
            is_older: is_older(&it.message, item),
            id: it.id,
            method: it.message.method,
            instances: it.message.instance,
        }));
        match listing.next {
            Some(next) => page.after = Some(next),
            None => return Ok(held),
        }
    }
}

fn is_about<H: Home>(home: &H, kept: &InboxMessage, item: &InboxItem<'_>) -> bool {
    // Bookings of a room wait beside the person's own messages about the same meeting.
    let is_own = |recipient| home.user().answers_to(recipient);
    let is_for_same = if is_own(item.recipient) {
        is_own(&kept.recipient)
    } else {
        kept.recipient.same_user(item.recipient)
    };
    is_for_same && kept.uid == *item.message.uid() && kept.originator.same_user(item.originator)
}

fn is_older(kept: &InboxMessage, item: &InboxItem<'_>) -> bool {
    let revision = |it: &Message| (it.sequence(), it.dtstamp());
    let kept = Calendar::parse(&kept.data, &tree::Limits::default());
    let kept = kept.ok().and_then(|it| Message::read(it).ok());
    // What cannot be read cannot be let in either.
    kept.is_none_or(|kept| revision(&kept) <= revision(item.message))
}

/// Which instances a message is about, as long as a digest at most. An ADD is about those that it brings: another one does not say the
/// same anew.
fn instances(message: &Message) -> String {
    let names = match message.method() {
        Method::Add => added(message),
        _ => message.instance_names(),
    };
    if names.len() <= 64 {
        return names;
    }
    hex::encode(Sha256::digest(names))
}

/// When the instances are that an ADD brings.
fn added(message: &Message) -> String {
    let components = message.calendar().main_components();
    let starts = components.filter_map(|it| it.value("DTSTART"));
    let starts: Vec<String> = starts.map(|it| format!("+{it}")).collect();
    starts.join(",")
}
