//! What was decided: about a UID, a message or an address.

use super::{
    form::Form,
    overview::moment,
    page::{Page, table, text},
};
use crate::{
    admin::{self, api::Decisions},
    instance::Instance,
};
use convoke_scheduling::Decided;
use convoke_types::{CalendarAddress, Error, Uid};
use maud::{Markup, html};
use url::form_urlencoded;

const PATH: &str = "/console/decisions";
/// How many are shown.
const SHOWN: u32 = 200;

pub(super) async fn page(instance: &Instance, query: &str) -> Result<Page, Error> {
    let form = Form::read(query.as_bytes());
    let about = form.get("about");
    let asked = Decisions {
        about: (!about.is_empty()).then(|| about.to_owned()),
        most: SHOWN,
    };
    let found = admin::ask(instance, &asked).await?;
    let cells: Vec<_> = found.iter().map(cells).collect();
    let heads = [
        "At", "Event", "Method", "From", "To", "About", "Result", "Why",
    ];
    let none = if about.is_empty() {
        "Nothing has been decided yet."
    } else {
        "Nothing is known of that; decisions are kept for `server.decisions`, what was refused as a whole for a day."
    };
    Ok(Page {
        path: PATH,
        notice: None,
        again: None,
        content: html! {
            form method="get" action=(PATH) role="search" {
                label for="about" { "Address, UID or message identifier" }
                input id="about" name="about" type="search" value=(about);
                button type="submit" { "Search" }
            }
            (table("Decisions, the newest first", &heads, &cells, none))
        },
    })
}

fn cells(decided: &Decided) -> Vec<Markup> {
    let or_nothing = |it: &Option<String>| text(it.as_deref().unwrap_or_default());
    let whom = decided.recipient.as_ref().or(decided.user.as_ref());
    vec![
        text(moment(decided.at)),
        html! { code { (decided.event) } },
        or_nothing(&decided.method),
        or_nothing(&decided.peer),
        text(whom.map(CalendarAddress::human).unwrap_or_default()),
        about(decided),
        or_nothing(&decided.result),
        or_nothing(&decided.why),
    ]
}

fn about(decided: &Decided) -> Markup {
    let name = (decided.uid.as_ref().map(Uid::as_str)).or(decided.message_id.as_deref());
    let Some(name) = name else {
        return html! {};
    };
    let query: String = form_urlencoded::byte_serialize(name.as_bytes()).collect();
    html! { a href=(format!("{PATH}?about={query}")) { (name) } }
}
