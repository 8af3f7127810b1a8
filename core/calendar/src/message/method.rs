//! The methods and component kinds of messages.

use std::fmt;

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$item:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$item])* $variant,)*
        }

        impl $name {
            /// Every value, in the order of the specification.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The word as it stands on the wire.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }

            /// Reads the word, in any case; `None` if it is another one.
            pub fn parse(word: &str) -> Option<Self> {
                let word = word.trim();
                Self::ALL.iter().copied().find(|known| known.as_str().eq_ignore_ascii_case(word))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

words! {
    /// An iTIP method (RFC 5546 §1.4).
    Method {
        /// Tells anybody about a component; not allowed over iSchedule.
        Publish = "PUBLISH",
        /// The organizer invites, updates or reschedules; or somebody asks for busy time.
        Request = "REQUEST",
        /// An attendee answers.
        Reply = "REPLY",
        /// The organizer adds an instance.
        Add = "ADD",
        /// The organizer cancels all or part, or uninvites somebody.
        Cancel = "CANCEL",
        /// An attendee asks for the latest version.
        Refresh = "REFRESH",
        /// An attendee proposes a change.
        Counter = "COUNTER",
        /// The organizer turns a proposal down.
        DeclineCounter = "DECLINECOUNTER",
    }
}

words! {
    /// A kind of component that messages are about.
    Kind {
        /// An event.
        Event = "VEVENT",
        /// A to-do.
        Todo = "VTODO",
        /// A journal entry: recognised and refused.
        Journal = "VJOURNAL",
        /// Busy time.
        FreeBusy = "VFREEBUSY",
        /// A poll: recognised and refused.
        Poll = "VPOLL",
        /// Availability (RFC 7953): kept in calendars, refused in messages.
        Availability = "VAVAILABILITY",
    }
}

impl Method {
    /// Whether the organizer sends it; an attendee sends the others.
    pub const fn is_from_organizer(self) -> bool {
        matches!(
            self,
            Self::Publish | Self::Request | Self::Add | Self::Cancel | Self::DeclineCounter
        )
    }
}
