//! Who may book a room, how far ahead, for how long, and on which days.

use super::span::Span;
use convoke_types::{CalendarAddress, Domain};
use jiff::{SignedDuration, Timestamp, ZonedDateTime, civil::Weekday, tz::TimeZone};
use std::{fmt, str::FromStr};

/// Who may book a room, and when: `from=*@example.org ahead=90d longest=4h days=mo-fr`, each part once or not at all.
///
/// | part | what it says | without it |
/// | --- | --- | --- |
/// | `from` | organizers, separated by commas: an address, `*@example.org`, `*@*.example.org` for what is below, `*` | those of the server's own domains |
/// | `ahead` | how far ahead a booking may begin; of whole days, the last of them counts to its end | whenever |
/// | `longest` | how long one occurrence may take | as long as it likes |
/// | `days` | the days on which it may be: `mo-fr`, `mo,we,sa-su` | every day |
///
/// Days are those of the room's time zone.
///
/// ```
/// use convoke_scheduling::BookingRules;
///
/// let rules: BookingRules = "days=MO-FR longest=240min".parse()?;
/// assert_eq!(rules.to_string(), "longest=4h days=mo-fr");
/// assert_eq!(
///     "longest=4".parse::<BookingRules>().unwrap_err().to_string(),
///     "longest=4: expected a number with min, h, d or w, such as 30min, 4h or 90d, of a hundred years at most",
/// );
/// # Ok::<(), convoke_scheduling::InvalidBooking>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BookingRules {
    /// Nobody named: the server's own people.
    from: Vec<Organizers>,
    ahead: Option<Span>,
    longest: Option<Span>,
    days: Days,
}

/// Organizers.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Organizers {
    Everybody,
    Of(Domain),
    Below(Domain),
    One(CalendarAddress),
}

/// Days of the week; Monday is the lowest bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Days(u8);

/// A text says no rules for bookings; which part of it is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidBooking {
    /// There is no such part.
    #[error("`{0}`: expected from=…, ahead=…, longest=… or days=…, separated by spaces")]
    Unknown(String),
    /// A part is there twice.
    #[error("{0}= is there twice")]
    Twice(&'static str),
    /// `from` names nobody.
    #[error("from={0}: expected an address, *@example.org, *@*.example.org, or * for everybody")]
    From(String),
    /// A stretch of time is none.
    #[error("{part}={value}: {expected}", expected = super::InvalidSpan)]
    Span {
        /// `ahead` or `longest`.
        part: &'static str,
        /// What it says.
        value: String,
    },
    /// `days` names no days.
    #[error("days={0}: expected days such as mo-fr or mo,we,fr (mo tu we th fr sa su)")]
    Days(String),
}

/// The longest text that says what is wrong.
const EXCERPT: usize = 80;

/// The most organizers that `from` names.
const MOST_ORGANIZERS: usize = 1000;

/// Which rule a booking breaks, and what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// Its organizer may not book the room.
    From,
    /// It begins, or goes on, beyond this.
    Ahead(ZonedDateTime),
    /// It takes longer.
    Longest(Span),
    /// It is on other days.
    Days(String),
}

/// What the rules are held against besides the booking itself.
#[derive(Clone, Debug)]
pub(super) struct Moment {
    /// When it is asked for.
    pub(super) now: Timestamp,
    /// The room's.
    pub(super) zone: TimeZone,
}

impl BookingRules {
    /// Whether an organizer may book at all; `is_ours` says whether it is one of the server's own people.
    pub(super) fn admits(&self, organizer: &CalendarAddress, is_ours: bool) -> bool {
        if self.from.is_empty() {
            return is_ours;
        }
        self.from.iter().any(|it| it.are(organizer))
    }

    /// The end of the time that may be booked; `None` if there is none.
    pub(super) fn until(&self, at: &Moment) -> Option<ZonedDateTime> {
        let ahead = self.ahead?;
        let last = at.now.saturating_add(ahead.duration());
        let last = last
            .unwrap_or(Timestamp::MAX)
            .to_zoned_datetime(at.zone.clone());
        if ahead < Span::DAY {
            return Some(last);
        }
        let midnight = last.tomorrow().and_then(|next| next.start_of_day());
        Some(midnight.unwrap_or(last))
    }

    /// The first rule that one occurrence breaks; who organizes it is not looked at.
    pub(super) fn check(
        &self,
        start: Timestamp,
        end: Timestamp,
        at: &Moment,
    ) -> Result<(), Broken> {
        if let Some(until) = self.until(at)
            && start >= until.timestamp()
        {
            return Err(Broken::Ahead(until));
        }
        let length = end.duration_since(start);
        if let Some(longest) = self.longest.filter(|it| length > it.duration()) {
            return Err(Broken::Longest(longest));
        }
        if !self.days.cover(start, end, &at.zone) {
            return Err(Broken::Days(self.days.to_string()));
        }
        Ok(())
    }
}

impl Organizers {
    fn are(&self, organizer: &CalendarAddress) -> bool {
        let domain = organizer.domain().ok();
        let is_mailbox = organizer.local_part().is_some();
        match self {
            Self::Everybody => true,
            // Who may choose the host of a URI has proved less than who has a mailbox there.
            Self::Of(own) => is_mailbox && domain == Some(own),
            Self::Below(own) => {
                is_mailbox && domain.is_some_and(|it| it != own && it.is_within(own))
            }
            Self::One(address) => address.same_user(organizer),
        }
    }
}

