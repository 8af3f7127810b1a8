//! The admin API: what a running host does for commands, and for the console.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `api` | the methods, each with what it takes and answers |
//! | `client` | asks a running host, by the control socket in its state folder |
//!
//! Commands go through the running host where there is one: a store has one master, and files that a command makes belong
//! to the host's user. Who can open the control socket may do everything.

pub(crate) mod api;
pub(crate) mod client;

use crate::{
    instance::Instance,
    scheduling::{OurHome, SystemClock},
};
use api::{
    AddUser, Find, FindIn, Found, Get, Method, Object, Objects, Put, RemoveUser, Reply, SendObject,
    Sent, StoreFor, Stores, Told, Users,
};
use convoke_calendar::{
    itip::PartStat,
    tree::{Calendar, Limits},
};
use convoke_plugin_host::{StoreHandle, origin::Origin};
use convoke_scheduling::{
    Environment, NoReply, Stores as _, Submit, Unsent, compose_reply, send_object,
};
use convoke_types::{
    CalendarAddress, CalendarUser, Error, Etag, Listing, NewObject, ObjectSummary, Proof, UserId,
};
use jiff::Timestamp;
use std::sync::Arc;

/// Does what a method says: JSON in, JSON out. `None` if there is no such method.
pub(crate) async fn call(
    instance: &Instance,
    method: &str,
    body: &[u8],
) -> Option<Result<Vec<u8>, Error>> {
    Some(match method {
        Stores::NAME => answer(body, async |_: Stores| Ok(stores(instance))).await,
        StoreFor::NAME => {
            answer(body, async |asked: StoreFor| {
                Ok(store_for(instance, &asked))
            })
            .await
        }
        Find::NAME => answer(body, async |asked| find(instance, asked).await).await,
        FindIn::NAME => answer(body, async |asked| find_in(instance, asked).await).await,
        Users::NAME => answer(body, async |asked| users(instance, asked).await).await,
        AddUser::NAME => answer(body, async |asked| add_user(instance, asked).await).await,
        RemoveUser::NAME => answer(body, async |asked| remove_user(instance, asked).await).await,
        Objects::NAME => answer(body, async |asked| objects(instance, asked).await).await,
        Get::NAME => answer(body, async |asked| get(instance, asked).await).await,
        Put::NAME => answer(body, async |asked| put(instance, asked).await).await,
        Reply::NAME => answer(body, async |asked| reply(instance, asked).await).await,
        SendObject::NAME => answer(body, async |asked| send(instance, asked).await).await,
        _ => return None,
    })
}

async fn answer<M: Method>(
    body: &[u8],
    run: impl AsyncFnOnce(M) -> Result<M::Answer, Error>,
) -> Result<Vec<u8>, Error> {
    let asked = serde_json::from_slice(body);
    let asked = asked.map_err(|error| Error::invalid(format!("{}: {error}", M::NAME)))?;
    let answer = run(asked).await?;
    serde_json::to_vec(&answer).map_err(|error| Error::internal(error.to_string()))
}

fn stores(instance: &Instance) -> Vec<String> {
    let stores = instance.plugins.stores.iter();
    stores.map(|store| store.name().to_owned()).collect()
}

fn store_for(instance: &Instance, asked: &StoreFor) -> Option<String> {
    let store = instance.plugins.stores.for_address(&asked.address);
    store.map(|store| store.name().to_owned())
}

async fn find(instance: &Instance, asked: Find) -> Result<Option<Found>, Error> {
    let found = instance.plugins.stores.find(&asked.address).await?;
    Ok(found.map(|(store, user)| Found {
        store: store.name().to_owned(),
        user,
    }))
}

async fn find_in(instance: &Instance, asked: FindIn) -> Result<Option<CalendarUser>, Error> {
    store(instance, &asked.store)?.find(&asked.address).await
}

