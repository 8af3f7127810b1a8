//! How the host is.

use super::page::{Page, table, text};
use crate::{
    admin::{
        self,
        api::{Plugin, Status},
        status::HostStatus,
    },
    certificates::SOON,
    instance::Instance,
};
use convoke_types::{Domain, Error};
use jiff::Timestamp;
use maud::{Markup, html};

pub(super) async fn page(instance: &Instance) -> Result<Page, Error> {
    let status = admin::ask(instance, &Status {}).await?;
    Ok(Page {
        path: "/console/",
        notice: None,
        again: None,
        content: html! {
            (troubles(&status))
            (host(&status))
            (waiting(&status))
            (plugins(&status.plugins))
            (expiry(&status))
        },
    })
}

fn troubles(status: &HostStatus) -> Markup {
    html! {
        section aria-labelledby="health" {
            h2 id="health" { "Health" }
            @if status.troubles.is_empty() {
                p class="good" { "All is well." }
            } @else {
                ul class="cards" {
                    @for trouble in &status.troubles {
                        li class="bad" { h3 { (trouble.what) } p { (trouble.detail) } }
                    }
                }
            }
        }
    }
}

fn host(status: &HostStatus) -> Markup {
    let domains: Vec<_> = status.domains.iter().map(Domain::as_str).collect();
    html! {
        section aria-labelledby="host" {
            h2 id="host" { "Host" }
            dl {
                dt { "Version" } dd { (status.version) }
                dt { "Running since" } dd { (moment(status.since)) " (" (ago(status.since, status.now)) ")" }
                dt { "Clock" } dd { (moment(status.now)) }
                dt { "Domains" } dd { (domains.join(", ")) }
                dt { "Listeners" }
                @for listener in &status.listeners {
                    dd { (listener.role) " " code { (listener.address.to_string()) } @if listener.tls { " TLS" } }
                }
            }
        }
    }
}

fn waiting(status: &HostStatus) -> Markup {
    let waiting = &status.waiting;
    html! {
        section aria-labelledby="waiting" {
            h2 id="waiting" { "What waits to be delivered" }
            p {
                a href="/console/queue" {
                    (waiting.waiting) " waiting, " (waiting.retrying) " to be tried again, " (waiting.held) " held"
                }
                @if let Some(seconds) = waiting.oldest_seconds { ". The oldest has waited for " (length(seconds)) }
                "."
            }
        }
    }
}

fn plugins(plugins: &[Plugin]) -> Markup {
    let row = |plugin: &Plugin| {
        let class = if plugin.state == "ready" {
            "good"
        } else {
            "bad"
        };
        vec![
            text(plugin.kinds.join(", ")),
            text(&plugin.name),
            text(&plugin.version),
            text(plugin.isolation.as_deref().unwrap_or_default()),
            html! { span class=(class) { (plugin.state) } },
            text(plugin.reason.as_deref().unwrap_or_default()),
        ]
    };
    let rows: Vec<_> = plugins.iter().map(row).collect();
    let heads = ["Kind", "Entry", "Version", "Runs", "State", "Why"];
    html! {
        section aria-labelledby="plugins" {
            h2 id="plugins" { "Stores and other plugins" }
            (table("Plugins", &heads, &rows, "There are none."))
        }
    }
}

fn expiry(status: &HostStatus) -> Markup {
    let now = status.now.as_second();
    let rows: Vec<_> = (status.certificates.iter())
        .map(|it| {
            let (class, left) = match it.until {
                None => ("bad", "cannot be read".to_owned()),
                Some(until) if until.as_second() <= now => ("bad", "has expired".to_owned()),
                Some(until) => {
                    let left = until.as_second() - now;
                    (if left < SOON { "bad" } else { "good" }, length(left))
                }
            };
            vec![
                text(&it.of),
                html! { code { (it.file.display().to_string()) } },
                text(it.until.map(moment).unwrap_or_default()),
                html! { span class=(class) { (left) } },
            ]
        })
        .collect();
    html! {
        section aria-labelledby="expiry" {
            h2 id="expiry" { "Certificates and key" }
            (table("Certificates", &["Use", "File", "Ends", "Left"], &rows, "The configuration names no certificate."))
            @match &status.key {
                Some(key) => p {
                    "Messages are signed as " strong { (key.domain.as_str()) } ", selector " strong { (key.selector) }
                    "; peers look for the key by " (key.lookup.join(", ")) ". Whether they find it stands under Health."
                },
                None => p { "Messages are not signed." },
            }
        }
    }
}

/// A time, to the second.
pub(super) fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

fn ago(since: Timestamp, now: Timestamp) -> String {
    length(now.duration_since(since).as_secs())
}

/// How long something takes, in its largest unit or two.
fn length(seconds: i64) -> String {
    let counted = |count: i64, unit: &str| {
        let s = if count == 1 { "" } else { "s" };
        format!("{count} {unit}{s}")
    };
    match seconds {
        ..60 => counted(seconds, "second"),
        60..3_600 => counted(seconds / 60, "minute"),
        3_600..172_800 => counted(seconds / 3_600, "hour"),
        _ => counted(seconds / 86_400, "day"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_the_unit_that_says_most() {
        for (seconds, expected) in [
            (0, "0 seconds"),
            (1, "1 second"),
            (119, "1 minute"),
            (7_200, "2 hours"),
            (172_800, "2 days"),
        ] {
            assert_eq!(length(seconds), expected);
        }
    }
}
