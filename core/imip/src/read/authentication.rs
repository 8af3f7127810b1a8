//! What the mail server that hands mail to us found out about From: Authentication-Results (RFC 8601).
//!
//! Only the topmost field of a trusted host counts. That host has to remove such fields that claim to be its own when mail comes
//! in (RFC 8601 §5).

use super::fields::Fields;
use super::lexical::{split, unquoted, without_comments};
use convoke_types::{CalendarAddress, Domain, excerpt};
use std::fmt;

/// Letters of a result that a verdict shows.
const SHOWN: usize = 60;

/// The name by which a mail server signs its Authentication-Results, in lower case.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AuthservId(String);

/// A text is no authserv-id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not the name of a mail server in Authentication-Results: expected one word, such as mx.example.org"
)]
pub struct InvalidAuthservId(String);

/// What the trusted mail server says of From.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing: there is no Authentication-Results of a trusted host.
    Absent,
    /// There is no one mailbox in From that could be proved.
    NoSender,
    /// DMARC did not pass: its result.
    DmarcResult(String),
    /// DMARC passed for another domain than that of From.
    DmarcOfOther(String),
    /// The domain has no DMARC policy, and no DKIM signature of it passed.
    NothingAligned,
    /// From's domain vouches for the mail.
    Proved(Evidence),
}

/// By what From's domain vouches for a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Evidence {
    /// `dmarc=pass` (RFC 7489) for this domain.
    Dmarc(Domain),
    /// `dkim=pass` (RFC 6376) of this domain, which is of the same organization as From's; From's has no DMARC policy.
    Dkim(Domain),
}

impl AuthservId {
    /// Reads one, in any case.
    pub fn new(text: &str) -> Result<Self, InvalidAuthservId> {
        let text = text.trim();
        let is_fine = |c: char| !c.is_whitespace() && !c.is_control() && !";=\"()\\".contains(c);
        if (1..=255).contains(&text.len()) && text.chars().all(is_fine) {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err(InvalidAuthservId(excerpt(text, SHOWN)))
        }
    }

    /// It in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("no Authentication-Results of a trusted mail server"),
            Self::NoSender => f.write_str("From is not exactly one address"),
            Self::DmarcResult(result) => write!(f, "dmarc={result}"),
            Self::DmarcOfOther(domain) => write!(f, "dmarc=pass is for `{domain}`, not for From"),
            Self::NothingAligned => {
                f.write_str("no DMARC policy, and no DKIM signature of From's domain")
            }
            Self::Proved(Evidence::Dmarc(domain)) => write!(f, "dmarc=pass for {domain}"),
            Self::Proved(Evidence::Dkim(domain)) => write!(f, "dkim=pass of {domain}"),
        }
    }
}

/// The verdict of the topmost field of a trusted host.
pub(super) fn verdict(
    fields: &Fields,
    from: Option<&CalendarAddress>,
    trusted: &[AuthservId],
) -> Verdict {
    for value in fields.all("Authentication-Results") {
        let value = without_comments(value);
        let mut pieces = split(&value, |c| c == ';');
        // A version may follow the name.
        let head = pieces.next().unwrap_or_default().trim_start();
        let id = unquoted(split(head, char::is_whitespace).next().unwrap_or_default());
        if !trusted
            .iter()
            .any(|known| known.0.eq_ignore_ascii_case(&id))
        {
            continue;
        }
        let Some(domain) = from.and_then(|from| from.domain().ok()) else {
            return Verdict::NoSender;
        };
        let results: Vec<MethodResult> = pieces.filter_map(MethodResult::read).collect();
        return of_results(&results, domain);
    }
    Verdict::Absent
}

