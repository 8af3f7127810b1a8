//! The methods about what waits for a person to decide on.

use super::{
    api::{
        InboxDecide, InboxDecision, InboxList, InboxMessage, InboxRow, InboxShow, InboxWhy, Text,
        Told,
    },
    messages::{home, on_behalf_of},
    overview::written,
};
use crate::{instance::Instance, scheduling::OurHome};
use convoke_calendar::{
    tree::{Calendar, Limits},
    zone::Zones,
};
use convoke_scheduling::{Home as _, NotDecided, Person, Unbounded, WaitingMessage, Why};
use convoke_types::{Error, MessageId};

pub(super) async fn list(instance: &Instance, asked: InboxList) -> Result<Vec<InboxRow>, Error> {
    let home = home(instance, &asked.user).await?;
    let waiting = instance.scheduler.inbox(&home).await?;
    Ok(waiting.iter().map(|it| row(&home, it)).collect())
}

pub(super) async fn show(instance: &Instance, asked: InboxShow) -> Result<InboxMessage, Error> {
    let home = home(instance, &asked.user).await?;
    let waiting = instance.scheduler.inbox(&home).await?;
    let found = waiting.iter().find(|it| it.entry.id.as_str() == asked.id);
    let found = found.ok_or_else(|| not_there(&asked.id))?;
    Ok(InboxMessage {
        row: row(&home, found),
        data: Text(found.entry.message.data.clone()),
    })
}

pub(super) async fn decide(instance: &Instance, asked: InboxDecide) -> Result<Vec<Told>, Error> {
    let home = home(instance, &asked.user).await?;
    let id = MessageId::new(asked.id.as_str()).map_err(|_| not_there(&asked.id))?;
    let scheduler = &instance.scheduler;
    let comment = asked.comment.as_deref();
    let deciding = async {
        match asked.decision {
            InboxDecision::Accept => scheduler.accept(&home, &id, comment, &Unbounded).await,
            InboxDecision::Decline => scheduler.decline(&home, &id, comment, &Unbounded).await,
        }
    };
    let told = on_behalf_of(&asked.user, deciding).await;
    let told = told.map_err(|error| match error {
        NotDecided::Store(error) if error.kind() == convoke_types::ErrorKind::NotFound => {
            not_there(&asked.id)
        }
        NotDecided::Store(error) => error,
        late if late.is_too_late() => {
            Error::invalid(format!("{late}; the message is taken out of the inbox"))
        }
        other => Error::invalid(format!("{other}; the message waits still")),
    })?;
    Ok(told
        .into_iter()
        .map(|(who, outcome)| Told::new(who, outcome))
        .collect())
}

fn not_there(id: &str) -> Error {
    let id = convoke_types::excerpt(id, 80);
    Error::not_found(format!(
        "nothing waits under `{id}`; `convoke inbox list` shows what does"
    ))
}

fn row(home: &OurHome, waiting: &WaitingMessage) -> InboxRow {
    let message = &waiting.entry.message;
    let summary = waiting.summary.as_ref();
    InboxRow {
        id: waiting.entry.id.to_string(),
        user: home.user().address.clone(),
        uid: message.uid.clone(),
        method: message.method.clone(),
        from: message.originator.clone(),
        summary: summary.map(|it| it.title.clone()),
        start: start(home, waiting),
        why: match waiting.why {
            Why::Counter => InboxWhy::Counter,
            Why::Held => InboxWhy::Held,
            Why::Booking => InboxWhy::Booking,
        },
    }
}

/// When it begins: RFC 3339, or a date.
fn start(home: &OurHome, waiting: &WaitingMessage) -> Option<String> {
    let start = waiting.summary.as_ref()?.start.as_ref()?;
    let calendar = Calendar::parse(&waiting.entry.message.data, &Limits::default()).ok()?;
    let zones = Zones::of(&calendar, Person::of(home.user()).owner().timezone);
    written(start, &zones)
}
