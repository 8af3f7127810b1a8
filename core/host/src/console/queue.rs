//! What waits to be delivered, to be tried, dropped and released.

use super::{
    access::Administrator,
    form::Form,
    page::{Page, see, table, text},
};
use crate::{
    admin::{
        self,
        api::{QueueDrop, QueueList, QueueRelease, QueueRetry, QueueRow, QueueState},
    },
    instance::Instance,
};
use convoke_net::http_server::Response;
use convoke_types::Error;
use http::StatusCode;
use maud::{Markup, html};
use url::form_urlencoded;

const PATH: &str = "/console/queue";
/// Rows that are shown.
const SHOWN: usize = 500;

pub(super) async fn page(
    instance: &Instance,
    who: &Administrator,
    query: &str,
) -> Result<Page, Error> {
    let mut rows = admin::ask(instance, &QueueList { user: None }).await?;
    let all = rows.len();
    rows.truncate(SHOWN);
    let token = instance.shared.form_secret.token(&who.key());
    let has_waiting = rows.iter().any(|it| it.state != QueueState::Held);
    let cells: Vec<_> = rows.iter().map(|row| cells(row, &token)).collect();
    let heads = [
        "From", "To", "Method", "About", "State", "Tries", "Next", "Last", "Actions",
    ];
    let none = "Nothing waits: all has been delivered.";
    let content = html! {
        @if has_waiting {
            form method="post" action=(PATH) {
                input type="hidden" name="token" value=(token);
                button type="submit" name="do" value="retry-all" { "Try all again now" }
            }
        }
        (table("What waits", &heads, &cells, none))
        @if all > SHOWN {
            p { "These are the first " (SHOWN) " of " (all) "; " code { "convoke queue list" } " shows all of them." }
        }
    };
    let form = Form::read(query.as_bytes());
    let notice = Done::named(form.get("done")).map(|done| done.words().to_owned());
    Ok(Page {
        path: PATH,
        notice,
        again: None,
        content,
    })
}

fn cells(row: &QueueRow, token: &str) -> Vec<Markup> {
    let state = match row.state {
        QueueState::Waiting => "waiting",
        QueueState::Retrying => "retrying",
        QueueState::Held => "held",
    };
    let about: String = form_urlencoded::byte_serialize(row.uid.as_str().as_bytes()).collect();
    vec![
        text(row.user.human()),
        text(row.recipient.human()),
        text(&row.method),
        html! { a href=(format!("/console/decisions?about={about}")) { (row.uid.as_str()) } },
        text(state),
        text(row.attempts.to_string()),
        text(row.next.as_deref().unwrap_or_default()),
        text(row.last.as_deref().unwrap_or_default()),
        actions(row, token),
    ]
}

fn actions(row: &QueueRow, token: &str) -> Markup {
    let (name, word) = match row.state {
        QueueState::Held => ("release", "Release"),
        QueueState::Waiting | QueueState::Retrying => ("retry", "Try now"),
    };
    let whom = format!("{} to {}", row.method, row.recipient.human());
    html! {
        form method="post" action=(PATH) {
            input type="hidden" name="token" value=(token);
            input type="hidden" name="id" value=(row.id);
            button type="submit" name="do" value=(name) aria-label=(format!("{word}: {whom}")) { (word) }
            details {
                summary { "Drop" }
                p { "It is not delivered any more, and nobody is told." }
                button class="second" type="submit" name="do" value="drop" aria-label=(format!("Drop for good: {whom}")) { "Drop for good" }
            }
        }
    }
}

/// What came of a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Done {
    Tried,
    Dropped,
    Released,
    Gone,
}

impl Done {
    const ALL: [Self; 4] = [Self::Tried, Self::Dropped, Self::Released, Self::Gone];

    const fn name(self) -> &'static str {
        match self {
            Self::Tried => "tried",
            Self::Dropped => "dropped",
            Self::Released => "released",
            Self::Gone => "gone",
        }
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name() == name)
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Tried => "It is tried now; load the page again to see what came of it.",
            Self::Dropped => "Dropped.",
            Self::Released => "Released: whom it concerns is told.",
            Self::Gone => "That does not wait any more.",
        }
    }
}

/// What a form of the page wants.
pub(super) async fn done(instance: &Instance, form: &Form) -> Response {
    let id = form.get("id").to_owned();
    let ids = || Some(vec![id.clone()]);
    let done = match form.get("do") {
        "retry-all" => {
            let tried = admin::ask(instance, &QueueRetry { ids: None }).await;
            tried.map(|_| Done::Tried)
        }
        "retry" => {
            let tried = admin::ask(instance, &QueueRetry { ids: ids() }).await;
            tried.map(|count| if count > 0 { Done::Tried } else { Done::Gone })
        }
        "drop" => {
            let dropped = admin::ask(instance, &QueueDrop { id: id.clone() }).await;
            dropped.map(|()| Done::Dropped)
        }
        "release" => {
            let asked = QueueRelease {
                ids: ids(),
                user: None,
            };
            let released = admin::ask(instance, &asked).await;
            released.map(|_| Done::Released)
        }
        _ => return crate::answer::empty(StatusCode::BAD_REQUEST, &[]),
    };
    match done {
        Ok(done) => see(&format!("{PATH}?done={}", done.name())),
        Err(error) if error.kind() == convoke_types::ErrorKind::NotFound => {
            see(&format!("{PATH}?done={}", Done::Gone.name()))
        }
        Err(error) => super::page::failed(&error),
    }
}
