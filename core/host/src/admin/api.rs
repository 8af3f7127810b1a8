//! What a running host can be asked by commands and by the console: its methods, each with what it takes and answers.
//!
//! A method is a POST of JSON to `/v1/NAME`; the answer is 200 with JSON, or another status with an
//! [`Error`](convoke_types::Error). Addresses, UIDs and entity tags are texts; objects are [`Text`].

use super::{moment::Moment, status::HostStatus};
use crate::{peers::PeerRow, probe::Finding};
use base64::{Engine, engine::general_purpose::STANDARD};
use convoke_ischedule::{CalendarData, RecipientResponse};
use convoke_plugin_host::{Interface, PluginInfo, PluginState};
use convoke_scheduling::{self as scheduling, Decided, Forgotten, Outcome};
use convoke_types::{
    BusyType, CalendarAddress, CalendarUser, Cursor, Etag, InboxEntry, KeyRange, Listing, NewUser,
    ObjectIndex, ObjectSummary, Page, Precondition, RequestStatus, StateEntry, StoredObject, Uid,
    UserId,
};
use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::path::PathBuf;

/// A method.
pub(crate) trait Method: Serialize + DeserializeOwned + Send {
    /// Its name in the path.
    const NAME: &'static str;
    /// What it answers.
    type Answer: Serialize + DeserializeOwned + Send;
}

