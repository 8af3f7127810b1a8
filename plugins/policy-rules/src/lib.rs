//! Allow and deny rules.
//!
//! ```toml
//! [[policy]]
//! plugin = "policy-rules"
//! config.rules = [
//!   { deny = "any", from = ["*@spam.example", "*@*.spam.example"] },
//!   { allow = "any", via = "submission" },                                  # our own users, to anybody
//!   { allow = "freebusy", from = "*@example.com", via = ["dkim", "mtls"] },
//!   { allow = "freebusy", from = "*", to = "boss@example.org", detail = "busy", rate = "10/min" },
//!   { allow = "freebusy", from = "anonymous", via = "url", to = "boss@example.org", detail = "busy" },   # free-busy URLs, to everybody
//!   { allow = "schedule", method = ["REQUEST", "CANCEL"], component = "VEVENT" },
//!   { hold = "schedule", known = "no" },                                     # strangers wait in the person's inbox
//!   { deny = "send", dnssec = ["insecure", "none"] },                         # our own users, to receivers elsewhere
//! ]
//! ```
//!
//! The rules are read from the top; the first that matches decides. If none matches, this policy abstains and the
//! others decide (when nobody allows, the host denies).
//!
//! | key | value | a rule without it |
//! | --- | --- | --- |
//! | `allow`, `deny` or `hold` | `freebusy`, `schedule` or `any` of the two: what the rule is about; `deny` also takes `send`: what our own users send to receivers elsewhere. `hold` takes `schedule` only: the message waits in the recipient's inbox, out of the calendar, until they accept the sender | is refused: exactly one of the three |
//! | `from`, `to` | [patterns](Pattern) of addresses; `from = "anonymous"` with `via = "url"` is whoever reads a free-busy URL without logging in | matches every address; an `allow` nobody anonymous |
//! | `method`, `component` | methods of iTIP and components of iCalendar (`REQUEST`…, `VEVENT`…), in any case | matches all |
//! | `via` | how the peer [proved](Via) that it may speak for the originator: `dkim`, `mtls`, `submission`, `mail`, `url` (a free-busy URL is read) or `none` of these | matches whatever was proved |
//! | `known` | whether the recipient knows the sender (ever invited, answered or accepted them): `true`, `false`, or `"unsaid"` if the host does not say | matches whether or not |
//! | `dnssec` | of a `deny = "send"`: what DNSSEC says of the receiver, `secure`, `insecure` or `none` if nothing was validated, or if it goes by mail | matches whatever it says |
//! | `detail` | of an `allow`: `full`, or `busy` to hide tentative and unavailable | `full` |
//! | `rate` | of an `allow`: how many recipients the users of one domain may reach by it, `10/min`, `5/s`, `100/h`, `1000/d` | as many as they like |
//! | `quota` | of an `allow`: how many messages one sender may send to one recipient by it, `100/day` | as many as they like |
//! | `uninvited` | of an `allow`: `accept` to let answers of people who were not invited put them on the organizer's list (it needs `from`, which names them), or `refuse` | `refuse`, unless another policy accepts |
//!
//! All but `allow`, `deny`, `hold`, `detail`, `rate`, `quota` and `uninvited` take one value or a list, of which one must match. The host counts, and
//! answers *try later* beyond the rate or the quota. A sender is an address of a domain that proved itself: a rate bounds
//! what a domain does, a quota what one of its users does to one of ours.
//!
//! Not here: anything that is counted or remembered. A rule without `via` trusts the host to have verified the peer as `[verification]` says.

mod pattern;
mod rule;

pub use pattern::Pattern;
pub use rule::{Config, Via};

use convoke_sdk::prelude::*;
use rule::Rule;

/// An ordered list of rules.
#[derive(Debug)]
pub struct Rules(Vec<Rule>);

impl Policy for Rules {
    type Config = Config;

    async fn open(config: Config, _host: Host) -> Result<Self> {
        config.read().map(Self)
    }

    async fn authorize(&self, request: &AccessRequest, _: &Call) -> Result<Decision> {
        let first = self.0.iter().find(|rule| rule.matches(request));
        Ok(first.map_or(Decision::Abstain, Rule::decision))
    }
}

convoke_sdk::plugin! { name: "policy-rules", policy: Rules }

#[cfg(test)]
mod tests;
