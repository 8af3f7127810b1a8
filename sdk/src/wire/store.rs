use super::{
    Garbage, Read, Reread, Write, read_all, read_attributes, read_text, write_all, write_text,
};
use crate::{
    Busy, BusySpan, BusyType, CalendarAddress, CalendarUser, Changed, Changes, Cursor, Delivery,
    Etag, InboxEntry, InboxMessage, Listing, MessageId, NewObject, NewUser, ObjectIndex,
    ObjectSummary, Page, Precondition, Room, Scheduling, StoredObject, TimeRange, Uid, UserId,
    UserKind, Watch, Watched,
};
use convoke_abi::{
    ROption, RStr, RString, RVec,
    store::{self, busy_kind, delivery, precondition, scheduling, user_kind},
};
use jiff::Timestamp;

impl Read<RString> for CalendarAddress {
    fn read(sent: RString) -> Result<Self, Garbage> {
        Ok(Self::new(&sent)?)
    }
}

impl Write for CalendarAddress {
    type Sent = RString;

    fn write(self) -> RString {
        String::from(self).into()
    }
}

macro_rules! identifiers {
    ($($id:ident),*) => {
        $(impl Write for $id {
            type Sent = RString;

            fn write(self) -> RString {
                String::from(self).into()
            }
        }

        impl Read<RString> for $id {
            fn read(sent: RString) -> Result<Self, Garbage> {
                Ok(Self::new(sent)?)
            }
        }

        impl<'a> Write for &'a $id {
            type Sent = RStr<'a>;

            fn write(self) -> RStr<'a> {
                self.as_str().into()
            }
        }

        /// Only a host lends texts, and it has looked at them.
        impl Read<RStr<'_>> for $id {
            fn read(sent: RStr<'_>) -> Result<Self, Garbage> {
                Ok(Self::from_valid(sent.as_str()))
            }
        }

        impl Reread<RStr<'_>> for $id {
            fn reread(&mut self, sent: RStr<'_>) -> Result<(), Garbage> {
                self.set_valid(sent.as_str());
                Ok(())
            }
        })*
    };
}

identifiers!(Uid, Etag, UserId, MessageId);

impl Write for UserKind {
    type Sent = u32;

    fn write(self) -> u32 {
        match self {
            Self::Group => user_kind::GROUP,
            Self::Resource => user_kind::RESOURCE,
            Self::Room => user_kind::ROOM,
            // What there is no code for is read as this, too.
            _ => user_kind::INDIVIDUAL,
        }
    }
}

impl Read<u32> for UserKind {
    fn read(sent: u32) -> Result<Self, Garbage> {
        Ok(match sent {
            user_kind::GROUP => Self::Group,
            user_kind::RESOURCE => Self::Resource,
            user_kind::ROOM => Self::Room,
            _ => Self::Individual,
        })
    }
}

impl Write for CalendarUser {
    type Sent = store::CalendarUser;

    fn write(self) -> store::CalendarUser {
        store::CalendarUser {
            id: self.id.write(),
            address: self.address.write(),
            aliases: write_all(self.aliases),
            name: write_text(self.name),
            timezone: write_text(self.timezone),
            kind: self.kind.write(),
            scheduling: match self.scheduling {
                Scheduling::Enabled => scheduling::ENABLED,
                _ => scheduling::DISABLED,
            },
            attributes: (&self.attributes).write(),
        }
    }
}

impl Write for &CalendarUser {
    type Sent = store::CalendarUser;

    fn write(self) -> store::CalendarUser {
        self.clone().write()
    }
}

impl Read<store::CalendarUser> for CalendarUser {
    fn read(sent: store::CalendarUser) -> Result<Self, Garbage> {
        let address = CalendarAddress::read(sent.address)?;
        let mut user = Self::new(UserId::read(sent.id)?, address);
        user.aliases = read_all(sent.aliases)?;
        user.name = read_text(sent.name);
        user.timezone = read_text(sent.timezone);
        user.kind = UserKind::read(sent.kind)?;
        user.scheduling = match sent.scheduling {
            scheduling::ENABLED => Scheduling::Enabled,
            _ => Scheduling::Disabled,
        };
        user.attributes = read_attributes(sent.attributes);
        Ok(user)
    }
}

impl Write for &NewUser {
    type Sent = store::NewUser;

    fn write(self) -> store::NewUser {
        let user = self.clone();
        store::NewUser {
            address: user.address.write(),
            aliases: write_all(user.aliases),
            name: write_text(user.name),
            timezone: write_text(user.timezone),
            kind: user.kind.write(),
            attributes: (&user.attributes).write(),
        }
    }
}