macro_rules! methods {
    ($($(#[$doc:meta])* $method:ident $name:literal {
        $($(#[$field_doc:meta])* $field:ident: $type:ty,)*
    } -> $answer:ty;)*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Serialize, Deserialize)]
            pub(crate) struct $method {
                $($(#[$field_doc])* pub(crate) $field: $type,)*
            }

            impl Method for $method {
                const NAME: &'static str = $name;
                type Answer = $answer;
            }
        )*
    };
}

methods! {
    /// Has the host read its configuration again.
    Reload "reload" {} -> ();

    /// The plugins, in the order of their kinds, then of the configuration.
    Plugins "plugins" {} -> Vec<Plugin>;

    /// What an administrator should look at.
    Health "health" {} -> Vec<Trouble>;

    /// How the host is: version, listeners, plugins, what waits, certificates, key, troubles.
    Status "status" {} -> HostStatus;

    /// What was decided last, the newest first: about a UID, a message identifier or a calendar address, or about anything.
    Decisions "decisions" {
        #[serde(default)]
        about: Option<String>,
        /// At most so many; 1,000 are the most.
        most: u32,
    } -> Vec<Decided>;

    /// Who sent messages lately, the last one first.
    PeersSeen "peers" {
        /// At most so many.
        most: u32,
    } -> SeenPeers;

    /// The last lines of the log: those of the level or a graver one, the oldest first.
    Log "log" {
        #[serde(default)]
        level: LogLevel,
        /// Only what follows this line, as `last` of the answer before has it.
        #[serde(default)]
        after: Option<u64>,
        /// At most so many.
        most: u32,
    } -> LogLines;

    /// What `convoke probe` says of a domain.
    Probe "probe" {
        domain: String,
    } -> Vec<Probed>;

    /// When a calendar user is busy in the two weeks that begin today.
    BusyTime "busy-time" {
        user: CalendarAddress,
    } -> Fortnight;

    /// The names of the stores, in the order of the configuration.
    StoreNames "stores" {} -> Vec<String>;

    /// The name of the store that serves an address.
    StoreFor "store-for" {
        address: CalendarAddress,
    } -> Option<String>;

    /// The calendar user that an address means, in whatever store.
    Find "find" {
        address: CalendarAddress,
    } -> Option<Found>;

    /// The calendar user that an address means in one store.
    FindIn "find-in" {
        store: String,
        address: CalendarAddress,
    } -> Option<CalendarUser>;

    /// The calendar users of a store, a page at a time.
    Users "users" {
        store: String,
        page: Page,
    } -> Listing<CalendarUser>;

    /// Makes a calendar user.
    AddUser "add-user" {
        store: String,
        user: NewUser,
    } -> UserId;

    /// Replaces all that is known of a calendar user.
    UpdateUser "update-user" {
        store: String,
        user: CalendarUser,
    } -> ();

    /// Removes a calendar user with everything that belongs to it.
    RemoveUser "remove-user" {
        store: String,
        user: CalendarUser,
    } -> ();

    /// Erases everything that is kept about a person.
    EraseUser "erase-user" {
        user: CalendarAddress,
        /// The calendar in the store, too.
        #[serde(default)]
        calendar: bool,
    } -> Erased;

    /// The objects of a calendar user, a page at a time.
    Objects "objects" {
        store: String,
        user: UserId,
        page: Page,
    } -> Listing<ObjectSummary>;

    /// What a calendar holds, or what it holds of one UID: a page at a time.
    Overview "overview" {
        user: CalendarAddress,
        page: Page,
        #[serde(default)]
        uid: Option<Uid>,
    } -> Listing<Listed>;

    /// One object.
    Get "get" {
        store: String,
        user: UserId,
        uid: Uid,
    } -> Option<Object>;

    /// What waits in a store's inbox for a calendar user to decide on, a page at a time; nothing of a store that has none.
    StoreInbox "store-inbox" {
        store: String,
        user: UserId,
        page: Page,
    } -> Listing<InboxEntry>;

    /// Some of what the state holds, from the beginning of a range: nothing, if there is nothing.
    StatePage "state-page" {
        range: KeyRange,
    } -> Vec<StateEntry>;

    /// Writes an object.
    Put "put" {
        store: String,
        user: CalendarUser,
        data: Text,
        index: ObjectIndex,
        when: Precondition,
        /// Who is told.
        #[serde(default)]
        tells: Tells,
    } -> Etag;

    /// Sends a message of one of our people, and asks for free time: what became of it for each recipient.
    Submit "submit" {
        originator: CalendarAddress,
        recipients: Vec<CalendarAddress>,
        /// The message.
        data: Text,
    } -> Vec<Told>;

    /// Answers an invitation, or proposes another time.
    Reply "reply" {
        user: CalendarAddress,
        uid: Uid,
        answer: Answer,
        /// Which instance of a series, by when it would begin if nothing had moved it; all of it, if none is named.
        #[serde(default)]
        instance: Option<Moment>,
        /// Words for the organizer.
        #[serde(default)]
        comment: Option<String>,
        /// Of `DELEGATED`: who comes instead.
        #[serde(default)]
        to: Option<CalendarAddress>,
        /// Of `COUNTER`: when it shall begin.
        #[serde(default)]
        start: Option<Moment>,
        /// Of `COUNTER`: when it shall end; it takes as long as now, if nothing is said.
        #[serde(default)]
        end: Option<Moment>,
    } -> Vec<Told>;

    /// Removes an object as its owner does in a calendar program, and tells whom that concerns.
    Delete "delete" {
        user: CalendarAddress,
        uid: Uid,
    } -> Deleted;

    /// What waits to be delivered, of one calendar user or of all.
    QueueList "queue-list" {
        user: Option<CalendarAddress>,
    } -> Vec<QueueRow>;

    /// One entry of what waits, with the message.
    QueueShow "queue-show" {
        id: String,
    } -> Queued;

    /// Tries entries again now; all, if none are named. How many.
    QueueRetry "queue-retry" {
        ids: Option<Vec<String>>,
    } -> usize;

    /// Drops an entry.
    QueueDrop "queue-drop" {
        id: String,
    } -> ();

    /// Tells changes that are held: those that are named, or of a calendar user, or all. How many.
    QueueRelease "queue-release" {
        ids: Option<Vec<String>>,
        user: Option<CalendarAddress>,
    } -> usize;

    /// What waits for a calendar user to decide on.
    InboxList "inbox-list" {
        user: CalendarAddress,
    } -> Vec<InboxRow>;

    /// One message that waits.
    InboxShow "inbox-show" {
        user: CalendarAddress,
        id: String,
    } -> InboxMessage;

    /// How much waits for the calendar users of a store to decide on: some of its users at a time.
    InboxCounts "inbox-counts" {
        store: String,
        page: Page,
    } -> InboxCounted;

    /// Accepts or declines a message that waits: who was told of it.
    InboxDecide "inbox-decide" {
        user: CalendarAddress,
        id: String,
        decision: InboxDecision,
        comment: Option<String>,
    } -> Vec<Told>;

    /// What was decided about a UID or a message, the oldest first.
    Explain "explain" {
        what: String,
        user: Option<CalendarAddress>,
    } -> Vec<Decided>;

    /// Forgets what was decided about a calendar user.
    Forget "forget" {
        user: CalendarAddress,
    } -> ();

    /// Looks at a calendar now, and tells what changed in it.
    LookNow "look-now" {
        user: CalendarAddress,
    } -> Looked;

    /// Stores an object as its owner wrote it, and tells whom that concerns.
    SendObject "send-object" {
        user: CalendarAddress,
        data: Text,
    } -> Sent;
}

/// Takes a mail from a pipe; `to` is its envelope recipient, if that is known, as [mail has it](crate::incoming_mail::envelope_recipient).
#[cfg(feature = "mail")]
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct MailReceive {
    pub(crate) to: Option<String>,
    pub(crate) octets: Text,
}

#[cfg(feature = "mail")]
impl Method for MailReceive {
    const NAME: &'static str = "mail-receive";
    type Answer = crate::incoming_mail::Outcome;
}

/// A plugin, as `convoke plugin list` shows it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Plugin {
    pub(crate) name: String,
    pub(crate) file: PathBuf,
    pub(crate) kinds: Vec<String>,
    pub(crate) version: String,
    /// Of a library.
    pub(crate) abi: String,
    /// Of a program: the version of the process protocol.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) protocol: Option<u32>,
    /// Where it runs, if the configuration names it: `in-process` or `process`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) isolation: Option<String>,
    /// What its process may do because this kernel cannot take it away.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) lacks: Vec<String>,
    pub(crate) state: String,
    /// Why it is not ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
}

