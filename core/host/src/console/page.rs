//! What all pages have: the frame, the way between them, and what a browser may do with them.

use crate::{
    answer::{
        empty,
        page::{self, HTML},
    },
    escape::escape_lines,
};
use convoke_net::http_server::Response;
use convoke_types::Error;
use http::{HeaderValue, StatusCode, header};
use maud::{DOCTYPE, Markup, html};

const CSS: &str = concat!(
    include_str!("style.css"),
    include_str!("../busy_picture/style.css")
);

/// The pages, by path and name.
const PAGES: [(&str, &str); 8] = [
    ("/console/", "Overview"),
    ("/console/queue", "Queue"),
    ("/console/inbox", "Inboxes"),
    ("/console/decisions", "Decisions"),
    ("/console/peers", "Peers"),
    ("/console/busy", "Busy time"),
    ("/console/probe", "Probe"),
    ("/console/log", "Log"),
];

/// A page that is ready to be shown.
pub(super) struct Page {
    /// Where it is: one of [`PAGES`].
    pub(super) path: &'static str,
    /// What came of a form, or what is wrong.
    pub(super) notice: Option<String>,
    /// After how many seconds a browser loads it again by itself.
    pub(super) again: Option<u32>,
    pub(super) content: Markup,
}

impl Page {
    pub(super) fn answer(self) -> Response {
        self.answer_with(StatusCode::OK)
    }

    pub(super) fn answer_with(self, status: StatusCode) -> Response {
        let name = PAGES.iter().find(|(path, _)| *path == self.path);
        let name = name.map_or("Convoke", |(_, name)| name);
        let document = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    @if let Some(seconds) = self.again { meta http-equiv="refresh" content=(seconds); }
                    title { (name) " – Convoke" }
                    link rel="stylesheet" href="/console/style.css";
                }
                body {
                    a class="skip" href="#content" { "To the content" }
                    header {
                        p class="brand" { "Convoke" }
                        nav aria-label="Pages" {
                            ul {
                                @for (path, name) in PAGES {
                                    li {
                                        @if path == self.path { a href=(path) aria-current="page" { (name) } }
                                        @else { a href=(path) { (name) } }
                                    }
                                }
                            }
                        }
                    }
                    main id="content" {
                        h1 { (name) }
                        @if let Some(notice) = &self.notice {
                            p class="notice" role="status" { (text(notice)) }
                        }
                        (self.content)
                    }
                }
            }
        };
        let mut response = Response::new(document.into_string().into());
        *response.status_mut() = status;
        response.headers_mut().insert(header::CONTENT_TYPE, HTML);
        response
    }
}

/// What was asked for cannot be answered now.
pub(super) fn failed(error: &Error) -> Response {
    let page = Page {
        path: "",
        notice: Some(error.to_string()),
        again: None,
        content: html! {},
    };
    page.answer_with(crate::admin::status_of(error.kind()))
}

/// The form was made by another run of the host, or for somebody else.
pub(super) fn too_old() -> Response {
    let text = "This page was open for too long. Nothing was done; please load it again.";
    let page = Page {
        path: "",
        notice: Some(text.to_owned()),
        again: None,
        content: html! {},
    };
    page.answer_with(StatusCode::FORBIDDEN)
}

/// Nobody said who they are.
pub(super) fn log_in() -> Response {
    let content = html! {
        p { "Log in as an administrator: with an address of " code { "users" } " of the admin listener, or as " code { "token" }
            " with the content of the file " code { "token" } " in the state folder." }
    };
    let page = Page {
        path: "",
        notice: None,
        again: None,
        content,
    };
    let mut response = page.answer_with(StatusCode::UNAUTHORIZED);
    let basic = HeaderValue::from_static("Basic realm=\"Convoke console\", charset=\"UTF-8\"");
    response
        .headers_mut()
        .insert(header::WWW_AUTHENTICATE, basic);
    response
}

/// From another machine there is a console only by TLS.
pub(super) fn in_the_clear() -> Response {
    let content = html! {
        p { "From another machine, the console is shown by TLS only, as passwords would be read on the way: give the admin listener "
            code { "tls" } ", or come through a tunnel (" code { "ssh -L 9090:127.0.0.1:9090 HOST" } ")." }
    };
    let page = Page {
        path: "",
        notice: None,
        again: None,
        content,
    };
    page.answer_with(StatusCode::FORBIDDEN)
}

/// The style, for anybody.
pub(super) fn style() -> Response {
    page::style(CSS)
}

/// To another page, so that to load it again does nothing again.
pub(super) fn see(place: &str) -> Response {
    let mut response = empty(StatusCode::SEE_OTHER, &[]);
    if let Ok(place) = HeaderValue::from_str(place) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    response
}

/// A table with its name; a row of none says so. On narrow screens a row is a block, whose cells say what they are: the roles keep it
/// a table for who hears it.
pub(super) fn table(caption: &str, heads: &[&str], rows: &[Vec<Markup>], none: &str) -> Markup {
    html! {
        @if rows.is_empty() {
            p { (none) }
        } @else {
            div class="wide" role="region" aria-label=(caption) tabindex="0" {
                table role="table" {
                    caption { (caption) }
                    thead role="rowgroup" {
                        tr role="row" { @for head in heads { th role="columnheader" scope="col" { (head) } } }
                    }
                    tbody role="rowgroup" {
                        @for row in rows {
                            tr role="row" {
                                @for (head, cell) in heads.iter().zip(row) {
                                    td role="cell" data-label=(head) { (cell) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// A text as a cell. What turns the direction of writing, or is not seen, is shown as the log shows it.
pub(super) fn text(text: impl AsRef<str>) -> Markup {
    let shown = escape_lines(text.as_ref());
    html! { (&*shown) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_a_stranger_turns_and_hides_nothing() {
        let shown = text("a\u{202e}b\u{200b}c<é\nd").into_string();
        assert_eq!(shown, "a\\u{202e}b\\u{200b}c&lt;é\nd");
    }
}