impl Read<store::NewUser> for NewUser {
    fn read(sent: store::NewUser) -> Result<Self, Garbage> {
        let mut user = Self::new(CalendarAddress::read(sent.address)?);
        user.aliases = read_all(sent.aliases)?;
        user.name = read_text(sent.name);
        user.timezone = read_text(sent.timezone);
        user.kind = UserKind::read(sent.kind)?;
        user.attributes = read_attributes(sent.attributes);
        Ok(user)
    }
}

impl Write for StoredObject {
    type Sent = store::StoredObject;

    fn write(self) -> store::StoredObject {
        store::StoredObject {
            uid: self.uid.write(),
            etag: self.etag.write(),
            data: self.data.into(),
            attributes: RVec::new(),
        }
    }
}

impl Read<store::StoredObject> for StoredObject {
    fn read(sent: store::StoredObject) -> Result<Self, Garbage> {
        Ok(Self::new(
            Uid::read(sent.uid)?,
            Etag::read(sent.etag)?,
            sent.data.into_vec(),
        ))
    }
}

impl<'a> Write for &'a NewObject {
    type Sent = store::NewObject<'a>;

    fn write(self) -> store::NewObject<'a> {
        store::NewObject {
            data: self.data.as_slice().into(),
            index: self.index.clone().write(),
            attributes: RVec::new(),
        }
    }
}

impl Read<store::NewObject<'_>> for NewObject {
    fn read(sent: store::NewObject<'_>) -> Result<Self, Garbage> {
        let data = sent.data.as_slice().to_vec();
        Ok(Self::new(data, ObjectIndex::read(sent.index)?))
    }
}

impl Write for ObjectIndex {
    type Sent = store::ObjectIndex;

    fn write(self) -> store::ObjectIndex {
        store::ObjectIndex {
            component: self.component.into(),
            uid: self.uid.write(),
            spans: write_all(self.spans),
            open_before: self.open_before.write(),
            open_after: self.open_after.write(),
            attributes: RVec::new(),
        }
    }
}

impl Read<store::ObjectIndex> for ObjectIndex {
    fn read(sent: store::ObjectIndex) -> Result<Self, Garbage> {
        let mut index = Self::new(sent.component.into_string(), Uid::read(sent.uid)?);
        index.spans = read_all(sent.spans)?;
        index.open_before = Option::read(sent.open_before)?;
        index.open_after = Option::read(sent.open_after)?;
        Ok(index)
    }
}

impl Write for BusySpan {
    type Sent = store::BusySpan;

    fn write(self) -> store::BusySpan {
        store::BusySpan {
            start: self.range.start().write(),
            end: self.range.end().write(),
            kind: match self.kind {
                BusyType::BusyTentative => busy_kind::TENTATIVE,
                BusyType::BusyUnavailable => busy_kind::UNAVAILABLE,
                // And what there is no code for.
                _ => busy_kind::BUSY,
            },
        }
    }
}

impl Read<store::BusySpan> for BusySpan {
    fn read(sent: store::BusySpan) -> Result<Self, Garbage> {
        let range = TimeRange::new(Timestamp::read(sent.start)?, Timestamp::read(sent.end)?)?;
        let kind = match sent.kind {
            busy_kind::TENTATIVE => BusyType::BusyTentative,
            busy_kind::UNAVAILABLE => BusyType::BusyUnavailable,
            _ => BusyType::Busy,
        };
        Ok(Self::new(range, kind))
    }
}

impl<'a> Write for &'a Precondition {
    type Sent = store::Precondition<'a>;

    fn write(self) -> store::Precondition<'a> {
        let (kind, etag) = match self {
            Precondition::Any => (precondition::ANY, ""),
            Precondition::Absent => (precondition::ABSENT, ""),
            Precondition::Matches(etag) => (precondition::MATCHES, etag.as_str()),
            // Refused by the other side.
            _ => (0, ""),
        };
        store::Precondition {
            kind,
            etag: etag.into(),
        }
    }
}

impl Read<store::Precondition<'_>> for Precondition {
    fn read(sent: store::Precondition<'_>) -> Result<Self, Garbage> {
        match sent.kind {
            precondition::ANY => Ok(Self::Any),
            precondition::ABSENT => Ok(Self::Absent),
            precondition::MATCHES => Ok(Self::Matches(Etag::read(sent.etag)?)),
            // Taking it for `Any` would overwrite what somebody else wrote.
            other => Err(Garbage::new(format!("precondition {other} is not known"))),
        }
    }
}

