//! What another domain's receiver is like, as `convoke probe` says it.
//!
//! Others are asked by a form alone, which no other page can send.

use super::{
    access::Administrator,
    form::Form,
    page::{Page, table, text},
};
use crate::{
    admin::{
        self,
        api::{Probe, Probed},
    },
    instance::Instance,
};
use convoke_net::http_server::Response;
use convoke_types::Error;
use maud::{Markup, html};

const PATH: &str = "/console/probe";

pub(super) fn page(instance: &Instance, who: &Administrator) -> Page {
    shown(instance, who, "", None)
}

/// Probes the domain that the form names.
pub(super) async fn done(instance: &Instance, who: &Administrator, form: &Form) -> Response {
    let domain = form.get("domain");
    let asked = Probe {
        domain: domain.to_owned(),
    };
    let probed = admin::ask(instance, &asked).await;
    shown(instance, who, domain, Some(probed)).answer()
}

fn shown(
    instance: &Instance,
    who: &Administrator,
    domain: &str,
    probed: Option<Result<Vec<Probed>, Error>>,
) -> Page {
    let token = instance.shared.form_secret.token(&who.key());
    let (found, notice) = match probed {
        Some(Ok(found)) => (Some(found), None),
        Some(Err(error)) => (None, Some(error.to_string())),
        None => (None, None),
    };
    Page {
        path: PATH,
        notice,
        again: None,
        content: html! {
            p { "The receivers of a domain are looked up and asked what they take, as before a message is sent. It changes nothing there." }
            form method="post" action=(PATH) {
                input type="hidden" name="token" value=(token);
                label for="domain" { "Domain" }
                input id="domain" name="domain" required autocapitalize="none" autocomplete="off" value=(domain);
                button type="submit" name="do" value="probe" { "Probe" }
            }
            @if let Some(found) = found {
                @let rows: Vec<_> = found.iter().map(cells).collect();
                (table(&format!("What was found of {domain}"), &["Verdict", "Step", "What was seen", "Specification"], &rows, "Nothing was found."))
            }
        },
    }
}

fn cells(it: &Probed) -> Vec<Markup> {
    let class = match it.verdict.as_str() {
        "pass" => "good",
        "fail" => "bad",
        _ => "",
    };
    vec![
        html! { span class=(class) { (it.verdict) } },
        text(&it.step),
        text(&it.text),
        text(&it.section),
    ]
}
