//! Laws about calendar users.

use super::{Subject, Verdict, equal, expect, fails};
use crate::{conformance::objects::Event, prelude::*};

pub(super) async fn addresses<S: Store>(subject: Subject<S>) -> Verdict {
    let mut new = NewUser::new(subject.address());
    new.aliases = vec![subject.address(), subject.address()];
    new.name = Some("Anna Ω".to_owned());
    new.timezone = Some("Europe/Vienna".to_owned());
    new.kind = UserKind::Room;
    let before = subject.store.find(&new.address).await?;
    equal("before it was made", before, None)?;
    let id = subject.store.add_user(new.clone()).await?;
    let mut wanted = CalendarUser::new(id.clone(), new.address.clone());
    wanted.aliases.clone_from(&new.aliases);
    wanted.name.clone_from(&new.name);
    wanted.timezone.clone_from(&new.timezone);
    wanted.kind = new.kind;
    for address in [&new.address].into_iter().chain(&new.aliases) {
        let upper = address.human().to_uppercase();
        for spelling in [address.as_str(), &upper] {
            let spelt = CalendarAddress::new(spelling).map_err(Error::from)?;
            let found = subject.store.find(&spelt).await?;
            equal(spelling, found, Some(wanted.clone()))?;
        }
    }
    let mut after = None;
    loop {
        let page = Page { after, limit: 2 };
        let listing = subject.store.users(page).await?;
        if listing.items.contains(&wanted) {
            break;
        }
        after = listing.next;
        expect(after.is_some(), || "the user is not listed".to_owned())?;
    }
    subject.done([id]).await
}

pub(super) async fn taken_address<S: Store>(subject: Subject<S>) -> Verdict {
    let (main, alias) = (subject.address(), subject.address());
    let mut first = NewUser::new(main.clone());
    first.aliases = vec![alias.clone()];
    let id = subject.store.add_user(first).await?;
    let upper = CalendarAddress::new(&main.human().to_uppercase()).map_err(Error::from)?;
    for taken in [main, alias, upper] {
        let made = subject.store.add_user(NewUser::new(taken.clone())).await;
        fails(taken.human(), made, ErrorKind::Conflict)?;
        let mut by_alias = NewUser::new(subject.address());
        by_alias.aliases = vec![taken.clone()];
        let other = by_alias.address.clone();
        let made = subject.store.add_user(by_alias).await;
        fails(taken.human(), made, ErrorKind::Conflict)?;
        let half = subject.store.find(&other).await?;
        equal("a user that was refused", half, None)?;
    }
    subject.done([id]).await
}

pub(super) async fn two_users<S: Store>(subject: Subject<S>) -> Verdict {
    let (anna, bo) = (subject.user().await?, subject.user().await?);
    let of_anna = Event::new("shared").summary("Anna's");
    let of_bo = Event::new("shared").summary("Bo's");
    subject.put(&anna, &of_anna).await?;
    let seen = subject.store.get(&bo, &of_anna.uid).await?;
    equal("what the other sees", seen, None)?;
    let busy = subject.store.busy(&bo, TimeRange::ALL).await?;
    equal("when the other is busy", busy, Busy::default())?;
    (subject.store.put(&bo, of_bo.object(), Precondition::Absent)).await?;
    for (user, event) in [(&anna, &of_anna), (&bo, &of_bo)] {
        let got = subject.got(user, &event.uid).await?;
        subject.kept("after", &got, event)?;
    }
    (subject.store.remove(&bo, &of_bo.uid, Precondition::Any)).await?;
    subject.got(&anna, &of_anna.uid).await?;
    subject.done([anna, bo]).await
}