impl From<&PluginInfo> for Plugin {
    fn from(info: &PluginInfo) -> Self {
        let (abi, protocol) = match info.interface {
            Interface::Abi((major, minor)) => (format!("{major}.{minor}"), None),
            Interface::Process(protocol) => (String::new(), Some(protocol)),
        };
        Self {
            name: info.name.clone(),
            file: info.file.clone(),
            kinds: info.kinds.iter().map(ToString::to_string).collect(),
            version: info.version.clone(),
            abi,
            protocol,
            isolation: Some(info.isolation.to_owned()),
            lacks: info.lacks.clone(),
            state: info.state.as_str().to_owned(),
            reason: match &info.state {
                PluginState::Ready => None,
                PluginState::Degraded { reason } | PluginState::Skipped { reason, .. } => {
                    Some(reason.clone())
                }
            },
        }
    }
}

/// Something that an administrator should look at.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Trouble {
    /// What it is about: a plugin, the queue.
    pub(crate) what: String,
    pub(crate) detail: String,
}

/// Who sent messages lately.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SeenPeers {
    pub(crate) peers: Vec<PeerRow>,
    /// Others that are not remembered any more, as there is room for so many.
    pub(crate) forgotten: u64,
}

/// How grave a line of the log is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum LogLevel {
    Error,
    Warn,
    #[default]
    Info,
}

/// Some lines of the log.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct LogLines {
    /// As the JSON log has them.
    pub(crate) lines: Vec<serde_json::Value>,
    /// The number of the last line that was looked at: where to go on.
    pub(crate) last: u64,
    /// Lines that followed the one that was asked for, and are not kept any more.
    pub(crate) missed: u64,
}

/// Something that was found by probing (`probe --json`).
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Probed {
    pub(crate) step: String,
    /// `pass`, `deviation`, `fail` or `info`.
    pub(crate) verdict: String,
    pub(crate) text: String,
    pub(crate) section: String,
}

impl From<Finding> for Probed {
    fn from(finding: Finding) -> Self {
        Self {
            step: finding.step.to_owned(),
            verdict: finding.verdict.as_str().to_owned(),
            text: finding.text,
            section: finding.section.to_owned(),
        }
    }
}

/// Two weeks of somebody's busy time.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Fortnight {
    pub(crate) user: CalendarAddress,
    /// The zone of the user, and the first day there.
    pub(crate) zone: String,
    pub(crate) from: Date,
    /// The request status of the question, which the user asks about themselves.
    pub(crate) status: String,
    /// Nothing if that is not told.
    pub(crate) busy: Option<Vec<BusyPart>>,
}