async fn users(instance: &Instance, asked: Users) -> Result<Listing<CalendarUser>, Error> {
    store(instance, &asked.store)?.users(&asked.page).await
}

async fn add_user(instance: &Instance, asked: AddUser) -> Result<UserId, Error> {
    store(instance, &asked.store)?.add_user(&asked.user).await
}

async fn remove_user(instance: &Instance, asked: RemoveUser) -> Result<(), Error> {
    store(instance, &asked.store)?
        .remove_user(&asked.user)
        .await
}

async fn objects(instance: &Instance, asked: Objects) -> Result<Listing<ObjectSummary>, Error> {
    let store = store(instance, &asked.store)?;
    store.list(&asked.user, &asked.page).await
}

async fn get(instance: &Instance, asked: Get) -> Result<Option<Object>, Error> {
    let store = store(instance, &asked.store)?;
    let found = store.get(&asked.user, &asked.uid).await?;
    Ok(found.map(Object::from))
}

async fn put(instance: &Instance, asked: Put) -> Result<Etag, Error> {
    let object = NewObject::new(asked.data.0, asked.index);
    let store = store(instance, &asked.store)?;
    store.put(&asked.user, &object, &asked.when).await
}

async fn reply(instance: &Instance, asked: Reply) -> Result<Vec<Told>, Error> {
    let answer = PartStat::parse(&asked.answer);
    let home = home(instance, &asked.user).await?;
    let limits = &instance.config.limits.messages;
    let composed = compose_reply(&home, &asked.uid, answer, limits, Timestamp::now()).await;
    let outgoing = composed.map_err(|error| match error {
        NoReply::Unknown => Error::not_found(error.to_string()),
        NoReply::Store(error) => error,
        NoReply::Reply(error) => Error::invalid(error.to_string()),
    })?;
    let mut told = Vec::new();
    for answer in &outgoing {
        let sent = on_behalf_of(&asked.user, instance.scheduler.submit(answer)).await;
        let sent = sent.map_err(|refusal| Error::invalid(refusal.to_string()))?;
        told.extend(
            sent.into_iter()
                .map(|(who, outcome)| Told::new(who, outcome)),
        );
    }
    Ok(told)
}

async fn send(instance: &Instance, asked: SendObject) -> Result<Sent, Error> {
    let data = asked.data.0;
    let object = Calendar::parse(&data, &Limits::default());
    let object = object.map_err(|error| Error::invalid(error.to_string()))?;
    let home = home(instance, &asked.user).await?;
    let limits = &instance.config.limits.messages;
    let sending = send_object(&object, &home, &instance.scheduler, limits, &SystemClock);
    let told = on_behalf_of(&asked.user, sending).await;
    let told = told.map_err(|unsent| match unsent {
        Unsent::Store(error) => error,
        Unsent::Invalid(error) => Error::invalid(error.in_source(&data).to_string()),
        Unsent::Failed(refusal) => Error::invalid(refusal.to_string()),
        other => Error::invalid(other.to_string()),
    })?;
    Ok(Sent::from(told))
}

fn store<'a>(instance: &'a Instance, name: &str) -> Result<&'a Arc<StoreHandle>, Error> {
    instance.plugins.stores.by_name(name).ok_or_else(|| {
        Error::not_found(format!(
            "the running host has no [[store]] of the name `{name}`; if the configuration has one, `convoke reload` first"
        ))
    })
}

async fn home(instance: &Instance, address: &CalendarAddress) -> Result<OurHome, Error> {
    let found = instance
        .scheduler
        .environment()
        .stores()
        .find(address)
        .await?;
    found.ok_or_else(|| Error::not_found(format!("{} is no calendar user", address.human())))
}

/// Makes the calls of `work` on behalf of one of our people.
fn on_behalf_of<T>(
    user: &CalendarAddress,
    work: impl Future<Output = T>,
) -> impl Future<Output = T> {
    Origin::of(user, &[Proof::Submission(user.clone())]).ask(work)
}
