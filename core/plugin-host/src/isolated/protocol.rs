//! What a host and the process of a plugin say to each other.
//!
//! Both ends are the same program, started from the same file, so there are no versions. A message is a frame: its
//! length in four bytes, the lowest first, and that many bytes of postcard. Many calls are on their way at once; numbers
//! tell them apart. The host believes nothing that comes from the process: frames are bounded, and what is read from
//! them is checked by the types it becomes.

use super::Confinement;
use convoke_sdk::{
    AccessRequest, CalendarAddress, CalendarUser, Cursor, Error, KeptMessage, NewObject, NewUser,
    ObjectIndex, Page, Precondition, Result, TimeRange, Uid, UserId, remote::NotOpened,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{
    borrow::Cow,
    io::{self, Read},
    path::PathBuf,
};
use tokio::io::{AsyncRead, AsyncReadExt};

/// The longest frame, in bytes.
const MAX_FRAME: usize = 64 * 1024 * 1024;

/// From the host.
#[derive(Serialize, Deserialize)]
pub(super) enum ToChild<'a> {
    /// The first message: what to be.
    Open(Cow<'a, Opening>),
    /// A call to be answered.
    Call { id: u64, call: Cow<'a, Call<'a>> },
    /// Nobody waits for the answer any more.
    Cancel { id: u64 },
    /// Does it live? Asked of the process, not of the plugin.
    Ping { id: u64 },
    /// Close the plugin and end.
    Close,
    /// The answer to [`ToHost::Index`].
    Index { id: u64, index: Result<ObjectIndex> },
}

/// From the process.
#[derive(Serialize, Deserialize)]
pub(super) enum ToHost {
    /// Whether it opened, and which confinements this kernel does not have.
    Opened {
        opened: Result<(), NotOpened>,
        lacks: Vec<String>,
    },
    /// A call was answered: a `Result<T, Error>` in postcard, `T` as the call says.
    Answer {
        id: u64,
        #[serde(with = "serde_bytes")]
        answer: Vec<u8>,
    },
    /// A call was given up.
    Gone { id: u64 },
    /// To a ping, by the runtime that polls calls: it has a thread left.
    Pong { id: u64 },
    /// To a ping, by a thread that does nothing else.
    Pulse(Pulse),
    /// The plugin asks for the index of an object.
    Index {
        id: u64,
        user: Option<CalendarUser>,
        #[serde(with = "serde_bytes")]
        data: Vec<u8>,
    },
    /// The plugin says something.
    Log(Event),
}

/// What the calls in a process do.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Pulse {
    /// The number of the ping.
    pub(super) id: u64,
    /// Calls that have kept a thread for long.
    pub(super) blocking: Vec<u64>,
    /// Calls that no thread has begun with.
    pub(super) not_begun: Vec<u64>,
    /// How many threads there are for calls.
    pub(super) threads: u32,
}

/// An event of the plugin's log.
#[derive(Serialize, Deserialize)]
pub(super) struct Event {
    /// From 1, an error, to 5, a trace.
    pub(super) level: u8,
    pub(super) target: String,
    pub(super) message: String,
    pub(super) fields: Vec<(String, String)>,
}

/// What a process is to be.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Opening {
    /// The kind as a manifest says it.
    pub(super) kind: String,
    /// Where the library lay, for messages: it comes as memory.
    pub(super) file: PathBuf,
    /// What the administrator calls this use of it.
    pub(super) name: String,
    /// The folder that relative paths count from.
    pub(super) folder: PathBuf,
    /// The plugin's configuration, a TOML document.
    pub(super) config: String,
    /// The chattiest level wanted, as in [`Event`].
    pub(super) level: u8,
    /// What it may do.
    pub(super) confinement: Confinement,
}