fn of_results(results: &[MethodResult], from: &Domain) -> Verdict {
    let dmarc = results.iter().find(|it| it.method == "dmarc");
    match dmarc.map(|it| (it, it.result.as_str())) {
        Some((found, "pass")) => {
            let domain = found.property("header.from").unwrap_or_default();
            return if Domain::new(domain).as_ref() == Ok(from) {
                Verdict::Proved(Evidence::Dmarc(from.clone()))
            } else {
                Verdict::DmarcOfOther(excerpt(domain, SHOWN))
            };
        }
        None | Some((_, "none" | "bestguesspass")) => {}
        Some((_, result)) => return Verdict::DmarcResult(excerpt(result, SHOWN)),
    }
    let mut signers = results
        .iter()
        .filter(|it| it.method == "dkim" && it.result == "pass")
        .filter_map(MethodResult::signer);
    signers
        .find(|signer| organization(signer) == organization(from))
        .map_or(Verdict::NothingAligned, |signer| {
            Verdict::Proved(Evidence::Dkim(signer))
        })
}

/// RFC 7489 §3.2: the organizational domain, by the public suffix list.
fn organization(domain: &Domain) -> &str {
    psl::domain_str(domain.as_str()).unwrap_or(domain.as_str())
}

/// `dmarc=pass header.from=example.org`
struct MethodResult {
    method: String,
    result: String,
    properties: Vec<(String, String)>,
}

impl MethodResult {
    fn read(piece: &str) -> Option<Self> {
        let mut pairs = pairs(piece);
        if pairs.is_empty() {
            return None;
        }
        let (method, result) = pairs.remove(0);
        let method = method.split('/').next().unwrap_or_default();
        Some(Self {
            method: method.to_owned(),
            result: result.to_ascii_lowercase(),
            properties: pairs,
        })
    }

