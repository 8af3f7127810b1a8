//! Finding a user's calendars: from a server's address to the principal to its homes (RFC 6764 §6, RFC 4791 §6.2).

use crate::{
    dav::{self, Multistatus, Properties, WHO},
    href::Href,
    server::{Request, Server},
};
use convoke_sdk::prelude::*;
use http::StatusCode;
use url::Url;

/// Where a user's calendars are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Places {
    /// Collections that hold calendars.
    pub(crate) homes: Vec<Href>,
    /// Where the server itself would put an invitation.
    pub(crate) default_calendar: Option<Href>,
    /// By the server's word.
    pub(crate) addresses: Vec<CalendarAddress>,
    /// Who may be the principal whose calendars these are.
    principals: Vec<Href>,
}

/// Begins at `url` and asks for the one who logs in.
pub(crate) async fn discover(server: &Server, url: &Url) -> Result<Places> {
    let mut starts = vec![Href::of(url)];
    if url.path() == "/" {
        let well_known = url.join("/.well-known/caldav").ok();
        starts.splice(0..0, well_known.as_ref().map(Href::of));
    }
    let mut principal = None;
    for start in &starts {
        if let Some(found) = ask(server, start).await? {
            if !found.homes.is_empty() {
                return places(server, found).await;
            }
            principal = found.principal;
            if principal.is_some() {
                break;
            }
        }
    }
    let Some(principal) = principal else {
        return Err(server.unavailable(format!(
            "{url} does not say who is logged in (current-user-principal); check `url` and `login`, or write `home`"
        )));
    };
    match ask(server, &principal).await? {
        Some(found) if !found.homes.is_empty() => places(server, found).await,
        _ => Err(server.unavailable(format!(
            "the principal {principal} has no calendar-home-set; is the user allowed to have calendars? Else write `home`"
        ))),
    }
}

/// The home is known; `None` if the server does not know it.
pub(crate) async fn at(server: &Server, home: &Url) -> Result<Option<Places>> {
    let href = Href::of(home);
    let Some(found) = ask(server, &href).await? else {
        return Ok(None);
    };
    let places = places(server, found).await?;
    Ok(Some(Places {
        homes: vec![href],
        ..places
    }))
}

async fn places(server: &Server, found: Properties) -> Result<Places> {
    let mut default_calendar = found.default_calendar;
    if let (None, Some(inbox)) = (&default_calendar, &found.inbox) {
        // RFC 6638 §9.2: a property of the inbox. Who may not see it, does without.
        let request = Request::xml("PROPFIND", inbox, "0", WHO);
        let answer = server.send(&request).await?;
        if answer.status == StatusCode::MULTI_STATUS {
            let answer = dav::multistatus(&server.url(&answer.href), &answer.body);
            default_calendar = answer
                .ok()
                .and_then(only)
                .and_then(|it| it.default_calendar);
        }
    }
    Ok(Places {
        homes: found.homes,
        default_calendar,
        addresses: found.addresses,
        principals: found.owner.into_iter().chain(found.principal).collect(),
    })
}

/// Whether the server does iTIP by itself for whose calendars these are (RFC 6638 §2): it announces that, and it knows an
/// address of theirs, without which it could not. (Xandikos announces it always.)
pub(crate) async fn schedules_itself(server: &Server, places: &Places) -> Result<bool> {
    let Some(home) = places.homes.first() else {
        return Ok(false);
    };
    let answer = server.send(&Request::new("OPTIONS", home)).await?;
    if !answer.status.is_success() || !answer.has_feature("calendar-auto-schedule") {
        return Ok(false);
    }
    if !places.addresses.is_empty() {
        return Ok(true);
    }
    // Not every server says whose a home is; then it may lie in the principal.
    let parent = home.parent();
    for principal in places.principals.iter().chain(&parent) {
        if let Some(found) = ask(server, principal).await?
            && found.homes.iter().any(|it| it.is(home))
        {
            return Ok(!found.addresses.is_empty());
        }
    }
    Ok(false)
}

/// The properties of one resource; `None` if it is not there.
async fn ask(server: &Server, href: &Href) -> Result<Option<Properties>> {
    let request = Request::xml("PROPFIND", href, "0", WHO);
    let answer = server.send(&request).await?;
    match answer.status.as_u16() {
        207 => {}
        // Not every server has a well-known URI, or lets its root be asked.
        404 | 405 | 410 => return Ok(None),
        _ => return Err(server.unexpected(&request, &answer)),
    }
    let url = server.url(&answer.href);
    let found = dav::multistatus(&url, &answer.body);
    let found = found.map_err(|problem| {
        server.unavailable(format!(
            "PROPFIND {href} was answered with XML that cannot be used: {problem}; see the server's log"
        ))
    })?;
    Ok(only(found))
}

fn only(answer: Multistatus) -> Option<Properties> {
    let found = answer.resources.into_iter().find(|it| it.status < 300);
    found.map(|it| it.properties)
}
