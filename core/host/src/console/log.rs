//! The last lines of the log, the newest first. To follow it, the page loads itself again every few seconds; it does so only for
//! who asks for that, as it takes one's place on the page away.

use super::{
    form::Form,
    overview::moment,
    page::{Page, table, text},
};
use crate::{
    admin::{
        self,
        api::{Log, LogLevel},
    },
    instance::Instance,
};
use convoke_types::Error;
use maud::{Markup, html};
use serde_json::Value;

const PATH: &str = "/console/log";
/// How many are shown.
const SHOWN: u32 = 200;
/// After how many seconds the page is loaded again.
const AGAIN: u32 = 5;

/// The levels, as a query and as people name them.
const LEVELS: [(&str, &str, LogLevel); 3] = [
    ("info", "All", LogLevel::Info),
    ("warn", "Warnings and errors", LogLevel::Warn),
    ("error", "Errors", LogLevel::Error),
];

pub(super) async fn page(instance: &Instance, query: &str) -> Result<Page, Error> {
    let form = Form::read(query.as_bytes());
    let known = LEVELS.iter().find(|(name, ..)| *name == form.get("level"));
    let (chosen, _, level) = *known.unwrap_or(&LEVELS[0]);
    let is_followed = form.get("follow") == "yes";
    let asked = Log {
        level,
        after: None,
        most: SHOWN,
    };
    let log = admin::ask(instance, &asked).await?;
    let rows: Vec<_> = log.lines.iter().rev().map(cells).collect();
    Ok(Page {
        path: PATH,
        notice: None,
        again: is_followed.then_some(AGAIN),
        content: html! {
            form method="get" action=(PATH) {
                label for="level" { "Show" }
                select id="level" name="level" {
                    @for (name, words, _) in LEVELS {
                        option value=(name) selected[name == chosen] { (words) }
                    }
                }
                button type="submit" { "Load" }
                @if is_followed {
                    button class="second" type="submit" name="follow" value="no" { "Stop following" }
                } @else {
                    button class="second" type="submit" name="follow" value="yes" { "Follow" }
                }
            }
            @if is_followed { p { "This page is loaded again every " (AGAIN) " seconds." } }
            (table("Lines of the log, the newest first", &["At", "Level", "Event", "What", "About"], &rows, "There are no such lines."))
        },
    })
}

fn cells(line: &Value) -> Vec<Markup> {
    let fields = &line["fields"];
    let level = word(&line["level"]);
    let class = match level.as_str() {
        "ERROR" | "WARN" => "bad",
        _ => "",
    };
    vec![
        text(at(&line["timestamp"])),
        html! { span class=(class) { (level) } },
        html! { code { (word(&fields["event"])) } },
        text(word(&fields["message"])),
        about(fields, &line["span"]["request"]),
    ]
}

/// The other fields.
fn about(fields: &Value, request: &Value) -> Markup {
    let fields = fields.as_object().into_iter().flatten();
    let fields = fields.filter(|(name, _)| !["event", "message"].contains(&name.as_str()));
    html! {
        @for (name, value) in fields {
            span class="field" { (name) "=" (word(value)) } " "
        }
        @if !request.is_null() { span class="field" { "request=" (word(request)) } }
    }
}

/// A time, to the second.
fn at(value: &Value) -> String {
    let text = word(value);
    text.parse().map_or(text, moment)
}

fn word(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