pub(super) async fn unknown_user<S: Store>(subject: Subject<S>) -> Verdict {
    let found = subject.store.find(&subject.address()).await?;
    equal("find", found, None)?;
    let store = &subject.store;
    let event = Event::new("nobody's");
    let any = Precondition::Any;
    let mut nobodies = Vec::new();
    for nobody in ["../other", "nobody", "0", " "] {
        nobodies.push(UserId::new(nobody).map_err(Error::from)?);
    }
    let removed = subject.user().await?;
    match store.remove_user(&removed).await {
        Ok(()) => nobodies.push(removed),
        gone => fails("remove_user", gone, ErrorKind::Unsupported)?,
    }
    for user in &nobodies {
        let what = format!("for the user {user:?}");
        match store.get(user, &event.uid).await {
            Ok(got) => equal("get", got, None)?,
            got => fails(&what, got, ErrorKind::NotFound)?,
        }
        let put = store.put(user, event.object(), any.clone()).await;
        fails(&what, put, ErrorKind::NotFound)?;
        let removal = store.remove(user, &event.uid, any.clone()).await;
        fails(&what, removal, ErrorKind::NotFound)?;
        let busy = store.busy(user, TimeRange::ALL).await;
        fails(&what, busy, ErrorKind::NotFound)?;
        match store.remove_user(user).await {
            Err(error) if error.kind() == ErrorKind::Unsupported => {}
            gone => fails(&what, gone, ErrorKind::NotFound)?,
        }
    }
    Ok(())
}

pub(super) async fn removed_user<S: Store>(subject: Subject<S>) -> Verdict {
    let address = subject.address();
    let user = subject
        .store
        .add_user(NewUser::new(address.clone()))
        .await?;
    let event = Event::new("personal");
    subject.put(&user, &event).await?;
    subject.store.remove_user(&user).await?;
    let found = subject.store.find(&address).await?;
    equal("find", found, None)?;
    let again = subject.store.add_user(NewUser::new(address)).await?;
    let got = subject.store.get(&again, &event.uid).await?;
    equal("what a new user of the address sees", got, None)?;
    let busy = subject.store.busy(&again, TimeRange::ALL).await?;
    equal("its busy time", busy, Busy::default())?;
    subject.done([again]).await
}

pub(super) async fn kept_message<S: Store>(subject: Subject<S>) -> Verdict {
    let user = subject.user().await?;
    let event = Event::new("countered");
    let message = KeptMessage {
        originator: subject.address(),
        recipient: subject.address(),
        method: "COUNTER".to_owned(),
        uid: event.uid.clone(),
        data: event.object().data,
        attributes: Vec::new(),
    };
    subject.store.keep(&user, message.clone()).await?;
    let got = subject.store.get(&user, &event.uid).await?;
    equal("an object of its UID", got, None)?;
    let busy = subject.store.busy(&user, TimeRange::ALL).await?;
    equal("busy time", busy, Busy::default())?;
    subject.done([user]).await?;
    let nobody = UserId::new("nobody").map_err(Error::from)?;
    let kept = subject.store.keep(&nobody, message).await;
    fails("for nobody", kept, ErrorKind::NotFound)
}

/// What is to be there when the store is opened again.
pub(super) struct Left {
    address: CalendarAddress,
    user: UserId,
    event: Event,
    etag: Etag,
}

pub(super) async fn leave<S: Store>(subject: Subject<S>) -> Verdict<Left> {
    let (user, address) = subject.user_and_address().await?;
    let event = Event::new("../lasting 🗓");
    let etag = subject.put(&user, &event).await?;
    Ok(Left {
        address,
        user,
        event,
        etag,
    })
}

pub(super) async fn return_to<S: Store>(subject: Subject<S>, left: Left) -> Verdict {
    let found = subject.store.find(&left.address).await?;
    let id = found.map(|user| user.id);
    equal("the user", id.as_ref(), Some(&left.user))?;
    let got = subject.got(&left.user, &left.event.uid).await?;
    subject.kept("after", &got, &left.event)?;
    equal("the etag", got.etag, left.etag)?;
    let busy = subject.store.busy(&left.user, TimeRange::ALL).await?;
    equal("busy time", busy.spans, Vec::from_iter(left.event.span()))?;
    subject.done([left.user]).await
}