    fn property(&self, name: &str) -> Option<&str> {
        let mut properties = self.properties.iter();
        properties
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// Who signed: `header.d`, else the domain of `header.i`.
    fn signer(&self) -> Option<Domain> {
        let agent = || {
            self.property("header.i")
                .and_then(|agent| agent.rsplit_once('@'))
        };
        let domain = self.property("header.d").or_else(|| Some(agent()?.1))?;
        Domain::new(domain).ok()
    }
}

/// `name=value` pairs, names in lower case; blanks may stand around the `=`.
fn pairs(piece: &str) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    let mut name: Option<String> = None;
    let mut awaits_value = false;
    let words = split(piece, char::is_whitespace).filter(|word| !word.is_empty());
    for word in words {
        let (before, after) = match word.split_once('=') {
            Some((before, after)) if !awaits_value => (before, Some(after)),
            _ => (word, None),
        };
        if awaits_value {
            pairs.extend(name.take().map(|name| (name, unquoted(word))));
            awaits_value = false;
            continue;
        }
        if !before.is_empty() {
            name = Some(before.to_ascii_lowercase());
        }
        match after {
            Some("") => awaits_value = name.is_some(),
            Some(value) => pairs.extend(name.take().map(|name| (name, unquoted(value)))),
            None => {}
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(header: &str, from: &str) -> String {
        let octets = format!("{header}\n\n");
        let fields = Fields::read(octets.as_bytes()).unwrap().0;
        let trusted = [AuthservId::new("MX.example.org").unwrap()];
        let from = from.parse().unwrap();
        verdict(&fields, Some(&from), &trusted).to_string()
    }

    #[test]
    fn the_topmost_field_of_a_trusted_host_decides() {
        const ABSENT: &str = "no Authentication-Results of a trusted mail server";
        const UNALIGNED: &str = "no DMARC policy, and no DKIM signature of From's domain";
        for (header, expected) in [
            ("", ABSENT),
            (
                "mx.example.org; dmarc=pass header.from=b.example",
                "dmarc=pass for b.example",
            ),
            (
                "Mx.Example.ORG 1; dmarc=Pass header.from=B.example",
                "dmarc=pass for b.example",
            ),
            (
                "\"mx.example.org\"; dmarc=pass header.from=b.example",
                "dmarc=pass for b.example",
            ),
            (
                "mx.example.org (it is us); dmarc = pass (p=none dis=none) header.from = b.example",
                "dmarc=pass for b.example",
            ),
            (
                "mx.example.org; dmarc=pass reason=\"a; dmarc=fail\" header.from=b.example",
                "dmarc=pass for b.example",
            ),
            (
                "mx.example.org; spf=fail; dmarc=pass action=none header.from=b.example;compauth=pass reason=100",
                "dmarc=pass for b.example",
            ),
            (
                "mx.example.org; dmarc=pass header.from=c.example",
                "dmarc=pass is for `c.example`, not for From",
            ),
            (
                "mx.example.org; dmarc=pass header.from=sub.b.example",
                "dmarc=pass is for `sub.b.example`, not for From",
            ),
            (
                "mx.example.org; dmarc=pass",
                "dmarc=pass is for ``, not for From",
            ),
            (
                "mx.example.org; dkim=pass header.d=b.example; dmarc=fail header.from=b.example",
                "dmarc=fail",
            ),
            (
                "mx.example.org; dkim=pass header.d=b.example; dmarc=temperror header.from=b.example",
                "dmarc=temperror",
            ),
            (
                "mx.example.org; dkim=pass header.d=b.example",
                "dkim=pass of b.example",
            ),
            (
                "mx.example.org; dkim=pass header.d=mail.b.example; dmarc=none",
                "dkim=pass of mail.b.example",
            ),
            (
                "mx.example.org; dkim=pass header.i=@b.example header.s=s",
                "dkim=pass of b.example",
            ),
            (
                "mx.example.org; dkim=fail header.d=b.example; dkim=pass header.d=c.example",
                UNALIGNED,
            ),
            ("mx.example.org; dkim=pass header.d=example", UNALIGNED),
            ("mx.example.org; dkim=pass", UNALIGNED),
            ("mx.example.org; none", UNALIGNED),
            (
                "mx.example.org; spf=pass smtp.mailfrom=b.example",
                UNALIGNED,
            ),
            (
                "mx.example.org; x=\"dmarc=pass header.from=b.example",
                UNALIGNED,
            ),
            ("evil.example; dmarc=pass header.from=b.example", ABSENT),
            (
                "mx.example.org.evil.example; dmarc=pass header.from=b.example",
                ABSENT,
            ),
            (
                "(mx.example.org) evil.example; dmarc=pass header.from=b.example",
                ABSENT,
            ),
            (
                "spf=pass smtp.mailfrom=b.example; dmarc=pass header.from=b.example",
                ABSENT,
            ),
        ] {
            let header = format!("Authentication-Results: {header}");
            assert_eq!(judged(&header, "bo@b.example"), expected, "{header}");
        }
    }

    #[test]
    fn fields_below_the_topmost_are_not_read() {
        let pass = "Authentication-Results: mx.example.org; dmarc=pass header.from=b.example";
        let fail = "Authentication-Results: mx.example.org; dmarc=fail header.from=b.example";
        let other = "Authentication-Results: evil.example; dmarc=pass header.from=b.example";
        assert_eq!(
            judged(&format!("{fail}\n{pass}"), "bo@b.example"),
            "dmarc=fail"
        );
        assert_eq!(
            judged(&format!("{other}\n{pass}\n{fail}"), "bo@b.example"),
            "dmarc=pass for b.example"
        );
    }

    #[test]
    fn an_organization_is_not_a_public_suffix() {
        let header = "Authentication-Results: mx.example.org; dkim=pass header.d=a.co.uk";
        assert_eq!(judged(header, "bo@mail.a.co.uk"), "dkim=pass of a.co.uk");
        assert!(judged(header, "bo@b.co.uk").starts_with("no DMARC policy"));
    }

    #[test]
    fn an_authserv_id_is_one_word() {
        for wrong in ["", "a b", "a;b", "spf=pass", &"x".repeat(300)] {
            assert!(AuthservId::new(wrong).is_err(), "{wrong}");
        }
    }
}