impl Write for Busy {
    type Sent = store::Busy;

    fn write(self) -> store::Busy {
        store::Busy {
            spans: write_all(self.spans),
            objects: write_all(self.objects),
            attributes: RVec::new(),
        }
    }
}

impl Read<store::Busy> for Busy {
    fn read(sent: store::Busy) -> Result<Self, Garbage> {
        Ok(Self::new(read_all(sent.spans)?, read_all(sent.objects)?))
    }
}

impl<'a> Write for &'a Page {
    type Sent = store::Page<'a>;

    fn write(self) -> store::Page<'a> {
        store::Page {
            after: self.after.as_ref().map(|c| RStr::from(&*c.0)).into(),
            limit: self.limit,
            attributes: RVec::new(),
        }
    }
}

impl Read<store::Page<'_>> for Page {
    fn read(sent: store::Page<'_>) -> Result<Self, Garbage> {
        Ok(Self::after(Option::read(sent.after)?, sent.limit.max(1)))
    }
}

impl<'a> Write for Option<&'a Cursor> {
    type Sent = ROption<RStr<'a>>;

    fn write(self) -> ROption<RStr<'a>> {
        self.map(|cursor| cursor.as_str().into()).into()
    }
}

impl Read<RStr<'_>> for Cursor {
    fn read(sent: RStr<'_>) -> Result<Self, Garbage> {
        Ok(Self(sent.to_string()))
    }
}

impl Read<RString> for Cursor {
    fn read(sent: RString) -> Result<Self, Garbage> {
        Ok(Self(sent.into_string()))
    }
}

fn write_cursor(cursor: Option<Cursor>) -> ROption<RString> {
    write_text(cursor.map(|cursor| cursor.0))
}

impl Write for Listing<CalendarUser> {
    type Sent = store::Users;

    fn write(self) -> store::Users {
        store::Users {
            items: write_all(self.items),
            next: write_cursor(self.next),
            attributes: RVec::new(),
        }
    }
}

impl Read<store::Users> for Listing<CalendarUser> {
    fn read(sent: store::Users) -> Result<Self, Garbage> {
        Ok(Self::new(read_all(sent.items)?, Option::read(sent.next)?))
    }
}

impl Write for Listing<ObjectSummary> {
    type Sent = store::Objects;

    fn write(self) -> store::Objects {
        store::Objects {
            items: write_all(self.items),
            next: write_cursor(self.next),
            attributes: RVec::new(),
        }
    }
}

impl Read<store::Objects> for Listing<ObjectSummary> {
    fn read(sent: store::Objects) -> Result<Self, Garbage> {
        Ok(Self::new(read_all(sent.items)?, Option::read(sent.next)?))
    }
}

impl Write for ObjectSummary {
    type Sent = store::ObjectSummary;

    fn write(self) -> store::ObjectSummary {
        store::ObjectSummary {
            uid: self.uid.write(),
            component: self.component.into(),
            etag: self.etag.write(),
            attributes: RVec::new(),
        }
    }
}

impl Read<store::ObjectSummary> for ObjectSummary {
    fn read(sent: store::ObjectSummary) -> Result<Self, Garbage> {
        Ok(Self::new(
            Uid::read(sent.uid)?,
            sent.component.into_string(),
            Etag::read(sent.etag)?,
        ))
    }
}

impl Write for Changes {
    type Sent = store::Changes;

    fn write(self) -> store::Changes {
        store::Changes {
            changed: write_all(self.changed),
            removed: write_all(self.removed),
            cursor: self.cursor.0.into(),
            attributes: RVec::new(),
        }
    }
}

impl Read<store::Changes> for Changes {
    fn read(sent: store::Changes) -> Result<Self, Garbage> {
        Ok(Self::new(
            read_all(sent.changed)?,
            read_all(sent.removed)?,
            Cursor::read(sent.cursor)?,
        ))
    }
}

impl<'a> Write for &'a Watch {
    type Sent = store::Watch<'a>;

    fn write(self) -> store::Watch<'a> {
        let users = self.users.iter().map(|watched| store::Watched {
            user: (&watched.user).write(),
            since: watched.since.as_str().into(),
        });
        store::Watch {
            users: users.collect(),
            attributes: RVec::new(),
        }
    }
}

impl Read<store::Watch<'_>> for Watch {
    fn read(sent: store::Watch<'_>) -> Result<Self, Garbage> {
        let read = |watched: store::Watched<'_>| -> Result<Watched, Garbage> {
            let since = Cursor::read(watched.since)?;
            Ok(Watched::new(UserId::read(watched.user)?, since))
        };
        let users = sent.users.into_iter().map(read);
        Ok(Self::over(users.collect::<Result<_, _>>()?))
    }
}

