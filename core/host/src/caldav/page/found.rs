//! What the page shows.

use crate::{
    caldav::{outbox, reports::limits, session::Session},
    fortnight,
};
use convoke_calendar::{
    freebusy, itip,
    itip::Summary,
    time::When,
    tree::{Calendar, Component},
    zone::Zones,
};
use convoke_scheduling::{Home, Person, WaitingMessage, Why};
use convoke_types::{BusySpan, CalendarAddress, Error};
use jiff::{Timestamp, civil::Date, tz::TimeZone};

/// Lines of a list. There is seldom more than a handful.
const MOST: usize = 50;

/// What is shown to a user.
pub(super) struct Found {
    /// Days and hours are those of this zone.
    pub(super) zone: TimeZone,
    /// The first day.
    pub(super) today: Date,
    /// `None`: a policy does not let it be told, or nobody knows now.
    pub(super) busy: Option<Vec<BusySpan>>,
    pub(super) waiting: Vec<Waiting>,
    pub(super) undelivered: Vec<Undelivered>,
}

/// A message that waits for the user to decide.
pub(super) struct Waiting {
    pub(super) id: String,
    pub(super) why: Why,
    /// A proposal, and not the notice that one was turned down.
    pub(super) is_proposal: bool,
    pub(super) title: String,
    pub(super) when: Option<String>,
    pub(super) from: String,
}

/// Something that somebody did not get.
pub(super) struct Undelivered {
    pub(super) title: String,
    pub(super) when: Option<String>,
    pub(super) to: String,
    /// The status (RFC 5546 §3.6).
    pub(super) status: String,
    /// It is tried still.
    pub(super) is_tried: bool,
}

impl Found {
    pub(super) async fn read(session: &Session<'_>) -> Result<Self, Error> {
        let zone = session.zone();
        let now = Timestamp::now();
        let today = zone.to_datetime(now).date();
        Ok(Self {
            today,
            busy: busy(session, &zone, today).await,
            waiting: waiting(session, &zone).await?,
            undelivered: undelivered(session, &zone).await?,
            zone,
        })
    }
}

async fn busy(session: &Session<'_>, zone: &TimeZone, today: Date) -> Option<Vec<BusySpan>> {
    let range = fortnight::range(zone, today)?;
    let answer = outbox::own_answer(session, range).await.ok()?;
    freebusy::read_answer(&answer).ok()
}

async fn waiting(session: &Session<'_>, zone: &TimeZone) -> Result<Vec<Waiting>, Error> {
    let scheduler = &session.instance.scheduler;
    let waiting = scheduler.inbox(&session.home).await?;
    let shown = |it: &WaitingMessage| {
        let message = &it.entry.message;
        let calendar = Calendar::parse(&message.data, &limits()).ok();
        let (title, when) = titled(it.summary.as_ref(), calendar.as_ref(), zone);
        Waiting {
            id: it.entry.id.to_string(),
            why: it.why,
            is_proposal: message.method == "COUNTER",
            title,
            when,
            from: message.originator.human().to_owned(),
        }
    };
    Ok(waiting.iter().take(MOST).map(shown).collect())
}

/// Title and time of something.
fn titled(
    summary: Option<&Summary>,
    calendar: Option<&Calendar>,
    zone: &TimeZone,
) -> (String, Option<String>) {
    let title = summary.map(|it| it.title.trim()).unwrap_or_default();
    let title = if title.is_empty() {
        "(no title)"
    } else {
        title
    };
    let start = summary.and_then(|it| it.start.as_ref());
    let when = start.zip(calendar);
    let when = when.and_then(|(start, calendar)| written(start, calendar, zone));
    (title.to_owned(), when)
}

/// `Mon 4 Jan 2027, 10:00`, on the user's clock.
fn written(when: &When, calendar: &Calendar, zone: &TimeZone) -> Option<String> {
    if when.is_date() {
        return Some(when.wall.strftime("%a %-d %b %Y").to_string());
    }
    let instant = when.instant(&Zones::of(calendar, zone.clone())).ok()?;
    let local = zone.to_datetime(instant);
    Some(local.strftime("%a %-d %b %Y, %H:%M").to_string())
}

/// What is tried still, and whom the user's meetings to come did not reach.
async fn undelivered(session: &Session<'_>, zone: &TimeZone) -> Result<Vec<Undelivered>, Error> {
    let mut found = Vec::new();
    let entries = session.instance.scheduler.waiting().await?;
    let own = entries
        .into_iter()
        .filter(|it| session.user().answers_to(&it.originator));
    for entry in own.filter(|it| it.attempts > 0).take(MOST) {
        let stored = session.home.get(&entry.uid).await?;
        let calendar = stored.and_then(|it| Calendar::parse_stored(&it.data, &limits()).ok());
        let (title, when) = described(session, calendar.as_ref(), zone);
        found.push(Undelivered {
            title,
            when,
            to: entry.recipient.human().to_owned(),
            status: entry.last.unwrap_or_default(),
            is_tried: true,
        });
    }
    let scheduler = &session.instance.scheduler;
    for meeting in scheduler.unreached(&session.home, MOST).await? {
        for (to, status) in failures(&meeting) {
            if found.len() >= MOST {
                return Ok(found);
            }
            let (title, when) = described(session, Some(&meeting), zone);
            found.push(Undelivered {
                title,
                when,
                to,
                status,
                is_tried: false,
            });
        }
    }
    Ok(found)
}

/// Whom a meeting was not delivered to, and why (RFC 6638 §3.2.9).
fn failures(calendar: &Calendar) -> Vec<(String, String)> {
    let mut failures: Vec<(String, String)> = Vec::new();
    let lines = |it: &Component| {
        let lines = it.all("ATTENDEE").chain(it.all("ORGANIZER"));
        let failed = lines.filter_map(|line| {
            let status = line.param("SCHEDULE-STATUS")?;
            let last = status.rsplit(',').next().unwrap_or(status).trim();
            let is_fine = last.starts_with(['1', '2']);
            let who = CalendarAddress::new(&line.value).ok()?;
            (!is_fine).then(|| (who.human().to_owned(), last.to_owned()))
        });
        failed.collect::<Vec<_>>()
    };
    for failure in calendar.main_components().flat_map(lines) {
        if !failures.contains(&failure) {
            failures.push(failure);
        }
    }
    failures
}

fn described(
    session: &Session<'_>,
    calendar: Option<&Calendar>,
    zone: &TimeZone,
) -> (String, Option<String>) {
    let person = Person::of(session.user());
    let summary = calendar.and_then(|it| itip::summary(it, &person.owner()));
    titled(summary.as_ref(), calendar, zone)
}
