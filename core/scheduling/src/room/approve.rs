//! Bookings that somebody has to approve: they hold the room (TENTATIVE), and wait in an inbox for a decision.

use super::{InvalidSetting, RoomSettings, book::Visit, settings::Privacy};
use crate::{
    envelope::InboxItem,
    environment::{Clock, Environment, Home, HomeOf, Processor, Stores},
    index,
    person::Person,
    scheduler::Scheduler,
    stored::{ATTEMPTS, read},
};
use convoke_calendar::{
    itip::{self, Answer, Outgoing, PartStat, ReplyError},
    tree::Calendar,
};
use convoke_types::{
    CalendarAddress, Error, ErrorKind, NewObject, Page, Precondition, RequestStatus, StoredObject,
    Uid,
};
use jiff::Timestamp;

/// Who has to approve a booking.
pub(super) enum Approver<H> {
    /// Nobody.
    Nobody,
    /// One of our people.
    OurUser(H),
    /// Somebody who has no inbox here; the room's own is used.
    Elsewhere,
}

/// What becomes of a booking that waits for approval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The room is booked (ACCEPTED).
    Approve,
    /// It is not, and is free again (DECLINED).
    Refuse,
}

/// Why a booking is not decided.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Undecided {
    /// The address is of no room or resource of ours.
    #[error("{} is no room or resource of this server", .0.human())]
    NoRoom(CalendarAddress),
    /// Nothing of that UID waits.
    #[error(
        "nothing of UID {uid} waits for approval at {}: it was decided, moved, or cancelled meanwhile",
        .room.human()
    )]
    NothingWaits {
        /// Where.
        room: CalendarAddress,
        /// Which booking.
        uid: Uid,
    },
    /// What is known of the room cannot be understood.
    #[error(transparent)]
    Setting(#[from] InvalidSetting),
    /// No answer can be made of the room's copy.
    #[error("the room's copy cannot be answered: {0}")]
    Reply(#[from] ReplyError),
    /// The store cannot do it.
    #[error(transparent)]
    Store(#[from] Error),
}

impl<E: Environment> Scheduler<E> {
    /// Who has to approve a booking by these people, none of whom needs to ask itself.
    pub(super) async fn approver(
        &self,
        settings: &RoomSettings,
        by: [&CalendarAddress; 2],
    ) -> Result<Approver<HomeOf<E>>, Error> {
        let Some(address) = &settings.approve else {
            return Ok(Approver::Nobody);
        };
        let home = self.environment.stores().find(address).await?;
        let is_approver = |who: &CalendarAddress| {
            let is_known_as = |home: &HomeOf<E>| home.user().answers_to(who);
            address.same_user(who) || home.as_ref().is_some_and(is_known_as)
        };
        if by.into_iter().any(is_approver) {
            return Ok(Approver::Nobody);
        }
        Ok(home.map_or(Approver::Elsewhere, Approver::OurUser))
    }

    /// Whether bookings by these people wait in the room's own inbox, as who has to approve them has none here.
    pub(crate) async fn asks_in_its_own_inbox(
        &self,
        home: &HomeOf<E>,
        by: [Option<&CalendarAddress>; 2],
    ) -> Result<bool, Error> {
        let settings = RoomSettings::of(home.user()).ok().flatten();
        let Some((settings, by)) = settings.zip(by[0].zip(by[1])) else {
            return Ok(false);
        };
        Ok(match self.approver(&settings, by.into()).await? {
            Approver::Nobody => false,
            Approver::Elsewhere => true,
            Approver::OurUser(home) => {
                let first = home.inbox(&Page::first(1)).await;
                first.is_err_and(|error| error.kind() == ErrorKind::Unsupported)
            }
        })
    }

    /// Keeps the message for who has to approve it. What the sender is told if there is no room for it.
    pub(super) async fn ask(
        &self,
        approver: &Approver<HomeOf<E>>,
        visit: &Visit<'_, HomeOf<E>>,
    ) -> Result<Option<RequestStatus>, Error> {
        let kept = match approver {
            Approver::Nobody => return Ok(None),
            Approver::OurUser(home) => self.keep(home, visit.item).await,
            Approver::Elsewhere => self.keep(visit.home, visit.item).await,
        };
        match kept {
            // The approver's store keeps no messages.
            Err(error) if error.kind() == ErrorKind::Unsupported => {
                self.keep(visit.home, visit.item).await
            }
            kept => kept,
        }
    }

    /// What is called off waits for nobody's approval any more.
    pub(crate) async fn asks_no_more(
        &self,
        home: &HomeOf<E>,
        settings: &RoomSettings,
        item: &InboxItem<'_>,
    ) -> Result<(), Error> {
        let Some(approver) = &settings.approve else {
            return Ok(());
        };
        if let Some(approver) = self.environment.stores().find(approver).await? {
            self.cancel_asked(&approver, item).await?;
        }
        // It is there if the approver has no inbox here.
        self.cancel_asked(home, item).await
    }

    /// Decides a booking that waits for approval, and has its organizer told. `comment` is for the organizer to read.
    ///
    /// Who may decide is not asked here: whoever has the message out of the inbox that it was kept in.
    ///
    /// # Errors
    ///
    /// [`Undecided`]; then nothing has changed, and nobody is told.
    pub async fn decide_booking(
        &self,
        room: &CalendarAddress,
        uid: &Uid,
        decision: Decision,
        comment: Option<&str>,
    ) -> Result<(), Undecided> {
        let no_room = || Undecided::NoRoom(room.clone());
        let home = self.environment.stores().find(room).await?;
        let home = home.ok_or_else(no_room)?;
        let settings = RoomSettings::of(home.user())?.ok_or_else(no_room)?;
        let answer = Answer {
            partstat: decision.partstat(),
            comment: comment.map(str::to_owned),
        };
        let _one_at_a_time = self.shared.locks.of(home.user(), uid).await;
        let _turn = self.shared.turns.take(&home.user().address).await;
        for _ in 0..ATTEMPTS {
            let stored = home.get(uid).await?;
            let known = self.ledger(home.user(), uid).await?.value;
            let now = self.environment.clock().now();
            let now = known.map_or(now, |it| it.time_of_next(now));
            let bytes = stored.as_ref().map_or(0, |object| object.data.len());
            let work = || stored.map(|it| self.decided(&home, &settings, it, &answer, now));
            let work = || work().transpose().map(Option::flatten);
            let decided = self.environment.processor().run(bytes, work).await?;
            let Some((object, when, outgoing)) = decided else {
                return Err(Undecided::NothingWaits {
                    room: room.clone(),
                    uid: uid.clone(),
                });
            };
            match home.put(&object, &when).await {
                Ok(_) => {
                    tracing::info!(event = "room-decided", room = %home.user().address, %uid, answer = %answer.partstat, "somebody has decided");
                    self.tell_as_stored(&home, uid, outgoing).await?;
                    return Ok(());
                }
                Err(error) if error.kind() == ErrorKind::Conflict => {}
                Err(error) => return Err(error.into()),
            }
        }
        let text = format!("others wrote {uid} again and again meanwhile; decide again");
        Err(Error::unavailable(text).into())
    }

    fn decided(
        &self,
        home: &HomeOf<E>,
        settings: &RoomSettings,
        stored: StoredObject,
        answer: &Answer,
        now: Timestamp,
    ) -> Result<Option<(NewObject, Precondition, Vec<Outgoing>)>, Undecided> {
        let person = Person::of(home.user());
        let owner = person.owner();
        let copy = read(&stored, &self.limits)?;
        let decided = itip::decide_tentative(&copy, &owner, answer, now)?;
        let Some((after, mut outgoing)) = decided else {
            return Ok(None);
        };
        if settings.private == Privacy::Hidden {
            // The title that the room shows is none of the organizer's.
            let untitled = itip::decide_tentative(&without_title(copy), &owner, answer, now)?;
            outgoing = untitled.map(|(_, outgoing)| outgoing).unwrap_or_default();
        }
        let index = index::of(&after, Some(&owner), &self.limits, now)?;
        let object = NewObject::new(after.write(), index);
        Ok(Some((object, Precondition::Matches(stored.etag), outgoing)))
    }
}

fn without_title(mut copy: Calendar) -> Calendar {
    for component in &mut copy.root_mut().components {
        component.remove("SUMMARY");
    }
    copy
}

impl Decision {
    const fn partstat(self) -> PartStat {
        match self {
            Self::Approve => PartStat::Accepted,
            Self::Refuse => PartStat::Declined,
        }
    }
}