impl FromStr for Organizers {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let domain = |text| Domain::new(text).map_err(|_| ());
        if text == "*" {
            return Ok(Self::Everybody);
        }
        if let Some(below) = text.strip_prefix("*@*.") {
            return domain(below).map(Self::Below);
        }
        if let Some(of) = text.strip_prefix("*@") {
            return domain(of).map(Self::Of);
        }
        // A star elsewhere would be read as a letter.
        if text.contains('*') {
            return Err(());
        }
        CalendarAddress::new(text).map(Self::One).map_err(|_| ())
    }
}

impl fmt::Display for Organizers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everybody => f.write_str("*"),
            Self::Of(domain) => write!(f, "*@{domain}"),
            Self::Below(domain) => write!(f, "*@*.{domain}"),
            Self::One(address) => f.write_str(address.human()),
        }
    }
}

const NAMES: [&str; 7] = ["mo", "tu", "we", "th", "fr", "sa", "su"];

impl Days {
    const ALL: Self = Self(0b111_1111);

    const fn has(self, day: Weekday) -> bool {
        self.0 & (1 << day.to_monday_zero_offset()) != 0
    }

    /// Whether all days are among these that something touches.
    fn cover(self, start: Timestamp, end: Timestamp, zone: &TimeZone) -> bool {
        if self == Self::ALL {
            return true;
        }
        let first = start.to_zoned_datetime(zone.clone()).date();
        // What ends at midnight does not touch the next day.
        let last = end.saturating_sub(SignedDuration::from_nanos(1));
        let last = last.map_or(start, |last| last.max(start));
        let last = last.to_zoned_datetime(zone.clone()).date();
        // A week touches each of them.
        let mut touched = first.series(jiff::Span::new().days(1)).take(7);
        touched.all(|day| day > last || self.has(day.weekday()))
    }
}

impl Default for Days {
    fn default() -> Self {
        Self::ALL
    }
}

impl FromStr for Days {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let place = |name: &str| {
            let name = name.trim().to_ascii_lowercase();
            NAMES.iter().position(|it| *it == name).ok_or(())
        };
        let mut days = 0;
        for part in text.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last) = (place(first)?, place(last)?);
            let mut day = first;
            days |= 1 << day;
            while day != last {
                day = (day + 1) % 7;
                days |= 1 << day;
            }
        }
        Ok(Self(days))
    }
}

impl fmt::Display for Days {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let has = |day: usize| day < 7 && self.0 & (1 << day) != 0;
        let mut day = 0;
        let mut separator = "";
        while day < 7 {
            if !has(day) {
                day += 1;
                continue;
            }
            let first = day;
            while has(day + 1) {
                day += 1;
            }
            write!(f, "{separator}{}", NAMES[first])?;
            match day - first {
                0 => {}
                1 => write!(f, ",{}", NAMES[day])?,
                _ => write!(f, "-{}", NAMES[day])?,
            }
            separator = ",";
            day += 1;
        }
        Ok(())
    }
}

impl FromStr for BookingRules {
    type Err = InvalidBooking;

    fn from_str(text: &str) -> Result<Self, InvalidBooking> {
        let excerpt = |text: &str| convoke_types::excerpt(text, EXCERPT);
        let mut rules = Self::default();
        let mut seen: Vec<&'static str> = Vec::new();
        for part in text.split_whitespace() {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let known = ["from", "ahead", "longest", "days"];
            let name = known.into_iter().find(|it| *it == name);
            let name = name.ok_or_else(|| InvalidBooking::Unknown(excerpt(part)))?;
            if seen.contains(&name) {
                return Err(InvalidBooking::Twice(name));
            }
            seen.push(name);
            let span = || {
                let span = value.parse();
                span.map(Some).map_err(|_| InvalidBooking::Span {
                    part: name,
                    value: excerpt(value),
                })
            };
            match name {
                "from" => {
                    let named = value.split(',').take(MOST_ORGANIZERS + 1);
                    let read = |one: &str| {
                        let organizers = one.parse();
                        organizers.map_err(|()| InvalidBooking::From(excerpt(one)))
                    };
                    rules.from = named.map(read).collect::<Result<_, _>>()?;
                    if rules.from.len() > MOST_ORGANIZERS {
                        return Err(InvalidBooking::From(excerpt(value)));
                    }
                }
                "ahead" => rules.ahead = span()?,
                "longest" => rules.longest = span()?,
                _ => {
                    let days = value.parse();
                    rules.days = days.map_err(|()| InvalidBooking::Days(excerpt(value)))?;
                }
            }
        }
        Ok(rules)
    }
}

impl fmt::Display for BookingRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if !self.from.is_empty() {
            let from: Vec<String> = self.from.iter().map(ToString::to_string).collect();
            parts.push(format!("from={}", from.join(",")));
        }
        parts.extend(self.ahead.map(|span| format!("ahead={span}")));
        parts.extend(self.longest.map(|span| format!("longest={span}")));
        if self.days != Days::ALL {
            parts.push(format!("days={}", self.days));
        }
        f.write_str(&parts.join(" "))
    }
}

#[cfg(test)]
mod tests;
