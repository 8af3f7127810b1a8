//! A calendar user, as it is printed.

use convoke_scheduling::{Conflicts, RoomSettings, SCHEDULE};
use convoke_sdk::UserKind;
use convoke_types::{Attributes, CalendarAddress, CalendarUser};
use serde::Serialize;

/// `user show --json`, and one of `user list --json`.
#[derive(Serialize)]
pub(super) struct Shown<'a> {
    pub(super) address: &'a CalendarAddress,
    pub(super) name: Option<&'a str>,
    pub(super) timezone: Option<&'a str>,
    pub(super) aliases: &'a [CalendarAddress],
    pub(super) kind: UserKind,
    /// `on` or `off`.
    pub(super) schedule: &'a str,
    /// `off` if they want no notices by mail.
    #[cfg(feature = "mail")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) notify: Option<&'a str>,
    /// What tells others of its changes instead of this host, and how that is switched off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) schedules_itself: Option<&'a str>,
    /// Of a room or resource only.
    #[serde(flatten)]
    pub(super) room: Option<Room<'a>>,
}

/// What is said of a room; `null` for what is not.
#[derive(Serialize)]
pub(super) struct Room<'a> {
    booking: Option<&'a str>,
    conflicts: Option<&'a str>,
    approve: Option<&'a str>,
    /// `on` or `off`.
    private: &'a str,
}

impl<'a> From<&'a CalendarUser> for Shown<'a> {
    fn from(user: &'a CalendarUser) -> Self {
        let attributes: &Attributes = &user.attributes;
        let is_room = matches!(user.kind, UserKind::Room | UserKind::Resource);
        Self {
            address: &user.address,
            name: user.name.as_deref(),
            timezone: user.timezone.as_deref(),
            aliases: &user.aliases,
            kind: user.kind,
            schedule: match attributes.get(CalendarUser::SCHEDULES_ITSELF) {
                Some(_) => "off",
                None => attributes.get(SCHEDULE).unwrap_or("on"),
            },
            #[cfg(feature = "mail")]
            notify: attributes.get(crate::mail::NOTIFY),
            schedules_itself: attributes.get(CalendarUser::SCHEDULES_ITSELF),
            room: is_room.then(|| Room {
                booking: attributes.get(RoomSettings::BOOKING),
                conflicts: attributes.get(RoomSettings::CONFLICTS),
                approve: attributes.get(RoomSettings::APPROVE),
                private: attributes.get(RoomSettings::PRIVATE).unwrap_or("off"),
            }),
        }
    }
}

impl Shown<'_> {
    /// The same for people: names and values.
    pub(super) fn rows(&self) -> Vec<Vec<String>> {
        let mut rows = vec![
            ("address", self.address.human().to_owned()),
            ("aliases", self.other_addresses()),
            ("name", self.name.unwrap_or_default().to_owned()),
            ("timezone", self.timezone.unwrap_or("UTC").to_owned()),
            ("kind", self.word().to_owned()),
            ("schedule", self.schedule.to_owned()),
            ("", self.schedules_itself.unwrap_or_default().to_owned()),
        ];
        #[cfg(feature = "mail")]
        if let Some(notify) = self.notify {
            rows.push(("notify", notify.to_owned()));
        }
        if let Some(room) = &self.room {
            let or = |said: Option<&str>, default: &str| said.unwrap_or(default).to_owned();
            let conflicts = Conflicts::default().to_string();
            rows.extend([
                (
                    "booking",
                    or(room.booking, "(people of this server, whenever)"),
                ),
                ("conflicts", or(room.conflicts, &conflicts)),
                ("approve", or(room.approve, "(nobody)")),
                ("private", room.private.to_owned()),
            ]);
        }
        rows.retain(|(_, value)| !value.is_empty());
        rows.into_iter()
            .map(|(name, value)| vec![name.to_owned(), value])
            .collect()
    }

    /// Its further addresses.
    pub(super) fn other_addresses(&self) -> String {
        let aliases: Vec<_> = self.aliases.iter().map(CalendarAddress::human).collect();
        aliases.join(" ")
    }

    /// What it is.
    pub(super) const fn word(&self) -> &'static str {
        match self.kind {
            UserKind::Group => "group",
            UserKind::Resource => "resource",
            UserKind::Room => "room",
            _ => "individual",
        }
    }
}
