use convoke_sdk::prelude::*;
use std::str::Chars;

/// A pattern of calendar user addresses: `*` stands for any text, `?` for one character. Case does not count, and a
/// domain may be written in Unicode.
///
/// A pattern with a `:` is compared with the whole URI (`mailto:*@example.org`, `https://cal.example.org/*`). One
/// without is compared with the `user@host` of a `mailto:` address, and matches no other URI: who may choose the
/// path of an `https:` address could else make it end in `@example.org`. `*` alone is every address.
///
/// `anonymous` is whoever does not say who they are; no other pattern is.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Pattern {
    text: String,
    over: Over,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Over {
    Everything,
    Mailboxes,
    Uris,
    /// Nobody that has a name.
    Anonymous,
}

impl Pattern {
    /// Whether the address fits. The time taken is at most the product of both lengths.
    pub fn matches(&self, address: &CalendarAddress) -> bool {
        if self.is_anonymous() || address.is_anonymous() {
            return self.is_anonymous() && address.is_anonymous();
        }
        let text = match self.over {
            Over::Everything => return true,
            Over::Uris => address.as_str(),
            Over::Mailboxes if address.local_part().is_some() => address.human(),
            Over::Mailboxes | Over::Anonymous => return false,
        };
        fits(&self.text, &text.to_lowercase())
    }

    /// Whether it stands for those who do not say who they are.
    pub(crate) fn is_anonymous(&self) -> bool {
        self.over == Over::Anonymous
    }
}

impl TryFrom<String> for Pattern {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        if text.is_empty() || text.len() > CalendarAddress::MAX {
            return Err(Error::invalid(
                "a pattern of addresses has 1 to 1024 bytes, such as `*@example.org`",
            ));
        }
        let over = match &*text {
            "*" => Over::Everything,
            "anonymous" => Over::Anonymous,
            uri if uri.contains(':') => Over::Uris,
            mailbox if mailbox.contains('@') => Over::Mailboxes,
            _ => {
                return Err(Error::invalid(format!(
                    "`{text}` can match no address: write `user@host` (such as `*@{text}`), a URI, or `*`"
                )));
            }
        };
        let text = with_ascii_domain(&text).to_lowercase();
        Ok(Self { text, over })
    }
}

/// Addresses carry their domain in A-labels, so the labels of a pattern without wildcards become such too.
fn with_ascii_domain(text: &str) -> String {
    let Some((before, host)) = text.rsplit_once('@') else {
        return text.to_owned();
    };
    let host = host.strip_suffix('.').unwrap_or(host);
    let ascii = |label: &str| match Domain::new(label) {
        Ok(domain) if !label.is_ascii() => domain.to_string(),
        _ => label.to_owned(),
    };
    let labels: Vec<String> = host.split('.').map(ascii).collect();
    format!("{before}@{}", labels.join("."))
}

/// Goes back to the last `*` only: what an earlier one could take, the last one can take too.
fn fits(pattern: &str, text: &str) -> bool {
    let (mut pattern, mut text) = (pattern.chars(), text.chars());
    let mut retry: Option<(Chars<'_>, Chars<'_>)> = None;
    loop {
        let rest = text.clone();
        match (pattern.next(), text.next()) {
            (None, None) => return true,
            (Some('*'), _) => {
                text = rest;
                retry = Some((pattern.clone(), text.clone()));
            }
            (Some('?'), Some(_)) => {}
            (Some(wanted), Some(found)) if wanted == found => {}
            _ => {
                let Some((after_star, taken)) = &mut retry else {
                    return false;
                };
                if taken.next().is_none() {
                    return false;
                }
                (pattern, text) = (after_star.clone(), taken.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn matches(pattern: &str, address: &str) -> bool {
        let pattern = Pattern::try_from(pattern.to_owned()).unwrap();
        pattern.matches(&CalendarAddress::new(address).unwrap())
    }

    #[test]
    fn patterns_match_as_people_expect() {
        for (pattern, address) in [
            ("*", "anna@example.org"),
            ("*", "urn:uuid:1f0c"),
            ("*@example.org", "Anna@EXAMPLE.org"),
            ("ANNA@example.ORG", "mailto:anna@example.org"),
            ("*@*.example.org", "anna@a.b.example.org"),
            ("anna+*@example.org", "anna+tag@example.org"),
            ("?nna@example.org", "anna@example.org"),
            ("*@bücher.example", "anna@bücher.example"),
            ("*@*.bücher.example", "anna@cal.bücher.example"),
            ("mailto:*@example.org", "anna@example.org"),
            ("https://cal.example.org/*", "https://cal.example.org/anna"),
            ("*a*b*@*.*", "xaxbx@c.d"),
            ("anonymous", "urn:x-convoke:anonymous"),
        ] {
            assert!(matches(pattern, address), "{pattern} {address}");
        }
    }

    #[test]
    fn patterns_do_not_match_what_only_looks_alike() {
        for (pattern, address) in [
            ("*@example.org", "anna@evil-example.org"),
            ("*@example.org", "anna@sub.example.org"),
            ("*@example.org", "anna@example.org.evil.net"),
            ("*@example.org", "a@example.org@evil.net"),
            ("*@example.org", "https://evil.net/x@example.org"),
            ("*@*.example.org", "anna@example.org"),
            ("?nna@example.org", "nna@example.org"),
            ("https://cal.example.org/*", "https://x@evil.net"),
            ("anna@example.org", "annab@example.org"),
            ("anonymous", "anonymous@example.org"),
            ("*", "urn:x-convoke:anonymous"),
            ("urn:*", "urn:x-convoke:anonymous"),
        ] {
            assert!(!matches(pattern, address), "{pattern} {address}");
        }
    }

    #[test]
    fn a_pattern_that_can_match_nothing_is_refused() {
        for text in ["", "example.org", "anna", &"*".repeat(1025)] {
            assert!(Pattern::try_from(text.to_owned()).is_err(), "{text}");
        }
    }

    #[test]
    fn many_stars_take_no_exponential_time() {
        let pattern = format!("{}b@c", "a*".repeat(500));
        assert!(!matches(
            &pattern,
            &format!("{}@c.example", "a".repeat(900))
        ));
    }

    /// What a glob means, said in the plainest way.
    fn model(pattern: &[char], text: &[char]) -> bool {
        match (pattern, text) {
            ([], []) => true,
            (['*', rest @ ..], _) => (0..=text.len()).any(|taken| model(rest, &text[taken..])),
            (['?', rest @ ..], [_, text @ ..]) => model(rest, text),
            ([wanted, rest @ ..], [found, text @ ..]) => wanted == found && model(rest, text),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn matching_agrees_with_the_plain_model(pattern in "[ab*?]{0,8}", text in "[ab]{0,8}") {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            prop_assert_eq!(fits(&pattern, &text), model(&chars(&pattern), &chars(&text)));
        }

        #[test]
        fn no_pattern_makes_matching_panic(pattern in "\\PC{0,40}", text in "\\PC{0,40}") {
            if let (Ok(pattern), Ok(address)) = (Pattern::try_from(pattern), CalendarAddress::new(&text)) {
                pattern.matches(&address);
            }
        }
    }
}
