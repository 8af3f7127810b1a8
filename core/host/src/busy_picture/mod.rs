//! Busy time of two weeks as people see it on a page: a picture, what its colours mean, and the same as a list.
//!
//! `picture` draws it. `style.css` belongs into the style of each page that shows one.

mod picture;

use convoke_types::BusySpan;
use jiff::{civil::Date, tz::TimeZone};
use maud::{Markup, html};
use picture::Part;

/// Who looks at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    /// The one whose time it is.
    #[cfg(feature = "caldav")]
    Owner,
    /// Somebody else.
    #[cfg(feature = "console")]
    Other,
}

impl Reader {
    const fn title(self) -> &'static str {
        match self {
            #[cfg(feature = "caldav")]
            Self::Owner => "When you are busy",
            #[cfg(feature = "console")]
            Self::Other => "Busy time",
        }
    }

    const fn free(self) -> &'static str {
        match self {
            #[cfg(feature = "caldav")]
            Self::Owner => "You are free.",
            #[cfg(feature = "console")]
            Self::Other => "Free all the time.",
        }
    }
}

/// The picture from a day on, on the clock of a zone.
pub(crate) fn show(busy: &[BusySpan], from: Date, zone: &TimeZone, reader: Reader) -> Markup {
    let days = picture::days(busy, from, zone);
    html! {
        (picture::draw(&days, reader.title()))
        p class="legend" {
            span class="busy" { "busy" } " "
            span class="tentative" { "tentative" } " "
            span class="unavailable" { "unavailable" }
            " Times are those of " (zone.iana_name().unwrap_or("UTC")) "."
        }
        details {
            summary { "The same as a list" }
            ul {
                @for (day, parts) in &days {
                    @if !parts.is_empty() {
                        li {
                            (day.strftime("%A, %-d %B").to_string()) ": "
                            (parts.iter().map(Part::words).collect::<Vec<_>>().join(", "))
                        }
                    }
                }
                @if days.iter().all(|(_, parts)| parts.is_empty()) { li { (reader.free()) } }
            }
        }
    }
}