/// A time that is not free.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct BusyPart {
    pub(crate) start: Timestamp,
    pub(crate) end: Timestamp,
    #[serde(rename = "type")]
    pub(crate) kind: BusyType,
}

/// How much waits for some users of a store.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct InboxCounted {
    /// Users that were looked at.
    pub(crate) users: usize,
    /// Those of them for whom something waits.
    pub(crate) counts: Vec<InboxCount>,
    /// Where the next users begin; nothing after the last.
    pub(crate) next: Option<Cursor>,
}

/// How much waits for a user.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct InboxCount {
    pub(crate) user: CalendarAddress,
    pub(crate) waiting: usize,
}

/// An object, as `calendar list` shows it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Listed {
    pub(crate) uid: Uid,
    pub(crate) component: String,
    pub(crate) etag: Etag,
    /// Empty if it has no title; nothing if it cannot be read.
    pub(crate) summary: Option<String>,
    /// Of a series, its first instance: RFC 3339, or a date.
    pub(crate) start: Option<String>,
    pub(crate) end: Option<String>,
    /// How the owner has answered; nothing if it is not invited.
    pub(crate) partstat: Option<String>,
    /// Whether it stands for a series.
    pub(crate) recurs: bool,
    /// Whether it is called off; not said of what is not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) cancelled: bool,
}

/// Who is told of what a command writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Tells {
    /// It is taken for known.
    #[default]
    Nobody,
    /// Whom it concerns, at the next look at the calendar.
    Concerned,
}

/// What became of an object that was deleted.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Deleted {
    /// For each recipient; nothing, if it concerns nobody else.
    pub(crate) told: Vec<Told>,
    /// Who tells whom it concerns.
    pub(crate) by: Telling,
}

/// Who tells what changes in a calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Telling {
    /// The host has.
    Host,
    /// The host does, once it runs.
    Later,
    /// Not the host: `schedule` is off, or the store does it.
    Off,
}

/// What somebody says to an invitation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Answer {
    Accepted,
    Declined,
    Tentative,
    Delegated,
    Counter,
}

/// Something that waits to be delivered to one recipient (`queue list --json`).
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct QueueRow {
    pub(crate) id: String,
    pub(crate) user: CalendarAddress,
    pub(crate) uid: Uid,
    pub(crate) method: String,
    pub(crate) recipient: CalendarAddress,
    /// How the last try went out; nothing before the first.
    pub(crate) via: Option<String>,
    pub(crate) state: QueueState,
    pub(crate) attempts: u32,
    /// RFC 3339; nothing while it is held.
    pub(crate) next: Option<String>,
    /// What came of the last try: a request status.
    pub(crate) last: Option<String>,
}

/// Why something waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum QueueState {
    /// For its first try.
    Waiting,
    /// For its next try.
    Retrying,
    /// Until somebody releases it.
    Held,
}

/// A message that waits to be decided (`inbox list --json`).
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct InboxRow {
    pub(crate) id: String,
    pub(crate) user: CalendarAddress,
    pub(crate) uid: Uid,
    pub(crate) method: String,
    pub(crate) from: CalendarAddress,
    /// Of the message: what a proposal proposes.
    pub(crate) summary: Option<String>,
    /// RFC 3339, or a date.
    pub(crate) start: Option<String>,
    pub(crate) why: InboxWhy,
}

/// What is to be decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum InboxWhy {
    /// Whether a proposal is taken up.
    Counter,
    /// Whether the sender is let in.
    Held,
    /// Whether a room is booked.
    Booking,
}

/// A message that waits, as it came.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct InboxMessage {
    pub(crate) row: InboxRow,
    pub(crate) data: Text,
}

/// What somebody decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum InboxDecision {
    Accept,
    Decline,
}

/// An entry of what waits, with the message.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Queued {
    pub(crate) rows: Vec<QueueRow>,
    pub(crate) since: String,
    pub(crate) until: Option<String>,
    pub(crate) messages: Vec<Text>,
}

/// What a look at a calendar led to (`changed --json`).
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Looked {
    /// Whether it was the first look, at which nobody is told.
    pub(crate) first: bool,
    /// Objects about which somebody is told.
    pub(crate) told: usize,
    /// Objects whose changes wait to be released.
    pub(crate) held: usize,
    /// Objects that are to be quiet first.
    pub(crate) settling: usize,
    /// When they are told at the earliest: RFC 3339.
    pub(crate) next: Option<String>,
}

