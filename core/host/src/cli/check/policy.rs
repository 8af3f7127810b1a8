//! Whether the policies let our own people send at all.

use super::finding::Findings;
use crate::{
    config::{Config, Role},
    login,
};
use convoke_plugin_host::{Plugins, Verdict};
use convoke_sdk::AccessRequest;
use convoke_types::{CalendarAddress, Domain, Proof};

/// People who are tried, at most.
const MOST: usize = 20;

/// Asks for some of our people, one by one, until one may.
pub(super) async fn look(config: &Config, plugins: &Plugins, findings: &mut Findings) {
    let has_listener = |role| config.listener(role).is_some();
    if !has_listener(Role::Submission) && !has_listener(Role::Caldav) {
        return;
    }
    let mut refused = None;
    let domains = &config.server.domains;
    for person in domains.iter().flat_map(|domain| people(config, domain)) {
        match plugins.policy.decide(&invitation(&person)).await {
            Verdict::Deny(why) => refused = refused.or(Some((person, why))),
            _ => return,
        }
    }
    if let Some((person, why)) = refused {
        let text = format!(
            "nobody of ours may invite anybody: tried for {}, {why}; add {{ allow = \"any\", via = \"submission\" }} to the rules of \
             policy-rules",
            person.human()
        );
        findings.warn("policy", text);
    }
}

/// Who logs in from a domain, and somebody who might.
pub(super) fn people(config: &Config, domain: &Domain) -> Vec<CalendarAddress> {
    let files = config.listeners.iter().filter_map(|it| it.users.as_deref());
    let logins = files.flat_map(|file| login::addresses(file, &config.server.domains[0]));
    let mut people: Vec<_> = logins
        .filter(|it| it.domain().is_ok_and(|it| it == domain))
        .take(MOST)
        .collect();
    people.extend(CalendarAddress::new(&format!("somebody@{domain}")).ok());
    people
}

/// An invitation to somebody of the same domain, handed in by who logged in.
fn invitation(from: &CalendarAddress) -> AccessRequest {
    let to = from.domain().map(|domain| format!("guest@{domain}"));
    let to = to.ok().and_then(|it| CalendarAddress::new(&it).ok());
    let to = to.unwrap_or_else(|| from.clone());
    let mut request = AccessRequest::new("REQUEST", "VEVENT", from.clone(), to);
    request.organizer = Some(from.clone());
    request.proofs = vec![Proof::Submission(from.clone())];
    request
}
