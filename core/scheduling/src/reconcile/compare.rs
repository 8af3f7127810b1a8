//! One object: what differs between the store and what others know, and whom that concerns.

use crate::{
    change::{Changed, Tells},
    environment::{Clock, Environment, Home, HomeOf, Processor, State},
    keys,
    ledger::Ledger,
    limits::Limits,
    person::Person,
    scheduler::Scheduler,
    send::Goes,
    state::{self, Versioned},
    stored::{ATTEMPTS, read},
};
use convoke_calendar::{
    itip::{self, Observed, PartStat},
    message::{Message, MessageError, Method},
    tree::Calendar,
};
use convoke_types::{
    Batch, CalendarAddress, CalendarUser, Error, ErrorKind, Etag, StoredObject, Uid,
};
use jiff::Timestamp;

/// What a comparison found.
#[derive(Debug)]
pub(super) enum Compared {
    /// There is nothing to be told.
    Agrees,
    /// There is; the object is in this version.
    Differs(String),
    /// There is not, but the object is to be written otherwise; it is in this version.
    IsToBeWritten(String),
    /// It cannot be told now, as the store does not hand it out, or as it cannot be read.
    Unreadable(Error),
}

/// What is to be done about an object.
enum Verdict {
    /// The store has just what is known.
    Same,
    /// It has something else that concerns nobody, or that is not the owner's to say; from now on this is known.
    Adopt(Option<Calendar>, Option<MessageError>),
    /// It cannot be told.
    Wrong(MessageError),
    /// It is to be told, or to be written otherwise.
    Tell(Box<Difference>),
}

/// How an object differs.
struct Difference {
    observed: Observed,
    /// What became of earlier messages is written again, as a program has written over it.
    puts_back: bool,
}

/// One object as it is stored and as it is known.
struct Both {
    stored: Option<StoredObject>,
    ledger: Versioned<Ledger>,
}

impl<E: Environment> Scheduler<E> {
    /// Compares one object with what others know of it. Where the difference concerns nobody, the ledger follows.
    pub(super) async fn compare(&self, home: &HomeOf<E>, uid: &Uid) -> Result<Compared, Error> {
        let _one_at_a_time = self.shared.locks.of(home.user(), uid).await;
        for _ in 0..ATTEMPTS {
            let stored = match home.get(uid).await {
                Ok(stored) => stored,
                Err(error) => return Ok(Compared::Unreadable(error)),
            };
            let ledger = self.ledger(home.user(), uid).await?;
            let both = Both { stored, ledger };
            let version = version_of(both.stored.as_ref());
            let verdict = match self.verdict(home, uid, &both).await {
                Ok(verdict) => verdict,
                Err(error) => return Ok(Compared::Unreadable(error)),
            };
            match verdict {
                Verdict::Same => {}
                Verdict::Adopt(known, foreign) => {
                    let key = keys::ledger(home.user(), uid);
                    if !adopt_as(self.environment.state(), &key, both, known).await? {
                        continue;
                    }
                    if let Some(foreign) = foreign {
                        log_foreign(home.user(), uid, &foreign);
                    }
                }
                Verdict::Wrong(error) => {
                    let why = log_wrong(home.user(), uid, both.stored.as_ref(), error);
                    let decided = self.decision("change-not-told", uid);
                    self.note_decision(&decided.of(&home.user().address).why(why));
                }
                Verdict::Tell(it) if it.observed.outgoing.is_empty() => {
                    return Ok(Compared::IsToBeWritten(version));
                }
                Verdict::Tell(_) => return Ok(Compared::Differs(version)),
            }
            return Ok(Compared::Agrees);
        }
        Ok(Compared::Unreadable(contended(uid)))
    }

