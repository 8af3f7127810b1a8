//! What can be said of a calendar user, by `user add`, `user set` and the columns of `user import`.

use crate::cli::output::Failure;
#[cfg(feature = "mail")]
use crate::mail::NOTIFY;
use clap::{Args, ValueEnum};
use convoke_scheduling::{BookingRules, Conflicts, RoomSettings, SCHEDULE};
use convoke_sdk::UserKind;
use convoke_types::{Attributes, CalendarAddress};
use jiff::tz::TimeZone;
use std::str::FromStr;

/// What is said of a calendar user; what is not said stays as it is.
#[derive(Args, Default)]
pub(super) struct Facts {
    /// What people call it; '' for nothing
    #[arg(long)]
    name: Option<String>,
    /// Where its all-day and floating times lie: an IANA name; '' for UTC, as if it were never said
    #[arg(long, value_name = "ZONE", value_parser = zone_name)]
    timezone: Option<String>,
    /// What it is
    #[arg(long, value_enum)]
    kind: Option<Kind>,
    /// Whether others are told what it changes in its own calendar
    #[arg(long, value_name = "on|off")]
    schedule: Option<Switch>,
    /// Whether it is told by mail what its calendar program may not show (`[mail] notify`); `answers` for that and each answer that
    /// comes
    #[cfg(feature = "mail")]
    #[arg(long, value_name = "on|off|answers")]
    notify: Option<Told>,
    /// Of a room: who may book it and when; each part may be left out, '' for all who are of this server, whenever
    #[arg(
        long,
        value_name = "'from=*@example.org ahead=90d longest=4h days=mo-fr'"
    )]
    booking: Option<BookingRules>,
    /// Of a room: how many occurrences of a series may be declined alone, as a number or a share; with more, all of it is
    #[arg(long, value_name = "0|N|N%")]
    conflicts: Option<Conflicts>,
    /// Of a room: who has to approve each booking; '' for nobody
    #[arg(long, value_name = "ADDR")]
    approve: Option<Said<CalendarAddress>>,
    /// Of a room: show that it is booked, and by whom, but not what for
    #[arg(
        long,
        value_name = "on|off",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "on"
    )]
    private: Option<Switch>,
}

/// One of them, by the name of its option.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ValueEnum)]
pub(super) enum Fact {
    Name,
    Timezone,
    Kind,
    Schedule,
    Booking,
    Conflicts,
    Approve,
    Private,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Switch {
    On,
    Off,
}

/// What somebody is told by mail.
#[cfg(feature = "mail")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Told {
    On,
    Off,
    Answers,
}

#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    Individual,
    Group,
    Resource,
    Room,
}

impl From<Kind> for UserKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Individual => Self::Individual,
            Kind::Group => Self::Group,
            Kind::Resource => Self::Resource,
            Kind::Room => Self::Room,
        }
    }
}

/// Something, or nothing for an empty text.
#[derive(Clone)]
struct Said<T>(Option<T>);

impl<T: FromStr> FromStr for Said<T> {
    type Err = T::Err;

    fn from_str(text: &str) -> Result<Self, T::Err> {
        if text.is_empty() {
            return Ok(Self(None));
        }
        text.parse().map(|it| Self(Some(it)))
    }
}

pub(super) fn zone_name(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Ok(String::new());
    }
    TimeZone::get(text)
        .map(|_| text.to_owned())
        .map_err(|_| "it is no IANA time zone such as Europe/Berlin".to_owned())
}

/// What of a calendar user is said, wherever that is kept.
pub(super) struct Described<'a> {
    pub(super) address: &'a CalendarAddress,
    pub(super) name: &'a mut Option<String>,
    pub(super) timezone: &'a mut Option<String>,
    pub(super) kind: &'a mut UserKind,
    pub(super) attributes: &'a mut Attributes,
}