/// What was erased of a person.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Erased {
    /// Whose data it was.
    pub(crate) user: CalendarAddress,
    /// The store of the calendar user, if it is one.
    pub(crate) store: Option<String>,
    /// Whether the calendar is gone, too.
    #[serde(rename = "calendar_removed")]
    pub(crate) is_calendar_removed: bool,
    /// How much was kept beside it.
    #[serde(flatten)]
    pub(crate) forgotten: Forgotten,
}

/// A calendar user, and the store that it is in.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Found {
    pub(crate) store: String,
    pub(crate) user: CalendarUser,
}

/// What became of a message for one recipient.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Told {
    pub(crate) recipient: String,
    /// A request status: `2.0;Success`.
    pub(crate) status: String,
    pub(crate) description: Option<String>,
    /// Busy time, if the message asked for it: iCalendar.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) data: Option<String>,
}

impl Told {
    pub(crate) fn new(recipient: String, outcome: Outcome) -> Self {
        Self {
            recipient,
            status: outcome.status.to_string(),
            description: outcome.description,
            data: outcome.data,
        }
    }
}

impl From<Told> for RecipientResponse {
    fn from(told: Told) -> Self {
        let status = told.status.parse();
        Self {
            description: told.description,
            calendar_data: told.data.map(CalendarData::icalendar),
            ..Self::new(
                told.recipient,
                status.unwrap_or(RequestStatus::INVALID_CALENDAR_SERVICE),
            )
        }
    }
}

/// What became of an object that was sent.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Sent {
    /// For each recipient; nothing, if it concerns nobody else.
    pub(crate) told: Vec<Told>,
    /// Others are on it whom SCHEDULE-AGENT leaves to the owner's program.
    pub(crate) left_to_client: bool,
}

impl From<scheduling::Told> for Sent {
    fn from(told: scheduling::Told) -> Self {
        let answers = told.answers.into_iter();
        Self {
            told: answers
                .map(|(recipient, outcome)| Told::new(recipient, outcome))
                .collect(),
            left_to_client: told.left_to_client,
        }
    }
}

/// An object as it is stored.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Object {
    pub(crate) uid: Uid,
    pub(crate) etag: Etag,
    pub(crate) data: Text,
}

impl From<StoredObject> for Object {
    fn from(stored: StoredObject) -> Self {
        Self {
            uid: stored.uid,
            etag: stored.etag,
            data: Text(stored.data),
        }
    }
}

impl From<Object> for StoredObject {
    fn from(object: Object) -> Self {
        Self::new(object.uid, object.etag, object.data.0)
    }
}

/// iCalendar: a text, or where it holds octets that are not UTF-8, `{"base64": "…"}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub(crate) struct Text(pub(crate) Vec<u8>);

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    Text(String),
    Octets { base64: Octets },
}

impl From<Text> for Written {
    fn from(text: Text) -> Self {
        match String::from_utf8(text.0) {
            Ok(text) => Self::Text(text),
            Err(error) => Self::Octets {
                base64: Octets(error.into_bytes()),
            },
        }
    }
}

impl From<Written> for Text {
    fn from(written: Written) -> Self {
        Self(match written {
            Written::Text(text) => text.into_bytes(),
            Written::Octets { base64 } => base64.0,
        })
    }
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
struct Octets(Vec<u8>);

impl From<Octets> for String {
    fn from(octets: Octets) -> Self {
        STANDARD.encode(octets.0)
    }
}

impl TryFrom<String> for Octets {
    type Error = base64::DecodeError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        STANDARD.decode(text).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octets_of_any_kind_cross() {
        for (octets, json) in [
            (&b"BEGIN:VCALENDAR\r\n"[..], r#""BEGIN:VCALENDAR\r\n""#),
            (b"Gr\xfc\xdfe", r#"{"base64":"R3L832U="}"#),
            (b"", r#""""#),
        ] {
            let text = Text(octets.to_vec());
            assert_eq!(serde_json::to_string(&text).unwrap(), json);
            assert_eq!(serde_json::from_str::<Text>(json).unwrap(), text);
        }
    }
}
