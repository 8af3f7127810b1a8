//! Scheduling as RFC 6638 has it: what a program stores or removes is judged before, and told at once.
//!
//! What is told takes no longer than a moment of the program's time: what is not delivered by then goes on by itself, and its
//! statuses come into the object later.

use super::{objects::Written, reply::Refused, reports::limits, session::Session};
use crate::scheduling::{Telling, telling};
use convoke_caldav::precondition::Precondition;
use convoke_calendar::{
    itip,
    tree::{Calendar, Component},
};
use convoke_plugin_host::origin::Origin;
use convoke_scheduling::{Forbidden, Home, Person};
use convoke_types::{CalendarAddress, Error, Proof, Uid};
use http::{HeaderMap, HeaderValue};
use jiff::Timestamp;
use std::{collections::BTreeSet, time::Duration};

/// How long an answer waits for those concerned to be told.
const PATIENCE: Duration = Duration::from_millis(300);

/// Whether what this user changes is told by this host at all.
pub(super) fn is_on(session: &Session<'_>) -> bool {
    let plugins = &session.instance.plugins;
    telling(plugins, session.home.place(), session.user()) == Telling::On
}

/// Before something is written: what was there already is told to nobody.
pub(super) async fn before(session: &Session<'_>, uid: &Uid) -> Result<(), Refused> {
    if is_on(session) {
        let scheduler = &session.instance.scheduler;
        scheduler.look_before(&session.home, uid).await?;
    }
    Ok(())
}

/// Why an edit is not made. It is answered to who is proved to be the user, and to nobody else: see [`Objection::told`].
pub(super) struct Objection {
    precondition: Precondition,
    why: String,
}

impl Objection {
    /// The answer to the user, of which the log tells, too.
    pub(super) fn told(self, session: &Session<'_>, uid: &Uid) -> Refused {
        tracing::info!(event = "edit-refused", user = %session.user().address, %uid, "{}", self.why);
        self.precondition.into()
    }
}

/// RFC 6638 §3.2.4: objects to what is not the user's to write, instead of what is `there`; and to more guests than one message may go
/// to. Nothing is said of it yet.
pub(super) async fn judge(
    session: &Session<'_>,
    written: &Written,
    there: Option<&[u8]>,
) -> Result<Option<Objection>, Refused> {
    if !is_on(session) {
        return Ok(None);
    }
    let (uid, size) = (&written.uid, written.data.len());
    let written = &written.calendar;
    let most = session.instance.config.limits.recipients;
    // Who has invited as many already may yet call it off.
    let there = || there.and_then(|it| Calendar::parse_stored(it, &limits()).ok());
    let guests_there = || there().map_or(0, |it| guests(&it));
    let invited = guests(written);
    if organizes(session, written) && invited > most && invited > guests_there() {
        return Ok(Some(Objection {
            precondition: Precondition::MaxAttendees,
            why: format!("more than {most} guests (limits.recipients)"),
        }));
    }
    let scheduler = &session.instance.scheduler;
    let judged = scheduler
        .judge_edit(&session.home, uid, written, size)
        .await?;
    Ok(judged.err().map(|forbidden| Objection {
        why: forbidden.to_string(),
        precondition: match forbidden {
            Forbidden::ByAttendee(_) => Precondition::AllowedAttendeeChange,
            Forbidden::ByOrganizer(_) => Precondition::AllowedOrganizerChange,
            Forbidden::SeveralOrganizers(_) => Precondition::SameOrganizer,
            Forbidden::Untellable(_) => Precondition::ValidCalendarObjectResource,
        },
    }))
}

/// Who would be told, in all instances together.
fn guests(written: &Calendar) -> usize {
    let lines = written.main_components().flat_map(|it| it.all("ATTENDEE"));
    let named: BTreeSet<String> = lines.map(|it| it.value.to_ascii_lowercase()).collect();
    named.len()
}