    /// Tells what differs, once more looked at: `None` if it does not differ any more.
    pub(crate) async fn tell_difference(
        &self,
        home: &HomeOf<E>,
        uid: &Uid,
        goes: Goes,
    ) -> Result<Option<Changed>, Error> {
        let _one_at_a_time = self.shared.locks.of(home.user(), uid).await;
        for _ in 0..ATTEMPTS {
            let both = self.both(home, uid).await?;
            let Verdict::Tell(difference) = self.verdict(home, uid, &both).await? else {
                return Ok(None);
            };
            let Difference {
                observed,
                puts_back,
            } = *difference;
            let mut moved = both.ledger.value.clone().unwrap_or_default();
            if puts_back {
                moved.note_put_back();
            }
            let mut etag = both.stored.as_ref().map(|it| it.etag.clone());
            if let Some(rewritten) = &observed.rewritten {
                etag = self.put(home, rewritten, both.stored.as_ref()).await?;
                if etag.is_none() {
                    continue;
                }
            }
            match (&observed.remembered, etag) {
                (Some(remembered), Some(etag)) => moved.agree(remembered, Some(etag)),
                (remembered, _) => moved.bury(remembered.as_ref()),
            }
            if let Some(foreign) = observed.foreign {
                log_foreign(home.user(), uid, &foreign);
            }
            let tells = Tells {
                uid,
                ledger: &moved,
                version: both.ledger.version,
                outgoing: observed.outgoing,
                goes,
            };
            let released = Batch::new().delete(keys::held(home.user(), uid));
            if let Some(changed) = self.tell(home, tells, released).await? {
                self.shared.settling.forget(home.user(), uid);
                self.change_told(home.user(), uid, &changed);
                return Ok(Some(changed));
            }
        }
        Err(contended(uid))
    }

    /// What is stored is what is known from now on, and nobody is told.
    pub(super) async fn adopt(&self, home: &HomeOf<E>, uid: &Uid) -> Result<(), Error> {
        let _one_at_a_time = self.shared.locks.of(home.user(), uid).await;
        adopt(self.environment.state(), home, uid).await?;
        self.shared.settling.forget(home.user(), uid);
        Ok(())
    }

    fn change_told(&self, user: &CalendarUser, uid: &Uid, changed: &Changed) {
        for outgoing in &changed.outgoing {
            let method = outgoing.message.method().as_str();
            for recipient in &outgoing.recipients {
                let decided = self.decision("change-told", uid).of(&user.address);
                let why = "the object in the calendar is not what they know";
                self.note_decision(&decided.to(method, recipient).why(why));
            }
        }
    }

    /// What is to be told of an object, as messages: whom it would concern, if it were released now.
    pub(super) async fn would_tell(
        &self,
        home: &HomeOf<E>,
        uid: &Uid,
    ) -> Result<Vec<itip::Outgoing>, Error> {
        let both = self.both(home, uid).await?;
        Ok(match self.verdict(home, uid, &both).await? {
            Verdict::Tell(difference) => difference.observed.outgoing,
            _ => Vec::new(),
        })
    }

    /// The ledger of an object that says just what is stored, with what it said `before` of whom was told what; `None` if there is
    /// no object, or it cannot be read.
    pub(crate) async fn as_stored(
        &self,
        home: &HomeOf<E>,
        uid: &Uid,
        before: Option<Ledger>,
    ) -> Result<Option<Ledger>, Error> {
        Ok(self.readable(home, uid).await?.map(|(copy, etag)| {
            let mut ledger = before.unwrap_or_default();
            ledger.agree(&copy, Some(etag));
            ledger
        }))
    }

    /// The ledger of an object of which nothing was remembered; `None` if there is no such object, or it cannot be read.
    pub(crate) async fn found(&self, home: &HomeOf<E>, uid: &Uid) -> Result<Option<Ledger>, Error> {
        Ok(self.readable(home, uid).await?.map(|(copy, etag)| {
            let mut ledger = Ledger::default();
            ledger.find(&copy);
            ledger.agree(&recalled(&copy, None, home.user()), Some(etag));
            ledger
        }))
    }

    async fn readable(
        &self,
        home: &HomeOf<E>,
        uid: &Uid,
    ) -> Result<Option<(Calendar, Etag)>, Error> {
        let stored = home.get(uid).await?;
        Ok(stored.and_then(|it| Some((read(&it, &self.limits).ok()?, it.etag))))
    }

