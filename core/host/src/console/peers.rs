//! Who came lately: what they proved, what their messages were answered, and why they were refused.

use super::{
    overview::moment,
    page::{Page, table, text},
};
use crate::{
    admin::{self, api::PeersSeen},
    instance::Instance,
    peers::PeerRow,
};
use convoke_types::{Error, Proof};
use maud::{Markup, html};
use std::{borrow::Cow, collections::BTreeMap};
use url::form_urlencoded;

/// How many are shown.
const SHOWN: u32 = 200;

pub(super) async fn page(instance: &Instance) -> Result<Page, Error> {
    let seen = admin::ask(instance, &PeersSeen { most: SHOWN }).await?;
    let rows: Vec<_> = seen.peers.iter().map(cells).collect();
    let heads = [
        "Peer",
        "Proved",
        "Last from",
        "Last",
        "Answered",
        "Refused",
        "Put off",
        "Last refusal",
    ];
    let none = "Nobody has sent a message since the host began.";
    Ok(Page {
        path: "/console/peers",
        notice: None,
        again: None,
        content: html! {
            p { "Servers that sent messages since the host began. Where nothing is proved, a peer is the network that it comes from." }
            (table("Peers, the last one first", &heads, &rows, none))
            @if seen.forgotten > 0 {
                p { (seen.forgotten) " more are not remembered: whoever was never answered makes room first." }
            }
        },
    })
}

fn cells(row: &PeerRow) -> Vec<Markup> {
    vec![
        text(&row.peer),
        proved(&row.proofs),
        html! {
            (row.address)
            @if let Some(originator) = &row.originator {
                br;
                @if row.proofs.is_empty() { "says " }
                a href=(decisions(originator)) { (originator) }
            }
        },
        html! { (moment(row.last)) br; "since " (moment(row.first)) },
        html! { (row.answered) (counts(&row.statuses)) },
        html! { (row.refused) (counts(&row.errors)) },
        text(row.put_off.to_string()),
        html! {
            @if let Some(refusal) = &row.last_refusal {
                (moment(refusal.at)) ": " (refusal.text)
            }
        },
    ]
}

fn proved(proofs: &[Proof]) -> Markup {
    let words: Vec<_> = proofs.iter().map(words).collect();
    html! {
        @if words.is_empty() { span class="bad" { "nothing" } }
        @else { (words.join(", ")) }
    }
}

fn words(proof: &Proof) -> String {
    match proof {
        Proof::Dkim(domain) => format!("{domain} by signature"),
        Proof::Mtls(domain) => format!("{domain} by certificate"),
        // Others are not for servers.
        other => format!("{other:?}"),
    }
}

/// How often each was, if anything was.
fn counts(counts: &BTreeMap<Cow<'static, str>, u64>) -> Markup {
    html! {
        @for (name, count) in counts {
            br; code { (name) } " × " (count)
        }
    }
}

fn decisions(about: &str) -> String {
    let about: String = form_urlencoded::byte_serialize(about.as_bytes()).collect();
    format!("/console/decisions?about={about}")
}
