//! A room is booked: the answer is found, and stands in the store before it is told.
//!
//! Two invitations that race for the same time never both get the room, whatever the store is and however many hosts use
//! it. Nothing is needed for it but what every store does: busy time tells of every put that was answered before it was
//! asked for, and a put under a precondition fails if somebody else wrote the object meanwhile.
//!
//! 1. The room looks whether it is free. If it is not, it says so, and that is all.
//! 2. It writes a claim: the booking, not answered yet (NEEDS-ACTION), which takes the time already.
//! 3. It looks again. Only if nobody else has the time, it writes its answer, and tells it.
//! 4. Else it looks once more, or withdraws the claim (DECLINED takes no time) and begins again; which of the two its UID
//!    tells, step by step, so that two that go in step do not do the same for long.
//!
//! *Never both.* Of two that got the same time, the one whose claim was written later looked again after that, and saw the
//! claim, or the answer, of the other one. A look that sees something never ends in an answer that takes time.
//!
//! *Not neither.* Who looks again after it has withdrawn, and is refused then, has seen the claim or the answer of somebody
//! who had not withdrawn. Of two, both cannot be refused so: the one that withdraws last looks when the other's claim is
//! gone. Only who meets others [`Persistence::MOST`] times is refused without one of them having the time for sure.
//!
//! In one process the bookings of a room are made one after the other, so that who comes first is served first, and the
//! second look meets nobody but other hosts, and people who write into the room's calendar.
//!
//! A host that ends in the middle leaves a claim behind. It takes the time until the same invitation comes again, which it
//! does, as it was not answered, or until it is cancelled.

use super::{
    RoomSettings,
    approve::Approver,
    asked::Asked,
    copy::{Copies, Draft, Drafted, Unread},
    judge::{Context, Judgement, judge, range, refuse},
    rules::Moment,
    taken::Taken,
};
use crate::{
    busy::{FEW, Question},
    effort::{LARGE, TooMuch, Weight, lines_of},
    envelope::{Envelope, InboxItem},
    environment::{Environment, Home, HomeOf, Processor},
    ledger::Ledger,
    scheduler::Scheduler,
    stored::{ATTEMPTS, NotUpdated, unchanged},
};
use convoke_calendar::{
    itip::{Answer, Answers, Owner, PartStat, Received},
    tree::Calendar,
};
use convoke_types::{BusySpan, Error, ErrorKind, NewObject, Precondition, TimeRange, Uid};
use sha2::{Digest, Sha256};

/// Whether a claim has got the room.
enum Had {
    Yes,
    No,
}

/// What a claim does that meets others: it stays, or is withdrawn. Two of different UIDs do not do the same for long.
struct Persistence {
    digest: [u8; 32],
    met: usize,
}

impl Persistence {
    /// How often others may be met.
    const MOST: usize = 32;

    fn of(uid: &Uid) -> Self {
        let digest = Sha256::digest(uid.as_str()).into();
        Self { digest, met: 0 }
    }

    /// Others were met: whether the claim stays for another look.
    const fn stays(&mut self) -> bool {
        let bit = self.digest[self.met / 8] >> (self.met % 8) & 1;
        self.met += 1;
        bit == 1 && !self.is_at_end()
    }

    const fn is_at_end(&self) -> bool {
        self.met >= Self::MOST
    }
}

/// A message at a room.
pub(crate) struct Visit<'a, H> {
    /// The room's part of its store.
    pub(crate) home: &'a H,
    pub(crate) envelope: &'a Envelope<'a>,
    /// The same message, as it is kept for who approves.
    pub(crate) item: &'a InboxItem<'a>,
    /// The room as objects know it.
    pub(crate) owner: &'a Owner<'a>,
    pub(crate) settings: &'a RoomSettings,
    /// What was told or received of its copy.
    pub(crate) ledger: Option<&'a Ledger>,
}