impl Write for Changed {
    type Sent = store::Changed;

    fn write(self) -> store::Changed {
        store::Changed {
            users: write_all(self.users),
            attributes: RVec::new(),
        }
    }
}

impl Read<store::Changed> for Changed {
    fn read(sent: store::Changed) -> Result<Self, Garbage> {
        Ok(Self::of(read_all(sent.users)?))
    }
}

impl<'a> Write for &'a InboxMessage {
    type Sent = store::Message<'a>;

    fn write(self) -> store::Message<'a> {
        let room = self.room.map(|room| store::Room {
            total: room.total,
            of_sender: room.of_sender,
        });
        store::Message {
            originator: (&self.originator).write(),
            recipient: (&self.recipient).write(),
            method: self.method.as_str().into(),
            uid: (&self.uid).write(),
            instance: self.instance.as_str().into(),
            data: self.data.as_slice().into(),
            room: room.into(),
            attributes: (&self.attributes).write(),
        }
    }
}

impl Read<store::Message<'_>> for InboxMessage {
    fn read(sent: store::Message<'_>) -> Result<Self, Garbage> {
        let mut message = Self::new(
            CalendarAddress::read(sent.originator)?,
            CalendarAddress::read(sent.recipient)?,
            sent.method.as_str(),
            Uid::read(sent.uid)?,
            sent.data.as_slice().to_vec(),
        );
        message.instance = sent.instance.to_string();
        let room = sent.room.into_option();
        message.room = room.map(|room| Room::new(room.total, room.of_sender));
        message.attributes = read_attributes(sent.attributes);
        Ok(message)
    }
}

impl Write for InboxMessage {
    type Sent = store::OwnedMessage;

    fn write(self) -> store::OwnedMessage {
        store::OwnedMessage {
            originator: self.originator.write(),
            recipient: self.recipient.write(),
            method: self.method.into(),
            uid: self.uid.write(),
            instance: self.instance.into(),
            data: self.data.into(),
            attributes: (&self.attributes).write(),
        }
    }
}

impl Read<store::OwnedMessage> for InboxMessage {
    fn read(sent: store::OwnedMessage) -> Result<Self, Garbage> {
        let mut message = Self::new(
            CalendarAddress::read(sent.originator)?,
            CalendarAddress::read(sent.recipient)?,
            sent.method.into_string(),
            Uid::read(sent.uid)?,
            sent.data.into_vec(),
        );
        message.instance = sent.instance.into_string();
        message.attributes = read_attributes(sent.attributes);
        Ok(message)
    }
}

impl Write for InboxEntry {
    type Sent = store::InboxEntry;

    fn write(self) -> store::InboxEntry {
        store::InboxEntry {
            id: self.id.write(),
            message: self.message.write(),
            attributes: RVec::new(),
        }
    }
}

impl Read<store::InboxEntry> for InboxEntry {
    fn read(sent: store::InboxEntry) -> Result<Self, Garbage> {
        Ok(Self::new(
            MessageId::read(sent.id)?,
            InboxMessage::read(sent.message)?,
        ))
    }
}

impl Write for Listing<InboxEntry> {
    type Sent = store::Inbox;

    fn write(self) -> store::Inbox {
        store::Inbox {
            items: write_all(self.items),
            next: write_cursor(self.next),
            attributes: RVec::new(),
        }
    }
}

impl Read<store::Inbox> for Listing<InboxEntry> {
    fn read(sent: store::Inbox) -> Result<Self, Garbage> {
        Ok(Self::new(read_all(sent.items)?, Option::read(sent.next)?))
    }
}

impl Write for Delivery {
    type Sent = store::Delivery;

    fn write(self) -> store::Delivery {
        let (outcome, status) = match self {
            Self::Unhandled => (delivery::UNHANDLED, RString::new()),
            Self::Handled(status) => (delivery::HANDLED, status.into()),
        };
        store::Delivery {
            outcome,
            status,
            attributes: RVec::new(),
        }
    }
}

impl Read<store::Delivery> for Delivery {
    fn read(sent: store::Delivery) -> Result<Self, Garbage> {
        match sent.outcome {
            delivery::UNHANDLED => Ok(Self::Unhandled),
            delivery::HANDLED => Ok(Self::Handled(sent.status.into_string())),
            // Doing it once more could tell people twice.
            other => Err(Garbage::new(format!("outcome {other} is not known"))),
        }
    }
}