    async fn both(&self, home: &HomeOf<E>, uid: &Uid) -> Result<Both, Error> {
        Ok(Both {
            stored: home.get(uid).await?,
            ledger: self.ledger(home.user(), uid).await?,
        })
    }

    async fn verdict(&self, home: &HomeOf<E>, _uid: &Uid, both: &Both) -> Result<Verdict, Error> {
        let (stored, ledger) = (both.stored.as_ref(), both.ledger.value.as_ref());
        let etag = stored.map(|it| &it.etag);
        let is_known = match ledger {
            Some(ledger) => ledger.gone == etag.is_none() && ledger.etag.as_ref() == etag,
            None => etag.is_none(),
        };
        if is_known {
            return Ok(Verdict::Same);
        }
        let now = self.environment.clock().now();
        if stored.is_none() && ledger.is_some_and(|it| it.goes_in_silence(now)) {
            return Ok(Verdict::Adopt(None, None));
        }
        let size = stored.map_or(0, |it| it.data.len());
        let work = || self.work_out(home.user(), stored, ledger, now);
        self.environment.processor().run(size, work).await
    }

    /// What takes the processor's time.
    fn work_out(
        &self,
        user: &CalendarUser,
        stored: Option<&StoredObject>,
        ledger: Option<&Ledger>,
        now: Timestamp,
    ) -> Result<Verdict, Error> {
        let after = stored.map(|it| read(it, &self.limits)).transpose()?;
        let mut remembered = ledger.and_then(|it| it.remembered(&self.limits));
        let person = Person::of(user);
        let owner = person.owner();
        let stamp = ledger.map_or(now, |it| it.time_of_next(now));
        let compare =
            |known: &Option<Calendar>| itip::observe(known.as_ref(), after.as_ref(), &owner, stamp);
        let mut observed = compare(&remembered);
        // An update was about to be written: if it was, what it says is no edit of the owner's.
        if let Some(coming) = ledger.and_then(|it| it.coming(&self.limits))
            && after.is_some()
        {
            let coming = Some(coming);
            let as_updated = compare(&coming);
            if as_updated.as_ref().is_ok_and(|it| it.foreign.is_none()) {
                (remembered, observed) = (coming, as_updated);
            }
        }
        let mut observed = match observed {
            Ok(observed) => observed,
            Err(error) => return Ok(Verdict::Wrong(error)),
        };
        // A host that ended after it had written an update to the store, and before it noted that, sees what its owner did
        // not do. The update comes again, or a later one; until then the owner has answered as before for all that is known.
        // An update leaves a delegation as it is, so that one that is taken back is the owner's doing.
        let takes_back = |it: &itip::Outgoing| takes_answers_back(&it.message);
        let has_outgoing = !observed.outgoing.is_empty();
        if has_outgoing
            && observed.foreign.is_some()
            && observed.outgoing.iter().all(takes_back)
            && !remembered
                .as_ref()
                .is_some_and(|it| has_delegated(it, user))
        {
            return Ok(Verdict::Adopt(remembered, observed.foreign));
        }
        // A program may save its own older copy over what became of the messages: the statuses are put back in the same write.
        let file = observed.rewritten.as_ref().or(after.as_ref());
        let restored = ledger
            .zip(file)
            .and_then(|(ledger, file)| ledger.puts_back(file, &observed.outgoing));
        let puts_back = restored.is_some();
        observed.rewritten = restored.or(observed.rewritten);
        let is_over = || itip::is_over(remembered.iter().chain(&after), &owner, now);
        if (observed.outgoing.is_empty() && observed.rewritten.is_none()) || is_over() {
            return Ok(Verdict::Adopt(observed.remembered, observed.foreign));
        }
        Ok(Verdict::Tell(Box::new(Difference {
            observed,
            puts_back,
        })))
    }
}

