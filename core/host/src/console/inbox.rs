//! For whom something waits to be decided: how much, by store and user. What it is about, those people see themselves.

use super::{
    form::Form,
    page::{Page, table, text},
};
use crate::{
    admin::{
        self,
        api::{InboxCount, InboxCounted, InboxCounts, StoreNames},
    },
    instance::Instance,
};
use convoke_types::{Cursor, Error, Page as SomeUsers};
use maud::{Markup, html};
use url::form_urlencoded::Serializer;

const PATH: &str = "/console/inbox";
/// Users of a store that are looked at for a page.
const USERS: u32 = 200;

pub(super) async fn page(instance: &Instance, query: &str) -> Result<Page, Error> {
    let form = Form::read(query.as_bytes());
    let mut stores = admin::ask(instance, &StoreNames {}).await?;
    let chosen = form.get("store");
    if !chosen.is_empty() {
        stores.retain(|it| it == chosen);
    }
    let after = form.get("after");
    let mut sections = Vec::new();
    for store in stores {
        let after = (!after.is_empty()).then(|| Cursor::new(after));
        let asked = InboxCounts {
            store: store.clone(),
            page: SomeUsers::after(after, USERS),
        };
        // One that does not answer is no reason to show nothing of the others.
        let counted = admin::ask(instance, &asked).await;
        sections.push(section(&store, &counted));
    }
    Ok(Page {
        path: PATH,
        notice: None,
        again: None,
        content: html! { @for section in sections { (section) } },
    })
}

fn section(store: &str, counted: &Result<InboxCounted, Error>) -> Markup {
    let id = format!("store-{store}");
    html! {
        section aria-labelledby=(id) {
            h2 id=(id) { "Store " (store) }
            @match counted {
                Ok(counted) => (counts(store, counted)),
                Err(error) => p class="notice" { (error) },
            }
        }
    }
}

fn counts(store: &str, counted: &InboxCounted) -> Markup {
    let row = |it: &InboxCount| vec![text(it.user.human()), text(it.waiting.to_string())];
    let rows: Vec<_> = counted.counts.iter().map(row).collect();
    let sum: usize = counted.counts.iter().map(|it| it.waiting).sum();
    let users = counted.users;
    html! {
        p { (sum) " wait for " (rows.len()) " of " (users) " users that were looked at." }
        @if !rows.is_empty() {
            (table(&format!("What waits in {store}"), &["User", "Waiting"], &rows, ""))
        }
        @if let Some(next) = &counted.next {
            @let query = Serializer::new(String::new()).append_pair("store", store).append_pair("after", next.as_str()).finish();
            p { a href=(format!("{PATH}?{query}")) { "The next users of " (store) } }
        }
    }
}