impl<E: Environment> Scheduler<E> {
    /// Answers a message for a room ([`RoomSettings::answers`]). `receive` says what iTIP alone makes of it and of what is
    /// stored. What comes back is stored already.
    pub(crate) async fn book(
        &self,
        visit: &Visit<'_, HomeOf<E>>,
        receive: impl Fn(Option<&Calendar>) -> Received + Send + Sync,
    ) -> Result<Received, NotUpdated> {
        let Visit {
            home,
            envelope,
            owner,
            settings,
            ..
        } = *visit;
        let Some(organizer) = envelope.message.organizer() else {
            return Err(Error::invalid("an invitation without an organizer").into());
        };
        let is_ours = self.is_ours(organizer).await?;
        let approver = self
            .approver(settings, [organizer, envelope.originator])
            .await?;
        let copies = Copies {
            message: envelope.message,
            owner,
            settings,
            ledger: visit.ledger,
            limits: &self.limits,
            now: envelope.now,
            look: Copies::look(&self.limits, envelope.now)?,
        };
        let booking = Booking {
            scheduler: self,
            visit,
            context: Context {
                settings,
                at: Moment {
                    now: envelope.now,
                    zone: owner.timezone.clone(),
                },
                is_admitted: settings.booking.admits(organizer, is_ours),
                waits: !matches!(approver, Approver::Nobody),
                until: copies.look.end(),
            },
            copies,
            approver,
        };
        let _turn = self.shared.turns.take(&home.user().address).await;
        for _ in 0..ATTEMPTS {
            if let Some(received) = booking.attempt(&receive).await? {
                return Ok(received);
            }
        }
        let uid = envelope.message.uid();
        let room = &home.user().address;
        let text =
            format!("gave up after {ATTEMPTS} conflicting writes to the object {uid} of {room}");
        Err(Error::unavailable(text).into())
    }
}

/// A message at a room, and what is known before its calendar is looked at.
struct Booking<'a, E: Environment> {
    scheduler: &'a Scheduler<E>,
    visit: &'a Visit<'a, HomeOf<E>>,
    context: Context<'a>,
    copies: Copies<'a>,
    approver: Approver<HomeOf<E>>,
}