/// One method of one of the three traits.
#[derive(Clone, Serialize, Deserialize)]
pub(in super::super) enum Call<'a> {
    Discover(Cow<'a, CalendarAddress>),
    Authorize(Cow<'a, AccessRequest>),
    Find(Cow<'a, CalendarAddress>),
    Get(Cow<'a, UserId>, Cow<'a, Uid>),
    Put(Cow<'a, UserId>, Cow<'a, NewObject>, Cow<'a, Precondition>),
    Remove(Cow<'a, UserId>, Cow<'a, Uid>, Cow<'a, Precondition>),
    Busy(Cow<'a, UserId>, TimeRange),
    AddUser(Cow<'a, NewUser>),
    RemoveUser(Cow<'a, UserId>),
    Users(Cow<'a, Page>),
    List(Cow<'a, UserId>, Cow<'a, Page>),
    Changes(Cow<'a, UserId>, Option<Cow<'a, Cursor>>),
    Keep(Cow<'a, UserId>, Cow<'a, KeptMessage>),
    Deliver(Cow<'a, UserId>, Cow<'a, KeptMessage>),
}

impl Call<'_> {
    /// What it asks about: an address, a calendar user.
    pub(super) fn subject(&self) -> &str {
        match self {
            Self::Discover(address) | Self::Find(address) => address.as_str(),
            Self::Authorize(request) => request.recipient.as_str(),
            Self::AddUser(user) => user.address.as_str(),
            Self::Users(_) => "",
            Self::Get(user, _)
            | Self::Put(user, ..)
            | Self::Remove(user, ..)
            | Self::Busy(user, _)
            | Self::RemoveUser(user)
            | Self::List(user, _)
            | Self::Changes(user, _)
            | Self::Keep(user, _)
            | Self::Deliver(user, _) => user.as_str(),
        }
    }

    /// Whether it may be made again when the process ended under it.
    ///
    /// It may if it changes nothing, or changes what it finds in one state only: if the first `put` was made all the
    /// same, the second is a conflict, and whoever put the object reads it again and finds its change there. A message
    /// that is kept or handed over for the second time is no worse than what is done otherwise: the sender is told 5.1,
    /// and sends it again. What is put whatever is there, removed, or made or removed of users, is not made again: it
    /// could undo what somebody else did meanwhile, or fail as it was done.
    pub(super) fn may_be_made_again(&self) -> bool {
        match self {
            Self::Put(_, _, when) => !matches!(**when, Precondition::Any),
            Self::Discover(..)
            | Self::Authorize(..)
            | Self::Find(..)
            | Self::Get(..)
            | Self::Busy(..)
            | Self::Users(..)
            | Self::List(..)
            | Self::Changes(..)
            | Self::Keep(..)
            | Self::Deliver(..) => true,
            Self::Remove(..) | Self::AddUser(..) | Self::RemoveUser(..) => false,
        }
    }
}

/// A message as a frame.
pub(super) fn frame(message: &impl Serialize) -> Result<Vec<u8>> {
    let frame = postcard::to_extend(message, vec![0; 4])
        .map_err(|error| Error::invalid(format!("it cannot be handed over: {error}")))?;
    let mut frame = frame;
    let length = frame.len() - 4;
    match u32::try_from(length) {
        Ok(prefix) if length <= MAX_FRAME => {
            frame[..4].copy_from_slice(&prefix.to_le_bytes());
            Ok(frame)
        }
        _ => Err(Error::invalid(format!(
            "{length} bytes are more than the {MAX_FRAME} that go from one process to another"
        ))),
    }
}

/// A value in postcard, without a frame.
pub(super) fn bytes(value: &impl Serialize) -> Result<Vec<u8>> {
    postcard::to_stdvec(value)
        .map_err(|error| Error::internal(format!("it cannot be handed over: {error}")))
}

/// Reads what [`bytes`] or a frame holds.
pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> io::Result<T> {
    postcard::from_bytes(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

fn length(prefix: [u8; 4]) -> io::Result<usize> {
    usize::try_from(u32::from_le_bytes(prefix))
        .ok()
        .filter(|length| *length <= MAX_FRAME)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "a frame is too long"))
}

/// The content of the next frame; `None` at the end. Memory grows with what arrives, not with what is announced.
pub(super) async fn next(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Vec<u8>>> {
    let mut prefix = [0; 4];
    match stream.read_exact(&mut prefix).await {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    };
    let length = length(prefix)?;
    let mut content = Vec::with_capacity(length.min(64 * 1024));
    (&mut *stream)
        .take(length as u64)
        .read_to_end(&mut content)
        .await?;
    Ok((content.len() == length).then_some(content))
}

/// As [`next`], on the thread of the caller.
pub(super) fn next_blocking(mut stream: impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut prefix = [0; 4];
    match stream.read_exact(&mut prefix) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    }
    let length = length(prefix)?;
    let mut content = Vec::with_capacity(length.min(64 * 1024));
    stream.take(length as u64).read_to_end(&mut content)?;
    Ok((content.len() == length).then_some(content))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_not_a_frame_costs_no_memory_and_no_panic() {
        let whole = frame(&ToHost::Gone { id: 7 }).unwrap();
        let read = next(&mut &whole[..]).await.unwrap().unwrap();
        assert!(matches!(parse(&read).unwrap(), ToHost::Gone { id: 7 }));
        for ended in [&whole[..0], &whole[..3], &whole[..5], &[255, 255, 0, 0, 1]] {
            assert_eq!(next(&mut &*ended).await.unwrap(), None, "{ended:?}");
            assert_eq!(next_blocking(ended).unwrap(), None, "{ended:?}");
        }
        assert!(next(&mut &[255; 8][..]).await.is_err());
        assert!(next_blocking(&[255; 8][..]).is_err());
        for garbage in [&[][..], &[99], &[1, 1, 255, 255, 255, 255, 15]] {
            assert!(parse::<ToHost>(garbage).is_err(), "{garbage:?}");
        }
    }
}
