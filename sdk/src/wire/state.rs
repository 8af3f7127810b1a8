use super::{Garbage, Read, Write, read_all, write_all};
use crate::{Batch, Committed, Condition, KeyRange, Scan, StateEntry, StateWrite};
use convoke_abi::{
    RSlice, RVec,
    state::{self, condition, write},
};

impl<'a> Write for &'a [u8] {
    type Sent = RSlice<'a, u8>;

    fn write(self) -> RSlice<'a, u8> {
        self.into()
    }
}

impl Read<RSlice<'_, u8>> for Vec<u8> {
    fn read(sent: RSlice<'_, u8>) -> Result<Self, Garbage> {
        Ok(sent.as_slice().to_vec())
    }
}

impl Write for StateEntry {
    type Sent = state::Entry;

    fn write(self) -> state::Entry {
        state::Entry {
            key: self.key.into(),
            value: self.value.into(),
            version: self.version,
            expires_in: self.expires_in.write(),
            attributes: RVec::new(),
        }
    }
}

impl Read<state::Entry> for StateEntry {
    fn read(sent: state::Entry) -> Result<Self, Garbage> {
        let mut entry = Self::new(sent.key.into_vec(), sent.value.into_vec(), sent.version);
        entry.expires_in = Option::read(sent.expires_in)?;
        Ok(entry)
    }
}

impl Write for Vec<StateEntry> {
    type Sent = state::Entries;

    fn write(self) -> state::Entries {
        state::Entries {
            items: write_all(self),
            attributes: RVec::new(),
        }
    }
}

impl Read<state::Entries> for Vec<StateEntry> {
    fn read(sent: state::Entries) -> Result<Self, Garbage> {
        read_all(sent.items)
    }
}

impl<'a> Write for &'a KeyRange {
    type Sent = state::KeyRange<'a>;

    fn write(self) -> state::KeyRange<'a> {
        state::KeyRange {
            start: self.start().into(),
            end: self.end().map(Into::into).into(),
        }
    }
}

impl Read<state::KeyRange<'_>> for KeyRange {
    fn read(sent: state::KeyRange<'_>) -> Result<Self, Garbage> {
        let end = sent.end.into_option();
        Ok(Self::new(
            sent.start.as_slice(),
            end.map(|end| end.as_slice().to_vec()),
        ))
    }
}

impl<'a> Write for &'a Scan {
    type Sent = state::Scan<'a>;

    fn write(self) -> state::Scan<'a> {
        state::Scan {
            range: (&self.range).write(),
            limit: self.limit,
            attributes: RVec::new(),
        }
    }
}

impl Read<state::Scan<'_>> for Scan {
    fn read(sent: state::Scan<'_>) -> Result<Self, Garbage> {
        Ok(Self::new(KeyRange::read(sent.range)?, sent.limit.max(1)))
    }
}

impl<'a> Write for &'a Batch {
    type Sent = state::Batch<'a>;

    fn write(self) -> state::Batch<'a> {
        state::Batch {
            conditions: self.conditions.iter().map(Write::write).collect(),
            writes: self.writes.iter().map(Write::write).collect(),
            attributes: RVec::new(),
        }
    }
}

impl Read<state::Batch<'_>> for Batch {
    fn read(sent: state::Batch<'_>) -> Result<Self, Garbage> {
        let mut batch = Self::new();
        batch.conditions = read_all(sent.conditions)?;
        batch.writes = read_all(sent.writes)?;
        Ok(batch)
    }
}

impl<'a> Write for &'a Condition {
    type Sent = state::Condition<'a>;

    fn write(self) -> state::Condition<'a> {
        let (kind, version) = match self {
            Condition::Absent { .. } => (condition::ABSENT, 0),
            Condition::Version { version, .. } => (condition::VERSION, *version),
            // Refused by the other side.
            _ => (0, 0),
        };
        state::Condition {
            key: self.key().into(),
            kind,
            version,
        }
    }
}

impl Read<state::Condition<'_>> for Condition {
    fn read(sent: state::Condition<'_>) -> Result<Self, Garbage> {
        let key = sent.key.as_slice().to_vec();
        match sent.kind {
            condition::ABSENT => Ok(Self::Absent { key }),
            condition::VERSION => Ok(Self::Version {
                key,
                version: sent.version,
            }),
            // Leaving it out would overwrite what somebody else wrote.
            other => Err(Garbage::new(format!("condition {other} is not known"))),
        }
    }
}

impl<'a> Write for &'a StateWrite {
    type Sent = state::Write<'a>;

    fn write(self) -> state::Write<'a> {
        match self {
            StateWrite::Put {
                key,
                value,
                expires_in,
            } => state::Write {
                key: key.as_slice().into(),
                kind: write::PUT,
                value: value.as_slice().into(),
                expires_in: expires_in.write(),
            },
            StateWrite::Delete { key } => state::Write {
                key: key.as_slice().into(),
                kind: write::DELETE,
                value: RSlice::EMPTY,
                expires_in: None.into(),
            },
            // Refused by the other side.
            _ => state::Write {
                key: RSlice::EMPTY,
                kind: 0,
                value: RSlice::EMPTY,
                expires_in: None.into(),
            },
        }
    }
}

impl Read<state::Write<'_>> for StateWrite {
    fn read(sent: state::Write<'_>) -> Result<Self, Garbage> {
        let key = sent.key.as_slice().to_vec();
        match sent.kind {
            write::PUT => Ok(Self::Put {
                key,
                value: sent.value.as_slice().to_vec(),
                expires_in: Option::read(sent.expires_in)?,
            }),
            write::DELETE => Ok(Self::Delete { key }),
            other => Err(Garbage::new(format!("write {other} is not known"))),
        }
    }
}

impl Write for Committed {
    type Sent = state::Committed;

    fn write(self) -> state::Committed {
        state::Committed {
            version: self.version,
            attributes: RVec::new(),
        }
    }
}

impl Read<state::Committed> for Committed {
    fn read(sent: state::Committed) -> Result<Self, Garbage> {
        Ok(Self::new(sent.version))
    }
}
