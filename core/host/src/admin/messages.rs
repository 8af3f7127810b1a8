//! The methods by which our people send: messages, objects, answers.

use super::{
    api::{Answer, Delete, Deleted, Reply, SendObject, Sent, Submit as HandIn, Telling, Told},
    stores::{OfStores as _, no_user},
};
use crate::{
    instance::Instance,
    scheduling::{self, OurHome, telling},
    wire,
};
use convoke_calendar::{
    itip::{self, PartStat, Proposal},
    message::Provenance,
    tree::{Calendar, Limits},
};
use convoke_plugin_host::origin::Origin;
use convoke_scheduling::{
    Environment, Home as _, Intake, NoReply, Response, Stores as _, Submission, TransportFacts,
    Unbounded, Unsent,
};
use convoke_types::{CalendarAddress, Error, Proof, Uid};
use jiff::Timestamp;
use std::collections::HashSet;

/// Sends a message as the submission listener does. Who can ask by the control socket may act as any of our people.
pub(super) async fn submit(instance: &Instance, mut asked: HandIn) -> Result<Vec<Told>, Error> {
    // As in a header: who is named twice counts once.
    let mut seen = HashSet::new();
    asked.recipients.retain(|it| seen.insert(it.clone()));
    let (originator, recipients) = (&asked.originator, &asked.recipients);
    let most = instance.config.limits.recipients;
    if recipients.len() > most {
        return Err(Error::invalid(format!(
            "there are more than {most} recipients"
        )));
    }
    let scheduler = &instance.scheduler;
    let sending = async {
        if !scheduler.is_ours(originator).await? {
            return Err(Error::denied(format!(
                "{} is none of this host's own people",
                originator.human()
            )));
        }
        let intake = Intake {
            data: &asked.data.0,
            originator,
            recipients,
            from: Provenance::Submission,
            now: Timestamp::now(),
        };
        let message = scheduler.read(&intake, |_| Ok(())).await;
        let message =
            message.map_err(|refusal| Error::invalid(wire::refusal(refusal).to_string()))?;
        let submission = Submission {
            message: &message,
            data: &asked.data.0,
            originator,
            recipients,
            transport: TransportFacts::default(),
        };
        let outcomes = scheduler.dispatch(&submission, &Unbounded).await;
        let told = recipients.iter().map(ToString::to_string).zip(outcomes);
        Ok(told.map(|(who, outcome)| Told::new(who, outcome)).collect())
    };
    on_behalf_of(originator, sending).await
}

pub(super) async fn reply(instance: &Instance, asked: Reply) -> Result<Vec<Told>, Error> {
    let home = home(instance, &asked.user).await?;
    let (user, uid) = (asked.user.clone(), asked.uid.clone());
    let response = response(asked)?;
    let composing = instance.scheduler.compose_response(&home, &uid, &response);
    let composed = on_behalf_of(&user, composing).await;
    let outgoing = composed.map_err(|error| match error {
        NoReply::Unknown => none_of(&user, &uid),
        NoReply::Store(error) => error,
        NoReply::Reply(error) => Error::invalid(error.to_string()),
    })?;
    let mut told = Vec::new();
    for answer in &outgoing {
        let sent = on_behalf_of(&user, instance.scheduler.send_message(answer)).await;
        let recipients = answer.recipients.iter().map(ToString::to_string);
        let sent = recipients.zip(sent);
        told.extend(sent.map(|(who, outcome)| Told::new(who, outcome)));
    }
    Ok(told)
}

/// What is said, if it is said whole.
fn response(asked: Reply) -> Result<Response, Error> {
    let missing = |what: &str| Error::invalid(format!("it does not say {what}"));
    let comment = asked.comment.as_deref();
    if asked.to.is_some() && asked.answer != Answer::Delegated {
        return Err(Error::invalid("`to` goes with DELEGATED only"));
    }
    if (asked.start.is_some() || asked.end.is_some()) && asked.answer != Answer::Counter {
        return Err(Error::invalid("`start` and `end` go with COUNTER only"));
    }
    let mut reply = match asked.answer {
        Answer::Counter => {
            let start = asked.start.ok_or_else(|| missing("when it shall start"))?;
            return Ok(Response::Counter(Proposal {
                start: start.into(),
                end: asked.end.map(Into::into),
                instance: asked.instance.map(Into::into),
                comment: asked.comment,
            }));
        }
        Answer::Delegated => {
            let delegate = asked.to.ok_or_else(|| missing("who comes instead"))?;
            itip::Reply::delegate_to(delegate)
        }
        Answer::Accepted => itip::Reply::new(PartStat::Accepted),
        Answer::Declined => itip::Reply::new(PartStat::Declined),
        Answer::Tentative => itip::Reply::new(PartStat::Tentative),
    };
    if let Some(instance) = asked.instance {
        reply = reply.to_instance(instance.into());
    }
    Ok(Response::Reply(match comment {
        Some(comment) => reply.with_comment(comment),
        None => reply,
    }))
}

pub(super) async fn send(instance: &Instance, asked: SendObject) -> Result<Sent, Error> {
    let data = asked.data.0;
    let object = Calendar::parse(&data, &Limits::default());
    let object = object.map_err(|error| Error::invalid(error.to_string()))?;
    let home = home(instance, &asked.user).await?;
    let sending = instance.scheduler.send_object(&home, &object, &Unbounded);
    let told = on_behalf_of(&asked.user, sending).await;
    let told = told.map_err(|unsent| match unsent {
        Unsent::Store(error) => error,
        Unsent::Invalid(error) => Error::invalid(error.in_source(&data).to_string()),
        other => Error::invalid(other.to_string()),
    })?;
    Ok(Sent::from(told))
}

/// Deletes an object as its owner does in a calendar program.
pub(super) async fn delete(instance: &Instance, asked: Delete) -> Result<Deleted, Error> {
    let home = home(instance, &asked.user).await?;
    if telling(&instance.plugins, home.place(), home.user()) != scheduling::Telling::On {
        return asked.run(&instance.plugins).await;
    }
    let scheduler = &instance.scheduler;
    let deleting = scheduler.delete_object(&home, &asked.uid, &Unbounded);
    let told = on_behalf_of(&asked.user, deleting).await?;
    let told = told.ok_or_else(|| none_of(&asked.user, &asked.uid))?;
    let told = told.into_iter();
    Ok(Deleted {
        told: told.map(|(who, outcome)| Told::new(who, outcome)).collect(),
        by: Telling::Host,
    })
}

/// There is no such object in the calendar.
pub(super) fn none_of(user: &CalendarAddress, uid: &Uid) -> Error {
    Error::not_found(format!(
        "the calendar of {0} holds nothing of UID {uid}; see `convoke calendar list --user {0}`",
        user.human()
    ))
}

pub(super) async fn home(instance: &Instance, address: &CalendarAddress) -> Result<OurHome, Error> {
    let stores = instance.scheduler.environment().stores();
    let found = stores.find(address).await?;
    found.ok_or_else(|| no_user(address))
}

/// Makes the calls of `work` on behalf of one of our people.
pub(super) fn on_behalf_of<T>(
    user: &CalendarAddress,
    work: impl Future<Output = T>,
) -> impl Future<Output = T> {
    Origin::of(user, &[Proof::Submission(user.clone())]).ask(work)
}
