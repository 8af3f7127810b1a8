//! Laws about calendar users.

use super::{CALL, Subject, Verdict, equal, expect, fails};
use crate::{conformance::objects::Event, prelude::*};

pub(super) async fn addresses<S: Store>(subject: Subject<S>) -> Verdict {
    let mut new = NewUser::new(subject.address());
    new.aliases = vec![subject.address(), subject.address()];
    new.name = Some("Anna Ω".to_owned());
    new.timezone = Some("Europe/Vienna".to_owned());
    new.kind = UserKind::Room;
    new.attributes.set("floor", "3");
    let before = subject.store.find(&new.address, &CALL).await?;
    equal("before it was made", before, None)?;
    let id = subject.store.add_user(&new, &CALL).await?;
    let mut wanted = CalendarUser::new(id.clone(), new.address.clone());
    wanted.aliases.clone_from(&new.aliases);
    wanted.name.clone_from(&new.name);
    wanted.timezone.clone_from(&new.timezone);
    wanted.kind = new.kind;
    wanted.attributes = new.attributes.clone();
    for address in [&new.address].into_iter().chain(&new.aliases) {
        let upper = address.human().to_uppercase();
        for spelling in [address.as_str(), &upper] {
            let spelt = CalendarAddress::new(spelling).map_err(Error::from)?;
            let found = subject.store.find(&spelt, &CALL).await?;
            equal(spelling, found, Some(wanted.clone()))?;
        }
    }
    let mut after = None;
    loop {
        let page = Page::after(after, 2);
        let listing = subject.store.users(&page, &CALL).await?;
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
    let id = subject.store.add_user(&first, &CALL).await?;
    let upper = CalendarAddress::new(&main.human().to_uppercase()).map_err(Error::from)?;
    for taken in [main, alias, upper] {
        let made = subject
            .store
            .add_user(&NewUser::new(taken.clone()), &CALL)
            .await;
        fails(taken.human(), made, ErrorKind::Conflict)?;
        let mut by_alias = NewUser::new(subject.address());
        by_alias.aliases = vec![taken.clone()];
        let other = by_alias.address.clone();
        let made = subject.store.add_user(&by_alias, &CALL).await;
        fails(taken.human(), made, ErrorKind::Conflict)?;
        let half = subject.store.find(&other, &CALL).await?;
        equal("a user that was refused", half, None)?;
    }
    subject.done([id]).await
}

pub(super) async fn two_users<S: Store>(subject: Subject<S>) -> Verdict {
    let (anna, bo) = (subject.user().await?, subject.user().await?);
    let of_anna = Event::new("shared").summary("Anna's");
    let of_bo = Event::new("shared").summary("Bo's");
    subject.put(&anna, &of_anna).await?;
    let seen = subject.store.get(&bo, &of_anna.uid, &CALL).await?;
    equal("what the other sees", seen, None)?;
    let busy = subject.store.busy(&bo, TimeRange::ALL, &CALL).await?;
    equal("when the other is busy", busy, Busy::default())?;
    (subject
        .store
        .put(&bo, &of_bo.object(), &Precondition::Absent, &CALL))
    .await?;
    for (user, event) in [(&anna, &of_anna), (&bo, &of_bo)] {
        let got = subject.got(user, &event.uid).await?;
        subject.kept("after", &got, event)?;
    }
    (subject
        .store
        .remove(&bo, &of_bo.uid, &Precondition::Any, &CALL))
    .await?;
    subject.got(&anna, &of_anna.uid).await?;
    subject.done([anna, bo]).await
}

pub(super) async fn unknown_user<S: Store>(subject: Subject<S>) -> Verdict {
    let found = subject.store.find(&subject.address(), &CALL).await?;
    equal("find", found, None)?;
    let store = &subject.store;
    let event = Event::new("nobody's");
    let any = Precondition::Any;
    let mut nobodies = Vec::new();
    for nobody in ["../other", "nobody", "0", " "] {
        nobodies.push(UserId::new(nobody).map_err(Error::from)?);
    }
    let removed = subject.user().await?;
    match store.remove_user(&removed, &CALL).await {
        Ok(()) => nobodies.push(removed),
        gone => fails("remove_user", gone, ErrorKind::Unsupported)?,
    }
    for user in &nobodies {
        let what = format!("for the user {user:?}");
        match store.get(user, &event.uid, &CALL).await {
            Ok(got) => equal("get", got, None)?,
            got => fails(&what, got, ErrorKind::NotFound)?,
        }
        let put = store.put(user, &event.object(), &any, &CALL).await;
        fails(&what, put, ErrorKind::NotFound)?;
        let removal = store.remove(user, &event.uid, &any, &CALL).await;
        fails(&what, removal, ErrorKind::NotFound)?;
        let busy = store.busy(user, TimeRange::ALL, &CALL).await;
        fails(&what, busy, ErrorKind::NotFound)?;
        match store.remove_user(user, &CALL).await {
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
        .add_user(&NewUser::new(address.clone()), &CALL)
        .await?;
    let event = Event::new("personal");
    subject.put(&user, &event).await?;
    subject.store.remove_user(&user, &CALL).await?;
    let found = subject.store.find(&address, &CALL).await?;
    equal("find", found, None)?;
    let again = subject
        .store
        .add_user(&NewUser::new(address), &CALL)
        .await?;
    let got = subject.store.get(&again, &event.uid, &CALL).await?;
    equal("what a new user of the address sees", got, None)?;
    let busy = subject.store.busy(&again, TimeRange::ALL, &CALL).await?;
    equal("its busy time", busy, Busy::default())?;
    subject.done([again]).await
}

pub(super) async fn updated<S: Store>(subject: Subject<S>) -> Verdict {
    let store = &subject.store;
    let (before, other) = (subject.address(), subject.address());
    let id = store.add_user(&NewUser::new(before.clone()), &CALL).await?;
    let neighbour = store.add_user(&NewUser::new(other.clone()), &CALL).await?;
    let event = Event::new("stays");
    subject.put(&id, &event).await?;
    let mut user = CalendarUser::new(id.clone(), subject.address());
    user.aliases = vec![subject.address()];
    user.name = Some("Bo".to_owned());
    user.timezone = Some("Europe/Vienna".to_owned());
    user.kind = UserKind::Resource;
    user.attributes.set("seats", "12");
    store.update_user(&user, &CALL).await?;
    for address in [&user.address, &user.aliases[0]] {
        let found = store.find(address, &CALL).await?;
        equal("after the update", found, Some(user.clone()))?;
    }
    let gone = store.find(&before, &CALL).await?;
    equal("by the address before", gone, None)?;
    subject.got(&id, &event.uid).await?;
    let mut thief = user.clone();
    thief.aliases = vec![other.clone()];
    let taken = store.update_user(&thief, &CALL).await;
    fails("an address of somebody else", taken, ErrorKind::Conflict)?;
    let found = store.find(&user.address, &CALL).await?;
    equal("after a refused update", found, Some(user))?;
    let nobody = UserId::new("nobody").map_err(Error::from)?;
    let stranger = CalendarUser::new(nobody, subject.address());
    let updated = store.update_user(&stranger, &CALL).await;
    fails("a user that is not there", updated, ErrorKind::NotFound)?;
    subject.done([id, neighbour]).await
}

/// A message about an object that is not there.
fn message<S: Store>(subject: &Subject<S>, uid: &str, text: &str) -> InboxMessage {
    let event = Event::new(uid).summary(text);
    let mut message = InboxMessage::new(
        subject.address(),
        subject.address(),
        "COUNTER",
        event.uid.clone(),
        event.object().data,
    );
    message.attributes.set("why", "held");
    message
}

pub(super) async fn kept_message<S: Store>(subject: Subject<S>) -> Verdict {
    let (user, store) = (subject.user().await?, &subject.store);
    let message = message(&subject, "countered", "first");
    store.inbox_add(&user, &message, &CALL).await?;
    let got = store.get(&user, &message.uid, &CALL).await?;
    equal("an object of its UID", got, None)?;
    let busy = store.busy(&user, TimeRange::ALL, &CALL).await?;
    equal("busy time", busy, Busy::default())?;
    subject.done([user]).await?;
    let nobody = UserId::new("nobody").map_err(Error::from)?;
    let kept = store.inbox_add(&nobody, &message, &CALL).await;
    fails("for nobody", kept, ErrorKind::NotFound)
}

/// The messages that are kept for a user, by pages of two.
pub(super) async fn inbox<S: Store>(
    subject: &Subject<S>,
    user: &UserId,
) -> Verdict<Vec<InboxEntry>> {
    let (mut items, mut after) = (Vec::new(), None);
    loop {
        let page = Page::after(after, 2);
        let listing = subject.store.inbox_list(user, &page, &CALL).await?;
        items.extend(listing.items);
        after = listing.next;
        if after.is_none() {
            return Ok(items);
        }
        expect(items.len() < 1000, || "the listing does not end".to_owned())?;
    }
}

pub(super) async fn inbox_listed<S: Store>(subject: Subject<S>) -> Verdict {
    let (user, store) = (subject.user().await?, &subject.store);
    equal("nothing", inbox(&subject, &user).await?.len(), 0)?;
    let first = message(&subject, "u1", "first");
    let mut again = first.clone();
    again.data = message(&subject, "u1", "second").data;
    let part = first.clone().about("20270101T000000Z");
    let others = [
        part,
        message(&subject, "u2", "x"),
        message(&subject, "u3", "y"),
    ];
    let id = store.inbox_add(&user, &first, &CALL).await?;
    store.inbox_add(&user, &again, &CALL).await?;
    for other in &others {
        store.inbox_add(&user, other, &CALL).await?;
    }
    let mut wanted = vec![again.clone()];
    wanted.extend(others);
    let listed = inbox(&subject, &user).await?;
    let mut found: Vec<InboxMessage> = listed.iter().map(|it| it.message.clone()).collect();
    let key = |it: &InboxMessage| (it.uid.clone(), it.instance.clone());
    found.sort_by_key(key);
    wanted.sort_by_key(key);
    equal(
        "the messages, the later of two about the same",
        found,
        wanted,
    )?;
    let place = listed.iter().find(|it| it.message == again);
    let taken = place.map_or(id, |it| it.id.clone());
    let message = store.inbox_take(&user, &taken, &CALL).await?;
    equal("what is taken", message, again)?;
    let twice = store.inbox_take(&user, &taken, &CALL).await;
    fails("to take it twice", twice, ErrorKind::NotFound)?;
    equal("what is left", inbox(&subject, &user).await?.len(), 3)?;
    subject.done([user]).await
}

pub(super) async fn inbox_room<S: Store>(subject: Subject<S>) -> Verdict {
    let (user, store) = (subject.user().await?, &subject.store);
    let one = message(&subject, "u1", "a message");
    let size = one.data.len() as u64;
    let tight = |total, of_sender| one.clone().within(Room::new(total, of_sender));
    for room in [tight(size - 1, size), tight(size, size - 1)] {
        let refused = store.inbox_add(&user, &room, &CALL).await;
        fails("more than there is room for", refused, ErrorKind::Conflict)?;
    }
    equal("what is kept then", inbox(&subject, &user).await?.len(), 0)?;
    store.inbox_add(&user, &tight(size, size), &CALL).await?;
    // It takes the place of itself.
    store.inbox_add(&user, &tight(size, size), &CALL).await?;
    let mut other = message(&subject, "u2", "a message").within(Room::new(2 * size, size));
    other.originator = one.originator.clone();
    let refused = store.inbox_add(&user, &other, &CALL).await;
    fails("more of one sender", refused, ErrorKind::Conflict)?;
    subject.done([user]).await
}

/// A store either leaves a message to the host, or does everything itself and says how it went.
pub(super) async fn delivered<S: Store>(subject: Subject<S>) -> Verdict {
    let (user, address) = subject.user_and_address().await?;
    let store = &subject.store;
    let event = Event::new("delivered");
    let text = String::from_utf8_lossy(&event.object().data).into_owned();
    let data = text.replacen("VERSION:2.0\r\n", "VERSION:2.0\r\nMETHOD:REQUEST\r\n", 1);
    let message = InboxMessage::new(
        subject.address(),
        address,
        "REQUEST",
        event.uid.clone(),
        data.into_bytes(),
    );
    match store.deliver(&user, &message, &CALL).await? {
        Delivery::Unhandled => {
            let got = store.get(&user, &event.uid, &CALL).await?;
            equal("what is there of a message left to the host", got, None)?;
            let kept = match store.inbox_list(&user, &Page::first(10), &CALL).await {
                Err(error) if error.kind() == ErrorKind::Unsupported => 0,
                listing => listing?.items.len(),
            };
            equal("what is kept of a message left to the host", kept, 0)?;
        }
        Delivery::Handled(status) => {
            let code: Vec<&str> = status
                .split(';')
                .next()
                .unwrap_or_default()
                .split('.')
                .collect();
            let numbers = code.iter().all(|part| part.parse::<u8>().is_ok());
            expect((2..=3).contains(&code.len()) && numbers, || {
                format!("expected a request status such as `2.0;Success`, got {status:?}")
            })?;
        }
    }
    subject.done([user]).await
}

/// What one of two opened stores writes, the other reads.
pub(super) async fn side_by_side<S: Store>(one: Subject<S>, other: Subject<S>) -> Verdict {
    let user = one.user().await?;
    let event = Event::new("beside");
    let first = one.put(&user, &event).await?;
    let seen = other.got(&user, &event.uid).await?;
    one.kept("through the other one", &seen, &event)?;
    let changed = event.clone().summary("from the other side");
    let when = Precondition::Matches(first.clone());
    let put = (other.store.put(&user, &changed.object(), &when, &CALL)).await?;
    let got = one.got(&user, &event.uid).await?;
    equal("the version that the other one wrote", got.etag, put)?;
    let late = one.store.put(&user, &event.object(), &when, &CALL).await;
    fails(
        "a write against the version before",
        late,
        ErrorKind::Conflict,
    )?;
    one.done([user]).await
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
    let found = subject.store.find(&left.address, &CALL).await?;
    let id = found.map(|user| user.id);
    equal("the user", id.as_ref(), Some(&left.user))?;
    let got = subject.got(&left.user, &left.event.uid).await?;
    subject.kept("after", &got, &left.event)?;
    equal("the etag", got.etag, left.etag)?;
    let busy = subject
        .store
        .busy(&left.user, TimeRange::ALL, &CALL)
        .await?;
    equal("busy time", busy.spans, Vec::from_iter(left.event.span()))?;
    subject.done([left.user]).await
}
