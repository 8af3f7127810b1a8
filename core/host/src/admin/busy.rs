//! When one of our people is busy, as they are told themselves.

use super::{
    api::{BusyPart, BusyTime, Fortnight, Submit, Text},
    messages::{self, home},
};
use crate::{fortnight, instance::Instance};
use convoke_calendar::{
    freebusy,
    tree::{Calendar, Limits},
};
use convoke_scheduling::{Home as _, Person};
use convoke_types::{BusySpan, Error, Uid};
use jiff::Timestamp;
use uuid::Uuid;

pub(super) async fn busy(instance: &Instance, asked: BusyTime) -> Result<Fortnight, Error> {
    let home = home(instance, &asked.user).await?;
    let zone = Person::of(home.user()).owner().timezone;
    let user = home.user().address.clone();
    let now = Timestamp::now();
    let today = zone.to_datetime(now).date();
    let range = fortnight::range(&zone, today);
    let range = range.ok_or_else(|| Error::internal("today is not within all time"))?;
    let uid = Uid::new(Uuid::new_v4().to_string());
    let uid = uid.map_err(|error| Error::internal(error.to_string()))?;
    let question = freebusy::request(&user, std::slice::from_ref(&user), range, &uid, now);
    let question = Submit {
        originator: user.clone(),
        recipients: vec![user.clone()],
        data: Text(question.write()),
    };
    let told = messages::submit(instance, question).await?;
    let told = told.into_iter().next();
    let told = told.ok_or_else(|| Error::internal("there is no answer"))?;
    let busy = told.data.as_deref().map(read).transpose()?;
    Ok(Fortnight {
        user,
        zone: zone.iana_name().unwrap_or("UTC").to_owned(),
        from: today,
        status: told.status,
        busy,
    })
}

fn read(answer: &str) -> Result<Vec<BusyPart>, Error> {
    let wrong = |error: &dyn std::fmt::Display| Error::internal(error.to_string());
    let calendar = Calendar::parse(answer.as_bytes(), &Limits::default());
    let calendar = calendar.map_err(|error| wrong(&error))?;
    let spans = freebusy::read_answer(&calendar).map_err(|error| wrong(&error))?;
    Ok(spans.iter().map(part).collect())
}

fn part(span: &BusySpan) -> BusyPart {
    BusyPart {
        start: span.range.start(),
        end: span.range.end(),
        kind: span.kind,
    }
}
