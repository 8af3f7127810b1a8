//! What of a domain is probed: what discovery strategies find for it, or else what DNS says of it.

use super::{Finding, Target, Verdict};
use convoke_sdk::{Discovered, Error};
use convoke_types::Domain;

/// The target, by what the strategies of a configuration say of the domain; and a finding for what they say.
pub(crate) fn target(
    domain: Domain,
    said: Result<Discovered, Error>,
    findings: &mut Vec<Finding>,
) -> Target {
    let mut note = |verdict, text: String| {
        findings.push(Finding {
            step: "discovery",
            verdict,
            text,
            section: "§3",
        });
    };
    match said {
        Ok(Discovered::Receivers(receivers)) => {
            let urls: Vec<_> = receivers.iter().map(|it| it.url.to_string()).collect();
            let text = format!("[[discovery]] finds {}", urls.join(", then "));
            note(Verdict::Pass, text);
            return Target::Receivers(receivers);
        }
        Ok(Discovered::NoService) => {
            let text = format!("[[discovery]] says that {domain} has no service");
            note(Verdict::Info, text);
        }
        Ok(Discovered::Mail) => {
            let text = format!("[[discovery]] says that {domain} is reached by mail");
            note(Verdict::Info, text);
        }
        Ok(Discovered::FreeBusyUrl(receiver)) => {
            let url = receiver.url;
            let text = format!(
                "[[discovery]] says that {domain} is reached by mail, and tells busy time at URLs such as {url}"
            );
            note(Verdict::Info, text);
        }
        Err(error) => note(Verdict::Info, format!("[[discovery]]: {error}")),
        // None of them knows it; a later SDK may know more.
        Ok(_) => {}
    }
    Target::Domain(domain)
}