/// What only a room or a resource has.
const OF_ROOMS: [&str; 4] = [
    RoomSettings::BOOKING,
    RoomSettings::CONFLICTS,
    RoomSettings::APPROVE,
    RoomSettings::PRIVATE,
];

/// One of the words of an option.
fn word<T: ValueEnum>(text: &str) -> Result<T, String> {
    T::from_str(text, true).map_err(|_| {
        let words = T::value_variants().iter();
        let words = words.filter_map(ValueEnum::to_possible_value);
        let words: Vec<_> = words.map(|it| it.get_name().to_owned()).collect();
        format!("expected one of {}", words.join(", "))
    })
}

impl Facts {
    /// Says one of them, as its option would.
    pub(super) fn say(&mut self, fact: Fact, text: &str) -> Result<(), String> {
        fn parsed<T: FromStr<Err: ToString>>(text: &str) -> Result<T, String> {
            text.parse().map_err(|error: T::Err| error.to_string())
        }
        match fact {
            Fact::Name => self.name = Some(text.to_owned()),
            Fact::Timezone => self.timezone = Some(zone_name(text)?),
            Fact::Kind => self.kind = Some(word(text)?),
            Fact::Schedule => self.schedule = Some(word(text)?),
            Fact::Booking => self.booking = Some(parsed(text)?),
            Fact::Conflicts => self.conflicts = Some(parsed(text)?),
            Fact::Approve => self.approve = Some(parsed(text)?),
            Fact::Private => self.private = Some(word(text)?),
        }
        Ok(())
    }

    /// Takes a time zone where none is said.
    pub(super) fn default_timezone(&mut self, zone: &str) {
        self.timezone.get_or_insert_with(|| zone.to_owned());
    }

    /// Says it of a calendar user.
    pub(super) fn apply(self, to: &mut Described<'_>) -> Result<(), Failure> {
        let or_none = |text: String| Some(text).filter(|text| !text.is_empty());
        if let Some(name) = self.name {
            *to.name = or_none(name);
        }
        if let Some(timezone) = self.timezone {
            *to.timezone = or_none(timezone);
        }
        if let Some(kind) = self.kind {
            *to.kind = kind.into();
        }
        match self.schedule {
            Some(Switch::On) => to.attributes.remove(SCHEDULE),
            Some(Switch::Off) => to.attributes.set(SCHEDULE, "off"),
            None => {}
        }
        #[cfg(feature = "mail")]
        match self.notify {
            Some(Told::On) => to.attributes.remove(NOTIFY),
            Some(Told::Off) => to.attributes.set(NOTIFY, "off"),
            Some(Told::Answers) => to.attributes.set(NOTIFY, "answers"),
            None => {}
        }
        let approve = self.approve.map(|Said(approver)| approver);
        if approve.iter().flatten().any(|it| it.same_user(to.address)) {
            return Err(Failure::usage(
                "--approve: nobody approves its own bookings",
            ));
        }
        let of_rooms = [
            ("--booking", self.booking.map(|it| it.to_string())),
            ("--conflicts", self.conflicts.map(|it| it.to_string())),
            (
                "--approve",
                approve.map(|it| it.map_or_else(String::new, String::from)),
            ),
            (
                "--private",
                self.private.map(|it| match it {
                    Switch::On => "on".to_owned(),
                    Switch::Off => String::new(),
                }),
            ),
        ];
        let is_room = matches!(to.kind, UserKind::Room | UserKind::Resource);
        for ((option, said), name) in of_rooms.into_iter().zip(OF_ROOMS) {
            match said {
                Some(_) if !is_room => {
                    return Err(Failure::usage(format!(
                        "{option} is for rooms and resources, and {} is neither; say --kind room",
                        to.address.human()
                    )));
                }
                Some(said) if !said.is_empty() => to.attributes.set(name, said),
                Some(_) => to.attributes.remove(name),
                None if !is_room => to.attributes.remove(name),
                None => {}
            }
        }
        Ok(())
    }
}
