//! A story: who is there, and what happens when. It is made of a seed, written down as JSON when it fails, and told again.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Who is there, and what happens when.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Story {
    /// What chance is made of: the order of tasks, the fate of messages.
    pub(crate) seed: u64,
    pub(crate) hosts: Vec<HostTraits>,
    pub(crate) people: Vec<PersonTraits>,
    pub(crate) steps: Vec<Step>,
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct HostTraits {
    /// How far its clock is ahead.
    pub(crate) ahead_ms: i64,
    /// How much faster it runs, in millionths.
    pub(crate) drift_ppm: i64,
    /// `[scheduling] hold`.
    pub(crate) hold: usize,
    /// Messages of strangers wait until their recipient lets them in.
    #[serde(default)]
    pub(crate) holds_strangers: bool,
    /// How it sends and gets mail; nothing, if it does not.
    #[serde(default)]
    pub(crate) mail: Option<MailTraits>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct MailTraits {
    /// Its people are reached by mail alone, to begin with.
    pub(crate) alone: bool,
    /// `[scheduling] expire`.
    pub(crate) expire_ms: u64,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct PersonTraits {
    pub(crate) host: usize,
    pub(crate) program: Program,
    /// It is a room, which answers by itself.
    #[serde(default)]
    pub(crate) room: bool,
    /// Who has to approve that the room is booked.
    #[serde(default)]
    pub(crate) approver: Option<usize>,
}

/// A calendar program, by its habits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Program {
    /// Raises SEQUENCE at each save, and writes no ORGANIZER.
    Khal,
    /// Counts SEQUENCE up where that is due, rewrites DTSTAMP and LAST-MODIFIED at each save.
    Thunderbird,
    /// Writes no SEQUENCE, and drops parameters that it does not know.
    Forgetful,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Step {
    /// Milliseconds since the beginning.
    pub(crate) at: u64,
    pub(crate) does: Deed,
}

/// How something is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum By {
    /// In the store, as a calendar program does.
    Program,
    /// `send_object`, `compose_reply`: by command.
    Command,
    /// A message that a program hands in.
    Message,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Answer {
    Accepted,
    Declined,
    Tentative,
    NeedsAction,
}

/// An edit that its organizer makes of a meeting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Edit {
    /// To another time, so many minutes later.
    Move(i64),
    Retitle(u32),
    Relocate(u32),
    Invite(usize),
    Uninvite(usize),
    /// STATUS:CANCELLED.
    Cancel,
    /// An instance left out.
    Exclude(u32),
    MoveInstance(u32, i64),
    RetitleInstance(u32, u32),
    CancelInstance(u32),
    /// Somebody comes to one instance only.
    InviteToInstance(u32, usize),
    /// A date more.
    AddDate(u32),
    /// Saved with nothing changed.
    Save,
    /// An alarm and categories of one's own.
    Own(u32),
}

/// What a person does with an invitation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Response {
    Answer(Answer),
    AnswerInstance(u32, Answer),
    /// EXDATE.
    Exclude(u32),
    Save,
    Own(u32),
    Refresh,
    /// Somebody else comes instead.
    Delegate(usize),
    /// Somebody else comes to one instance instead.
    DelegateInstance(u32, usize),
    /// Another time is proposed, so many minutes later.
    Counter(i64),
}

/// What is broken for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum Part {
    Store,
    State,
    Policies,
    /// Nobody reaches it, and it reaches nobody.
    Network,
    /// Its mail server takes nothing, or does not say that it did.
    MailServer,
}

/// Something that happens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Deed {
    Invite {
        meeting: usize,
        who: usize,
        guests: Vec<usize>,
        days: u32,
        zoned: bool,
        /// Instances of the series, if it is one.
        count: Option<u32>,
        by: By,
    },
    Edit {
        meeting: usize,
        edit: Edit,
        by: By,
    },
    Respond {
        meeting: usize,
        who: usize,
        response: Response,
        by: By,
    },
    Delete {
        meeting: usize,
        who: usize,
    },
    /// After so many further operations the host ends at once; after `down` milliseconds it is started again.
    Crash {
        host: usize,
        after: u64,
        down: u64,
    },
    /// The host ends, and what it remembers is lost, if nothing waits there; then it is started again.
    LoseState {
        host: usize,
    },
    Break {
        host: usize,
        part: Part,
        millis: u64,
    },
    /// Messages are lost, doubled, delayed with this chance in a hundred.
    Lossy {
        percent: u64,
        millis: u64,
    },
    Clock {
        host: usize,
        ahead_ms: i64,
    },
    /// The store forgets what changed when.
    ForgetChanges {
        who: usize,
    },
    /// Its people are reached by iSchedule from now on, or by mail alone.
    Receiver {
        host: usize,
        is_there: bool,
    },
    /// Mails are days late, doubled or lost with this chance in a hundred.
    Post {
        percent: u64,
        millis: u64,
    },
    /// The administrator lets everything be tried at once.
    Retry {
        host: usize,
    },
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = std::time::Duration::from_millis(self.at);
        write!(f, "{:>9.1} s  {:?}", at.as_secs_f64(), self.does)
    }
}

impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, host) in self.hosts.iter().enumerate() {
            writeln!(f, "host {number}: {host:?}")?;
        }
        for (number, person) in self.people.iter().enumerate() {
            writeln!(
                f,
                "person {number}: {} of host {}",
                format_args!("{:?}", person.program),
                person.host
            )?;
        }
        self.steps.iter().try_for_each(|step| writeln!(f, "{step}"))
    }
}
