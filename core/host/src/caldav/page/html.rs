//! The document.

use super::{
    Done, STYLE,
    found::{Found, Undelivered, Waiting},
};
use crate::{
    busy_picture::{self, Reader},
    caldav::session::{Place, Session},
    site::Site,
};
use convoke_caldav::path::Resource;
use convoke_scheduling::Why;
use maud::{DOCTYPE, Markup, html};

/// What came of a decision.
pub(super) const fn words_of(done: Done) -> &'static str {
    match done {
        Done::Accepted => "Accepted. Whom it concerns is told.",
        Done::Declined => "Declined.",
        Done::Gone => "That does not wait any more.",
    }
}

pub(super) fn page(
    session: &Session<'_>,
    site: &Site<'_>,
    found: &Found,
    token: &str,
    notice: Option<&str>,
) -> String {
    let name = session.user().name.clone();
    let name = name.unwrap_or_else(|| session.owner());
    let document = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "Calendar of " (name) }
                link rel="stylesheet" href=(session.path(&Resource::Root) + STYLE);
            }
            body {
                header { h1 { "Calendar of " (name) } }
                main {
                    @if let Some(notice) = notice {
                        p class="notice" role="status" { (notice) }
                    }
                    (waiting(session, &found.waiting, token))
                    (undelivered(&found.undelivered))
                    (busy(found))
                    (addresses(session, site))
                }
            }
        }
    };
    document.into_string()
}

fn waiting(session: &Session<'_>, waiting: &[Waiting], token: &str) -> Markup {
    let root = session.path(&Resource::Root);
    html! {
        section aria-labelledby="waiting" {
            h2 id="waiting" { "What waits for you" }
            @if waiting.is_empty() {
                p { "Nothing waits for you to decide." }
            } @else {
                ul class="cards" {
                    @for it in waiting { (card(it, &root, token)) }
                }
            }
        }
    }
}

fn card(it: &Waiting, root: &str, token: &str) -> Markup {
    let (accept, decline) = buttons(it);
    html! {
        li {
            h3 { (it.title) }
            p {
                (why(it)) " From " strong { (it.from) } "."
                @if let Some(when) = &it.when { " " (when) "." }
            }
            form method="post" action=(root) {
                input type="hidden" name="token" value=(token);
                input type="hidden" name="id" value=(it.id);
                button type="submit" name="decision" value="accept" aria-label=(format!("{accept}: {}", it.title)) { (accept) }
                @if let Some(decline) = decline {
                    " "
                    button class="second" type="submit" name="decision" value="decline" aria-label=(format!("{decline}: {}", it.title)) { (decline) }
                }
            }
        }
    }
}

const fn why(it: &Waiting) -> &'static str {
    match it.why {
        Why::Counter if it.is_proposal => "A guest proposes another time.",
        Why::Counter => "Your proposal was not taken up.",
        Why::Held => "Somebody whom you do not know yet writes to you.",
        Why::Booking => "A room is to be booked.",
    }
}

const fn buttons(it: &Waiting) -> (&'static str, Option<&'static str>) {
    match it.why {
        Why::Counter if it.is_proposal => ("Move the meeting", Some("Decline")),
        Why::Counter => ("I have seen it", None),
        Why::Held => ("Accept the sender", Some("Discard")),
        Why::Booking => ("Approve", Some("Refuse")),
    }
}

fn undelivered(undelivered: &[Undelivered]) -> Markup {
    html! {
        section aria-labelledby="undelivered" {
            h2 id="undelivered" { "What did not arrive" }
            @if undelivered.is_empty() {
                p { "Everybody has been reached." }
            } @else {
                ul class="cards" {
                    @for it in undelivered {
                        li {
                            h3 { (it.title) }
                            p {
                                @if it.is_tried { "Not delivered yet, and tried again by itself: " }
                                @else { "Not delivered: " }
                                strong { (it.to) }
                                @if let Some(when) = &it.when { ". " (when) }
                                "."
                            }
                            @if !it.status.is_empty() {
                                p { code { (it.status) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn busy(found: &Found) -> Markup {
    html! {
        section aria-labelledby="busy" {
            h2 id="busy" { "When you are busy" }
            @match &found.busy {
                None => p { "Your busy time cannot be shown now." },
                Some(busy) => (busy_picture::show(busy, found.today, &found.zone, Reader::Owner)),
            }
        }
    }
}

fn addresses(session: &Session<'_>, site: &Site<'_>) -> Markup {
    let user = session.user();
    let (server, calendars, login) = programs(session);
    let free_busy = format!("/freebusy/{}.ifb", path_of(&session.owner()));
    html! {
        section aria-labelledby="addresses" {
            h2 id="addresses" { "For your calendar program" }
            p {
                "Thunderbird, Evolution, DAVx5 and others find your calendar from this address, with the user name "
                strong { (login) } " and your password:"
            }
            (copied("program", "Address of this server", &site.url(&server)))
            @for (at, calendar) in calendars.iter().enumerate() {
                (copied(&format!("calendar-{at}"), "Your calendar (CalDAV)", &site.url(calendar)))
            }
            (copied("free-busy", "When you are busy, for those who may see it", &site.url(&free_busy)))
            h3 { "Your addresses" }
            ul {
                li { (user.address.human()) }
                @for alias in &user.aliases { li { (alias.human()) } }
            }
        }
    }
}

/// Where programs begin, where the user's calendars are, and as whom the user logs in.
fn programs(session: &Session<'_>) -> (String, Vec<String>, String) {
    let behind = session.instance.upstream.as_ref();
    if let (Place::Beside { login, .. }, Some(upstream)) = (&session.place, behind) {
        let login = login.clone().unwrap_or_else(|| session.owner());
        let root = format!("{}/", upstream.server.path);
        return (root, upstream.calendars_of(session.user()), login);
    }
    let calendar = Resource::Calendar(session.owner()).to_string();
    ("/".to_owned(), vec![calendar], session.owner())
}

fn path_of(owner: &str) -> String {
    let path = Resource::Home(owner.to_owned()).to_string();
    let segment = path.trim_end_matches('/').rsplit('/').next();
    segment.unwrap_or_default().to_owned()
}

/// A text to be copied: where it is shown, all of it can be marked by the keyboard.
fn copied(id: &str, label: &str, text: &str) -> Markup {
    html! {
        p class="copied" {
            label for=(id) { (label) }
            input id=(id) type="text" readonly value=(text);
        }
    }
}
