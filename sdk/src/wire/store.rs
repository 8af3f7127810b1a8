use super::{Garbage, Read, Write, attributes, read_all, read_text, write_all, write_text};
use crate::{
    Busy, BusySpan, BusyType, CalendarAddress, CalendarUser, Changes, Cursor, Delivery, Etag,
    KeptMessage, Listing, NewObject, NewUser, ObjectIndex, ObjectSummary, Page, Precondition,
    StoredObject, TimeRange, Uid, UserId, UserKind,
};
use convoke_abi::{
    ROption, RStr, RString, RVec,
    store::{self, busy_kind, precondition, user_kind},
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

        impl Read<RStr<'_>> for $id {
            fn read(sent: RStr<'_>) -> Result<Self, Garbage> {
                Ok(Self::new(sent.as_str())?)
            }
        })*
    };
}

identifiers!(Uid, Etag, UserId);

impl Write for UserKind {
    type Sent = u32;

    fn write(self) -> u32 {
        match self {
            Self::Individual => user_kind::INDIVIDUAL,
            Self::Group => user_kind::GROUP,
            Self::Resource => user_kind::RESOURCE,
            Self::Room => user_kind::ROOM,
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
            schedulable: self.schedulable,
            attributes: RVec::new(),
        }
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
        user.schedulable = sent.schedulable;
        Ok(user)
    }
}

impl Write for NewUser {
    type Sent = store::NewUser;

    fn write(self) -> store::NewUser {
        store::NewUser {
            address: self.address.write(),
            aliases: write_all(self.aliases),
            name: write_text(self.name),
            timezone: write_text(self.timezone),
            kind: self.kind.write(),
            attributes: RVec::new(),
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
        Ok(Self {
            uid: Uid::read(sent.uid)?,
            etag: Etag::read(sent.etag)?,
            data: sent.data.into_vec(),
        })
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
        Ok(Self {
            data: sent.data.as_slice().to_vec(),
            index: ObjectIndex::read(sent.index)?,
        })
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
        Ok(Self {
            component: sent.component.into_string(),
            uid: Uid::read(sent.uid)?,
            spans: read_all(sent.spans)?,
            open_before: Option::read(sent.open_before)?,
            open_after: Option::read(sent.open_after)?,
        })
    }
}

impl Write for BusySpan {
    type Sent = store::BusySpan;

    fn write(self) -> store::BusySpan {
        store::BusySpan {
            start: self.range.start().write(),
            end: self.range.end().write(),
            kind: match self.kind {
                BusyType::Busy => busy_kind::BUSY,
                BusyType::BusyTentative => busy_kind::TENTATIVE,
                BusyType::BusyUnavailable => busy_kind::UNAVAILABLE,
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
        Ok(Self { range, kind })
    }
}

impl<'a> Write for &'a Precondition {
    type Sent = store::Precondition<'a>;

    fn write(self) -> store::Precondition<'a> {
        let (kind, etag) = match self {
            Precondition::Any => (precondition::ANY, ""),
            Precondition::Absent => (precondition::ABSENT, ""),
            Precondition::Matches(etag) => (precondition::MATCHES, etag.as_str()),
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
        Ok(Self {
            spans: read_all(sent.spans)?,
            objects: read_all(sent.objects)?,
        })
    }
}

impl<'a> Write for &'a Page {
    type Sent = store::Page<'a>;

    fn write(self) -> store::Page<'a> {
        store::Page {
            after: self.after.as_ref().map(|c| RStr::from(&*c.0)).into(),
            limit: self.limit,
        }
    }
}

impl Read<store::Page<'_>> for Page {
    fn read(sent: store::Page<'_>) -> Result<Self, Garbage> {
        Ok(Self {
            after: Option::read(sent.after)?,
            limit: sent.limit.max(1),
        })
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
        }
    }
}

impl Read<store::Users> for Listing<CalendarUser> {
    fn read(sent: store::Users) -> Result<Self, Garbage> {
        Ok(Self {
            items: read_all(sent.items)?,
            next: Option::read(sent.next)?,
        })
    }
}

impl Write for Listing<ObjectSummary> {
    type Sent = store::Objects;

    fn write(self) -> store::Objects {
        store::Objects {
            items: write_all(self.items),
            next: write_cursor(self.next),
        }
    }
}

impl Read<store::Objects> for Listing<ObjectSummary> {
    fn read(sent: store::Objects) -> Result<Self, Garbage> {
        Ok(Self {
            items: read_all(sent.items)?,
            next: Option::read(sent.next)?,
        })
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
        Ok(Self {
            uid: Uid::read(sent.uid)?,
            component: sent.component.into_string(),
            etag: Etag::read(sent.etag)?,
        })
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
        Ok(Self {
            changed: read_all(sent.changed)?,
            removed: read_all(sent.removed)?,
            cursor: Cursor::read(sent.cursor)?,
        })
    }
}

impl<'a> Write for &'a KeptMessage {
    type Sent = store::Message<'a>;

    fn write(self) -> store::Message<'a> {
        store::Message {
            originator: (&self.originator).write(),
            recipient: (&self.recipient).write(),
            method: self.method.as_str().into(),
            uid: self.uid.as_str().into(),
            data: self.data.as_slice().into(),
            attributes: attributes(self.attributes.iter().map(|(n, v)| (&**n, &**v))),
        }
    }
}

impl Read<store::Message<'_>> for KeptMessage {
    fn read(sent: store::Message<'_>) -> Result<Self, Garbage> {
        Ok(Self {
            originator: CalendarAddress::read(sent.originator)?,
            recipient: CalendarAddress::read(sent.recipient)?,
            method: sent.method.to_string(),
            uid: Uid::read(sent.uid)?,
            data: sent.data.as_slice().to_vec(),
            attributes: (sent.attributes.into_iter())
                .map(|fact| (fact.name.into_string(), fact.value.into_string()))
                .collect(),
        })
    }
}

impl Write for Delivery {
    type Sent = ROption<RString>;

    fn write(self) -> ROption<RString> {
        match self {
            Self::NotTaken => ROption::RNone,
            Self::Taken(status) => ROption::RSome(status.into()),
        }
    }
}

impl Read<ROption<RString>> for Delivery {
    fn read(sent: ROption<RString>) -> Result<Self, Garbage> {
        Ok(match sent {
            ROption::RNone => Self::NotTaken,
            ROption::RSome(status) => Self::Taken(status.into_string()),
        })
    }
}
