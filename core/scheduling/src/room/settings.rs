//! What the administrator says of a room, as it stands in the attributes of its calendar user.

use super::{BookingRules, Conflicts};
use convoke_types::{CalendarAddress, CalendarUser, UserKind};

/// How a room or resource answers.
///
/// A store keeps it as attributes of the calendar user, texts that are read here and nowhere else: `booking`
/// ([`BookingRules`]), `conflicts` ([`Conflicts`]), `approve` (an address), `private` (`on` or `off`).
///
/// ```
/// use convoke_scheduling::RoomSettings;
/// use convoke_types::{CalendarAddress, CalendarUser, UserId, UserKind};
///
/// let mut room = CalendarUser::new(UserId::new("1")?, CalendarAddress::new("bridge@example.org")?);
/// assert!(RoomSettings::of(&room)?.is_none(), "nobody but a room answers by itself");
/// room.kind = UserKind::Room;
/// room.attributes.set(RoomSettings::BOOKING, "longest=4h");
/// assert!(RoomSettings::of(&room)?.is_some());
/// room.attributes.set(RoomSettings::BOOKING, "longest=4");
/// assert!(RoomSettings::of(&room).unwrap_err().to_string().starts_with("the attribute `booking` of bridge@example.org"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomSettings {
    /// Who may book it, and when.
    pub booking: BookingRules,
    /// How much of a series may be refused alone.
    pub conflicts: Conflicts,
    /// Who has to approve a booking; nobody, if it is not said.
    pub approve: Option<CalendarAddress>,
    /// Whether its calendar shows no titles.
    pub private: Privacy,
    /// What people call it in a sentence.
    pub(super) noun: &'static str,
}

/// Whether a room's calendar shows what its bookings are about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Privacy {
    /// It does.
    #[default]
    Shown,
    /// It shows that the room is booked, and by whom.
    Hidden,
}

/// An attribute of a calendar user cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the attribute `{name}` of {} cannot be understood ({why}); say it anew with `convoke user set`",
    .user.human()
)]
pub struct InvalidSetting {
    user: CalendarAddress,
    name: &'static str,
    why: String,
}

impl RoomSettings {
    /// The attribute that holds its [`BookingRules`].
    pub const BOOKING: &str = "booking";
    /// The attribute that holds its [`Conflicts`].
    pub const CONFLICTS: &str = "conflicts";
    /// The attribute that holds the address of who approves.
    pub const APPROVE: &str = "approve";
    /// The attribute that says whether titles are hidden: `on` or `off`.
    pub const PRIVATE: &str = "private";

    /// How a calendar user answers; `None` if it is neither a room nor a resource, and its invitations wait for somebody.
    ///
    /// # Errors
    ///
    /// One of its attributes cannot be understood.
    pub fn of(user: &CalendarUser) -> Result<Option<Self>, InvalidSetting> {
        let noun = match user.kind {
            UserKind::Room => "The room",
            UserKind::Resource => "The resource",
            _ => return Ok(None),
        };
        let attributes = &user.attributes;
        let read = |name| attributes.get(name).map(|text| (name, text));
        let wrong = |name, why: String| InvalidSetting {
            user: user.address.clone(),
            name,
            why,
        };
        let booking = read(Self::BOOKING).map(|(name, text)| {
            let rules = text.parse::<BookingRules>();
            rules.map_err(|error| wrong(name, error.to_string()))
        });
        let conflicts = read(Self::CONFLICTS).map(|(name, text)| {
            let conflicts = text.parse::<Conflicts>();
            conflicts.map_err(|error| wrong(name, error.to_string()))
        });
        let approve = read(Self::APPROVE).map(|(name, text)| {
            let address = CalendarAddress::new(text);
            address.map_err(|error| wrong(name, error.to_string()))
        });
        let private = read(Self::PRIVATE).map(|(name, text)| match text {
            "on" => Ok(Privacy::Hidden),
            "off" => Ok(Privacy::Shown),
            _ => Err(wrong(name, "expected on or off".to_owned())),
        });
        Ok(Some(Self {
            booking: booking.transpose()?.unwrap_or_default(),
            conflicts: conflicts.transpose()?.unwrap_or_default(),
            approve: approve.transpose()?,
            private: private.transpose()?.unwrap_or_default(),
            noun,
        }))
    }
}