impl<E: Environment> Booking<'_, E> {
    /// `None` if somebody else wrote the room's copy meanwhile.
    async fn attempt(
        &self,
        receive: impl Fn(Option<&Calendar>) -> Received + Send + Sync,
    ) -> Result<Option<Received>, NotUpdated> {
        let Visit { home, envelope, .. } = self.visit;
        let stored = home.get(envelope.message.uid()).await?;
        let there = stored.as_ref().map_or(&[][..], |object| &object.data);
        let weight = Weight::of(envelope.message, envelope.data);
        // It is compared once, and written up to three times.
        let handled = envelope.effort.handle(2 * (weight.lines + lines_of(there)));
        handled.map_err(|TooMuch| NotUpdated::TooMuch)?;
        let bytes = weight.bytes + there.len();
        let draft = self.run(bytes, || {
            self.copies.draft(stored, receive, &envelope.effort)
        });
        let draft = match draft.await?? {
            Drafted::Nothing(received) => return Ok(Some(received)),
            Drafted::Draft(draft) => *draft,
        };
        match &draft.asked {
            Ok(asked) => self.settle(&draft, asked).await,
            Err(Unread(why)) => {
                let answers = Answers::to_all(Answer::new(PartStat::Declined).because(why));
                let when = unchanged(draft.stored.as_ref());
                self.log(PartStat::Declined, Some(why));
                self.finish(&draft, &answers, &answers, &when).await
            }
        }
    }

    /// Finds the answer, and writes it once it is sure.
    async fn settle(&self, draft: &Draft, asked: &Asked) -> Result<Option<Received>, NotUpdated> {
        let range = range(asked, &self.context);
        let mut when = unchanged(draft.stored.as_ref());
        let mut own = draft.own.clone();
        let mut persistence = Persistence::of(self.visit.envelope.message.uid());
        while !persistence.is_at_end() {
            let taken = self.taken(range, &own).await?;
            let judge = || self.judge(draft, asked, &taken);
            let judgement = self.run(draft.bytes(), judge).await?;
            if !judgement.is_taking() {
                return self.answer(draft, &judgement, &when).await;
            }
            let claim = judgement.saying(PartStat::NeedsAction);
            let Some(claimed) = self.put(draft, &claim, &mut when).await? else {
                return Ok(None);
            };
            let is_had = self.is_had(&judgement, range, &claimed, &mut persistence);
            let full = match is_had.await? {
                Had::No => None,
                Had::Yes => match self.scheduler.ask(&self.approver, self.visit).await {
                    Ok(None) => return self.answer(draft, &judgement, &when).await,
                    Ok(Some(full)) => Some(Ok(full)),
                    Err(error) => Some(Err(error)),
                },
            };
            let withdrawn = judgement.saying(PartStat::Declined);
            match self.put(draft, &withdrawn, &mut when).await? {
                Some(left) => own = left,
                None => return Ok(None),
            }
            if let Some(full) = full {
                return Ok(Some(Received {
                    status: full?,
                    ..draft.received.clone()
                }));
            }
        }
        let reason = self
            .context
            .says("is being booked by others at this moment");
        self.answer(draft, &refuse(asked, &reason), &when).await
    }

    /// Whether nobody else has the time that was claimed: looks as often as it is worth it.
    async fn is_had(
        &self,
        judgement: &Judgement,
        range: Option<TimeRange>,
        claimed: &[BusySpan],
        persistence: &mut Persistence,
    ) -> Result<Had, NotUpdated> {
        loop {
            if !judgement.collides(&self.taken(range, claimed).await?) {
                return Ok(Had::Yes);
            }
            if !persistence.stays() {
                return Ok(Had::No);
            }
        }
    }

    /// What the room says. Where its copy would become too large by it, that is a refusal.
    fn judge(&self, draft: &Draft, asked: &Asked, taken: &Taken) -> Judgement {
        let judgement = judge(asked, &self.context, taken);
        // The most components of their own has what is withdrawn.
        if self
            .copies
            .is_writable(draft, &judgement.saying(PartStat::Declined))
        {
            return judgement;
        }
        refuse(
            &asked.clone().asked_anew(),
            "The series is too large to answer its occurrences one by one",
        )
    }

    /// When others have the room; `own` is when the booking at hand has it, as it is stored now.
    async fn taken(&self, range: Option<TimeRange>, own: &[BusySpan]) -> Result<Taken, NotUpdated> {
        let Some(range) = range else {
            return Ok(Taken::default());
        };
        let Visit { home, envelope, .. } = *self.visit;
        let question = Question {
            home,
            range,
            peer: envelope.peer,
            effort: &envelope.effort,
            now: envelope.now,
            limits: &self.scheduler.limits,
            processor: self.scheduler.environment.processor(),
            journal: self.scheduler.environment.journal(),
        };
        let all = question.spans(Some(envelope.message.uid())).await?;
        let bytes = if all.len() + own.len() > FEW {
            LARGE
        } else {
            0
        };
        self.run(bytes, || Taken::by_others(&all, own)).await
    }

    /// Writes the copy with these answers on it: when it takes the room's time now. `None` if somebody else wrote it
    /// meanwhile.
    async fn put(
        &self,
        draft: &Draft,
        answers: &Answers,
        when: &mut Precondition,
    ) -> Result<Option<Vec<BusySpan>>, NotUpdated> {
        let object = self.run(draft.bytes(), || self.copies.answered(draft, answers));
        let object = object.await??;
        self.write(object, when).await
    }

    async fn write(
        &self,
        object: NewObject,
        when: &mut Precondition,
    ) -> Result<Option<Vec<BusySpan>>, NotUpdated> {
        match self.visit.home.put(&object, when).await {
            Ok(etag) => {
                *when = Precondition::Matches(etag);
                Ok(Some(object.index.spans))
            }
            Err(error) if error.kind() == ErrorKind::Conflict => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes what the room says, and finds out who is to be told what.
    async fn answer(
        &self,
        draft: &Draft,
        judgement: &Judgement,
        when: &Precondition,
    ) -> Result<Option<Received>, NotUpdated> {
        let answers = judgement.answers();
        let find_out = || {
            let is_known = self.copies.is_known(draft, &answers)?;
            Ok::<_, Error>((is_known, self.copies.about()))
        };
        let (is_known, about) = self.run(draft.bytes(), find_out).await??;
        let told = judgement.told(&about, is_known);
        if judgement.is_new() {
            self.log(judgement.word(), judgement.reason());
        }
        self.finish(draft, &answers, &told, when).await
    }

    /// Writes the answers, if they are not there already, and tells what is to be told.
    async fn finish(
        &self,
        draft: &Draft,
        answers: &Answers,
        told: &Answers,
        when: &Precondition,
    ) -> Result<Option<Received>, NotUpdated> {
        let work = || {
            let object = self.copies.answered(draft, answers)?;
            Ok::<_, Error>((object, self.copies.replies(draft, told)))
        };
        let (object, outgoing) = self.run(draft.bytes(), work).await??;
        let is_there = draft.is_stored(&object, when);
        if !is_there && self.write(object, &mut when.clone()).await?.is_none() {
            return Ok(None);
        }
        Ok(Some(Received {
            outgoing,
            ..draft.received.clone()
        }))
    }

    async fn run<T: Send>(
        &self,
        bytes: usize,
        work: impl FnOnce() -> T + Send,
    ) -> Result<T, NotUpdated> {
        let processor = self.scheduler.environment.processor();
        Ok(processor
            .run_for(self.visit.envelope.peer, bytes, work)
            .await?)
    }

    fn log(&self, answer: PartStat, reason: Option<&str>) {
        let Visit { home, envelope, .. } = self.visit;
        tracing::info!(
            event = "room-answered",
            room = %home.user().address,
            originator = %envelope.originator,
            uid = %envelope.message.uid(),
            %answer,
            "{}", reason.unwrap_or("it is free")
        );
    }
}