/// After something was written: whom it concerns is told.
pub(super) async fn tell(session: &Session<'_>, uid: &Uid) {
    // If this ends before it is told, as the program has gone.
    look_soon(session);
    if !is_on(session) {
        return;
    }
    let scheduler = &session.instance.scheduler;
    match scheduler.tell_at_once(&session.home, uid).await {
        Ok(None) => {}
        Ok(Some(telling)) => {
            let instance = session.instance.clone();
            let address = session.user().address.clone();
            let origin = Origin::of(&address, &[Proof::Submission(address.clone())]);
            let delivery = origin.ask(async move {
                instance.scheduler.first_delivery(telling).await;
            });
            // It goes on by itself if that takes longer.
            let _ = tokio::time::timeout(PATIENCE, tokio::spawn(delivery)).await;
        }
        Err(error) => {
            tracing::warn!(
                event = "change-told-later", user = %session.user().address, %uid,
                "what was written is told after the next look: {error}"
            );
        }
    }
}

/// A removal, and whether anybody is told of it: an attendee may wish that the organizer is not (RFC 6638 §8.1).
pub(super) struct Removal<'a> {
    session: &'a Session<'a>,
    uid: &'a Uid,
    is_silent: bool,
}

impl<'a> Removal<'a> {
    /// Of what is `removed`, by a request with these header fields.
    pub(super) fn of(
        session: &'a Session<'a>,
        uid: &'a Uid,
        removed: Option<&Calendar>,
        headers: &HeaderMap,
    ) -> Self {
        let organizes = removed.is_none_or(|it| organizes(session, it));
        let is_silent = is_on(session) && !organizes && wants_no_reply(headers);
        Self {
            session,
            uid,
            is_silent,
        }
    }

    /// Before it is made: the wish holds also if this host ends right afterwards.
    pub(super) async fn begin(&self) -> Result<(), Error> {
        if !self.is_silent {
            return Ok(());
        }
        let scheduler = &self.session.instance.scheduler;
        scheduler.begin_silence(&self.session.home, self.uid).await
    }

    /// It was not made.
    pub(super) async fn is_off(&self) {
        if !self.is_silent {
            return;
        }
        let scheduler = &self.session.instance.scheduler;
        if let Err(error) = scheduler.end_silence(&self.session.home, self.uid).await {
            tracing::debug!("a wish about a removal that was not made is left: {error}");
        }
    }

    /// After it was made: whom it concerns is told.
    pub(super) async fn tell(&self) -> Result<(), Error> {
        if self.is_silent {
            let scheduler = &self.session.instance.scheduler;
            return scheduler.tell_nobody(&self.session.home, self.uid).await;
        }
        tell(self.session, self.uid).await;
        Ok(())
    }
}

fn wants_no_reply(headers: &HeaderMap) -> bool {
    let wish = headers.get("schedule-reply").map(HeaderValue::as_bytes);
    wish.is_some_and(|it| it.trim_ascii().eq_ignore_ascii_case(b"F"))
}

/// Whether the user is the organizer of a meeting.
pub(super) fn organizes(session: &Session<'_>, calendar: &Calendar) -> bool {
    let organizer = |it: &Component| it.value("ORGANIZER").map(CalendarAddress::new);
    let mut all = calendar.main_components().filter_map(organizer);
    all.any(|it| it.is_ok_and(|it| session.user().answers_to(&it)))
}

/// Whether the user is the organizer of a meeting that others are told of, as it is not over.
pub(super) fn organizes_to_come(session: &Session<'_>, calendar: &Calendar) -> bool {
    let person = Person::of(session.user());
    let is_over = || itip::is_over([calendar], &person.owner(), Timestamp::now());
    is_on(session) && organizes(session, calendar) && !is_over()
}

/// The calendar is looked at, and what concerns others is told.
fn look_soon(session: &Session<'_>) {
    let shared = &session.instance.shared;
    shared
        .look_soon
        .at(session.home.store(), &session.user().id);
}
