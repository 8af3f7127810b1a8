//! Two weeks of a user's busy time, as a picture.

use super::{form::Form, page::Page};
use crate::{
    admin::{
        self,
        api::{BusyPart, BusyTime, Fortnight},
    },
    busy_picture::{self, Reader},
    instance::Instance,
};
use convoke_types::{BusySpan, CalendarAddress, Error, TimeRange};
use jiff::tz::TimeZone;
use maud::{Markup, html};

const PATH: &str = "/console/busy";

pub(super) async fn page(instance: &Instance, query: &str) -> Result<Page, Error> {
    let form = Form::read(query.as_bytes());
    let user = form.get("user");
    let shown = match user {
        "" => None,
        user => Some(ask(instance, user).await),
    };
    let (found, notice) = match shown {
        Some(Ok(found)) => (Some(found), None),
        Some(Err(error)) => (None, Some(error.to_string())),
        None => (None, None),
    };
    Ok(Page {
        path: PATH,
        notice,
        again: None,
        content: html! {
            form method="get" action=(PATH) role="search" {
                label for="user" { "Address of a user" }
                input id="user" name="user" type="search" autocomplete="off" value=(user);
                button type="submit" { "Show" }
            }
            @if let Some(found) = &found { (picture(found)) }
        },
    })
}

async fn ask(instance: &Instance, user: &str) -> Result<Fortnight, Error> {
    let user = CalendarAddress::new(user);
    let user = user.map_err(|error| Error::invalid(error.to_string()))?;
    admin::ask(instance, &BusyTime { user }).await
}

fn picture(found: &Fortnight) -> Markup {
    let zone = TimeZone::get(&found.zone).unwrap_or(TimeZone::UTC);
    html! {
        section aria-labelledby="busy" {
            h2 id="busy" { (found.user.human()) }
            @match &found.busy {
                Some(parts) => {
                    @let spans: Vec<_> = parts.iter().filter_map(span).collect();
                    (busy_picture::show(&spans, found.from, &zone, Reader::Other))
                },
                None => p { "This is not told: " code { (found.status) } },
            }
        }
    }
}

fn span(part: &BusyPart) -> Option<BusySpan> {
    let range = TimeRange::new(part.start, part.end).ok()?;
    Some(BusySpan::new(range, part.kind))
}