/// What is stored is what is known from now on, and nobody is told: for whoever imports or restores.
pub async fn adopt(state: &impl State, home: &impl Home, uid: &Uid) -> Result<(), Error> {
    let key = keys::ledger(home.user(), uid);
    let both = Both {
        stored: home.get(uid).await?,
        ledger: state::get(state, &key).await?,
    };
    let stored = both.stored.as_ref();
    // What cannot be read is compared when it can be.
    let Ok(copy) = stored.map(|it| read(it, &Limits::default())).transpose() else {
        return Ok(());
    };
    let ledger = both.ledger.value.as_ref();
    let remembered = ledger.and_then(|it| it.remembered(&Limits::default()));
    let known = copy.map(|copy| recalled(&copy, remembered.as_ref(), home.user()));
    // Another host that has looked at it has adopted it, too.
    adopt_as(state, &key, both, known).await.map(drop)
}

/// What is stored, with what the protocol remembers of it.
pub(super) fn recalled(
    copy: &Calendar,
    remembered: Option<&Calendar>,
    user: &CalendarUser,
) -> Calendar {
    match remembered {
        Some(remembered) => itip::recall(copy, remembered),
        None => itip::unremembered(copy, &Person::of(user).owner()),
    }
}

fn contended(uid: &Uid) -> Error {
    let text = format!("others wrote {uid} again and again while it was looked at");
    Error::unavailable(text)
}

/// Whether the ledger follows: not if somebody else has written it since it was read.
async fn adopt_as(
    state: &impl State,
    key: &[u8],
    both: Both,
    known: Option<Calendar>,
) -> Result<bool, Error> {
    let batch = state::unchanged(Batch::new(), key, both.ledger.version);
    let batch = match known {
        Some(known) => {
            let is_found = both.ledger.value.is_none();
            let mut ledger = both.ledger.value.unwrap_or_default();
            if is_found && both.stored.is_some() {
                ledger.find(&known);
            }
            match both.stored {
                Some(stored) => ledger.agree(&known, Some(stored.etag)),
                None => ledger.bury(Some(&known)),
            }
            ledger.put(batch, key.to_owned())
        }
        None if both.ledger.version.is_some() => batch.delete(key),
        None => return Ok(true),
    };
    match state.commit(batch).await {
        Err(error) if error.kind() == ErrorKind::Conflict => Ok(false),
        done => done.map(|_| true),
    }
}

/// Whether a message says of nothing how it is answered any more.
fn takes_answers_back(message: &Message) -> bool {
    let components = message.calendar().main_components();
    let mut lines = components.flat_map(|it| it.all("ATTENDEE"));
    let open = PartStat::NeedsAction.as_str();
    message.method() == Method::Reply
        && lines.all(|line| line.param("PARTSTAT").is_none_or(|it| it == open))
}

/// Whether a user has handed an invitation on.
fn has_delegated(known: &Calendar, user: &CalendarUser) -> bool {
    let mut lines = known.main_components().flat_map(|it| it.all("ATTENDEE"));
    lines.any(|line| {
        line.param("PARTSTAT") == Some(PartStat::Delegated.as_str())
            && CalendarAddress::new(&line.value).is_ok_and(|it| user.answers_to(&it))
    })
}

/// In which version an object is, as a text.
fn version_of(stored: Option<&StoredObject>) -> String {
    stored.map_or_else(|| "gone".to_owned(), |it| it.etag.as_str().to_owned())
}

/// It is not told, and goes with the organizer's next update.
fn log_foreign(user: &CalendarUser, uid: &Uid, foreign: &MessageError) {
    tracing::info!(
        event = "foreign-change", user = %user.address, %uid,
        "what an attendee's program changed is the organizer's, and is told to nobody: {foreign}"
    );
}

/// The others are compared all the same.
pub(super) fn log_unreadable(user: &CalendarUser, uid: &Uid, error: &Error) {
    tracing::warn!(
        event = "change-not-told", user = %user.address, %uid,
        "what changed is told to nobody until the object can be read: {error}"
    );
}

fn log_wrong(
    user: &CalendarUser,
    uid: &Uid,
    stored: Option<&StoredObject>,
    error: MessageError,
) -> String {
    let error = match stored {
        Some(stored) => error.in_source(&stored.data),
        None => error,
    };
    let error = error.to_string();
    tracing::warn!(
        event = "change-not-told", user = %user.address, %uid,
        "what changed is told to nobody until it is mended: {error}"
    );
    error
}
